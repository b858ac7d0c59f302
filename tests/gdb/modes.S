/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A boot sector that goes from real mode to 32 bits to 64 bits, where it counts for ever. What each mode does is at a
 * fixed offset, for a debugger to stop at.
 */
	.code16
	.globl _start
_start:
	ljmp $0x7c0, $(1f - _start)	/* not 0: where it runs is more than its offset */
1:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $0x7000, %sp
	cli
	mov $0x1234, %bx
	.org 0x20
real:	inc %bx
	inc %bx
	lgdtl %cs:(gdtr - _start)
	mov $1, %eax
	mov %eax, %cr0
	ljmpl $8, $0x7c40
	.org 0x40
	.code32
wide:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %ss
	mov $0x12345678, %esi
	inc %esi
	/* One 2 MiB page, by the tables at 1000h. */
	movl $0x2003, 0x1000
	movl $0x3003, 0x2000
	movl $0x83, 0x3000
	mov $0x6a0, %eax
	mov %eax, %cr4
	mov $0x1000, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	mov $0x100, %eax
	xor %edx, %edx
	wrmsr
	mov $0x80000001, %eax
	mov %eax, %cr0
	ljmp $0x18, $0x7ca0
	.org 0xa0
	.code64
long:	movabs $0x1122334455667788, %r9
	mov %r9, %rax
	movq %r9, %xmm3
	call count
	.org 0xb8, 0x90
again:	incq 0x6000
	mov 0x6008, %rdx
	pause
	jmp again
	.org 0xd8
count:	movq $0, 0x6000
	ret
	.org 0x100
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdtr:	.word . - gdt - 1
	.long 0x7c00 + gdt - _start
	.org 510
	.word 0xaa55
