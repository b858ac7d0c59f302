/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every access byte of a descriptor (present, DPL, S, type) with every RPL at levels 0 and 3, met by
 * each way of using it; assembled for 32-bit and 64-bit code. SDM vol. 3A chapter 5, and the
 * instructions in vol. 2.
 */

#define OP_DATA 0
#define OP_STACK 1
#define OP_JMP 2
#define OP_LAR 3
#define OP_LSL 4
#define OP_VERR 5
#define OP_VERW 6
#define OP_LLDT 7
#define OP_LTR 8
#define NR_OPS 9

/* What op must do: EAX vector or V_END, EDX error code; ESI: ZF (0 or 1), or -1 where undefined. */
FN(expect):
	movl acc, %ebx
	movl cpl, %ecx
	movl rpl, %edi
	movl %ebx, %ebp
	shrl $5, %ebp
	andl $3, %ebp /* DPL */
	movl $-1, %esi
	movl $T0, %edx
	cmpl $OP_LLDT, op
	jae FN(expect_system)
	cmpl $OP_LAR, op
	jae FN(expect_look)
	testb $0x10, %bl
	jz FN(gp)
	cmpl $OP_STACK, op
	je 3f
	cmpl $OP_JMP, op
	je 4f
	testb $8, %bl
	jz 1f
	testb $2, %bl
	jz FN(gp)
	testb $4, %bl
	jnz 2f
1:	cmpl %ebp, %ecx
	ja FN(gp)
	cmpl %ebp, %edi
	ja FN(gp)
2:	testb $0x80, %bl
	jz FN(np)
	jmp FN(fine)
3:	cmpl %ecx, %edi
	jne FN(gp)
	testb $8, %bl
	jnz FN(gp)
	testb $2, %bl
	jz FN(gp)
	cmpl %ecx, %ebp
	jne FN(gp)
	testb $0x80, %bl
	jnz FN(fine)
	movl $V_SS, %eax
	ret
4:	testb $8, %bl
	jz FN(gp)
	testb $4, %bl
	jz 5f
	cmpl %ecx, %ebp
	ja FN(gp)
	jmp 2b
5:	cmpl %ecx, %edi
	ja FN(gp)
	cmpl %ecx, %ebp
	jne FN(gp)
	jmp 2b
FN(gp):
	movl $V_GP, %eax
	ret
FN(np):
	movl $V_NP, %eax
	ret
FN(fine):
	movl $V_END, %eax
	xorl %edx, %edx
	ret

/* LAR, LSL, VERR, VERW: no fault, only ZF. */
FN(expect_look):
	xorl %esi, %esi
	testb $0x10, %bl
	jz 3f
	movl op, %eax
	cmpl $OP_VERR, %eax
	jne 1f
	movl %ebx, %eax
	andl $0xa, %eax
	cmpl $8, %eax /* execute-only */
	je FN(fine)
1:	cmpl $OP_VERW, op
	jne 1f
	movl %ebx, %eax
	andl $0xa, %eax
	cmpl $2, %eax
	jne FN(fine)
1:	movl %ebx, %eax
	andl $0xc, %eax
	cmpl $0xc, %eax
	je 2f
1:	cmpl %ebp, %ecx
	ja FN(fine)
	cmpl %ebp, %edi
	ja FN(fine)
2:	movl $1, %esi
	jmp FN(fine)
	/* System descriptors. */
3:	movl %ebx, %eax
	andl $15, %eax
	cmpl $OP_LAR, op
	jne 4f
	btl %eax, lar_types
	jc 1b
4:	cmpl $OP_LSL, op
	jne FN(fine)
	btl %eax, lsl_types
	jc 1b
	jmp FN(fine)

/* LLDT and LTR, privileged. */
FN(expect_system):
	testl %ecx, %ecx
	jz 1f
	xorl %edx, %edx
	jmp FN(gp)
1:	testb $0x10, %bl
	jnz FN(gp)
	movl %ebx, %eax
	andl $15, %eax
	cmpl $OP_LTR, op
	je 2f
	cmpl $2, %eax
	jne FN(gp)
	jmp 3f
2:	btl %eax, ltr_types
	jnc FN(gp)
3:	testb $0x80, %bl
	jz FN(np)
	jmp FN(fine)

FN(table):
	movl $0, combo_done
	movl $0, combo_failed
	movl $0, acc
	movl $0, rpl
	movl $0, cpl
	movl $0, op
1:	movl $D_LO(0, 0xfffff), gdt + T0
	movl seg_flags, %eax
	movb acc, %ah
	movl $0xffffffff, seg_limit
	movl acc, %ecx
	andl $0x1c, %ecx
	cmpl $0x14, %ecx
	jne 2f
	/* Expand-down: from 4 KiB up, so that it can be a stack. */
	movl $0xfff, seg_limit
	movl $0, gdt + T0
	andl $0xfff0ffff, %eax
2:
	movl %eax, gdt + T0 + 4
	movl $T0, %eax
	orl rpl, %eax
	movl %eax, farptr + 4
	movl $landing, farptr
	movl op, %ebx
	cmpl $OP_JMP, %ebx
	jne 2f
	testb $0x10, acc /* gates and tasks are for another guest */
	jz 7f
2:	movl seg_stubs(,R(bx),4), %esi
	movl $8f, try_resume
	movl $V_NONE, rec_vec
	mov R(sp), try_sp
	cmpl $0, cpl
	jne 3f
#ifdef FRAME64
	push $KD
	push try_sp
#endif
	push $2
	push $KC
	push R(si)
	jmp 4f
3:	push $UD
	push $ustack_top
	push $2
	push $UC
	push R(si)
4:	movl $0x5a5a5a5a, %ecx
	IRET
8:	movb $0x89, gdt + S_TSS + 5
	movl $S_TSS, %eax
	ltr %ax
	call FN(expect)
	incl combo_done
	cmpl rec_vec, %eax
	jne 9f
	cmpl rec_err, %edx
	jne 9f
	cmpl $-1, %esi
	je 5f
	movl rec_fl, %ebx
	shrl $6, %ebx
	andl $1, %ebx
	cmpl %ebx, %esi
	jne 9f
	/* What LAR and LSL give. */
	movl $0x5a5a5a5a, %ecx
	testl %ebx, %ebx
	jz 6f
	movl seg_limit, %ecx
	cmpl $OP_LSL, op
	je 6f
	cmpl $OP_LAR, op
	jne 5f
	movl seg_flags, %ecx
	andl $0xf00000, %ecx
	movb acc, %ch
6:	cmpl rec_regs + 8, %ecx
	jne 9f
	/* The accessed bit; TSSs become busy. */
5:	movl acc, %ecx
	cmpl $V_END, %eax
	jne 6f
	cmpl $OP_JMP, op
	ja 5f
	orl $1, %ecx
5:	cmpl $OP_LTR, op
	jne 6f
	orl $2, %ecx
6:	cmpb %cl, gdt + T0 + 5
	jne 9f
	cmpl $OP_JMP, op
	jne 7f
	cmpl $V_END, %eax
	jne 7f
	movl $T0, %ecx
	orl cpl, %ecx
	cmpl rec_cs, %ecx
	jne 9f
7:	incl op
	cmpl $NR_OPS, op
	jne 1b
	movl $0, op
	incl rpl
	cmpl $4, rpl
	jne 1b
	movl $0, rpl
	xorl $3, cpl
	jnz 1b
	incl acc
	cmpl $256, acc
	jne 1b
	xorl %eax, %eax
	lldt %ax
	movl $0, try_resume
	movl combo_done, %eax
	subl combo_failed, %eax
	decl %eax
	addl %eax, n_passed
	cmpl $0, combo_failed
	jne 1f
	call FN(pass)
	SAY "   in "
	movl combo_done, %eax
	call FN(dec)
	SAY " combinations\n"
	ret
1:	movl combo_failed, %eax
	decl %eax
	addl %eax, n_failed
	incl n_passed
	call FN(fail)
	SAY ": "
	call FN(dec)
	SAY "\n"
	ret
9:	incl combo_failed
	cmpl $12, combo_failed
	ja 7b
	push R(dx)
	push R(ax)
	SAY "access byte "
	movl acc, %edx
	xorl %ecx, %ecx
	call FN(hex32)
	SAY " op "
	movl op, %eax
	call FN(dec)
	SAY " cpl "
	movl cpl, %eax
	call FN(dec)
	SAY " rpl "
	movl rpl, %eax
	call FN(dec)
	SAY " should be "
	pop R(ax)
	pop R(dx)
	call FN(put_exc)
	SAY " is "
	movl rec_vec, %eax
	movl rec_err, %edx
	call FN(put_exc)
	SAY " flags "
	movl rec_fl, %edx
	call FN(hex32)
	SAY " ecx "
	movl rec_regs + 8, %edx
	call FN(hex32)
	SAY " descriptor "
	movl gdt + T0 + 4, %edx
	call FN(hex32)
	SAY "\n"
	jmp 7b
