/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading and writing decoded integer operands by index.
 */
#ifndef CPU_OPERAND_H
#define CPU_OPERAND_H

#include "cpu/mem.h"

static inline uint64_t size_mask(unsigned size)
{
	return size == 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

static inline int64_t sext(uint64_t v, unsigned size)
{
	unsigned sh = 64 - size * 8;
	return (int64_t)(v << sh) >> sh;
}

/* General register of `size` bytes; 32-bit writes clear the upper half. */
static inline uint64_t gpr_read(const struct core *c, unsigned reg, unsigned size)
{
	return c->v.gpr[reg] & size_mask(size);
}

static inline void gpr_write(struct core *c, unsigned reg, unsigned size, uint64_t val)
{
	if (size >= 4)
		c->v.gpr[reg] = size == 8 ? val : (uint32_t)val;
	else
		c->v.gpr[reg] = (c->v.gpr[reg] & ~size_mask(size)) | (val & size_mask(size));
}

/* Operand n, zero-extended from its size. */
static inline uint64_t op_read(struct core *c, const struct insn *i, unsigned n)
{
	const struct operand *o = &i->o[n];
	switch (o->kind) {
	case OPK_REG:
		return gpr_read(c, o->reg, o->size);
	case OPK_REGH:
		return c->v.gpr[o->reg] >> 8 & 0xff;
	case OPK_MEM:
		return mem_read_n(c, lin_of(c, i, o->size, ACC_READ), o->size);
	case OPK_IMM2:
		return i->imm2;
	default:
		return o->size ? i->imm & size_mask(o->size) : i->imm;
	}
}

/* Source operand n of an operation on `size` bytes: immediates may be encoded shorter. */
static inline uint64_t op_source(struct core *c, const struct insn *i, unsigned n, unsigned size)
{
	return i->o[n].kind == OPK_IMM ? i->imm & size_mask(size) : op_read(c, i, n);
}

static inline void op_write(struct core *c, const struct insn *i, unsigned n, uint64_t val)
{
	const struct operand *o = &i->o[n];
	if (o->kind == OPK_REG)
		gpr_write(c, o->reg, o->size, val);
	else if (o->kind == OPK_REGH)
		c->v.gpr[o->reg] = (c->v.gpr[o->reg] & ~0xff00ull) | (val & 0xff) << 8;
	else
		mem_write_n(c, lin_of(c, i, o->size, ACC_WRITE), val, o->size);
}

#endif
