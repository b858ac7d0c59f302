#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# desktop.sh: prints the path of a folder with a Debian 12 system that shows a desktop, made by debootstrap on
# first use and kept in $DOPPEL_CACHE (default ~/.cache/doppel): root.img (an ext4 file system, sparse), vmlinuz
# and initrd. It has Weston with its clients, drivers for virtio disks and GPUs, and a root login without password
# on ttyS0. Needs root, debootstrap and a package mirror: else exit 1 with one line.
set -u

cache=${DOPPEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/doppel}/desktop-amd64
mirror=${DOPPEL_MIRROR:-http://deb.debian.org/debian}
packages=systemd,systemd-sysv,udev,kmod,login,dbus,util-linux,procps,zstd,initramfs-tools
packages=$packages,linux-image-amd64,weston,fonts-dejavu-core
# What a change of this makes anew.
version=1

die() { echo "doppel: $1" >&2; exit 1; }

if [ "$(cat "$cache/version" 2>/dev/null)" = $version ]; then
	echo "$cache"
	exit 0
fi
[ "$(id -u)" = 0 ] || die "making a Debian desktop needs root (for debootstrap)"
command -v debootstrap >/dev/null || die "debootstrap is not here: cannot make a Debian desktop"
mkdir -p "$cache" || die "cannot make the folder $cache; set DOPPEL_CACHE to another"
root=$cache/root
if [ ! -f "$cache/root.done" ]; then
	rm -rf "$root"
	debootstrap --arch=amd64 --variant=minbase --include=$packages bookworm "$root" "$mirror" \
		>"$cache/log" 2>&1 || die "debootstrap failed (see $cache/log)"
	touch "$cache/root.done"
fi

echo doppel >"$root/etc/hostname"
echo 'LABEL=root / ext4 defaults 0 1' >"$root/etc/fstab"
sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"
mkdir -p "$root/etc/systemd/system/getty.target.wants"
ln -sf /lib/systemd/system/serial-getty@.service \
	"$root/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"
for unit in getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc \
	"$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/lib/firmware
modules=$(echo "$root"/lib/modules/*)
rm -rf "$modules"/kernel/sound "$modules"/kernel/drivers/media "$modules"/kernel/drivers/gpu/drm/amd \
	"$modules"/kernel/drivers/gpu/drm/i915 "$modules"/kernel/drivers/gpu/drm/nouveau \
	"$modules"/kernel/drivers/gpu/drm/radeon "$modules"/kernel/drivers/infiniband \
	"$modules"/kernel/drivers/staging "$modules"/kernel/drivers/net
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf '%s\n' virtio_pci virtio_blk virtio-gpu ext4 >"$root/etc/initramfs-tools/modules"
version_dir=${modules##*/}
chroot "$root" depmod "$version_dir" >>"$cache/log" 2>&1 || die "depmod failed (see $cache/log)"
chroot "$root" update-initramfs -u -k "$version_dir" >>"$cache/log" 2>&1 ||
	die "update-initramfs failed (see $cache/log)"
cp -L "$root"/boot/vmlinuz-* "$cache/vmlinuz" && cp -L "$root"/boot/initrd.img-* "$cache/initrd" ||
	die "there is no kernel in the system"
rm -f "$cache/root.img"
truncate -s 2G "$cache/root.img"
mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$cache/root.img" \
	>>"$cache/log" 2>&1 || die "mke2fs failed (see $cache/log)"
rm -rf "$root" "$cache/root.done"
echo $version >"$cache/version"
echo "$cache"
