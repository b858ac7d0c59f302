/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Entry of the built-in guest by the PVH boot ABI: 32-bit protected mode, paging off, EBX = address
 * of struct hvm_start_info. Identity-maps the first 4 GiB with 2 MiB pages and goes to long mode.
 */
	.section .note.PVH, "a", @note
	.balign 4
	.long 4, 4, 18			/* name size, desc size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

	.section .text.start, "ax"
	.code32
	.globl start32
start32:
	cli
	cld
	movl $stack_top, %esp
	movl %ebx, %ebp

	/* PML4 -> PDPT -> four page directories of 2 MiB pages. */
	movl $pdpt + 3, pml4
	movl $pdpt, %edi
	movl $pagedirs + 3, %eax
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b
	movl $pagedirs, %edi
	movl $0x83, %eax
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 2b

	movl %cr4, %eax
	orl $0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax		/* EFER.LME */
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax
	movl %eax, %cr0
	lgdt gdt_desc
	ljmp $8, $start64

	.code64
start64:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl %ebp, %edi
	call guest_main
3:	cli
	hlt
	jmp 3b

/* Vectors 0-47: exceptions and the remapped PIC. Each stub leaves vector and error code on the
 * stack and calls trap(struct frame *). */
	.altmacro
	.macro stub n
	.balign 16
	.if \n != 8 && (\n < 10 || \n > 14) && \n != 17
	pushq $0
	.endif
	pushq $\n
	jmp trap_common
	.endm

	.balign 16
	.globl stubs
stubs:
	.set i, 0
	.rept 48
	stub %i
	.set i, i + 1
	.endr

trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	cld
	call trap
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
gdt_desc:
	.word gdt_desc - gdt - 1
	.long gdt

	.bss
	.balign 4096
pml4:	.skip 4096
pdpt:	.skip 4096
pagedirs: .skip 4 * 4096
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
