/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The probe's guest. Each entry point tries one thing and ends with PASS or FAIL; an exception
 * nobody expects ends in a stub that names its vector. It is copied to GUEST_CODE, so addresses are
 * written with AT().
 */
#include "accel/probe/kvm_guest.h"

#define AT(label) (label - kvm_guest_start + GUEST_CODE)
#define SEG(label) (label - kvm_guest_start) /* in a segment at GUEST_CODE */

.macro PASS
	mov $GUEST_PASS, %eax
	out %eax, $PORT_DONE
	hlt
.endm

.macro FAIL what
	mov $\what, %eax
	out %eax, $PORT_DONE
	hlt
.endm

	.section .rodata
	.globl kvm_guest_start
	.balign 16
kvm_guest_start:

/* ---- real mode: CS, DS and SS at GUEST_CODE ---- */
	.code16
	.globl kvm_guest_real
kvm_guest_real:
	mov $0x1234, %ax
	push %ax
	call 1f
	pop %dx
	cmp $0x1234, %dx
	jne 2f
	cmp $0xedcb, %ax
	jne 3f
	PASS
1:	out %ax, $PORT_ECHO
	in $PORT_ECHO, %ax
	ret
2:	FAIL 1
3:	FAIL 2

	.globl kvm_guest_modes
kvm_guest_modes:
	lgdtl SEG(gdtr)
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $SEL_CODE32, $AT(protected)
	.code32
protected:
	mov $SEL_KDATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $GUEST_RSP0, %esp
	push $0x5a5a
	pop %ebx
	cmp $0x5a5a, %ebx
	jne 1f
	mov %cr4, %eax
	or $0x20, %eax
	mov %eax, %cr4
	mov $GUEST_PML4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax
	mov %eax, %cr0
	ljmp $SEL_KCODE, $AT(long)
1:	FAIL 1
	.code64
long:
	mov $0xc0000080, %ecx
	rdmsr
	test $0x400, %eax
	jz 1f
	movabs $0x1122334455667788, %rax
	push %rax
	pop %rbx
	shr $32, %rbx
	cmp $0x11223344, %ebx
	jne 2f
	PASS
1:	FAIL 2
2:	FAIL 3

/* ---- long mode ---- */
	.globl kvm_guest_pio
kvm_guest_pio:
	mov $0x5a, %al
	out %al, $PORT_ECHO
	in $PORT_ECHO, %al
	cmp $0xa5, %al
	jne 1f
	mov $PORT_ECHO, %edx
	mov $0x12345678, %eax
	out %eax, %dx
	in %dx, %eax
	cmp $0xedcba987, %eax
	jne 2f
	PASS
1:	FAIL 1
2:	FAIL 2

	.globl kvm_guest_mmio
kvm_guest_mmio:
	mov $GUEST_MMIO, %edi
	movabs $0x1122334455667788, %rax
	mov %rax, (%rdi)
	mov (%rdi), %rdx
	not %rdx
	cmp %rax, %rdx
	jne 1f
	movb $0x5a, 3(%rdi)
	movzbl 3(%rdi), %edx
	cmp $0xa5, %edx
	jne 2f
	PASS
1:	FAIL 1
2:	FAIL 2

	.globl kvm_guest_hlt
kvm_guest_hlt:
	xor %ebx, %ebx
	sti
	hlt
	cmp $VEC_IRQ, %ebx
	jne 1f
	PASS
1:	FAIL 1

	.globl kvm_guest_irq
kvm_guest_irq:
	xor %ebx, %ebx
	out %al, $PORT_READY
	sti
1:	pause
	cmp $VEC_IRQ, %ebx
	jne 1b
	PASS

	.globl kvm_guest_int
kvm_guest_int:
	xor %ebx, %ebx
	int $VEC_INT
int_back:
	cmp $VEC_INT, %ebx
	jne 1f
	PASS
1:	FAIL 1

	.globl kvm_guest_fault
kvm_guest_fault:
	mov %cr3, %rax
	mov %rax, %cr3
	mov $GUEST_ABSENT + 0x123, %edi
	invlpg (%rdi)
	xor %ebx, %ebx
	mov $0x0f, %r15d
fault_at:
	mov (%rdi), %eax
fault_back:
	cmp $14, %ebx
	jne 1f
	PASS
1:	FAIL 1

	.globl kvm_guest_sse
kvm_guest_sse:
	mov $0x01020304, %eax
	movd %eax, %xmm3
	pshufd $0, %xmm3, %xmm4
	paddd %xmm4, %xmm4
	movups %xmm4, GUEST_DATA + 1
	movups GUEST_DATA + 1, %xmm5
	movhlps %xmm5, %xmm6
	movd %xmm6, %eax
	cmp $0x02040608, %eax
	jne 1f
	PASS
1:	FAIL 1

	.globl kvm_guest_fxsave
kvm_guest_fxsave:
	fninit
	fld1
	fxsave GUEST_DATA
	fninit
	fxrstor GUEST_DATA
	fistpl GUEST_DATA + 512
	cmpl $1, GUEST_DATA + 512
	jne 1f
	PASS
1:	FAIL 1

	.globl kvm_guest_syscall
kvm_guest_syscall:
	mov $0xc0000081, %ecx /* STAR */
	xor %eax, %eax
	mov $(SEL_UCODE - 16) << 16 | SEL_KCODE, %edx
	wrmsr
	inc %ecx /* LSTAR */
	mov $AT(entry), %eax
	xor %edx, %edx
	wrmsr
	mov $0xc0000084, %ecx /* SFMASK */
	mov $0x200, %eax
	wrmsr
	mov $AT(user), %ecx
	mov $0x3002, %r11d /* IOPL 3: ring 3 reports too */
	xor %ebx, %ebx
	sysretq
user:
	mov %cs, %eax
	cmp $SEL_UCODE, %eax
	jne 1f
	syscall
user_back:
	mov %cs, %eax
	cmp $SEL_UCODE, %eax
	jne 4f
	cmp $0x77, %ebx
	jne 5f
	PASS
entry:
	mov %cs, %eax
	cmp $SEL_KCODE, %eax
	jne 2f
	cmp $AT(user_back), %rcx
	jne 3f
	mov $0x77, %ebx
	sysretq
1:	FAIL 1
2:	FAIL 2
3:	FAIL 3
4:	FAIL 4
5:	FAIL 5

/* ---- ring 3, with IOPL 3 ---- */
	.globl kvm_guest_user_int
kvm_guest_user_int:
	xor %ebx, %ebx
	int $VEC_USER
	cmp $VEC_USER, %ebx
	jne 1f
	mov %cs, %eax
	cmp $SEL_UCODE, %eax
	jne 2f
	PASS
1:	FAIL 2
2:	FAIL 3

/* ---- measured: ECX times ---- */
	.globl kvm_guest_loop
kvm_guest_loop:
	add $3, %eax
	xor %eax, %ebx
	dec %ecx
	jnz kvm_guest_loop
	PASS

	.globl kvm_guest_outs
kvm_guest_outs:
	out %al, $PORT_ECHO
	dec %ecx
	jnz kvm_guest_outs
	PASS

	.globl kvm_guest_stores
kvm_guest_stores:
	mov %eax, GUEST_MMIO
	dec %ecx
	jnz kvm_guest_stores
	PASS

/* ---- handlers ---- */
	.globl kvm_guest_on_irq
kvm_guest_on_irq:
	mov $VEC_IRQ, %ebx
	iretq

	.globl kvm_guest_on_int
kvm_guest_on_int:
	mov $VEC_INT, %ebx
	cmpq $AT(int_back), (%rsp)
	jne 1f
	cmpq $SEL_KCODE, 8(%rsp)
	jne 2f
	iretq
1:	FAIL 2
2:	FAIL 3

	.globl kvm_guest_on_user
kvm_guest_on_user:
	cmpq $SEL_UCODE, 8(%rsp)
	jne 1f
	mov $VEC_USER, %ebx
	iretq
1:	FAIL 1

	.globl kvm_guest_on_fault
kvm_guest_on_fault:
	cmp $0x0f, %r15d
	jne 3f
	cmpq $0, (%rsp)
	jne 1f
	mov %cr2, %rax
	cmp $GUEST_ABSENT + 0x123, %rax
	jne 2f
	cmpq $AT(fault_at), 8(%rsp)
	jne 1f
	movq $AT(fault_back), 8(%rsp)
	mov $14, %ebx
	add $8, %rsp
	iretq
1:	FAIL 2
2:	FAIL 3
3:	mov $14, %eax
	out %eax, $PORT_FAULT
	hlt

	.globl kvm_guest_stubs
	.balign 16
kvm_guest_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	mov $vector, %eax
	out %eax, $PORT_FAULT
	hlt
	.set vector, vector + 1
	.endr

gdtr:	.short 0x47
	.long GUEST_GDT

	.globl kvm_guest_end
kvm_guest_end:

	.section .note.GNU-stack, "", @progbits
