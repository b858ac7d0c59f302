#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What boots by firmware from a CD, and what only the screen shows."""
import os
import pty
import re
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite  # noqa: E402
from guest import Guest  # noqa: E402
from suite import check, fetch  # noqa: E402


class Terminal(Guest):
    """A guest on a terminal of its own, 30 lines of 100 columns."""

    def __init__(self, argv, log=None):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 100))
        super().__init__(argv, log, stdin=slave, stdout=slave)
        os.close(slave)

    def keys(self, text):
        os.write(self.master, text.encode())

    def read_fd(self):
        return self.master

    def text(self):
        """What has been written, without the sequences that place and color it."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", self.output)


class Media(suite.Suite):
    cases = ["memtest", "terminal"]

    def memtest(self):
        """Memtest86+ from its CD: a whole pass without an error, and the picture of that. It waits for
        minutes to see bits fade, which pass faster where an instruction takes 64 ns."""
        png = os.path.join(self.logs, "memtest.png")
        g = self.start("memtest", "-m", "8M", "-icount", "shift=6", "-cdrom", fetch("memtest"), "-boot",
                       "d", "-nographic")
        try:
            g.expect(r"Booting from DVD/CD", 30)
            g.type("\1c")
            deadline = time.monotonic() + 120 * g.slow
            while True:
                time.sleep(1)
                g.type("info screen\n")
                match = g.expect(r"Pass: +(\d+) +Errors: +(\d+)|\(doppel\) $", 20)
                if match.group(1) and int(match.group(1)) > 0:
                    break
                check(time.monotonic() < deadline, "no pass in two minutes")
            check(int(match.group(2)) == 0, f"{match.group(2)} errors")
            g.type(f"screendump {png} -f png\nquit\n")
            check(g.wait(10) == 0, "quit does not give status 0")
            with open(png, "rb") as f:
                head = f.read(24)
            check(head[:8] == b"\x89PNG\r\n\x1a\n" and
                  head[16:24] == (720).to_bytes(4, "big") + (400).to_bytes(4, "big"),
                  "the picture is not what a VGA shows in this mode")
        finally:
            g.close()

    def terminal(self):
        """-display curses: the BIOS's screen in a terminal, whose keys the guest gets."""
        g = Terminal(self.argv("-display", "curses", "-boot", "menu=on,splash-time=20000"),
                     self.path("terminal.log"))
        try:
            g.expect(r"Press.*ESC.*for.*boot.*menu", 30)
            g.keys("\x1b")
            g.expect(r"Select.*boot.*device", 30)
            g.keys("\1c")
            g.expect(r"\(doppel\) ", 10)
            g.keys("info screen\n")
            g.expect(r"Select boot device", 10)
            g.keys("\1c")
            g.expect(r"Select.*boot.*device", 10)  # drawn anew
            g.keys("\1x")
            check(g.wait(10) == 0, "Ctrl-A x does not give status 0")
            check("\x1b[?1049h" in g.output and "\x1b[?1049l" in g.output,
                  "the terminal is not left as it was")
        finally:
            g.close()


if __name__ == "__main__":
    suite.main(Media, __doc__)
