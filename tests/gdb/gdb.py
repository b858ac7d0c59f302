#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's gdb on guests of doppel, in batch mode: gdb.py --doppel PATH [--accel NAME] [CASE...]"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import linux

HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    pass


class Skipped(Exception):
    pass


class Machine:
    """doppel with a gdb stub on a socket."""

    def __init__(self, suite, *args):
        self.socket = os.path.join(suite.dir, "gdb")
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.proc = subprocess.Popen(
            [suite.doppel, "-accel", suite.accel, "-serial", "null", "-monitor", "none",
             "-gdb", "unix:" + self.socket, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while not os.path.exists(self.socket):
            if time.monotonic() > deadline or self.proc.poll() is not None:
                raise Failure("doppel does not listen: " + self.close())
            time.sleep(0.02)

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
        return self.proc.communicate()[0].decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def gdb(self, commands, expected, timeout=120):
        """Each of the regular expressions must be found, in this order."""
        script = ["set pagination off", "set confirm off", "set width 0", *commands]
        argv = ["gdb", "-nx", "-batch"]
        for line in script:
            argv += ["-ex", line.replace("SOCKET", self.socket)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, text=True)
        at = 0
        for want in expected:
            match = re.compile(want, re.M).search(done.stdout, at)
            if not match:
                raise Failure(f"gdb did not say {want!r}:\n{done.stdout}")
            at = match.end()
        for bad in ("reply is too long", "Remote connection closed", "not recognized", "rejected"):
            if bad in done.stdout:
                raise Failure(f"gdb said {bad!r}:\n{done.stdout}")
        return done.stdout


class Packets:
    """The protocol by hand, without acknowledgments."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(path)
        self.buf = b""
        self.send("QStartNoAckMode")
        self.sock.sendall(b"+")

    def send(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.sock.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))
        return self.reply()

    def reply(self):
        while not re.search(rb"\$[^#]*#..", self.buf):
            more = self.sock.recv(65536)
            if not more:
                raise Failure("the stub has hung up")
            self.buf += more
        match = re.search(rb"\$([^#]*)#..", self.buf)
        self.buf = self.buf[match.end():]
        text = re.sub(rb"(.)\*(.)", lambda m: m[1] * (m[2][0] - 28), match[1], flags=re.S)
        return text.decode("latin-1")


class Suite:
    def __init__(self, doppel, accel):
        self.doppel, self.accel = os.path.abspath(doppel), accel
        self.dir = tempfile.mkdtemp(prefix="doppel-gdb")
        self.disk = os.path.join(self.dir, "modes.img")
        obj = os.path.join(self.dir, "modes.o")
        subprocess.run(["gcc", "-m32", "-c", os.path.join(HERE, "modes.S"), "-o", obj], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0", "--oformat", "binary",
                        "-o", self.disk, obj], check=True)
        os.truncate(self.disk, 1 << 20)

    def modes(self):
        """One session through 16, 32 and 64 bits, from the BIOS on."""
        with Machine(self, "-drive", "file=" + self.disk + ",format=raw", "-S") as m:
            m.gdb(
                ["set architecture i8086", "target remote SOCKET", "p/x $eip", "p/x $rip",
                 "x/i $pc", "break *0x7c20", "continue", "x/2i $pc", "p/x $cs", "p/x $rip",
                 "stepi", "p/x $bx", "hbreak *0x7c40", "continue",
                 "set architecture i386", "x/i $pc", "stepi 4", "p/x $esi", "stepi", "p/x $esi",
                 "set $esi = 0xcafe", "stepi", "p/x $esi", "p/x *(int *)0x1000", "p $cr0",
                 "break *0x7ca0", "continue", "set architecture i386:x86-64", "x/i $pc",
                 "p $efer", "stepi 3", "p/x $rax", "p/x $r9", "p/x $xmm3.v2_int64[0]",
                 "nexti", "p/x $pc", "set var *(long *)0x6000 = 5", "tbreak *0x7cc0", "continue",
                 "p *(long *)0x6000", "set architecture i386", "p/x $eax",
                 "set architecture i8086", "set architecture i386:x86-64", "p/x $r9",
                 "info registers", "kill"],
                [r"\$1 = 0xfffffff0", r"\$2 = 0xfff0", r"0xfffffff0:\s+ljmp\s+\$0xf000,\$0xe05b",
                 r"Breakpoint 1, 0x0*7c20", r"0x7c20:\s+inc\s+%bx\n\s+0x7c21:\s+inc\s+%bx",
                 r"= 0x7c0$", r"= 0x20$", r"= 0x1235$", r"Breakpoint 2, 0x0*7c40",
                 r"0x7c40:\s+mov\s+\$0x10,%eax", r"= 0x12345678$", r"= 0x12345679$", r"= 0xcafe$",
                 r"= 0x2003$", r"= \[ PE ET \]", r"Breakpoint 3, 0x0*7ca0",
                 r"0x7ca0:\s+movabs \$0x1122334455667788,%r9", r"= \[ LME LMA \]",
                 r"= 0x1122334455667788$", r"= 0x1122334455667788$", r"= 0x1122334455667788$",
                 r"= 0x7cb7$", r"= 6$", r"= 0x55667788$", r"= 0x1122334455667788$",
                 r"^r9 +0x1122334455667788", r"^cr3 +0x1000 ", r"killed"])
            if m.proc.wait(20) != 0:
                raise Failure("kill does not end doppel")

    def watch(self):
        """Watchpoints of each kind and of odd sizes, and what stops for another reason."""
        with Machine(self, "-drive", "file=" + self.disk + ",format=raw", "-S") as m:
            m.gdb(
                ["set architecture i386:x86-64", "target remote SOCKET", "hbreak *0x7cb8",
                 "continue", "delete", "watch *(long *)0x6000", "continue", "continue",
                 "p/x $pc", "delete", "rwatch *(char *)0x600b", "continue", "p/x $pc", "delete",
                 "awatch *(char (*)[3])0x6005", "continue", "p/x $pc", "delete",
                 "watch *(long *)0x6000 if *(long *)0x6000 == 1000", "continue",
                 "p *(long *)0x6000", "delete", "break *0x7cb8 if *(long *)0x6000 == 2000",
                 "continue", "p *(long *)0x6000", "info breakpoints", "detach"],
                [r"Old value = 0\nNew value = 1$", r"Old value = 1\nNew value = 2$", r"0x7cc0$",
                 r"0x7cc8$", r"0x7cc0$", r"New value = 1000$", r"= 1000$", r"= 2000$",
                 r"already hit", r"detached"])
            m.gdb(["set architecture i386:x86-64", "target remote SOCKET", "p *(long *)0x6000 > 2000",
                   "p/x *(char *)$rip", "info breakpoints", "monitor info status",
                   "monitor no such", "detach"],
                  [r"= 1$", r"No breakpoints", r"VM status: paused", r"unknown command: no such"])

    def smp(self):
        """Threads are vCPUs: which one moves is up to the debugger."""
        with Machine(self, "-smp", "3", "-drive", "file=" + self.disk + ",format=raw", "-S") as m:
            m.gdb(
                ["set architecture i386:x86-64", "target remote SOCKET", "info threads",
                 "hbreak *0x7cb8", "continue", "delete", "set scheduler-locking on", "stepi",
                 "p/x $pc", "thread 2", "p/x $pc != 0x7cc0", "thread 1", "p/x $pc",
                 "info threads", "thread apply all p/x $cr0 & 1"],
                [r"\* 1 +Thread 1 \"CPU#0\" \(running\)", r"  2 +Thread 2 \"CPU#1\" \(waits for SIPI\)",
                 r"  3 +Thread 3", r"= 0x7cc0$", r"= 0x1$", r"= 0x7cc0$", r"Thread 3 \"CPU#2\"",
                 r"Thread 1[^\n]*\n\$\d+ = 0x1"])

    def packets(self):
        """What gdb itself does not send."""
        with Machine(self, "-drive", "file=" + self.disk + ",format=raw", "-smp", "2") as m:
            p = Packets(m.socket)

            def expect(packet, want):
                got = p.send(packet)
                if not re.fullmatch(want, got, re.S):
                    raise Failure(f"{packet!r} gives {got!r}, not {want!r}")

            expect("?", "T05thread:1;.*")
            expect("qSupported:swbreak+;hwbreak+", ".*PacketSize=4000.*swbreak.*")
            expect("qXfer:features:read:target.xml:0,10", r"m<\?xml version=.*")
            expect("qXfer:features:read:target.xml:ffffff,10", "E16")
            expect("qXfer:threads:read::0,1000", 'l.*<thread id="2" core="1".*')
            expect("qfThreadInfo", "m1,2")
            expect("Hg3", "E16")
            expect("Hg2", "OK")
            expect("pffff", "E16")
            expect("P10=", "E16")
            expect("Z0,zz,1", "E16")
            expect("Z2,1000,0", "E16")
            expect("Z2,ffffffffffffffff,10", "E16")
            expect("z0,1234,1", "E16")
            expect("vCont;q", "E16")
            expect("vCont;s:9", "E16")
            expect("mffff800000000000,10", "E0e")
            expect("m7c00,ffffffffffffffff", "[0-9a-f]{16384}")
            expect("M7c00,2:zz", "E16")
            expect("X7c00,5:abc", "E16")
            expect("Hg1", "OK")
            # CR0 with paging but not protection: no processor is so.
            regs = p.send("qXfer:features:read:target.xml:0,3fff")
            while len(regs) % 0x3fff == 1 and len(regs) > 1:
                regs += p.send("qXfer:features:read:target.xml:%x,3fff" % (len(regs) - 1))[1:]
                break
            number = int(re.search(r'name="cr0"[^>]*regnum="(\d+)"', regs)[1])
            expect("P%x=1000008000000000" % number, "E16")
            expect("Qqemu.PhyMemMode:1", "OK")
            expect("qqemu.PhyMemMode", "1")
            expect("mffff0,1", "[0-9a-f]{2}")
            expect("Qqemu.PhyMemMode:0", "OK")
            expect("qqemu.sstepbits", "ENABLE=1,NOIRQ=2,NOTIMER=4")
            expect("qqemu.sstep", "0x7")
            expect("Qqemu.sstep=0x1", "E16")
            expect("nonsense", "")
            # Ctrl-C, and a monitor that lets the guest go on behind the debugger's back.
            data = b"vCont;c"
            p.sock.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))
            time.sleep(0.2)
            p.sock.sendall(b"\x03")
            got = p.reply()
            if not re.match("T02thread:", got):
                raise Failure(f"Ctrl-C gives {got!r}")
            expect("qRcmd," + b"cont".hex(), "OK")
            expect("g", "[0-9a-f]{1000,}")
            # Who comes after one that has gone away finds no breakpoints.
            expect("Z0,7cb8,1", "OK")
            p.sock.close()
            p = Packets(m.socket)
            expect("z0,7cb8,1", "E16")
            expect("vKill;1", "OK")
            if m.proc.wait(20) != 0:
                raise Failure("vKill does not end doppel")

    def pipe(self):
        """gdb starts doppel itself and talks to it through a pipe."""
        argv = ["gdb", "-nx", "-batch", "-ex", "set architecture i386:x86-64", "-ex",
                f"target remote | exec {self.doppel} -accel {self.accel} -gdb stdio -S 2>/dev/null",
                "-ex", "stepi", "-ex", "p/x $cs"]
        text = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, text=True).stdout
        if "$1 = 0x10" not in text:
            raise Failure(text)


    def linux(self):
        try:
            linux.fetch("kernel")
        except subprocess.CalledProcessError as e:
            raise Skipped(e.stderr.strip()) from e
        linux.session(self, Machine)


CASES = ["modes", "watch", "smp", "packets", "pipe", "linux"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--doppel", required=True)
    parser.add_argument("--accel", default="jit")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    if not shutil.which("gdb"):
        print("0 passed, 0 failed, 1 skipped: gdb is not installed")
        return 0
    if args.accel == "kvm":
        doctor = subprocess.run([args.doppel, "-accel", "kvm", "-kernel", "/dev/null"],
                                capture_output=True, text=True).stderr
        if "cannot run here" in doctor:
            print("0 passed, 0 failed, 1 skipped: " + doctor.strip())
            return 0
    suite = Suite(args.doppel, args.accel)
    passed = failed = skipped = 0
    # Booting Linux takes the interpreter minutes: only when asked for.
    for name in args.cases or [c for c in CASES if c != "linux" or args.accel == "jit"]:
        start = time.monotonic()
        try:
            getattr(suite, name)()
            passed += 1
            print(f"ok   gdb {name}, {args.accel}: {time.monotonic() - start:.1f} s")
        except Skipped as e:
            skipped += 1
            print(f"skip gdb {name}, {args.accel}: {e}")
        except (Failure, OSError, subprocess.SubprocessError) as e:
            failed += 1
            print(f"FAIL gdb {name}, {args.accel}: {e}")
        sys.stdout.flush()
    shutil.rmtree(suite.dir)
    print(f"gdb, {args.accel}: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
