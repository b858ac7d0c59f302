#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot tests: real kernels to a shell, a login, commands, and power-off by ACPI.

Cases whose guest cannot be downloaded are skipped with the reason.
"""
import os
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import suite  # noqa: E402
from guest import Guest, GuestError  # noqa: E402
from suite import Skip, check, check_log, fetch  # noqa: E402


class Boots(suite.Suite):
    cases = ["builtin", "seabios", "multiboot", "debian_amd64", "debian_smp2", "debian_seabios", "debian_q35",
             "debian_q35_seabios", "ovmf", "ovmf_secure", "debian_ovmf", "debian_i386", "debian_pvh",
             "cpu_models", "resets", "reboot", "suspend", "saved_state", "same_time"]

    def linux(self, name, arch, *args, append=""):
        return self.start(name, "-m", "512M", "-kernel", fetch("kernel", arch), "-initrd",
                          fetch("initrd", arch), "-append", "console=ttyS0 " + append,
                          "-nographic", *args)

    def session(self, g, arch, cpus):
        """From the first kernel message to power-off, as a person would."""
        g.expect(r"Linux version", 60)
        g.expect(r"doppel login: ", 240)
        took = g.seconds()
        g.type("root\n")
        g.expect(r"# ", 60)
        g.command("stty cols 500")  # so that long command lines do not wrap
        uname = g.command("uname -a")
        check(("x86_64" if arch == "amd64" else "i686") in uname, f"uname says {uname!r}")
        check(g.command("grep -c ^processor /proc/cpuinfo").strip() == str(cpus),
              f"the guest does not see {cpus} CPUs")
        check("model name" in g.command("cat /proc/cpuinfo"), "no model name in cpuinfo")
        check("Linux version" in g.command("dmesg | head -n 5"), "dmesg does not work")
        check(g.command("echo $((6 * 7))").strip() == "42", "the shell cannot multiply")
        sums = g.command("dd if=/bin/busybox bs=64k count=8 2>/dev/null | tee /tmp/x | md5sum; "
                         "md5sum < /tmp/x").split("\n")
        check(sums[0] == sums[1] and len(sums[0]) > 32, f"checksums differ: {sums}")
        t0 = time.monotonic()
        g.command("sleep 2")
        check(1.9 < time.monotonic() - t0 < 6 * Guest.slow, "sleep 2 took another time")
        check_log(g.command("dmesg"))
        if "-smbios" in g.argv:
            self.told(g)
        g.type("poweroff -f\n")
        status = g.wait(60)
        check(status == 0, f"exit status {status}, not 0")
        return f"login after {took:.1f} s"

    def builtin(self):
        g = self.start("builtin")
        try:
            g.expect(r"guest> ", 30)
            g.type("help\r")
            g.expect(r"poweroff", 10)
            g.type("fault\r")
            g.expect(r"invalid opcode", 10)
            g.expect(r"guest> ", 10)
            g.type("poweroff\r")
            check(g.wait(20) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def seabios(self):
        """From the reset vector to the boot menu, on serial line and screen; without a menu it finds
        nothing to boot, resets the machine and starts again."""
        g = self.start("seabios", "-boot", "menu=on,splash-time=5000", "-smp", "2", "-nographic")
        try:
            g.expect(r"SeaBIOS \(version", 30)
            g.expect(r"Press ESC for boot menu", 30)
            g.type("\033")
            g.expect(r"Select boot device", 30)
            g.type("\001c")
            g.expect(r"\(doppel\) ", 10)
            g.type("info screen\r")
            g.expect(r"Select boot device", 10)
        finally:
            g.close()
        g = self.start("seabios", "-boot", "reboot-timeout=100", "-nographic")
        try:
            for _ in range(3):
                g.expect(r"SeaBIOS \(version", 30)
                g.expect(r"No bootable device", 30)
        finally:
            g.close()

    # What a guest is told of its machine, and where Linux has it.
    TOLD = ["-uuid", "8ff2a7e4-07c8-4d6b-b2b2-3e6a9a9f1c57",
            "-smbios", "type=1,manufacturer=ACME,,Ltd,serial=S-17,family=Anvils",
            "-smbios", "type=2,product=Slab,asset=9", "-smbios", "type=3,manufacturer=Crates",
            "-smbios", "type=11,value=io.example:one,value=two",
            "-fw_cfg", "name=opt/org.doppel.test/word,string=hello"]

    def told(self, g):
        said = g.command("cd /sys/class/dmi/id; cat product_uuid sys_vendor product_serial product_family "
                         "board_name board_asset_tag chassis_vendor; cd; "
                         "grep -ac io.example:one /sys/firmware/dmi/tables/DMI")
        check(said.split() == ["8ff2a7e4-07c8-4d6b-b2b2-3e6a9a9f1c57", "ACME,Ltd", "S-17", "Anvils",
                                   "Slab", "9", "Crates", "1"], f"the guest was told {said!r}")

    def debian_amd64(self):
        g = self.linux("debian_amd64", "amd64", *self.TOLD, append="doppel.login")
        try:
            return self.session(g, "amd64", 1)
        finally:
            g.close()

    def debian_smp2(self):
        g = self.linux("debian_smp2", "amd64", "-smp", "2", append="doppel.login")
        try:
            return self.session(g, "amd64", 2)
        finally:
            g.close()

    def debian_q35(self):
        g = self.linux("debian_q35", "amd64", "-machine", "q35", "-smp", "2", append="doppel.login")
        try:
            return self.session(g, "amd64", 2)
        finally:
            g.close()

    def debian_q35_seabios(self):
        return self.by_seabios("debian_q35_seabios", "-machine", "q35")

    def debian_seabios(self):
        return self.by_seabios("debian_seabios", *self.TOLD)

    def kept_variable(self, name, code, *machines):
        """UEFI firmware in flash comes to its shell; a variable that it writes on the first machine is there on the second."""
        ovmf = fetch("ovmf", "amd64")
        variables = os.path.join(self.logs, name + "_vars.fd")
        shutil.copy(os.path.join(ovmf, "OVMF_VARS_4M.fd"), variables)
        said = ("set kept across", r"Shell> "), ("set kept", r"= \S*across")
        for args, (line, answer) in zip(machines, said):
            g = self.start(name, *args, "-m", "512M", "-drive",
                           f"if=pflash,format=raw,readonly=on,file={os.path.join(ovmf, code)}", "-pflash", variables,
                           "-nographic")
            try:
                g.expect(r"Press.*ESC", 200)
                g.type("\033")
                g.expect(r"Shell> ", 30)
                g.type(line + "\r")
                g.expect(answer, 30)
                g.type("reset -s\r")
                check(g.wait(30) == 0, "power-off does not give status 0")
            finally:
                g.close()

    def ovmf(self):
        """Without system management mode, on both boards."""
        self.kept_variable("ovmf", "OVMF_CODE_4M.fd", ["-machine", "q35,smm=off"], ["-machine", "pc"])

    def ovmf_secure(self):
        """The build for secure boot, which keeps its variables in system management mode, with two processors; the flash is
        closed to all else."""
        secure = ["-machine", "q35", "-smp", "2", "-global", "driver=cfi.pflash01,property=secure,value=on"]
        self.kept_variable("ovmf_secure", "OVMF_CODE_4M.secboot.fd", secure, secure)

    def debian_ovmf(self):
        """The kernel by way of UEFI, which takes it through its EFI stub."""
        ovmf = fetch("ovmf", "amd64")
        variables = os.path.join(self.logs, "debian_vars.fd")
        shutil.copy(os.path.join(ovmf, "OVMF_VARS_4M.fd"), variables)
        flash = "if=pflash,format=raw,unit=%d,readonly=%s,file=%s"
        g = self.linux("debian_ovmf", "amd64", "-machine", "q35", "-smp", "2", "-drive",
                       flash % (0, "on", os.path.join(ovmf, "OVMF_CODE_4M.fd")), "-drive",
                       flash % (1, "off", variables), append="doppel.login")
        try:
            return self.session(g, "amd64", 2)
        finally:
            g.close()

    def by_seabios(self, name, *args):
        """The kernel by way of SeaBIOS, with the tables that it has placed."""
        if not os.path.exists("/usr/share/qemu/linuxboot_dma.bin"):
            raise Skip("no linuxboot_dma.bin; it is in the package qemu-system-data")
        g = self.linux(name, "amd64", "-smp", "2", "-bios", "bios-256k.bin", *args,
                       append="doppel.login")
        try:
            return self.session(g, "amd64", 2)
        finally:
            g.close()

    def debian_i386(self):
        g = self.linux("debian_i386", "i386", append="doppel.login")
        try:
            return self.session(g, "i386", 1)
        finally:
            g.close()

    def same_time(self):
        """With -icount a boot up to its panic for want of a root is the same, to the last time stamp, in
        every run and under every engine."""
        logs = []
        for more in [], ["-accel", "interp"]:
            g = Guest([*self.argv(*more), "-icount", "shift=4,sleep=off", "-cpu",
                       "max,-rdrand,-rdseed", "-rtc", "base=2026-01-01", "-m", "256M", "-kernel",
                       fetch("kernel", "amd64"), "-append", "console=ttyS0 panic=-1",
                       "-nographic", "-no-reboot"], os.path.join(self.logs, "same_time.log"))
            try:
                check(g.wait(200) == 0, "it does not end well")
                check("Unable to mount root" in g.output, "it does not come to its end")
                logs.append(g.output)
            finally:
                g.close()
        first = next((pair for pair in zip(*(log.splitlines() for log in logs))
                      if pair[0] != pair[1]), None)
        check(logs[0] == logs[1], f"two runs differ, first in {first}")

    def debian_pvh(self):
        """The uncompressed vmlinux of the same kernel, entered through its PVH note."""
        with open(fetch("kernel", "amd64"), "rb") as f:
            image = f.read()
        offset, length = struct.unpack_from("<II", image, 0x248)
        start = ((image[0x1f1] or 4) + 1) * 512 + offset
        payload = image[start:start + length]
        tools = {b"\x02!L\x18": "lz4", b"(\xb5/\xfd": "zstd", b"\xfd7zX": "xz"}
        tool = tools.get(payload[:4])
        if not tool or not shutil.which(tool):
            raise Skip(f"cannot unpack the kernel: no {tool or 'known compression'}")
        # The payload ends with its unpacked size, which the tools complain about.
        vmlinux = subprocess.run([tool, "-dc"], input=payload, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
        path = os.path.join(self.logs, "vmlinux")
        with open(path, "wb") as f:
            f.write(vmlinux)
        check(vmlinux[:4] == b"\x7fELF", "the unpacked kernel is no ELF")
        g = self.start("debian_pvh", "-m", "512M", "-kernel", path, "-initrd",
                       fetch("initrd", "amd64"), "-append", "console=ttyS0 doppel.login",
                       "-nographic")
        try:
            return self.session(g, "amd64", 1)
        finally:
            g.close()

    def multiboot(self):
        """Both multiboot protocols: magic, command line, a module with arguments."""
        with open(os.path.join(self.logs, "module"), "w") as f:
            f.write("what the module holds")
        for version in (1, 2):
            kernel = os.path.join(self.logs, f"mb{version}.elf")
            flags = ["-DMB2"] if version == 2 else []
            subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", *flags,
                            "-Wl,-N", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none", "-o", kernel,
                            os.path.join(HERE, "multiboot.S")], check=True,
                           stderr=subprocess.DEVNULL)
            g = self.start(f"multiboot{version}", "-m", "64M", "-kernel", kernel, "-append",
                           "one two", "-initrd", f"{self.logs}/module three four", "-serial",
                           "stdio", "-display", "none", "-device",
                           "isa-debug-exit,iobase=0xf4,iosize=4")
            try:
                g.expect("magic good", 20)
                g.expect("cmdline .*one two", 5)
                g.expect("module .*three four", 5)
                g.expect("contents what the module holds", 5)
                check(g.wait(10) == 0x21, "isa-debug-exit gives another status")
            finally:
                g.close()

    def resets(self):
        """Every way to reset or switch off, on both boards."""
        kernel = os.path.join(self.logs, "resets.elf")
        subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-N",
                        "-Wl,-Ttext=0x100000", "-Wl,--build-id=none", "-o", kernel,
                        os.path.join(HERE, "resets.S")], check=True, stderr=subprocess.DEVNULL)
        for board in "pc", "q35":
            self.resets_of("-machine", board, "-kernel", kernel, "-nographic")

    def resets_of(self, *args):
        ways = ("reset control register", "port 92h", "keyboard controller", "triple fault", "soft off")
        g = self.start("resets", *args)
        try:
            for way in ways:
                g.expect(way, 20)
            check(g.wait(10) == 0, "power-off does not give status 0")
        finally:
            g.close()
        g = self.start("resets_no_reboot", *args, "-no-reboot")
        try:
            check(g.wait(10) == 0 and ways[1] not in g.output, "-no-reboot does not end it")
        finally:
            g.close()
        # Switched off it stays there to be looked at, until it is reset; the user's reset, too, starts anew.
        g = self.start("resets_no_shutdown", *args, "-no-shutdown")
        try:
            g.expect(ways[-1], 20)
            g.type("\1c")
            g.expect(r"\(doppel\) ", 10)
            g.type("info status\n")
            g.expect("paused", 10)
            g.type("system_reset\ncont\n")
            for way in ways:
                g.expect(way, 20)
        finally:
            g.close()

    def cpu_models(self):
        """Every CPU model takes the kernel to a shell without a complaint."""
        for model in ("qemu64", "x86-64-v1", "x86-64-v2", "x86-64-v3"):
            g = self.linux(f"cpu_{model}", "amd64", "-cpu", model)
            try:
                g.expect(r"/ # ", 240)
                g.command("stty cols 500")
                check_log(g.command("dmesg"))
                check(model in g.command("grep name /proc/cpuinfo"), "another CPU model")
                g.type("poweroff -f\n")
                check(g.wait(60) == 0, "power-off does not give status 0")
            finally:
                g.close()

    def saved_state(self):
        """A computation goes on in another process, under the other engine."""
        state = "file:" + os.path.join(self.logs, "state.vm")
        other = ["-accel", "jit" if "interp" in (self.a.accel or "") else "interp"]
        g = self.linux("save", "amd64", "-smp", "2")
        try:
            g.expect(r"/ # ", 240)
            g.type("sleep 2; dd if=/dev/zero bs=1M count=20 2>/dev/null | md5sum; echo bo''th\n")
            g.type("\1c")
            g.expect(r"\(doppel\) ", 10)
            g.type(f"savevm {state}\nquit\n")
            check(g.wait(60) == 0, "quit does not give status 0")
            check("both\r" not in g.output, "it was done before it was saved")
        finally:
            g.close()
        g = self.linux("load", "amd64", "-smp", "2", "-loadvm", state, *other)
        try:
            for text in ("8f4e33f3dc3e414ff94e5fb6905cba8c", "both"):
                g.expect(text, 120)
            check_log(g.command("dmesg"))
        finally:
            g.close()
        g = self.linux("load_refused", "amd64", "-loadvm", state)
        try:
            check(g.wait(30) == 1, "another machine takes the state")
            g.expect("-smp 2", 5)
        finally:
            g.close()

    def suspend(self):
        """To RAM and back, without firmware and by SeaBIOS: woken by the user, out of a saved state, and by the clock."""
        state = "file:" + os.path.join(self.logs, "suspended.vm")
        for args in ["-smp", "2"], ["-machine", "q35", "-bios", "bios-256k.bin"]:
            g = self.linux("suspend", "amd64", *args)
            try:
                g.expect(r"/ # ", 240)
                g.type("echo mem > /sys/power/state; echo wo''ke\n")
                for _ in range(600):
                    if "suspended" in g.monitor("info status"):
                        break
                    time.sleep(0.1)
                said = g.monitor(f"savevm {state}", f"loadvm {state}", "info status", "system_wakeup")
                check("suspended" in said, "it is not suspended in the state that was saved")
                g.expect("woke", 60)
                g.expect(r"/ # ", 60)
                for seconds in 2, 8, 30:  # an alarm that comes too early keeps it awake
                    g.command("echo 0 > /sys/class/rtc/rtc0/wakealarm; "
                              f"echo +{seconds} > /sys/class/rtc/rtc0/wakealarm; echo mem > /sys/power/state", 120)
                    log = g.command("dmesg")
                    if log.count("Waking up from system sleep state S3") == 2:
                        break
                else:
                    raise GuestError("the clock does not wake it up")
                check("running" in g.monitor("info status"), "it does not run")
                check("the guest is not suspended" in g.monitor("system_wakeup"), "woken up twice")
                check_log(log)
                g.type("poweroff -f\n")
                check(g.wait(60) == 0, "power-off does not give status 0")
            finally:
                g.close()

    def reboot(self):
        """A reset starts the same guest again; -no-reboot ends instead."""
        g = self.linux("reboot", "amd64")
        try:
            g.expect(r"/ # ", 240)
            g.type("reboot -f\n")
            g.expect(r"Linux version", 60)
            g.expect(r"/ # ", 240)
        finally:
            g.close()
        g = self.linux("no_reboot", "amd64", "-no-reboot")
        try:
            g.expect(r"/ # ", 240)
            g.type("reboot -f\n")
            check(g.wait(60) == 0, "-no-reboot does not end with status 0")
        finally:
            g.close()


if __name__ == "__main__":
    suite.main(Boots, __doc__)
