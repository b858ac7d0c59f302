/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Entering interrupt and exception handlers through the IVT or IDT. SDM vol. 2 INT n (the
 * pseudo-code), vol. 3A 6.10-6.14, 20.2-20.3 (virtual-8086 mode, VME).
 *
 * The handler's state is worked out completely, pushes included, before CS, SS and the flags
 * change: a fault on the way leaves the interrupted state as it was.
 */
#include "cpu/deliver.h"

#include "cpu/mem.h"
#include "cpu/transfer.h"

enum { ERR_IDT = 2 };

static unsigned iopl(const struct vcpu *v)
{
	return v->rflags >> 12 & 3;
}

static uint32_t idt_error(const struct event *e)
{
	return e->vector * 8u + ERR_IDT;
}

/* Flags as pushed. */
static uint64_t flags_image(const struct core *c, const struct event *e)
{
	uint64_t fl = rflags_get(&c->v);
	return e->rf ? fl | FL_RF : fl;
}

static void enter_flags(struct vcpu *v, bool interrupt_gate)
{
	v->rflags &= ~(uint32_t)(FL_TF | FL_NT | FL_RF | FL_VM);
	if (interrupt_gate)
		v->rflags &= ~(uint32_t)FL_IF;
}

/* Real mode, and virtual-8086 software interrupts that stay inside (SDM vol. 3A table 20-2,
 * methods 5 and 6). table: linear address of the IVT. */
static void through_ivt(struct core *c, const struct event *e, uint64_t table, uint64_t flags,
			uint64_t next)
{
	struct vcpu *v = &c->v;
	uint32_t vec = sys_read32(c, sys_lin(c, table + e->vector * 4));
	struct stack st;

	stack_current(c, &st);
	stack_push(c, &st, flags, 2);
	stack_push(c, &st, v->seg[CS].sel, 2);
	stack_push(c, &st, next, 2);
	v->gpr[RSP] = st.sp;
	seg_load_real(c, CS, vec >> 16);
	v->rip = vec & 0xffff;
}

static void real_event(struct core *c, const struct event *e, uint64_t next)
{
	if (e->vector * 4u + 3 > c->v.idt.limit)
		raise_gp(c, idt_error(e));
	through_ivt(c, e, c->v.idt.base, flags_image(c, e), next);
	c->v.rflags &= ~(uint32_t)(FL_IF | FL_TF | FL_RF | FL_AC);
}

/* CR4.VME: the interrupt redirection bitmap lies below the I/O bitmap; 0 keeps INT n inside. */
static bool v86_redirected(struct core *c, unsigned vector)
{
	const struct segment *tr = &c->v.tr;
	if (!(c->v.cr4 & CR4_VME) || !(tr->attr & 8) || tr->limit < 0x67)
		return false;
	uint32_t at = sys_read16(c, sys_lin(c, tr->base + 0x66));
	at += vector / 8;
	if (at < 32 || at - 32 > tr->limit)
		return false;
	return !(sys_read8(c, sys_lin(c, tr->base + at - 32)) >> (vector & 7) & 1);
}

/* INT n in virtual-8086 mode; false: through the IDT like any other. */
static bool v86_software(struct core *c, const struct event *e, uint64_t next)
{
	struct vcpu *v = &c->v;

	if (!v86_redirected(c, e->vector)) {
		if (iopl(v) < 3)
			raise_gp(c, 0);
		return false;
	}
	uint64_t flags = rflags_get(v);
	if (iopl(v) < 3) {
		flags = (flags & ~(uint64_t)FL_IF) | FL_IOPL | (flags & FL_VIF ? FL_IF : 0);
		through_ivt(c, e, 0, flags, next);
		v->rflags &= ~(uint32_t)(FL_VIF | FL_TF);
	} else {
		through_ivt(c, e, 0, flags, next);
		v->rflags &= ~(uint32_t)(FL_IF | FL_TF);
	}
	return true;
}

/* The handler's code segment with the checks that all gates share. */
static void gate_code(struct core *c, uint16_t sel, struct descriptor *d, struct segment *cs)
{
	struct vcpu *v = &c->v;
	unsigned cpl = vcpu_cpl(v);

	if (!(sel & ~SEL_RPL))
		raise_gp(c, 0);
	if (!seg_fetch_descriptor(c, sel, d) || !desc_code(d->raw) || desc_dpl(d->raw) > cpl)
		raise_gp(c, sel & SEL_ERR);
	if (core_long(c) && (!desc_long(d->raw) || desc_big(d->raw)))
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d->raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	if (!desc_conforming(d->raw))
		cpl = desc_dpl(d->raw);
	/* Virtual-8086 mode is left for level 0 only. */
	if (core_v86(c) && cpl != 0)
		raise_gp(c, sel & SEL_ERR);
	seg_set_accessed(c, sel, d);
	seg_unpack(cs, (sel & ~SEL_RPL) | cpl, d);
}

static void gate_checks(struct core *c, const struct event *e, uint64_t gate, unsigned types)
{
	if (desc_user(gate) || !(types >> desc_type(gate) & 1))
		raise_gp(c, idt_error(e));
	if (e->kind == EVENT_SOFT && desc_dpl(gate) < vcpu_cpl(&c->v))
		raise_gp(c, idt_error(e));
	if (!desc_present(gate))
		raise_err(c, EXC_NP, idt_error(e));
}

static void through_task_gate(struct core *c, const struct event *e, uint16_t sel, uint64_t next)
{
	struct descriptor d;
	task_descriptor(c, sel, &d);
	if (e->rf)
		c->v.rflags |= FL_RF;
	task_switch(c, sel, &d, TASK_INT, e->has_error, e->error, next);
}

static void protected_event(struct core *c, const struct event *e, uint64_t next)
{
	const unsigned types =
	    1u << SYS_TASK | 1u << SYS_INT16 | 1u << SYS_TRAP16 | 1u << SYS_INT | 1u << SYS_TRAP;
	struct vcpu *v = &c->v;
	struct descriptor d;
	struct segment cs;
	struct stack st;

	if (e->vector * 8u + 7 > v->idt.limit)
		raise_gp(c, idt_error(e));
	uint64_t gate = sys_read64(c, sys_lin(c, v->idt.base + e->vector * 8));
	gate_checks(c, e, gate, types);
	if (desc_type(gate) == SYS_TASK) {
		through_task_gate(c, e, gate >> 16, next);
		return;
	}
	unsigned osz = desc_type(gate) & 8 ? 4 : 2;
	gate_code(c, gate >> 16, &d, &cs);
	unsigned cpl = cs.sel & SEL_RPL;
	bool v86 = core_v86(c), inner = cpl != vcpu_cpl(v);
	uint64_t rip = code_offset(c, &cs, osz == 2 ? gate & 0xffff : gate_offset(gate));

	if (inner) {
		stack_inner(c, cpl, &st);
		if (v86) {
			static const uint8_t saved[] = {GS, FS, DS, ES};
			for (unsigned n = 0; n < sizeof(saved); n++)
				stack_push(c, &st, v->seg[saved[n]].sel, osz);
		}
		stack_push(c, &st, v->seg[SS].sel, osz);
		stack_push(c, &st, v->gpr[RSP], osz);
	} else {
		stack_current(c, &st);
	}
	stack_push(c, &st, flags_image(c, e), osz);
	stack_push(c, &st, v->seg[CS].sel, osz);
	stack_push(c, &st, next, osz);
	if (e->has_error)
		stack_push(c, &st, e->error, osz);

	if (v86) {
		seg_set_null(&v->seg[ES], 0, 0);
		seg_set_null(&v->seg[DS], 0, 0);
		seg_set_null(&v->seg[FS], 0, 0);
		seg_set_null(&v->seg[GS], 0, 0);
	}
	v->seg[SS] = st.seg;
	v->gpr[RSP] = st.sp;
	v->seg[CS] = cs;
	v->rip = rip;
	enter_flags(v, desc_type(gate) == SYS_INT || desc_type(gate) == SYS_INT16);
}

static void long_event(struct core *c, const struct event *e, uint64_t next)
{
	const unsigned types = 1u << SYS_INT | 1u << SYS_TRAP;
	struct vcpu *v = &c->v;
	struct descriptor d;
	struct segment cs;
	struct stack st;

	if (e->vector * 16u + 15 > v->idt.limit)
		raise_gp(c, idt_error(e));
	uint64_t gate = sys_read64(c, v->idt.base + e->vector * 16);
	uint64_t high = (uint64_t)sys_read32(c, v->idt.base + e->vector * 16 + 8) << 32;
	gate_checks(c, e, gate, types);
	gate_code(c, gate >> 16, &d, &cs);
	unsigned cpl = cs.sel & SEL_RPL, ist = gate >> 32 & 7;
	bool inner = cpl != vcpu_cpl(v);

	if (inner || ist) {
		stack_inner64(c, cpl, ist, &st);
	} else {
		/* From compatibility mode a conforming handler goes on with the whole of RSP. */
		stack_current(c, &st);
		st.mask = ~(uint64_t)0;
		st.wide = true;
	}
	uint64_t rip = code_offset(c, &cs, gate_offset(gate) | high);
	st.sp &= ~(uint64_t)15;
	stack_push(c, &st, v->seg[SS].sel, 8);
	stack_push(c, &st, v->gpr[RSP], 8);
	stack_push(c, &st, flags_image(c, e), 8);
	stack_push(c, &st, v->seg[CS].sel, 8);
	stack_push(c, &st, next, 8);
	if (e->has_error)
		stack_push(c, &st, e->error, 8);

	if (inner)
		v->seg[SS] = st.seg;
	v->gpr[RSP] = st.sp;
	v->seg[CS] = cs;
	v->rip = rip;
	enter_flags(v, desc_type(gate) == SYS_INT);
}

void deliver(struct core *c, const struct event *e, uint64_t next)
{
	struct vcpu *v = &c->v;

	c->ext = e->kind != EVENT_SOFT;
	if (core_real(c))
		real_event(c, e, next);
	else if (core_long(c))
		long_event(c, e, next);
	else if (!(e->int_n && core_v86(c) && v86_software(c, e, next)))
		protected_event(c, e, next);
	c->ext = 0;
	v->sti_shadow = v->mov_ss_shadow = false;
	v->activity = ACT_RUNNING;
	c->leave = true;
	core_update_mode(c);
	if (c->watch_events)
		watch_transfer(c, e->kind == EVENT_EXC ? WATCH_EXCEPTION : WATCH_INTERRUPT,
			       e->vector, e->error, next);
}
