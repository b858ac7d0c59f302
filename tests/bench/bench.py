#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: one static program, natively and in a guest of each engine, as a table of ratios.

The same Debian kernel boots under every engine with the same initramfs, to which the program and an
init are appended. Engines run one at a time and in turn, once each repetition, with native runs
between them; the best time of each workload counts. Sums that differ between engines are reported.
"""
import argparse
import gzip
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../boot"))
from guest import Guest, GuestError  # noqa: E402

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev 2>/dev/null
read up rest </proc/uptime
echo 1 >/proc/sys/kernel/printk
echo "bench: init after $up"
IFS=,
/bench/work -s "$1" $2
echo "bench: end with $?"
/bin/busybox poweroff -f
"""
# Work for a tenth of a second natively would keep an interpreter busy for minutes.
SLOW = {"interp": 0.1}
LINE = re.compile(r"^([a-z0-9-]+) (?:- (.*)|([0-9.]+) ([0-9]+) ([0-9a-f]{16}))$")
# What the guest still says before doppel's counters.
STATS = re.compile(r"\A.*Power down\r?\n", re.S)
REPORT = re.compile(r"(?:^|\n)(" + LINE.pattern[1:-1] + r"|bench: end with (\d+))\r?\n")


def cpio(files):
    """An initramfs archive (newc) of (name, mode, bytes)."""
    out = bytearray()
    for ino, (name, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        path = name.encode() + b"\0"
        fields = [ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0]
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + path
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def tree(top, name):
    """The files of a folder, for cpio(), under name."""
    files = [(name, 0o40755, b"")]
    for folder, folders, names in os.walk(top):
        for n in sorted(folders) + sorted(names):
            path = os.path.join(folder, n)
            inside = os.path.join(name, os.path.relpath(path, top))
            if os.path.islink(path):
                files.append((inside, 0o120777, os.readlink(path).encode()))
            elif os.path.isdir(path):
                files.append((inside, 0o40755, b""))
            else:
                with open(path, "rb") as f:
                    files.append((inside, 0o100755, f.read()))
    return files


def fetch(what, needed=True):
    r = subprocess.run(["sh", os.path.join(HERE, "../guests/fetch.sh"), what, "amd64"],
                       capture_output=True, text=True)
    if r.returncode:
        why = f"bench: {r.stderr.strip() or 'no ' + what}"
        if needed:
            sys.exit(why)
        print(why, file=sys.stderr)
    return r.stdout.strip()


def is_program(name):
    return name.startswith("prog-")


class Results:
    """The best seconds a round of each workload under each engine."""

    def __init__(self):
        self.best = {}   # (engine, workload) -> seconds a round
        self.sums = {}   # (workload, rounds) -> {sum: engines}
        self.notes = {}  # (engine, workload) -> why there is no time
        self.boots = {}  # engine -> [seconds from start to init, the guest kernel's own count]

    def add(self, engine, name, seconds, rounds, total):
        key = engine, name
        each = seconds / rounds
        self.best[key] = min(each, self.best.get(key, each))
        seen = self.sums.setdefault((name, rounds), {}).setdefault(total, [])
        if engine not in seen:
            seen.append(engine)

    def take(self, engine, text):
        """Takes a line of the program; returns the workload's name."""
        m = LINE.match(text)
        if m[2] is not None:
            self.notes[engine, m[1]] = m[2]
        else:
            self.add(engine, m[1], float(m[3]), int(m[4]), m[5])
        return m[1]

    def booted(self, engine, wall, up):
        old = self.boots.get(engine)
        self.boots[engine] = [min(wall, old[0]), min(up, old[1])] if old else [wall, up]

    def wrong(self):
        return [f"{name}, {rounds} rounds: " +
                "; ".join(f"{s} under {', '.join(e)}" for s, e in sums.items())
                for (name, rounds), sums in self.sums.items() if len(sums) > 1]


class Bench:
    def __init__(self, opt, folder):
        self.opt = opt
        self.folder = folder
        self.results = Results()
        self.order = self.names()
        self.dead = {}  # engine -> workloads that ended its guest

    def names(self):
        out = subprocess.run([self.opt.work, "-l"], capture_output=True, text=True, check=True)
        every = [line.split("\t")[0] for line in out.stdout.splitlines()]
        only = self.opt.only.split(",") if self.opt.only else every
        for name in only:
            if name not in every:
                sys.exit(f"bench: no workload {name}; there are {', '.join(every)}")
        if any(map(is_program, only)):
            programs = fetch("programs", needed=False)
            if programs:
                os.environ["BENCH_PROGRAMS"] = programs
            else:
                only = [n for n in only if not is_program(n)]
        return [n for n in every if n in only]

    def scale(self, engine):
        return self.opt.scale * SLOW.get(engine, 1)

    def native(self, scale):
        out = subprocess.run([self.opt.work, "-s", str(scale), *self.order], capture_output=True,
                             text=True)
        if out.returncode:
            sys.exit(f"bench: natively: {out.stderr.strip() or out.returncode}")
        for line in out.stdout.splitlines():
            self.results.take("native", line)

    def pack(self):
        """The test guest's initramfs and a second archive behind it, which the kernel unpacks too.
        Programs go into a third, in an initramfs of their own: booting must not wait for them."""
        self.kernel = fetch("kernel")
        self.initrd = os.path.join(self.folder, "initrd")
        self.initrd_programs = os.path.join(self.folder, "initrd-programs")
        with open(self.opt.work, "rb") as f:
            work = f.read()
        more = cpio([("bench", 0o40755, b""), ("bench/init", 0o100755, INIT.encode()),
                     ("bench/work", 0o100755, work)])
        with open(fetch("initrd"), "rb") as base, open(self.initrd, "wb") as out:
            out.write(base.read() + gzip.compress(more, 1))
        if any(map(is_program, self.order)):
            shutil.copy(self.initrd, self.initrd_programs)
            with open(self.initrd_programs, "ab") as out:
                # The kernel wants an archive that is not compressed to start at a multiple of 4.
                out.write(b"\0" * (-out.tell() % 4))
                out.write(cpio(tree(os.environ["BENCH_PROGRAMS"], "bench/programs")))

    def argv(self, engine, names):
        # The kernel gives init 32 arguments at most: the names are one.
        append = ("console=ttyS0 mitigations=off panic=-1 rdinit=/bench/init -- "
                  f"{self.scale(engine)} {','.join(names)}")
        initrd = self.initrd_programs if is_program(names[0]) else self.initrd
        machine = ["-cpu", self.opt.cpu, "-smp", str(self.opt.smp), "-m", "512M", "-kernel",
                   self.kernel, "-initrd", initrd, "-append", append, "-nographic",
                   "-no-reboot"]
        if engine == "tcg":
            return [self.opt.qemu, "-accel", "tcg", *machine]
        if engine == "jit" and self.opt.stats:
            engine = "jit,stats=on"
        return [self.opt.doppel, "-accel", engine, *machine]

    def guest(self, engine, names):
        """Runs workloads under engine; goes on behind one that ends or hangs the guest."""
        dead = self.dead.setdefault(engine, [])
        left = [n for n in names if n not in dead]
        log = os.path.join(self.folder, f"{engine}.log")
        while left:
            g = Guest(self.argv(engine, left), log)
            booted = False
            try:
                m = g.expect(r"bench: init after ([0-9.]+)", self.opt.boot_timeout)
                booted = True
                if not is_program(left[0]):
                    self.results.booted(engine, g.seconds(), float(m[1]))
                while left:
                    m = g.expect(REPORT, self.opt.timeout)
                    if m[1].startswith("bench"):
                        raise GuestError(f"the program ended with {m[7]}")
                    g.seen -= 1  # the line's end is the next one's start
                    left.remove(self.results.take(engine, m[1]))
                if engine == "jit" and self.opt.stats:
                    g.wait(30)
                    print(f"counters of {', '.join(names)}:", STATS.sub("", g.output[g.seen:]))
            except GuestError as e:
                keep = os.path.join(self.opt.logs, f"bench-{engine}-{left[0]}.log")
                shutil.copy(log, keep)
                why = str(e).splitlines()[0]
                if why.startswith("timed out"):
                    why = f"not done after {self.opt.timeout:g} s"
                elif why.startswith("doppel ended"):
                    why = "the emulator ended"
                print(f"bench: {engine}: {left[0]}: {why}; log in {keep}", file=sys.stderr)
                if not booted:
                    return
                dead.append(left[0])
                self.results.notes[engine, left[0]] = why
                left.pop(0)
                if len(dead) >= self.opt.max_dead:
                    print(f"bench: {engine}: given up", file=sys.stderr)
                    return
            finally:
                g.close()

    def run(self):
        engines = [e for e in self.opt.engines.split(",") if e != "native"]
        for e in engines:
            if e == "tcg" and not shutil.which(self.opt.qemu):
                print(f"bench: {self.opt.qemu} is not installed: no tcg", file=sys.stderr)
        engines = [e for e in engines if e != "tcg" or shutil.which(self.opt.qemu)]
        if engines:
            self.pack()
        for rep in range(self.opt.repeat):
            self.native(self.opt.scale)
            for e in engines:
                if sys.stderr.isatty():
                    print(f"bench: repetition {rep + 1}, {e}", file=sys.stderr)
                self.guest(e, [n for n in self.order if not is_program(n)])
                self.guest(e, [n for n in self.order if is_program(n)])
                # Sums can be compared only where rounds are the same.
                self.native(self.scale(e))
        return engines


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def number(value, width, digits=2):
    if value is None:
        return "-".rjust(width)
    return f"{value:{width}.{digits if value < 100 else 0}f}"


class Table:
    def __init__(self, bench, engines):
        self.r, self.engines, self.names = bench.results, engines, bench.order
        self.rounds = {n: max((r for m, r in self.r.sums if m == n), default=0)
                       for n in self.names}

    def ratio(self, a, b, name):
        x, y = self.r.best.get((a, name)), self.r.best.get((b, name))
        return x / y if x and y else None

    def columns(self):
        cols = [(e, "native", f"{e}/native") for e in self.engines]
        if "jit" in self.engines and "tcg" in self.engines:
            cols.append(("tcg", "jit", "tcg/jit"))
        return cols

    def groups(self):
        """Rows that every engine has run: only over the same rows do means compare."""
        rows = [n for n in self.names if all((e, n) in self.r.best
                                             for e in ["native", *self.engines])]
        return {"workloads": [n for n in rows if not is_program(n)],
                "programs": [n for n in rows if is_program(n)]}

    def means(self, rows):
        return {title: geomean([self.ratio(a, b, n) for n in rows])
                for a, b, title in self.columns()}

    def text(self):
        cols = self.columns()
        out = ["workload      native ms" + "".join(t.rjust(15) for _, _, t in cols)]
        for n in self.names:
            native = self.r.best.get(("native", n))
            row = f"{n:12} {number(native and native * self.rounds[n] * 1000, 10, 1)}"
            row += "".join(number(self.ratio(a, b, n), 15) for a, b, _ in cols)
            if (self.ratio("tcg", "jit", n) or 1) < 1:
                row += "  slower than tcg"
            out.append(row)
        for group, rows in self.groups().items():
            if rows:
                means = "".join(number(v, 15) for v in self.means(rows).values())
                out.append(f"{'geomean':12} {'':10}{means}  over {len(rows)} {group}")
        out += [f"no time for {n} under {e}: {why}" for (e, n), why in self.r.notes.items()]
        if self.r.boots:
            out += ["", "boot to init     seconds   guest kernel's own count"]
            out += [f"{e:12} {b[0]:11.2f} {b[1]:11.2f}" for e, b in self.r.boots.items()]
        out += [f"DIFFERENT RESULTS: {w}" for w in self.r.wrong()]
        return "\n".join(out)

    def data(self):
        return {
            "host": host(), "date": time.strftime("%Y-%m-%d %H:%M:%S"),
            "workloads": {n: {e: self.r.best.get((e, n)) for e in ["native", *self.engines]}
                          for n in self.names},
            "unit": "seconds a round", "rounds": self.rounds,
            "geomean": {g: self.means(rows) for g, rows in self.groups().items()},
            "boot": self.r.boots, "different": self.r.wrong(),
            "missing": [[e, n, why] for (e, n), why in self.r.notes.items()],
        }


def host():
    with open("/proc/cpuinfo") as f:
        m = re.search(r"model name\s*: (.*)", f.read())
    load = os.getloadavg()[0]
    return f"{m[1] if m else 'unknown CPU'}, {os.cpu_count()} CPUs, load {load:.1f}"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--qemu", default="qemu-system-x86_64")
    p.add_argument("--work", default="build/bench/work", help="the program, as make builds it")
    p.add_argument("--engines", default="interp,jit,tcg", help="some of interp,jit,tcg; or native")
    p.add_argument("--only", help="workloads, separated by commas")
    p.add_argument("--scale", type=float, default=1, help="factor on the rounds of each workload")
    p.add_argument("--repeat", type=int, default=2)
    p.add_argument("--smp", type=int, default=2)
    p.add_argument("--cpu", default="max", help="the guests' CPU model")
    p.add_argument("--timeout", type=float, default=120, help="seconds for one workload")
    p.add_argument("--boot-timeout", type=float, default=120)
    p.add_argument("--max-dead", type=int, default=4, help="give an engine up after so many hangs")
    p.add_argument("--logs", default=tempfile.gettempdir(), help="where logs of failures go")
    p.add_argument("--stats", action="store_true", help="print what the translator counted")
    p.add_argument("--json", help="write the numbers to this file")
    opt = p.parse_args()
    print(f"host: {host()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(opt, folder)
        engines = bench.run()
    table = Table(bench, engines)
    print(table.text())
    if opt.json:
        with open(opt.json, "w") as f:
            json.dump(table.data(), f, indent=1)
    return 1 if bench.results.wrong() or bench.results.notes else 0


if __name__ == "__main__":
    sys.exit(main())
