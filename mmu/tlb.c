/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mmu/tlb.h"

#include <string.h>

static uint16_t new_asid(struct tlb *tlb)
{
	if (tlb->next_asid == 4096) {
		/* Tags are used up: entries of old ones must go before a tag is reused. */
		memset(tlb->e, 0xff, sizeof(tlb->e));
		memset(tlb->by_pcid, 0, sizeof(tlb->by_pcid));
		tlb->next_asid = 1;
		tlb->flushes++;
	}
	return tlb->next_asid++;
}

void tlb_init(struct tlb *tlb)
{
	memset(tlb, 0, sizeof(*tlb));
	tlb_flush_all(tlb);
}

void tlb_flush_all(struct tlb *tlb)
{
	memset(tlb->e, 0xff, sizeof(tlb->e));
	memset(tlb->by_pcid, 0, sizeof(tlb->by_pcid));
	tlb->next_asid = 1;
	tlb->flushes++;
	tlb_set_pcid(tlb, tlb->pcid);
}

void tlb_flush_page(struct tlb *tlb, uint64_t lin)
{
	for (unsigned m = 0; m < TLB_MODES; m++) {
		struct tlb_entry *e = &tlb->e[m][tlb_index(lin)];
		e->rd = e->wr = TLB_NONE;
	}
}

void tlb_flush_pcid(struct tlb *tlb, unsigned pcid)
{
	tlb->by_pcid[pcid & 0xfff] = 0;
	if (pcid == tlb->pcid)
		tlb_set_pcid(tlb, pcid);
}

void tlb_set_pcid(struct tlb *tlb, unsigned pcid)
{
	tlb->pcid = pcid & 0xfff;
	if (!tlb->by_pcid[tlb->pcid]) {
		uint16_t asid = new_asid(tlb);
		tlb->by_pcid[tlb->pcid] = asid;
	}
	tlb->asid = tlb->by_pcid[tlb->pcid];
}
