#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Remote peers that send garbage to all back ends of a guest's network at once, while the guest works: it goes on, and
doppel neither ends nor grows.

hostile.py [--doppel PATH] [--accel ENGINE] [--seconds N] [--seed N] [--slow FACTOR]
"""
import argparse
import os
import random
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest_net import SETUP, Guest, GuestError, Skip, check, check_log, fetch, make_initrd  # noqa: E402

CARD = "virtio-net-pci"
MAX_GROWTH = 512 << 10  # KiB: what may wait for all links, and what the address sanitizer keeps of freed memory
# Every card but the first, which is behind user networking, has a wire; card n is 10.0.n.15.
WIRES = ["stream_unix", "stream_tcp", "socket_tcp", "dgram_unix", "dgram_udp", "socket_udp"]


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def frame(rnd, card):
    """A frame that is wrong somewhere, for the card with that number or for anybody."""
    to = rnd.choice([b"\x52\x54\0\0\0" + bytes([card]), b"\xff" * 6, rnd.randbytes(6)])
    head = to + b"\x02\0\0\0\0\x63"
    if rnd.random() < 0.2:
        head += b"\x81\0" + rnd.randbytes(2)
    kind = rnd.randrange(6)
    payload = rnd.randbytes(rnd.choice([0, 1, 7, 20, 60, 500, 1460, 9000, 65000]))
    if kind == 0:
        return (head + rnd.randbytes(2) + payload)[:rnd.randrange(1, 70000)]
    if kind == 1:
        return head + b"\x08\x06" + rnd.randbytes(rnd.randrange(40))
    if kind == 2:  # IPv6, with headers that lie
        ip = b"\x60\0\0\0" + struct.pack(">HBB", rnd.randrange(65536), rnd.choice([0, 6, 17, 43, 44, 58, 60]),
                                         255) + rnd.randbytes(32)
        return head + b"\x86\xdd" + ip + payload
    # IPv4, in fragments now and then; its checksum is right, so that more of it is looked at.
    proto = rnd.choice([1, 6, 17, rnd.randrange(256)])
    length = rnd.choice([20 + len(payload), rnd.randrange(65536)]) & 0xffff
    ip = bytearray(struct.pack(">BBHHHBBH4s4s", rnd.choice([0x45, 0x45, 0x45, 0x4f, 0x40]), 0, length, rnd.randrange(4),
                               rnd.choice([0, 0, rnd.randrange(65536)]), 64, proto, 0,
                               bytes([10, 0, card, 2]), bytes([10, 0, card, 15])))
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xffff) + (total >> 16)
    struct.pack_into(">H", ip, 10, ~((total & 0xffff) + (total >> 16)) & 0xffff)
    ports = struct.pack(">HH", rnd.randrange(65536), rnd.choice([7, 22, 53, rnd.randrange(65536)]))
    return head + b"\x08\0" + bytes(ip) + ports + payload


class Peers:
    """Threads that attack, each with random numbers of its own, until the end."""

    def __init__(self, folder, seed):
        self.folder, self.seed = folder, seed
        self.ended = threading.Event()
        self.counts, self.threads = {}, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(1)
        self.tcp = {name: free_port() for name in ("stream_tcp", "socket_tcp", "hostfwd")}
        self.udp = {name: free_port(socket.SOCK_DGRAM)
                    for name in ("dgram_udp", "socket_udp", "here", "hostfwd")}
        self.unix = {name: os.path.join(folder, name) for name in ("stream_unix", "dgram_unix", "here")}

    def netdev(self, name):
        inet = "type=inet,{0}.host=127.0.0.1,{0}.port="
        return {
            "user": f"user,net=10.0.1.0/24,hostfwd=tcp:127.0.0.1:{self.tcp['hostfwd']}-10.0.1.15:7,"
                    f"hostfwd=udp:127.0.0.1:{self.udp['hostfwd']}-10.0.1.15:7",
            "stream_unix": f"stream,server=on,addr.type=unix,addr.path={self.unix['stream_unix']}",
            "stream_tcp": "stream,server=on,addr." + inet.format("addr") + str(self.tcp["stream_tcp"]),
            "socket_tcp": f"socket,listen=127.0.0.1:{self.tcp['socket_tcp']}",
            "dgram_unix": f"dgram,local.type=unix,local.path={self.unix['dgram_unix']},"
                          f"remote.type=unix,remote.path={self.unix['here']}",
            "dgram_udp": "dgram,local." + inet.format("local") + str(self.udp["dgram_udp"]) + ",remote." +
                         inet.format("remote") + str(self.udp["here"]),
            "socket_udp": f"socket,udp=127.0.0.1:{self.udp['here']},"
                          f"localaddr=127.0.0.1:{self.udp['socket_udp']}",
        }[name]

    def begin(self):
        for name in ["hostfwd_tcp", "hostfwd_udp", "server", *WIRES]:
            rnd = random.Random(f"{self.seed} {name}")
            self.counts[name] = 0
            self.threads.append(threading.Thread(target=self.attack, args=(name, rnd), daemon=True))
            self.threads[-1].start()

    def attack(self, name, rnd):
        while not self.ended.is_set():
            try:
                getattr(self, name)(rnd)
                self.counts[name] += 1
            except OSError:
                time.sleep(0.01)  # it has closed the connection, or is not there yet

    def end(self):
        self.ended.set()
        for t in self.threads:
            t.join(20)

    # ---- user networking ----

    def hostfwd_tcp(self, rnd):
        with socket.create_connection(("127.0.0.1", self.tcp["hostfwd"]), 2) as s:
            for _ in range(rnd.randrange(5)):
                s.send(rnd.randbytes(rnd.choice([1, 100, 70000])), rnd.choice([0, 0, socket.MSG_OOB]))
            if rnd.random() < 0.5:  # a reset instead of an end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif rnd.random() < 0.5:
                s.shutdown(rnd.choice([socket.SHUT_RD, socket.SHUT_WR]))
        time.sleep(rnd.random() * 0.02)

    def hostfwd_udp(self, rnd):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(20):
                s.sendto(rnd.randbytes(rnd.choice([0, 1, 500, 9000, 65507])), ("127.0.0.1", self.udp["hostfwd"]))
        time.sleep(0.02)

    def server(self, rnd):
        """What the guest's connections come to."""
        with self.listener.accept()[0] as s:
            s.settimeout(2)
            for _ in range(rnd.randrange(5)):
                s.send(rnd.randbytes(rnd.choice([1, 1000, 100000])), rnd.choice([0, 0, socket.MSG_OOB]))
            if rnd.random() < 0.5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # ---- wires ----

    def talk(self, s, rnd, card):
        s.settimeout(2)
        for _ in range(rnd.randrange(50)):
            f = frame(rnd, card)
            said = len(f) if rnd.random() < 0.97 else rnd.choice([0, 1, 13, 65537, 1 << 31, rnd.randrange(1 << 32)])
            s.sendall(struct.pack(">I", said) + f)
        s.sendall(rnd.randbytes(rnd.randrange(8)))
        time.sleep(rnd.random() * 0.02)

    def stream_unix(self, rnd):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.unix["stream_unix"])
            self.talk(s, rnd, 2)

    def stream_tcp(self, rnd):
        with socket.create_connection(("127.0.0.1", self.tcp["stream_tcp"]), 2) as s:
            self.talk(s, rnd, 3)

    def socket_tcp(self, rnd):
        with socket.create_connection(("127.0.0.1", self.tcp["socket_tcp"]), 2) as s:
            self.talk(s, rnd, 4)

    def dgram_unix(self, rnd):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            for _ in range(20):
                s.sendto(frame(rnd, 5), self.unix["dgram_unix"])
        time.sleep(0.02)

    def datagrams(self, rnd, name, card):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(20):
                s.sendto(frame(rnd, card)[:65507], ("127.0.0.1", self.udp[name]))
        time.sleep(0.02)

    def dgram_udp(self, rnd):
        self.datagrams(rnd, "dgram_udp", 6)

    def socket_udp(self, rnd):
        self.datagrams(rnd, "socket_udp", 7)


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def boot(args, folder, peers):
    argv = [os.path.abspath(args.doppel), *(["-accel", args.accel] if args.accel else []), "-m", "256",
            "-kernel", fetch("kernel"), "-initrd", os.path.join(folder, "initrd.gz"), "-append",
            "console=ttyS0 loglevel=1", "-nographic", "-no-reboot"]
    for n, name in enumerate(["user", *WIRES], 1):
        argv += ["-netdev", f"{peers.netdev(name)},id=n{n}", "-device",
                 f"{CARD},netdev=n{n},mac=52:54:00:00:00:{n:02x},romfile="]
    g = Guest(argv, os.path.join(folder, "guest.log"))
    g.expect(r"/ # ", 60)
    g.command(SETUP + "; for i in /sys/class/net/eth*; do n=$(cut -c 17 $i/address); "
              "ip addr add 10.0.$n.15/24 dev ${i##*/}; ip link set ${i##*/} up; done", 60)
    return g


def run(g, line):
    """A command of the guest's shell. What doppel says of its peers may come between the letters of its end."""
    for attempt in range(4):
        try:
            return g.command(line, 30)
        except GuestError:
            check(attempt < 3 and g.proc.poll() is None, "the guest does not answer")


def hostile(args, folder):
    make_initrd(os.path.join(folder, "initrd.gz"))
    peers = Peers(folder, args.seed)
    g = boot(args, folder, peers)
    try:
        g.command("(while :; do nc -l -p 7 -e cat >/dev/null 2>&1; done) & sleep 1", 60)
        peers.begin()
        end = time.monotonic() + args.seconds
        before = None
        while time.monotonic() < end or (not all(peers.counts.values()) and
                                         time.monotonic() < end + 60 * args.slow):
            run(g, f"nc -w 5 10.0.1.2 {peers.listener.getsockname()[1]} </dev/null >/dev/null; sleep .1")
            # After the guest has touched all that it uses.
            if not before and time.monotonic() > end - args.seconds / 2:
                before = resident(g.proc.pid)
        grown = resident(g.proc.pid) - (before or resident(g.proc.pid))
        peers.end()
        check(all(peers.counts.values()), f"some were never served: {peers.counts}")
        check(grown < MAX_GROWTH, f"doppel has grown by {grown} KiB")
        check_log(run(g, "dmesg"))
        g.type("poweroff -f\n")
        check(g.wait(60) == 0, "doppel's exit status is not 0")
        check(not Guest.reports(), "a sanitizer has found something; see the log")
        return f"{sum(peers.counts.values())} connections, {grown} KiB more"
    finally:
        peers.ended.set()
        g.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--slow", type=float, default=1)
    args = p.parse_args()
    Guest.slow = args.slow
    folder = tempfile.mkdtemp(prefix="doppel-hostile-")
    try:
        note = hostile(args, folder)
    except Skip as e:
        print(f"hostile peers: skipped: {e}\nhostile: 0 passed, 0 failed, 1 skipped")
        return 0
    except (GuestError, OSError) as e:
        print(f"hostile peers: FAILED: {e}\nlogs are in {folder}\nhostile: 0 passed, 1 failed, 0 skipped")
        return 1
    shutil.rmtree(folder)
    print(f"hostile peers: {note}\nhostile: 1 passed, 0 failed, 0 skipped")
    return 0


sys.exit(main())
