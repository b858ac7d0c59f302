/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A boot sector that has the BIOS read the sector behind it from the drive that it came from, prints
 * what is there on COM1, and ends by isa-debug-exit at F4h.
 */
	.code16
	.globl _start
_start:
	ljmp $0x7c0, $(1f - _start)
1:	mov %cs, %ax
	mov %ax, %ds
	mov %ax, %es
	xor %ax, %ax
	mov %ax, %ss
	mov $0x7c00, %sp
	mov $0x0201, %ax	/* one sector: cylinder 0, head 0, sector 2 */
	mov $0x0002, %cx
	xor %dh, %dh
	mov $0x200, %bx
	int $0x13
	cli			/* the BIOS's own text comes out in its timer interrupt */
	mov $0x200, %si
	jnc 2f
	mov $(failed - _start), %si
2:	lodsb
	test %al, %al
	jz 3f
	mov $0x3f8, %dx
	out %al, %dx
	jmp 2b
3:	mov $0x10, %al
	out %al, $0xf4
4:	hlt
	jmp 4b
failed:	.asciz "the BIOS cannot read it\n"
	.org 510
	.word 0xaa55
	.asciz "sector two was read by the BIOS\n"
	.org 1024
