#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sanitizers.sh [MODE...]: what can be run in reasonable time of each instrumented build (asan includes ubsan).
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc 2>/dev/null || echo 2)
bad=

try() {
	echo "== $mode: $1"
	shift
	"$@" || bad="$bad $mode"
}

for mode in ${*:-asan tsan}; do
	make="make --no-print-directory -s -j$jobs MODE=$mode"
	doppel=build/$mode/doppel
	boots="builtin debian_amd64"
	[ "$mode" != tsan ] || boots="builtin debian_smp2"
	try "unit tests" $make -k unit
	try "build" $make $doppel
	try "hops" sh -c "$make build/$mode/tests/hop/hop && build/$mode/tests/hop/hop -n 300"
	try "hops on a board" $make hop-soak SECONDS=60
	# The host half of the instruction fuzzer cannot live with the thread sanitizer's signals.
	if [ "$mode" != tsan ]; then
		try "instructions" sh -c "$make build/$mode/tests/insn/fuzz_insn &&
			build/$mode/tests/insn/fuzz_insn -n 200000"
		try "decoder" sh -c "$make build/$mode/tests/insn/check_capstone &&
			build/$mode/tests/insn/check_capstone"
	fi
	try "loaders" $make fuzz-loader
	try "options" sh tests/cli.sh $doppel
	try "endings" python3 tests/boot/ends.py --doppel $doppel --seconds 3
	for accel in interp jit; do
		# shellcheck disable=SC2086
		try "boots, $accel" python3 tests/boot/boot.py --doppel $doppel --accel $accel \
			--slow 6 $boots
	done
done
[ -z "$bad" ] || echo "failing:$bad"
[ -z "$bad" ]
