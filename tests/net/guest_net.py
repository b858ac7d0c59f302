# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of the network tests: Debian's cloud kernel, busybox, the modules of network cards, and
iperf3 and an SSH server."""
import glob
import gzip
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../boot"))
from boot import Skip, check, check_log, fetch  # noqa: E402,F401
from disks import cpio, initrd_with_modules  # noqa: E402
from guest import Guest, GuestError  # noqa: E402,F401

# In the order in which they depend on each other.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "failover", "net_failover", "virtio_net", "llc", "stp", "garp", "mrp", "8021q", "af_packet"]

# What the shell of each test starts with.
SETUP = ("for m in /m/*; do insmod $m; done; mkdir -p /dev/pts /run; mount -t devpts p /dev/pts; "
         "ip link set lo up; ip link set eth0 up")

DHCP_SCRIPT = b"""#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip -4 addr flush dev $interface
ip addr add $ip/$mask dev $interface
ip route add default via $router
for d in $dns; do echo nameserver $d; done > /etc/resolv.conf
echo bound $ip router $router dns $dns domain $domain boot $boot_file
"""


def make_initrd(out):
    """The busybox initrd, with modules in /m and programs in /bin."""
    tools = fetch("nettools", "amd64")
    entries = {"lib": (0o40755, b""), "lib64": (0o40755, b""),
               "etc/dropbear": (0o40755, b""), "etc/shells": (0o100644, b"/bin/sh\n"),
               "dhcp": (0o100755, DHCP_SCRIPT)}
    for path in glob.glob(f"{tools}/**/*", recursive=True):
        name = os.path.relpath(path, tools)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                entries[name if "/" in name else "bin/" + name] = (0o100755, f.read())
    initrd_with_modules(out, MODULES)
    with open(out, "ab") as f:
        f.write(gzip.compress(cpio(entries), 1))
