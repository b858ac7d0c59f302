#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""doppel bench, shortened: every workload on every engine, the same results everywhere, reports that parse; small
guests of the user's.

bench.py [--doppel PATH]
"""
import argparse
import csv
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom

COUNT = {"passed": 0, "failed": 0}
LIMIT = 300


def check(what, good, detail=""):
    COUNT["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED: {what} {detail}"[:600])


def run(doppel, *args):
    return subprocess.run(["timeout", "-s", "KILL", str(LIMIT), doppel, "bench", *args],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def all_workloads(doppel, folder):
    names = [line.split()[0] for line in run(doppel, "--list").stdout.splitlines()]
    check("--list", len(names) > 20, names)
    html = os.path.join(folder, "bench.html")
    p = run(doppel, "--time", "2", "--json", "--html", html)
    check("status", p.returncode == 0, p.stderr + p.stdout[-300:])
    # A sanitizer may have something to say.
    check("no message", not re.search("^doppel", p.stderr, re.M), p.stderr)
    report = json.loads(p.stdout)
    engines = [e["name"] for e in report["engines"] if not e["unusable"]]
    check("engines", {"jit", "interp"} <= {e["name"] for e in report["engines"]}, engines)
    check("rows", [w["name"] for w in report["workloads"]] == names)
    for w in report["workloads"]:
        cells = w["engines"]
        for engine in engines:
            cell = cells.get(engine, {"status": "missing"})
            check(f"{w['name']} under {engine}", cell["status"] in ("ok", "unsupported"), cell)
        good = [c for c in cells.values() if c["status"] == "ok"]
        check(f"{w['name']}: times", all(0 < c["ns"] <= c["median_ns"] for c in good), cells)
        check(f"{w['name']}: results", len({c["result"] for c in good}) == 1, cells)
        if not w["group"].startswith(("Kernel", "Network")):
            check(f"{w['name']}: natively", "native" in cells, cells)
    doc = xml.dom.minidom.parse(html)
    check("charts", len(doc.getElementsByTagName("svg")) == 5)
    check("no scripts", not doc.getElementsByTagName("script"))
    bars = doc.getElementsByTagName("rect")
    cells = sum(c["status"] == "ok" for w in report["workloads"] for c in w["engines"].values())
    check("bars", len(bars) == cells, f"{len(bars)} of {cells}")
    check("bars have a length", all(float(b.getAttribute("width")) > 0 for b in bars))
    return report


def some_workloads(doppel, report):
    p = run(doppel, "--time", "1", "--only", "sha256,port", "--engines", "interp", "--csv")
    rows = list(csv.DictReader(io.StringIO(p.stdout)))
    check("CSV: rows", [(r["workload"], r["engine"]) for r in rows] ==
          [("sha256", "native"), ("sha256", "interp"), ("port", "interp")], p.stdout)
    check("CSV: numbers", all(float(r["ns"]) > 0 for r in rows), p.stdout)
    results = {w["name"]: w["engines"]["interp"]["result"] for w in report["workloads"]
               if w["engines"].get("interp")}
    check("CSV: results as in JSON", all(r["result"] == results[r["workload"]] for r in rows))


def killed(doppel):
    """Processes with guests that die: their workloads have failed, and the report says so."""
    p = subprocess.Popen(["timeout", "-s", "KILL", str(LIMIT), doppel, "bench", "--time", "6000",
                          "--only", "int", "--engines", "interp", "--json"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    while p.poll() is None:
        for child in children(p.pid):
            for grandchild in children(child):
                os.kill(grandchild, signal.SIGKILL)
        time.sleep(0.02)
    out = p.communicate()[0]
    check("killed: status", p.returncode == 1, p.returncode)
    cells = json.loads(out)["workloads"][0]["engines"]
    check("killed: cells", all("the process died: Killed" == cells[e]["why"]
                               for e in ("native", "interp")), cells)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def image(code):
    """A multiboot kernel that runs 32-bit code."""
    magic, flags, base = 0x1badb002, 0x10003, 0x100000
    header = struct.pack("<8I", magic, flags, -(magic + flags) & 0xffffffff, base, base, 0, 0,
                         base + 32)
    return header + bytes.fromhex(code)


def printer(text):
    """Prints, runs for some time, and ends with status 3."""
    code = "66 ba f8 03" + "".join(f" b0 {ord(c):02x} ee" for c in text)
    return image(code + " b9 00 00 00 10 e2 fe b0 01 e6 f4 f4")


def guests(doppel, folder):
    kernel = os.path.join(folder, "kernel")
    with open(kernel, "wb") as f:
        f.write(printer("hello\nworld\n"))
    args = ["-kernel", kernel, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]

    html = os.path.join(folder, "guest.html")
    p = run(doppel, *args, "--marker", "lo\nwo", "--engines", "jit,interp", "--json",
            "--html", html)
    check("marker: status", p.returncode == 0, p.stderr)
    engines = json.loads(p.stdout)["engines"]
    check("marker: times", all(0 < e["seconds"] < 60 for e in engines), p.stdout)
    for e in engines:
        uart = [c["count"] for c in e["counts"] if c["name"] == "port uart"]
        check(f"{e['name']}: accesses", len(uart) == 1 and 8 <= uart[0] <= 12, e)
    check("marker: chart", len(xml.dom.minidom.parse(html).getElementsByTagName("rect")) == 2)

    p = run(doppel, *args, "--engines", "jit", "--repeat", "2", "--csv")
    rows = list(csv.reader(io.StringIO(p.stdout)))
    check("end: status", p.returncode == 0, p.stderr + p.stdout)
    check("end: header", rows[0] == ["engine", "kind", "name", "value"], rows)
    check("end: seconds", rows[1][:3] == ["jit", "seconds", ""] and float(rows[1][3]) > 0, rows)
    hot = [r for r in rows if r[1] == "kernel code"]
    check("end: the loop is hottest", hot and hot[0][2] == "0000000000100040", hot)
    p = run(doppel, *args, "--engines", "jit", "--marker", "bye")
    check("no marker", p.returncode == 1 and
          "ended without 'bye' on its console; its last line: world" in p.stdout, p.stdout)
    p = run(doppel, "-m", "64M", "--engines", "interp", "--marker", "bye", "--timeout", "1")
    check("timeout", p.returncode == 1 and
          "no 'bye' on the console within 1 seconds (--timeout); its last line: guest>" in p.stdout,
          p.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--doppel", default="./doppel")
    doppel = parser.parse_args().doppel
    with tempfile.TemporaryDirectory() as folder:
        report = all_workloads(doppel, folder)
        some_workloads(doppel, report)
        guests(doppel, folder)
    killed(doppel)
    print(f"bench: {COUNT['passed']} passed, {COUNT['failed']} failed")
    return COUNT["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
