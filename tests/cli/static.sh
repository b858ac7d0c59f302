#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# static.sh BINARY: what ./configure --static writes, and that the binary made so needs nothing and runs.
set -u
binary=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >"$dir/out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$name: failed"
		head -5 "$dir/out"
	fi
}
has() { grep -q -e "$1" "$2"; }
lacks() { ! grep -q -e "$1" "$2"; }

cp "$here/configure" "$dir/"
check "configure --static" "$dir/configure" --static
check "configure --static: the linker is told" has '^STATIC := -static$' "$dir/config.mk"
check "configure" "$dir/configure"
check "configure: nothing is static by itself" lacks '-static' "$dir/config.mk"
readelf -l "$binary" >"$dir/headers" 2>&1
check "program headers" has LOAD "$dir/headers"
check "no interpreter" lacks INTERP "$dir/headers"
check "no libraries" lacks DYNAMIC "$dir/headers"
check "-version" timeout -s KILL 20 "$binary" -version
check "doctor" timeout -s KILL 60 "$binary" doctor --json
timeout -s KILL 20 "$binary" -nographic -netdev user,id=n >"$dir/user" 2>&1
check "user networking: by passt" has 'static doppel cannot load libslirp; use passt' "$dir/user"
echo 'ffffffff81000000 T _text' >"$dir/System.map"
printf 'symbol-file %s\ninfo symbol-files\nsymbol-file %s\nquit\n' "$dir/System.map" "$binary" |
	timeout -s KILL 60 "$binary" -display none -serial null -monitor stdio -S >"$dir/symbols" 2>&1
check "symbols: a System.map" has 'System.map: kernel, not in the guest (yet), 1 symbols' "$dir/symbols"
check "symbols: no source lines" has 'static doppel cannot load libdw' "$dir/symbols"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
