# SPDX-License-Identifier: GPL-2.0-or-later
"""img.py --doppel DOPPEL: `doppel img` against a model of its own and, where qemu-img is installed,
against qemu-img: each reads, checks and changes what the other made."""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

QEMU = shutil.which("qemu-img")
MB = 1 << 20


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def run(argv, status=0):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if p.returncode != status:
        raise Failure(f"{' '.join(argv)}: status {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stdout


class Suite:
    def __init__(self, doppel):
        self.doppel = doppel
        self.random = random.Random(1)

    def img(self, *args, status=0):
        return run([self.doppel, "img", *args], status)

    def qemu(self, *args, status=0):
        if not QEMU:
            raise Skip("qemu-img is not installed (Debian: qemu-utils)")
        return run([QEMU, *args], status)

    def both(self, *args):
        """The same output from both."""
        ours, theirs = self.img(*args), self.qemu(*args)
        if ours != theirs:
            raise Failure(f"{' '.join(args)}:\n{ours}\ninstead of\n{theirs}")
        return ours

    def check(self, name):
        self.img("check", "-q", name)
        if QEMU:
            self.qemu("check", "-q", name)

    def disk(self, name, size, seed=0):
        """A raw disk with data, zeroes and holes."""
        r = random.Random(seed)
        with open(name, "wb") as f:
            f.truncate(size)
            for _ in range(40):
                f.seek(r.randrange(0, size - 70000) // 512 * 512)
                f.write(r.choice([bytes, r.randbytes, lambda n: b"abc " * (n // 4)])(
                    r.randrange(512, 65536) // 512 * 512))
        with open(name, "rb") as f:
            return f.read()

    def same(self, name, data, fmt="qcow2"):
        self.img("convert", "-f", fmt, "-O", "raw", name, "back.raw")
        with open("back.raw", "rb") as f:
            if f.read() != data:
                raise Failure(f"{name} does not hold what it should")
        if QEMU:
            self.qemu("convert", "-f", fmt, "-O", "raw", name, "back.raw")
            with open("back.raw", "rb") as f:
                if f.read() != data:
                    raise Failure(f"qemu-img reads something else from {name}")

    # ---- the tests ----

    def test_info_and_check_print_the_same(self):
        self.img("create", "-q", "-f", "qcow2", "base.qcow2", "10M")
        self.img("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "top.qcow2")
        self.img("create", "-q", "-f", "raw", "raw.img", "3M")
        self.img("create", "-q", "-f", "qcow2", "-o", "compat=0.10", "old.qcow2", "1500M")
        self.img("snapshot", "-c", "first one", "base.qcow2")
        for name in ("base.qcow2", "top.qcow2", "old.qcow2"):
            self.both("info", name)
            self.both("check", name)
            ours = json.loads(self.img("check", "--output=json", name))
            if ours != json.loads(self.qemu("check", "--output=json", name)):
                raise Failure(f"check --output=json {name} differs")
        for name in ("base.qcow2", "top.qcow2", "old.qcow2"):
            ours = json.loads(self.img("info", "--output=json", name))
            if ours != json.loads(self.qemu("info", "--output=json", name)):
                raise Failure(f"info --output=json {name} differs")
        self.both("info", "-f", "raw", "raw.img")
        self.both("info", "--backing-chain", "top.qcow2")
        self.both("snapshot", "-l", "base.qcow2")

    def test_create_prints_the_same(self):
        for o in ([], ["-o", "cluster_size=4k,refcount_bits=1,lazy_refcounts=on"],
                  ["-o", "preallocation=metadata"], ["-o", "preallocation=falloc"]):
            args = ["create", "-f", "qcow2", *o, "new.qcow2", "5M"]
            self.both(*args)
            self.img(*args)
            self.check("new.qcow2")
            self.same("new.qcow2", bytes(5 * MB))

    def test_convert_both_ways(self):
        size = 20 * MB + 512
        data = self.disk("src.raw", size)
        for n, o in enumerate(["cluster_size=512", "cluster_size=64k", "cluster_size=2M",
                               "compat=0.10", "refcount_bits=64", "preallocation=metadata"]):
            self.img("convert", "-f", "raw", "-O", "qcow2", "-o", o, "src.raw", f"o{n}.qcow2")
            self.check(f"o{n}.qcow2")
            self.same(f"o{n}.qcow2", data)
            if QEMU:
                self.qemu("convert", "-f", "raw", "-O", "qcow2", "-o", o, "src.raw", "q.qcow2")
                self.same("q.qcow2", data)
                self.check("q.qcow2")

    def test_compressed(self):
        data = self.disk("src.raw", 8 * MB)
        kinds = ["zlib"]
        try:
            self.img("create", "-q", "-f", "qcow2", "-o", "compression_type=zstd", "z", "1M")
            kinds.append("zstd")
        except Failure:
            pass
        for kind in kinds:
            for tool in (self.img, self.qemu) if QEMU else (self.img,):
                for size in ("4k", "64k", "2M"):
                    tool("convert", "-c", "-f", "raw", "-O", "qcow2", "-o",
                         f"compression_type={kind},cluster_size={size}", "src.raw", "z.qcow2")
                    self.check("z.qcow2")
                    self.same("z.qcow2", data)

    def test_backing_chain_commit_and_rebase(self):
        size = 6 * MB
        base = bytearray(self.disk("base.raw", size, 1))
        new = self.disk("new.raw", size, 2)
        data = bytearray(base)
        r = random.Random(3)
        self.img("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2")
        # What a guest would write comes as the difference of two disks.
        for _ in range(20):
            at = r.randrange(0, size - 40000) // 512 * 512
            n = r.randrange(512, 40000) // 512 * 512
            data[at:at + n] = r.randbytes(n)
        with open("data.raw", "wb") as f:
            f.write(data)
        self.img("convert", "-f", "raw", "-O", "qcow2", "-B", "base.raw", "-F", "raw",
                 "data.raw", "top.qcow2")
        self.check("top.qcow2")
        self.same("top.qcow2", data)
        if os.path.getsize("top.qcow2") > 4 * MB:
            raise Failure("convert -B copies what the backing file has")
        self.img("rebase", "-b", "new.raw", "-F", "raw", "top.qcow2")
        self.check("top.qcow2")
        self.same("top.qcow2", data)
        self.img("commit", "top.qcow2")
        with open("new.raw", "rb") as f:
            if f.read() != bytes(data):
                raise Failure("commit did not write everything")
        self.same("top.qcow2", data)
        self.img("rebase", "-b", "", "top.qcow2")
        self.same("top.qcow2", data)
        self.img("rebase", "-u", "-b", "base.raw", "-F", "raw", "top.qcow2")
        if "base.raw" not in self.img("info", "top.qcow2"):
            raise Failure("rebase -u did not set the name")
        del new

    def test_chains_that_never_end_are_refused(self):
        self.img("create", "-q", "-f", "qcow2", "a.qcow2", "1M")
        self.img("create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "b.qcow2")
        self.img("rebase", "-u", "-b", "b.qcow2", "-F", "qcow2", "a.qcow2")
        self.img("convert", "-O", "raw", "a.qcow2", "x.raw", status=1)
        self.img("info", "a.qcow2")

    def test_map_and_compare_print_the_same(self):
        # Whole clusters: in those with holes of the file qemu-img, by its guess, shows these or not.
        def disk(name, change=None):
            r = random.Random(2)
            with open(name, "wb") as f:
                f.truncate(4 * MB + 512)
                for at in range(0, 4 * MB, 65536):
                    f.seek(at)
                    if r.random() < 0.5:
                        f.write(r.randbytes(64) * 1024)
                if change is not None:
                    f.seek(change)
                    f.write(b"?")

        disk("d")
        self.img("convert", "-O", "qcow2", "d", "q")
        self.img("convert", "-O", "qcow2", "-c", "d", "z")
        self.img("create", "-q", "-f", "qcow2", "-b", "q", "-F", "qcow2", "o", "6M")
        with open("part", "wb") as f:
            f.write(b"x" * 70000)
        self.img("convert", "-n", "-O", "qcow2", "part", "o")
        self.img("create", "-q", "-f", "qcow2", "empty", "1M")
        disk("e", MB + 777)
        disk("longer")
        os.truncate("longer", 5 * MB)
        for name in "d", "q", "o", "empty", "e":
            self.both("map", name)
            self.both("map", "--start-offset=64k", "--max-length=1M", name)
        for name in "d", "q", "o", "z", "empty":
            self.both("map", "--output=json", name)
        self.img("map", "z", status=1)
        for args in (["d", "q"], ["d", "z"], ["q", "e"], ["d", "o"], ["o", "d"], ["-s", "d", "o"], ["empty", "d"],
                     ["d", "longer"], ["longer", "q"], ["-q", "e", "q"], ["-f", "raw", "d", "d"],
                     ["d", "nothing"], ["-s", "d", "e"]):
            ours, theirs = (subprocess.run([*tool, "compare", *args], capture_output=True, text=True)
                            for tool in ([self.doppel, "img"], [QEMU or "false"]))
            if QEMU and (ours.returncode, ours.stdout) != (theirs.returncode, theirs.stdout):
                raise Failure(f"compare {args}: {ours.returncode} {ours.stdout} {ours.stderr}\n"
                              f"instead of {theirs.returncode} {theirs.stdout}")

    def test_snapshots(self):
        one, two = self.disk("one.raw", 4 * MB, 5), self.disk("two.raw", 4 * MB, 6)
        self.img("convert", "-f", "raw", "-O", "qcow2", "one.raw", "s.qcow2")
        self.img("snapshot", "-c", "one", "s.qcow2")
        self.img("convert", "-n", "-f", "raw", "-O", "qcow2", "two.raw", "s.qcow2")
        self.check("s.qcow2")
        self.same("s.qcow2", two)
        self.img("convert", "-l", "one", "-O", "raw", "s.qcow2", "l.raw")
        with open("l.raw", "rb") as f:
            if f.read() != one:
                raise Failure("convert -l shows something else")
        for tool in (self.img, self.qemu) if QEMU else (self.img,):
            tool("snapshot", "-c", "two", "s.qcow2")
            tool("snapshot", "-a", "one", "s.qcow2")
            self.same("s.qcow2", one)
            tool("snapshot", "-a", "two", "s.qcow2")
            self.same("s.qcow2", two)
            tool("snapshot", "-d", "two", "s.qcow2")
            self.check("s.qcow2")
        self.img("snapshot", "-d", "none", "s.qcow2", status=1)

    def test_resize(self):
        data = self.disk("r.raw", 3 * MB, 7)
        self.img("convert", "-f", "raw", "-O", "qcow2", "r.raw", "r.qcow2")
        for fmt, name in (("raw", "r.raw"), ("qcow2", "r.qcow2")):
            self.img("resize", "-q", "-f", fmt, name, "+2M")
            self.same(name, data + bytes(2 * MB), fmt)
            self.img("resize", "-q", "-f", fmt, name, "1M", status=1)
            self.img("resize", "-q", "-f", fmt, "--shrink", name, "-4M")
            self.same(name, data[:MB], fmt)
            self.img("resize", "-q", "-f", fmt, name, "2M")
            self.same(name, data[:MB] + bytes(MB), fmt)
        self.check("r.qcow2")

    def test_broken_refcounts_are_repaired(self):
        data = self.disk("src.raw", 4 * MB, 9)
        self.img("convert", "-f", "raw", "-O", "qcow2", "src.raw", "c.qcow2")
        with open("c.qcow2", "r+b") as f:
            f.seek(48)
            table = int.from_bytes(f.read(8), "big")
            f.seek(table)
            block = int.from_bytes(f.read(8), "big")
            f.seek(block + 2 * 10)
            f.write(bytes(10))      # in use, counted as free
            f.seek(block + 2 * 200)
            f.write(b"\0\1" * 7)    # free, counted as in use
        self.img("check", "-q", "c.qcow2", status=2)
        self.img("check", "-q", "-r", "all", "c.qcow2")
        self.check("c.qcow2")
        self.same("c.qcow2", data)

    def test_what_is_not_supported_has_a_name(self):
        self.img("create", "-q", "-f", "qcow2", "f.qcow2", "1M")
        for bit, name in ((1 << 4, "extended L2 entries"), (1 << 2, "external data file"),
                          (1 << 40, "bit 40")):
            with open("f.qcow2", "r+b") as f:
                f.seek(72)
                f.write(bit.to_bytes(8, "big"))
            p = subprocess.run([self.doppel, "img", "info", "f.qcow2"], capture_output=True,
                               text=True, timeout=20)
            if p.returncode != 1 or name not in p.stderr:
                raise Failure(f"feature {name}: {p.stderr}")

    def test_wrong_use(self):
        for args, words in ((["creat"], "did you mean create"), (["bench"], "not supported"),
                            (["create", "-f", "vmdk", "x", "1M"], "raw and qcow2"),
                            (["create", "-f", "qcow2", "x"], "needs a size"),
                            (["create", "-f", "qcow2", "-o", "cluster_size=3k", "x", "1M"],
                             "power of two"),
                            (["info", "nothing"], "No such file"),
                            (["convert", "x"], "source and a target"),
                            (["check", "-r", "some", "x"], "leaks and all"),
                            (["resize", "x"], "a size")):
            p = subprocess.run([self.doppel, "img", *args], capture_output=True, text=True,
                               timeout=20)
            if p.returncode == 0 or words not in p.stderr or p.stderr.count("\n") != 1:
                raise Failure(f"{args}: {p.returncode} {p.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--doppel", default="./doppel")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    suite = Suite(os.path.abspath(args.doppel))
    passed = failed = skipped = 0
    for name in [n for n in dir(suite) if n.startswith("test_")]:
        if args.names and not any(n in name for n in args.names):
            continue
        folder = tempfile.mkdtemp(prefix="doppel-img-")
        os.chdir(folder)
        try:
            getattr(suite, name)()
            passed += 1
        except Skip as why:
            skipped += 1
            print(f"{name}: skipped: {why}")
        except (Failure, subprocess.TimeoutExpired) as why:
            failed += 1
            print(f"{name}: {re.sub(chr(10) + '+', chr(10), str(why))}")
        finally:
            os.chdir("/")
            shutil.rmtree(folder)
    print(f"img: {passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


sys.exit(main())
