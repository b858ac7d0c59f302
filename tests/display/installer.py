#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""installer.py --doppel DOPPEL [--logs DIR]: Debian's graphical installer in a window under Xvfb and by VNC at
once, with a USB tablet: a click by VNC leaves its first screen, a click into the window its second one.

The installer is Debian's package debian-installer-12-netboot-amd64, fetched by apt into the cache."""
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "boot"))
sys.path.insert(0, HERE)
from boot import Skip, check  # noqa: E402
from display import Monitored, Suite, options, run_alone  # noqa: E402
from guest import Guest  # noqa: E402
from rfb import Rfb  # noqa: E402

PACKAGE = "debian-installer-12-netboot-amd64"
FOLDER = "usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64"
CONTINUE = (1218, 776)  # its button on a screen of 1280x800


def fetch():
    """The folder with linux and initrd.gz."""
    cache = os.environ.get("DOPPEL_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "doppel")
    home = os.path.join(cache, "installer")
    folder = os.path.join(home, FOLDER)
    if not os.path.exists(os.path.join(folder, "initrd.gz")):
        os.makedirs(home, exist_ok=True)
        subprocess.run(["apt-get", "download", PACKAGE], cwd=home, capture_output=True, timeout=600)
        debs = [f for f in os.listdir(home) if f.endswith(".deb")]
        if not debs:
            raise Skip(f"{PACKAGE} cannot be fetched")
        subprocess.run(["dpkg", "-x", debs[0], "."], cwd=home, check=True, timeout=300)
        os.unlink(os.path.join(home, debs[0]))
    return folder


class Installer(Suite):
    def click(self, client, x, y):
        for mask in (0, 1, 0):
            client.pointer(x, y, mask)
            time.sleep(0.2)

    def settled(self, client, seconds, unlike=None):
        """The picture once it stands still, and is another one than `unlike`."""
        deadline = time.monotonic() + seconds * Guest.slow
        last = None
        while True:
            now = client.picture()
            still = now == last and (client.width, client.height) == (1280, 800)
            if still and len(set(now)) > 100 and now != unlike:
                return now
            last = now
            check(time.monotonic() < deadline, "the screen that is waited for does not come")
            time.sleep(2)

    def run(self):
        self.built(["-display", "sdl"])
        self.built(["-vnc", ":0"])
        self.display()
        folder = fetch()
        g = Monitored([self.doppel, "-m", "1G", "-kernel", os.path.join(folder, "linux"), "-initrd",
                       os.path.join(folder, "initrd.gz"), "-append", "vga=788 lang=en", "-nic", "none",
                       "-device", "qemu-xhci", "-device", "usb-tablet", "-name", "installer",
                       "-display", "sdl", "-vnc", "127.0.0.1:0,to=99"], self.path("installer.log"))
        try:
            client = Rfb(self.port(g), 60 * Guest.slow)
            language = self.settled(client, 240)
            g.picture(self.path("language.ppm"))
            check(re.search(r"\* Mouse #\d+: .*\(absolute\)", g.ask("info mice")),
                  "the guest does not use the tablet")
            self.click(client, *CONTINUE)
            location = self.settled(client, 90, language)
            g.picture(self.path("location.ppm"))
            w = self.window("doppel installer")
            self.xdotool("windowmove", "--sync", w, "0", "0")
            self.xdotool("windowfocus", "--sync", w)
            self.xdotool("mousemove", "--window", w, *map(str, CONTINUE))
            time.sleep(1)
            before = self.settled(client, 60)
            self.xdotool("click", "1")
            self.settled(client, 90, before)
            keyboard = self.grab(w, "keyboard.ppm")
            check(keyboard[:2] == (1280, 800) and keyboard[2] not in (language, location),
                  "a click into the window does nothing")
        finally:
            g.close()


def main():
    run_alone(Installer, options().parse_args(), "installer")


if __name__ == "__main__":
    main()
