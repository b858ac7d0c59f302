/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A multiboot guest that counts for ever, for gdb: a call, a loop, a variable.
 */
	.section .text
	.long	0x1badb002, 0, -0x1badb002
	.global	_start, step_up, counter
_start:
	mov	$stack, %esp
1:	call	step_up
	jmp	1b
step_up:
	mov	counter, %eax
	inc	%eax
	mov	%eax, counter
	ret

	.data
counter:
	.long	0
	.bss
	.skip	1024
stack:
