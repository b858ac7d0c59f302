#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's gdb with the kernel's symbols (DWARF) and its own scripts on a guest with two CPUs.

lx.py [--doppel PATH] [ENGINE...]; without engines, jit and interp. Fetches 400 MB at its first run.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "../boot"))
from guest import Guest, GuestError  # noqa: E402

# What gdb is told, and what it then says, in this order.
FROM_START = [
    ("hbreak start_kernel", "Hardware assisted breakpoint 1 at 0x"),
    ("continue", r"hit Breakpoint 1, start_kernel \(\) at init/main\.c:\d+"),
    ("tbreak setup_arch", "Temporary breakpoint 2"),
    ("continue", r"hit Temporary breakpoint 2, setup_arch \(cmdline_p=.*\) at arch/x86/kernel/setup\.c"),
    ("backtrace 2", r"#1 .*start_kernel"),
    ("p boot_command_line", '"console=ttyS0 nokaslr'),
    ("delete", ""),
    ("p $before = jiffies_64", r"= \d+"),
    ("watch jiffies_64 if jiffies_64 > $before + 3", "Hardware watchpoint 3: jiffies_64"),
    ("continue", r"hit Hardware watchpoint 3: jiffies_64(.|\n)*?New value = \d+(.|\n)*?do_timer"),
    ("p jiffies_64 - $before", "= 4"),
    ("backtrace", r"sysvec_apic_timer_interrupt|timer_interrupt|handle_irq"),
    ("delete", ""),
    ('break do_sys_openat2 if $_streq((char *)filename, "/etc/passwd")', "Breakpoint 4"),
    ("continue", r"hit Breakpoint 4, (0x\w+ in )?do_sys_openat2 \(dfd=.*filename=0x"),
    ("p $lx_current()->comm", r'= "(cat|sh)'),
    ("finish", "Value returned is"),
    ("delete", ""),
]
SCRIPTS = [
    ("info threads", r'Thread 1 "CPU#0"(.|\n)*?Thread 2 "CPU#1"'),
    ("lx-version", r"Linux version \d"),
    ("lx-cmdline", "console=ttyS0 nokaslr"),
    ("lx-ps", r"swapper/0\n(.|\n)*? 1 +init\n(.|\n)*?ksoftirqd/1"),
    ("lx-dmesg", r"\] Linux version \d(.|\n)*?smp: Brought up 1 node, 2 CPUs"),
    ("lx-lsmod", r"Address +Module +Size +Used by"),
    ("lx-cpus", "Online CPUs *: \[0, 1\]"),
    ("lx-mounts", r"rootfs|proc"),
    ("p $lx_per_cpu(\"runqueues\", 1).cpu", "= 1"),
]


def fetch(what):
    r = subprocess.run(["sh", os.path.join(HERE, "../guests/fetch.sh"), what, "amd64"], capture_output=True, text=True)
    return r.stdout.strip(), r.stderr.strip()


def gdb(folder, socket, steps, timeout):
    argv = ["gdb", "-nx", "-batch"]
    setup = ["set pagination off", "set confirm off", "set width 0", f"file {folder}/vmlinux",
             f"source {folder}/vmlinux-gdb.py", f"target remote {socket}"]
    for line in setup + [s[0] for s in steps]:
        argv += ["-ex", line]
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       errors="replace", timeout=timeout)
    at = 0
    for line, pattern in steps:
        match = re.compile(pattern, re.M).search(r.stdout, at)
        if not match:
            raise GuestError(f"after {line!r} gdb does not say {pattern!r} but:\n{r.stdout[at:at + 3000]}")
        at = match.end()


def session(doppel, engine, folder, kernel, initrd):
    tmp = tempfile.mkdtemp(prefix="doppel-lx-")
    socket = os.path.join(tmp, "gdb")
    guest = Guest([doppel, "-accel", engine, "-m", "512M", "-smp", "2", "-kernel", kernel, "-initrd", initrd, "-append",
                   "console=ttyS0 nokaslr", "-monitor", "none", "-S", "-gdb", f"unix:{socket},server=on,wait=off"])
    try:
        guest.type("cat /etc/passwd /proc/uptime\n")  # for when there is a shell
        gdb(folder, socket, FROM_START, 600)
        guest.expect(r"# ", 300)
        gdb(folder, socket, SCRIPTS, 600)
    finally:
        guest.close()
        shutil.rmtree(tmp)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("engines", nargs="*")
    a = p.parse_args()
    passed = failed = skipped = 0
    why = "" if shutil.which("gdb") else "gdb is not here (apt-get install gdb)"
    folder, err = fetch("symbols") if not why else ("", why)
    (kernel, _), (initrd, _) = fetch("kernel"), fetch("initrd")
    for engine in a.engines or ["jit", "interp"]:
        if not folder:
            print(f"skip {engine}: {err}")
            skipped += 1
            continue
        try:
            session(a.doppel, engine, folder, kernel, initrd)
            print(f"ok   {engine}: {len(FROM_START) + len(SCRIPTS)} commands", flush=True)
            passed += 1
        except (GuestError, subprocess.TimeoutExpired) as e:
            print(f"FAIL {engine}: {e}", flush=True)
            failed += 1
    print(f"gdb with the kernel's scripts: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
