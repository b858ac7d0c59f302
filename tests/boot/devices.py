#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that Debian's full kernel has drivers for, used by it: USB, network cards; and iPXE."""
import glob
import hashlib
import http.server
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite  # noqa: E402
from disks import MIB, initrd_with_modules, sha  # noqa: E402
from guest import GuestError  # noqa: E402
from suite import check, check_log, fetch  # noqa: E402

# In the order in which they depend on each other.
USB = ["usb-common", "usbcore", "xhci-hcd", "xhci-pci", "uhci-hcd", "hid", "usbhid", "hid-generic", "evdev",
       "scsi_common", "scsi_mod", "crct10dif_common", "crct10dif_generic", "crc-t10dif", "crc64",
       "crc64_rocksoft_generic", "crc64-rocksoft", "t10-pi", "sd_mod", "usb-storage"]

DISKS = ["scsi_common", "scsi_mod", "libata", "ata_piix", "ata_generic", "cdrom", "sr_mod", "floppy",
         "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"]

PCI = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
       "crct10dif_common", "crct10dif_generic", "crc-t10dif", "crc64", "crc64_rocksoft_generic",
       "crc64-rocksoft", "t10-pi", "nvme-core", "nvme", "e1000"]
# In the guest's shell.
WAIT = "i=0; while ! %s && [ $i -lt 300 ]; do sleep .1; i=$((i+1)); done"


class Server(http.server.ThreadingHTTPServer):
    """Gives `data`, and says the checksum of what it is given."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer(self.server.data)

        def do_POST(self):
            got = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(hashlib.sha256(got).hexdigest().encode())

        def log_message(self, *args):
            pass

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.data = data
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Devices(suite.Suite):
    cases = ["usb", "media", "uhci", "hotplug", "hotplug_pci", "e1000", "rtl8139", "tulip", "tulip_21140", "ipxe", "ipxe_rtl8139", "pxelinux"]
    quick = ["usb", "media", "hotplug", "hotplug_pci", "e1000", "rtl8139", "tulip_21140", "ipxe_rtl8139"]

    def boot(self, name, modules, *args):
        """A guest at its prompt, with the modules loaded."""
        kernel = glob.glob(fetch("fullkernel") + "/boot/vmlinuz-*")[0]
        initrd = self.path(name + ".initrd")
        initrd_with_modules(initrd, modules, full=True)
        g = self.start(name, "-m", "256M", "-nographic", "-kernel", kernel, "-initrd", initrd,
                       "-append", "console=ttyS0 quiet", *args)
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 300; dmesg -n 1")
            check("insmod" not in g.command("for m in /m/*; do insmod $m; done", 120),
                  "a module does not load")
        except GuestError:
            g.close()
            raise
        return g

    def monitor(self, g, *lines):
        g.type("\1c")
        g.expect(r"\(doppel\) ", 10)
        at = len(g.output)
        for line in lines:
            g.type(line + "\n")
            g.expect(r"\(doppel\) ", 60)
        g.type("\1c")
        return g.output[at:]

    def events(self, g, device, *lines):
        """What monitor commands bring about at an input device: (type, code, value)."""
        found = g.command(f"grep -A5 'Name=.*{device}' /proc/bus/input/devices | grep Handlers")
        node = [w for w in found.split() if w.startswith("event")]
        check(node, f"no input device {device}")
        g.command(f"cat /dev/input/{node[0]} > /tmp/events & sleep .3")
        self.monitor(g, *lines)
        g.type("\n")
        g.expect("# ", 20)
        hexdump = g.command("sleep .3; kill %1; od -An -v -tx1 /tmp/events")
        raw = bytes(int(b, 16) for b in hexdump.split() if len(b) == 2)
        return [struct.unpack("<16xHHi", raw[i:i + 24]) for i in range(0, len(raw) // 24 * 24, 24)]

    def media(self):
        """Media that the monitor changes and takes, sizes, limits and commit, as a guest meets them."""
        for name in "one", "two", "base":
            with open(self.path(name), "wb") as f:
                f.write(name.encode().ljust(1440 << 10, b"."))
        top = self.path("top.qcow2")
        subprocess.run([self.a.doppel, "img", "create", "-q", "-f", "qcow2", "-b", self.path("base"),
                        "-F", "raw", top, "4M"], check=True)
        g = self.boot("media", DISKS, "-cdrom", self.path("one"), "-drive",
                      f"file={self.path('one')},format=raw,if=floppy,read-only=on", "-drive",
                      f"file={top},if=virtio,id=disk,detect-zeroes=on,throttling.iops-total=9999,"
                      "throttling.group=both")

        def head(node):
            return g.command(f"dd if=/dev/{node} bs=3 count=1 2>/dev/null; echo").split()

        try:
            check(head("sr0") == ["one"] and head("fd0") == ["one"], "the media are not there")
            said = self.monitor(g, f"change ide1-cd0 {self.path('nothing')}",
                                f"change ide1-cd0 {self.path('two')} raw",
                                f"change floppy0 {self.path('two')} raw", "info block")
            check("cannot open" in said, f"a file that is none: {said}")
            check("tray closed" in said and "iops=9999" in said and "group=both" in said and
                  "Detect zeroes:    on" in said and
                  "chain depth: 1" in said, f"info block: {said}")
            g.type("\n")
            g.expect("# ", 20)
            check(head("sr0") == ["two"], f"another CD: {head('sr0')}")
            check(head("fd0") == ["two"], f"another floppy: {head('fd0')}")
            # The guest holds a CD that is open.
            g.command("sleep 1000 < /dev/sr0 & while ! readlink /proc/$!/fd/0 | grep -q sr0; do sleep .1; done")
            said = self.monitor(g, "eject ide1-cd0", "info block ide1-cd0")
            check("is locked" in said and "Removable device: locked" in said, f"eject: {said}")
            said = self.monitor(g, "eject -f ide1-cd0", "info block ide1-cd0", "eject disk")
            check("[not inserted]" in said and "tray open" in said, f"eject -f: {said}")
            check("'disk' is not removable" in said, f"eject of a disk: {said}")
            g.type("\n")
            g.expect("# ", 20)
            check(head("sr0") == [], "a CD is there that was taken")
            # A disk grows, gets other limits, and is committed.
            g.command("echo new | dd of=/dev/vda bs=512 seek=1 conv=sync; sync")
            self.monitor(g, "block_resize disk 8M", "block_set_io_throttle disk 0 0 0 0 50 0",
                         "commit disk")
            g.type("\n")
            g.expect("# ", 20)
            check(g.command("cat /sys/block/vda/size").split() == ["16384"], "the new size")
            with open(self.path("base"), "rb") as f:
                check(f.read(516)[512:] == b"new\n", "commit has not written the backing file")
            check(self.monitor(g, "info block disk").count("iops_rd=50 ") == 1, "the limit")
            g.type("\n")
            g.expect("# ", 20)
            check(g.command("dd if=/dev/vda bs=4k iflag=direct count=20 2>/dev/null | wc -c").split() ==
                  ["81920"], "reads with a limit")
        finally:
            g.close()

    def usb(self, name="usb", *controller):
        """Keyboard, tablet, mouse and a disk behind xHCI; the disk also after loadvm."""
        raw = self.path(name + ".raw")
        with open(raw, "wb") as f:
            f.write(os.urandom(2 * MIB) + bytes(6 * MIB))
        disk = self.path(name + ".qcow2")
        subprocess.run([self.a.doppel, "img", "convert", "-O", "qcow2", raw, disk], check=True)
        g = self.boot(name, USB, "-drive", f"file={disk},if=none,id=d",
                      *(controller or ["-device", "qemu-xhci"]), "-device", "usb-storage,drive=d", "-device", "usb-kbd", "-device", "usb-mouse",
                      "-device", "usb-tablet")
        try:
            g.command("i=0; while [ ! -e /dev/sda ] && [ $i -lt 100 ]; do sleep .1; i=$((i+1)); "
                      "done", 60)
            before = sha(raw)
            got = g.command("sha256sum /dev/sda").split()
            check(got[:1] == [before], f"the disk is read differently: {got}")
            self.monitor(g, "savevm a")
            g.type("\n")
            g.expect("# ", 20)
            with open(raw, "r+b") as f:
                data = f.read(2 * MIB)
                f.seek(4 * MIB)
                f.write(data)
            got = g.command("dd if=/dev/sda of=/dev/sda bs=64k count=32 seek=64 conv=fsync "
                            "2>/dev/null; echo 3 > /proc/sys/vm/drop_caches; "
                            "sha256sum /dev/sda", 120).split()
            check(got[:1] == [sha(raw)], f"the disk is written differently: {got}")
            ev = self.events(g, "USB Keyboard", "sendkey x")
            check((1, 45, 1) in ev and (1, 45, 0) in ev, f"the keyboard gives {ev}")
            ev = self.events(g, "USB Mouse", "mouse_move 10 -200", "mouse_button 1",
                             "mouse_button 0")
            moved = [sum(v for t, c, v in ev if (t, c) == (2, axis)) for axis in (0, 1)]
            check((1, 0x110, 1) in ev and (1, 0x110, 0) in ev and moved == [10, -200],
                  f"the mouse gives {ev}")
            check_log(g.command("dmesg"))
            self.monitor(g, "loadvm a")
            g.type("\n")
            g.expect("# ", 60)
            got = g.command("echo 3 > /proc/sys/vm/drop_caches; sha256sum /dev/sda", 120).split()
            check(got[:1] == [before], f"the disk is read differently after loadvm: {got}")
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def uhci(self):
        """The same behind the two ports of the board's UHCI, one of which a hub is at."""
        self.usb("uhci", "-usb", "-device", "usb-hub")

    def hotplug(self):
        """Keyboards and a disk plugged in and out of xHCI, UHCI and a hub while the guest runs."""
        raw = self.path("plug.raw")
        with open(raw, "wb") as f:
            f.write(os.urandom(MIB))
        g = self.boot("hotplug", USB, "-drive", f"file={raw},if=none,id=d,format=raw", "-usb",
                      "-device", "qemu-xhci,id=x")

        def wait(test, what):
            check("yes" in g.command(f"i=0; while ! {test} && [ $i -lt 300 ]; do sleep .1; "
                                     f"i=$((i+1)); done; {test} && echo y''es", 60),
                  f"{what}: " + g.command("dmesg | tail -n 20; grep Name /proc/bus/input/devices"))

        def keyboards(n):
            wait(f"[ $(grep -c 'QEMU USB Keyboard' /proc/bus/input/devices) = {n} ]",
                 f"there are not {n} keyboards")

        def tell(*lines):
            said = self.monitor(g, *lines)
            g.type("\n")
            g.expect("# ", 20)
            return said

        try:
            for bus, port in ("x.0", "1"), ("usb-bus.0", "1.4"):
                if "." in port:
                    tell(f"device_add usb-hub,id=h,bus={bus},port={port[0]}")
                said = tell(f"device_add usb-kbd,id=k,bus={bus},port={port}", "info usb")
                check(f"Port {port}, Speed" in said and "USB Keyboard, ID: k" in said, said)
                keyboards(1)
                ev = self.events(g, "USB Keyboard", "sendkey x")
                check((1, 45, 1) in ev and (1, 45, 0) in ev, f"the keyboard gives {ev}")
                said = tell("device_add usb-storage,drive=d,id=s" +
                            (f",bus={bus},port={port[0]}.2" if "." in port else f",bus={bus}"))
                wait("[ -e /dev/sda ]", "there is no disk")
                got = g.command("sha256sum /dev/sda", 120).split()
                check(got[:1] == [sha(raw)], f"the disk is read differently: {got}")
                if "." in port: # the hub, with all that is there
                    tell("device_del h")
                else:
                    tell("device_del k", "device_del s")
                keyboards(0)
                wait("[ ! -e /dev/sda ]", "the disk is still there")
                said = tell("info usb", "device_del k", "device_del x", "device_add e1000,bus=pci.0")
                check("ID: " not in said and "no device with id=k" in said and
                      "qemu-xhci cannot be unplugged" in said and
                      "e1000: it can be plugged into a root port" in said, said)
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def hotplug_pci(self):
        """Disks and a network card in slots of PCI Express: the guest lets go of them when it is asked."""
        nodes = {"vda": "virtio-blk-pci", "nvme0n1": "nvme,serial=s"}
        args = ["-M", "q35", "-netdev", "user,id=n"]
        for n, node in enumerate(["eth0", *nodes]):
            args += ["-device", f"pcie-root-port,id=p{n}"]
            if n:
                with open(self.path(node + ".raw"), "wb") as f:
                    f.write(os.urandom(MIB))
                args += ["-drive", f"file={self.path(node + '.raw')},if=none,id=d{n},format=raw"]
        g = self.boot("hotplug-pci", PCI, *args, "-device", "e1000,id=i0,bus=p0,netdev=n")

        def tell(*lines):
            said = self.monitor(g, *lines)
            g.type("\n")
            g.expect("# ", 20)
            return said

        try:
            tell(*(f"device_add {what},drive=d{n},id=i{n},bus=p{n}"
                   for n, what in enumerate(nodes.values(), 1)))
            for node in nodes:
                got = g.command(WAIT % f"[ -e /dev/{node} ]" + f"; sha256sum /dev/{node}", 120)
                check(sha(self.path(node + ".raw")) in got, f"{node} is read differently: {got}")
            said = tell("device_add e1000,id=x,bus=p1", *(f"device_del i{n}" for n in range(3)), "device_del i0")
            check("slot 00.0 is taken" in said and "been asked to let go" in said, said)
            g.command(WAIT % "[ ! -e /dev/vda -a ! -e /dev/nvme0n1 -a ! -e /sys/class/net/eth0 ]", 60)
            for _ in range(100):  # a second after its driver the slot's power goes
                if not re.search("virtio-blk|nvme|e1000", tell("info qtree")):
                    break
                time.sleep(.1)
            else:
                check(False, "they are still there: " + tell("info qtree"))
            tell("device_add e1000,id=i0,bus=p0,netdev=n")
            got = g.command(WAIT % "[ -e /sys/class/net/eth0 ]" + "; ifconfig eth0 10.0.2.15 up; " +
                            WAIT % "grep -q 1 /sys/class/net/eth0/carrier" + "; ping -c 1 10.0.2.2", 60)
            check("1 packets received" in got, f"the card does not work: {got}")
            said = tell("device_add e1000", "device_add virtio-scsi-pci,bus=p1", "device_del p1")
            check("into a root port" in said and "virtio-scsi-pci: it cannot be plugged in" in said and
                  "no device with id=p1" not in said and "pcie-root-port cannot be unplugged" in said, said)
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    # ---- network ----

    def card(self, model, *modules):
        """Pings, and megabytes both ways by HTTP through user networking."""
        server = Server(os.urandom(4 * MIB))
        want = hashlib.sha256(server.data).hexdigest()
        g = self.boot(model.replace(",", "-"), modules, "-netdev",
                      "user,id=n", "-device", model + ",netdev=n")
        try:
            g.command("ifconfig eth0 10.0.2.15 up; i=0; while ! grep -q 1 /sys/class/net/eth0/carrier "
                      "&& [ $i -lt 100 ]; do sleep .1; i=$((i+1)); done", 60)
            check("3 packets received" in g.command("ping -c 3 -i .2 10.0.2.2"), "no answer to pings")
            url = f"10.0.2.2 {server.server_port}"
            got = g.command(f"wget -q -O /tmp/f http://{url.replace(' ', ':')}/; sha256sum /tmp/f", 120)
            check(want in got, f"received differently: {got}")
            got = g.command(f"(printf 'POST / HTTP/1.0\\r\\nContent-Length: {4 * MIB}\\r\\n\\r\\n'; "
                            f"cat /tmp/f) | nc {url} | tail -n 1; echo", 120)
            check(want in got, f"sent differently: {got}")
            # The tulip driver counts the stop of the receiver as an error, on real cards as well.
            got = g.command("cat /sys/class/net/eth0/statistics/*_errors").split()
            check(set(got) == {"0"} or modules[-1] == "tulip", f"errors: {got}")
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()
            server.shutdown()

    def e1000(self):
        self.card("e1000", "e1000")

    def rtl8139(self):
        self.card("rtl8139", "mii", "8139cp")

    def tulip(self):
        self.card("tulip", "tulip")

    def tulip_21140(self):
        self.card("tulip,chip=21140", "tulip")

    def ipxe(self, model="e1000"):
        """SeaBIOS runs the card's iPXE, which boots Linux by TFTP."""
        tftp = self.path("tftp-" + model)
        os.mkdir(tftp)
        shutil.copy(fetch("kernel"), tftp + "/vmlinuz")
        shutil.copy(fetch("initrd"), tftp + "/initrd")
        with open(tftp + "/boot.ipxe", "w") as f:
            f.write("#!ipxe\nkernel vmlinuz console=ttyS0 quiet\ninitrd initrd\nboot\n")
        g = self.start("ipxe-" + model, "-m", "512M", "-nographic", "-boot", "n", "-nic",
                       f"user,model={model},tftp={tftp},bootfile=boot.ipxe")
        try:
            g.expect(r"iPXE initialising devices\.\.\.ok", 60)
            g.expect(r"tftp://10\.0\.2\.2/boot\.ipxe\.\.\. ok", 60)
            g.expect(r"/ # ", 240)
            check_log(g.command("dmesg"))
        finally:
            g.close()

    def ipxe_rtl8139(self):
        self.ipxe("rtl8139")

    def pxelinux(self):
        """Debian's installer as from a network server: PXELINUX through iPXE's PXE interface."""
        files, tftp = fetch("installer"), self.path("tftp-pxe")
        os.mkdir(tftp)
        for name in "pxelinux.0", "ldlinux.c32":
            shutil.copy(os.path.join(files, name), tftp)
        for name in "linux", "initrd.gz":
            shutil.copy(os.path.join(files, "debian-installer/amd64", name), tftp)
        os.mkdir(tftp + "/pxelinux.cfg")
        with open(tftp + "/pxelinux.cfg/default", "w") as f:
            f.write("serial 0\ndefault i\nlabel i\nkernel linux\n"
                    "append initrd=initrd.gz console=ttyS0\n")
        g = self.start("pxelinux", "-m", "1G", "-nographic", "-boot", "n", "-nic",
                       f"user,model=e1000,tftp={tftp},bootfile=pxelinux.0")
        try:
            g.expect("PXELINUX", 60)
            g.expect("Linux version", 120)
            g.expect("Select a language", 240)
        finally:
            g.close()


if __name__ == "__main__":
    suite.main(Devices, __doc__)
