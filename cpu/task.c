/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hardware task switches. SDM vol. 3A 7.3; the TSS formats are in 7.2.1 and 7.6.
 *
 * All of the new TSS is read and all of the old one written before anything changes, so that page
 * faults up to there are the old task's. From `commit` on, faults are reported in the new task
 * (c->rip_set).
 */
#include <string.h>

#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/transfer.h"

enum {
	TSS16_SIZE = 0x2c,
	TSS32_SIZE = 0x68,
};

/* The register part of either format. */
struct tss {
	uint32_t cr3, eip, eflags;
	uint32_t gpr[8];
	uint16_t seg[NR_SREGS];
	uint16_t ldt;
	bool trap;
};

/* Offsets of the fields; the general registers and segments follow each other in sreg order. */
struct layout {
	uint8_t width, eip, eflags, gpr, seg, nsegs, ldt, size;
};
static const struct layout layouts[2] = {
    {2, 0x0e, 0x10, 0x12, 0x22, 4, 0x2a, TSS16_SIZE},
    {4, 0x20, 0x24, 0x28, 0x48, 6, 0x60, TSS32_SIZE},
};

static uint32_t get(struct core *c, uint64_t lin, unsigned width)
{
	return width == 4 ? sys_read32(c, sys_lin(c, lin)) : sys_read16(c, sys_lin(c, lin));
}

static void put(struct core *c, uint64_t lin, uint32_t val, unsigned width)
{
	if (width == 4)
		sys_write32(c, sys_lin(c, lin), val);
	else
		sys_write16(c, sys_lin(c, lin), (uint16_t)val);
}

static void read_tss(struct core *c, const struct segment *tr, struct tss *t)
{
	bool wide = tr->attr & 8;
	const struct layout *l = &layouts[wide];

	memset(t, 0, sizeof(*t));
	t->eip = get(c, tr->base + l->eip, l->width);
	t->eflags = get(c, tr->base + l->eflags, l->width);
	for (unsigned n = 0; n < 8; n++) {
		t->gpr[n] = get(c, tr->base + l->gpr + n * l->width, l->width);
		if (!wide)
			t->gpr[n] |= 0xffff0000;
	}
	for (unsigned n = 0; n < l->nsegs; n++)
		t->seg[n] = (uint16_t)get(c, tr->base + l->seg + n * l->width, 2);
	t->ldt = (uint16_t)get(c, tr->base + l->ldt, 2);
	if (wide) {
		t->cr3 = get(c, tr->base + 0x1c, 4);
		t->trap = get(c, tr->base + 0x64, 2) & 1;
	}
}

static void write_tss(struct core *c, uint32_t eflags, uint32_t eip)
{
	const struct vcpu *v = &c->v;
	const struct layout *l = &layouts[(v->tr.attr & 8) != 0];

	put(c, v->tr.base + l->eip, eip, l->width);
	put(c, v->tr.base + l->eflags, eflags, l->width);
	for (unsigned n = 0; n < 8; n++)
		put(c, v->tr.base + l->gpr + n * l->width, (uint32_t)v->gpr[n], l->width);
	for (unsigned n = 0; n < l->nsegs; n++)
		put(c, v->tr.base + l->seg + n * l->width, v->seg[n].sel, 2);
}

/* Bit 1 of the type in a TSS descriptor. */
static void set_busy(struct core *c, uint16_t sel, bool busy)
{
	uint64_t lin = sys_lin(c, c->v.gdt.base + (sel & SEL_INDEX) + 5);
	uint8_t type = sys_read8(c, lin);
	sys_write8(c, lin, busy ? type | 2 : type & ~2);
}

static void load_ldt(struct core *c, uint16_t sel)
{
	struct descriptor d;

	seg_set_null(&c->v.ldtr, sel, 0);
	if (!(sel & ~SEL_RPL))
		return;
	if (sel & SEL_TI || !seg_fetch_descriptor(c, sel, &d) || desc_user(d.raw) ||
	    desc_type(d.raw) != SYS_LDT || !desc_present(d.raw))
		raise_err(c, EXC_TS, sel & SEL_ERR);
	seg_unpack(&c->v.ldtr, sel, &d);
}

static void load_cs(struct core *c, uint16_t sel)
{
	unsigned rpl = sel & SEL_RPL;
	struct descriptor d;

	if (!(sel & ~SEL_RPL) || !seg_fetch_descriptor(c, sel, &d) || !desc_code(d.raw))
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (desc_conforming(d.raw) ? desc_dpl(d.raw) > rpl : desc_dpl(d.raw) != rpl)
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	seg_unpack(&c->v.seg[CS], sel, &d);
}

static void load_ss(struct core *c, uint16_t sel, unsigned cpl)
{
	struct descriptor d;

	if (!(sel & ~SEL_RPL) || !seg_fetch_descriptor(c, sel, &d) || !desc_stack(d.raw) ||
	    desc_dpl(d.raw) != cpl || (sel & SEL_RPL) != cpl)
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_SS, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	seg_unpack(&c->v.seg[SS], sel, &d);
}

static void load_data(struct core *c, unsigned sreg, uint16_t sel, unsigned cpl)
{
	unsigned rpl = sel & SEL_RPL;
	struct descriptor d;

	if (!(sel & ~SEL_RPL))
		return;
	if (!seg_fetch_descriptor(c, sel, &d) || !desc_user(d.raw) ||
	    (desc_code(d.raw) && !(desc_type(d.raw) & SEG_R)))
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (!(desc_code(d.raw) && desc_conforming(d.raw)) &&
	    (desc_dpl(d.raw) < cpl || desc_dpl(d.raw) < rpl))
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	seg_unpack(&c->v.seg[sreg], sel, &d);
}

static void load_segments(struct core *c, const struct tss *t)
{
	static const uint8_t data[] = {ES, DS, FS, GS};
	unsigned cpl = t->seg[CS] & SEL_RPL;

	load_ldt(c, t->ldt);
	if (core_v86(c))
		return;
	load_cs(c, t->seg[CS]);
	load_ss(c, t->seg[SS], cpl);
	for (unsigned n = 0; n < sizeof(data); n++)
		load_data(c, data[n], t->seg[data[n]], cpl);
}

static void commit(struct core *c, const struct segment *tr, const struct tss *t, uint32_t eflags)
{
	struct vcpu *v = &c->v;
	bool wide = tr->attr & 8, reload = wide && v->cr0 & CR0_PG;

	v->tr = *tr;
	v->tr.attr |= 2;
	v->cr0 |= CR0_TS;
	if (reload)
		v->cr3 = t->cr3;
	v->rip = t->eip;
	rflags_set(v, eflags & 0x3f7fd7);
	for (unsigned n = 0; n < 8; n++)
		v->gpr[n] = t->gpr[n];
	for (unsigned n = 0; n < NR_SREGS; n++) {
		if (core_v86(c))
			v->seg[n] = seg_v86(t->seg[n]);
		else
			seg_set_null(&v->seg[n], t->seg[n], t->seg[CS] & SEL_RPL);
	}
	v->dr7 &= ~(uint64_t)0x55; /* local breakpoints */
	c->rip_set = true;
	core_update_mode(c);
	if (reload) {
		if (v->cr4 & CR4_PAE) {
			if (!page_load_pdptes(c->mem, &c->paging))
				raise_gp(c, 0);
			memcpy(v->pdpte, c->paging.pdpte, sizeof(v->pdpte));
		}
		tlb_flush_pcid(&c->tlb, 0);
		core_update_pcid(c);
	}
	c->leave = true;
}

static void push_error(struct core *c, uint32_t error, bool wide)
{
	struct stack st;
	stack_current(c, &st);
	stack_push(c, &st, error, wide ? 4 : 2);
	c->v.gpr[RSP] = st.sp;
}

void task_switch(struct core *c, uint16_t sel, const struct descriptor *d, enum task_reason why,
		 bool has_error, uint32_t error, uint64_t next)
{
	struct vcpu *v = &c->v;
	uint16_t old_sel = v->tr.sel;
	uint32_t old_flags = (uint32_t)rflags_get(v);
	bool nested = why == TASK_CALL || why == TASK_INT;
	struct segment tr;
	struct tss t;

	seg_unpack(&tr, sel, d);
	if (tr.limit < layouts[(tr.attr & 8) != 0].size - 1u)
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (v->tr.limit < layouts[(v->tr.attr & 8) != 0].size - 1u)
		raise_err(c, EXC_TS, old_sel & SEL_ERR);

	read_tss(c, &tr, &t);
	write_tss(c, why == TASK_IRET ? old_flags & ~(uint32_t)FL_NT : old_flags, (uint32_t)next);
	if (nested)
		put(c, tr.base, old_sel, 2);
	if (why != TASK_IRET)
		set_busy(c, sel, true);
	if (!nested)
		set_busy(c, old_sel, false);

	commit(c, &tr, &t, nested ? t.eflags | FL_NT : t.eflags);
	load_segments(c, &t);
	core_update_mode(c);
	if (has_error)
		push_error(c, error, tr.attr & 8);
	v->rip = code_offset(c, &v->seg[CS], v->rip);
	c->rip_set = false;
	if (t.trap)
		raise_db(c, 0x8000, true);
}
