/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A multiboot 1 kernel, or with MB2 a multiboot 2 kernel: prints its loader's magic, the command line,
 * and the first module's arguments and contents on COM1, then leaves by isa-debug-exit.
 */
	.text
	.balign 8
header:
#ifdef MB2
	.long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
	.short 0, 0
	.long 8
header_end:
#else
	.long 0x1badb002, 3, -(0x1badb002 + 3)
#endif

	.code32
	.globl _start
_start:
	movl $stack_top, %esp
	movl %ebx, %ebp
	movl $magic, %esi
	call puts
#ifdef MB2
	cmpl $0x36d76289, %eax
#else
	cmpl $0x2badb002, %eax
#endif
	movl $bad, %esi
	jne 1f
	movl $good, %esi
1:	call puts

#ifdef MB2
	/* Tags follow the 8-byte header: type, size, payload; each aligned to 8. */
	leal 8(%ebp), %ebx
2:	movl (%ebx), %eax
	testl %eax, %eax
	jz done
	cmpl $1, %eax
	jne 3f
	movl $cmdline, %esi
	call puts
	leal 8(%ebx), %esi
	call puts
	jmp 4f
3:	cmpl $3, %eax
	jne 4f
	leal 16(%ebx), %edx
	movl 8(%ebx), %edi
	movl 12(%ebx), %ecx
	call module
4:	movl 4(%ebx), %eax
	addl $7, %eax
	andl $-8, %eax
	addl %eax, %ebx
	jmp 2b
#else
	movl $cmdline, %esi
	call puts
	movl 16(%ebp), %esi
	call puts
	cmpl $0, 20(%ebp)
	je done
	movl 24(%ebp), %ebx
	movl (%ebx), %edi
	movl 4(%ebx), %ecx
	movl 8(%ebx), %edx
	call module
#endif
done:
	movl $newline, %esi
	call puts
	movl $0xf4, %edx
	movl $0x10, %eax
	outb %al, %dx
5:	hlt
	jmp 5b

/* edx: arguments, edi..ecx: contents */
module:
	movl $modargs, %esi
	call puts
	movl %edx, %esi
	call puts
	movl $modtext, %esi
	call puts
	movl $0x3f8, %edx
6:	cmpl %ecx, %edi
	jae 7f
	movb (%edi), %al
	outb %al, %dx
	incl %edi
	jmp 6b
7:	ret

puts:	pushl %eax
	pushl %edx
	movl $0x3f8, %edx
8:	lodsb
	testb %al, %al
	jz 9f
	outb %al, %dx
	jmp 8b
9:	popl %edx
	popl %eax
	ret

magic:	.asciz "magic "
good:	.asciz "good"
bad:	.asciz "bad"
cmdline: .asciz "\ncmdline "
modargs: .asciz "\nmodule "
modtext: .asciz "\ncontents "
newline: .asciz "\n"
	.bss
	.skip 4096
stack_top:
	.section .note.GNU-stack, "", @progbits
