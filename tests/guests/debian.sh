# SPDX-License-Identifier: GPL-2.0-or-later
#
# debian.sh: for scripts that make a Debian 12 system and print the path of its folder, to be sourced: debootstrap,
# a system that is quick to boot and says little, with a root login without password on ttyS0, its initrd, and
# an image. What is made stays in $DOPPEL_CACHE (default ~/.cache/doppel), in $cache: root.img (an ext4 file
# system, sparse), vmlinuz and initrd. In this order: debian_begin, debian_quiet, debian_initrd, debian_image,
# debian_end. Needs root, debootstrap and a package mirror: else exit 1 with one line.
mirror=${DOPPEL_MIRROR:-http://deb.debian.org/debian}

die() { echo "doppel: $1" >&2; exit 1; }

# debian_begin NAME ARCH VERSION PACKAGES: the tree in $root with these packages besides what all have; exits if NAME
# of that version is there. A change of the version makes it anew.
debian_begin() {
	cache=${DOPPEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/doppel}/$1-$2
	version=$3
	if [ "$(cat "$cache/version" 2>/dev/null)" = "$version" ]; then
		echo "$cache"
		exit 0
	fi
	[ "$(id -u)" = 0 ] || die "making a Debian $1 needs root (for debootstrap)"
	command -v debootstrap >/dev/null || die "debootstrap is not here: cannot make a Debian $1"
	mkdir -p "$cache" || die "cannot make the folder $cache; set DOPPEL_CACHE to another"
	root=$cache/root
	[ ! -f "$cache/root.done" ] || return 0
	rm -rf "$root"
	packages=systemd,systemd-sysv,udev,kmod,login,dbus,util-linux,procps,zstd,initramfs-tools
	debootstrap --arch="$2" --variant=minbase --include="$packages,$4" bookworm "$root" "$mirror" \
		>"$cache/log" 2>&1 || die "debootstrap failed (see $cache/log)"
	touch "$cache/root.done"
}

# debian_quiet UNIT...: these do not start either.
debian_quiet() {
	echo doppel >"$root/etc/hostname"
	echo 'LABEL=root / ext4 defaults 0 1' >"$root/etc/fstab"
	sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"
	mkdir -p "$root/etc/systemd/system/getty.target.wants"
	ln -sf /lib/systemd/system/serial-getty@.service \
		"$root/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"
	for unit in getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
		e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-timesyncd.service "$@"; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc \
		"$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/lib/firmware
}

# debian_initrd PATTERNS MODULE...: an initrd with these modules, and the kernel; of the modules' folders, those that
# match are not needed at all.
debian_initrd() {
	modules=$(echo "$root"/lib/modules/*)
	(cd "$modules/kernel" && rm -rf sound drivers/media drivers/infiniband drivers/staging $1)
	shift
	sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
	printf '%s\n' "$@" >"$root/etc/initramfs-tools/modules"
	chroot "$root" depmod "${modules##*/}" >>"$cache/log" 2>&1 || die "depmod failed (see $cache/log)"
	chroot "$root" update-initramfs -u -k "${modules##*/}" >>"$cache/log" 2>&1 ||
		die "update-initramfs failed (see $cache/log)"
	cp -L "$root"/boot/vmlinuz-* "$cache/vmlinuz" && cp -L "$root"/boot/initrd.img-* "$cache/initrd" ||
		die "there is no kernel in the system"
}

# debian_image SIZE: root.img of the tree.
debian_image() {
	rm -f "$cache/root.img"
	truncate -s "$1" "$cache/root.img"
	mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$cache/root.img" \
		>>"$cache/log" 2>&1 || die "mke2fs failed (see $cache/log)"
}

# All is made: the tree goes, and the folder is named.
debian_end() {
	rm -rf "$root" "$cache/root.done"
	echo "$version" >"$cache/version"
	echo "$cache"
}
