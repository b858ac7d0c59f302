/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Ways between the rings, interrupt handlers, and where the second processor starts.
 */
	.code64
	.text

/* struct bench_result user_call(fn, a, b, c): on a stack of its own; back through SYS_EXIT. */
	.globl user_call
user_call:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, kernel_rsp
	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	movq %rcx, %rdx
	pushq $0x23
	pushq $user_stack_top
	pushq $0x202
	pushq $0x2b
	pushq $user_start
	iretq

user_start:
	call *%rax
	movq %rax, %rdi
	movq %rdx, %rsi
	xorl %eax, %eax			/* SYS_EXIT */
	syscall

/* RAX: enum syscall, RDI: its argument; the result in RAX. */
	.globl syscall_entry
syscall_entry:
	movq %rsp, user_rsp
	movq kernel_rsp, %rsp
	testl %eax, %eax
	jz 1f
	pushq %rcx
	pushq %r11
	movl %eax, %esi
	call on_syscall
	popq %r11
	popq %rcx
	movq user_rsp, %rsp
	sysretq
1:	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	movq %rdi, %rax
	movq %rsi, %rdx
	ret

	.globl trap_entry
trap_entry:
	incq %rax
	iretq

/* Calls C with what lies on the stack, and saves what C may change; error: bytes before the return address. */
	.macro handler name, fn, error=0
	.globl \name
\name:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	cld
	leaq 72(%rsp), %rdi
	call \fn
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	addq $\error, %rsp
	iretq
	.endm

	handler page_fault_entry, on_page_fault, 8
	handler interrupt_entry, on_interrupt
	handler device_entry, on_device
	handler ping_entry, on_ping

/* ---- the second processor, copied below 1 MiB ---- */

	.code16
	.globl second_start, second_end
second_start:
	cli
	cld
	xorl %eax, %eax
	movw %cs, %ax
	movw %ax, %ds
	lgdtl second_gdt_ptr - second_start
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $0x18, $second32
	.balign 8
second_gdt_ptr:
	.word 0x3f
	.long gdt_table
second_end:

	.code32
second32:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl kernel, %eax		/* .cr3 */
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax		/* EFER.LME */
	wrmsr
	movl $0x80000033, %eax		/* PG, NE, ET, MP, PE */
	movl %eax, %cr0
	ljmp $8, $1f
	.code64
1:	movl $second_stack_top, %esp
	call second_main

	.bss
	.balign 16
kernel_rsp: .skip 8
user_rsp: .skip 8
	.skip 16384
user_stack_top:
	.globl interrupt_stack_top
	.skip 16384
interrupt_stack_top:
	.skip 16384
second_stack_top:

	.section .note.GNU-stack, "", @progbits
