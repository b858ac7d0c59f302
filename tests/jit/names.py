#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What -perfmap and -jitdump write is what perf reads: map lines that name code without overlapping, and a
jitdump whose records follow each other to the end (jitdump-specification.txt). Where perf is installed and
allowed, it is asked which block of a loop most time goes to."""
import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../boot"))
from guest import Guest, GuestError  # noqa: E402

HEADER, RECORD, LOAD = "<IIIIIIQQ", "<IIQ", "<IIQQQQ"
JIT_CODE_LOAD = 0


def run(doppel, folder):
    """The built-in guest, left at its prompt; returns doppel's process number."""
    os.chdir(folder)
    g = Guest([doppel, "-accel", "jit,hot=1", "-perfmap", "-jitdump"])
    try:
        g.expect(r"guest> ", 60)
        g.proc.stdin.write(b"\x01x")
        g.proc.stdin.flush()
        if g.wait(30) != 0:
            raise GuestError(f"doppel ended with {g.proc.returncode}")
    finally:
        g.close()
    return g.proc.pid


def check_map(path):
    """How many names there are for code."""
    with open(path) as f:
        lines = [line.rstrip("\n").split(" ", 2) for line in f]
    code = sorted((int(start, 16), int(size, 16), name) for start, size, name in lines)
    for (start, size, name), (after, _, other) in zip(code, code[1:]):
        assert start + size <= after, f"{name} and {other} overlap"
    assert all(size and name for _, size, name in code)
    return len(code)


def check_dump(path, pid):
    """How many pieces of code there are."""
    with open(path, "rb") as f:
        data = f.read()
    magic, version, at, _, _, whose, _, _ = struct.unpack_from(HEADER, data)
    assert magic == 0x4A695444 and version == 1 and whose == pid, "header"
    loads = 0
    while at < len(data):
        kind, size, _ = struct.unpack_from(RECORD, data, at)
        assert size >= struct.calcsize(RECORD) and at + size <= len(data), f"record at {at}"
        if kind == JIT_CODE_LOAD:
            body = at + struct.calcsize(RECORD)
            length = struct.unpack_from(LOAD, data, body)[4]
            name = body + struct.calcsize(LOAD)
            end = data.index(b"\0", name, at + size) + 1
            assert end > name + 1 and end + length == at + size, f"code at {at}"
            loads += 1
        at += size
    return loads


def profile(doppel, folder):
    """Which part of a loop's samples perf gives to a block's name, or why it cannot be asked."""
    def call(*argv):
        env = {**os.environ, "PERF_BUILDID_DIR": folder}
        return subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=120)

    if not shutil.which("perf"):
        return "perf is not installed"
    loop = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench/loop.S")
    built = call("gcc", "-nostdlib", "-static", "-no-pie", "-DROUNDS=100000000", "-Wl,--build-id=none",
                 "-Wl,-Ttext=0x200000", "-Wl,-z,noseparate-code", "-o", "loop", loop)
    assert built.returncode == 0, built.stderr
    record = ["perf", "record", "-q", "-k", "1", "-e", "cpu-clock", "-o", "samples", "--"]
    if call(*record, "true").returncode:
        return "perf may not take samples here"
    ran = call(*record, doppel, "-accel", "jit,hot=1", "-jitdump", "-m", "16M", "-kernel", "loop",
               "-display", "none", "-serial", "none", "-device",
               "isa-debug-exit,iobase=0xf4,iosize=4")
    assert ran.returncode == 1, f"doppel under perf ended with {ran.returncode}: {ran.stderr}"
    named = call("perf", "inject", "--jit", "-i", "samples", "-o", "named")
    assert named.returncode == 0, named.stderr
    report = call("perf", "report", "-i", "named", "--stdio", "--sort", "sym").stdout
    return sum(float(part) for part in re.findall(r"([0-9.]+)% .*guest64k_[0-9a-f]+", report))


def check_profile(doppel):
    """1 for passed, 0 for failed, None for skipped."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            part = profile(doppel, folder)
        except (AssertionError, subprocess.TimeoutExpired) as e:
            print(f"FAIL  profile: {e}")
            return 0
    if isinstance(part, str):
        print(f"skip  profile: {part}")
        return None
    ok = part > 30
    print(f"{'ok' if ok else 'FAIL':5} profile: {part:.0f}% of the samples are in named blocks")
    return int(ok)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--doppel", default="./doppel")
    opt = p.parse_args()
    doppel = os.path.abspath(opt.doppel)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        pid = run(doppel, folder)
        files = f"/tmp/perf-{pid}.map", os.path.join(folder, f"jit-{pid}.dump")
        try:
            for what, check in ("map", lambda: check_map(files[0])), \
                    ("dump", lambda: check_dump(files[1], pid)):
                try:
                    n = check()
                    ok = n > 100
                    print(f"{'ok' if ok else 'FAIL':5} {what}: {n} names")
                except (AssertionError, OSError, ValueError, struct.error) as e:
                    ok = False
                    print(f"FAIL  {what}: {e}")
                bad += not ok
        finally:
            if os.path.exists(files[0]):
                os.unlink(files[0])
    profiled = check_profile(doppel)
    bad += profiled == 0
    skipped = int(profiled is None)
    print(f"names: {3 - bad - skipped} passed, {bad} failed, {skipped} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
