/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "chips.h"
#include "hw/device.h"
#include "hw/loop.h"

static struct clock clk;
static struct timer a, b;
static uint64_t seen[8];
static int nr;

static void note(void *opaque)
{
	(void)opaque;
	if (nr < 8)
		seen[nr++] = clock_now(&clk);
}

static void again(void *opaque)
{
	note(opaque);
	timer_arm(&b, clock_now(&clk) + 100);
}

Test(clock, steps_fire_in_order_at_their_own_times)
{
	nr = 0;
	clock_init(&clk, true);
	timer_init(&a, &clk, note, NULL);
	timer_init(&b, &clk, again, NULL);
	timer_arm(&a, 250);
	timer_arm(&b, 100);
	clock_step(&clk, 300);
	cr_assert_eq(nr, 4);
	cr_assert_eq(seen[0], 100);
	cr_assert_eq(seen[1], 200);
	cr_assert_eq(seen[2], 250);
	cr_assert_eq(seen[3], 300);
	cr_assert_eq(clock_now(&clk), 300);
	timer_cancel(&b);
	clock_step(&clk, 1000);
	cr_assert_eq(nr, 4);
}

static void in_the_past(void *opaque)
{
	note(opaque);
	timer_arm(&a, 0);
}

Test(clock, a_timer_in_the_past_cannot_hold_the_loop)
{
	nr = 0;
	clock_init(&clk, true);
	timer_init(&a, &clk, in_the_past, NULL);
	timer_arm(&a, 0);
	cr_assert_eq(clock_run(&clk), 0);
	cr_assert_eq(nr, 1);
}

Test(clock, pausing_stops_time)
{
	uint64_t t;

	clock_init(&clk, false);
	usleep(2000);
	clock_pause(&clk);
	t = clock_now(&clk);
	cr_assert_geq(t, 2000000);
	usleep(3000);
	cr_assert_eq(clock_now(&clk), t);
	clock_resume(&clk);
	cr_assert_geq(clock_now(&clk), t);
	cr_assert_lt(clock_now(&clk), t + 2000000000);
}

static struct loop *loop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int reads;

static void quit(void *opaque)
{
	note(opaque);
	loop_quit(loop);
}

static void readable(void *opaque, int fd, unsigned events)
{
	char c;

	(void)opaque;
	cr_assert(events & LOOP_IN);
	reads++;
	if (read(fd, &c, 1) <= 0) {
		loop_watch(loop, fd, 0, NULL, NULL);
		timer_arm(&a, clock_now(&clk) + 1000000);
	}
}

Test(loop, watches_descriptors_and_timers, .timeout = 10)
{
	int p[2], null = open("/dev/null", O_RDONLY), self = open("/proc/self/exe", O_RDONLY);

	nr = reads = 0;
	clock_init(&clk, false);
	loop = loop_new(&clk, &lock);
	cr_assert(loop);
	timer_init(&a, &clk, quit, NULL);
	cr_assert_eq(pipe(p), 0);
	cr_assert_eq(write(p[1], "ab", 2), 2);
	close(p[1]);
	cr_assert_eq(loop_watch(loop, p[0], LOOP_IN, readable, NULL), 0);
	loop_run(loop);
	cr_assert_eq(reads, 3); /* a, b, end of file */
	cr_assert_eq(nr, 1);
	cr_assert_eq(loop_watch(loop, p[0], 0, NULL, NULL), -ENOENT);
	/* epoll refuses plain files; they are simply always ready */
	reads = 0;
	cr_assert_eq(loop_watch(loop, null, LOOP_IN, readable, NULL), 0);
	loop_run(loop);
	cr_assert_eq(reads, 1);
	cr_assert_eq(loop_watch(loop, self, LOOP_IN, readable, NULL), 0);
	cr_assert_eq(loop_watch(loop, self, 0, NULL, NULL), 0);
	loop_quit(loop);
	loop_run(loop);
	loop_free(loop);
}

struct thing {
	uint32_t kept, plain;
	uint16_t list[3];
};

Test(device, reset_follows_the_field_table)
{
	static const struct field fields[] = {
	    FIELD_NORESET(thing, kept),
	    FIELD(thing, plain, 7),
	    FIELD_ARRAY(thing, list, 0x1234),
	    FIELD_END,
	};
	struct thing t = {1, 2, {3, 4, 5}};
	struct device dev;

	device_init(&dev, "thing", fields, &t);
	cr_assert_eq(t.kept, 1);
	cr_assert_eq(t.plain, 7);
	t.list[2] = 0;
	device_reset(&dev);
	cr_assert_eq(t.kept, 1);
	cr_assert_eq(t.list[0], 0x1234);
	cr_assert_eq(t.list[2], 0x1234);
}
