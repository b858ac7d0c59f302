/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The flash: its commands, what its image keeps, and random writes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chips.h"
#include "hw/pflash.h"

#define SIZE 0x10000u
#define BASE 0xfff00000u

static struct board b;
static struct pflash f;
static struct block *block;
static char path[32], err[256];

static void open_flash(bool read_only)
{
	struct block_options o = {
	    .name = "flash", .file = path, .format = "raw", .read_only = read_only};
	struct block_env env = {0};

	board_init(&b);
	cr_assert_eq(block_open(&block, &o, &env, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(pflash_init(&f, 0, &b.mem, BASE, block, err, sizeof(err)), 0, "%s", err);
	device_reset(&f.dev);
}

static void close_flash(void)
{
	pflash_fini(&f);
	cr_assert_eq(block_close(block), 0);
}

static void setup(void)
{
	int fd;

	strcpy(path, "/tmp/doppel-test-XXXXXX");
	fd = mkstemp(path);
	for (unsigned i = 0; i < SIZE; i++)
		cr_assert_eq(write(fd, &(uint8_t){(uint8_t)(i >> 8)}, 1), 1);
	close(fd);
	open_flash(false);
}

static void teardown(void)
{
	unlink(path);
}

static uint8_t rd(uint32_t off)
{
	return (uint8_t)aspace_read(&b.mem, BASE + off, 1);
}

static void wr(uint32_t off, uint8_t v)
{
	aspace_write(&b.mem, BASE + off, v, 1);
}

TestSuite(pflash, .init = setup, .fini = teardown);

Test(pflash, reads_as_memory)
{
	struct range r;

	cr_assert_eq(rd(0x1234), 0x12);
	cr_assert(aspace_find(&b.mem, BASE, &r) && r.kind == RANGE_ROM);
	wr(0, 0x70);
	cr_assert_eq(rd(0x1234), 0x80);
	cr_assert(aspace_find(&b.mem, BASE, &r) && r.kind == RANGE_DEV);
	wr(0, 0x90);
	cr_assert_eq(rd(0), 0x89);
	wr(0, 0x98);
	cr_assert_eq(rd(0x10), 'Q');
	cr_assert_eq(rd(0x27), 16);
	cr_assert_eq(rd(0x2d), SIZE / PFLASH_BLOCK - 1);
	wr(0, 0xff);
	cr_assert_eq(rd(0x1234), 0x12);
	/* as OVMF looks for it */
	wr(0x1234, 0x50);
	cr_assert_eq(rd(0x1234), 0x12);
	wr(0x1234, 0x70);
	cr_assert_eq(rd(0x1234), 0);
	wr(0x1234, 0xff);
	close_flash();
}

Test(pflash, programs_and_erases_and_keeps_it)
{
	wr(0x2000, 0x20);
	wr(0x2000, 0xd0);
	cr_assert_eq(rd(0x2000), 0x80);
	wr(0x2000, 0x10);
	wr(0x2001, 0x5a);
	wr(0x2001, 0x40);
	wr(0x2001, 0xf0); /* bits go to 0 only */
	wr(0, 0xff);
	cr_assert_eq(rd(0x2000), 0xff);
	cr_assert_eq(rd(0x2001), 0x50);
	cr_assert_eq(rd(0x1fff), 0x1f);
	cr_assert_eq(rd(0x3000), 0x30);
	/* a buffer */
	wr(0x2010, 0xe8);
	wr(0x2010, 3);
	for (unsigned i = 0; i < 4; i++)
		wr(0x2010 + i, (uint8_t)(0x11 * (i + 1)));
	wr(0x2010, 0xd0);
	wr(0, 0xff);
	cr_assert_eq(aspace_read(&b.mem, BASE + 0x2010, 4), 0x44332211);
	close_flash();
	open_flash(true);
	cr_assert_eq(rd(0x2001), 0x50);
	cr_assert_eq(rd(0x2013), 0x44);
	cr_assert_eq(rd(0x2fff), 0xff);
	/* read-only: refused in the status register */
	wr(0x2001, 0x10);
	wr(0x2001, 0);
	cr_assert_eq(rd(0x2001), 0x90);
	wr(0, 0x50);
	wr(0x2000, 0x20);
	wr(0x2000, 0xd0);
	cr_assert_eq(rd(0x2001), 0xa0);
	wr(0, 0xff);
	cr_assert_eq(rd(0x2001), 0x50);
	close_flash();
}

Test(pflash, wrong_sequences)
{
	wr(0, 0x20);
	wr(0, 0x12);
	cr_assert_eq(rd(0) & 0x30, 0x30);
	wr(0, 0x50);
	wr(0, 0xe8);
	wr(0, 64); /* one too many */
	wr(0, 0x70);
	cr_assert_eq(rd(0) & 0x30, 0x30);
	wr(0, 0xff);
	for (uint32_t i = 0; i < SIZE; i += 0x100)
		cr_assert_eq(rd(i), i >> 8 & 0xff);
	close_flash();
}

Test(pflash, random_writes)
{
	static const uint8_t cmd[] = {0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90,
				      0x98, 0xd0, 0xe8, 0xff, 0x00, 0x03, 0x3f};
	static uint8_t image[SIZE];
	int fd;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		uint32_t off = (uint32_t)rand() % SIZE;
		unsigned size = 1u << rand() % 4;

		off &= ~(size - 1);
		aspace_write(&b.mem, BASE + off,
			     rand() % 4 ? cmd[(unsigned)rand() % sizeof(cmd)] : (uint64_t)rand(),
			     size);
		if (rand() % 8 == 0)
			aspace_read(&b.mem, BASE + off, size);
		if (i % 50000 == 0)
			device_reset(&f.dev);
	}
	device_reset(&f.dev);
	/* What it shows is what the image has. */
	for (uint32_t i = 0; i < SIZE; i++)
		image[i] = rd(i);
	close_flash();
	fd = open(path, O_RDONLY);
	for (uint32_t i = 0; i < SIZE; i++) {
		uint8_t v;

		cr_assert_eq(read(fd, &v, 1), 1);
		cr_assert_eq(v, image[i]);
	}
	close(fd);
}

Test(pflash, refuses_odd_sizes)
{
	close_flash();
	cr_assert_eq(truncate(path, SIZE + 512), 0);
	struct block_options o = {.name = "flash", .file = path, .format = "raw"};
	struct block_env env = {0};

	board_init(&b);
	cr_assert_eq(block_open(&block, &o, &env, err, sizeof(err)), 0);
	cr_assert_lt(pflash_init(&f, 0, &b.mem, BASE, block, err, sizeof(err)), 0);
	cr_assert(strstr(err, "multiple of 4 KiB"));
	close_flash();
}
