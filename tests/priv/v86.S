/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Virtual-8086 mode: ways in and out, what IOPL guards, the I/O bitmap, CR4.VME with its redirection
 * bitmap and virtual interrupt flag. SDM vol. 3A chapter 20.
 */
#include "rt.h"

#define IOBASE 0x88 /* of the I/O bitmap; the redirection bitmap lies below it */
#define SEG86 0x800 /* .low begins at 8000h */

/* Into virtual-8086 mode at a label in .low; the code ends with an exception or INT 80h. */
	.macro V86 entry, flags=2
	movl $77f, try_resume
	movl $(\entry), try_ip
	movl $V_NONE, rec_vec
	movl %esp, try_sp
	pushl $0x4444 /* GS */
	pushl $0x3333 /* FS */
	pushl $0x1111 /* DS */
	pushl $0x2222 /* ES */
	pushl $0x600  /* SS */
	pushl $0x1000
	pushl $(\flags)|FL_VM
	pushl $0
	pushl $(\entry)
	iretl
	.endm
/* One instruction at each IOPL. */
	.macro GUARDED name, vec0, vec3, insn:vararg
	.pushsection .low, "awx"
	.code16
98:	\insn
	nop
	int $V_END
	.popsection
	.code32
	V86 98b
	EXPECT86 "\name, IOPL 0", \vec0
	V86 98b, 2|FL_IOPL3
	EXPECT86 "\name, IOPL 3", \vec3
	.endm
/* With IOPL 0 the end of the code is #GP(0) from INT 80h itself. */
	.macro EXPECT86 name, vec
	.if \vec == V_NONE
77:	call code_done
	NAME "\name"
	movl $V_END, arg_vec
	movl $0, arg_err
	movl $0, try_ip
	call check_exc32
	.else
	RESULT "\name", \vec
	.endif
	.endm

	.text
	MODE32
	.globl main
main:
	/* No port is allowed yet, all INTs go to the IDT. */
	movw $IOBASE, tss32 + 0x66
	movl $tss32 + IOBASE - 32, %edi
	movl $(32 + 0x2001) / 4, %ecx
	movl $-1, %eax
	rep stosl
	movb $0xff, tss32 + IOBASE + 0x2000
	movw $IOBASE+0x2000, gdt + S_TSS32
	movb $0x89, gdt + S_TSS32 + 5
	movl $S_TSS32, %eax
	ltr %ax

	SECTION_NAME "in and out"
	V86 basics, FL_IOPL3|2
	RESULT "by IRET, out by INT", V_END, 0, after_basics
	CHECKM "pushed CS", rec_cs, 0
	movl rec_fl, %eax
	andl $FL_VM|FL_IOPL3, %eax
	CHECK "VM in the pushed flags", %eax, FL_VM|FL_IOPL3
	CHECKM "SS", rec_ss, 0x600
	CHECKM "ESP", rec_sp, 0x1000
	movl rec_frame, %ebx
	CHECKM "ES in the frame", 8(%ebx), 0x2222
	CHECKM "DS in the frame", 12(%ebx), SEG86
	CHECKM "FS in the frame", 16(%ebx), 0x3333
	CHECKM "GS in the frame", 20(%ebx), 0x4444
	CHECKM "DS is null in the handler", rec_ds, 0
	CHECKM "stack of level 0", rec_frame, stack0_top-24
	CHECKM "DS in it", v_ds, 0x1111
	CHECKM "ES in it", v_es, 0x2222
	CHECKM "FS in it", v_fs, 0x3333
	CHECKM "GS in it", v_gs, 0x4444
	CHECKM "PUSHF hides VM", v_fl, 0x3002
	CHECKM "segments are paragraphs", v_para, 0xcafe
	CHECKM "PE is set", v_msw, 1
	V86 v86_ud
	RESULT "#UD", V_UD
	V86 v86_de
	RESULT "#DE", V_DE
	V86 v86_limit
	RESULT "a word at FFFFh", V_GP
	V86 v86_stack
	RESULT "a word at FFFFh of the stack", V_SS
	V86 v86_high, 2|FL_IOPL3
	RESULT "FFFF:0010", V_END, 0, any
	CHECKM "is 1 MiB, where the note lies", v_para, 4
	TRY
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $FL_VM|2
	pushl $0
	pushl $0x10000
1:	iretl
	RESULT "EIP beyond FFFFh", V_GP, 0, any
	/* The gate must lead to level 0. */
	SETDESC T0, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xbb, 0xc)
	GATE32 0x40, stubs32+0x400, 0xee, T0
	V86 v86_int40, 2|FL_IOPL3
	RESULT "INT to level 1", V_GP, T0
	SETDESC T0, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9f, 0xc)
	V86 v86_int40, 2|FL_IOPL3
	RESULT "INT to conforming code", V_GP, T0
	UNGATE 0x40
	GATE32 0x40, stubs32+0x400, 0x8e
	V86 v86_int40, 2|FL_IOPL3
	RESULT "INT through a gate of DPL 0", V_GP, 0x40*8+2
	UNGATE 0x40

	SECTION_NAME "IOPL"
	GUARDED "CLI", V_GP, V_NONE, cli
	GUARDED "STI", V_GP, V_NONE, sti
	GUARDED "PUSHF", V_GP, V_NONE, pushfw
	GUARDED "PUSHFD", V_GP, V_NONE, pushfl
	.pushsection .low, "awx"
	.code16
1:	pushw $0x3002
2:	popfw
	int $V_END
3:	pushw $0x3002
	pushw $0
	pushw $5f
4:	iretw
5:	int $V_END
6:	pushl $0x23002
	pushl $0
	pushl $5b
7:	iretl
8:	pushl $0x3002
9:	popfl
	int $V_END
	.popsection
	.code32
	V86 1b
	RESULT "POPF, IOPL 0", V_GP, 0, 2b
	V86 1b, 2|FL_IOPL3
	RESULT "POPF, IOPL 3", V_END, 0, any
	V86 8b
	RESULT "POPFD, IOPL 0", V_GP, 0, 9b
	V86 3b
	RESULT "IRET, IOPL 0", V_GP, 0, 4b
	V86 3b, 2|FL_IOPL3
	RESULT "IRET, IOPL 3", V_END, 0, any
	V86 6b, 2|FL_IOPL3
	RESULT "IRETD, IOPL 3", V_END, 0, any
	V86 6b
	RESULT "IRETD, IOPL 0", V_GP, 0, 7b
	GUARDED "HLT", V_GP, V_GP, hlt
	GUARDED "MOV from CR0", V_GP, V_GP, movl %cr0, %eax
	GUARDED "CLTS", V_GP, V_GP, clts
	GUARDED "LMSW", V_GP, V_GP, lmsw %ax
	GUARDED "LGDT", V_GP, V_GP, lgdtw 0
	GUARDED "INVLPG", V_GP, V_GP, invlpg 0
	GUARDED "RDMSR", V_GP, V_GP, rdmsr
	GUARDED "MOV from DR7", V_GP, V_GP, movl %db7, %eax
	GUARDED "SLDT", V_UD, V_UD, sldt %ax
	GUARDED "STR", V_UD, V_UD, str %ax
	GUARDED "LLDT", V_UD, V_UD, lldt %ax
	GUARDED "LTR", V_UD, V_UD, ltr %ax
	GUARDED "LAR", V_UD, V_UD, lar %ax, %bx
	GUARDED "LSL", V_UD, V_UD, lsl %ax, %bx
	GUARDED "VERR", V_UD, V_UD, verr %ax
	GUARDED "ARPL", V_UD, V_UD, arpl %ax, %bx
	GUARDED "VEX", V_UD, V_UD, .byte 0xc5, 0xf8, 0x77
	GUARDED "SMSW", V_NONE, V_NONE, smsw %ax
	GUARDED "CPUID", V_NONE, V_NONE, cpuid
	GUARDED "RDTSC", V_NONE, V_NONE, rdtsc
	CR_SET cr4, CR4_TSD
	GUARDED "RDTSC with TSD", V_GP, V_GP, rdtsc
	CR_CLEAR cr4, CR4_TSD
	CR_SET cr4, CR4_UMIP
	GUARDED "SMSW with UMIP", V_GP, V_GP, smsw %ax
	GUARDED "SGDT with UMIP", V_GP, V_GP, sgdtw 0
	CR_CLEAR cr4, CR4_UMIP
	/* INT3, INTO and INT1 are not guarded. */
	.pushsection .low, "awx"
	.code16
1:	int3
2:	nop
3:	movb $0x7f, %al
	incb %al
	into
4:	nop
5:	.byte 0xf1
6:	nop
	.popsection
	.code32
	V86 1b
	RESULT "INT3, IOPL 0", V_BP, 0, 2b
	V86 3b
	RESULT "INTO, IOPL 0", V_OF, 0, 4b
	V86 5b
	RESULT "INT1, IOPL 0", V_DB, 0, 6b

	SECTION_NAME "I/O bitmap"
	.macro PORT name, vec, insn:vararg
	GUARDED "\name", \vec, \vec, \insn
	.endm
	PORT "IN, not allowed", V_GP, inb $0x80, %al
	PORT "OUT, not allowed", V_GP, outb %al, $0x80
	andb $0xfe, tss32 + IOBASE + 0x10 /* port 80h */
	PORT "IN, allowed", V_NONE, inb $0x80, %al
	PORT "OUT, allowed", V_NONE, outb %al, $0x80
	PORT "IN of a word, half allowed", V_GP, inw $0x80, %ax
	andb $0xfd, tss32 + IOBASE + 0x10
	PORT "IN of a word, allowed", V_NONE, inw $0x80, %ax
	PORT "IN of a dword, half allowed", V_GP, inl $0x80, %eax
	PORT "neighbour", V_GP, inb $0x82, %al
	TRYIN UC32, UD, 32
	inb $0x80, %al
	ENDIN "protected mode, level 3, allowed", V_NONE
	TRYIN UC32, UD, 32
	inb $0x82, %al
	ENDIN "not allowed", V_GP
	TRYIN UC32, UD, 32, 2|FL_IOPL3
	inb $0x82, %al
	ENDIN "IOPL 3", V_NONE
	/* The bitmap needs a byte behind it. */
	movw $0xffff, %dx
	TRYIN UC32, UD, 32
	inb %dx, %al
	ENDIN "the last port", V_GP
	movb $0, tss32 + IOBASE + 0x1fff
	TRYIN UC32, UD, 32
	inb %dx, %al
	ENDIN "the last port, allowed", V_NONE
	movw $IOBASE+0x1fff, gdt + S_TSS32
	movb $0x89, gdt + S_TSS32 + 5
	movl $S_TSS32, %eax
	ltr %ax
	movw $0xffff, %dx
	TRYIN UC32, UD, 32
	inb %dx, %al
	ENDIN "without the byte behind", V_GP
	movb $0xff, tss32 + IOBASE + 0x1fff

	SECTION_NAME "VME"
	CR_SET cr4, CR4_VME
	/* An IVT entry for INT 50h and 51h at the end of .low. */
	movl $ivt_handler, 0x50*4
	movl $ivt_handler, 0x51*4
	andb $~1, tss32 + IOBASE - 32 + 10 /* INT 50h is redirected, 51h is not */
	V86 vme_int50, 2
	RESULT "redirected INT, IOPL 0", V_GP, 0, vme_int50_end
	CHECKM "handled in virtual-8086 mode", v_para, 0x50
	CHECKM "IF and TF clear there: VIF", v_fl, 0x3002
	V86 vme_int51, 2
	RESULT "not redirected, IOPL 0", V_GP, 0
	V86 vme_int50, 2|FL_IOPL3
	RESULT "redirected INT, IOPL 3", V_END, 0, any
	V86 vme_int51, 2|FL_IOPL3
	RESULT "not redirected, IOPL 3: the IDT", 0x51, 0, any
	V86 vme_flags, 2
	RESULT "CLI, STI, PUSHF and POPF, IOPL 0", V_GP, 0, vme_flags_end
	CHECKM "PUSHF after STI: IF, IOPL 3", v_fl, 0x3202
	CHECKM "after CLI", v_es, 0x3002
	CHECKM "POPF sets VIF", v_gs, 0x3202
	movl rec_fl, %eax
	andl $FL_VIF|FL_IF|FL_IOPL3, %eax
	CHECK "VIF, not IF", %eax, FL_VIF
	V86 vme_sti, 2|FL_VIP
	RESULT "STI with VIP", V_GP, 0, vme_sti
	V86 vme_popf, 2|FL_VIP
	RESULT "POPF of IF with VIP", V_GP, 0, vme_popf_at
	V86 vme_popfd, 2
	RESULT "POPFD, IOPL 0", V_GP, 0, vme_popfd_at
	V86 vme_iret, 2
	RESULT "16-bit IRET, IOPL 0", V_GP, 0, vme_iret_end
	movl rec_fl, %eax
	andl $FL_VIF|FL_IF, %eax
	CHECK "sets VIF", %eax, FL_VIF
	CR_CLEAR cr4, CR4_VME

	SECTION_NAME "PVI"
	CR_SET cr4, CR4_PVI
	TRYIN UC32, UD, 32
	sti
	pushfl
	popl %ebx
	cli
	pushfl
	popl %ecx
	ENDIN "STI and CLI at level 3, IOPL 0", V_NONE
	movl rec_regs + 24, %eax
	andl $FL_VIF|FL_IF, %eax
	CHECK "STI sets VIF", %eax, FL_VIF
	movl rec_regs + 8, %eax
	andl $FL_VIF|FL_IF, %eax
	CHECK "CLI clears it", %eax, 0
	TRYIN UC32, UD, 32, 2|FL_VIP
	sti
	ENDIN "STI with VIP", V_GP
	CR_CLEAR cr4, CR4_PVI
	TRYIN UC32, UD, 32
	sti
	ENDIN "without PVI", V_GP
	jmp finish32

/* INT 80h of code at IOPL 0 arrives as #GP(0) at that instruction: take it for what it is. */
code_done:
	cmpl $V_GP, rec_vec
	jne 1f
	movl rec_ip, %eax
	cmpw $0x80cd, (%eax)
	jne 1f
	movl $V_END, rec_vec
	movl $0, rec_err
1:	ret

	.section .low, "awx"
	MODE16
	.balign 16
basics:
	movw %ds, %cs:v_ds
	movw %es, %cs:v_es
	movw %fs, %cs:v_fs
	movw %gs, %cs:v_gs
	pushfw
	popw %cs:v_fl
	movw $SEG86, %ax
	movw %ax, %ds
	movw $0xcafe, %cs:v_mark
	movw v_mark-0x8000, %ax
	movw %ax, %cs:v_para
	smsw %ax
	andw $1, %ax
	movw %ax, %cs:v_msw
	int $V_END
after_basics:
v86_ud:
	ud2
v86_de:
	.byte 0xf7, 0xf1 /* div %cx */
v86_limit:
	.byte 0xa1, 0xff, 0xff /* mov 0xffff, %ax */
v86_stack:
	.byte 0x36, 0xa1, 0xff, 0xff
v86_high:
	movw $0xffff, %ax
	movw %ax, %ds
	movl 0x10, %eax
	movl %eax, %cs:v_para
	int $V_END
v86_int40:
	int $0x40
vme_int50:
	movl $0, %cs:v_para
	int $0x50
vme_int50_end:
	int $V_END
vme_int51:
	int $0x51
	nop
ivt_handler:
	movw $0x50, %cs:v_para
	pushfw
	popw %cs:v_fl
	iretw
vme_flags:
	sti
	pushfw
	popw %cs:v_fl
	cli
	pushfw
	popw %cs:v_es
	pushw $0x0202
	popfw
	pushfw
	popw %cs:v_gs
vme_flags_end:
	int $V_END
vme_sti:
	sti
vme_popf:
	pushw $0x0202
vme_popf_at:
	popfw
vme_popfd:
	pushl $2
vme_popfd_at:
	popfl
vme_iret:
	pushw $0x0202
	pushw $0
	pushw $vme_iret_end
	iretw
	nop
vme_iret_end:
	int $V_END

	.balign 4
v_ds: .long 0
v_es: .long 0
v_fs: .long 0
v_gs: .long 0
v_fl: .long 0
v_para: .long 0
v_msw: .long 0
v_mark: .long 0

