/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The legacy region of the FXSAVE and XSAVE areas, to and from the canonical state. Pure: usable by
 * every engine. SDM vol. 1 10.5.1, 13.5.
 */
#ifndef CPU_FXSTATE_H
#define CPU_FXSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/vcpu.h"

enum {
	FX_X87_SIZE = 160, /* x87 part, with MXCSR in the middle */
	FX_MXCSR = 24,     /* offsets */
	FX_MXCSR_MASK = 28,
	FX_XMM = 160,
	FX_SIZE = 416, /* what FXSAVE writes of its 512 bytes */
};

#define MXCSR_RESET 0x1f80u
#define MXCSR_VALID 0xffffu /* MXCSR_MASK; other bits are #GP */

enum fx_form {
	FX_64 = 1,          /* REX.W: 64-bit FIP and FDP instead of selectors and offsets */
	FX_NO_POINTERS = 2, /* FOP, FIP, FDP, FCS, FDS are written as zero while no exception is
			       pending, as AMD processors do */
};

/* Bytes 0-23 and 32-159; MXCSR and its mask are left alone. `form` is a set of enum fx_form. */
void fx_pack_x87(uint8_t *area, const struct fpu *f, unsigned form);
void fx_unpack_x87(struct fpu *f, const uint8_t *area, unsigned form);

/* The x87 state is what FNINIT makes with all data registers zero. */
bool fx_x87_is_init(const struct fpu *f);
void fx_x87_init(struct fpu *f);

/* The whole 512-byte FXSAVE64 image with MXCSR and 16 XMM registers; bytes past FX_SIZE are left
 * alone. Unpacking ignores reserved MXCSR bits. */
void fx_pack(uint8_t area[512], const struct vcpu *v, unsigned form);
void fx_unpack(struct vcpu *v, const uint8_t area[512], unsigned form);

#endif
