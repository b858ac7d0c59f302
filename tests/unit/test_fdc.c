/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The floppy disk controller, driven through its ports: DMA and programmed I/O, seeks, resets.
 */
#include "disks.h"
#include "hw/storage/fdc.h"

#define SECTORS 2880u
#define DATA    0x20000u

enum { DOR = 0x3f2, MSR = 0x3f4, FIFO = 0x3f5, DIR = 0x3f7 };

static struct rig g;
static struct fdc fdc;
static struct dma8237 dma;
static struct drive_bus *buses;
static int irq;

static void on_irq(void *opaque, int n, int level)
{
	(void)opaque;
	(void)n;
	irq = level;
}

static uint8_t in(unsigned port)
{
	return (uint8_t)aspace_read(&g.io, port, 1);
}
static void out(unsigned port, unsigned v)
{
	aspace_write(&g.io, port, v, 1);
}

static void plug(bool read_only)
{
	const struct irq_pin pin = {on_irq, NULL, 6};

	rig_init(&g);
	buses = NULL;
	cr_assert_eq(dma8237_init(&dma, &g.io, &g.mem), 0);
	cr_assert_eq(fdc_init(&fdc, &g.io, &dma, &pin, &buses), 0);
	cr_assert_eq(fdc_cmos_type(&fdc, 0), 0);
	cr_assert_eq(fdc_attach(&fdc, 0, rig_disk(&g, SECTORS * 512, read_only)), 0);
	cr_assert_eq(fdc_cmos_type(&fdc, 0), 4);
	device_reset(&dma.dev);
	device_reset(&fdc.dev);
}

static void fini(void)
{
	fdc_fini(&fdc);
	rig_fini(&g);
}

static void command(const uint8_t *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		cr_assert_eq(in(MSR)&0xc0, 0x80);
		out(FIFO, c[i]);
	}
	block_drain(g.block);
	for (int i = 0; i < 40; i++) /* sector by sector */
		block_drain(g.block);
}
#define COMMAND(...) command((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void result(uint8_t *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		cr_assert_eq(in(MSR)&0xc0, 0xc0);
		r[i] = in(FIFO);
	}
	cr_assert_eq(in(MSR), 0x80);
}

static void seek(uint8_t track)
{
	uint8_t r[2];

	COMMAND(0x0f, 0, track);
	cr_assert_eq(irq, 1);
	COMMAND(0x08);
	result(r, 2);
	cr_assert_eq(r[0], 0x20);
	cr_assert_eq(r[1], track);
	cr_assert_eq(irq, 0);
}

/* Channel 2, as the BIOS programs it. */
static void program(bool to_memory, unsigned len)
{
	out(0x0a, 6);
	out(0x0c, 0);
	out(0x0b, to_memory ? 0x46 : 0x4a);
	out(0x04, DATA & 0xff);
	out(0x04, DATA >> 8 & 0xff);
	out(0x05, (len - 1) & 0xff);
	out(0x05, (len - 1) >> 8);
	out(0x81, DATA >> 16);
	out(0x0a, 2);
}

TestSuite(fdc, .fini = fini);

Test(fdc, reset)
{
	uint8_t r[10];

	plug(false);
	out(DOR, 0);
	cr_assert_eq(in(MSR), 0);
	out(DOR, 0x1c);
	cr_assert_eq(irq, 1);
	for (unsigned i = 0; i < 4; i++) {
		COMMAND(0x08);
		result(r, 2);
		cr_assert_eq(r[0], 0xc0 | i);
	}
	COMMAND(0x08);
	result(r, 1);
	cr_assert_eq(r[0], 0x80);
	COMMAND(0x10);
	result(r, 1);
	cr_assert_eq(r[0], 0x90);
	COMMAND(0x1f);
	result(r, 1);
	cr_assert_eq(r[0], 0x80);
	COMMAND(0x0e);
	result(r, 10);
	cr_assert_eq(in(DIR), 0x80);
	seek(1);
	cr_assert_eq(in(DIR), 0);
	COMMAND(0x07, 1); /* no drive B */
	COMMAND(0x08);
	result(r, 2);
	cr_assert_eq(r[0] & 0xc0, 0x40);
}

Test(fdc, read_by_dma)
{
	uint8_t r[7];

	plug(false);
	out(DOR, 0x1c);
	seek(2);
	/* both sides of a track, from its sector 17 on: cylinder 2 starts at sector 72 */
	program(true, 4 * 512);
	COMMAND(0xe6, 0, 2, 0, 17, 2, 18, 0x1b, 0xff);
	cr_assert_eq(irq, 1);
	result(r, 7);
	cr_assert_eq(r[0] & 0xc0, 0);
	cr_assert_eq(r[4], 1);
	cr_assert_eq(r[5], 3);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(get(&g, DATA + 512 * i, 8), 72 + 16 + i);
	/* no TC before the end of the track */
	program(true, 4 * 512);
	COMMAND(0x66, 0, 2, 0, 18, 2, 18, 0x1b, 0xff);
	result(r, 7);
	cr_assert_eq(r[0] & 0xc0, 0x40);
	cr_assert_eq(r[1], 0x80);
	/* the channel is masked */
	out(0x0a, 6);
	COMMAND(0xe6, 0, 2, 0, 1, 2, 18, 0x1b, 0xff);
	result(r, 7);
	cr_assert_eq(r[1], 0x10);
}

Test(fdc, write_by_dma)
{
	uint8_t r[7];

	plug(false);
	out(DOR, 0x1c);
	seek(0);
	put(&g, DATA, 0x1234, 8);
	put(&g, DATA + 512, 0x5678, 8);
	program(false, 1024);
	COMMAND(0xc5, 0, 0, 0, 3, 2, 18, 0x1b, 0xff);
	result(r, 7);
	cr_assert_eq(r[0] & 0xc0, 0);
	cr_assert_eq(rig_sector(&g, 2), 0x1234);
	cr_assert_eq(rig_sector(&g, 3), 0x5678);
	cr_assert_eq(rig_sector(&g, 4), 4);
	/* FORMAT TRACK */
	program(false, 72);
	COMMAND(0x4d, 4, 2, 18, 0x54, 0xf6);
	result(r, 7);
	cr_assert_eq(r[0] & 0xc0, 0);
	for (unsigned i = 0; i < 18; i++)
		cr_assert_eq(rig_sector(&g, 18 + i), 0xf6f6f6f6f6f6f6f6);
	cr_assert_eq(rig_sector(&g, 36), 36);
}

Test(fdc, programmed_io)
{
	uint8_t r[7];
	unsigned n = 0;

	plug(false);
	out(DOR, 0x1c);
	COMMAND(0x03, 0xdf, 3); /* SPECIFY without DMA */
	seek(0);
	COMMAND(0x46, 0, 0, 0, 5, 2, 5, 0x1b, 0xff);
	while (in(MSR)&0x20) {
		uint8_t b = in(FIFO);

		cr_assert_eq(b, n == 0 ? 4 : 0);
		n++;
		block_drain(g.block);
	}
	cr_assert_eq(n, 512);
	result(r, 7);
	COMMAND(0x45, 0, 0, 0, 9, 2, 9, 0x1b, 0xff);
	for (n = 0; in(MSR)&0x20; n++)
		out(FIFO, n == 0 ? 0x77 : 0);
	cr_assert_eq(n, 512);
	block_drain(g.block);
	result(r, 7);
	cr_assert_eq(rig_sector(&g, 8), 0x77);
}

Test(fdc, refusals)
{
	uint8_t r[7];

	plug(true);
	out(DOR, 0x1c);
	seek(0);
	program(false, 512);
	COMMAND(0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
	result(r, 7);
	cr_assert_eq(r[1], 2);
	program(true, 512);
	COMMAND(0x46, 0, 0, 0, 19, 2, 18, 0x1b, 0xff); /* no such sector */
	result(r, 7);
	cr_assert_eq(r[1], 4);
	COMMAND(0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff); /* another cylinder */
	result(r, 7);
	cr_assert_eq(r[2], 0x10);
	COMMAND(0x46, 1, 0, 0, 1, 2, 18, 0x1b, 0xff); /* no drive B */
	result(r, 7);
	cr_assert_eq(r[0] & 0x48, 0x48);
	COMMAND(0x46, 0, 0, 0, 1, 3, 18, 0x1b, 0xff); /* 1 KiB sectors */
	result(r, 7);
	cr_assert_eq(r[0] & 0xc0, 0x40);
	seek(200);
	COMMAND(0x46, 0, 200, 0, 1, 2, 18, 0x1b, 0xff);
	result(r, 7);
	cr_assert_eq(r[1], 4);
	/* a reset while a sector is read */
	seek(0);
	for (unsigned i = 0; i < 9; i++)
		out(FIFO, (const uint8_t[]){0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff}[i]);
	out(DOR, 0);
	out(DOR, 0x1c);
	cr_assert_eq(in(MSR), 0x80);
}
