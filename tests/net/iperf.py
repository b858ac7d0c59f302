#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""iperf3 in a guest, under doppel and under QEMU's TCG, one after the other: over user networking to
and from the host, and over a stream socket to and from a second guest. Prints a table in Mbit/s.

iperf.py [--doppel PATH] [--qemu PATH] [--seconds N] [--runs N] [slirp|stream|passt ...]
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest_net import SETUP, Guest, GuestError, fetch, make_initrd  # noqa: E402

CARD = "virtio-net-pci,netdev=n"


class Bench:
    def __init__(self, argv, work, seconds):
        self.argv, self.work, self.seconds = argv, work, seconds
        self.guests = []

    def boot(self, netdev, addr, mac="52:54:00:12:34:56"):
        g = Guest([*self.argv, "-m", "256", "-kernel", fetch("kernel", "amd64"), "-initrd",
                   os.path.join(self.work, "initrd.gz"), "-append", "console=ttyS0 quiet",
                   "-nographic", "-no-reboot", "-netdev", netdev, "-device", f"{CARD},mac={mac}"])
        self.guests.append(g)
        g.expect(r"/ # ", 120)
        g.command(f"{SETUP}; ip addr add {addr}/24 dev eth0; sleep 1", 60)
        return g

    def iperf(self, g, host, port, reverse):
        text = g.command(f"iperf3 -c {host} -p {port} -t {self.seconds} -J"
                         f"{' -R' if reverse else ''} > /tmp/j; grep -A 9 sum_received /tmp/j | "
                         "grep bits_per_second", self.seconds + 60)
        return float(text.split(":")[1].split(",")[0]) / 1e6

    def host_server(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        p = subprocess.Popen(["iperf3", "-s", "-p", str(port)], stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        return p, port

    def slirp(self):
        server, port = self.host_server()
        try:
            g = self.boot("user,id=n", "10.0.2.15")
            return [self.iperf(g, "10.0.2.2", port, r) for r in (False, True)]
        finally:
            server.kill()
            server.wait()

    def passt(self):
        path = os.path.join(self.work, "passt")
        server, port = self.host_server()
        helper = subprocess.Popen(["passt", "-f", "-q", "-1", "-s", path, "-a", "10.0.2.15", "-n",
                                   "24", "-g", "10.0.2.2",
                                   *(["--runas", "0"] if os.geteuid() == 0 else [])],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        try:
            g = self.boot(f"stream,id=n,server=off,addr.type=unix,addr.path={path}", "10.0.2.15")
            return [self.iperf(g, "10.0.2.2", port, r) for r in (False, True)]
        finally:
            for p in (server, helper):
                p.kill()
                p.wait()

    def stream(self):
        path = os.path.join(self.work, "stream")
        addr = f"addr.type=unix,addr.path={path}"
        one = self.boot(f"stream,id=n,server=on,{addr}", "10.9.0.1")
        two = self.boot(f"stream,id=n,server=off,{addr}", "10.9.0.2", "52:54:00:12:34:57")
        two.command("iperf3 -s -D", 30)
        return [self.iperf(one, "10.9.0.2", 5201, r) for r in (False, True)]

    def run(self, kind):
        try:
            return getattr(self, kind)()
        finally:
            for g in self.guests:
                g.close()
            self.guests.clear()
            for name in ("stream", "passt"):
                if os.path.exists(os.path.join(self.work, name)):
                    os.unlink(os.path.join(self.work, name))


WHAT = {"slirp": ("user networking, to the host", "user networking, from the host"),
        "stream": ("stream socket, to another guest", "stream socket, from another guest"),
        "passt": ("passt, to the host", "passt, from the host")}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--qemu", default="qemu-system-x86_64")
    p.add_argument("--seconds", type=int, default=4)
    p.add_argument("--runs", type=int, default=1)
    p.add_argument("--json", help="also write the numbers to this file")
    p.add_argument("kinds", nargs="*")
    args = p.parse_args()
    kinds = args.kinds or ["slirp", "stream"]
    if not shutil.which("iperf3"):
        print("bench-net: iperf3 is not installed; as root, run: apt-get install iperf3")
        return 1
    with tempfile.TemporaryDirectory() as work:
        make_initrd(os.path.join(work, "initrd.gz"))
        emulators = {"doppel": [os.path.abspath(args.doppel)]}
        if shutil.which(args.qemu):
            emulators["QEMU TCG"] = [args.qemu, "-accel", "tcg", "-cpu", "max"]
        best = {}
        for _ in range(args.runs):
            for kind in kinds:
                for name, argv in emulators.items():
                    try:
                        rates = Bench(argv, work, args.seconds).run(kind)
                    except (GuestError, ValueError, IndexError) as e:
                        print(f"{name}, {kind}: {e}", file=sys.stderr)
                        continue
                    for what, rate in zip(WHAT[kind], rates):
                        key = (what, name)
                        best[key] = max(best.get(key, 0), rate)
    print(f"| iperf3, Mbit/s | {' | '.join(emulators)} | |")
    print("|---|" + "---|" * (len(emulators) + 1))
    bad = False
    for kind in kinds:
        for what in WHAT[kind]:
            rates = [best.get((what, name), 0) for name in emulators]
            ratio = rates[0] / rates[1] if len(rates) > 1 and rates[1] else 0
            bad |= not rates[0] or 0 < ratio < 1
            print(f"| {what} | {' | '.join(f'{r:.0f}' for r in rates)} | "
                  f"{f'{ratio:.1f}x' if ratio else ''} |")
    if args.json:
        with open(args.json, "w") as f:
            json.dump([{"what": w, "emulator": n, "mbits": r} for (w, n), r in best.items()], f)
    return bad


sys.exit(main())
