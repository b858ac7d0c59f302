/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The integer loop that measures interpreters, as a boot sector (BOOT_SECTOR) and as a PVH kernel. Both
 * run the same 64-bit code ROUNDS times nine instructions, then switch the machine off: isa-debug-exit
 * for doppel and QEMU, port 8900h for Bochs.
 */
#ifndef ROUNDS
#define ROUNDS 100000000
#endif
#define PML4 0x10000
#define PDPT 0x11000
#define PD   0x12000

#ifdef BOOT_SECTOR
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7c00, %sp
	lgdtl gdt_desc
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $0x18, $start32
#else
	.section .note.PVH, "a", @note
	.balign 4
	.long 4, 4, 18
	.asciz "Xen"
	.long start32
	.section .text.start, "ax"
	.globl _start
_start:
#endif

	.code32
start32:
	lgdtl gdt_desc
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	cld
	movl $PML4, %edi
	xorl %eax, %eax
	movl $3 * 1024, %ecx
	rep stosl
	movl $PDPT + 3, PML4
	movl $PD + 3, PDPT
	movl $0x83, PD
	movl $0x200083, PD + 8
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $PML4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax
	movl %eax, %cr0
	ljmpl $8, $start64

	.code64
start64:
	movl $ROUNDS, %ecx
	movl $1, %edx
1:	imulq $25, %rdx, %rdx
	addq $7, %rdx
	movq %rdx, %rax
	shrq $3, %rax
	xorq %rax, %rdx
	leaq (%rdx,%rdx,2), %rax
	addq %rax, %rdx
	decq %rcx
	jnz 1b

	movl $0xf4, %edx
	xorl %eax, %eax
	outb %al, %dx
	movl $0x8900, %edx
	leaq off(%rip), %rsi
	movl $8, %ecx
	rep outsb
2:	cli
	hlt
	jmp 2b

off:	.ascii "Shutdown"
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 08h: 64-bit code */
	.quad 0x00cf93000000ffff	/* 10h: data */
	.quad 0x00cf9b000000ffff	/* 18h: 32-bit code */
gdt_desc:
	.word gdt_desc - gdt - 1
	.long gdt
	.section .note.GNU-stack, "", @progbits
