# SPDX-License-Identifier: GPL-2.0-or-later
"""What the suites of boot tests have in common: cases are methods of a class, which main() runs and counts."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from guest import Guest, GuestError

GUESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../guests")

# What must not appear in a guest's kernel log. The same kernels print none of these under QEMU.
BAD_LOG = re.compile(r"Call Trace|WARNING:|BUG:|Oops|firmware bug|FW BUG|Firmware Bug|"
                     r"ACPI (BIOS )?Error|ACPI BIOS|unexpected|spurious|"
                     r"rcu: INFO|soft lockup|hung task|unchecked MSR|segfault|trap ", re.I)


class Skip(Exception):
    pass


def check(ok, text):
    if not ok:
        raise GuestError(text)


def check_log(text):
    bad = [line for line in text.splitlines() if BAD_LOG.search(line)]
    check(not bad, "kernel log has:\n" + "\n".join(bad[:10]))


def _made_by(script, *args):
    r = subprocess.run(["sh", os.path.join(GUESTS, script), *args], capture_output=True, text=True)
    if r.returncode:
        raise Skip(r.stderr.strip() or f"{script} {' '.join(args)} fails")
    return r.stdout.strip()


def fetch(what, arch="amd64"):
    """The path of a guest file made of Debian's packages."""
    return _made_by("fetch.sh", what, arch)


def debian(arch="amd64"):
    """The path of the folder with a Debian system; minutes when it is made."""
    return _made_by("disk.sh", arch)


def desktop():
    """The path of the folder with a Debian system that has Weston; minutes when it is made."""
    return _made_by("desktop.sh")


class Suite:
    """A subclass has `cases`, the names of its methods, and may have `quick`, those that run without names."""
    cases = ()
    quick = None

    def __init__(self, a, logs):
        self.a = a
        self.logs = logs

    def path(self, name):
        """A file that is gone after the suite, if all is well."""
        return os.path.join(self.logs, name)

    def argv(self, *args):
        return [self.a.doppel, *(["-accel", self.a.accel] if self.a.accel else []), *args]

    def start(self, name, *args):
        return Guest(self.argv(*args), self.path(name + ".log"))


def _run(suite, names):
    passed = failed = skipped = 0
    for name in names:
        t0 = time.monotonic()
        try:
            try:
                note = getattr(suite, name)()
            except GuestError as e:
                # The kernel's timer check gives a starved host 40 ms; once is not our fault.
                if "8254 timer not connected" not in str(e):
                    raise
                note = getattr(suite, name)()
            found = Guest.reports()
            check(not found, "\n".join(found[:10]))
            passed += 1
            print(f"ok    {name}  {time.monotonic() - t0:.1f} s  {note or ''}", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {name}: {e}", flush=True)
        except (GuestError, OSError, subprocess.SubprocessError) as e:
            failed += 1
            print(f"FAIL  {name}: {e}\n(log in {suite.logs})", flush=True)
    what = os.path.basename(sys.argv[0]).removesuffix(".py")
    print(f"{what}: {passed} passed, {failed} failed, {skipped} skipped")
    return failed


def main(cls, usage):
    """Runs what the command line names; exits with 1 after a failure."""
    p = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--doppel", default="./doppel")
    p.add_argument("--accel")
    p.add_argument("--logs", help="a folder that is kept")
    p.add_argument("--slow", type=float, default=1, help="factor on all timeouts")
    p.add_argument("names", nargs="*", help="all, or some of " + " ".join(cls.cases))
    a = p.parse_args()
    names = cls.cases if a.names == ["all"] else a.names or cls.quick or cls.cases
    unknown = [name for name in names if name not in cls.cases]
    if unknown:
        p.error(f"no case {unknown[0]}; there are {' '.join(cls.cases)}")
    a.doppel = os.path.abspath(a.doppel)
    logs = a.logs or tempfile.mkdtemp(prefix="doppel-boot-")
    os.makedirs(logs, exist_ok=True)
    Guest.slow = a.slow
    failed = _run(cls(a, logs), names)
    if not failed and not a.logs:
        shutil.rmtree(logs)
    sys.exit(1 if failed else 0)
