/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chooses a specialised run function for an instruction.
 */
#include "accel/interp_fast.h"

#include "cpu/check.h"

run_fn *fast_find(const struct fast *t, size_t n, const struct insn *i, enum shape s, bool dead)
{
	for (size_t k = 0; k < n; k++) {
		if (t[k].op != i->op || t[k].shape != s || t[k].size != i->o[0].size)
			continue;
		if (t[k].src && t[k].src != i->o[1].size)
			continue;
		return dead && t[k].dead ? t[k].dead : t[k].run;
	}
	return NULL;
}

void fast_stored(struct core *c, const struct insn *i)
{
	if (!c->leave)
		NEXT;
	c->insn = i;
	c->v.rip = insn_next(c, i);
}

static enum shape shape_of(const struct insn *i)
{
	unsigned a = i->o[0].kind, b = i->o[1].kind;
	if (i->o[2].kind != OPK_NONE)
		return OTHER;
	if (a == OPK_REG)
		return b == OPK_REG ? RR : b == OPK_IMM ? RI : b == OPK_MEM ? RM : b ? OTHER : R;
	if (a == OPK_MEM)
		return b == OPK_REG ? MR : b == OPK_IMM ? MI : b ? OTHER : MO;
	return OTHER;
}

run_fn *interp_fast(const struct insn *i, const struct core *c, bool flags_dead)
{
	enum shape s = shape_of(i);
	run_fn *run;
	if (i->lock || i->desc->attrs & (A_CHECKED | A_END))
		return NULL;
	/* A shift by 0 leaves the flags alone, which liveness does not know. */
	if ((i->op == op_shl || i->op == op_shr || i->op == op_sar) &&
	    (i->o[1].kind != OPK_IMM || !alu_count((unsigned)i->imm, i->o[0].size)))
		return NULL;
	run = fast_reg(i, s, flags_dead);
	if (!run)
		run = fast_flow(i, c);
	if (run)
		return run;
	if (s != RM && s != MR && s != MI && s != MO)
		return NULL;
	bool fsgs = i->seg == FS || i->seg == GS;
	if (i->mode == 8 && i->asz == 8)
		return fsgs ? fast_mem64_fsgs(i, s, flags_dead) : fast_mem64(i, s, flags_dead);
	/* Code segments are never writable. */
	if (i->mode == 4 && i->asz == 4 && c->flat && !fsgs && (i->seg != CS || s == RM))
		return fast_mem32(i, s, flags_dead);
	return NULL;
}
