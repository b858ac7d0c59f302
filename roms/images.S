/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images embedded in the binary; declared in roms/roms.h.
 */
	.section .rodata
	.globl roms_guest_start, roms_guest_end, roms_bench_start, roms_bench_end
	.balign 16
roms_guest_start:
	.incbin "build/roms/guest.elf"
roms_guest_end:
	.balign 16
roms_bench_start:
	.incbin "build/roms/bench.elf"
roms_bench_end:

#ifdef SEABIOS
	.globl roms_seabios_start, roms_seabios_end
	.balign 16
roms_seabios_start:
	.incbin SEABIOS
roms_seabios_end:

	.globl roms_vgabios_start, roms_vgabios_end
	.balign 16
roms_vgabios_start:
	.incbin VGABIOS
roms_vgabios_end:

	.globl roms_vgabios_virtio_start, roms_vgabios_virtio_end
	.balign 16
roms_vgabios_virtio_start:
	.incbin VGABIOS_VIRTIO
roms_vgabios_virtio_end:
#endif

	.section .note.GNU-stack, "", @progbits
