/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Switching modes: real, unreal, 16-bit and 32-bit protected, compatibility and 64-bit mode, and
 * what the control registers refuse on the way; real mode's own rules; A20. SDM vol. 3A chapters
 * 9.8-9.9, 20.
 */
#include "rt.h"
#include "real.h"

	.text
	MODE32
	.globl main
main:
	SECTION_NAME "real mode"
	REAL real_basics
	SECTION_NAME "real mode exceptions"
	REAL real_exceptions
	SECTION_NAME "A20"
	REAL a20
	SECTION_NAME "unreal mode"
	/* 4 GiB limits loaded here stay on the way. */
	movl $0x12345678, 0x2000000
	movl $unreal, %eax
	call call_unreal
	CHECKM "written beyond 64 KiB", 0x2000004, 0x9abcdef0
	REAL limits_again

	SECTION_NAME "16-bit protected mode"
	TRYTO KC16, 0, pm16
	RESULT "16-bit segments", V_END, 0, any
	CHECKM "push of 16 bits", l_res, 2
	CHECKM "push of 32 bits with a prefix", l_res+4, 4
	CHECKM "INC of 16 bits", l_res+8, 0x1234ffff
	CHECKM "SP wraps", l_res+12, 0x1fffe
	CHECKM "CS", rec_cs, KC16
	/* 32-bit code on a 16-bit stack. */
	movl %esp, saved
	movl $KD16, %eax
	TRY
	movl %esp, %ebx
	mov %eax, %ss
	movl $0x55557000, %esp
	pushl $0x11223344
	movl %esp, %ecx
	popl %edx
	movl %esp, %esi
	movl $KD, %eax
	mov %eax, %ss
	movl %ebx, %esp
	RESULT "32-bit code, 16-bit stack", V_NONE
	CHECK "ESP keeps its upper half", %ecx, 0x55556ffc
	CHECK "and after POP", %esi, 0x55557000
	CHECK "popped", %edx, 0x11223344

	SECTION_NAME "control registers, protected mode"
	.macro CR_BAD name, cr, or, and=0
	movl %\cr, %eax
	.if \and
	andl $~\and, %eax
	.endif
	orl $\or, %eax
	cmpl $0, on_tcg /* which does it */
	jne 97f
	TRY
	movl %eax, %\cr
	RESULT "\name", V_GP
97:
	.endm
	CR_BAD "PG without PE", cr0, CR0_PG, CR0_PE
	CR_BAD "NW without CD", cr0, 0x20000000, 0x40000000
	CR_BAD "CR4 bit 31", cr4, 0x80000000
	CR_BAD "CR4 bit 15", cr4, 0x8000
	CR_BAD "PCIDE outside of long mode", cr4, CR4_PCIDE
	movl %cr0, %eax
	orl $0x1000, %eax
	TRY
	movl %eax, %cr0
	RESULT "reserved bits of CR0 are ignored", V_NONE
	movl %cr0, %eax
	andl $0x1000, %eax
	CHECK "and stay 0", %eax, 0
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x2, %eax
	TRY
	wrmsr
	RESULT "EFER bit 1", V_GP
	rdmsr
	movl $1, %edx
	TRY
	wrmsr
	RESULT "EFER bit 32", V_GP
	rdmsr
	orl $EFER_LMA, %eax
	TRY
	wrmsr
	RESULT "LMA written 1: ignored", V_NONE
	rdmsr
	andl $EFER_LMA, %eax
	CHECK "and stays 0", %eax, 0
	TRY
	lmsw %ax
	RESULT "LMSW cannot clear PE", V_NONE
	movl %cr0, %eax
	andl $1, %eax
	CHECK "PE", %eax, 1
	movl $pml4, %eax
	movl %eax, %cr3
	call identity_map
	/* LME without PAE. On QEMU 7.2 to 10.0 with KVM between, the host ends at the next exit: its CR0 is
	 * restored while CR4 and EFER are still the guest's, and so is refused. */
	cmpl $0, on_tcg
	jne 98f
	MSR_GET MSR_EFER
	orl $EFER_LME, %eax
	wrmsr
	CR_BAD "PG with LME but no PAE", cr0, CR0_PG
	/* A 16-bit TSS cannot stay. */
	CR_SET cr4, CR4_PAE
	SETDESC T0, D_LO(0, 0x2b), D_HI(0, 0x2b, 0x81, 0)
	SETBASE T0, scratch
	movl $T0, %eax
	ltr %ax
	CR_BAD "PG with LME and a 16-bit TSS", cr0, CR0_PG
	movb $0x89, gdt + S_TSS32 + 5
	movl $S_TSS32, %eax
	ltr %ax
	MSR_GET MSR_EFER
	andl $~EFER_LME, %eax
	wrmsr
	CR_CLEAR cr4, CR4_PAE
98:
	SECTION_NAME "from real mode to 64-bit mode at once"
	REAL straight_to_long
	CHECKM "executed 64-bit code", saved, 64
	CHECKM "wide registers", saved+4, 0x89abcdef

	call enter_long
	MODE64
	SECTION_NAME "64-bit mode"
	movq $0x123456789abcdef0, %rbx
	movl %ebx, %ecx
	movq %rbx, %rdx
	shrq $32, %rdx
	CHECK "64-bit registers", %rdx, 0x12345678
	MSR_GET MSR_EFER
	andl $EFER_LMA|EFER_LME, %eax
	CHECK "LMA", %rax, EFER_LMA|EFER_LME
	.macro CR64_BAD name, cr, or, and=0
	movq %\cr, %rax
	.if \and
	movl $\and, %ecx
	notq %rcx
	andq %rcx, %rax
	.endif
	.if \or
	movq $\or, %rcx
	orq %rcx, %rax
	.endif
	cmpl $0, on_tcg
	jne 97f
	TRY
	movq %rax, %\cr
	RESULT "\name", V_GP
97:
	.endm
	CR64_BAD "clearing PG in 64-bit mode", cr0, 0, CR0_PG
	CR64_BAD "clearing PG and PE", cr0, 0, CR0_PG|CR0_PE
	CR64_BAD "clearing PE", cr0, 0, CR0_PE
	CR64_BAD "CR0 bit 32", cr0, 0x100000000
	CR64_BAD "clearing PAE", cr4, 0, CR4_PAE
	CR64_BAD "toggling LA57", cr4, CR4_LA57
	CR64_BAD "CR4 bit 32", cr4, 0x100000000
	MSR_GET MSR_EFER
	andl $~EFER_LME, %eax
	TRY
	wrmsr
	RESULT "clearing LME while paging", V_GP
	MSR_GET MSR_EFER
	andl $~EFER_LMA, %eax
	TRY
	wrmsr
	RESULT "LMA written 0: ignored", V_NONE
	MSR_GET MSR_EFER
	andl $EFER_LMA, %eax
	CHECK "and stays 1", %rax, EFER_LMA

	SECTION_NAME "compatibility mode"
	movq $0xffffffff00000001, %rbx
	TRYIN KC32, KD, 32
	.byte 0x43 /* inc %ebx; a REX prefix in 64-bit mode */
	pushl %ebx
	movl %esp, %ecx
	movl $scratch, %edx
	movl $0x77777777, (%edx)
	ENDIN "level 0", V_NONE
	CHECKM "INC EBX", rec_regs+24, 2
	CHECKM "PUSH is 4 bytes", rec_regs+8, ustack_top-4
	CHECKM "CS pushed by the 64-bit gate", rec_cs, KC32
	CHECKM "store", scratch, 0x77777777
	TRYIN UC32, UD, 32
	pushl %cs
	popl %ebx
	ENDIN "level 3", V_NONE
	CHECKM "CS", rec_regs+24, UC32
	CHECKM "SS in the frame", rec_ss, UD
	CHECKM "ESP in the frame", rec_sp, ustack_top
	TRYIN UC32, UD, 32
	ud2
	ENDIN "#UD at level 3", V_UD
	TRYIN UC32, UD, 32
	cli
	ENDIN "#GP at level 3", V_GP
	TRYIN UC32, UD, 32
	movl $0xfffffffc, %ebx
	movl 8(%ebx), %ecx
	ENDIN "addresses wrap at 4 GiB", V_NONE
	TRYIN KC32, KD, 32
	ljmp $KC64, $2f
	.code64
2:	movq $-1, %rbx
	movq %rbx, %rcx
	shrq $63, %rcx
	ENDIN "far jump to 64-bit code", V_NONE
	CHECKM "in 64-bit mode", rec_regs+8, 1
	CHECKM "CS", rec_cs, KC64
	TRYIN KC32, KD, 32
	ljmp $S_TSS32, $0
	ENDIN "no task switches in long mode", V_GP, S_TSS32
	SETDESC T0, D_LO(0, 0), D_HI(0, 0, 0xe5, 0)
	movw $S_TSS32, gdt + T0 + 2
	TRYIN KC32, KD, 32
	lcall $T0, $0
	ENDIN "no task gates either", V_GP, T0
	SETDESC T0, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9b, 0xe)
	TRYIN KC32, KD, 32
	ljmp $T0, $0
	ENDIN "code with L and D", V_GP, T0
	TRYIN KC32, KD, 32
	syscall
	ENDIN "SYSCALL in compatibility mode (Intel)", V_UD
	/* 16-bit code. */
	TRYTO KC16, KD, compat16
	RESULT "16-bit compatibility mode", V_END, 0, any
	CHECKM "push of 16 bits", l_res, 2
	CHECKM "CS", rec_cs, KC16
	/* High registers survive. */
	movq $0x1122334455667788, %r12
	TRYIN KC32, KD, 32
	nop
	ENDIN "R12", V_NONE
	movq %r12, %rax
	shrq $32, %rax
	CHECK "keeps its upper half", %rax, 0x11223344
	cmpl $0, on_tcg /* which shuts down */
	jne 8f
	TRYIN KC32, KD, 32
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0 /* leaves long mode; the identity map makes it seamless */
	movl $MSR_EFER, %ecx
	rdmsr
	movl %eax, %ebx
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ENDIN "PG off and on in compatibility mode", V_NONE
	movl rec_regs + 24, %eax
	andl $EFER_LMA|EFER_LME, %eax
	CHECK "LMA follows PG", %rax, EFER_LME
8:

	SECTION_NAME "back"
	call leave_long
	MODE32
	TRY
	int $0x40
1:	RESULT "32-bit protected mode again", 0x40, 0, 1b
	REAL real_basics
	jmp finish32

call_unreal:
	pushal
	movl %esp, saved
	movl %eax, %ecx
	lidtl ivt_ptr
	ljmp $KC16, $to_unreal
from_unreal:
	movl $KD, %eax
	mov %eax, %ss
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	movl saved, %esp
	lidtl idt32_ptr
	popal
	ret

	MODE64
long_from_real:
	movl $KD, %eax
	mov %eax, %ss
	mov %eax, %ds
	movl $64, saved
	movq $0x0123456789abcdef, %rax
	movq %rax, %rbx
	movl %ebx, saved + 4
	pushq $KC32
	pushq $1f
	lretq
	MODE32
1:	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	MSR_GET MSR_EFER
	andl $~EFER_LME, %eax
	wrmsr
	CR_CLEAR cr4, CR4_PAE
	/* On to real mode, where this began. */
	ljmp $KC16, $back_to_real

	.section .low, "awx"
	MODE16
real_basics:
	movl %cr0, %eax
	andl $1, %eax
	RCHECK "PE is clear", %eax, 0
	smsw %ax
	andl $1, %eax
	RCHECK "SMSW says so", %eax, 0
	movw $0x900, %ax
	movw %ax, %es
	movl $0xcafe0001, l_res
	movl %es:l_res-0x9000, %eax
	RCHECK "segments are paragraphs", %eax, 0xcafe0001
	movw %sp, %bx
	pushw $0x1111
	subw %sp, %bx
	popw %cx
	movzwl %bx, %ebx
	RCHECK "PUSH is 2 bytes", %ebx, 2
	pushl $1f
	retl
	nop
1:	pushw $0
	pushw $2f
	lret
	nop
2:	lcall $0x10, $3f-0x100
	jmp 4f
3:	movw %cs, %ax
	movzwl %ax, %ebx
	lret
4:	RCHECK "far call", %ebx, 0x10
	pushfl
	popl %eax
	andl $0x20000, %eax
	RCHECK "VM", %eax, 0
	pushw $0x7202
	popfw
	pushfw
	popw %ax
	andl $0x7200, %eax
	RCHECK "POPF sets IOPL, NT and IF", %eax, 0x7200
	pushw $2
	popfw
	/* INT and IRET. */
	RTRY
	pushw $0x0302
	int $0x60
1:	nop
	RRESULT "INT", 0x60, 1b
	movw l_at, %ax
	subw l_sp, %ax
	movzwl %ax, %eax
	RCHECK "three words were pushed", %eax, 0xfffe
	pushw $2
	pushw $0
	pushw $1f
	iretw
	nop
1:	pushl $2
	pushl $0
	pushl $1f
	iretl
	nop
1:	ret

real_exceptions:
	RTRY
	xorw %cx, %cx
1:	divw %cx
	RRESULT "#DE is a fault", V_DE, 1b
	RTRY
	int3
1:	nop
	RRESULT "INT3", V_BP, 1b
	RTRY
	.byte 0xf1
1:	nop
	RRESULT "INT1", V_DB, 1b
	RTRY
	movb $0x7f, %al
	incb %al
	into
1:	nop
	RRESULT "INTO", V_OF, 1b
	movl $0x00050001, l_res
	movw $6, %bx
	RTRY
	bound %bx, l_res
	RRESULT "BOUND", V_BR
	RTRY
	ud2
	RRESULT "UD2", V_UD
	.macro RBAD name, insn:vararg
	RTRY
	\insn
	RRESULT "\name in real mode", V_UD
	.endm
	RBAD "SLDT", sldt %ax
	RBAD "STR", str %ax
	RBAD "LLDT", lldt %ax
	RBAD "LTR", ltr %ax
	RBAD "VERR", verr %ax
	RBAD "VERW", verw %ax
	RBAD "LAR", lar %ax, %bx
	RBAD "LSL", lsl %ax, %bx
	RBAD "ARPL", arpl %ax, %bx
	RBAD "LOCK NOP", .byte 0xf0, 0x90
	RBAD "VEX", .byte 0xc5, 0xf8, 0x77
	RTRY
	sysenter
	RRESULT "SYSENTER in real mode", V_GP
	RTRY
	sysexit
	RRESULT "SYSEXIT in real mode", V_GP
	RTRY
	syscall
	RRESULT "SYSCALL outside of 64-bit mode (Intel)", V_UD
	movw $0xffff, %bx
	RTRY
	movw (%bx), %ax
	RRESULT "a word at FFFFh", V_GP
	RTRY
	movw %ss:(%bx), %ax
	RRESULT "on the stack", V_SS
	movw $0xfffd, %bx
	RTRY
	movl (%bx), %eax
	RRESULT "a dword at FFFDh", V_GP
	movl $0x10000, %ebx
	RTRY
	movb (%ebx), %al
	RRESULT "a byte at 10000h", V_GP
	movw $0xffff, %bx
	RTRY
	movb (%bx), %al
	RRESULT "a byte at FFFFh", V_NONE
	movl $0xffffffff, %ebx
	RTRY
	movb 2(%bx), %al
	RRESULT "16-bit addresses wrap", V_NONE
	cmpw $0, l_tcg /* which has no limits */
	jne 8f
	RTRY
	movl $0x10000, %eax
1:	jmp *%eax
	RRESULT "jump beyond the limit", V_GP, 1b
8:
	/* INT beyond the IVT's limit. */
	lidtw short_ivt
	RTRY
	int $0x40
	RRESULT "INT beyond the limit", V_GP
	RTRY
	int $0x3f
1:	nop
	RRESULT "INT within it", 0x3f, 1b
	lidtw ivt_ptr
	/* The IVT elsewhere. */
	movw $0x100, %cx
	xorw %si, %si
	movw $0x6000, %di
	cld
	rep movsl
	movl $rm_stubs+8*0x77, 0x6000+4*0x40
	lidtw far_ivt
	RTRY
	int $0x40
1:	nop
	RRESULT "INT through a moved IVT", 0x77, 1b
	lidtw ivt_ptr
	/* Flags that a handler starts with. */
	movl 4*0x41, %edx
	movl $1f, 4*0x41
	pushw $0x0302
	popfw
	int $0x41
	pushw $2
	popfw
	jmp 2f
1:	pushfw
	popw %bx
	movw %sp, %bp
	andw $~0x100, 4(%bp)
	iretw
2:	movl %edx, 4*0x41
	andl $0x300, %ebx
	RCHECK "IF and TF are clear in a handler", %ebx, 0
	ret

	.balign 4
short_ivt:
	.word 0x40*4-1
	.long 0
far_ivt:
	.word 0x3ff
	.long 0x6000

/* FFFF:0010 and up is 1 MiB and up, or with A20 masked the start of memory. */
a20:
	movw $0xffff, %ax
	movw %ax, %es
	movl $0x00005500, 0x500
	movl %es:0x510, %ecx
	movl $0x11115511, %es:0x510
	movl 0x500, %eax
	RCHECK "A20 enabled: 100500h is not 500h", %eax, 0x5500
	movl %ecx, %es:0x510
	inb $0x92, %al
	andb $~2, %al
	outb %al, $0x92
	movl $0x0000aa00, 0x500
	movl %es:0x510, %eax
	movl $0x22220000, %es:0x510
	movl 0x500, %ebx
	inb $0x92, %al
	orb $2, %al
	movl %eax, %edx
	movl $0, %eax
	movb %dl, %al
	outb %al, $0x92
	RCHECK "A20 masked: a write to 100500h", %ebx, 0x22220000
	movl %es:0x510, %eax
	cmpl %ecx, %eax
	sete %al
	movzbl %al, %eax
	RCHECK "enabled again", %eax, 1
	xorw %ax, %ax
	movw %ax, %es
	ret

/* Data segments come here with the limits of protected mode. */
to_unreal:
	movw $KD, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %ss
	movl %cr0, %eax
	andb $~CR0_PE, %al
	movl %eax, %cr0
	ljmp $0, $1f
1:	xorw %ax, %ax
	movw %ax, %ss
	movl $0x7ff0, %esp
	callw *%cx
	movl %cr0, %eax
	orb $CR0_PE, %al
	movl %eax, %cr0
	ljmpl $KC32, $from_unreal
unreal:
	movw $log, l_out
	movl $0x2000000, %ebx
	movl (%ebx), %eax
	RCHECK "read at 32 MiB", %eax, 0x12345678
	movl $0x9abcdef0, 4(%ebx)
	/* Loading the register changes the base alone. */
	movw $0x1000, %ax
	movw %ax, %es
	movl %es:-0x10000(%ebx), %eax
	RCHECK "another segment, the same limit", %eax, 0x12345678
	xorw %ax, %ax
	movw %ax, %ds
	movl (%ebx), %eax
	RCHECK "0 loaded in real mode", %eax, 0x12345678
	ret

limits_again:
	movl $0x10000, %ebx
	RTRY
	movl (%ebx), %eax
	RRESULT "limits are 64 KiB again after a detour", V_GP
	ret

pm16:
	movw $KD16, %ax
	movw %ax, %ds
	movw %ax, %ss
	movl $0x17000, %esp
	movl %esp, %ebx
	pushw %ax
	subl %esp, %ebx
	movl %ebx, l_res
	popw %ax
	movl %esp, %ebx
	pushl %eax
	subl %esp, %ebx
	movl %ebx, l_res + 4
	popl %eax
	movl $0x1234fffe, %ebx
	incw %bx
	movl %ebx, l_res + 8
	movl $0x10000, %esp
	pushw %ax
	movl %esp, l_res + 12
	movl $0x7000, %esp
	int $V_END

compat16:
	movl %esp, %ebx
	pushw %ax
	subl %esp, %ebx
	movl %ebx, l_res
	int $V_END

straight_to_long:
	movw %sp, l_res + 16
	movl $pml4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG|CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $KC64, $long_from_real
back_to_real:
	movw $KD16, %ax
	movw %ax, %ds
	movw %ax, %ss
	movl %cr0, %eax
	andb $~CR0_PE, %al
	movl %eax, %cr0
	ljmp $0, $1f
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movzwl l_res + 16, %esp
	movl $1, %eax
	RCHECK "back in real mode", %eax, 1
	ret

	.balign 4
l_res: .fill 8, 4, 0

	.bss
	.balign 8
saved: .skip 16
