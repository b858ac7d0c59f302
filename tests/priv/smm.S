/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System management mode: entry, the saved state (AMD's layout), RSM, what is blocked meanwhile, SMIs by the local APIC
 * and by the command port, SMBASE, and SMRAM of the i440FX. SDM vol. 3C chapter 31, Intel 290549 3.2.19. Run with
 * -machine pc,smm=on.
 */
#include "rt.h"

#define LAPIC 0xfee00000
#define L_SVR 0xf0
#define L_ICR 0x300
#define L_ICRHI 0x310
#define SMI 0x200
#define NMI 0x400
#define APM_CNT 0xb2
#define DEVACTB 0x80000b58 /* 00:01.3 */
#define SMRAM 0x80000070   /* 00:00.0; the register is 72h */
#define SMRAM_PORT 0xcfe
#define SAVED(base, off) ((base) + 0xfe00 + (off))
#define S_HALT 0xc9
#define S_EFER 0xd0
#define S_REVISION 0xfc
#define S_SMBASE 0x100
#define S_CR4 0x148
#define S_CR3 0x150
#define S_CR0 0x158
#define S_DR7 0x160
#define S_RFLAGS 0x170
#define S_RIP 0x178
#define S_R15 0x180
#define S_RAX 0x1f8

/* What the handler does besides counting. */
	.macro IN_SMM fn
	movl $\fn, smm_do
	.endm
	.macro SEND what
	movl $(\what), L_ICR(%r14) /* to APIC ID 0 */
	.endm
/* An SMI, and time for an emulator that is not exact. */
	.macro KICK
	outb %al, $APM_CNT
	call settle
	.endm
/* AL to the register that is selected. */
	.macro SET_SMRAM val
	movb $\val, %al
	outb %al, %dx
	call settle
	.endm
	.macro CHECK_SAVED name, off, want
	movq SAVED(0x30000, \off), %rax
	CHECK "\name", %rax, \want
	.endm

	.text
	MODE32
	.globl main
main:
	call install_handler
	call enter_long
	MODE64
	movl $LAPIC, %r14d
	movl $0x1ff, L_SVR(%r14)
	movl $0, L_ICRHI(%r14)

	SECTION_NAME "entry and RSM"
	TRY
1:	rsm
	RESULT "RSM outside", V_UD, 0, 1b
	movl $0x155, %r15d
	movl $0x12345678, %ebp
	movq %cr3, %rax
	movq %rax, want_cr3
	movq %cr4, %rax
	movq %rax, want_cr4
	movq %rsp, want_rsp
	stc
	std
	SEND SMI
	pushfq
	cld
	popq %rax
	andl $FL_CF | FL_DF, %eax
	CHECK "flags are back", %rax, FL_CF | FL_DF
	CHECKM "one SMI", smm_count, 1
	CHECK "a register", %rbp, 0x12345678
	CHECK "R15", %r15, 0x155
	movq %cr3, %rax
	subq want_cr3, %rax
	CHECK "CR3 is back", %rax, 0
	movq %cr4, %rax
	subq want_cr4, %rax
	CHECK "CR4 is back", %rax, 0
	movq want_rsp, %rax
	subq %rsp, %rax
	CHECK "RSP is back", %rax, 0
	movl seen_cr0, %eax
	andl $CR0_PE | CR0_EM | CR0_TS | CR0_PG, %eax
	CHECK "CR0 in the handler", %rax, 0
	CHECKM "CR4", seen_cr4, 0
	CHECKM "CS", seen_cs, 0x3000
	CHECKM "RFLAGS", seen_flags, 2
	CHECKM "EFER", seen_efer, 0
	CHECKM "DR7", seen_dr7, 0x400

	SECTION_NAME "saved state"
	movl SAVED(0x30000, S_REVISION), %eax
	CHECK "revision", %rax, 0x20064
	movl SAVED(0x30000, S_SMBASE), %eax
	CHECK "SMBASE", %rax, 0x30000
	movb SAVED(0x30000, S_HALT), %al
	movzbl %al, %eax
	CHECK "was not halted", %rax, 0
	CHECK_SAVED "EFER", S_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE
	movq SAVED(0x30000, S_CR3), %rax
	subq want_cr3, %rax
	CHECK "CR3", %rax, 0
	movq SAVED(0x30000, S_CR4), %rax
	subq want_cr4, %rax
	CHECK "CR4", %rax, 0
	CHECK_SAVED "DR7", S_DR7, 0x400
	CHECK_SAVED "R15", S_R15, 0x155
	movq SAVED(0x30000, S_CR0), %rax
	andl $0x7fffffff & ~CR0_PG, %eax
	movq %cr0, %rcx
	andl $0x7fffffff & ~CR0_PG, %ecx
	subl %ecx, %eax
	CHECK "CR0", %rax, 0
	movzwl SAVED(0x30000, 0x10), %eax
	CHECK "CS", %rax, KC64
	movzwl SAVED(0x30000, 0x12), %eax
	andl $0x20ff, %eax
	CHECK "its attributes", %rax, 0x209b
	movl SAVED(0x30000, 0x24), %eax
	CHECK "limit of SS", %rax, 0xffffffff
	movq SAVED(0x30000, 0x68), %rax
	subq $gdt, %rax
	CHECK "base of the GDT", %rax, 0

	SECTION_NAME "changed by the handler"
	IN_SMM set_rax
	xorl %eax, %eax
	SEND SMI
	call settle
	CHECK "RAX", %rax, 0x600d
	IN_SMM skip
	movl $0, %ecx
	movl $APM_CNT, %edx
	call let_apm
	xorl %eax, %eax
	outb %al, $APM_CNT
after_out:
	incl %ecx
	incl %ecx
	CHECK "RIP, and the SMI comes right after OUT", %rcx, 1

	SECTION_NAME "blocked meanwhile"
	IN_SMM send_nmi
	TRY
	outb %al, $APM_CNT
1:	nop
	RESULT "an NMI waits for RSM", V_NMI, 0, 1b
	IN_SMM 0
	movl $0, smm_count
	IN_SMM send_smi
	KICK
	CHECKM "an SMI in the handler comes after it", smm_count, 2

	SECTION_NAME "halted"
	/* An SMI comes to the halted processor by the PIT: pin 2 of the I/O APIC, delivery mode SMI. */
	IN_SMM clear_halt
	movl $0, smm_count
	movl $0xfec00000, %ebx
	movl $0x14, (%rbx)
	movl $SMI, 0x10(%rbx)
	movl $0x15, (%rbx)
	movl $0, 0x10(%rbx)
	movb $0x30, %al
	outb %al, $0x43
	movb $0xff, %al
	outb %al, $0x40
	outb %al, $0x40
	hlt
	movl $0x14, (%rbx)
	movl $0x10000, 0x10(%rbx)
	CHECKM "the SMI has come", smm_count, 1
	CHECKM "the flag said so", seen_halt, 1

	SECTION_NAME "SMRAM"
	IN_SMM read_smram
	movl $SMRAM, %eax
	movl $0xcf8, %edx
	outl %eax, %dx
	movl $SMRAM_PORT, %edx
	SET_SMRAM 0x4a /* D_OPEN, G_SMRAME */
	movl $0x600d1dea, 0xa0100
	movl 0xa0100, %eax
	CHECK "open", %rax, 0x600d1dea
	SET_SMRAM 0x0a
	movl 0xa0100, %eax
	cmpl $0x600d1dea, %eax
	sete %cl
	movzbl %cl, %ecx
	CHECK "closed", %rcx, 0
	KICK
	CHECKM "seen in the handler", seen_smram, 0x600d1dea
	movl 0xa0100, %eax
	cmpl $0x600d1dea, %eax
	sete %cl
	movzbl %cl, %ecx
	CHECK "closed again", %rcx, 0
	SET_SMRAM 0x1a /* D_LCK */
	SET_SMRAM 0x42
	inb %dx, %al
	andl $0x58, %eax
	CHECK "locked", %rax, 0x18
	movl 0xa0100, %eax
	cmpl $0x600d1dea, %eax
	sete %cl
	movzbl %cl, %ecx
	CHECK "does not open", %rcx, 0

	SECTION_NAME "SMBASE"
	IN_SMM move_base
	KICK
	IN_SMM 0
	KICK
	CHECKM "CS of the next SMI", seen_cs, 0x4000
	movl SAVED(0x40000, S_SMBASE), %eax
	CHECK "in its state", %rax, 0x40000

	SECTION_NAME "32-bit code"
	call leave_long
	MODE32
	movl $0, smm_count
	movl $APM_CNT, %edx
	movl $0x77, %ebp
	outb %al, %dx
	movl $1000, %ecx
1:	pause
	loop 1b
	CHECK "a register", %ebp, 0x77
	CHECKM "has come", smm_count, 1
	movl SAVED(0x40000, S_EFER), %eax
	andl $EFER_LMA, %eax
	CHECK "EFER", %eax, 0
	jmp finish32

	MODE32
install_handler:
	movl $handler, %esi
	movl $0x38000, %edi
	movl $handler_end - handler, %ecx
	rep movsb
	movl $handler, %esi
	movl $0x48000, %edi
	movl $handler_end - handler, %ecx
	rep movsb
	ret

	MODE64
settle:
	pushq %rcx
	movl $1000, %ecx
1:	pause
	loop 1b
	popq %rcx
	ret
/* Writes to the command port are SMIs. */
let_apm:
	pushq %rax
	pushq %rdx
	movl $DEVACTB, %eax
	movl $0xcf8, %edx
	outl %eax, %dx
	movl $0xcff, %edx
	inb %dx, %al
	orb $2, %al
	outb %al, %dx
	popq %rdx
	popq %rax
	ret

/* ---- in system management mode ---- */
	MODE16
handler:
	movl $0x7ff0, %esp
	movl $seen_cr0, %edi
	movl %cr0, %eax
	movl %eax, (%edi)
	movl %cr4, %eax
	movl %eax, seen_cr4 - seen_cr0(%edi)
	movw %cs, %ax
	movzwl %ax, %eax
	movl %eax, seen_cs - seen_cr0(%edi)
	pushfl
	popl %eax
	movl %eax, seen_flags - seen_cr0(%edi)
	movl $MSR_EFER, %ecx
	rdmsr
	movl %eax, seen_efer - seen_cr0(%edi)
	movl %dr7, %eax
	movl %eax, seen_dr7 - seen_cr0(%edi)
	incl smm_count - seen_cr0(%edi)
	movl smm_do - seen_cr0(%edi), %eax
	testl %eax, %eax
	jz 1f
	/* Beyond 64 KiB of its segment. */
	movl seen_cs - seen_cr0(%edi), %ebx
	shll $4, %ebx
	subl %ebx, %eax
	jmpl *%eax
1:	rsm
handler_end:

/* These may not jump: that would take the lower half of their address. */
set_rax:
	movl $SAVED(0x30000, S_RAX), %edi
	movl $0x600d, (%edi)
	rsm
skip:
	movl $SAVED(0x30000, S_RIP), %edi
	xorl %eax, %eax
	cmpl $after_out, (%edi)
	sete %al
	addl %eax, %eax
	addl %eax, (%edi) /* one INC */
	rsm
send_nmi:
	movl $LAPIC + L_ICR, %esi
	movl $NMI, (%esi)
	nop
	nop
	rsm
send_smi:
	movl $0, smm_do - seen_cr0(%edi)
	movl $LAPIC + L_ICR, %esi
	movl $SMI, (%esi)
	nop
	nop
	rsm
clear_halt:
	movl $SAVED(0x30000, S_HALT), %esi
	movzbl (%esi), %eax
	movl %eax, seen_halt - seen_cr0(%edi)
	movb $0, (%esi)
	rsm
read_smram:
	movl $0xa0100, %esi
	movl (%esi), %eax
	movl %eax, seen_smram - seen_cr0(%edi)
	rsm
move_base:
	movl $SAVED(0x30000, S_SMBASE), %esi
	movl $0x40000, (%esi)
	rsm

	.data
	.balign 8
seen_cr0: .long 0
seen_cr4: .long 0
seen_cs: .long 0
seen_flags: .long 0
seen_efer: .long 0
seen_dr7: .long 0
seen_halt: .long 0
seen_smram: .long 0
smm_count: .long 0
smm_do: .long 0
want_cr3: .quad 0
want_cr4: .quad 0
want_rsp: .quad 0
