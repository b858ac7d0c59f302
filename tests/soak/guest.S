/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest for hops under load: it counts interrupts of PIT, RTC and local APIC timer (periodic, one-shot and by TSC
 * deadline in turn), echoes what comes from the serial port, and computes in between. Loaded by the PVH entry
 * point, it stays in flat 32-bit mode.
 */
#include "tests/soak/soak.h"

#define AT(off)  (SOAK_AT + (off))
#define APIC     0xfee00000
#define IOAPIC   0xfec00000
#define COM1     0x3f8
#define PM_TIMER 0x608

	.section .note.PVH, "a"
	.long	4, 8, 18
	.asciz	"Xen"
	.quad	start

	.text
	.code32
	.globl	start
start:
	cli
	cld
	mov	$stack_top, %esp
	mov	24(%ebx), %eax		/* the command line: "n" for no deadlines */
	test	%eax, %eax
	jz	1f
	cmpb	$'n', (%eax)
	sete	no_deadlines
1:	mov	$SOAK_AT, %edi
	xor	%eax, %eax
	mov	$64, %ecx
	rep stosl
	lgdt	gdt_ptr
	ljmp	$8, $1f
1:	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%cr4, %eax
	or	$0x600, %eax		/* OSFXSR OSXMMEXCPT */
	mov	%eax, %cr4
	fninit

	/* Exceptions stop everything, all other vectors are spurious. */
	mov	$idt, %edi
	xor	%ecx, %ecx
2:	mov	$spurious, %eax
	cmp	$32, %ecx
	jae	3f
	lea	faults(,%ecx,8), %eax
3:	call	gate
	inc	%ecx
	cmp	$256, %ecx
	jb	2b
	mov	$VEC_PIT, %ecx
	mov	$on_pit, %eax
	call	gate
	mov	$VEC_SERIAL, %ecx
	mov	$on_serial, %eax
	call	gate
	mov	$VEC_RTC, %ecx
	mov	$on_rtc, %eax
	call	gate
	mov	$VEC_APIC, %ecx
	mov	$on_apic, %eax
	call	gate
	lidt	idt_ptr

	/* PICs: vectors 20h and 28h, only IRQ 0 comes this way, through LINT0. */
	mov	$0x11, %al
	out	%al, $0x20
	out	%al, $0xa0
	mov	$0x20, %al
	out	%al, $0x21
	mov	$0x28, %al
	out	%al, $0xa1
	mov	$4, %al
	out	%al, $0x21
	mov	$2, %al
	out	%al, $0xa1
	mov	$1, %al
	out	%al, $0x21
	out	%al, $0xa1
	mov	$0xfe, %al
	out	%al, $0x21
	mov	$0xff, %al
	out	%al, $0xa1
	mov	$0x34, %al		/* PIT: mode 2, 1000 Hz */
	out	%al, $0x43
	mov	$0xa9, %al
	out	%al, $0x40
	mov	$0x04, %al
	out	%al, $0x40

	movl	$0x1ff, APIC + 0xf0
	movl	$0x700, APIC + 0x350	/* LINT0: ExtINT */
	movl	$0xb, APIC + 0x3e0	/* timer: divide by 1 */

	/* I/O APIC: edges of IRQ 4 and IRQ 8. */
	movl	$0x18, IOAPIC
	movl	$VEC_SERIAL, IOAPIC + 0x10
	movl	$0x19, IOAPIC
	movl	$0, IOAPIC + 0x10
	movl	$0x20, IOAPIC
	movl	$VEC_RTC, IOAPIC + 0x10
	movl	$0x21, IOAPIC
	movl	$0, IOAPIC + 0x10

	/* RTC: periodic, 256 Hz. */
	mov	$0x0a, %al
	out	%al, $0x70
	mov	$0x28, %al
	out	%al, $0x71
	mov	$0x0b, %al
	out	%al, $0x70
	mov	$0x42, %al
	out	%al, $0x71
	call	rtc_ack

	/* Serial: FIFO, interrupt at 4 characters or after a pause. */
	mov	$COM1 + 2, %edx
	mov	$0x47, %al
	out	%al, %dx
	mov	$COM1 + 4, %edx
	mov	$0x0b, %al
	out	%al, %dx
	mov	$COM1 + 1, %edx
	mov	$1, %al
	out	%al, %dx

	call	arm
	rdtsc
	mov	%eax, AT(SOAK_TSC_FIRST)
	mov	%edx, AT(SOAK_TSC_FIRST) + 4
	mov	%eax, tsc_seen
	mov	%edx, tsc_seen + 4
	mov	$PM_TIMER, %edx
	in	%dx, %eax
	mov	%eax, pm_seen
	movl	$1, AT(SOAK_STATE)

main:
	call	compute
	mov	%eax, expected
1:	sti
	call	compute
	cmp	%eax, expected
	je	2f
	incl	AT(SOAK_BAD)
2:	addl	$1, AT(SOAK_LOOPS)
	adcl	$0, AT(SOAK_LOOPS) + 4
	cli
	call	clocks
	cmpl	$2, AT(SOAK_STATE)
	je	end
	testl	$3, AT(SOAK_LOOPS)
	jnz	1b
	sti
	hlt
	jmp	1b
end:	cli
	hlt
	jmp	end

/* Integer, x87 and now and then SSE work; the result in EAX is always the same. */
compute:
	mov	$0x12345, %eax
	mov	$400, %ecx
	xor	%ebx, %ebx
1:	imul	$0x343fd, %eax
	add	$0x269ec3, %eax
	rol	$5, %ebx
	adc	%eax, %ebx
	push	%ebx
	pop	%esi
	lea	(%ebx,%esi,4), %ebx
	dec	%ecx
	jnz	1b
	testl	$63, AT(SOAK_LOOPS)
	jnz	2f
	movl	$7, number
	fildl	number
	fsqrt
	fldpi
	fmulp
	fistpl	number
	mov	$0x01010101, %esi
	movd	%esi, %xmm0
	pshufd	$0, %xmm0, %xmm0
	paddd	%xmm0, %xmm0
	movd	%xmm0, %esi
	sub	$0x02020202, %esi
	add	number, %esi
	sub	$8, %esi		/* pi * sqrt(7) = 8.3 */
	add	%esi, %ebx
2:	mov	%ebx, %eax
	ret

/* TSC must not go back; the PM timer wraps after 4.7 s. */
clocks:
	rdtsc
	mov	%eax, %esi
	mov	%edx, %edi
	sub	tsc_seen, %esi
	sbb	tsc_seen + 4, %edi
	jns	1f
	incl	AT(SOAK_BACKWARDS)
1:	mov	%eax, tsc_seen
	mov	%edx, tsc_seen + 4
	mov	%eax, AT(SOAK_TSC_LAST)
	mov	%edx, AT(SOAK_TSC_LAST) + 4
	mov	$PM_TIMER, %edx
	in	%dx, %eax
	mov	%eax, %ebx
	sub	pm_seen, %eax
	mov	%ebx, pm_seen
	and	$0xffffff, %eax
	add	%eax, AT(SOAK_PM_TICKS)
	adcl	$0, AT(SOAK_PM_TICKS) + 4
	ret

/* The next tick of the local APIC's timer: 64 in each mode. */
arm:
	mov	AT(SOAK_APIC), %eax
	mov	%eax, %ecx
	shr	$6, %ecx
	and	$3, %ecx
	cmp	$3, %ecx
	jne	1f
	xor	%ecx, %ecx		/* periodic for longer */
1:	test	%ecx, %ecx
	jnz	2f
	cmpl	$0, mode
	je	5f			/* it goes on by itself */
	movl	$0, mode
	movl	$0x20000 + VEC_APIC, APIC + 0x320
	movl	$1500000, APIC + 0x380
5:	ret
2:	cmpl	$0, mode
	mov	%ecx, mode
	jne	4f
	movl	$0, APIC + 0x380
	testl	$1 << (VEC_APIC & 31), APIC + 0x200 + 0x10 * (VEC_APIC / 32)
	jz	4f
	/* That tick comes first, as one of the periodic ones, or it would take the one-shot's place. */
	addl	$1, AT(SOAK_STALE)
	movl	$0, mode
	ret
4:	addl	$1, AT(SOAK_ARMED)
	cmp	$1, %ecx
	jne	3f
6:	movl	$VEC_APIC, APIC + 0x320
	rdtsc
	and	$0x1fffff, %eax
	add	$100000, %eax
	mov	%eax, APIC + 0x380
	ret
3:	cmpb	$0, no_deadlines
	jne	7f
	movl	$0x40000 + VEC_APIC, APIC + 0x320
	lock; orl $0, AT(SOAK_STATE)
	rdtsc
	mov	%eax, %ecx
	and	$0x1fffff, %ecx
	add	%ecx, %eax
	adc	$0, %edx
	mov	%eax, deadline
	mov	%edx, deadline + 4
	mov	$0x6e0, %ecx
	wrmsr
	ret
7:	movl	$1, mode
	jmp	6b

on_apic:
	pusha
	addl	$1, AT(SOAK_APIC)
	cmpl	$0, mode
	je	2f
	addl	$1, AT(SOAK_FIRED)
	cmpl	$2, mode
	jne	2f
	rdtsc
	sub	deadline, %eax
	sbb	deadline + 4, %edx
	jns	2f
	incl	AT(SOAK_EARLY)
2:	call	arm
	movl	$0, APIC + 0xb0
	popa
	iret

on_pit:
	push	%eax
	addl	$1, AT(SOAK_PIT)
	mov	$0x20, %al
	out	%al, $0x20
	pop	%eax
	iret

rtc_ack:
	mov	$0x0c, %al
	out	%al, $0x70
	in	$0x71, %al
	ret

on_rtc:
	push	%eax
	addl	$1, AT(SOAK_RTC)
	call	rtc_ack
	movl	$0, APIC + 0xb0
	pop	%eax
	iret

/* All that is there is echoed. IIR is read until nothing is left, so that the line falls. */
on_serial:
	pusha
	addl	$1, AT(SOAK_SERIAL)
1:	mov	$COM1 + 5, %edx
	in	%dx, %al
	test	$1, %al
	jz	4f
	mov	$COM1, %edx
	in	%dx, %al
	cmp	$SOAK_END, %al
	jne	2f
	movl	$2, AT(SOAK_STATE)
2:	mov	%al, %bl
	mov	$COM1 + 5, %edx
3:	in	%dx, %al
	test	$0x20, %al
	jz	3b
	mov	$COM1, %edx
	mov	%bl, %al
	out	%al, %dx
	addl	$1, AT(SOAK_ECHOED)
	jmp	1b
4:	mov	$COM1 + 2, %edx
	in	%dx, %al
	test	$1, %al
	jz	1b
	movl	$0, APIC + 0xb0
	popa
	iret

spurious:
	addl	$1, AT(SOAK_SPURIOUS)
	iret

/* A gate for vector ECX at EAX. */
gate:
	mov	%eax, %edx
	lea	idt(,%ecx,8), %edi
	mov	%ax, (%edi)
	movl	$0x8e000008, 2(%edi)
	movw	$8, 2(%edi)
	movw	$0x8e00, 4(%edi)
	shr	$16, %edx
	mov	%dx, 6(%edi)
	ret

	.balign	8
faults:
	.set	vec, 0
	.rept	32			/* 8 bytes each */
	.balign	8
	push	$vec
	jmp	fault
	.set	vec, vec + 1
	.endr
fault:	pop	%eax
	or	$0x100, %eax
	mov	%eax, AT(SOAK_FAULT)
	jmp	end

	.data
	.balign	8
no_deadlines:
	.long	0
mode:	.long	-1			/* of the timer: 0 periodic, 1 one-shot, 2 deadline */
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_ptr:
	.word	23
	.long	gdt
idt_ptr:
	.word	2047
	.long	idt

	.section .note.GNU-stack,"",@progbits

	.bss
	.balign	16
idt:	.skip	2048
tsc_seen: .skip 8
deadline: .skip 8
pm_seen: .skip	4
number:	.skip	4
expected: .skip	4
	.skip	8192
stack_top:
