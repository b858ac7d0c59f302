/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * AHCI ports, driven through command lists: DMA, PIO, queued commands, packets, errors, resets.
 */
#include "disks.h"
#include "hw/storage/ahci.h"

#define SECTORS 8192u
#define CLB     0x10000u
#define FB      0x11000u
#define TABLES  0x20000u /* 0x1000 for each slot */
#define DATA    0x100000u

enum { IS = 0x10, IE = 0x14, CMD = 0x18, TFD = 0x20, SIG = 0x24, SSTS = 0x28, SCTL = 0x2c };
enum { SERR = 0x30, SACT = 0x34, CI = 0x38 };

static struct rig g;
static struct ahci *a;
static struct drive_bus *buses;
static uint64_t regs, port;

static uint32_t in(unsigned reg)
{
	return (uint32_t)get(&g, port + reg, 4);
}
static void out(unsigned reg, uint32_t v)
{
	put(&g, port + reg, v, 4);
}

static void plug(bool cd)
{
	const struct ata_options o = {.cd = cd};

	rig_init(&g);
	buses = NULL;
	a = calloc(1, sizeof(*a));
	cr_assert_eq(ahci_init(a, NULL, &buses), 0);
	cr_assert_str_eq(a->bus[5].name, "ide.5");
	cr_assert_eq(ata_init(&a->port[0].drive, "d", rig_disk(&g, SECTORS * 512, cd), 1, &o), 0);
	rig_plug(&g, &a->func);
	ahci_added(a);
	device_reset(&a->port[0].drive.dev);
	if (cd)
		device_reset(&a->port[0].drive.scsi.dev);
	device_reset(&a->state);
	regs = rig_bar(&a->func, 5);
	port = regs + 0x100;
	put(&g, regs + 4, 2, 4);
	out(0x00, CLB);
	out(0x08, FB);
	out(IE, 0x7dc0007f);
	out(CMD, 0x10);
	out(SERR, ~0u);
	out(CMD, 0x11);
}

static void fini(void)
{
	ahci_fini(a);
	free(a);
	rig_fini(&g);
}

static void settle(void)
{
	block_drain(g.block);
}

/* Fills in a slot: n pieces of `len` bytes each, 0x2000 apart from DATA on. */
static void slot(unsigned s, uint8_t cmd, uint64_t lba, uint16_t count, uint16_t feature,
		 unsigned n, uint32_t len)
{
	uint64_t h = CLB + 32 * s, t = TABLES + 0x1000 * s;

	put(&g, h, 5 | n << 16, 4);
	put(&g, h + 4, 0, 4);
	put(&g, h + 8, t, 8);
	memset(g.ram.host + t, 0, 0x80);
	put(&g, t, 0x8027 | cmd << 16 | (uint32_t)(feature & 0xff) << 24, 4);
	put(&g, t + 4, (lba & 0xffffff) | 0x40000000, 4);
	put(&g, t + 8, (lba >> 24 & 0xffffff) | (uint32_t)(feature >> 8) << 24, 4);
	put(&g, t + 12, count, 4);
	for (unsigned i = 0; i < n; i++) {
		put(&g, t + 0x80 + 16 * i, DATA + 0x2000 * i, 8);
		put(&g, t + 0x8c + 16 * i, len - 1, 4);
	}
}

static uint32_t run(unsigned s)
{
	out(IS, ~0u);
	put(&g, regs + 8, ~0u, 4);
	out(CI, 1u << s);
	settle();
	return in(IS);
}

TestSuite(ahci, .fini = fini);

Test(ahci, ports)
{
	plug(false);
	cr_assert_eq(in(SSTS), 0x113);
	cr_assert_eq(in(SIG), 0x101);
	cr_assert_eq(in(TFD), 0x150);
	cr_assert_eq(get(&g, FB + 0x40, 1), 0x34);
	cr_assert_eq(get(&g, port + 0x80 + SSTS, 4), 0);
	cr_assert_eq(get(&g, regs + 0x0c, 4), 0x3f);
	/* COMRESET */
	out(SCTL, 1);
	cr_assert_eq(in(SSTS), 0);
	out(SCTL, 0);
	cr_assert_eq(in(SSTS), 0x113);
	cr_assert(in(IS)&0x40);
	out(SERR, ~0u);
	cr_assert_not(in(IS)&0x40);
	/* by index and data */
	aspace_write(&g.io, rig_bar(&a->func, 4) + 0x10, 0x128, 4);
	cr_assert_eq(aspace_read(&g.io, rig_bar(&a->func, 4) + 0x14, 4), 0x113);
	put(&g, regs + 4, 1, 4);
	cr_assert_eq(get(&g, regs + 4, 4), 0x80000000);
	cr_assert_eq(in(CMD)&0x11, 0);
}

Test(ahci, identify)
{
	plug(false);
	slot(3, 0xec, 0, 0, 0, 1, 512);
	cr_assert_eq(run(3) & 0x03, 0x03);
	cr_assert_eq(in(CI), 0);
	cr_assert_eq(in(TFD), 0x50);
	cr_assert_eq(get(&g, CLB + 32 * 3 + 4, 4), 512);
	cr_assert_eq(get(&g, DATA + 200, 8), SECTORS);
	cr_assert_eq(g.line[1], 1);
	out(IS, ~0u);
	put(&g, regs + 8, 1, 4);
	cr_assert_eq(g.line[1], 0);
}

Test(ahci, read_and_write)
{
	plug(false);
	slot(0, 0x25, 0x123, 32, 0, 2, 8192);
	cr_assert_eq(run(0) & 1, 1);
	cr_assert_eq(get(&g, CLB + 4, 4), 16384);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(get(&g, DATA + 512 * i, 8), 0x123 + i);
	/* pieces smaller than a sector */
	memset(g.ram.host + DATA, 0xee, 0x20000);
	slot(0, 0x25, 7, 2, 0, 8, 128);
	run(0);
	cr_assert_eq(get(&g, DATA, 8), 7);
	cr_assert_eq(get(&g, DATA + 0x2000 * 4, 8), 8);
	cr_assert_eq(get(&g, DATA + 128, 1), 0xee);
	put(&g, DATA, 0xfeed, 8);
	slot(1, 0x35, 500, 1, 0, 1, 512);
	run(1);
	cr_assert_eq(rig_sector(&g, 500), 0xfeed);
	/* PIO commands move their data the same way */
	slot(1, 0x20, 9, 1, 0, 1, 512);
	cr_assert_eq(run(1) & 2, 2);
	cr_assert_eq(get(&g, DATA, 8), 9);
	slot(1, 0xea, 0, 0, 0, 0, 0);
	cr_assert_eq(run(1) & 1, 1);
}

Test(ahci, queued)
{
	plug(false);
	for (unsigned s = 0; s < 8; s++) {
		slot(s, 0x60, 1000 + s, (uint16_t)(s << 3), 1, 1, 512);
		put(&g, TABLES + 0x1000 * s + 0x80, DATA + 0x2000 * s, 8);
	}
	out(IS, ~0u);
	out(SACT, 0xff);
	out(CI, 0xff);
	settle();
	cr_assert_eq(in(CI), 0);
	cr_assert_eq(in(SACT), 0);
	cr_assert(in(IS)&8);
	for (unsigned s = 0; s < 8; s++)
		cr_assert_eq(get(&g, DATA + 0x2000 * s, 8), 1000 + s);
	/* beyond the end: the port stops, and the log tells */
	slot(2, 0x60, SECTORS, 2 << 3, 1, 1, 512);
	out(SACT, 4);
	cr_assert(run(2) & 1 << 30);
	out(CMD, 0x10);
	cr_assert_eq(in(CI) | in(SACT), 0);
	out(CMD, 0x11);
	slot(0, 0x2f, 0x10, 1, 0, 1, 512);
	cr_assert_eq(run(0) & 2, 2);
}

Test(ahci, order)
{
	plug(false);
	/* commands that are not queued run one after the other */
	for (unsigned s = 0; s < 32; s++) {
		slot(s, 0x25, s, 1, 0, 1, 512);
		put(&g, TABLES + 0x1000 * s + 0x80, DATA + 0x1000 * s, 8);
	}
	out(CI, ~0u);
	settle();
	cr_assert_eq(in(CI), 0);
	for (unsigned s = 0; s < 32; s++)
		cr_assert_eq(get(&g, DATA + 0x1000 * s, 8), s);
}

Test(ahci, errors)
{
	plug(false);
	slot(0, 0x25, SECTORS, 1, 0, 1, 512);
	cr_assert(run(0) & 1 << 30);
	cr_assert_eq(in(TFD)&0xff, 0x51);
	cr_assert_eq(in(CI), 1);
	/* halted until ST has been off */
	slot(1, 0x25, 1, 1, 0, 1, 512);
	out(CI, 2);
	settle();
	cr_assert_eq(in(CI), 3);
	out(CMD, 0x10);
	out(CMD, 0x11);
	cr_assert_eq(run(1) & 1 << 30, 0);
	/* too little memory; none; the table nowhere; the list nowhere; no command FIS */
	for (int i = 0; i < 5; i++) {
		slot(0, 0x25, 1, 2, 0, 1, i == 0 ? 512 : 1024);
		if (i == 1)
			put(&g, TABLES + 0x80, 1ull << 40, 8);
		if (i == 2)
			put(&g, CLB + 8, 1ull << 40, 8);
		if (i == 3)
			out(0, 0xc0000000);
		if (i == 4)
			put(&g, TABLES, 0x46, 1);
		cr_assert_neq(run(0) & 0x78000000, 0, "%d", i);
		out(0, CLB);
		out(CMD, 0x10);
		out(CMD, 0x11);
	}
	slot(1, 0x25, 1, 1, 0, 1, 512);
	cr_assert_eq(run(1) & 1 << 30, 0);
	/* 65535 descriptors of two bytes each, over and over the same table's memory */
	slot(0, 0x25, 0, 0, 0, 1, 2);
	put(&g, CLB, 5 | 0xffffu << 16, 4);
	run(0);
}

Test(ahci, resets)
{
	plug(false);
	for (unsigned s = 0; s < 8; s++)
		slot(s, 0x60, 1000 + s, (uint16_t)(s << 3), 8, 1, 4096);
	out(SACT, 0xff);
	out(CI, 0xff);
	out(CMD, 0x10);
	cr_assert_eq(in(SACT), 0);
	out(CMD, 0x11);
	out(SACT, 0xff);
	out(CI, 0xff);
	out(SCTL, 1);
	out(SCTL, 0);
	cr_assert_eq(in(SACT) | in(CI), 0);
	out(SACT, 0xff);
	out(CI, 0xff);
	put(&g, regs + 4, 1, 4);
	cr_assert_eq(in(CI), 0);
	device_reset(&a->state);
	/* software reset by two FISes */
	out(0x00, CLB);
	out(0x08, FB);
	out(CMD, 0x11);
	slot(0, 0, 0, 0, 0, 0, 0);
	put(&g, TABLES + 1, 0, 1);
	put(&g, TABLES + 15, 4, 1);
	run(0);
	put(&g, TABLES + 15, 0, 1);
	cr_assert_eq(run(0) & 1, 1);
	cr_assert_eq(in(TFD)&0xff, 0x50);
	cr_assert_eq(get(&g, FB + 0x40 + 12, 1), 1);
}

Test(ahci, trim)
{
	plug(false);
	put(&g, DATA, 100 | 8ull << 48, 8);
	put(&g, DATA + 8, 200 | 8ull << 48, 8);
	memset(g.ram.host + DATA + 16, 0, 496);
	slot(0, 0x06, 0, 1, 1, 1, 512);
	cr_assert_eq(run(0) & (1 | 1 << 30), 1);
	cr_assert_eq(rig_sector(&g, 99), 99);
	put(&g, DATA, SECTORS | 1ull << 48, 8);
	cr_assert(run(0) & 1 << 30);
}

Test(ahci, packets)
{
	static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36},
			     read[12] = {0x28, 0, 0, 0, 0, 3, 0, 0, 2};
	static const uint8_t bad[12] = {0xee};

	plug(true);
	cr_assert_eq(in(SIG), 0xeb140101);
	slot(0, 0xa0, 0, 0, 1, 1, 512);
	memcpy(g.ram.host + TABLES + 0x40, inquiry, 12);
	cr_assert_eq(run(0) & 1, 1);
	cr_assert_eq(memcmp(g.ram.host + DATA + 16, "QEMU DVD-ROM", 12), 0);
	cr_assert_eq(get(&g, CLB + 4, 4), 36);
	slot(0, 0xa0, 0, 0, 1, 1, 4096);
	memcpy(g.ram.host + TABLES + 0x40, read, 12);
	cr_assert_eq(run(0) & (1 | 1 << 30), 1);
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(get(&g, DATA + 512 * i, 8), 12 + i);
	memcpy(g.ram.host + TABLES + 0x40, bad, 12);
	cr_assert(run(0) & 1 << 30);
	cr_assert_eq(in(TFD), 0x5441);
}

Test(ahci, messages)
{
	plug(false);
	for (unsigned off = 0x40; off < 0x100; off += 4)
		if (pci_config_read(&a->func, off, 1) == 5) {
			pci_config_write(&a->func, off + 4, 0xfee00000, 4);
			pci_config_write(&a->func, off + 8, 0, 4);
			pci_config_write(&a->func, off + 12, 0x41, 2);
			pci_config_write(&a->func, off + 2, 1, 2);
			break;
		}
	slot(0, 0x25, 0, 1, 0, 1, 512);
	run(0);
	cr_assert_geq(g.messages, 1);
	cr_assert_eq(g.last_message, 0x41);
	cr_assert_eq(g.line[1], 0);
}
