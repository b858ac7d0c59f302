/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Address spaces: registration, lookup, the splitting of accesses, A20, DMA, and lookups while the
 * map changes.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "mmu/aspace.h"

enum { RAM_SIZE = 16 * PAGE_SIZE };

/* A device of 64 bytes that logs its accesses. */
struct probe {
	struct aspace *as;
	uint8_t reg[64];
	struct {
		uint64_t off, val;
		unsigned size;
		bool write;
	} log[16];
	unsigned n;
	bool saw_lock;
};

static void record(struct probe *p, uint64_t off, uint64_t val, unsigned size, bool write)
{
	cr_assert_lt(p->n, 16u);
	p->log[p->n].off = off;
	p->log[p->n].val = val;
	p->log[p->n].size = size;
	p->log[p->n++].write = write;
	if (p->as->dev_lock)
		p->saw_lock = pthread_mutex_trylock(p->as->dev_lock) == EBUSY;
}

static uint64_t probe_read(void *dev, uint64_t off, unsigned size)
{
	struct probe *p = dev;
	uint64_t v = 0;

	cr_assert_leq(off + size, sizeof(p->reg));
	memcpy(&v, p->reg + off, size);
	record(p, off, v, size, false);
	return v | (size < 8 ? ~0ull << size * 8 : 0); /* what is above is not to be seen */
}

static void probe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct probe *p = dev;

	cr_assert_leq(off + size, sizeof(p->reg));
	memcpy(p->reg + off, &val, size);
	record(p, off, val, size, true);
}

struct rig {
	struct aspace as;
	struct ram ram, rom;
	struct probe probe;
	struct mmio_ops ops;
	unsigned changes;
};

static struct rig r;

static void on_change(void *opaque)
{
	(*(unsigned *)opaque)++;
}

static void setup(void)
{
	memset(&r, 0, sizeof(r));
	aspace_init(&r.as, "memory", 52, NULL);
	cr_assert_eq(ram_init(&r.ram, "ram", RAM_SIZE), 0);
	cr_assert_eq(ram_init(&r.rom, "rom", 2 * PAGE_SIZE), 0);
	for (unsigned n = 0; n < RAM_SIZE; n++)
		r.ram.host[n] = (uint8_t)(n * 7 + (n >> 8));
	memset(r.rom.host, 0x5a, r.rom.size);
	r.probe.as = &r.as;
	for (unsigned n = 0; n < 64; n++)
		r.probe.reg[n] = (uint8_t)(0x80 + n);
	r.ops = (struct mmio_ops){probe_read, probe_write, 1, 8};
	cr_assert_eq(aspace_listen(&r.as, on_change, &r.changes), 0);
}

static void teardown(void)
{
	ram_fini(&r.ram);
	ram_fini(&r.rom);
}

TestSuite(aspace, .init = setup, .fini = teardown);

static int map_dev(uint64_t base, uint64_t size)
{
	return aspace_map_dev(&r.as, "probe", base, size, &r.ops, &r.probe);
}

Test(aspace, overlap_is_refused)
{
	static const struct {
		uint64_t base, size;
		int ret;
	} t[] = {
	    {0x1000, 0x100, -EEXIST}, /* the same */
	    {0x1000, 1, -EEXIST},     /* its start */
	    {0x10ff, 1, -EEXIST},     /* its end */
	    {0x1080, 0x10, -EEXIST},  /* inside */
	    {0x0fff, 2, -EEXIST},     /* from below */
	    {0x10ff, 2, -EEXIST},     /* from above */
	    {0x0800, 0x1000, -EEXIST},
	    {0, 1ull << 52, -EEXIST},
	    {0x0fff, 1, 0}, /* neighbours */
	    {0x1100, 1, 0},
	};

	cr_assert_eq(map_dev(0x1000, 0x100), 0);
	for (unsigned n = 0; n < sizeof(t) / sizeof(t[0]); n++)
		cr_expect_eq(map_dev(t[n].base, t[n].size), t[n].ret, "case %u", n);
	cr_expect_eq(r.changes, 3u);
}

Test(aspace, bad_ranges_are_refused)
{
	struct aspace *as = &r.as;

	cr_expect_eq(map_dev(0, 0), -EINVAL);
	cr_expect_eq(map_dev(1ull << 52, 1), -EINVAL);
	cr_expect_eq(map_dev((1ull << 52) - 1, 2), -EINVAL);
	cr_expect_eq(map_dev(1, UINT64_MAX), -EINVAL);
	cr_expect_eq(map_dev((1ull << 52) - 1, 1), 0);
	cr_expect_eq(aspace_map_ram(as, "ram", 0x800, PAGE_SIZE, &r.ram, 0), -EINVAL);
	cr_expect_eq(aspace_map_ram(as, "ram", 0, 0x800, &r.ram, 0), -EINVAL);
	cr_expect_eq(aspace_map_ram(as, "ram", 0, PAGE_SIZE, &r.ram, 0x10), -EINVAL);
	cr_expect_eq(aspace_map_ram(as, "ram", 0, RAM_SIZE + PAGE_SIZE, &r.ram, 0), -EINVAL);
	cr_expect_eq(aspace_map_ram(as, "ram", 0, PAGE_SIZE, &r.ram, RAM_SIZE), -EINVAL);
	cr_expect_eq(aspace_map_rom(as, "rom", 0, PAGE_SIZE, &r.rom, ~0ull << 12), -EINVAL);
	r.ops.min_size = 3;
	cr_expect_eq(map_dev(0, 1), -EINVAL);
	r.ops = (struct mmio_ops){NULL, NULL, 4, 2};
	cr_expect_eq(map_dev(0, 1), -EINVAL);
	r.ops = (struct mmio_ops){NULL, NULL, 1, 16};
	cr_expect_eq(map_dev(0, 1), -EINVAL);
	cr_expect_eq(as->nr, 1u);
}

Test(aspace, fills_up_and_empties)
{
	struct range found;

	/* From the top down, so that each insertion moves all others. */
	for (unsigned n = 0; n < ASPACE_MAX_RANGES; n++)
		cr_assert_eq(map_dev((ASPACE_MAX_RANGES - n) * 0x10ull, 8), 0);
	cr_expect_eq(map_dev(0x100000, 8), -ENOSPC);
	for (unsigned n = 1; n <= ASPACE_MAX_RANGES; n++) {
		cr_assert(aspace_find(&r.as, n * 0x10 + 7, &found));
		cr_expect_eq(found.base, n * 0x10);
		cr_expect_not(aspace_find(&r.as, n * 0x10 + 8, &found));
	}
	cr_expect_eq(aspace_unmap(&r.as, 0x11), -ENOENT, "not the start of a range");
	cr_expect_eq(aspace_unmap(&r.as, 0x18), -ENOENT);
	for (unsigned n = 1; n <= ASPACE_MAX_RANGES; n += 2)
		cr_assert_eq(aspace_unmap(&r.as, n * 0x10), 0);
	cr_expect_eq(aspace_unmap(&r.as, 0x10), -ENOENT);
	cr_expect_not(aspace_find(&r.as, 0x10, &found));
	cr_expect(aspace_find(&r.as, 0x20, &found));
	cr_expect_eq(map_dev(0x10, 8), 0);
	cr_expect_eq(r.as.nr, ASPACE_MAX_RANGES / 2 + 1u);
}

Test(aspace, listeners_hear_of_every_change)
{
	uint32_t generation = r.as.generation;

	cr_assert_eq(map_dev(0, 1), 0);
	cr_assert_eq(aspace_unmap(&r.as, 0), 0);
	aspace_set_a20(&r.as, true);
	cr_expect_eq(r.changes, 2u, "A20 was open already");
	aspace_set_a20(&r.as, false);
	cr_expect_eq(r.changes, 3u);
	cr_expect_eq(r.as.generation, generation + 3);
	for (unsigned n = 1; n < ASPACE_MAX_LISTENERS; n++)
		cr_expect_eq(aspace_listen(&r.as, on_change, &r.changes), 0);
	cr_expect_eq(aspace_listen(&r.as, on_change, &r.changes), -ENOSPC);
}

Test(aspace, nothing_reads_as_ones)
{
	cr_expect_eq(aspace_read(&r.as, 0x1234, 1), 0xffu);
	cr_expect_eq(aspace_read(&r.as, 0x1234, 2), 0xffffu);
	cr_expect_eq(aspace_read(&r.as, 0x1234, 4), 0xffffffffu);
	cr_expect_eq(aspace_read(&r.as, 0x1234, 8), ~0ull);
	aspace_write(&r.as, 0x1234, 1, 8);
	r.ops.read = NULL;
	r.ops.write = NULL;
	cr_assert_eq(map_dev(0, 8), 0);
	cr_expect_eq(aspace_read(&r.as, 0, 2), 0xffffu);
	aspace_write(&r.as, 0, 1, 2);
	cr_expect_eq(aspace_read(&r.as, ~0ull - 2, 8), ~0ull, "past the end of addresses");
	aspace_write(&r.as, ~0ull - 2, 1, 8);
}

Test(aspace, ram_and_rom)
{
	uint64_t v;

	cr_assert_eq(aspace_map_ram(&r.as, "ram", 0x10000, 4 * PAGE_SIZE, &r.ram, 2 * PAGE_SIZE),
		     0);
	cr_assert_eq(aspace_map_rom(&r.as, "rom", 0x14000, PAGE_SIZE, &r.rom, PAGE_SIZE), 0);
	for (unsigned size = 1; size <= 8; size *= 2) {
		v = 0;
		memcpy(&v, r.ram.host + 2 * PAGE_SIZE + 0xffd, size);
		cr_expect_eq(aspace_read(&r.as, 0x10ffd, size), v);
		aspace_write(&r.as, 0x12001, 0x8877665544332211, size);
		cr_expect_eq(memcmp(r.ram.host + 0x4001, "\x11\x22\x33\x44\x55\x66\x77\x88", size),
			     0);
	}
	cr_expect_eq(aspace_read(&r.as, 0x14010, 4), 0x5a5a5a5au);
	aspace_write(&r.as, 0x14010, 0, 4);
	cr_expect_eq(aspace_read(&r.as, 0x14010, 4), 0x5a5a5a5au);
	/* From RAM into ROM, and from ROM into nothing. */
	aspace_write(&r.as, 0x13ffc, 0x1122334455667788, 8);
	cr_expect_eq(aspace_read(&r.as, 0x13ffc, 8), 0x5a5a5a5a55667788);
	cr_expect_eq(aspace_read(&r.as, 0x14ffe, 4), 0xffff5a5au);
}

Test(aspace, a_write_makes_code_stale)
{
	struct ram_page *page = &r.ram.pages[3];
	uint32_t version;
	uint8_t byte = 1;

	cr_assert_eq(aspace_map_ram(&r.as, "ram", 0, 4 * PAGE_SIZE, &r.ram, PAGE_SIZE), 0);
	version = ram_mark_code(page);
	aspace_write(&r.as, 0x1fff, 0, 1);
	aspace_write(&r.as, 0x3000, 0, 8);
	(void)aspace_read(&r.as, 0x2000, 8);
	cr_expect_eq(ram_code_version(page), version, "other pages");
	aspace_write(&r.as, 0x1ffd, 0, 4);
	cr_expect_neq(ram_code_version(page), version, "the last byte");
	version = ram_mark_code(page);
	aspace_dma_write(&r.as, 0x2fff, &byte, 1);
	cr_expect_neq(ram_code_version(page), version);
	version = ram_mark_code(page);
	ram_written(&r.ram, 2 * PAGE_SIZE, 3 * PAGE_SIZE);
	cr_expect_neq(ram_code_version(page), version);
	version = ram_mark_code(page);
	ram_written(&r.ram, 3 * PAGE_SIZE, 0);
	cr_expect_eq(ram_code_version(page), version);
}

/* What a device of each width sees of accesses of each width. */
Test(aspace, accesses_are_split_and_widened)
{
	static const uint8_t width[] = {1, 2, 4, 8};

	for (unsigned lo = 0; lo < 4; lo++)
		for (unsigned hi = lo; hi < 4; hi++)
			for (unsigned s = 0; s < 4; s++)
				for (unsigned off = 0; off < 16; off += width[s]) {
					unsigned min = width[lo], max = width[hi], size = width[s];
					unsigned step = size < min ? min : size > max ? max : size;
					uint64_t want = 0;

					r.ops.min_size = width[lo];
					r.ops.max_size = width[hi];
					cr_assert_eq(map_dev(0x1000, 64), 0);
					memcpy(&want, r.probe.reg + off, size);
					r.probe.n = 0;
					cr_expect_eq(aspace_read(&r.as, 0x1000 + off, size), want,
						     "%u at %u of %u-%u", size, off, min, max);
					cr_expect_eq(r.probe.n, size > step ? size / step : 1);
					for (unsigned n = 0; n < r.probe.n; n++) {
						cr_expect_eq(r.probe.log[n].size, step);
						cr_expect_eq(r.probe.log[n].off,
							     (off & ~(step - 1)) + n * step);
					}
					cr_assert_eq(aspace_unmap(&r.as, 0x1000), 0);
				}
}

Test(aspace, narrow_writes_are_widened_with_zeros)
{
	r.ops.min_size = r.ops.max_size = 4;
	cr_assert_eq(map_dev(0x1000, 64), 0);
	aspace_write(&r.as, 0x1006, 0xdead, 2);
	cr_assert_eq(r.probe.n, 1u);
	cr_expect_eq(r.probe.log[0].off, 4u);
	cr_expect_eq(r.probe.log[0].size, 4u);
	cr_expect_eq(r.probe.log[0].val, 0xdead0000);
	aspace_write(&r.as, 0x1008, 0x1122334455667788, 8);
	cr_assert_eq(r.probe.n, 3u);
	cr_expect_eq(r.probe.log[1].val, 0x55667788);
	cr_expect_eq(r.probe.log[2].val, 0x11223344);
}

Test(aspace, an_access_over_the_end_of_a_device)
{
	cr_assert_eq(map_dev(0x1000, 64), 0);
	cr_expect_eq(aspace_read(&r.as, 0x103e, 4), 0xffffbfbe);
	cr_expect_eq(r.probe.n, 2u);
	cr_expect_eq(aspace_read(&r.as, 0x0fff, 2), 0x80ff);
	r.probe.n = 0;
	aspace_write(&r.as, 0x103f, 0x2211, 2);
	cr_assert_eq(r.probe.n, 1u);
	cr_expect_eq(r.probe.log[0].val, 0x11u);
}

Test(aspace, callbacks_run_under_the_lock)
{
	pthread_mutex_t lock;

	pthread_mutex_init(&lock, NULL);
	r.as.dev_lock = &lock;
	cr_assert_eq(map_dev(0x1000, 64), 0);
	aspace_read(&r.as, 0x1000, 4);
	cr_expect(r.probe.saw_lock);
	r.probe.saw_lock = false;
	aspace_write(&r.as, 0x1000, 0, 4);
	cr_expect(r.probe.saw_lock);
	cr_expect_eq(pthread_mutex_trylock(&lock), 0, "and it is let go of");
	aspace_read(&r.as, 0x2000, 4);
	pthread_mutex_unlock(&lock);
	pthread_mutex_destroy(&lock);
}

Test(aspace, a20)
{
	cr_assert_eq(aspace_map_ram(&r.as, "low", 0, PAGE_SIZE, &r.ram, 0), 0);
	cr_assert_eq(aspace_map_ram(&r.as, "high", 1 << 20, PAGE_SIZE, &r.ram, PAGE_SIZE), 0);
	cr_expect(aspace_a20(&r.as));
	r.ram.host[0x10] = 1;
	r.ram.host[PAGE_SIZE + 0x10] = 2;
	cr_expect_eq(aspace_read(&r.as, 0x100010, 1), 2u);
	aspace_set_a20(&r.as, false);
	cr_expect_not(aspace_a20(&r.as));
	cr_expect_eq(aspace_read(&r.as, 0x100010, 1), 1u);
	aspace_write(&r.as, 0x100011, 3, 1);
	cr_expect_eq(r.ram.host[0x11], 3u);
	uint8_t byte;
	aspace_dma_read(&r.as, 0x100010, &byte, 1);
	cr_expect_eq(byte, 1u);
	aspace_set_a20(&r.as, true);
	cr_expect_eq(aspace_read(&r.as, 0x100010, 1), 2u);
}

Test(aspace, dma_reaches_ram_only)
{
	static uint8_t buf[6 * PAGE_SIZE];

	cr_assert_eq(aspace_map_ram(&r.as, "a", 0x1000, PAGE_SIZE, &r.ram, 5 * PAGE_SIZE), 0);
	cr_assert_eq(aspace_map_rom(&r.as, "b", 0x2000, PAGE_SIZE, &r.rom, 0), 0);
	cr_assert_eq(map_dev(0x3000, 64), 0);
	cr_assert_eq(aspace_map_ram(&r.as, "c", 0x4000, PAGE_SIZE, &r.ram, 9 * PAGE_SIZE), 0);

	cr_expect_eq(aspace_dma_read(&r.as, 0x1004, buf, 0x1ffc), 0, "RAM and ROM");
	cr_expect_eq(memcmp(buf, r.ram.host + 5 * PAGE_SIZE + 4, 0xffc), 0);
	cr_expect_eq(buf[0xffc], 0x5a);
	cr_expect_eq(aspace_dma_read(&r.as, 0x800, buf, 5 * PAGE_SIZE), -EFAULT);
	cr_expect_eq(buf[0], 0xff);
	cr_expect_eq(memcmp(buf + 0x800, r.ram.host + 5 * PAGE_SIZE, PAGE_SIZE), 0);
	cr_expect_eq(buf[0x2800], 0xff, "the device");
	cr_expect_eq(memcmp(buf + 0x3800, r.ram.host + 9 * PAGE_SIZE, PAGE_SIZE), 0);

	memset(buf, 0x33, sizeof(buf));
	cr_expect_eq(aspace_dma_write(&r.as, 0x1010, buf, 8), 0);
	cr_expect_eq(aspace_dma_write(&r.as, 0x1ff0, buf, 0x2020), -EFAULT);
	cr_expect_eq(r.ram.host[6 * PAGE_SIZE - 1], 0x33);
	cr_expect_eq(r.ram.host[9 * PAGE_SIZE + 0xf], 0x33);
	cr_expect_neq(r.ram.host[9 * PAGE_SIZE + 0x10], 0x33);
	cr_expect_eq(r.rom.host[0], 0x5a);
	cr_expect_eq(r.probe.n, 0u);
	cr_expect_eq(aspace_dma_read(&r.as, ~0ull - 3, buf, 16), -EFAULT);
	cr_expect_eq(aspace_dma_read(&r.as, 0x9000, buf, 0), 0);
}

/* Lookups of what stays must find it while something else comes and goes before it. */
struct racer {
	_Atomic bool stop;
	_Atomic uint64_t lookups;
	uint64_t bad;
};

static void *look_up(void *opaque)
{
	struct racer *k = opaque;

	while (!atomic_load(&k->stop)) {
		struct range found = {0};
		bool ok = aspace_find(&r.as, 0x8010, &found) && found.base == 0x8000 &&
			  found.size == 64 && found.kind == RANGE_DEV && found.dev == &r.probe;
		bool there = aspace_find(&r.as, 0x1800, &found);

		ok &= !there || (found.base == 0x1000 && found.kind == RANGE_RAM &&
				 found.ram == &r.ram && found.size == PAGE_SIZE);
		k->bad += !ok;
		k->lookups++;
	}
	return NULL;
}

Test(aspace, lookups_while_the_map_changes)
{
	struct racer k = {0};
	pthread_t thread;

	cr_assert_eq(map_dev(0x8000, 64), 0);
	cr_assert_eq(pthread_create(&thread, NULL, look_up, &k), 0);
	for (unsigned n = 0; n < 20000 || k.lookups < 1000; n++) {
		cr_assert_eq(aspace_map_ram(&r.as, "a", 0x1000, PAGE_SIZE, &r.ram, 0), 0);
		cr_assert_eq(aspace_map_rom(&r.as, "b", 0x2000, PAGE_SIZE, &r.rom, 0), 0);
		cr_assert_eq(aspace_unmap(&r.as, 0x1000), 0);
		cr_assert_eq(aspace_unmap(&r.as, 0x2000), 0);
	}
	atomic_store(&k.stop, true);
	pthread_join(thread, NULL);
	cr_expect_gt(k.lookups, 0u);
	cr_expect_eq(k.bad, 0u);
}

/* By name: a range that moves, or is one of several, keeps its count. */
Test(aspace, accesses_are_counted)
{
	cr_assert_eq(map_dev(0x1000, 64), 0);
	cr_assert_eq(map_dev(0x2000, 64), 0);
	cr_assert_eq(aspace_map_dev(&r.as, "other", 0x3000, 64, &r.ops, &r.probe), 0);
	aspace_read(&r.as, 0x1000, 4);
	aspace_write(&r.as, 0x2000, 1, 8);
	aspace_read(&r.as, 0x3000, 1);
	aspace_read(&r.as, 0x4000, 4); /* nothing there */
	cr_assert_eq(aspace_unmap(&r.as, 0x1000), 0);
	cr_assert_eq(map_dev(0x5000, 64), 0);
	aspace_read(&r.as, 0x5000, 2);
	cr_assert_eq(r.as.nr_uses, 2);
	cr_assert_str_eq(r.as.uses[0].name, "probe");
	cr_assert_eq(r.as.uses[0].accesses, 3);
	cr_assert_str_eq(r.as.uses[1].name, "other");
	cr_assert_eq(r.as.uses[1].accesses, 1);
}
