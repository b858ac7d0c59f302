/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The walk goes down one generic radix tree; the modes differ in entry size, levels and which
 * levels may hold a large page. Rights are the AND of all levels; checks come at the end, in the
 * order of SDM vol. 3A 4.6 and 4.7: not-present and reserved-bit faults where they are met,
 * protection faults after the leaf.
 */
#include "mmu/walk.h"

#include <string.h>

#include "mmu/aspace.h"

#define PTE_P  (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_A  (1ull << 5)
#define PTE_D  (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G  (1ull << 8)
#define PTE_NX (1ull << 63)

#define CR0_PG   (1ull << 31)
#define CR0_WP   (1ull << 16)
#define CR4_PSE  (1ull << 4)
#define CR4_PAE  (1ull << 5)
#define CR4_PGE  (1ull << 7)
#define CR4_LA57 (1ull << 12)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define CR4_PKE  (1ull << 22)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

/* Host address of a paging-structure entry, or NULL when the table is not in RAM. */
static void *entry_ptr(struct aspace *as, uint64_t gpa, struct ram **ram, uint64_t *off)
{
	struct range r;
	gpa &= aspace_mask(as);
	if (!aspace_find(as, gpa, &r) || r.kind != RANGE_RAM)
		return NULL;
	*ram = r.ram;
	*off = r.ram_off + gpa - r.base;
	return r.ram->host + *off;
}

struct level {
	void *ptr; /* host address of the entry; NULL: read-only or absent memory */
	struct ram *ram;
	uint64_t off, entry;
};

static uint64_t entry_read(struct aspace *as, uint64_t gpa, unsigned size, struct level *l)
{
	l->ptr = entry_ptr(as, gpa, &l->ram, &l->off);
	if (!l->ptr)
		return aspace_read(as, gpa, size);
	if (size == 8)
		return __atomic_load_n((uint64_t *)l->ptr, __ATOMIC_RELAXED);
	return __atomic_load_n((uint32_t *)l->ptr, __ATOMIC_RELAXED);
}

/* Sets bits in an entry if it still holds what the walk saw. False: it changed, walk again. */
static bool entry_set(struct level *l, unsigned size, uint64_t bits)
{
	if ((l->entry & bits) == bits || !l->ptr)
		return true;
	bool ok;
	if (size == 8) {
		uint64_t old = l->entry;
		ok = __atomic_compare_exchange_n((uint64_t *)l->ptr, &old, old | bits, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	} else {
		uint32_t old = (uint32_t)l->entry;
		ok = __atomic_compare_exchange_n((uint32_t *)l->ptr, &old, old | (uint32_t)bits,
						 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	if (ok)
		ram_written(l->ram, l->off, size);
	return ok;
}

struct walk {
	struct level level[5];
	unsigned depth;
	unsigned entry_size;
	uint64_t rights; /* AND of RW, US; OR of NX */
	uint64_t leaf;
};

static uint64_t phys_mask(const struct paging *pg)
{
	return (1ull << pg->maxphyaddr) - 1;
}

/* Down the tree. 0, or -1 with the P/RSVD part of the error code. */
static int descend(struct aspace *as, const struct paging *pg, uint64_t lin, struct walk *w,
		   struct translation *out, uint32_t *err)
{
	bool pae = pg->cr4 & CR4_PAE, lma = pg->efer & EFER_LMA;
	bool nx = pae && pg->efer & EFER_NXE;
	unsigned level, shift, bits = pae ? 9 : 10;
	uint64_t rsvd_high = pae ? (~phys_mask(pg) & 0x000fffffffffffffull) | (nx ? 0 : PTE_NX) : 0;
	uint64_t table, all = PTE_RW | PTE_US, any_nx = 0;

	w->entry_size = pae ? 8 : 4;
	w->depth = 0;
	*err = 0;
	if (!pae) {
		level = 2;
		table = pg->cr3 & 0xfffff000;
	} else if (!lma) {
		uint64_t pdpte = pg->pdpte[lin >> 30 & 3];
		if (!(pdpte & PTE_P))
			return -1;
		level = 2;
		table = pdpte & phys_mask(pg) & PAGE_MASK;
	} else {
		level = pg->cr4 & CR4_LA57 ? 5 : 4;
		table = pg->cr3 & phys_mask(pg) & PAGE_MASK;
	}
	if (pae && !lma)
		rsvd_high |= 0x7ff0000000000000ull;
	for (;; level--) {
		shift = 12 + (level - 1) * bits;
		struct level *l = &w->level[w->depth++];
		uint64_t e = l->entry =
		    entry_read(as, table + (lin >> shift & ((1u << bits) - 1)) * w->entry_size,
			       w->entry_size, l);
		if (!(e & PTE_P))
			return -1;
		uint64_t rsvd = rsvd_high;
		bool large = false;
		if (e & PTE_PS && level > 1) {
			if (level == 2)
				large = pae || pg->cr4 & CR4_PSE;
			else if (level == 3 && lma && pg->gbpages)
				large = true;
			else
				rsvd |= PTE_PS;
		}
		if (large && pae)
			rsvd |= ((1ull << shift) - 1) & ~0x1fffull;
		else if (large) /* PSE-36: bits 20:13 are physical bits 39:32 */
			rsvd |= (1ull << 21) |
				((pg->maxphyaddr < 40 ? 0xffull << (pg->maxphyaddr - 32) & 0xff : 0)
				 << 13);
		if (e & rsvd) {
			*err = PF_P | PF_RSVD;
			return -1;
		}
		all &= e;
		any_nx |= e & PTE_NX;
		if (large || level == 1) {
			uint64_t base = pae ? e & phys_mask(pg) & PAGE_MASK : e & 0xfffff000;
			if (large) {
				base &= ~((1ull << shift) - 1);
				if (!pae)
					base |= (e >> 13 & 0xff) << 32;
			}
			w->leaf = e;
			w->rights = (all & (PTE_RW | PTE_US)) | (nx ? any_nx : 0);
			out->page_size = 1ull << shift;
			out->gpa = base | (lin & (out->page_size - 1));
			out->user = w->rights & PTE_US;
			out->global = e & PTE_G && pg->cr4 & CR4_PGE;
			out->pkey = lma ? e >> 59 & 15 : 0;
			return 0;
		}
		table = pae ? e & phys_mask(pg) & PAGE_MASK : e & 0xfffff000;
	}
}

static void identity(uint64_t lin, struct translation *out)
{
	*out = (struct translation){
	    .gpa = lin, .page_size = PAGE_SIZE, .prot = PG_R | PG_W | PG_X, .user = true};
}

/* Rights of this accessor (SDM 4.6.1), *pk: what the page's protection key forbids, whether or not
 * something else does too. */
static unsigned rights(const struct paging *pg, const struct walk *w, const struct translation *t,
		       bool user, bool ac, unsigned *pk)
{
	unsigned p = PG_R | PG_W | PG_X;
	*pk = 0;
	if (w->rights & PTE_NX)
		p &= ~(unsigned)PG_X;
	if (user) {
		if (!t->user)
			return 0;
		if (!(w->rights & PTE_RW))
			p &= ~(unsigned)PG_W;
	} else {
		if (!(w->rights & PTE_RW) && pg->cr0 & CR0_WP)
			p &= ~(unsigned)PG_W;
		if (t->user) {
			if (pg->cr4 & CR4_SMEP)
				p &= ~(unsigned)PG_X;
			if (pg->cr4 & CR4_SMAP && !ac)
				p &= ~(unsigned)(PG_R | PG_W);
		}
	}
	if (t->user && pg->cr4 & CR4_PKE && pg->efer & EFER_LMA) {
		unsigned key = pg->pkru >> (t->pkey * 2) & 3;
		if (key & 1)
			*pk = PG_R | PG_W;
		else if (key & 2 && (user || pg->cr0 & CR0_WP))
			*pk = PG_W;
		p &= ~*pk;
	}
	return p;
}

int page_walk(struct aspace *as, const struct paging *pg, uint64_t lin, enum access acc, bool user,
	      bool ac, struct translation *out, uint32_t *err)
{
	if (!(pg->cr0 & CR0_PG)) {
		identity(lin, out);
		return 0;
	}
	uint32_t base = (acc == ACC_WRITE ? PF_W : 0) | (user ? PF_U : 0);
	if (acc == ACC_FETCH && ((pg->efer & EFER_NXE && pg->cr4 & CR4_PAE) || pg->cr4 & CR4_SMEP))
		base |= PF_I;
	for (;;) {
		struct walk w;
		unsigned pk;
		if (descend(as, pg, lin, &w, out, err) < 0) {
			*err |= base;
			return 1;
		}
		unsigned p = rights(pg, &w, out, user, ac, &pk);
		unsigned want = acc == ACC_WRITE ? PG_W : acc == ACC_FETCH ? PG_X : PG_R;
		if (!(p & want)) {
			*err = base | PF_P | (pk & want ? PF_PK : 0);
			return 1;
		}
		bool ok = true;
		for (unsigned n = 0; ok && n + 1 < w.depth; n++)
			ok = entry_set(&w.level[n], w.entry_size, PTE_A);
		if (ok)
			ok = entry_set(&w.level[w.depth - 1], w.entry_size,
				       acc == ACC_WRITE ? PTE_A | PTE_D : PTE_A);
		if (!ok)
			continue;
		if (acc != ACC_WRITE && !(w.leaf & PTE_D))
			p &= ~(unsigned)PG_W;
		out->prot = (uint8_t)p;
		return 0;
	}
}

int page_walk_debug(struct aspace *as, const struct paging *pg, uint64_t lin,
		    struct translation *out)
{
	struct walk w;
	uint32_t err;
	unsigned pk;
	if (!(pg->cr0 & CR0_PG)) {
		identity(lin, out);
		return 0;
	}
	if (descend(as, pg, lin, &w, out, &err) < 0)
		return -1;
	out->prot = (uint8_t)rights(pg, &w, out, false, true, &pk);
	return 0;
}

bool page_load_pdptes(struct aspace *as, struct paging *pg)
{
	uint64_t pdpte[4], rsvd = ~phys_mask(pg) | 0x1e6;
	for (unsigned n = 0; n < 4; n++) {
		pdpte[n] = aspace_read(as, (pg->cr3 & 0xffffffe0) + n * 8, 8);
		if (pdpte[n] & PTE_P && pdpte[n] & rsvd)
			return false;
	}
	memcpy(pg->pdpte, pdpte, sizeof(pdpte));
	return true;
}
