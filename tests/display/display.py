#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""display.py --doppel DOPPEL [CASE...]: windows (SDL, under Xvfb) and VNC, with firmware's screens as guests."""
import argparse
import ctypes
import glob
import gzip
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "boot"))
sys.path.insert(0, HERE)
from suite import Skip, check, fetch  # noqa: E402
from disks import cpio, initrd_with_modules  # noqa: E402
from guest import Guest, GuestError  # noqa: E402
from rfb import Rfb, RfbError, connect  # noqa: E402

ESCAPE = 0xff1b
MENU = ["-boot", "menu=on,splash-time=60000", "-nic", "none"]


def read_ppm(path):
    """Width, height, RGB bytes of a raw PPM."""
    with open(path, "rb") as f:
        data = f.read()
    m = re.match(rb"P6\s+(?:#.*\n)?(\d+)\s+(\d+)\s+255\s", data)
    return int(m.group(1)), int(m.group(2)), data[m.end():]


def differing(a, b):
    """In how many bytes two pictures differ."""
    check(len(a) == len(b), f"pictures of {len(a)} and {len(b)} bytes")
    return sum(x != y for x, y in zip(a, b))


# A cursor that blinks: an underline of a text mode's cell.
BLINKING = 9 * 2 * 3


class Monitored(Guest):
    """A guest whose monitor is on standard input and output."""

    def __init__(self, argv, log):
        super().__init__([*argv, "-serial", "none", "-monitor", "stdio"], log)
        self.expect(r"\(doppel\) ", 60)

    def ask(self, line):
        """What the monitor answers."""
        self.type(line + "\n")
        return self.expect(re.escape(line) + r"\r?\n((?s:.*?))\(doppel\) ", 60).group(1)

    def wait_screen(self, pattern, seconds=30):
        deadline = time.monotonic() + seconds * self.slow
        while not re.search(pattern, self.ask("info screen")):
            check(time.monotonic() < deadline, f"the screen never shows {pattern}")
            time.sleep(0.2)

    def picture(self, path):
        self.ask(f"screendump {path}")
        return read_ppm(path)


# Of Debian's full kernel, in the order in which they depend on each other.
GPU = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "drm",
       "drm_kms_helper", "drm_shmem_helper", "virtio_dma_buf", "virtio-gpu"]
TABLET = ["usb-common", "usbcore", "xhci-hcd", "xhci-pci", "hid", "usbhid", "hid-generic", "evdev"]


class XPointer:
    """What the pointer of an X server looks like."""

    class Image(ctypes.Structure):
        _fields_ = [("x", ctypes.c_short), ("y", ctypes.c_short), ("width", ctypes.c_ushort),
                    ("height", ctypes.c_ushort), ("xhot", ctypes.c_ushort), ("yhot", ctypes.c_ushort),
                    ("serial", ctypes.c_ulong), ("pixels", ctypes.POINTER(ctypes.c_ulong))]

    def __init__(self):
        try:
            self.x11, self.fixes = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXfixes.so.3")
        except OSError as e:
            raise Skip(str(e))
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.fixes.XFixesGetCursorImage.restype = ctypes.POINTER(self.Image)
        self.display = ctypes.c_void_p(self.x11.XOpenDisplay(None))
        first, error = ctypes.c_int(), ctypes.c_int()
        self.fixes.XFixesQueryExtension(self.display, ctypes.byref(first), ctypes.byref(error))

    def pixel(self, x, y):
        """AARRGGBBh at x, y of it, 0 outside of it, and where its hot spot is."""
        image = self.fixes.XFixesGetCursorImage(self.display).contents
        inside = x < image.width and y < image.height
        color = image.pixels[y * image.width + x] & 0xffffffff if inside else 0
        return color, (image.xhot, image.yhot)

    def close(self):
        self.x11.XCloseDisplay(self.display)


class Suite:
    def __init__(self, doppel, logs):
        self.doppel = doppel
        self.logs = logs
        self.xvfb = None
        self.others = []

    def path(self, name):
        return os.path.join(self.logs, name)

    def end(self):
        """What has been started beside guests ends."""
        for other in [*self.others, self.xvfb]:
            if other:
                other.terminate()
                other.wait()

    def start(self, name, *args):
        return Monitored([self.doppel, "-m", "64M", *MENU, *args], self.path(name + ".log"))

    def need(self, *programs):
        for p in programs:
            if not shutil.which(p):
                raise Skip(f"{p} is not here")

    def built(self, what):
        r = subprocess.run([self.doppel, "-vga", "none", *what], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=120)
        if "not in this build" in r.stderr:
            raise Skip(r.stderr.strip())

    def display(self):
        """An X server without a screen."""
        self.need("Xvfb", "xdotool", "xwd", "convert", "openbox", "wmctrl")
        if not self.xvfb:
            r, w = os.pipe()
            self.xvfb = subprocess.Popen(
                ["Xvfb", "-displayfd", str(w), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
                pass_fds=(w,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.close(w)
            with os.fdopen(r) as f:
                os.environ["DISPLAY"] = ":" + f.readline().strip()
            os.environ["SDL_VIDEODRIVER"] = "x11"
            self.others.append(subprocess.Popen(["openbox"], stdout=subprocess.DEVNULL,
                                                stderr=subprocess.DEVNULL))
            # A window that is made while it starts may never be shown.
            self.until("openbox starts", lambda: subprocess.run(
                ["wmctrl", "-m"], capture_output=True).returncode == 0)
            time.sleep(0.3)
        return self.xvfb

    def xdotool(self, *args):
        return subprocess.run(["xdotool", *args], capture_output=True, text=True, timeout=120).stdout

    def window(self, title):
        for _ in range(600):
            found = self.xdotool("search", "--name", title).split()
            if found:
                return found[0]
            time.sleep(0.1)
        raise GuestError(f"there is no window {title}")

    def title(self, window):
        return self.xdotool("getwindowname", window)

    def until(self, what, true, seconds=60):
        deadline = time.monotonic() + seconds * Guest.slow
        while not true():
            check(time.monotonic() < deadline, f"it is not so that {what}")
            time.sleep(0.1)

    def same(self, a, b):
        """Two pictures, but for a cursor that blinks."""
        return a[:2] == b[:2] and differing(a[2], b[2]) <= BLINKING

    def shrunk(self, window):
        """A window's picture, every other dot of it."""
        w, h, rgb = self.grab(window, "sdl2.ppm")
        rows = (rgb[y * w * 3:(y + 1) * w * 3] for y in range(0, h, 2))
        return w // 2, h // 2, b"".join(row[x:x + 3] for row in rows for x in range(0, w * 3, 6))

    def grab(self, window, name):
        """The window's picture as xwd sees it."""
        xwd = subprocess.run(["xwd", "-silent", "-id", window], capture_output=True, timeout=120).stdout
        subprocess.run(["convert", "xwd:-", "-type", "TrueColor", "-depth", "8", "ppm:" + self.path(name)], input=xwd, check=True, timeout=120)
        return read_ppm(self.path(name))

    def pixel(self, window, x, y):
        width, _, rgb = self.grab(window, "pixel.ppm")
        return tuple(rgb[(y * width + x) * 3:][:3])

    # ---- windows ----

    def sdl(self):
        """A window shows what the guest shows, and gives it keys; its title tells the guest's state."""
        self.built(["-display", "sdl"])
        self.display()
        g = self.start("sdl", "-display", "sdl,gl=off", "-name", "win")
        try:
            w = self.window("doppel win")
            g.wait_screen("ESC for boot menu")
            self.xdotool("windowfocus", "--sync", w)
            self.xdotool("key", "Escape")
            g.wait_screen("Select boot device")
            self.until("the window shows what the guest shows", lambda: self.same(
                self.grab(w, "sdl.ppm"), g.picture(self.path("sdl.dump.ppm"))))
            check(len(set(self.grab(w, "sdl.ppm")[2])) > 1, "the window is empty")
            g.ask("stop")
            self.until("the title tells of stop", lambda: "[Stopped]" in self.title(w))
            g.ask("cont")
            self.until("the title tells of cont", lambda: "[Stopped]" not in self.title(w))
            # The mouse is the guest's after a click, until the keys that give it back.
            self.xdotool("mousemove", "--window", w, "100", "100", "click", "1")
            self.until("a click takes the mouse", lambda: "Ctrl-Alt-G" in self.title(w))
            self.xdotool("key", "ctrl+alt+g")
            self.until("Ctrl-Alt-G gives it back", lambda: "Ctrl-Alt-G" not in self.title(w))
            self.xdotool("windowsize", "--sync", w, "1440", "800")
            self.until("twice the size are four dots for one", lambda: self.same(
                self.shrunk(w), g.picture(self.path("sdl.dump.ppm"))))
            self.xdotool("key", "ctrl+alt+u")
            self.until("Ctrl-Alt-U undoes it", lambda: self.grab(w, "sdl.ppm")[:2] == (720, 400))
            self.xdotool("key", "ctrl+alt+f")
            self.until("Ctrl-Alt-F is the whole screen",
                       lambda: self.grab(w, "sdl.ppm")[:2] == (1600, 1200))
            self.xdotool("key", "ctrl+alt+f")
            self.until("again undoes it", lambda: self.grab(w, "sdl.ppm")[:2] == (720, 400))
            subprocess.run(["wmctrl", "-i", "-c", w], timeout=10)
            check(g.wait(10) == 0, "its close button does not end it with status 0")
        finally:
            g.close()

    def sdl_stays(self):
        """window-close=off: the window's button does nothing."""
        self.built(["-display", "sdl"])
        self.display()
        g = self.start("sdl_stays", "-display", "sdl,window-close=off")
        try:
            w = self.window("doppel")
            subprocess.run(["wmctrl", "-i", "-c", w], timeout=10)
            time.sleep(0.5)
            g.type("quit\n")
            check(g.wait(10) == 0, "quit does not give status 0")
        finally:
            g.close()

    def sdl_quiet(self):
        """A window whose guest changes nothing costs next to nothing: the cursor's blinking alone."""
        self.built(["-display", "sdl"])
        self.display()
        g = self.start("sdl_quiet", "-display", "sdl")
        try:
            g.wait_screen("ESC for boot menu")
            self.quiet(g)
        finally:
            g.close()

    def quiet(self, g):
        def counted():
            m = re.search(r"(\d+) looks, (\d+) updates of (\d+) pixels", g.ask("info display"))
            return [int(n) for n in m.groups()]

        time.sleep(1)
        before = counted()
        time.sleep(2)
        looks, updates, pixels = (b - a for a, b in zip(before, counted()))
        check(looks <= 70, f"{looks} looks at a screen that stands still, in 2 s")
        check(updates <= 10 and pixels <= updates * 720 * 16,
              f"{updates} updates of {pixels} pixels in 2 s of a screen that stands still")

    def type_line(self, text):
        """Into the window that has the focus."""
        self.xdotool("type", "--delay", "40", text)
        self.xdotool("key", "Return")

    def sdl_consoles(self):
        """The monitor and a serial port in consoles of the window, beside the guest's screen."""
        self.built(["-display", "sdl"])
        self.display()
        initrd, dump = fetch("initrd"), self.path("consoles.ppm")
        g = Guest([self.doppel, "-m", "256M", "-nic", "none", "-display", "sdl", "-name", "con", "-monitor", "vc",
                   "-serial", "vc", "-kernel", fetch("kernel"), "-initrd", initrd, "-append",
                   "console=ttyS0 quiet"], self.path("sdl_consoles.log"))

        def shown():
            return self.grab(w, "console.ppm")

        try:
            w = self.window("doppel con")
            self.xdotool("windowfocus", "--sync", w)
            self.until("there is the guest's screen", lambda: "screen 1" in self.title(w))
            self.xdotool("key", "ctrl+alt+2")
            self.until("Ctrl-Alt-2 is the monitor",
                       lambda: "monitor" in self.title(w) and shown()[:2] == (640, 400))
            empty = shown()[2]
            self.type_line("info status")
            self.until("it shows what is typed and answered", lambda: differing(shown()[2], empty) > 300)
            self.type_line(f"screendump {dump}")
            self.until("the monitor does it", lambda: os.path.exists(dump))
            self.xdotool("key", "ctrl+alt+1")
            self.until("Ctrl-Alt-1 is the guest's again", lambda: "screen 1" in self.title(w))
            self.xdotool("key", "ctrl+alt+3")
            self.until("Ctrl-Alt-3 is the serial port", lambda: "serial0" in self.title(w))
            # The shell's prompt, and its answer.
            self.until("the guest writes there", lambda: any(shown()[2]), 120)
            for _ in range(60):
                self.type_line("poweroff -f")
                try:
                    check(g.wait(2) == 0, "power-off does not give status 0")
                    break
                except GuestError as e:
                    if "did not end" not in str(e):
                        raise
            else:
                check(False, "the guest does not hear what is typed")
        finally:
            g.close()

    # ---- a guest with the driver of the virtio GPU ----

    def start_gpu(self, name, *args):
        """At its prompt, the driver's console on its screen, /pointer there."""
        initrd, program = self.path("gpu.initrd"), self.path("pointer")
        if not os.path.exists(initrd):
            subprocess.run(["gcc", "-O1", "-static", "-o", program, os.path.join(HERE, "pointer.c")],
                           check=True, timeout=60)
            initrd_with_modules(initrd, GPU + TABLET, full=True)
            with open(program, "rb") as f:
                more = cpio({"pointer": (0o100755, f.read())})
            with open(initrd, "ab") as f:
                f.write(gzip.compress(more, 1))
        kernel = glob.glob(fetch("fullkernel") + "/boot/vmlinuz-*")[0]
        g = Guest([self.doppel, "-m", "256M", "-nic", "none", "-serial", "mon:stdio", "-kernel", kernel,
                   "-initrd", initrd, "-append", "console=tty0 console=ttyS0 quiet", *args],
                  self.path(name + ".log"))
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 300; dmesg -n 1")
            self.load(g, f"/m/0[0-{len(GPU) - 1}]*")
            g.command("while [ ! -e /dev/fb0 ]; do sleep .1; done; echo 0 > /sys/class/graphics/fbcon/cursor_blink")
        except GuestError:
            g.close()
            raise
        return g

    def load(self, g, modules):
        check("insmod: " not in g.command(f"for m in {modules}; do insmod $m; done", 120),
              "a module does not load")

    def mode(self, g):
        """What the guest's driver takes for the size of its monitor."""
        return g.command("head -n 1 /sys/class/drm/card0-Virtual-1/modes").strip()

    def dump(self, g, name="gpu.dump.ppm"):
        path = self.path(name)
        g.monitor(f"screendump {path}")
        return read_ppm(path)

    def gpu_resize(self):
        """The guest's mode follows the window, and what a VNC client asks for."""
        self.built(["-display", "sdl"])
        self.built(["-vnc", ":0"])
        self.display()
        g = self.start_gpu("gpu_resize", "-vga", "virtio", "-display", "sdl", "-vnc", "127.0.0.1:0,to=99",
                           "-name", "gpu")
        try:
            w = self.window("doppel gpu")
            self.until("the window has the size that the GPU's monitor prefers",
                       lambda: self.grab(w, "gpu.ppm")[:2] == (1280, 800))
            check(self.mode(g) == "1280x800", f"the guest's mode is {self.mode(g)}")
            self.xdotool("windowsize", "--sync", w, "1000", "700")
            self.until("the guest follows the window", lambda: self.mode(g) == "1000x700")
            self.until("its picture has that size", lambda: self.dump(g)[:2] == (1000, 700))
            g.command("clear > /dev/tty0; echo hello from the guest > /dev/tty0")
            self.until("the window shows it", lambda: self.grab(w, "gpu.ppm") == self.dump(g))
            check(len(set(self.grab(w, "gpu.ppm")[2])) > 1, "the window is empty")
            client = Rfb(self.port(g), 60 * Guest.slow)
            check((client.width, client.height) == (1000, 700), "VNC has another size")
            client.picture()
            client.ask_size(900, 600)
            self.until("the guest follows the client", lambda: self.mode(g) == "900x600")
            self.until("so does its picture", lambda: self.dump(g)[:2] == (900, 600))
            self.until("the client has that size",
                       lambda: client.picture() and (client.width, client.height) == (900, 600))
            self.until("and the window", lambda: self.grab(w, "gpu.ppm")[:2] == (900, 600))
            self.until("the client sees what the guest shows",
                       lambda: client.picture() == self.dump(g)[2])
            client.close()
        finally:
            g.close()

    def gpu_cursor(self):
        """The GPU's pointer: drawn where the guest has it, or the host's with its looks; and in VNC."""
        self.built(["-display", "sdl"])
        self.built(["-vnc", ":0"])
        self.display()
        g = self.start_gpu("gpu_cursor", "-vga", "virtio", "-display", "sdl", "-vnc", "127.0.0.1:0,to=99",
                           "-name", "gpu", "-device", "qemu-xhci", "-device", "usb-tablet")
        host = XPointer()
        try:
            w = self.window("doppel gpu")
            self.until("the window has the driver's size",
                       lambda: self.grab(w, "gpu.ppm")[:2] == (1280, 800))
            self.xdotool("windowmove", "--sync", w, "0", "0", "windowfocus", "--sync", w,
                         "mousemove", "--window", w, "400", "300")
            g.command("clear > /dev/tty0; { /pointer 600 500 & }")

            def at(x, y):
                return self.pixel(w, x, y)

            # The mouse is a PS/2 one as yet.
            self.until("the pointer is drawn", lambda: at(610, 510) == (255, 0, 0))
            check(at(653, 510) == (0, 255, 0) and at(599, 510) == (0, 0, 0) and at(664, 510) == (0, 0, 0),
                  "the pointer is somewhere else")
            check(at(610, 550)[0] in (127, 128), f"half transparent is {at(610, 550)}")
            check(not any(self.dump(g)[2][(510 * 1280 + 600) * 3:][:192]), "it is in the picture itself")
            client = Rfb(self.port(g), 60 * Guest.slow, cursor=True)
            client.picture()
            check(client.cursor, "a client is told of no pointer")
            width, height, x, y, pixels, mask = client.cursor
            check((width, height, x, y) == (64, 64, 5, 7), f"it is {client.cursor[:4]}")
            check(pixels[:3] == b"\0\0\xff" and pixels[60 * 4:][:3] == b"\0\xff\0" and mask[0] == 0xff,
                  "it looks different")
            client.close()
            g.command("killall pointer; { /pointer 30 40 & }")
            self.until("it moves", lambda: at(40, 50) == (255, 0, 0) and at(610, 510) == (0, 0, 0))
            check(host.pixel(8, 9)[0] != 0xffff0000, "it is the host's pointer, too")
            # With the tablet's driver, the guest's pointer is where the host's is.
            self.load(g, "/m/1*")
            g.command("while [ ! -e /dev/input/event1 ]; do sleep .1; done; { cat /dev/input/event1 > /dev/null & }")
            self.until("the host's pointer has its looks", lambda: host.pixel(8, 9) == (0xffff0000, (5, 7)))
            check(host.pixel(40, 9)[0] == 0xff00ff00 and host.pixel(8, 40)[0] == 0x7f7f0000,
                  "the host's pointer looks different")
            self.until("it is not drawn any more", lambda: at(40, 50) == (0, 0, 0))
            g.command("killall pointer")
            self.until("it goes", lambda: host.pixel(8, 9)[0] != 0xffff0000)
        finally:
            host.close()
            g.close()

    def gpu_outputs(self):
        """A second output is connected when it is looked at; a saved machine shows what it did."""
        self.built(["-display", "sdl"])
        self.display()
        args = ["-vga", "virtio", "-device", "virtio-gpu-pci,max_outputs=2", "-name", "gpu"]
        g = self.start_gpu("gpu_outputs", *args, "-display", "sdl")

        def status():
            return g.command("cat /sys/class/drm/card1-Virtual-[23]/status").split()

        try:
            w = self.window("doppel gpu")
            self.xdotool("windowfocus", "--sync", w)
            check(status() == ["connected", "disconnected"], f"outputs are {status()}")
            self.xdotool("key", "ctrl+alt+3")
            self.until("Ctrl-Alt-3 is the third screen", lambda: "screen 3" in self.title(w))
            self.until("the guest sees a monitor there", lambda: status() == ["connected"] * 2)
            g.command("clear > /dev/tty0; echo what is saved > /dev/tty0; { /pointer 600 500 & }")
            self.xdotool("key", "ctrl+alt+1")
            self.until("the first shows the guest's console",
                       lambda: "screen 1" in self.title(w) and any(self.grab(w, "gpu.ppm")[2]))
            time.sleep(1)
            state, before = self.path("gpu.state"), self.dump(g)
            check("rror" not in g.monitor("stop", f"savevm file:{state}"), "it cannot be saved")
        finally:
            g.close()
        h = Guest([*g.argv, "-loadvm", f"file:{state}"], self.path("gpu_loaded.log"))
        try:
            w = self.window("doppel gpu")
            self.until("what was saved is shown again", lambda: self.dump(h) == before)
            h.monitor("cont")
            h.type("\n")
            h.expect(r"/ # ", 240)
            h.command("echo and more > /dev/tty0")
            self.until("the driver goes on", lambda: self.dump(h)[2] != before[2])
            self.until("its pointer is there", lambda: self.pixel(w, 610, 510) == (255, 0, 0))
        finally:
            h.close()

    # ---- VNC ----

    def port(self, g):
        text = g.ask("info vnc") if isinstance(g, Monitored) else g.monitor("info vnc")
        return int(re.search(r"port (\d+)", text).group(1))

    def vnc(self):
        """Pictures, keys, a change of size, several clients."""
        self.built(["-vnc", ":0"])
        g = self.start("vnc", "-vnc", "127.0.0.1:0,to=99", "-name", "far")
        try:
            port = self.port(g)
            g.wait_screen("ESC for boot menu")
            a, b = Rfb(port), Rfb(port)
            check(a.name == "doppel far", f"the desktop is {a.name}")
            check((a.width, a.height) == (720, 400), f"it has {a.width}x{a.height} dots")
            a.key(ESCAPE)
            g.wait_screen("Select boot device")
            time.sleep(0.3)
            want = g.picture(self.path("vnc.dump.ppm"))[2]
            for client in (a, b):
                check(differing(client.picture(), want) <= BLINKING, "a client sees something else")
            check("2 clients" in g.ask("info vnc"), "there are not two clients")
            self.quiet(g)
            b.close()
            # Only what has changed is sent: the cursor.
            a.request(1)
            a.receive()
            a.close()
            time.sleep(0.3)
            check("0 clients" in g.ask("info vnc"), "clients that have gone are still there")
            check("not watched" in g.ask("info display"), "the screen is looked at for nobody")
            if shutil.which("vncsnapshot"):
                subprocess.run(["vncsnapshot", "-quiet", "-quality", "100", f"127.0.0.1:{port - 5900}",
                                self.path("vnc.jpg")], check=True, timeout=30, stdin=subprocess.DEVNULL)
            g.type("quit\n")
            check(g.wait(20) == 0, "quit does not give status 0")
        finally:
            g.close()

    def vnc_unix(self):
        """On a unix socket, which is removed at the end."""
        self.built(["-vnc", ":0"])
        path = self.path("vnc.sock")
        g = self.start("vnc_unix", "-display", f"vnc=unix:{path}")
        try:
            check("unix socket" in g.ask("info vnc"), "info vnc does not tell of it")
            client = Rfb(path)
            client.picture()
            g.type("quit\n")  # with a client there
            check(g.wait(20) == 0, "quit does not give status 0")
            check(not os.path.exists(path), "the socket stays")
        finally:
            g.close()

    def vnc_silent(self):
        """Clients that say a part of something, and then nothing: others are served at once, and nothing spins."""
        self.built(["-vnc", ":0"])
        path = self.path("silent.sock")
        g = self.start("vnc_silent", "-display", f"vnc=unix:{path}")
        silent = []

        def ticks():
            with open(f"/proc/{g.proc.pid}/stat") as f:
                return sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:13])

        try:
            check("unix socket" in g.ask("info vnc"), "info vnc does not tell of it")
            for said in (b"", b"\x16", b"GE", b"GET ", b"RFB 003", b"RFB 003.008\n\1"):
                silent.append(connect(path))
                silent[-1].sendall(said)
                client = Rfb(path)
                client.picture()
                client.close()
            g.ask("stop")
            before = ticks()
            time.sleep(2)
            check(ticks() - before < os.sysconf("SC_CLK_TCK"), "clients that wait keep a processor busy")
            g.type("quit\n")
            check(g.wait(20) == 0, "quit does not give status 0")
        finally:
            for s in silent:
                s.close()
            g.close()

    def vnc_password(self):
        """With password=on nobody comes in until there is one, and then who knows it."""
        self.built(["-vnc", ":0"])
        self.need("vncsnapshot", "tigervncpasswd")
        g = self.start("vnc_password", "-vnc", "127.0.0.1:0,to=99,password=on")

        def snapshot(password, port):
            with open(self.path("passwd"), "wb") as f:
                f.write(subprocess.run(["tigervncpasswd", "-f"], input=password.encode() + b"\n",
                                       capture_output=True).stdout)
            out = self.path("password.jpg")
            if os.path.exists(out):
                os.unlink(out)
            subprocess.run(["vncsnapshot", "-quiet", "-passwd", self.path("passwd"),
                            f"127.0.0.1:{port - 5900}", out], timeout=30, stdin=subprocess.DEVNULL,
                           capture_output=True)
            return os.path.exists(out)

        try:
            port = self.port(g)
            try:
                Rfb(port)
                check(False, "a client needs no password")
            except RfbError:
                pass
            check(not snapshot("secret", port), "a client comes in before there is a password")
            check(g.ask("set_password vnc secret").strip() == "", "set_password complains")
            check(snapshot("secret", port), "the password does not open")
            check(not snapshot("Secret", port), "another password opens")
            g.ask("change vnc password other")
            check(snapshot("other", port), "the changed password does not open")
        finally:
            g.close()

    def vnc_hostile(self, seconds=8):
        """Garbage at every stage of the protocol, from many at once: others and the guest go on."""
        self.built(["-vnc", ":0"])
        g = self.start("vnc_hostile", "-vnc", "127.0.0.1:0,to=99")
        rnd = random.Random(1)
        stages = [b"", b"\x16", b"GET ", b"GET / HTTP/1.1\r\n", b"RFB 003.008\n", b"RFB 003.008\n\1\1", b"RFB 003.003\n\1"]
        messages = [(0, 19), (2, 3), (3, 9), (4, 7), (5, 5), (6, 7), (7, 4), (8, 3), (10, 3), (11, 10),
                    (150, 9), (151, 7), (251, 7), (252, 3), (253, 5), (255, 11)]
        stalled = []
        try:
            port = self.port(g)
            end = time.monotonic() + seconds
            count = 0
            while time.monotonic() < end:
                count += 1
                try:
                    s = connect(port, 2)
                    if rnd.random() < 0.8:
                        s.recv(12)  # the greeting
                    s.sendall(rnd.choice(stages))
                    for _ in range(rnd.randrange(40)):
                        kind, length = rnd.choice(messages)
                        known = rnd.random() < 0.8
                        s.sendall(bytes([kind if known else rnd.randrange(256)]) +
                                  rnd.randbytes(length if known else rnd.randrange(64)))
                    if rnd.random() < 0.1 and len(stalled) < 8:
                        stalled.append(s)  # neither sends nor takes anything
                    else:
                        s.close()
                except OSError:
                    pass
            check(count > 10, f"only {count} connections")
            client = Rfb(port, 60 * Guest.slow)  # behind those that wait, 0.1 s each
            client.picture()
            client.close()
            g.wait_screen("ESC for boot menu|Booting|Boot failed|bootable|Select")
            g.type("quit\n")
            check(g.wait(30) == 0, "quit does not give status 0")
        finally:
            for s in stalled:
                s.close()
            g.close()


CASES = ["sdl", "sdl_stays", "sdl_quiet", "sdl_consoles", "gpu_resize", "gpu_cursor", "gpu_outputs", "vnc", "vnc_unix", "vnc_silent",
         "vnc_password", "vnc_hostile"]


def options():
    """What every test with a window is told."""
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--logs")
    p.add_argument("--slow", type=float, default=1, help="factor on all timeouts")
    return p


def open_suite(kind, a, name):
    """A suite of that kind, for the arguments a."""
    logs = a.logs or tempfile.mkdtemp(prefix=f"doppel-{name}-")
    os.makedirs(logs, exist_ok=True)
    Guest.slow = a.slow
    return kind(a.doppel, logs)


def run_alone(kind, a, name, *args):
    """The run() of a suite that is one case of its own."""
    suite = open_suite(kind, a, name)
    t0 = time.monotonic()
    status = 0
    try:
        note = suite.run(*args)
        print(f"ok    {name}  {time.monotonic() - t0:.1f} s{': ' + note if note else ''} (pictures in {suite.logs})")
    except Skip as e:
        print(f"skip  {name}: {e}")
    except (GuestError, RfbError, OSError, subprocess.SubprocessError) as e:
        print(f"FAIL  {name}: {e}\n      (logs in {suite.logs})")
        status = 1
    suite.end()
    sys.exit(status)


def main():
    p = options()
    p.add_argument("--seconds", type=float, default=8, help="of garbage")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    suite = open_suite(Suite, a, "display")
    passed = failed = skipped = 0
    for name in a.names or CASES:
        t0 = time.monotonic()
        try:
            if name == "vnc_hostile":
                suite.vnc_hostile(a.seconds)
            else:
                getattr(suite, name)()
            found = Guest.reports()
            check(not found, "\n".join(found[:10]))
            passed += 1
            print(f"ok    {name}  {time.monotonic() - t0:.1f} s", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {name}: {e}", flush=True)
        except (GuestError, RfbError, OSError, AssertionError, subprocess.SubprocessError) as e:
            failed += 1
            print(f"FAIL  {name}: {e}\n      (logs in {suite.logs})", flush=True)
    suite.end()
    if not failed and not a.logs:
        shutil.rmtree(suite.logs, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
