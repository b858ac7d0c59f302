#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices and interfaces that exist for guests of virtual machines only, with Debian's kernels: clock, entropy,
balloon, serial ports, shared folders.

paravirt.py [--doppel PATH] [--accel ENGINE] [--slow FACTOR] [--logs FOLDER] [NAME...]
"""
import glob
import gzip
import hashlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from disks import cpio, initrd_with_modules  # noqa: E402
from suite import Suite, check, check_log, fetch, main  # noqa: E402

# In the order in which they depend on each other.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "virtio_console", "virtio-rng", "virtio_balloon"]
VSOCK_MODULES = [*MODULES[:5], "vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"]
AGENT_MODULES = [*MODULES, "virtio_blk"]
FULL_MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
                "netfs", "fscache", "9pnet", "9pnet_virtio", "9p"]


def available(g):
    return int(g.command("grep MemAvailable /proc/meminfo").split()[1]) // 1024


class Paravirt(Suite):
    cases = ("devices", "clock", "shares", "vsock", "agent")

    def guest(self, name, *args, full=False, modules=MODULES, files=None):
        """At its prompt, with modules loaded; files: more of them, by name."""
        initrd = self.path("initrd-" + name)
        if full:
            kernel = glob.glob(fetch("fullkernel") + "/boot/vmlinuz-*")[0]
            initrd_with_modules(initrd, FULL_MODULES, full=True)
        else:
            kernel = fetch("kernel")
            initrd_with_modules(initrd, modules)
        if files:
            with open(initrd, "ab") as f:
                f.write(gzip.compress(cpio(files), 1))
        g = self.start(name, "-m", "256M", "-serial", "mon:stdio", "-display", "none", "-kernel",
                       kernel, "-initrd", initrd, "-append", "console=ttyS0", *args)
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 500; dmesg -n 1; for m in /m/*; do insmod $m; done")
        except BaseException:
            g.close()
            raise
        return g

    def monitor(self, g, line):
        g.type("\x01c")
        g.expect(r"\(doppel\) ", 30)
        at = g.seen
        g.type(line + "\n")
        g.expect(r"\(doppel\) ", 30)
        text = g.output[at:g.seen]
        g.type("\x01c\n")
        g.expect(r"# ", 30)
        return text

    def ports(self, g, path, hvc):
        """Bytes both ways, while someone listens and while nobody does."""
        got = g.command("cat /sys/class/virtio-ports/vport*/name; ls -d /dev/vport*")
        check("org.doppel.test" in got and "p2" in got, f"no port 2 with its name: {got}")
        port = re.search(r"/dev/vport\d+p2", got).group(0)
        host = socket.socket(socket.AF_UNIX)
        host.connect(path)
        host.settimeout(60)
        host.sendall(b"early ")  # waits for a reader
        g.command(f"exec 5<>{port}")
        g.command("cat <&5 >/tmp/got &  true")
        data = bytes(range(256)) * 1000
        host.sendall(data)
        for _ in range(100):
            if g.command("wc -c </tmp/got").split()[:1] == [str(6 + len(data))]:
                break
            time.sleep(0.1)
        want = hashlib.md5(b"early " + data).hexdigest()
        got = g.command("md5sum </tmp/got")
        check(want in got, f"the guest reads {got}, not {want}")
        g.command("seq 30000 >&5")
        got = b""
        want = b"".join(b"%d\n" % i for i in range(1, 30001))
        while len(got) < len(want):
            part = host.recv(65536)
            check(part, "the port was closed")
            got += part
        check(got == want, "the host reads something else")
        # Who hangs up ends the reader; who comes back finds the writer that has waited.
        host.close()
        time.sleep(0.3)
        g.command("echo waits >&5 &  true")
        host = socket.socket(socket.AF_UNIX)
        host.connect(path)
        host.settimeout(60)
        check(host.recv(100) == b"waits\n", "who writes does not wait for a reader")
        g.command("cat <&5 >/tmp/got &  true")
        host.sendall(b"again")
        time.sleep(0.3)
        check("again" in g.command("cat /tmp/got; echo"), "nothing comes after a reconnection")
        host.close()
        g.command("echo by hvc0 > /dev/hvc0")
        with open(hvc, "rb") as f:
            check(b"by hvc0" in f.read(), "nothing comes out of hvc0")

    def balloon(self, g):
        before = available(g)
        self.monitor(g, "balloon 160")
        for _ in range(100):
            if "actual=160" in self.monitor(g, "info balloon"):
                break
            time.sleep(0.1)
        else:
            check(False, "the guest does not give memory up")
        small = available(g)
        check(before - small > 80, f"{before} MiB were available and now {small}")
        self.monitor(g, "balloon 256")
        for _ in range(100):
            if available(g) > before - 10:
                return
            time.sleep(0.1)
        check(False, "the memory does not come back")

    def devices(self):
        path, hvc = self.path("port"), self.path("hvc")
        g = self.guest("devices", "-device", "virtio-serial-pci", "-chardev",
                       f"socket,id=p,path={path},server=on,wait=off", "-device",
                       "virtserialport,chardev=p,name=org.doppel.test,nr=2", "-chardev",
                       f"file,id=c,path={hvc}", "-device", "virtconsole,chardev=c", "-device",
                       "virtio-rng-pci", "-device", "virtio-balloon-pci,free-page-reporting=on,packed=on")
        try:
            check("virtio_rng" in g.command("cat /sys/class/misc/hw_random/rng_available"), "no rng")
            one, two = (g.command("dd if=/dev/hwrng bs=4k count=4 2>/dev/null | md5sum")
                        for _ in range(2))
            check(one != two, f"random bytes repeat: {one}")
            self.ports(g, path, hvc)
            self.balloon(g)
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
        finally:
            g.close()

    def clock(self):
        """KVM's clock goes as fast as the host's, on both CPUs."""
        g = self.guest("clock", "-smp", "2")
        try:
            log = g.command("dmesg | grep -i kvm")
            check("kvm-clock: Using msrs" in log, f"no kvm-clock: {log}")
            at = "/sys/devices/system/clocksource/clocksource0/"
            g.command(f"echo kvm-clock > {at}current_clocksource")
            check("kvm-clock" in g.command(f"cat {at}current_clocksource"), "kvm-clock is not taken")
            t0, u0 = time.monotonic(), float(g.command("cat /proc/uptime").split()[0])
            time.sleep(3)
            t1, u1 = time.monotonic(), float(g.command("cat /proc/uptime").split()[0])
            check(abs((t1 - t0) - (u1 - u0)) < 1.5, f"{u1 - u0} s for {t1 - t0}")
            now = int(g.command("date +%s"))
            check(abs(now - time.time()) < 10, f"it is {now} in the guest")
            check_log(g.command("dmesg"))
        finally:
            g.close()

    def passthrough(self, g, host):
        """What the guest makes is there on the host, as the guest made it, and the other way round."""
        g.command("mkdir -p /p && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 pass /p")
        big = os.urandom(3 << 20)
        with open(os.path.join(host, "from-host"), "wb") as f:
            f.write(big)
        got = g.command("md5sum </p/from-host; cp /p/from-host /p/copy; chmod 640 /p/copy; "
                        "mkdir -m 750 /p/dir; ln -s ../outside /p/dir/link; echo one >/p/dir/a; "
                        "echo two >>/p/dir/a; mv /p/dir/a /p/dir/b; ln /p/dir/b /p/hard; "
                        "touch -d '2001-02-03 04:05:06' /p/dir/b; chown 12:34 /p/dir/b; mkfifo /p/pipe")
        check(hashlib.md5(big).hexdigest() in got, f"the guest reads {got}")
        with open(os.path.join(host, "copy"), "rb") as f:
            check(f.read() == big, "the copy differs")
        st = {n: os.lstat(os.path.join(host, n)) for n in ("copy", "dir", "dir/link", "dir/b", "hard", "pipe")}
        check(stat.S_IMODE(st["copy"].st_mode) == 0o640, "mode of the copy")
        check(stat.S_IMODE(st["dir"].st_mode) == 0o750, "mode of the folder")
        check(os.readlink(os.path.join(host, "dir/link")) == "../outside", "the link's target")
        check((st["dir/b"].st_uid, st["dir/b"].st_gid) == (12, 34), "owner")
        check(st["dir/b"].st_mtime == 981173106, f"time {st['dir/b'].st_mtime}")
        check(st["hard"].st_ino == st["dir/b"].st_ino, "a hard link")
        check(stat.S_ISFIFO(st["pipe"].st_mode), "a pipe")
        with open(os.path.join(host, "hard")) as f:
            check(f.read() == "one\ntwo\n", "what was written")
        got = g.command("cd /p; i=0; while [ $i -lt 500 ]; do echo $i >n$i; i=$((i+1)); done; ls | wc -l; "
                        "cat n* | sort -n | md5sum; rm n*; ls; cd /; exec 6<>/p/gone; rm /p/gone; "
                        "echo still >&6 && echo written; exec 6>&-")
        want = hashlib.md5("".join(f"{n}\n" for n in range(500)).encode()).hexdigest()
        check(want in got and "n499" not in got and "written\n" in got, f"500 files: {got}")

    def escapes(self, g, host, secret):
        """No link and no name leads out of the folder, whoever made it, and devices are not opened."""
        os.symlink(secret, os.path.join(host, "to-secret"))
        os.symlink("..", os.path.join(host, "up"))
        os.mkdir(os.path.join(host, "swap"))
        got = g.command("ls -l /p/to-secret; cat /p/to-secret /p/up/secret /p/../secret /p/swap/../../secret; "
                        "mknod /p/null c 1 3 && cat /p/null && echo null ok; echo x >/p/up/made")
        check("hidden" not in got, f"the guest reads what is outside: {got}")
        check("null ok" in got, "a device file is not the guest's own")
        check(not os.path.exists(os.path.join(os.path.dirname(host), "made")), "the guest writes outside")

    def shares(self):
        top = self.path("share")
        host, mapped, secret = (os.path.join(top, n) for n in ("host", "mapped", "secret"))
        os.makedirs(host)
        os.makedirs(mapped)
        with open(secret, "w") as f:
            f.write("hidden\n")
        g = self.guest("shares", "-virtfs", f"local,path={host},mount_tag=pass,security_model=passthrough",
                       "-fsdev", f"local,id=m,path={mapped},security_model=mapped-xattr", "-device",
                       "virtio-9p-pci,fsdev=m,mount_tag=map", "-virtfs",
                       f"local,path={mapped},mount_tag=ro,security_model=none,readonly=on", full=True)
        try:
            self.passthrough(g, host)
            self.escapes(g, host, secret)
            got = g.command("mkdir -p /r && mount -t 9p -o trans=virtio,version=9p2000.L ro /r; "
                            "echo x >/r/new; mkdir /r/d; ls /r | wc -l")
            check(not os.listdir(mapped), f"a read-only folder is written: {got}")
            try:
                os.setxattr(mapped, "user.test", b"x")
            except OSError:
                note = "no extended attributes here"
            else:
                note = ""
                got = g.command("mkdir -p /q && mount -t 9p -o trans=virtio,version=9p2000.L map /q; cd /q; "
                                "echo x >f; chown 7:8 f; chmod 4711 f; ln -s to l; mknod c c 5 6; "
                                "ls -ln f l c; cd /")
                check(re.search(r"-rws--x--x +1 7 +8 ", got) and "-> to" in got and re.search(r"5, +6", got),
                      f"mapped metadata: {got}")
                st = os.lstat(os.path.join(mapped, "f"))
                check(stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == os.getuid(), "the host's file is the user's")
                check(stat.S_ISREG(os.lstat(os.path.join(mapped, "l")).st_mode), "a mapped link is a file")
                check("virtfs" not in g.command("getfattr -d /q/f 2>/dev/null; true"), "the mapping shows")
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
            return note
        finally:
            g.close()

    def vsock(self):
        """Megabytes between programs of the guest and of the host, whoever connects; loadvm ends connections."""
        tool, uds = self.path("vsock.bin"), self.path("vsock.sock")
        subprocess.run(["gcc", "-O1", "-static", "-o", tool, os.path.join(HERE, "vsock.c")], check=True)
        with open(tool, "rb") as f:
            files = {"bin/vsock": (0o100755, f.read())}
        g = self.guest("vsock", "-device", f"virtio-vsock-pci,guest-cid=5,uds={uds}",
                       modules=VSOCK_MODULES, files=files)
        data = os.urandom(3 << 20)
        want = hashlib.md5(data).hexdigest()

        def exchange(sock):
            """Sends data and the end of them, and reads to the end what the other side says meanwhile."""
            sock.settimeout(120)
            thread = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            thread.start()
            got = b""
            while part := sock.recv(65536):
                got += part
            thread.join()
            sock.close()
            return hashlib.md5(got).hexdigest()

        def dial(port):
            for _ in range(100):
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(uds)
                sock.settimeout(60)
                sock.sendall(b"CONNECT %d\n" % port)
                line = b""
                while not line.endswith(b"\n") and (byte := sock.recv(1)):
                    line += byte
                if line.startswith(b"OK "):
                    return sock
                sock.close()  # nobody listens yet
                time.sleep(0.1)
            check(False, f"the guest's port {port} does not answer")

        try:
            g.command("dd if=/dev/urandom of=/tmp/out bs=64k count=48 2>/dev/null")
            sent = g.command("md5sum </tmp/out").split()[0]
            g.command("vsock listen 99 </tmp/out >/tmp/in & true")
            got = exchange(dial(99))
            check(got == sent, "the host reads something else")
            got = g.command("wait; md5sum </tmp/in", 60)
            check(want in got, f"the guest reads something else: {got}")
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(uds + "_1234")
                server.listen()
                g.command("vsock connect 1234 </tmp/out >/tmp/in & true")
                got = exchange(server.accept()[0])
            check(got == sent, "the host reads something else from who has connected")
            got = g.command("wait; md5sum </tmp/in", 60)
            check(want in got, f"who has connected reads something else: {got}")
            check("reset" in g.command("vsock connect 4321 </dev/null"), "a port is there without a listener")
            # What a saved state had of connections is gone, for both sides.
            state = self.path("vsock.state")
            g.command("vsock listen 99 </dev/zero >/dev/null & true")
            sock = dial(99)
            self.monitor(g, f"savevm file:{state}")
            self.monitor(g, f"loadvm file:{state}")
            while sock.recv(65536):
                pass
            sock.close()
            g.command("wait", 60)
            g.command("vsock listen 99 </tmp/out >/tmp/in & true")
            check(exchange(dial(99)) == sent, "nothing goes after loadvm")
            check_log(g.command("dmesg"))
            g.type("poweroff -f\n")
            check(g.wait(60) == 0, "power-off does not give status 0")
            check(not os.path.exists(uds), "the socket is left behind")
        finally:
            g.close()

    def agent(self):
        """Debian's qemu-guest-agent: a ping, file systems frozen and thawed, the time set, a shutdown."""
        top = fetch("agent")
        files = {d: (0o40755, b"") for d in ("lib", "lib64", "var", "var/run")}
        files["sbin/shutdown"] = (0o100755, b"#!/bin/sh\nsync\npoweroff -f\n")
        for path in glob.glob(f"{top}/*/*"):
            with open(path, "rb") as f:
                files[os.path.relpath(path, top)] = (0o100755, f.read())
        disk, path = self.path("agent.img"), self.path("agent")
        with open(disk, "wb") as f:
            f.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
        g = self.guest("agent", "-device", "virtio-serial-pci", "-chardev",
                       f"socket,id=ga,path={path},server=on,wait=off", "-device",
                       "virtserialport,chardev=ga,name=org.qemu.guest_agent.0", "-drive",
                       f"file={disk},format=raw,if=virtio", modules=AGENT_MODULES, files=files)
        try:
            g.command("mkdir /mnt; mount -t ext4 /dev/vda /mnt && "
                      "qemu-ga -d -m virtio-serial -p $(ls /dev/vport*p1) -t /tmp -f /tmp/pid")
            host = socket.socket(socket.AF_UNIX)
            host.connect(path)
            host.settimeout(60 * self.a.slow)
            lines = host.makefile("r")

            def ask(command, **arguments):
                host.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
                answer = json.loads(lines.readline())
                check("return" in answer, f"{command}: {answer}")
                return answer["return"]

            check(ask("guest-sync", id=4711) == 4711, "the agent does not answer")
            ask("guest-ping")
            check(ask("guest-fsfreeze-freeze") == 1, "one file system is to be frozen")
            check(ask("guest-fsfreeze-status") == "frozen", "it is not frozen")
            g.command("(echo x >/mnt/y; echo wrote >/tmp/w) &  true")
            check("none" in g.command("sleep 1; cat /tmp/w 2>/dev/null || echo none"), "a frozen file system is written")
            check(ask("guest-fsfreeze-thaw") == 1, "one file system is to be thawed")
            check("wrote" in g.command("sleep 1; cat /tmp/w"), "it does not thaw")
            ask("guest-set-time", time=1000000000 * 10 ** 9)
            check("2001" in g.command("date"), "the time is not set")
            host.sendall(b'{"execute": "guest-shutdown"}\n')
            check(g.wait(60) == 0, "the agent does not shut the guest down")
        finally:
            g.close()


if __name__ == "__main__":
    main(Paravirt, __doc__)
