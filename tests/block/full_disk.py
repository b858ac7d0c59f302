# SPDX-License-Identifier: GPL-2.0-or-later
"""full_disk.py --doppel DOPPEL: a guest writes more than the host has room for, is stopped with a
message, gets room, and goes on. Needs root, to mount a small tmpfs, and the disk
that tests/guests/disk.sh makes."""
import argparse
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "boot"))
from guest import Guest, GuestError  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--doppel", default="./doppel")
    doppel = os.path.abspath(parser.parse_args().doppel)
    disk = os.path.expanduser("~/.cache/doppel/disk-amd64")
    root = os.path.join(disk, "root.img")
    folder = tempfile.mkdtemp(prefix="doppel-full-")
    if not os.path.exists(root) or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=20M", "tmpfs", folder]).returncode:
        print("full_disk: no Debian disk, or no tmpfs\nfull_disk: 0 passed, 0 failed, 1 skipped")
        return 0
    image = os.path.join(folder, "data.qcow2")
    guest = None
    try:
        subprocess.run([doppel, "img", "create", "-q", "-f", "qcow2", image, "100M"], check=True)
        guest = Guest(["timeout", "-s", "KILL", "180", doppel, "-m", "512",
                       "-kernel", os.path.join(disk, "vmlinuz"),
                       "-initrd", os.path.join(disk, "initrd"),
                       "-append", "console=ttyS0 root=/dev/vda rw init=/bin/sh quiet",
                       "-drive", f"file={root},if=virtio,snapshot=on,format=raw",
                       "-drive", f"file={image},if=virtio", "-serial", "mon:stdio"])
        guest.expect("# ", 90)
        guest.type("dd if=/dev/urandom of=/dev/vdb bs=1M count=40 oflag=direct; echo fin''ished $?\n")
        guest.expect("no space left on the host", 60)
        subprocess.run(["mount", "-o", "remount,size=80M", folder], check=True)
        guest.type("\x01c")
        guest.expect(r"\(doppel\)", 10)
        guest.type("cont\n\x01c")
        guest.expect("finished 0", 60)
        guest.type("\x01x")
        guest.wait(20)
        subprocess.run([doppel, "img", "check", "-q", image], check=True)
        print("full_disk: 1 passed, 0 failed")
        return 0
    except (GuestError, subprocess.SubprocessError) as why:
        print(f"full_disk: {why}\nfull_disk: 0 passed, 1 failed")
        return 1
    finally:
        if guest and guest.proc.poll() is None:
            guest.proc.kill()
            guest.proc.wait()
        subprocess.run(["umount", "-l", folder])
        os.rmdir(folder)


sys.exit(main())
