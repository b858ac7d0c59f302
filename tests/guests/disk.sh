#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# disk.sh [amd64|i386]: prints the path of a folder with a Debian 12 system, made by debootstrap on first use
# and kept in $DOPPEL_CACHE (default ~/.cache/doppel): root.img (an ext4 file system, sparse), vmlinuz and
# initrd of the same kernel, and what grub.sh makes of them: disks that boot by themselves, and a rescue CD.
# It has systemd, a root login without password on ttyS0, fio, and drivers for all disks that the emulator
# has. Needs root, debootstrap and a package mirror: else exit 1 with one line.
set -u

arch=${1:-amd64}
cache=${DOPPEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/doppel}/disk-$arch
mirror=${DOPPEL_MIRROR:-http://deb.debian.org/debian}
packages=systemd,systemd-sysv,udev,kmod,e2fsprogs,login,fio,dbus,smartmontools
packages=$packages,hdparm,nvme-cli,util-linux,procps,zstd,initramfs-tools,pciutils,fdisk
packages=$packages,grub2-common,grub-pc-bin,grub-efi-amd64-bin,efibootmgr,dosfstools,mtools,xorriso
# What a change of this makes anew.
version=1

die() { echo "doppel: $1" >&2; exit 1; }

case $arch in
amd64) packages=$packages,linux-image-amd64 ;;
i386) packages=$packages,linux-image-686-pae ;;
*) die "usage: disk.sh amd64|i386" ;;
esac
if [ "$(cat "$cache/version" 2>/dev/null)" = $version ]; then
	echo "$cache"
	exit 0
fi
[ "$(id -u)" = 0 ] || die "making a Debian disk needs root (for debootstrap)"
command -v debootstrap >/dev/null || die "debootstrap is not here: cannot make a Debian disk"
mkdir -p "$cache" || die "cannot make the folder $cache; set DOPPEL_CACHE to another"
root=$cache/root
if [ ! -f "$cache/root.done" ]; then
	rm -rf "$root"
	debootstrap --arch="$arch" --variant=minbase --include=$packages bookworm "$root" "$mirror" \
		>"$cache/log" 2>&1 || die "debootstrap failed (see $cache/log)"
	touch "$cache/root.done"
fi

# A system that is quick to boot and says little.
echo doppel >"$root/etc/hostname"
echo 'LABEL=root / ext4 defaults 0 1' >"$root/etc/fstab"
sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"
mkdir -p "$root/etc/systemd/system/getty.target.wants"
ln -sf /lib/systemd/system/serial-getty@.service \
	"$root/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"
for unit in getty@tty1 apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer e2scrub_reap fstrim.timer systemd-timesyncd smartmontools; do
	case $unit in *.timer) ;; *) unit=$unit.service ;; esac
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc \
	"$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/lib/firmware
modules=$(echo "$root"/lib/modules/*)
rm -rf "$modules"/kernel/sound "$modules"/kernel/drivers/gpu "$modules"/kernel/drivers/media \
	"$modules"/kernel/drivers/infiniband "$modules"/kernel/drivers/staging \
	"$modules"/kernel/drivers/net/ethernet/[a-hj-z]* "$modules"/kernel/drivers/net/wireless \
	"$modules"/kernel/drivers/iio "$modules"/kernel/drivers/isdn "$modules"/kernel/drivers/hid
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
cat >"$root/etc/initramfs-tools/modules" <<-EOM
	virtio_pci
	virtio_blk
	virtio_scsi
	ata_piix
	ahci
	nvme
	sd_mod
	sr_mod
	ext4
EOM
version_dir=${modules##*/}
chroot "$root" depmod "$version_dir" >>"$cache/log" 2>&1 || die "depmod failed (see $cache/log)"
chroot "$root" update-initramfs -u -k "$version_dir" >>"$cache/log" 2>&1 ||
	die "update-initramfs failed (see $cache/log)"
cp -L "$root"/boot/vmlinuz-* "$cache/vmlinuz" && cp -L "$root"/boot/initrd.img-* "$cache/initrd" ||
	die "there is no kernel in the system"

sh "$(dirname "$0")/grub.sh" "$cache" files >>"$cache/log" 2>&1 || die "no GRUB (see $cache/log)"
rm -f "$cache/root.img"
truncate -s 1536M "$cache/root.img"
mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$cache/root.img" \
	>>"$cache/log" 2>&1 || die "mke2fs failed (see $cache/log)"
sh "$(dirname "$0")/grub.sh" "$cache" disks >>"$cache/log" 2>&1 || die "no disks (see $cache/log)"
rm -rf "$root" "$cache/root.done"
echo $version >"$cache/version"
echo "$cache"
