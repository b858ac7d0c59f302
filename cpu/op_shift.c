/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shifts and rotates. SDM vol. 1 5.1.5.
 */
#include "cpu/rmw.h"

#define SHIFT(name)                                                                                \
	static uint64_t name(uint32_t *cc, uint64_t a, uint64_t n, unsigned size)                  \
	{                                                                                          \
		return alu_##name(cc, a, n, size);                                                 \
	}                                                                                          \
	void op_##name(struct core *c, const struct insn *i)                                       \
	{                                                                                          \
		op_modify(c, i, name, op_read(c, i, 1));                                           \
	}

SHIFT(rol)
SHIFT(ror)
SHIFT(rcl)
SHIFT(rcr)
SHIFT(shl)
SHIFT(shr)
SHIFT(sar)

typedef uint64_t double_fn(uint32_t *cc, uint64_t a, uint64_t b, unsigned n, unsigned size);

static void shift_double(struct core *c, const struct insn *i, double_fn *f)
{
	unsigned size = i->o[0].size, n = op_read(c, i, 2);
	uint64_t b = op_read(c, i, 1), a, val;
	uint32_t cc = c->v.cc;

	if (i->o[0].kind == OPK_MEM) {
		struct rmw m;
		a = rmw_begin(c, &m, lin_of(c, i, size, ACC_WRITE), size, false);
		val = f(&cc, a, b, n, size);
		rmw_commit(c, &m, &a, val);
	} else {
		op_write(c, i, 0, f(&cc, op_read(c, i, 0), b, n, size));
	}
	c->v.cc = cc;
}

void op_shld(struct core *c, const struct insn *i)
{
	shift_double(c, i, alu_shld);
}

void op_shrd(struct core *c, const struct insn *i)
{
	shift_double(c, i, alu_shrd);
}
