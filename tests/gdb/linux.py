# SPDX-License-Identifier: GPL-2.0-or-later
"""A session of gdb on Debian's cloud kernel, whose symbols come from its own kallsyms."""
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "boot"))
from guest import Guest  # noqa: E402

NAMES = ["_stext", "start_kernel", "setup_arch", "do_sys_openat2", "do_timer", "jiffies_64", "_etext", "_end"]


def fetch(what):
    return subprocess.run(["sh", os.path.join(HERE, "..", "guests", "fetch.sh"), what, "amd64"],
                          capture_output=True, text=True, check=True).stdout.strip()


def options(kernel, initrd):
    return ["-m", "256", "-smp", "2", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 nokaslr"]


def ask_symbols(doppel, kernel, initrd):
    """Boots it and asks: {name: (address, whether it is a function)}"""
    guest = Guest([doppel, "-accel", "jit", "-monitor", "none", *options(kernel, initrd)])
    try:
        guest.expect(r"# ", 120)
        text = guest.command("grep -E ' (%s)$' /proc/kallsyms" % "|".join(NAMES))
    finally:
        guest.close()
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] in NAMES:
            found[words[2]] = (int(words[0], 16), words[1] in "tT")
    return found


def write_elf(path, symbols):
    """An executable without contents: a section for text, one for data, and the symbols."""
    text, end = symbols["_stext"][0], symbols["_end"][0]
    strings, table = b"\0", b"\0" * 24
    for name, (at, function) in sorted(symbols.items(), key=lambda s: s[1]):
        table += struct.pack("<IBBHQQ", len(strings), 0x12 if function else 0x11, 0, 1 if function else 2, at,
                             0 if function else 8)
        strings += name.encode() + b"\0"
    names = b"\0.text\0.data\0.symtab\0.strtab\0"
    limit = max(a for a, function in symbols.values() if function) + 0x10000
    at = 64
    blobs = [table, strings + names]
    offsets = [at, at + len(table)]
    sections = [(0,) * 10,
                (1, 8, 6, text, 0, limit - text, 0, 0, 16, 0),  # no contents: NOBITS
                (7, 8, 3, limit, 0, max(end, limit + 8) - limit, 0, 0, 16, 0),
                (13, 2, 0, 0, offsets[0], len(table), 4, 1, 8, 24),
                (0, 3, 0, 0, offsets[1], len(strings), 0, 0, 1, 0),
                (21, 3, 0, 0, offsets[1] + len(strings), len(names), 0, 0, 1, 0)]
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, at + sum(map(len, blobs)), 0, 64, 0, 0, 64, len(sections), 5)
    with open(path, "wb") as f:
        f.write(head + b"".join(blobs) + b"".join(struct.pack("<IIQQQQIIQQ", *s) for s in sections))


def session(suite, machine):
    """Breakpoints, steps, watchpoints with values, conditions on the guest's strings, both CPUs."""
    kernel, initrd = fetch("kernel"), fetch("initrd")
    elf = os.path.join(suite.dir, "symbols.elf")
    if not os.path.exists(elf):
        write_elf(elf, ask_symbols(suite.doppel, kernel, initrd))
    with machine(suite, *options(kernel, initrd), "-S") as m:
        m.gdb(
            ["file " + elf, "target remote SOCKET", "break start_kernel", "continue", "info threads",
             "stepi", "x/i $pc", "tbreak setup_arch", "continue", "backtrace 2", "delete",
             "p $count = *(long *)&jiffies_64", "watch *(long *)&jiffies_64 if *(long *)&jiffies_64 > $count + 3",
             "continue", "p *(long *)&jiffies_64 - $count", "info symbol $pc", "delete",
             'break do_sys_openat2 if $_streq((char *)$rsi, "/etc/passwd")', "continue", "x/s $rsi",
             "info threads", "p $_thread == 1 ? 2 : 1", "thread $", "p/x $cr0 & 1",
             "monitor info status", "delete", "detach"],
            [r"Breakpoint 1, 0x\w+ in start_kernel", r"CPU#0.*start_kernel", r"CPU#1\" \(waits for SIPI\)",
             r"Temporary breakpoint 2, 0x\w+ in setup_arch",
             r"#0 .* in setup_arch.*\n#1 .* in start_kernel", r"Hardware watchpoint 3",
             r"New value = ", r"= 4$", r"^do_timer \+ \d+ in section", r"Breakpoint 4, 0x\w+ in do_sys_openat2",
             r'"/etc/passwd"', r"CPU#0", r"CPU#1", r"= 0x1$", r"VM status: paused", r"detached"], timeout=400)
