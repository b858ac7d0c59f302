#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ending: whatever the guest does, a signal ends doppel within a second, with the terminal as it was.

ends.py [--doppel PATH] [--seconds LIMIT] [NAME...]
"""
import argparse
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

# 32-bit code, entered flat with interrupts off.
GUESTS = {
    "spin": "eb fe",
    "halt": "fa f4 eb fc",
    "nop sled": "90 " * 3000 + "e9 43 f4 ff ff",
    "call loop": "bc 00 00 20 00 e8 02 00 00 00 eb f9 90 c3",
    "fill nothing": "bf 00 00 00 e0 b9 ff ff ff ff f3 aa eb f2",
    "copy devices": "be 00 00 ec fe bf 00 00 ec fe b9 ff ff ff ff f3 a4 eb ed",
    "compare itself": "be 00 00 10 00 89 f7 b9 ff ff ff ff f3 a6 eb f0",
    "read ports": "66 ba 61 00 ec eb fd",
    "string input": "66 ba f8 03 bf 00 00 20 00 b9 ff ff 0f 00 f3 6c eb f2",
    "print": "66 ba f8 03 b0 41 ee eb fd",
    "string output": "66 ba f8 03 be 00 00 10 00 b9 ff ff 0f 00 f3 6e eb f2",
    "print to debugcon": "b0 41 e6 e9 eb fa",
    "toggle a20": "b0 00 e6 92 b0 02 e6 92 eb f6",
    "modify itself": "ff 05 10 00 10 00 eb f8",
    "triple fault": "0f 01 1d 00 00 00 00 0f 0b",
    "reset": "b0 06 66 ba f9 0c ee eb fe",
    "timer storm": "b0 34 e6 43 b0 02 e6 40 b0 00 e6 40 eb fe",
}


def image(code):
    """A multiboot kernel with a load address, code behind its header."""
    magic, flags, base = 0x1badb002, 0x10003, 0x100000
    text = bytes.fromhex(code)
    entry = base + 32
    return struct.pack("<8I", magic, flags, -(magic + flags) & 0xffffffff, base, base, 0, 0,
                       entry) + text


class Failed(Exception):
    pass


class Ends:
    def __init__(self, doppel, limit, folder):
        self.doppel = doppel
        self.limit = limit
        self.folder = folder
        with open(doppel, "rb") as f:
            self.sanitized = re.search(rb"__(asan|tsan)_init", f.read())

    def kernel(self, code):
        path = os.path.join(self.folder, "kernel")
        with open(path, "wb") as f:
            f.write(image(code))
        return path

    def end(self, proc, sig, want):
        t0 = time.monotonic()
        proc.send_signal(sig)
        try:
            status = proc.wait(self.limit)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
            raise Failed(f"still there {self.limit} s after signal {sig}")
        if status != want:
            raise Failed(f"status {status}, not {want}")
        return time.monotonic() - t0

    def is_raw(self, proc, slave, master, when):
        """Waits until the guest has the terminal."""
        end = time.monotonic() + self.limit
        while termios.tcgetattr(slave)[3] & termios.ECHO:
            if proc.poll() is not None:
                raise Failed(f"ended by itself: {os.read(master, 4096)!r}")
            if time.monotonic() > end:
                proc.kill()
                raise Failed(f"the terminal is not raw {when}")
            time.sleep(0.02)

    def guest(self, code, *args, sig=signal.SIGTERM, keys=None, run=0.3):
        """On a terminal of its own; ended by a signal or by keys."""
        master, slave = os.openpty()
        try:
            before = termios.tcgetattr(slave)
            p = subprocess.Popen([self.doppel, "-kernel", self.kernel(code), "-m", "64M", *args],
                                 stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
            self.is_raw(p, slave, master, "while the guest runs")
            time.sleep(run)
            if p.poll() is not None:
                raise Failed(f"ended by itself: {os.read(master, 4096)!r}")
            if keys:
                os.write(master, keys)
                sig, want = 0, 0
            elif sig == signal.SIGSEGV:
                want = -sig
            else:
                want = 128 + sig
            took = self.end(p, sig, want)
            if termios.tcgetattr(slave) != before:
                raise Failed("the terminal is not as it was")
            return took
        finally:
            os.close(master)
            os.close(slave)

    def suspended(self):
        """Ctrl-Z's signal stops it with the terminal restored; it goes on as before."""
        master, slave = os.openpty()
        try:
            before = termios.tcgetattr(slave)
            p = subprocess.Popen([self.doppel, "-kernel", self.kernel(GUESTS["spin"]), "-serial",
                                  "stdio", "-monitor", "none"], stdin=slave, stdout=slave,
                                 stderr=slave, start_new_session=True)
            self.is_raw(p, slave, master, "while the guest runs")
            p.send_signal(signal.SIGTSTP)
            _, status = os.waitpid(p.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status) or termios.tcgetattr(slave) != before:
                raise Failed("not stopped, or the terminal is not as it was")
            p.send_signal(signal.SIGCONT)
            self.is_raw(p, slave, master, "again")
            return self.end(p, signal.SIGTERM, 128 + signal.SIGTERM)
        finally:
            os.close(master)
            os.close(slave)

    def full_pipe(self):
        """Nobody reads the output."""
        r, w = os.pipe()
        fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 4096)
        try:
            p = subprocess.Popen([self.doppel, "-kernel", self.kernel(GUESTS["print"])],
                                 stdin=subprocess.DEVNULL, stdout=w, start_new_session=True)
            time.sleep(1.5)
            return self.end(p, signal.SIGTERM, 128 + signal.SIGTERM)
        finally:
            os.close(r)
            os.close(w)

    def no_input(self, **how):
        """Without input the guest goes on: the built-in one prints its banner and waits."""
        p = subprocess.Popen([self.doppel], stdout=subprocess.PIPE, start_new_session=True, **how)
        end, said = time.monotonic() + self.limit, b""
        while b"guest> " not in said:
            left = end - time.monotonic()
            if left < 0:
                p.kill()
                raise Failed(f"no prompt but {said!r}")
            if select.select([p.stdout], [], [], left)[0]:
                more = os.read(p.stdout.fileno(), 4096)
                if not more:
                    raise Failed(f"ended by itself with status {p.wait()}")
                said += more
        took = self.end(p, signal.SIGTERM, 128 + signal.SIGTERM)
        return took

    def cases(self):
        for name, code in GUESTS.items():
            yield name, lambda code=code: self.guest(code, "-debugcon", "null")
        for sig in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            yield sig.name, lambda sig=sig: self.guest(GUESTS["spin"], sig=sig)
        if not self.sanitized:  # whose own handler stays
            yield "SIGSEGV", lambda: self.guest(GUESTS["spin"], sig=signal.SIGSEGV)
        yield "Ctrl-A x", lambda: self.guest(GUESTS["spin"], keys=b"\1x")
        yield "quit", lambda: self.guest(GUESTS["print to debugcon"], keys=b"\1cquit\r")
        yield "two processors", lambda: self.guest(GUESTS["read ports"], "-smp", "2")
        yield "at once", lambda: self.guest(GUESTS["spin"], run=0.1)
        yield "suspended", self.suspended
        yield "full pipe", self.full_pipe
        yield "no input", lambda: self.no_input(stdin=subprocess.DEVNULL)
        yield "closed input", lambda: self.no_input(preexec_fn=lambda: os.close(0))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--seconds", type=float, default=20.0)
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, run in Ends(os.path.abspath(a.doppel), a.seconds, folder).cases():
            if a.names and name not in a.names:
                continue
            try:
                print(f"ok    {name}  {run() * 1000:.0f} ms", flush=True)
                passed += 1
            except Failed as e:
                failed += 1
                print(f"FAIL  {name}: {e}", flush=True)
    print(f"ends: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
