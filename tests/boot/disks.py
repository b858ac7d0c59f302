#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot tests with disks. Without names, the quick ones: Debian's cloud kernel with one disk on each kind
of controller that it has a driver for, and SeaBIOS with each. The others boot a Debian 12 file system
(tests/guests/disk.sh) to a login, write to it, shut it down, and look at it with e2fsck.
"""
import glob
import gzip
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import suite  # noqa: E402
from guest import Guest, GuestError  # noqa: E402
from suite import check, check_log, fetch  # noqa: E402

MIB = 1 << 20


def cpio(entries):
    """An archive in the "newc" format; entries: name to (mode, contents)."""
    out = bytearray()
    for name, (mode, data) in [*entries.items(), ("TRAILER!!!", (0, b""))]:
        raw = name.encode() + b"\0"
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + raw
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


# In the order in which they depend on each other.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "virtio_blk", "scsi_common", "scsi_mod", "virtio_scsi", "libata", "ata_piix", "sd_mod",
           "cdrom", "sr_mod", "isofs"]


def initrd_with_modules(out, modules=MODULES, full=False):
    """The busybox initrd, with modules of the kernel in /m: of the cloud kernel those that it has, as others are
    built in, or of the full one all."""
    tree = fetch("fullkernel") if full else os.path.dirname(fetch("kernel")) + "/linux"
    found = {os.path.basename(p)[:-3]: p
             for p in glob.glob(f"{tree}/lib/modules/*/kernel/**/*.ko", recursive=True)}
    entries = {"m": (0o40755, b"")}
    for i, name in enumerate(modules):
        if full or name in found:
            with open(found[name], "rb") as f:
                entries[f"m/{i:02}-{name}.ko"] = (0o100644, f.read())
    with open(fetch("initrd"), "rb") as f:
        base = f.read()
    with open(out, "wb") as f:
        f.write(base + gzip.compress(cpio(entries), 1))


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Disks(suite.Suite):
    quick = ["contents", "queues", "ports", "bios", "snapshots"]
    cases = [*quick, "virtio", "virtio_smp2", "ide", "ahci", "nvme", "scsi", "busy"]

    def start(self, name, *args):
        return super().start(name, "-m", "512M", "-nographic", *args)

    def contents(self):
        """What the guest reads is what the host has put there, and the other way round."""
        names = ["vda", "vdb", "nvme0n1", "sda", "sdb"]
        paths = {}
        for name in names:
            paths[name] = os.path.join(self.logs, name + ".img")
            with open(paths[name], "wb") as f:
                f.write(os.urandom(2 * MIB) + bytes(6 * MIB))
        cd = os.path.join(self.logs, "cd.img")
        with open(cd, "wb") as f:
            f.write(os.urandom(MIB))
        initrd = os.path.join(self.logs, "initrd")
        initrd_with_modules(initrd)

        def drive(name, more):
            return ["-drive", f"file={paths[name]},format=raw,cache=writeback,{more}"]

        g = self.start(
            "contents", "-kernel", fetch("kernel", "amd64"), "-initrd", initrd, "-append",
            "console=ttyS0",
            *drive("vda", "if=none,id=a"),
            "-device", "virtio-blk-pci,drive=a,serial=first,num-queues=2,disable-legacy=on,packed=on",
            *drive("vdb", "if=none,id=b"), "-device", "virtio-blk-pci,drive=b,disable-modern=on",
            *drive("nvme0n1", "if=none,id=n"), "-device", "nvme,drive=n,serial=nv",
            *drive("sda", "if=ide,index=0"),
            "-drive", f"file={cd},format=raw,if=ide,index=2,media=cdrom",
            *drive("sdb", "if=none,id=s"), "-device", "virtio-scsi-pci", "-device",
            "scsi-hd,drive=s")
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 500; dmesg -n 1")
            # SCSI disks in the order of the command above, and without a race between drivers.
            g.command("for m in /m/*; do case $m in *virtio_scsi*) ;; *) insmod $m;; esac; done; "
                      "i=0; while [ ! -e /dev/sda ] && [ $i -lt 100 ]; do sleep .1; "
                      "i=$((i+1)); done; insmod /m/*virtio_scsi.ko; i=0; "
                      "while [ ! -e /dev/sdb ] && [ $i -lt 100 ]; do sleep .1; i=$((i+1)); done", 120)
            check(g.command("cat /sys/block/vda/serial").strip() == "first", "no serial number")
            for name in names:
                got = g.command(f"sha256sum /dev/{name}").split()
                check(got and got[0] == sha(paths[name]), f"{name} is read differently: {got}")
                # Bytes of the guest's own, by direct and by cached writes, and flushed.
                g.command(f"dd if=/dev/{name} of=/dev/{name} bs=64k count=16 skip=16 seek=64 "
                          "oflag=direct 2>/dev/null; "
                          f"dd if=/bin/busybox of=/dev/{name} bs=4k count=200 seek=1500 "
                          "conv=fsync,notrunc 2>/dev/null; sync", 120)
                got = g.command(f"echo 3 > /proc/sys/vm/drop_caches; sha256sum /dev/{name}").split()
                check(got and got[0] == sha(paths[name]), f"{name} is written differently: {got}")
            got = g.command("dd if=/dev/sr0 bs=64k count=16 2>/dev/null | sha256sum").split()
            check(got and got[0] == sha(cd), f"the CD-ROM is read differently: {got}")
            check_log(g.command("dmesg"))
            check("I/O error" not in g.command("dmesg | grep -v sr0"), "an I/O error")
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def queues(self):
        """A queue for each CPU, where nothing else is asked for."""
        initrd = self.path("queues.initrd")
        initrd_with_modules(initrd)
        args = []
        for name, device in {"a": "virtio-blk-pci,drive=a", "b": "virtio-blk-pci,drive=b,num-queues=1,write-cache=off",
                             "s": "scsi-hd,drive=s,channel=0,lun=0,rotation_rate=7200,werror=stop"}.items():
            with open(self.path(name + ".img"), "wb") as f:
                f.write(os.urandom(2 * MIB))
            args += ["-drive", f"file={self.path(name)}.img,format=raw,if=none,id={name}", "-device", device]
        g = self.start("queues", "-smp", "2", "-kernel", fetch("kernel"), "-initrd", initrd, "-append",
                       "console=ttyS0", "-device", "virtio-scsi-pci", *args)
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 500; dmesg -n 1; for m in /m/*; do insmod $m; done; "
                      "while [ ! -e /dev/sda ] || [ ! -e /dev/vdb ]; do sleep .1; done", 120)
            for disk, queues in {"vda": 2, "vdb": 1, "sda": 2}.items():
                check(len(g.command(f"ls /sys/block/{disk}/mq").split()) == queues, f"queues of {disk}")
            got = g.command("cd /sys/block; cat vda/queue/write_cache vdb/queue/write_cache sd?/queue/rotational")
            check(got.split() == ["write", "back", "write", "through", "1"], f"write caches, rotation: {got}")
            # Each CPU has the interrupts of a queue of its own.
            g.command("for c in 0 1; do for d in vda sda; do taskset $((c + 1)) dd if=/dev/$d bs=4k "
                      "iflag=direct of=/dev/null 2>/dev/null; done; done", 60)
            counts = [line.split() for line in g.command("cat /proc/interrupts").splitlines()]
            busy = [line[-1] for line in counts if line and any(n.isdigit() and int(n) > 100 for n in line[1:3])]
            for name in "virtio1-req.0", "virtio1-req.1":
                check(name in busy, f"{name} is idle: {busy}")
            check(busy.count("virtio0-request") == 2, f"virtio-scsi has not two busy queues: {busy}")
            for disk, name in ("vda", "a"), ("vdb", "b"), ("sda", "s"):
                check(sha(self.path(name + ".img")) in g.command(f"sha256sum /dev/{disk}"), f"{disk} differs")
        finally:
            g.close()

    def ports(self):
        """Behind root ports of PCI Express: what the guest sees there, MSI-X, and what it reads."""
        disks = {"vda": "virtio-blk-pci,drive=%s,bus=port1", "nvme0n1": "nvme,drive=%s,serial=n,bus=port2"}
        initrd = self.path("initrd")
        initrd_with_modules(initrd)
        args = ["-device", "pcie-root-port,id=port1,chassis=1", "-device",
                "pcie-root-port,id=port2,chassis=2,slot=2"]
        for name, device in disks.items():
            with open(self.path(name + ".img"), "wb") as f:
                f.write(os.urandom(2 * MIB))
            args += ["-drive", f"file={self.path(name)}.img,format=raw,if=none,id={name}", "-device",
                     device % name]
        g = self.start("ports", "-M", "q35", "-kernel", fetch("kernel"), "-initrd", initrd, "-append",
                       "console=ttyS0", *args)
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 500; dmesg -n 1; for m in /m/*virtio*; do insmod $m; done; "
                      "while [ ! -e /dev/nvme0n1 ] || [ ! -e /dev/vda ]; do sleep .1; done", 120)
            for name in disks:
                got = g.command(f"sha256sum /dev/{name}").split()
                check(got and got[0] == sha(self.path(name + ".img")), f"{name} is read differently")
                where = g.command(f"readlink -f /sys/block/{name}/device")
                check("/0000:00:0" in where and ".0/0000:0" in where, f"{name} is at {where}")
                speed = g.command(f"cat {where.strip()[:50]}/current_link_speed")
                check("2.5 GT/s" in speed, f"{name} has no link: {speed}")
            interrupts = g.command("cat /proc/interrupts")
            for name in "PCIe PME", "nvme0q1", "virtio0-req.0":
                check(re.search(rf"PCI-MSI.*{name}", interrupts), f"no MSI {name} in {interrupts}")
            check_log(g.command("dmesg"))
        finally:
            g.close()

    def boot_image(self):
        """A diskette whose boot sector reads the next one, and a CD-ROM that boots by emulating it."""
        obj, flat = (os.path.join(self.logs, n) for n in ("boot.o", "boot.bin"))
        subprocess.run(["gcc", "-m32", "-c", os.path.join(HERE, "bootsector.S"), "-o", obj], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o", flat, obj],
                       check=True)
        with open(flat, "rb") as f:
            disk = f.read().ljust(1440 * 1024, b"\0")
        # El Torito: volume descriptors from sector 16, the catalog in 19, the image from 20 on.
        volume = b"\1CD001\1"
        boot = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + struct.pack("<I", 19)
        head = struct.pack("<BBH24sHBB", 1, 0, 0, b"", 0, 0x55, 0xaa)
        words = sum(struct.unpack("<16H", head)) & 0xffff
        head = struct.pack("<BBH24sHBB", 1, 0, 0, b"", -words & 0xffff, 0x55, 0xaa)
        entry = struct.pack("<BBHBBHI", 0x88, 2, 0, 0, 0, 1, 20)
        sectors = [b""] * 16 + [volume, boot, b"\xffCD001\1", head + entry]
        iso = b"".join(s.ljust(2048, b"\0") for s in sectors) + disk
        paths = [os.path.join(self.logs, n) for n in ("fd.img", "boot.iso")]
        for path, data in zip(paths, (disk, iso)):
            with open(path, "wb") as f:
                f.write(data)
        return paths

    def bios(self):
        """SeaBIOS finds a boot sector through its driver for every controller."""
        fd, iso = self.boot_image()
        none = ["-drive", f"file={fd},format=raw,if=none,id=x"]
        cd = ["-drive", f"file={iso},format=raw,if=none,id=x,media=cdrom"]
        ways = {
            "floppy": ["-drive", f"file={fd},format=raw,if=floppy"],
            "ide": ["-drive", f"file={fd},format=raw,if=ide"],
            "slave": ["-drive", f"file={fd},format=raw,if=ide,index=3"],
            "q35": ["-M", "q35", "-drive", f"file={fd},format=raw,if=ide"],
            "ahci": [*none, "-device", "ahci,id=a", "-device", "ide-hd,drive=x,bus=a.2"],
            "virtio-blk": ["-drive", f"file={fd},format=raw,if=virtio"],
            "virtio-blk legacy": [*none, "-device", "virtio-blk-pci,drive=x,disable-modern=on"],
            "if=scsi": ["-device", "virtio-scsi-pci", "-drive", f"file={fd},format=raw,if=scsi"],
            "virtio-scsi": [*none, "-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=x"],
            "nvme": [*none, "-device", "nvme,drive=x,serial=1"],
            "usb": [*none, "-device", "qemu-xhci", "-device", "usb-storage,drive=x"],
            "usb cd": [*cd, "-device", "nec-usb-xhci", "-device", "usb-storage,drive=x"],
            "nvme behind a port": ["-M", "q35", "-device", "pcie-root-port,id=p", *none, "-device",
                                   "nvme,drive=x,serial=1,bus=p,bootindex=0"],
            "virtio-scsi behind a port": ["-M", "q35", "-device", "pcie-root-port,id=p", *none, "-device",
                                          "virtio-scsi-pci,bus=p", "-device", "scsi-hd,drive=x,bootindex=0"],
            "ide cd": ["-cdrom", iso],
            "ahci cd": ["-M", "q35", "-cdrom", iso],
            "scsi cd": [*cd, "-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=x"],
        }
        for name, args in ways.items():
            g = self.start("bios " + name, *args, "-device",
                           "isa-debug-exit,iobase=0xf4,iosize=1")
            try:
                g.expect("sector two was read by the BIOS", 60)
                g.wait(20)
            except GuestError as e:
                raise GuestError(f"{name}: {e}")
            finally:
                g.close()
        return f"{len(ways)} ways"

    def snapshots(self):
        """savevm and loadvm with disks: in the same process, and in a new one under the other engine."""
        initrd = os.path.join(self.logs, "initrd")
        initrd_with_modules(initrd)
        args = ["-kernel", fetch("kernel", "amd64"), "-initrd", initrd, "-append", "console=ttyS0"]
        for name, more in ("a", "if=virtio"), ("b", "if=none,id=b"):
            path = os.path.join(self.logs, name + ".qcow2")
            subprocess.run([self.a.doppel, "img", "create", "-q", "-f", "qcow2", path, "32M"],
                           check=True)
            args += ["-drive", f"file={path},{more}"]
        args += ["-device", "nvme,drive=b,serial=b"]

        def fill(g, what):
            g.command(f"for d in vda nvme0n1; do yes {what}$d | head -c {MIB} > /dev/$d; done; sync; "
                      f"echo {what} > /tmp/what", 60)

        def look(g, what):
            g.type("\n")
            g.expect(r"# ", 30)
            got = g.command("echo 3 > /proc/sys/vm/drop_caches; cat /tmp/what; for d in vda nvme0n1; "
                            f"do head -c {MIB} /dev/$d | md5sum; done", 120)
            for d in "vda", "nvme0n1":
                text = f"{what}{d}\n".encode()
                data = (text * (MIB // len(text) + 1))[:MIB]
                check(what in got and hashlib.md5(data).hexdigest() in got,
                      f"machine and disks are not those of the snapshot: {got}")

        g = self.start("snapshots", *args)
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 500; dmesg -n 1; for m in /m/*; do insmod $m; done; "
                      "while [ ! -e /dev/nvme0n1 ] || [ ! -e /dev/vda ]; do sleep .1; done", 120)
            fill(g, "one")
            g.monitor("savevm first", "savevm first")
            fill(g, "two")
            out = g.monitor("savevm second", "info snapshots")
            check(out.count(" first ") == 1 and out.count(" second ") == 1, f"the list is {out}")
            g.monitor("loadvm first")
            look(g, "one")
            out = g.monitor("loadvm third")
            check("no snapshot third" in out, f"loadvm of nothing says {out}")
            g.monitor("delvm first")
            look(g, "one")
            g.type("\1x")
            check(g.wait(20) == 0, "Ctrl-A x does not give status 0")
        finally:
            g.close()
        other = "interp" if "interp" not in (self.a.accel or "") else "jit"
        g = self.start("snapshots2", *args, "-accel", other, "-loadvm", "second")
        try:
            look(g, "two")
            check_log(g.command("dmesg"))
        finally:
            g.close()
        for name in "a", "b":
            check(subprocess.run([self.a.doppel, "img", "check", "-q",
                                  os.path.join(self.logs, name + ".qcow2")]).returncode == 0,
                  f"image {name} is damaged")

    def busy(self):
        """States saved while every kind of disk has I/O in flight, each loaded in a new process: what the guest
        reads stays what it has written, by fio's checksums."""
        cache = suite.debian()
        disks = {"vdb": ["-device", "virtio-blk-pci,drive=vdb"],
                 "nvme0n1": ["-device", "nvme,drive=nvme0n1,serial=1"],
                 "sda": ["-device", "ide-hd,drive=sda,bus=ide.0,unit=0"],
                 "sdb": ["-device", "ahci,id=a", "-device", "ide-hd,drive=sdb,bus=a.0"],
                 "sdc": ["-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=sdc"],
                 "fd0": ["-device", "floppy,drive=fd0"]}
        root = self.path("root.qcow2")
        create = [self.a.doppel, "img", "create", "-q", "-f", "qcow2"]
        subprocess.run([*create, "-b", cache + "/root.img", "-F", "raw", root], check=True)
        args = ["-kernel", cache + "/vmlinuz", "-initrd", cache + "/initrd", "-append",
                "console=ttyS0 root=/dev/vda rw quiet", "-drive", f"file={root},if=none,id=root",
                "-device", "virtio-blk-pci,drive=root"]
        for name, plug in disks.items():
            path = self.path(name + ".qcow2")
            subprocess.run([*create, path, "1440k" if name == "fd0" else "32M"], check=True)
            args += ["-drive", f"file={path},if=none,id={name}", *plug]
        g = self.start("busy", *args)
        try:
            g.expect("doppel login: ", 300)
            g.type("root\n")
            g.expect(r"# ", 60)
            g.command("stty cols 500; dmesg -n 1; bind 'set enable-bracketed-paste off'; set +m; "
                      "modprobe floppy; udevadm settle", 60)
            g.command("check() { size=8m; [ $1 != fd0 ] || size=64k; while [ ! -e /tmp/stop ]; do "
                      "fio --name=$1 --filename=/dev/$1 --rw=randwrite --bsrange=4k-64k --direct=1 "
                      "--ioengine=libaio --iodepth=8 --size=$size --verify=crc32c --verify_backlog=32 "
                      ">/tmp/$1.log 2>&1 || touch /tmp/stop /tmp/bad-$1; echo >>/tmp/$1.done; done; }")
            g.command(f"for d in {' '.join(disks)}; do check $d & done")
            time.sleep(3)
            for n in range(4):
                time.sleep(1 + n / 3)
                said = g.monitor(f"savevm busy{n}")
                check("cannot" not in said and "error" not in said, f"savevm says {said}")
                g.close()
                g = self.start(f"busy{n}", *args, "-loadvm", f"busy{n}")
                g.type("\n")
                g.expect(r"# ", 30)
            time.sleep(2)
            done = g.command("touch /tmp/stop; wait; wc -l /tmp/*.done; ls /tmp/bad-*; head -5 "
                             "$(ls /tmp/bad-* | sed 's/bad-//; s/$/.log/') </dev/null", 240)
            check("No such file" in done or "cannot access" in done, f"fio finds a mistake: {done}")
            passes = {d: int(n) for n, d in re.findall(r"(\d+) /tmp/(\w+)\.done", done)}
            check(all(passes.get(d) for d in disks), f"not all disks were busy: {done}")
            check_log(g.command("dmesg"))
            errors = g.command("dmesg | grep -E 'I/O error|timed out|lost interrupt|resetting|abort'")
            check(not errors.strip(), f"the drivers complain: {errors}")
            g.type("poweroff\n")
            check(g.wait(120) == 0, "power-off does not give status 0")
        finally:
            g.close()
        for name in [*disks, "root"]:
            check(subprocess.run([self.a.doppel, "img", "check", "-q", self.path(name + ".qcow2")])
                  .returncode == 0, f"image {name} is damaged")
        return f"passes of fio: {passes}"

    def debian(self, name, root, *args, expect=""):
        """A whole system: to the login, writes with fsync, shutdown, file system check."""
        cache = suite.debian()
        img = os.path.join(self.logs, name + ".img")
        subprocess.run(["cp", "--sparse=always", cache + "/root.img", img], check=True)
        drive = ["-drive", f"file={img},format=raw,if=none,id=d"]
        g = self.start(name, "-kernel", cache + "/vmlinuz", "-initrd", cache + "/initrd",
                       "-append", f"console=ttyS0 root={root} rw quiet", *drive, *args)
        try:
            g.expect("doppel login: ", 300)
            took = g.seconds()
            g.type("root\n")
            g.expect(r"# ", 60)
            g.command("stty cols 500; dmesg -n 1; bind 'set enable-bracketed-paste off'")
            check(expect in g.command("cat /proc/interrupts"), f"no {expect} in the interrupts")
            sums = g.command("dd if=/dev/urandom of=/f bs=64k count=160 conv=fsync 2>/dev/null; "
                             "sha256sum /f; echo 3 > /proc/sys/vm/drop_caches; sha256sum /f", 120)
            sums = [line.split()[0] for line in sums.splitlines() if "/f" in line]
            check(len(sums) == 2 and sums[0] == sums[1], f"checksums differ: {sums}")
            check_log(g.command("dmesg"))
            check("I/O error" not in g.command("dmesg"), "an I/O error")
            g.type("poweroff\n")
            check(g.wait(120) == 0, "power-off does not give status 0")
        finally:
            g.close()
        fsck = subprocess.run(["e2fsck", "-fn", img], capture_output=True, text=True)
        check(fsck.returncode == 0, f"e2fsck: {fsck.stdout[-800:]}")
        dump = subprocess.run(["debugfs", "-R", "cat /f", img], capture_output=True)
        check(hashlib.sha256(dump.stdout).hexdigest() == sums[0], "the host sees another file")
        os.unlink(img)
        return f"login after {took:.1f} s"

    def virtio(self):
        return self.debian("virtio", "/dev/vda", "-device", "virtio-blk-pci,drive=d",
                           expect="virtio0-req.0")

    def virtio_smp2(self):
        return self.debian("virtio_smp2", "/dev/vda", "-smp", "2", "-device",
                           "virtio-blk-pci,drive=d", expect="virtio0-req.1")

    def ide(self):
        return self.debian("ide", "/dev/sda", "-device", "ide-hd,drive=d,bus=ide.0,unit=0",
                           expect="ata_piix")

    def ahci(self):
        return self.debian("ahci", "/dev/sda", "-device", "ahci,id=ahci0", "-device",
                           "ide-hd,drive=d,bus=ahci0.0", expect="ahci")

    def nvme(self):
        return self.debian("nvme", "/dev/nvme0n1", "-device", "nvme,drive=d,serial=1",
                           expect="nvme0q1")

    def scsi(self):
        return self.debian("scsi", "/dev/sda", "-device", "virtio-scsi-pci", "-device",
                           "scsi-hd,drive=d", expect="virtio0-request")


if __name__ == "__main__":
    suite.main(Disks, __doc__)
