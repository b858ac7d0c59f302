#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""start.py --doppel DOPPEL: from exec to a guest's first instructions, which end the emulator, within 10 ms."""
import argparse
import os
import struct
import subprocess
import tempfile
import time

RUNS = 30
LIMIT_MS = 10

# A multiboot kernel at 1 MiB: xor eax, eax; out 0xf4, al; hlt.
FLAGS = 1 << 16
GUEST = struct.pack("<8I", 0x1badb002, FLAGS, -(0x1badb002 + FLAGS) & 0xffffffff, 0x100000, 0x100000, 0, 0,
                    0x100020) + b"\x31\xc0\xe6\xf4\xf4"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    a = p.parse_args()
    best = float("inf")
    with tempfile.TemporaryDirectory() as d:
        kernel = os.path.join(d, "kernel")
        with open(kernel, "wb") as f:
            f.write(GUEST)
        argv = [a.doppel, "-nographic", "-nic", "none", "-kernel", kernel,
                "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        for _ in range(RUNS):
            t0 = time.monotonic()
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode
            took = (time.monotonic() - t0) * 1000
            if status != 1:  # what isa-debug-exit makes of 0
                break
            best = min(best, took)  # other load on the host makes it no faster
    ok = status == 1 and best <= LIMIT_MS
    print(f"{'ok   ' if ok else 'FAIL '} from exec to the end {best:.1f} ms at best (status {status})")
    print(f"{int(ok)} passed, {int(not ok)} failed")
    return not ok


if __name__ == "__main__":
    raise SystemExit(main())
