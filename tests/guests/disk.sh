#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# disk.sh [amd64|i386]: prints the path of a folder with a Debian 12 system, made on first use as debian.sh
# says, and what grub.sh makes of it: disks that boot by themselves, and a rescue CD. It has fio, and drivers
# for all disks that the emulator has.
set -u

. "$(dirname "$0")/debian.sh"

arch=${1:-amd64}
packages=e2fsprogs,fio,smartmontools,hdparm,nvme-cli,pciutils,fdisk
packages=$packages,grub2-common,grub-pc-bin,grub-efi-amd64-bin,efibootmgr,dosfstools,mtools,xorriso
case $arch in
amd64) packages=$packages,linux-image-amd64 ;;
i386) packages=$packages,linux-image-686-pae ;;
*) die "usage: disk.sh amd64|i386" ;;
esac

grub() { sh "$(dirname "$0")/grub.sh" "$cache" "$1" >>"$cache/log" 2>&1; }

debian_begin disk "$arch" 1 "$packages"
debian_quiet smartmontools.service
debian_initrd "drivers/gpu drivers/net/ethernet/[a-hj-z]* drivers/net/wireless drivers/iio drivers/isdn drivers/hid" \
	virtio_pci virtio_blk virtio_scsi ata_piix ahci nvme sd_mod sr_mod ext4
grub files || die "no GRUB (see $cache/log)"
debian_image 1536M
grub disks || die "no disks (see $cache/log)"
debian_end
