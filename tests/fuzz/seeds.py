#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""seeds.py CORPUS NAME...: what libFuzzer has found for a device (CORPUS/NAME, a folder), reduced to the smallest
inputs that reach the same code, becomes tests/fuzz/seeds/NAME.tar.gz. Files named bug-... are kept as they are:
inputs that once failed.
"""
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = "build/fuzz/tests"
MOST = 40 << 10  # bytes of an archive


def target(name):
    return os.path.join(BUILD, "block/fuzz_qcow2" if name == "qcow2" else "fuzz/fuzz_devices")


def archive(files):
    """The bytes of a .tar.gz, the same for the same files."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return gzip.compress(tar.getvalue(), 9, mtime=0)


def reduce(name, folder):
    """The inputs to keep, bugs first, then from the smallest on."""
    bugs = sorted(f for f in os.listdir(folder) if f.startswith("bug-"))
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([target(name), "-merge=1", "-use_counters=0", "-timeout=0", "-rss_limit_mb=2500", out,
                        folder], env=dict(os.environ, FUZZ_DEVICE=name), stderr=subprocess.DEVNULL, check=True)
        found = [open(os.path.join(out, f), "rb").read() for f in os.listdir(out)]
    files = [(b, open(os.path.join(folder, b), "rb").read()) for b in bugs]
    known = {data for _, data in files}
    found = sorted((data for data in found if data not in known), key=lambda data: (len(data), data))
    return files + [(f"{n:04}", data) for n, data in enumerate(found)], len(bugs)


def main():
    corpus, names = sys.argv[1], sys.argv[2:]
    os.makedirs(os.path.join(HERE, "seeds"), exist_ok=True)
    for name in names:
        folder = os.path.join(corpus, name)
        if not os.path.isdir(folder):
            print(f"{name}: nothing in {folder}; run make fuzz-long first")
            continue
        files, bugs = reduce(name, folder)
        # As many as there is room for.
        low, high = bugs, len(files)
        while low < high:
            n = (low + high + 1) // 2
            low, high = (n, high) if len(archive(files[:n])) <= MOST else (low, n - 1)
        packed = archive(files[:low])
        with open(os.path.join(HERE, "seeds", name + ".tar.gz"), "wb") as f:
            f.write(packed)
        print(f"{name}: {low} of {len(files)} inputs, {len(packed)} bytes")


if __name__ == "__main__":
    main()
