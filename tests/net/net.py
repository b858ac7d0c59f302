#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of guests: what a guest reaches outside, and how it is reached. Without names, the quick
ones.

net.py [--doppel PATH] [--accel ENGINE] [--slow FACTOR] [--keep] [NAME...|all]
"""
import argparse
import hashlib
import http.server
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest_net import (SETUP, Guest, GuestError, Skip, check, check_log, fetch,  # noqa: E402
                       make_initrd)

CARD = "virtio-net-pci"


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mirror:
    """An HTTP server with a package list and a few packages, as apt asks for."""

    def __init__(self, folder, bind="127.0.0.1"):
        self.files = {}
        os.makedirs(folder, exist_ok=True)
        for name, size in (("InRelease", 50_000), ("Packages.xz", 4_000_000), ("a.deb", 300_000)):
            data = os.urandom(size)
            self.files[name] = hashlib.sha256(data).hexdigest()
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *args):
                super().__init__(*args, directory=folder)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((bind, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fetch_all(self, guest, host):
        """The guest takes every file and has the right bytes."""
        for name, want in self.files.items():
            text = guest.command(f"wget -q -O - http://{host}:{self.port}/{name} | sha256sum", 60)
            check(want in text, f"{name} came with other bytes: {text!r}")


class Suite:
    def __init__(self, doppel, accel, logs):
        self.doppel = doppel
        self.accel = ["-accel", accel] if accel else []
        self.logs = logs
        self.kernel = fetch("kernel", "amd64")
        self.initrd = os.path.join(logs, "initrd.gz")
        make_initrd(self.initrd)
        self.guests = []

    def boot(self, name, *args, setup=""):
        g = Guest([self.doppel, *self.accel, "-m", "256", "-kernel", self.kernel,
                   "-initrd", self.initrd, "-append", "console=ttyS0 loglevel=5", "-nographic",
                   "-no-reboot", *args], os.path.join(self.logs, name + ".log"))
        self.guests.append(g)
        g.expect(r"~ # |/ # ", 40)
        g.command(SETUP + "; " + setup if setup else SETUP, 20)
        return g

    def end(self, *guests):
        for g in guests:
            g.type("poweroff -f\n")
        for g in guests:
            check(g.wait(20) == 0, "doppel's exit status is not 0")
            check_log(g.output)

    def close_all(self):
        for g in self.guests:
            g.close()
        self.guests.clear()

    # ---- user networking ----

    def test_user(self):
        """DHCP, HTTP out, ssh and UDP in, IPv6, name server."""
        mirror = Mirror(os.path.join(self.logs, "www"))
        ssh, udp = free_port(), free_port(socket.SOCK_DGRAM)
        g = self.boot(
            "user", "-nic", f"user,model={CARD},domainname=example.org,"
            f"hostfwd=tcp:127.0.0.1:{ssh}-:22,hostfwd=udp:127.0.0.1:{udp}-:53")
        text = g.command("udhcpc -i eth0 -s /dhcp -n -q 2>&1", 20)
        check("bound 10.0.2.15 router 10.0.2.2 dns 10.0.2.3 domain example.org" in text, text)
        mirror.fetch_all(g, "10.0.2.2")
        text = g.command("n=0; until ip addr | grep fec0: || [ $n = 50 ]; do sleep 0.2; n=$((n+1)); "
                         "done; cat /sys/class/net/eth0/address; ping -c 1 10.0.2.2 | grep loss", 20)
        check("52:54:00:12:34:56" in text and "fec0::5054:ff:fe12:3456" in text, text)
        check(" 0% packet loss" in text, text)
        self.try_ssh(g, ssh)
        self.try_udp(g, udp)
        self.try_monitor(g, free_port())
        mirror.close()
        self.end(g)

    def try_ssh(self, g, port):
        g.command("dropbear -R -B -E 2>/tmp/ssh.log", 20)
        argv = ["ssh", "-F", "none", "-p", str(port), "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={self.logs}/known", "-o", "BatchMode=yes",
                "-o", "ConnectTimeout=20", "root@127.0.0.1", "uname -a; md5sum"]
        data = os.urandom(500_000)
        if not shutil.which("ssh"):
            return
        r = subprocess.run(argv, input=data, capture_output=True, timeout=60 * Guest.slow)
        check(r.returncode == 0 and b"Linux doppel" in r.stdout and
              hashlib.md5(data).hexdigest().encode() in r.stdout,
              f"ssh into the guest: {r.stdout!r} {r.stderr!r}")

    def try_monitor(self, g, port):
        """Forwards that come and go, and a plug that is pulled."""
        g.type("\x01c")
        g.expect(r"\(doppel\) ", 10)

        def say(line, pattern):
            g.type(line + "\n")
            return g.expect(pattern + r"[^\0]*?\(doppel\) ", 10)

        say(f"hostfwd_add tcp:127.0.0.1:{port}-:22", r"")
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.settimeout(120)
            check(b"SSH" in s.recv(100), "nobody answers behind hostfwd_add")
        say("info usernet", rf"TCP.HOST_FORWARD.*{port}")
        say(f"hostfwd_remove tcp:127.0.0.1:{port}", r"")
        try:
            socket.create_connection(("127.0.0.1", port), 10).close()
            raise GuestError("hostfwd_remove has left the port open")
        except ConnectionRefusedError:
            pass
        say("info network", r"#nic0: link up")
        say("set_link #nic0 off", r"")
        g.type("\x01c")
        check("0" in g.command("cat /sys/class/net/eth0/carrier", 10), "set_link off has no effect")
        g.type("\x01c")
        g.expect(r"\(doppel\) ", 10)
        say("set_link #nic0 on", r"")
        g.type("\x01c")
        check("1" in g.command("cat /sys/class/net/eth0/carrier", 10), "set_link on has no effect")

    def try_udp(self, g, port):
        """The guest counts a datagram to a port that nobody listens on."""
        count = "sed -n 's/^Udp: [0-9]* \\([0-9]*\\) .*/noports \\1/p' /proc/net/snmp"
        check("noports 0" in g.command(count, 10), "there was UDP before")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(10):
                s.sendto(b"by UDP", ("127.0.0.1", port))
                if "noports 0" not in g.command("sleep 0.1; " + count, 20):
                    return
        raise GuestError("UDP did not come into the guest")

    def test_restrict(self):
        """restrict=on: nothing outside is reached; another net; TFTP."""
        folder = os.path.join(self.logs, "tftp")
        os.makedirs(folder)
        with open(os.path.join(folder, "boot.img"), "wb") as f:
            f.write(b"hello" * 3000)
        with socket.create_server(("127.0.0.1", 0)) as s:
            g = self.boot("restrict", "-netdev",
                          f"user,id=n,restrict=on,net=192.168.7.0/24,dhcpstart=192.168.7.9,"
                          f"ipv6=off,tftp={folder},bootfile=/boot.img",
                          "-device", f"{CARD},netdev=n,mac=52:54:00:00:00:01")
            text = g.command("udhcpc -i eth0 -s /dhcp -n -q -O bootfile 2>&1", 20)
            check("bound 192.168.7.9 router" in text and "boot /boot.img" in text, text)
            text = g.command("tftp -g -r boot.img -l /tmp/b 192.168.7.2; md5sum /tmp/b", 20)
            check(hashlib.md5(b"hello" * 3000).hexdigest() in text, "TFTP: " + text)
            text = g.command(f"echo x | nc -w 2 192.168.7.2 {s.getsockname()[1]} || echo refused", 20)
            check("refused" in text, "restrict=on let a connection through")
        self.end(g)

    def test_hub(self):
        """The oldest options meet at a hub; a file gets all frames; a limit holds."""
        dump = os.path.join(self.logs, "frames.pcap")
        mirror = Mirror(os.path.join(self.logs, "www-hub"))
        g = self.boot("hub", "-net", f"nic,model={CARD}", "-net",
                      "user,id=u,throttling.bps-in=2000000", "-object",
                      f"filter-dump,id=f,netdev=u,file={dump}",
                      setup="ip addr add 10.0.2.15/24 dev eth0")
        start = time.monotonic()
        mirror.fetch_all(g, "10.0.2.2")
        took = time.monotonic() - start
        check(took > 1.5, f"4.35 MB at 2 MB/s took {took} s")
        self.end(g)
        mirror.close()
        with open(dump, "rb") as f:
            data = f.read()
        check(struct.unpack_from("<IHHiIII", data) == (0xa1b2c3d4, 2, 4, 0, 0, 65536, 1),
              "the dump has another header")
        at, frames, payload = 24, [], 0
        while at < len(data):
            _, _, kept, length = struct.unpack_from("<IIII", data, at)
            frames.append(data[at + 16:at + 16 + kept])
            check(len(frames[-1]) == kept == length, "a frame of the dump is cut")
            at += 16 + kept
        payload = sum(len(f) for f in frames if f[12:14] == b"\x08\0" and f[6:8] == b"\x52\x55")
        check(any(f[12:14] == b"\x08\x06" and f[6:8] == b"\x52\x54" for f in frames) and
              payload > 4_350_000, f"{len(frames)} frames with {payload} bytes in the dump")

    def test_tap(self):
        """An interface of the host; in a network namespace of its own, where root may make one."""
        if os.geteuid() != 0 or not shutil.which("unshare"):
            raise Skip("it needs root")
        inner = ("ip tuntap add tap9 mode tap && ip addr add 10.8.0.1/24 dev tap9 && "
                 "ip link set tap9 up && ip link set lo up && exec \"$0\" \"$@\"")
        if subprocess.run(["unshare", "-n", "sh", "-c", inner, "true"],
                          capture_output=True).returncode:
            raise Skip("no interface can be made here")
        doppel, self.doppel = self.doppel, "unshare"
        accel, self.accel = self.accel, ["-n", "sh", "-c", inner + " ", doppel, *self.accel]
        try:
            g = self.boot("tap", "-netdev", "tap,id=n,ifname=tap9,script=no,downscript=no",
                          "-device", f"{CARD},netdev=n", setup="ip addr add 10.8.0.2/24 dev eth0")
        finally:
            self.doppel, self.accel = doppel, accel
        text = g.command("ping -c 3 -i 0.2 -w 20 10.8.0.1 | grep loss", 30)
        check(" 0% packet loss" in text, text)
        ns = ["nsenter", "-t", str(g.proc.pid), "-n"]
        server = subprocess.Popen([*ns, sys.executable, "-c",
                                   "import socket, hashlib\n"
                                   "s = socket.create_server(('10.8.0.1', 99))\n"
                                   "c, _ = s.accept(); c.sendall(b'x' * 9999999); c.close()\n"
                                   "c, _ = s.accept()\n"
                                   "h = hashlib.md5()\n"
                                   "while (b := c.recv(65536)): h.update(b)\n"
                                   "print(h.hexdigest())"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        g.command("head -c 9999999 /dev/urandom > /tmp/f; nc 10.8.0.1 99 > /tmp/g; "
                  "nc 10.8.0.1 99 < /tmp/f", 60)
        text = g.command("md5sum /tmp/f /tmp/g", 30)
        check(server.communicate(timeout=30)[0].strip() in text and
              hashlib.md5(b"x" * 9999999).hexdigest() in text, "changed on the way: " + text)
        self.end(g)

    # ---- other guests ----

    def pair(self, name, a, b):
        """Two guests on one wire: everything that is sent arrives, and large amounts do so unchanged."""
        one = self.boot(name + "-a", "-netdev", a, "-device", f"{CARD},netdev=n",
                        setup="ip addr add 10.9.0.1/24 dev eth0")
        two = self.boot(name + "-b", "-netdev", b, "-device",
                        f"{CARD},netdev=n,mac=52:54:00:12:34:57",
                        setup="ip addr add 10.9.0.2/24 dev eth0")
        text = one.command("ping -c 2 -i 0.2 -w 20 10.9.0.2 | grep loss", 30)
        check(" 0% packet loss" in text, text)
        one.command("head -c 20000000 /dev/urandom > /tmp/f; md5sum < /tmp/f > /tmp/s; "
                    "(nc -l -p 99 < /tmp/f &)", 30)
        got = two.command("nc 10.9.0.1 99 | md5sum", 60)
        want = one.command("cat /tmp/s", 10)
        check(want.split()[0] in got, f"{want!r} arrived as {got!r}")
        return one, two

    def test_stream(self):
        """Two guests over a unix socket; the link goes when one ends."""
        path = os.path.join(self.logs, "s")
        one, two = self.pair("stream",
                             f"stream,id=n,server=on,addr.type=unix,addr.path={path}",
                             f"stream,id=n,addr.type=unix,addr.path={path}")
        self.end(two)
        one.expect(r"the peer has closed the connection", 20)
        check("0" in one.command("cat /sys/class/net/eth0/carrier", 10), "the carrier is still there")
        self.end(one)
        check(not os.path.exists(path), "the socket's file is left over")

    def test_reconnect(self):
        """A client finds its server whenever that comes."""
        port = free_port()
        addr = f"addr.type=inet,addr.host=127.0.0.1,addr.port={port}"
        client = self.boot("reconnect-a", "-netdev", f"stream,id=n,reconnect=1,{addr}", "-device",
                           f"{CARD},netdev=n", setup="ip addr add 10.9.0.1/24 dev eth0")
        check("0" in client.command("cat /sys/class/net/eth0/carrier", 10), "a carrier too early")
        for n in range(2):
            server = self.boot(f"reconnect-b{n}", "-netdev", f"stream,id=n,server=on,{addr}",
                               "-device", f"{CARD},netdev=n,mac=52:54:00:12:34:57",
                               setup="ip addr add 10.9.0.2/24 dev eth0")
            text = client.command("sleep 1; ping -c 2 -w 20 10.9.0.2 | grep loss", 30)
            check(" 0% packet loss" in text, text)
            self.end(server)
        self.end(client)

    def test_dgram(self):
        """Two guests over UDP, over a group, and over the older option."""
        a, b = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)

        def side(own, other):
            return (f"dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port={own},"
                    f"remote.type=inet,remote.host=127.0.0.1,remote.port={other}")

        self.end(*self.pair("dgram", side(a, b), side(b, a)))
        group = f"socket,id=n,mcast=230.0.0.1:{free_port(socket.SOCK_DGRAM)},localaddr=127.0.0.1"
        self.end(*self.pair("mcast", group, group))
        port = free_port()
        self.end(*self.pair("socket", f"socket,id=n,listen=127.0.0.1:{port}",
                            f"socket,id=n,connect=127.0.0.1:{port}"))

    def test_qemu(self):
        """doppel and QEMU on one wire."""
        if not shutil.which("qemu-system-x86_64"):
            raise Skip("qemu-system-x86_64 is not installed")
        path = os.path.join(self.logs, "q")
        one = self.boot("qemu-a", "-netdev",
                        f"stream,id=n,server=on,addr.type=unix,addr.path={path}", "-device",
                        f"{CARD},netdev=n", setup="ip addr add 10.9.0.1/24 dev eth0")
        doppel, self.doppel = self.doppel, "qemu-system-x86_64"
        accel, self.accel = self.accel, ["-accel", "tcg"]
        Guest.slow *= 4
        two = self.boot("qemu-b", "-netdev", f"stream,id=n,server=off,addr.type=unix,addr.path={path}",
                        "-device", "virtio-net-pci,netdev=n,mac=52:54:00:12:34:57",
                        setup="ip addr add 10.9.0.2/24 dev eth0")
        Guest.slow /= 4
        self.doppel, self.accel = doppel, accel
        text = one.command("ping -c 2 -w 20 10.9.0.2 | grep loss", 30)
        check(" 0% packet loss" in text, text)
        two.command("head -c 5000000 /dev/urandom > /tmp/f; (nc -l -p 99 < /tmp/f &)", 60)
        got = one.command("nc 10.9.0.2 99 | md5sum", 60)
        check(got.split()[0] in two.command("md5sum < /tmp/f", 60), "changed on the way")
        one.type("poweroff -f\n")
        one.wait(20)
        two.close()

    def test_passt(self):
        """User networking by passt, as the static binary has it."""
        passt = shutil.which("passt")
        if not passt:
            raise Skip("passt is not installed")
        path, port = os.path.join(self.logs, "p"), free_port()
        mirror = Mirror(os.path.join(self.logs, "www-passt"), "0.0.0.0")
        helper = subprocess.Popen([passt, "-f", "-q", "-1", "-s", path, "-t", str(port), "-a",
                                   "10.5.0.15", "-n", "24", "-g", "10.5.0.2", "-D", "10.5.0.3",
                                   *(["--runas", "0"] if os.geteuid() == 0 else [])],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 10
        while not os.path.exists(path) and time.monotonic() < deadline and helper.poll() is None:
            time.sleep(0.05)
        if helper.poll() is not None:
            mirror.close()
            raise Skip("passt cannot run here: " + helper.stderr.read().decode().strip()[-200:])
        try:
            g = self.boot("passt", "-netdev", f"stream,id=n,addr.type=unix,addr.path={path}",
                          "-device", f"{CARD},netdev=n")
            text = g.command("udhcpc -i eth0 -s /dhcp -n -q 2>&1", 20)
            check("bound 10.5.0.15 router 10.5.0.2" in text, text)
            mirror.fetch_all(g, "10.5.0.2")
            g.command(f"(nc -l -p {port} -e cat &)", 10)
            with socket.create_connection(("127.0.0.1", port), 10) as s:
                s.sendall(b"hello\n")
                check(s.recv(100) == b"hello\n", "no echo through passt")
            self.end(g)
        finally:
            helper.kill()
            helper.wait()
            mirror.close()

    def test_garbage(self):
        """A peer that sends garbage is cut off; another may come; the guest lives."""
        path = os.path.join(self.logs, "g")
        g = self.boot("garbage", "-netdev",
                      f"stream,id=n,server=on,addr.type=unix,addr.path={path}", "-device",
                      f"{CARD},netdev=n", setup="ip addr add 10.9.0.1/24 dev eth0")
        for data in (b"\xff" * 100, struct.pack(">I", 70000) + b"x", struct.pack(">I", 69633)):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.settimeout(120)
                s.sendall(data)
                while s.recv(65536):
                    pass
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            for i in range(2000):
                n = i % 1600
                s.sendall(struct.pack(">I", n) + os.urandom(n))
            # And the right thing: who has 10.9.0.1?
            frame = (b"\xff" * 6 + b"\2\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1\2\0\0\0\0\1"
                     b"\x0a\x09\0\2" + b"\0" * 6 + b"\x0a\x09\0\1")
            s.sendall(struct.pack(">I", len(frame)) + frame)
            s.settimeout(120)
            seen = b""
            while b"\x08\x06\0\1\x08\0\6\4\0\2\x52\x54" not in seen:
                more = s.recv(65536)
                check(more, "the connection was closed")
                seen += more
        self.end(g)


QUICK = ["user", "stream", "garbage"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel")
    p.add_argument("--slow", type=float, default=1)
    p.add_argument("--keep", action="store_true")
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    Guest.slow = args.slow
    every = [n[5:] for n in dir(Suite) if n.startswith("test_")]
    names = every if "all" in args.names else args.names or QUICK
    logs = tempfile.mkdtemp(prefix="doppel-net-")
    failed = skipped = 0
    try:
        suite = Suite(os.path.abspath(args.doppel), args.accel, logs)
    except Skip as e:
        print(f"net: skipped: {e}")
        return 0
    for name in names:
        start = time.monotonic()
        try:
            getattr(suite, "test_" + name)()
            check(not Guest.reports(), "a sanitizer has found something; see the log")
            print(f"net {name}: ok ({time.monotonic() - start:.1f} s)", flush=True)
        except Skip as e:
            skipped += 1
            print(f"net {name}: skipped: {e}", flush=True)
        except (GuestError, OSError, subprocess.TimeoutExpired) as e:
            failed += 1
            print(f"net {name}: FAILED: {e}", flush=True)
        finally:
            suite.close_all()
    if failed or args.keep:
        print(f"logs are in {logs}")
    else:
        shutil.rmtree(logs)
    print(f"net: {len(names) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return failed != 0


sys.exit(main())
