#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# disk.sh: prints the path of a folder with a Debian 12 system, made by debootstrap on first use and
# kept in $DOPPEL_CACHE (default ~/.cache/doppel): root.img (an ext4 file system, sparse), vmlinuz and
# initrd of the same kernel. It has systemd, a root login without password on ttyS0, fio, and drivers
# for all disks that the emulator has. Needs root, debootstrap and a package mirror: else exit 1 with
# one line.
set -u

cache=${DOPPEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/doppel}/disk
mirror=${DOPPEL_MIRROR:-http://deb.debian.org/debian}
packages=systemd,systemd-sysv,udev,kmod,e2fsprogs,login,linux-image-amd64,fio,dbus,smartmontools
packages=$packages,hdparm,nvme-cli,grub-pc-bin,util-linux,procps,zstd,initramfs-tools
# What a change of this makes anew.
version=1

die() { echo "doppel: $1" >&2; exit 1; }

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
	debootstrap --variant=minbase --include=$packages bookworm "$root" "$mirror" \
		>"$cache/log" 2>&1 || die "debootstrap failed (see $cache/log)"
	touch "$cache/root.done"
fi

# A system that is quick to boot and says little.
echo doppel >"$root/etc/hostname"
echo '/dev/root / ext4 defaults 0 1' >"$root/etc/fstab"
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
cat >"$root/etc/initramfs-tools/modules" <<-EOF
	virtio_pci
	virtio_blk
	virtio_scsi
	ata_piix
	ahci
	nvme
	sd_mod
	sr_mod
	ext4
EOF
version_dir=${modules##*/}
chroot "$root" depmod "$version_dir" >>"$cache/log" 2>&1 || die "depmod failed (see $cache/log)"
chroot "$root" update-initramfs -u -k "$version_dir" >>"$cache/log" 2>&1 ||
	die "update-initramfs failed (see $cache/log)"
cp -L "$root"/boot/vmlinuz-* "$cache/vmlinuz" && cp -L "$root"/boot/initrd.img-* "$cache/initrd" ||
	die "there is no kernel in the system"

rm -f "$cache/root.img"
truncate -s 1536M "$cache/root.img"
mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$cache/root.img" \
	>>"$cache/log" 2>&1 || die "mke2fs failed (see $cache/log)"
rm -rf "$root" "$cache/root.done"
echo $version >"$cache/version"
echo "$cache"
