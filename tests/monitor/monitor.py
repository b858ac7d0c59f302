#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel developer's session in the monitor, on Debian's cloud kernel, without a file of symbols.

monitor.py [--doppel PATH] [--accel ENGINE] [--slow FACTOR] [NAME...]; without names, all but those that
fetch much (make walkthrough).
"""
import argparse
import glob
import gzip
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../boot"))
from disks import cpio, initrd_with_modules  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

PROMPT = r"\(doppel\) "


class Skip(Exception):
    pass


def fetch(what):
    r = subprocess.run(["sh", os.path.join(HERE, "../guests/fetch.sh"), what, "amd64"],
                       capture_output=True, text=True)
    if r.returncode:
        raise Skip(r.stderr.strip() or f"no {what}")
    return r.stdout.strip()


def check(ok, text):
    if not ok:
        raise GuestError(text)


class Monitor(Guest):
    """One stream for the guest's serial line and the monitor; Ctrl-A c goes from one to the other."""

    def ask(self, line, timeout=120):
        """A command and what it prints."""
        at = self.seen
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()
        match = self.expect(PROMPT, timeout)
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.output[at:match.start()])
        return text.replace("\r", "").split("\n", 1)[-1]

    def wants(self, line, pattern, timeout=120):
        text = self.ask(line, timeout)
        check(re.search(pattern, text), f"{line} does not say {pattern!r} but {text!r}")
        return text

    def runs(self, line, pattern, timeout=120):
        """A command that lets the guest run until it says why it has stopped, and where."""
        self.type(line + "\n")
        match = self.expect(pattern, timeout)
        self.expect(r"> 0x[^\n]*\n", 10)
        return match

    def sync(self):
        """After what came by itself: the next answer is that of the next question."""
        self.type("p 0x5a5a + 0\n")
        self.expect(r"23130 = 0x5a5a\r?\n" + PROMPT, 20)

    def steps(self, line, pattern, timeout=120):
        """A step, whether or not the guest runs for it."""
        self.type(line + "\n")
        self.expect(r"CPU#0 (?=> )", timeout)
        at = self.seen
        self.sync()
        text = self.output[at:self.seen].replace("\r", "")
        check(re.search(pattern, text), f"{line} does not come to {pattern!r} but {text!r}")

    def toggle(self):
        self.type("\x01c")
        time.sleep(0.1)

    def enter(self, pattern=None, timeout=120):
        """From the guest's serial line, once it or the monitor has said that, to the monitor's prompt."""
        if pattern:
            self.expect(pattern, timeout)
        self.toggle()
        self.expect(PROMPT, 20)

    def reboot(self):
        """From the monitor to the shell of the guest's next boot."""
        self.ask("system_reset")
        self.ask("cont")
        self.toggle()
        self.expect("/ #", 120)


class Suite:
    def __init__(self, doppel, accel, logs):
        self.doppel = doppel
        self.accel = ["-accel", accel] if accel else []
        self.logs = logs
        self.seed, self.rounds, self.seconds = 1, 12, 1

    def start(self, name, *args):
        return Monitor([self.doppel, *self.accel, *args], os.path.join(self.logs, name + ".log"))

    def linux(self, name, *args):
        return self.start(name, "-m", "512M", "-kernel", fetch("kernel"), "-initrd", fetch("initrd"),
                          "-append", "console=ttyS0", *args)

    def commands(self):
        """The table: names cut short, examples, and words that are none."""
        m = self.start("commands", "-monitor", "stdio", "-name", "guest=one", "-serial", "null")
        m.expect(PROMPT, 20)
        m.wants("info version", r"doppel \d")
        m.wants("info name", "one\n$")
        m.wants("info uuid", "0{8}-0{4}-")
        m.wants("info chardev", "serial0: filename=null")
        m.wants("info kvm", "kvm support: ")
        m.wants("info memory_size_summary", "base memory: 134217728")
        m.wants("info qdm", 'name "virtio-blk-pci", bus PCI')
        m.wants("catch panic", "catchpoint 1: panic")
        m.wants("info b", "no kernel yet.* panic")
        m.wants("delete", "^$")
        m.wants("info stat", "VM status: running")
        m.wants("st", "may be several commands")
        m.wants("help screendump", "as in: screendump")
        m.wants("infoo cpus", "unknown command: infoo cpus .did you mean info cpus")
        m.wants("sendkey", "too few arguments: sendkey KEYS")
        m.wants("stop now", "too many arguments")
        m.wants("stop", "^$")
        m.wants("info status", "paused")
        m.wants("p 1 + 2 * 3 == 7 && (u8)-1 == 255", "^1 = 0x1")
        m.wants("p (1 ? 2 : 1 / 0) | 0x10 << 4", "= 0x102")
        m.wants("p (s32)0x80000000 / 2", "^-1073741824")
        m.wants("p 1 / 0", "division by zero")
        m.wants("p ((1)", r"a \) is missing")
        m.wants("p *(u8 *)0xffffffffff", "nothing is mapped")
        m.wants("xp /4xb 0x100000000000", "nothing is mapped")
        m.wants("set $rbx = 0x1234", "^$")
        m.wants("p /x $bl", "0x0*34")
        for line in ["p " + "(" * 500, "p " + "-" * 500, "x /99999999i $rip", "p $nosuch", "catch x",
                     "delete 77", "p \"", "x", "print /zz 1", "p percpu(", "p 'a", "set 5 = 6"]:
            m.ask(line)
        m.type("q\n")
        check(m.wait(20) == 0, "quit does not give status 0")
        return "ok"

    def sockets(self):
        """-monitor on a socket: keys, history, completion; two at once."""
        one, two = [os.path.join(self.logs, n) for n in ("one", "two")]
        m = self.start("sockets", "-monitor", f"unix:{one},server,nowait", "-chardev",
                       f"socket,path={two},server=on,wait=off,id=t", "-mon", "chardev=t", "-serial", "null")
        clients = []
        for path in (one, two):
            c = socket.socket(socket.AF_UNIX)
            c.settimeout(20 * Guest.slow)
            for _ in range(200):
                try:
                    c.connect(path)
                    break
                except OSError:
                    time.sleep(0.1)
            clients.append(c)

        def wants(c, keys, *texts):
            got = b""
            c.sendall(keys)
            while not all(t in got for t in texts):
                try:
                    more = c.recv(65536)
                except TimeoutError:
                    more = b""
                check(more, f"the monitor has gone after {keys!r}: {got!r}")
                got += more
            return got

        a, b = clients
        wants(a, b"", b"(doppel) ")
        wants(b, b"", b"(doppel) ")
        wants(a, b"info st\t\r\n", b"info status ", b"VM status: running\r\n(doppel) ")
        wants(a, b"\x1b[A\r", b"VM status: running\r\n(doppel) ")
        wants(a, b"p 12\x02\x0534\x02\x7f9\r", b"1294 = 0x50e\r\n(doppel) ")
        wants(a, b"\x12stat\r", b"VM status: running\r\n(doppel) ")
        wants(a, b"st\t", b"stop", b"step")
        wants(a, b"\x15help x\r", b"x /10i $rip", b"(doppel) ")
        # What one does, the other is told.
        wants(a, b"catch interrupt\r", b"catchpoint 1")
        a.sendall(b"nmi\r")
        wants(b, b"", b"1: interrupt 0x2", b"CPU#0 > 0x")
        wants(b, b"delete\r", b"(doppel) ")
        wants(b, b"x /" + b"9" * 3000 + b"\x15p 5\r", b"5 = 0x5")
        a.close()
        wants(b, b"info status\r", b"paused")
        b.sendall(b"q\r")
        check(m.wait(20) == 0, "quit does not give status 0")
        return "ok"

    def boot(self):
        """From before there is a kernel to its first milliseconds."""
        m = self.linux("boot", "-monitor", "stdio", "-serial", "null")
        m.expect(PROMPT, 20)
        m.wants("tbreak start_kernel", "once there is a kernel")
        m.expect("1: breakpoint, start_kernel", 120)
        m.expect(r"CPU#0 > 0xffffffff\w+ <start_kernel>: \w+ +call 0x\w+ <__fentry__>", 10)
        m.wants("info status", "paused")
        m.runs("next", r"(?=CPU#0 > 0x\w+ <start_kernel\+0x5>)")
        m.wants("step", r"> 0x\w+ <start_kernel\+0x7>")
        m.ask("tbreak setup_arch")
        m.runs("cont", "2: breakpoint, setup_arch")
        check("start_kernel" in m.ask("x /a $rsp"), "setup_arch is not called by start_kernel")
        m.wants("step 4", r"> 0x\w+ <setup_arch")
        start = int(m.wants("p jiffies", "0xfffe").strip(), 16)
        m.wants(f"watch jiffies if jiffies >= {start + 20:#x}", "watchpoint 3: 8 bytes")
        m.runs("cont", "3: write of 8 bytes .*jiffies\r?\nold .*, new 0x[0-9a-f]+")
        now = int(m.ask("p jiffies"), 16)
        check(now == start + 20, f"jiffies is {now - start} after the start, not 20")
        m.ask("delete")
        m.wants("catch exception 14", "catchpoint 4")
        m.runs("cont", "4: exception 0xe")
        m.wants("x /i $rip", "asm_exc_page_fault")
        m.ask("delete")
        m.wants("break do_sys_openat2 if (char *)$rsi == \"/etc/inittab\"", "breakpoint 5")
        m.runs("cont", "5: breakpoint, do_sys_openat2")
        m.wants("x /s $rsi", '"/etc/inittab"')
        m.wants("p current->comm", '^"init"')
        m.wants("p current->pid", "^1$")
        m.wants("info b", "hit 1 times, if")
        m.wants("p *(struct list_head *)$rsp", "next = ")
        m.wants("p sizeof(struct task_struct)", r"^\d{4} = ")
        m.wants("p /a $lstar", "<entry_SYSCALL_64>")
        bt = m.wants("bt", r"#0 +0x\w+ do_sys_openat2\n")
        check(re.search(r"do_syscall_64\+(.|\n)*-- from user space --\n#\d+ +0x0\w+ \(user\)", bt),
              f"bt does not come to user space: {bt}")
        walk = m.wants("walk 0x401000", r"^CR3 0x\w+: [45] levels")
        for level in ["PML4E", "PDPTE", "PDE", "PTE"]:
            check(re.search(rf"\n{level} +\d+ at 0x\w+: 0x\w+ -> (table|page) 0x\w+, (writable|read-only) user accessed", walk),
                  f"walk does not explain the {level}: {walk}")
        page = re.search(r"physical address 0x(\w+), page of 4 KiB: user, read-only\n", walk)
        check(page and f"gpa: 0x{page[1]}" in m.ask("gva2gpa 0x401000"), f"walk and gva2gpa differ: {walk}")
        code = m.ask("x /2xg 0x401000").split(":")[1]
        check(m.ask(f"xp /2xg 0x{page[1]}").split(":")[1] == code, "x and xp differ")
        m.wants("walk 0x800000000000000", "not canonical")
        m.wants("info idt", r"0x0e: 0010:0x\w+ <asm_exc_page_fault> 64-bit interrupt gate DPL 0")
        m.wants("info gdt", r"\n0010: base 0x00000000 limit 0xffffffff DPL 0 64-bit code")
        m.wants("info tss", r"RSP0 0xf(.|\n)*IST1 0xf")
        m.wants("info mem", r"\n0000000000401000-\w+ \w+ ur-x")
        m.wants("info tlb", r"\n0000000000401000: 0000\w+ ")
        m.wants("info registers", r"CPU#0 in do_sys_openat2\nRAX=(.|\n)*[XY]MM15=")
        m.runs("finish", r"(?=CPU#0 > 0x\w+ <\w+\+0x\w+>)")
        m.ask("delete")
        n = m.wants("break start_kernel", r"breakpoint \d+ at 0xffffffff").split()[-4]
        m.ask("system_reset")
        m.runs("cont", f"{n}: breakpoint, start_kernel")
        m.wants("info registers", "CPU#0 in start_kernel\n")
        m.type("q\n")
        m.wait(20)
        return "ok"


    def live(self):
        """A guest that runs: what is in its memory."""
        m = self.linux("live", "-smp", "2", "-nographic")
        m.expect("~ #|/ #", 120)
        m.type("sleep 1000 & echo ma''rk > /dev/kmsg\n")
        m.enter("/ #", 20)
        m.wants("info kernel", r"Linux version 6\.1(.|\n)*\d{5} symbols, \d+ of modules, \d{5} types")
        ps = m.wants("ps", r"\n +1 +0 S +0x\w+ init\n")
        pid = re.search(r"\n +(\d+) +\d+ S +0x\w+ sleep\n", ps)
        check(pid and "[kthreadd]" in ps, f"ps has no sleep and kthreadd: {ps}")
        m.wants("dmesg 3", r"\[ +\d+\.\d{6}\] mark")
        check("Linux version" in m.ask("dmesg"), "dmesg does not begin at the beginning")
        m.wants(f"bt {pid[1]}", r"#0 .*__schedule\+0x(.|\n)*do_nanosleep\+0x(.|\n)*do_syscall_64")
        maps = m.wants(f"vmmap {pid[1]}", r"0000000000400000-\w+ r--p 00000000 busybox\n")
        check("[stack]" in maps and "[heap]" in maps, f"vmmap has no stack: {maps}")
        m.wants(f"task {pid[1]}", "mm 0xff")
        m.wants("p ((struct task_struct *)&init_task)->comm", '^"swapper')
        m.wants("lsmod", "^Module")
        # Inside an interrupt's handler.
        m.wants("break tick_sched_timer", "breakpoint 1")
        m.expect("1: breakpoint, tick_sched_timer", 60)
        check(re.search(r"tick_sched_timer(.|\n)*asm_sysvec_apic_timer_interrupt(.|\n)*-- (interrupted|from user)",
                        m.ask("bt")), "bt does not leave the interrupt's handler")
        m.ask("delete")
        m.ask("cont")
        m.wants("info status", "running")
        m.ask("cpu 1")
        m.wants("info pci", "device   1, function 1: piix3-ide")
        m.wants("info lapic", "lapic of CPU#1: id 1, base 0xfee00000, enabled")
        m.wants("info ioapic", r"pin 4 +0x\w+ vector")
        m.wants("info mtree", r"0000000000000000-\w+ .ram.*\n(.|\n)*address-space: io")
        m.wants("info device i8254", r"ch\[0\].count = 0x")
        m.wants("info exits", r"\d+ port accesses of")
        for line in ["info pic", "info irq", "info block", "info blockstats", "info qtree", "info ldt", "info r -a",
                     "ps -t", "bt 2", "bt 99999", "vmmap 2", "p *(struct task_struct *)current",
                     "p percpu(cpu_number, 1)", "p percpu(x, 99)", "p current->mm->pgd"]:
            m.ask(line)
        m.type("q\n")
        m.wait(20)
        return "ok"


    def oops(self):
        """A null pointer in the kernel, caught at the instruction that follows it."""
        m = self.linux("oops", "-nographic")
        m.enter("/ #")
        m.ask("break vfs_read if current->pid > 1")
        m.toggle()
        m.type("cat /etc/passwd\n")
        m.enter("1: breakpoint, vfs_read", 60)
        m.ask("delete")
        m.wants("catch exception 14 if $cr2 < 4096", "catchpoint 2")
        m.ask("set $rdi = 0")
        m.type("cont\n")
        hit = m.expect(r"2: exception 0xe, value 0x0 at 0x\w+ <vfs_read\+0x(\w+)>, of address 0x(\w+)", 30)
        m.expect("CPU#0 > ", 10)
        bt = m.ask("bt")
        check(re.search(rf"#0 .*asm_exc_page_fault\n *-- interrupted --\n#1 .*vfs_read\+0x{hit[1]}\n(.|\n)*do_syscall_64", bt),
              f"bt does not come to vfs_read: {bt}")
        m.ask("delete")
        m.ask("cont")
        time.sleep(1)
        m.wants("dmesg", "BUG: kernel NULL pointer dereference, address: 0+" + hit[2])
        m.wants("catch panic", "catchpoint 3: panic\n$")
        m.toggle()
        m.type("\necho c >/proc/sysrq-trigger\n")
        m.enter("3: breakpoint, panic", 60)
        m.wants("bt", "(?s)#0 +0x\\w+ panic\n.*sysrq")
        m.type("q\n")
        m.wait(20)
        return f"vfs_read+0x{hit[1]}"

    def build(self, name, *flags):
        """A guest's program from its C source in this folder."""
        out = os.path.join(self.logs, name)
        r = subprocess.run(["gcc", "-g", "-O1", "-ffreestanding", "-fno-pie", "-no-pie", "-nostdlib", "-static",
                            "-fcf-protection=none", "-fno-stack-protector", *flags,
                            os.path.join(HERE, name + ".c"), "-o", out], capture_output=True, text=True)
        check(r.returncode == 0, r.stderr)
        return out

    def lines(self):
        """Source lines, variables and types by a program's DWARF, on a guest of 32 bits."""
        elf = self.build("lines", "-m32", "-Wl,--build-id=none,-N,-Ttext=0x100000")
        m = self.start("lines", "-m", "64M", "-kernel", elf, "-monitor", "stdio", "-serial", "null", "-S", "-symbols",
                       elf)
        m.expect(PROMPT, 20)
        at = {text: n for n, line in enumerate(open(os.path.join(HERE, "lines.c")), 1)
              for text in ("sum +=", "counter +=", "return got", "middle((int)", "got = leaf") if text in line}
        m.wants("info symbol-files", r"program, 0x100000-0x10\w+, \d+ symbols, source lines")
        m.wants("break leaf", r"breakpoint 1 at 0x\w+ <leaf \S*lines.c:\d+>")
        m.runs("cont", "1: breakpoint, leaf")
        m.sync()
        m.wants("bt", r"^#0 +0x\w+ leaf at \S*lines.c:\d+\n#1 +0x\w+ middle\+0x\w+ at \S*lines.c:%d\n"
                r"#2 +0x\w+ start\+0x\w+ at \S*lines.c:%d\n" % (at["got = leaf"], at["middle((int)"]))
        m.wants("info args", r"^a = 6.*\no = \(struct outer \*\) 0x\w+ <first>\n$")
        m.wants("info locals", r"^sum = <optimized out>\n$")
        m.wants("p *o", r'in = {\n +name = "hello",\n +grid = \[\[1, 2, 3\], \[4, 5, 6\]\],\n +},\n +low = 5,\n'
                r" +high = 0x11,\n +colour = GREEN,\n +next = 0x\w+ <first>,\n +{\n +whole = -2,\n +half = \[-2, -1\]")
        m.wants("p o->in.grid[1][2]", "^6$")
        m.wants("p first.next->next->high", "^0x11$")
        m.wants("p counter", "^7$")
        m.wants("p GREEN + 1", "^6 ")
        m.wants("ptype o", r"^struct outer {\n +0 +struct inner in;\n +32 +unsigned int low : 3;\n(.|\n)*"
                r"\n +40 +struct outer \*next;\n +44 +union {\n +44 +int whole;\n +44 +short int half\[2\];\n +};\n +} \*\n"
                "size 48\n$")
        m.wants("ptype number", "^number = unsigned int$")
        m.wants("ptype enum colour", r"RED = 0,\n +GREEN = 5,\n")
        m.wants("ptype struct nosuch", "no struct is called nosuch")
        m.steps("next", r"<leaf\+0x\w+ \S*lines.c:\d+>.*\n %d\s+sum \+= o->in" % at["sum +="])
        m.steps("next", r"\n %d\s+counter \+=" % at["counter +="])
        m.wants("info locals", "^sum = 21 ")
        m.wants("list", r"^ %d +(.|\n)*\n>%d\s+counter" % (at["counter +="] - 5, at["counter +="]))
        m.wants("list", r"^ %d " % (at["counter +="] + 5))
        m.wants("up", r"^#1 +0x\w+ middle\+0x\w+ at \S*lines.c:\d+\n %d\s+int got = leaf" % at["got = leaf"])
        m.wants("info locals", r"^before = 6.*\ngot = <optimized out>\n$")
        m.wants("p got", "^<optimized out>$")
        m.wants("p /x $eip", "0x00000000001000")
        m.wants("down", "^#0 ")
        m.wants("down", "innermost")
        m.wants("frame 77", "no frame 77")
        m.wants("delete", "^$")
        m.wants(f"tbreak lines.c:{at['return got'] - 1}", r"temporary breakpoint 2 at .*<middle\+0x\w+ \S*:%d>"
                % at["return got"])
        m.runs("cont", "2: breakpoint, lines.c:")
        m.sync()
        m.wants("info locals", r"^before = 6.*\ngot = 21 ")
        m.steps("step", r"\n %d\s+middle\(" % at["middle((int)"])
        m.steps("step", r"<middle\+0x\w+ (.|\n)*\n \d+\s+int before")
        m.steps("step", r"\n %d\s+int got = leaf" % at["got = leaf"])
        m.steps("step", r"<leaf\+0x\w+ (.|\n)*\n \d+ +")
        m.steps("finish", r"<middle\+0x\w+ ")
        m.wants("info line leaf", r"^line \d+ of \S*lines.c is 0x\w+ <leaf> to 0x\w+ <leaf")
        m.wants("info source", "read from .*lines.c")
        m.wants("break nowhere.c:3", "no file of symbols has code from there")
        m.wants("break lines.c:40000", "no file of symbols has code from there")
        # Sources elsewhere: what is said, and both remedies.
        away = os.path.join(self.logs, "away")
        os.makedirs(os.path.join(away, "monitor"))
        moved = os.path.join(self.logs, "moved.c")
        with open(os.path.join(HERE, "lines.c")) as f, open(moved, "w") as g:
            g.write(f.read())
        r = subprocess.run(["gcc", "-g", "-O1", "-c", "-m32", "-ffreestanding", "-fno-pie", moved, "-o", moved + ".o"])
        check(r.returncode == 0, "gcc fails")
        os.rename(moved, os.path.join(away, "moved.c"))
        m.wants(f"add-symbol-file {moved}.o 0x700000", "^$")
        m.wants("list middle", "lines.c|middle")
        m.wants("list moved.c:41", r"moved.c:\d+\nits source is not here: directory DIR or set substitute-path")
        m.wants(f"directory {away}", "^$")
        m.wants("list moved.c:41", "NOINLINE int middle")
        m.wants("directory", "^$")
        m.wants("list moved.c:41", "not here")
        m.wants(f"set substitute-path {self.logs} {away}", "^$")
        m.wants("list moved.c:41", "NOINLINE int middle")
        m.wants("symbol-file /nonexistent", "/nonexistent: No such file")
        m.wants("symbol-file /etc/passwd", "/etc/passwd is neither an ELF file of x86 nor a System.map")
        m.wants("info symbol-files", "there are none")
        m.wants("next", "> 0x")
        for line in ["info locals", "info args", "list", "list x:1", "info line", "info source", "up", "ptype 5", "ptype",
                     "directory /nonexistent", "break x.c:1", "symbol-file", "list 5", "frame"]:
            m.ask(line)
        m.type("q\n")
        m.wait(20)
        return "ok"

    def userland(self):
        """A program of the guest, from inside the kernel; and a System.map, wherever KASLR has put the kernel."""
        elf = self.build("caller")
        initrd = os.path.join(self.logs, "caller.initrd")
        with open(fetch("initrd"), "rb") as f, open(elf, "rb") as g, open(initrd, "wb") as to:
            to.write(f.read() + gzip.compress(cpio({"caller": (0o100755, g.read())}), 1))
        args = ["-m", "512M", "-kernel", fetch("kernel"), "-initrd", initrd, "-append", "console=ttyS0", "-nographic"]
        m = self.start("userland", *args)
        m.enter("/ #")
        slide = int(re.search(r"KASLR moved it by 0x(\w+)", m.ask("info kernel"))[1], 16)
        system_map = os.path.join(self.logs, "System.map")
        with open(system_map, "w") as f:
            for name in ("_text", "start_kernel", "linux_banner", "_end"):
                addr = int(re.search(r"0x(\w+)", m.ask(f"info symbol {name}"))[1], 16) - slide
                f.write(f"{addr:016x} {'T' if name < 'l' or name == 'start_kernel' else 'D'} {name}\n")
                if name == "start_kernel":
                    f.write(f"{addr + 1:016x} T only_in_the_file\n")
        m.wants(f"symbol-file {elf}", "^$")
        m.wants("break do_sys_openat2 if current->pid > 1 && (char *)$rsi == \"/nowhere\"", "breakpoint 1")
        m.toggle()
        m.type("/caller\n")
        m.enter("1: breakpoint, do_sys_openat2", 60)
        bt = m.wants("bt", r"-- from user space --\n#\d+ +0x\w+ \w+ (\(inlined\) )?at \S*caller.c:\d+\n(.|\n)*"
                     r"#\d+ +0x\w+ deep\+0x\w+ at \S*caller.c:\d+\n#\d+ +0x\w+ deep\+0x\w+ at (.|\n)*"
                     r"#\d+ +0x\w+ main\+0x\w+ at \S*caller.c:\d+\n#\d+ +0x\w+ _start\+0x")
        frame = re.search(r"#(\d+) +0x\w+ main\+0x", bt)[1]
        m.wants(f"frame {frame}", r"main\+0x(.|\n)*\n \d+\s+got = deep\(3, text\);")
        m.wants("info locals", r'^text = \(char \*\) 0x\w+ "/nowhere"\n')
        m.wants("finish", "")
        m.expect(r"CPU#0 > 0x\w+ <_start\+0x", 20)
        m.type("q\n")
        m.wait(20)
        # The next boot is elsewhere, which the file does not know.
        m = self.start("map", *args, "-symbols", system_map, "-S")
        m.enter()
        m.wants("break only_in_the_file", "breakpoint 1, once there is a kernel")
        m.wants("tbreak start_kernel", "breakpoint 2, once there is a kernel")
        m.runs("cont", "2: breakpoint, start_kernel")
        m.sync()
        other = int(re.search(r"KASLR moved it by 0x(\w+)", m.ask("info kernel"))[1], 16)
        m.wants("info symbol-files", r"System.map: kernel, 0x\w+-0x\w+(, moved by 0x%x)?, 5 symbols\n" % other)
        start = int(re.search(r"0x(\w+)", m.ask("info symbol start_kernel"))[1], 16)
        m.wants("info b", r"1 +break enabled +0x%016x" % (start + 1))
        # A file of another build is used, with a warning.
        fake = os.path.join(self.logs, "fake")
        with open(fake + ".S", "w") as f:
            f.write(".globl _start, _text, linux_banner, _end\n_start: _text: nop\nlinux_banner: nop\n_end:\n")
        r = subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0xffffffff81000000,--build-id=0x12345678",
                            fake + ".S", "-o", fake], capture_output=True, text=True)
        check(r.returncode == 0, r.stderr)
        m.wants(f"add-symbol-file {fake}", "fake is of another build than what the guest runs")
        # A kernel whose own table cannot be read, as one without CONFIG_KALLSYMS: the file's is used.
        text, end, banner = (int(re.search(r"0x(\w+)", m.ask(f"info symbol {s}"))[1], 16)
                             for s in ("__start_rodata", "__end_rodata", "linux_banner"))
        m.wants(f"memsave {text:#x} {end - text:#x} {self.logs}/rodata", "^$")
        with open(f"{self.logs}/rodata", "rb") as f:
            tables = [text + at.start() for at in re.finditer(b"0\x001\x002\x003\x004\x005\x006", f.read())]
        m.ask(f"symbol-file {system_map}")
        for table in tables:
            m.ask(f"set *(u64 *){table:#x} = 0x1111111111111111")
        m.ask(f"set *(u8 *){banner + 40:#x} = 64")
        time.sleep(0.25)
        m.wants("info kernel", r"\n5 symbols, 0 of modules")
        m.wants("info symbol only_in_the_file", f"0x{start + 1:016x} <only_in_the_file>")
        m.type("q\n")
        m.wait(20)
        return f"moved by {slide:#x} and {other:#x}"

    def modules(self):
        """A breakpoint in a module that is not loaded yet, and its symbols without a file."""
        initrd = os.path.join(self.logs, "modules.initrd")
        tree = fetch("fullkernel")
        initrd_with_modules(initrd, ["loop", "crc16"], full=True)
        m = self.start("modules", "-m", "512M", "-kernel", glob.glob(tree + "/boot/vmlinuz-*")[0], "-initrd", initrd,
                       "-append", "console=ttyS0", "-nographic")
        m.enter("/ #", 240)
        m.wants("break loop_configure", "breakpoint 1, once there is a module with loop_configure")
        m.wants("break loop_init", "breakpoint 2, once")
        m.wants("info b", "<no such module yet> loop_configure")
        m.toggle()
        m.type("insmod /m/*loop.ko; losetup /dev/loop0 /bin/busybox\n")
        m.enter("2: breakpoint, loop_init", 60)
        m.wants("bt", r"^#0 +0xffffffffc\w+ (init_module|loop_init)(.|\n)*do_one_initcall\+0x(.|\n)*-- from user space")
        m.wants("lsmod", r"\nloop +\d+ +1 +0xffffffffc")
        m.runs("cont", "1: breakpoint, loop_configure")
        m.sync()
        m.wants("bt", r"^#0 +0xffffffffc\w+ loop_configure\n#1 +0x\w+ lo_ioctl\+0x\w+\n#2 +0x\w+ blkdev_ioctl\+0x"
                r"(.|\n)*-- from user space")
        m.wants("x /i loop_configure", "<loop_configure>")
        m.wants("info symbol loop_configure", "<loop_configure>")
        # It is elsewhere the next time.
        first = re.search(r"1 +break enabled +0x(\w+)", m.ask("info b"))[1]
        m.ask("disable 1")
        m.wants("break crc16", "once there is a module with crc16")
        m.ask("cont")
        m.toggle()
        m.type("losetup -d /dev/loop0; rmmod loop; insmod /m/*crc16.ko; insmod /m/*loop.ko; echo lo''aded\n")
        m.enter("2: breakpoint, loop_init", 60)
        second = m.wants("info b", r"1 +break disabled +0x\w+ <loop_configure>(.|\n)*0x\w+ <crc16>")
        check(first not in second, f"loop is not moved: {second}")
        m.type("q\n")
        m.wait(20)
        return "ok"

    def module(self):
        """The module of tests/guests/bugs, built for the cloud kernel, and an initrd that has it."""
        source = os.path.join(HERE, "../guests/bugs")
        folder = os.path.join(self.logs, "bugs")
        os.makedirs(folder)
        for name in os.listdir(source):
            with open(os.path.join(source, name)) as f, open(os.path.join(folder, name), "w") as to:
                to.write(f.read())
        r = subprocess.run(["make", "-C", fetch("headers"), f"M={folder}", "modules"], capture_output=True, text=True)
        check(r.returncode == 0, f"the module is not built: {r.stderr}")
        initrd = os.path.join(folder, "initrd")
        with open(fetch("initrd"), "rb") as f, open(f"{folder}/bugs.ko", "rb") as g, open(initrd, "wb") as to:
            to.write(f.read() + gzip.compress(cpio({"bugs.ko": (0o100644, g.read())}), 1))
        with open(f"{folder}/bugs.c") as f:
            return folder, initrd, f.read().split("\n")

    def bugs(self):
        """docs/debugging.md: a use after free and a deadlock, found with the monitor alone."""
        folder, initrd, source = self.module()

        def line(text, nth=0):
            return [n for n, at in enumerate(source, 1) if text in at][nth]

        m = self.start("bugs", "-m", "512M", "-kernel", fetch("kernel"), "-initrd", initrd, "-append",
                       "console=ttyS0 quiet slub_debug=P", "-nographic", "-symbols", f"{folder}/bugs.ko")
        m.enter("/ #")
        m.wants("info symbol-files", "bugs.ko: module bugs, not in the guest")
        m.wants("catch exception 13", "catchpoint 1")
        m.toggle()
        m.type("insmod /bugs.ko; echo open 7 > /proc/bugs; sleep 1; echo close 7 > /proc/bugs\n")
        m.enter(r"1: exception 0xd, value 0x0 at 0x\w+ <tell_peer\+0x\w+ \S*bugs.c:%d>" % line("inbox->heard"), 60)
        m.wants("bt", r"interrupted --\n#1 +0x\w+ tell_peer\+0x\w+ at \S*bugs.c:%d\n#2 +0x\w+ on_heartbeat\+0x\w+ at "
                r"\S*bugs.c:%d\n#3 +0x\w+ call_timer_fn(.|\n)*-- interrupted" % (line("inbox->heard"), line("tell_peer(s,")))
        m.wants("frame 1", r"#1 (.|\n)*\n %d\s+to->inbox->heard = beat;" % line("inbox->heard"))
        m.wants("list", r"\n>%d\s+to->inbox->heard" % line("inbox->heard"))
        m.wants("info args", r"^s = \(struct session \*\) 0x\w+\nbeat = ")
        m.wants("p *s", r"id = 7,\n +closed = 1,\n(.|\n)*function = 0x\w+ <on_heartbeat \S*bugs.c:\d+>")
        m.wants("p *s->peer", r'name = "kkkkkkkkkkkkkkkk",\n +inbox = 0x6b6b6b6b6b6b6b6b')
        # Who has freed it? The same again, from the beginning.
        m.ask("delete")
        m.wants("break session_open", r"breakpoint 2 at 0x\w+ <session_open \S*bugs.c:\d+>")
        m.reboot()
        m.type("insmod /bugs.ko; echo open 7 > /proc/bugs; sleep 1; echo close 7 > /proc/bugs\n")
        m.enter("2: breakpoint, session_open", 60)
        m.wants("info args", "^id = 7 ")
        m.ask("delete")
        m.wants("tbreak tell_peer", "temporary breakpoint 3")
        m.runs("cont", "3: breakpoint, tell_peer")
        m.sync()
        m.wants("p s->peer->name", '^"peer7"')
        m.wants("watch s->peer->inbox", "watchpoint 4: 8 bytes")
        m.runs("cont", "4: write of ")
        m.sync()
        bt = m.wants("bt", r"session_close\+0x\w+ at \S*bugs.c:%d\n#\d+ +0x\w+ bugs_write\+0x\w+ at \S*bugs.c:%d\n"
                     % (line("kfree(s->peer)"), line("session_close(id)", -1)))
        frame = int(re.search(r"#(\d+) .* session_close", bt)[1])
        m.wants(f"frame {frame}", r"\n %d\s+kfree\(s->peer\);" % line("kfree(s->peer)"))
        m.wants("up", r"err = session_close\(id\);")
        m.wants("info locals", r'^word = "close 7\?"\nid = 7\n')

        # Two processes that wait for each other.
        m.ask("delete")
        m.reboot()
        m.type("insmod /bugs.ko; echo send > /proc/bugs & echo flush > /proc/bugs & sleep 1; echo do''ne\n")
        m.enter("done", 60)
        waiting = re.findall(r"\n +(\d+) +\d+ D +0x\w+ sh\b", m.ask("ps"))
        check(len(waiting) == 2, f"{waiting} wait, not two")
        for pid, function in zip(waiting, ("queue_send", "queue_flush")):
            lock = "stats_lock" if function == "queue_send" else "queue_lock"
            at = line(f"mutex_lock(&{lock})", 0 if function == "queue_send" else -1)
            m.wants(f"bt {pid}", r"__mutex_lock(.|\n)* %s\+0x\w+ at \S*bugs.c:%d\n(.|\n)*bugs_write\+0x" % (function, at))
            other = waiting[function == "queue_send"]
            m.wants(f"p ((struct task_struct *)({lock}.owner.counter & ~7))->pid", f"^{other}$|^0x{int(other):x}$")
        m.wants("ptype queue_lock", r"^struct mutex {\n(.|\n)*owner;")
        m.type("q\n")
        m.wait(20)
        return "ok"

    def vmlinux(self):
        """Debian's cloud kernel with its debug information."""
        m = self.linux("vmlinux", "-monitor", "stdio", "-serial", "null", "-S", "-symbols",
                       os.path.join(fetch("symbols"), "vmlinux"))
        m.expect(PROMPT, 60)
        m.wants("tbreak start_kernel", "once there is a kernel")
        m.runs("cont", r"1: breakpoint, start_kernel\r?\nCPU#0 (?=> 0x\w+ <start_kernel init/main.c:\d+>)")
        m.sync()
        m.wants("info symbol-files", r"vmlinux: kernel, 0xffffffff\w+-0xffffffff\w+, moved by 0x\w+, \d{6} symbols, source lines\n")
        m.wants("list", r"^init/main.c:\d+\nits source is not here")
        m.steps("next", r"<start_kernel\+0x\w+ init/main.c:\d+>")
        m.wants("info locals", r"^command_line = (.|\n)*after_dashes = <optimized out>")
        # The line of its call; from there by a step into it.
        m.ask("tbreak setup_arch")
        m.runs("cont", "2: breakpoint, setup_arch")
        m.sync()
        call = re.search(r"#1 +0x\w+ start_kernel\+0x\w+ at (init/main.c:\d+)\n", m.ask("bt"))
        check(call, "setup_arch is not called by start_kernel")
        m.wants("info args", r"^cmdline_p = \(char \*\*\) 0x\w+ <init_stack")
        m.wants("info line", r"line \d+ of arch/x86/kernel/setup.c is 0x\w+ <setup_arch>")
        m.steps("next", r"<setup_arch\+0x\w+ arch/x86/kernel/setup.c:\d+>")
        m.wants(f"tbreak {call[1]}", r"breakpoint 3 at 0x\w+ <start_kernel\+0x")
        m.ask("system_reset")
        m.runs("cont", f"3: breakpoint, {call[1]}")
        m.sync()
        m.steps("step", r"<setup_arch\+?\w* arch/x86/kernel/setup.c:\d+>")
        m.wants("break do_sys_openat2 if how->flags & 0x8000 && (char *)filename == \"/etc/inittab\"", "breakpoint 4")
        m.runs("cont", "4: breakpoint, do_sys_openat2")
        m.sync()
        m.wants("info args", r'^dfd = -100(.|\n)*filename = \(char \*\) 0x\w+ "/etc/inittab"\nhow = \(struct open_how \*\) 0x')
        m.wants("p *how", "flags = 0x")
        m.wants("bt", r"\n#\d+ +0x\w+ do_syscall_64\+0x\w+ at arch/x86/entry/common.c:\d+\n(.|\n)*-- from user space")
        m.ask("delete")
        m.ask("profile start")
        m.ask("cont")
        time.sleep(2 * Guest.slow)
        m.ask("profile stop")
        m.wants("profile report", r"\n +\d+\.\d+% \w+ at \S+\.[chS]:\d+\n")
        m.ask("stop")
        m.wants("p init_task.comm", '^"swapper')
        m.wants("ptype struct list_head", r"next;\n +8 +struct list_head \*prev;")
        m.type("q\n")
        m.wait(20)
        return call[1]

    def hostile(self):
        """The kernel's tables are not to be trusted: whatever is in them, each command comes to an end."""
        m = self.linux("hostile", "-nographic")
        m.enter("/ #")
        m.ask("stop")
        rnd = random.Random(self.seed)

        def number(text):
            return int(re.search(r"0x(\w+)", m.ask(f"p (u64)&{text}"))[1], 16)

        btf, btf_end = number("__start_BTF"), number("__stop_BTF")
        orc, orc_end = number("__start_orc_unwind"), number("__stop_orc_unwind")
        text = int(re.search(r"image 0x(\w+)", m.ask("info kernel"))[1], 16)
        task = int(re.search(r"0x(\w+) init", m.ask("ps"))[1], 16)
        banner = number("linux_banner")
        places = [(btf, 24), (btf, btf_end - btf), (orc, orc_end - orc), (task, 9000), (text + 0xe00000, 0x800000),
                  (number("init_task"), 9000), (number("modules"), 16), (number("prb"), 8)]
        found = 0
        for k in range(self.rounds):
            was = []
            for _ in range(rnd.choice((1, 5, 30))):
                base, size = rnd.choice(places)
                at = (base + rnd.randrange(size)) & ~7
                value = rnd.choice((0, 1, 0x7fffffff, 2**64 - 1, task, text, rnd.getrandbits(64)))
                old = re.search(r"0x(\w+)\n", m.ask(f"p /x *(u64 *){at:#x}"))
                if old:  # else: nothing is mapped there
                    was.append((at, old[1]))
                    m.ask(f"set *({rnd.choice(('u32', 'u64'))} *){at:#x} = {value:#x}")
                    m.ask(f"set *(u8 *){at + rnd.randrange(8):#x} = {rnd.getrandbits(8)}")
            m.ask(f"set *(u8 *){banner + 40:#x} = {k}")  # so that all is read anew
            for line in rnd.sample(("ps -t", "dmesg", "lsmod", "bt", "bt 1", "vmmap 1", "task 1", "info kernel",
                                    "p *current", "p *(struct module *)0", "p percpu(current_task)"), 4):
                found += "no Linux kernel" not in m.ask(line, 60)
            # The next round is of a whole kernel again.
            for at, old in reversed(was):
                m.ask(f"set *(u64 *){at:#x} = 0x{old}")
            time.sleep(0.25)  # for as long as it does not look again where it has found none
        m.type("q\n")
        check(m.wait(20) == 0, "quit does not give status 0")
        check(found > self.rounds, f"the kernel was found by {found} commands only")
        return f"{self.rounds} rounds, {found} commands found the kernel"

    def profile(self):
        """A busy guest into a flame graph, where the hot function is the widest."""
        svg = os.path.join(self.logs, "flame.svg")
        m = self.linux("profile", "-nographic")
        m.expect("/ #", 120)
        # So much at once that what surrounds the clearing of memory is little, whatever the host is good at.
        m.type("dd if=/dev/zero of=/dev/null bs=16M count=10000000 &\n")
        m.enter("/ #", 20)
        m.wants("profile report", "there is no profile")
        m.ask("profile start")
        end = time.monotonic() + self.seconds
        while not re.match(r"\d{3,} samples", m.ask("profile report")) or time.monotonic() < end:
            check(time.monotonic() < end + 120 * Guest.slow, "few samples")
            time.sleep(0.2)
        m.wants(f"profile stop {svg}", "^$", 60)
        report = m.wants("profile report", r"^\d+ samples of running CPUs")
        hot = r"read_zero|rep_stos_alternative|clear_user\w*"
        check(re.search(rf"CPUs.*\n *\d+\.\d+% ({hot})\n", report), f"read_zero is not the first: {report}")
        boxes = {}
        for g in xml.etree.ElementTree.parse(svg).getroot().iter("{http://www.w3.org/2000/svg}g"):
            name = g[0].text.split(":")[0]
            boxes[name] = max(boxes.get(name, 0), float(g[1].get("width")))
        path = [boxes.get(n, 0) for n in ["all", "dd", "do_syscall_64", "ksys_read", "vfs_read", "read_zero"]]
        check(path == sorted(path, reverse=True) and path[-1] > 0, f"the flame graph has {boxes}")
        m.type("q\n")
        m.wait(20)
        return report.split("\n")[0]


    def trace(self):
        """Traces to files and to the monitor, their filters and ends; QEMU's -d."""
        def lines(name):
            with open(os.path.join(self.logs, name)) as f:
                return f.read().split("\n")[:-1]

        def ends(command, pattern):
            m.type(command + "\n")
            m.expect(pattern, 60)

        m = self.linux("trace", "-nographic", "-smp", "2")
        m.expect("/ #", 120)
        m.type("while :; do cat /proc/uptime >/dev/null; done &\n")
        m.enter("/ #", 20)
        m.wants("info trace", "nothing is traced")
        path = {n: os.path.join(self.logs, n) for n in ("calls", "insns", "events", "log")}
        ends(f"trace calls,exceptions file {path['calls']} limit 5000", r"5000 lines, which is the limit")
        calls = lines("calls")
        check(len(calls) == 5000, f"{len(calls)} lines")
        check(any(re.match(r"\d {7,}[a-z_]\w+$", c) for c in calls), "no call of a call of a call")
        ends(f"trace instructions file {path['insns']} limit 200 range do_sys_openat2", "which is the limit")
        insns = lines("insns")
        check(all(re.match(r"\d 0x\w+ do_sys_openat2(\+0x\w+)?: \w", i) for i in insns), f"not all is there: {insns[:5]}")
        ends(f"trace pagefaults,cr3,msr,interrupts file {path['events']} limit 100 if $cpl == 0", "which is the limit")
        check(any(re.search(r": (cr 0x3|wrmsr|interrupt) ?0x", e) for e in lines("events")), "no events")
        ends("trace interrupts cpu 0 limit 3", r"(?s)0 0x\w+.*: interrupt 0x.*trace: 3 lines")
        ends("trace instructions file /dev/full", "cannot write /dev/full: No space left on device; it has ended")
        m.wants("info trace", "nothing is traced")
        m.wants("trace calls if $rdi == 12345678", "^$")
        m.wants("info trace", r"to the monitor, if \$rdi == 12345678")
        m.wants("trace off", "^$")
        m.wants("trace nonsense", "nonsense cannot be traced; there is instructions")
        m.wants("trace calls range nonsense", "neither A..B nor a function")
        m.wants("trace calls cpu 9", "there is no CPU#9")
        m.toggle()
        m.type("echo still $((6*7))\n")
        m.expect("still 42", 20)
        m.type("\x01x")
        m.wait(20)

        d = self.start("trace-d", "-monitor", "stdio", "-d", "int,cpu_reset,in_asm", "-D", path["log"],
                       "-dfilter", "0x100000..0xffffffff", "-S")
        d.expect(PROMPT, 20)
        d.ask("system_reset")
        d.ask("cont")
        for _ in range(100):
            d.ask("info trace")
            if len(log := lines("log")) > 10:
                break
        d.type("q\n")
        d.wait(20)
        check("reset" in log and any(re.match("0 0x1[0-9a-f]{5}: ", i) for i in log), f"-d wrote {log[:5]}")
        return f"{len(calls)} calls, {len(insns)} instructions"


CASES = ["commands", "sockets", "lines", "boot", "live", "userland", "modules", "oops", "hostile", "profile", "trace"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel")
    p.add_argument("--logs")
    p.add_argument("--slow", type=float, default=5, help="factor on all timeouts")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--rounds", type=int, default=12, help="of hostile")
    p.add_argument("names", nargs="*")
    p.add_argument("--seconds", type=float, default=1, help="of profile, at least")
    a = p.parse_args()
    logs = a.logs or tempfile.mkdtemp(prefix="doppel-monitor-")
    os.makedirs(logs, exist_ok=True)
    Guest.slow = a.slow
    suite = Suite(a.doppel, a.accel, logs)
    suite.seed, suite.rounds, suite.seconds = a.seed, a.rounds, a.seconds
    passed = failed = skipped = 0
    for name in a.names or CASES:
        t0 = time.monotonic()
        try:
            note = getattr(suite, name)()
            check(not (reports := Guest.reports()), f"{reports}")
            print(f"ok    {name:<16}{time.monotonic() - t0:6.1f} s  {note}", flush=True)
            passed += 1
        except Skip as e:
            print(f"skip  {name}: {e}", flush=True)
            skipped += 1
        except GuestError as e:
            print(f"FAIL  {name}: {e}\n      log in {logs}", flush=True)
            failed += 1
        finally:
            for g in Guest.started:
                g.close()
            Guest.started.clear()
    print(f"monitor: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
