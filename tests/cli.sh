#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# cli.sh DOPPEL: wrong use gets one clear line on stderr that names the thing, and exit status 1.
set -u
doppel=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# refuses PATTERN ARGS...: status 1, exactly one line on stderr, matching PATTERN.
refuses() {
	pattern=$1
	shift
	timeout 20 "$doppel" "$@" </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
	lines=$(wc -l <"$dir/err")
	if [ $status -eq 1 ] && [ "$lines" -eq 1 ] && grep -qE "^doppel: .*$pattern" "$dir/err"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "doppel $*: status $status, $lines lines, expected /$pattern/:"
		head -n 3 "$dir/err"
	fi
}

head -c 4096 /dev/urandom >"$dir/garbage"
: >"$dir/empty"

refuses "'?-kernle'?.*-kernel" -kernle x
refuses "/nonexistent" -kernel /nonexistent
refuses "$dir/empty" -kernel "$dir/empty"
refuses "$dir/garbage" -kernel "$dir/garbage"
refuses "-kernel" -kernel
refuses "memory|-m" -m 100T
refuses "-m" -m 12Q
refuses "-m" -m 0
refuses "-smp" -smp 0
refuses "-smp" -smp 100000
refuses "-cpu|nosuchcpu" -cpu nosuchcpu
refuses "nosuchfeature" -cpu max,+nosuchfeature
refuses "nosuchdevice" -device nosuchdevice
refuses "nosuchaccel" -accel nosuchaccel
refuses "-drive" -drive file=x.qcow2
refuses "-serial|nosuch" -serial nosuch:1
refuses "-initrd|initrd" -initrd "$dir/garbage"

kernel=$(sh "$(dirname "$0")/guests/fetch.sh" kernel amd64 2>/dev/null) && {
	for size in 100 600 4096 100000; do
		head -c $size "$kernel" >"$dir/short"
		refuses "$dir/short" -kernel "$dir/short"
	done
	refuses "/nonexistent" -kernel "$kernel" -initrd /nonexistent
	refuses "initrd|memory" -m 16M -kernel "$kernel" -initrd "$kernel"
}

echo "options: $passed passed, $failed failed"
[ $failed -eq 0 ]
