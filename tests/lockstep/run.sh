#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh LOCKSTEP [short]: boots guests in lockstep, whole or a slice of a boot, as one case each.
here=$(cd "$(dirname "$0")" && pwd)
lockstep=$1
passed=0 failed=0 skipped=0
tmp=$(mktemp -d)
log=$tmp/log
trap 'rm -rf "$tmp"' EXIT

# run NAME OPTION...
run() {
	name=$1
	shift
	if "$lockstep" "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name: $(tail -n 2 "$log" | head -n 1)"
	else
		failed=$((failed + 1))
		echo "FAIL  $name"
		cat "$log"
	fi
}

# linux NAME ARCH OPTION...: to a shell, some work there, and off.
linux() {
	name=$1 arch=$2
	shift 2
	if ! kernel=$(sh "$here/../guests/fetch.sh" kernel "$arch") ||
		! initrd=$(sh "$here/../guests/fetch.sh" initrd "$arch"); then
		echo "skip  $name: no guest"
		skipped=$((skipped + 1))
		return
	fi
	run "$name" -m 256 -kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 doppel.login" -type "login: " "root
" -type "# " "seq 2000 | sort -r | gzip | gunzip | md5sum; dmesg | grep -c x; ls -lR /sys/class | wc
" -type "# " "awk 'BEGIN { for (i = 1; i < 3000; i++) s += i * i / 7.3; print s }'; poweroff
" "$@"
}

# The benchmark's workloads, little of each: user code of all kinds, system calls, signals, changed code; and
# with `programs` a compiler, interpreters and tools from Debian's packages.
workloads() {
	name=$1
	shift
	if ! kernel=$(sh "$here/../guests/fetch.sh" kernel amd64) ||
		! busybox=$(sh "$here/../guests/fetch.sh" busybox amd64) ||
		! initrd=$(sh "$here/../guests/fetch.sh" initrd amd64); then
		echo "skip  $name: no guest"
		skipped=$((skipped + 1))
		return
	fi
	work=$here/../../build/bench/work
	rm -rf "$tmp/root"
	mkdir -p "$tmp/root/bench"
	only="grep -v -e prog- -e atomic -e futex"
	if [ "$name" = programs ]; then
		if ! programs=$(sh "$here/../guests/fetch.sh" programs amd64); then
			echo "skip  $name: no programs"
			skipped=$((skipped + 1))
			return
		fi
		cp -a "$programs" "$tmp/root/bench/programs"
		only="grep prog-"
	fi
	cp "$work" "$tmp/root/bench/work"
	cat >"$tmp/root/bench/init" <<-EOF
		#!/bin/busybox sh
		/bin/busybox mount -t proc proc /proc
		/bin/busybox mount -t devtmpfs dev /dev 2>/dev/null
		/bench/work -s 0.02 $("$work" -l | sed 's/[^a-z0-9-].*//' | $only | tr '\n' ' ')
		/bin/busybox poweroff -f
	EOF
	chmod 755 "$tmp/root/bench/init"
	(cd "$tmp/root" && find . | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null | gzip -1n) |
		cat "$initrd" - >"$tmp/initrd"
	run "$name" -m 512 -kernel "$kernel" -initrd "$tmp/initrd" \
		-append "console=ttyS0 mitigations=off panic=-1 rdinit=/bench/init" "$@"
}

# What tests/priv has for one CPU, but for tlb, which reads through entries that may be stale or not.
privileged() {
	for elf in "$here"/../../build/tests/priv/*.elf; do
		name=$(basename "$elf" .elf)
		case $name in
		smp | tlb) continue ;;
		paging) [ "$1" = all ] || continue ;;
		esac
		run "$name" -testdev -hot 1 -kernel "$elf"
		run "$name, linked" -testdev -hot 1 -linked -kernel "$elf"
	done
}

if [ "${2:-}" = short ]; then
	privileged
	run "built-in guest" -stop 10000000
	run "built-in guest, saved and loaded" -stop 4000000 -reload 200000
	linux "part of amd64" amd64 -from 160000000 -stop 220000000
	linux "part of amd64, saved and loaded" amd64 -linked -stop 60000000 -reload 5000000
	linux "part of i386" i386 -from 160000000 -stop 200000000
else
	privileged all
	run "built-in guest" -stop 100000000
	linux "amd64" amd64
	linux "amd64, linked" amd64 -linked
	linux "amd64, saved and loaded" amd64 -linked -reload 20000000
	linux "amd64, linked, short slices" amd64 -linked -slice 500 -seed 2
	linux "amd64, little code memory" amd64 -hot 2 -cache 1 -from 160000000
	workloads workloads -from 1250000000
	workloads programs -from 2500000000
	linux "i386" i386
	linux "i386, linked" i386 -linked
fi
echo "lockstep: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
