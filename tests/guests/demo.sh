#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots Debian's cloud kernel to a busybox shell; without a package mirror, the built-in guest.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if kernel=$(sh "$here/fetch.sh" kernel amd64) && initrd=$(sh "$here/fetch.sh" initrd amd64); then
	echo "doppel: booting Debian's kernel to a shell; leave with 'poweroff -f' or Ctrl-A x"
	set -- -m 512M -kernel "$kernel" -initrd "$initrd" -append "console=ttyS0" -nographic "$@"
else
	echo "doppel: no Linux guest without a package mirror; booting the guest built into the binary"
	set --
fi
echo "+ ./doppel $*"
exec ./doppel "$@"
