#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# grub.sh FOLDER files|disks: for disk.sh, with the tools of the system in FOLDER/root. `files` puts GRUB and
# its menu there. `disks` makes, of FOLDER/root.img:
#   bios.img    an MBR partition table, GRUB in the MBR and the gap behind it, root in partition 1
#   uefi.img    a GPT, an EFI system partition with GRUB at \EFI\debian (nothing at \EFI\BOOT, where firmware
#               looks by itself), root in partition 2
#   rescue.iso  a CD by grub-mkrescue that is a disk, too, for BIOS and UEFI
set -eu

folder=$1
root=$folder/root
work=$root/tmp/grub
modules="ext2 part_msdos part_gpt normal search_label serial"

# inside COMMAND...: in the system; its /tmp/grub is $work.
inside() { chroot "$root" "$@"; }

files() {
	mkdir -p "$root/boot/grub/fonts"
	cp -r "$root/usr/lib/grub/i386-pc" "$root/usr/lib/grub/x86_64-efi" "$root/boot/grub/"
	rm -f "$root"/boot/grub/*/*.img "$root"/boot/grub/*/*.module
	kernel=$(basename "$root"/boot/vmlinuz-*)
	cat >"$root/boot/grub/grub.cfg" <<-EOM
		serial --unit=0 --speed=115200
		terminal_input console serial
		terminal_output console serial
		set timeout=2
		menuentry "Debian GNU/Linux" {
			search --no-floppy --label --set=root root
			echo "Loading Linux ..."
			linux /boot/$kernel root=LABEL=root ro quiet console=tty0 console=ttyS0
			initrd /boot/initrd.img-${kernel#vmlinuz-}
		}
	EOM
}

# partition DISK MIB: copies root.img to where a partition starts.
partition() { dd if="$folder/root.img" of="$1" bs=1M seek="$2" conv=sparse,notrunc status=none; }

bios() {
	disk=$folder/bios.img
	rm -f "$disk"
	truncate -s 1538M "$disk"
	partition "$disk" 1
	inside grub-mkimage -O i386-pc -p '(,msdos1)/boot/grub' -o /tmp/grub/core.img biosdisk $modules
	# boot.img loads core.img from sector 1 on, as it is made. Its last 72 bytes are the disk's own.
	dd if="$root/usr/lib/grub/i386-pc/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
	dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
	# The table, which sfdisk would write together with a label of its own.
	truncate -s 1538M "$work/table.img"
	echo 'start=2048, size=3145728, type=83, bootable' | inside sfdisk -q -X dos /tmp/grub/table.img
	dd if="$work/table.img" of="$disk" bs=1 skip=440 seek=440 count=72 conv=notrunc status=none
}

uefi() {
	disk=$folder/uefi.img
	rm -f "$disk"
	truncate -s 1570M "$work/disk.img"
	printf 'start=2048, size=65536, type=uefi, name=esp\nstart=67584, size=3145728, type=linux\n' |
		inside sfdisk -q -X gpt /tmp/grub/disk.img
	truncate -s 32M "$work/esp.img"
	inside mkfs.vfat -n ESP /tmp/grub/esp.img
	inside grub-mkimage -O x86_64-efi -p '(,gpt2)/boot/grub' -o /tmp/grub/grubx64.efi $modules
	inside mmd -i /tmp/grub/esp.img ::EFI ::EFI/debian
	inside mcopy -i /tmp/grub/esp.img /tmp/grub/grubx64.efi ::EFI/debian/
	mv "$work/disk.img" "$disk"
	dd if="$work/esp.img" of="$disk" bs=1M seek=1 conv=notrunc status=none
	partition "$disk" 33
}

rescue() {
	mkdir -p "$work/iso/boot/grub"
	cat >"$work/iso/boot/grub/grub.cfg" <<-EOM
		serial --unit=0 --speed=115200
		terminal_input console serial
		terminal_output console serial
		set timeout=-1
		menuentry "What a rescue disk offers" { echo "on \$grub_platform"; sleep 1; halt; }
		menuentry "Reboot" { reboot; }
	EOM
	inside grub-mkrescue -o /tmp/grub/rescue.iso /tmp/grub/iso
	mv "$work/rescue.iso" "$folder/rescue.iso"
}

case $2 in
files) files ;;
disks)
	mkdir -p "$work"
	bios
	uefi
	rescue
	rm -rf "$work"
	;;
esac
