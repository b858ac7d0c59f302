#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# long.sh HOURS CORPUS [DEVICE...]: libFuzzer on each device and on images ("qcow2"), that long each, JOBS at a
# time (as many as there are processors). A run starts from tests/fuzz/seeds and from what is under CORPUS, where
# inputs that reach new code are kept; what fails is kept there, too, as NAME-crash-..., and repeated by
# FUZZ_DEVICE=NAME build/fuzz/tests/fuzz/fuzz_devices FILE. An input of ten seconds or more is no failure, but is kept
# as NAME-slow-unit-... and named.
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
	target=$fuzz/fuzz/fuzz_devices
	case $name in
	qcow2) target=$fuzz/block/fuzz_qcow2 max=1048576 ;;
	saved-state) max=1024 ;; # a round of these takes long
	ac97 | hda | uhci) max=4096 ;;
	*) max=16384 ;;
	esac
	log=$corpus/$name.log start=$(date +%s)
	FUZZ_DEVICE=$name $target -max_total_time="$seconds" -max_len=$max -len_control=0 -timeout=0 \
		-rss_limit_mb=2500 -print_final_stats=1 -artifact_prefix="$corpus/$name-" "$corpus/$name" \
		>"$log" 2>&1
	status=$?
	took=$(($(date +%s) - start)) verdict=ok
	[ $status -eq 0 ] || verdict=FAIL
	printf '%-5s %-16s %10s inputs %6s s  coverage: %s\n' $verdict "$name" "$(stat_of number_of_executed_units)" \
		"$took" "$(sed -n 's/.*\(cov: [0-9]* ft: [0-9]*\).*/\1/p' "$log" | tail -n 1)"
	[ $status -eq 0 ] || echo "      $(grep -a -m 1 -E '^SUMMARY|runtime error|^fuzz' "$log") (see $log)"
	sed -n 's/.*Test unit written to \(.*-slow-unit-.*\)/slow  \1/p' "$log"
	return $status
}
stat_of() {
	sed -n "s/^stat::$1: *//p" "$log" | tail -n 1
}

passed=0 failed=0
pids= running=0
settle() {
	for pid in $pids; do
		if wait "$pid"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	done
	pids= running=0
}
echo "fuzz-long: $# rows, $seconds s each, $jobs at a time, inputs kept in $corpus"
for device; do
	one "$device" &
	pids="$pids $!" running=$((running + 1))
	[ $running -lt "$jobs" ] || settle
done
settle
echo "fuzz-long: $passed passed, $failed failed"
[ $failed -eq 0 ]
