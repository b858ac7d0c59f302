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
        for size in "1.5M", "0.1M", "1.25k", "1536":
            for fmt in "raw", "qcow2":
                self.both("create", "-f", fmt, "new.img", size)
        self.both("create", "-f", "raw", "-o", "preallocation=full", "new.img", "1M")
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

    def test_what_is_added_is_preallocated(self):
        data = self.disk("p.raw", 3 * MB, 11)
        self.img("convert", "-f", "raw", "-O", "qcow2", "-S", "0", "p.raw", "p.qcow2")
        for fmt, name in ("raw", "p.raw"), ("qcow2", "p.qcow2"):
            for how in ("falloc", "full") if fmt == "raw" else ("metadata", "falloc", "full"):
                # Clusters that come back are zeroes, whatever they held.
                self.img("resize", "-q", "-f", fmt, "--shrink", name, "1M")
                self.img("resize", "-q", "-f", fmt, "--preallocation=" + how, name, "3M")
                self.same(name, data[:MB] + bytes(2 * MB), fmt)
                if how != "metadata" and os.stat(name).st_blocks * 512 < 2 * MB:
                    raise Failure(f"resize --preallocation={how} gives {name} no space")
        self.check("p.qcow2")
        for args in (["-f", "raw", "--preallocation=metadata", "p.raw", "4M"],
                     ["--preallocation=full", "--shrink", "p.qcow2", "1M"]):
            self.img("resize", *args, status=1)

    def test_a_new_image_on_a_device_is_empty(self):
        with open("device", "wb") as f:
            f.write(b"was" * 4 * MB)
        try:
            device = run(["losetup", "-f", "--show", "device"]).strip()
        except (OSError, Failure):
            raise Skip("no loop device can be had")
        try:
            for how in "off", "metadata", "full":
                self.img("create", "-q", "-f", "qcow2", "-o", "preallocation=" + how, device, "5M")
                self.same(device, bytes(5 * MB))
            with open("zeroes", "wb") as f:
                f.truncate(12 * MB)
            self.img("dd", "if=zeroes", "of=" + device)
            self.same(device, bytes(12 * MB), "raw")
        finally:
            run(["losetup", "-d", device])

    def test_measure_prints_the_same(self):
        self.disk("m.raw", 5 * MB + 512, 12)
        self.img("convert", "-S", "64k", "-O", "qcow2", "m.raw", "m.qcow2")
        self.img("create", "-q", "-f", "qcow2", "-b", "m.qcow2", "-F", "qcow2", "over.qcow2", "7M")
        self.img("create", "-q", "-f", "qcow2", "-o", "compat=0.10", "old.qcow2", "1M")
        for o in ("cluster_size=64k", "preallocation=metadata", "preallocation=full", "compat=0.10",
                  "cluster_size=512", "cluster_size=2M", "cluster_size=4k,refcount_bits=64", "refcount_bits=1",
                  "backing_file=m.qcow2,backing_fmt=qcow2"):
            for size in ("1", "1500000000", "3.7T"):
                if (o, size) != ("cluster_size=512", "3.7T"):
                    self.both("measure", "-O", "qcow2", "-o", o, "--size", size)
            self.both("measure", "-O", "qcow2", "-o", o, "m.qcow2")
        for name in "over.qcow2", "old.qcow2":
            self.both("measure", "-O", "qcow2", name)
        self.both("measure", "--output=json", "-O", "qcow2", "m.qcow2")
        self.both("measure", "--output=json", "-O", "qcow2", "-f", "raw", "m.qcow2")
        self.both("measure", "--size=5", "--output", "json")
        self.both("measure", "over.qcow2")
        for args in (["-O", "qcow2", "-o", "cluster_size=512", "--size", "3.7T"], [], ["--size=1", "m.raw"],
                     ["-O", "qcow2", "-o", "cluster_size=0", "--size=1M"]):
            self.img("measure", *args, status=1)

    def test_dd_copies_the_same(self):
        data = self.disk("d.raw", 3 * MB, 13)
        self.img("convert", "-O", "qcow2", "d.raw", "d.qcow2")
        for args in (["bs=1M"], ["bs=100k", "count=7"], ["bs=100k", "count=7", "skip=3"], ["bs=64k", "skip=40"],
                     ["bs=1M", "skip=9"], ["bs=1k", "count=99999", "-O", "qcow2"]):
            for name in "d.raw", "d.qcow2":
                self.img("dd", f"if={name}", "of=one", *args)
                self.qemu("dd", f"if={name}", "of=two", *args)
                fmt = "qcow2" if "qcow2" in args else "raw"
                self.qemu("compare", "-q", "-f", fmt, "-F", fmt, "one", "two")
                if os.path.getsize("one") != os.path.getsize("two") and fmt == "raw":
                    raise Failure(f"dd {args}: another size")
        self.same("one", data)
        self.img("dd", "if=d.raw", "of=one", "what=1", status=1)

    def test_amend(self):
        data = self.disk("a.raw", 3 * MB, 14)
        for tool in (self.img, self.qemu) if QEMU else (self.img,):
            self.img("convert", "-O", "qcow2", "-o", "compat=0.10", "a.raw", "a.qcow2")
            self.img("snapshot", "-c", "was", "a.qcow2")
            tool("amend", "-q", "-o", "compat=1.1", "-o", "lazy_refcounts=on", "a.qcow2")
            tool("amend", "-f", "qcow2", "-o", "size=5M", "a.qcow2")
            if "1.1" not in self.both("info", "a.qcow2"):
                raise Failure("amend leaves version 2")
            self.same("a.qcow2", data + bytes(2 * MB))
            tool("amend", "-o", "lazy_refcounts=off", "a.qcow2")
            tool("snapshot", "-a", "was", "a.qcow2")
            self.check("a.qcow2")
        for o in "cluster_size=4k", "compat=0.10", "size=1M", "backing_file=a.raw", "nonsense=1":
            self.img("amend", "-o", o, "a.qcow2", status=1)

    def test_commit_to_a_lower_image(self):
        for tool in (self.img, self.qemu) if QEMU else (self.img,):
            self.disk("one.raw", 4 * MB, 15)
            self.img("convert", "-O", "qcow2", "one.raw", "one.qcow2")
            for below, name, size in ("one", "two", "2M"), ("two", "three", "3M"):
                self.img("create", "-q", "-f", "qcow2", "-b", below + ".qcow2", "-F", "qcow2", name + ".qcow2", size)
                with open("part", "wb") as f:
                    f.write(name[:1].encode() * 300000)
                self.img("convert", "-n", "-O", "qcow2", "part", name + ".qcow2")
            self.img("convert", "three.qcow2", "want.raw")
            with open("want.raw", "rb") as f:
                want = f.read()
            tool("commit", "-q", "-b", "one.qcow2", "three.qcow2")
            # What an image in between is too short for was zeroes.
            self.img("convert", "one.qcow2", "got.raw")
            with open("got.raw", "rb") as f:
                if tool == self.img and f.read()[:3 * MB] != want:
                    raise Failure("commit -b did not bring everything to the lowest image")
            self.check("one.qcow2")
        self.img("commit", "-b", "two.raw", "three.qcow2", status=1)

    def test_what_cannot_be_read_is_salvaged(self):
        size = 2 * MB
        with open("s.raw", "wb") as f:
            f.write(b"compress me " * (size // 12 + 1))
            f.truncate(size)
        self.img("convert", "-c", "-O", "qcow2", "s.raw", "s.qcow2")
        with open("s.qcow2", "r+b") as f:
            def entry(at):
                f.seek(at)
                return int.from_bytes(f.read(8), "big") & (1 << 54) - 1

            # The sixth cluster, by the L1 table and its only L2 table.
            f.seek(entry(entry(entry(40)) + 5 * 8))
            f.write(b"?" * 40)
        self.img("convert", "s.qcow2", "x.raw", status=1)
        self.img("convert", "--salvage", "s.qcow2", "ours.raw")
        with open("ours.raw", "rb") as f:
            zeroes = f.read().count(bytes(512))
        if zeroes != 128:
            raise Failure(f"{zeroes} sectors were lost, not those of one cluster")
        if QEMU:
            self.qemu("convert", "--salvage", "s.qcow2", "theirs.raw")
            self.qemu("compare", "-q", "-f", "raw", "-F", "raw", "ours.raw", "theirs.raw")

    def test_wrong_options_leave_the_file_alone(self):
        data = self.disk("keep.raw", MB, 16)
        for o in "cluster_size=3k", "compat=0.10,lazy_refcounts=on", "backing_file=x,backing_fmt=raw,preallocation=full":
            self.img("create", "-f", "qcow2", "-u", "-o", o, "keep.raw", "1M", status=1)
        self.same("keep.raw", data, "raw")

    def test_options_of_convert(self):
        data = self.disk("c.raw", 3 * MB, 17)
        self.img("create", "-q", "-f", "qcow2", "c.qcow2", "3M")
        self.img("convert", "-n", "--target-is-zero", "-r", "500M", "-O", "qcow2", "c.raw", "c.qcow2")
        self.same("c.qcow2", data)
        if os.stat("c.qcow2").st_blocks * 512 > 3 * MB:
            raise Failure("--target-is-zero writes zeroes")
        self.img("convert", "--target-is-zero", "-O", "qcow2", "c.raw", "d.qcow2", status=1)
        for name in "qcow2", "raw":
            if "preallocation=" not in self.img("convert", "-O", name, "-o", "help"):
                raise Failure("-o help")

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
