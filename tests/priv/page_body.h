/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One paging mode's table of combinations, assembled for 32-bit and 64-bit code. An access is made
 * with every combination of the bits in combo_mask; what must come of it is worked out from the
 * bits alone, as SDM vol. 3A 4.6 and 4.7 have it.
 */

/* The entry at R(di) from its plain value at R(si) and the NP, RO, S, NX, RSV bits in the low bits
 * of EAX; R(dx): address of the reserved bit. */
FN(put_entry):
	movl (R(si)), %ecx
	testb $1, %al
	jz 1f
	andl $~1, %ecx
1:	testb $2, %al
	jz 1f
	andl $~2, %ecx
1:	testb $4, %al
	jz 1f
	andl $~4, %ecx
1:	testb $16, %al
	jz 1f
	orl (R(dx)), %ecx
1:	movl %ecx, (R(di))
	cmpl $4, entry_size
	je 2f
	movl 4(R(si)), %ecx
	testb $8, %al
	jz 1f
	orl $0x80000000, %ecx
1:	testb $16, %al
	jz 1f
	orl 4(R(dx)), %ecx
1:	movl %ecx, 4(R(di))
2:	ret

/* The table entries of combination EBX. */
FN(put_entries):
	movl up_entry, %edi
	testl %edi, %edi
	jz 1f
	movl $up_plain, %esi
	movl $up_rsv, %edx
	movl %ebx, %eax
	shrl $8, %eax /* RO, S, NX, NP, RSV */
	movl %eax, %ecx
	andl $7, %eax
	shll $1, %eax
	shrl $3, %ecx
	testb $1, %cl
	jz 2f
	orb $1, %al
2:	testb $2, %cl
	jz 2f
	orb $16, %al
2:	call FN(put_entry)
1:	movl leaf_entry, %edi
	movl $leaf_plain, %esi
	movl $leaf_rsv, %edx
	movl %ebx, %eax
	shrl $3, %eax /* NP, RO, S, NX, RSV */
	jmp FN(put_entry)

/* Control registers for combination EBX; the runs of equal bits are long. */
FN(put_control):
	movl %ebx, %eax
	andl $C_CONTROL, %eax
	cmpl control_now, %eax
	je 9f
	movl %eax, control_now
	mov %cr0, R(ax)
	andl $~CR0_WP, %eax
	testl $C_WP, %ebx
	jz 1f
	orl $CR0_WP, %eax
1:	mov R(ax), %cr0
	mov %cr4, R(ax)
	andl $~(CR4_SMEP|CR4_SMAP), %eax
	testl $C_SMEP, %ebx
	jz 1f
	orl $CR4_SMEP, %eax
1:	testl $C_SMAP, %ebx
	jz 1f
	orl $CR4_SMAP, %eax
1:	PDPTES_OF_TCG
	mov R(ax), %cr4
	testl $CR4_PKE, %eax
	jz 9f
	movl %ebx, %eax
	shrl $17, %eax
	andl $3, %eax
	shll $10, %eax /* key 5 */
	xorl %ecx, %ecx
	xorl %edx, %edx
	wrpkru
9:	ret

/* EAX = error code that combination EBX must give, or -1. */
FN(expected):
	xorl %eax, %eax /* W, U, I bits */
	movl %ebx, %ecx
	andl $C_ACC, %ecx
	cmpl $1, %ecx
	jne 1f
	orl $2, %eax
1:	testl $C_CPL3, %ebx
	jz 1f
	orl $4, %eax
1:	cmpl $2, %ecx
	jne 1f
	cmpl $0, have_nx
	jne 2f
	testl $C_SMEP, %ebx
	jz 1f
2:	orl $0x10, %eax
1:	testl $C_UP_NP, %ebx
	jnz 9f
	testl $C_UP_RSV, %ebx
	jnz 3f
	testl $C_LEAF_NP, %ebx
	jnz 9f
	testl $C_LEAF_RSV, %ebx
	jz 4f
3:	orl $9, %eax
9:	ret
	/* Rights: ESI collects what forbids the access: 1 the tables, 0x20 the key. */
4:	xorl %esi, %esi
	testl $C_CPL3, %ebx
	jz 5f
	testl $(C_LEAF_S | C_UP_S), %ebx
	jz 1f
	orl $1, %esi
1:	cmpl $1, %ecx
	jne 6f
	testl $(C_LEAF_RO | C_UP_RO), %ebx
	jz 6f
	orl $1, %esi
	jmp 6f
5:	cmpl $1, %ecx
	jne 1f
	testl $C_WP, %ebx
	jz 1f
	testl $(C_LEAF_RO | C_UP_RO), %ebx
	jz 1f
	orl $1, %esi
1:	testl $(C_LEAF_S | C_UP_S), %ebx
	jnz 6f
	cmpl $2, %ecx
	je 1f
	testl $C_SMAP, %ebx
	jz 6f
	testl $C_AC, %ebx
	jnz 6f
	orl $1, %esi
	jmp 6f
1:	testl $C_SMEP, %ebx
	jz 6f
	orl $1, %esi
6:	cmpl $2, %ecx
	jne 7f
	testl $(C_LEAF_NX | C_UP_NX), %ebx
	jz 8f
	orl $1, %esi
	jmp 8f
	/* Keys are about data in user pages, whoever reads it. */
7:	testl $(C_LEAF_S | C_UP_S), %ebx
	jnz 8f
	testl $C_AD, %ebx
	jnz 1f
	testl $C_WD, %ebx
	jz 8f
	cmpl $1, %ecx
	jne 8f
	testl $(C_WP | C_CPL3), %ebx
	jz 8f
1:	orl $0x21, %esi
8:	orl %esi, %eax
	testl %esi, %esi
	jnz 9b
	orl $-1, %eax
	ret

/* The access of combination EBX at R(di); leaves the outcome in the record. */
FN(access):
	movl %ebx, %eax
	andl $(C_ACC | C_CPL3), %eax
	movl stubs(,R(ax),4), %esi
	movl $2, %ecx
	testl $C_AC, %ebx
	jz 1f
	orl $FL_AC, %ecx
1:	movl $8f, try_resume
	movl $V_NONE, rec_vec
	mov R(sp), try_sp
	testl $C_CPL3, %ebx
	jnz 2f
#ifdef FRAME64
	push $KD
	push try_sp
	push R(cx)
	push $KC64
	push R(si)
	mov R(di), R(bp)
	iretq
2:	push $UD
	push $ustack_top
	push R(cx)
	push $UC64
	push R(si)
	movl $UD, %eax
	mov %eax, %ds
	mov R(di), R(bp)
	iretq
#else
	push R(cx)
	push $KC32
	push R(si)
	mov R(di), R(bp)
	iretl
2:	push $UD
	push $ustack_top
	push R(cx)
	push $UC32
	push R(si)
	movl $UD, %eax
	mov %eax, %ds
	mov R(di), R(bp)
	iretl
#endif
8:	cmpl $0, on_tcg /* which leaves P clear beside RSVD */
	je 1f
	testl $8, rec_err
	jz 1f
	orl $1, rec_err
1:	ret

/* All combinations. */
FN(combinations):
	movl $0, combo_done
	movl $0, combo_failed
	movl $-1, control_now
	movl $-1, %ebx
1:	incl %ebx
	cmpl $C_END, %ebx
	je 9f
	movl %ebx, %eax
	andl combo_mask, %eax
	cmpl %eax, %ebx
	jne 1b
	notl %eax
	testl $C_ACC, %eax
	jz 1b
	testl $C_BROKEN, %ebx
	jz 2f
	/* An entry that is not usable is not looked at further: control bits add nothing. */
	testl $(C_CONTROL & ~C_SMEP), %ebx
	jnz 1b
2:	call FN(put_control)
	call FN(put_entries)
	mov lin, R(di)
	invlpg (R(di))
	call FN(access)
	call FN(expected)
	incl combo_done
	movl rec_vec, %ecx
	cmpl $-1, %eax
	je 4f
	cmpl $V_PF, %ecx
	jne 5f
	cmpl rec_err, %eax
	jne 5f
	mov lin, R(cx)
	movl %ebx, %edx
	andl $C_ACC, %edx
	cmpl $2, %edx
	je 3f
	add $16, R(cx)
3:	cmp rec_cr2, R(cx)
	jne 5f
	movl leaf_entry, %esi
	testl $0x40, (R(si))
	jnz 5f
	jmp 1b
4:	cmpl $V_END, %ecx
	jne 5f
	movl leaf_entry, %esi
	movl (R(si)), %ecx
	testl $0x20, %ecx
	jz 5f
	andl $0x40, %ecx
	movl %ebx, %edx
	andl $C_ACC, %edx
	decl %edx
	jnz 6f
	xorl $0x40, %ecx
6:	testl %ecx, %ecx
	jnz 5f
	movl up_entry, %esi
	testl %esi, %esi
	jz 1b
	testl $0x20, (R(si))
	jnz 1b
5:	incl combo_failed
	cmpl $10, combo_failed
	ja 1b
	push R(ax)
	SAY "combination "
	movl %ebx, %edx
	xorl %ecx, %ecx
	call FN(hex32)
	SAY " should be "
	pop R(dx)
	call FN(hex32)
	SAY " is "
	movl rec_vec, %eax
	movl rec_err, %edx
	call FN(put_exc)
	SAY " leaf "
	movl leaf_entry, %edi
	call FN(hex64)
	SAY " cr2 "
	movl $rec_cr2, %edi
	call FN(hex64)
	SAY "\n"
	jmp 1b
9:	xorl %ebx, %ebx
	call FN(put_control)
	call FN(put_entries)
	movl $0, try_resume
	/* One line for the table, but each combination counts. */
	movl combo_done, %eax
	subl combo_failed, %eax
	addl %eax, n_passed
	movl combo_failed, %eax
	testl %eax, %eax
	jz 1f
	call FN(fail)
	SAY ": "
	call FN(dec)
	SAY " combinations of "
	movl combo_done, %eax
	call FN(dec)
	SAY "\n"
	ret
1:	call FN(pass)
	decl n_passed
	SAY "   in "
	movl combo_done, %eax
	call FN(dec)
	SAY " combinations\n"
	ret

/* Each bit of the 64-bit mask at bits_reserved in the entry R(di) (plain value at R(si)) must give a
 * reserved-bit fault, each of bits_ignored none. */
FN(reserved):
	movl %edi, rsv_entry
	movl %esi, rsv_plain
	movl $0, combo_failed
	movl $0, combo_done
	movl $0, %ebp
1:	movl rsv_entry, %edi
	movl rsv_plain, %esi
	movl (R(si)), %eax
	movl %eax, (R(di))
	cmpl $4, entry_size
	je 2f
	movl 4(R(si)), %eax
	movl %eax, 4(R(di))
2:	movl $bits_reserved, %esi
	movl $9, %edx
	movl %ebp, %ecx
	bt %ecx, (R(si))
	jc 3f
	movl $bits_ignored, %esi
	movl $-1, %edx
	bt %ecx, (R(si))
	jnc 7f
3:	bts %ecx, (R(di))
	mov lin, R(di)
	invlpg (R(di))
	push R(bp)
	push R(dx)
	xorl %ebx, %ebx
	call FN(access)
	pop R(dx)
	pop R(bp)
	incl combo_done
	cmpl $-1, %edx
	jne 4f
	cmpl $V_END, rec_vec
	je 7f
	jmp 5f
4:	cmpl $V_PF, rec_vec
	jne 5f
	cmpl rec_err, %edx
	je 7f
5:	incl combo_failed
	SAY "bit "
	movl %ebp, %eax
	call FN(dec)
	SAY " should be "
	call FN(hex32)
	SAY " is "
	movl rec_vec, %eax
	movl rec_err, %edx
	call FN(put_exc)
	SAY "\n"
7:	incl %ebp
	cmpl $64, %ebp
	jne 1b
	movl rsv_entry, %edi
	movl rsv_plain, %esi
	movl (R(si)), %eax
	movl %eax, (R(di))
	cmpl $4, entry_size
	je 2f
	movl 4(R(si)), %eax
	movl %eax, 4(R(di))
2:	mov lin, R(di)
	invlpg (R(di))
	movl $0, try_resume
	movl combo_done, %eax
	decl %eax
	subl combo_failed, %eax
	addl %eax, n_passed
	cmpl $0, combo_failed
	jne 8f
	jmp FN(pass)
8:	movl combo_failed, %eax
	decl %eax
	addl %eax, n_failed
	call FN(fail)
	SAY "\n"
	ret
