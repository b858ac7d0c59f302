#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest under load for a long time, with so little code memory that eviction never ends.

Inside it, as many loops as there are CPUs run the benchmark's workloads over and over: compilers and
interpreters beside processes, pipes, signals, page faults, code that changes, threads. Every result is
compared with what the host computes, and the guest has to power off cleanly at the end.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../bench"), os.path.join(HERE, "../boot")]
import bench  # noqa: E402
from guest import REPORT, Guest, GuestError  # noqa: E402

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev 2>/dev/null
echo 1 >/proc/sys/kernel/printk
echo "stress: up"
IFS=,
again() {
	while IFS=" " read up rest </proc/uptime; [ ${up%.*} -lt $end ]; do
		/bench/work -s "$scale" $names || echo "stress: the program ended with $?"
	done
}
end=$1 scale=$2 names=$3 loops=$4
while [ $loops -gt 0 ]; do
	again &
	loops=$((loops - 1))
done
wait
echo "stress: done"
/bin/busybox poweroff -f
"""
LINE = re.compile(r"(?:^|\n)(?:([a-z0-9-]+) ([0-9.]+) ([0-9]+) ([0-9a-f]{16})|(stress: .*?))\r?(?=\n)")


class Stress(bench.Bench):
    def __init__(self, opt, folder):
        super().__init__(opt, folder)
        self.sums = {}
        self.runs = {}
        self.wrong = []

    def native_sums(self):
        out = subprocess.run([self.opt.work, "-s", str(self.opt.scale), *self.order], text=True,
                             capture_output=True, check=True)
        for name, _, rounds, total in map(str.split, out.stdout.splitlines()):
            self.sums[name] = rounds, total

    def argv(self):
        o = self.opt
        names = ",".join(self.order)
        return [o.doppel, "-accel", o.accel, "-cpu", "max", "-smp", str(o.smp), "-m", "1G",
                "-kernel", self.kernel, "-initrd", self.initrd_programs, "-nographic",
                "-no-reboot", "-append", "console=ttyS0 panic=-1 rdinit=/bench/init -- "
                f"{o.seconds} {o.scale} {names} {o.loops or o.smp}"]

    def take(self, m):
        """False at the end."""
        if m[5]:
            if m[5] not in ("stress: up", "stress: done"):
                self.wrong.append(m[5])
            return m[5] != "stress: done"
        name = m[1]
        self.runs[name] = self.runs.get(name, 0) + 1
        if self.sums.get(name) != (m[3], m[4]):
            self.wrong.append(f"{name}: {m[4]}, {self.sums.get(name)} natively")
        return True

    def run(self):
        self.native_sums()
        g = Guest(self.argv(), os.path.join(self.opt.logs, "stress.log"))
        try:
            while self.take(g.expect(LINE, self.opt.timeout)):
                if len(self.wrong) > 20:
                    raise GuestError("given up")
            if g.wait(60) != 0:
                self.wrong.append(f"doppel ended with {g.proc.returncode}")
        except GuestError as e:
            self.wrong.append(str(e).splitlines()[0])
        finally:
            g.close()
        report = REPORT.search(g.output)
        if report:
            self.wrong.append(report[0])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel", default="jit,cache=4M")
    p.add_argument("--seconds", type=int, default=1800, help="of the guest's time")
    p.add_argument("--smp", type=int, default=2)
    p.add_argument("--loops", type=int, help="at a time; as many as CPUs if not given")
    p.add_argument("--scale", type=float, default=0.1)
    p.add_argument("--only", help="workloads, separated by commas")
    p.add_argument("--timeout", type=float, default=300, help="longest silence, in seconds")
    p.add_argument("--work", default="build/bench/work")
    p.add_argument("--logs", default=tempfile.gettempdir())
    opt = p.parse_args()
    bench.INIT = INIT
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        s = Stress(opt, folder)
        s.pack()
        s.run()
    for name in s.order:
        print(f"{name:14} {s.runs.get(name, 0):6} times")
    for w in s.wrong:
        print(f"stress: {w}")
    print(f"stress: {sum(s.runs.values())} passed, {len(s.wrong)} failed in "
          f"{time.monotonic() - start:.0f} s")
    return 1 if s.wrong or not s.runs else 0


if __name__ == "__main__":
    sys.exit(main())
