#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs criterion programs one after the other and adds up their counts.
LSAN_OPTIONS=suppressions=$(dirname "$0")/lsan.supp:print_suppressions=0
export LSAN_OPTIONS
passed=0 failed=0 bad=
for t; do
	out=$("$t" 2>&1)
	status=$?
	line=$(printf '%s\n' "$out" | grep -a 'Synthesis' | tail -n 1 | sed 's/\x1b\[[0-9;]*m//g')
	p=$(printf '%s' "$line" | sed -n 's/.*Passing: \([0-9]*\).*/\1/p')
	f=$(printf '%s' "$line" | sed -n 's/.*Failing: \([0-9]*\).*/\1/p')
	passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
	if [ $status -ne 0 ] || [ -z "$line" ]; then
		[ "${f:-0}" -gt 0 ] || failed=$((failed + 1))
		bad="$bad $t"
		printf '%s\n' "$out"
	fi
	printf '%-44s %s passed, %s failed\n' "$(basename "$t")" "${p:-0}" "${f:-0}"
done
[ -z "$bad" ] || echo "failing:$bad"
echo "unit: $passed passed, $failed failed"
[ -z "$bad" ]
