/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Output and checks of the runtime, assembled for both widths: R(ax) is EAX or RAX, FN(x) the
 * name of a routine, PUSHA/POPA keep all general registers.
 */

	.globl FN(putc), FN(puts), FN(hex32), FN(hex64), FN(dec), FN(pass), FN(fail), FN(section)
	.globl FN(check_eq), FN(put_exc), FN(check_exc), FN(finish)

/* AL */
FN(putc):
	push R(dx)
	movw $0x5e9, %dx /* not E9h: pc-testdev has ports around it */
	outb %al, %dx
	pop R(dx)
	ret

/* R(si): string */
FN(puts):
	PUSHA
1:	movb (R(si)), %al
	testb %al, %al
	jz 2f
	call FN(putc)
	inc R(si)
	jmp 1b
2:	POPA
	ret

/* The 32 bits of EDX in hexadecimal, without leading zeros; CL = 1 with them. */
FN(hex32):
	PUSHA
	movl $8, %ebx
1:	roll $4, %edx
	movl %edx, %eax
	andl $15, %eax
	orb %al, %cl
	jnz 2f
	cmpl $1, %ebx
	jne 4f
2:	movb $1, %cl
	addb $'0', %al
	cmpb $'9', %al
	jbe 3f
	addb $('a' - '9' - 1), %al
3:	call FN(putc)
4:	dec %ebx
	jnz 1b
	POPA
	ret

/* The 64-bit word at R(di). */
FN(hex64):
	PUSHA
	movl 4(R(di)), %edx
	xorl %ecx, %ecx
	testl %edx, %edx
	jz 1f
	call FN(hex32)
	incl %ecx
1:	movl (R(di)), %edx
	call FN(hex32)
	POPA
	ret

/* EAX in decimal. */
FN(dec):
	PUSHA
	xorl %ecx, %ecx
	movl $10, %ebx
1:	xorl %edx, %edx
	divl %ebx
	push R(dx)
	incl %ecx
	testl %eax, %eax
	jnz 1b
2:	pop R(ax)
	addb $'0', %al
	call FN(putc)
	decl %ecx
	jnz 2b
	POPA
	ret

/* "ok NAME". */
FN(pass):
	incl n_passed
	cmpl $0, quiet
	jne 1f
	push R(si)
	SAY "ok "
	movl arg_name, %esi
	call FN(puts)
	SAY "\n"
	pop R(si)
1:	ret

FN(fail):
	incl n_failed
	push R(si)
	SAY "FAIL "
	movl arg_name, %esi
	call FN(puts)
	pop R(si)
	ret

FN(section):
	push R(si)
	SAY "# "
	movl arg_name, %esi
	call FN(puts)
	SAY "\n"
	pop R(si)
	ret

/* arg_got against arg_want, all 64 bits. */
FN(check_eq):
	PUSHF
	PUSHA
	movl arg_got, %eax
	movl arg_got + 4, %edx
	cmpl arg_want, %eax
	jne 1f
	cmpl arg_want + 4, %edx
	jne 1f
	call FN(pass)
	jmp 2f
1:	call FN(fail)
	SAY ": expected "
	movl $arg_want, %edi
	call FN(hex64)
	SAY " got "
	movl $arg_got, %edi
	call FN(hex64)
	SAY "\n"
2:	POPA
	POPF
	ret

/* Vector EAX, error code EDX. */
FN(put_exc):
	PUSHA
	cmpl $V_NONE, %eax
	je 1f
	cmpl $V_END, %eax
	je 1f
	SAY "vector "
	call FN(dec)
	SAY " error "
	xorl %ecx, %ecx
	call FN(hex32)
	POPA
	ret
1:	SAY "none"
	POPA
	ret

/* The record against arg_vec, arg_err and, for exceptions, try_ip (0: anywhere). */
FN(check_exc):
	PUSHF
	PUSHA
	movl $0, try_resume
	movl rec_vec, %eax
	cmpl arg_vec, %eax
	jne 1f
	cmpl $V_NONE, %eax
	je 3f
	movl rec_err, %edx
	cmpl arg_err, %edx
	jne 1f
	movl try_ip, %edx
	testl %edx, %edx
	jz 3f
	cmpl rec_ip, %edx
	jne 1f
3:	call FN(pass)
	jmp 2f
1:	call FN(fail)
	SAY ": expected "
	movl arg_vec, %eax
	movl arg_err, %edx
	call FN(put_exc)
	movl try_ip, %edx
	testl %edx, %edx
	jz 4f
	SAY " at "
	call FN(hex32)
4:	SAY ", got "
	movl rec_vec, %eax
	movl rec_err, %edx
	call FN(put_exc)
	SAY " at "
	movl $rec_ip, %edi
	call FN(hex64)
	SAY "\n"
2:	POPA
	POPF
	ret

/* An exception that no test asked for. */
FN(unexpected):
	SAY "FAIL unexpected "
	movl rec_vec, %eax
	movl rec_err, %edx
	call FN(put_exc)
	SAY " at "
	movl $rec_ip, %edi
	call FN(hex64)
	SAY " cr2 "
	movl $rec_cr2, %edi
	call FN(hex64)
	SAY "\n"
	incl n_failed
	/* falls through */
FN(finish):
	cli
	movl n_passed, %eax
	call FN(dec)
	SAY " passed, "
	movl n_failed, %eax
	call FN(dec)
	SAY " failed\n"
	xorl %eax, %eax
	cmpl $0, n_failed
	setne %al
	outl %eax, $0xf4
1:	hlt
	jmp 1b
