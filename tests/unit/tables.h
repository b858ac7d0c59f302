/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page tables for tests: one linear address mapped in any paging mode, with a page size and with
 * each level's entry at hand.
 */
#ifndef TESTS_UNIT_TABLES_H
#define TESTS_UNIT_TABLES_H

#include <string.h>

#include "cpu/vcpu.h"
#include "mmu/aspace.h"
#include "mmu/walk.h"

enum {
	PTE_P = 1 << 0,
	PTE_W = 1 << 1,
	PTE_U = 1 << 2,
	PTE_A = 1 << 5,
	PTE_D = 1 << 6,
	PTE_PS = 1 << 7,
	PTE_G = 1 << 8,
};
#define PTE_NX (1ull << 63)

struct paging_mode {
	const char *name;
	unsigned levels, bits, entry; /* levels in memory, index bits, bytes of an entry */
	uint64_t cr4, efer;
};

static const struct paging_mode paging_modes[] = {
    {"32-bit", 2, 10, 4, CR4_PSE, 0},
    {"PAE", 2, 9, 8, CR4_PAE, 0},
    {"4-level", 4, 9, 8, CR4_PAE, EFER_LME | EFER_LMA},
    {"5-level", 5, 9, 8, CR4_PAE | CR4_LA57, EFER_LME | EFER_LMA},
};
enum { NR_PAGING_MODES = 4, PM_32 = 0, PM_PAE, PM_4, PM_5 };

/* The table of level n (1 is the lowest) is page 80h + n; PAE's four PDPTEs are in page 86h. */
#define TABLE(n)   (0x80000ull + ((uint64_t)(n) << 12))
#define PDPT       0x86000u
#define TABLES_END 0x87000u

struct tables {
	struct ram *ram;
	const struct paging_mode *mode;
	struct paging pg;
};

static inline void tables_init(struct tables *t, struct ram *ram, unsigned mode)
{
	t->ram = ram;
	t->mode = &paging_modes[mode];
	memset(ram->host + TABLE(0), 0, TABLES_END - TABLE(0));
	t->pg = (struct paging){
	    .cr0 = CR0_PG | CR0_PE | CR0_WP,
	    .cr3 = mode == PM_PAE ? PDPT : TABLE(t->mode->levels),
	    .cr4 = t->mode->cr4,
	    .efer = t->mode->efer,
	    .maxphyaddr = 40,
	    .gbpages = true,
	};
	for (unsigned n = 0; n < 4; n++)
		t->pg.pdpte[n] = TABLE(2) | PTE_P;
	if (mode == PM_PAE)
		memcpy(ram->host + PDPT, t->pg.pdpte, sizeof(t->pg.pdpte));
}

static inline unsigned level_shift(const struct tables *t, unsigned level)
{
	return 12 + (level - 1) * t->mode->bits;
}

static inline void *entry_at(const struct tables *t, uint64_t lin, unsigned level)
{
	uint64_t index = lin >> level_shift(t, level) & ((1u << t->mode->bits) - 1);
	return t->ram->host + TABLE(level) + index * t->mode->entry;
}

static inline uint64_t entry_get(const struct tables *t, uint64_t lin, unsigned level)
{
	uint64_t v = 0;
	memcpy(&v, entry_at(t, lin, level), t->mode->entry);
	return v;
}

static inline void entry_put(const struct tables *t, uint64_t lin, unsigned level, uint64_t val)
{
	memcpy(entry_at(t, lin, level), &val, t->mode->entry);
}

/* Maps lin to gpa by a page of level `leaf`, everything allowed; entries may then be changed. */
static inline void tables_map(const struct tables *t, uint64_t lin, uint64_t gpa, unsigned leaf)
{
	for (unsigned n = t->mode->levels; n > leaf; n--)
		entry_put(t, lin, n, TABLE(n - 1) | PTE_P | PTE_W | PTE_U);
	entry_put(t, lin, leaf, gpa | PTE_P | PTE_W | PTE_U | (leaf > 1 ? PTE_PS : 0));
}

#endif
