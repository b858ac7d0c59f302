/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Interrupts: recognition after STI, MOV SS, POPF, CLI and HLT; priority, TPR and CR8; NMI and its
 * blocking; the local APIC's timer modes; PIC and I/O APIC, edge and level; x2APIC. SDM vol. 3A
 * chapters 6 and 11. Lines are driven through pc-testdev (port 2000h + line).
 */
#include "rt.h"

#define LAPIC 0xfee00000
#define IOAPIC 0xfec00000
#define L_ID 0x20
#define L_TPR 0x80
#define L_PPR 0xa0
#define L_EOI 0xb0
#define L_SVR 0xf0
#define L_ISR 0x100
#define L_TMR 0x180
#define L_IRR 0x200
#define L_ESR 0x280
#define L_ICR 0x300
#define L_ICRHI 0x310
#define L_TIMER 0x320
#define L_LINT0 0x350
#define L_LINT1 0x360
#define L_ERROR 0x370
#define L_INITIAL 0x380
#define L_CURRENT 0x390
#define L_DIVIDE 0x3e0

	.macro LAPIC_SET reg, val
	movl $(\val), \reg(%r14)
	.endm
	.macro EOI
	movl $0, L_EOI(%r14)
	.endm
	.macro IPI vec
	movl $0x40000|(\vec), L_ICR(%r14) /* to self */
	.endm
	.macro SEND_NMI
	movl $0x400, L_ICR(%r14) /* to APIC ID 0 */
	.endm
	.macro CHECK_REG name, reg, want
	movl \reg(%r14), %eax
	CHECK "\name", %rax, \want
	.endm
	.macro IRQ line, level
	movw $0x2000+\line, %dx
	movb $\level, %al
	outb %al, %dx
	.endm
	.macro REDIR pin, lo
	movl $0x10+2*\pin, (%r15)
	movl $(\lo), 0x10(%r15)
	.endm
	.macro CHECK_REDIR name, pin, mask, want
	movl $0x10+2*\pin, (%r15)
	movl 0x10(%r15), %eax
	andl $\mask, %eax
	CHECK "\name", %rax, \want
	.endm
/* Interrupts on until one comes or a moment has gone by. */
	.macro WAIT
	movl $400000000, %ecx
	call wait_a_moment
	.endm
	.macro QUIET name
	TRY
	sti
	nop
	nop
	movl $2000, %ecx
98:	pause
	loop 98b
	cli
	RESULT "\name", V_NONE
	.endm

	.text
	MODE32
	.globl main
main:
	call enter_long
	MODE64
	movl $LAPIC, %r14d
	movl $IOAPIC, %r15d
	LAPIC_SET L_SVR, 0x1ff
	LAPIC_SET L_LINT0, 0x10000
	LAPIC_SET L_TPR, 0
	LAPIC_SET L_ICRHI, 0

	SECTION_NAME "recognition"
	IPI 0x40
	TRY
	movl $1000, %ecx
1:	loop 1b
	RESULT "IF clear", V_NONE
	CHECK_REG "pending", L_IRR+0x20, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "one instruction after STI", 0x40, 0, 1b
	andl $FL_IF, rec_fl
	CHECKM "IF in the pushed flags", rec_fl, FL_IF
	CHECK_REG "in service", L_ISR+0x20, 1
	CHECK_REG "not pending", L_IRR+0x20, 0
	EOI
	CHECK_REG "EOI", L_ISR+0x20, 0
	IPI 0x40
	TRY
	sti
	cli
	nop
	nop
	RESULT "STI, CLI: no window", V_NONE
	pushq $0x202
	TRY
	popfq
1:	nop
	cli
	RESULT "at once after POPF", 0x40, 0, 1b
	EOI
	IPI 0x40
	pushq $KD
	pushq %rsp
	addq $8, (%rsp)
	pushq $0x202
	pushq $KC64
	pushq $1f
	TRY
	iretq
1:	nop
	cli
	RESULT "at once after IRET", 0x40, 0, 1b
	addq $40, %rsp
	EOI
	IPI 0x40
	TRY
	sti
	hlt
1:	nop
	cli
	RESULT "STI, HLT: after HLT", 0x40, 0, 1b
	EOI
	/* A second STI makes no new shadow. */
	IPI 0x40
	TRY
	sti
	sti
1:	nop
	cli
	RESULT "STI, STI", 0x40, 0, 1b
	EOI
	IPI 0x40
	mov %ss, %edx
	TRY
	sti
	mov %edx, %ss
	nop
	nop
1:	cli
	RESULT "STI, MOV SS: within two instructions", 0x40, 0, any
	movl rec_ip, %eax
	subl $1b, %eax
	addl $2, %eax
	testl $~1, %eax
	setz %al
	movzbl %al, %eax
	CHECK "there", %rax, 1
	EOI
	/* A fault ends the shadow. */
	IPI 0x40
	TRY
	sti
1:	ud2
	RESULT "a fault in the shadow comes first", V_UD, 0, 1b
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "and then the interrupt", 0x40, 0, 1b
	EOI
	IPI 0x40
	TRYIN UC64, UD, 64, 0x202
	nop
	ENDIN "at level 3 at once", 0x40
	CHECKM "pushed CS", rec_cs, UC64
	EOI
	IPI 0x40
	TRYIN UC64, UD, 64, 2
	pushq $0x202
	popfq
	nop
	nop
	ENDIN "POPF at level 3 does not set IF", V_NONE
	TRYIN UC64, UD, 64, 2+FL_IOPL3
	pushq $0x3202
	popfq
1:	nop
	nop
	ENDIN "with IOPL 3 it does", 0x40, 0, 1b
	EOI
	/* A fault on the way to the handler has EXT set. */
	movb $0x6e, idt64 + 0x40 * 16 + 5
	IPI 0x40
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "gate not present", V_NP, 0x40*8+3, 1b
	CHECK_REG "the interrupt was taken all the same", L_ISR+0x20, 1
	EOI
	UNGATE 0x40

	SECTION_NAME "priority"
	IPI 0x40
	IPI 0x61
	IPI 0x65
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "the highest first", 0x65, 0, 1b
	CHECK_REG "PPR", L_PPR, 0x60
	QUIET "the same class waits"
	EOI
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "after EOI the next", 0x61, 0, 1b
	IPI 0x72
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "a higher class nests", 0x72, 0, 1b
	EOI
	CHECK_REG "EOI ends the highest", L_ISR+0x30, 2
	EOI
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "the lowest last", 0x40, 0, 1b
	EOI
	IPI 0x40
	IPI 0x40
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "the same vector twice", 0x40, 0, 1b
	EOI
	QUIET "comes once"

	SECTION_NAME "TPR and CR8"
	movl $5, %eax
	movq %rax, %cr8
	CHECK_REG "CR8 is TPR", L_TPR, 0x50
	LAPIC_SET L_TPR, 0x47
	movq %cr8, %rax
	CHECK "TPR is CR8", %rax, 4
	IPI 0x41
	QUIET "the same class is masked"
	IPI 0x50
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "a higher one is not", 0x50, 0, 1b
	EOI
	movl $3, %eax
	TRY
	sti
	nop
	movq %rax, %cr8
1:	nop
	cli
	RESULT "lowering CR8 lets it in", 0x41, 0, 1b
	EOI
	movl $15, %eax
	movq %rax, %cr8
	IPI 0xfe
	QUIET "CR8 = 15"
	LAPIC_SET L_TPR, 0xe0
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "TPR = E0h", 0xfe, 0, 1b
	EOI
	LAPIC_SET L_TPR, 0
	movl $16, %eax
	TRY
	movq %rax, %cr8
	RESULT "CR8 = 16", V_GP

	SECTION_NAME "NMI"
	TRY
	SEND_NMI
	nop
	nop
	RESULT "with IF clear", V_NMI, 0, any
	TRY
	SEND_NMI
	movl $1000, %ecx
1:	loop 1b
	RESULT "blocked until IRET", V_NONE
	pushq $KD
	pushq %rsp
	addq $8, (%rsp)
	pushq $2
	pushq $KC64
	pushq $1f
	TRY
	iretq
1:	nop
	RESULT "taken after IRET", V_NMI, 0, 1b
	addq $40, %rsp
	/* Still blocked, this time without another one waiting. */
	call nmi_iret
	mov %ss, %edx
	TRY
	SEND_NMI
	hlt
	nop
	RESULT "wakes HLT", V_NMI, 0, any
	SEND_NMI
	SEND_NMI
	call nmi_iret_counting
	CHECKM "two while blocked are one", rec_count_delta, 1
	cmpl $0, on_tcg /* which keeps them blocked */
	jne 8f
	/* An IRET that faults unblocks too: the NMI comes before the first instruction of the #GP. */
	SEND_NMI
	pushq $KD
	pushq %rsp
	pushq $2
	pushq $0x1f0 /* no such code segment */
	pushq $1f
	TRY
	iretq
1:	nop
	RESULT "IRET that faults", V_NMI, 0, stubs64+V_GP*16
	addq $40, %rsp
8:	call nmi_iret

	SECTION_NAME "local APIC timer"
	LAPIC_SET L_DIVIDE, 0xb
	LAPIC_SET L_TIMER, 0x50
	LAPIC_SET L_INITIAL, 100000
	TRY
	WAIT
	RESULT "one-shot", 0x50, 0, any
	EOI
	CHECK_REG "count has run out", L_CURRENT, 0
	TRY
	movl $1000000, %ecx
	call wait_a_moment
	RESULT "once only", V_NONE
	/* The only window is between two instructions of a loop. */
	LAPIC_SET L_INITIAL, 100000
	movl $20000000, %ecx
	TRY
2:	sti
	nop
1:	cli
	decl %ecx
	jnz 2b
	RESULT "STI, NOP, CLI: before CLI", 0x50, 0, 1b
	EOI
	LAPIC_SET L_INITIAL, 100000
	movl $20000000, %ecx
	TRY
2:	sti
	pushfq
1:	cli
	popq %rbx
	decl %ecx
	jnz 2b
	RESULT "STI, PUSHF, CLI: before CLI", 0x50, 0, 1b
	EOI
	popq %rbx
	andl $FL_IF, %ebx
	CHECK "PUSHF pushes IF", %rbx, FL_IF
	LAPIC_SET L_TIMER, 0x20050
	LAPIC_SET L_INITIAL, 100000
	.rept 3
	TRY
	WAIT
	RESULT "periodic", 0x50, 0, any
	EOI
	.endr
	LAPIC_SET L_INITIAL, 0
	TRY
	movl $100000, %ecx
	call wait_a_moment
77:	movl $0, try_resume
	EOI
	TRY
	movl $1000000, %ecx
	call wait_a_moment
	RESULT "stopped", V_NONE
	LAPIC_SET L_TIMER, 0x10050
	LAPIC_SET L_INITIAL, 100000
	TRY
	movl $1000000, %ecx
	call wait_a_moment
	RESULT "masked", V_NONE
	LAPIC_SET L_INITIAL, 0xffffffff
	movl L_CURRENT(%r14), %ebx
	movl $1000, %ecx
1:	pause
	loop 1b
	movl L_CURRENT(%r14), %ecx
	cmpl %ebx, %ecx
	setb %al
	movzbl %al, %eax
	CHECK "the count goes down", %rax, 1
	LAPIC_SET L_INITIAL, 0
	movl $1, %eax
	cpuid
	btl $24, %ecx
	jnc no_deadline
	LAPIC_SET L_TIMER, 0x40051
	mfence
	TRY
	rdtsc
	addl $3000000, %eax
	adcl $0, %edx
	movl $0x6e0, %ecx
	wrmsr
	WAIT
	RESULT "TSC deadline", 0x51, 0, any
	EOI
	MSR_GET 0x6e0
	CHECK "disarmed by it", %rax, 0
	TRY
	MSR_PUT 0x6e0, 1
	WAIT
	RESULT "a deadline in the past", 0x51, 0, any
	EOI
	TRY
	rdtsc
	addl $3000000, %eax
	adcl $0, %edx
	movl $0x6e0, %ecx
	wrmsr
	MSR_PUT 0x6e0, 0
	movl $2000000, %ecx
	call wait_a_moment
	RESULT "disarmed by 0", V_NONE
	LAPIC_SET L_INITIAL, 1000
	TRY
	movl $1000000, %ecx
	call wait_a_moment
	RESULT "the initial count does nothing in this mode", V_NONE
no_deadline:
	LAPIC_SET L_TIMER, 0x10000

	cmpl $0, on_tcg /* which sends any vector */
	jne 8f
	SECTION_NAME "errors"
	LAPIC_SET L_ERROR, 0x55
	LAPIC_SET L_ESR, 0
	IPI 0x0f
	LAPIC_SET L_ESR, 0
	CHECK_REG "send with an illegal vector", L_ESR, 0x20
	TRY
	WAIT
	RESULT "error interrupt", 0x55, 0, any
	EOI
	LAPIC_SET L_ESR, 0
	LAPIC_SET L_ERROR, 0x10000

8:
	SECTION_NAME "REP MOVS"
	GATE64 0x50, rep_handler
	LAPIC_SET L_TIMER, 0x20050
	movl $0x1000000, %edi
	movl $0x5a5a5a5a, %eax
	movl $0x200000, %ecx
	rep stosl
	movl $0, rep_count
	movl $0, rep_bad
	LAPIC_SET L_INITIAL, 200000
	movl $50, %ebx
1:	movl $0x1000000, %esi
	movl $0x2000000, %edi
	movl $0x800000, %ecx
	sti
	nop
	rep movsb
	cli
	cmpl $2, rep_count
	ja 2f
	decl %ebx
	jnz 1b
2:	LAPIC_SET L_INITIAL, 0
	movl rep_count, %eax
	testl %eax, %eax
	setnz %al
	movzbl %al, %eax
	CHECK "interrupted on the way", %rax, 1
	CHECKM "with registers that agree", rep_bad, 0
	CHECK "source at the end", %rsi, 0x1800000
	CHECK "destination at the end", %rdi, 0x2800000
	movl $0x1000000, %esi
	movl $0x2000000, %edi
	movl $0x200000, %ecx
	repe cmpsl
	CHECK "all copied", %rcx, 0
	LAPIC_SET L_TIMER, 0x10000
	sti
	nop
	nop
	cli
	UNGATE 0x50

	SECTION_NAME "PIC"
	/* ICW1-4: edge, cascade, vectors 20h and 28h, 8086 mode. */
	.macro OUT port, val
	movb $\val, %al
	outb %al, $\port
	.endm
	OUT 0x20, 0x11
	OUT 0x21, 0x20
	OUT 0x21, 4
	OUT 0x21, 1
	OUT 0xa0, 0x11
	OUT 0xa1, 0x28
	OUT 0xa1, 2
	OUT 0xa1, 1
	OUT 0x21, 0xfb /* cascade open */
	OUT 0xa1, 0xff
	LAPIC_SET L_LINT0, 0x700
	IRQ 5, 1
	QUIET "masked"
	movb $0x0a, %al /* OCW3: read IRR */
	outb %al, $0x20
	inb $0x20, %al
	andl $0x20, %eax
	CHECK "IRR", %rax, 0x20
	OUT 0x21, 0xdb
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "IRQ 5 through LINT0", 0x25, 0, 1b
	movb $0x0b, %al /* read ISR */
	outb %al, $0x20
	inb $0x20, %al
	andl $0xff, %eax
	CHECK "ISR", %rax, 0x20
	IRQ 5, 0
	IRQ 5, 1
	QUIET "not before EOI"
	OUT 0x20, 0x20
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "after it", 0x25, 0, 1b
	OUT 0x20, 0x20
	QUIET "an edge is one interrupt"
	IRQ 5, 0
	OUT 0xa1, 0xbf
	IRQ 14, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "IRQ 14 through the slave", 0x2e, 0, 1b
	OUT 0x21, 0xd9
	IRQ 1, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "IRQ 1 is higher", 0x21, 0, 1b
	OUT 0x20, 0x20
	OUT 0xa0, 0x20
	OUT 0x20, 0x20
	IRQ 1, 0
	IRQ 14, 0
	/* A line that falls before it is acknowledged is a spurious IRQ 7 (or nothing, for edges). */
	OUT 0x21, 0x7b
	/* Level-triggered by ELCR. */
	movw $0x4d0, %dx
	movb $0x20, %al
	outb %al, %dx
	OUT 0x21, 0xdb
	IRQ 5, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "level-triggered IRQ 5", 0x25, 0, 1b
	OUT 0x20, 0x20
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "again while it is asserted", 0x25, 0, 1b
	IRQ 5, 0
	OUT 0x20, 0x20
	QUIET "not after"
	movw $0x4d0, %dx
	movb $0, %al
	outb %al, %dx
	/* The PIT, mode 0. */
	OUT 0x21, 0xfa
	OUT 0x43, 0x30
	OUT 0x40, 0x00
	OUT 0x40, 0x04
	TRY
	WAIT
	RESULT "PIT", 0x20, 0, any
	OUT 0x20, 0x20
	OUT 0x21, 0xff
	OUT 0xa1, 0xff
	LAPIC_SET L_LINT0, 0x10000

	SECTION_NAME "I/O APIC"
	movl $0x10+2*14+1, (%r15)
	movl $0, 0x10(%r15)
	REDIR 14, 0x71
	IRQ 14, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "edge", 0x71, 0, 1b
	CHECK_REG "TMR says edge", L_TMR+0x30, 0
	EOI
	QUIET "once"
	IRQ 14, 0
	REDIR 14, 0x10071
	IRQ 14, 1
	REDIR 14, 0x71
	QUIET "an edge while masked is lost"
	IRQ 14, 0
	REDIR 14, 0x8071
	IRQ 14, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "level", 0x71, 0, 1b
	CHECK_REG "TMR says level", L_TMR+0x30, 0x20000
	CHECK_REDIR "remote IRR", 14, 0x4000, 0x4000
	QUIET "not again before EOI"
	EOI
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "again after EOI while asserted", 0x71, 0, 1b
	IRQ 14, 0
	EOI
	QUIET "not after"
	CHECK_REDIR "remote IRR is clear", 14, 0x4000, 0
	REDIR 14, 0x18071
	IRQ 14, 1
	QUIET "level, masked"
	REDIR 14, 0x8071
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "unmasked", 0x71, 0, 1b
	IRQ 14, 0
	EOI
	/* By logical destination. */
	LAPIC_SET 0xe0, 0xffffffff
	LAPIC_SET 0xd0, 0x04000000
	movl $0x10+2*14+1, (%r15)
	movl $0x04000000, 0x10(%r15)
	REDIR 14, 0x872
	IRQ 14, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "logical destination", 0x72, 0, 1b
	EOI
	IRQ 14, 0
	movl $0x10+2*14+1, (%r15)
	movl $0x08000000, 0x10(%r15)
	IRQ 14, 1
	QUIET "another one"
	IRQ 14, 0
	movl $0x10+2*14+1, (%r15)
	movl $0, 0x10(%r15)
	TRY
	REDIR 14, 0x400
	IRQ 14, 1
	nop
	nop
	RESULT "delivery mode NMI", V_NMI, 0, any
	call nmi_iret
	IRQ 14, 0
	REDIR 14, 0x10000
	/* The PIT is at pin 2. */
	movl $0x10+2*2+1, (%r15)
	movl $0, 0x10(%r15)
	REDIR 2, 0x62
	OUT 0x43, 0x30
	OUT 0x40, 0x00
	OUT 0x40, 0x04
	TRY
	WAIT
	RESULT "PIT at pin 2", 0x62, 0, any
	EOI
	REDIR 2, 0x10000

	SECTION_NAME "software disable"
	LAPIC_SET L_SVR, 0xff
	CHECK_REG "masks the LVT", L_TIMER, 0x10000
	LAPIC_SET L_TIMER, 0x50
	CHECK_REG "which stays masked", L_TIMER, 0x10050
	LAPIC_SET L_SVR, 0x1ff

	movl $1, %eax
	cpuid
	btl $21, %ecx
	jnc finish64
	SECTION_NAME "x2APIC"
	MSR_GET MSR_APIC_BASE
	CHECK "IA32_APIC_BASE of the boot processor", %rax, 0xfee00900
	orl $0x400, %eax
	wrmsr
	.macro X2 reg, lo, hi=0
	MSR_PUT 0x800+\reg/16, \lo, \hi
	.endm
	MSR_GET 0x802
	CHECK "ID", %rax, 0
	MSR_GET 0x80d
	CHECK "LDR", %rax, 1
	X2 0x3f0, 0x44
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "self-IPI register", 0x44, 0, 1b
	X2 L_EOI, 0
	X2 L_ICR, 0x40045
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "ICR, to self", 0x45, 0, 1b
	X2 L_EOI, 0
	X2 L_ICR, 0x46, 0
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "ICR, to ID 0", 0x46, 0, 1b
	X2 L_EOI, 0
	X2 L_ICR, 0x847, 1
	TRY
	sti
	nop
1:	nop
	cli
	RESULT "ICR, logical", 0x47, 0, 1b
	X2 L_EOI, 0
	X2 L_TPR, 0x50
	movq %cr8, %rax
	CHECK "TPR is CR8", %rax, 5
	X2 L_TPR, 0
	.macro X2_BAD name, reg, lo, hi=0
	TRY
	MSR_PUT \reg, \lo, \hi
	RESULT "\name", V_GP, 0, any
	.endm
	X2_BAD "EOI of 1", 0x80b, 1
	X2_BAD "write of the ID", 0x802, 0
	X2_BAD "write of the LDR", 0x80d, 0
	X2_BAD "write of an ISR", 0x810, 0
	X2_BAD "DFR does not exist", 0x80e, 0
	X2_BAD "ICR high does not exist", 0x831, 0
	X2_BAD "TPR beyond 8 bits", 0x808, 0x100
	X2_BAD "ESR of 1", 0x828, 1
	X2_BAD "SVR with reserved bits", 0x80f, 0x801ff
	X2_BAD "self-IPI with reserved bits", 0x83f, 0x100
	X2_BAD "high half of the TPR", 0x808, 0, 1
	TRY
	MSR_GET 0x83f
	RESULT "self-IPI cannot be read", V_GP, 0, any
	TRY
	MSR_GET 0x80b
	RESULT "EOI cannot be read", V_GP, 0, any
	X2_BAD "from x2APIC back to xAPIC", MSR_APIC_BASE, 0xfee00900
	TRY
	MSR_PUT MSR_APIC_BASE, 0xfee00100
	MSR_PUT MSR_APIC_BASE, 0xfee00900
	RESULT "by way of disabled", V_NONE
	X2_BAD "disabled with EXTD", MSR_APIC_BASE, 0xfee00500
	TRY
	MSR_GET 0x802
	RESULT "x2APIC registers in xAPIC mode", V_GP, 0, any
	CHECK_REG "version again in memory", 0x30, 0x50014
	jmp finish64

/* Interrupts on for about ECX cycles of the TSC. */
wait_a_moment:
	movl %ecx, %ebx
	rdtsc
	movl %eax, %esi
	sti
1:	pause
	rdtsc
	subl %esi, %eax
	cmpl %ebx, %eax
	jb 1b
	cli
	ret

/* IRET, which unblocks NMIs. */
nmi_iret:
	movq %rsp, %rax
	pushq $KD
	pushq %rax
	pushq $2
	pushq $KC64
	pushq $1f
	iretq
1:	ret

/* The same, counting the NMIs that then arrive. */
nmi_iret_counting:
	movl rec_count, %eax
	movl %eax, rec_count_delta
	TRY
	call nmi_iret
	nop
	movl $1000, %ecx
1:	loop 1b
77:	movl $0, try_resume
	movl rec_count, %eax
	subl rec_count_delta, %eax
	movl %eax, rec_count_delta
	ret

/* Progress of the copy: the source and the count must agree. */
rep_handler:
	push %rax
	incl rep_count
	movl %esi, %eax
	addl %ecx, %eax
	cmpl $0x1800000, %eax
	je 1f
	incl rep_bad
1:	movl %edi, %eax
	addl %ecx, %eax
	cmpl $0x2800000, %eax
	je 1f
	incl rep_bad
1:	testl %ecx, %ecx
	jnz 1f
	decl rep_count /* before or after */
1:	EOI
	pop %rax
	iretq

	.bss
	.balign 8
rec_count_delta: .skip 8
rep_count: .skip 8
rep_bad: .skip 8
