/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The handlers of random programs, placed at KBASE + P_RT. Every event is counted and mixed into a hash, and
 * the program goes on at its next step. What a fault may be due to is put back to what it was, so that it does
 * not come again and again.
 */
#include "tests/hop/layout.h"

#define CODE_ADDR 0x30000000

	.section .rodata
	.balign	16
	.globl	hop_rt, hop_rt_end, hop_rt_nmi, hop_rt_call, hop_rt_enter, hop_rt_data
hop_rt:
	.set	vec, 0
	.rept	NR_VECTORS		/* a stub of 16 bytes for each vector */
	.balign	16
	.if	!(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21)
	push	$0
	.endif
	push	$vec
	jmp	event
	.set	vec, vec + 1
	.endr

	.balign	8
hop_rt_data:				/* filled in by box.c */
usual_cr4:	.quad 0
usual_xcr0:	.quad 0
pte_rw:		.quad 0
quiet:		.quad 0			/* interrupts may come late and are only counted */
vague:		.quad 0			/* address and error code of a page fault may be wrong */

/* rsp: rdx 0, rcx 8, rax 16, vector 24, error 32, rip 40, cs 48, rflags 56, rsp 64, ss 72 */
#define VEC    24(%rsp)
#define ERROR  32(%rsp)
#define RIP    40(%rsp)
#define CS     48(%rsp)
#define RFLAGS 56(%rsp)
#define SS     72(%rsp)

event:
	push	%rax
	push	%rcx
	push	%rdx
	cld
	mov	VEC, %ecx
	cmp	$14, %ecx
	jne	2f
	cmpq	$0, vague(%rip)
	je	1f
	andl	$0x10, ERROR
	jmp	1f
2:	cmpq	$0, quiet(%rip)
	je	1f
	sub	$VEC_IRQ, %ecx
	cmp	$VEC_MODE - VEC_IRQ, %ecx
	jae	1f
	movabs	$KBASE + P_LOG, %rdx
	mov	LOG_HASH(%rdx), %rax
	incl	LOG_COUNT+4*VEC_IRQ(%rdx)
	jmp	interrupt
1:
	movabs	$KBASE + P_LOG, %rdx
	mov	LOG_EVENTS(%rdx), %ecx
	cmp	$MOST_EVENTS, %ecx
	jae	1f
	incl	LOG_EVENTS(%rdx)
	shl	$5, %ecx
	movabs	$KBASE + P_EVENTS, %rdx
	add	%rcx, %rdx
	mov	VEC, %eax
	mov	%eax, EVENT_VECTOR(%rdx)
	mov	RIP, %rax
	mov	%rax, EVENT_RIP(%rdx)
	mov	ERROR, %eax
	mov	%eax, EVENT_ERROR(%rdx)
	mov	RFLAGS, %eax
	and	$0x244700, %eax
	mov	%eax, EVENT_FLAGS(%rdx)
	mov	CS, %eax
	mov	%eax, EVENT_CS(%rdx)
1:
	movabs	$KBASE + P_LOG, %rdx
	mov	VEC, %ecx
	incl	LOG_COUNT(%rdx,%rcx,4)
	mov	LOG_HASH(%rdx), %rax
	rol	$7, %rax
	add	VEC, %rax
	rol	$7, %rax
	add	ERROR, %rax
	rol	$7, %rax
	add	RIP, %rax
	rol	$7, %rax
	add	CS, %rax
	mov	RFLAGS, %rcx
	and	$0x244700, %ecx		/* ID AC NT DF IF TF; the rest may be dead or the host's */
	rol	$7, %rax
	add	%rcx, %rax
	mov	VEC, %ecx
	cmp	$14, %ecx
	jne	1f
	cmpq	$0, vague(%rip)
	jne	fault
	mov	%cr2, %rcx
	rol	$7, %rax
	add	%rcx, %rax
	jmp	fault
1:	test	%ecx, %ecx		/* a division may stand for INT */
	jnz	1f
	mov	(%rsp), %ecx
	xor	$CALL_BY_DIVISION, %ecx
	cmp	$NR_VECTORS, %ecx
	jae	fault
	addq	$2, RIP
	andl	$~0x8d5, RFLAGS		/* which the division leaves undefined */
	mov	%rcx, VEC
	jmp	2f
1:	cmp	$1, %ecx
	jne	2f
	mov	%dr6, %rcx
	rol	$7, %rax
	add	%rcx, %rax
	mov	%rax, LOG_HASH(%rdx)
	mov	$0xffff0ff0, %ecx
	mov	%rcx, %dr6
	andl	$~0x100, RFLAGS
	orl	$0x10000, RFLAGS	/* past the breakpoint at RIP, if there is one */
	jmp	back
2:	cmp	$VEC_MODE, %ecx
	jae	service
	cmp	$VEC_IRQ, %ecx
	jae	interrupt
	cmp	$3, %ecx
	je	logged
	cmp	$4, %ecx
	je	logged

/* Puts everything back, and goes on at the next step. */
fault:
	mov	%rax, LOG_HASH(%rdx)
	mov	$CR0_USUAL, %eax
	mov	%rax, %cr0
	mov	usual_cr4(%rip), %rax
	mov	%rax, %cr4
	bt	$18, %eax		/* OSXSAVE */
	jnc	1f
	mov	usual_xcr0(%rip), %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xsetbv
1:	mov	VEC, %ecx
	cmp	$14, %ecx
	jne	2f
	movabs	$KBASE + P_PT_DATA, %rdx
	mov	pte_rw(%rip), %rax
	mov	%rax, (%rdx)
	add	$0x1000, %rax
	mov	%rax, 8(%rdx)
	mov	$0x20000000, %eax
	invlpg	(%rax)
	add	$0x1000, %eax
	invlpg	(%rax)
	testb	$0x10, ERROR		/* a fetch: only SMEP was in the way */
	jz	2f
	mov	RIP, %rax
	sub	$CODE_ADDR, %rax
	cmp	$PROGRAM_SIZE, %rax
	jb	back
2:	cmp	$16, %ecx
	jne	3f
	fnclex
3:	cmp	$19, %ecx
	jne	4f
	push	$0x1f80
	ldmxcsr	(%rsp)
	pop	%rax
4:	cmpw	$SEL_C32_3, CS
	je	5f
	cmpw	$SEL_C32_0, CS
	jne	6f
5:	mov	$SEL_D_3, %eax
	mov	%eax, %ds
	mov	%eax, %es
6:	mov	RIP, %rax
	sub	$CODE_ADDR, %rax
	cmp	$PROGRAM_SIZE, %rax
	jb	7f
	xor	%eax, %eax		/* the way out */
7:	movabs	$KBASE + P_NEXT, %rdx
	movzwl	(%rdx,%rax,2), %eax
	add	$CODE_ADDR, %eax
	mov	%rax, RIP
	andl	$~0x8d5, RFLAGS		/* status flags may be dead here */
	jmp	back

interrupt:
	mov	%rax, LOG_HASH(%rdx)
	in	$PORT_ACK, %al
	add	%al, LOG_TOTAL(%rdx)
	jmp	back

service:
	cmp	$VEC_RAISE, %ecx
	jb	1f
	jne	logged
	mov	16(%rsp), %eax
	and	$0xf, %eax
	add	$VEC_IRQ, %eax
	out	%al, $PORT_IRQ
	mov	LOG_HASH(%rdx), %rax
	jmp	logged
1:	sub	$VEC_MODE, %ecx
	mov	%rax, LOG_HASH(%rdx)
	lea	modes(%rip), %rdx
	movzwl	(%rdx,%rcx,4), %eax
	mov	%rax, CS
	movzwl	2(%rdx,%rcx,4), %eax
	mov	%rax, SS
	mov	$SEL_D_3, %eax
	mov	%eax, %ds
	mov	%eax, %es
	andl	$~0x4000, RFLAGS
	jmp	back
logged:
	mov	%rax, LOG_HASH(%rdx)
back:
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

	.balign	4
modes:					/* enum mode: CS, SS */
	.word	SEL_C64_0, SEL_D_0, SEL_C64_3, SEL_D_3, SEL_C32_3, SEL_D_3, SEL_C32_0, SEL_D_0

/* NMIs come some time after they were asked for. */
	.balign	16
hop_rt_nmi:
	push	%rdx
	movabs	$KBASE + P_LOG, %rdx
	incl	LOG_COUNT+8(%rdx)
	pop	%rdx
	iretq

/* SYSCALL from either level; RDX and RAX are free there. */
	.balign	16
hop_rt_call:
	movabs	$KBASE + P_LOG, %rdx
	mov	LOG_HASH(%rdx), %rax
	rol	$7, %rax
	add	%rcx, %rax
	rol	$7, %rax
	add	%r11, %rax
	mov	%rax, LOG_HASH(%rdx)
	incl	LOG_COUNT+4*VEC_CALL(%rdx)
	sysretq

/* SYSENTER; the way back is in EDX and ECX, as SYSEXIT wants it. */
	.balign	16
hop_rt_enter:
	movabs	$KBASE + P_LOG, %rax
	incl	LOG_COUNT+4*VEC_CALL(%rax)
	addl	%edx, LOG_TOTAL(%rax)
	sti
	sysexitl
hop_rt_end:
	.section .note.GNU-stack,"",@progbits
