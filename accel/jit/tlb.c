/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The TLB of generated code: filled from the core's, dropped with it. Entries have no address-space tag:
 * on a switch those that are not global go, once a block of their table runs in the other space.
 */
#include "accel/jit/jit_impl.h"

/* A tag that no address has in slot n: translations subtract the tag, and any single value is close to
 * some address. This one is 4 MiB from those that belong there. It is odd, so that it is not equal to the
 * address of any page. */
static NO_VECTORS inline uint64_t no_tag(unsigned n)
{
	return (uint64_t)(n ^ JIT_TLB_ENTRIES / 2) << PAGE_SHIFT | 1;
}

NO_VECTORS bool jit_fill(struct engine_cpu *e, uint64_t lin, bool write, unsigned table)
{
	const struct tlb *t = &e->core.tlb;
	unsigned mode = e->core.tlb_mode, k = tlb_index(lin);
	const struct tlb_entry *from = &t->e[mode][k];
	uint64_t page = lin & PAGE_MASK, tag = page | t->asid;
	unsigned n = (lin >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
	struct jit_tlb_entry *to = &e->js.tlb[table].e[n];
	if ((write ? from->wr : from->rd) != tag)
		return false;
	bool may_write = !jit_alone(e->core.model) || !from->page->flags;
	if (write && !may_write)
		return false;
	to->rd = from->rd == tag ? page : no_tag(n);
	to->wr = from->wr == tag && may_write ? page : no_tag(n);
	to->host = from->host;
	to->addend = (uint64_t)(uintptr_t)from->host - page;
	e->js.tlb[table].page[n] = from->page;
	bool global = t->global[mode][k / 64] >> k % 64 & 1;
	if (!global)
		e->js.local[table][n / 64] |= 1ull << n % 64;
	e->js.stlb[table][jit_stlb_index(lin)] = (struct jit_stlb_entry){
	    from->rd, from->wr, (uintptr_t)from->host | (global ? STLB_GLOBAL : 0), from->page};
	return true;
}

void jit_code_marked(struct core *c, const struct ram_page *page)
{
	struct jit_state *js = &((struct engine_cpu *)c)->js;
	if (!jit_alone(c->model))
		return;
	for (unsigned m = 0; m < JIT_TABLES; m++)
		for (unsigned n = 0; n < JIT_TLB_ENTRIES; n++)
			if (js->tlb[m].page[n] == page)
				js->tlb[m].e[n].wr = no_tag(n);
}

static void drop_entry(struct jit_state *js, unsigned m, unsigned n)
{
	js->tlb[m].e[n].rd = js->tlb[m].e[n].wr = no_tag(n);
}

bool jit_tlb_has(const struct engine_cpu *e, uint64_t lin, bool write, unsigned table)
{
	unsigned n = (lin >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
	const struct jit_tlb_entry *t = &e->js.tlb[table].e[n];
	return (write ? t->wr : t->rd) == (lin & PAGE_MASK);
}

void jit_drop_tlb(struct jit_state *js)
{
	for (unsigned m = 0; m < JIT_TABLES; m++)
		for (unsigned n = 0; n < JIT_TLB_ENTRIES; n++)
			drop_entry(js, m, n);
	memset(js->local, 0, sizeof(js->local));
	memset(js->stlb, 0xff, sizeof(js->stlb)); /* TLB_NONE */
}

void jit_enter_tlb(struct jit_state *js, unsigned table, uint16_t asid)
{
	if (js->tlb_asid[table] == asid)
		return;
	js->tlb_asid[table] = asid;
	for (unsigned w = 0; w < JIT_TLB_ENTRIES / 64; w++) {
		for (uint64_t set = js->local[table][w]; set; set &= set - 1)
			drop_entry(js, table, w * 64 + (unsigned)__builtin_ctzll(set));
		js->local[table][w] = 0;
	}
}

void jit_drop_tlb_page(struct jit_state *js, uint64_t page)
{
	unsigned n = (page >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
	for (unsigned m = 0; m < JIT_TABLES; m++) {
		struct jit_stlb_entry *second = &js->stlb[m][jit_stlb_index(page)];
		drop_entry(js, m, n);
		second->rd = second->wr = TLB_NONE;
	}
}
