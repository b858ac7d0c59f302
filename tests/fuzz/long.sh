#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# long.sh HOURS CORPUS [DEVICE...]: libFuzzer on each device and on images ("qcow2"), that long each, JOBS at a
# time (as many as there are processors). A run starts from tests/fuzz/seeds and from what is under CORPUS, where
# inputs that reach new code are kept; what fails is kept there, too, as NAME-crash-..., and repeated by
# FUZZ_DEVICE=NAME build/fuzz/tests/fuzz/fuzz_devices FILE.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=$(awk "BEGIN { print int($1 * 3600) }") corpus=$2
shift 2
fuzz=build/fuzz/tests jobs=${JOBS:-$(nproc)}
[ $# -gt 0 ] || set -- $($fuzz/fuzz/fuzz_devices) qcow2

one() {
	name=$1
	mkdir -p "$corpus/$name" || exit 1
	[ ! -f "tests/fuzz/seeds/$name.tar.gz" ] ||
		tar -xzf "tests/fuzz/seeds/$name.tar.gz" --no-same-owner -C "$corpus/$name"
	# A first input of some length: libFuzzer makes short ones longer only slowly.
	[ -n "$(ls "$corpus/$name")" ] || head -c 4096 /dev/urandom >"$corpus/$name/start"
	target=$fuzz/fuzz/fuzz_devices max=16384
	[ "$name" != qcow2 ] || target=$fuzz/block/fuzz_qcow2 max=1048576
	FUZZ_DEVICE=$name $target -max_total_time="$seconds" -max_len=$max -len_control=0 -timeout=0 \
		-rss_limit_mb=2500 -artifact_prefix="$corpus/$name-" "$corpus/$name" \
		>"$corpus/$name.log" 2>&1
	status=$?
	last=$(grep -a 'cov:' "$corpus/$name.log" | tail -n 1)
	if [ $status -eq 0 ]; then
		echo "ok    $name ${last#*DONE}"
	else
		echo "FAIL  $name: $(grep -a '^SUMMARY' "$corpus/$name.log") (see $corpus/$name.log)"
	fi
	return $status
}

passed=0 failed=0
pids= running=0
settle() {
	for pid in $pids; do
		if wait "$pid"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	done
	pids= running=0
}
for device; do
	one "$device" &
	pids="$pids $!" running=$((running + 1))
	[ $running -lt "$jobs" ] || settle
done
settle
echo "fuzz-long: $passed passed, $failed failed"
[ $failed -eq 0 ]
