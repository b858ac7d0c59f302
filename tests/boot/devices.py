#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that Debian's full kernel has drivers for, used by it: USB.

devices.py [--doppel PATH] [--accel ENGINE] [--slow FACTOR] [NAME...]
"""
import argparse
import glob
import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from boot import Skip, check, check_log, fetch  # noqa: E402
from disks import MIB, cpio, sha  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

# In the order in which they depend on each other.
USB = ["usb-common", "usbcore", "xhci-hcd", "xhci-pci", "hid", "usbhid", "hid-generic", "evdev",
       "scsi_common", "scsi_mod", "crct10dif_common", "crct10dif_generic", "crc-t10dif", "crc64",
       "crc64_rocksoft_generic", "crc64-rocksoft", "t10-pi", "sd_mod", "usb-storage"]


def initrd_with(out, modules):
    """The busybox initrd, with modules of the full kernel in /m."""
    found = {os.path.basename(p)[:-3]: p
             for p in glob.glob(f"{fetch('fullkernel', 'amd64')}/lib/modules/*/kernel/**/*.ko",
                                recursive=True)}
    entries = {"m": (0o40755, b"")}
    for i, name in enumerate(modules):
        with open(found[name], "rb") as f:
            entries[f"m/{i:02}-{name}.ko"] = (0o100644, f.read())
    with open(fetch("initrd", "amd64"), "rb") as f:
        base = f.read()
    with open(out, "wb") as f:
        f.write(base + gzip.compress(cpio(entries), 1))


class Devices:
    def __init__(self, a, logs):
        self.a = a
        self.logs = logs

    def boot(self, name, modules, *args):
        """A guest at its prompt, with the modules loaded."""
        kernel = glob.glob(fetch("fullkernel", "amd64") + "/boot/vmlinuz-*")[0]
        initrd = os.path.join(self.logs, name + ".initrd")
        initrd_with(initrd, modules)
        accel = ["-accel", self.a.accel] if self.a.accel else []
        g = Guest([self.a.doppel, *accel, "-m", "256M", "-nographic", "-kernel", kernel, "-initrd",
                   initrd, "-append", "console=ttyS0 quiet", *args],
                  os.path.join(self.logs, name + ".log"))
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 300; dmesg -n 1")
            check("insmod" not in g.command("for m in /m/*; do insmod $m; done", 120),
                  "a module does not load")
        except GuestError:
            g.close()
            raise
        return g

    def monitor(self, g, *lines):
        g.type("\1c")
        g.expect(r"\(doppel\) ", 10)
        at = len(g.output)
        for line in lines:
            g.type(line + "\n")
            g.expect(r"\(doppel\) ", 60)
        g.type("\1c")
        return g.output[at:]

    def events(self, g, device, *lines):
        """What monitor commands bring about at an input device: (type, code, value)."""
        found = g.command(f"grep -A5 'Name=.*{device}' /proc/bus/input/devices | grep Handlers")
        node = [w for w in found.split() if w.startswith("event")]
        check(node, f"no input device {device}")
        g.command(f"cat /dev/input/{node[0]} > /tmp/events & sleep .3")
        self.monitor(g, *lines)
        g.type("\n")
        g.expect("# ", 20)
        hexdump = g.command("sleep .3; kill %1; od -An -v -tx1 /tmp/events")
        raw = bytes(int(b, 16) for b in hexdump.split() if len(b) == 2)
        return [struct.unpack("<16xHHi", raw[i:i + 24]) for i in range(0, len(raw) // 24 * 24, 24)]

    def usb(self):
        """Keyboard, tablet, mouse and a disk behind xHCI; the disk also after loadvm."""
        raw = os.path.join(self.logs, "usb.raw")
        with open(raw, "wb") as f:
            f.write(os.urandom(2 * MIB) + bytes(6 * MIB))
        disk = os.path.join(self.logs, "usb.qcow2")
        subprocess.run([self.a.doppel, "img", "convert", "-O", "qcow2", raw, disk], check=True)
        g = self.boot("usb", USB, "-drive", f"file={disk},if=none,id=d", "-device", "qemu-xhci",
                      "-device", "usb-storage,drive=d", "-device", "usb-kbd", "-device", "usb-mouse",
                      "-device", "usb-tablet")
        try:
            g.command("i=0; while [ ! -e /dev/sda ] && [ $i -lt 100 ]; do sleep .1; i=$((i+1)); "
                      "done", 60)
            before = sha(raw)
            got = g.command("sha256sum /dev/sda").split()
            check(got[:1] == [before], f"the disk is read differently: {got}")
            self.monitor(g, "savevm a")
            g.type("\n")
            g.expect("# ", 20)
            with open(raw, "r+b") as f:
                data = f.read(2 * MIB)
                f.seek(4 * MIB)
                f.write(data)
            got = g.command("dd if=/dev/sda of=/dev/sda bs=64k count=32 seek=64 conv=fsync "
                            "2>/dev/null; echo 3 > /proc/sys/vm/drop_caches; "
                            "sha256sum /dev/sda", 120).split()
            check(got[:1] == [sha(raw)], f"the disk is written differently: {got}")
            ev = self.events(g, "USB Keyboard", "sendkey x")
            check((1, 45, 1) in ev and (1, 45, 0) in ev, f"the keyboard gives {ev}")
            ev = self.events(g, "USB Mouse", "mouse_move 10 -200", "mouse_button 1",
                             "mouse_button 0")
            moved = [sum(v for t, c, v in ev if (t, c) == (2, axis)) for axis in (0, 1)]
            check((1, 0x110, 1) in ev and (1, 0x110, 0) in ev and moved == [10, -200],
                  f"the mouse gives {ev}")
            check_log(g.command("dmesg"))
            self.monitor(g, "loadvm a")
            g.type("\n")
            g.expect("# ", 60)
            got = g.command("echo 3 > /proc/sys/vm/drop_caches; sha256sum /dev/sda", 120).split()
            check(got[:1] == [before], f"the disk is read differently after loadvm: {got}")
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()


CASES = ["usb"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel")
    p.add_argument("--logs")
    p.add_argument("--slow", type=float, default=1, help="factor on all timeouts")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    logs = a.logs or tempfile.mkdtemp(prefix="doppel-devices-")
    os.makedirs(logs, exist_ok=True)
    Guest.slow = a.slow
    suite = Devices(a, logs)
    passed = failed = skipped = 0
    for name in a.names or CASES:
        t0 = time.monotonic()
        try:
            note = getattr(suite, name)()
            found = Guest.reports()
            check(not found, "\n".join(found[:10]))
            passed += 1
            print(f"ok    {name}  {time.monotonic() - t0:.1f} s  {note or ''}", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {name}: {e}", flush=True)
        except (GuestError, OSError) as e:
            failed += 1
            print(f"FAIL  {name}: {e}\n(log in {logs})", flush=True)
    print(f"devices: {passed} passed, {failed} failed, {skipped} skipped")
    if not failed and not a.logs:
        shutil.rmtree(logs)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
