/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The current stack, and the stacks of inner privilege levels that a TSS names.
 * SDM vol. 3A 5.8.5, 6.14.
 */
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/transfer.h"

static uint64_t mask_of(const struct segment *ss)
{
	return ss->attr & SEG_DB ? 0xffffffff : 0xffff;
}

uint64_t stack_mask(const struct core *c)
{
	return c->mode == 8 ? ~(uint64_t)0 : mask_of(&c->v.seg[SS]);
}

void push(struct core *c, uint64_t val, unsigned osz)
{
	uint64_t mask = stack_mask(c), old = c->v.gpr[RSP], sp = (old - osz) & mask;
	mem_write_n(c, seg_lin(c, SS, sp, osz, ACC_WRITE), val, osz);
	c->v.gpr[RSP] = (old & ~mask) | sp;
}

uint64_t pop(struct core *c, unsigned osz)
{
	uint64_t mask = stack_mask(c), old = c->v.gpr[RSP];
	uint64_t val = mem_read_n(c, seg_lin(c, SS, old & mask, osz, ACC_READ), osz);
	c->v.gpr[RSP] = (old & ~mask) | ((old + osz) & mask);
	return val;
}

void stack_current(const struct core *c, struct stack *s)
{
	*s = (struct stack){.seg = c->v.seg[SS],
			    .sp = c->v.gpr[RSP],
			    .mask = stack_mask(c),
			    .tlb_mode = c->tlb_mode,
			    .wide = c->mode == 8};
}

/* Accesses to an inner stack are made with the rights of the inner level. */
static uint8_t inner_tlb_mode(const struct core *c, unsigned dpl)
{
	if (dpl == 3)
		return TLB_USER;
	return c->tlb_mode == TLB_KERNEL_AC ? TLB_KERNEL_AC : TLB_KERNEL;
}

void stack_inner(struct core *c, unsigned dpl, struct stack *s)
{
	const struct segment *tr = &c->v.tr;
	bool tss32 = tr->attr & 8;
	unsigned at = tss32 ? 4 + dpl * 8 : 2 + dpl * 4, width = tss32 ? 4 : 2;
	struct descriptor d;

	if (at + width + 1 > tr->limit)
		raise_err(c, EXC_TS, tr->sel & SEL_ERR);
	uint64_t lin = sys_lin(c, tr->base + at);
	uint32_t sp = tss32 ? sys_read32(c, lin) : sys_read16(c, lin);
	uint16_t sel = sys_read16(c, sys_lin(c, lin + width));

	if (!(sel & ~SEL_RPL))
		raise_err(c, EXC_TS, 0);
	if (!seg_fetch_descriptor(c, sel, &d) || (sel & SEL_RPL) != dpl || desc_dpl(d.raw) != dpl ||
	    !desc_stack(d.raw))
		raise_err(c, EXC_TS, sel & SEL_ERR);
	if (!desc_present(d.raw))
		raise_err(c, EXC_SS, sel & SEL_ERR);
	seg_set_accessed(c, sel, &d);
	*s = (struct stack){.sp = sp, .err = sel & SEL_ERR, .tlb_mode = inner_tlb_mode(c, dpl)};
	seg_unpack(&s->seg, sel, &d);
	s->mask = mask_of(&s->seg);
}

void stack_inner64(struct core *c, unsigned dpl, unsigned ist, struct stack *s)
{
	const struct segment *tr = &c->v.tr;
	unsigned at = ist ? 28 + ist * 8 : 4 + dpl * 8;

	if (at + 7 > tr->limit)
		raise_err(c, EXC_TS, tr->sel & SEL_ERR);
	uint64_t sp = sys_read64(c, tr->base + at);
	if (!core_canonical(c, sp))
		raise_err(c, EXC_SS, 0);
	*s = (struct stack){
	    .sp = sp, .mask = ~(uint64_t)0, .tlb_mode = inner_tlb_mode(c, dpl), .wide = true};
	seg_set_null(&s->seg, dpl, dpl);
}

static uint64_t stack_lin(struct core *c, const struct stack *s, uint64_t off, unsigned size)
{
	if (s->wide) {
		if (!core_canonical(c, off))
			raise_err(c, EXC_SS, s->err);
		return off;
	}
	if (!seg_limit_ok(&s->seg, off, size))
		raise_err(c, EXC_SS, s->err);
	return (uint32_t)(s->seg.base + off);
}

void stack_push(struct core *c, struct stack *s, uint64_t val, unsigned size)
{
	uint64_t off = (s->sp - size) & s->mask;
	uint64_t lin = stack_lin(c, s, off, size);
	if (size == 2)
		mem_write16_m(c, lin, (uint16_t)val, s->tlb_mode);
	else if (size == 4)
		mem_write32_m(c, lin, (uint32_t)val, s->tlb_mode);
	else
		mem_write64_m(c, lin, val, s->tlb_mode);
	s->sp = (s->sp & ~s->mask) | off;
}

uint64_t stack_pop(struct core *c, struct stack *s, unsigned size)
{
	uint64_t off = s->sp & s->mask;
	uint64_t lin = stack_lin(c, s, off, size), val;
	if (size == 2)
		val = mem_read16_m(c, lin, s->tlb_mode);
	else if (size == 4)
		val = mem_read32_m(c, lin, s->tlb_mode);
	else
		val = mem_read64_m(c, lin, s->tlb_mode);
	s->sp = (s->sp & ~s->mask) | ((off + size) & s->mask);
	return val;
}
