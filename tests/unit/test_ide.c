/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IDE disks and CD-ROM drives, driven through ports as a BIOS or an operating system does.
 */
#include "disks.h"
#include "hw/storage/piix_ide.h"

#define SECTORS 4096u
#define PRDT    0x10000u
#define DATA    0x20000u

enum { BASE = 0x1f0, CTRL = 0x3f6, BM = 0xc000 };

static struct rig g;
static struct piix_ide ide;
static struct drive_bus *buses;
static int irq[2], raised;

static void on_irq(void *opaque, int n, int level)
{
	(void)opaque;
	raised += level && !irq[n];
	irq[n] = level;
}

static void plug(bool cd, bool read_only)
{
	const struct irq_pin pin[2] = {{on_irq, NULL, 0}, {on_irq, NULL, 1}};
	const struct ata_options o = {.cd = cd};

	rig_init(&g);
	buses = NULL;
	raised = irq[0] = irq[1] = 0;
	cr_assert_eq(piix_ide_init(&ide, &g.io, pin, &buses), 0);
	cr_assert_str_eq(ide.bus[1].name, "ide.1");
	cr_assert_eq(
	    ata_init(&ide.channel[0].drive[0], "d", rig_disk(&g, SECTORS * 512, read_only), 1, &o),
	    0);
	rig_plug(&g, &ide.func);
	device_reset(&ide.channel[0].drive[0].dev);
	if (cd)
		device_reset(&ide.channel[0].drive[0].scsi.dev);
	device_reset(&ide.channel[0].dev);
	device_reset(&ide.channel[1].dev);
	cr_assert_eq(rig_bar(&ide.func, 4), BM);
}

static void fini(void)
{
	piix_ide_fini(&ide);
	rig_fini(&g);
}

static uint8_t in8(unsigned port)
{
	return (uint8_t)aspace_read(&g.io, port, 1);
}
static uint16_t in16(unsigned port)
{
	return (uint16_t)aspace_read(&g.io, port, 2);
}
static void out8(unsigned port, unsigned v)
{
	aspace_write(&g.io, port, v, 1);
}
static void out16(unsigned port, unsigned v)
{
	aspace_write(&g.io, port, v, 2);
}

/* What is in flight ends; the status, without acknowledging the interrupt. */
static uint8_t settle(void)
{
	block_drain(g.block);
	return in8(CTRL);
}

static void command(uint8_t cmd, uint8_t feature, uint8_t count, uint32_t lba)
{
	out8(BASE + 6, 0xe0 | (lba >> 24 & 0xf));
	out8(BASE + 1, feature);
	out8(BASE + 2, count);
	out8(BASE + 3, lba);
	out8(BASE + 4, lba >> 8);
	out8(BASE + 5, lba >> 16);
	out8(BASE + 7, cmd);
}

static void command48(uint8_t cmd, uint16_t count, uint64_t lba)
{
	out8(BASE + 6, 0x40);
	for (int i = 1; i >= 0; i--) {
		out8(BASE + 2, count >> 8 * i);
		out8(BASE + 3, lba >> 24 * i);
		out8(BASE + 4, lba >> (24 * i + 8));
		out8(BASE + 5, lba >> (24 * i + 16));
	}
	out8(BASE + 7, cmd);
}

static void read_data(uint8_t *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i += 2) {
		uint16_t w = in16(BASE);

		memcpy(buf + i, &w, 2);
	}
}

static uint64_t first8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* Descriptors of n pieces of `len` bytes, 0x2000 apart. */
static void prdt(unsigned n, unsigned len)
{
	for (unsigned i = 0; i < n; i++) {
		put(&g, PRDT + 8 * i, DATA + 0x2000 * i, 4);
		put(&g, PRDT + 8 * i + 4, (len & 0xffff) | (i == n - 1 ? 0x80000000u : 0), 4);
	}
	aspace_write(&g.io, BM + 4, PRDT, 4);
}

TestSuite(ide, .fini = fini);

Test(ide, detection)
{
	plug(false, false);
	cr_assert_eq(in8(BASE + 2), 1);
	cr_assert_eq(in8(BASE + 3), 1);
	cr_assert_eq(in8(BASE + 4), 0);
	cr_assert_eq(in8(BASE + 7), 0x50);
	out8(BASE + 6, 0xb0); /* the slave is not there */
	cr_assert_eq(in8(BASE + 7), 0);
	out8(BASE + 2, 0x55);
	cr_assert_eq(in8(BASE + 2), 0);
	out8(BASE + 7, 0xec);
	cr_assert_eq(in8(BASE + 7), 0);
	out8(BASE + 6, 0xa0);
	cr_assert_eq(in8(BASE + 2), 0x55);
	cr_assert_eq(in8(0x177), 0);
	out8(CTRL, 4);
	cr_assert_eq(in8(CTRL), 0x80);
	out8(CTRL, 0);
	cr_assert_eq(in8(CTRL), 0x50);
	cr_assert_eq(in8(BASE + 1), 1);
	out8(BASE + 7, 0x90);
	cr_assert_eq(irq[0], 1);
	cr_assert_eq(in8(BASE + 1), 1);
}

Test(ide, identify)
{
	uint8_t b[512], sum = 0;

	plug(false, false);
	command(0xec, 0, 0, 0);
	cr_assert_eq(settle(), 0x58);
	cr_assert_eq(irq[0], 1);
	cr_assert_eq(in8(BASE + 7), 0x58);
	cr_assert_eq(irq[0], 0);
	read_data(b, 512);
	cr_assert_eq(in8(CTRL), 0x50);
	cr_assert_eq(b[120] | b[121] << 8 | b[122] << 16, SECTORS);
	cr_assert_eq(first8(b + 200), SECTORS);
	cr_assert_eq(memcmp(b + 54, "EQUMH RADDSI K", 14), 0);
	for (int i = 0; i < 512; i++)
		sum += b[i];
	cr_assert_eq(sum, 0);
	/* reading on gives nothing */
	cr_assert_eq(in16(BASE), 0);
}

Test(ide, pio_read)
{
	uint8_t b[512];

	plug(false, false);
	/* more than the channel's buffer: 200 sectors, an interrupt for each */
	command(0x20, 0, 200, 10);
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(settle(), 0x58);
		cr_assert_eq(irq[0], 1, "%d", i);
		cr_assert_eq(in8(BASE + 7), 0x58);
		read_data(b, 512);
		cr_assert_eq(first8(b), 10u + i);
	}
	cr_assert_eq(settle(), 0x50);
	cr_assert_eq(irq[0], 0);
	cr_assert_eq(raised, 200);
	/* 16 sectors to a block, the last one short */
	command(0xc6, 0, 16, 0);
	cr_assert_eq(in8(BASE + 7), 0x50);
	command48(0x29, 20, 100);
	settle();
	raised = 0;
	in8(BASE + 7);
	for (int i = 0; i < 20; i++) {
		read_data(b, 512);
		cr_assert_eq(first8(b), 100u + i);
		cr_assert_eq(irq[0], i == 15);
		in8(BASE + 7);
	}
	cr_assert_eq(settle(), 0x50);
	/* cylinder, head, sector: 1, 2, 3 */
	out8(BASE + 6, 0xa2);
	out8(BASE + 2, 1);
	out8(BASE + 3, 3);
	out8(BASE + 4, 1);
	out8(BASE + 5, 0);
	out8(BASE + 7, 0x20);
	settle();
	read_data(b, 512);
	cr_assert_eq(first8(b), (1 * 16 + 2) * 63 + 2);
	/* bytes and dwords */
	command(0x20, 0, 1, 0x123);
	settle();
	cr_assert_eq(in8(BASE), 0x23);
	cr_assert_eq(aspace_read(&g.io, BASE, 4) & 0xff, 1);
}

Test(ide, pio_write)
{
	plug(false, false);
	command(0x30, 0, 100, 50);
	cr_assert_eq(irq[0], 0);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(settle(), 0x58);
		in8(BASE + 7);
		out16(BASE, 0x1000 + i);
		for (int k = 1; k < 256; k++)
			out16(BASE, 0);
		block_drain(g.block);
		cr_assert_eq(irq[0], 1);
	}
	cr_assert_eq(settle(), 0x50);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(rig_sector(&g, 50 + i), 0x1000u + i);
	cr_assert_eq(rig_sector(&g, 150), 150);
	command(0xe7, 0, 0, 0);
	cr_assert_eq(settle(), 0x50);
}

Test(ide, dma)
{
	plug(false, false);
	/* the bus master waits for the drive, or the drive for it */
	for (int first = 0; first < 2; first++) {
		memset(g.ram.host + DATA, 0, 0x10000);
		prdt(4, 1024);
		out8(BM + 2, 6);
		if (first)
			out8(BM, 9);
		command(0xc8, 0, 8, 1000);
		if (!first) {
			cr_assert_eq(settle() & 0x88, 0x08);
			out8(BM, 9);
		}
		cr_assert_eq(settle(), 0x50);
		cr_assert_eq(irq[0], 1);
		cr_assert_eq(in8(BM + 2) & 7, 4);
		for (int i = 0; i < 8; i++)
			cr_assert_eq(get(&g, DATA + 0x2000 * (i / 2) + 512 * (i % 2), 8), 1000 + i);
		out8(BM, 0);
		in8(BASE + 7);
	}
	put(&g, DATA, 0xabcdef, 8);
	prdt(1, 512);
	command48(0x35, 1, 2000);
	out8(BM, 1);
	cr_assert_eq(settle(), 0x50);
	cr_assert_eq(rig_sector(&g, 2000), 0xabcdef);
	out8(BM, 0);
	/* stopping waits for the end */
	prdt(1, 0);
	command48(0x25, 128, 0);
	out8(BM, 9);
	out8(BM, 0);
	cr_assert_eq(in8(CTRL), 0x50);
	cr_assert_eq(get(&g, DATA + 512 * 127, 8), 127);
}

Test(ide, dma_that_cannot_be)
{
	plug(false, false);
	/* too short a table; no RAM there; a table outside RAM; not a master */
	for (int i = 0; i < 4; i++) {
		prdt(1, 512);
		if (i == 1)
			put(&g, PRDT, 0xc0000000, 4);
		if (i == 2)
			aspace_write(&g.io, BM + 4, 0xe0000000, 4);
		if (i == 3)
			pci_config_write(&ide.func, PCI_COMMAND, PCI_CMD_IO, 2);
		out8(BM + 2, 6);
		command(0xc8, 0, 2, 0);
		out8(BM, 9);
		cr_assert_eq(settle() & 0x89, 0x01);
		cr_assert_eq(in8(BM + 2) & 3, 2);
		cr_assert_eq(irq[0], 1);
		out8(BM, 0);
		in8(BASE + 7);
	}
}

Test(ide, refusals)
{
	plug(false, true);
	command(0x20, 0, 1, SECTORS);
	cr_assert_eq(in8(BASE + 7), 0x51);
	cr_assert_eq(in8(BASE + 1), 0x14);
	command48(0x24, 0, 0); /* 65536 sectors */
	cr_assert_eq(in8(BASE + 7), 0x51);
	command48(0x24, 1, 0xffffffffffff);
	cr_assert_eq(in8(BASE + 7), 0x51);
	command(0x30, 0, 1, 0);
	cr_assert_eq(in8(BASE + 7), 0x51, "read only");
	cr_assert_eq(in8(BASE + 1), 4);
	command(0xa0, 0, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
	command(0xff, 0, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
	command(0xc6, 0, 3, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
	command(0x91, 0, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
	out8(BASE + 6, 0xa0); /* sector 0 of a cylinder */
	out8(BASE + 2, 1);
	out8(BASE + 3, 0);
	out8(BASE + 7, 0x20);
	cr_assert_eq(in8(BASE + 7), 0x51);
}

Test(ide, settings)
{
	uint8_t b[512];

	plug(false, false);
	command(0xef, 0x82, 0, 0);
	cr_assert_eq(settle(), 0x50);
	cr_assert_not(block_write_cache(g.block));
	command(0xef, 0x03, 0x22, 0);
	command(0xec, 0, 0, 0);
	read_data(b, 512);
	cr_assert_eq(b[126] | b[127] << 8, 0x0407);
	cr_assert_eq(b[170] & 0x20, 0);
	command(0xef, 0x02, 0, 0);
	cr_assert(block_write_cache(g.block));
	command(0xef, 0x77, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
	command(0xe5, 0, 0, 0);
	cr_assert_eq(in8(BASE + 2), 0xff);
	command48(0x27, 0, 0);
	cr_assert_eq(in8(BASE + 3) | in8(BASE + 4) << 8, SECTORS - 1);
	/* nIEN */
	out8(CTRL, 2);
	raised = 0;
	command(0xe5, 0, 0, 0);
	cr_assert_eq(raised, 0);
	out8(CTRL, 0);
	cr_assert_eq(raised, 1);
	/* SMART */
	command(0xb0, 0xda, 0, 0xc24f00);
	cr_assert_eq(in8(BASE + 7), 0x50);
	cr_assert_eq(in8(BASE + 4), 0x4f);
	command(0xb0, 0xd0, 1, 0xc24f00);
	cr_assert_eq(in8(BASE + 7), 0x58);
	read_data(b, 512);
	command(0xb0, 0xda, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
}

Test(ide, reset_in_flight)
{
	plug(false, false);
	prdt(1, 0);
	command48(0x25, 128, 0);
	out8(BM, 9);
	out8(CTRL, 4);
	out8(CTRL, 0);
	cr_assert_eq(in8(CTRL), 0x50);
	cr_assert_eq(irq[0], 0);
	command(0x30, 0, 2, 0);
	out16(BASE, 1);
	out8(CTRL, 4);
	out8(CTRL, 0);
	out16(BASE, 1);
	cr_assert_eq(in8(CTRL), 0x50);
	command(0x20, 0, 1, 5);
	device_reset(&ide.channel[0].dev);
	device_reset(&ide.channel[0].drive[0].dev);
	cr_assert_eq(in8(CTRL), 0x50);
	cr_assert_eq(rig_sector(&g, 0), 0);
}

/* ---- ATAPI ---- */

static void packet(const uint8_t cdb[12], bool dma, uint16_t limit)
{
	command(0xa0, dma, 0, (uint32_t)limit << 8);
	cr_assert_eq(in8(CTRL), 0x58);
	cr_assert_eq(in8(BASE + 2), 1);
	for (int i = 0; i < 12; i += 2)
		out16(BASE, cdb[i] | cdb[i + 1] << 8);
	block_drain(g.block);
}

/* A packet whose reply comes by PIO; bytes, or -1 for CHECK CONDITION. */
static int packet_in(const uint8_t cdb[12], uint8_t *out, unsigned limit)
{
	unsigned n = 0;

	packet(cdb, false, (uint16_t)limit);
	for (;;) {
		uint8_t st;

		cr_assert_eq(irq[0], 1);
		st = in8(BASE + 7);
		if (!(st & 8)) {
			cr_assert_eq(in8(BASE + 2), 3);
			return st & 1 ? -1 : (int)n;
		}
		cr_assert_eq(in8(BASE + 2), 2);
		unsigned len = in8(BASE + 4) | in8(BASE + 5) << 8;
		cr_assert_leq(len, limit);
		read_data(out + n, len);
		n += len;
		block_drain(g.block);
	}
}

static unsigned sense(void)
{
	static const uint8_t cdb[12] = {0x03, 0, 0, 0, 18};
	uint8_t b[18];

	cr_assert_eq(packet_in(cdb, b, 18), 18);
	return (unsigned)(b[2] << 16 | b[12] << 8 | b[13]);
}

Test(ide, cd_identify)
{
	uint8_t b[512];

	plug(true, true);
	cr_assert_eq(in8(BASE + 4), 0x14);
	cr_assert_eq(in8(BASE + 5), 0xeb);
	command(0xec, 0, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x51);
	cr_assert_eq(in8(BASE + 4), 0x14);
	command(0xa1, 0, 0, 0);
	cr_assert_eq(in8(BASE + 7), 0x58);
	read_data(b, 512);
	cr_assert_eq(b[1], 0x85);
	out8(BASE + 7, 0x08);
	cr_assert_eq(in8(BASE + 5), 0xeb);
}

Test(ide, cd_commands)
{
	static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36}, ready[12] = {0};
	static const uint8_t capacity[12] = {0x25}, toc[12] = {0x43, 0, 0, 0, 0, 0, 0, 0, 20};
	static const uint8_t read[12] = {0x28, 0, 0, 0, 0, 5, 0, 0, 40};
	static const uint8_t far[12] = {0x28, 0, 0, 0, 4, 0, 0, 0, 1}, bad[12] = {0xee};
	static const uint8_t mode[12] = {0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128};
	static const uint8_t config[12] = {0x46, 0, 0, 0, 0, 0, 0, 1, 0};
	static uint8_t b[100000];

	plug(true, true);
	cr_assert_eq(packet_in(inquiry, b, 512), 36);
	cr_assert_eq(b[0], 5);
	cr_assert_eq(memcmp(b + 16, "QEMU DVD-ROM", 12), 0);
	cr_assert_eq(packet_in(ready, b, 512), 0);
	cr_assert_eq(packet_in(capacity, b, 8), 8);
	cr_assert_eq(b[2] << 8 | b[3], SECTORS / 4 - 1);
	cr_assert_eq(b[6], 8);
	cr_assert_eq(packet_in(toc, b, 512), 20);
	cr_assert_eq(b[14], 0xaa);
	cr_assert_eq(packet_in(mode, b, 512), 30);
	cr_assert_eq(b[8], 0x2a);
	cr_assert_eq(packet_in(config, b, 512), 40);
	cr_assert_eq(b[7], 0x08);
	/* more than the buffer, in blocks that the host wants smaller than a sector */
	cr_assert_eq(packet_in(read, b, 1000), 40 * 2048);
	for (unsigned i = 0; i < 160; i++)
		cr_assert_eq(first8(b + 512 * i), 20 + i);
	cr_assert_eq(packet_in(read, b, 0xfffe), 40 * 2048);
	cr_assert_eq(first8(b + 512 * 159), 20 + 159);
	cr_assert_eq(packet_in(far, b, 2048), -1);
	cr_assert_eq(in8(BASE + 1) >> 4, 5);
	cr_assert_eq(sense(), 0x052100);
	cr_assert_eq(packet_in(bad, b, 2048), -1);
	cr_assert_eq(sense(), 0x052000);
}

Test(ide, cd_dma)
{
	static const uint8_t read[12] = {0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 4};
	static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36};

	plug(true, true);
	prdt(4, 2048);
	packet(read, true, 0);
	out8(BM, 9);
	cr_assert_eq(settle(), 0x50);
	cr_assert_eq(irq[0], 1);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(get(&g, DATA + 0x2000 * i, 8), 4 * (7 + i));
	out8(BM, 0);
	prdt(1, 512);
	out8(BM, 9);
	packet(inquiry, true, 0);
	cr_assert_eq(settle(), 0x50);
	cr_assert_eq(memcmp(g.ram.host + DATA + 8, "QEMU", 4), 0);
	out8(BM, 0);
}

Test(ide, cd_media)
{
	static const uint8_t lock[12] = {0x1e, 0, 0, 0, 1}, unlock[12] = {0x1e};
	static const uint8_t eject[12] = {0x1b, 0, 0, 0, 2}, load[12] = {0x1b, 0, 0, 0, 3};
	static const uint8_t event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}, ready[12] = {0};
	uint8_t b[64];

	plug(true, true);
	cr_assert_eq(packet_in(lock, b, 64), 0);
	cr_assert_eq(packet_in(eject, b, 64), -1);
	cr_assert_eq(sense(), 0x055302);
	cr_assert_eq(packet_in(unlock, b, 64), 0);
	cr_assert_eq(packet_in(eject, b, 64), 0);
	cr_assert(block_tray_is_open(g.block));
	cr_assert_eq(packet_in(ready, b, 64), -1);
	cr_assert_eq(sense(), 0x023a02);
	cr_assert_eq(packet_in(event, b, 64), 8);
	cr_assert_eq(b[5], 1);
	cr_assert_eq(packet_in(load, b, 64), 0);
	cr_assert_eq(packet_in(ready, b, 64), 0);
	scsi_medium_changed(&ide.channel[0].drive[0].scsi);
	cr_assert_eq(packet_in(ready, b, 64), -1);
	cr_assert_eq(sense(), 0x062800);
	cr_assert_eq(packet_in(event, b, 64), 8);
	cr_assert_eq(b[4], 2);
	scsi_eject_request(&ide.channel[0].drive[0].scsi);
	cr_assert_eq(packet_in(event, b, 64), 8);
	cr_assert_eq(b[4], 1);
}

Test(ide, cd_mode_select)
{
	static const uint8_t select[12] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, 16};
	uint8_t b[16] = {0};

	plug(true, true);
	packet(select, false, 16);
	cr_assert_eq(in8(BASE + 7), 0x58);
	cr_assert_eq(in8(BASE + 2), 0);
	b[8] = 0x01; /* as MODE SENSE gives it */
	b[9] = 6;
	b[10] = 0x80;
	b[11] = 0x20;
	for (int i = 0; i < 16; i += 2)
		out16(BASE, b[i] | b[i + 1] << 8);
	cr_assert_eq(in8(BASE + 7), 0x50);
	packet(select, false, 16);
	for (int i = 0; i < 16; i += 2)
		out16(BASE, 0xffff);
	cr_assert_eq(in8(BASE + 7) & 1, 1);
	cr_assert_eq(sense(), 0x051a00);
}

/* What a saved state says may be anything. */
Test(ide, hostile_state)
{
	struct ata_drive *d = &ide.channel[0].drive[0];

	plug(false, false);
	d->heads = d->sectors = 0;
	d->multiple = 255;
	d->dev.tame(d);
	cr_expect(d->heads && d->sectors);
	cr_expect_eq(d->multiple, 0);
	out8(BASE + 7, 0xec); /* IDENTIFY DEVICE */
	cr_expect(!(in8(BASE + 7) & 1));
}
