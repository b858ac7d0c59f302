#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's state is saved while it compiles, at a random moment, and loaded in a new process: the compile
must end with the compiler's right output, and the file systems be clean. The compiler and its source are
on a virtio-blk disk, its output goes to an NVMe disk, both ext4 in qcow2.

compile.py [--doppel PATH] [--rounds N] [--seed N] [--slow FACTOR]
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from disks import initrd_with_modules  # noqa: E402
from guest import Guest, GuestError  # noqa: E402
from suite import Skip, check, check_log, fetch  # noqa: E402

# Saved under the first, loaded under the second.
ENGINES = [("jit", "jit"), ("jit", "interp"), ("jit", "jit"), ("interp", "jit"), ("jit", "jit")]
FILES = 5
CC1 = "usr/lib/gcc/x86_64-linux-gnu/12/cc1"
LIBS = "lib/x86_64-linux-gnu"
SCRIPT = f"""cd /tools
for f in src/*.c; do
	{LIBS}/ld-linux-x86-64.so.2 --library-path {LIBS}:usr/{LIBS} {CC1} -quiet -ffreestanding -O2 $f \\
		-o $1/${{f#src/}}.s || echo failed at $f
done
sync
"""


def source(seed):
    """Functions that call each other, with loops and tables: some work for an optimizer."""
    out = ["typedef unsigned long u64;\n"]
    for i in range(1, 15):
        k = seed * 31 + i * 7
        out.append(
            f"static u64 table{i}[{16 + k % 48}];\n"
            f"u64 f{i}(u64 *a, int n)\n{{\n\tu64 s = {k};\n\tfor (int i = 0; i < n; i++) {{\n"
            f"\t\tif (a[i] % {k % 9 + 2})\n\t\t\ts += a[i] * i + table{i}[i % {16 + k % 48}];\n"
            f"\t\telse\n\t\t\ta[i] = s ^ table{i}[s % {16 + k % 48}];\n\t\tswitch (s & 15) {{\n"
            "\t\tcase 0: s++; break;\n\t\tcase 1: s ^= n; break;\n\t\tcase 9: s /= n | 1; break;\n"
            f"\t\tcase 5: s = f{i - 1 if i > 1 else 1}(a + 1, n - {i}); break;\n"
            f"\t\tcase 6: table{i}[n % {16 + k % 48}] = s;\n\t\t}}\n\t}}\n\treturn s;\n}}\n")
    return "".join(out)


class Compile:
    def __init__(self, a, folder):
        self.a = a
        self.folder = folder
        self.random = random.Random(a.seed)

    def path(self, name):
        return os.path.join(self.folder, name)

    def img(self, *args):
        subprocess.run([self.a.doppel, "img", *args], check=True, stdout=subprocess.DEVNULL)

    def make_disk(self, name, size, tree):
        subprocess.run(["mke2fs", "-qq", "-t", "ext4", "-d", tree, self.path(name), size], check=True,
                       stdout=subprocess.DEVNULL)
        self.img("convert", "-O", "qcow2", self.path(name), self.path(name + ".qcow2"))
        os.unlink(self.path(name))

    def prepare(self):
        """The disks, and the right output from a native run."""
        tools = self.path("tools")
        shutil.copytree(fetch("programs", "amd64"), tools, symlinks=True)
        os.makedirs(tools + "/src")
        os.makedirs(self.path("right"))
        os.makedirs(self.path("empty"))
        for n in range(FILES):
            with open(f"{tools}/src/{n}.c", "w") as f:
                f.write(source(n))
        with open(tools + "/compile", "w") as f:
            f.write(SCRIPT)
        native = SCRIPT.replace("cd /tools", f"cd {tools}").replace("\nsync", "")
        subprocess.run(["sh", "-c", native, "sh", self.path("right")], check=True)
        self.right = {}
        for n in range(FILES):
            with open(self.path(f"right/{n}.c.s"), "rb") as f:
                self.right[n] = f.read()
        self.make_disk("tools.img", "160M", tools)
        self.make_disk("out.img", "32M", self.path("empty"))
        initrd_with_modules(self.path("initrd"))

    def start(self, name, engine, *args):
        return Guest([self.a.doppel, "-accel", engine, "-m", "192M", "-nographic", "-kernel",
                      fetch("kernel", "amd64"), "-initrd", self.path("initrd"), "-append",
                      "console=ttyS0", "-drive", f"file={self.path('tools.img.qcow2')},if=virtio",
                      "-drive", f"file={self.path('out.img.qcow2')},if=none,id=o", "-device",
                      "nvme,drive=o,serial=o", *args], self.path(name + ".log"))

    def boot(self):
        """Leaves the snapshot "ready"; returns the seconds that a compile takes under jit."""
        g = self.start("boot", "jit")
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 500; dmesg -n 1; for m in /m/*; do insmod $m; done; mkdir /tools "
                      "/out; while [ ! -e /dev/nvme0n1 ] || [ ! -e /dev/vda ]; do sleep .1; done; "
                      "mount -t ext4 -o ro /dev/vda /tools && mount -t ext4 /dev/nvme0n1 /out", 120)
            g.monitor("savevm ready")
            t0 = time.monotonic()
            check("failed" not in g.command("sh /tools/compile /out", 600), "the compile fails")
            return time.monotonic() - t0
        finally:
            g.close()

    def round(self, n, seconds):
        saver, loader = ENGINES[n % len(ENGINES)]
        # An interpreter is that much slower, more or less: what counts is that it is under way.
        wait = seconds * self.random.uniform(0.05, 0.9) * (10 if saver == "interp" else 1)
        g = self.start(f"{n}-save", saver, "-loadvm", "ready")
        try:
            g.type("\nsh /tools/compile /out; echo ends''here\n")
            t0 = time.monotonic()
            while time.monotonic() - t0 < wait and "endshere" not in g.output:
                g.read(0.05)
            under_way = "endshere" not in g.output
            said = g.monitor("savevm middle")
            check("cannot" not in said and "error" not in said, f"savevm says {said}")
        finally:
            g.close()
        g = self.start(f"{n}-load", loader, "-loadvm", "middle")
        try:
            if under_way:
                g.expect(r"endshere", 1200)
            else:
                g.type("\n")
            check("failed" not in g.output, "the compile fails")
            g.command("echo 3 > /proc/sys/vm/drop_caches; umount /out", 120)
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()
        self.check_disk()
        return under_way, f"{saver} to {loader}, after {wait:.1f} of {seconds:.1f} s"

    def check_disk(self):
        raw = self.path("out.raw")
        for name in "tools", "out":
            self.img("check", "-q", self.path(name + ".img.qcow2"))
        self.img("convert", "-O", "raw", self.path("out.img.qcow2"), raw)
        fsck = subprocess.run(["e2fsck", "-fn", raw], capture_output=True, text=True)
        check(fsck.returncode == 0, f"e2fsck: {fsck.stdout[-800:]}")
        for n, right in self.right.items():
            got = subprocess.run(["debugfs", "-R", f"cat /{n}.c.s", raw], capture_output=True)
            check(got.stdout == right, f"the output for {n}.c is wrong")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--slow", type=float, default=1, help="factor on all timeouts")
    a = p.parse_args()
    Guest.slow = a.slow
    folder = tempfile.mkdtemp(prefix="doppel-compile-")
    c = Compile(a, folder)
    try:
        c.prepare()
        seconds = c.boot()
        busy = 0
        for n in range(a.rounds):
            t0 = time.monotonic()
            under_way, note = c.round(n, seconds)
            busy += under_way
            print(f"ok    {note}{'' if under_way else ' (had ended)'}  "
                  f"{time.monotonic() - t0:.1f} s", flush=True)
        # A moment too late now and then is chance; most of them would mean nothing was tested.
        check(busy * 2 > a.rounds, f"only {busy} of {a.rounds} states were of a running compile")
        print(f"compile: {a.rounds} passed, 0 failed, 0 skipped")
    except Skip as e:
        print(f"skip  {e}\ncompile: 0 passed, 0 failed, 1 skipped")
    except (GuestError, OSError, subprocess.CalledProcessError) as e:
        print(f"FAIL  {e}\n(logs in {folder})\ncompile: 0 passed, 1 failed")
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
