/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Segment descriptors, segment register loads and the segment half of address translation.
 * SDM vol. 3A 3.4, 5.2-5.6.
 */
#include "cpu/seg.h"

#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/transfer.h"

bool seg_limit_ok(const struct segment *s, uint64_t off, unsigned size)
{
	uint64_t last = off + size - 1;
	if (last > 0xffffffff)
		return false;
	if ((s->attr & (SEG_S | SEG_X | SEG_E)) == (SEG_S | SEG_E))
		return off > s->limit && last <= (s->attr & SEG_DB ? 0xffffffff : 0xffff);
	return last <= s->limit;
}

uint64_t seg_lin_slow(struct core *c, unsigned seg, uint64_t off, unsigned size, enum access acc)
{
	const struct segment *s = &c->v.seg[seg];
	unsigned vector = seg == SS ? EXC_SS : EXC_GP;

	if (c->mode == 8) {
		uint64_t lin = seg == FS || seg == GS ? s->base + off : off;
		if (!core_canonical(c, lin))
			raise_err(c, vector, 0);
		return lin;
	}
	if (core_protected(c)) {
		bool code = s->attr & SEG_X;
		if (s->attr & SEG_NULL)
			raise_err(c, vector, 0);
		if (acc == ACC_WRITE && (code || !(s->attr & SEG_W)))
			raise_err(c, vector, 0);
		if (acc == ACC_READ && code && !(s->attr & SEG_R))
			raise_err(c, vector, 0);
	}
	if (!seg_limit_ok(s, off, size))
		raise_err(c, vector, 0);
	return (uint32_t)(s->base + off);
}

/* Linear address of the descriptor, if `size` bytes at it are inside the table. */
static bool descriptor_lin(const struct core *c, uint16_t sel, unsigned size, uint64_t *lin)
{
	const struct vcpu *v = &c->v;
	uint64_t base = v->gdt.base;
	uint32_t limit = v->gdt.limit, at = sel & SEL_INDEX;

	if (sel & SEL_TI) {
		if (v->ldtr.attr & SEG_NULL)
			return false;
		base = v->ldtr.base;
		limit = v->ldtr.limit;
	}
	*lin = sys_lin(c, base + at);
	return at + size - 1 <= limit;
}

bool seg_fetch_descriptor(struct core *c, uint16_t sel, struct descriptor *d)
{
	const unsigned wide = 1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY | 1u << SYS_CALL;
	uint64_t lin;

	if (!descriptor_lin(c, sel, 8, &lin))
		return false;
	*d = (struct descriptor){.raw = sys_read64(c, lin)};
	if (!core_long(c) || desc_user(d->raw) || !(wide >> desc_type(d->raw) & 1))
		return true;
	if (!descriptor_lin(c, sel, 16, &lin))
		return false;
	uint64_t high = sys_read64(c, lin + 8);
	d->base_hi = (uint32_t)high;
	d->hi_type = high >> 40 & 31;
	return true;
}

void seg_unpack(struct segment *s, uint16_t sel, const struct descriptor *d)
{
	uint64_t raw = d->raw;
	s->sel = sel;
	s->base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000) | (uint64_t)d->base_hi << 32;
	s->attr = raw >> 40 & 0xf0ff;
	s->limit = (raw & 0xffff) | (raw >> 32 & 0xf0000);
	if (s->attr & SEG_G)
		s->limit = s->limit << 12 | 0xfff;
}

/* Writes only when the bit is clear: tables whose descriptors have it set may be read-only. */
void seg_set_accessed(struct core *c, uint16_t sel, struct descriptor *d)
{
	uint64_t lin;
	if (d->raw >> 40 & SEG_A || !descriptor_lin(c, sel, 8, &lin))
		return;
	sys_write8(c, sys_lin(c, lin + 5), (uint8_t)(d->raw >> 40) | SEG_A);
	d->raw |= (uint64_t)SEG_A << 40;
}

void seg_set_null(struct segment *s, uint16_t sel, unsigned dpl)
{
	*s = (struct segment){.sel = sel, .attr = SEG_NULL | dpl << SEG_DPL_SHIFT};
}

struct segment seg_v86(uint16_t sel)
{
	return (struct segment){.sel = sel,
				.attr = SEG_P | SEG_DPL | SEG_S | SEG_W | SEG_A,
				.limit = 0xffff,
				.base = (uint64_t)sel << 4};
}

void seg_load_real(struct core *c, unsigned sreg, uint16_t sel)
{
	struct segment *s = &c->v.seg[sreg];
	if (core_v86(c)) {
		*s = seg_v86(sel);
		return;
	}
	/* Real mode keeps limit and attributes; a null segment left by protected mode has none. */
	if (s->attr & SEG_NULL) {
		s->attr = SEG_P | SEG_S | SEG_W | SEG_A;
		s->limit = 0xffff;
	}
	s->sel = sel;
	s->base = (uint64_t)sel << 4;
}

static void load_stack_segment(struct core *c, uint16_t sel)
{
	unsigned cpl = vcpu_cpl(&c->v), rpl = sel & SEL_RPL;
	struct descriptor d;

	if (!(sel & ~SEL_RPL)) {
		if (c->mode != 8 || cpl == 3 || rpl != cpl)
			raise_gp(c, 0);
		seg_set_null(&c->v.seg[SS], sel, cpl);
		return;
	}
	if (!seg_fetch_descriptor(c, sel, &d) || rpl != cpl || !desc_stack(d.raw) ||
	    desc_dpl(d.raw) != cpl)
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_SS, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	seg_unpack(&c->v.seg[SS], sel, &d);
}

static void load_data_segment(struct core *c, unsigned sreg, uint16_t sel)
{
	unsigned cpl = vcpu_cpl(&c->v), rpl = sel & SEL_RPL;
	struct descriptor d;

	if (!(sel & ~SEL_RPL)) {
		seg_set_null(&c->v.seg[sreg], sel, 0);
		return;
	}
	if (!seg_fetch_descriptor(c, sel, &d) || !desc_user(d.raw))
		raise_gp(c, sel & SEL_ERR);
	if (desc_code(d.raw) && !(desc_type(d.raw) & SEG_R))
		raise_gp(c, sel & SEL_ERR);
	if (!(desc_code(d.raw) && desc_conforming(d.raw)) &&
	    (rpl > desc_dpl(d.raw) || cpl > desc_dpl(d.raw)))
		raise_gp(c, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_NP, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	seg_unpack(&c->v.seg[sreg], sel, &d);
}

void seg_load(struct core *c, unsigned sreg, uint16_t sel)
{
	if (!core_protected(c))
		seg_load_real(c, sreg, sel);
	else if (sreg == SS)
		load_stack_segment(c, sel);
	else
		load_data_segment(c, sreg, sel);
	core_update_mode(c);
}
