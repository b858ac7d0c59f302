#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check.sh DOPPEL: runs a static doppel under a real KVM, which is that of Debian's kernel in QEMU's emulation of
# AMD-V (tests/kvm/init says what). 0 passed, 1 failed, 77 skipped for want of QEMU or packages.
set -u
doppel=$1
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "check-kvm: skipped: $1"; exit 77; }

command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not here"
command -v cpio >/dev/null || skip "cpio is not here"
kernel=$(sh "$here/../guests/fetch.sh" kernel amd64) || skip "no kernel"
busybox=$(sh "$here/../guests/fetch.sh" busybox amd64) || skip "no busybox"
initrd=$(sh "$here/../guests/fetch.sh" initrd amd64) || skip "no initrd"
modules=$(dirname "$kernel")/linux/lib/modules

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
root=$dir/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/guest"
cp "$here/init" "$root/init" && chmod +x "$root/init"
cp "$busybox" "$root/bin/busybox"
cp "$doppel" "$root/bin/doppel"
cp "$kernel" "$root/guest/vmlinuz"
cp "$initrd" "$root/guest/initrd.gz"
for name in irqbypass kvm kvm-amd; do
	cp "$(find "$modules" -name "$name.ko" | head -1)" "$root/" || skip "no module $name"
done
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd.gz"

timeout -s KILL "${TIMEOUT:-240}" qemu-system-x86_64 -accel tcg -cpu max,+svm,+npt -m 1G \
	-kernel "$kernel" -initrd "$dir/initrd.gz" -append "console=ttyS0 quiet" -nographic \
	-no-reboot </dev/null >"$dir/out" 2>&1
tr -d '\000\r' <"$dir/out" | grep -a 'check-kvm: PASSED' && exit 0
tr -d '\000\r' <"$dir/out" | tail -45
exit 1
