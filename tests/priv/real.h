/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Real-mode parts of a guest. They lie in .low, cannot reach the runtime at 1 MiB, and so note
 * their checks in a log that REAL prints after coming back.
 *
 *	REAL routine            runs the 16-bit routine in real mode and reports its log
 *	RTRY ... RRESULT        as TRY and RESULT; exceptions have no error code here
 *	RCHECK name, got, want  32-bit register, immediate or memory word
 *
 * All with CS = 0; also usable in virtual-8086 mode.
 */
	.macro REAL routine
	movl $\routine, %eax
	call call_real
	.endm

	.macro RCHECK name, got, want
	.pushsection .rodata
78:	.asciz "\name"
	.popsection
	pushw %di
	pushl \got
	movw %cs:l_out, %di
	popl %cs:4(%di)
	movl $78b, %cs:(%di)
	movl $(\want), %cs:8(%di)
	addw $12, %cs:l_out
	popw %di
	.endm

	.macro RTRY
	movw $77f, %cs:l_resume
	movw %sp, %cs:l_sp
	movw %ss, %cs:l_ss
	movl $V_NONE, %cs:l_vec
	movl $76f, %cs:l_ip
	movl $76f, %cs:l_try
76:
	.endm
	.macro RRESULT name, vec, at=try
77:
	xorl %eax, %eax
	movw %ax, %ds
	RCHECK "\name", l_vec, \vec
	.if \vec != V_NONE
	.ifc \at,try
	movl l_ip, %eax
	subl l_try, %eax
	RCHECK "\name: IP", %eax, 0
	.else
	.ifnc \at,any
	RCHECK "\name: IP", l_ip, \at
	.endif
	.endif
	.endif
	.endm
