#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fetch.sh kernel|fullkernel|busybox|initrd|programs|nettools|agent|memtest|ovmf|installer|symbols|headers amd64|i386: prints the path of a guest file
# (of a folder for fullkernel: /boot and /lib/modules with all drivers; for programs: compiler, interpreters and tools for the benchmark; for ovmf: UEFI firmware; for
# installer: what Debian's installer boots from the network; for symbols: kernel's vmlinux with DWARF and its scripts for gdb, 1 GB; for headers: what modules are built against), made from Debian's packages on first use and kept
# in $DOPPEL_CACHE (default ~/.cache/doppel). Needs no root: apt runs with its state in the cache. Exit 1 with
# one line when no package mirror can be reached.
set -u

what=${1:-} arch=${2:-}
case "$what/$arch" in
headers/amd64) ;;
kernel/amd64 | fullkernel/amd64 | busybox/amd64 | initrd/amd64 | programs/amd64 | nettools/amd64 | agent/amd64 | memtest/amd64 | ovmf/amd64 | \
	installer/amd64 | symbols/amd64) ;;
kernel/i386 | busybox/i386 | initrd/i386 | programs/i386) ;;
*) echo "usage: fetch.sh kernel|fullkernel|busybox|initrd|programs|nettools|agent|memtest|ovmf|installer|symbols|headers amd64|i386" >&2; exit 1 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
cache=${DOPPEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/doppel}/$arch

die() { echo "doppel: $1" >&2; exit 1; }
# What takes a while is said to people, not to logs.
say() { [ ! -t 2 ] || echo "doppel: $1" >&2; }

mkdir -p "$cache" 2>/dev/null || die "cannot make the folder $cache; set DOPPEL_CACHE to another"

apt_private() {
	apt-get -q -o Dir::State="$cache/apt" -o Dir::State::status="$cache/apt/status" \
		-o Dir::Cache="$cache/apt/cache" -o APT::Architecture="$arch" \
		-o APT::Architectures="$arch" -o APT::Sandbox::User="" \
		-o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=1 "$@"
}

apt_cache_private() {
	apt-cache -o Dir::State="$cache/apt" -o Dir::State::status="$cache/apt/status" \
		-o Dir::Cache="$cache/apt/cache" -o APT::Architecture="$arch" \
		-o APT::Architectures="$arch" "$@"
}

update() {
	command -v apt-get >/dev/null 2>&1 || die "apt-get is not here: cannot fetch Debian packages"
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	: >"$cache/apt/status"
	say "asking the package mirror for its list of $arch packages"
	apt_private update >"$cache/apt.log" 2>&1
}

download() {
	say "downloading $1"
	(cd "$cache" && rm -f ./*.deb && apt_private download "$1" >>"$cache/apt.log" 2>&1)
}

# Unpacks package $1 into the directory $2.
unpack() {
	# The list may be missing, or older than what the mirror has.
	{ [ -f "$cache/apt/status" ] && download "$1"; } || { update && download "$1"; } ||
		die "cannot download $1 from the package mirror (see $cache/apt.log)"
	rm -rf "$2.tmp"
	dpkg-deb -x "$cache/$1"_*.deb "$2.tmp" || die "cannot unpack $1"
	rm -f "$cache"/*.deb
	rm -rf "$2"
	mv "$2.tmp" "$2"
}

kernel() {
	if [ ! -f "$cache/vmlinuz" ]; then
		meta=linux-image-cloud-amd64
		[ "$arch" = amd64 ] || meta=linux-image-686-pae
		update
		pkg=$(apt_cache_private depends "$meta" 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
		[ -n "$pkg" ] || die "no package mirror: cannot find $meta (see $cache/apt.log)"
		unpack "$pkg" "$cache/linux"
		cp "$cache"/linux/boot/vmlinuz-* "$cache/vmlinuz.tmp" || die "no kernel in $pkg"
		mv "$cache/vmlinuz.tmp" "$cache/vmlinuz"
	fi
	echo "$cache/vmlinuz"
}

fullkernel() {
	if [ ! -d "$cache/fullkernel" ]; then
		update
		pkg=$(apt_cache_private depends linux-image-amd64 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
		[ -n "$pkg" ] || die "no package mirror: cannot find linux-image-amd64 (see $cache/apt.log)"
		unpack "$pkg" "$cache/fullkernel"
	fi
	echo "$cache/fullkernel"
}

busybox() {
	if [ ! -x "$cache/busybox" ]; then
		unpack busybox-static "$cache/bb"
		cp "$cache/bb/bin/busybox" "$cache/busybox" || die "no busybox in its package"
		rm -rf "$cache/bb"
	fi
	echo "$cache/busybox"
}

symbols() {
	dir=$cache/symbols
	if [ ! -f "$dir/vmlinux-gdb.py" ]; then
		kernel >/dev/null || exit 1
		rel=$(basename "$cache"/linux/boot/vmlinuz-*)
		rel=${rel#vmlinuz-} series=$(echo "$rel" | cut -d. -f1,2) tmp=$dir.tmp
		update
		rm -rf "$tmp"
		mkdir -p "$tmp"
		download "linux-image-$rel-dbg" || die "the package mirror has no linux-image-$rel-dbg"
		dpkg-deb --fsys-tarfile "$cache"/linux-image-*.deb | tar -xOf - "./usr/lib/debug/boot/vmlinux-$rel" >"$tmp/vmlinux" ||
			die "no vmlinux in linux-image-$rel-dbg"
		download "linux-source-$series" || die "the package mirror has no linux-source-$series"
		dpkg-deb --fsys-tarfile "$cache"/linux-source-*.deb | tar -xOf - "./usr/src/linux-source-$series.tar.xz" |
			tar -xJC "$tmp" --strip-components=1 "linux-source-$series/scripts/gdb" || die "no scripts in linux-source-$series"
		rm -f "$cache"/*.deb
		unpack "linux-headers-$rel" "$tmp/own"
		unpack "linux-headers-${rel%-cloud-amd64}-common" "$tmp/common"
		own=$tmp/own/usr/src/linux-headers-$rel common=$tmp/common/usr/src/linux-headers-${rel%-cloud-amd64}-common
		# As the kernel's scripts/gdb/linux/Makefile makes it.
		gcc -E -x c -P -nostdinc -D__KERNEL__ -I"$common/arch/x86/include" -I"$own/arch/x86/include/generated" \
			-I"$common/include" -I"$own/include" -I"$common/arch/x86/include/uapi" \
			-I"$own/arch/x86/include/generated/uapi" -I"$common/include/uapi" -I"$own/include/generated/uapi" \
			-include "$common/include/linux/kconfig.h" -include "$common/include/linux/compiler_types.h" \
			"$tmp/scripts/gdb/linux/constants.py.in" >"$tmp/constants" || die "cannot make the constants of the kernel's scripts for gdb"
		sed '1,/<!-- end-c-headers -->/d' "$tmp/constants" >"$tmp/scripts/gdb/linux/constants.py"
		rm -rf "$tmp/own" "$tmp/common" "$tmp/constants"
		cp "$tmp/scripts/gdb/vmlinux-gdb.py" "$tmp/"
		rm -rf "$dir"
		mv "$tmp" "$dir"
	fi
	echo "$dir"
}

initrd() {
	img=$cache/initrd.gz
	bb=$(busybox) || exit 1
	if [ ! -f "$img" ] || [ "$here/init" -nt "$img" ] || [ "$0" -nt "$img" ]; then
		root=$cache/root
		rm -rf "$root"
		mkdir -p "$root/bin" "$root/sbin" "$root/usr/bin" "$root/usr/sbin" "$root/proc" \
			"$root/sys" "$root/dev" "$root/tmp" "$root/etc" "$root/root"
		cp "$bb" "$root/bin/busybox"
		ln -s busybox "$root/bin/sh"
		cp "$here/init" "$root/init"
		chmod 755 "$root/init"
		echo 'root::0:0:root:/root:/bin/sh' >"$root/etc/passwd"
		echo 'root:x:0:' >"$root/etc/group"
		# The host runs amd64 and i386 programs alike, so busybox packs its own image.
		(cd "$root" && find . | "$bb" cpio -o -H newc -R 0:0 2>/dev/null | gzip -9n) \
			>"$img.tmp" || die "cannot pack the initramfs"
		mv "$img.tmp" "$img"
		rm -rf "$root"
	fi
	echo "$img"
}

# Of the cloud kernel, as in 6.1.0-13-cloud-amd64.
release() {
	kernel >/dev/null || exit 1
	basename "$cache"/linux/boot/vmlinuz-* | sed 's/^vmlinuz-//'
}

headers() {
	release=$(release) || exit 1
	tree=$cache/headers/usr/src/linux-headers-$release
	if [ ! -d "$tree" ]; then
		rm -rf "$cache/headers.new"
		mkdir -p "$cache/headers.new"
		for p in "linux-headers-$release" "linux-headers-${release%-cloud-*}-common" \
			"linux-kbuild-$(echo "$release" | cut -d. -f1,2)"; do
			unpack "$p" "$cache/headers.part"
			cp -a "$cache/headers.part/." "$cache/headers.new/" || die "cannot unpack $p"
		done
		rm -rf "$cache/headers.part" "$cache/headers"
		# It is made for /usr/src.
		sed -i "s#^include /usr/src/#include $cache/headers/usr/src/#" \
			"$cache/headers.new/usr/src/linux-headers-$release/Makefile"
		mv "$cache/headers.new" "$cache/headers"
	fi
	echo "$tree"
}

ovmf() {
	[ -d "$cache/ovmf" ] || unpack ovmf "$cache/ovmf"
	echo "$cache/ovmf/usr/share/OVMF"
}

installer() {
	[ -d "$cache/installer" ] || unpack debian-installer-12-netboot-amd64 "$cache/installer"
	echo "$cache/installer/usr/lib/debian-installer/images/12/amd64/text"
}

memtest() {
	iso=$cache/memtest.iso
	if [ ! -f "$iso" ]; then
		unpack memtest86+ "$cache/memtest"
		cp "$cache/memtest/usr/lib/memtest86+/memtest86+x64.iso" "$iso.tmp" ||
			die "no image in memtest86+"
		mv "$iso.tmp" "$iso"
		rm -rf "$cache/memtest"
	fi
	echo "$iso"
}

# Fills the folder $1 with packages (the others) and all that they depend on.
tree() {
	out=$1
	shift
	[ -f "$cache/apt/status" ] || update
	debs=$cache/debs
	rm -rf "$debs" "$out.tmp"
	mkdir -p "$debs/partial"
	# With nothing installed in this state, apt also takes what they depend on.
	fill() {
		say "downloading programs and their libraries"
		apt_private -o Dir::Cache::archives="$debs" --no-install-recommends -y \
			--download-only install "$@" >>"$cache/apt.log" 2>&1
	}
	fill "$@" || { update && fill "$@"; } ||
		die "cannot download programs from the package mirror (see $cache/apt.log)"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$out.tmp" || die "cannot unpack $deb"
	done
	rm -rf "$debs"
}

programs() {
	dir=$cache/programs
	if [ ! -d "$dir" ]; then
		tree "$dir" cpp-12 python3.11-minimal perl-base xz-utils sqlite3 openssl
		(cd "$dir.tmp" && rm -rf bin sbin etc var lib64 usr/sbin usr/share usr/bin/*-cpp-12 \
			usr/bin/perl5* usr/bin/dpkg* usr/lib/*/gconv usr/lib/*/perl-base/unicore)
		mv "$dir.tmp" "$dir"
	fi
	echo "$dir"
}

# iperf3 and an SSH server, with no more than the libraries that they need.
nettools() {
	dir=$cache/nettools
	if [ ! -d "$dir" ]; then
		tree "$dir" iperf3 dropbear-bin
		(cd "$dir.tmp" && mkdir keep keep/lib64 keep/lib &&
			cp usr/bin/iperf3 usr/sbin/dropbear usr/bin/dropbearkey keep/ &&
			cp lib*/x86_64-linux-gnu/ld-linux-x86-64.so.2 keep/lib64/ &&
			for l in c.so.6 m.so.6 crypt.so.1 z.so.1 tomcrypt.so.1 tommath.so.1 \
				iperf.so.0 sctp.so.1 ssl.so.3 crypto.so.3 gmp.so.10; do
				cp -L lib/x86_64-linux-gnu/lib$l usr/lib/x86_64-linux-gnu/lib$l \
					keep/lib/ 2>/dev/null
			done
			[ -f keep/lib/libc.so.6 ]) || die "cannot gather the network tools"
		mv "$dir.tmp/keep" "$dir"
		rm -rf "$dir.tmp"
	fi
	echo "$dir"
}

# The standard guest agent, with the libraries that it needs.
agent() {
	dir=$cache/agent
	if [ ! -d "$dir" ]; then
		tree "$dir" qemu-guest-agent
		(cd "$dir.tmp" && mkdir keep keep/lib keep/lib64 keep/bin &&
			cp usr/sbin/qemu-ga keep/bin/ &&
			cp lib*/x86_64-linux-gnu/ld-linux-x86-64.so.2 keep/lib64/ &&
			libs=$PWD/lib/x86_64-linux-gnu:$PWD/usr/lib/x86_64-linux-gnu &&
			for l in $(LD_LIBRARY_PATH=$libs ldd keep/bin/qemu-ga | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p'); do
				cp -L "$l" keep/lib/
			done
			[ -f keep/lib/libc.so.6 ]) || die "cannot gather the guest agent"
		mv "$dir.tmp/keep" "$dir"
		rm -rf "$dir.tmp"
	fi
	echo "$dir"
}

$what
