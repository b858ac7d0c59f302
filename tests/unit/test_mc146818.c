/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/mc146818.h"

/* 2024-02-29 23:59:57 UTC, a Thursday */
#define EPOCH 1709251197

static struct board b;
static struct mc146818 rtc;

static void setup(void)
{
	struct irq_pin irq;

	board_init(&b);
	irq = pin(&b, 8);
	cr_assert_eq(mc146818_init(&rtc, &b.io, &b.clock, &irq, EPOCH * (int64_t)NSEC_PER_SEC), 0);
}

static uint8_t rd(uint8_t i)
{
	outb(&b, 0x70, i);
	return inb(&b, 0x71);
}

static void wr(uint8_t i, uint8_t v)
{
	outb(&b, 0x70, i);
	outb(&b, 0x71, v);
}

static void check(unsigned century, unsigned y, unsigned m, unsigned d, unsigned wd, unsigned h,
		  unsigned min, unsigned s)
{
	unsigned want[] = {century, y, m, d, wd, h, min, s};
	unsigned got[] = {rd(0x32), rd(9), rd(8), rd(7), rd(6), rd(4), rd(2), rd(0)};

	for (int i = 0; i < 8; i++)
		cr_assert_eq(got[i], want[i], "field %d: %02x, not %02x", i, got[i], want[i]);
}

#define SEC NSEC_PER_SEC

TestSuite(rtc, .init = setup);

Test(rtc, tells_the_time_in_bcd)
{
	check(0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x57);
	clock_step(&b.clock, 3 * SEC);
	check(0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00);
	cr_assert_eq(rd(0x0d), 0x80);
	cr_assert_eq(rd(0x0a), 0x26);
	cr_assert_eq(rd(0x0b), 0x02);
}

Test(rtc, binary_and_12_hours)
{
	wr(0x0b, 0x06);
	check(20, 24, 2, 29, 5, 23, 59, 57);
	wr(0x0b, 0x04);
	cr_assert_eq(rd(4), 0x80 | 11);
	wr(0x0b, 0x00);
	cr_assert_eq(rd(4), 0x80 | 0x11);
	clock_step(&b.clock, 3 * SEC);
	cr_assert_eq(rd(4), 0x12, "midnight is 12 AM");
}

Test(rtc, is_set_while_stopped)
{
	wr(0x0b, 0x82);
	clock_step(&b.clock, 10 * SEC);
	check(0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x57);
	wr(0x32, 0x19);
	wr(9, 0x99);
	wr(8, 0x12);
	wr(7, 0x31);
	wr(4, 0x23);
	wr(2, 0x59);
	wr(0, 0x58);
	wr(0x0b, 0x02);
	clock_step(&b.clock, SEC);
	check(0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59);
	clock_step(&b.clock, SEC);
	check(0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00);
	device_reset(&rtc.dev);
	check(0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00);
}

Test(rtc, first_update_half_a_second_after_divider_reset)
{
	wr(0x0a, 0x76);
	wr(0, 0x10);
	clock_step(&b.clock, 5 * SEC);
	cr_assert_eq(rd(0), 0x10);
	wr(0x0a, 0x26);
	clock_step(&b.clock, SEC / 2 - 1000);
	cr_assert_eq(rd(0), 0x10);
	clock_step(&b.clock, 2000);
	cr_assert_eq(rd(0), 0x11);
}

Test(rtc, update_in_progress)
{
	cr_assert_eq(rd(0x0a) & 0x80, 0);
	clock_step(&b.clock, SEC - 1000000);
	cr_assert_eq(rd(0x0a) & 0x80, 0x80);
	clock_step(&b.clock, 1000000);
	cr_assert_eq(rd(0x0a) & 0x80, 0);
}

Test(rtc, update_interrupt)
{
	wr(0x0b, 0x12);
	clock_step(&b.clock, SEC - 1);
	cr_assert_eq(b.wire[8].level, 0);
	clock_step(&b.clock, 1);
	cr_assert_eq(b.wire[8].level, 1);
	cr_assert_eq(rd(0x0c) & ~0x40, 0x90);
	cr_assert_eq(b.wire[8].level, 0);
	cr_assert_eq(rd(0x0c), 0, "read clears");
	clock_step(&b.clock, 3 * SEC);
	rd(0x0c);
	cr_assert_eq(b.wire[8].rises, 2);
}

Test(rtc, alarm)
{
	wr(5, 0x00);
	wr(3, 0x00);
	wr(1, 0x02);
	wr(0x0b, 0x22);
	clock_step(&b.clock, 5 * SEC - 1);
	cr_assert_eq(b.wire[8].level, 0);
	clock_step(&b.clock, 1);
	cr_assert_eq(b.wire[8].level, 1);
	cr_assert_eq(rd(0x0c) & ~0x40, 0xb0);
	wr(5, 0xc0); /* every hour, every minute */
	wr(3, 0xff);
	clock_step(&b.clock, 180 * SEC);
	cr_assert_eq(rd(0x0c) & 0x20, 0x20);
	cr_assert_eq(b.wire[8].rises, 2);
}

Test(rtc, periodic_interrupt)
{
	int n = 0;

	wr(0x0b, 0x42); /* 1024 Hz */
	for (int i = 0; i < 5000; i++) {
		clock_step(&b.clock, SEC / 5000);
		if (b.wire[8].level) {
			cr_assert_eq(rd(0x0c) & 0xc0, 0xc0);
			n++;
		}
	}
	cr_assert_geq(n, 1023);
	cr_assert_leq(n, 1024);
	wr(0x0a, 0x20);
	rd(0x0c);
	clock_step(&b.clock, SEC);
	cr_assert_eq(b.wire[8].level, 0);
	/* Without the enable the flag is set all the same. */
	wr(0x0a, 0x2f);
	wr(0x0b, 0x02);
	rd(0x0c);
	clock_step(&b.clock, SEC / 2);
	cr_assert_eq(rd(0x0c) & 0xc0, 0x40);
}

Test(rtc, cmos)
{
	mc146818_set_cmos(&rtc, 0x34, 0xab);
	mc146818_set_cmos(&rtc, 0x0d, 0x00);
	cr_assert_eq(rd(0x34), 0xab);
	cr_assert_eq(rd(0x0d), 0x80);
	wr(0x0f, 0x05);
	device_reset(&rtc.dev);
	cr_assert_eq(rd(0x0f), 0x05);
	cr_assert_eq(rd(0x34), 0xab);
	cr_assert_eq(rd(0xb4), 0xab, "bit 7 is the NMI mask");
}

Test(rtc, nonsense_dates)
{
	for (int v = 0; v < 256; v++) {
		wr(0x0b, 0x80 | (v & 6));
		for (int i = 0; i < 10; i++)
			wr(i, v);
		wr(0x32, v);
		wr(0x0b, v & 6);
		clock_step(&b.clock, 2 * SEC);
		cr_assert_leq(rd(8), 0x12);
	}
}
