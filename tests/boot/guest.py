# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest under test: starts doppel, waits for text on its console, types."""
import os
import re
import select
import signal
import subprocess
import time


class GuestError(Exception):
    pass


# What the sanitizers say.
REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*")


class Guest:
    slow = 1  # factor on every patience, for builds under a sanitizer
    started = []

    def __init__(self, argv, log=None, stdin=subprocess.PIPE, stdout=subprocess.PIPE):
        self.argv = argv
        self.output = ""
        Guest.started.append(self)
        self.seen = 0
        self.log = open(log, "wb") if log else None
        self.start = time.monotonic()
        self.proc = subprocess.Popen(argv, stdin=stdin, stdout=stdout,
                                     stderr=subprocess.STDOUT, start_new_session=True)
        os.set_blocking(self.read_fd(), False)

    def read_fd(self):
        return self.proc.stdout.fileno()

    def read(self, timeout):
        """Takes what is there; False at end of file."""
        fd = self.read_fd()
        if not select.select([fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(fd, 65536)
        except OSError:  # a terminal that nobody has open any more
            data = b""
        if self.log:
            self.log.write(data)
            self.log.flush()
        self.output += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, pattern, timeout):
        """Waits until pattern appears after the last match; returns the match."""
        deadline = time.monotonic() + timeout * self.slow
        alive = True
        while True:
            match = re.compile(pattern).search(self.output, self.seen)
            if match:
                self.seen = match.end()
                return match
            left = deadline - time.monotonic()
            if left <= 0 or not alive:
                tail = self.output[-1500:]
                why = "timed out" if alive else "doppel ended"
                raise GuestError(f"{why} waiting for {pattern!r}; the last output was:\n{tail}")
            alive = self.read(min(left, 0.5))

    def type(self, text):
        # Slowly enough for a guest that polls its UART.
        for chunk in re.findall(r".{1,12}", text, re.S):
            self.proc.stdin.write(chunk.encode())
            self.proc.stdin.flush()
            time.sleep(0.02)

    def command(self, line, timeout=60, prompt=r"# "):
        """Types a shell command and returns its output."""
        at = self.seen
        mark = f"done{at}"
        self.type(f"{line}; echo {mark[:2]}''{mark[2:]}\n")
        match = self.expect(mark, timeout)
        text = self.output[at:match.start()].replace("\r", "")
        self.expect(prompt, timeout)
        return text.split("\n", 1)[1] if "\n" in text else text

    def monitor(self, *lines):
        """Types lines into the monitor of -nographic, and returns to the guest; what it answers."""
        self.type("\1c")
        self.expect(r"\(doppel\) ", 60)
        at = len(self.output)
        for line in lines:
            self.type(line + "\n")
            self.expect(r"\(doppel\) ", 60)
        self.type("\1c")
        return self.output[at:]

    def wait(self, timeout):
        """Waits for doppel to end; returns its exit status."""
        deadline = time.monotonic() + timeout * self.slow
        while self.read(0.2) and time.monotonic() < deadline:
            pass
        try:
            return self.proc.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise GuestError(f"doppel did not end; the last output was:\n{self.output[-1500:]}")

    @classmethod
    def reports(cls):
        """What sanitizers have found in the guests started since the last call."""
        found = [m.group(0) for g in cls.started for m in REPORT.finditer(g.output)]
        cls.started.clear()
        return found

    def seconds(self):
        return time.monotonic() - self.start

    def close(self):
        if self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGKILL)
            self.proc.wait()
        if self.log:
            self.log.close()
