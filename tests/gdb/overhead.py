#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What breakpoints and watchpoints that are never hit cost a Linux guest that computes: overhead.py --doppel PATH

Rounds of work for each second of the vCPU's thread, so that what else the host does counts little; with and without
points by turns."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "boot")]
from gdb import Failure, Packets  # noqa: E402
from guest import Guest  # noqa: E402

WORK = "while :; do head -c 100000 /bin/busybox | gzip | sha256sum; done\n"
TEXT = 0xffffffff81000000
# What nobody executes: of the kernel's text and of user code, at all offsets in their pages.
BREAKS = [f"Z0,{(TEXT if n % 2 else 0x10000000) + n * 0x1f3d1 + 0x400000:x},1" for n in range(100)]
CONFIGS = {
    "nothing": ([], 0),
    "a watchpoint": (["Z2,ffffffff82f00008,8"], 10),
    "100 breakpoints": (BREAKS, 5),
}


class Meter:
    def __init__(self, doppel, accel, kernel, initrd):
        self.dir = tempfile.mkdtemp(prefix="doppel-overhead")
        path = os.path.join(self.dir, "gdb")
        self.guest = Guest([doppel, "-accel", accel, "-m", "256", "-kernel", kernel, "-initrd", initrd,
                            "-append", "console=ttyS0 nokaslr", "-monitor", "none", "-gdb", "unix:" + path])
        self.guest.expect(r"# ", 120)
        self.guest.type(WORK)
        self.packets = Packets(path)
        pid = self.guest.proc.pid
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm") as f:
                if f.read() == "vcpu0\n":
                    self.stat = f"/proc/{pid}/task/{task}/schedstat"

    def run(self, seconds):
        data = b"vCont;c"
        self.packets.sock.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))
        time.sleep(seconds)
        self.packets.sock.sendall(b"\x03")
        got = self.packets.reply()
        if not got.startswith("T02"):
            raise Failure("a point was hit: " + got)

    def counters(self):
        while self.guest.read(0.05) and self.guest.output[self.guest.seen:]:
            self.guest.seen = len(self.guest.output)
        with open(self.stat) as f:
            return len(re.findall("[0-9a-f]{64}  -", self.guest.output)), int(f.read().split()[0])

    def rate(self, points, warm, measured):
        for p in points:
            if self.packets.send(p) != "OK":
                raise Failure(p)
        self.run(warm)
        n0, t0 = self.counters()
        self.run(measured)
        n1, t1 = self.counters()
        for p in points:
            self.packets.send("z" + p[1:])
        return (n1 - n0) / (t1 - t0)


def fetch(what):
    return subprocess.run(["sh", os.path.join(HERE, "..", "guests", "fetch.sh"), what, "amd64"],
                          capture_output=True, text=True, check=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--doppel", required=True)
    parser.add_argument("--accel", default="jit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=float, default=2)
    parser.add_argument("--measured", type=float, default=2)
    args = parser.parse_args()
    try:
        kernel, initrd = fetch("kernel"), fetch("initrd")
    except subprocess.CalledProcessError as e:
        print("0 passed, 0 failed, 1 skipped: " + e.stderr.strip())
        return 0
    meter = Meter(args.doppel, args.accel, kernel, initrd)
    rates = {name: [] for name in CONFIGS}
    for _ in range(args.rounds):
        for name, (points, _) in CONFIGS.items():
            rates[name].append(meter.rate(points, args.warm, args.measured))
    meter.guest.close()
    median = {name: sorted(r)[len(r) // 2] for name, r in rates.items()}
    failed = 0
    for name, (_, allowed) in CONFIGS.items():
        cost = 100 * (median["nothing"] / median[name] - 1)
        good = name == "nothing" or cost < allowed
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}: {1e9 * median[name]:.0f} rounds a second, "
              f"costs {cost:.1f} %" + (f" (at most {allowed})" if allowed else ""))
    print(f"overhead: {len(CONFIGS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
