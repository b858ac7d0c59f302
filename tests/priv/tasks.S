/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hardware task switches by JMP, CALL, IRET and through task gates; what they save and load, what
 * they refuse, and faults that come when the new task is already there. SDM vol. 3A chapter 7.
 */
#include "rt.h"

#define S_B (T0)         /* the task under test */
#define S_TG (T0 + 8)    /* task gate to it, DPL 3 */
#define S_C (T0 + 0x10)  /* four tasks that handle #TS, #NP, #SS and #GP */
#define S_BAD (T0 + 0x30)
#define S_B16 (T0 + 0x38)
#define S_BUSY (T0 + 0x40)

#define TSS_LINK 0
#define TSS_CR3 0x1c
#define TSS_EIP 0x20
#define TSS_FL 0x24
#define TSS_EAX 0x28
#define TSS_ECX 0x2c
#define TSS_ESP 0x38
#define TSS_ES 0x48
#define TSS_CS 0x4c
#define TSS_SS 0x50
#define TSS_DS 0x54
#define TSS_FS 0x58
#define TSS_GS 0x5c
#define TSS_LDT 0x60
#define TSS_T 0x64
#define BUSY(sel) gdt + (sel) + 5

/* The second task, fresh. */
	.macro TASK_B entry
	movl $(\entry), tssb + TSS_EIP
	call fresh_b
	.endm
/* Back to the first task by hand, whatever has happened. */
	.macro HOME
	call home
	.endm

	.text
	MODE32
	.globl main
main:
	SETDESC S_B, D_LO(0, 0x67), D_HI(0, 0x67, 0x89, 0)
	SETBASE S_B, tssb
	SETDESC S_TG, 0, D_HI(0, 0, 0xe5, 0)
	movw $S_B, gdt + S_TG + 2
	.irp n, 0, 1, 2, 3
	SETDESC S_C+8*\n, D_LO(0, 0x67), D_HI(0, 0x67, 0x89, 0)
	SETBASE S_C+8*\n, tssc+0x80*\n
	.endr

	SECTION_NAME "JMP"
	TASK_B swap
	movl $0xaaaa0001, %eax
	movl $0xaaaa0002, %ecx
	movl $0xaaaa0007, %edi
	pushl $FL_CF|2
	popfl
	TRY
	ljmp $S_B, $0
1:	nop
	RESULT "there and back", V_NONE
	CHECK "EAX is back", %eax, 0xaaaa0001
	CHECK "EDI is back", %edi, 0xaaaa0007
	CHECKM "saved EIP", tss32+TSS_EIP, 1b
	CHECKM "saved EAX", tss32+TSS_EAX, 0xaaaa0001
	CHECKM "saved ECX", tss32+TSS_ECX, 0xaaaa0002
	CHECKM "saved CS", tss32+TSS_CS, KC32
	CHECKM "saved SS", tss32+TSS_SS, KD
	CHECKM "saved flags", tss32+TSS_FL, 3
	CHECKM "CR3 is not saved", tss32+TSS_CR3, 0
	CHECKM "in it: TR", seen_tr, S_B
	CHECKM "EAX", seen_eax, 0xbbbb0001
	CHECKM "EDI", seen_edi, 0xbbbb0007
	CHECKM "ESP", seen_esp, stackb_top
	CHECKM "flags", seen_fl, 0x886
	CHECKM "FS", seen_fs, KD2
	CHECKM "CR0.TS", seen_ts, CR0_TS
	CHECKB "was busy", seen_busy, 0x8b
	CHECKB "the first was not", seen_busy_a, 0x89
	CHECKB "afterwards: not busy", BUSY(S_B), 0x89
	CHECKB "the first is", BUSY(S_TSS32), 0x8b
	CHECKM "no link", tssb+TSS_LINK, 0
	str %eax
	CHECK "TR", %eax, S_TSS32
	clts

	SECTION_NAME "CALL and IRET"
	TASK_B nest
	TRY
	lcall $S_B, $0
1:	nop
	RESULT "there and back", V_NONE
	CHECKM "link", tssb+TSS_LINK, S_TSS32
	CHECKM "NT is set", seen_fl, 0x4886
	CHECKB "both were busy", seen_busy_a, 0x8b
	CHECKB "it too", seen_busy, 0x8b
	CHECKB "afterwards: not busy", BUSY(S_B), 0x89
	CHECKB "the first is", BUSY(S_TSS32), 0x8b
	CHECKM "NT is clear in what IRET saves", tssb+TSS_FL, 0x886
	CHECKM "saved EIP is after IRET", tssb+TSS_EIP, after_nest
	pushfl
	popl %eax
	andl $FL_NT, %eax
	CHECK "NT of the first stays clear", %eax, 0
	TASK_B nest
	TRY
	lcall $S_TG, $0
	RESULT "through a task gate", V_NONE
	TASK_B nest
	TRYIN UC32, UD, 32
	lcall $S_TG, $0
	nop
	ENDIN "gate of DPL 3 at level 3 to a TSS of DPL 0", V_NONE
	CHECKM "saved CS", tss32+TSS_CS, UC32
	TASK_B swap_user
	TRYIN UC32, UD, 32
	ljmp $S_TG, $0
1:	nop
	ENDIN "JMP through it", V_NONE
	HOME

	SECTION_NAME "interrupts"
	GATE32 0x46, 0, 0xe5, S_B
	TASK_B nest
	TRY
	int $0x46
1:	nop
	RESULT "INT through a task gate", V_NONE
	CHECKM "link", tssb+TSS_LINK, S_TSS32
	CHECKM "saved EIP is after INT", tss32+TSS_EIP, 1b
	CHECKM "no error code", seen_esp, stackb_top
	GATE32 V_GP, 0, 0xe5, S_B
	TASK_B nest_error
	movl $S_TSS32, %eax
	movl $1f, resume_a
	TRY
2:	mov %eax, %es
1:	nop
	RESULT "#GP through a task gate", V_NONE
	CHECKM "error code on its stack", seen_err, S_TSS32
	CHECKM "saved EIP is the instruction", saved_eip, 2b
	movl tss32 + TSS_FL, %eax
	UNGATE V_GP
	GATE32 V_UD, 0, 0xe5, S_B
	TASK_B nest_fault
	movl $1f, resume_a
	TRY
2:	ud2
1:	nop
	RESULT "#UD through a task gate", V_NONE
	andl $FL_RF, saved_fl
	CHECKM "RF is set in the saved flags", saved_fl, FL_RF
	UNGATE V_UD

	SECTION_NAME "refused in the old task"
	.macro REFUSED name, vec, err
	TRY
	ljmp $S_B, $0
	RESULT "JMP: \name", \vec, \err
	TRY
	lcall $S_B, $0
	RESULT "CALL: \name", \vec, \err
	TRY
	int $0x46
	RESULT "INT: \name", \vec, \err
	.endm
	TASK_B swap
	movb $0x8b, BUSY(S_B)
	REFUSED "busy", V_GP, S_B
	movb $0x09, BUSY(S_B)
	REFUSED "not present", V_NP, S_B
	movb $0x89, BUSY(S_B)
	movw $0x66, gdt + S_B
	REFUSED "limit too small", V_TS, S_B
	movw $0x67, gdt + S_B
	movb $0x82, BUSY(S_B)
	TRY
	int $0x46
	RESULT "task gate to an LDT", V_GP, S_B
	TRY
	lcall $S_TG, $0
	RESULT "CALL of it", V_GP, S_B
	movb $0x89, BUSY(S_B)
	movw $0, gdt + S_TG + 2
	TRY
	lcall $S_TG, $0
	RESULT "null TSS in a task gate", V_GP, 0
	movw $0x14, gdt + S_TG + 2
	TRY
	lcall $S_TG, $0
	RESULT "TSS in the LDT", V_GP, 0x14
	movw $S_B, gdt + S_TG + 2
	movb $0x65, BUSY(S_TG)
	TRY
	lcall $S_TG, $0
	RESULT "task gate not present", V_NP, S_TG
	movb $0xe5, BUSY(S_TG)
	TRYIN UC32, UD, 32
	ljmp $S_B, $0
	ENDIN "TSS of DPL 0 at level 3", V_GP, S_B
	TRYIN UC32, UD, 32
	lcall $S_TSS32, $0
	ENDIN "itself at level 3", V_GP, S_TSS32
	TRY
	ljmp $S_TSS32, $0
	RESULT "itself", V_GP, S_TSS32
	/* A nested task whose link is bad. */
	.macro BADLINK name, vec, err, link
	movl $\link, tss32 + TSS_LINK
	pushl $FL_NT|2
	popfl
	TRY
	iretl
	RESULT "IRET: \name", \vec, \err
	.endm
	BADLINK "link not busy", V_TS, S_B, S_B
	BADLINK "link to data", V_TS, KD, KD
	BADLINK "null link", V_TS, 0, 0
	BADLINK "link in the LDT", V_TS, 0xc, 0xc
	movb $0x0b, BUSY(S_B)
	BADLINK "link not present", V_NP, S_B, S_B
	movb $0x89, BUSY(S_B)
	movl $0, tss32 + TSS_LINK
	CHECKB "still in the first task", BUSY(S_TSS32), 0x8b

	/* Handlers in tasks of their own: the new task may lack a stack. */
	SECTION_NAME "faults in the new task"
	GATE32 V_TS, 0, 0xe5, S_C
	GATE32 V_NP, 0, 0xe5, S_C+8
	GATE32 V_SS, 0, 0xe5, S_C+16
	GATE32 V_GP, 0, 0xe5, S_C+24
	.macro BADTSS name, field, value, vec, err
	TASK_B unreachable
	movl $\value, tssb + \field
	call fresh_c
	movl $V_NONE, rec_vec
	movl $\vec, want_vec
	movl $\err, want_err
	NAME "\name"
	ljmp $S_B, $0
	call check_c
	.endm
	BADTSS "CS null", TSS_CS, 0, V_TS, 0
	BADTSS "CS is data", TSS_CS, KD, V_TS, KD
	BADTSS "CS beyond the GDT", TSS_CS, GDT_SIZE, V_TS, GDT_SIZE
	BADTSS "CS of DPL 0 with RPL 3", TSS_CS, KC32|3, V_TS, KC32
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x1b, 0xc)
	BADTSS "CS not present", TSS_CS, S_BAD, V_NP, S_BAD
	BADTSS "SS null", TSS_SS, 0, V_TS, 0
	BADTSS "SS of RPL 3", TSS_SS, UD, V_TS, UD&~3
	BADTSS "SS is code", TSS_SS, KC32, V_TS, KC32
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x13, 0xc)
	BADTSS "SS not present", TSS_SS, S_BAD, V_SS, S_BAD
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x91, 0xc)
	BADTSS "SS read-only", TSS_SS, S_BAD, V_TS, S_BAD
	BADTSS "DS is a TSS", TSS_DS, S_TSS32, V_TS, S_TSS32
	BADTSS "DS of DPL 0 with RPL 3", TSS_DS, KD|3, V_TS, KD
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x13, 0xc)
	BADTSS "DS not present", TSS_DS, S_BAD, V_NP, S_BAD
	BADTSS "ES beyond the GDT", TSS_ES, GDT_SIZE, V_TS, GDT_SIZE
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x99, 0xc)
	BADTSS "FS execute-only", TSS_FS, S_BAD, V_TS, S_BAD
	BADTSS "GS null is fine, LDT of another type is not", TSS_LDT, KD, V_TS, KD
	SETDESC S_LDT, D_LO(0, 15), D_HI(0, 15, 0x02, 0)
	BADTSS "LDT not present", TSS_LDT, S_LDT, V_TS, S_LDT
	SETDESC S_BAD, D_LO(0, 0xfff), D_HI(0, 0xfff, 0x9b, 0x4)
	BADTSS "EIP beyond the limit", TSS_CS, S_BAD, V_GP, 0
	.irp vec, V_TS, V_NP, V_SS, V_GP
	UNGATE \vec
	.endr

	SECTION_NAME "more of the state"
	/* T bit. */
	TASK_B b_entry
	movw $1, tssb + TSS_T
	xorl %eax, %eax
	movl %eax, %db6
	TRY
	ljmp $S_B, $0
b_entry:
	nop
	RESULT "T bit: #DB before the first instruction", V_DB, 0, b_entry
	movl %db6, %eax
	andl $0xe00f, %eax
	CHECK "DR6.BT", %eax, 0x8000
	HOME
	/* TF in the new flags: after its first instruction. */
	TASK_B tf_entry
	movl $FL_TF|2, tssb + TSS_FL
	TRY
	ljmp $S_B, $0
tf_entry:
	nop
1:	nop
	RESULT "TF of the new task", V_DB, 0, 1b
	HOME
	/* Local breakpoints go, global ones stay. */
	movl $-16, %eax
	movl %eax, %db0
	movl %eax, %db1
	movl $0x40f, %eax
	movl %eax, %db7
	TASK_B swap
	ljmp $S_B, $0
	movl %db7, %eax
	CHECK "DR7", %eax, 0x40a
	xorl %eax, %eax
	movl %eax, %db7
	/* LDT. */
	movl gdt + KD, %eax
	movl %eax, ldt + 8
	movl gdt + KD + 4, %eax
	movl %eax, ldt + 12
	SETDESC S_LDT, D_LO(0, 15), D_HI(0, 15, 0x82, 0)
	SETBASE S_LDT, ldt
	TASK_B swap
	movl $S_LDT, tssb + TSS_LDT
	movl $0xc, tssb + TSS_FS
	TRY
	ljmp $S_B, $0
	RESULT "segments from its LDT", V_NONE
	CHECKM "FS", seen_fs, 0xc
	CHECKM "LDTR", seen_ldt, S_LDT
	sldt %eax
	CHECK "back: the first task's", %eax, 0
	/* CR3, when paging. */
	call identity32
	movl $pd_a, %eax
	movl %eax, %cr3
	movl %eax, tss32 + TSS_CR3
	CR_SET cr4, CR4_PSE
	CR_SET cr0, CR0_PG
	TASK_B swap
	movl $pd_b, tssb + TSS_CR3
	movl $0x11, scratch
	TRY
	ljmp $S_B, $0
	RESULT "with paging", V_NONE
	CHECKM "its CR3", seen_cr3, pd_b
	CHECKM "its memory", seen_alias, 0xb
	movl %cr3, %eax
	CHECK "back", %eax, pd_a
	movl 0x80000000, %eax
	CHECK "the first task's memory", %eax, 0xa
	CR_CLEAR cr0, CR0_PG

	SECTION_NAME "16-bit TSS"
	SETDESC S_B16, D_LO(0, 0x2b), D_HI(0, 0x2b, 0x81, 0)
	SETBASE S_B16, tss16
	movw $swap16, tss16 + 0x0e
	movw $2, tss16 + 0x10
	movw $0x1234, tss16 + 0x12
	movw $0x7000, tss16 + 0x1a
	movw $KD16, tss16 + 0x22
	movw $KC16, tss16 + 0x24
	movw $KD16, tss16 + 0x26
	movw $KD16, tss16 + 0x28
	movl $0xcafe5678, %ebx
	TRY
	ljmp $S_B16, $0
1:	nop
	RESULT "JMP there and back", V_NONE
	CHECKM "its AX", low_seen, 0x1234
	CHECKM "its SP", low_seen+4, 0x7000
	CHECK "EBX is back", %ebx, 0xcafe5678
	movl tss16 + 0x12, %eax
	andl $0xffff, %eax
	CHECK "its AX is saved", %eax, 0x4321
	CHECKB "not busy", BUSY(S_B16), 0x81
	HOME
	jmp finish32

/* ---- the second task ---- */
note:
	str %ebp
	movl %ebp, seen_tr
	movl %eax, seen_eax
	movl %edi, seen_edi
	leal 4(%esp), %ebp
	movl %ebp, seen_esp
	movl %fs, %ebp
	movl %ebp, seen_fs
	movl %cr0, %ebp
	andl $CR0_TS, %ebp
	movl %ebp, seen_ts
	movl %cr3, %ebp
	movl %ebp, seen_cr3
	sldt %ebp
	movl %ebp, seen_ldt
	movb BUSY(S_B), %al
	movb %al, seen_busy
	movb BUSY(S_TSS32), %al
	movb %al, seen_busy_a
	movl %cr0, %ebp
	testl %ebp, %ebp
	jns 1f
	movl 0x80000000, %eax
	movl %eax, seen_alias
1:	ret
swap:
	pushfl
	popl seen_fl
	call note
	ljmp $S_TSS32, $0
swap_user:
	ljmp $S_TSS32, $0
nest:
	pushfl
	popl seen_fl
	call note
	pushl seen_fl
	popfl
	iretl
after_nest:
	ud2
nest_error:
	popl seen_err
nest_fault:
	movl tss32 + TSS_EIP, %eax
	movl %eax, saved_eip
	movl tss32 + TSS_FL, %eax
	movl %eax, saved_fl
	movl resume_a, %eax
	movl %eax, tss32 + TSS_EIP
	andl $~FL_RF, tss32 + TSS_FL
	iretl
unreachable:
	movl $V_NONE, rec_vec
	ljmp $S_TSS32, $0

/* ---- the tasks that handle faults ---- */
	.macro HANDLER n, vec
handler\n:
	popl rec_err
	movl $\vec, rec_vec
	ljmp $S_TSS32, $0
	.endm
	HANDLER 0, V_TS
	HANDLER 1, V_NP
	HANDLER 2, V_SS
	HANDLER 3, V_GP

fresh_b:
	push %eax
	push %edi
	push %ecx
	movl tssb + TSS_EIP, %eax
	movl $tssb, %edi
	movl $0x68/4, %ecx
1:	movl $0, (%edi)
	addl $4, %edi
	loop 1b
	movl %eax, tssb + TSS_EIP
	movl $0x886, tssb + TSS_FL
	movl $0xbbbb0001, tssb + TSS_EAX
	movl $0xbbbb0007, tssb + 0x44
	movl $stackb_top, tssb + TSS_ESP
	movl $KD, tssb + TSS_ES
	movl $KC32, tssb + TSS_CS
	movl $KD, tssb + TSS_SS
	movl $KD, tssb + TSS_DS
	movl $KD2, tssb + TSS_FS
	movl $pd_b, tssb + TSS_CR3
	movw $0x68, tssb + 0x66
	movb $0x89, BUSY(S_B)
	pop %ecx
	pop %edi
	pop %eax
	ret

fresh_c:
	.irp n, 0, 1, 2, 3
	movl $handler\n, tssc+0x80*\n+TSS_EIP
	movl $2, tssc+0x80*\n+TSS_FL
	movl $stackc_top, tssc+0x80*\n+TSS_ESP
	movl $KD, tssc+0x80*\n+TSS_ES
	movl $KC32, tssc+0x80*\n+TSS_CS
	movl $KD, tssc+0x80*\n+TSS_SS
	movl $KD, tssc+0x80*\n+TSS_DS
	movb $0x89, BUSY(S_C+8*\n)
	.endr
	ret

check_c:
	movl want_vec, %eax
	movl %eax, arg_vec
	movl want_err, %eax
	movl %eax, arg_err
	movl $0, try_ip
	call check_exc32
	movb $0x89, BUSY(S_B)
	ret

home:
	movb $0x89, BUSY(S_B)
	movb $0x89, BUSY(S_TSS32)
	push %eax
	movl $S_TSS32, %eax
	ltr %ax
	xorl %eax, %eax
	lldt %ax
	clts
	pop %eax
	ret

/* Two page directories of 4 MiB pages that differ at 2 GiB. */
identity32:
	movl $0x83, %eax
	movl $pd_a, %edi
	movl $1024, %ecx
1:	movl %eax, (%edi)
	movl %eax, 4096(%edi)
	addl $0x400000, %eax
	addl $4, %edi
	loop 1b
	movl $0x2000083, pd_a + 0x800
	movl $0x2400083, pd_b + 0x800
	movl $0xa, 0x2000000
	movl $0xb, 0x2400000
	ret

	.section .low, "awx"
	MODE16
swap16:
	movw %ax, low_seen
	movw %sp, low_seen + 4
	movw $0x4321, %ax
	ljmp $S_TSS32, $0
	.balign 4
low_seen: .long 0, 0

	.bss
	.balign 8
seen_tr: .skip 4
seen_eax: .skip 4
seen_edi: .skip 4
seen_esp: .skip 4
seen_fs: .skip 4
seen_fl: .skip 4
seen_ts: .skip 4
seen_cr3: .skip 4
seen_ldt: .skip 4
seen_alias: .skip 4
seen_err: .skip 4
seen_busy: .skip 4
seen_busy_a: .skip 4
saved_eip: .skip 4
saved_fl: .skip 4
resume_a: .skip 4
want_vec: .skip 4
want_err: .skip 4
ldt: .skip 16
	.balign 128
tssb: .skip 128
tssc: .skip 4 * 128
tss16: .skip 128
	.skip 1024
stackb_top: .skip 1024
stackc_top: .skip 64
	.balign 4096
pd_a: .skip 4096
pd_b: .skip 4096
