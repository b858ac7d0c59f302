#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""desktop.py --doppel DOPPEL [--logs DIR] [--seconds 10]: Weston in a Debian guest at 1280x800, with a terminal that
scrolls and a client that draws as often as it may, in a window under Xvfb: pictures that the window gets a second, which
must be 20. For a host that does nothing else meanwhile. The system is made by tests/guests/desktop.sh."""
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "boot"))
sys.path.insert(0, HERE)
from display import Suite, options, run_alone  # noqa: E402
from guest import Guest  # noqa: E402
from suite import check, desktop  # noqa: E402

LEAST = 20  # pictures a second
# A terminal's program that writes 25 lines a second.
TALK = ('#!/bin/bash\\nmkfifo /tmp/never; exec 9<>/tmp/never\\n'
        'while :; do echo "line $((i++)) of many"; read -t .04 -u 9; done\\n')


class Desktop(Suite):
    def updates(self, g):
        m = re.search(r"1280x800.* (\d+) updates of (\d+) pixels", g.monitor("info display"))
        check(m, "no output of 1280x800 is looked at")
        return int(m.group(1)), int(m.group(2))

    def weston(self, g):
        """At work, with its clients."""
        g.expect("login: ", 300)
        g.type("root\n")
        g.expect("# ", 60)
        g.command("bind 'set enable-bracketed-paste off'; stty cols 300; export XDG_RUNTIME_DIR=/run/user/0; "
                  f"mkdir -p -m 700 $XDG_RUNTIME_DIR; printf '{TALK}' > /tmp/talk; chmod 755 /tmp/talk")
        g.command("{ weston --backend=drm-backend.so --tty=1 --use-pixman --idle-time=0 "
                  "--log=/tmp/weston.log > /tmp/weston.out 2>&1 & }; i=0; "
                  "while [ ! -e $XDG_RUNTIME_DIR/wayland-1 ] && [ $i -lt 200 ]; do sleep .2; i=$((i+1)); done", 120)
        check("wayland-1" in g.command("ls $XDG_RUNTIME_DIR"), g.command("tail -n 5 /tmp/weston.log"))
        g.command("export WAYLAND_DISPLAY=wayland-1; { weston-terminal --shell=/tmp/talk & weston-simple-shm & } "
                  "> /tmp/clients.out 2>&1")

    def run(self, seconds):
        self.built(["-display", "sdl"])
        self.display()
        folder = desktop()
        g = Guest([self.doppel, "-accel", "jit", "-m", "1G", "-nic", "none", "-vga", "virtio", "-device",
                   "qemu-xhci", "-device", "usb-tablet", "-name", "desktop", "-display", "sdl", "-serial",
                   "mon:stdio", "-kernel", f"{folder}/vmlinuz", "-initrd", f"{folder}/initrd", "-append",
                   "root=/dev/vda console=ttyS0 quiet", "-drive",
                   f"file={folder}/root.img,format=raw,if=virtio,snapshot=on"], self.path("desktop.log"))
        try:
            self.weston(g)
            w = self.window("doppel desktop")
            self.until("the window shows a desktop",
                       lambda: len(set(self.grab(w, "desktop.ppm")[2])) > 200, 60)
            time.sleep(5)
            first = self.grab(w, "desktop.ppm")
            t0, before = time.monotonic(), self.updates(g)
            time.sleep(seconds)
            t1, after = time.monotonic(), self.updates(g)
            rate = (after[0] - before[0]) / (t1 - t0)
            pixels = (after[1] - before[1]) / max(1, after[0] - before[0])
            check(self.grab(w, "desktop2.ppm")[2] != first[2], "the window shows always the same")
            check(rate >= LEAST, f"{rate:.1f} pictures a second, which should be {LEAST}")
            return f"{rate:.1f} pictures a second of {pixels / 1e6:.2f} million pixels each"
        finally:
            g.close()


def main():
    p = options()
    p.add_argument("--seconds", type=float, default=10, help="to count for")
    a = p.parse_args()
    run_alone(Desktop, a, "desktop", a.seconds)


if __name__ == "__main__":
    main()
