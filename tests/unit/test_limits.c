/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Limits of a disk: the arithmetic, and requests that wait, by a clock that the test moves.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chips.h"
#include "frontend/drive_limits.h"
#include "hw/block/block.h"

#define SIZE (1u << 20)
#define MS   1000000ull
#define SEC  NSEC_PER_SEC

static struct limit_config config(const char *name, uint64_t value)
{
	struct limit_config c = {0};

	*drive_limit(&c, name) = value;
	return c;
}

Test(limits, names_old_and_new)
{
	struct limit_config c = {0};

	cr_assert_eq(drive_limit(&c, "throttling.bps-total"), &c.limit[LIMIT_BPS_TOTAL].avg);
	cr_assert_eq(drive_limit(&c, "throttling.iops-write-max"), &c.limit[LIMIT_IOPS_WRITE].max);
	cr_assert_eq(drive_limit(&c, "throttling.bps-read-max-length"),
		     &c.limit[LIMIT_BPS_READ].length);
	cr_assert_eq(drive_limit(&c, "throttling.iops-size"), &c.iops_size);
	cr_assert_eq(drive_limit(&c, "bps"), &c.limit[LIMIT_BPS_TOTAL].avg);
	cr_assert_eq(drive_limit(&c, "iops_rd_max"), &c.limit[LIMIT_IOPS_READ].max);
	cr_assert_eq(drive_limit(&c, "bps_wr_max_length"), &c.limit[LIMIT_BPS_WRITE].length);
	cr_assert_eq(drive_limit(&c, "iops_size"), &c.iops_size);
	cr_assert_null(drive_limit(&c, "throttling.bps"));
	cr_assert_null(drive_limit(&c, "bps-total"));
	cr_assert_null(drive_limit(&c, "bps_max_"));
	cr_assert_null(drive_limit(&c, "throttling.group"));
}

Test(limits, what_does_not_go_together)
{
	struct limit_config c = config("bps", 1000);

	cr_assert_null(limits_check(&c));
	c.limit[LIMIT_BPS_READ].avg = 10;
	cr_assert_not_null(limits_check(&c), "total and reads");
	c = config("bps_max", 1000);
	cr_assert_not_null(limits_check(&c), "a burst without a limit");
	c.limit[LIMIT_BPS_TOTAL].avg = 2000;
	cr_assert_not_null(limits_check(&c), "a burst below its limit");
	c.limit[LIMIT_BPS_TOTAL].avg = 500;
	cr_assert_null(limits_check(&c));
	c.limit[LIMIT_BPS_TOTAL].length = UINT64_MAX;
	cr_assert_not_null(limits_check(&c), "a burst without end");
	c = config("iops_size", 4096);
	cr_assert_not_null(limits_check(&c), "a size without a limit");
	c = config("iops_rd", UINT64_MAX);
	cr_assert_not_null(limits_check(&c), "too much");
	c = config("iops_wr_max_length", 10);
	cr_assert_not_null(limits_check(&c), "a length without a height");
}

/* Requests of len bytes that go through from `from` on, for so long. */
static unsigned through(struct limits *l, uint64_t from, uint64_t ns, uint64_t len, bool write)
{
	uint64_t at = from;
	unsigned n = 0;

	for (;;) {
		uint64_t wait = limits_wait(l, at, write);

		if (wait) {
			at += wait;
			if (at >= from + ns)
				return n;
			continue;
		}
		limits_spend(l, len, write);
		n++;
	}
}

Test(limits, an_average_holds)
{
	struct limit_config c = config("bps", 1 << 20);
	struct limits l;

	limits_set(&l, &c);
	/* what a tenth of a second has, and one that makes the debt */
	cr_assert_leq(through(&l, SEC, 1, 4096, true), 27);
	cr_assert_eq(through(&l, SEC, 10 * SEC, 4096, false) / 10, 256);
	/* debts are paid once */
	cr_assert_leq(through(&l, 11 * SEC, 10 * SEC, 4096, true), 2560 + 1);
}

Test(limits, kinds_do_not_meet)
{
	struct limit_config c = config("iops_wr", 10);
	struct limits l;

	limits_set(&l, &c);
	cr_assert_eq(through(&l, SEC, SEC, 1 << 20, true), 11);
	cr_assert_eq(limits_wait(&l, SEC, false), 0);
	limits_spend(&l, 1 << 20, true);
	cr_assert_gt(limits_wait(&l, 2 * SEC, true), 0);
}

Test(limits, a_large_request_counts_for_its_size)
{
	struct limit_config c = config("iops", 1000);
	struct limits l;

	c.iops_size = 4096;
	limits_set(&l, &c);
	through(&l, SEC, 1, 4096, false);
	cr_assert_eq(through(&l, 2 * SEC, 10 * SEC, 6144, false) / 10, 673,
		     "1000 / 1.5, and what a tenth of a second has");
}

Test(limits, a_burst_goes_higher_and_ends)
{
	struct limit_config c = config("iops", 100);
	struct limits l;
	unsigned n;

	c.limit[LIMIT_IOPS_TOTAL].max = 1000;
	c.limit[LIMIT_IOPS_TOTAL].length = 5;
	limits_set(&l, &c);
	n = through(&l, SEC, SEC, 512, false);
	cr_assert(n >= 1000 && n <= 1102, "%u", n);
	/* 5000 in all at that height, and what is paid back meanwhile */
	n += through(&l, 2 * SEC, 9 * SEC, 512, false);
	cr_assert(n >= 5000 && n <= 6200, "%u", n);
	n = through(&l, 11 * SEC, 10 * SEC, 512, false);
	cr_assert(n >= 1000 && n <= 1002, "%u", n);
}

/* ---- requests ---- */

static char path[64];
static struct block *disk;
static struct clock clk;

static void setup(void)
{
	struct block_options o = {.name = "disk", .file = path, .format = "raw"};
	struct block_env env = {.clock = &clk};
	char err[256];
	int fd;

	strcpy(path, "/tmp/doppel-test-XXXXXX");
	fd = mkstemp(path);
	cr_assert_eq(ftruncate(fd, SIZE), 0);
	close(fd);
	clock_init(&clk, true);
	clock_step(&clk, SEC);
	o.limits = config("iops_wr", 10);
	cr_assert_eq(block_open(&disk, &o, &env, err, sizeof(err)), 0, "%s", err);
}

static void teardown(void)
{
	block_close(disk);
	unlink(path);
}

static uint8_t buf[512];
static struct iovec iov = {buf, sizeof(buf)};
static unsigned dones;

static void on_done(struct block_req *req, int ret)
{
	(void)req;
	cr_assert_eq(ret, 0);
	dones++;
}

static void submit(struct block_req *r, enum block_op op, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		r[i] = (struct block_req){.op = op,
					  .len = op == BLOCK_FLUSH ? 0 : sizeof(buf),
					  .iov = &iov,
					  .nr_iov = 1,
					  .done = on_done};
		block_submit(disk, &r[i]);
	}
}

Test(limits, requests_wait_for_the_clock, .init = setup, .fini = teardown)
{
	struct block_req w[20], r[5], f;

	/* the first two: a tenth of a second's, and one on top */
	submit(w, BLOCK_WRITE, 20);
	cr_assert_eq(block_waiting(disk), 18);
	/* others do not */
	submit(r, BLOCK_READ, 5);
	submit(&f, BLOCK_FLUSH, 1);
	cr_assert_eq(block_waiting(disk), 18);
	clock_step(&clk, 99 * MS);
	cr_assert_eq(block_waiting(disk), 18);
	clock_step(&clk, 2 * MS);
	cr_assert_eq(block_waiting(disk), 17);
	clock_step(&clk, SEC);
	cr_assert_eq(block_waiting(disk), 7);
	/* whoever waits for the disk waits for no clock */
	block_quiesce(disk);
	cr_assert_eq(block_waiting(disk), 0);
	cr_assert_eq(dones, 26);
	/* what went early counts */
	submit(w, BLOCK_WRITE, 1);
	clock_step(&clk, 700 * MS);
	cr_assert_eq(block_waiting(disk), 1);
	clock_step(&clk, 200 * MS);
	cr_assert_eq(block_waiting(disk), 0);
	block_drain(disk);
	cr_assert_eq(dones, 27);
}

Test(limits, batches_wait_and_limits_change, .init = setup, .fini = teardown)
{
	struct limit_config none = {0}, total = config("iops", 10);
	struct block_req w[6], r[6];

	block_plug(disk);
	submit(w, BLOCK_WRITE, 6);
	block_unplug(disk);
	cr_assert_eq(block_waiting(disk), 4);
	block_set_limits(disk, &none);
	cr_assert_eq(block_waiting(disk), 0);
	block_quiesce(disk);
	cr_assert_eq(dones, 6);
	/* with one limit for both, both go on */
	block_set_limits(disk, &total);
	submit(w, BLOCK_WRITE, 6);
	submit(r, BLOCK_READ, 6);
	cr_assert_eq(block_waiting(disk), 10);
	clock_step(&clk, 501 * MS);
	block_plug(disk);
	block_unplug(disk);
	cr_assert_eq(block_waiting(disk), 5);
	block_set_limits(disk, &none);
	cr_assert_eq(block_waiting(disk), 0);
	block_quiesce(disk);
	cr_assert_eq(dones, 18);
}

Test(limits, reads_and_writes_take_turns, .init = setup, .fini = teardown)
{
	struct limit_config total = config("bps", 5120);
	struct block_req w[12], r[12];
	struct block_stats s;

	block_set_limits(disk, &total);
	submit(w, BLOCK_WRITE, 12);
	submit(r, BLOCK_READ, 12);
	cr_assert_eq(block_waiting(disk), 22);
	for (unsigned n = 0; n < 10; n++)
		clock_step(&clk, 101 * MS);
	cr_assert_eq(block_waiting(disk), 12);
	/* of ten that went, half were reads; both kinds have some that still wait */
	do {
		block_plug(disk);
		block_unplug(disk);
		block_stats(disk, &s);
	} while (s.ops[BLOCK_READ] + s.ops[BLOCK_WRITE] < 12);
	cr_assert_eq(s.ops[BLOCK_READ], 5);
	cr_assert_eq(s.ops[BLOCK_WRITE], 7);
	block_drain(disk);
}

Test(limits, a_group_shares_and_takes_turns)
{
	struct limit_config total = config("iops", 10);
	struct block_options o = {.name = "disk", .format = "raw", .file = path, .no_lock = true};
	struct block_env env = {.clock = &clk};
	struct limit_group *g = limit_group_new("g");
	struct block_req r[3][8];
	struct block *disks[3];
	char err[256];

	setup();
	block_close(disk);
	o.group = g;
	for (unsigned n = 0; n < 3; n++) {
		cr_assert_eq(block_open(&disks[n], &o, &env, err, sizeof(err)), 0, "%s", err);
		cr_assert_str_eq(block_limit_group(disks[n]), "g");
	}
	/* what one sets holds for all */
	block_set_limits(disks[1], &total);
	cr_assert_eq(block_limits(disks[2])->limit[LIMIT_IOPS_TOTAL].avg, 10);
	for (unsigned n = 0; n < 3; n++) {
		disk = disks[n];
		submit(r[n], BLOCK_READ, 8);
	}
	cr_assert_eq(block_waiting(disks[0]), 6);
	cr_assert_eq(block_waiting(disks[1]), 8);
	for (unsigned n = 0; n < 9; n++)
		clock_step(&clk, 101 * MS);
	for (unsigned n = 0; n < 3; n++)
		cr_assert_eq(block_waiting(disks[n]), n ? 5 : 3, "%u", n);
	/* one goes: its own go at once, the others' as before */
	block_close(disks[2]);
	cr_assert_eq(block_waiting(disks[0]) + block_waiting(disks[1]), 8);
	clock_step(&clk, 10 * SEC);
	cr_assert_eq(block_waiting(disks[0]) + block_waiting(disks[1]), 0);
	block_close(disks[0]);
	block_close(disks[1]);
	cr_assert_eq(dones, 24);
	limit_group_free(g);
	unlink(path);
}

Test(limits, a_disk_without_a_clock_has_none)
{
	struct block_options o = {.name = "disk", .file = path, .format = "raw"};
	struct block_env env = {0};
	struct block_req w[20];
	char err[256];

	setup();
	block_close(disk);
	o.limits = config("iops", 1);
	cr_assert_eq(block_open(&disk, &o, &env, err, sizeof(err)), 0, "%s", err);
	submit(w, BLOCK_WRITE, 20);
	cr_assert_eq(block_waiting(disk), 0);
	teardown();
	cr_assert_eq(dones, 20);
}
