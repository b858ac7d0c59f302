#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP clients against doppel: qmp.py --doppel PATH [CASE...]"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time


class Failure(Exception):
    pass


class Client:
    """As the specification has it: greeting, negotiation, replies with the id of their command, events between."""

    def __init__(self, sock, negotiate=True):
        self.sock = sock
        self.sock.settimeout(120)
        self.file = sock.makefile("rb")
        self.events = []
        self.ids = 0
        self.greeting = self.message()
        if negotiate:
            self.command("qmp_capabilities")

    def message(self):
        line = self.file.readline()
        if not line:
            raise Failure("doppel has hung up")
        return json.loads(line)

    def raw(self, data):
        self.sock.sendall(data)
        while True:
            got = self.message()
            if "event" not in got:
                return got
            self.events.append(got)

    def try_command(self, name, **args):
        self.ids += 1
        request = {"execute": name, "id": {"n": self.ids, "ü": [None, 1.5, True]}}
        if args:
            old = name == "block_set_io_throttle"  # whose names have no dashes
            request["arguments"] = {k if old else k.replace("_", "-"): v for k, v in args.items()}
        reply = self.raw(json.dumps(request).encode())
        if reply.get("id") != request["id"]:
            raise Failure(f"{name}: the id of {reply} is not {request['id']}")
        return reply

    def command(self, name, **args):
        reply = self.try_command(name, **args)
        if "return" not in reply:
            raise Failure(f"{name}: {reply}")
        return reply["return"]

    def refused(self, name, words, kind="GenericError", **args):
        error = self.try_command(name, **args).get("error", {})
        if error.get("class") != kind or words not in error.get("desc", ""):
            raise Failure(f"{name} {args}: {error}")

    def event(self, name, **data):
        """Waits for one, after all that were waited for before."""
        while True:
            while self.events:
                got = self.events.pop(0)
                if got["event"] != name:
                    continue
                if abs(got["timestamp"]["seconds"] - time.time()) > 60 or got.get("data", {}) != data:
                    raise Failure(f"{got}, not data {data}")
                return
            self.events.append(self.message())


class Machine:
    def __init__(self, suite, *args, wait=True, serial="null"):
        self.path = os.path.join(suite.dir, "qmp")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.proc = subprocess.Popen(
            [suite.doppel, "-accel", "jit", "-serial", serial, "-monitor", "none",
             "-qmp", f"unix:{self.path},server=on,wait=off", *args],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while wait and not os.path.exists(self.path):
            if time.monotonic() > deadline or self.proc.poll() is not None:
                raise Failure("doppel does not listen")
            time.sleep(0.02)

    def connect(self, negotiate=True):
        deadline = time.monotonic() + 20
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(self.path)
                return Client(sock, negotiate)
            except ConnectionRefusedError:  # it is bound, and not yet listening
                sock.close()
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def ends(self, status=0):
        try:
            got = self.proc.wait(20)
        except subprocess.TimeoutExpired as e:
            raise Failure("doppel does not end") from e
        if got != status:
            raise Failure(f"exit status {got}, not {status}: {self.proc.stdout.read().decode()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.communicate()


def same(got, want):
    if got != want:
        raise Failure(f"{got!r}, not {want!r}")


class Suite:
    def __init__(self, doppel):
        self.doppel = os.path.abspath(doppel)
        self.dir = tempfile.mkdtemp(prefix="doppel-qmp")

    def handshake(self):
        with Machine(self) as m:
            c = m.connect(negotiate=False)
            version = c.greeting["QMP"]["version"]["qemu"]
            same((version["major"], c.greeting["QMP"]["capabilities"]), (7, []))
            c.refused("query-status", "Expecting capabilities negotiation", "CommandNotFound")
            c.refused("qmp_capabilities", "Capability 'oob' not available", enable=["oob"])
            same(c.command("qmp_capabilities"), {})
            c.refused("qmp_capabilities", "already complete", "CommandNotFound")
            c.refused("no-such", "The command no-such has not been found", "CommandNotFound")
            c.refused("stop", "Parameter 'x' is unexpected", x=1)
            c.refused("human-monitor-command", "Parameter 'command-line' is missing")
            c.refused("human-monitor-command", "Invalid parameter type for 'command-line', "
                      "expected: string", command_line=1)
            for text, words in ((b'{"execute": 1}', "must be a string"),
                                (b'{"x": 1}', "member 'x' is unexpected"), (b"{}", "lacks member"),
                                (b"[]", "must be a JSON object"), (b"junk junk\n", "JSON object"),
                                (b'{"execute": "stop", "arguments": 1}', "must be an object"),
                                (b'{"a" 1}', "parse error"), (b'{"\\ud800": 1}', "surrogate"),
                                (b'{"a": 1, "a": 2}', "duplicate key"), (b'{"a": 01}', "number"),
                                (b"[" * 100 + b"]" * 100, "too many values in values"),
                                (b'{"a": "' + b"x" * 100000 + b'"}', "too long"),
                                (b'{"a": "\xc0\x80"}', "UTF-8")):
                error = c.raw(text).get("error", {})
                if words not in error.get("desc", ""):
                    raise Failure(f"{text[:40]!r}: {error}, not {words!r}")
            # Two messages in one piece, one in two; 0xff begins anew.
            c.sock.sendall(b'{"execute": "stop", "id": 1}{"execute":')
            c.sock.sendall(b'"query-status", "id": 2}{"execute": "s\xff')
            got = [c.message() for _ in range(3)]
            same([g.get("id") for g in got], [None, 1, 2])
            same(got[2]["return"], {"running": False, "singlestep": False, "status": "paused"})
            same(c.command("query-version")["package"], "doppel")
            # One client after the other; the second has to negotiate anew.
            c.sock.close()
            c.file.close()
            c = m.connect()
            c.command("quit")
            c.event("SHUTDOWN", guest=False, reason="host-qmp-quit")
            m.ends()

    def control(self):
        with Machine(self, "-S", "-name", "guest=box,process=x", "-smp", "2") as m:
            c = m.connect()
            same(c.command("query-status")["status"], "prelaunch")
            c.command("cont")
            c.event("RESUME")
            same(c.command("query-status")["status"], "running")
            same(c.command("query-name"), {"name": "box"})
            c.command("stop")
            c.event("STOP")
            c.command("system_reset")
            c.event("RESET", guest=False, reason="host-qmp-system-reset")
            c.command("cont")
            text = c.command("human-monitor-command", command_line="info status")
            same(text, "VM status: running\n")
            c.refused("human-monitor-command", "cpu-index", command_line="info status", cpu_index=2)
            same(len(c.command("query-cpus-fast")), 2)
            task = c.command("query-cpus-fast")[1]["thread-id"]
            with open(f"/proc/{m.proc.pid}/task/{task}/comm") as f:
                same(f.read(), "vcpu1\n")
            c.command("inject-nmi")
            c.command("send-key", keys=[{"type": "qcode", "data": "ctrl"},
                                        {"type": "number", "data": 30}], hold_time=10)
            c.refused("send-key", "does not accept value", keys=[{"type": "qcode", "data": "no"}])
            c.command("input-send-event", events=[
                {"type": "key", "data": {"down": True, "key": {"type": "qcode", "data": "a"}}},
                {"type": "btn", "data": {"down": True, "button": "left"}},
                {"type": "rel", "data": {"axis": "x", "value": 5}}])
            c.refused("input-send-event", "axis", events=[{"type": "abs", "data": {}}])
            picture = os.path.join(self.dir, "screen")
            c.command("screendump", filename=picture)
            with open(picture, "rb") as f:
                same(f.read(2), b"P6")
            c.refused("screendump", "failed to write", filename="/nonexistent/x")
            memory = os.path.join(self.dir, "memory")
            c.command("pmemsave", val=0, size=0x5000, filename=memory)
            same(os.path.getsize(memory), 0x5000)
            c.refused("pmemsave", "Invalid addr", val=1 << 40, size=4096, filename=memory)
            same(os.path.exists(memory), False)
            c.command("system_powerdown")
            c.event("POWERDOWN")
            m.proc.terminate()
            c.event("SHUTDOWN", guest=False, reason="host-signal")
            m.ends(128 + 15)

    def queries(self):
        disk = os.path.join(self.dir, "disk")
        with open(disk, "wb") as f:
            f.truncate(1 << 20)
        shutil.copy(disk, disk + ".iso")
        with Machine(self, "-drive", f"file={disk},format=raw,id=d0,if=virtio",
                     "-cdrom", disk + ".iso") as m:
            c = m.connect()
            drives = {d["device"]: d for d in c.command("query-block")}
            same(drives["d0"]["inserted"]["image"]["virtual-size"], 1 << 20)
            same((drives["d0"]["removable"], drives["d0"]["inserted"]["drv"]), (False, "raw"))
            cd = next(d for d in drives.values() if d["removable"])
            same(cd["inserted"]["ro"], True)
            c.command("eject", device=cd["device"], force=True)
            tray = {"device": cd["device"], "id": cd["device"]}
            c.event("DEVICE_TRAY_MOVED", **tray, **{"tray-open": True})
            cd = next(d for d in c.command("query-block") if d["removable"])
            same("inserted" in cd, False)
            c.command("blockdev-change-medium", device=cd["device"], filename=disk + ".iso",
                      format="raw")
            shutil.copy(disk, disk + "2")
            c.refused("blockdev-change-medium", "cannot open", device=cd["device"], filename="/nonexistent/x")
            c.refused("blockdev-change-medium", "does not accept value 'rw'", device=cd["device"], filename=disk,
                      **{"read-only-mode": "rw"})
            c.event("DEVICE_TRAY_MOVED", **tray, **{"tray-open": False})
            c.command("blockdev-change-medium", device=cd["device"], filename=disk + "2", format="raw")
            cd = next(d for d in c.command("query-block") if d["removable"])
            same((cd["inserted"]["file"], cd["inserted"]["ro"]), (disk + "2", True))
            none = dict(bps=0, bps_rd=0, bps_wr=0, iops=0, iops_rd=0, iops_wr=0)
            c.command("block_set_io_throttle", device="d0", **dict(none, iops_rd=7), iops_rd_max=70,
                      iops_rd_max_length=3, iops_size=512)
            d0 = next(d["inserted"] for d in c.command("query-block") if d["device"] == "d0")
            same((d0["iops"], d0["iops_rd"], d0["iops_rd_max"], d0["iops_rd_max_length"], d0["iops_size"]),
                 (0, 7, 70, 3, 512))
            c.refused("block_set_io_throttle", "cannot be used together", device="d0",
                      **dict(none, bps=1, bps_rd=1))
            c.refused("block_set_io_throttle", "below 0", device="d0", **dict(none, bps=-1))
            c.command("block_set_io_throttle", device="d0", **none)
            c.refused("eject", "Device 'nope' not found", "DeviceNotFound", device="nope")
            c.refused("eject", "not removable", device="d0")
            c.command("block_resize", device="d0", size=2 << 20)
            same(os.path.getsize(disk), 2 << 20)
            stats = {d["device"]: d["stats"] for d in c.command("query-blockstats")}
            same(stats["d0"]["wr_bytes"], 0)
            pci = {(d["slot"], d["function"]): d for d in c.command("query-pci")[0]["devices"]}
            same((pci[0, 0]["id"]["vendor"], pci[0, 0]["id"]["device"]), (0x8086, 0x1237))
            same(any(d["id"]["vendor"] == 0x1af4 for d in pci.values()), True)
            same(sum(x["is-default"] for x in c.command("query-machines") if "is-default" in x), 1)
            for name in sorted(x["name"] for x in c.command("query-commands")):
                if name.startswith("query-"):
                    c.command(name)
            same("STOP" in [x["name"] for x in c.command("query-events")], True)
            schema = {x["name"]: x for x in c.command("query-qmp-schema")}
            same({x["name"] for x in c.command("query-commands")} - set(schema), set())
            same({"name": "cpu-index", "type": "int", "default": None} in
                 schema[schema["human-monitor-command"]["arg-type"]]["members"], True)
            same([x for x in schema.values() if x.get("arg-type", "any") not in schema], [])
            same(c.command("query-memory-size-summary")["base-memory"], 128 << 20)

    def plug(self):
        """Devices come and go; who asks is told why not."""
        disk = os.path.join(self.dir, "plug")
        with open(disk, "wb") as f:
            f.write(bytes(1 << 20))
        with Machine(self, "-device", "qemu-xhci", "-drive", f"file={disk},if=none,id=d,format=raw") as m:
            c = m.connect()
            for _ in range(3):
                c.command("device_add", driver="usb-hub", id="h", port=2)
                c.command("device_add", driver="usb-storage", id='s"1', drive="d", port="2.1")
                c.refused("device_add", "id=h", driver="usb-kbd", id="h")
                c.refused("device_add", "port 2 of USB bus", driver="usb-kbd", port="2")
                c.command("device_del", id="h")
                c.event("DEVICE_DELETED", device='s"1', path='/machine/peripheral/s"1')
                c.event("DEVICE_DELETED", device="h", path="/machine/peripheral/h")
            c.refused("device_add", "valid device model", driver="usb-nothing")
            c.refused("device_add", "there is no -drive", driver="usb-storage", drive="e")
            c.refused("device_add", "needs drive=", driver="usb-storage")
            c.refused("device_add", "type for 'port'", driver="usb-kbd", port=[1])
            c.refused("device_add", "into a root port", driver="e1000")
            c.refused("device_add", "cannot be plugged in", driver="qemu-xhci")
            c.refused("device_del", "no device with id=h", kind="DeviceNotFound", id="h")
            c.command("device_add", driver="usb-tablet", id="t")
            same("ID: t" in c.command("human-monitor-command", command_line="info usb"), True)
            c.command("quit")
            m.ends()

    def others(self):
        """By TCP and -mon; gdb, monitor and QMP see each other's stops; who does not read is not kept waiting for."""
        with Machine(self, "-chardev", "socket,id=m,host=127.0.0.1,port=0,server=on,wait=off",
                     "-mon", "chardev=m,mode=control") as m:
            port = 0
            while b"listens on port" not in (line := m.proc.stdout.readline()):
                if not line:
                    raise Failure("no port is told")
            port = int(line.split()[-1])
            one, two = m.connect(), Client(socket.create_connection(("127.0.0.1", port)))
            one.command("stop")
            two.event("STOP")
            two.command("human-monitor-command", command_line="cont")
            one.event("RESUME")
            # Replies that nobody reads are bounded by not reading on.
            two.sock.settimeout(2)
            try:
                for _ in range(100000):
                    two.sock.sendall(b'{"execute": "query-pci"}' * 10)
            except socket.timeout:
                pass
            with open(f"/proc/{m.proc.pid}/statm") as f:
                if int(f.read().split()[1]) > 100000:
                    raise Failure("replies pile up")
            same(one.command("query-status")["running"], True)
            two.sock.close()
            one.command("quit")
            m.ends()
        done = subprocess.run([self.doppel, "-accel", "interp", "-qmp", "stdio"],
                              input=b'{"execute": "qmp_capabilities"}{"execute": "quit", "id": 7}',
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        same([list(json.loads(x))[0] for x in done.stdout.splitlines()][:3],
             ["QMP", "return", "return"])

    def ends(self):
        """What guests do, as events."""
        disk = os.path.join(self.dir, "boot")

        def boot(code, *args):
            with open(disk, "wb") as f:
                f.write(bytes.fromhex(code).ljust(510, b"\0") + b"\x55\xaa")
                f.truncate(1 << 20)
            return Machine(self, "-S", "-drive", f"file={disk},format=raw", *args)

        panic = "ba0505 b001 ee f4 ebfd"  # pvpanic's port
        with boot(panic, "-device", "pvpanic") as m:
            c = m.connect()
            c.command("cont")
            c.event("GUEST_PANICKED", action="shutdown")
            c.event("SHUTDOWN", guest=True, reason="guest-panic")
            m.proc.wait(20)
        with boot(panic, "-device", "pvpanic", "-no-shutdown") as m:
            c = m.connect()
            c.command("cont")
            c.event("GUEST_PANICKED", action="pause")
            c.event("STOP")
            same(c.command("query-status")["status"], "guest-panicked")
        sleep = "ba0406 b8%s ef f4 ebfd"  # PM1a_CNT: SLP_EN and a sleep type
        with boot(sleep % "0024") as m:
            c = m.connect()
            c.refused("system_wakeup", "not in suspended state")
            same(c.command("query-current-machine")["wakeup-suspend-support"], True)
            c.command("cont")
            c.event("SUSPEND")
            same(c.command("query-status"), {"running": False, "singlestep": False, "status": "suspended"})
            c.command("system_wakeup")
            c.event("WAKEUP")
        with boot(sleep % "0028") as m:
            c = m.connect()
            c.command("cont")
            c.event("SUSPEND_DISK")
            c.event("SHUTDOWN", guest=True, reason="guest-shutdown")
            m.proc.wait(20)
        with boot(panic) as m:
            c = m.connect()
            c.command("watchdog-set-action", action="poweroff")
            c.refused("watchdog-set-action", "does not accept value 'bark'", action="bark")
            state = os.path.join(self.dir, "migrated")
            c.refused("migrate", "there are file:PATH and exec:COMMAND", uri="tcp:localhost:1")
            same(c.command("query-migrate")["status"], "failed")
            c.command("migrate", uri=f"exec:cat > {state}")
            same(c.command("query-migrate")["status"], "completed")
            same(os.path.getsize(state) > 1000, True)
        with boot("baf90c b006 ee f4 ebfd") as m:  # the reset control register
            c = m.connect()
            c.command("cont")
            c.event("RESET", guest=True, reason="guest-reset")
        with boot("baf90c b006 ee f4 ebfd", "-no-reboot") as m:
            c = m.connect()
            c.command("cont")
            c.event("SHUTDOWN", guest=True, reason="guest-shutdown")
            m.ends()


CASES = ["handshake", "control", "queries", "plug", "others", "ends"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--doppel", required=True)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    suite = Suite(args.doppel)
    passed = failed = 0
    for name in args.cases or CASES:
        start = time.monotonic()
        try:
            getattr(suite, name)()
            passed += 1
            print(f"ok   qmp {name}: {time.monotonic() - start:.1f} s")
        except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            failed += 1
            print(f"FAIL qmp {name}: {type(e).__name__} {e}")
        sys.stdout.flush()
    shutil.rmtree(suite.dir)
    print(f"qmp: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
