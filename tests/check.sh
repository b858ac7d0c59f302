#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh MODE: every suite in order, each with its own closing count; the last line adds them up.
# Called by `make check`, which has installed what is needed and built ./doppel.
set -u
cd "$(dirname "$0")/.." || exit 1
mode=${1:-release}
build=build/$mode
jobs=$(nproc 2>/dev/null || echo 2)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

# suite NAME COMMAND...: runs it, shows its output, and adds up its "N passed, N failed[, N skipped]".
suite() {
	name=$1
	shift
	echo "== $name"
	start=$(date +%s)
	"$@" >"$log" 2>&1
	status=$?
	cat "$log"
	line=" $(grep -aE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)"
	p=$(printf '%s' "$line" | sed -n 's/.*[^0-9]\([0-9][0-9]*\) passed.*/\1/p')
	f=$(printf '%s' "$line" | sed -n 's/.*[^0-9]\([0-9][0-9]*\) failed.*/\1/p')
	s=$(printf '%s' "$line" | sed -n 's/.*[^0-9]\([0-9][0-9]*\) skipped.*/\1/p')
	if [ $status -ne 0 ] && [ "${f:-0}" -eq 0 ]; then
		f=1 # it failed without saying how often
		echo "$name: exit status $status"
	fi
	passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
	echo "-- $name: $(($(date +%s) - start)) s"
}

make="make --no-print-directory -s -j$jobs MODE=$mode"
suite includes sh tests/check-includes.sh
suite unit $make -k unit
suite decoder sh -c "$make $build/tests/insn/check_capstone && $build/tests/insn/check_capstone"
suite instructions sh -c "$make $build/tests/insn/fuzz_insn && $build/tests/insn/fuzz_insn -n 2000000"
suite translator $build/tests/insn/fuzz_insn -e jit -n 500000
suite "translated blocks" $build/tests/insn/fuzz_insn -e both -b 30 -n 100000
suite "translated x87 blocks" $build/tests/insn/fuzz_insn -e both -b 30 -n 30000 -o x87
suite "emitted code" $make emitted
suite "names for profilers" python3 tests/jit/names.py --doppel ./doppel
suite hops sh -c "$make $build/tests/hop/hop && $build/tests/hop/hop -n 150"
suite "a guest that hops" $make SECONDS=10 hop-soak
suite lockstep $make lockstep-short
suite privileged $make privileged
suite "privileged, translated" $make ACCEL=jit,hot=1 privileged
suite loaders make --no-print-directory -s -j"$jobs" MODE=asan fuzz-loader
suite "images" python3 tests/block/img.py --doppel ./doppel
suite "image crashes" sh -c "$make $build/tests/block/crash_qcow2 && $build/tests/block/crash_qcow2 300"
suite "lying drivers" make --no-print-directory -s -j"$jobs" MODE=asan SECONDS=2 fuzz-devices
suite "killed writers" make --no-print-directory -s -j"$jobs" MODE="$mode" KILLS=12 kill-test
suite "killed emulators" make --no-print-directory -s -j"$jobs" MODE="$mode" KILLS=24 kill-guest-test
suite "broken images" make --no-print-directory -s -j"$jobs" MODE=asan FUZZ_SECONDS=8 fuzz-qcow2
suite "remote clients" make --no-print-directory -s -j"$jobs" MODE=asan INPUTS=20000 fuzz-remote
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
suite "saved networks" python3 tests/net/saved.py --doppel ./doppel
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
