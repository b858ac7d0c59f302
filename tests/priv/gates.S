/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Call, interrupt and trap gates in 32-bit protected mode, far returns and IRET to outer levels;
 * then call gates, stacks and IRET of 64-bit mode. SDM vol. 3A 5.8, 6.12, 6.14.
 */
#include "rt.h"

#define GATE T0 /* 16 bytes in long mode */
#define S_BAD (T0 + 0x30)
#define S_CONF (T0 + 0x38)
#define S_CODE1 (T0 + 0x40)
#define S_DATA1 (T0 + 0x48)
#define SEL_STACK1 (S_DATA1 + 1)
#define UC32_NORPL 0x18
#define UD_NORPL 0x20
#define UC64_NORPL 0x28

	.macro CALLGATE sel, target, acc=0xec, params=0
	movl $(\target), %eax
	movw %ax, gdt + GATE
	movw $(\sel), gdt + GATE + 2
	movw $((\acc) << 8 | (\params)), gdt + GATE + 4
	shrl $16, %eax
	movw %ax, gdt + GATE + 6
	.endm

	.text
	MODE32
	.globl main
main:
	SETDESC S_CONF, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9f, 0xc)
	SETDESC S_CODE1, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xbb, 0xc)
	SETDESC S_DATA1, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xb3, 0xc)
	movl $stack1_top, tss32 + 12
	movl $SEL_STACK1, tss32 + 16

	SECTION_NAME "call gates"
	CALLGATE KC32, gate_target
	movl %esp, %ebx
	TRY
	lcall $GATE, $0
1:	nop
	RESULT "same level", V_NONE
	CHECKM "EIP on the stack", gate_stack, 1b
	subl gate_esp, %ebx
	CHECK "two words", %ebx, 8
	CHECKM "CS on the stack", gate_stack+4, KC32
	CALLGATE KC32, stubs32+0x410
	TRY
	pushl $2
	pushl $KC32
	pushl $0
	ljmp $GATE, $0
	RESULT "JMP through it", 0x41, 0, any
	CALLGATE KC32, gate_inner, 0xec, 3
	TRYIN UC32, UD, 32
	pushl $0x11
	pushl $0x22
	pushl $0x33
	lcall $GATE, $0
1:	nop
	ENDIN "from level 3 with parameters", V_NONE
	CHECKM "EIP", gate_stack, 1b
	CHECKM "CS", gate_stack+4, UC32
	CHECKM "the last parameter", gate_stack+8, 0x33
	CHECKM "the second", gate_stack+12, 0x22
	CHECKM "the first", gate_stack+16, 0x11
	CHECKM "ESP", gate_stack+20, ustack_top-12
	CHECKM "SS", gate_stack+24, UD
	CHECKM "stack of the TSS", gate_esp, stack0_top-28
	CHECKM "CPL", gate_cs, KC32
	CHECKM "SS of the TSS", gate_ss, KD
	CHECKM "RET n pops the caller's copy", rec_sp, ustack_top
	CALLGATE S_CONF, gate_conforming, 0xec, 3
	TRYIN UC32, UD, 32
	lcall $GATE, $0
1:	nop
	ENDIN "to conforming code", V_NONE
	CHECKM "level stays", gate_cs, S_CONF|3
	CHECKM "and the stack", gate_esp, ustack_top-8
	TRYIN UC32, UD, 32
	pushl $UC32
	pushl $1f
	ljmp $GATE, $0
1:	nop
	ENDIN "JMP to conforming code", V_NONE
	CALLGATE S_CODE1, gate_level1, 0xec
	TRYIN UC32, UD, 32
	lcall $GATE, $0
	nop
	ENDIN "to level 1", V_NONE
	CHECKM "CS", gate_cs, S_CODE1|1
	CHECKM "SS", gate_ss, SEL_STACK1
	CHECKM "ESP", gate_esp, stack1_top-16
	.macro BADGATE name, vec, err
	TRYIN UC32, UD, 32
	lcall $GATE, $0
	ENDIN "\name", \vec, \err
	.endm
	CALLGATE KC32, gate_inner, 0x8c
	BADGATE "gate of DPL 0", V_GP, GATE
	CALLGATE KC32, gate_inner, 0x6c
	BADGATE "gate not present", V_NP, GATE
	CALLGATE 0, gate_inner
	BADGATE "null selector", V_GP, 0
	CALLGATE KD, gate_inner
	BADGATE "to data", V_GP, KD
	CALLGATE GDT_SIZE, gate_inner
	BADGATE "beyond the GDT", V_GP, GDT_SIZE
	CALLGATE S_TSS32, gate_inner
	BADGATE "to a TSS", V_GP, S_TSS32
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x1b, 0xc)
	CALLGATE S_BAD, gate_inner
	BADGATE "to code not present", V_NP, S_BAD
	SETDESC S_BAD, D_LO(0, 0xfff), D_HI(0, 0xfff, 0x9b, 0x4)
	BADGATE "offset beyond the limit", V_GP, 0
	CALLGATE KC32, gate_inner, 0xec
	TRYIN UC32, UD, 32
	ljmp $GATE, $0
	ENDIN "JMP to an inner level", V_GP, KC32
	CALLGATE UC32, gate_inner, 0x8c
	TRY
	lcall $GATE, $0
	RESULT "to an outer level", V_GP, UC32_NORPL
	CALLGATE KC32, gate_inner, 0xac
	movl $GATE|2, gate_far + 4
	TRY
	lcall *gate_far
	RESULT "RPL beyond the gate's DPL", V_GP, GATE
	CALLGATE KC32|3, gate_target
	TRY
	lcall $GATE, $0
	RESULT "RPL in the gate does not matter", V_NONE
	/* 16-bit gate: 16-bit pushes. */
	/* The return address has 16 bits only: no way back. */
	CALLGATE KC32, low_target, 0xe4
	movl %esp, %ebx
	TRY
	lcall $GATE, $0
	RESULT "16-bit gate", V_END, 0, any
	subl gate_esp, %ebx
	CHECK "pushes two 16-bit words", %ebx, 4

	/* Level 1, so that the handlers of level 0 have their stack. */
	SECTION_NAME "stacks of the new level"
	GATE32 0x47, gate_level1, 0xee, S_CODE1
	GATE32 V_UD, gate_level1, 0xee, S_CODE1
	CALLGATE S_CODE1, gate_level1, 0xec
	.macro BADSTACK name, vec, err
	BADGATE "call gate: \name", \vec, \err
	TRYIN UC32, UD, 32
	int $0x47
	ENDIN "INT: \name", \vec, \err
	TRYIN UC32, UD, 32
	ud2
	ENDIN "#UD: \name", \vec, (\err)|1
	.endm
	movl $0, tss32 + 16
	BADSTACK "null", V_TS, 0
	movl $GDT_SIZE|1, tss32 + 16
	BADSTACK "beyond the GDT", V_TS, GDT_SIZE
	movl $S_DATA1, tss32 + 16
	BADSTACK "RPL 0", V_TS, S_DATA1
	movl $KD|1, tss32 + 16
	BADSTACK "DPL 0", V_TS, KD
	movl $S_BAD|1, tss32 + 16
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xb1, 0xc)
	BADSTACK "read-only", V_TS, S_BAD
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xbb, 0xc)
	BADSTACK "code", V_TS, S_BAD
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x33, 0xc)
	BADSTACK "not present", V_SS, S_BAD
	SETDESC S_BAD, D_LO(0, 11), D_HI(0, 11, 0xb3, 0x4)
	SETBASE S_BAD, stack1_top
	movl $12, tss32 + 12
	BADSTACK "too small", V_SS, S_BAD
	movl $stack1_top, tss32 + 12
	movl $SEL_STACK1, tss32 + 16
	/* A TSS that ends within SS1. */
	movw $16, gdt + S_TSS32
	movb $0x89, gdt + S_TSS32 + 5
	movl $S_TSS32, %eax
	ltr %ax
	BADSTACK "beyond the TSS", V_TS, S_TSS32
	movw $0x67, gdt + S_TSS32
	movb $0x89, gdt + S_TSS32 + 5
	movl $S_TSS32, %eax
	ltr %ax
	UNGATE V_UD
	/* The stack of the same level. */
	SETDESC S_BAD, D_LO(0, 0xfff), D_HI(0, 0xfff, 0xb3, 0x4)
	SETBASE S_BAD, stack1_top-0xfff

	SECTION_NAME "far return and IRET to level 3"
	.macro OUTER name, vec, err, cs, ss, insn
	movl $UD, %eax
	mov %eax, %es
	movl $S_CONF, %eax
	mov %eax, %fs
	movl $KD, %eax
	mov %eax, %gs
	TRY
	pushl $\ss
	pushl $ustack_top
	.ifc \insn,iret
	pushl $2
	.endif
	pushl $\cs
	pushl $level3
1:	\insn
	.if \vec == V_END
	RESULT "\insn: \name", \vec, \err, any
	.else
	RESULT "\insn: \name", \vec, \err, 1b
	.endif
	.endm
	.irp insn, lret, iret
	OUTER "plain", V_END, 0, UC32, UD, \insn
	CHECKM "CS", rec_cs, UC32
	CHECKM "SS", rec_ss, UD
	CHECKM "ESP", rec_sp, ustack_top
	CHECKM "DS of DPL 0 is null", rec_regs, 0
	CHECKM "ES of DPL 3 is kept", rec_regs+8, UD
	CHECKM "FS conforming is kept", rec_regs+16, S_CONF
	CHECKM "GS of DPL 0 is null", rec_regs+24, 0
	OUTER "null SS", V_GP, 0, UC32, 0, \insn
	OUTER "null SS with RPL 3", V_GP, 0, UC32, 3, \insn
	OUTER "SS of RPL 0", V_GP, UD_NORPL, UC32, UD_NORPL, \insn
	OUTER "SS of DPL 0", V_GP, KD, UC32, KD|3, \insn
	OUTER "SS is code", V_GP, UC32_NORPL, UC32, UC32, \insn
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x73, 0xc)
	OUTER "SS not present", V_SS, S_BAD, UC32, S_BAD|3, \insn
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xf1, 0xc)
	OUTER "SS read-only", V_GP, S_BAD, UC32, S_BAD|3, \insn
	OUTER "CS null", V_GP, 0, 3, UD, \insn
	OUTER "CS of DPL 0", V_GP, KC32, KC32|3, UD, \insn
	OUTER "CS is data", V_GP, KD2, KD2, UD, \insn
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x7b, 0xc)
	OUTER "CS not present", V_NP, S_BAD, S_BAD|3, UD, \insn
	SETDESC S_BAD, D_LO(0, 0xfff), D_HI(0, 0xfff, 0xfb, 0x4)
	OUTER "EIP beyond the limit", V_GP, 0, S_BAD|3, UD, \insn
	OUTER "conforming CS", V_END, 0, S_CONF|3, UD, \insn
	CHECKM "CS", rec_cs, S_CONF|3
	.endr
	TRYIN UC32, UD, 32
	pushl $KC32
	pushl $0
1:	lret
	ENDIN "lret to an inner level", V_GP, KC32, 1b
	TRYIN UC32, UD, 32
	pushl $2
	pushl $KC32
	pushl $0
1:	iretl
	ENDIN "iret to an inner level", V_GP, KC32, 1b
	TRYIN UC32, UD, 32
	pushl $0x3202
	pushl $UC32
	pushl $1f
	iretl
1:	nop
	ENDIN "iret at level 3", V_NONE
	CHECKM "changes neither IF nor IOPL", rec_fl, 2
	TRYIN UC32, UD, 32
	pushl $0x20002
	pushl $UC32
	pushl $1f
	iretl
1:	nop
	ENDIN "iret with VM at level 3", V_NONE
	CHECKM "does not set VM", rec_fl, 2
	TRY
	pushl $UD
	pushl $ustack_top
	pushl $0x180202
	pushl $UC32
	pushl $1f
	iretl
1:	pushfl
	popl %ebx
	int $V_END
	RESULT "iret from level 0", V_END, 0, any
	andl $0x180202, rec_regs + 24
	CHECKM "sets VIP, VIF and IF", rec_regs+24, 0x180202
	pushl $2 /* POPF leaves VIP and VIF alone */
	pushl $KC32
	pushl $1f
	iretl
1:

	SECTION_NAME "interrupt and trap gates"
	GATE32 0x42, flags_handler, 0xee
	GATE32 0x43, flags_handler, 0xef
	pushl $FL_IF|FL_NT|2
	popfl
	int $0x42
	andl $FL_IF|FL_NT, gate_stack
	CHECKM "interrupt gate clears IF and NT", gate_stack, 0
	/* NT again after IRET would be a task return: cleared by the handler in its frame. */
	pushl $FL_IF|2
	popfl
	int $0x43
	andl $FL_IF, gate_stack
	CHECKM "trap gate keeps IF", gate_stack, FL_IF
	pushfl
	popl %eax
	andl $FL_IF, %eax
	CHECK "IRET restores IF", %eax, FL_IF
	pushl $2
	popfl
	GATE32 0x44, conforming_handler, 0xee, S_CONF
	TRYIN UC32, UD, 32
	int $0x44
	nop
	ENDIN "to conforming code", V_NONE
	CHECKM "stays at level 3", gate_cs, S_CONF|3
	GATE32 0x44, stubs32+0x440, 0xee, UC32
	TRY
	int $0x44
	RESULT "to an outer level", V_GP, UC32_NORPL
	GATE32 0x44, stubs32+0x440, 0xee, S_TSS32
	TRY
	int $0x44
	RESULT "to a TSS", V_GP, S_TSS32
	GATE32 0x44, stubs32+0x440, 0xec
	TRY
	int $0x44
	RESULT "a call gate in the IDT", V_GP, 0x44*8+2
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x1b, 0xc)
	GATE32 V_UD, stubs32+16*V_UD, 0xee, S_BAD
	TRY
	ud2
	RESULT "#UD to code not present", V_NP, S_BAD|1
	SETDESC S_BAD, D_LO(0, 0xfff), D_HI(0, 0xfff, 0x9b, 0x4)
	TRY
	ud2
	RESULT "#UD beyond the limit", V_GP, 1
	UNGATE V_UD
	movl %esp, %ebx
	GATE32 0x45, low_handler, 0xe6
	TRY
	int $0x45
	RESULT "16-bit interrupt gate", V_END, 0, any
	subl gate_esp, %ebx
	CHECK "16-bit interrupt gate pushes", %ebx, 6
	/* IDT limit in the middle of a gate. */
	pushl $idt32
	pushw $0x40*8+6
	lidt (%esp)
	TRY
	int $0x40
	RESULT "gate beyond the IDT", V_GP, 0x40*8+2
	lidtl idt32_ptr
	addl $6, %esp
	movb $0x6e, idt32 + V_GP * 8 + 5
	movl $GDT_SIZE, %eax
	TRY
	mov %eax, %es
	RESULT "#GP, then #NP", V_DF, 0, any
	UNGATE V_GP

	call enter_long
	MODE64
	jmp long_gates

	MODE32
gate_target:
	movl %esp, gate_esp
	movl (%esp), %eax
	movl %eax, gate_stack
	movl 4(%esp), %eax
	movl %eax, gate_stack + 4
	lret
gate_inner:
	push %eax
	push %ds
	movl $KD, %eax
	mov %eax, %ds
	popl gate_ds
	popl %eax
	movl %esp, gate_esp
	push %esi
	push %edi
	push %ecx
	leal 12(%esp), %esi
	movl $gate_stack, %edi
	movl $7, %ecx
1:	movl (%esi), %eax
	movl %eax, (%edi)
	addl $4, %esi
	addl $4, %edi
	loop 1b
	pop %ecx
	pop %edi
	pop %esi
	mov %cs, gate_cs
	mov %ss, gate_ss
	lret $12
gate_level1:
	mov %cs, gate_cs
	mov %ss, gate_ss
	movl %esp, gate_esp
	lret
gate_conforming:
	mov %cs, gate_cs
	movl %esp, gate_esp
	lret
conforming_handler:
	mov %cs, gate_cs
	iretl
flags_handler:
	pushfl
	popl gate_stack
	andl $~FL_NT, 8(%esp)
	iretl
level3:
	movl %ds, %eax
	movl %es, %ecx
	movl %fs, %edx
	movl %gs, %ebx
	int $V_END

	.section .low, "awx"
low_target:
low_handler:
	movl %esp, gate_esp
	int $V_END
	.text

	MODE64
long_gates:
	.macro GATE64C sel, target, acc=0xec
	CALLGATE \sel, \target, \acc
	movl $0, gdt + GATE + 8
	movl $0, gdt + GATE + 12
	.endm
	SECTION_NAME "64-bit call gates"
	GATE64C KC64, gate_target64
	movl $GATE, gate_far + 4
	movq %rsp, %rbx
	TRY
	lcall *gate_far
1:	nop
	RESULT "same level", V_NONE
	subq gate_esp, %rbx
	CHECK "pushes two qwords", %rbx, 16
	TRYIN UC64, UD, 64
	lcall *gate_far
1:	nop
	ENDIN "from level 3", V_NONE
	CHECKM "RIP", gate_stack, 1b
	CHECKM "CS", gate_stack+8, UC64
	CHECKM "RSP", gate_stack+16, ustack_top
	CHECKM "SS", gate_stack+24, UD
	CHECKM "on the TSS's stack", gate_esp, stack0_top-32
	CHECKM "SS is null", gate_ss, 0
	CHECKM "back where it was", rec_sp, ustack_top
	TRYIN UC32, UD, 32
	lcall $GATE, $0
1:	nop
	ENDIN "from compatibility mode", V_NONE
	CHECKM "CS", gate_stack+8, UC32
	CHECKM "back in compatibility mode", rec_cs, UC32
	.macro BADGATE64 name, vec, err
	TRYIN UC64, UD, 64
	lcall *gate_far
	ENDIN "\name", \vec, \err
	.endm
	GATE64C KC64, gate_target64, 0x8c
	BADGATE64 "gate of DPL 0", V_GP, GATE
	GATE64C KC64, gate_target64, 0x6c
	BADGATE64 "gate not present", V_NP, GATE
	GATE64C KC32, gate_target64
	BADGATE64 "to 32-bit code", V_GP, KC32
	GATE64C KD, gate_target64
	BADGATE64 "to data", V_GP, KD
	GATE64C 0, gate_target64
	BADGATE64 "null selector", V_GP, 0
	GATE64C KC64, gate_target64
	movl $0x1000, gdt + GATE + 12
	BADGATE64 "upper type not 0", V_GP, GATE
	GATE64C KC64, gate_target64
	movl $0x8000, gdt + GATE + 8
	BADGATE64 "offset not canonical", V_GP, 0
	GATE64C KC64, gate_target64, 0xe4
	BADGATE64 "16-bit gate", V_GP, GATE
	GATE64C KC64, gate_target64
	TRYIN UC64, UD, 64
	ljmp *gate_far
	ENDIN "JMP to an inner level", V_GP, KC64
	.irp type, 0xe5, 0xe9, 0xeb, 0xe2
	movb $\type, gdt + GATE + 5
	BADGATE64 "descriptor \type", V_GP, GATE
	.endr
	movw $0x00, tss64 + 8
	movl $0x8000, tss64 + 8
	GATE64C KC64, gate_target64
	GATE64 V_SS, stubs64+16*V_SS, 0xee, KC64, 1
	BADGATE64 "RSP0 not canonical", V_SS, 0
	UNGATE V_SS
	movl $0, tss64 + 8

	SECTION_NAME "64-bit stacks"
	movq %rsp, %rbx
	andq $~15, %rsp
	subq $5, %rsp
	movq %rsp, %rcx
	movq %rbx, %r8
	TRY
	int $0x40
	RESULT "INT at an odd RSP", 0x40, 0, any
	CHECKQ "RSP in the frame", rec_sp, %rcx
	andq $~15, %rcx
	subq $16, %rcx
	CHECKQ "the frame is aligned", rec_frame, %rcx
	movq %r8, %rsp
	TRY
	ud2
	RESULT "#UD", V_UD
	CHECKM "SS in the frame", rec_ss, KD
	GATE64 0x42, flags64, 0xee
	GATE64 0x43, flags64, 0xef
	pushq $FL_IF|2 /* what the shifts before left in AF is undefined */
	popfq
	int $0x42
	andl $FL_IF, gate_stack
	CHECKM "interrupt gate clears IF", gate_stack, 0
	int $0x43
	andl $FL_IF, gate_stack
	CHECKM "trap gate keeps it", gate_stack, FL_IF
	cli
	GATE64 0x44, stubs64+0x440, 0xee, KC64, 2
	TRYIN UC64, UD, 64
	int $0x44
1:	ENDIN "IST 2 from level 3", 0x44, 0, 1b
	CHECKM "on its stack", rec_frame, ist2_top-16

	SECTION_NAME "IRETQ and LRETQ"
	.macro IRQ64 name, vec, err, cs, ss, rip=level3_64, flags=2
	movl $KD, %eax
	mov %eax, %ds
	movl $UD, %eax
	mov %eax, %es
	TRY
	pushq $\ss
	pushq $ustack_top
	pushq $\flags
	pushq $\cs
	movabsq $\rip, %rcx
	pushq %rcx
1:	iretq
	.if \vec == V_END
	RESULT "\name", \vec, \err, any
	.else
	RESULT "\name", \vec, \err, 1b
	.endif
	.endm
	IRQ64 "to level 3", V_END, 0, UC64, UD
	CHECKM "CS", rec_cs, UC64
	CHECKM "DS of DPL 0 is null", rec_regs, 0
	CHECKM "ES of DPL 3 is kept", rec_regs+8, UD
	IRQ64 "to compatibility mode", V_END, 0, UC32, UD
	CHECKM "CS", rec_cs, UC32
	IRQ64 "null SS to level 0", V_END, 0, KC64, 0
	IRQ64 "null SS to level 3", V_GP, 0, UC64, 3
	IRQ64 "null SS to 32-bit level 0", V_GP, 0, KC32, 0
	IRQ64 "null SS of RPL 1 to level 0", V_GP, 0, KC64, 1
	IRQ64 "SS of RPL 0 to level 3", V_GP, UD_NORPL, UC64, UD_NORPL
	IRQ64 "RIP not canonical", V_GP, 0, KC64, KD, 0x800000000000
	IRQ64 "RIP not canonical, to level 3", V_GP, 0, UC64, UD, 0x800000000000
	IRQ64 "32-bit code: RIP is cut", V_END, 0, UC32, UD, 0x100000000+level3_64
	SETDESC S_BAD, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9b, 0xe)
	IRQ64 "L and D", V_GP, S_BAD, S_BAD, KD
	pushfq
	orl $FL_NT, (%rsp)
	popfq
	TRY
1:	iretq
	RESULT "NT", V_GP, 0, 1b
	TRY
	pushq $UD
	pushq $ustack_top
	pushq $UC64
	pushq $level3_64
	lretq
	RESULT "LRETQ to level 3", V_END, 0, any
	CHECKM "RSP", rec_sp, ustack_top
	TRY
	pushq $3
	pushq $ustack_top
	pushq $UC64
	pushq $level3_64
1:	lretq
	RESULT "LRETQ to level 3 with a null SS", V_GP, 0, 1b
	TRY
	pushq $UC64
	pushq $0
	pushw $0
	popw %ax
	movl $0x18, %eax
1:	iretl
	RESULT "IRETL off a bad frame", V_GP, 0, any
	TRY
	subq $20, %rsp
	movl $level3_64, (%rsp)
	movl $UC64, 4(%rsp)
	movl $2, 8(%rsp)
	movl $ustack_top, 12(%rsp)
	movl $UD, 16(%rsp)
	iretl
	RESULT "IRETL pops SS and ESP too", V_END, 0, any
	CHECKM "ESP", rec_sp, ustack_top
	jmp finish64

gate_target64:
	movq %rsp, gate_esp
	push %rsi
	push %rdi
	push %rcx
	leaq 24(%rsp), %rsi
	movl $gate_stack, %edi
	movl $4, %ecx
	rep movsq
	pop %rcx
	pop %rdi
	pop %rsi
	mov %ss, gate_ss
	lretq
flags64:
	pushfq
	popq gate_stack
	iretq
/* Also good as 32-bit code. */
level3_64:
	mov %ds, %eax
	mov %es, %ecx
	int $V_END

	.bss
	.balign 8
gate_stack: .skip 64
gate_esp: .skip 8
gate_cs: .skip 4
gate_ss: .skip 4
gate_ds: .skip 4
	.balign 8
gate_far: .skip 8
	.skip 1024
stack1_top: .skip 64
