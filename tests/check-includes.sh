#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Includes point down only: mmu <- cpu <- accel, mmu <- hw; hw/machine and the boards also use cpu and
# accel; frontend is on top (and alone may use roms/). Prints each offending line; status 1 if any.
set -u
bad=0
# check FILES ALLOWED-FOLDERS
check() {
	out=$(grep -nE '^#include "' $1 /dev/null |
		grep -vE "#include \"($2)/" | grep -vE '#include "gen/')
	if [ -n "$out" ]; then
		echo "$out"
		bad=1
	fi
}
boards=$(ls hw/*.[ch] | grep -E '^hw/(machine|machine_state.*|pc|pc_state|pc_bus|pc_boot|pc_smm|pc_impl|pc_firmware|pc_fw_.*|board_.*)\.[ch]$')
hw=$(ls hw/*.[ch] hw/*/*.[ch] | grep -vxF "$boards")
check "$(ls mmu/*.[ch])" 'mmu'
check "$(ls cpu/*.[ch])" 'mmu|cpu'
check "$(find accel -name '*.[ch]')" 'mmu|cpu|accel'
check "$hw" 'mmu|hw'
check "$(ls hw/block/*.[ch])" 'hw'
check "$boards" 'mmu|hw|cpu|accel'
check "$(ls frontend/*.[ch])" 'mmu|cpu|accel|hw|frontend|roms'
[ $bad -eq 0 ] && echo "includes: 1 passed, 0 failed"
exit $bad
