/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Segmentation: loads of every kind of descriptor at every privilege, in 32-bit protected and in
 * 64-bit mode; limits, expand-down segments, read-only and execute-only ones; null selectors.
 */
#include "rt.h"

	.text
	MODE32
	.globl main
main:
	SECTION_NAME "every descriptor, 32-bit"
	movl $0xcf0000, seg_flags
	movl $0x1a3e, lar_types /* 1, 2, 3, 4, 5, 9, B, C */
	movl $0x0a0e, lsl_types
	movl $0x0202, ltr_types
	NAME "descriptor table"
	call table32

	SECTION_NAME "limits"
/* A data segment over scratch: access byte, limit, flags. */
	.macro SEG acc, limit, fl=4
	SETDESC T0, D_LO(0, \limit), D_HI(0, \limit, \acc, \fl)
	SETBASE T0, scratch
	movw $T0, es_now
	.endm
	.macro ACCESS name, vec, insn:vararg
	mov es_now, %es
	TRY
	\insn
	RESULT "\name", \vec
	.endm
	SEG 0x93, 0xfff
	ACCESS "byte at the limit", V_NONE, movb %es:0xfff, %al
	ACCESS "byte beyond", V_GP, movb %es:0x1000, %al
	ACCESS "word at the limit", V_GP, movw %es:0xfff, %ax
	ACCESS "word before it", V_NONE, movw %es:0xffe, %ax
	ACCESS "dword one beyond", V_GP, movl %es:0xffd, %eax
	ACCESS "dword write one beyond", V_GP, movl %eax, %es:0xffd
	ACCESS "dword at 0", V_NONE, movl %es:0, %eax
	ACCESS "dword at FFFFFFFEh", V_GP, movl %es:0xfffffffe, %eax
	ACCESS "qword beyond", V_GP, fldl %es:0xff9
	ACCESS "PUSH of a word beyond", V_GP, pushl %es:0xffd
	SEG 0x93, 0
	ACCESS "limit 0, byte", V_NONE, movb %es:0, %al
	ACCESS "limit 0, word", V_GP, movw %es:0, %ax
	SEG 0x93, 1, 0xc
	ACCESS "G: limit 1FFFh", V_NONE, movb %es:0x1fff, %al
	ACCESS "G: beyond", V_GP, movb %es:0x2000, %al
	SEG 0x97, 0xfff
	ACCESS "expand-down: the limit itself", V_GP, movb %es:0xfff, %al
	ACCESS "one above", V_NONE, movb %es:0x1000, %al
	ACCESS "across", V_GP, movw %es:0xfff, %ax
	ACCESS "at 0", V_GP, movb %es:0, %al
	SEG 0x97, 0xfff, 0
	ACCESS "expand-down, 16-bit: FFFFh", V_NONE, movb %es:0xffff, %al
	ACCESS "10000h", V_GP, movb %es:0x10000, %al
	ACCESS "word at FFFFh", V_GP, movw %es:0xffff, %ax
	SEG 0x97, 0xfffff, 0xc
	ACCESS "expand-down with the greatest limit has nothing", V_GP, movb %es:0xffffffff, %al
	SEG 0x91, 0xfff
	ACCESS "read-only: read", V_NONE, movl %es:0, %eax
	ACCESS "read-only: write", V_GP, movl %eax, %es:0
	ACCESS "read-only: read-modify-write", V_GP, addl %eax, %es:0
	SEG 0x9b, 0xfff
	ACCESS "code: read", V_NONE, movl %es:0, %eax
	ACCESS "code: write", V_GP, movl %eax, %es:0
	ACCESS "CS: read", V_NONE, movl %cs:scratch, %eax
	ACCESS "CS: write", V_GP, movl %eax, %cs:scratch
	movw $0, es_now
	ACCESS "null: read", V_GP, movl %es:0, %eax
	ACCESS "null: write", V_GP, movl %eax, %es:0
	movl $3, %eax
	TRY
	mov %eax, %es
	RESULT "null with RPL 3", V_NONE
	xorl %eax, %eax
	TRY
	mov %eax, %ss
	RESULT "null SS", V_GP
	movl $GDT_SIZE, %eax
	TRY
	mov %eax, %es
	RESULT "beyond the GDT", V_GP, GDT_SIZE
	movl $0xffff, %eax
	TRY
	mov %eax, %ss
	RESULT "beyond a null LDT, SS", V_GP, 0xfffc
	movl $0xc, %eax
	TRY
	mov %eax, %es
	RESULT "null LDT", V_GP, 0xc
	/* An LDT of two entries. */
	movl gdt + KD, %eax
	movl %eax, ldt + 8
	movl gdt + KD + 4, %eax
	movl %eax, ldt + 12
	SETDESC S_LDT, D_LO(0, 15), D_HI(0, 15, 0x82, 0)
	SETBASE S_LDT, ldt
	movl $S_LDT, %eax
	lldt %ax
	movl $0xc, %eax
	TRY
	mov %eax, %es
	RESULT "LDT entry 1", V_NONE
	movl $0x14, %eax
	TRY
	mov %eax, %es
	RESULT "LDT entry 2", V_GP, 0x14
	movl $4, %eax
	TRY
	mov %eax, %es
	RESULT "LDT entry 0 is not null", V_GP, 4
	movl $0xc, %eax
	TRY
	lldt %ax
	RESULT "LLDT of an LDT selector", V_GP, 0xc
	xorl %eax, %eax
	TRY
	lldt %ax
	RESULT "LLDT of null", V_NONE
	TRY
	ltr %ax
	RESULT "LTR of null", V_GP, 0
	/* A failed load leaves the register as it was. */
	SEG 0x93, 0xfff
	movl $S_TSS32, %eax
	TRY
	mov %eax, %es
	RESULT "load of a TSS", V_GP, S_TSS32
	movl $0x11223344, farptr
	movl $S_TSS32, farptr + 4
	movl $7, %ebx
	TRY
	lfs farptr, %ebx
	RESULT "LFS", V_GP, S_TSS32
	CHECKM "the other register neither", rec_regs+24, 7
	movl $KD, farptr + 4
	lfs farptr, %ebx
	CHECK "LFS", %ebx, 0x11223344
	TRY
	.byte 0xc4, 0xc0
	nop
	RESULT "LES of a register", V_UD
	/* POP of a segment register that fails keeps ESP. */
	pushl $S_TSS32
	TRY
	pop %es
	RESULT "POP ES", V_GP, S_TSS32
	popl %eax
	CHECK "value still there", %eax, S_TSS32

	SECTION_NAME "stack segments"
	SETDESC T0, D_LO(0, 0xfff), D_HI(0, 0xfff, 0x93, 4)
	SETBASE T0, scratch
	.macro STACK name, vec, esp, insn:vararg
	movl %esp, %ebx
	movl $T0, %eax
	movl $\esp, %ecx
	TRY
	mov %eax, %ss
	movl %ecx, %esp
1:	\insn
	mov %cs:kd, %ss
	movl %ebx, %esp
	RESULT "\name", \vec, 0, 1b
	.endm
	xorl %ebp, %ebp
	STACK "PUSH within", V_NONE, 0x1000, pushl %eax
	STACK "POP beyond", V_SS, 0xffd, popl %eax
	STACK "read through ESP beyond", V_SS, 0xf00, movl 0xfd(%esp), %eax
	STACK "read through EBP beyond", V_SS, 0xf00, movl -0x10000(%ebp), %eax
	STACK "ENTER below the segment", V_SS, 0x800, enter $0x1000, $0
	jmp 1f
	.balign 4
kd:	.long KD
1:
	SECTION_NAME "code segments"
	SETDESC T0, D_LO(0, 15), D_HI(0, 15, 0x9b, 4)
	SETBASE T0, small_code
	cmpl $0, on_tcg /* which has no limits */
	jne 8f
	TRY
	ljmp $T0, $16
	RESULT "far jump beyond the limit", V_GP
	TRY
	ljmp $T0, $10
	RESULT "running past it", V_GP, 0, 16
	CHECKM "CS", rec_cs, T0
	TRY
	ljmp $T0, $8
	RESULT "jumping past it", V_GP, 0, 8
8:
	SETDESC T0, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x99, 0xc)
	TRY
	ljmp $T0, $1f
1:	movl %cs:scratch, %eax
	RESULT "execute-only: read through CS", V_GP, 0, 1b
	TRY
	ljmp $0, $0
	RESULT "far jump to null", V_GP, 0
	TRY
	ljmp $GDT_SIZE, $0
	RESULT "far jump beyond the GDT", V_GP, GDT_SIZE
	TRY
	ljmp $S_LDT, $0
	RESULT "far jump to an LDT", V_GP, S_LDT
	TRY
	lcall $KD, $0
	RESULT "far call to data", V_GP, KD
	TRY
	pushl $KD
	pushl $0
1:	lret
	RESULT "far return to data", V_GP, KD, 1b
	addl $8, %esp
	TRY
	pushl $0
	pushl $0
1:	lret
	RESULT "far return to null", V_GP, 0, 1b
	addl $8, %esp

	SECTION_NAME "LAR and friends"
	.macro LOOK name, insn, sel, zf
	movl $\sel, %eax
	movl $0x55, %ecx
	\insn %ax, %cx
	sete %al
	movzbl %al, %eax
	CHECK "\name", %eax, \zf
	.endm
	LOOK "LAR of null", lar, 0, 0
	LOOK "LAR beyond the GDT", lar, GDT_SIZE, 0
	LOOK "LAR of code", lar, KC32, 1
	LOOK "LSL of null", lsl, 0, 0
	LOOK "LSL of a TSS", lsl, S_TSS32, 1
	movl $S_TSS32, %eax
	lsl %eax, %ecx
	CHECK "its limit", %ecx, 0x67
	movl $KD, %eax
	lar %eax, %ecx
	andl $0xf0ff00, %ecx
	CHECK "rights of KD", %ecx, 0xc09300
	movl $0, %ecx
	lar %ax, %cx
	CHECK "16-bit LAR", %ecx, 0x9300
	movl $0x10, %eax
	movl $0x13, %ecx
	arpl %cx, %ax
	sete %bl
	CHECK "ARPL raises RPL", %eax, 0x13
	movzbl %bl, %ebx
	CHECK "and sets ZF", %ebx, 1
	arpl %ax, %cx
	sete %bl
	movzbl %bl, %ebx
	CHECK "equal: clears ZF", %ebx, 0

	call enter_long
	MODE64
	SECTION_NAME "every descriptor, 64-bit"
	movl $0xaf0000, seg_flags
	movl $0x1a04, lar_types
	movl $0x0a04, lsl_types
	movl $0x0200, ltr_types
	NAME "descriptor table"
	call table64

	SECTION_NAME "64-bit mode"
	.macro SEG64 sreg, acc, limit, fl=4, base=0
	SETDESC T0, D_LO(\base, \limit), D_HI(\base, \limit, \acc, \fl)
	movl $T0, %eax
	mov %eax, %\sreg
	.endm
	SEG64 es, 0x91, 0
	movw $T0, es_now
	ACCESS "DS-like segments have no limit and no rights", V_NONE, addl %eax, %es:scratch
	SEG64 ds, 0x97, 0xfffff, 0xc
	ACCESS "not even expand-down ones", V_NONE, addl %eax, scratch
	SEG64 fs, 0x91, 0, 4, 0x10
	ACCESS "FS neither", V_NONE, addl %eax, %fs:scratch
	movl $0x1234, scratch + 0x10
	movl %fs:scratch, %eax
	CHECK "but has a base", %rax, 0x1234
	MSR_GET 0xc0000100
	CHECK "in the MSR too", %rax, 0x10
	SEG64 ds, 0x93, 0xfffff, 0xc, 0x10
	movl $0x5678, scratch
	movl scratch, %eax
	CHECK "DS has none", %rax, 0x5678
	MSR_PUT 0xc0000100, scratch, 0
	movl %fs:0, %eax
	CHECK "FS base by MSR", %rax, 0x5678
	xorl %eax, %eax
	mov %eax, %fs
	MSR_GET 0xc0000100
	CHECK "null in FS clears the base (Intel)", %rax, 0
	xorl %eax, %eax
	mov %eax, %ds
	mov %eax, %es
	ACCESS "null DS can be used", V_NONE, movl scratch, %eax
	TRY
	mov %eax, %ss
	RESULT "garbage in SS", V_GP, 0x5678&~3
	xorl %eax, %eax
	TRY
	mov %eax, %ss
	RESULT "null SS at level 0", V_NONE
	pushq %rax
	popq %rcx
	movl $3, %eax
	TRY
	mov %eax, %ss
	RESULT "null SS with RPL 3 at level 0", V_GP, 0
	movl $KD, %eax
	mov %eax, %ss
	movl $3, %eax
	TRYIN UC64, UD, 64
	movl $3, %eax
1:	mov %eax, %ss
	ENDIN "null SS at level 3", V_GP, 0, 1b
	/* System descriptors have 16 bytes. */
	SETDESC T0, D_LO(0, 0x67), D_HI(0, 0x67, 0x89, 0)
	movl $0, gdt + T0 + 8
	movl $0x100, gdt + T0 + 12
	movl $T0, %eax
	TRY
	ltr %ax
	RESULT "LTR: upper type not 0", V_GP, T0
	movl $0x8000, gdt + T0 + 8
	movl $0, gdt + T0 + 12
	movl $T0, %eax
	TRY
	ltr %ax
	RESULT "LTR: base not canonical", V_GP, T0
	SETDESC T0, D_LO(0, 0x67), D_HI(0, 0x67, 0x82, 0)
	movl $T0, %eax
	TRY
	lldt %ax
	RESULT "LLDT: base not canonical", V_GP, T0
	movl gdt + S_TSS64, %eax
	movl %eax, gdt + GDT_SIZE - 8
	movl $0x8900, gdt + GDT_SIZE - 4
	movl $0x1f8, %eax
	TRY
	ltr %ax
	RESULT "LTR: second half beyond the GDT", V_GP, 0x1f8
	movw $KD, %ax
	lar %eax, %ecx
	andl $0xf0ff00, %ecx
	CHECK "LAR", %rcx, 0xc09300
	movl $0x1f8, %eax
	lar %eax, %ecx
	setz %al
	movzbl %al, %eax
	CHECK "LAR of half a TSS", %rax, 0
	jmp finish64

/* 16 bytes: at 0 it runs past the end, at 8 it jumps there. */
	.balign 16
	MODE32
small_code:
	.fill 8, 1, 0x90
	jmp small_code_end
	.fill 6, 1, 0x90
small_code_end:

	.balign 16
#define R(x) %e##x
#define FN(x) x##32
#define KC KC32
#define UC UC32
#define S_TSS S_TSS32
#define IRET push R(ax); movl $UD, %eax; mov %eax, %ds; mov %eax, %es; pop R(ax); iretl
#include "seg_body.h"
#undef R
#undef FN
#undef KC
#undef UC
#undef S_TSS
#undef IRET
	MODE64
#define R(x) %r##x
#define FN(x) x##64
#define KC KC64
#define UC UC64
#define S_TSS S_TSS64
#define IRET push R(ax); movl $UD, %eax; mov %eax, %ds; mov %eax, %es; pop R(ax); iretq
#define FRAME64
#include "seg_body.h"

/* The same bytes in both widths. */
landing:
	int $V_END
do_data:
	mov %eax, %es
	int $V_END
do_stack:
	mov %eax, %ss
	int $V_END
do_jmp:
	mov $farptr, %ebx
	ljmp *(%rbx)
do_lar:
	lar %eax, %ecx
	int $V_END
do_lsl:
	lsl %eax, %ecx
	int $V_END
do_verr:
	verr %ax
	int $V_END
do_verw:
	verw %ax
	int $V_END
do_lldt:
	lldt %ax
	int $V_END
do_ltr:
	ltr %ax
	int $V_END

	.data
seg_stubs: .long do_data, do_stack, do_jmp, do_lar, do_lsl, do_verr, do_verw, do_lldt, do_ltr

	.bss
	.balign 8
acc: .skip 4
rpl: .skip 4
cpl: .skip 4
op: .skip 4
seg_flags: .skip 4
seg_limit: .skip 4
lar_types: .skip 4
lsl_types: .skip 4
ltr_types: .skip 4
combo_done: .skip 4
combo_failed: .skip 4
farptr: .skip 8
es_now: .skip 4
ldt: .skip 32
