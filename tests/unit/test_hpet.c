/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/hpet.h"

#define BASE 0xfed00000
#define T(n) (BASE + 0x100 + 0x20 * (n))

static struct board b;
static struct hpet h;

static void setup(void)
{
	struct irq_pin p0, p8, gsi;

	board_init(&b);
	p0 = pin(&b, 30);
	p8 = pin(&b, 31);
	gsi = pin(&b, 0);
	cr_assert_eq(hpet_init(&h, &b.mem, BASE, &b.clock, HPET_ROUTES, &p0, &p8, &gsi), 0);
}

TestSuite(hpet, .init = setup);

Test(hpet, capabilities_and_counter)
{
	cr_assert_eq(rd64(&b, BASE), 0x009896808086a201);
	cr_assert_eq(rd32(&b, BASE + 4), 10000000);
	cr_assert_eq(rd64(&b, T(0)), (uint64_t)HPET_ROUTES << 32 | 0x30);
	clock_step(&b.clock, 1000);
	cr_assert_eq(rd64(&b, BASE + 0xf0), 0);
	wr32(&b, BASE + 0x10, 1);
	clock_step(&b.clock, 1000);
	cr_assert_eq(rd64(&b, BASE + 0xf0), 100);
	wr32(&b, BASE + 0x10, 0);
	clock_step(&b.clock, 1000);
	cr_assert_eq(rd64(&b, BASE + 0xf0), 100);
	wr32(&b, BASE + 0xf4, 5);
	cr_assert_eq(rd64(&b, BASE + 0xf0), 5ull << 32 | 100);
}

Test(hpet, one_shot)
{
	wr32(&b, T(2), 16 << 9 | 4);
	wr64(&b, T(2) + 8, 500);
	wr32(&b, BASE + 0x10, 1);
	clock_step(&b.clock, 4999);
	cr_assert_eq(b.wire[16].rises, 0);
	clock_step(&b.clock, 1);
	cr_assert_eq(b.wire[16].rises, 1);
	cr_assert_eq(b.wire[16].level, 0, "edge: a pulse");
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(b.wire[16].rises, 1);
	/* set as Linux does: counter + delta */
	wr32(&b, T(2) + 8, rd32(&b, BASE + 0xf0) + 100);
	clock_step(&b.clock, 1000);
	cr_assert_eq(b.wire[16].rises, 2);
}

Test(hpet, one_shot_32_bit_wraps)
{
	wr32(&b, T(0), 1 << 8 | 2 << 9 | 4);
	wr64(&b, BASE + 0xf0, 0xfffffff0);
	wr32(&b, T(0) + 8, 0x10);
	wr32(&b, BASE + 0x10, 1);
	clock_step(&b.clock, 0x20 * 10);
	cr_assert_eq(b.wire[2].rises, 1);
	clock_step(&b.clock, 0x100000000ull * 10);
	cr_assert_eq(b.wire[2].rises, 2);
}

Test(hpet, periodic_as_linux_sets_it)
{
	wr32(&b, BASE + 0x10, 3); /* legacy */
	wr32(&b, T(0), 0x14c);    /* enable, periodic, set, 32 bits */
	wr32(&b, T(0) + 8, rd32(&b, BASE + 0xf0) + 100000);
	wr32(&b, T(0) + 8, 100000);
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(b.wire[30].rises, 1000);
	cr_assert_eq(b.wire[0].rises, 0);
	wr32(&b, T(0), 0x148); /* disabled */
	clock_step(&b.clock, NSEC_PER_SEC / 100);
	cr_assert_eq(b.wire[30].rises, 1000);
}

Test(hpet, level)
{
	wr32(&b, T(1), 17 << 9 | 6);
	wr64(&b, T(1) + 8, 10);
	wr32(&b, BASE + 0x10, 1);
	clock_step(&b.clock, 200);
	cr_assert_eq(b.wire[17].level, 1);
	cr_assert_eq(rd32(&b, BASE + 0x20), 2);
	wr32(&b, BASE + 0x20, 1);
	cr_assert_eq(b.wire[17].level, 1);
	wr32(&b, BASE + 0x20, 2);
	cr_assert_eq(b.wire[17].level, 0);
	cr_assert_eq(rd32(&b, BASE + 0x20), 0);
}

Test(hpet, routes_not_offered_are_not_driven)
{
	wr32(&b, T(2), 9 << 9 | 4);
	wr64(&b, T(2) + 8, 10);
	wr32(&b, BASE + 0x10, 1);
	clock_step(&b.clock, 1000);
	cr_assert_eq(b.wire[9].rises, 0);
}

Test(hpet, legacy_replacement_takes_over)
{
	hpet_legacy_in(&h, 0, 1);
	hpet_legacy_in(&h, 1, 1);
	cr_assert_eq(b.wire[30].level, 1);
	cr_assert_eq(b.wire[31].level, 1);
	wr32(&b, BASE + 0x10, 2);
	cr_assert_eq(b.wire[30].level, 0);
	hpet_legacy_in(&h, 0, 0);
	hpet_legacy_in(&h, 0, 1);
	cr_assert_eq(b.wire[30].level, 0);
	wr32(&b, BASE + 0x10, 0);
	cr_assert_eq(b.wire[30].level, 1);
	cr_assert_eq(b.wire[31].level, 1);
}

Test(hpet, shortest_period_terminates)
{
	wr32(&b, BASE + 0x10, 1);
	wr32(&b, T(0), 2 << 9 | 0x4c);
	wr64(&b, T(0) + 8, 1);
	clock_step(&b.clock, 1000);
	cr_assert_gt(b.wire[2].rises, 10);
	wr64(&b, T(0) + 8, 0);
	clock_step(&b.clock, 1000);
	for (uint64_t off = 0; off < 0x400; off += 2) {
		aspace_write(&b.mem, BASE + off, ~0ull, 4);
		aspace_read(&b.mem, BASE + off, 8);
	}
}

Test(hpet, disabled_periodic_timer_keeps_its_phase)
{
	wr32(&b, BASE + 0x10, 1);
	wr32(&b, T(0), 2 << 9 | 0x148); /* periodic, 32 bits, interrupt off */
	wr32(&b, T(0) + 8, 700);
	wr32(&b, T(0) + 8, 1000);
	cr_expect_not(h.timer[0].armed, "nobody listens");
	clock_step(&b.clock, 100 * NSEC_PER_SEC); /* the low half comes round twice */
	cr_expect_eq(rd32(&b, T(0) + 8), (uint32_t)(100 * NSEC_PER_SEC / 10 + 700));
	clock_step(&b.clock, 6999);
	wr32(&b, T(0), 2 << 9 | 0x10c);
	cr_expect(h.timer[0].armed);
	clock_step(&b.clock, 1);
	cr_expect_eq(b.wire[2].rises, 1);
	clock_step(&b.clock, 10000);
	cr_expect_eq(b.wire[2].rises, 2);
}
