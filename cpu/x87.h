/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The x87 register file: control, status and tag words, the stack, and its other face, MMX.
 * SDM vol. 1 chapters 8 and 9.
 */
#ifndef CPU_X87_H
#define CPU_X87_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core.h"

enum {
	FSW_IE = 1 << 0,
	FSW_DE = 1 << 1,
	FSW_ZE = 1 << 2,
	FSW_OE = 1 << 3,
	FSW_UE = 1 << 4,
	FSW_PE = 1 << 5,
	FSW_EXC = 0x3f,
	FSW_SF = 1 << 6,
	FSW_ES = 1 << 7,
	FSW_C0 = 1 << 8,
	FSW_C1 = 1 << 9,
	FSW_C2 = 1 << 10,
	FSW_TOP = 7 << 11,
	FSW_TOP_SHIFT = 11,
	FSW_C3 = 1 << 14,
	FSW_B = 1 << 15,

	FCW_EXC = 0x3f,
	FCW_DEFAULT = 0x37f,
};

static inline unsigned x87_top(const struct fpu *f)
{
	return f->fsw >> FSW_TOP_SHIFT & 7;
}
static inline unsigned x87_phys(const struct fpu *f, unsigned st)
{
	return (x87_top(f) + st) & 7;
}
static inline bool x87_used(const struct fpu *f, unsigned st)
{
	return f->ftw >> x87_phys(f, st) & 1;
}

/* ES and B follow from flags and masks. */
static inline uint16_t x87_summary(uint16_t fsw, uint16_t fcw)
{
	fsw &= ~(FSW_ES | FSW_B);
	return fsw & ~fcw & FSW_EXC ? fsw | FSW_ES | FSW_B : fsw;
}

/* Loads the control word as FLDCW does: bit 6 reads as one, bits 7 and 13-15 as zero. */
static inline void x87_set_fcw(struct fpu *f, uint16_t fcw)
{
	f->fcw = (fcw & 0x1f3f) | 0x40;
	f->fsw = x87_summary(f->fsw, f->fcw);
}

/* FNINIT; data registers keep their values. */
void x87_init(struct fpu *f);

/* Tag word of FNSAVE and FNSTENV, two bits a register, from the abridged one, and back. */
uint16_t x87_full_tags(const struct fpu *f);
uint8_t x87_abridge_tags(uint16_t full);

/* A waiting instruction found ES set: raises #MF, or with CR0.NE clear asserts FERR# and restarts the
 * instruction until the interrupt comes (SDM vol. 1 D.2). Returns when IGNNE# is asserted. */
void x87_report(struct core *c);

/* XINUSE: state components outside their initial configuration (SDM vol. 1 13.6). */
uint64_t xinuse(const struct core *c);

/* What every MMX instruction but EMMS does to the x87 state. Writers of an MMX register also set
 * sign and exponent to ones. */
static inline void mmx_enter(struct core *c)
{
	c->v.fpu.fsw &= ~FSW_TOP;
	c->v.fpu.ftw = 0xff;
}

#endif
