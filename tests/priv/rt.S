/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Runtime of the privileged-mode guests: the PVH entry (Xen public/arch-x86/hvm/start_info.h),
 * descriptor tables, the recording exception handlers, and the way into 64-bit mode and back. A
 * guest defines `main` (32-bit, paging off, interrupts off) and ends with a jump to finish32 or
 * finish64.
 */
#include "rt.h"

	.section .note.PVH, "a"
	.long 4, 8, 18
	.asciz "Xen"
	.quad start

	.section .text.start, "ax"
	MODE32
	.globl start
start:
	cli
	cld
	movl $stack_top, %esp
	/* The first word of the command line is the guest's variant. */
	movl 24(%ebx), %esi
	movl $cmdline, %edi
	movl $31, %ecx
	testl %esi, %esi
	jz 1f
	rep movsb
1:	movl $low_lma, %esi
	movl $0x8000, %edi
	movl $low_size, %ecx
	rep movsb
	lgdtl gdt_ptr
	ljmp $KC32, $1f
1:	movl $KD, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %eax, %fs
	mov %eax, %gs
	SETBASE S_TSS32, tss32
	SETBASE S_TSS64, tss64
	movl $stack0_top, tss32 + 4
	movl $KD, tss32 + 8
	movw $0x68, tss32 + 0x66
	movl $stack0_top, tss64 + 4
	movl $ist1_top, tss64 + 0x24
	movl $ist2_top, tss64 + 0x2c
	movw $0x68, tss64 + 0x66
	/* All gates DPL 3, so that INT n tells what it wants to. */
	movl $stubs32, %eax
	movl $idt32, %edi
	movl $KC32, %edx
2:	movw %ax, (%edi)
	movw %dx, 2(%edi)
	movw $0xee00, 4(%edi)
	movl %eax, %ecx
	shrl $16, %ecx
	movw %cx, 6(%edi)
	addl $16, %eax
	addl $8, %edi
	cmpl $idt32 + 256 * 8, %edi
	jne 2b
	movl $stubs64, %eax
	movl $idt64, %edi
	movl $KC64, %edx
3:	movw %ax, (%edi)
	movw %dx, 2(%edi)
	movw $0xee00, 4(%edi)
	movl %eax, %ecx
	shrl $16, %ecx
	movw %cx, 6(%edi)
	addl $16, %eax
	addl $16, %edi
	cmpl $idt64 + 256 * 16, %edi
	jne 3b
	lidtl idt32_ptr
	movl $S_TSS32, %eax
	ltr %ax
	/* QEMU's TCG, where some tests would end the run; the command line says so of one below a KVM. */
	cmpl $0x00676374, cmdline /* "tcg" */
	je 5f
	movl $0x40000000, %eax
	cpuid
	cmpl $0x54474354, %ebx
	jne 4f
5:	movl $1, on_tcg
4:
	/* Both interrupt controllers quiet. */
	movb $0xff, %al
	outb %al, $0x21
	outb %al, $0xa1
	call main
	jmp finish32

	.text
/* ---- 32-bit ---- */
#define R(x) %e##x
#define FN(x) x##32
#define PUSHA pushal
#define POPA popal
#define PUSHF pushfl
#define POPF popfl
#include "rt_body.h"
#undef R
#undef FN
#undef PUSHA
#undef POPA
#undef PUSHF
#undef POPF

	.globl stubs32
	.balign 16
stubs32:
	.set n, 0
	.rept 256
	.balign 16
	.if (n == 8) || (n >= 10 && n <= 14) || (n == 17) || (n == 21) || (n == 29) || (n == 30)
	.else
	push $0
	.endif
	pushl $n
	jmp record32
	.set n, n + 1
	.endr

/* Stack: vector, error code, EIP, CS, EFLAGS and from another level ESP, SS. */
record32:
	push %eax
	push %ds
	movl $KD, %eax
	mov %eax, %ds
	mov %eax, %es
	popl %eax
	movl %eax, rec_ds
	pop rec_regs
	movl %ecx, rec_regs + 8
	movl %edx, rec_regs + 16
	movl %ebx, rec_regs + 24
	movl %ebp, rec_regs + 40
	movl %esi, rec_regs + 48
	movl %edi, rec_regs + 56
	pop rec_vec
	pop rec_err
	pop rec_ip
	movl $0, rec_ip + 4
	pop rec_cs
	pop rec_fl
	movl %esp, rec_frame
	testl $FL_VM, rec_fl
	jnz 1f
	testl $3, rec_cs
	jz 2f
1:	movl (%esp), %eax
	movl %eax, rec_sp
	movl 4(%esp), %eax
	movl %eax, rec_ss
2:	movl %cr2, %eax
	movl %eax, rec_cr2
	movl $0, rec_cr2 + 4
	incl rec_count
	/* Real selectors have 16 bits; the rest of a pushed slot is undefined. */
	andl $0xffff, rec_cs
	andl $0xffff, rec_ss
	andl $0xffff, rec_ds
	movl $KD, %eax
	mov %eax, %ss
	movl try_sp, %esp
	pushl $2
	popfl
	movl try_resume, %eax
	testl %eax, %eax
	jz unexpected32
	movl $0, try_resume
	jmp *%eax

	.globl enter_long
/* Called from 32-bit code without paging; returns in 64-bit mode to the instruction after, with the
 * first 4 GiB mapped one to one, open to user mode. */
enter_long:
	call identity_map
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_NXE | EFER_SCE), %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_WP | CR0_NE), %eax
	movl %eax, %cr0
	pop %eax
	pushl $KC64
	pushl $1f
	lret
	MODE64
1:	movl $KD, %ecx
	mov %ecx, %ds
	mov %ecx, %es
	mov %ecx, %ss
	xorl %ecx, %ecx
	mov %ecx, %fs
	mov %ecx, %gs
	lidt idt64_ptr
	/* Its descriptor may be busy from an earlier visit. */
	movb $0x89, gdt + S_TSS64 + 5
	movl $S_TSS64, %ecx
	ltr %cx
	movl %esp, %esp
	movl %eax, %eax
	jmp *%rax

	.globl leave_long
/* Called in 64-bit mode with a near call; returns in 32-bit mode without paging. */
leave_long:
	popq %rax
	pushq $KC32
	pushq $1f
	lretq
	MODE32
1:	movl $KD, %ecx
	mov %ecx, %ds
	mov %ecx, %es
	mov %ecx, %ss
	mov %ecx, %fs
	mov %ecx, %gs
	movl %eax, %ebx
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~EFER_LME, %eax
	wrmsr
	lidtl idt32_ptr
	movb $0x89, gdt + S_TSS32 + 5
	movl $S_TSS32, %eax
	ltr %ax
	jmp *%ebx

	.globl identity_map
identity_map:
	movl $pdpt + 7, pml4
	movl $pml4 + 7, pml5
	movl $pds + 7, %eax
	movl $pdpt, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	loop 1b
	movl $0x87, %eax
	movl $pds, %edi
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 2b
	ret

/* ---- 64-bit ---- */
	MODE64
#define R(x) %r##x
#define FN(x) x##64
#define PUSHA push %rax; push %rcx; push %rdx; push %rbx; push %rsi; push %rdi
#define POPA pop %rdi; pop %rsi; pop %rbx; pop %rdx; pop %rcx; pop %rax
#define PUSHF pushfq
#define POPF popfq
#include "rt_body.h"

	.globl stubs64
	.balign 16
stubs64:
	.set n, 0
	.rept 256
	.balign 16
	.if (n == 8) || (n >= 10 && n <= 14) || (n == 17) || (n == 21) || (n == 29) || (n == 30)
	.else
	push $0
	.endif
	pushq $n
	jmp record64
	.set n, n + 1
	.endr

record64:
	movq %rax, rec_regs
	movl %ds, %eax
	movl %eax, rec_ds
	movl $KD, %eax
	mov %eax, %ds
	mov %eax, %es
	movq %rcx, rec_regs + 8
	movq %rdx, rec_regs + 16
	movq %rbx, rec_regs + 24
	movq %rbp, rec_regs + 40
	movq %rsi, rec_regs + 48
	movq %rdi, rec_regs + 56
	popq rec_vec
	popq rec_err
	popq rec_ip
	popq rec_cs
	popq rec_fl
	movq %rsp, rec_frame
	movq (%rsp), %rax
	movq %rax, rec_sp
	movq 8(%rsp), %rax
	movq %rax, rec_ss
	movq %cr2, %rax
	movq %rax, rec_cr2
	incl rec_count
	movl $KD, %eax
	mov %eax, %ss
	movq try_sp, %rsp
	pushq $2
	popfq
	movl try_resume, %eax
	testl %eax, %eax
	jz unexpected64
	movl $0, try_resume
	jmp *%rax

	.data
	.globl gdt_ptr, idt32_ptr, idt64_ptr, gdt, cmdline
	.balign 8
gdt:
	.quad 0
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9b, 0xc) /* KC32 */
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x93, 0xc) /* KD */
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xfb, 0xc) /* UC32 */
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xf3, 0xc) /* UD */
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0xfb, 0xa) /* UC64 */
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x9b, 0xa) /* KC64 */
	.long D_LO(0, 0xfffff), D_HI(0, 0xfffff, 0x93, 0xc) /* KD2 */
	.long D_LO(0, 0x67), D_HI(0, 0x67, 0x89, 0)         /* TSS32 */
	.long D_LO(0, 0x67), D_HI(0, 0x67, 0x89, 0), 0, 0   /* TSS64 */
	.long D_LO(0, 0xffff), D_HI(0, 0xffff, 0x9b, 0)     /* KC16 */
	.long D_LO(0, 0xffff), D_HI(0, 0xffff, 0x93, 0)     /* KD16 */
	.fill (GDT_SIZE - (. - gdt)), 1, 0
	.balign 4
	.word 0
gdt_ptr:
	.word GDT_SIZE - 1
	.quad gdt
	.balign 4
	.word 0
idt32_ptr:
	.word 256 * 8 - 1
	.quad idt32
	.balign 4
	.word 0
idt64_ptr:
	.word 256 * 16 - 1
	.quad idt64
cmdline: .fill 32, 1, 0

	.globl rec_vec, rec_err, rec_ip, rec_cs, rec_fl, rec_sp, rec_ss, rec_cr2, rec_count, rec_frame
	.globl rec_regs, rec_ds, try_resume, try_sp, try_ip
	.globl arg_name, arg_vec, arg_err, arg_got, arg_want, n_passed, n_failed, quiet, on_tcg
	.balign 8
rec_vec: .quad 0
rec_err: .quad 0
rec_ip: .quad 0
rec_cs: .quad 0
rec_fl: .quad 0
rec_sp: .quad 0
rec_ss: .quad 0
rec_cr2: .quad 0
rec_ds: .quad 0
rec_frame: .quad 0
rec_regs: .fill 8, 8, 0 /* AX CX DX BX - BP SI DI */
rec_count: .quad 0
try_resume: .quad 0
try_sp: .quad 0
try_ip: .quad 0
arg_name: .quad 0
arg_vec: .quad 0
arg_err: .quad 0
arg_got: .quad 0
arg_want: .quad 0
n_passed: .quad 0
n_failed: .quad 0
on_tcg: .quad 0
quiet: .quad 0 /* passes are only counted */

	.bss
	.globl idt32, idt64, tss32, tss64, pml4, pml5, pdpt, pds, stack_top, stack0_top, ustack_top
	.globl ist1_top, ist2_top, scratch
	.balign 4096
pml5: .skip 4096
pml4: .skip 4096
pdpt: .skip 4096
pds: .skip 4 * 4096
idt32: .skip 256 * 8
idt64: .skip 256 * 16
	.balign 4096
tss32: .skip 3 * 4096 /* with room for an I/O bitmap */
tss64: .skip 4096
	.skip 8192
stack_top: .skip 64
	.balign 4096
	.skip 4096
stack0_top: .skip 64 /* of level 0 when coming from level 3 */
	.balign 4096
	.skip 4096
ist1_top: .skip 64
	.balign 4096
	.skip 4096
ist2_top: .skip 64
	.balign 4096
	.skip 4096
ustack_top: .skip 64
	.balign 4096
scratch: .skip 8192
