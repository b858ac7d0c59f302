/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mmu/tlb.h"

#include <stdbool.h>
#include <string.h>

/* Bit of a region in a filter of TLB_REGIONS bits. */
static unsigned region_bit(uint64_t lin, unsigned shift)
{
	return (unsigned)((lin >> shift) * 0x9e3779b97f4a7c15ull >> (64 - TLB_REGION_BITS));
}

static bool region_test(const uint64_t *set, unsigned bit)
{
	return set[bit / 64] >> bit % 64 & 1;
}

/* No tag is in use any more: entries are left behind, and found by nobody. */
static void drop_all(struct tlb *tlb)
{
	memset(tlb->large_2m, 0, sizeof(tlb->large_2m));
	memset(tlb->large_1g, 0, sizeof(tlb->large_1g));
	memset(tlb->by_pcid, 0, sizeof(tlb->by_pcid));
	tlb->flushes++;
	tlb->full++;
}

static void wipe(struct tlb *tlb)
{
	drop_all(tlb);
	memset(tlb->e, 0xff, sizeof(tlb->e));
	memset(tlb->x, 0xff, sizeof(tlb->x));
	tlb->next_asid = 1;
}

static uint16_t new_asid(struct tlb *tlb)
{
	/* Once tags are used up, entries of old ones must go before a tag is reused. */
	if (tlb->next_asid == TLB_ASIDS)
		wipe(tlb);
	return tlb->next_asid++;
}

void tlb_init(struct tlb *tlb)
{
	memset(tlb, 0, sizeof(*tlb));
	wipe(tlb);
	tlb_set_pcid(tlb, 0);
}

void tlb_flush_all(struct tlb *tlb)
{
	drop_all(tlb);
	tlb_set_pcid(tlb, tlb->pcid);
}

void tlb_note_large(struct tlb *tlb, uint64_t lin, uint64_t page_size)
{
	if (page_size > 1u << 22) {
		unsigned bit = region_bit(lin, 30);
		tlb->large_1g[bit / 64] |= 1ull << bit % 64;
	} else if (page_size > PAGE_SIZE) {
		/* A 4 MiB page is two regions: INVLPG may name either. */
		uint64_t first = lin & ~(page_size - 1);
		for (uint64_t at = 0; at < page_size; at += 1u << 21) {
			unsigned bit = region_bit(first + at, 21);
			tlb->large_2m[bit / 64] |= 1ull << bit % 64;
		}
	}
}

void tlb_flush_page(struct tlb *tlb, uint64_t lin)
{
	if (region_test(tlb->large_2m, region_bit(lin, 21)) ||
	    region_test(tlb->large_1g, region_bit(lin, 30))) {
		tlb_flush_all(tlb);
		return;
	}
	for (unsigned m = 0; m < TLB_MODES; m++) {
		struct tlb_entry *e = &tlb->e[m][tlb_index(lin)];
		e->rd = e->wr = TLB_NONE;
	}
	tlb->dropped[tlb->nr_dropped++ % TLB_DROPPED] = lin & PAGE_MASK;
	for (unsigned m = 0; m < 2; m++)
		tlb->x[m][(lin >> PAGE_SHIFT) % ITLB_ENTRIES].tag = TLB_NONE;
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
