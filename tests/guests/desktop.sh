#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# desktop.sh: prints the path of a folder with a Debian 12 system that shows a desktop, made on first use as
# debian.sh says. It has Weston with its clients, and drivers for virtio disks and GPUs.
set -u

. "$(dirname "$0")/debian.sh"

debian_begin desktop amd64 1 linux-image-amd64,weston,fonts-dejavu-core
debian_quiet
gpu=drivers/gpu/drm
debian_initrd "$gpu/amd $gpu/i915 $gpu/nouveau $gpu/radeon drivers/net" virtio_pci virtio_blk virtio-gpu ext4
debian_image 2G
debian_end
