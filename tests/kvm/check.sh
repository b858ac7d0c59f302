#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check.sh BUILD PART...: runs a static doppel and tests under a real KVM, which is that of Debian's kernel in QEMU's
# emulation of AMD-V. tests/kvm/init says what the parts are. Skipped, with the reason, for want of QEMU or packages.
set -u
build=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "check-kvm: skipped: $1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }

command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not here (apt-get install qemu-system-x86)"
command -v cpio >/dev/null || skip "cpio is not here (apt-get install cpio)"
kernel=$(sh "$here/../guests/fetch.sh" kernel amd64) || skip "no kernel"
busybox=$(sh "$here/../guests/fetch.sh" busybox amd64) || skip "no busybox"
initrd=$(sh "$here/../guests/fetch.sh" initrd amd64) || skip "no initrd"
modules=$(dirname "$kernel")/linux/lib/modules

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
root=$dir/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/guest" "$root/tests" "$root/build/tests/priv"
cp "$here/init" "$root/init" && chmod +x "$root/init"
cp "$busybox" "$root/bin/busybox"
cp "$build/doppel-static" "$root/bin/doppel"
cp "$build"/tests/kvm/test_* "$build/tests/kvm/hop" "$root/tests/" && rm -f "$root"/tests/*.[do]
cp "$kernel" "$root/guest/vmlinuz"
cp "$initrd" "$root/guest/initrd.gz"
cp "$here"/../../build/tests/priv/*.elf "$root/build/tests/priv/"
if command -v gdb >/dev/null && gcc -m32 -c "$here/counts.S" -o "$dir/counts.o"; then
	ld -N --no-warn-rwx-segments -m elf_i386 -Ttext 0x100000 "$dir/counts.o" -o "$root/guest/counts.elf" || exit 1
fi
python3 "$here/../priv/run.py" --script doppel >"$root/privileged" || exit 1
echo "$*" >"$root/parts"
for name in irqbypass kvm kvm-amd; do
	cp "$(find "$modules" -name "$name.ko" | head -1)" "$root/" || skip "no module $name"
done
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd.gz"

# Tells of gdb's verdict in a file; with no gdb part, nobody waits for it.
with_gdb() {
	until grep -qs '^=== check-kvm: gdb may come' "$dir/out"; do sleep 1; done
	sh "$here/gdb.sh" "$root/guest/counts.elf" "$dir/gdb" >"$dir/gdb.out" 2>&1 && touch "$dir/gdb.ok"
}
case " $* " in *" gdb "*) with_gdb & gdb=$! ;; *) gdb= ;; esac

# Two processors, or vCPUs that wait for each other take turns of milliseconds. Their TSCs are in step, but Linux
# measures otherwise on a busy host, and then KVM stops the TSC of vCPUs while they do not run. Their rate, too, is
# measured wrongly there, so time is not taken from them.
timeout -s KILL "${TIMEOUT:-900}" "${QEMU:-qemu-system-x86_64}" -accel tcg -cpu max,+svm,+npt -m 1G -smp 2 \
	-kernel "$kernel" -initrd "$dir/initrd.gz" -append "console=ttyS0 quiet tsc=reliable clocksource=hpet" -nographic \
	-serial mon:stdio -serial "unix:$dir/gdb,server=on,wait=off" -no-reboot </dev/null 2>&1 | stdbuf -o0 tr -d '\000\r' >"$dir/out"

[ -z "$gdb" ] || kill $gdb 2>/dev/null
passed=0 failed=0 skipped=0
for part; do
	if grep -q "^=== check-kvm: SKIPPED $part\$" "$dir/out"; then
		echo "$part: skipped: not on this QEMU; QEMU=PATH names another (random, avx: 10.0, privileged: 7.2)"
		skipped=$((skipped + 1))
	elif [ "$part" = gdb ] && [ ! -f "$dir/gdb.ok" ]; then
		echo "gdb: failed"
		cat "$dir/gdb.out"
		failed=$((failed + 1))
	elif grep -q "^=== check-kvm: PASSED $part\$" "$dir/out"; then
		echo "$part: passed"
		passed=$((passed + 1))
	else
		echo "$part: failed"
		failed=$((failed + 1))
	fi
done
[ $failed -eq 0 ] || tail -60 "$dir/out"
grep -q '^=== check-kvm: SKIPPED privileged' "$dir/out" || case " $* " in
*" privileged "*)
	python3 "$here/../priv/run.py" --judge "$dir/out" >"$dir/judged"
	[ $? -eq 0 ] || failed=$((failed + 1))
	cat "$dir/judged"
	;;
esac
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
