/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE. SDM vol. 1 6.2, vol. 3B 21.3 (virtual-8086
 * interrupt flag).
 */
#include "cpu/exc.h"
#include "cpu/stack.h"

void op_push(struct core *c, const struct insn *i)
{
	push(c, op_source(c, i, 0, i->osz), i->osz);
}

/* A memory destination is addressed with the stack pointer as it is after the pop. */
void op_pop(struct core *c, const struct insn *i)
{
	unsigned osz = i->osz;
	uint64_t old = c->v.gpr[RSP], off;
	uint64_t val = stack_read(c, old, osz);

	if (i->o[0].kind == OPK_MEM) {
		stack_set(c, old + osz);
		off = ea(c, i);
		c->v.gpr[RSP] = old;
		mem_write_n(c, seg_lin(c, i->seg, off, osz, ACC_WRITE), val, osz);
		stack_set(c, old + osz);
	} else {
		stack_set(c, old + osz);
		op_write(c, i, 0, val);
	}
}

/* A fault part way leaves what has been stored; the stack pointer moves last, as in POPA. */
void op_pusha(struct core *c, const struct insn *i)
{
	unsigned osz = i->osz;
	uint64_t sp = c->v.gpr[RSP];

	for (unsigned n = 1; n <= 8; n++)
		stack_write(c, sp - n * osz, c->v.gpr[n - 1], osz);
	stack_set(c, sp - 8 * osz);
}

void op_popa(struct core *c, const struct insn *i)
{
	unsigned osz = i->osz;
	uint64_t sp = c->v.gpr[RSP];

	for (unsigned n = 0; n < 8; n++) {
		uint64_t val = stack_read(c, sp + n * osz, osz);
		if (7 - n != RSP)
			gpr_write(c, 7 - n, osz, val);
	}
	stack_set(c, sp + 8 * osz);
}

/* Virtual-8086 mode with IOPL below 3: PUSHF and POPF work on VIF if VME is on, in 16-bit form. */
static bool vme_flags(struct core *c, unsigned osz)
{
	if (!core_v86(c) || (c->v.rflags & FL_IOPL) == FL_IOPL)
		return false;
	if (!(c->v.cr4 & CR4_VME) || osz != 2)
		raise_gp(c, 0);
	return true;
}

void op_pushf(struct core *c, const struct insn *i)
{
	uint64_t fl = rflags_get(&c->v) & ~(uint64_t)(FL_VM | FL_RF);

	if (vme_flags(c, i->osz))
		fl = (fl & ~(uint64_t)FL_IF) | FL_IOPL | (fl & FL_VIF ? FL_IF : 0);
	push(c, fl, i->osz);
}

static void change_flags(struct core *c, uint64_t fl, uint64_t which)
{
	uint64_t old = rflags_get(&c->v), new = (old & ~which) | (fl & which);

	new &= ~(uint64_t)FL_RF;
	rflags_set(&c->v, new);
	if ((old ^ new) & (FL_TF | FL_AC | FL_VM))
		core_update_mode(c);
	c->leave |= (~old & new & FL_IF) != 0; /* an interrupt may be waiting */
}

void op_popf(struct core *c, const struct insn *i)
{
	uint64_t which = FL_STATUS | FL_TF | FL_DF | FL_NT;
	uint64_t sp = c->v.gpr[RSP];
	uint64_t fl;

	if (vme_flags(c, i->osz)) {
		fl = stack_read(c, sp, 2);
		if ((fl & FL_TF) || ((fl & FL_IF) && (c->v.rflags & FL_VIP)))
			raise_gp(c, 0);
		which |= FL_VIF;
		fl |= fl & FL_IF ? FL_VIF : 0;
	} else {
		fl = stack_read(c, sp, i->osz);
		if (i->osz > 2)
			which |= FL_AC | FL_ID;
		if (vcpu_cpl(&c->v) == 0)
			which |= FL_IOPL;
		if (vcpu_cpl(&c->v) <= (c->v.rflags & FL_IOPL) >> 12)
			which |= FL_IF;
	}
	stack_set(c, sp + i->osz);
	change_flags(c, fl, which);
}

void op_enter(struct core *c, const struct insn *i)
{
	unsigned osz = i->osz, level = i->imm2 & 31;
	uint64_t sp = c->v.gpr[RSP], bp = c->v.gpr[RBP], frame;

	sp -= osz;
	stack_write(c, sp, bp, osz);
	frame = stack_with(c, sp);
	if (level) {
		for (unsigned n = 1; n < level; n++) {
			bp -= osz;
			sp -= osz;
			stack_write(c, sp, stack_read(c, bp, osz), osz);
		}
		sp -= osz;
		stack_write(c, sp, frame, osz);
	}
	sp -= i->imm & 0xffff;
	/* The new top of the stack must be writable. */
	stack_check(c, sp, osz);
	stack_set(c, sp);
	gpr_write(c, RBP, osz, frame);
}

void op_leave(struct core *c, const struct insn *i)
{
	uint64_t bp = c->v.gpr[RBP], val = stack_read(c, bp, i->osz);

	stack_set(c, bp + i->osz);
	gpr_write(c, RBP, i->osz, val);
}
