/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the x87 operations share: the stack, the pointer registers, and the step from the quick way
 * of cpu/x87_host.h to the full one.
 */
#ifndef CPU_X87_OP_H
#define CPU_X87_OP_H

#include "cpu/mem.h"
#include "cpu/opcode.h"
#include "cpu/x87.h"
#include "cpu/x87_host.h"

static inline bool x87_is_mem(const struct insn *i)
{
	return i->modrm < 0xc0;
}
static inline unsigned x87_sti(const struct insn *i)
{
	return i->modrm & 7;
}

static inline struct x87_reg *x87_st(struct fpu *f, unsigned n)
{
	return &f->r[x87_phys(f, n)];
}

static inline void x87_set_top(struct fpu *f, unsigned top)
{
	f->fsw = (f->fsw & ~FSW_TOP) | (top & 7) << FSW_TOP_SHIFT;
}
static inline void x87_pop(struct fpu *f)
{
	unsigned top = x87_top(f);
	f->ftw &= ~(1u << top);
	x87_set_top(f, top + 1);
}
/* The new ST0, in use. */
static inline struct x87_reg *x87_push(struct fpu *f)
{
	unsigned top = (x87_top(f) - 1) & 7;
	f->ftw |= 1u << top;
	x87_set_top(f, top);
	return &f->r[top];
}
static inline bool x87_room(const struct fpu *f)
{
	return !x87_used(f, 7);
}

/* Not a struct assignment: the parts were stored, and will be loaded, as 8 and 2 bytes. */
static inline void x87_copy(struct x87_reg *d, const struct x87_reg *s)
{
	d->mant = s->mant;
	d->se = s->se;
}

/* FOP, FIP, FCS and, with a memory operand, FDP and FDS after every instruction that is not a
 * control instruction. Processors differ in when they show the pointers, see fxstate.h. */
static inline void x87_record(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	f->fop = (i->desc->opcode & 7) << 8 | i->modrm;
	f->fip = insn_rip(c, i);
	f->fcs = c->v.seg[CS].sel;
	if (x87_is_mem(i)) {
		f->fdp = ea(c, i);
		f->fds = c->v.seg[i->seg].sel;
	}
}

/* A quick run with all exceptions masked. Underflow is recognised differently when unmasked, so
 * that needs the full way from the start. */
static inline bool x87_quick(const struct fpu *f)
{
	return f->fcw & FSW_UE;
}
/* Whether its result counts. */
static inline bool x87_fine(const struct fpu *f, uint16_t sw)
{
	return !(sw & ~f->fcw & FSW_EXC);
}

/* Ends an instruction that came by the quick way: `cc` are the condition codes it defines. */
static inline void x87_done(struct core *c, const struct insn *i, uint16_t sw, uint16_t cc)
{
	struct fpu *f = &c->v.fpu;
	f->fsw = (f->fsw & ~cc) | (sw & (FSW_EXC | cc));
	x87_record(c, i);
}

/* The full way, and done. mem: what was read from memory, or NULL. */
void x87_full(struct core *c, const struct insn *i, void *mem);
/* The same for instructions that store `size` bytes: nothing is stored when an unmasked exception
 * forbids it, and nothing else changes when the store faults. */
void x87_full_store(struct core *c, const struct insn *i, unsigned size);

#endif
