/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * BMI1 and BMI2: VEX-encoded instructions on general registers. SDM vol. 1 5.1.16.
 */
#include "cpu/alu.h"
#include "cpu/operand.h"

static uint32_t sign_zero(uint64_t r, unsigned size)
{
	return alu_szp(r, size) & (FL_SF | FL_ZF);
}

void op_andn(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t r = ~op_read(c, i, 1) & op_read(c, i, 2);

	op_write(c, i, 0, r);
	c->v.cc = sign_zero(r, size);
}

void op_blsr(struct core *c, const struct insn *i)
{
	uint64_t a = op_read(c, i, 1), r = a & (a - 1);

	op_write(c, i, 0, r);
	c->v.cc = sign_zero(r, i->o[0].size) | (a ? 0 : FL_CF);
}

void op_blsmsk(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t a = op_read(c, i, 1), r = alu_mask(a ^ (a - 1), size);

	op_write(c, i, 0, r);
	c->v.cc = sign_zero(r, size) | (a ? 0 : FL_CF);
}

void op_blsi(struct core *c, const struct insn *i)
{
	uint64_t a = op_read(c, i, 1), r = a & -a;

	op_write(c, i, 0, r);
	c->v.cc = sign_zero(r, i->o[0].size) | (a ? FL_CF : 0);
}

void op_bextr(struct core *c, const struct insn *i)
{
	uint64_t a = op_read(c, i, 1), ctl = op_read(c, i, 2);
	unsigned start = ctl & 0xff, len = ctl >> 8 & 0xff;
	uint64_t r = start < 64 ? a >> start : 0;

	if (len < 64)
		r &= (1ull << len) - 1;
	op_write(c, i, 0, r);
	c->v.cc = r ? 0 : FL_ZF;
}

void op_bzhi(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t r = op_read(c, i, 1);
	unsigned n = op_read(c, i, 2) & 0xff;
	bool past = n >= size * 8;

	if (!past)
		r &= (1ull << n) - 1;
	op_write(c, i, 0, r);
	c->v.cc = sign_zero(r, size) | past;
}

void op_pdep(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1), mask = op_read(c, i, 2), r = 0;

	for (; mask; mask &= mask - 1, src >>= 1)
		if (src & 1)
			r |= mask & -mask;
	op_write(c, i, 0, r);
}

void op_pext(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1), mask = op_read(c, i, 2), r = 0;

	for (uint64_t bit = 1; mask; mask &= mask - 1, bit <<= 1)
		if (src & mask & -mask)
			r |= bit;
	op_write(c, i, 0, r);
}

/* The high half is written last: it stays when both destinations are one register. */
void op_mulx(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t a = gpr_read(c, RDX, size), b = op_read(c, i, 2), lo, hi;
	uint32_t cc;

	lo = alu_mul(&cc, a, b, size, &hi);
	op_write(c, i, 1, lo);
	op_write(c, i, 0, hi);
}

void op_rorx(struct core *c, const struct insn *i)
{
	uint32_t cc = 0;
	uint64_t a = op_read(c, i, 1);
	op_write(c, i, 0, alu_ror(&cc, a, i->imm, i->o[0].size));
}

void op_sarx(struct core *c, const struct insn *i)
{
	uint32_t cc;
	uint64_t a = op_read(c, i, 1);
	op_write(c, i, 0, alu_sar(&cc, a, op_read(c, i, 2), i->o[0].size));
}

void op_shlx(struct core *c, const struct insn *i)
{
	uint32_t cc;
	uint64_t a = op_read(c, i, 1);
	op_write(c, i, 0, alu_shl(&cc, a, op_read(c, i, 2), i->o[0].size));
}

void op_shrx(struct core *c, const struct insn *i)
{
	uint32_t cc;
	uint64_t a = op_read(c, i, 1);
	op_write(c, i, 0, alu_shr(&cc, a, op_read(c, i, 2), i->o[0].size));
}
