/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CPUID tells the truth: of each extension, an instruction executes if its bit is set and raises #UD
 * if it is not. Run with every CPU model. Also the shape of CPUID itself, and features that show in
 * control registers.
 */
#include "rt.h"

/* Leaf, subleaf, register (0 EAX ... 3 EDX in CPUID's order), bit, then the instruction. RSI and RDI
 * are zeroed memory, RAX, RCX and RDX are 0. */
	.macro FEATURE name, leaf, subleaf, reg, bit, bytes:vararg
	.pushsection .rodata
78:	.asciz "\name"
	.popsection
	.long 78b, \leaf, \subleaf, \reg, \bit
77:	.byte \bytes
	.fill 16-(.-77b), 1, 0x90
	.endm

	.text
	MODE32
	.globl main
main:
	call enter_long
	MODE64
	xorl %eax, %eax
	cpuid
	movl %eax, max_basic
	movl $0x80000000, %eax
	cpuid
	movl %eax, max_ext
	CR_SET cr4, CR4_OSFXSR|CR4_OSXMM
	movl $1, %eax
	cpuid
	btl $26, %ecx
	jnc 1f
	movl %ecx, %edi
	CR_SET cr4, CR4_OSXSAVE
	movl $3, %eax
	btl $28, %edi
	jnc 2f
	movl $7, %eax
2:	xorl %ecx, %ecx
	xorl %edx, %edx
	xsetbv
1:	movl $7, %ebx
	xorl %ecx, %ecx
	movl $1, %edx /* EBX */
	xorl %edi, %edi
	call feature_bit
	jnc 1f
	CR_SET cr4, CR4_FSGSBASE
1:	movl $7, %ebx
	xorl %ecx, %ecx
	movl $2, %edx
	movl $3, %edi
	call feature_bit
	jnc 1f
	CR_SET cr4, CR4_PKE
1:
	SECTION_NAME "each feature's instruction"
	movl $features, %ebp
1:	cmpl $features_end, %ebp
	je 9f
	movl (%rbp), %eax
	movl %eax, arg_name
	/* The instruction, then INT 80h. */
	movq 20(%rbp), %rax
	movq %rax, code
	movq 28(%rbp), %rax
	movq %rax, code + 8
	movw $V_END<<8|0xcd, code + 16
	movl $scratch, %edi
	movl $512, %ecx
	xorl %eax, %eax
	rep stosq
	fninit
	movl 4(%rbp), %ebx
	movl 8(%rbp), %ecx
	movl 12(%rbp), %edx
	movl 16(%rbp), %edi
	call feature_bit
	movl $V_UD, arg_vec
	jnc 2f
	movl $V_END, arg_vec
2:	movl %ebp, current
	movl $0, arg_err
	movl $3f, try_resume
	movl $V_NONE, rec_vec
	movq %rsp, try_sp
	movl $0, try_ip
	movl $scratch, %esi
	movl $scratch, %edi
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %eax, %eax
	jmp code
3:	movl current, %ebp
	call check_exc64
	addl $36, %ebp
	jmp 1b
9:
	cmpl $0, on_tcg /* which sets them */
	jne finish64
	SECTION_NAME "control bits of features that are not there"
	.macro CR4_BIT name, bit, leaf, reg, fbit
	movl $\leaf, %ebx
	xorl %ecx, %ecx
	movl $\reg, %edx
	movl $\fbit, %edi
	call feature_bit
	jc 1f
	movq %cr4, %rax
	btsq $\bit, %rax
	TRY
	movq %rax, %cr4
	RESULT "CR4.\name", V_GP
1:
	.endm
	CR4_BIT "UMIP", 11, 7, 2, 2
	CR4_BIT "FSGSBASE", 16, 7, 1, 0
	CR4_BIT "PCIDE", 17, 1, 2, 17
	CR4_BIT "OSXSAVE", 18, 1, 2, 26
	CR4_BIT "SMEP", 20, 7, 1, 7
	CR4_BIT "SMAP", 21, 7, 1, 20
	CR4_BIT "PKE", 22, 7, 2, 3
	CR4_BIT "VMXE", 13, 1, 2, 5
	CR4_BIT "SMXE", 14, 1, 2, 6

	SECTION_NAME "CPUID itself"
	/* Beyond the last basic leaf: as the last one (Intel). */
	movl max_basic, %eax
	incl %eax
	xorl %ecx, %ecx
	cpuid
	movl %eax, %esi
	movl %ebx, %edi
	movl max_basic, %eax
	xorl %ecx, %ecx
	cpuid
	NAME "beyond the last leaf: EAX"
	movq %rax, arg_want
	movq %rsi, arg_got
	call check_eq64
	/* A null subleaf of leaf 7. */
	cmpl $7, max_basic
	jb 1f
	movl $7, %eax
	movl $9, %ecx
	cpuid
	orl %ebx, %eax
	orl %ecx, %eax
	orl %edx, %eax
	CHECK "leaf 7, subleaf 9", %rax, 0
1:	movl $0x80000008, %eax
	cpuid
	movzbl %ah, %eax
	/* 48 or 57 linear bits, as LA57 goes. */
	movl %eax, %r12d
	movl $7, %ebx
	xorl %ecx, %ecx
	movl $2, %edx
	movl $16, %edi
	call feature_bit
	movl $48, %eax
	jnc 1f
	movl $57, %eax
1:	NAME "linear address bits"
	movq %rax, arg_want
	movq %r12, arg_got
	call check_eq64
	TRYIN UC64, UD, 64
	xorl %eax, %eax
	cpuid
	ENDIN "at level 3", V_NONE
	jmp finish64

/* CF = bit EDI of register EDX of leaf EBX, subleaf ECX; 0 where the leaf is not there. */
feature_bit:
	movl max_basic, %eax
	testl %ebx, %ebx
	jns 1f
	movl max_ext, %eax
1:	cmpl %eax, %ebx
	ja 2f
	movl %edx, %esi
	movl %ebx, %eax
	cpuid
	movl %eax, regs
	movl %ebx, regs + 4
	movl %ecx, regs + 8
	movl %edx, regs + 12
	movl regs(,%rsi,4), %eax
	btl %edi, %eax
	ret
2:	clc
	ret

	.data
	.balign 4
features:
	FEATURE "fpu", 1, 0, 3, 0, 0xd9, 0xee
	FEATURE "tsc", 1, 0, 3, 4, 0x0f, 0x31
	FEATURE "cx8", 1, 0, 3, 8, 0x0f, 0xc7, 0x0e
	FEATURE "cmov", 1, 0, 3, 15, 0x0f, 0x40, 0xc0
	FEATURE "clflush", 1, 0, 3, 19, 0x0f, 0xae, 0x3e
	FEATURE "mmx", 1, 0, 3, 23, 0x0f, 0x6f, 0xc0
	FEATURE "fxsr", 1, 0, 3, 24, 0x0f, 0xae, 0x06
	FEATURE "sse", 1, 0, 3, 25, 0x0f, 0x57, 0xc0
	FEATURE "sse2", 1, 0, 3, 26, 0x66, 0x0f, 0x57, 0xc0
	FEATURE "sse3", 1, 0, 2, 0, 0xf2, 0x0f, 0x7c, 0xc0
	FEATURE "fisttp", 1, 0, 2, 0, 0xd9, 0xee, 0xdb, 0x0e
	FEATURE "pclmulqdq", 1, 0, 2, 1, 0x66, 0x0f, 0x3a, 0x44, 0xc0, 0
	FEATURE "monitor", 1, 0, 2, 3, 0x0f, 0x01, 0xc8
	FEATURE "ssse3", 1, 0, 2, 9, 0x66, 0x0f, 0x38, 0x00, 0xc0
	FEATURE "fma", 1, 0, 2, 12, 0xc4, 0xe2, 0x79, 0x98, 0xc0
	FEATURE "cx16", 1, 0, 2, 13, 0x48, 0x0f, 0xc7, 0x0e
	FEATURE "sse4.1", 1, 0, 2, 19, 0x66, 0x0f, 0x38, 0x17, 0xc0
	FEATURE "sse4.2", 1, 0, 2, 20, 0x66, 0x0f, 0x38, 0x37, 0xc0
	FEATURE "crc32", 1, 0, 2, 20, 0xf2, 0x0f, 0x38, 0xf0, 0xc0
	FEATURE "movbe", 1, 0, 2, 22, 0x0f, 0x38, 0xf0, 0x06
	FEATURE "popcnt", 1, 0, 2, 23, 0xf3, 0x0f, 0xb8, 0xc0
	FEATURE "aes", 1, 0, 2, 25, 0x66, 0x0f, 0x38, 0xdc, 0xc0
	FEATURE "xsave", 1, 0, 2, 26, 0x0f, 0xae, 0x26
	FEATURE "xgetbv", 1, 0, 2, 26, 0x0f, 0x01, 0xd0
	FEATURE "avx", 1, 0, 2, 28, 0xc5, 0xf8, 0x57, 0xc0
	FEATURE "f16c", 1, 0, 2, 29, 0xc4, 0xe2, 0x79, 0x13, 0xc0
	FEATURE "rdrand", 1, 0, 2, 30, 0x0f, 0xc7, 0xf0
	FEATURE "vmx", 1, 0, 2, 5, 0x0f, 0x01, 0xc1
	FEATURE "fsgsbase", 7, 0, 1, 0, 0xf3, 0x48, 0x0f, 0xae, 0xc0
	FEATURE "bmi1", 7, 0, 1, 3, 0xc4, 0xe2, 0x78, 0xf2, 0xc0
	FEATURE "avx2", 7, 0, 1, 5, 0xc5, 0xfd, 0xfe, 0xc0
	FEATURE "avx2 (gather)", 7, 0, 1, 5, 0xc5, 0xf5, 0xef, 0xc9, 0xc4, 0xe2, 0x75, 0x90, 0x14, 0x06
	FEATURE "bmi2", 7, 0, 1, 8, 0xc4, 0xe2, 0x7b, 0xf6, 0xc8
	FEATURE "invpcid", 7, 0, 1, 10, 0x66, 0x0f, 0x38, 0x82, 0x06
	FEATURE "rtm", 7, 0, 1, 11, 0x0f, 0x01, 0xd6
	FEATURE "avx512f", 7, 0, 1, 16, 0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0
	FEATURE "rdseed", 7, 0, 1, 18, 0x0f, 0xc7, 0xf8
	FEATURE "adx", 7, 0, 1, 19, 0x66, 0x0f, 0x38, 0xf6, 0xc0
	FEATURE "smap", 7, 0, 1, 20, 0x0f, 0x01, 0xca
	FEATURE "clflushopt", 7, 0, 1, 23, 0x66, 0x0f, 0xae, 0x3e
	FEATURE "clwb", 7, 0, 1, 24, 0x66, 0x0f, 0xae, 0x36
	FEATURE "sha", 7, 0, 1, 29, 0x0f, 0x38, 0xc8, 0xc0
	FEATURE "pku", 7, 0, 2, 3, 0x0f, 0x01, 0xee
	FEATURE "waitpkg", 7, 0, 2, 5, 0xf3, 0x0f, 0xae, 0xf6
	FEATURE "gfni", 7, 0, 2, 8, 0x66, 0x0f, 0x38, 0xcf, 0xc0
	FEATURE "vaes", 7, 0, 2, 9, 0xc4, 0xe2, 0x7d, 0xdc, 0xc0
	FEATURE "vpclmulqdq", 7, 0, 2, 10, 0xc4, 0xe3, 0x7d, 0x44, 0xc0, 0
	FEATURE "rdpid", 7, 0, 2, 22, 0xf3, 0x0f, 0xc7, 0xf8
	FEATURE "movdiri", 7, 0, 2, 27, 0x0f, 0x38, 0xf9, 0x06
	FEATURE "movdir64b", 7, 0, 2, 28, 0x67, 0x66, 0x0f, 0x38, 0xf8, 0x3e
	FEATURE "serialize", 7, 0, 3, 14, 0x0f, 0x01, 0xe8
	FEATURE "avx-vnni", 7, 1, 0, 4, 0xc4, 0xe2, 0x79, 0x50, 0xc0
	FEATURE "cmpccxadd", 7, 1, 0, 7, 0xc4, 0xe2, 0x79, 0xe0, 0x06
	FEATURE "xsaveopt", 0xd, 1, 0, 0, 0x0f, 0xae, 0x36
	FEATURE "xsavec", 0xd, 1, 0, 1, 0x0f, 0xc7, 0x26
	FEATURE "xsaves", 0xd, 1, 0, 3, 0x0f, 0xc7, 0x2e
	FEATURE "lahf-lm", 0x80000001, 0, 2, 0, 0x9f
	FEATURE "svm", 0x80000001, 0, 2, 2, 0x0f, 0x01, 0xdd
	FEATURE "sse4a", 0x80000001, 0, 2, 6, 0x66, 0x0f, 0x78, 0xc0, 0, 0
	FEATURE "xop", 0x80000001, 0, 2, 11, 0x8f, 0xe9, 0x78, 0x80, 0xc0
	FEATURE "fma4", 0x80000001, 0, 2, 16, 0xc4, 0xe3, 0xf9, 0x69, 0xc0, 0
	FEATURE "tbm", 0x80000001, 0, 2, 21, 0x8f, 0xe9, 0x78, 0x01, 0xc8
	FEATURE "rdtscp", 0x80000001, 0, 3, 27, 0x0f, 0x01, 0xf9
	FEATURE "3dnow", 0x80000001, 0, 3, 31, 0x0f, 0x0f, 0xc0, 0x9e
features_end:

	.bss
	.balign 16
code: .skip 32
regs: .skip 16
max_basic: .skip 4
max_ext: .skip 4
current: .skip 4
