/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/i8254.h"

static struct board b;
static struct i8254 pit;

static void setup(void)
{
	struct irq_pin out0;

	board_init(&b);
	out0 = pin(&b, 0);
	cr_assert_eq(i8254_init(&pit, &b.io, &b.clock, &out0), 0);
}

/* Goes to the middle of the n-th tick from now. */
static void ticks(uint64_t n)
{
	uint64_t at = muldiv64(clock_now(&b.clock), I8254_HZ, NSEC_PER_SEC) + n;

	clock_step(&b.clock, muldiv64(at, NSEC_PER_SEC, I8254_HZ) + 400 - clock_now(&b.clock));
}

static void program(int ch, int mode, uint16_t count, bool bcd)
{
	outb(&b, 0x43, ch << 6 | 0x30 | mode << 1 | bcd);
	outb(&b, 0x40 + ch, count);
	outb(&b, 0x40 + ch, count >> 8);
}

static uint16_t count(int ch)
{
	uint8_t low;

	outb(&b, 0x43, ch << 6);
	low = inb(&b, 0x40 + ch);
	return low | inb(&b, 0x40 + ch) << 8;
}

static bool out2(void)
{
	return inb(&b, 0x61) & 0x20;
}

TestSuite(i8254, .init = setup);

Test(i8254, mode2_is_periodic_without_drift)
{
	program(0, 2, 11932, false); /* 100 Hz */
	clock_step(&b.clock, NSEC_PER_SEC * 10);
	cr_assert_geq(b.wire[0].rises, 999);
	cr_assert_leq(b.wire[0].rises, 1001);
	program(0, 2, 1000, false);
	ticks(10);
	cr_assert_eq(count(0), 990);
	ticks(989);
	cr_assert_eq(count(0), 1);
	ticks(1);
	cr_assert_eq(count(0), 1000);
}

Test(i8254, mode2_new_count_waits_for_the_period)
{
	program(0, 2, 1000, false);
	ticks(10);
	outb(&b, 0x40, 500 & 0xff);
	outb(&b, 0x40, 500 >> 8);
	cr_assert_eq(count(0), 990);
	ticks(989);
	b.wire[0].rises = 0;
	ticks(1);
	cr_assert_eq(count(0), 500);
	cr_assert_eq(b.wire[0].rises, 1);
	ticks(500);
	cr_assert_eq(b.wire[0].rises, 2);
}

Test(i8254, mode0_interrupts_once)
{
	program(0, 0, 100, false);
	cr_assert_eq(b.wire[0].level, 0);
	ticks(99);
	cr_assert_eq(b.wire[0].rises, 0);
	ticks(2);
	cr_assert_eq(b.wire[0].rises, 1);
	cr_assert_eq(b.wire[0].level, 1);
	cr_assert_eq(count(0), 0xffff, "it counts on");
	ticks(70000);
	cr_assert_eq(b.wire[0].rises, 1);
	outb(&b, 0x40, 50);
	cr_assert_eq(pit.ch[0].running, 0, "half a count stops it");
	outb(&b, 0x40, 0);
	cr_assert_eq(b.wire[0].level, 0);
	ticks(51);
	cr_assert_eq(b.wire[0].rises, 2);
}

Test(i8254, mode4_strobes_for_linux_oneshot)
{
	program(0, 4, 1000, false);
	b.wire[0].rises = 0;
	ticks(999);
	cr_assert_eq(b.wire[0].rises, 0);
	ticks(3);
	cr_assert_eq(b.wire[0].rises, 1);
	ticks(100000);
	cr_assert_eq(b.wire[0].rises, 1);
}

Test(i8254, mode3_square_wave_on_channel_2)
{
	outb(&b, 0x61, 1);
	program(2, 3, 100, false);
	cr_assert(out2());
	ticks(49);
	cr_assert(out2());
	ticks(1);
	cr_assert_not(out2());
	ticks(49);
	cr_assert_not(out2());
	ticks(1);
	cr_assert(out2());
	ticks(10);
	cr_assert_eq(count(2), 80, "counts by two");
	outb(&b, 0x61, 0);
	cr_assert(out2(), "the gate forces it high");
}

Test(i8254, odd_square_wave)
{
	outb(&b, 0x61, 1);
	program(2, 3, 5, false);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(out2(), i % 5 < 3, "tick %d", i);
		ticks(1);
	}
}

Test(i8254, calibration_as_linux_does_it)
{
	outb(&b, 0x61, (inb(&b, 0x61) & ~2) | 1);
	program(2, 0, 59659, false); /* 50 ms */
	cr_assert_not(out2());
	clock_step(&b.clock, 49900000);
	cr_assert_not(out2());
	clock_step(&b.clock, 200000);
	cr_assert(out2());
}

Test(i8254, gate_suspends_mode_0)
{
	outb(&b, 0x61, 1);
	program(2, 0, 1000, false);
	ticks(100);
	outb(&b, 0x61, 0);
	ticks(5000);
	cr_assert_eq(count(2), 900);
	cr_assert_not(out2());
	outb(&b, 0x61, 1);
	ticks(900);
	cr_assert(out2());
}

Test(i8254, mode1_and_5_wait_for_the_gate)
{
	program(2, 1, 100, false);
	cr_assert(out2());
	ticks(500);
	cr_assert(out2());
	outb(&b, 0x61, 1);
	cr_assert_not(out2());
	ticks(60);
	outb(&b, 0x61, 0);
	outb(&b, 0x61, 1); /* again: the pulse is longer */
	ticks(60);
	cr_assert_not(out2());
	ticks(40);
	cr_assert(out2());
	outb(&b, 0x61, 0);
	program(2, 5, 10, false);
	cr_assert(out2());
	outb(&b, 0x61, 1);
	ticks(10);
	cr_assert_not(out2());
	ticks(1);
	cr_assert(out2());
}

Test(i8254, bcd)
{
	program(0, 2, 0x1000, true);
	ticks(1);
	cr_assert_eq(count(0), 0x0999);
	program(0, 0, 0, true);
	ticks(1);
	cr_assert_eq(count(0), 0x9999);
}

Test(i8254, read_back)
{
	uint8_t status;

	program(0, 2, 1000, false);
	ticks(10);
	outb(&b, 0x43, 0xc2); /* count and status of channel 0 */
	ticks(10);
	status = inb(&b, 0x40);
	cr_assert_eq(status & 0x3f, 0x34);
	cr_assert_eq(status & 0x40, 0);
	cr_assert_eq(status & 0x80, 0x80);
	cr_assert_eq(inb(&b, 0x40), 990 & 0xff);
	cr_assert_eq(inb(&b, 0x40), 990 >> 8);
	cr_assert_eq(inb(&b, 0x40), 980 & 0xff, "the latch is used up");
	cr_assert_eq(inb(&b, 0x40), 980 >> 8);
	outb(&b, 0x43, 0x34);
	outb(&b, 0x43, 0xe2);
	cr_assert_eq(inb(&b, 0x40) & 0x40, 0x40, "null count");
}

Test(i8254, latch_holds_until_read)
{
	program(0, 2, 1000, false);
	ticks(10);
	outb(&b, 0x43, 0x00);
	ticks(10);
	outb(&b, 0x43, 0x00);
	cr_assert_eq(inb(&b, 0x40), 990 & 0xff);
	cr_assert_eq(inb(&b, 0x40), 990 >> 8);
}

Test(i8254, single_byte_access)
{
	outb(&b, 0x43, 0x14);
	outb(&b, 0x40, 200);
	ticks(1);
	cr_assert_eq(inb(&b, 0x40), 199);
	outb(&b, 0x43, 0x24);
	outb(&b, 0x40, 2);
	ticks(1);
	cr_assert_eq(inb(&b, 0x40), 1);
}

Test(i8254, port61_refresh_toggles)
{
	uint8_t a = inb(&b, 0x61) & 0x10;

	clock_step(&b.clock, 15085);
	cr_assert_neq(inb(&b, 0x61) & 0x10, a);
	outb(&b, 0x61, 0xff);
	cr_assert_eq(inb(&b, 0x61) & 0x0f, 0x0f);
}

Test(i8254, speaker)
{
	uint64_t now;

	program(2, 3, 1193, false);
	cr_assert_not(i8254_speaker_on(&pit));
	outb(&b, 0x61, 3);
	cr_assert(i8254_speaker_on(&pit));
	now = i8254_ticks(&pit);
	cr_assert_eq(i8254_speaker_high(&pit, now, now + 1193), 597);
	cr_assert_eq(i8254_speaker_high(&pit, now, now + 11930), 5970);
	cr_assert_eq(i8254_speaker_high(&pit, now + 597, now + 1193), 0);
	/* a new count begins with the next period */
	outb(&b, 0x42, 100);
	outb(&b, 0x42, 0);
	cr_assert_eq(i8254_speaker_high(&pit, now, now + 1193), 597);
	cr_assert_eq(i8254_speaker_high(&pit, now + 1193, now + 2193), 500);
	outb(&b, 0x61, 2);
	cr_assert_eq(i8254_speaker_high(&pit, now, now + 1000), 1000);
	outb(&b, 0x61, 1);
	cr_assert_eq(i8254_speaker_high(&pit, now, now + 1000), 0);
}

Test(i8254, absurd_counts_do_nothing_bad)
{
	for (int mode = 0; mode < 8; mode++) {
		for (int n = 0; n < 4; n++) {
			program(0, mode, n, n & 1);
			ticks(20);
			count(0);
		}
	}
}
