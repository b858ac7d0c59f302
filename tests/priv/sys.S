/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System instructions: fast system calls, GS and FS bases, UMIP, time, XCR0, MSRs, MONITOR, and
 * code that changes itself in every way there is to store.
 */
#include "rt.h"

#define STAR 0xc0000081
#define LSTAR 0xc0000082
#define FMASK 0xc0000084
#define FS_BASE 0xc0000100
#define GS_BASE 0xc0000101
#define KGS_BASE 0xc0000102
#define TSC_AUX 0xc0000103
#define T 0x8000000000

	.macro NEED leaf, reg, bit, label
	movl $\leaf, %eax
	xorl %ecx, %ecx
	cpuid
	btl $\bit, %\reg
	jnc \label
	.endm
	.macro MSR_BAD name, msr, lo, hi=0
	TRY
	movl $\msr, %ecx
	movl $(\lo), %eax
	movl $(\hi), %edx
	wrmsr
	RESULT "WRMSR \name", V_GP, 0, any
	.endm
	.macro MSR_OK name, msr, lo, hi=0
	TRY
	movl $\msr, %ecx
	movl $(\lo), %eax
	movl $(\hi), %edx
	wrmsr
	RESULT "WRMSR \name", V_NONE
	.endm

	.text
	MODE32
	.globl main
main:
	SECTION_NAME "SYSENTER in 32-bit mode"
	MSR_PUT 0x174, 0
	TRYIN UC32, UD, 32
	sysenter
	ENDIN "no CS in the MSR", V_GP
	MSR_PUT 0x174, KC32|3
	MSR_PUT 0x175, stack0_top
	MSR_PUT 0x176, enter32
	TRYIN UC32, UD, 32, 0x202|FL_IOPL3
	sysenter
back_enter32:	nop
	ENDIN "there and back", V_NONE
	CHECKM "CS", seen_cs, KC32
	CHECKM "SS", seen_ss, KD
	CHECKM "ESP", seen_sp, stack0_top
	CHECKM "IF is clear", seen_fl, FL_IOPL3|2
	CHECKM "CS after SYSEXIT", rec_cs, UC32
	CHECKM "SS after SYSEXIT", rec_ss, UD
	CHECKM "ESP after SYSEXIT", rec_sp, ustack_top-32
	MSR_PUT 0x174, 0
	TRY
	sysexit
	RESULT "SYSEXIT without a CS", V_GP
	TRYIN UC32, UD, 32
	sysexit
	ENDIN "SYSEXIT at level 3", V_GP

	call enter_long
	MODE64
	SECTION_NAME "SYSCALL and SYSRET"
	MSR_PUT STAR, 0, 0x1b0030
	MSR_PUT LSTAR, call64
	MSR_PUT FMASK, FL_IF|FL_DF|FL_TF
	movl $0x11, %ebx
	TRYIN UC64, UD, 64, 0x3602
	syscall
1:	nop
	ENDIN "there and back", V_NONE
	CHECKM "RCX is the return address", seen_rcx, 1b
	CHECKM "R11 are the flags", seen_r11, 0x3602
	CHECKM "the mask", seen_fl, 0x3002
	CHECKM "CS", seen_cs, KC64
	CHECKM "SS", seen_ss, KD2
	CHECKM "RSP is the caller's", seen_sp, ustack_top
	CHECKM "CS after SYSRET", rec_cs, UC64
	CHECKM "SS after SYSRET", rec_ss, UD
	CHECKM "flags are back", rec_fl, 0x3602
	MSR_PUT LSTAR, call64_to_32
	TRYIN UC64, UD, 64
	syscall
	.code32
1:	.byte 0x40 /* INC EAX in compatibility mode only */
	int $V_END
	.code64
	nop
	ENDIN "SYSRETL", V_NONE
	CHECKM "CS", rec_cs, UC32
	TRY
	syscall
	int $V_END
	RESULT "at level 0", V_END, 0, any
	MSR_PUT LSTAR, call64_bad
	TRYIN UC64, UD, 64
	syscall
	ENDIN "SYSRETQ to a non-canonical address (Intel): #GP at level 0", V_GP, 0, call64_bad_at
	CHECKM "at level 0", rec_cs, KC64
	CHECKM "on the caller's stack, or what SYSRET left", rec_ss, KD2
	MSR_GET MSR_EFER
	andl $~EFER_SCE, %eax
	wrmsr
	TRYIN UC64, UD, 64
	syscall
	ENDIN "SYSCALL without SCE", V_UD
	TRY
	sysretq
	RESULT "SYSRET without SCE", V_UD
	MSR_GET MSR_EFER
	orl $EFER_SCE, %eax
	wrmsr

	SECTION_NAME "SYSENTER in long mode"
	cmpl $0, on_tcg /* which has neither with this vendor */
	jne 8f
	MSR_PUT 0x174, KC32
	MSR_PUT 0x175, stack0_top
	MSR_PUT 0x176, enter64
	TRYIN UC64, UD, 64, 0x202
	sysenter
back_enter64:	nop
	ENDIN "from 64-bit code", V_NONE
	CHECKM "CS", seen_cs, KC32
	CHECKM "RSP", seen_sp, stack0_top
	CHECKM "IF is clear", seen_fl, 2
	CHECKM "CS after SYSEXIT", rec_cs, UC64
	CHECKM "SS after SYSEXIT", rec_ss, 0x33
	MSR_PUT 0x176, enter64_32
	TRYIN UC32, UD, 32
	sysenter
back_enter64_32:	nop
	ENDIN "from compatibility mode and back", V_NONE
	CHECKM "CS after SYSEXIT", rec_cs, UC32
	CHECKM "SS after SYSEXIT", rec_ss, UD
	movq $0x800000000000, %rdx
	movl $ustack_top, %ecx
	TRY
	rex.w sysexit
	RESULT "SYSEXIT to a non-canonical address", V_GP
	movq $0x800000000000, %rcx
	movl $ustack_top, %edx
	TRY
	rex.w sysexit
	RESULT "SYSEXIT with a non-canonical stack", V_GP
	movl $0, try_resume
8:	MSR_BAD "SYSENTER_EIP not canonical", 0x176, 0, 0x8000
	MSR_BAD "SYSENTER_ESP not canonical", 0x175, 0, 0x8000

	SECTION_NAME "bases"
	MSR_PUT GS_BASE, 0x11111111, 0x1111
	MSR_PUT KGS_BASE, 0x22222222, 0x2222
	swapgs
	MSR_GET GS_BASE
	CHECK "SWAPGS: GS", %rax, 0x22222222
	MSR_GET KGS_BASE
	CHECK "SWAPGS: kernel GS", %rdx, 0x1111
	MSR_BAD "GS base not canonical", GS_BASE, 0, 0x8000
	MSR_BAD "FS base not canonical", FS_BASE, 0, 0xffff7fff
	MSR_BAD "kernel GS base not canonical", KGS_BASE, 0, 0x8000
	MSR_BAD "LSTAR not canonical", LSTAR, 0, 0x8000
	MSR_BAD "CSTAR not canonical", 0xc0000083, 0, 0x8000
	TRY
	.byte 0x0f, 0x01, 0xf8
	RESULT "SWAPGS at level 0", V_NONE
	TRY
	rdfsbase %rax
	RESULT "RDFSBASE without FSGSBASE", V_UD
	NEED 7, ebx, 0, 8f
	CR_SET cr4, CR4_FSGSBASE
	movq $0x123456789abc, %rbx
	TRYIN UC64, UD, 64
	wrfsbase %rbx
	rdfsbase %rcx
	wrgsbase %ebx
	rdgsbase %rdx
	ENDIN "WRFSBASE and WRGSBASE at level 3", V_NONE
	movq rec_regs + 8, %rax
	subq %rbx, %rax
	CHECK "64 bits", %rax, 0
	movq rec_regs + 16, %rax
	movl $0x56789abc, %ecx
	subq %rcx, %rax
	CHECK "32 bits, extended with zeros", %rax, 0
	movq $0x800000000000, %rbx
	TRY
	wrgsbase %rbx
	RESULT "WRGSBASE not canonical", V_GP
	CR_CLEAR cr4, CR4_FSGSBASE
8:	MSR_PUT GS_BASE, 0
	MSR_PUT FS_BASE, 0

	SECTION_NAME "UMIP and TSD"
	.macro AT3 name, vec, insn:vararg
	TRYIN UC64, UD, 64
	\insn
	ENDIN "\name", \vec
	.endm
	AT3 "SGDT", V_NONE, sgdt scratch
	AT3 "SLDT", V_NONE, sldt %eax
	NEED 7, ecx, 2, 8f
	CR_SET cr4, CR4_UMIP
	AT3 "SGDT with UMIP", V_GP, sgdt scratch
	AT3 "SIDT with UMIP", V_GP, sidt scratch
	AT3 "SLDT with UMIP", V_GP, sldt %eax
	AT3 "STR with UMIP", V_GP, str %eax
	AT3 "SMSW with UMIP", V_GP, smsw %eax
	TRY
	sgdt scratch
	sldt %eax
	RESULT "at level 0", V_NONE
	CR_CLEAR cr4, CR4_UMIP
8:	CR_SET cr4, CR4_TSD
	AT3 "RDTSC with TSD", V_GP, rdtsc
	NEED 0x80000001, edx, 27, 8f
	AT3 "RDTSCP with TSD", V_GP, rdtscp
	TRY
	rdtsc
	rdtscp
	RESULT "at level 0", V_NONE
	CR_CLEAR cr4, CR4_TSD
	MSR_PUT TSC_AUX, 0xabcd1234
	AT3 "RDTSCP without TSD", V_NONE, rdtscp
	CHECKM "TSC_AUX", rec_regs+8, 0xabcd1234
	NEED 7, ecx, 22, 8f
	AT3 "RDPID", V_NONE, .byte 0xf3, 0x0f, 0xc7, 0xf9 /* rdpid %rcx */
	CHECKM "TSC_AUX", rec_regs+8, 0xabcd1234
	MSR_BAD "TSC_AUX of 33 bits", TSC_AUX, 0, 1
8:	CR_CLEAR cr4, CR4_TSD
	AT3 "STAC at level 3", V_UD, stac
	AT3 "RDPMC", V_GP, rdpmc
	TRYIN UC64, UD, 64, 0x202
	pushq $0x203246
	popfq
	pushfq
	popq %rbx
	ENDIN "POPF at level 3", V_NONE
	CHECKM "changes neither IF nor IOPL", rec_regs+24, 0x200246

	SECTION_NAME "time stamp counter"
	MSR_PUT 0x10, 0
	rdtsc
	CHECK "written", %rdx, 0
	rdtsc
	movl %eax, %ebx
	rdtsc
	cmpl %ebx, %eax
	seta %al
	movzbl %al, %eax
	CHECK "goes on", %rax, 1
	NEED 7, ebx, 1, 8f
	MSR_GET 0x3b
	movl %eax, %ebx
	movl %edx, %esi
	movl %esi, %edx
	addl $0x100, %edx
	wrmsr
	rdtsc
	CHECK "TSC_ADJUST moves it", %rdx, 0x100
	movl $0x3b, %ecx
	movl %ebx, %eax
	movl %esi, %edx
	wrmsr
	rdtsc
	CHECK "and back", %rdx, 0
	MSR_PUT 0x10, 0, 0x200
	MSR_GET 0x3b
	subl %esi, %edx
	movl %edx, %eax
	cmpl $0x1ff, %eax
	je 1f
	cmpl $0x200, %eax
1:	sete %al
	movzbl %al, %eax
	CHECK "a write of the TSC shows in TSC_ADJUST", %rax, 1
8:
	SECTION_NAME "MSRs"
	MSR_BAD "PAT of type 2", 0x277, 0x02
	MSR_BAD "PAT of type 8", 0x277, 0, 0x08000000
	MSR_OK "PAT", 0x277, 0x00070106, 0x00070106
	MSR_BAD "MTRR default type 2", 0x2ff, 2
	MSR_BAD "MTRR base with reserved bits", 0x200, 0x100
	MSR_BAD "MTRR of type 7", 0x200, 7
	MSR_BAD "fixed MTRR of type 2", 0x250, 2
	MSR_BAD "MTRRCAP is read-only", 0xfe, 0
	MSR_BAD "APIC base beyond the physical address", MSR_APIC_BASE, 0xfee00900, 0x80000000
	MSR_BAD "EFER bit 9", MSR_EFER, EFER_LME|EFER_LMA|EFER_SCE|0x200
	movl $0xc0000105, %ecx
	TRY
	rdmsr
	RESULT "RDMSR of an MSR that is not there", V_GP

	SECTION_NAME "XCR0"
	NEED 1, ecx, 26, no_xsave
	CR_CLEAR cr4, CR4_OSXSAVE
	TRY
	xgetbv
	RESULT "XGETBV without OSXSAVE", V_UD
	TRY
	xsetbv
	RESULT "XSETBV without OSXSAVE", V_UD
	movl $1, %eax
	cpuid
	btl $27, %ecx
	setc %al
	movzbl %al, %eax
	CHECK "CPUID says so", %rax, 0
	CR_SET cr4, CR4_OSXSAVE
	movl $1, %eax
	cpuid
	btl $27, %ecx
	setc %al
	movzbl %al, %eax
	CHECK "with it", %rax, 1
	.macro XSET name, vec, lo, hi=0, idx=0
	movl $\lo, %eax
	movl $\hi, %edx
	movl $\idx, %ecx
	TRY
	xsetbv
	RESULT "XSETBV \name", \vec
	.endm
	XSET "without x87", V_GP, 0
	XSET "x87", V_NONE, 1
	XSET "x87 and SSE", V_NONE, 3
	XSET "reserved bit", V_GP, 3, 0x40000000
	XSET "bit 3 alone (MPX half)", V_GP, 0xb
	XSET "XCR1", V_GP, 3, 0, 1
	XSET "SSE without x87", V_GP, 2
	xorl %ecx, %ecx
	xgetbv
	CHECK "XGETBV", %rax, 3
	movl $0xd, %eax
	xorl %ecx, %ecx
	cpuid
	CHECK "XSAVE area of x87 and SSE", %rbx, 576
	TRY
	movl $5, %ecx
1:	xgetbv
	RESULT "XGETBV of XCR5", V_GP, 0, 1b
	TRYIN UC64, UD, 64
	xorl %ecx, %ecx
	xgetbv
	ENDIN "XGETBV at level 3", V_NONE
	TRYIN UC64, UD, 64
	xorl %ecx, %ecx
1:	xsetbv
	ENDIN "XSETBV at level 3", V_GP, 0, 1b
	NEED 1, ecx, 28, no_avx
	XSET "AVX without SSE", V_GP, 5
	TRY
	.byte 0xc5, 0xf8, 0x77 /* vzeroupper */
	RESULT "AVX while XCR0 lacks it", V_UD
	XSET "AVX", V_NONE, 7
	TRY
	.byte 0xc5, 0xf8, 0x77
	RESULT "AVX", V_NONE
	movl $0xd, %eax
	xorl %ecx, %ecx
	cpuid
	CHECK "XSAVE area with AVX", %rbx, 832
	CR_SET cr0, CR0_TS
	TRY
	.byte 0xc5, 0xf8, 0x77
	RESULT "AVX with TS", V_NM
	TRY
	xsave scratch
	RESULT "XSAVE with TS", V_NM
	clts
	TRY
	xsave scratch + 8
	RESULT "XSAVE unaligned", V_GP
	CR_CLEAR cr4, CR4_OSXSAVE
	TRY
	xsave scratch
	RESULT "XSAVE without OSXSAVE", V_UD
	movq $-1, scratch + 512
	CR_SET cr4, CR4_OSXSAVE
	movl $-1, %eax
	movl $-1, %edx
	TRY
	xrstor scratch
	RESULT "XRSTOR of components that are not enabled", V_GP
no_avx:
no_xsave:
	SECTION_NAME "undefined without their extensions"
	.macro UNDEF name, bytes:vararg
	TRY
	.byte \bytes
	.fill 8, 1, 0x90
	RESULT "\name", V_UD
	.endm
	UNDEF "VMCALL", 0x0f, 0x01, 0xc1
	UNDEF "VMLAUNCH", 0x0f, 0x01, 0xc2
	UNDEF "VMREAD", 0x0f, 0x78, 0xc0
	UNDEF "RSM", 0x0f, 0xaa
	UNDEF "GETSEC", 0x0f, 0x37
	UNDEF "ENCLS", 0x0f, 0x01, 0xcf
	UNDEF "0F 04", 0x0f, 0x04
	UNDEF "0F 0A", 0x0f, 0x0a
	UNDEF "0F 24", 0x0f, 0x24, 0xc0
	UNDEF "0F A6", 0x0f, 0xa6, 0xc0
	UNDEF "group 5, 7", 0xff, 0xf8
	UNDEF "group 4, 2", 0xfe, 0xd0
	UNDEF "far CALL of a register", 0xff, 0xd8
	UNDEF "LEA, then LOCK LEA", 0xf0, 0x8d, 0x00
	.irp op, "lock; movl %eax, scratch", "lock; btl $1, scratch", "lock; pushq %rax", "lock; nopl (%rax)", "lock; incl %eax", "lock; cpuid", "lock; bsfl %eax, %ecx"
	TRY
	\op
	RESULT "\op", V_UD
	.endr
	.irp op, "lock; addl $1, scratch", "lock; notl scratch", "lock; xchgl %eax, scratch", "lock; btsl $1, scratch", "lock; cmpxchgl %eax, scratch", "lock; xaddl %eax, scratch", "lock; cmpxchg8b scratch", "lock; decb scratch"
	TRY
	\op
	RESULT "\op", V_NONE
	.endr
	TRY
	cmpxchg16b scratch + 8
	RESULT "CMPXCHG16B unaligned", V_GP

	SECTION_NAME "MONITOR and MWAIT"
	NEED 1, ecx, 3, no_monitor
	movl $scratch, %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	TRY
	monitor
	RESULT "MONITOR", V_NONE
	movl $1, %ecx
	TRY
	monitor
	RESULT "MONITOR with ECX", V_GP
	movq $0x800000000000, %rax
	xorl %ecx, %ecx
	TRY
	monitor
	RESULT "MONITOR of a non-canonical address", V_GP
	movl $2, %ecx
	xorl %eax, %eax
	TRY
	mwait
	RESULT "MWAIT with reserved bits", V_GP
	TRYIN UC64, UD, 64
	movl $scratch, %eax
	xorl %ecx, %ecx
1:	monitor
	ENDIN "MONITOR at level 3", V_UD, 0, 1b
	jmp 8f
no_monitor:
	TRY
	monitor
	RESULT "MONITOR, not there", V_UD
	TRY
	mwait
	RESULT "MWAIT, not there", V_UD
8:
	SECTION_NAME "self-modifying code"
	/* page_code has MOV $1, EAX; RET at several places. */
	call fresh_code
	.macro CHANGED name, insn
	call fresh_code
	call code
	call code
	\insn
	call code
	CHECK "\name", %rax, 2
	.endm
	CHANGED "MOV of a byte", "movb $2, code+1"
	CHANGED "MOV of a dword", "movl $2, code+1"
	CHANGED "MOV of a qword before it", "movq fresh2, %rax; movq %rax, code"
	CHANGED "ADD", "addb $1, code+1"
	CHANGED "LOCK ADD", "lock addb $1, code+1"
	movb $2, %al
	CHANGED "XCHG", "movb $2, %al; xchgb %al, code+1"
	CHANGED "CMPXCHG", "movb $1, %al; movb $2, %cl; cmpxchgb %cl, code+1"
	CHANGED "STOSB", "movb $2, %al; movl $code+1, %edi; stosb"
	CHANGED "REP MOVSB", "movl $fresh2, %esi; movl $code, %edi; movl $6, %ecx; rep movsb"
	CHANGED "REP MOVSQ", "movl $fresh2, %esi; movl $code, %edi; movl $1, %ecx; rep movsq"
	CHANGED "FISTP", "fninit; movl $2, scratch; fildl scratch; fistpl code+1"
	CR_SET cr4, CR4_OSFXSR
	CHANGED "MOVUPS", "movups fresh2, %xmm0; movups %xmm0, code"
	CHANGED "PUSH", "movq %rsp, %rbx; movl $code+8, %esp; pushq fresh2; movq %rbx, %rsp"
	CHANGED "CALL's return address", "movq %rsp, %rbx; movl $code+16, %esp; movq fresh2, %rax; pushq %rbx; pushq %rax; movq 8(%rsp), %rsp"
	CHANGED "SGDT elsewhere in the page", "sgdt code+64; movb $2, code+1"
	CHANGED "BTS", "btrl $0, code+1; btsl $1, code+1"
	CHANGED "SETcc", "cmpb %al, %al; sete code+1; addb $1, code+1"
	/* The next instruction, in the same block. */
	movl $3, %ecx
1:	movb %cl, 2f + 1
2:	movl $0, %eax
	cmpl %ecx, %eax
	jne 3f
	loop 1b
3:	CHECK "the next instruction, three times", %rcx, 0
	/* A loop that changes its own body. */
	movl $100, %ecx
	xorl %edx, %edx
	movl $0, 2f + 1
1:
2:	movl $0, %eax
	addl %eax, %edx
	incb 2b + 1
	loop 1b
	CHECK "a loop that counts in its own immediate", %rdx, 4950
	/* REP STOSB over the code after it. */
	movb $0x90, %al
	movl $2f, %edi
	movl $2, %ecx
	rep stosb
2:	ud2
	movl $7, %eax
	CHECK "REP STOSB over the next instruction", %rax, 7
	movw $0x0b0f, 2b
	/* Across a page: an instruction in two pages, changed in the second. */
	call fresh_code
	movl $code + 4096 - 2, %ebx
	movl $0x000001b8, (%rbx)
	movw $0xc300, 4(%rbx)
	call *%rbx
	CHECK "instruction in two pages", %rax, 1
	movb $2, 1(%rbx)
	call *%rbx
	CHECK "changed in the first", %rax, 2
	movb $5, 3(%rbx)
	call *%rbx
	CHECK "changed in the second", %rax, 0x50002
	movl $0x00030001, 1(%rbx)
	call *%rbx
	CHECK "changed across", %rax, 0x30001
	/* Through another mapping. */
	movl $tpdpt + 7, pml4 + 8
	movl $tpd + 7, tpdpt
	movl $tpt + 7, tpd
	movl $code + 7, tpt
	movl $code + 4096 + 7, tpt + 8
	movq %cr3, %rax
	movq %rax, %cr3
	movq $T, %rbp
	CHANGED "through an alias", "movb $2, 1(%rbp)"
	call fresh_code
	call *%rbp
	movb $3, code + 1
	call *%rbp
	CHECK "executed through the alias, written directly", %rax, 3
	call code
	CHECK "the same code directly", %rax, 3
	/* At level 3. */
	call fresh_code
	TRYIN UC64, UD, 64
	call code
	movb $2, code + 1
	call code
	movl %eax, %ebx
	ENDIN "at level 3", V_NONE
	CHECKM "changed", rec_regs+24, 2
	/* A page that becomes code of another one by its mapping. */
	call fresh_code
	call *%rbp
	movl $page2 + 7, tpt
	invlpg (%rbp)
	movl $0x000009b8, page2
	movw $0xc300, page2 + 4
	call *%rbp
	CHECK "another page mapped there", %rax, 9
	jmp finish64

fresh_code:
	push %rax
	movq fresh1, %rax
	movq %rax, code
	pop %rax
	ret

	.data
	.balign 16
fresh1: .byte 0xb8, 1, 0, 0, 0, 0xc3, 0x90, 0x90
fresh2: .byte 0xb8, 2, 0, 0, 0, 0xc3, 0x90, 0x90
	.fill 16, 1, 0x90
	.text

	.macro SEEN sz
	mov %cs, seen_cs
	mov %ss, seen_ss
	.endm
	MODE32
enter32:
	movl $KD, %eax
	mov %eax, %ds
	SEEN
	movl %esp, seen_sp
	pushfl
	popl seen_fl
	movl $back_enter32, %edx
	movl $ustack_top - 32, %ecx
	movl $UD, %eax
	mov %eax, %ds
	sysexit

	MODE64
call64:
	mov %cs, seen_cs
	mov %ss, seen_ss
	movl %esp, seen_sp
	movl %ecx, seen_rcx
	movl %r11d, seen_r11
	pushfq
	popq %rax
	movl %eax, seen_fl
	sysretq
call64_to_32:
	sysretl
call64_bad:
	movq $0x800000000000, %rcx
call64_bad_at:
	sysretq
enter64:
	mov %cs, seen_cs
	movl %esp, seen_sp
	pushfq
	popq %rax
	movl %eax, seen_fl
	movl $back_enter64, %edx
	movl $ustack_top, %ecx
	rex.w sysexit
enter64_32:
	movl $back_enter64_32, %edx
	movl $ustack_top, %ecx
	sysexitl

	.bss
	.balign 8
seen_cs: .skip 8
seen_ss: .skip 8
seen_sp: .skip 8
seen_fl: .skip 8
seen_rcx: .skip 8
seen_r11: .skip 8
	.balign 4096
code: .skip 8192
page2: .skip 4096
tpdpt: .skip 4096
tpd: .skip 4096
tpt: .skip 4096
