#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk throughput: fio in a Debian guest of doppel and in one of QEMU's TCG, in turn, as a table.

Both guests run the same kernel with the same images (written to a temporary layer), and each job runs in one
after the other while the other guest is idle. The best of the repetitions counts.

fio.py [--doppel PATH] [--seconds N] [--repeat N] [--only DISK,JOB,...]
"""
import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../boot"))
import suite  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

MIB = 1 << 20
SIZE = 256 * MIB
# Name, the serial number by which the guest finds it, format, how it is plugged in.
DISKS = [("virtio-blk raw", "vblk-raw", "raw", ["-device", "virtio-blk-pci,{}"]),
         ("virtio-blk qcow2", "vblk-qcow2", "qcow2", ["-device", "virtio-blk-pci,{}"]),
         ("NVMe raw", "nvme-raw", "raw", ["-device", "nvme,{}"]),
         ("NVMe qcow2", "nvme-qcow2", "qcow2", ["-device", "nvme,{}"]),
         ("AHCI raw", "ahci-raw", "raw", ["-device", "ahci,id=a", "-device", "ide-hd,bus=a.0,{}"]),
         ("AHCI qcow2", "ahci-qcow2", "qcow2", ["-device", "ide-hd,bus=a.1,{}"]),
         ("IDE raw", "ide-raw", "raw", ["-device", "ide-hd,bus=ide.0,unit=0,{}"]),
         ("IDE qcow2", "ide-qcow2", "qcow2", ["-device", "ide-hd,bus=ide.1,unit=0,{}"])]
# Name, fio's options, the columns of its report: 7 and 48 are KiB/s of reads and writes, 8 and 49 their IOPS.
JOBS = [("seq-read", "--rw=read --bs=128k --iodepth=8", 7, "MiB/s"),
        ("seq-write", "--rw=write --bs=128k --iodepth=8", 48, "MiB/s"),
        ("rand-read", "--rw=randread --bs=4k --iodepth=16", 8, "/s"),
        ("rand-write", "--rw=randwrite --bs=4k --iodepth=16", 49, "/s"),
        ("sync-write", "--rw=randwrite --bs=4k --iodepth=1 --fsync=1", 49, "/s")]


class Bench:
    def __init__(self, a, folder):
        self.a = a
        self.folder = folder
        self.best = {}
        self.system = suite.debian()
        only = a.only.split(",") if a.only else []
        self.disks = [d for d in DISKS if not only or d[1] in only] or DISKS
        self.jobs = [j for j in JOBS if not only or j[0] in only] or JOBS

    def images(self, who):
        args = []
        # All of them: AHCI's controller comes with the first of its disks.
        for _, node, fmt, plug in DISKS:
            raw = os.path.join(self.folder, "raw")
            path = os.path.join(self.folder, f"{who}-{node}.{fmt}")
            if not os.path.exists(raw):
                with open(raw, "wb") as f:
                    for _ in range(SIZE // MIB):
                        f.write(os.urandom(MIB))
            subprocess.run([self.a.doppel, "img", "convert", "-f", "raw", "-O", fmt, raw, path],
                           check=True)
            args += ["-drive", f"file={path},format={fmt},if=none,id={node}",
                     *(word.format(f"drive={node},serial={node}") for word in plug)]
        return args

    def boot(self, who, argv):
        cow = ["-drive", f"file={self.system}/root.img,format=raw,if=none,id=root,snapshot=on",
               "-device", "virtio-blk-pci,drive=root"]
        g = Guest([*argv, "-m", "1G", "-nographic", "-kernel", self.system + "/vmlinuz",
                   "-initrd", self.system + "/initrd", "-append",
                   "console=ttyS0 root=/dev/vda rw quiet mitigations=off", *cow, *self.images(who)],
                  os.path.join(self.folder, who + ".log"))
        g.expect("doppel login: ", 600)
        g.type("root\n")
        g.expect(r"# ", 120)
        g.command("stty cols 500; dmesg -n 1; bind 'set enable-bracketed-paste off'")
        return g

    def job(self, who, g, node, job):
        name, options, column, unit = job
        out = g.command(f"fio --name=j --filename=$(readlink -f /dev/disk/by-id/*[-_]{node}) --direct=1 --ioengine=libaio --size=100% "
                        f"--time_based --runtime={self.a.seconds} --minimal {options} "
                        f"| cut -d';' -f{column}", 120 + 10 * self.a.seconds)
        figures = [line for line in out.split() if line.isdigit()]
        if not figures:
            raise GuestError(f"fio says {out[-300:]}")
        value = int(figures[-1]) / (1024 if unit == "MiB/s" else 1)
        print(f"{who} {node} {name}: {value:,.0f} {unit}", file=sys.stderr, flush=True)
        key = who, node, name
        self.best[key] = max(value, self.best.get(key, 0))

    def run(self):
        guests = {}
        try:
            guests["doppel"] = self.boot("doppel", [self.a.doppel, "-accel", "jit", "-machine", "pc", "-smp", "1"])
            # Before 8.1 QEMU leaves the guest's memory barriers out where there can be but one CPU, and so loses
            # NVMe's doorbells in memory.
            guests["tcg"] = self.boot("tcg", [self.a.qemu, "-accel", "tcg", "-cpu", "max", "-machine", "pc", "-smp",
                                              "1,maxcpus=2"])
            for _ in range(self.a.repeat):
                for disk in self.disks:
                    for job in self.jobs:
                        for who, g in guests.items():
                            self.job(who, g, disk[1], job)
        finally:
            for g in guests.values():
                g.close()

    def table(self):
        """Returns the least ratio."""
        print("| disk | job | doppel, jit | QEMU, TCG | |\n|---|---|---|---|---|")
        ratios = []
        for title, node, _, _ in self.disks:
            for name, _, _, unit in self.jobs:
                ours, theirs = (self.best[who, node, name] for who in ("doppel", "tcg"))
                ratios.append(ours / max(theirs, 1e-9))
                print(f"| {title} | {name} | {ours:,.0f} {unit} | {theirs:,.0f} {unit} | "
                      f"{ratios[-1]:.1f}x |")
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"\ngeometric mean {mean:.1f}x, least {min(ratios):.1f}x")
        return min(ratios)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--qemu", default="qemu-system-x86_64")
    p.add_argument("--seconds", type=int, default=5, help="of each job")
    p.add_argument("--repeat", type=int, default=1)
    p.add_argument("--only", help="disks (vblk-raw, ide-qcow2, ...) and jobs (seq-read, ...)")
    a = p.parse_args()
    folder = tempfile.mkdtemp(prefix="doppel-fio-")
    try:
        b = Bench(a, folder)
        b.run()
        least = b.table()
    except suite.Skip as e:
        sys.exit(f"fio: {e}")
    except GuestError as e:
        sys.exit(f"fio: {e}\n(logs in {folder})")
    shutil.rmtree(folder)
    sys.exit(1 if least < 1 else 0)


if __name__ == "__main__":
    main()
