#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# interp.sh DOPPEL: million guest instructions a second on an integer loop, doppel's interpreter and
# Bochs in turn, three rounds each, the best of each. The time of a run with almost no rounds is taken
# off, so that starting up does not count.
set -u
doppel=$1
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
rounds=50000000

build() { # NAME ROUNDS
	gcc -nostdlib -static -no-pie -DROUNDS="$2" -Wl,--build-id=none -Wl,-Ttext=0x200000 \
		-Wl,-z,noseparate-code -o "$dir/$1.elf" "$here/loop.S" &&
	gcc -nostdlib -static -no-pie -DROUNDS="$2" -DBOOT_SECTOR -Wl,--build-id=none \
		-Wl,-Ttext=0x7c00 -Wl,--oformat=binary -o "$dir/$1.bin" "$here/loop.S" 2>/dev/null &&
	truncate -s 1474560 "$dir/$1.bin" &&
	printf '\125\252' | dd of="$dir/$1.bin" bs=1 seek=510 conv=notrunc 2>/dev/null
}
build long $rounds && build short 10 || { echo "cannot assemble the loop" >&2; exit 1; }

ms() { # COMMAND...: wall milliseconds
	t0=$(date +%s%N)
	"$@" >"$dir/out" 2>&1
	echo $((($(date +%s%N) - t0) / 1000000))
}
run_doppel() {
	"$doppel" -accel interp -m 16M -kernel "$dir/$1.elf" -display none -serial none \
		-device isa-debug-exit,iobase=0xf4,iosize=4 </dev/null
}
run_bochs() {
	cat >"$dir/rc" <<EOF
config_interface: textconfig
display_library: term
megs: 32
cpu: model=corei7_haswell_4770, ips=500000000
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
floppya: 1_44="$dir/$1.bin", status=inserted
boot: floppy
sound: driver=dummy
log: $dir/bochs.log
EOF
	# Its terminal display overflows a buffer where the window has no size.
	TERM=xterm timeout 120 script -qec \
		"stty rows 50 cols 132; bochs -q -f $dir/rc -rc $dir/go" /dev/null </dev/null
}
echo c >"$dir/go"

mips() { # LONG-MS SHORT-MS
	awk -v l="$1" -v s="$2" -v n=$rounds 'BEGIN { printf "%.0f", n * 9 / (l - s) / 1000 }'
}
best_d=0 best_b=0
for round in 1 2 3; do
	m=$(mips "$(ms run_doppel long)" "$(ms run_doppel short)")
	[ "$m" -gt $best_d ] && best_d=$m
	if command -v bochs >/dev/null 2>&1; then
		m=$(mips "$(ms run_bochs long)" "$(ms run_bochs short)")
		[ "$m" -gt $best_b ] && best_b=$m
	fi
done
echo "doppel interp  $best_d million instructions a second"
if command -v bochs >/dev/null 2>&1; then
	echo "Bochs          $best_b million instructions a second"
	awk -v d=$best_d -v b=$best_b 'BEGIN { if (b) printf "ratio          %.2f\n", d / b }'
else
	echo "Bochs          not installed (apt-get install bochs bochs-term)"
fi
