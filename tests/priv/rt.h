/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What every privileged-mode guest is written with. Code is in 16, 32 and 64-bit mode by turns:
 * MODE16/32/64 say which follows, and the check macros adapt (M is the width of the tests' own
 * code, set by MODE32 and MODE64).
 *
 *	TRY                     remembers the stack and where to go on
 *	  instructions
 *	RESULT name, vec, err   the exception they should have raised (V_NONE: none), with its error
 *	                        code, at the first of them (or at: any, or a label)
 *
 *	TRYIN cs, ss, bits      the same, run at another privilege or width through IRET; reaching
 *	  instructions          the end counts as none
 *	ENDIN name, vec, err
 *
 *	CHECK name, reg, value  a register or immediate against an immediate
 *	CHECKM name, mem, value a 32-bit word in memory against an immediate
 *
 * An exception goes to the record (rec_*) and then to the end of the try, on its stack, with flat
 * segments. Outside of a try it ends the guest as failed.
 */

#define V_NONE 0xffff
#define V_END  0x80 /* INT that ends TRYIN */
#define V_DE 0
#define V_DB 1
#define V_NMI 2
#define V_BP 3
#define V_OF 4
#define V_BR 5
#define V_UD 6
#define V_NM 7
#define V_DF 8
#define V_TS 10
#define V_NP 11
#define V_SS 12
#define V_GP 13
#define V_PF 14
#define V_MF 16
#define V_AC 17
#define V_XM 19

/* Selectors. The order suits SYSCALL (0x30), SYSRET (0x1b) and SYSENTER (0x08). */
#define KC32 0x08
#define KD   0x10
#define UC32 0x1b
#define UD   0x23
#define UC64 0x2b
#define KC64 0x30
#define KD2  0x38
#define S_TSS32 0x40
#define S_TSS64 0x48
#define KC16 0x58
#define KD16 0x60
#define S_LDT 0x68 /* and 0x70 in long mode */
#define T0 0x80 /* slots for tests up to 0x1f8 */
#define GDT_SIZE 0x200

/* Descriptor halves; the base is a number here, use SETBASE for a symbol. ACC is the access byte,
 * FL the four flag bits (G D/B L AVL). */
#define D_LO(base, limit) ((((base) & 0xffff) << 16) | ((limit) & 0xffff))
#define D_HI(base, limit, acc, fl) \
	(((base) & 0xff000000) | ((fl) << 20) | ((limit) & 0xf0000) | ((acc) << 8) | \
	 (((base) >> 16) & 0xff))
#define G_FLAT 0xc

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_AM 0x40000
#define CR0_PG 0x80000000
#define CR4_VME 0x1
#define CR4_PVI 0x2
#define CR4_TSD 0x4
#define CR4_DE 0x8
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define CR4_PCE 0x100
#define CR4_OSFXSR 0x200
#define CR4_OSXMM 0x400
#define CR4_UMIP 0x800
#define CR4_LA57 0x1000
#define CR4_FSGSBASE 0x10000
#define CR4_PCIDE 0x20000
#define CR4_OSXSAVE 0x40000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000
#define CR4_PKE 0x400000
#define FL_CF 1
#define FL_ZF 0x40
#define FL_TF 0x100
#define FL_IF 0x200
#define FL_DF 0x400
#define FL_IOPL3 0x3000
#define FL_NT 0x4000
#define FL_RF 0x10000
#define FL_VM 0x20000
#define FL_AC 0x40000
#define FL_VIF 0x80000
#define FL_VIP 0x100000
#define FL_ID 0x200000
#define MSR_APIC_BASE 0x1b
#define MSR_EFER 0xc0000080
#define EFER_SCE 1
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define EFER_NXE 0x800

.macro MODE16
	.code16
.endm
.macro MODE32
	.code32
	.set M, 32
.endm
.macro MODE64
	.code64
	.set M, 64
.endm

/* Calls the routine of the current width. */
.macro RT f
	.if M == 64
	call \f\()64
	.else
	call \f\()32
	.endif
.endm

.macro NAME name
	.pushsection .rodata
78:	.asciz "\name"
	.popsection
	movl $78b, arg_name
.endm

.macro SAY text
	.pushsection .rodata
79:	.asciz "\text"
	.popsection
	.if M == 64
	push %rsi
	movl $79b, %esi
	call puts64
	pop %rsi
	.else
	push %esi
	movl $79b, %esi
	call puts32
	pop %esi
	.endif
.endm

.macro TRY
	movl $77f, try_resume
	movl $76f, try_ip
	movl $V_NONE, rec_vec
	.if M == 64
	movq %rsp, try_sp
	.else
	movl %esp, try_sp
	.endif
76:
.endm

/* Goes to code elsewhere through IRET; RESULT follows, with V_END for its INT 80h. */
.macro TRYTO cs, ss, addr, flags=2, sp=ustack_top
	movl $77f, try_resume
	movl $(\addr), try_ip
	movl $V_NONE, rec_vec
	.if M == 64
	movq %rsp, try_sp
	pushq $(\ss)
	pushq $(\sp)
	pushq $(\flags)
	pushq $(\cs)
	pushq $(\addr)
	iretq
	.else
	movl %esp, try_sp
	.if \cs & 3
	pushl $(\ss)
	pushl $(\sp)
	.endif
	pushl $(\flags)
	pushl $(\cs)
	pushl $(\addr)
	iretl
	.endif
.endm

.macro EXPECT_EXC name, vec, err, at
	NAME "\name"
	movl $(\vec), arg_vec
	movl $(\err), arg_err
	.ifc \at,any
	movl $0, try_ip
	.else
	.ifnc \at,try
	movl $(\at), try_ip
	.endif
	.endif
	RT check_exc
.endm

.macro RESULT name, vec, err=0, at=try
77:
	EXPECT_EXC "\name", \vec, \err, \at
.endm

.macro TRYIN cs, ss, bits, flags=2, sp=ustack_top
	movl $77f, try_resume
	movl $76f, try_ip
	movl $V_NONE, rec_vec
	.if M == 64
	movq %rsp, try_sp
	pushq $(\ss)
	pushq $(\sp)
	pushq $(\flags)
	pushq $(\cs)
	pushq $76f
	.if \cs & 3
	push %rax
	mov $UD, %eax
	mov %eax, %ds
	mov %eax, %es
	pop %rax
	.endif
	iretq
	.else
	movl %esp, try_sp
	.if \cs & 3
	pushl $(\ss)
	pushl $(\sp)
	.endif
	pushl $(\flags)
	pushl $(\cs)
	pushl $76f
	.if \cs & 3
	push %eax
	mov $UD, %eax
	mov %eax, %ds
	mov %eax, %es
	pop %eax
	.endif
	iretl
	.endif
	.code\bits
76:
.endm

.macro ENDIN name, vec, err=0, at=try
	int $V_END
	.if M == 64
	.code64
	.else
	.code32
	.endif
77:
	.if \vec == V_NONE
	EXPECT_EXC "\name", V_END, 0, any
	.else
	EXPECT_EXC "\name", \vec, \err, \at
	.endif
.endm

/* got: a general register of the current width or an immediate. */
.macro CHECK name, got, want
	NAME "\name"
	.if M == 64
	movq \got, arg_got
	.else
	movl \got, arg_got
	movl $0, arg_got + 4
	.endif
	SETWANT \want
	RT check_eq
.endm

.macro SETWANT want
	movl $(\want), arg_want
	movl $0, arg_want + 4
.endm

/* A 32-bit word in memory. */
.macro CHECKM name, mem, want
	NAME "\name"
	.if M == 64
	pushq \mem
	popq arg_got
	.else
	pushl \mem
	popl arg_got
	.endif
	movl $0, arg_got + 4
	movl $(\want), arg_want
	movl $0, arg_want + 4
	RT check_eq
.endm

/* A byte in memory. */
.macro CHECKB name, mem, want
	.if M == 64
	pushq %rax
	movzbl \mem, %eax
	CHECK "\name", %rax, \want
	popq %rax
	.else
	pushl %eax
	movzbl \mem, %eax
	CHECK "\name", %eax, \want
	popl %eax
	.endif
.endm

/* A 64-bit word in memory against a register. */
.macro CHECKQ name, mem, reg
	NAME "\name"
	pushq \mem
	popq arg_got
	movq \reg, arg_want
	RT check_eq
.endm

.macro SECTION_NAME name
	NAME "\name"
	RT section
.endm

/* GDT slot from the halves made by D_LO and D_HI. */
.macro SETDESC sel, lo, hi
	movl $(\lo), gdt + (\sel)
	movl $(\hi), gdt + (\sel) + 4
.endm
.macro SETBASE sel, sym
	.if M == 64
	push %rax
	.else
	push %eax
	.endif
	movl $(\sym), %eax
	movw %ax, gdt + (\sel) + 2
	shrl $16, %eax
	movb %al, gdt + (\sel) + 4
	movb %ah, gdt + (\sel) + 7
	.if M == 64
	pop %rax
	.else
	pop %eax
	.endif
.endm

/* An IDT gate: type byte 0x8e interrupt, 0x8f trap, +0x60 for DPL 3. */
.macro GATE32 vec, handler, type=0x8e, cs=KC32
	push %eax
	movl $(\handler), %eax
	movw %ax, idt32 + (\vec) * 8
	movw $(\cs), idt32 + (\vec) * 8 + 2
	movw $((\type) << 8), idt32 + (\vec) * 8 + 4
	shrl $16, %eax
	movw %ax, idt32 + (\vec) * 8 + 6
	pop %eax
.endm
.macro GATE64 vec, handler, type=0x8e, cs=KC64, ist=0
	push %rax
	movl $(\handler), %eax
	movw %ax, idt64 + (\vec) * 16
	movw $(\cs), idt64 + (\vec) * 16 + 2
	movw $((\type) << 8 | (\ist)), idt64 + (\vec) * 16 + 4
	shrl $16, %eax
	movw %ax, idt64 + (\vec) * 16 + 6
	pop %rax
.endm
/* Back to the recording handler. */
.macro UNGATE vec
	.if M == 64
	GATE64 \vec, stubs64+(\vec)*16, 0xee
	.else
	GATE32 \vec, stubs32+(\vec)*16, 0xee
	.endif
.endm

.macro MSR_GET msr
	movl $\msr, %ecx
	rdmsr
.endm
.macro MSR_PUT msr, lo, hi=0
	movl $\msr, %ecx
	movl $(\lo), %eax
	movl $(\hi), %edx
	wrmsr
.endm
.macro CR_SET cr, bits
	.if M == 64
	movq %\cr, %rax
	orq $(\bits), %rax
	movq %rax, %\cr
	.else
	movl %\cr, %eax
	orl $(\bits), %eax
	movl %eax, %\cr
	.endif
.endm
.macro CR_CLEAR cr, bits
	.if M == 64
	movq %\cr, %rax
	andq $~(\bits), %rax
	movq %rax, %\cr
	.else
	movl %\cr, %eax
	andl $~(\bits), %eax
	movl %eax, %\cr
	.endif
.endm
