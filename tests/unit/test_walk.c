/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page walks in every mode against the words of SDM vol. 3A 4.6 and 4.7.
 */
#include <criterion/criterion.h>

#include "tables.h"

static struct ram ram;
static struct aspace as;
static struct tables t;

static void setup(void)
{
	aspace_init(&as, "memory", 52, NULL);
	cr_assert_eq(ram_init(&ram, "ram", TABLES_END), 0);
	cr_assert_eq(aspace_map_ram(&as, "ram", 0, TABLES_END, &ram, 0), 0);
}

static void teardown(void)
{
	ram_fini(&ram);
}

TestSuite(walk, .init = setup, .fini = teardown);

/* An address whose index differs at every level. */
static uint64_t some_address(unsigned mode)
{
	static const uint64_t at[] = {0x80c03abc, 0xc0a05abc, 0x0000123456789abc,
				      0x00123456789abcde};
	return at[mode];
}

static unsigned max_leaf(unsigned mode)
{
	return mode >= PM_4 ? 3 : 2;
}

/* Page sizes divide it, maxphyaddr holds it. */
#define FRAME 0x1240000000ull
static uint64_t frame(unsigned mode)
{
	return mode == PM_32 ? 0x12400000 : FRAME;
}

static int walk(uint64_t lin, enum access acc, bool user, struct translation *out, uint32_t *err)
{
	return page_walk(&as, &t.pg, lin, acc, user, false, out, err);
}

Test(walk, paging_off_is_identity)
{
	struct paging pg = {.cr3 = 0x1000, .maxphyaddr = 40};
	struct translation out;
	uint32_t err;

	for (int acc = ACC_READ; acc <= ACC_FETCH; acc++) {
		cr_assert_eq(page_walk(&as, &pg, 0xfffff123, acc, acc & 1, false, &out, &err), 0);
		cr_expect_eq(out.gpa, 0xfffff123);
		cr_expect_eq(out.prot, PG_R | PG_W | PG_X);
	}
}

Test(walk, every_page_size)
{
	for (unsigned m = 0; m < NR_PAGING_MODES; m++)
		for (unsigned leaf = 1; leaf <= max_leaf(m); leaf++) {
			uint64_t lin = some_address(m), size;
			struct translation out;
			uint32_t err;

			tables_init(&t, &ram, m);
			tables_map(&t, lin, frame(m), leaf);
			size = 1ull << level_shift(&t, leaf);
			cr_assert_eq(walk(lin, ACC_WRITE, true, &out, &err), 0, "%s %u",
				     t.mode->name, leaf);
			cr_expect_eq(out.gpa, frame(m) | (lin & (size - 1)));
			cr_expect_eq(out.page_size, size);
			cr_expect_eq(out.prot, PG_R | PG_W | PG_X);
			cr_expect(out.user && !out.global);
			cr_expect_neq(walk(lin ^ size, ACC_READ, true, &out, &err), 0, "%s %u",
				      t.mode->name, leaf);
			cr_expect_eq(err, (unsigned)PF_U);
		}
}

Test(walk, not_present_at_each_level)
{
	for (unsigned m = 0; m < NR_PAGING_MODES; m++)
		for (unsigned level = 1; level <= paging_modes[m].levels; level++)
			for (int acc = ACC_READ; acc <= ACC_FETCH; acc++)
				for (int user = 0; user < 2; user++) {
					uint64_t lin = some_address(m), e;
					uint32_t want = user ? PF_U : 0, err;
					struct translation out;

					tables_init(&t, &ram, m);
					t.pg.efer |= EFER_NXE;
					tables_map(&t, lin, frame(m), 1);
					/* All other bits set: none of them matters. */
					e = ~(uint64_t)PTE_P;
					entry_put(&t, lin, level, e);
					want |= acc == ACC_WRITE ? PF_W : 0;
					want |= acc == ACC_FETCH && m != PM_32 ? PF_I : 0;
					cr_assert_eq(walk(lin, acc, user, &out, &err), 1);
					cr_expect_eq(err, want, "%s level %u", t.mode->name, level);
					for (unsigned n = 1; n <= t.mode->levels; n++)
						cr_expect_not(n != level &&
								  entry_get(&t, lin, n) & PTE_A,
							      "A is set on a fault");
				}
}

struct rights {
	bool w, u, nx;
	bool wp, smep, smap, nxe, ac;
	unsigned key; /* access- and write-disable; 0 when there are no keys */
};

/* SDM 4.6.1, sentence by sentence. *pk: the protection key is against it. */
static bool allowed(const struct rights *r, enum access acc, bool user, bool *pk)
{
	bool no_key_access = r->u && acc != ACC_FETCH && r->key & 1;
	bool no_key_write = r->u && acc == ACC_WRITE && r->key & 2 && (user || r->wp);
	*pk = no_key_access || no_key_write;

	if (user) {
		if (!r->u)
			return false;
		if (acc == ACC_READ)
			return !*pk;
		if (acc == ACC_WRITE)
			return r->w && !*pk;
		return !(r->nxe && r->nx);
	}
	if (acc == ACC_FETCH) {
		if (r->u && r->smep)
			return false;
		return !(r->nxe && r->nx);
	}
	if (r->u && r->smap && !r->ac)
		return false;
	if (acc == ACC_WRITE && r->wp && !r->w)
		return false;
	return !*pk;
}

static void check_rights(unsigned m, unsigned leaf, unsigned weak, unsigned bits)
{
	bool nx = m != PM_32 && bits & 4;
	struct rights r = {
	    .w = bits & 1,
	    .u = bits & 2,
	    .nx = nx,
	    .wp = bits & 8,
	    .smep = bits & 16,
	    .smap = bits & 32,
	    .nxe = m == PM_32 || bits & 64 || nx, /* else NX is reserved */
	    .ac = bits & 128,
	    .key = m >= PM_4 ? bits >> 8 & 3 : 0,
	};
	uint64_t lin = some_address(m), e;

	tables_init(&t, &ram, m);
	tables_map(&t, lin, frame(m), leaf);
	/* One level takes rights away; the key is the leaf's. */
	e = entry_get(&t, lin, weak) & ~(uint64_t)(PTE_W | PTE_U);
	e |= (r.w ? PTE_W : 0) | (r.u ? PTE_U : 0) | (r.nx ? PTE_NX : 0);
	entry_put(&t, lin, weak, e);
	if (m >= PM_4)
		entry_put(&t, lin, leaf, entry_get(&t, lin, leaf) | 5ull << 59);
	t.pg.cr0 = CR0_PG | CR0_PE | (r.wp ? CR0_WP : 0);
	t.pg.cr4 |= (r.smep ? CR4_SMEP : 0) | (r.smap ? CR4_SMAP : 0) | (r.key ? CR4_PKE : 0);
	t.pg.efer |= r.nxe ? EFER_NXE : 0;
	t.pg.pkru = r.key << 10 | ~(3u << 10);

	for (int acc = ACC_READ; acc <= ACC_FETCH; acc++)
		for (int user = 0; user < 2; user++) {
			uint32_t err = 0, want = PF_P | (acc == ACC_WRITE ? PF_W : 0);
			struct translation out;
			bool pk, pass = allowed(&r, acc, user, &pk);
			int got = page_walk(&as, &t.pg, lin, acc, user, r.ac, &out, &err);

			want |= user ? PF_U : 0;
			if (acc == ACC_FETCH && ((r.nxe && m != PM_32) || r.smep))
				want |= PF_I;
			want |= pk ? PF_PK : 0;
			cr_assert_eq(got, !pass, "%s leaf %u weak %u bits %x acc %d user %d",
				     t.mode->name, leaf, weak, bits, acc, user);
			if (!pass)
				cr_assert_eq(err, want, "%s %u %u %x %d %d: %x not %x",
					     t.mode->name, leaf, weak, bits, acc, user, err, want);
			else
				for (int other = ACC_READ; other <= ACC_FETCH; other++) {
					static const uint8_t bit[] = {PG_R, PG_W, PG_X};
					bool d = entry_get(&t, lin, leaf) & PTE_D;
					bool may = allowed(&r, other, user, &pk) &&
						   (other != ACC_WRITE || d);

					cr_assert_eq(!!(out.prot & bit[other]), may, "prot of %d",
						     other);
				}
		}
}

Test(walk, rights_of_every_kind_of_access)
{
	for (unsigned m = 0; m < NR_PAGING_MODES; m++)
		for (unsigned leaf = 1; leaf <= max_leaf(m); leaf++)
			for (unsigned weak = leaf; weak <= paging_modes[m].levels; weak++)
				for (unsigned bits = 0; bits < (m >= PM_4 ? 1u << 10 : 1u << 8);
				     bits++)
					check_rights(m, leaf, weak, bits);
}

Test(walk, accessed_and_dirty)
{
	for (unsigned m = 0; m < NR_PAGING_MODES; m++)
		for (unsigned leaf = 1; leaf <= max_leaf(m); leaf++) {
			uint64_t lin = some_address(m);
			struct translation out;
			uint32_t err;

			tables_init(&t, &ram, m);
			tables_map(&t, lin, frame(m), leaf);
			cr_assert_eq(page_walk_debug(&as, &t.pg, lin, &out), 0);
			cr_expect_eq(entry_get(&t, lin, leaf) & (PTE_A | PTE_D), 0u);
			for (int write = 0; write < 2; write++) {
				cr_assert_eq(
				    walk(lin, write ? ACC_WRITE : ACC_READ, true, &out, &err), 0);
				cr_expect_eq(!!(out.prot & PG_W), write,
					     "the first write must set D");
				for (unsigned n = leaf; n <= t.mode->levels; n++) {
					uint64_t ad = entry_get(&t, lin, n) & (PTE_A | PTE_D);
					bool dirty = write && n == leaf;

					cr_expect_eq(ad, PTE_A | (dirty ? PTE_D : 0u),
						     "%s level %u", t.mode->name, n);
				}
			}
			cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
			cr_expect(out.prot & PG_W, "D is set already");
		}
}

Test(walk, setting_bits_makes_code_stale)
{
	uint64_t lin = some_address(PM_4);
	struct translation out;
	uint32_t version, err;

	tables_init(&t, &ram, PM_4);
	tables_map(&t, lin, FRAME, 1);
	version = ram_mark_code(&ram.pages[TABLE(1) >> PAGE_SHIFT]);
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect_neq(ram_code_version(&ram.pages[TABLE(1) >> PAGE_SHIFT]), version);
	version = ram_mark_code(&ram.pages[TABLE(1) >> PAGE_SHIFT]);
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect_eq(ram_code_version(&ram.pages[TABLE(1) >> PAGE_SHIFT]), version);
}

/* Bits that must be 0 in a present entry (SDM tables 4-4 to 4-20), with maxphyaddr 40. */
static bool reserved(unsigned m, unsigned level, unsigned leaf, unsigned bit, bool nxe)
{
	bool large = level == leaf && leaf > 1;

	if (m == PM_32)
		return large && bit == 21;
	if (bit == 63)
		return !nxe;
	if (bit >= 40 && bit < 52)
		return true;
	if (bit >= 52)
		return m == PM_PAE; /* else ignored, or the protection key */
	if (bit == 7)
		return level >= 4; /* elsewhere it is PS */
	return large && bit >= 13 && bit < 12 + 9 * (level - 1);
}

Test(walk, reserved_bits)
{
	for (unsigned m = 0; m < NR_PAGING_MODES; m++)
		for (unsigned leaf = 1; leaf <= max_leaf(m); leaf++)
			for (unsigned level = leaf; level <= paging_modes[m].levels; level++)
				for (unsigned bit = 7; bit < (m == PM_32 ? 32u : 64u); bit++)
					for (int nxe = 0; nxe < 2; nxe++) {
						uint64_t lin = some_address(m);
						struct translation out;
						uint32_t err;
						bool frame_bit =
						    level > leaf && bit >= 12 && bit < 40;

						if ((bit == 7 && level < 4) || frame_bit)
							continue;
						tables_init(&t, &ram, m);
						tables_map(&t, lin, frame(m), leaf);
						t.pg.efer |= nxe ? EFER_NXE : 0;
						entry_put(&t, lin, level,
							  entry_get(&t, lin, level) | 1ull << bit);
						bool bad = reserved(m, level, leaf, bit, nxe);
						cr_assert_eq(walk(lin, ACC_READ, false, &out, &err),
							     bad, "%s leaf %u level %u bit %u",
							     t.mode->name, leaf, level, bit);
						if (bad)
							cr_assert_eq(err,
								     (unsigned)(PF_P | PF_RSVD));
					}
}

Test(walk, reserved_beats_rights_and_the_upper_level_wins)
{
	uint64_t lin = some_address(PM_4);
	struct translation out;
	uint32_t err;

	tables_init(&t, &ram, PM_4);
	tables_map(&t, lin, FRAME, 1);
	entry_put(&t, lin, 1, (FRAME | PTE_P) | 1ull << 45);
	cr_assert_eq(walk(lin, ACC_WRITE, true, &out, &err), 1);
	cr_expect_eq(err, (unsigned)(PF_P | PF_RSVD | PF_W | PF_U));
	entry_put(&t, lin, 2, 0);
	cr_assert_eq(walk(lin, ACC_WRITE, true, &out, &err), 1);
	cr_expect_eq(err, (unsigned)(PF_W | PF_U));
}

Test(walk, pse36_and_pse_off)
{
	uint64_t lin = some_address(PM_32);
	struct translation out;
	uint32_t err;

	tables_init(&t, &ram, PM_32);
	entry_put(&t, lin, 2, 0x12400000 | 0xa5 << 13 | PTE_PS | PTE_P | PTE_W | PTE_U);
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect_eq(out.gpa, 0xa512400000 | (lin & 0x3fffff));
	t.pg.maxphyaddr = 36;
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 1);
	cr_expect_eq(err, (unsigned)(PF_P | PF_RSVD | PF_U));
	entry_put(&t, lin, 2, 0x12400000 | 5 << 13 | PTE_PS | PTE_P | PTE_W | PTE_U);
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect_eq(out.gpa >> 32, 5u);
	/* Without CR4.PSE the bit is ignored and the entry names a table. */
	tables_map(&t, lin, 0x3000, 1);
	entry_put(&t, lin, 2, entry_get(&t, lin, 2) | PTE_PS);
	t.pg.cr4 &= ~(uint64_t)CR4_PSE;
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect_eq(out.gpa, 0x3000 | (lin & 0xfff));
}

Test(walk, a_gibibyte_page_needs_the_feature)
{
	uint64_t lin = some_address(PM_4);
	struct translation out;
	uint32_t err;

	tables_init(&t, &ram, PM_4);
	tables_map(&t, lin, FRAME, 3);
	t.pg.gbpages = false;
	cr_assert_eq(walk(lin, ACC_READ, false, &out, &err), 1);
	cr_expect_eq(err, (unsigned)(PF_P | PF_RSVD));
}

Test(walk, global_and_key)
{
	uint64_t lin = some_address(PM_4);
	struct translation out;
	uint32_t err;

	tables_init(&t, &ram, PM_4);
	tables_map(&t, lin, FRAME, 1);
	entry_put(&t, lin, 1, entry_get(&t, lin, 1) | PTE_G | 11ull << 59);
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect_not(out.global, "CR4.PGE is clear");
	cr_expect_eq(out.pkey, 11u);
	t.pg.cr4 |= CR4_PGE;
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect(out.global);
}

Test(walk, pdptes_are_registers)
{
	uint64_t lin = some_address(PM_PAE), pdpte;
	struct translation out;
	uint32_t err;

	tables_init(&t, &ram, PM_PAE);
	tables_map(&t, lin, frame(PM_PAE), 1);
	cr_expect(page_load_pdptes(&as, &t.pg));
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	/* Memory may change under them. */
	memset(ram.host + PDPT, 0, 32);
	cr_assert_eq(walk(lin, ACC_READ, true, &out, &err), 0);
	cr_expect(page_load_pdptes(&as, &t.pg), "not present is no error here");
	cr_assert_eq(walk(lin, ACC_WRITE, true, &out, &err), 1);
	cr_expect_eq(err, (unsigned)(PF_U | PF_W));
	for (unsigned bit = 1; bit < 64; bit++) {
		bool bad = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 40;
		uint64_t before = t.pg.pdpte[3];

		pdpte = TABLE(2) | PTE_P | 1ull << bit;
		memcpy(ram.host + PDPT + 24, &pdpte, 8);
		cr_expect_eq(page_load_pdptes(&as, &t.pg), !bad, "bit %u", bit);
		cr_expect(!bad || t.pg.pdpte[3] == before);
		pdpte &= ~(uint64_t)PTE_P;
		memcpy(ram.host + PDPT + 24, &pdpte, 8);
		cr_expect(page_load_pdptes(&as, &t.pg), "not present: bit %u is ignored", bit);
	}
}

Test(walk, tables_outside_ram)
{
	uint64_t lin = some_address(PM_4);
	struct translation out;
	uint32_t err;

	tables_init(&t, &ram, PM_4);
	tables_map(&t, lin, FRAME, 1);
	t.pg.cr3 = 0x1000000;
	/* Nothing reads as ones: a present entry with reserved bits. */
	cr_assert_eq(walk(lin, ACC_READ, false, &out, &err), 1);
	cr_expect_eq(err, (unsigned)(PF_P | PF_RSVD));
	/* A table in ROM works, without A and D. */
	struct ram rom;
	cr_assert_eq(ram_init(&rom, "rom", PAGE_SIZE), 0);
	cr_assert_eq(aspace_map_rom(&as, "rom", 0x100000, PAGE_SIZE, &rom, 0), 0);
	memcpy(rom.host, ram.host + TABLE(1), PAGE_SIZE);
	t.pg.cr3 = TABLE(4);
	entry_put(&t, lin, 2, 0x100000 | PTE_P | PTE_W | PTE_U);
	cr_assert_eq(walk(lin, ACC_WRITE, true, &out, &err), 0);
	cr_expect_eq(out.gpa, FRAME | (lin & 0xfff));
	cr_expect_eq(memcmp(rom.host, ram.host + TABLE(1), PAGE_SIZE), 0);
	ram_fini(&rom);
}
