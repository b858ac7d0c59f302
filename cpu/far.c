/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Far JMP, CALL and RET through code segments, call gates, task gates and TSSs.
 * SDM vol. 2 CALL, JMP, RET; vol. 3A 5.8.
 */
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/transfer.h"

uint64_t code_offset(struct core *c, const struct segment *cs, uint64_t rip)
{
	if (core_long(c) && cs->attr & SEG_L) {
		if (!core_canonical(c, rip))
			raise_gp(c, 0);
		return rip;
	}
	rip = (uint32_t)rip;
	if (rip > cs->limit)
		raise_gp(c, 0);
	return rip;
}

/* Transfers outside protected mode. */
static void far_real(struct core *c, uint16_t sel, uint64_t off, unsigned osz, uint64_t next,
		     bool call)
{
	struct vcpu *v = &c->v;
	struct stack st;

	off = osz == 2 ? (uint16_t)off : (uint32_t)off;
	if (off > (core_v86(c) ? 0xffff : v->seg[CS].limit))
		raise_gp(c, 0);
	if (call) {
		stack_current(c, &st);
		stack_push(c, &st, v->seg[CS].sel, osz);
		stack_push(c, &st, next, osz);
		v->gpr[RSP] = st.sp;
	}
	seg_load_real(c, CS, sel);
	v->rip = off;
}

/* Finishes a descriptor of a code segment that will run at level cpl. */
static void load_code(struct core *c, uint16_t sel, struct descriptor *d, unsigned cpl,
		      struct segment *cs)
{
	if (!desc_present(d->raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	if (core_long(c) && desc_long(d->raw) && desc_big(d->raw))
		raise_gp(c, sel & SEL_ERR);
	seg_set_accessed(c, sel, d);
	seg_unpack(cs, (sel & ~SEL_RPL) | cpl, d);
}

static void far_code(struct core *c, uint16_t sel, struct descriptor *d, uint64_t off, unsigned osz,
		     uint64_t next, bool call)
{
	unsigned cpl = vcpu_cpl(&c->v), rpl = sel & SEL_RPL, dpl = desc_dpl(d->raw);
	struct segment cs;
	struct stack st;

	if (desc_conforming(d->raw) ? dpl > cpl : rpl > cpl || dpl != cpl)
		raise_gp(c, sel & SEL_ERR);
	load_code(c, sel, d, cpl, &cs);
	off = code_offset(c, &cs, osz == 2 ? (uint16_t)off : off);
	if (call) {
		stack_current(c, &st);
		stack_push(c, &st, c->v.seg[CS].sel, osz);
		stack_push(c, &st, next, osz);
		c->v.gpr[RSP] = st.sp;
	}
	c->v.seg[CS] = cs;
	c->v.rip = off;
}

/* A call through a gate to a more privileged level: new stack, old one's pointer and parameters. */
static void gate_inner(struct core *c, const struct segment *cs, unsigned cpl, unsigned osz,
		       unsigned params, uint64_t next)
{
	struct vcpu *v = &c->v;
	struct stack old, st;

	stack_current(c, &old);
	if (core_long(c))
		stack_inner64(c, cpl, 0, &st);
	else
		stack_inner(c, cpl, &st);
	stack_push(c, &st, v->seg[SS].sel, osz);
	stack_push(c, &st, old.sp, osz);
	/* Parameters keep their order: the last one pushed by the caller ends up lowest. */
	for (unsigned n = params; n-- > 0;) {
		struct stack from = old;
		from.sp = (old.sp & ~old.mask) | ((old.sp + n * osz) & old.mask);
		stack_push(c, &st, stack_pop(c, &from, osz), osz);
	}
	stack_push(c, &st, v->seg[CS].sel, osz);
	stack_push(c, &st, next, osz);
	v->seg[SS] = st.seg;
	v->gpr[RSP] = st.sp;
	v->seg[CS] = *cs;
}

static void far_gate(struct core *c, uint16_t gate, const struct descriptor *g, uint64_t next,
		     bool call)
{
	struct vcpu *v = &c->v;
	unsigned cpl = vcpu_cpl(v), osz = core_long(c) ? 8 : desc_type(g->raw) & 8 ? 4 : 2;
	uint16_t sel = g->raw >> 16;
	uint64_t off = gate_offset(g->raw) | (uint64_t)g->base_hi << 32;
	struct descriptor d;
	struct segment cs;
	struct stack st;

	if (desc_dpl(g->raw) < cpl || (gate & SEL_RPL) > desc_dpl(g->raw) || g->hi_type)
		raise_gp(c, gate & SEL_ERR);
	if (!desc_present(g->raw))
		raise_err(c, EXC_NP, gate & SEL_ERR);
	if (!(sel & ~SEL_RPL))
		raise_gp(c, 0);
	if (!seg_fetch_descriptor(c, sel, &d) || !desc_code(d.raw) || desc_dpl(d.raw) > cpl)
		raise_gp(c, sel & SEL_ERR);
	if (core_long(c) && (!desc_long(d.raw) || desc_big(d.raw)))
		raise_gp(c, sel & SEL_ERR);

	bool inner = !desc_conforming(d.raw) && desc_dpl(d.raw) < cpl;
	if (inner && !call)
		raise_gp(c, sel & SEL_ERR);
	if (inner)
		cpl = desc_dpl(d.raw);
	load_code(c, sel, &d, cpl, &cs);
	off = code_offset(c, &cs, osz == 2 ? (uint16_t)off : off);
	if (inner) {
		gate_inner(c, &cs, cpl, osz, osz == 8 ? 0 : g->raw >> 32 & 31, next);
	} else {
		if (call) {
			stack_current(c, &st);
			stack_push(c, &st, v->seg[CS].sel, osz);
			stack_push(c, &st, next, osz);
			v->gpr[RSP] = st.sp;
		}
		v->seg[CS] = cs;
	}
	v->rip = off;
}

void task_descriptor(struct core *c, uint16_t sel, struct descriptor *d)
{
	if (sel & SEL_TI || !seg_fetch_descriptor(c, sel, d) || desc_user(d->raw) ||
	    (desc_type(d->raw) != SYS_TSS && desc_type(d->raw) != SYS_TSS16))
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d->raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
}

/* Through a TSS descriptor or a task gate. */
static void far_task(struct core *c, uint16_t sel, struct descriptor *d, uint64_t next, bool call)
{
	unsigned dpl = desc_dpl(d->raw);

	if (dpl < vcpu_cpl(&c->v) || (sel & SEL_RPL) > dpl)
		raise_gp(c, sel & SEL_ERR);
	if (desc_type(d->raw) == SYS_TASK) {
		if (!desc_present(d->raw))
			raise_err(c, EXC_NP, sel & SEL_ERR);
		sel = d->raw >> 16;
	}
	task_descriptor(c, sel, d);
	task_switch(c, sel, d, call ? TASK_CALL : TASK_JMP, false, 0, next);
}

static void far_transfer(struct core *c, uint16_t sel, uint64_t off, unsigned osz, uint64_t next,
			 bool call)
{
	struct descriptor d;

	if (!core_protected(c)) {
		far_real(c, sel, off, osz, next, call);
		core_update_mode(c);
		return;
	}
	if (!(sel & ~SEL_RPL))
		raise_gp(c, 0);
	if (!seg_fetch_descriptor(c, sel, &d))
		raise_gp(c, sel & SEL_ERR);
	if (desc_code(d.raw)) {
		far_code(c, sel, &d, off, osz, next, call);
	} else {
		unsigned type = desc_user(d.raw) ? 0 : desc_type(d.raw);
		bool legacy = !core_long(c);
		if (type == SYS_CALL || (type == SYS_CALL16 && legacy))
			far_gate(c, sel, &d, next, call);
		else if (legacy && (type == SYS_TASK || type == SYS_TSS || type == SYS_TSS16))
			far_task(c, sel, &d, next, call);
		else
			raise_gp(c, sel & SEL_ERR);
	}
	core_update_mode(c);
}

void far_jmp(struct core *c, uint16_t sel, uint64_t off, unsigned osz, uint64_t next)
{
	far_transfer(c, sel, off, osz, next, false);
}

void far_call(struct core *c, uint16_t sel, uint64_t off, unsigned osz, uint64_t next)
{
	far_transfer(c, sel, off, osz, next, true);
}

void return_code(struct core *c, uint16_t sel, struct segment *cs)
{
	unsigned rpl = sel & SEL_RPL;
	struct descriptor d;

	if (!(sel & ~SEL_RPL))
		raise_gp(c, 0);
	if (!seg_fetch_descriptor(c, sel, &d) || !desc_code(d.raw) || rpl < vcpu_cpl(&c->v))
		raise_gp(c, sel & SEL_ERR);
	if (desc_conforming(d.raw) ? desc_dpl(d.raw) > rpl : desc_dpl(d.raw) != rpl)
		raise_gp(c, sel & SEL_ERR);
	load_code(c, sel, &d, rpl, cs);
}

void return_stack(struct core *c, uint16_t sel, unsigned cpl, const struct segment *cs,
		  struct segment *ss)
{
	struct descriptor d;

	if (!(sel & ~SEL_RPL)) {
		if (!core_long(c) || !(cs->attr & SEG_L) || cpl == 3 || (sel & SEL_RPL) != cpl)
			raise_gp(c, 0);
		seg_set_null(ss, sel, cpl);
		return;
	}
	if (!seg_fetch_descriptor(c, sel, &d) || (sel & SEL_RPL) != cpl || !desc_stack(d.raw) ||
	    desc_dpl(d.raw) != cpl)
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_SS, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	seg_unpack(ss, sel, &d);
}

/* Data and non-conforming code segments more privileged than the new level become null. */
static void drop_inner_segments(struct vcpu *v, unsigned cpl)
{
	static const uint8_t regs[] = {ES, FS, GS, DS};
	for (unsigned n = 0; n < sizeof(regs); n++) {
		struct segment *s = &v->seg[regs[n]];
		bool conforming = (s->attr & (SEG_X | SEG_C)) == (SEG_X | SEG_C);
		/* Null ones stay as they are: 64-bit mode goes on using their bases. */
		if (!(s->attr & SEG_NULL) && (s->attr >> SEG_DPL_SHIFT & 3) < cpl && !conforming)
			seg_set_null(s, 0, 0);
	}
}

void return_outer(struct core *c, const struct segment *cs, const struct segment *ss, uint64_t sp)
{
	struct vcpu *v = &c->v;
	unsigned old = vcpu_cpl(v), cpl = cs->sel & SEL_RPL;

	v->seg[CS] = *cs;
	v->seg[SS] = *ss;
	if (core_long(c) && cs->attr & SEG_L)
		v->gpr[RSP] = sp;
	else if (ss->attr & SEG_DB)
		v->gpr[RSP] = (uint32_t)sp;
	else
		v->gpr[RSP] = (v->gpr[RSP] & ~(uint64_t)0xffff) | (uint16_t)sp;
	if (cpl != old)
		drop_inner_segments(v, cpl);
}

static void far_ret_real(struct core *c, unsigned osz, uint16_t pop_bytes)
{
	struct stack st;

	stack_current(c, &st);
	uint64_t rip = stack_pop(c, &st, osz);
	uint16_t sel = (uint16_t)stack_pop(c, &st, osz);
	if (rip > c->v.seg[CS].limit)
		raise_gp(c, 0);
	c->v.gpr[RSP] = (st.sp & ~st.mask) | ((st.sp + pop_bytes) & st.mask);
	seg_load_real(c, CS, sel);
	c->v.rip = rip;
}

void far_ret(struct core *c, unsigned osz, uint16_t pop_bytes)
{
	struct vcpu *v = &c->v;
	struct segment cs, ss;
	struct stack st;

	if (!core_protected(c)) {
		far_ret_real(c, osz, pop_bytes);
		core_update_mode(c);
		return;
	}
	stack_current(c, &st);
	uint64_t rip = stack_pop(c, &st, osz);
	uint16_t sel = (uint16_t)stack_pop(c, &st, osz);
	return_code(c, sel, &cs);
	st.sp = (st.sp & ~st.mask) | ((st.sp + pop_bytes) & st.mask);
	if ((sel & SEL_RPL) == vcpu_cpl(v)) {
		rip = code_offset(c, &cs, rip);
		v->gpr[RSP] = st.sp;
		v->seg[CS] = cs;
	} else {
		uint64_t sp = stack_pop(c, &st, osz);
		uint16_t ss_sel = (uint16_t)stack_pop(c, &st, osz);
		return_stack(c, ss_sel, sel & SEL_RPL, &cs, &ss);
		rip = code_offset(c, &cs, rip);
		return_outer(c, &cs, &ss, sp + pop_bytes);
	}
	v->rip = rip;
	core_update_mode(c);
}
