/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page tables: walk, info tlb, info mem. SDM vol. 3A 4.3 to 4.5 (formats of entries), 4.6 (access rights).
 *
 * Tables are the guest's and may refer to themselves, so the number of entries that are looked at is bounded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/memory.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"

#define MAX_ENTRIES (1u << 22)
#define MAX_LINES   20000u

enum {
	E_P = 1 << 0,
	E_W = 1 << 1,
	E_U = 1 << 2,
	E_PWT = 1 << 3,
	E_PCD = 1 << 4,
	E_A = 1 << 5,
	E_D = 1 << 6,
	E_PS = 1 << 7,
	E_G = 1 << 8,
};
#define E_NX (1ull << 63)

struct tables {
	struct pc *pc;
	struct paging pg;
	unsigned levels, bits; /* index bits of a level */
	bool pae;
};

static const char *const level_names[] = {NULL, "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};

static bool tables_init(struct tables *t, struct view *w)
{
	*t = (struct tables){.pc = w->m->pc};
	debug_paging(w->m->pc, w->v, &t->pg);
	t->pae = t->pg.cr4 & CR4_PAE;
	t->bits = t->pae ? 9 : 10;
	t->levels = !t->pae ? 2 : !(t->pg.efer & EFER_LMA) ? 3 : t->pg.cr4 & CR4_LA57 ? 5 : 4;
	if (t->pg.cr0 & CR0_PG)
		return true;
	out(w->o, "paging is off: linear addresses are physical ones\n");
	return false;
}

static unsigned level_shift(const struct tables *t, unsigned level)
{
	return 12 + (level - 1) * t->bits;
}

static uint64_t root(const struct tables *t)
{
	uint64_t mask = ((1ull << t->pg.maxphyaddr) - 1) & PAGE_MASK;

	if (!t->pae)
		return t->pg.cr3 & 0xfffff000;
	return t->pg.efer & EFER_LMA ? t->pg.cr3 & mask : t->pg.cr3 & 0xffffffe0;
}

/* Entries of PAE's first table are in registers of the CPU. */
static bool entry_at(const struct tables *t, unsigned level, uint64_t table, unsigned index,
		     uint64_t *at, uint64_t *entry)
{
	unsigned size = t->pae ? 8 : 4;

	*entry = 0;
	*at = table + (uint64_t)index * size;
	if (t->levels == 3 && level == 3) {
		*entry = t->pg.pdpte[index & 3];
		return true;
	}
	return aspace_dma_read(&t->pc->m.mem, *at, entry, size) == 0;
}

static bool is_leaf(const struct tables *t, unsigned level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & E_PS) || level > 3 || (t->levels == 3 && level == 3))
		return false;
	return t->pae || t->pg.cr4 & CR4_PSE;
}

/* Of a page, or of the next table. */
static uint64_t entry_address(const struct tables *t, unsigned level, uint64_t entry, bool leaf)
{
	uint64_t base;

	if (!t->pae) {
		base = entry & 0xfffff000;
		if (leaf && level == 2)
			base = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
		return base;
	}
	base = entry & ((1ull << t->pg.maxphyaddr) - 1) & PAGE_MASK;
	return leaf ? base & ~((1ull << level_shift(t, level)) - 1) : base;
}

static void flags_text(uint64_t e, bool leaf, char *buf, size_t len)
{
	snprintf(buf, len, "%s %s%s%s%s%s%s%s", e & E_W ? "writable" : "read-only",
		 e & E_U ? "user" : "supervisor", e & E_NX ? " no-execute" : "",
		 e & E_A ? " accessed" : "", leaf && e & E_D ? " dirty" : "",
		 leaf && e & E_G ? " global" : "", e & E_PCD ? " uncached" : "",
		 e & E_PWT ? " write-through" : "");
}

static void walk(struct view *w, const struct tables *t, uint64_t addr)
{
	uint64_t table = root(t), all = E_W | E_U, nx = 0;

	out(w->o, "CR3 0x%" PRIx64 ": %u levels, %s\n", t->pg.cr3, t->levels,
	    t->levels == 5   ? "57-bit linear addresses"
	    : t->levels == 4 ? "48-bit linear addresses"
	    : t->levels == 3 ? "PAE"
			     : "32-bit");
	for (unsigned level = t->levels; level; level--) {
		unsigned index = (unsigned)(addr >> level_shift(t, level)) & ((1u << t->bits) - 1);
		uint64_t at, e, size = 1ull << level_shift(t, level);
		char flags[128];
		bool leaf;

		if (!entry_at(t, level, table, index, &at, &e)) {
			out(w->o, "%-5s %3u at 0x%" PRIx64 ": no memory is there\n",
			    level_names[level], index, at);
			return;
		}
		out(w->o, "%-5s %3u at 0x%09" PRIx64 ": 0x%016" PRIx64 " ", level_names[level],
		    index, at, e);
		if (!(e & E_P)) {
			out(w->o, "not present%s\n", e ? "; its other bits are the system's" : "");
			return;
		}
		leaf = is_leaf(t, level, e);
		flags_text(e, leaf, flags, sizeof(flags));
		/* PAE's first entries have no rights. */
		if (t->levels != 3 || level != 3) {
			all &= e;
			nx |= e & E_NX;
		} else {
			strcpy(flags, "present");
		}
		table = entry_address(t, level, e, leaf);
		out(w->o, "-> %s 0x%" PRIx64 ", %s\n", leaf ? "page" : "table", table, flags);
		if (!leaf)
			continue;
		out(w->o, "physical address 0x%" PRIx64 ", page of %" PRIu64 " %s: %s, %s%s\n",
		    table + (addr & (size - 1)), size >> 20 ? size >> 20 : size >> 10,
		    size >> 20 ? "MiB" : "KiB", all & E_U ? "user" : "supervisor",
		    all & E_W ? "writable" : "read-only", nx ? ", no-execute" : "");
		return;
	}
}

static void cmd_walk(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct tables t;
	uint64_t addr;
	struct view w;

	view_begin(&w, m, o);
	if (view_place(&w, a[0].text, &addr) && tables_init(&t, &w)) {
		unsigned top = level_shift(&t, t.levels) + t.bits;

		if (t.levels > 3 && (uint64_t)((int64_t)(addr << (64 - top)) >> (64 - top)) != addr)
			out(o, "0x%" PRIx64 " is not canonical: an access is #GP\n", addr);
		else
			walk(&w, &t, addr);
	}
	view_end(&w);
}

/* ---- all of them ---- */

struct scan {
	struct view *w;
	const struct tables *t;
	unsigned entries, lines;
	/* info mem: the range that is being collected. */
	bool merge, open;
	uint64_t begin, end, rights;
};

static uint64_t canonical(const struct tables *t, uint64_t addr)
{
	unsigned top = level_shift(t, t->levels) + t->bits;

	return t->levels > 3 ? (uint64_t)((int64_t)(addr << (64 - top)) >> (64 - top)) : addr;
}

static void flush(struct scan *s)
{
	if (s->open && s->lines++ < MAX_LINES)
		out(s->w->o, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c%c\n",
		    canonical(s->t, s->begin), canonical(s->t, s->end - 1) + 1, s->end - s->begin,
		    s->rights & E_U ? 'u' : '-', s->rights & E_W ? 'w' : '-',
		    s->rights & E_NX ? '-' : 'x');
	s->open = false;
}

static void leaf(struct scan *s, unsigned level, uint64_t addr, uint64_t e, uint64_t rights)
{
	uint64_t size = 1ull << level_shift(s->t, level);

	if (!s->merge) {
		if (s->lines++ < MAX_LINES)
			out(s->w->o, "%016" PRIx64 ": %016" PRIx64 " %c%c%c%c%c%c%c%c%c\n",
			    canonical(s->t, addr), entry_address(s->t, level, e, true),
			    e & E_NX ? 'X' : '-', e & E_G ? 'G' : '-', level > 1 ? 'P' : '-',
			    e & E_D ? 'D' : '-', e & E_A ? 'A' : '-', e & E_PCD ? 'C' : '-',
			    e & E_PWT ? 'T' : '-', e & E_U ? 'U' : '-', e & E_W ? 'W' : '-');
		return;
	}
	if (s->open && s->end == addr && s->rights == rights) {
		s->end += size;
		return;
	}
	flush(s);
	s->open = true;
	s->begin = addr;
	s->end = addr + size;
	s->rights = rights;
}

static void scan_table(struct scan *s, unsigned level, uint64_t table, uint64_t addr,
		       uint64_t rights)
{
	unsigned nr = s->t->levels == 3 && level == 3 ? 4 : 1u << s->t->bits;

	for (unsigned n = 0; n < nr && s->lines < MAX_LINES; n++) {
		uint64_t at, e, here = addr + ((uint64_t)n << level_shift(s->t, level)), r = rights;

		if (++s->entries > MAX_ENTRIES)
			return;
		if (!entry_at(s->t, level, table, n, &at, &e) || !(e & E_P))
			continue;
		if (s->t->levels != 3 || level != 3)
			r = (r & e & (E_W | E_U)) | ((r | e) & E_NX);
		if (is_leaf(s->t, level, e))
			leaf(s, level, here, e, r);
		else
			scan_table(s, level - 1, entry_address(s->t, level, e, false), here, r);
	}
}

static void scan(struct monitor *m, const struct out *o, bool merge)
{
	struct tables t;
	struct view w;
	struct scan s = {.w = &w, .t = &t, .merge = merge};

	view_begin(&w, m, o);
	if (tables_init(&t, &w)) {
		scan_table(&s, t.levels, root(&t), 0, E_W | E_U);
		flush(&s);
		if (s.lines >= MAX_LINES || s.entries > MAX_ENTRIES)
			out(o, "... there is more\n");
	}
	view_end(&w);
}

static void info_tlb(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	scan(m, o, false);
}

static void info_mem(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	scan(m, o, true);
}

const struct command paging_commands[] = {
    {"walk", "PLACE...", cmd_walk, "how an address is translated, level by level", "walk $rip"},
    {"info tlb", NULL, info_tlb, "each page that is mapped, with its flags", "info tlb"},
    {"info mem", NULL, info_mem, "ranges that are mapped, with their rights", "info mem"},
    {0},
};
