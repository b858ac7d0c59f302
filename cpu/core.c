/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What engines derive from the architectural state, kept up to date as it changes.
 */
#include "cpu/core.h"

#include <string.h>

static bool flat_data(const struct segment *s)
{
	const uint32_t bits = SEG_NULL | SEG_P | SEG_S | SEG_X | SEG_E | SEG_W;
	return s->base == 0 && s->limit == 0xffffffff &&
	       (s->attr & bits) == (SEG_P | SEG_S | SEG_W);
}

static bool flat_code(const struct segment *s)
{
	const uint32_t bits = SEG_NULL | SEG_P | SEG_S | SEG_X | SEG_R;
	return s->base == 0 && s->limit == 0xffffffff &&
	       (s->attr & bits) == (SEG_P | SEG_S | SEG_X | SEG_R);
}

void core_update_mode(struct core *c)
{
	const struct vcpu *v = &c->v;
	uint32_t cs = v->seg[CS].attr;
	unsigned cpl = vcpu_cpl(v);
	struct paging *p = &c->paging;

	uint8_t mode = core_long(c) && cs & SEG_L ? 8 : cs & SEG_DB ? 4 : 2;
	uint8_t tlb_mode = cpl == 3                                 ? TLB_USER
			   : v->cr4 & CR4_SMAP && v->rflags & FL_AC ? TLB_KERNEL_AC
								    : TLB_KERNEL;
	bool align = cpl == 3 && v->cr0 & CR0_AM && v->rflags & FL_AC;
	bool debug = v->dr7 & 0xff || v->rflags & FL_TF;

	c->leave |= mode != c->mode || tlb_mode != c->tlb_mode || align != c->align_check ||
		    debug != c->debug_active || p->cr0 != v->cr0 || p->cr3 != v->cr3 ||
		    p->cr4 != v->cr4 || p->efer != v->efer || p->pkru != v->pkru;
	c->mode = mode;
	c->flat = flat_code(&v->seg[CS]) && flat_data(&v->seg[SS]) && flat_data(&v->seg[DS]) &&
		  flat_data(&v->seg[ES]);
	c->tlb_mode = tlb_mode;
	c->align_check = align;
	c->debug_active = debug;
	p->cr0 = v->cr0;
	p->cr3 = v->cr3;
	p->cr4 = v->cr4;
	p->efer = v->efer;
	p->pkru = v->pkru;
	memcpy(p->pdpte, v->pdpte, sizeof(p->pdpte));
	p->maxphyaddr = c->model->maxphyaddr;
	p->gbpages = cpu_has(c->model, FEAT_PDPE1GB);
}

void core_update_smm(struct core *c)
{
	const struct cpu_bus *b = c->bus;
	bool smram = b->smram && (c->v.smm || atomic_load(&b->smram_open));

	c->mem = smram ? b->smram : b->mem;
	tlb_flush_all(&c->tlb);
	c->leave = true;
}

void core_update_pcid(struct core *c)
{
	tlb_set_pcid(&c->tlb, c->v.cr4 & CR4_PCIDE ? c->v.cr3 & 0xfff : 0);
}

void core_set_pkru(struct core *c, uint32_t pkru)
{
	if (c->v.pkru == pkru)
		return;
	c->v.pkru = pkru;
	if (c->v.cr4 & CR4_PKE)
		tlb_flush_all(&c->tlb);
	core_update_mode(c);
}

void core_init(struct core *c, const struct cpu_model *model, const struct cpu_bus *bus,
	       unsigned index)
{
	memset(c, 0, sizeof(*c));
	c->model = model;
	c->bus = bus;
	c->mem = bus->mem;
	c->index = index;
	c->nr_cpus = 1;
	c->pauses = CORE_PAUSES;
	c->monitor_gpa = c->apic_page = TLB_NONE;
	vcpu_reset(&c->v, index);
	c->v.gpr[RDX] = cpu_cpuid(model, NULL, 1, 0).eax;
	tlb_init(&c->tlb);
	core_update_mode(c);
}
