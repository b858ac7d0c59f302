/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A multiboot kernel that resets the machine in another way at each start, counting in a byte of CMOS
 * memory, and at last switches it off, to begin anew after that; says on COM1 what it does.
 */
#define COUNT  0x60
#define PM_CNT 0x604

	.text
	.balign 8
	.long 0x1badb002, 0, -0x1badb002

	.code32
	.globl _start
_start:
	movl $stack_top, %esp
	movb $COUNT, %al
	outb %al, $0x70
	inb $0x71, %al
	movzbl %al, %ebx
	incb %al
	outb %al, $0x71
	cmpl $4, %ebx
	ja end
	jmp *ways(,%ebx,4)

control:
	movl $control_text, %esi
	call puts
	movw $0xcf9, %dx
	movb $2, %al
	outb %al, %dx
	movb $6, %al
	outb %al, %dx
	jmp end
port92:
	movl $port92_text, %esi
	call puts
	inb $0x92, %al
	orb $1, %al
	outb %al, $0x92
	jmp end
keyboard:
	movl $keyboard_text, %esi
	call puts
	movb $0xfe, %al
	outb %al, $0x64
	jmp end
fault:
	movl $fault_text, %esi
	call puts
	lidt no_idt
	ud2
off:
	movl $off_text, %esi
	call puts
	movb $COUNT, %al
	outb %al, $0x70
	xorb %al, %al
	outb %al, $0x71
	movw $PM_CNT, %dx
	movw $0x2000, %ax
	outw %ax, %dx
end:
	hlt
	jmp end

puts:
	movw $0x3f8, %dx
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	ret

	.data
	.balign 4
ways:
	.long control, port92, keyboard, fault, off
no_idt:
	.short 0
	.long 0
control_text:
	.asciz "reset control register\n"
port92_text:
	.asciz "port 92h\n"
keyboard_text:
	.asciz "keyboard controller\n"
fault_text:
	.asciz "triple fault\n"
off_text:
	.asciz "soft off\n"

	.bss
	.balign 16
	.skip 4096
stack_top:

	.section .note.GNU-stack, "", @progbits
