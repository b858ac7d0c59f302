/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Logical instructions: AND OR XOR NOT TEST. SDM vol. 1 5.1.4.
 */
#include "cpu/rmw.h"

void op_and(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_and, op_source(c, i, 1, i->o[0].size));
}

void op_or(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_or, op_source(c, i, 1, i->o[0].size));
}

void op_xor(struct core *c, const struct insn *i)
{
	op_modify(c, i, alu_xor, op_source(c, i, 1, i->o[0].size));
}

void op_test(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t a = op_read(c, i, 0);
	alu_and(&c->v.cc, a, op_source(c, i, 1, size), size);
}

static uint64_t not(uint32_t * cc, uint64_t a, uint64_t b, unsigned size)
{
	(void)cc;
	(void)b;
	return alu_mask(~a, size);
}

void op_not(struct core *c, const struct insn *i)
{
	op_modify(c, i, not, 0);
}
