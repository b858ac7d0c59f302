/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Binary arithmetic: ADD ADC SUB SBB CMP INC DEC NEG, ADCX ADOX. SDM vol. 1 5.1.2.
 */
#include "cpu/rmw.h"

void op_add(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_add, op_source(c, i, 1, i->o[0].size));
}

void op_adc(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_adc, op_source(c, i, 1, i->o[0].size));
}

void op_sub(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_sub, op_source(c, i, 1, i->o[0].size));
}

void op_sbb(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_sbb, op_source(c, i, 1, i->o[0].size));
}

void op_cmp(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t a = op_read(c, i, 0);
	alu_sub(&c->v.cc, a, op_source(c, i, 1, size), size);
}

static uint64_t inc(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	(void)b;
	return alu_inc(cc, a, size);
}

static uint64_t dec(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	(void)b;
	return alu_dec(cc, a, size);
}

static uint64_t neg(uint32_t *cc, uint64_t a, uint64_t b, unsigned size)
{
	(void)b;
	return alu_neg(cc, a, size);
}

void op_inc(struct core *c, const struct insn *i)
{
	op_modify(c, i, inc, 0);
}

void op_dec(struct core *c, const struct insn *i)
{
	op_modify(c, i, dec, 0);
}

void op_neg(struct core *c, const struct insn *i)
{
	op_modify(c, i, neg, 0);
}

/* Add with the carry in one flag, at bit `at`, and no other flag touched. */
static void add_through(struct core *c, const struct insn *i, unsigned at)
{
	unsigned size = i->o[0].size;
	uint32_t cc = c->v.cc >> at & 1;
	uint64_t b = op_read(c, i, 1);
	uint64_t r = alu_adc(&cc, op_read(c, i, 0), b, size);

	op_write(c, i, 0, r);
	c->v.cc = (c->v.cc & ~(1u << at)) | (cc & FL_CF) << at;
}

void op_adcx(struct core *c, const struct insn *i)
{
	add_through(c, i, 0);
}

void op_adox(struct core *c, const struct insn *i)
{
	add_through(c, i, 11);
}
