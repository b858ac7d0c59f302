/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two processors: INIT and SIPI, locked instructions against each other, IPIs of every addressing,
 * NMI and INIT of a running processor, TLB shootdown, code changed by the other processor. SDM vol.
 * 3A 8.4, 9, 11.6. Run with -smp 2.
 */
#include "rt.h"

#define T 0x8000000000
#define L_ID 0x20
#define L_EOI 0xb0
#define L_SVR 0xf0
#define L_ICR 0x300
#define L_ICRHI 0x310
#define ROUNDS 50000

	.macro EOI
	movl $0, L_EOI(%r14)
	.endm
/* To APIC ID 1. */
	.macro IPI1 cmd
	movl $0x01000000, L_ICRHI(%r14)
	movl $(\cmd), L_ICR(%r14)
	.endm
/* The other processor runs fn; the first waits for it, at most some seconds. */
	.macro START_AP fn
	movl $\fn, %eax
	xchgl %eax, ap_fn
	.endm
	.macro JOIN name
	call join
	CHECK "\name", %rax, 1
	.endm
	.macro WAIT_FOR name, var, value
	movl $\var, %edi
	movl $\value, %esi
	call wait_for
	CHECK "\name", %rax, 1
	.endm

	.text
	MODE32
	.globl main
main:
	movl $gdt, low_gdt + 2
	movw $GDT_SIZE-1, low_gdt
	call enter_long
	MODE64
	movl $0xfee00000, %r14d
	movl $0x1ff, L_SVR(%r14)
	movl $0x01000000, 0xd0(%r14) /* LDR */
	movl $tpd + 7, tpdpt
	movl $tpt + 7, tpd
	movl $tpdpt + 7, pml4 + 8
	movl $page_a + 7, tpt
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	CHECK "initial APIC ID", %rbx, 0
	MSR_GET MSR_APIC_BASE
	CHECK "APIC base of the first", %rax, 0xfee00900

	SECTION_NAME "INIT and SIPI"
	IPI1 0xc500
	IPI1 0x8500 /* de-assert: ignored */
	movl $1000000, %ecx
	call pause_some
	CHECKM "does not run before SIPI", low_starts, 0
	/* The vector is the page. */
	movl $ap_start, %ebx
	shrl $12, %ebx
	orl $0x4600, %ebx
	movl $0x01000000, L_ICRHI(%r14)
	movl %ebx, L_ICR(%r14)
	WAIT_FOR "runs after it", low_starts, 1
	movl %ebx, L_ICR(%r14)
	movl $1000000, %ecx
	call pause_some
	CHECKM "a second SIPI does nothing", low_starts, 1
	WAIT_FOR "has come to 64-bit mode", ap_ready, 1
	movl $ap_start, %eax
	shrl $4, %eax
	movl %eax, arg_want
	NAME "CS is the vector"
	movl low_cs, %eax
	movq %rax, arg_got
	movl $0, arg_want + 4
	call check_eq64
	CHECKM "CR0 after INIT", low_cr0, 0x60000010
	CHECKM "flags", low_fl, 2
	CHECKM "CR4", low_cr4, 0
	START_AP ap_identity
	JOIN "runs a function"
	CHECKM "its APIC ID", ap_id, 0x01000000
	CHECKM "its initial APIC ID", ap_id1, 1
	CHECKM "APIC base of the second", ap_base, 0xfee00800

	SECTION_NAME "locked instructions"
	.macro BOTH name, fn, var, want
	movl $0, \var
	START_AP \fn
	call \fn
	JOIN "\name: both done"
	CHECKM "\name", \var, \want
	.endm
	BOTH "LOCK INC", both_inc, counter, 2*ROUNDS
	BOTH "LOCK XADD", both_xadd, counter, 2*ROUNDS
	BOTH "LOCK CMPXCHG", both_cmpxchg, counter, 2*ROUNDS
	BOTH "LOCK CMPXCHG8B", both_cmpxchg8b, counter, 2*ROUNDS
	BOTH "XCHG spin lock", both_xchg, counter, 2*ROUNDS
	BOTH "LOCK BTS spin lock", both_bts, counter, 2*ROUNDS
	movl $0, counter + 8
	BOTH "LOCK CMPXCHG16B", both_cmpxchg16b, counter, 2*ROUNDS
	CHECKM "its upper half", counter+8, 2*ROUNDS
	BOTH "across cache lines", both_split, lines+62, 2*ROUNDS
	BOTH "across pages", both_pages, pages+4094, 2*ROUNDS
	BOTH "LOCK ADD and SUB of bytes beside each other", both_bytes, counter, 0

	SECTION_NAME "memory order"
	/* Data, then flag. */
	movl $0, counter
	movl $0, lines
	movl $0, bad
	START_AP ap_write_pairs
	call read_pairs
	JOIN "data and flag"
	CHECKM "never the flag before the data", bad, 0
	/* Each processor stores, fences and loads the other's: not both see 0. */
	movl $0, bad
	movl $0, phase
	START_AP ap_dekker
	call dekker
	JOIN "store, MFENCE, load"
	CHECKM "never both old", bad, 0
	movl $0, bad
	movl $0, phase
	START_AP ap_dekker_locked
	call dekker_locked
	JOIN "XCHG, load"
	CHECKM "never both old", bad, 0

	SECTION_NAME "IPIs"
	GATE64 0x60, ap_ping
	GATE64 0x61, bsp_pong
	movl $0, pings
	movl $0, pongs
	START_AP ap_sleep
	sti
	movl $1000, %ebp
1:	movl pongs, %ebx
	incl %ebx
	IPI1 0x60
	movl $pongs, %edi
	movl %ebx, %esi
	call wait_for
	testl %eax, %eax
	jz 2f
	decl %ebp
	jnz 1b
2:	cli
	CHECK "ping-pong: rounds left", %rbp, 0
	CHECKM "pings", pings, 1000
	CHECKM "pongs", pongs, 1000
	GATE64 0x62, count_both
	movl $0, counter
	movl $0x000c0062, L_ICR(%r14) /* all but self */
	WAIT_FOR "all but self", counter, 1
	sti
	nop
	nop
	movl $1000000, %ecx
	call pause_some
	cli
	CHECKM "not self", counter, 1
	movl $0, counter
	movl $0x00080062, L_ICR(%r14) /* all */
	sti
	WAIT_FOR "all", counter, 2
	cli
	movl $0, counter
	movl $0xff000000, L_ICRHI(%r14)
	movl $0x62, L_ICR(%r14)
	sti
	WAIT_FOR "physical broadcast", counter, 2
	cli
	movl $0, counter
	movl $0x03000000, L_ICRHI(%r14)
	movl $0x862, L_ICR(%r14)
	sti
	WAIT_FOR "logical 3: both", counter, 2
	cli
	movl $0, counter
	movl $0x02000000, L_ICRHI(%r14)
	movl $0x862, L_ICR(%r14)
	WAIT_FOR "logical 2: the second", counter, 1
	movl $0, counter
	movl $0x03000000, L_ICRHI(%r14)
	movl $0x962, L_ICR(%r14)
	sti
	WAIT_FOR "lowest priority", counter, 1
	movl $2000000, %ecx
	call pause_some
	cli
	CHECKM "lowest priority: one", counter, 1
	movl $1, ap_wake
	IPI1 0x62
	JOIN "second back from HLT"

	SECTION_NAME "NMI and INIT"
	GATE64 V_NMI, ap_nmi
	movl $0, nmis
	movl $0, phase
	START_AP ap_deaf
	WAIT_FOR "second in CLI, HLT", phase, 1
	IPI1 0x400
	WAIT_FOR "NMI wakes it", nmis, 1
	JOIN "and it goes on"
	UNGATE V_NMI
	movl $0, phase
	START_AP ap_deaf
	WAIT_FOR "again in CLI, HLT", phase, 1
	movl $0, ap_fn
	movl $0, ap_ready
	IPI1 0xc500
	movl $1000000, %ecx
	call pause_some
	CHECKM "INIT: stopped", ap_ready, 0
	movl $ap_start, %ebx
	shrl $12, %ebx
	orl $0x4600, %ebx
	movl %ebx, L_ICR(%r14)
	WAIT_FOR "SIPI: started once more", low_starts, 2
	WAIT_FOR "in 64-bit mode", ap_ready, 1
	CHECKM "CR0 after INIT: CD and NW as they were", low_cr0, 0x10
	/* INIT while it runs in a loop. */
	START_AP ap_loop
	WAIT_FOR "loops", phase, 2
	movl $0, ap_fn
	movl $0, ap_ready
	movl $0x01000000, L_ICRHI(%r14)
	movl $0xc500, L_ICR(%r14)
	movl $100000000, %ecx
	call pause_some
	movl counter, %ebx
	movl $1000000, %ecx
	call pause_some
	cmpl counter, %ebx
	sete %al
	movzbl %al, %eax
	CHECK "INIT stops a loop", %rax, 1
	movl $ap_start, %ebx
	shrl $12, %ebx
	orl $0x4600, %ebx
	movl %ebx, L_ICR(%r14)
	WAIT_FOR "SIPI again", low_starts, 3
	WAIT_FOR "in 64-bit mode", ap_ready, 1

	SECTION_NAME "TLB shootdown"
	GATE64 0x63, ap_shoot
	movl $0x0a, page_a
	movl $0x0b, page_b
	movl $0, phase
	START_AP ap_reader
	WAIT_FOR "second has read the page", phase, 1
	CHECKM "old page", seen, 0x0a
	movl $page_b + 7, tpt
	movl $0, acks
	IPI1 0x63
	WAIT_FOR "INVLPG by the second", acks, 1
	movl $2, phase
	JOIN "second has read it again"
	CHECKM "new page", seen, 0x0b
	/* 200 times, with the page unmapped in between. */
	movl $0, bad
	movl $200, %ebp
1:	movl $page_a + 7, tpt
	movl $0, phase
	START_AP ap_reader
	movl $phase, %edi
	movl $1, %esi
	call wait_for
	movl $page_b + 7, tpt
	movl $0, acks
	IPI1 0x63
	movl $acks, %edi
	movl $1, %esi
	call wait_for
	movl $2, phase
	call join
	cmpl $0x0b, seen
	je 2f
	incl bad
2:	decl %ebp
	jnz 1b
	CHECKM "200 shootdowns, failures", bad, 0

	SECTION_NAME "code changed by the other processor"
	movl $0x000001b8, code
	movw $0xc300, code + 4
	movl $0, bad
	movl $1, code_value
	movl $300, %ebp
1:	START_AP ap_run_code
	call join
	movl code_value, %eax
	cmpl seen, %eax
	je 2f
	incl bad
2:	incl code_value
	movl code_value, %eax
	movl %eax, code + 1
	decl %ebp
	jnz 1b
	CHECKM "300 changes, stale ones", bad, 0
	/* While the second runs it: old or new, nothing else. */
	movl $0x000001b8, code
	movw $0xc300, code + 4
	movl $0, bad
	movl $0, phase
	START_AP ap_run_code_long
	WAIT_FOR "second runs it", phase, 1
	movl $2000, %ebp
1:	movb $2, code + 1
	movl $50, %ecx
2:	pause
	loop 2b
	movb $1, code + 1
	decl %ebp
	jnz 1b
	movb $2, code + 1
	movl $2, phase
	JOIN "changed while it ran"
	CHECKM "neither old nor new", bad, 0
	CHECKM "new in the end", seen, 2

	SECTION_NAME "time"
	movl $0, bad
	START_AP ap_times
	call times
	JOIN "TSC"
	CHECKM "never goes back from one to the other", bad, 0
	jmp finish64

/* EAX = 1 once the word at RDI is ESI, 0 after some seconds. */
wait_for:
	push %rdx
	push %rcx
	rdtsc
	movl %edx, %ecx
1:	cmpl %esi, (%rdi)
	je 2f
	pause
	rdtsc
	subl %ecx, %edx
	cmpl $8, %edx
	jb 1b
	xorl %eax, %eax
	jmp 3f
2:	movl $1, %eax
3:	pop %rcx
	pop %rdx
	ret
join:
	movl $ap_fn, %edi
	xorl %esi, %esi
	jmp wait_for
/* About ECX cycles of the TSC. */
pause_some:
	push %rbx
	rdtsc
	movl %eax, %ebx
1:	pause
	rdtsc
	subl %ebx, %eax
	cmpl %ecx, %eax
	jb 1b
	pop %rbx
	ret

/* ---- on the second processor ---- */
	MODE32
ap32:
	movl $KD, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	MSR_GET MSR_EFER
	orl $EFER_LME|EFER_NXE, %eax
	wrmsr
	movl $CR0_PG|CR0_WP|CR0_NE|CR0_PE, %eax
	movl %eax, %cr0
	ljmp $KC64, $ap64
	MODE64
ap64:
	movl $ap_stack_top, %esp
	lidt idt64_ptr
	movl $0xfee00000, %r14d
	movl $0x1ff, L_SVR(%r14)
	movl $0x02000000, 0xd0(%r14) /* LDR */
	movl $1, ap_ready
1:	pause
	movl ap_fn, %eax
	testl %eax, %eax
	jz 1b
	call *%rax
	movl $0, ap_fn
	jmp 1b

ap_identity:
	movl L_ID(%r14), %eax
	movl %eax, ap_id
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movl %ebx, ap_id1
	MSR_GET MSR_APIC_BASE
	movl %eax, ap_base
	ret

/* ---- on both ---- */
both_inc:
	movl $ROUNDS, %ecx
1:	lock; incl counter
	loop 1b
	ret
both_xadd:
	movl $ROUNDS, %ecx
1:	movl $1, %eax
	lock; xaddl %eax, counter
	loop 1b
	ret
both_cmpxchg:
	movl $ROUNDS, %ecx
1:	movl counter, %eax
2:	leal 1(%eax), %edx
	lock; cmpxchgl %edx, counter
	jne 2b
	loop 1b
	ret
both_cmpxchg8b:
	push %rbx
	push %rbp
	movl $ROUNDS, %ebp
1:	movl counter, %eax
	movl counter + 4, %edx
2:	leal 1(%eax), %ebx
	movl %edx, %ecx
	lock; cmpxchg8b counter
	jne 2b
	decl %ebp
	jnz 1b
	pop %rbp
	pop %rbx
	ret
both_cmpxchg16b:
	push %rbx
	push %rbp
	movl $ROUNDS, %ebp
1:	movq counter, %rax
	movq counter + 8, %rdx
2:	leaq 1(%rax), %rbx
	leaq 1(%rdx), %rcx
	lock; cmpxchg16b counter
	jne 2b
	decl %ebp
	jnz 1b
	pop %rbp
	pop %rbx
	ret
both_xchg:
	movl $ROUNDS, %ecx
1:	movl $1, %eax
2:	xchgl %eax, spin
	testl %eax, %eax
	jz 3f
	pause
	jmp 2b
3:	incl counter
	movl $0, spin
	loop 1b
	ret
both_bts:
	movl $ROUNDS, %ecx
1:	lock; btsl $0, spin
	jc 1b
	incl counter
	lock; btrl $0, spin
	loop 1b
	ret
both_split:
	movl $ROUNDS, %ecx
1:	lock; incl lines + 62
	loop 1b
	ret
both_pages:
	movl $ROUNDS, %ecx
1:	lock; incl pages + 4094
	loop 1b
	ret
/* Each has a byte of its own; neither may disturb the other. */
both_bytes:
	movl L_ID(%r14), %edx
	shrl $24, %edx
	movl $ROUNDS, %ecx
1:	incb counter(%rdx)
	decb counter(%rdx)
	loop 1b
	ret

ap_write_pairs:
	movl $1, %ecx
1:	movl %ecx, counter
	movl %ecx, lines
	incl %ecx
	cmpl $ROUNDS, %ecx
	jne 1b
	movl $-1, lines
	ret
read_pairs:
1:	movl lines, %eax
	movl counter, %edx
	cmpl $-1, %eax
	je 2f
	cmpl %eax, %edx
	jae 1b
	incl bad
	jmp 1b
2:	ret

/* x and y are cleared by turns; phase keeps the two in step. */
	.macro DEKKER mine, other, store:vararg
	push %rbx
	movl $0, %ebx
1:	movl $0, \mine
	incl %ebx
	lock; incl phase
	leal (,%ebx,4), %eax
	subl $2, %eax
2:	cmpl %eax, phase
	jl 2b
	\store
	movl \other, %eax
	movl %eax, \mine + 8
	lock; incl phase
	leal (,%ebx,4), %eax
2:	cmpl %eax, phase
	jl 2b
	movl x + 8, %eax
	orl y + 8, %eax
	jnz 3f
	incl bad
3:	cmpl $10000, %ebx
	jb 1b
	pop %rbx
	ret
	.endm
	.macro STORE_FENCE mine
	movl $1, \mine
	mfence
	.endm
	.macro STORE_XCHG mine
	movl $1, %edx
	xchgl %edx, \mine
	.endm
dekker: DEKKER x, y, STORE_FENCE x
ap_dekker: DEKKER y, x, STORE_FENCE y
dekker_locked: DEKKER x, y, STORE_XCHG x
ap_dekker_locked: DEKKER y, x, STORE_XCHG y

ap_sleep:
	movl $0, ap_wake
1:	cli
	cmpl $0, ap_wake
	jne 2f
	sti
	hlt
	jmp 1b
2:	ret
ap_ping:
	lock; incl pings
	EOI
	movl $0, L_ICRHI(%r14)
	movl $0x61, L_ICR(%r14)
	iretq
bsp_pong:
	lock; incl pongs
	EOI
	iretq
count_both:
	lock; incl counter
	EOI
	iretq
ap_deaf:
	cli
	movl $1, phase
	hlt
	ret
ap_nmi:
	lock; incl nmis
	iretq
ap_loop:
	movl $2, phase
1:	incl counter
	jmp 1b
ap_shoot:
	push %rax
	movq $T, %rax
	invlpg (%rax)
	pop %rax
	EOI
	lock; incl acks
	iretq
ap_reader:
	movq $T, %rbx
	movl (%rbx), %eax
	movl %eax, seen
	movl $1, phase
	sti
1:	movl (%rbx), %eax
	pause
	cmpl $2, phase
	jne 1b
	cli
	movl (%rbx), %eax
	movl %eax, seen
	invlpg (%rbx)
	ret
ap_run_code:
	xorl %eax, %eax
	cpuid /* serializes */
	call code
	movl %eax, seen
	ret
ap_run_code_long:
	movl $1, phase
1:	call code
	cmpl $1, %eax
	je 2f
	cmpl $2, %eax
	je 2f
	incl bad
2:	cmpl $2, phase
	jne 1b
	xorl %eax, %eax
	cpuid
	call code
	movl %eax, seen
	ret

/* Both push a shared maximum up; no reading may be below it. */
times:
ap_times:
	movl $20000, %ebp
1:	movq counter + 16, %rbx /* the other's latest, then mine */
	lfence
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	cmpq %rbx, %rax
	jae 2f
	lock; incl bad
2:	movq counter + 16, %rbx
	cmpq %rbx, %rax
	jbe 3f
	movq %rax, %rdx
	movq %rbx, %rax
	lock; cmpxchgq %rdx, counter + 16
3:	decl %ebp
	jnz 1b
	ret

	.section .low, "awx"
	MODE16
	.balign 4096
ap_start:
	cli
	movl %cr0, %eax
	xorw %bx, %bx
	movw %bx, %ds
	movl %eax, low_cr0
	movl %cr4, %eax
	movl %eax, low_cr4
	movw %cs, low_cs
	movw $0x7ff0, %sp
	movw %bx, %ss
	pushfl
	popl %eax
	andl $~0x44, %eax /* XOR has set ZF and PF */
	movl %eax, low_fl
	lock; incl low_starts
	lgdtl low_gdt
	movl $0x11, %eax
	movl %eax, %cr0
	ljmpl $KC32, $ap32
	.balign 4
low_cr0: .long 0
low_cr4: .long 0
low_cs: .long 0
low_fl: .long 0
low_starts: .long 0
	.word 0
low_gdt: .word 0
	.long 0

	.bss
	.balign 64
counter: .skip 64
spin: .skip 64
x: .skip 64
y: .skip 64
lines: .skip 128
phase: .skip 64
bad: .skip 64
ap_fn: .skip 64
ap_ready: .skip 4
ap_id: .skip 4
ap_id1: .skip 4
ap_base: .skip 4
ap_wake: .skip 4
pings: .skip 4
pongs: .skip 4
nmis: .skip 4
acks: .skip 4
seen: .skip 4
code_value: .skip 4
	.balign 64
code: .skip 64
	.skip 4096
ap_stack_top: .skip 64
	.balign 4096
tpdpt: .skip 4096
tpd: .skip 4096
tpt: .skip 4096
page_a: .skip 4096
page_b: .skip 4096
pages: .skip 8192
