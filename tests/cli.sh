#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# cli.sh DOPPEL: wrong use gets one clear line on stderr that names the thing, and exit status 1;
# help gets an answer on stdout and status 0.
set -u
doppel=$1
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0

run() {
	timeout -s KILL 20 "$doppel" "$@" </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
}

verdict() { # CONDITION-STATUS PATTERN ARGS...
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	pattern=$2
	shift 2
	printf 'doppel %s: status %s, expected /%s/:\n' "$*" "$status" "$pattern" | cut -c 1-300
	head -n 3 "$dir/err" | cut -c 1-300
	head -n 3 "$dir/out" | cut -c 1-300
}

# refuses PATTERN ARGS...: status 1, nothing on stdout, exactly one line of a readable length on
# stderr that matches PATTERN.
refuses() {
	pattern=$1
	shift
	run "$@"
	[ $status -eq 1 ] && [ ! -s "$dir/out" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] &&
		[ "$(wc -c <"$dir/err")" -lt 400 ] && grep -qE "^doppel: .*($pattern)" "$dir/err"
	verdict $? "$pattern" "$@"
}

# answers PATTERN ARGS...: status 0, nothing on stderr, PATTERN in a line of stdout.
answers() {
	pattern=$1
	shift
	run "$@"
	[ $status -eq 0 ] && [ ! -s "$dir/err" ] && grep -qE -e "$pattern" "$dir/out"
	verdict $? "$pattern" "$@"
}

typed() { # LINES ARGS...: what the monitor answers
	lines=$1
	shift
	printf '%b\nquit\n' "$lines" | timeout -s KILL 20 "$doppel" -display none -serial none -monitor stdio "$@" \
		>"$dir/out" 2>"$dir/err"
	status=$?
}

head -c 4096 /dev/urandom >"$dir/garbage"
: >"$dir/empty"
mkdir "$dir/folder"
long=$(head -c 3000 /dev/zero | tr '\0' x)

# ---- help ----
answers "^usage: doppel" -h
answers "^usage: doppel" -help
answers "^usage: doppel" --help
answers "^doppel [0-9]" -version
answers "^usage: doppel doctor" doctor --help
answers "^-accel auto takes " doctor
answers '"engine": "(kvm|jit|interp)",$' doctor --json
# What the doctor says is what a run takes, and a software KVM is never that.
engine=$(sed -n 's/.*"engine": "\(.*\)",$/\1/p' "$dir/out")
! grep -q '"kvm": "software"' "$dir/out" || engine="(jit|interp), not kvm: this KVM is software:.*"
echo quit | timeout -s KILL 20 "$doppel" -display none -serial none -monitor stdio >"$dir/out" 2>"$dir/err"
grep -qE "^doppel: using $engine" "$dir/err"
verdict $? "using $engine"
refuses "doctor takes --json" doctor --jsno
refuses "doctor takes --json" doctor --json x
answers "^usage: doppel bench" bench --help
answers "^ipi " bench --list
refuses "--tmie.*did you mean --time" bench --tmie 5
refuses "zzz is not known.*--help" bench zzz
for o in --engines --only --time --html; do
	refuses "$o needs an argument" bench $o
done
for v in 0 -1 1s "" 60001 99999999999999999999; do
	refuses "--time .*milliseconds from" bench --time "$v"
done
refuses "no engine 'tcg'; they are" bench --engines jit,tcg
refuses "--engines needs a name" bench --engines ""
refuses "interp is there twice" bench --engines interp,interp
refuses "no workload 'fold'; --list" bench --only call,fold
refuses "--only needs a workload" bench --only ""
refuses "one of --json and --csv" bench --json --csv
refuses "/nonexistent/x.*No such file" bench --html /nonexistent/x
for o in --marker --timeout --repeat --map; do
	refuses "$o needs an argument" bench $o
done
refuses "--marker needs an argument" bench --marker ""
refuses "--timeout 0: .*seconds from" bench --timeout 0
refuses "--repeat 101: .*runs from" bench --repeat 101
refuses "--map /nonexistent: No such file" bench --map /nonexistent
refuses "--map /dev/null: .*no symbols" bench --map /dev/null
refuses "--time is for the built-in" bench --marker x --time 5
refuses "--engines, not by -accel" bench --marker x -accel jit
refuses "cannot open kernel /nonexistent: No such file" bench -kernel /nonexistent
refuses "garbage: not a kernel image" bench -kernel "$dir/garbage" --marker x
refuses "-m 12Q" bench -m 12Q
refuses "zork is not known; -help lists" bench -zork
refuses "-help: help is" bench -help
for word in help '?'; do
	answers "^x86 qemu64 " -cpu "$word"
	answers "^interp " -accel "$word"
	answers "^pc .*default" -machine "$word"
	answers "^pc .*default" -M "$word"
	answers '^name "isa-debug-exit"' -device "$word"
done
answers "iobase=" -device isa-debug-exit,help

# ---- processes ----
run -daemonize -pidfile "$dir/pid" -name process=doppeltest -display none -serial null -S
pid=$(cat "$dir/pid")
[ $status -eq 0 ] && [ "$(cat "/proc/$pid/comm")" = doppeltest ] && [ ! -s "$dir/out" ]
verdict $? "a daemon" -daemonize
refuses "$dir/pid: a process that runs has it" -pidfile "$dir/pid"
kill "$pid"
for i in $(seq 100); do
	[ -e "$dir/pid" ] || break
	sleep 0.1
done
[ ! -e "$dir/pid" ]
verdict $? "the PID's file goes" -pidfile
refuses "cannot open kernel /nonexistent" -daemonize -kernel /nonexistent
refuses "cannot open /nonexistent/pid: No such file" -pidfile /nonexistent/pid
refuses "leaves the terminal" -daemonize -serial mon:stdio
refuses "leaves the terminal" -daemonize -nographic
refuses "a23456789b123456 has more than 15 characters" -name process=a23456789b123456
refuses "foo= is not known" -name guest=a,foo=b
refuses "timestamp=on is not supported; timestamp=off" -msg timestamp=on
refuses "mem-lock=on is not supported" -overcommit mem-lock=on

# ---- boot ----
# A boot sector and an option ROM whose code is: mov al, 5 (6); out 0xf4, al, which ends doppel.
printf '\260\005\346\364\364' >"$dir/disk"
truncate -s 510 "$dir/disk"
printf '\125\252' >>"$dir/disk"
truncate -s 1M "$dir/disk"
truncate -s 1M "$dir/blank"
printf '\125\252\001\260\006\346\364\313\245' >"$dir/exit.rom"
truncate -s 512 "$dir/exit.rom"
ends() { # STATUS ARGS...: the guest of that disk or ROM, or the firmware's giving up, ends doppel so
	want=$1
	shift
	run "$@" -display none -serial null -monitor none -no-reboot -nic none \
		-device isa-debug-exit,iobase=0xf4,iosize=1
	[ $status -eq "$want" ]
	verdict $? "ends with $want" "$@"
}
if [ -z "$(find "$here/../roms" /usr/share/seabios -name bios-256k.bin 2>/dev/null)" ]; then
	skipped=$((skipped + 4))
	echo "skip: no SeaBIOS here"
else
	set -- -drive "if=none,id=a,format=raw,file=$dir/blank" -device virtio-blk-pci,drive=a,bootindex=1 \
		-fda "$dir/disk"
	ends 11 -boot reboot-timeout=1 "$@"
	ends 0 -boot reboot-timeout=1,strict=on "$@"
	ends 13 -option-rom "$dir/exit.rom"
	ends 11 -boot b -fda "$dir/disk"
fi
# mov dx, 0x505; mov al, 1; out dx, al: the guest panics.
printf '\272\005\005\260\001\356\364' | dd of="$dir/disk" conv=notrunc status=none
ends 0 -fda "$dir/disk" -device pvpanic
ends 1 -fda "$dir/disk" -device pvpanic -action panic=exit-failure
refuses "panic=foo is not supported; there are shutdown, pause, exit-failure, none" -action panic=foo
refuses "foo= is not known; there are reboot=" -action foo=bar
refuses "watchdog=foo is not supported; there are reset" -watchdog-action foo
refuses "the nearest is -device i6300esb" -watchdog i6300esb
refuses "garbage: it is no option ROM" -option-rom "$dir/garbage"
refuses "-option-rom: cannot open firmware /nonexistent" -option-rom /nonexistent
refuses "-option-rom: foo is not known" -option-rom "$dir/exit.rom,foo=1"
refuses "-option-rom is for firmware" -option-rom "$dir/exit.rom" -kernel "$dir/garbage"
refuses "cannot open firmware /nonexistent" -global virtio-rng-pci.romfile=/nonexistent -device virtio-rng-pci
truncate -s 64K "$dir/vars"
refuses "vars holds no code where the CPU starts.*unit=1" -bios "$dir/vars"
refuses "vars holds no code where the CPU starts.*unit=1" -drive "if=pflash,format=raw,file=$dir/vars"
refuses "nothing can be started from it" -device virtio-rng-pci,bootindex=1
refuses "virtio-blk-pci: another device has bootindex=1" -device e1000,bootindex=1,romfile= \
	-drive "if=none,id=d,format=raw,file=$dir/vars" -device virtio-blk-pci,drive=d,bootindex=1
refuses "garbage: this is no ACPI table: its header has another length" -acpitable "file=$dir/garbage"
refuses "empty: this is no ACPI table: it is shorter" -acpitable "file=$dir/empty"
refuses "sig= is not supported; there is file=" -acpitable sig=MSDM
refuses "cannot open ACPI table /nonexistent" -acpitable file=/nonexistent
refuses "ops is no order" -boot ops
refuses "acdn is no order.*up to three" -boot acdn
answers "^std " -vga help
answers "^curses" -display help

# ---- words that are no options ----
refuses "-kernle is not known; did you mean -kernel" -kernle x
refuses "-zzzzzz is not known; -help" -zzzzzz
refuses "option -- " --
refuses "neither an option nor a disk image" -
# ---- disks ----
refuses "drive d: cannot open .*/nothing: No such file" -drive "if=none,id=d,file=$dir/nothing"
refuses "folder: Is a directory" -drive "if=none,id=d,file=$dir/folder"
refuses "if=foo is not supported" -drive "if=foo,file=$dir/garbage"
refuses "cache=bar is not known" -drive "cache=bar,file=$dir/garbage"
refuses "format=vmdk is not supported; there are raw and qcow2" -drive "format=vmdk,file=$dir/garbage"
refuses "not a valid qcow2 image" -drive "if=none,id=d,format=qcow2,file=$dir/garbage"
refuses "aio=native needs cache=none" -drive "if=none,id=d,aio=native,file=$dir/garbage"
refuses "werror=foo is not known; there are report, ignore, stop, enospc" \
	-drive "if=none,id=d,file=$dir/garbage" -device virtio-blk-pci,drive=d,werror=foo
refuses "rerror=enospc is not known" \
	-drive "if=none,id=d,file=$dir/garbage" -device ide-hd,drive=d,rerror=enospc
refuses "each target has one unit" -device virtio-scsi-pci \
	-drive "if=none,id=d,file=$dir/garbage" -device scsi-hd,drive=d,lun=1
refuses "throttling.group= is empty" -drive "throttling.group=,file=$dir/garbage"
refuses "iops=-5 is not a number" -drive "iops=-5,file=$dir/garbage"
refuses "ide0-hd0: a burst .-max. needs the limit" -drive "bps_max=5,file=$dir/garbage"
refuses "total and of reads or writes" -drive "throttling.bps-total=5,bps_rd=4,file=$dir/garbage"
refuses "detect-zeroes=unmap needs discard=unmap" -drive "detect-zeroes=unmap,file=$dir/garbage"
refuses "index=x is not a number" -drive "index=x,file=$dir/garbage"
refuses "two drives at if=virtio, bus 0, unit 1" -drive "if=virtio,index=1,file=$dir/garbage" \
	-drive "if=virtio,index=1,file=$dir/garbage"
refuses "two drives have the id d" -drive "if=none,id=d,file=$dir/garbage" -drive "if=none,id=d"
refuses "garbage is in use by another drive of this machine" \
	-drive "if=none,id=d,file=$dir/garbage" -drive "if=none,id=e,file=$dir/garbage"
refuses "needs file=, or media=cdrom" -drive if=virtio
refuses "needs driver= and node-name=" -blockdev driver=raw
refuses "this is no JSON" -blockdev '{"driver":"raw",'
refuses "needs driver= and node-name=" -blockdev '{"driver":"raw"}'
refuses "value of file is none" -blockdev '{"driver":"raw","node-name":"d","file":[1]}'
refuses "file.node.x=1 is not supported" -blockdev '{"driver":"raw","node-name":"d","file":{"node":{"x":1}}}'
refuses "file=x is no -blockdev" -blockdev driver=qcow2,node-name=d,file=x
refuses "there is no -drive with id=d" -device virtio-blk-pci,drive=d
refuses "unit=1 needs another with unit=0" -drive "if=pflash,unit=1,format=raw,file=$dir/garbage"
refuses "no PCI Express; use -machine q35" -device pcie-root-port,id=p
refuses "bus=x is not there" -M q35 -device nvme,bus=x,serial=1,drive=d -drive if=none,id=d
refuses "slot 0 only" -M q35 -device pcie-root-port,id=p -device virtio-rng-pci,bus=p,addr=1
refuses "takes one device" -M q35 -device pcie-root-port,id=p -device virtio-rng-pci,bus=p \
	-device virtio-rng-pci,bus=p
refuses "bus=p is for endpoints" -M q35 -device pcie-root-port,id=p -device pcie-root-port,bus=p
refuses "there is no SCSI bus scsi.0; add -device virtio-scsi-pci" -drive "if=scsi,format=raw,file=$dir/garbage"
refuses "there is no IDE bus ide.2; there are ide.0, ide.1" -drive if=ide,index=4,media=cdrom
refuses "there is no IDE bus ide.6; there are ide.0, ide.1" -M q35 -drive if=ide,index=6,media=cdrom
refuses "a bus has 1" -M q35 -drive if=ide,bus=1,unit=1,media=cdrom
refuses "unit 0 and unit 1 only" -drive "if=pflash,unit=2,format=raw,file=$dir/garbage"
refuses "leave one out" -bios x -pflash "$dir/garbage"
refuses "leave one out" -bios x -drive "if=pflash,format=raw,file=$dir/garbage"
refuses "cannot open firmware /nonexistent" -bios /nonexistent
refuses "neither an option nor a disk image" ""
refuses "not known" "-bad
name"
answers "^wav +path=FILE" -audiodev help
refuses "the nearest is -audio sdl,model=hda" -soundhw hda
refuses "the nearest is sdl" -audiodev pa,id=a
refuses "cannot write to /nonexistent/a.wav: No such file" -audiodev wav,id=a,path=/nonexistent/a.wav
refuses "cannot write to $dir/folder: Is a directory" -audiodev "wav,id=a,path=$dir/folder"
refuses "take u8, s16, s32 or f32" -audiodev "wav,id=a,path=$dir/a.wav,out.format=s8"
refuses "no -audiodev with that id" -audiodev none,id=a -machine pcspk-audiodev=b
cat >"$dir/config" <<END
# as on the command line
[machine]
  type = "q35"
[memory]
  size = "256M"
[device "rng,0"]
  driver = "virtio-rng-pci"
  max-bytes = "1024"
[global]
  driver = "VGA"
  property = "vgamem_mb"
  value = "32"
END
typed "info mtree\ninfo qtree" -readconfig "$dir/config"
grep -q q35 "$dir/out" && grep -q "virtio-rng" "$dir/out"
verdict $? "the devices are there" -readconfig
refuses "/nonexistent: No such file" -readconfig /nonexistent
refuses "folder is a directory" -readconfig "$dir/folder"
printf '[devic "a"]\n' >"$dir/config"
refuses "config, line 1: there is no group devic" -readconfig "$dir/config"
printf '\n[device]\n driver = "e1001"\n' >"$dir/config"
refuses "config, line 2: device e1001 is not known" -readconfig "$dir/config"
printf '[device]\n driver = e1000\n' >"$dir/config"
refuses "config, line 2: this is neither" -readconfig "$dir/config"
printf 'x = "1"\n' >"$dir/config"
refuses "config, line 1: a .group. comes first" -readconfig "$dir/config"
printf '[device]\n addr = "3"\n' >"$dir/config"
refuses "config, line 1: the group needs driver" -readconfig "$dir/config"
refuses "option -sd is not supported yet" -sd x
refuses "guest-cid= is at least 3" -device virtio-vsock-pci,guest-cid=2,uds=/tmp/x
refuses "cannot listen at /nonexistent/s: No such file" -device virtio-vsock-pci,guest-cid=3,uds=/nonexistent/s
refuses "needs uds=" -device virtio-vsock-pci,guest-cid=3
refuses "-usbdevice disk is not supported; there are tablet" -usbdevice disk
refuses "no free USB port" -usbdevice tablet -usbdevice mouse -usbdevice keyboard
refuses "port 1 of USB bus usb-bus.0 is taken" -usbdevice tablet -device usb-kbd,port=1
refuses "port 1.2 of USB bus usb-bus.0 does not exist" -usbdevice tablet -device usb-kbd,port=1.2
for o in -kernel -initrd -append -m -smp -cpu -accel -machine -M -display -serial -monitor \
	-debugcon -chardev -device -global -rtc -name -vga -vnc -net -nic -netdev -parallel \
	-audiodev -audio; do
	refuses "option $o needs an argument" $o
done

# ---- numbers ----
for v in 12Q 0 1 -5 1.G 1.5B 1.5.5G "" " 5" 5M5 0x100 size= size=1,slots=2 99999999999999999999 17592186044416M; do
	refuses "-m .*(not a size|at least|not supported)" -m "$v"
done
refuses "-m 104857600M: " -m 100T
refuses "-m .*the host has [0-9]+ MiB" -m 1000G
refuses "-m .*36 address bits" -cpu max,-lm -m 100G
for v in 0 -1 abc 65 100000 2.5 "" 2,maxcpus=4 3,sockets=2,cores=2 2,foo=1 cpus= 2,cores=0 \
	sockets=65536,cores=65536; do
	refuses "-smp" -smp "$v"
done

# ---- CPU models ----
refuses "nosuchcpu.*-cpu help" -cpu nosuchcpu
refuses "nosuchfeature.*-cpu help" -cpu max,+nosuchfeature
refuses "AVX-512.*x86-64-v3" -cpu x86-64-v4
refuses "host.*max" -cpu host
refuses "kvm64.*qemu64" -cpu kvm64
for v in "" , max, max,, max,+ max,- max,avx max,avx=maybe +avx max,=on; do
	refuses "cpu" -cpu "$v"
done
refuses "64-bit.*lm" -cpu max,-lm
refuses "-smp 2.*apic" -cpu max,-apic -smp 2

# ---- engines and boards ----
refuses "nosuchaccel.*interp" -accel nosuchaccel
refuses "-accel" -accel ""
refuses "kvm cannot run here: .*-accel jit" -accel kvm
refuses "kvm cannot run here: .*-accel jit" -enable-kvm
refuses "kvm takes no properties" -accel kvm,x=y
refuses "tcg is not supported yet.*jit" -accel tcg
refuses "interp takes no properties" -accel interp,thread=multi
refuses "thread is not known.*cache=SIZE" -accel jit,thread=multi
refuses "cache=0 is not a size from 1M to 1G" -accel jit,cache=0
refuses "cache= is not a size from 1M to 1G" -accel jit,cache
refuses "cache=2G is not a size from 1M to 1G" -accel jit,cache=2G
refuses "hot=0 is not a number" -accel jit,hot=0
refuses "name comes first" -accel cache=1M,jit
for v in auto 11 -1 shift=auto shift= shift=12 x; do
	refuses "-icount: shift=.*0 to 10" -icount "$v"
done
refuses "-icount needs shift=N" -icount sleep=off
refuses "sleep=maybe is neither" -icount 3,sleep=maybe
refuses "align=on is not supported" -icount 3,align=on
refuses "-icount: rr= is not supported" -icount 3,rr=record
refuses "-icount works with one CPU only" -icount 3 -smp 2
refuses "isapc is not known; there are pc and q35" -machine isapc
refuses "nosuchboard is not known.*pc" -machine nosuchboard
refuses "kvm cannot run here: .*-accel jit" -machine pc,accel=kvm
refuses "kvm cannot run here: .*-accel jit" -machine pc,accel=kvm:tcg
refuses "usb=maybe is not supported" -machine pc,usb=maybe
refuses "smm=maybe: it is on, off or auto" -machine pc,smm=maybe
refuses "needs -machine q35,smm=on" -global driver=cfi.pflash01,property=secure,value=on
refuses "secure=yes: it is on or off" -global driver=cfi.pflash01,property=secure,value=yes
refuses "nosuchprop" -M pc,nosuchprop=1
refuses "-display gtk.*-display none" -display gtk
refuses "has the terminal" -display curses -serial stdio
refuses "cannot open /nonexistent" -loadvm file:/nonexistent
refuses "cannot open /nonexistent" -incoming file:/nonexistent
refuses "tcp::4444 is not supported; there are file:PATH and exec:COMMAND" -incoming tcp::4444
refuses "false has ended with status 1" -accel interp -incoming exec:false
refuses "true: the saved state ends early" -accel interp -incoming exec:true
typed "migrate -d \"exec:gzip -c >'$dir/state.gz'\"\ninfo migrate\ninfo status"
[ $status -eq 0 ] && grep -q "status: completed" "$dir/out" && grep -q "status: paused" "$dir/out"
verdict $? "completed" migrate
typed "boot_set dc"
grep -q "started directly" "$dir/out"
verdict $? "no firmware" boot_set
typed "boot_set dc\nboot_set dx" -boot c -object rng-random,id=r,filename=/dev/urandom -device virtio-rng-pci,rng=r
[ "$(grep -c "no order of devices" "$dir/out")" = 1 ] && grep -q "dx is no" "$dir/out"
verdict $? "one of two" boot_set
typed "info status" -incoming "exec:gunzip -c <'$dir/state.gz'"
[ $status -eq 0 ] && grep -q "status: running" "$dir/out"
verdict $? "running" -incoming exec:
typed "migrate tcp:localhost:4444\nmigrate \"exec:exit 3\"\ninfo status"
grep -q "tcp:localhost:4444 is not supported; there are file:PATH" "$dir/out" &&
	grep -q "ended with status 3" "$dir/out" && grep -q "status: running" "$dir/out"
verdict $? "refused, and running" migrate
refuses "needs a terminal" -display curses
refuses "-vga qxl.*std" -vga qxl
refuses "serial0: vc is a console in a window" -serial vc
refuses "80 columns" -serial vc:100Cx40C
refuses "-qmp vc: a client needs" -qmp vc
refuses "virtio-gpu-pci: xres and yres are from 64 to 4095" -device virtio-gpu-pci,xres=63
refuses "virtio-gpu-pci.*max_outputs" -device virtio-gpu-pci,max_outputs=17
refuses "virtio-vga: max_outputs is from 1 to 16" -device virtio-vga,max_outputs=0
refuses "virtio-gpu-pci: max_hostmem is at least 1M" -device virtio-gpu-pci,max_hostmem=64K
refuses "virtio-vga: there is a VGA already" -device VGA -device virtio-vga
refuses "xres and yres" -device VGA,xres=1
refuses "power of two" -device VGA,vgamem_mb=3
refuses "one already" -device VGA -device VGA
refuses "the address comes first" -vnc password=on
refuses "-k klingon.*(no such layout|libxkbcommon)" -k klingon
refuses "HOST.:DISPLAY" -vnc 5
refuses "number up to 59635" -vnc :59636
refuses "tls-creds= is not supported.*ssh" -vnc :0,tls-creds=tls0
refuses "to=1 is not a display" -vnc :5,to=1
refuses "-vnc needs a display" -vnc :0 -vga none
refuses "cannot listen there" -vnc unix:/nonexistent/s
refuses "grab-mod=x is not known" -display sdl,grab-mod=x
refuses "gl=on is not supported" -display sdl,gl=on
refuses "nosuch is not known" -display sdl,nosuch=1
refuses "takes no properties" -display none,x=y
refuses "-parallel" -parallel stdio
refuses "-monitor file:x: a monitor needs" -monitor file:x
refuses "mode=x is neither" -chardev null,id=a -mon chardev=a,mode=x
for v in base=never base=2026-13-01 clock=host driftfix=slew foo ""; do
	refuses "-rtc" -rtc "$v"
done

# ---- devices ----
refuses "nosuchdevice.*-device help" -device nosuchdevice
refuses "did you mean isa-debug-exit" -device isa-debug-exti
refuses "-device" -device ""
refuses "iobase=banana is no port" -device isa-debug-exit,iobase=banana
refuses "iobase=0x10000 is no port" -device isa-debug-exit,iobase=0x10000
refuses "iosize=9 is not 1 to 4" -device isa-debug-exit,iosize=9
refuses "property foo" -device isa-debug-exit,foo=1
refuses "given twice" -device isa-debug-exit -device isa-debug-exit
refuses "isa-debug-exit at port 0x3f8: another" -device isa-debug-exit,iobase=0x3f8
refuses "property foo" -device pvpanic,foo=1
refuses "property foo" -device pc-testdev,foo=1
refuses "property foo" -device pci-testdev,foo=1
refuses "property foo" -device isa-debugcon,foo=1
refuses "no -chardev with id=x" -device isa-debugcon,chardev=x
refuses "there is no device foo; -device help" -global foo.bar=1
refuses "filename=/dev/hwrng is not supported; /dev/urandom" -object rng-random,id=r,filename=/dev/hwrng
refuses "needs id=" -object rng-builtin
refuses "there are filter-dump, rng-random" -object iothread,id=io
refuses "property bar is not known; -device VGA,help" -global VGA.bar=1
refuses "it is DRIVER.PROPERTY=VALUE" -global foo
refuses "each has its own id=" -global e1000.id=x
refuses "it is 0 or 1" -global PIIX4_PM.disable_s3=2
refuses "power of two" -global VGA.vgamem_mb=3
refuses "-global" -global isa-debugcon.iobase=banana
refuses "debug consoles" -debugcon null -debugcon null -debugcon null
refuses "debug console at port 0xe9" -debugcon null -debugcon null
refuses "-debugcon.*nosuch" -debugcon nosuch

# ---- debugging ----
refuses "stdio can serve one" -gdb stdio -serial stdio
refuses "stdio can serve one" -gdb stdio -qmp stdio
refuses "-gdb.*gdb needs tcp" -gdb file:x
refuses "-gdb.*no character device" -gdb x
refuses "-qmp.*a client needs" -qmp mon:stdio
refuses "no -chardev with id=a" -mon chardev=a
refuses "no -chardev with id=a" -mon chardev=a,mode=control
refuses "at most 4 -qmp" -qmp null -qmp null -qmp null -qmp null -qmp null

# ---- character devices ----
for o in -serial -debugcon; do
	refuses "$o.*nosuch:1" $o nosuch:1
	refuses "$o" $o ""
	refuses "path is missing" $o file:
	refuses "path is missing" $o unix:
	refuses "too long" $o "unix:/$long"
	refuses "/nonexistent/x.*No such file" $o file:/nonexistent/x
	refuses "folder.*[Dd]irectory" $o "file:$dir/folder"
	refuses "/nonexistent/s.*No such file" $o unix:/nonexistent/s
	refuses "/nonexistent/s.*No such file" $o unix:/nonexistent/s,server,nowait
	refuses "garbage.*(not a socket|[Cc]onnection refused)" $o "unix:$dir/garbage"
	refuses "garbage.*in use" $o "unix:$dir/garbage,server,nowait"
	refuses "foo" $o unix:x,foo
	refuses "udp.*not supported yet" $o udp::4444
	refuses "it is HOST:PORT" $o tcp:4444
	refuses "it is HOST:PORT" $o telnet:4444
	refuses "'65536' is no TCP port" $o tcp::65536
	refuses "port 1 for.*[Cc]onnection refused" $o tcp::1
	refuses "no -chardev with id=x" $o chardev:x
	refuses "mon:file" $o mon:file:x
done
refuses "stdio can serve one" -serial stdio -serial stdio
refuses "stdio can serve one" -serial stdio -monitor stdio
refuses "at most 4 serial" -serial null -serial null -serial null -serial null -serial null
refuses "-chardev" -chardev ""
refuses "-chardev.*needs id" -chardev null
refuses "-chardev.*needs path" -chardev file,id=a
refuses "-chardev nosuch" -chardev nosuch,id=a
refuses "foo=1" -chardev file,id=a,path=x,foo=1
refuses "two with id=a" -chardev null,id=a -chardev null,id=a

# ---- files ----
for f in /nonexistent "$dir/folder" /proc/self/mem ""; do
	refuses "kernel $f: " -kernel "$f"
done
refuses "$dir/empty: empty file" -kernel "$dir/empty"
refuses "/dev/null: empty file" -kernel /dev/null
refuses "$dir/garbage: not a kernel image" -kernel "$dir/garbage"
refuses "-initrd needs -kernel" -initrd "$dir/garbage"
refuses "-append needs -kernel" -append quiet
if [ "$(id -u)" -ne 0 ]; then
	: >"$dir/secret"
	chmod 000 "$dir/secret"
	refuses "secret: Permission denied" -kernel "$dir/secret"
fi
printf '\177ELF\2\1\1' >"$dir/elf"
refuses "$dir/elf" -kernel "$dir/elf"

if kernel=$(sh "$here/guests/fetch.sh" kernel amd64 2>/dev/null) &&
	initrd=$(sh "$here/guests/fetch.sh" initrd amd64 2>/dev/null); then
	for size in 100 515 600 1000 4096 100000 5000000; do
		head -c $size "$kernel" >"$dir/short"
		refuses "$dir/short" -kernel "$dir/short"
	done
	for f in /nonexistent "$dir/garbage" "$dir/folder" /proc/self/mem "$kernel" ""; do
		refuses "initrd.*$f" -kernel "$kernel" -initrd "$f"
	done
	cat "$initrd" >"$dir/big"
	truncate -s 200M "$dir/big"
	refuses "initrd .*big.*-m" -m 128M -kernel "$kernel" -initrd "$dir/big"
	refuses "kernel.*-m" -m 16M -kernel "$kernel" -initrd "$initrd"
	refuses "command line.*3000.*2047" -kernel "$kernel" -append "$long"
	refuses "64-bit.*lm" -kernel "$kernel" -cpu max,-lm
else
	skipped=17
	echo "skip: no Debian kernel here"
fi

echo "options: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
