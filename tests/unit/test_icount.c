/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/icount.h"

static struct clock clk;
static struct timer timer;
static struct icount ic;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t fired;
static unsigned nr;

static void fire(void *opaque)
{
	(void)opaque;
	fired = clock_now(&clk);
	nr++;
}

/* Arms itself in the past, as often as it fires. */
static void fire_again(void *opaque)
{
	fire(opaque);
	timer_arm(&timer, 1);
}

static void start(unsigned shift, bool sleep, void (*fn)(void *))
{
	nr = 0;
	clock_init(&clk, true);
	icount_init(&ic, &clk, &lock, shift, sleep);
	timer_init(&timer, &clk, fn, NULL);
}

Test(icount, fires_at_the_first_instruction_that_is_late_enough)
{
	start(3, true, fire);
	cr_expect_eq(icount_run(&ic, 5), UINT64_MAX);
	cr_expect_eq(clock_now(&clk), 40u);
	timer_arm(&timer, 801);
	cr_expect_eq(icount_run(&ic, 5), 101u);
	icount_sync(&ic, 100);
	cr_expect_eq(clock_now(&clk), 800u);
	cr_expect_eq(icount_run(&ic, 100), 101u);
	cr_expect_eq(nr, 0u);
	cr_expect_eq(icount_run(&ic, 101), UINT64_MAX);
	cr_expect_eq(fired, 808u);
	timer_arm(&timer, 1608);
	cr_expect_eq(icount_run(&ic, 102), 201u);
}

Test(icount, goes_on_between_timers_in_the_past)
{
	start(0, true, fire_again);
	timer_arm(&timer, 1);
	cr_expect_eq(icount_run(&ic, 10), 11u);
	cr_expect_eq(nr, 1u);
	cr_expect_eq(icount_run(&ic, 11), 12u);
	cr_expect_eq(nr, 2u);
}

Test(icount, skips_a_halt)
{
	start(4, false, fire);
	timer_arm(&timer, 10000);
	cr_expect_eq(icount_idle(&ic, 100, 0), 0u);
	cr_expect_eq(fired, 10000u);
	cr_expect_eq(icount_idle(&ic, 100, 12345), UINT64_MAX, "and then there is no timer");
	cr_expect_eq(clock_now(&clk), 10000u);
	timer_arm(&timer, 10032);
	cr_expect_eq(icount_run(&ic, 100), 102u);
}

Test(icount, sleeps_through_a_halt)
{
	start(4, true, fire);
	timer_arm(&timer, 10000);
	cr_expect_eq(icount_idle(&ic, 100, 0), 8400u);
	cr_expect_eq(icount_idle(&ic, 100, 400), 8000u, "something woke it");
	cr_expect_eq(clock_now(&clk), 2000u);
	cr_expect_eq(icount_run(&ic, 105), 600u);
	cr_expect_eq(icount_idle(&ic, 105, 123456789), 0u, "too long");
	cr_expect_eq(nr, 1u);
	cr_expect_eq(fired, 10000u);
	cr_expect_eq(icount_idle(&ic, 105, 50), UINT64_MAX);
	cr_expect_eq(clock_now(&clk), 10050u);
}
