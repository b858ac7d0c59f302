#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh MODE: every suite in order, each with its own closing count; the last line adds them up.
# Called by `make check`, which has installed what is needed and built ./doppel.
set -u
cd "$(dirname "$0")/.." || exit 1
mode=${1:-release}
build=build/$mode
jobs=$(nproc 2>/dev/null || echo 2)
fuzz=${FUZZ:-60} # seconds for each device
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0
nr=0 queue= queued=0

# account NAME LOG STATUS SECONDS: shows a suite and adds up its "N passed, N failed[, N skipped]".
account() {
	echo "== $1"
	cat "$2"
	line=" $(grep -aE '[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1)"
	p=$(printf '%s' "$line" | sed -n 's/.*[^0-9]\([0-9][0-9]*\) passed.*/\1/p')
	f=$(printf '%s' "$line" | sed -n 's/.*[^0-9]\([0-9][0-9]*\) failed.*/\1/p')
	s=$(printf '%s' "$line" | sed -n 's/.*[^0-9]\([0-9][0-9]*\) skipped.*/\1/p')
	if [ "$3" -ne 0 ] && [ "${f:-0}" -eq 0 ]; then
		f=1 # it failed without saying how often
		echo "$1: exit status $3"
	fi
	passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
	echo "-- $1: $4 s"
}

# suite NAME COMMAND...: runs it, alone.
suite() {
	name=$1
	shift
	start=$(date +%s)
	"$@" >"$dir/log" 2>&1
	account "$name" "$dir/log" $? $(($(date +%s) - start))
}

# beside NAME COMMAND...: as suite, but beside others, for what needs one processor and looks at no clock. It is
# shown later, and settle waits for all of them.
beside() {
	[ $queued -lt "$jobs" ] || oldest
	nr=$((nr + 1)) queued=$((queued + 1))
	printf '%s' "$1" >"$dir/$nr.name"
	shift
	(
		start=$(date +%s)
		"$@" >"$dir/$nr.log" 2>&1
		echo "$? $(($(date +%s) - start))" >"$dir/$nr.end"
	) &
	queue="$queue $nr:$!"
}
oldest() {
	queue=${queue# } queued=$((queued - 1))
	one=${queue%% *}
	queue=${queue#"$one"}
	wait "${one#*:}"
	# shellcheck disable=SC2046 # two words
	account "$(cat "$dir/${one%:*}.name")" "$dir/${one%:*}.log" $(cat "$dir/${one%:*}.end")
}
settle() {
	while [ $queued -gt 0 ]; do oldest; done
}

make="make --no-print-directory -s -j$jobs MODE=$mode"
suite includes sh tests/check-includes.sh
suite unit $make -k unit
asan="make --no-print-directory -s -j$jobs MODE=asan"
suite "test programs" sh -c "$make check-programs && $asan check-programs-asan"
beside instructions $build/tests/insn/fuzz_insn -n 2000000
beside lockstep $make lockstep-short
beside translator $build/tests/insn/fuzz_insn -e jit -n 500000
beside "translated blocks" $build/tests/insn/fuzz_insn -e both -b 30 -n 100000
beside "translated x87 blocks" $build/tests/insn/fuzz_insn -e both -b 30 -n 30000 -o x87
beside decoder $build/tests/insn/check_capstone
beside "emitted code" $make emitted
beside "names for profilers" python3 tests/jit/names.py --doppel ./doppel
beside hops $build/tests/hop/hop -n 150
beside privileged $make privileged
beside "privileged, translated" $make ACCEL=jit,hot=1 privileged
beside loaders $asan fuzz-loader
beside "images" python3 tests/block/img.py --doppel ./doppel
beside "image crashes" $build/tests/block/crash_qcow2 300
beside "broken images" $asan FUZZ_SECONDS="$fuzz" fuzz-qcow2
beside "remote clients" $asan INPUTS=20000 fuzz-remote
settle
suite "a guest that hops" $make SECONDS=10 hop-soak
suite "lying drivers" $asan SECONDS="$fuzz" fuzz-devices
suite "killed writers" make --no-print-directory -s -j"$jobs" MODE="$mode" KILLS=12 kill-test
suite "killed emulators" make --no-print-directory -s -j"$jobs" MODE="$mode" KILLS=24 kill-guest-test
suite options sh tests/cli.sh ./doppel
if [ "$mode" = release ]; then # sanitizers do not go with -static
	suite "static binary" sh -c "$make $build/doppel-static && sh tests/cli/static.sh $build/doppel-static"
	suite "real KVM" $make check-kvm-smoke
fi
suite monitor python3 tests/monitor/monitor.py --doppel ./doppel
suite bench python3 tests/cli/bench.py --doppel ./doppel
suite endings python3 tests/boot/ends.py --doppel ./doppel
suite "networks" python3 tests/net/net.py --doppel ./doppel
suite "hostile peers" python3 tests/net/hostile.py --doppel ./doppel
suite "boots with disks" python3 tests/boot/disks.py --doppel ./doppel
suite "devices" python3 tests/boot/devices.py --doppel ./doppel
suite "boots, interpreted" python3 tests/boot/boot.py --doppel ./doppel --accel interp
suite "boots, translated" python3 tests/boot/boot.py --doppel ./doppel --accel jit
suite "gdb, interpreted" python3 tests/gdb/gdb.py --doppel ./doppel --accel interp
suite "gdb, translated" python3 tests/gdb/gdb.py --doppel ./doppel --accel jit
suite qmp python3 tests/qmp/qmp.py --doppel ./doppel
suite "gdb, kvm" python3 tests/gdb/gdb.py --doppel ./doppel --accel kvm
suite paravirt python3 tests/boot/paravirt.py --doppel ./doppel
suite "sound" python3 tests/boot/sound.py --doppel ./doppel
suite "windows and VNC" python3 tests/display/display.py --doppel ./doppel
suite "media" python3 tests/boot/media.py --doppel ./doppel
suite "boots, little code memory" python3 tests/boot/boot.py --doppel ./doppel \
	--accel jit,cache=1M,hot=2 debian_amd64 debian_smp2

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
