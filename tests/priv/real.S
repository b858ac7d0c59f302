/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * To real mode and back, and the exception handlers there.
 */
#include "rt.h"

	.text
	MODE32
	.globl call_real
call_real:
	pushal
	movl %esp, saved_esp
	movl %eax, %ecx
	movl $log, %edi
	movw %di, l_out
	movl on_tcg, %edi
	movw %di, l_tcg
	/* An IVT of our own. */
	movl $rm_stubs, %eax
	xorl %edi, %edi
1:	movl %eax, (%edi)
	addl $8, %eax
	addl $4, %edi
	cmpl $1024, %edi
	jne 1b
	lidtl ivt_ptr
	ljmp $KC16, $to_real
from_real:
	movl $KD, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	movl saved_esp, %esp
	lidtl idt32_ptr
	/* The log. */
	movl $log, %esi
1:	movzwl l_out, %eax
	cmpl %eax, %esi
	je 2f
	movl (%esi), %eax
	movl %eax, arg_name
	movl 4(%esi), %eax
	movl %eax, arg_got
	movl $0, arg_got + 4
	movl 8(%esi), %eax
	movl %eax, arg_want
	movl $0, arg_want + 4
	call check_eq32
	addl $12, %esi
	jmp 1b
2:	popal
	ret

	.section .low, "awx"
	MODE16
to_real:
	movw $KD16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %cr0, %eax
	andb $~CR0_PE, %al
	movl %eax, %cr0
	ljmp $0, $1f
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl $0x7ff0, %esp
	callw *%cx
	cli
	cld
	movl %cr0, %eax
	orb $CR0_PE, %al
	movl %eax, %cr0
	ljmpl $KC32, $from_real

	.balign 8
	.globl rm_stubs
rm_stubs:
	.set n, 0
	.rept 256
	.balign 8
	pushw $n
	jmp rm_record
	.set n, n + 1
	.endr

rm_record:
	popw %cs:l_vec
	movw $0, %cs:l_vec + 2
	popw %cs:l_ip
	movw $0, %cs:l_ip + 2
	popw %cs:l_cs
	popw %cs:l_fl
	movw %sp, %cs:l_at
	movw %cs:l_ss, %ss
	movzwl %cs:l_sp, %esp
	jmpw *%cs:l_resume

	.globl l_tcg, l_out, l_resume, l_sp, l_ss, l_vec, l_ip, l_try, l_cs, l_fl, l_at, ivt_ptr, log
	.balign 4
l_vec: .long 0
l_ip: .long 0
l_try: .long 0
l_cs: .long 0
l_fl: .long 0
l_at: .long 0
l_out: .word 0
l_resume: .word 0
l_sp: .word 0
l_tcg: .word 0
l_ss: .word 0
ivt_ptr:
	.word 0x3ff
	.long 0
	.balign 4
log: .fill 12 * 300, 1, 0

	.bss
saved_esp: .skip 8
