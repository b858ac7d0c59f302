/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Into and out of the tested instruction; see fuzz_host.c. All state goes through the structure at
 * IO_ADDR (struct io there), by absolute address, because no register is free.
 */
#define IO       0x10000000
#define IN(n)    IO + 8 * (n)
#define OUT(n)   IO + 0x400 + 8 * (n)
#define FLAGS    17 /* words of struct fuzz_state after the general registers and RIP */
#define FS_BASE  18
#define GS_BASE  19
#define XSAVE    24
#define SAVE_RSP IO + 0x800
#define SAVE_FS  IO + 0x808
#define ENTER    IO + 0x818
#define FAR_ENTER IO + 0x820
#define MXCSR    IO + 0x830
#define SEL_DS   IO + 0x850
#define SEL_ES   IO + 0x852
#define SEL_SS   IO + 0x854
#define SEL_FS   IO + 0x856
#define SEL_GS   IO + 0x858
#define LOAD_ALL IO + 0x85a
#define USER_DS  0x2b

	.text
	.globl	host_run, host_exit, host_recover, host_enter_compat
host_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	movq	%rsp, SAVE_RSP
	movw	SEL_DS, %ds
	movw	SEL_ES, %es
	rdfsbase %rax
	movq	%rax, SAVE_FS
	movq	IN(FS_BASE), %rax
	wrfsbase %rax
	movq	IN(GS_BASE), %rax
	wrgsbase %rax
	cmpw	$0, LOAD_ALL
	je	1f
	movw	SEL_FS, %fs
	movw	SEL_GS, %gs
	movw	SEL_SS, %ss
1:	mov	$7, %eax
	xor	%edx, %edx
	xrstor64 IN(XSAVE)
	movq	IN(0), %rax
	movq	IN(1), %rcx
	movq	IN(2), %rdx
	movq	IN(3), %rbx
	movq	IN(5), %rbp
	movq	IN(6), %rsi
	movq	IN(7), %rdi
	movq	IN(8), %r8
	movq	IN(9), %r9
	movq	IN(10), %r10
	movq	IN(11), %r11
	movq	IN(12), %r12
	movq	IN(13), %r13
	movq	IN(14), %r14
	movq	IN(15), %r15
	mov	$IN(FLAGS), %esp
	popfq
	movq	IN(4), %rsp
	jmp	*ENTER

host_enter_compat:
	ljmp	*FAR_ENTER

host_exit:
	movq	%rax, OUT(0)
	movq	%rcx, OUT(1)
	movq	%rdx, OUT(2)
	movq	%rbx, OUT(3)
	movq	%rsp, OUT(4)
	movq	%rbp, OUT(5)
	movq	%rsi, OUT(6)
	movq	%rdi, OUT(7)
	movq	%r8, OUT(8)
	movq	%r9, OUT(9)
	movq	%r10, OUT(10)
	movq	%r11, OUT(11)
	movq	%r12, OUT(12)
	movq	%r13, OUT(13)
	movq	%r14, OUT(14)
	movq	%r15, OUT(15)
	mov	$OUT(FLAGS + 1), %esp
	pushfq
	mov	$USER_DS, %eax
	mov	%eax, %ss
	movq	SAVE_RSP, %rsp
	pushq	$0x202
	popfq
	rdfsbase %rax
	movq	%rax, OUT(FS_BASE)
	rdgsbase %rax
	movq	%rax, OUT(GS_BASE)
	cmpw	$0, LOAD_ALL
	je	1f
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
1:	movq	SAVE_FS, %rax
	wrfsbase %rax
	mov	$7, %eax
	xor	%edx, %edx
	xsave64	OUT(XSAVE)
host_recover:
	movq	SAVE_RSP, %rsp
	fninit
	ldmxcsr	MXCSR
	vzeroupper
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
