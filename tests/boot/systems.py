#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole systems that boot as on a PC: firmware, GRUB, Debian (tests/guests/disk.sh) from a disk with a
partition table, to a login, reboots and a clean shutdown; a rescue CD; the installer. Minutes.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite  # noqa: E402
from guest import GuestError  # noqa: E402
from suite import check, check_log, debian, fetch  # noqa: E402

MIB = 1 << 20
VIRTIO = ["-drive", "file=%s,if=virtio"]


class Systems(suite.Suite):
    cases = ["virtio", "virtio_q35", "ide", "sata", "nvme", "port", "scsi", "i386", "uefi", "uefi_pxe",
             "uefi_pxe_e1000", "secure_boot", "rescue", "installer"]

    def start(self, name, *args):
        return super().start(name, "-m", "512M", "-nographic", *args)

    # ---- Debian disks ----

    def overlay(self, name, base):
        """A qcow2 image in front of a disk that many cases share."""
        path = self.path(name + ".qcow2")
        subprocess.run([self.a.doppel, "img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", path],
                       check=True)
        return path

    def login(self, g):
        g.expect("doppel login: ", 300)
        g.type("root\n")
        g.expect(r"# ", 60)
        g.command("stty cols 500; dmesg -n 1; bind 'set enable-bracketed-paste off'")

    def fsck(self, disk, offset):
        """The root file system of a disk whose guest has shut down is clean."""
        raw = disk + ".raw"
        subprocess.run([self.a.doppel, "img", "convert", "-O", "raw", disk, raw], check=True)
        r = subprocess.run(["e2fsck", "-fn", f"{raw}?offset={offset}"], capture_output=True, text=True)
        check(r.returncode == 0, f"e2fsck: {r.stdout[-800:]}")
        os.unlink(raw)
        os.unlink(disk)

    def bios(self, name, *args, cpus=2, arch="amd64", expect="", look=None):
        """SeaBIOS, GRUB in the MBR, a login, look(guest), a reboot by the guest, a login, the power button;
        the file system is clean."""
        disk = self.overlay(name, debian(arch) + "/bios.img")
        g = self.start(name, "-smp", str(cpus), *(a.replace("%s", disk) for a in args))
        try:
            g.expect("GNU GRUB", 60)
            self.login(g)
            took = g.seconds()
            machine = "x86_64" if arch == "amd64" else "i686"
            check(machine in g.command("uname -m"), f"the guest is no {machine}")
            check(g.command("nproc").strip() == str(cpus), f"the guest does not see {cpus} CPUs")
            check(expect in g.command("cat /proc/interrupts"), f"no {expect} in the interrupts")
            if look:
                look(g)
            g.command("dd if=/dev/urandom of=/f bs=64k count=160 conv=fsync 2>/dev/null; sync")
            there = g.command("sha256sum /f").split()[0]
            g.type("reboot\n")
            g.expect("GNU GRUB", 120)
            self.login(g)
            check(there in g.command("sha256sum /f"), "the file is another after a reboot")
            check_log(g.command("dmesg"))
            check("I/O error" not in g.command("dmesg"), "an I/O error")
            g.monitor("system_powerdown")
            check(g.wait(120) == 0, "the power button does not give status 0")
        finally:
            g.close()
        self.fsck(disk, MIB)
        return f"login after {took:.1f} s"

    def virtio(self):
        """The system installs its own GRUB, by which it starts after the reboot."""

        def look(g):
            got = g.command("grub-install /dev/vda", 240)
            check("No error reported" in got, f"grub-install says {got}")

        return self.bios("virtio", *VIRTIO, expect="virtio0-req.0", look=look)

    def virtio_q35(self):
        return self.bios("virtio_q35", "-machine", "q35", *VIRTIO, expect="virtio0-req.0")

    def ide(self):
        """With a diskette, whose driver ACPI's tables call for."""
        diskette = self.path("diskette.img")
        with open(diskette, "wb") as f:
            f.write(os.urandom(64 << 10).ljust(1440 << 10, b"\0"))

        def look(g):
            g.command("modprobe floppy; udevadm settle", 120)
            check("PNP0700" in g.command("cat /sys/bus/acpi/devices/PNP0700:00/hid"), "no floppy in ACPI")
            got = g.command("head -c 64K /dev/fd0 | sha256sum", 120).split()
            with open(diskette, "rb") as f:
                want = hashlib.sha256(f.read(64 << 10)).hexdigest()
            check(want in got, f"the diskette is read differently: {got}")

        return self.bios("ide", "-drive", "file=%s,if=ide", "-fda", diskette, expect="ata_piix", look=look)

    def sata(self):
        return self.bios("sata", "-machine", "q35", "-drive", "file=%s,if=ide", expect="ahci")

    def nvme(self):
        return self.bios("nvme", "-drive", "file=%s,if=none,id=d", "-device", "nvme,drive=d,serial=1",
                         cpus=1, expect="nvme0q1")

    def port(self):
        """From an NVMe drive behind a root port, as lspci sees it."""

        def look(g):
            tree = g.command("lspci -tv")
            check(re.search(r"-0[2-5]\.0-\[01\]----00\.0 .*NVM", tree), f"lspci shows {tree}")
            drive = g.command("lspci -vv -s 01:00.0")
            check("Express (v2) Endpoint" in drive and "Speed 2.5GT/s, Width x1" in drive and
                  "MSI-X: Enable+" in drive, f"lspci shows {drive}")

        return self.bios("port", "-machine", "q35", "-device", "pcie-root-port,id=p", "-drive",
                         "file=%s,if=none,id=d", "-device", "nvme,drive=d,serial=1,bus=p", look=look,
                         expect="nvme0q2")

    def scsi(self):
        return self.bios("scsi", "-drive", "file=%s,if=none,id=d", "-device", "virtio-scsi-pci", "-device",
                         "scsi-hd,drive=d", cpus=1, expect="virtio0-request")

    def i386(self):
        return self.bios("i386", *VIRTIO, arch="i386", expect="virtio0-req.0")

    # ---- UEFI ----

    def flash(self, name, secure=False):
        """OVMF, with variables of its own; secure: with the keys for secure boot, and closed but to itself."""
        ovmf = fetch("ovmf")
        variables = self.path(name + "_vars.fd")
        shutil.copy(os.path.join(ovmf, f"OVMF_VARS_4M{'.ms' * secure}.fd"), variables)
        drive = "if=pflash,format=raw,unit=%d,readonly=%s,file=%s"
        return ["-drive", drive % (0, "on", os.path.join(ovmf, f"OVMF_CODE_4M{'.ms' * secure}.fd")),
                "-drive", drive % (1, "off", variables),
                *(["-global", "driver=cfi.pflash01,property=secure,value=on"] if secure else [])]

    def uefi(self):
        """GRUB is started from the EFI shell, once; Debian makes a boot entry for it, by which firmware finds
        it after a reboot, and in another process."""
        disk = self.overlay("uefi", debian() + "/uefi.img")
        args = ["-machine", "q35", "-smp", "2", *self.flash("uefi"), "-drive", f"file={disk},if=virtio"]
        g = self.start("uefi", *args)
        try:
            g.expect(r"Press.*ESC", 100)
            g.type("\033")
            g.expect(r"Shell> ", 30)
            g.type("FS0:\\EFI\\debian\\grubx64.efi\r")
            g.expect("GNU GRUB", 60)
            self.login(g)
            check("Boot" in g.command("efibootmgr"), "no boot entries")
            g.command(r"efibootmgr -q -c -d /dev/vda -p 1 -L Debian -l '\EFI\debian\grubx64.efi'")
            order = g.command("efibootmgr")
            check(re.search(r"Boot(\d+)\* Debian", order), f"the boot entry is not there: {order}")
            g.type("reboot\n")
            g.expect("GNU GRUB", 120)
            self.login(g)
            check_log(g.command("dmesg"))
            g.type("poweroff\n")
            check(g.wait(120) == 0, "power-off does not give status 0")
        finally:
            g.close()
        g = self.start("uefi_again", *args)
        try:
            g.expect("GNU GRUB", 120)
            self.login(g)
            took = g.seconds()
            entry = re.search(r"BootCurrent: (\d+)", g.command("efibootmgr"))
            check(f"Boot{entry.group(1)}* Debian" in order, "another entry was booted")
            g.type("poweroff\n")
            check(g.wait(120) == 0, "power-off does not give status 0")
        finally:
            g.close()
        self.fsck(disk, 33 * MIB)
        return f"login after {took:.1f} s"

    def tftp(self, name):
        """What a network boots: shim and GRUB of Debian's installer, and Linux."""
        tftp = self.path("tftp-" + name)
        shutil.copytree(os.path.join(fetch("installer"), "debian-installer"), tftp + "/debian-installer")
        shutil.copy(fetch("kernel"), tftp + "/vmlinuz")
        shutil.copy(fetch("initrd"), tftp + "/initrd")
        with open(tftp + "/debian-installer/amd64/grub/grub.cfg", "w") as f:
            f.write("serial\nterminal_output serial\necho GRUB by the network\n"
                    "linux /vmlinuz console=ttyS0 quiet\ninitrd /initrd\nboot\n")
        return tftp

    def secure_boot(self):
        """With secure boot, by system management mode, on two processors: what Microsoft and Debian have signed starts, a
        kernel without shim does not."""
        tftp = self.tftp("secure")
        args = ["-machine", "q35", "-smp", "2", *self.flash("secure", True), "-device",
                "virtio-net-pci,netdev=n,bootindex=0,romfile=", "-netdev"]
        g = self.start("secure_boot", *args, f"user,id=n,ipv6=off,tftp={tftp},bootfile=vmlinuz")
        try:
            g.expect("Access Denied|Security Violation", 200)
        finally:
            g.close()
        g = self.start("secure_boot", *args,
                       f"user,id=n,ipv6=off,tftp={tftp},bootfile=debian-installer/amd64/bootnetx64.efi")
        try:
            g.expect(r"/ # ", 300)
            log = g.command("dmesg")
            check("Secure boot enabled" in log, "the kernel does not see secure boot")
            check_log(log)
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def uefi_pxe(self, card="virtio-net-pci", start="bootnetx64.efi", rom=",romfile="):
        """OVMF boots over the network with its own driver, by TFTP."""
        tftp = self.tftp(card)
        g = self.start("pxe-" + card, "-machine", "q35", *self.flash(card), "-netdev",
                       f"user,id=n,ipv6=off,tftp={tftp},bootfile=debian-installer/amd64/{start}",
                       "-device", f"{card},netdev=n,bootindex=0{rom}")
        try:
            g.expect("GRUB by the network", 200)
            g.expect(r"/ # ", 200)
            check("EFI v2" in g.command("dmesg | grep -i efi:"), "the kernel knows of no UEFI")
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def uefi_pxe_e1000(self):
        """The same with the iPXE that OVMF takes from the card's ROM; shim does not get along with iPXE's TFTP."""
        self.uefi_pxe("e1000", "grubx64.efi", "")

    # ---- media ----

    def rescue(self):
        """The image of grub-mkrescue as a CD and as a disk, by both firmwares, on both boards: the menu on
        the serial line and on the screen, a command that says which, and power-off."""
        iso = debian() + "/rescue.iso"
        for board in "pc", "q35":
            for platform in "pc", "efi":
                for how in "cd", "disk":
                    name = f"rescue_{board}_{platform}_{how}"
                    medium = ["-cdrom", iso] if how == "cd" else [
                        "-drive", f"file={iso},format=raw,if=virtio,snapshot=on"]
                    flash = self.flash(name) if platform == "efi" else []
                    try:
                        self.rescue_one(name, platform, "-machine", board, *flash, *medium)
                    except GuestError as e:
                        raise GuestError(f"{name}: {e}")

    def rescue_one(self, name, platform, *args):
        g = self.start(name, *args)
        try:
            g.expect("What a rescue disk offers", 60)
            # The screen's menu is drawn after the serial line's.
            end = time.monotonic() + 60
            while platform == "pc" and not re.search(r"GNU GRUB.*\n(.*\n)*.*What a rescue disk offers",
                                                     g.monitor("info screen")):
                check(time.monotonic() < end, "the menu is not on the screen")
                time.sleep(0.5)
            g.type("\r")
            g.expect(f"on {platform}", 20)
            check(g.wait(30) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def installer(self):
        """Debian's installer, to its first question: on the serial line, and by SeaBIOS on the screen."""
        folder = os.path.join(fetch("installer"), "debian-installer/amd64")
        args = ["-m", "1G", "-kernel", folder + "/linux", "-initrd", folder + "/initrd.gz", "-append"]
        g = self.start("installer_serial", *args, "console=ttyS0")
        try:
            g.expect("Select a language", 120)
        finally:
            g.close()
        g = self.start("installer_screen", *args, "nomodeset vga=normal fb=false", "-bios",
                       "bios-256k.bin")
        try:
            g.expect("SeaBIOS", 60)
            g.type("\1c")
            g.expect(r"\(doppel\) ", 10)
            deadline = time.monotonic() + 120 * g.slow
            while "Choose the language to be used" not in g.output:
                check(time.monotonic() < deadline, f"the screen is {g.output[-2000:]}")
                time.sleep(1)
                g.type("info screen\n")
                g.expect(r"\(doppel\) ", 10)
        finally:
            g.close()


if __name__ == "__main__":
    suite.main(Systems, __doc__)
