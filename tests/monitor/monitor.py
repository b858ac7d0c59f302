#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel developer's session in the monitor, on Debian's cloud kernel, without a file of symbols.

monitor.py [--doppel PATH] [--accel ENGINE] [--slow FACTOR] [NAME...]; without names, all.
"""
import argparse
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

    def ask(self, line, timeout=20):
        """A command and what it prints."""
        at = self.seen
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()
        match = self.expect(PROMPT, timeout)
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.output[at:match.start()])
        return text.replace("\r", "").split("\n", 1)[-1]

    def wants(self, line, pattern, timeout=20):
        text = self.ask(line, timeout)
        check(re.search(pattern, text), f"{line} does not say {pattern!r} but {text!r}")
        return text

    def runs(self, line, pattern, timeout=60):
        """A command that lets the guest run until it says why it has stopped, and where."""
        self.type(line + "\n")
        match = self.expect(pattern, timeout)
        self.expect(r"> 0x[^\n]*\n", 10)
        return match

    def toggle(self):
        self.type("\x01c")
        time.sleep(0.1)


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
        m.expect("/ #", 20)
        m.toggle()
        m.expect(PROMPT, 20)
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
        m.expect("/ #", 120)
        m.toggle()
        m.expect(PROMPT, 20)
        m.ask("break vfs_read if current->pid > 1")
        m.toggle()
        m.type("cat /etc/passwd\n")
        m.expect("1: breakpoint, vfs_read", 60)
        m.toggle()
        m.expect(PROMPT, 20)
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
        m.expect("3: breakpoint, panic", 60)
        m.toggle()
        m.expect(PROMPT, 20)
        m.wants("bt", "(?s)#0 +0x\\w+ panic\n.*sysrq")
        m.type("q\n")
        m.wait(20)
        return f"vfs_read+0x{hit[1]}"

    def hostile(self):
        """The kernel's tables are not to be trusted: whatever is in them, each command comes to an end."""
        m = self.linux("hostile", "-nographic")
        m.expect("/ #", 120)
        m.toggle()
        m.expect(PROMPT, 20)
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
        m.expect("/ #", 20)
        m.toggle()
        m.expect(PROMPT, 20)
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
        m.expect("/ #", 20)
        m.toggle()
        m.expect(PROMPT, 20)
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


CASES = ["commands", "sockets", "boot", "live", "oops", "hostile", "profile", "trace"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel")
    p.add_argument("--logs")
    p.add_argument("--slow", type=float, default=1, help="factor on all timeouts")
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
