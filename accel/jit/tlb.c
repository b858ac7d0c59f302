/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The TLB of generated code: filled from the core's, dropped with it.
 */
#include "accel/jit/jit_impl.h"

/* A tag that no address has in slot n: it belongs in the one beside it. (No single value will do for
 * all slots: translations subtract the tag, and any tag is close to some address.) */
static uint64_t no_tag(unsigned n)
{
	return (uint64_t)(n ^ 1) << PAGE_SHIFT;
}

void jit_fill(struct engine_cpu *e, uint64_t lin)
{
	const struct tlb *t = &e->core.tlb;
	const struct tlb_entry *from = &t->e[e->core.tlb_mode][tlb_index(lin)];
	uint64_t page = lin & PAGE_MASK, tag = page | t->asid;
	struct jit_tlb *to = &e->js.tlb[e->core.tlb_mode];
	unsigned n = (lin >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
	if (from->rd != tag && from->wr != tag)
		return;
	to->rd[n] = from->rd == tag ? page : no_tag(n);
	to->wr[n] = from->wr == tag ? page : no_tag(n);
	to->host[n] = from->host;
	to->page[n] = from->page;
}

void jit_drop_tlb(struct jit_state *js)
{
	for (unsigned m = 0; m < TLB_MODES; m++) {
		for (unsigned n = 0; n < JIT_TLB_ENTRIES; n++)
			js->tlb[m].rd[n] = js->tlb[m].wr[n] = no_tag(n);
	}
}

void jit_drop_tlb_page(struct jit_state *js, uint64_t page)
{
	unsigned n = (page >> PAGE_SHIFT) % JIT_TLB_ENTRIES;
	for (unsigned m = 0; m < TLB_MODES; m++)
		js->tlb[m].rd[n] = js->tlb[m].wr[n] = no_tag(n);
}
