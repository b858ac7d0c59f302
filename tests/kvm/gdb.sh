#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# gdb.sh ELF SOCKET: Debian's gdb on the guest ELF, whose stub is behind a serial line; fails unless it says all it should.
elf=$1 socket=$2
out=$(timeout -s KILL 120 gdb -nx -batch -ex 'set pagination off' -ex 'set remotetimeout 60' -ex "file $elf" -ex "target remote $socket" \
	-ex 'monitor info cpus' -ex 'break step_up' -ex 'continue' -ex 'x/i $pc' -ex 'stepi' -ex 'stepi' -ex 'p/x $pc - (long)&step_up' \
	-ex 'ignore 1 99' -ex 'continue' -ex 'p *(int *)&counter' -ex 'delete' \
	-ex 'watch *(int *)&counter if *(int *)&counter == 1000' -ex 'continue' -ex 'p *(int *)&counter' -ex 'monitor info cpus' \
	-ex 'delete' -ex 'p *(int *)&counter = -5' -ex 'tbreak *(&step_up)' -ex 'continue' -ex 'stepi' -ex 'stepi' -ex 'stepi' -ex 'p *(int *)&counter' \
	-ex 'kill' </dev/null 2>&1)
for want in 'engine kvm' 'Breakpoint 1, ' 'mov.*eax' '^\$1 = 0x6' '^\$2 = 100$' 'Hardware watchpoint 2' '^\$3 = 1000$' '^\$4 = -5' \
	'Temporary breakpoint 3' '^\$5 = -4$'; do
	printf '%s\n' "$out" | grep -q "$want" || {
		echo "gdb does not say '$want':"
		printf '%s\n' "$out"
		exit 1
	}
done
