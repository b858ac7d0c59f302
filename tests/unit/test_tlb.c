/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the TLB keeps and what it must forget: accesses through page tables that change.
 */
#include "synth.h"
#include "tables.h"

enum { LIN = 0x40201000, NEXT = LIN + PAGE_SIZE };

static struct synth *s;
static struct tables t;

static void use_tables(unsigned mode)
{
	struct vcpu *v = &s->c.v;

	tables_init(&t, &s->ram, mode);
	v->cr3 = t.pg.cr3;
	v->cr4 = t.pg.cr4;
	v->efer = t.pg.efer;
	v->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP;
	memcpy(v->pdpte, t.pg.pdpte, sizeof(v->pdpte));
	core_update_mode(&s->c);
	core_update_pcid(&s->c);
	tlb_flush_all(&s->c.tlb);
	/* Each page of RAM begins with its own number. */
	for (unsigned n = 16; n < TABLE(0) / PAGE_SIZE; n++)
		poke(s, n * PAGE_SIZE, n, 8);
}

static void setup(void)
{
	s = synth_new("max");
	enter_long(s, 0);
	use_tables(PM_4);
}

static void teardown(void)
{
	synth_free(s);
}

TestSuite(tlb, .init = setup, .fini = teardown);

static void map(uint64_t lin, unsigned page)
{
	tables_map(&t, lin, (uint64_t)page * PAGE_SIZE, 1);
}

static void set_cpl(unsigned cpl)
{
	load_raw(s, SS, cpl ? DATA3 : DATA0);
	load_raw(s, CS, cpl ? CODE64_3 : CODE64);
	core_update_mode(&s->c);
}

static int read_page(uint64_t lin, uint64_t *val)
{
	return CATCH(s, *val = mem_read64(&s->c, lin));
}

/* The number of the page that lin leads to. */
static uint64_t page_at(uint64_t lin)
{
	uint64_t val = 0;
	int r = read_page(lin, &val);

	cr_assert_eq(r, RAN, "vector %d at %llx", r, (unsigned long long)lin);
	return val;
}

#define MISSES(n, expr)                                                                            \
	do {                                                                                       \
		uint64_t before_ = s->c.tlb.misses;                                                \
		expr;                                                                              \
		cr_expect_eq(s->c.tlb.misses - before_, (unsigned)(n), "misses of " #expr);        \
	} while (0)

Test(tlb, keeps_a_translation_until_told)
{
	map(LIN, 20);
	map(NEXT, 30);
	MISSES(1, cr_expect_eq(page_at(LIN), 20u));
	MISSES(1, cr_expect_eq(page_at(NEXT), 30u));
	map(LIN, 21);
	map(NEXT, 31);
	MISSES(0, cr_expect_eq(page_at(LIN), 20u));
	tlb_flush_page(&s->c.tlb, LIN + 5);
	cr_expect_eq(page_at(LIN), 21u);
	MISSES(0, cr_expect_eq(page_at(NEXT), 30u));
	tlb_flush_all(&s->c.tlb);
	cr_expect_eq(page_at(NEXT), 31u);
}

Test(tlb, addresses_that_share_a_slot)
{
	/* Low enough in their 2 MiB for one of them to be part of a large page over RAM. */
	uint64_t one = 0x40214000, other = one + ((uint64_t)TLB_ENTRIES << PAGE_SHIFT);

	map(one, 30);
	tables_map(&t, other & ~0x1fffffull, 0, 2);
	for (unsigned n = 0; n < 4; n++) {
		cr_expect_eq(page_at(one), 30u);
		cr_expect_eq(page_at(other), 20u);
	}
}

Test(tlb, a_large_page_goes_as_a_whole)
{
	static const struct {
		unsigned mode, leaf;
	} sizes[] = {{PM_4, 2}, {PM_4, 3}, {PM_PAE, 2}, {PM_32, 2}};

	for (unsigned n = 0; n < 4; n++) {
		uint64_t size, at[4];

		load_raw(s, CS, sizes[n].mode == PM_4 ? CODE64 : CODE0);
		use_tables(sizes[n].mode);
		size = 1ull << level_shift(&t, sizes[n].leaf);
		tables_map(&t, LIN & ~(size - 1), 0, sizes[n].leaf);
		/* RAM covers the first MiB of it only: the pieces have to be there. */
		for (unsigned k = 0; k < 4; k++)
			at[k] = (LIN & ~(size - 1)) + (40 + k) * PAGE_SIZE;
		for (unsigned k = 0; k < 4; k++)
			cr_expect_eq(page_at(at[k]), 40 + k);
		entry_put(&t, LIN, sizes[n].leaf, 0);
		for (unsigned k = 0; k < 4; k++)
			cr_expect_eq(page_at(at[k]), 40 + k, "still cached");
		/* Any address in the page will do; the last is in its other half. */
		tlb_flush_page(&s->c.tlb, (LIN & ~(size - 1)) + size - 1);
		for (unsigned k = 0; k < 4; k++) {
			uint64_t val;

			cr_expect_eq(read_page(at[k], &val), EXC_PF, "size %llx",
				     (unsigned long long)size);
		}
	}
}

static void use_pcid(unsigned pcid)
{
	s->c.v.cr4 |= CR4_PCIDE;
	s->c.v.cr3 = t.pg.cr3 | pcid;
	core_update_mode(&s->c);
	core_update_pcid(&s->c);
}

Test(tlb, address_spaces_keep_theirs)
{
	for (unsigned pcid = 1; pcid <= 3; pcid++) {
		use_pcid(pcid);
		map(LIN, 20 + pcid);
		cr_expect_eq(page_at(LIN), 20 + pcid);
	}
	/* One slot holds one of them: the last. */
	MISSES(0, cr_expect_eq(page_at(LIN), 23u));
	map(LIN, 50);
	use_pcid(1);
	cr_expect_eq(page_at(LIN), 50u, "not what another address space cached");
	use_pcid(2);
	map(NEXT, 60);
	cr_expect_eq(page_at(NEXT), 60u);
	use_pcid(1);
	map(NEXT, 61);
	use_pcid(2);
	MISSES(0, cr_expect_eq(page_at(NEXT), 60u));
	use_pcid(1);
	tlb_flush_pcid(&s->c.tlb, 2);
	use_pcid(2);
	cr_expect_eq(page_at(NEXT), 61u);
	map(NEXT, 62);
	tlb_flush_pcid(&s->c.tlb, 2);
	cr_expect_eq(page_at(NEXT), 62u, "the current one");
}

Test(tlb, invlpg_reaches_every_address_space)
{
	use_pcid(7);
	map(LIN, 20);
	cr_expect_eq(page_at(LIN), 20u);
	use_pcid(8);
	map(LIN, 21);
	tlb_flush_page(&s->c.tlb, LIN);
	use_pcid(7);
	cr_expect_eq(page_at(LIN), 21u);
}

Test(tlb, tags_run_out)
{
	for (unsigned n = 0; n < 3 * TLB_ASIDS; n++) {
		unsigned page = 20 + n % 100;

		map(LIN, page);
		if (n & 1)
			use_pcid(n % 4096);
		tlb_flush_pcid(&s->c.tlb, s->c.tlb.pcid);
		cr_assert_eq(page_at(LIN), page, "round %u", n);
		cr_assert(s->c.tlb.asid > 0 && s->c.tlb.asid < TLB_ASIDS);
	}
}

Test(tlb, the_first_write_sets_d)
{
	map(LIN, 20);
	cr_expect_eq(page_at(LIN), 20u);
	cr_expect_not(entry_get(&t, LIN, 1) & PTE_D);
	mem_write64(&s->c, LIN, 5);
	cr_expect(entry_get(&t, LIN, 1) & PTE_D);
	cr_expect_eq(page_at(LIN), 5u);
	MISSES(0, mem_write64(&s->c, LIN, 6));
	MISSES(0, cr_expect_eq(page_at(LIN), 6u));
}

Test(tlb, rights_are_those_of_the_accessor)
{
	uint64_t val;

	map(LIN, 20);
	entry_put(&t, LIN, 1, 20 * PAGE_SIZE | PTE_P);
	cr_expect_eq(page_at(LIN), 20u);
	set_cpl(3);
	cr_expect_eq(read_page(LIN, &val), EXC_PF);
	cr_expect_eq(s->c.exc.error, (unsigned)(PF_P | PF_U));
	cr_expect_eq(s->c.exc.cr2, (uint64_t)LIN);
	set_cpl(0);
	cr_expect_eq(CATCH(s, mem_write64(&s->c, LIN + 8, 1)), EXC_PF);
	cr_expect_eq(s->c.exc.error, (unsigned)(PF_P | PF_W));
	cr_expect_eq(s->c.exc.cr2, LIN + 8u);
	/* A user page, cached for users, under SMAP. */
	map(NEXT, 30);
	set_cpl(3);
	cr_expect_eq(page_at(NEXT), 30u);
	set_cpl(0);
	s->c.v.cr4 |= CR4_SMAP;
	core_update_mode(&s->c);
	tlb_flush_all(&s->c.tlb);
	cr_expect_eq(read_page(NEXT, &val), EXC_PF);
	s->c.v.rflags |= FL_AC;
	core_update_mode(&s->c);
	cr_expect_eq(page_at(NEXT), 30u);
	cr_expect_eq(CATCH(s, val = sys_read64(&s->c, NEXT)), EXC_PF,
		     "implicit accesses do not care about AC");
}

Test(tlb, over_a_page_boundary)
{
	uint64_t val;

	map(LIN, 20);
	map(NEXT, 31);
	poke(s, 20 * PAGE_SIZE + 0xffc, 0x44332211, 4);
	poke(s, 31 * PAGE_SIZE, 0x88776655, 4);
	for (unsigned n = 0; n < 2; n++) {
		cr_expect_eq(read_page(NEXT - 4, &val), RAN);
		cr_expect_eq(val, 0x8877665544332211);
	}
	mem_write64(&s->c, NEXT - 4, 0x1020304050607080);
	cr_expect_eq(peek(s, 20 * PAGE_SIZE + 0xffc, 4), 0x50607080u);
	cr_expect_eq(peek(s, 31 * PAGE_SIZE, 4), 0x10203040u);
	entry_put(&t, NEXT, 1, 31 * PAGE_SIZE | PTE_P);
	tlb_flush_page(&s->c.tlb, NEXT);
	cr_expect_eq(CATCH(s, mem_write64(&s->c, NEXT - 4, 0)), EXC_PF);
	cr_expect_eq(s->c.exc.cr2, (uint64_t)NEXT);
	cr_expect_eq(peek(s, 20 * PAGE_SIZE + 0xffc, 4), 0x50607080u, "all or nothing");
}

static uint64_t count_reads(void *dev, uint64_t off, unsigned size)
{
	(void)off;
	(void)size;
	return ++*(uint64_t *)dev;
}

Test(tlb, devices_answer_every_time)
{
	static const struct mmio_ops ops = {count_reads, NULL, 8, 8};
	uint64_t count = 0;

	cr_assert_eq(aspace_map_dev(&s->mem, "counter", 0x200000, PAGE_SIZE, &ops, &count), 0);
	map(LIN, 0x200);
	for (unsigned n = 1; n < 4; n++)
		cr_expect_eq(page_at(LIN), n);
	/* It makes way for RAM. */
	cr_assert_eq(aspace_unmap(&s->mem, 0x200000), 0);
	cr_assert_eq(aspace_map_ram(&s->mem, "more", 0x200000, PAGE_SIZE, &s->ram, 17 * PAGE_SIZE),
		     0);
	tlb_flush_all(&s->c.tlb);
	cr_expect_eq(page_at(LIN), 17u);
}

Test(tlb, fetches)
{
	map(LIN, 20);
	cr_expect_eq(mem_fetch_page(&s->c, LIN + 3)->gpa, 20u * PAGE_SIZE);
	map(LIN, 21);
	cr_expect_eq(mem_fetch_page(&s->c, LIN)->gpa, 20u * PAGE_SIZE);
	tlb_flush_page(&s->c.tlb, LIN);
	cr_expect_eq(mem_fetch_page(&s->c, LIN)->gpa, 21u * PAGE_SIZE);
	set_cpl(3);
	cr_expect_eq(mem_fetch_page(&s->c, LIN)->gpa, 21u * PAGE_SIZE);
	set_cpl(0);
	s->c.v.cr4 |= CR4_SMEP;
	core_update_mode(&s->c);
	tlb_flush_all(&s->c.tlb);
	cr_expect_eq(CATCH(s, mem_fetch_page(&s->c, LIN)), EXC_PF);
	cr_expect_eq(s->c.exc.error, (unsigned)(PF_P | PF_I));
}
