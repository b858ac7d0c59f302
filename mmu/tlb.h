/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Software TLB: one direct-mapped table per access mode. The low twelve bits of a tag are an
 * address-space tag (asid), allocated per PCID: flushing a PCID drops its asid instead of walking
 * the table, and a CR3 write back to a known PCID finds its entries still there.
 */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/ram.h"

#define TLB_BITS    13
#define TLB_ENTRIES (1u << TLB_BITS)

/* Access modes with different rights to the same page. */
enum tlb_mode {
	TLB_USER,      /* CPL 3 */
	TLB_KERNEL,    /* CPL 0-2 with SMAP enforced, and implicit supervisor accesses */
	TLB_KERNEL_AC, /* CPL 0-2 with EFLAGS.AC set */
	TLB_MODES,
};

#define TLB_NONE  (~(uint64_t)0) /* a tag that no address makes, */
#define TLB_ASIDS 4095           /* because asid FFFh is not used */

struct tlb_entry {
	uint64_t rd, wr;       /* page | asid when the access is allowed and RAM, else TLB_NONE */
	uint8_t *host;         /* host address of the page */
	struct ram_page *page; /* test page->flags after storing */
};

#define TLB_REGION_BITS 16
#define TLB_REGIONS     (1u << TLB_REGION_BITS)

/* Instruction fetch: user and supervisor. */
#define ITLB_ENTRIES 1024
#define TLB_DROPPED  32
struct itlb_entry {
	uint64_t tag;  /* page | asid */
	uint64_t gpa;  /* of the page, A20 applied */
	uint8_t *host; /* NULL when the code is not in RAM or ROM */
	struct ram_page *page;
	bool global; /* the same in every address space */
};

struct tlb {
	struct tlb_entry e[TLB_MODES][TLB_ENTRIES];
	uint64_t global[TLB_MODES]
		       [TLB_ENTRIES / 64]; /* which of e are the same in every address space */
	struct itlb_entry x[2][ITLB_ENTRIES];
	/* The addresses last dropped by tlb_flush_page(), for caches of translations elsewhere: they
	 * follow while `full` is unchanged and no more than TLB_DROPPED came since they looked. */
	uint64_t dropped[TLB_DROPPED];
	uint32_t nr_dropped;     /* ever */
	uint32_t full;           /* flushes of more than a page */
	uint16_t asid;       /* tag of the current address space, 1..4095 */
	uint16_t next_asid;
	uint16_t pcid;          /* the current one */
	uint16_t by_pcid[4096]; /* 0: none */
	/* Where pieces of large pages may be cached, by 2 MiB and by 1 GiB region (hashed): INVLPG
	 * there must drop all pieces. */
	uint64_t large_2m[TLB_REGIONS / 64], large_1g[TLB_REGIONS / 64];
	uint64_t flushes, misses; /* counters */
};

static inline unsigned tlb_index(uint64_t lin)
{
	return (lin >> PAGE_SHIFT) & (TLB_ENTRIES - 1);
}

void tlb_init(struct tlb *tlb);
/* Drops everything, global entries too. */
void tlb_flush_all(struct tlb *tlb);
/* Drops one address in every mode and asid. */
void tlb_flush_page(struct tlb *tlb, uint64_t lin);
/* Must be told of every translation from a page larger than 4 KiB before it is entered. */
void tlb_note_large(struct tlb *tlb, uint64_t lin, uint64_t page_size);
/* Drops all entries of one PCID. */
void tlb_flush_pcid(struct tlb *tlb, unsigned pcid);
/* Makes `pcid` current. */
void tlb_set_pcid(struct tlb *tlb, unsigned pcid);

#endif
