/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Debug exceptions: single-step over everything that is special about it, instruction, data and
 * I/O breakpoints, RF, general detect, and the debug registers themselves. SDM vol. 3B chapter 17.
 *
 * The #DB handler logs RIP and DR6 and goes on; a test compares the log with the labels at which
 * #DB must have been reported.
 */
#include "rt.h"

#define BS 0x4000
#define L0 0x1
#define L1 0x4
#define EXEC 0
#define WRITE 1
#define IO 2
#define ACCESS 3
/* DR7 for breakpoint 0 and 1. */
#define BP0(kind, len) (0x400 | L0 | (kind) << 16 | (len) << 18)
#define BP1(kind, len) (0x400 | L1 | (kind) << 20 | (len) << 22)

	.macro TF_ON
	pushfq
	orl $FL_TF, (%rsp)
	popfq
	.endm
/* The three instructions are stepped too: their traps are cut from the log. */
	.macro TF_OFF
	pushfq
	andl $~FL_TF, (%rsp)
	popfq
	subl $3, log_n
	.endm
	.macro START
	movl $0, log_n
	.endm
/* What the log must hold: labels, each with DR6 bits in dr6. */
	.macro LOGGED name, dr6, labels:vararg
	.pushsection .rodata
	.balign 8
78:	.ifnb \labels
	.quad \labels
	.endif
79:
	.popsection
	movl $78b, want_log
	movl $79b, want_end
	movl $\dr6, want_dr6
	NAME "\name"
	call check_log
	.endm
	.macro SET_DR n, addr
	movq $\addr, %rax
	movq %rax, %db\n
	.endm
	.macro SET_DR7 val
	movl $\val, %eax
	movq %rax, %db7
	.endm

	.text
	MODE32
	.globl main
main:
	call enter_long
	MODE64
	GATE64 V_DB, db_handler, 0xee
	CR_SET cr4, CR4_OSFXSR
	xorl %eax, %eax
	movq %rax, %db6

	SECTION_NAME "single step"
	START
	TF_ON
	nop
1:	nop
2:	movl $5, %ecx
3:	TF_OFF
	LOGGED "plain instructions", BS, 1b, 2b, 3b
	mov %ss, %edx
	START
	TF_ON
	mov %edx, %ss
	nop
1:	nop
2:	TF_OFF
	LOGGED "not between MOV SS and the next", BS, 1b, 2b
	START
	pushq %rdx
	TF_ON
	pushq %rsp
3:	addq $8, %rsp
4:	nop
1:	TF_OFF
	popq %rdx
	LOGGED "PUSH RSP", BS, 3b, 4b, 1b
	START
	TF_ON
	sti
1:	nop
2:	cli
3:	TF_OFF
	LOGGED "after STI as after others", BS, 1b, 2b, 3b
	START
	TF_ON
	pushfq
1:	popfq
2:	nop
3:	TF_OFF
	LOGGED "POPF that leaves TF set", BS, 1b, 2b, 3b
	START
	TF_ON
	pushfq
1:	andl $~FL_TF, (%rsp)
2:	popfq
3:	nop
	nop
	LOGGED "POPF that clears TF is trapped itself", BS, 1b, 2b, 3b
	GATE64 0x40, int_handler, 0xee
	START
	TF_ON
	int $0x40
	nop
1:	nop
2:	TF_OFF
	LOGGED "INT n: not in the handler, not after its IRET", BS, 1b, 2b
	START
	mov %ss, %ecx
	movq %rsp, %rdx
	pushq %rcx
	pushq %rdx
	pushq $FL_TF|2
	pushq $KC64
	pushq $1f
	TF_ON
	iretq
1:	nop
2:	TF_OFF
	LOGGED "IRET that leaves TF set", BS, 1b, 2b
	START
	pushq %rcx
	pushq %rdx
	pushq $FL_TF|2
	pushq $KC64
	pushq $1f
	iretq
1:	nop
2:	nop
3:	TF_OFF
	LOGGED "IRET that sets TF", BS, 2b, 3b
	movl $scratch, %esi
	movl $scratch + 64, %edi
	movl $3, %ecx
	START
	TF_ON
1:	rep movsb
2:	nop
3:	TF_OFF
	LOGGED "REP MOVSB: each iteration", BS, 1b, 1b, 2b, 3b
	xorl %ecx, %ecx
	START
	TF_ON
1:	rep movsb
2:	TF_OFF
	LOGGED "REP MOVSB of nothing", BS, 2b
	movl $0x11, %eax
	movl $4, %ecx
	movl $scratch, %edi
	START
	TF_ON
1:	repne scasb
2:	TF_OFF
	LOGGED "REPNE SCASB", BS, 1b, 1b, 1b, 2b
	START
	TF_ON
	jmp 1f
	nop
1:	call 2f
2:	popq %rax
3:	TF_OFF
	LOGGED "jumps and calls", BS, 1b, 2b, 3b
	GATE64 V_UD, ud_handler, 0xee
	START
	TF_ON
	ud2
	nop
1:	TF_OFF
	LOGGED "a fault: its handler clears TF and skips the instruction", BS, 1b
	UNGATE V_UD
	START
	TF_ON
	cpuid
1:	rdtsc
2:	inb $0x80, %al
3:	movq %cr0, %rax
4:	movq %rax, %cr0
5:	TF_OFF
	LOGGED "system instructions", BS, 1b, 2b, 3b, 4b, 5b
	cmpl $0, on_tcg /* which does not have it */
	jne 8f
	START
	TF_ON
	.byte 0xf1
1:	TF_OFF
	/* INT1 itself enters the handler, which is not trapped again. */
	LOGGED "INT1", 0, 1b
8:
	GATE64 0x41, stubs64+0x410, 0xee
	START
	TRYIN UC64, UD, 64, 2+FL_TF
	nop
1:	nop
2:	nop
3:	ENDIN "level 3", V_NONE
	LOGGED "at level 3", BS, 1b, 2b, 3b
	MSR_PUT 0xc0000081, 0, 0x1b0030 /* STAR */
	MSR_PUT 0xc0000082, sys_entry
	MSR_PUT 0xc0000084, FL_TF
	START
	TRYIN UC64, UD, 64, 2+FL_TF
	nop
1:	syscall
2:	nop
3:	nop
4:	ENDIN "SYSCALL with TF masked", V_NONE
	/* SYSRET brings TF back, and is itself trapped by what it leaves. */
	LOGGED "SYSCALL with TF masked: not in the kernel", BS, 1b, 2b, 3b, 4b
	MSR_PUT 0xc0000084, 0
	START
	TRYIN UC64, UD, 64, 2+FL_TF
	nop
1:	syscall
2:	nop
3:	ENDIN "SYSCALL with TF kept", V_NONE
	LOGGED "SYSCALL with TF kept: from its first instruction", BS, 1b, sys_entry, sys_entry_1, 2b, 3b

	SECTION_NAME "instruction breakpoints"
	movl $1, set_rf
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
	nop
1:	nop
	nop
	SET_DR7 0x400
	LOGGED "before the instruction", 1, 1b
	CHECKM "RF is not pushed as set", log_rf, 0
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
	movl $3, %ecx
1:	nop
	loop 1b
	SET_DR7 0x400
	LOGGED "each time round a loop", 1, 1b, 1b, 1b
	START
	SET_DR 0, 1f
	SET_DR7 0x402 /* G0 */
1:	nop
	SET_DR7 0x400
	LOGGED "global enable", 1, 1b
	START
	SET_DR 0, 1f
1:	nop
	LOGGED "not enabled", 0
	mov %ss, %edx
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
	mov %edx, %ss
1:	nop
	nop
	SET_DR7 0x400
	LOGGED "not right after MOV SS", 0
	START
	SET_DR 0, 1f+1
	SET_DR7 BP0(EXEC,0)
1:	movl $1, %eax
	SET_DR7 0x400
	LOGGED "not inside an instruction", 0
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
	TRY
1:	ud2
	RESULT "breakpoint on UD2: #UD follows", V_UD, 0, 1b
	SET_DR7 0x400
	LOGGED "breakpoint before the fault", 1, 1b
	/* RF by IRET lasts for one instruction; POPF does not set it. */
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
	mov %ss, %ecx
	movq %rsp, %rdx
	pushq %rcx
	pushq %rdx
	pushq $FL_RF|2
	pushq $KC64
	pushq $1f
	iretq
1:	nop
	pushfq
	popq %rbx
	SET_DR7 0x400
	LOGGED "IRET with RF", 0
	andl $FL_RF, %ebx
	CHECK "RF is gone after the instruction", %rbx, 0
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
	pushq $FL_RF|2
	popfq
1:	nop
	SET_DR7 0x400
	LOGGED "POPF does not set RF", 1, 1b
	movl $scratch, %esi
	movl $scratch + 64, %edi
	movl $3, %ecx
	START
	SET_DR 0, 1f
	SET_DR7 BP0(EXEC,0)
1:	rep movsb
	SET_DR7 0x400
	LOGGED "REP MOVSB: once", 1, 1b

	SECTION_NAME "data breakpoints"
	.macro WATCH name, bp, dr6, hit, insn:vararg
	START
	SET_DR 0, scratch+16
	SET_DR7 \bp
	\insn
1:	nop
	SET_DR7 0x400
	.if \hit
	LOGGED "\name", \dr6, 1b
	.else
	LOGGED "\name", 0
	.endif
	.endm
#define W4 BP0(WRITE,3)
#define A4 BP0(ACCESS,3)
#define W1 BP0(WRITE,0)
#define W2 BP0(WRITE,1)
#define W8 BP0(WRITE,2)
	WATCH "write of the dword", W4, 1, 1, movl %eax, scratch+16
	WATCH "read of it", W4, 1, 0, movl scratch+16, %eax
	WATCH "write of its last byte", W4, 1, 1, movb %al, scratch+19
	WATCH "write of the next byte", W4, 1, 0, movb %al, scratch+20
	WATCH "write of the byte before", W4, 1, 0, movb %al, scratch+15
	WATCH "write that reaches into it", W4, 1, 1, movl %eax, scratch+13
	WATCH "write that ends before it", W4, 1, 0, movl %eax, scratch+12
	WATCH "byte: next byte", W1, 1, 0, movb %al, scratch+17
	WATCH "byte: covered by a qword", W1, 1, 1, movq %rax, scratch+16
	WATCH "word: second byte", W2, 1, 1, movb %al, scratch+17
	WATCH "qword: last byte", W8, 1, 1, movb %al, scratch+23
	WATCH "read with read/write", A4, 1, 1, movl scratch+16, %eax
	WATCH "write with read/write", A4, 1, 1, movl %eax, scratch+16
	WATCH "fetch is no access", A4, 1, 0, nop
	WATCH "read-modify-write", W4, 1, 1, addl $1, scratch+16
	WATCH "locked", W4, 1, 1, lock addl $1, scratch+16
	WATCH "XCHG", W4, 1, 1, xchgl %eax, scratch+16
	WATCH "vector store", W4, 1, 1, movups %xmm0, scratch+8
	WATCH "x87 store", W4, 1, 1, fnstcw scratch+17
	WATCH "LEA is no access", A4, 1, 0, leal scratch+16, %eax
	WATCH "PREFETCH is none", A4, 1, 0, prefetcht0 scratch+16
	movl $scratch+16, %edi
	movl $scratch+64, %esi
	WATCH "STOSB", W4, 1, 1, stosb
	/* Two at once. */
	START
	SET_DR 0, scratch+16
	SET_DR 1, scratch+16
	SET_DR7 BP0(WRITE,3)|BP1(ACCESS,0)
	movl %eax, scratch+16
1:	nop
	SET_DR7 0x400
	LOGGED "two at once", 3, 1b
	/* The stack. */
	START
	leaq -8(%rsp), %rax
	movq %rax, %db0
	SET_DR7 BP0(WRITE,2)
	pushq %rbx
1:	popq %rbx
	SET_DR7 0x400
	LOGGED "PUSH", 1, 1b
	/* With TF both are reported together. */
	START
	SET_DR 0, scratch+16
	SET_DR7 BP0(WRITE,3)
	TF_ON
	movl %eax, scratch+16
1:	TF_OFF
	SET_DR7 0x400
	LOGGED "with TF", BS|1, 1b
	/* MOV SS holds a data breakpoint back for one instruction. */
	movw $KD, scratch+16
	START
	SET_DR 0, scratch+16
	SET_DR7 BP0(ACCESS,1)
	movw scratch+16, %ss
	nop
1:	nop
	SET_DR7 0x400
	LOGGED "MOV SS from it: after the next instruction", 1, 1b
	/* A store that faults hits nothing. */
	START
	SET_DR 0, scratch+16
	SET_DR7 BP0(ACCESS,3)
	TRY
	movaps scratch+8+1, %xmm0
	RESULT "MOVAPS that faults", V_GP
	SET_DR7 0x400
	LOGGED "nothing was hit", 0
	/* REP: once at least, for the element. */
	START
	SET_DR 0, scratch+16
	SET_DR7 BP0(WRITE,0)
	movl $scratch, %edi
	movl $32, %ecx
	xorl %eax, %eax
	rep stosb
	nop
	SET_DR7 0x400
	movl log_n, %eax
	CHECK "REP STOSB over it: once", %rax, 1
	movl log + 8, %eax
	andl $0xe00f, %eax
	CHECK "its DR6", %rax, 1
	CHECK "and to the end", %rcx, 0

	SECTION_NAME "I/O breakpoints"
	CR_SET cr4, CR4_DE
	START
	SET_DR 0, 0x80
	SET_DR7 BP0(IO,0)
	inb $0x80, %al
1:	outb %al, $0x80
2:	inb $0x81, %al
	nop
	SET_DR7 0x400
	LOGGED "IN and OUT", 1, 1b, 2b
	START
	SET_DR7 BP0(IO,3)
	inb $0x83, %al
1:	inb $0x84, %al
	nop
	SET_DR7 0x400
	LOGGED "four ports", 1, 1b
	START
	SET_DR 0, 0x82
	SET_DR7 BP0(IO,1)
	inw $0x81, %ax
1:	nop
	SET_DR7 0x400
	LOGGED "a word that reaches into it", 1, 1b
	TRY
	movq %db4, %rax
	RESULT "DR4 with DE", V_UD
	TRY
	movq %rax, %db5
	RESULT "DR5 with DE", V_UD
	CR_CLEAR cr4, CR4_DE
	TRY
	movq %db4, %rax
	RESULT "DR4 without", V_NONE
	movq %db5, %rax
	CHECK "DR5 is DR7", %rax, 0x400

	SECTION_NAME "registers"
	movl $-1, %eax
	movq %rax, %db6
	movq %db6, %rax
	movq %rax, %rcx
	andl $0xffff1fff, %eax
	movl $0xffff0fff, %edx
	cmpl %edx, %eax
	sete %al
	movzbl %al, %eax
	CHECK "DR6 with all bits", %rax, 1
	xorl %eax, %eax
	movq %rax, %db6
	movq %db6, %rax
	movl $0xffff0ff0, %edx
	subq %rdx, %rax
	CHECK "DR6 with none", %rax, 0
	SET_DR7 0
	movq %db7, %rax
	CHECK "DR7: bit 10 is always set", %rax, 0x400
	SET_DR7 0xd400
	movq %db7, %rax
	CHECK "bits 12, 14 and 15 never", %rax, 0x400
	movq $0x100000000, %rax
	TRY
	movq %rax, %db6
	RESULT "upper half of DR6", V_GP
	movq $0x100000000, %rax
	TRY
	movq %rax, %db7
	RESULT "upper half of DR7", V_GP
	movq $0x123456789abc, %rax
	TRY
	movq %rax, %db3
	RESULT "DR3 has 64 bits", V_NONE
	movq %db3, %rcx
	NAME "all of them"
	movq %rax, arg_got
	movq %rcx, arg_want
	call check_eq64
	/* General detect. */
	xorl %eax, %eax
	movq %rax, %db6
	START
	SET_DR7 0x2400
1:	movq %db0, %rax
	LOGGED "GD: before the access", 0x2000, 1b
	movq %db7, %rax
	CHECK "and is cleared", %rax, 0x400
	jmp finish64

/* Logs RIP, DR6; sets RF for instruction breakpoints. */
db_handler:
	push %rax
	push %rbx
	movl log_n, %ebx
	cmpl $40, %ebx
	jae 3f
	shll $4, %ebx
	movq 16(%rsp), %rax
	movq %rax, log(%rbx)
	movq %db6, %rax
	movq %rax, log + 8(%rbx)
	incl log_n
	xorl %eax, %eax
	movq %rax, %db6
	movl 32(%rsp), %eax
	andl $FL_RF, %eax
	movl %eax, log_rf
	cmpl $0, set_rf
	je 1f
	orl $FL_RF, 32(%rsp)
1:	pop %rbx
	pop %rax
	iretq
3:	SAY "FAIL too many debug exceptions\n"
	incl n_failed
	jmp finish64

int_handler:
	nop
	nop
	iretq
ud_handler:
	addq $2, (%rsp)
	iretq
sys_entry:
	nop
sys_entry_1:
	sysretq

check_log:
	movl want_log, %esi
	movl $log, %edi
	movl log_n, %ecx
1:	cmpl want_end, %esi
	je 2f
	testl %ecx, %ecx
	jz 3f
	movq (%rsi), %rax
	cmpq (%rdi), %rax
	jne 3f
	movl 8(%rdi), %eax
	andl $0xe00f, %eax
	cmpl want_dr6, %eax
	jne 3f
	addl $8, %esi
	addl $16, %edi
	decl %ecx
	jmp 1b
2:	testl %ecx, %ecx
	jz pass64
3:	call fail64
	SAY ": expected DR6 "
	movl want_dr6, %edx
	xorl %ecx, %ecx
	call hex3264
	SAY " at"
	movl want_log, %edi
1:	cmpl want_end, %edi
	je 2f
	SAY " "
	call hex6464
	addl $8, %edi
	jmp 1b
2:	SAY ", got"
	movl $log, %edi
	movl log_n, %ecx
1:	testl %ecx, %ecx
	jle 2f
	SAY " "
	call hex6464
	SAY ":"
	movl 8(%rdi), %edx
	andl $0xe00f, %edx
	push %rcx
	xorl %ecx, %ecx
	call hex3264
	pop %rcx
	addl $16, %edi
	decl %ecx
	jmp 1b
2:	SAY "\n"
	ret

	.bss
	.balign 8
log: .skip 16 * 44
log_n: .skip 8
log_rf: .skip 8
set_rf: .skip 4
want_log: .skip 8
want_end: .skip 8
want_dr6: .skip 8
