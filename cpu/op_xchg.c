/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Exchanges: XCHG XADD CMPXCHG CMPXCHG8B CMPXCHG16B. SDM vol. 1 5.1.1, 7.3.1.
 */
#include "cpu/exc.h"
#include "cpu/rmw.h"

/* With a memory operand XCHG is locked, LOCK or not. */
void op_xchg(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t b = op_read(c, i, 1), a;

	if (i->o[0].kind == OPK_MEM) {
		struct rmw m;
		a = rmw_begin(c, &m, lin_of(c, i, size, ACC_WRITE), size, true);
		while (!rmw_commit(c, &m, &a, b))
			;
	} else {
		a = op_read(c, i, 0);
		op_write(c, i, 0, b);
	}
	op_write(c, i, 1, a);
}

/* The sum is written last: it stays when both operands are one register. */
void op_xadd(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t b = op_read(c, i, 1), a, sum;
	uint32_t cc;

	if (i->o[0].kind == OPK_MEM) {
		struct rmw m;
		a = rmw_begin(c, &m, lin_of(c, i, size, ACC_WRITE), size, i->lock);
		do {
			sum = alu_add(&cc, a, b, size);
		} while (!rmw_commit(c, &m, &a, sum));
		op_write(c, i, 1, a);
	} else {
		a = op_read(c, i, 0);
		sum = alu_add(&cc, a, b, size);
		op_write(c, i, 1, a);
		op_write(c, i, 0, sum);
	}
	c->v.cc = cc;
}

/* The destination is written in both cases: with its old value when the comparison fails. */
void op_cmpxchg(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t acc = gpr_read(c, RAX, size), src = op_read(c, i, 1), old;

	if (i->o[0].kind == OPK_MEM) {
		struct rmw m;
		old = rmw_begin(c, &m, lin_of(c, i, size, ACC_WRITE), size, i->lock);
		while (!rmw_commit(c, &m, &old, old == acc ? src : old))
			;
	} else {
		old = op_read(c, i, 0);
		if (old == acc)
			op_write(c, i, 0, src);
	}
	if (old != acc)
		gpr_write(c, RAX, size, old);
	alu_sub(&c->v.cc, acc, old, size);
}

static void set_zf(struct core *c, bool zf)
{
	c->v.cc = (c->v.cc & ~FL_ZF) | (zf ? FL_ZF : 0);
}

void op_cmpxchg8b(struct core *c, const struct insn *i)
{
	uint64_t want = gpr_read(c, RDX, 4) << 32 | gpr_read(c, RAX, 4);
	uint64_t val = gpr_read(c, RCX, 4) << 32 | gpr_read(c, RBX, 4), old;
	struct rmw m;

	old = rmw_begin(c, &m, lin_of(c, i, 8, ACC_WRITE), 8, i->lock);
	while (!rmw_commit(c, &m, &old, old == want ? val : old))
		;
	if (old != want) {
		gpr_write(c, RAX, 4, old);
		gpr_write(c, RDX, 4, old >> 32);
	}
	set_zf(c, old == want);
}

void op_cmpxchg16b(struct core *c, const struct insn *i)
{
	uint64_t old[2] = {c->v.gpr[RAX], c->v.gpr[RDX]};
	const uint64_t val[2] = {c->v.gpr[RBX], c->v.gpr[RCX]};
	uint64_t base = i->seg >= FS ? c->v.seg[i->seg].base : 0;

	if ((ea(c, i) + base) & 15)
		raise_gp(c, 0);
	uint64_t lin = lin_of(c, i, 16, ACC_WRITE);
	if (rmw_cas16(c, lin, old, val)) {
		set_zf(c, true);
	} else {
		c->v.gpr[RAX] = old[0];
		c->v.gpr[RDX] = old[1];
		set_zf(c, false);
	}
}
