/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images embedded in the binary; declared in roms/roms.h.
 */
	.section .rodata
	.globl roms_guest_start, roms_guest_end
	.balign 16
roms_guest_start:
	.incbin GUEST_ELF
roms_guest_end:

	.section .note.GNU-stack, "", @progbits
