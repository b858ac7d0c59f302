/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IRET: SDM vol. 2 IRET/IRETD/IRETQ.
 */
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/transfer.h"

static void set_flags(struct vcpu *v, uint64_t flags, uint64_t mask)
{
	rflags_set(v, (rflags_get(v) & ~mask) | (flags & mask));
}

static void iret_real(struct core *c, unsigned osz)
{
	struct vcpu *v = &c->v;
	uint64_t mask = FL_STATUS | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT;
	struct stack st;

	stack_current(c, &st);
	uint64_t rip = stack_pop(c, &st, osz);
	uint16_t cs = (uint16_t)stack_pop(c, &st, osz);
	uint64_t flags = stack_pop(c, &st, osz);
	if (rip > v->seg[CS].limit)
		raise_gp(c, 0);
	if (osz == 4)
		mask |= FL_RF | FL_AC | FL_ID;
	if (core_v86(c))
		mask &= ~(uint64_t)FL_IOPL;
	v->gpr[RSP] = st.sp;
	seg_load_real(c, CS, cs);
	v->rip = rip;
	set_flags(v, flags, mask);
}

/* Virtual-8086 mode with IOPL < 3: only 16-bit IRET under CR4.VME, on the virtual IF. */
static void iret_vme(struct core *c, unsigned osz)
{
	struct vcpu *v = &c->v;
	const uint64_t mask = FL_STATUS | FL_TF | FL_DF | FL_NT;
	struct stack st;

	if (!(v->cr4 & CR4_VME) || osz != 2)
		raise_gp(c, 0);
	stack_current(c, &st);
	uint64_t rip = stack_pop(c, &st, 2);
	uint16_t cs = (uint16_t)stack_pop(c, &st, 2);
	uint64_t flags = stack_pop(c, &st, 2);
	if (flags & FL_TF || (flags & FL_IF && v->rflags & FL_VIP))
		raise_gp(c, 0);
	v->gpr[RSP] = st.sp;
	seg_load_real(c, CS, cs);
	v->rip = rip;
	set_flags(v, flags & FL_IF ? flags | FL_VIF : flags & ~(uint64_t)FL_VIF, mask | FL_VIF);
}

static void iret_task(struct core *c, uint64_t next)
{
	struct vcpu *v = &c->v;
	uint16_t sel = sys_read16(c, sys_lin(c, v->tr.base));
	struct descriptor d;

	if (sel & SEL_TI || !(sel & ~SEL_RPL) || !seg_fetch_descriptor(c, sel, &d) ||
	    desc_user(d.raw) ||
	    (desc_type(d.raw) != SYS_TSS_BUSY && desc_type(d.raw) != SYS_TSS16_BUSY))
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	task_switch(c, sel, &d, TASK_IRET, false, 0, next);
}

/* The stack holds EIP, CS, EFLAGS (already popped), ESP, SS, ES, DS, FS, GS. */
static void iret_to_v86(struct core *c, struct stack *st, uint64_t rip, uint16_t cs, uint64_t flags)
{
	static const uint8_t order[] = {SS, ES, DS, FS, GS};
	struct vcpu *v = &c->v;
	uint16_t sel[sizeof(order)];

	uint64_t sp = stack_pop(c, st, 4);
	for (unsigned n = 0; n < sizeof(order); n++)
		sel[n] = (uint16_t)stack_pop(c, st, 4);
	if (rip > 0xffff)
		raise_gp(c, 0);
	v->seg[CS] = seg_v86(cs);
	for (unsigned n = 0; n < sizeof(order); n++)
		v->seg[order[n]] = seg_v86(sel[n]);
	v->gpr[RSP] = sp;
	v->rip = rip;
	rflags_set(v, flags & 0x3f7fd7);
}

static uint64_t writable_flags(const struct vcpu *v, unsigned osz)
{
	uint64_t mask = FL_STATUS | FL_TF | FL_DF | FL_NT;
	unsigned cpl = vcpu_cpl(v);
	if (osz > 2)
		mask |= FL_RF | FL_AC | FL_ID;
	if (cpl <= (v->rflags >> 12 & 3))
		mask |= FL_IF;
	if (cpl == 0)
		mask |= FL_IOPL | (osz > 2 ? FL_VIF | FL_VIP : 0);
	return mask;
}

static void iret_protected(struct core *c, unsigned osz)
{
	struct vcpu *v = &c->v;
	struct segment cs, ss;
	struct stack st;

	stack_current(c, &st);
	uint64_t rip = stack_pop(c, &st, osz);
	uint16_t sel = (uint16_t)stack_pop(c, &st, osz);
	uint64_t flags = stack_pop(c, &st, osz);
	if (flags & FL_VM && osz == 4 && vcpu_cpl(v) == 0 && !core_long(c)) {
		iret_to_v86(c, &st, rip, sel, flags);
		return;
	}
	return_code(c, sel, &cs);
	uint64_t mask = writable_flags(v, osz);
	if (c->mode == 8 || (sel & SEL_RPL) != vcpu_cpl(v)) {
		uint64_t sp = stack_pop(c, &st, osz);
		uint16_t ss_sel = (uint16_t)stack_pop(c, &st, osz);
		return_stack(c, ss_sel, sel & SEL_RPL, &cs, &ss);
		rip = code_offset(c, &cs, rip);
		return_outer(c, &cs, &ss, sp);
	} else {
		rip = code_offset(c, &cs, rip);
		v->seg[CS] = cs;
		v->gpr[RSP] = st.sp;
	}
	v->rip = rip;
	set_flags(v, flags, mask);
}

void do_iret(struct core *c, unsigned osz)
{
	struct vcpu *v = &c->v;

	/* NMIs are unblocked even if IRET faults (SDM vol. 3A 6.7.1). */
	v->nmi_blocked = false;
	if (core_v86(c) && (v->rflags & FL_IOPL) != FL_IOPL) {
		iret_vme(c, osz);
	} else if (!core_protected(c)) {
		iret_real(c, osz);
	} else if (v->rflags & FL_NT) {
		if (core_long(c))
			raise_gp(c, 0);
		iret_task(c, insn_next(c, c->insn));
	} else {
		iret_protected(c, osz);
	}
	c->leave = true;
	core_update_mode(c);
}
