/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Exceptions in 64-bit mode: every vector, its error code and the RIP it reports; priorities; and
 * faults met while another event is delivered. SDM vol. 3A chapter 6.
 */
#include "rt.h"

#define NONCANON 0x800000000000

	.text
	MODE32
	.globl main
main:
	call enter_long
	MODE64
	CR_SET cr4, CR4_OSFXSR | CR4_OSXMM
	fninit
	cmpl $0x70697274, cmdline /* "trip" */
	je triple

	SECTION_NAME "vectors"
	xorl %edx, %edx
	movl $1, %eax
	xorl %ecx, %ecx
	TRY
	divl %ecx
	RESULT "DIV by zero", V_DE
	movl $2, %edx
	movl $1, %ecx
	TRY
	divl %ecx
	RESULT "DIV overflow", V_DE
	movl $0x80000000, %eax
	cltd
	movl $-1, %ecx
	TRY
	idivl %ecx
	RESULT "IDIV of INT_MIN by -1", V_DE
	TRY
	.byte 0xf1
10:
	RESULT "INT1 is a trap", V_DB, 0, 10b
	TRY
	int3
11:
	RESULT "INT3 is a trap", V_BP, 0, 11b
	TRY
	.byte 0xcd, 3
12:
	RESULT "INT 3, two bytes", V_BP, 0, 12b
	TRY
	.byte 0xcd, 0x40
13:
	RESULT "INT 40h", 0x40, 0, 13b
	TRY
	ud2
	RESULT "UD2", V_UD
	TRY
	.byte 0x0f, 0xb9, 0xc0
	RESULT "UD1", V_UD
	TRY
	.byte 0x0f, 0xff, 0xc0
	RESULT "UD0", V_UD
	.irp op, 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea
	TRY
	.byte \op
	.fill 8, 1, 0x90
	RESULT "opcode \op in 64-bit mode", V_UD
	.endr
	TRY
	.byte 0x8e, 0xc8 /* mov cs, eax */
	RESULT "MOV to CS", V_UD
	TRY
	.byte 0x8e, 0xf0
	RESULT "MOV to segment register 6", V_UD
	TRY
	.byte 0x8d, 0xc0
	RESULT "LEA of a register", V_UD
	TRY
	.byte 0xf0, 0x90
	RESULT "LOCK NOP", V_UD
	TRY
	.byte 0xf0, 0x01, 0xc0
	RESULT "LOCK ADD to a register", V_UD
	TRY
	.byte 0xf0, 0x8b, 0x04, 0x25, 0, 0, 0, 0
	RESULT "LOCK MOV", V_UD
	TRY
	.byte 0xf0, 0x39, 0x04, 0x25
	.long scratch
	RESULT "LOCK CMP", V_UD
	TRY
	.byte 0x0f, 0x20, 0xc8 /* mov eax, cr1 */
	RESULT "MOV from CR1", V_UD
	TRY
	.byte 0x0f, 0x22, 0xe8
	RESULT "MOV to CR5", V_UD
	TRY
	.byte 0x0f, 0xc7, 0xc8
	RESULT "CMPXCHG8B of a register", V_UD

	SECTION_NAME "device not available"
	CR_SET cr0, CR0_TS
	TRY
	fnop
	RESULT "x87 with TS", V_NM
	TRY
	xorps %xmm0, %xmm0
	RESULT "SSE with TS", V_NM
	TRY
	fwait
	RESULT "WAIT with TS, no MP", V_NONE
	CR_SET cr0, CR0_MP
	TRY
	fwait
	RESULT "WAIT with TS and MP", V_NM
	CR_CLEAR cr4, CR4_OSFXSR
	TRY
	xorps %xmm0, %xmm0
	RESULT "SSE without OSFXSR: #UD before #NM", V_UD
	CR_SET cr4, CR4_OSFXSR
	CR_SET cr0, CR0_EM
	TRY
	xorps %xmm0, %xmm0
	RESULT "SSE with EM: #UD before #NM", V_UD
	clts
	TRY
	fnop
	RESULT "x87 with EM", V_NM
	TRY
	fwait
	RESULT "WAIT with EM and MP", V_NONE
	TRY
	.byte 0x0f, 0x77 /* emms */
	RESULT "MMX with EM", V_UD
	CR_CLEAR cr0, (CR0_EM | CR0_MP)
	TRY
	.byte 0xc5, 0xf8, 0x57, 0xc0 /* vxorps */
	RESULT "VEX without OSXSAVE", V_UD
	CR_SET cr0, CR0_TS
	TRY
	.byte 0xc5, 0xf8, 0x57, 0xc0
	RESULT "VEX without OSXSAVE but with TS", V_UD
	clts

	SECTION_NAME "numeric exceptions"
	fninit
	pushq $0x37b /* divide by zero unmasked */
	fldcw (%rsp)
	fld1
	fldz
	TRY
	fdivrp
	nop
	RESULT "FDIV itself raises nothing", V_NONE
	TRY
	fnstsw %ax
	fnstcw scratch
	fnclex
	RESULT "FNSTSW, FNSTCW and FNCLEX do not wait", V_NONE
	fninit
	fldcw (%rsp)
	fld1
	fldz
	fdivrp
	TRY
	fwait
	RESULT "WAIT after it", V_MF
	TRY
	fld1
	RESULT "the next x87 instruction too", V_MF
	TRY
	.byte 0x0f, 0x6f, 0xc0 /* movq mm0, mm0 */
	RESULT "an MMX instruction too", V_MF
	CR_SET cr0, CR0_TS
	TRY
	fld1
	RESULT "#NM before #MF", V_NM
	clts
	fninit
	addq $8, %rsp
	pushq $0x1d80 /* all masked but divide by zero */
	ldmxcsr (%rsp)
	xorps %xmm0, %xmm0
	movl $0x3f800000, %eax
	movd %eax, %xmm1
	TRY
	divss %xmm0, %xmm1
	RESULT "DIVSS unmasked", V_XM
	stmxcsr scratch
	CHECKM "MXCSR shows it", scratch, 0x1d84
	CR_CLEAR cr4, CR4_OSXMM
	ldmxcsr (%rsp)
	TRY
	divss %xmm0, %xmm1
	RESULT "the same without OSXMMEXCPT", V_UD
	CR_SET cr4, CR4_OSXMM
	movq $0x1f80, (%rsp)
	ldmxcsr (%rsp)
	TRY
	divss %xmm0, %xmm1
	RESULT "the same masked", V_NONE
	movl $0x10000, scratch
	TRY
	ldmxcsr scratch
	RESULT "LDMXCSR of reserved bits", V_GP
	addq $8, %rsp

	SECTION_NAME "general protection"
	movq $NONCANON, %rbx
	TRY
	movl (%rbx), %eax
	RESULT "non-canonical read", V_GP
	TRY
	movl %eax, (%rbx)
	RESULT "non-canonical write", V_GP
	movq %rbx, %rbp
	TRY
	movl (%rbp), %eax
	RESULT "non-canonical through RBP", V_SS
	TRY
	movl %eax, %ss:(%rbx)
	RESULT "an SS prefix is ignored", V_GP
	TRY
	movl %ds:(%rbp), %eax
	RESULT "a DS prefix with RBP too", V_SS
	GATE64 V_SS, stubs64+16*V_SS, 0xee, KC64, 1
	GATE64 V_GP, stubs64+16*V_GP, 0xee, KC64, 1
	movq %rsp, %r15
	TRY
	leaq 16(%rbx), %rsp
18:	push %rax
	RESULT "PUSH to a non-canonical stack", V_SS, 0, 18b
	UNGATE V_SS
	UNGATE V_GP
	movq $0x7ffffffffffe, %rbx
	TRY
	movl (%rbx), %eax
	RESULT "read across the canonical boundary", V_GP
	TRY
	movl (%rbx), %eax
	RESULT "again", V_GP
	movq $NONCANON, %rbx
	TRY
	jmp *%rbx
	RESULT "JMP to a non-canonical address", V_GP
	TRY
	call *%rbx
	RESULT "CALL to a non-canonical address", V_GP
	TRY
	pushq %rbx
20:	ret
	RESULT "RET to a non-canonical address", V_GP, 0, 20b
	movl $0x12345678, %ecx
	TRY
	rdmsr
	RESULT "RDMSR of no MSR", V_GP
	TRY
	wrmsr
	RESULT "WRMSR of no MSR", V_GP
	movaps scratch, %xmm0
	TRY
	movaps scratch + 8, %xmm0
	RESULT "MOVAPS unaligned", V_GP
	TRY
	.byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
	RESULT "15 bytes", V_NONE
	TRY
	.byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
	RESULT "16 bytes", V_GP
	TRY
	.byte 0xf0, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0x0b
	RESULT "16 bytes of an undefined instruction", V_GP

	SECTION_NAME "privileged instructions at level 3"
	.macro PRIV name, insn:vararg
	TRYIN UC64, UD, 64
	\insn
	ENDIN "\name at level 3", V_GP
	.endm
	PRIV "HLT", hlt
	PRIV "CLI", cli
	PRIV "STI", sti
	PRIV "IN", inb $0x80, %al
	PRIV "OUT", outb %al, $0x80
	PRIV "INSB", insb
	PRIV "OUTSB", outsb
	PRIV "CLTS", clts
	PRIV "LMSW", lmsw %ax
	PRIV "LGDT", lgdt gdt_ptr
	PRIV "LIDT", lidt idt64_ptr
	PRIV "LLDT", lldt %ax
	PRIV "LTR", ltr %ax
	PRIV "MOV from CR0", movq %cr0, %rax
	PRIV "MOV to CR0", movq %rax, %cr0
	PRIV "MOV from CR2", movq %cr2, %rax
	PRIV "MOV to CR3", movq %rax, %cr3
	PRIV "MOV from CR4", movq %cr4, %rax
	PRIV "MOV from CR8", movq %cr8, %rax
	PRIV "MOV to CR8", movq %rax, %cr8
	PRIV "MOV from DR7", movq %db7, %rax
	PRIV "MOV to DR0", movq %rax, %db0
	PRIV "RDMSR", rdmsr
	PRIV "WRMSR", wrmsr
	PRIV "INVLPG", invlpg scratch
	PRIV "INVD", invd
	PRIV "WBINVD", wbinvd
	PRIV "SWAPGS", swapgs
	PRIV "SYSRET", sysretq
	PRIV "SYSEXIT", sysexitl
	PRIV "RDPMC", rdpmc
	TRYIN UC64, UD, 64
	rdtsc
	cpuid
	nop
	ENDIN "RDTSC and CPUID at level 3", V_NONE
	TRYIN UC64, UD, 64, 2+FL_IOPL3
	cli
	sti
	inb $0x80, %al
	ENDIN "CLI, STI and IN with IOPL 3", V_NONE
	TRYIN UC64, UD, 64
	popfq
	ENDIN "POPF at level 3", V_NONE
	TRYIN UC64, UD, 64
	.byte 0xf0, 0xf4 /* lock hlt */
	ENDIN "LOCK HLT at level 3: #UD", V_UD

	SECTION_NAME "INT n"
	GATE64 0x50, stubs64+0x500, 0x8e
	TRYIN UC64, UD, 64
	int $0x50
	ENDIN "INT through a gate of DPL 0", V_GP, 0x50*8+2
	TRY
	int $0x50
14:
	RESULT "the same from level 0", 0x50, 0, 14b
	GATE64 V_BP, stubs64+16*V_BP, 0x8e
	TRYIN UC64, UD, 64
	int3
	ENDIN "INT3 through a gate of DPL 0", V_GP, V_BP*8+2
	TRYIN UC64, UD, 64
	.byte 0xcd, 3
	ENDIN "INT 3 through a gate of DPL 0", V_GP, V_BP*8+2
	UNGATE V_BP
	GATE64 V_DB, stubs64+16*V_DB, 0x8e
	TRYIN UC64, UD, 64
	.byte 0xf1
15:
	ENDIN "INT1 does not look at DPL", V_DB, 0, 15b
	GATE64 V_UD, stubs64+16*V_UD, 0x8e
	TRYIN UC64, UD, 64
	ud2
	ENDIN "exceptions do not look at DPL", V_UD
	TRYIN UC64, UD, 64
	int $0x51
16:
	ENDIN "INT from level 3", 0x51, 0, 16b
	CHECKM "pushed CS", rec_cs, UC64
	CHECKM "pushed SS", rec_ss, UD
	CHECKM "pushed RSP", rec_sp, ustack_top
	CHECKM "pushed flags", rec_fl, 2
	CHECKM "entry stack from the TSS", rec_frame, stack0_top-16

	SECTION_NAME "alignment check"
	CR_SET cr0, CR0_AM
	TRYIN UC64, UD, 64, 2+FL_AC
	movl scratch + 1, %eax
	ENDIN "unaligned read", V_AC
	TRYIN UC64, UD, 64, 2+FL_AC
	movw %ax, scratch + 1
	ENDIN "unaligned write", V_AC
	TRYIN UC64, UD, 64, 2+FL_AC
	movb %al, scratch + 1
	movw %ax, scratch + 2
	movl %eax, scratch + 4
	movq %rax, scratch + 8
	movaps %xmm0, scratch
	fldt scratch + 8
	ENDIN "aligned accesses", V_NONE
	TRYIN UC64, UD, 64, 2+FL_AC
	movups %xmm0, scratch + 8
	ENDIN "MOVUPS off 16", V_AC
	TRYIN UC64, UD, 64, 2+FL_AC
	fldt scratch + 4
	ENDIN "FLD m80 off 8", V_AC
	TRYIN UC64, UD, 64
	movl scratch + 1, %eax
	ENDIN "unaligned without AC", V_NONE
	TRY
	pushq $2 + FL_AC
	popfq
	movl scratch + 1, %eax
	RESULT "unaligned at level 0", V_NONE
	pushq $2
	popfq
	movq $NONCANON + 1, %rbx
	TRYIN UC64, UD, 64, 2+FL_AC
	movl (%rbx), %eax
	ENDIN "#GP before #AC", V_GP
	CR_CLEAR cr0, CR0_AM
	TRYIN UC64, UD, 64, 2+FL_AC
	movl scratch + 1, %eax
	ENDIN "unaligned without AM", V_NONE
	/* Implicit accesses of the processor are not checked: IDT, GDT and TSS off their alignment. */
	CR_SET cr0, CR0_AM
	movl $idt64, %esi
	movl $scratch + 1, %edi
	movl $4096, %ecx
	rep movsb
	pushq $scratch + 1
	pushw $4095
	lidt (%rsp)
	addq $10, %rsp
	movb $0x89, gdt + S_TSS64 + 5
	movl $tss64, %esi
	movl $scratch + 4096 + 3, %edi
	movl $0x68, %ecx
	rep movsb
	SETBASE S_TSS64, scratch+4096+3
	movl $S_TSS64, %eax
	ltr %ax
	TRYIN UC64, UD, 64, 2+FL_AC
	int $0x51
17:
	ENDIN "INT with unaligned IDT and TSS", 0x51, 0, 17b
	lidt idt64_ptr
	SETBASE S_TSS64, tss64
	movb $0x89, gdt + S_TSS64 + 5
	movl $S_TSS64, %eax
	ltr %ax
	CR_CLEAR cr0, CR0_AM

	SECTION_NAME "page faults"
	call not_present /* at 64 MiB and the page after */
	movl $0x4000000, %ebx
	TRY
	movl (%rbx), %eax
	RESULT "read", V_PF, 0
	CHECKM "CR2", rec_cr2, 0x4000000
	TRY
	movl %eax, 5(%rbx)
	RESULT "write", V_PF, 2
	CHECKM "CR2", rec_cr2, 0x4000005
	TRY
	jmp *%rbx
	RESULT "fetch", V_PF, 0x10, 0x4000000
	CHECKM "CR2", rec_cr2, 0x4000000
	TRYIN UC64, UD, 64
	movl (%rbx), %eax
	ENDIN "read at level 3", V_PF, 4
	TRYIN UC64, UD, 64
	movl %eax, (%rbx)
	ENDIN "write at level 3", V_PF, 6
	TRYIN UC64, UD, 64
	addl %eax, (%rbx)
	ENDIN "read-modify-write is a write", V_PF, 6
	TRYIN UC64, UD, 64
	jmp *%rbx
	ENDIN "fetch at level 3", V_PF, 0x14, 0x4000000
	TRY
	movl -2(%rbx), %eax
	RESULT "read into the page", V_PF, 0
	CHECKM "CR2 is the second page", rec_cr2, 0x4000000
	movw $0x6666, -2(%rbx)
	movl $0x3fffffe, %ecx
	TRY
	jmp *%rcx
	RESULT "instruction into the page", V_PF, 0x10, 0x3fffffe
	CHECKM "CR2 is the second page", rec_cr2, 0x4000000
	movl $0x66666666, -15(%rbx)
	movl $0x66666666, -11(%rbx)
	movl $0x66666666, -7(%rbx)
	movl $0x66666666, -4(%rbx)
	movl $0x3fffff1, %ecx
	TRY
	jmp *%rcx
	RESULT "15 prefixes before the page: #GP or #PF of the fetch", V_GP, 0, 0x3fffff1
	movl $0x3fffff3, %ecx
	TRY
	jmp *%rcx
	RESULT "13 prefixes before the page", V_PF, 0x10, 0x3fffff3
	TRY
	.byte 0xf0, 0x8b, 0x03 /* lock mov (%rbx) */
	RESULT "#UD before #PF", V_UD
	CR_SET cr0, CR0_TS
	TRY
	fldl (%rbx)
	RESULT "#NM before #PF", V_NM
	clts
	fninit
	pushq $0x37b
	fldcw (%rsp)
	fld1
	fldz
	fdivrp
	TRY
	fldl (%rbx)
	RESULT "#MF before #PF", V_MF
	fninit
	addq $8, %rsp
	movl $0x3ffffff, %ecx
	CR_SET cr0, CR0_AM
	TRYIN UC64, UD, 64, 2+FL_AC
	movl (%rcx), %eax
	ENDIN "#AC before #PF or after it", V_AC
	CR_CLEAR cr0, CR0_AM
	xorl %edi, %edi
	movl $0x4000000, %esi
	movl $scratch, %edi
	movl $4, %ecx
	TRY
	rep movsb
	RESULT "REP MOVSB from the page", V_PF, 0
	CHECKM "RCX as it was", rec_regs+8, 4
	movl $0x3fffffe, %esi
	movl $scratch, %edi
	movl $4, %ecx
	TRY
	rep movsb
	RESULT "REP MOVSB into the page", V_PF, 0
	CHECKM "RCX counts what was done", rec_regs+8, 2
	CHECKM "RSI too", rec_regs+48, 0x4000000
	CHECKM "RDI too", rec_regs+56, scratch+2
	andl $FL_RF, rec_fl
	CHECKM "RF is pushed", rec_fl, FL_RF

	jmp delivery

/* Makes the two pages at 64 MiB not present. */
not_present:
	movl $0x4000000, %eax
	movl $ptes, %edi
	movl $ptes + 7, pds + 32 * 8
	movl $512, %ecx
1:	leal 7(%eax), %edx
	movl %edx, (%rdi)
	addl $0x1000, %eax
	addl $8, %edi
	loop 1b
	andl $~1, ptes
	andl $~1, ptes + 8
	movq %cr3, %rax
	movq %rax, %cr3
	ret

delivery:
	SECTION_NAME "faults on the way to a handler"
#define GATE(vec) idt64 + (vec) * 16
	/* A benign event first: UD2 (EXT = 1) and INT 40h (EXT = 0). */
	.macro BADGATE name, vec, err
	TRY
	ud2
	RESULT "#UD: \name", \vec, (\err)|1
	.endm
	movb $0x6e, GATE(V_UD) + 5
	BADGATE "gate not present", V_NP, V_UD*8+2
	movb $0xec, GATE(V_UD) + 5
	BADGATE "gate of type 12", V_GP, V_UD*8+2
	movb $0xe5, GATE(V_UD) + 5
	BADGATE "task gate", V_GP, V_UD*8+2
	movb $0xe6, GATE(V_UD) + 5
	BADGATE "16-bit gate", V_GP, V_UD*8+2
	movb $0xfe, GATE(V_UD) + 5
	BADGATE "not a system descriptor", V_GP, V_UD*8+2
	UNGATE V_UD
	movw $0, GATE(V_UD) + 2
	BADGATE "null CS", V_GP, 0
	movw $3, GATE(V_UD) + 2
	BADGATE "null CS with RPL 3", V_GP, 0
	movw $GDT_SIZE, GATE(V_UD) + 2
	BADGATE "CS beyond the GDT", V_GP, GDT_SIZE
	movw $0xc, GATE(V_UD) + 2
	BADGATE "CS in a null LDT", V_GP, 0xc
	movw $KD, GATE(V_UD) + 2
	BADGATE "CS is data", V_GP, KD
	movw $S_TSS32, GATE(V_UD) + 2
	BADGATE "CS is a TSS", V_GP, S_TSS32
	movw $KC32, GATE(V_UD) + 2
	BADGATE "CS is 32-bit code", V_GP, KC32
	movw $UC64, GATE(V_UD) + 2
	BADGATE "CS is of level 3", V_GP, UC64 & ~3
	SETDESC T0, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x1b, 0xa)
	movw $T0, GATE(V_UD) + 2
	BADGATE "CS not present", V_NP, T0
	SETDESC T0, D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9b, 0xe)
	BADGATE "CS with L and D", V_GP, T0
	movw $KC64 | 3, GATE(V_UD) + 2
	TRY
	ud2
	RESULT "RPL of the gate's selector does not matter", V_UD
	UNGATE V_UD
	movl $0x8000, GATE(V_UD) + 8
	BADGATE "handler not canonical", V_GP, 0
	movl $0, GATE(V_UD) + 8
	movb $0x6e, GATE(0x40) + 5
	TRY
	int $0x40
	RESULT "INT 40h: gate not present", V_NP, 0x40*8+2
	UNGATE 0x40
	movw $KD, GATE(0x40) + 2
	TRY
	int $0x40
	RESULT "INT 40h: CS is data", V_GP, KD
	UNGATE 0x40
	/* The IDT ends in the middle of vector 40h. */
	pushq $idt64
	pushw $0x40 * 16 + 14
	lidt (%rsp)
	TRY
	int $0x40
	RESULT "INT 40h beyond the IDT", V_GP, 0x40*8+2
	TRY
	int $0x3f
15:
	RESULT "INT 3Fh within it", 0x3f, 0, 15b
	lidt idt64_ptr
	addq $10, %rsp

	/* Stacks. */
	GATE64 V_DF, stubs64+16*V_DF, 0xee, KC64, 2
	movl $0x8000, tss64 + 8
	/* A nested page fault there would have KVM make INT again, on processors without NRIPS with RIP after
	 * it. */
	orl $0, ist2_top - 16
	TRYIN UC64, UD, 64
	int $0x40
	ENDIN "RSP0 not canonical, for #SS neither", V_DF, 0
	CHECKM "stack of the double fault", rec_frame, ist2_top-16
	movl $0, tss64 + 8
	/* With an IST of its own the #SS handler can run. */
	GATE64 V_SS, stubs64+16*V_SS, 0xee, KC64, 1
	GATE64 V_GP, stubs64+16*V_GP, 0xee, KC64, 1
	GATE64 V_TS, stubs64+16*V_TS, 0xee, KC64, 1
	GATE64 V_PF, stubs64+16*V_PF, 0xee, KC64, 1
	GATE64 V_DF, stubs64+16*V_DF, 0xee, KC64, 2
	movl $0x8000, tss64 + 8
	TRYIN UC64, UD, 64
	int $0x40
	ENDIN "INT: RSP0 not canonical", V_SS, 0
	CHECKM "IST is used without a change of level too", rec_frame, ist1_top-16
	TRYIN UC64, UD, 64
	ud2
	ENDIN "#UD: RSP0 not canonical", V_SS, 1
	movl $0, tss64 + 8
	movl $0x4000800, tss64 + 4
	TRYIN UC64, UD, 64
	int $0x40
	ENDIN "INT: page of RSP0 not present", V_PF, 2
	CHECKM "CR2", rec_cr2, 0x40007f8
	movl $stack0_top, tss64 + 4
	/* A TSS that ends before IST7. */
	movw $0x57, gdt + S_TSS64
	movb $0x89, gdt + S_TSS64 + 5
	movl $S_TSS64, %eax
	ltr %ax
	UNGATE V_TS
	GATE64 0x40, stubs64+0x400, 0xee, KC64, 7
	TRY
	int $0x40
	RESULT "INT: IST7 beyond the TSS", V_TS, S_TSS64
	GATE64 V_UD, stubs64+16*V_UD, 0xee, KC64, 7
	TRY
	ud2
	RESULT "#UD: IST7 beyond the TSS", V_TS, S_TSS64|1
	UNGATE 0x40
	UNGATE V_UD
	movw $0x67, gdt + S_TSS64
	movb $0x89, gdt + S_TSS64 + 5
	movl $S_TSS64, %eax
	ltr %ax

double:
	SECTION_NAME "double faults"
	UNGATE V_SS
	UNGATE V_TS
	UNGATE V_PF
	UNGATE V_GP
	GATE64 V_DF, stubs64+16*V_DF, 0xee, KC64, 2
	movq $NONCANON, %rbx
	movb $0x6e, GATE(V_GP) + 5
	TRY
	movl (%rbx), %eax
	RESULT "#GP, then #NP", V_DF, 0, any
	CHECKM "error code", rec_err, 0
	UNGATE V_GP
	movb $0x6e, GATE(V_DE) + 5
	xorl %ecx, %ecx
	TRY
	divl %ecx
	RESULT "#DE, then #NP", V_DF, 0, any
	UNGATE V_DE
	movb $0x6e, GATE(V_PF) + 5
	movl $0x4000010, %ebx
	TRY
	movl (%rbx), %eax
	RESULT "#PF, then #NP", V_DF, 0, any
	CHECKM "CR2 is the first fault's", rec_cr2, 0x4000010
	UNGATE V_PF
	/* #GP on a stack in a page that is not present: #PF is delivered. */
	movl $0x4000800, tss64 + 0x24
	GATE64 V_GP, stubs64+16*V_GP, 0xee, KC64, 1
	movq $NONCANON, %rbx
	TRY
	movl (%rbx), %eax
	RESULT "#GP, then #PF: #PF", V_PF, 2
	CHECKM "CR2 is the stack", rec_cr2, 0x40007f8
	UNGATE V_GP
	GATE64 V_PF, stubs64+16*V_PF, 0xee, KC64, 1
	movl $0x4000010, %ebx
	TRY
	movl (%rbx), %eax
	RESULT "#PF, then #PF: #DF", V_DF, 0, any
	CHECKM "CR2 is the second's", rec_cr2, 0x40007f8
	UNGATE V_PF
	GATE64 V_BP, stubs64+16*V_BP, 0xee, KC64, 1
	TRY
	int3
	RESULT "INT3, then #PF: #PF", V_PF, 2
	UNGATE V_BP
	/* INT n is benign, whatever its vector. */
	movb $0x6e, GATE(V_GP) + 5
	TRY
	int $13
	RESULT "INT 13, then #NP: #NP", V_NP, 13*8+2
	UNGATE V_GP
	movl $ist1_top, tss64 + 0x24

	jmp finish64

/* Shutdowns, which the runner asks for by name. */
triple:
	call not_present
	cmpb $'2', cmdline + 6
	je 2f
	NAME "triple fault by an empty IDT"
	call pass64
	pushq $0
	pushq $0
	lidt (%rsp)
	ud2
	jmp unexpected_end
2:	NAME "triple fault by a missing #DF gate"
	call pass64
	movb $0x6e, GATE(V_DF) + 5
	movb $0x6e, GATE(V_GP) + 5
	movq $NONCANON, %rbx
	movl (%rbx), %eax
unexpected_end:
	NAME "still running"
	call fail64
	jmp finish64

	.bss
	.balign 4096
ptes: .skip 4096
