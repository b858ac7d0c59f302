#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with every network card is saved while all of them work, and goes on in a new process under each engine:
datagrams on wires go on, connections through user networking are lost, and new ones work at once."""
import glob
import hashlib
import os
import re
import socket
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../boot"))
import suite  # noqa: E402
from devices import Server  # noqa: E402
from disks import initrd_with_modules  # noqa: E402
from guest import Guest  # noqa: E402
from suite import check, check_log, fetch  # noqa: E402

MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover",
           "net_failover", "virtio_net", "e1000", "mii", "8139cp", "tulip"]
# By user networking; card n is in 10.0.n.0/24.
CARDS = ["virtio-net-pci", "e1000", "rtl8139", "tulip"]
# On wires, where 10.0.n.2 takes datagrams.
WIRED = {"dgram": "virtio-net-pci", "stream": "e1000"}
SYSLOG = 514


class Wire:
    """The other end of a wire: a host that answers ARP and keeps the numbers that datagrams bring."""

    def __init__(self):
        self.numbers = []
        self.ended = False

    def begin(self):
        threading.Thread(target=self.run, daemon=True).start()

    def frame(self, f):
        if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\1":
            mine = b"\x52\x54\0\0\0\x63"
            self.send(f[6:12] + mine + f[12:20] + b"\0\2" + mine + f[38:42] + f[6:12] + f[28:32])
        elif f[12:14] == b"\x08\0" and f[23] == 17:
            port, = struct.unpack(">H", f[36:38])
            number = re.search(rb"count(\d+)x", f[42:])
            if port == SYSLOG and number:
                self.numbers.append(int(number.group(1)))

    def run(self):
        while not self.ended:
            try:
                self.receive()
            except OSError:
                time.sleep(0.05)

    def wait_beyond(self, number, seconds):
        deadline = time.monotonic() + seconds
        while not any(n > number for n in list(self.numbers)):
            check(time.monotonic() < deadline, f"no datagram after number {number}")
            time.sleep(0.05)

    def close(self):
        self.ended = True


class Dgram(Wire):
    def __init__(self, path):
        super().__init__()
        self.here, self.there = path + "-host", path + "-guest"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.here)
        self.sock.settimeout(1)
        self.netdev = (f"dgram,local.type=unix,local.path={self.there},"
                       f"remote.type=unix,remote.path={self.here}")
        self.begin()

    def send(self, frame):
        self.sock.sendto(frame, self.there)

    def receive(self):
        self.frame(self.sock.recv(1 << 17))


class Stream(Wire):
    def __init__(self, path):
        super().__init__()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(1)
        self.sock = None
        self.netdev = f"stream,addr.type=unix,addr.path={path}"
        self.begin()

    def send(self, frame):
        self.sock.sendall(struct.pack(">I", len(frame)) + frame)

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data

    def receive(self):
        if not self.sock:
            self.sock = self.listener.accept()[0]
        try:
            self.frame(self.take(struct.unpack(">I", self.take(4))[0]))
        except ConnectionError:
            self.sock = None


class Saved(suite.Suite):
    cases = ["saved_cards"]

    def options(self, wires):
        kernel = glob.glob(fetch("fullkernel") + "/boot/vmlinuz-*")[0]
        initrd = self.path("initrd")
        if not os.path.exists(initrd):
            initrd_with_modules(initrd, MODULES, full=True)
        args = ["-m", "256M", "-nographic", "-kernel", kernel, "-initrd", initrd, "-append",
                "console=ttyS0 quiet"]
        for n, card in enumerate(CARDS, 1):
            args += ["-netdev", f"user,id=n{n},net=10.0.{n}.0/24,ipv6=off,"
                     "throttling.bps-in=300000,throttling.bps-out=300000", "-device",
                     f"{card},netdev=n{n},mac=52:54:00:00:00:{n:02x},romfile="]
        for n, (kind, card) in enumerate(WIRED.items(), len(CARDS) + 1):
            args += ["-netdev", wires[kind].netdev + f",id=n{n}", "-device",
                     f"{card},netdev=n{n},mac=52:54:00:00:00:{n:02x},romfile="]
        return args

    def guest(self, name, engine, args):
        self.running = Guest([self.a.doppel, "-accel", engine, *args], self.path(name + ".log"))
        return self.running

    def set_up(self, g):
        g.expect(r"/ # ", 240)
        g.command("stty cols 300; dmesg -n 1")
        check("insmod" not in g.command("for m in /m/*; do insmod $m; done", 120),
              "a module does not load")
        # Interfaces are numbered in the order of their drivers.
        g.command("for i in /sys/class/net/eth*; do n=$(cut -c 17 $i/address); "
                  "ifconfig ${i##*/} 10.0.$n.15 netmask 255.255.255.0 up; done; sleep 1", 60)

    def begin_traffic(self, g, server, wires):
        """Numbered datagrams on the wires, and transfers through all cards that never end, at a pace that leaves the
        interpreter time for others."""
        hosts = [f"10.0.{n}.2" for n in range(1, len(CARDS) + 1)]
        logs = " ".join(f"-R 10.0.{len(CARDS) + n}.2" for n in range(1, len(WIRED) + 1))
        url = f"http://$h:{server.server_port}/"
        g.command(f"syslogd -n {logs} & (n=1; while logger count${{n}}x; do n=$((n+1)); sleep .1; done) & sleep 1")
        g.command(f"for h in {' '.join(hosts)}; do "
                  f"(while :; do wget -q -O /dev/null {url} 2>/dev/null; done) & "
                  f"(while :; do cat /dev/zero | nc $h {server.server_port} >/dev/null 2>&1; done) & done; sleep 1")
        for wire in wires.values():
            wire.wait_beyond(10, 60 * g.slow)

    def move(self, g, server):
        """New connections through each card, both ways."""
        port = server.server_port
        for n, card in enumerate(CARDS, 1):
            host = f"10.0.{n}.2"
            got = g.command(f"wget -q -O /tmp/f http://{host}:{port}/; sha256sum /tmp/f", 60)
            check(hashlib.sha256(server.data).hexdigest() in got, f"{card}: received {got}")
            got = g.command(f"(printf 'POST / HTTP/1.0\\r\\nContent-Length: {len(server.data)}\\r\\n\\r\\n'; "
                            f"cat /tmp/f) | nc {host} {port} | tail -n 1; echo", 60)
            check(hashlib.sha256(server.data).hexdigest() in got, f"{card}: sent {got}")

    def saved_cards(self):
        """savevm during transfers through all cards; loadvm in new processes under the other engine and the
        same."""
        server = Server(os.urandom(20_000))
        wires = {"dgram": Dgram(self.path("dgram")), "stream": Stream(self.path("stream"))}
        args = self.options(wires)
        engines = ["jit", "interp"] if self.a.accel != "interp" else ["interp", "jit"]
        try:
            g = self.guest("first", engines[0], args)
            self.set_up(g)
            self.move(g, server)
            self.begin_traffic(g, server, wires)
            state = self.path("state")
            g.monitor(f"savevm file:{state}")
            check(os.path.exists(state), "savevm fails")
            counts = {kind: max(w.numbers) for kind, w in wires.items()}
            g.close()
            for n, engine in enumerate(reversed(engines)):
                for wire in wires.values():
                    wire.numbers.clear()
                g = self.guest(f"loaded{n}", engine, [*args, "-loadvm", f"file:{state}"])
                for kind, wire in wires.items():
                    wire.wait_beyond(counts[kind], 60 * g.slow)
                g.type("\n")
                g.expect("# ", 60)
                g.command("killall sh nc wget; killall syslogd")
                self.move(g, server)
                check_log(g.command("dmesg"))
                g.close()
        finally:
            self.running.close()
            server.shutdown()
            for wire in wires.values():
                wire.close()


if __name__ == "__main__":
    suite.main(Saved, __doc__)
