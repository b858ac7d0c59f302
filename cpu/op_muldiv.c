/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Multiplication, division and decimal adjustment: MUL IMUL DIV IDIV, AAA AAS AAM AAD DAA DAS. SDM
 * vol. 1 5.1.2, 5.1.3.
 */
#include "cpu/alu.h"
#include "cpu/exc.h"
#include "cpu/operand.h"

typedef unsigned __int128 u128;

/* rDX:rAX, or AX for bytes. */
static u128 dividend(const struct core *c, unsigned size)
{
	if (size == 1)
		return gpr_read(c, RAX, 2);
	return (u128)gpr_read(c, RDX, size) << (size * 8) | gpr_read(c, RAX, size);
}

static void write_pair(struct core *c, unsigned size, uint64_t hi, uint64_t lo)
{
	if (size == 1) {
		gpr_write(c, RAX, 2, hi << 8 | lo);
	} else {
		gpr_write(c, RAX, size, lo);
		gpr_write(c, RDX, size, hi);
	}
}

void op_mul(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t b = op_read(c, i, 0), hi;
	uint64_t lo = alu_mul(&c->v.cc, gpr_read(c, RAX, size), b, size, &hi);
	write_pair(c, size, hi, lo);
}

void op_imul(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t b = op_read(c, i, 0), hi;
	uint64_t lo = alu_imul(&c->v.cc, gpr_read(c, RAX, size), b, size, &hi);
	write_pair(c, size, hi, lo);
}

void op_imul2(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t b = op_read(c, i, 1), hi;
	op_write(c, i, 0, alu_imul(&c->v.cc, op_read(c, i, 0), b, size, &hi));
}

void op_imul3(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t a = op_read(c, i, 1), hi;
	op_write(c, i, 0, alu_imul(&c->v.cc, a, op_source(c, i, 2, size), size, &hi));
}

void op_div(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t d = op_read(c, i, 0);
	u128 n = dividend(c, size);

	/* The quotient fits exactly when the high half is less than the divisor. */
	if ((uint64_t)(n >> (size * 8)) >= d)
		raise_exc(c, EXC_DE);
	if (size < 8)
		write_pair(c, size, (uint64_t)n % d, (uint64_t)n / d);
	else
		write_pair(c, size, (uint64_t)(n % d), (uint64_t)(n / d));
}

/* On magnitudes, which cannot overflow: the remainder has the dividend's sign. */
void op_idiv(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size, bits = size * 8;
	uint64_t raw = op_read(c, i, 0);
	u128 n = dividend(c, size);
	bool nneg = n >> (bits * 2 - 1) & 1, dneg = alu_msb(raw, size);
	uint64_t d = dneg ? alu_mask(-raw, size) : raw;
	u128 q, limit = ((u128)1 << (bits - 1)) - (nneg == dneg);
	uint64_t r;

	if (!d)
		raise_exc(c, EXC_DE);
	if (nneg)
		n = -n & (~(u128)0 >> (128 - bits * 2));
	if (n >> 64 == 0) {
		q = (uint64_t)n / d;
		r = (uint64_t)n % d;
	} else {
		q = n / d;
		r = (uint64_t)(n % d);
	}
	if (q > limit)
		raise_exc(c, EXC_DE);
	write_pair(c, size, alu_mask(nneg ? -r : r, size),
		   alu_mask(nneg == dneg ? (uint64_t)q : -(uint64_t)q, size));
}

void op_aam(struct core *c, const struct insn *i)
{
	uint8_t al = c->v.gpr[RAX], base = i->imm;

	if (!base)
		raise_exc(c, EXC_DE);
	gpr_write(c, RAX, 2, (uint64_t)(al / base) << 8 | al % base);
	c->v.cc = alu_szp(al % base, 1);
}

void op_aad(struct core *c, const struct insn *i)
{
	uint8_t al = c->v.gpr[RAX], ah = c->v.gpr[RAX] >> 8;
	uint64_t r = alu_add(&c->v.cc, al, (uint8_t)(ah * (uint8_t)i->imm), 1);

	gpr_write(c, RAX, 2, r);
}

/* AAA and AAS: CF and AF alike say whether an adjustment was made. */
static void ascii_adjust(struct core *c, int by)
{
	uint16_t ax = c->v.gpr[RAX];
	bool adjust = (ax & 0xf) > 9 || (c->v.cc & FL_AF);

	if (adjust)
		ax += by;
	gpr_write(c, RAX, 2, ax & 0xff0f);
	c->v.cc = alu_szp(ax & 0xf, 1) | (adjust ? FL_AF | FL_CF : 0);
}

void op_aaa(struct core *c, const struct insn *i)
{
	(void)i;
	ascii_adjust(c, 0x106);
}

void op_aas(struct core *c, const struct insn *i)
{
	(void)i;
	ascii_adjust(c, -0x106);
}

void op_daa(struct core *c, const struct insn *i)
{
	uint8_t al = c->v.gpr[RAX], r = al;
	bool af = (al & 0xf) > 9 || (c->v.cc & FL_AF), cf = al > 0x99 || (c->v.cc & FL_CF);
	(void)i;

	if (af)
		r += 6;
	if (cf)
		r += 0x60;
	gpr_write(c, RAX, 1, r);
	c->v.cc = alu_szp(r, 1) | (af ? FL_AF : 0) | cf;
}

/* The borrow of the low adjustment counts as carry too. */
void op_das(struct core *c, const struct insn *i)
{
	uint8_t al = c->v.gpr[RAX], r = al;
	bool af = (al & 0xf) > 9 || (c->v.cc & FL_AF), high = al > 0x99 || (c->v.cc & FL_CF);
	bool cf = high || (af && al < 6);
	(void)i;

	if (af)
		r -= 6;
	if (high)
		r -= 0x60;
	gpr_write(c, RAX, 1, r);
	c->v.cc = alu_szp(r, 1) | (af ? FL_AF : 0) | cf;
}
