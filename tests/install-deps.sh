#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# install-deps.sh build|check: installs the Debian packages that are missing for that, saying which.
# Needs root only when something is missing; uses sudo when not root.
set -u

need_build="gcc libc6-dev make binutils zlib1g-dev"
need_check="$need_build libzstd-dev qemu-utils libcriterion-dev libcapstone-dev python3 lz4 libslirp-dev gdb"
need_check="$need_check libsdl2-dev libvncserver-dev libxkbcommon-dev xkb-data xvfb xdotool x11-apps imagemagick openbox wmctrl vncsnapshot"
need_check="$need_check tigervnc-tools libdw-dev"

case ${1:-} in
build) want=$need_build ;;
check) want=$need_check ;;
*) echo "usage: install-deps.sh build|check" >&2; exit 1 ;;
esac

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

if ! command -v dpkg-query >/dev/null 2>&1; then
	command -v gcc >/dev/null 2>&1 && exit 0
	echo "doppel: this is not Debian; please install the equivalents of: $want" >&2
	exit 1
fi

missing=
for p in $want; do
	installed "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo=sudo
	# Where nobody can type a password, sudo must work without.
	if ! command -v sudo >/dev/null 2>&1 || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
		echo "doppel: missing packages:$missing" >&2
		echo "doppel: as root, run: apt-get install$missing" >&2
		exit 1
	fi
fi
echo "doppel: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt_install() { $sudo apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A missing or stale package list is the usual reason for a failed install.
apt_install || { $sudo apt-get -o Acquire::http::Timeout=20 update >>"$log" 2>&1; apt_install; } || {
	grep '^E:' "$log" | tail -n 3 >&2
	echo "doppel: could not install:$missing" >&2
	echo "doppel: install them by hand (is a package mirror reachable?) and try again" >&2
	exit 1
}
