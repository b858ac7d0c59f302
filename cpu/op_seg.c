/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Segment registers, descriptor tables and the instructions that look at descriptors.
 */
#include "cpu/exc.h"
#include "cpu/opcode.h"
#include "cpu/operand.h"
#include "cpu/transfer.h"

/* CR4.UMIP: the addresses and selectors of system structures are not for user mode. */
static void umip(struct core *c)
{
	if (c->v.cr4 & CR4_UMIP && vcpu_cpl(&c->v) > 0)
		raise_gp(c, 0);
}

static void set_zf(struct core *c, bool on)
{
	c->v.cc = on ? c->v.cc | FL_ZF : c->v.cc & ~(uint32_t)FL_ZF;
}

void op_push_sreg(struct core *c, const struct insn *i)
{
	push(c, c->v.seg[i->o[0].reg].sel, i->osz);
}

void op_pop_sreg(struct core *c, const struct insn *i)
{
	unsigned sreg = i->o[0].reg;
	struct stack st;

	stack_current(c, &st);
	seg_load(c, sreg, (uint16_t)stack_pop(c, &st, i->osz));
	c->v.gpr[RSP] = st.sp;
	if (sreg == SS)
		c->v.mov_ss_shadow = true;
}

void op_mov_from_sreg(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, c->v.seg[i->o[1].reg].sel);
}

void op_mov_to_sreg(struct core *c, const struct insn *i)
{
	unsigned sreg = i->o[0].reg;
	seg_load(c, sreg, (uint16_t)op_read(c, i, 1));
	if (sreg == SS)
		c->v.mov_ss_shadow = true;
}

static void load_far_pointer(struct core *c, const struct insn *i, unsigned sreg)
{
	lin_of(c, i, i->osz + 2u, ACC_READ); /* the whole operand against the limit */
	uint64_t off = mem_read_n(c, lin_of(c, i, i->osz, ACC_READ), i->osz);
	uint16_t sel = mem_read16(c, lin_of_at(c, i, i->osz, 2, ACC_READ));
	seg_load(c, sreg, sel);
	gpr_write(c, i->o[0].reg, i->osz, off);
}

void op_les(struct core *c, const struct insn *i)
{
	load_far_pointer(c, i, ES);
}
void op_lds(struct core *c, const struct insn *i)
{
	load_far_pointer(c, i, DS);
}
void op_lss(struct core *c, const struct insn *i)
{
	load_far_pointer(c, i, SS);
}
void op_lfs(struct core *c, const struct insn *i)
{
	load_far_pointer(c, i, FS);
}
void op_lgs(struct core *c, const struct insn *i)
{
	load_far_pointer(c, i, GS);
}

static void store_table(struct core *c, const struct insn *i, const struct dtable *t)
{
	unsigned width = c->mode == 8 ? 8 : 4;
	umip(c);
	lin_of(c, i, width + 2, ACC_WRITE);
	mem_write16(c, lin_of(c, i, 2, ACC_WRITE), t->limit);
	mem_write_n(c, lin_of_at(c, i, 2, width, ACC_WRITE), t->base, width);
}

static void load_table(struct core *c, const struct insn *i, struct dtable *t)
{
	unsigned width = c->mode == 8 ? 8 : 4;
	lin_of(c, i, width + 2, ACC_READ);
	uint16_t limit = mem_read16(c, lin_of(c, i, 2, ACC_READ));
	uint64_t base = mem_read_n(c, lin_of_at(c, i, 2, width, ACC_READ), width);
	if (c->mode == 8 && !core_canonical(c, base))
		raise_gp(c, 0);
	if (i->osz == 2 && c->mode != 8)
		base &= 0xffffff;
	*t = (struct dtable){base, limit};
}

void op_sgdt(struct core *c, const struct insn *i)
{
	store_table(c, i, &c->v.gdt);
}
void op_sidt(struct core *c, const struct insn *i)
{
	store_table(c, i, &c->v.idt);
}
void op_lgdt(struct core *c, const struct insn *i)
{
	load_table(c, i, &c->v.gdt);
}
void op_lidt(struct core *c, const struct insn *i)
{
	load_table(c, i, &c->v.idt);
}

void op_sldt(struct core *c, const struct insn *i)
{
	umip(c);
	op_write(c, i, 0, c->v.ldtr.sel);
}
void op_str(struct core *c, const struct insn *i)
{
	umip(c);
	op_write(c, i, 0, c->v.tr.sel);
}

void op_lldt(struct core *c, const struct insn *i)
{
	uint16_t sel = (uint16_t)op_read(c, i, 0);
	struct descriptor d;
	struct segment ldt;

	if (!(sel & ~SEL_RPL)) {
		seg_set_null(&c->v.ldtr, sel, 0);
		return;
	}
	if (sel & SEL_TI || !seg_fetch_descriptor(c, sel, &d) || desc_user(d.raw) ||
	    desc_type(d.raw) != SYS_LDT || d.hi_type)
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	seg_unpack(&ldt, sel, &d);
	if (core_long(c) && !core_canonical(c, ldt.base))
		raise_gp(c, sel & SEL_ERR);
	c->v.ldtr = ldt;
}

void op_ltr(struct core *c, const struct insn *i)
{
	uint16_t sel = (uint16_t)op_read(c, i, 0);
	struct descriptor d;
	struct segment tr;

	if (!(sel & ~SEL_RPL))
		raise_gp(c, 0);
	if (sel & SEL_TI || !seg_fetch_descriptor(c, sel, &d) || desc_user(d.raw) || d.hi_type ||
	    (desc_type(d.raw) != SYS_TSS && (core_long(c) || desc_type(d.raw) != SYS_TSS16)))
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	seg_unpack(&tr, sel, &d);
	if (core_long(c) && !core_canonical(c, tr.base))
		raise_gp(c, sel & SEL_ERR);
	tr.attr |= 2;
	sys_write8(c, sys_lin(c, c->v.gdt.base + (sel & SEL_INDEX) + 5),
		   (uint8_t)(d.raw >> 40) | 2);
	c->v.tr = tr;
}

/* The descriptor of a selector that may be bad without a fault, visible at CPL and RPL; types: system
 * types that count. */
static bool look_up(struct core *c, uint16_t sel, unsigned types, struct descriptor *d)
{
	if (!(sel & ~SEL_RPL) || !seg_fetch_descriptor(c, sel, d) || d->hi_type)
		return false;
	if (!desc_user(d->raw) && !(types >> desc_type(d->raw) & 1))
		return false;
	if (desc_code(d->raw) && desc_conforming(d->raw))
		return true;
	return vcpu_cpl(&c->v) <= desc_dpl(d->raw) && (sel & SEL_RPL) <= desc_dpl(d->raw);
}

/* Neither looks at the present bit. */
void op_verr(struct core *c, const struct insn *i)
{
	struct descriptor d;
	bool ok = look_up(c, (uint16_t)op_read(c, i, 0), 0, &d);
	set_zf(c, ok && (!desc_code(d.raw) || desc_type(d.raw) & SEG_R));
}

void op_verw(struct core *c, const struct insn *i)
{
	struct descriptor d;
	bool ok = look_up(c, (uint16_t)op_read(c, i, 0), 0, &d);
	set_zf(c, ok && !desc_code(d.raw) && desc_type(d.raw) & SEG_W);
}

void op_lar(struct core *c, const struct insn *i)
{
	const unsigned wide = 1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY | 1u << SYS_CALL;
	const unsigned legacy =
	    1u << SYS_TSS16 | 1u << SYS_TSS16_BUSY | 1u << SYS_CALL16 | 1u << SYS_TASK;
	struct descriptor d;
	bool ok = look_up(c, (uint16_t)op_read(c, i, 1), core_long(c) ? wide : wide | legacy, &d);
	if (ok)
		gpr_write(c, i->o[0].reg, i->osz, d.raw >> 32 & 0x00f0ff00);
	set_zf(c, ok);
}

void op_lsl(struct core *c, const struct insn *i)
{
	const unsigned wide = 1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY;
	const unsigned legacy = 1u << SYS_TSS16 | 1u << SYS_TSS16_BUSY;
	struct descriptor d;
	struct segment s;
	bool ok = look_up(c, (uint16_t)op_read(c, i, 1), core_long(c) ? wide : wide | legacy, &d);
	if (ok) {
		seg_unpack(&s, 0, &d);
		gpr_write(c, i->o[0].reg, i->osz, s.limit);
	}
	set_zf(c, ok);
}

void op_arpl(struct core *c, const struct insn *i)
{
	uint64_t dst = op_read(c, i, 0), rpl = op_read(c, i, 1) & SEL_RPL;
	bool raise = (dst & SEL_RPL) < rpl;
	if (raise)
		op_write(c, i, 0, (dst & ~(uint64_t)SEL_RPL) | rpl);
	set_zf(c, raise);
}
