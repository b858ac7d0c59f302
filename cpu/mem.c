/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The slow half of guest memory access: TLB fills, page crossings, devices, the local APIC page,
 * alignment checks, data breakpoints, and stores to pages that hold decoded code.
 */
#include "cpu/mem.h"

#include "cpu/debug.h"
#include "cpu/exc.h"
#include "mmu/aspace.h"

/* One page of an access after translation: host pointer, or a guest-physical device address. */
struct piece {
	uint8_t *host;
	struct ram_page *page; /* RAM: NULL for ROM and devices */
	bool walked;           /* gpa is known */
	uint64_t gpa;
};

static bool canonical(const struct core *c, uint64_t lin)
{
	unsigned shift = c->paging.cr4 & CR4_LA57 ? 7 : 16;
	return (uint64_t)((int64_t)(lin << shift) >> shift) == lin;
}

/* Where the page of gpa is in RAM; false for ROM, devices, the APIC page and nothing. */
static bool ram_page_of(struct core *c, uint64_t gpa, struct range *r)
{
	return (gpa & PAGE_MASK) != c->apic_page &&
	       aspace_find(c->mem, gpa & aspace_mask(c->mem), r);
}

/* The fast forms of instructions leave segmentation in 64-bit mode to this. */
static noreturn void raise_non_canonical(struct core *c)
{
	raise_err(c, c->insn && c->insn->seg == SS ? EXC_SS : EXC_GP, 0);
}

/* Enters a translation for tag into the TLB. */
static void enter(struct core *c, uint64_t tag, unsigned mode, const struct translation *t,
		  const struct piece *p)
{
	unsigned n = tlb_index(tag);
	struct tlb_entry *e = &c->tlb.e[mode][n];
	uint64_t bit = 1ull << n % 64, *global = &c->tlb.global[mode][n / 64];
	uint8_t *host = p->host - (t->gpa & ~PAGE_MASK);

	if (t->page_size > PAGE_SIZE)
		tlb_note_large(&c->tlb, tag & PAGE_MASK, t->page_size);
	e->host = host;
	e->page = p->page;
	e->rd = t->prot & PG_R ? tag : TLB_NONE;
	e->wr = t->prot & PG_W ? tag : TLB_NONE;
	*global = t->global ? *global | bit : *global & ~bit;
}

/* 0, or the fault: EXC_PF with *err, or EXC_GP for a non-canonical address. */
static unsigned find(struct core *c, uint64_t lin, enum access acc, unsigned mode, struct piece *p,
		     uint32_t *err)
{
	struct tlb_entry *e = &c->tlb.e[mode][tlb_index(lin)];
	uint64_t tag = (lin & PAGE_MASK) | c->tlb.asid;
	struct translation t;
	struct range r;

	if ((acc == ACC_WRITE ? e->wr : e->rd) == tag) {
		*p = (struct piece){.host = e->host + (lin & ~PAGE_MASK), .page = e->page};
		return 0;
	}
	if (core_long(c) && !canonical(c, lin))
		return EXC_GP;
	c->tlb.misses++;
	if (page_walk(c->mem, &c->paging, lin, acc, mode == TLB_USER, mode == TLB_KERNEL_AC,
		      &t, err))
		return EXC_PF;
	*p = (struct piece){.gpa = t.gpa, .walked = true};
	if (!ram_page_of(c, t.gpa, &r) || r.kind == RANGE_DEV)
		return 0;
	uint64_t off = r.ram_off + (t.gpa & aspace_mask(c->mem)) - r.base;
	if (r.kind == RANGE_ROM) {
		if (acc != ACC_WRITE) /* dropped by the address space */
			p->host = r.ram->host + off;
		return 0;
	}
	p->host = r.ram->host + off;
	p->page = &r.ram->pages[off >> PAGE_SHIFT];
	if (!(c->debug_active && debug_data_page(c, lin)) &&
	    !(c->watch && watch_page(c->watch, lin, t.gpa)))
		enter(c, tag, mode, &t, p);
	return 0;
}

static void translate(struct core *c, uint64_t lin, enum access acc, unsigned mode, struct piece *p)
{
	uint32_t err;
	unsigned fault = find(c, lin, acc, mode, p, &err);
	if (fault == EXC_PF)
		raise_pf(c, lin, err);
	else if (fault)
		raise_non_canonical(c);
}

void mem_fill(struct core *c, uint64_t lin, enum access acc)
{
	struct piece p;
	uint32_t err;
	find(c, lin, acc, c->tlb_mode, &p, &err);
}

static uint64_t dev_read(struct core *c, uint64_t gpa, unsigned size)
{
	core_touch_device(c);
	if ((gpa & PAGE_MASK) == c->apic_page)
		return c->bus->apic_read(c->bus->opaque, c->index, gpa & ~PAGE_MASK, size);
	return aspace_read(c->mem, gpa, size);
}

static void dev_write(struct core *c, uint64_t gpa, uint64_t val, unsigned size)
{
	core_touch_device(c);
	if ((gpa & PAGE_MASK) == c->apic_page)
		c->bus->apic_write(c->bus->opaque, c->index, gpa & ~PAGE_MASK, val, size);
	else
		aspace_write(c->mem, gpa, val, size);
}

/* The largest access of at most 8 bytes that n leaves room for. */
static unsigned chunk(unsigned n)
{
	return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

static void piece_read(struct core *c, const struct piece *p, uint8_t *buf, unsigned n)
{
	if (p->host) {
		memcpy(buf, p->host, n);
		return;
	}
	for (unsigned at = 0, step; at < n; at += step) {
		step = chunk(n - at);
		uint64_t v = dev_read(c, p->gpa + at, step);
		if (c->watch_events)
			watch_event(c, WATCH_LOAD, p->gpa + at, step, v);
		memcpy(buf + at, &v, step);
	}
}

static void stored(struct core *c, struct ram_page *page)
{
	if (ram_page_written(page))
		c->leave = true;
}

static void piece_write(struct core *c, const struct piece *p, const uint8_t *buf, unsigned n)
{
	if (p->page) {
		memcpy(p->host, buf, n);
		stored(c, p->page);
		return;
	}
	for (unsigned at = 0, step; at < n; at += step) {
		uint64_t v = 0;
		step = chunk(n - at);
		memcpy(&v, buf + at, step);
		dev_write(c, p->gpa + at, v, step);
		if (c->watch_events)
			watch_event(c, WATCH_STORE, p->gpa + at, step, v);
	}
}

static uint64_t next_page(const struct core *c, uint64_t lin)
{
	uint64_t next = (lin & PAGE_MASK) + PAGE_SIZE;
	return core_long(c) ? next : (uint32_t)next;
}

/* Translates the one or two pages of an access, so that a fault comes before any effect. Returns
 * how many bytes lie in the first page. */
static unsigned pieces(struct core *c, uint64_t lin, unsigned size, enum access acc, unsigned mode,
		       struct piece p[2])
{
	unsigned first = PAGE_SIZE - (lin & ~PAGE_MASK);
	unsigned misaligned = size == 10 ? lin & 7 : size <= 8 ? lin & (size - 1) : 0;
	if (c->align_check && mode == TLB_USER && misaligned) {
		if (core_long(c) && !canonical(c, lin))
			raise_non_canonical(c);
		raise_err(c, EXC_AC, 0);
	}
	/* Across the end of the lower half: no page of it is looked at. */
	if (first < size && core_long(c) && !canonical(c, lin + size - 1))
		raise_non_canonical(c);
	translate(c, lin, acc, mode, &p[0]);
	if (first < size)
		translate(c, next_page(c, lin), acc, mode, &p[1]);
	else
		first = size;
	if (c->debug_active)
		c->dr6_pending |= debug_data_hits(c, lin, size, acc == ACC_WRITE);
	if (c->watch && p[0].walked)
		watch_access(c, lin, p[0].gpa, first, acc == ACC_WRITE);
	if (c->watch && first < size && p[1].walked)
		watch_access(c, next_page(c, lin), p[1].gpa, size - first, acc == ACC_WRITE);
	return first;
}

void mem_read_slow(struct core *c, uint64_t lin, void *buf, unsigned size, unsigned mode)
{
	struct piece p[2];
	unsigned first = pieces(c, lin, size, ACC_READ, mode, p);
	piece_read(c, &p[0], buf, first);
	if (first < size)
		piece_read(c, &p[1], (uint8_t *)buf + first, size - first);
}

void mem_write_slow(struct core *c, uint64_t lin, const void *buf, unsigned size, unsigned mode)
{
	struct piece p[2];
	unsigned first = pieces(c, lin, size, ACC_WRITE, mode, p);
	piece_write(c, &p[0], buf, first);
	if (first < size)
		piece_write(c, &p[1], (const uint8_t *)buf + first, size - first);
}

void mem_stored(struct core *c, struct tlb_entry *e)
{
	stored(c, e->page);
}

/* The TLB entry when all of [lin, lin+size) is in its page and the access needs no slow path. */
static struct tlb_entry *fast_entry(struct core *c, uint64_t lin, unsigned size, bool write)
{
	struct tlb_entry *e = &c->tlb.e[c->tlb_mode][tlb_index(lin)];
	uint64_t tag = (lin & PAGE_MASK) | c->tlb.asid;
	if ((write ? e->wr : e->rd) != tag || (lin & ~PAGE_MASK) + size > PAGE_SIZE)
		return NULL;
	return e;
}

void mem_read(struct core *c, uint64_t lin, void *buf, unsigned size)
{
	struct tlb_entry *e = fast_entry(c, lin, size, false);
	if (e && !c->align_check)
		memcpy(buf, e->host + (lin & ~PAGE_MASK), size);
	else
		mem_read_slow(c, lin, buf, size, c->tlb_mode);
}

void mem_write(struct core *c, uint64_t lin, const void *buf, unsigned size)
{
	struct tlb_entry *e = fast_entry(c, lin, size, true);
	if (e && !c->align_check) {
		memcpy(e->host + (lin & ~PAGE_MASK), buf, size);
		if (e->page->flags)
			mem_stored(c, e);
	} else {
		mem_write_slow(c, lin, buf, size, c->tlb_mode);
	}
}

void mem_probe(struct core *c, uint64_t lin, unsigned size, enum access acc)
{
	struct piece p;
	uint64_t page = lin;
	uint64_t left = (uint64_t)(lin & ~PAGE_MASK) + size;
	translate(c, page, acc, c->tlb_mode, &p);
	for (; left > PAGE_SIZE; left -= PAGE_SIZE) {
		page = next_page(c, page);
		translate(c, page, acc, c->tlb_mode, &p);
	}
}

uint64_t mem_read_n(struct core *c, uint64_t lin, unsigned size)
{
	switch (size) {
	case 1:
		return mem_read8(c, lin);
	case 2:
		return mem_read16(c, lin);
	case 4:
		return mem_read32(c, lin);
	default:
		return mem_read64(c, lin);
	}
}

void mem_write_n(struct core *c, uint64_t lin, uint64_t val, unsigned size)
{
	switch (size) {
	case 1:
		mem_write8(c, lin, (uint8_t)val);
		break;
	case 2:
		mem_write16(c, lin, (uint16_t)val);
		break;
	case 4:
		mem_write32(c, lin, (uint32_t)val);
		break;
	default:
		mem_write64(c, lin, val);
	}
}

void *mem_rmw(struct core *c, uint64_t lin, unsigned size)
{
	struct piece p[2];
	struct tlb_entry *e = fast_entry(c, lin, size, true);
	if (e && !c->align_check)
		return e->host + (lin & ~PAGE_MASK);
	if (pieces(c, lin, size, ACC_WRITE, c->tlb_mode, p) < size)
		return NULL;
	return p[0].page ? p[0].host : NULL;
}

void mem_rmw_stored(struct core *c, uint64_t lin)
{
	mem_stored_at(c, lin);
}

void mem_bus_lock(struct core *c)
{
	if (c->bus->split_lock)
		pthread_mutex_lock(c->bus->split_lock);
}

void mem_bus_unlock(struct core *c)
{
	if (c->bus->split_lock)
		pthread_mutex_unlock(c->bus->split_lock);
}

void *mem_run(struct core *c, uint64_t lin, unsigned *run, enum access acc)
{
	struct piece p;
	translate(c, lin, acc, c->tlb_mode, &p);
	if (!p.host || (acc == ACC_WRITE && !p.page) || c->debug_active || c->align_check)
		return NULL;
	/* What the TLB has found is not waited for. */
	if (c->watch && p.walked && watch_page(c->watch, lin, p.gpa))
		return NULL;
	*run = PAGE_SIZE - (lin & ~PAGE_MASK);
	return p.host;
}

void mem_stored_at(struct core *c, uint64_t lin)
{
	struct piece p;
	translate(c, lin, ACC_WRITE, c->tlb_mode, &p);
	if (p.page)
		stored(c, p.page);
}

const struct itlb_entry *mem_fetch_page(struct core *c, uint64_t lin)
{
	bool user = vcpu_cpl(&c->v) == 3;
	struct itlb_entry *e = &c->tlb.x[user][(lin >> PAGE_SHIFT) % ITLB_ENTRIES];
	uint64_t tag = (lin & PAGE_MASK) | c->tlb.asid;
	struct translation t;
	struct range r;
	uint32_t err;

	if (e->tag == tag)
		return e;
	if (core_long(c) && !canonical(c, lin))
		raise_gp(c, 0);
	if (page_walk(c->mem, &c->paging, lin, ACC_FETCH, user, false, &t, &err))
		raise_pf(c, lin, err);
	if (t.page_size > PAGE_SIZE)
		tlb_note_large(&c->tlb, lin, t.page_size);
	*e = (struct itlb_entry){
	    .tag = tag,
	    .gpa = t.gpa & aspace_mask(c->mem) & PAGE_MASK,
	    .global = t.global,
	};
	if (ram_page_of(c, t.gpa, &r) && r.kind != RANGE_DEV) {
		uint64_t off = r.ram_off + e->gpa - r.base;
		e->host = r.ram->host + off;
		e->page = &r.ram->pages[off >> PAGE_SHIFT];
	}
	return e;
}

void core_update_apic(struct core *c)
{
	uint64_t base = 0;
	const uint64_t enabled = 1 << 11, x2apic = 1 << 10;
	c->apic_page = TLB_NONE;
	if (c->bus->apic_msr_read &&
	    !c->bus->apic_msr_read(c->bus->opaque, c->index, 0x1b, &base) &&
	    (base & (enabled | x2apic)) == enabled)
		c->apic_page = base & 0x000ffffffffff000;
	tlb_flush_all(&c->tlb);
}
