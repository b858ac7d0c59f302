/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Drivers of disk controllers: registers, rings, tables and commands are valid enough to get deep, and wrong
 * somewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/storage/ahci.h"
#include "hw/storage/fdc.h"
#include "hw/storage/nvme.h"
#include "hw/storage/piix_ide.h"
#include "hw/storage/virtio_blk.h"
#include "hw/storage/virtio_scsi.h"
#include "tests/fuzz/fuzz.h"

/* ---- virtio ---- */

static struct virtio_blk *blk;

static void blk_init(void)
{
	const struct virtio_blk_options o = {.num_queues = 2, .packed = true};

	blk = calloc(1, sizeof(*blk));
	virtio_blk_init(blk, world.disk, &o);
	fuzz_pci_add(&blk->v.func);
	fuzz_add(&blk->v.state);
}

static void blk_request(uint64_t at, struct fuzz_chain *c)
{
	static const uint8_t types[] = {0, 0, 1, 1, 4, 8, 11, 13};
	unsigned type = one_in(16) ? below(32) : types[below(sizeof(types))];
	unsigned bytes = 512 * below(5);

	put(at, type, 4);
	if (!one_in(8))
		put(at + 8, below(FUZZ_DISK / 512), 8);
	c->len[0] = 16;
	c->len[1] = type == 1 ? bytes : 0;
	c->len[2] = type == 0 ? bytes : type == 8 ? below(40) : 0;
	c->len[3] = 1;
	if (type > 8) {
		c->len[1] = one_in(8) ? below(64) : 16;
		put(c->out, one_in(8) ? value() : below(FUZZ_DISK / 512), 8);
		put(c->out + 8, one_in(8) ? value() : below(64), 4);
		put(c->out + 12, one_in(4) ? value() : below(2), 4);
	}
	if (one_in(16))
		c->len[below(4)] = (unsigned)value();
}

static void blk_round(void)
{
	fuzz_virtio_chains(&blk->v, below(2), blk_request);
	if (one_in(16))
		fuzz_media();
}

static void blk_fini(void)
{
	virtio_blk_fini(blk);
	free(blk);
}

static struct virtio_scsi *scsi;

/* To target 1 or 2, a command. */
static void scsi_request(uint64_t at, struct fuzz_chain *c)
{
	struct fuzz_scsi cmd;

	fuzz_scsi_command(&cmd);
	put(at, 1 | (1 + below(2)) << 8, 4);
	if (one_in(32))
		put(at, value(), 8);
	memcpy(world.ram->host + at + 19, cmd.cdb, sizeof(cmd.cdb));
	memcpy(world.ram->host + c->out, cmd.out, cmd.out_len);
	c->len[0] = 51;
	c->len[1] = cmd.out_len;
	c->len[2] = 108;
	c->len[3] = one_in(4) ? below(300) : 512 * below(9);
	if (one_in(16))
		c->len[below(4)] = (unsigned)value();
}

/* Task management and asynchronous notifications. */
static void scsi_control(uint64_t at, struct fuzz_chain *c)
{
	put(at, one_in(8) ? below(4) : 0, 4);
	put(at + 4, below(10), 4);
	put(at + 8, 1 | (1 + below(2)) << 8, 8);
	c->len[0] = 24;
	c->len[1] = 0;
	c->len[2] = one_in(8) ? below(6) : 5;
	c->len[3] = 0;
}

static void scsi_event(uint64_t at, struct fuzz_chain *c)
{
	(void)at;
	*c = (struct fuzz_chain){.len[2] = one_in(8) ? below(20) : 16};
}

static void scsi_init_all(void)
{
	const struct virtio_scsi_options o = {.num_queues = 1, .packed = true};
	const struct drive_options disk = {.serial = "1"}, cd = {.cd = true};

	scsi = calloc(1, sizeof(*scsi));
	virtio_scsi_init(scsi, &o, NULL, &world.buses);
	fuzz_pci_add(&scsi->v.func);
	virtio_scsi_attach(scsi, 1, world.disk, &disk);
	virtio_scsi_attach(scsi, 2, world.cd, &cd);
	fuzz_add(&scsi->v.state);
	fuzz_add(&scsi->target[1].unit->dev);
	fuzz_add(&scsi->target[2].unit->dev);
}

static void scsi_round(void)
{
	switch (below(8)) {
	case 0:
		fuzz_virtio_chains(&scsi->v, 0, scsi_control);
		break;
	case 1:
		fuzz_virtio_chains(&scsi->v, 1, scsi_event);
		fuzz_media();
		break;
	default:
		fuzz_virtio_chains(&scsi->v, 2, scsi_request);
	}
}

static void scsi_fini(void)
{
	virtio_scsi_fini(scsi);
	free(scsi);
}

/* ---- IDE ---- */

static struct piix_ide ide;

static void no_irq(void *opaque, int n, int level)
{
	(void)opaque;
	(void)n;
	(void)level;
}

static void ide_init_all(void)
{
	const struct irq_pin pin[2] = {{no_irq, NULL, 0}, {no_irq, NULL, 1}};
	const struct ata_options disk = {0}, cd = {.cd = true};

	piix_ide_init(&ide, world.io, pin, &world.buses);
	ata_init(&ide.channel[0].drive[0], "disk", world.disk, 1, &disk);
	ata_init(&ide.channel[0].drive[1], "cd", world.cd, 2, &cd);
	fuzz_pci_add(&ide.func);
	for (unsigned i = 0; i < 2; i++) {
		fuzz_add(&ide.channel[0].drive[i].dev);
		fuzz_add(&ide.channel[i].dev);
	}
	fuzz_add(&ide.channel[0].drive[1].scsi.dev);
}

static void ide_round(void)
{
	unsigned bm = (unsigned)bar(&ide.func, 4), n = below(600);
	struct fuzz_ata a;
	bool packets = one_in(2);

	fuzz_ata_command(&a);
	if (packets) {
		a.command = 0xa0;
		a.feature = (uint8_t)(one_in(16) ? value() : below(2));
		a.mid = (uint8_t)(one_in(2) ? 0 : value());
		a.high = 2;
	}
	noise(2);
	for (unsigned i = 0; i < 8; i++) {
		put(0x1000 + 8 * i, one_in(16) ? value() : FUZZ_RAM / 2 + 0x1000 * below(100), 4);
		put(0x1004 + 8 * i, (value() & 0xfffe) | (one_in(8) ? 0x80000000u : 0), 4);
	}
	out(bm + 4, one_in(16) ? value() : 0x1000, 4);
	out(0x1f6, a.device | 0xa0 | (packets != one_in(8) ? 0x10 : 0), 1);
	if (one_in(4))
		out(0x1f1 + below(5), value(), 1);
	out(0x1f1, a.feature, 1);
	out(0x1f2, a.count, 1);
	out(0x1f3, a.low, 1);
	out(0x1f4, a.mid, 1);
	out(0x1f5, a.high, 1);
	if (one_in(2))
		out(bm, 1 | below(2) << 3, 1);
	out(0x1f7, a.command, 1);
	if (one_in(2))
		drain();
	if (a.command == 0x06) /* ranges to trim */
		for (unsigned i = 0; i < 8; i++)
			put(FUZZ_RAM / 2 + 0x1000 + 8 * i, below(2048) | (uint64_t)below(9) << 48,
			    8);
	if (packets) {
		struct fuzz_scsi c;

		fuzz_scsi_command(&c);
		for (unsigned i = 0; i < 12; i += 2)
			out(0x1f0, c.cdb[i] | c.cdb[i + 1] << 8, 2);
		memcpy(world.ram->host + FUZZ_RAM / 2 + 0x1000, c.out, c.out_len);
		for (unsigned i = 0; i < c.out_len && !a.feature; i += 2)
			out(0x1f0, c.out[i] | c.out[i + 1] << 8, 2);
	}
	if (one_in(2))
		out(bm, 1u | below(2) << 3, 1);
	while (n--) {
		if (one_in(2))
			aspace_read(world.io, 0x1f0, 1u << below(3));
		else
			out(0x1f0, next(), 1u << below(3));
		if (one_in(200))
			drain();
	}
	if (one_in(4))
		out(bm, 0, 1);
	if (one_in(8)) {
		out(0x3f6, 4, 1);
		out(0x3f6, one_in(2) ? 0 : value(), 1);
	}
	any_access(&ide.func);
	if (one_in(16))
		fuzz_media();
}

static void ide_fini_all(void)
{
	piix_ide_fini(&ide);
}

/* ---- AHCI ---- */

static struct ahci *ahci;

static void ahci_init_all(void)
{
	const struct ata_options disk = {.sata = true}, cd = {.cd = true, .sata = true};

	ahci = calloc(1, sizeof(*ahci));
	ahci_init(ahci, "a", &world.buses);
	ata_init(&ahci->port[0].drive, "disk", world.disk, 1, &disk);
	ata_init(&ahci->port[1].drive, "cd", world.cd, 2, &cd);
	fuzz_pci_add(&ahci->func);
	fuzz_add(&ahci->port[0].drive.dev);
	fuzz_add(&ahci->port[1].drive.dev);
	fuzz_add(&ahci->port[1].drive.scsi.dev);
	fuzz_add(&ahci->state);
}

static void ahci_slot(unsigned s, bool queued, bool cd)
{
	uint64_t h = 0x1000 + 32 * s, t = 0x2000 + 0x200 * s, data = FUZZ_RAM / 2 + 0x4000 * s;
	unsigned prds = below(4);
	struct fuzz_scsi c;
	struct fuzz_ata a;

	fuzz_ata_command(&a);
	fuzz_scsi_command(&c);
	if (queued) {
		a.feature = a.count;
		a.count = (uint8_t)(s << 3);
		a.command = (uint8_t)(0x60 + below(2));
	} else if (cd && !one_in(4)) {
		a.command = 0xa0;
		a.feature = (uint8_t)below(2);
		a.mid = (uint8_t)(one_in(2) ? 0 : value());
		a.high = 2;
	}
	put(h, 5 | prds << 16 | (next() & 0x4e0), 4);
	put(h + 8, one_in(24) ? value() : t, 8);
	put(t, 0x27 | (one_in(16) ? 0 : 0x8000) | a.command << 16 | (uint32_t)a.feature << 24, 4);
	put(t + 4, a.low | a.mid << 8 | a.high << 16 | (uint32_t)a.device << 24, 4);
	put(t + 8, one_in(2) ? 0 : value(), 4);
	put(t + 12, a.count, 2);
	put(t + 15, one_in(2) ? 0 : 4, 1);
	memcpy(world.ram->host + t + 0x40, c.cdb, sizeof(c.cdb));
	memcpy(world.ram->host + data, c.out, c.out_len);
	for (unsigned i = 0; i < 4; i++) {
		put(t + 0x80 + 16 * i, one_in(24) ? value() : data + 0x1000 * i, 8);
		put(t + 0x8c + 16 * i, one_in(2) ? 511 : one_in(2) ? 0xfff : value(), 4);
	}
}

static void ahci_round(void)
{
	unsigned n = below(2);
	uint64_t regs = bar(&ahci->func, 5), port = regs + 0x100 + 0x80 * n;
	bool queued = n == 0 && one_in(2);
	uint32_t slots = (uint32_t)next() & 0xff;

	put(regs + 4, 2, 4);
	put(port + 0x18, 0, 4);
	put(port, one_in(24) ? value() : 0x1000, 4);
	put(port + 4, 0, 4);
	put(port + 8, one_in(24) ? value() : 0x1800, 4);
	put(port + 0xc, 0, 4);
	put(port + 0x14, ~0u, 4);
	put(port + 0x18, 0x11, 4);
	for (unsigned s = 0; s < 8; s++)
		ahci_slot(s, queued && !one_in(16), n == 1);
	noise(2);
	if (queued)
		put(port + 0x34, slots, 4);
	put(port + 0x38, slots, 4);
	if (one_in(2))
		drain();
	any_access(&ahci->func);
	if (one_in(8)) {
		put(port + 0x2c, 1, 4);
		put(port + 0x2c, 0, 4);
	}
	if (one_in(32))
		put(regs + 4, 1, 4);
	if (one_in(16))
		fuzz_media();
}

static void ahci_fini_all(void)
{
	ahci_fini(ahci);
	free(ahci);
}

/* ---- NVMe ---- */

static struct nvme *nvme;

static void nvme_init_all(void)
{
	const struct nvme_options o = {.serial = "1", .pairs = 4};

	nvme = calloc(1, sizeof(*nvme));
	nvme_init(nvme, world.disk, &o);
	fuzz_pci_add(&nvme->func);
	fuzz_add(&nvme->state);
}

static void nvme_cmd(uint64_t at, bool admin)
{
	static const uint8_t adm[] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12};
	static const uint8_t io[] = {0, 1, 2, 8, 9, 12};

	memset(world.ram->host + at, 0, 64);
	put(at, one_in(16) ? next() : admin ? adm[below(sizeof(adm))] : io[below(sizeof(io))], 1);
	put(at + 1, one_in(4) ? 0x40 : one_in(16) ? next() : 0, 1);
	put(at + 2, next(), 2);
	put(at + 4, one_in(8) ? value() : 1, 4);
	put(at + 24, one_in(16) ? value() : FUZZ_RAM / 2 + 512 * below(512), 8);
	put(at + 32, one_in(2) ? value() : 8ull * below(STRUCTS / 8), 8);
	put(at + 40, one_in(2) ? 1 | below(8) << 16 : value(), 4);
	put(at + 44, one_in(2) ? 3 | below(3) << 16 : one_in(2) ? 0 : value(), 4);
	put(at + 48, one_in(2) ? below(32) : value(), 4);
	if (one_in(8)) { /* a scatter-gather list: the last segment, or one that goes on */
		uint64_t list = 0x6000 + 0x100 * below(64);

		put(at + 1, 0x40, 1);
		put(at + 24, list, 8);
		put(at + 32, 16 * (1 + below(4)), 8);
		put(at + 39, (2 + below(2)) << 4, 1);
		for (unsigned i = 0; i < 4; i++) {
			put(list + 16 * i, FUZZ_RAM / 2 + 512 * below(512), 8);
			put(list + 16 * i + 8, 512 * below(5), 8);
		}
		if (one_in(2)) {
			put(list + 48, 0x6000 + 0x100 * below(64), 8);
			put(list + 56, 64, 4);
			put(list + 63, (2 + below(2)) << 4, 1);
		}
	}
}

static void nvme_round(void)
{
	uint64_t regs = bar(&nvme->func, 0);

	if (one_in(4) || !(nvme->csts & 1)) {
		put(regs + 0x14, 0, 4);
		put(regs + 0x24, one_in(8) ? value() : 31 | 31 << 16, 4);
		put(regs + 0x28, one_in(24) ? value() : 0x1000, 8);
		put(regs + 0x30, one_in(24) ? value() : 0x2000, 8);
		put(regs + 0x14, 1 | (one_in(8) ? value() & 0x780 : 0), 4);
		/* a pair of I/O queues */
		memset(world.ram->host + 0x1000, 0, 128);
		put(0x1000, 5, 1);
		put(0x1000 + 24, 0x3000, 8);
		put(0x1000 + 40, 1 | 15 << 16, 4);
		put(0x1000 + 44, 3, 4);
		put(0x1040, 1, 1);
		put(0x1040 + 24, 0x4000, 8);
		put(0x1040 + 40, 1 | 15 << 16, 4);
		put(0x1040 + 44, 1 | 1 << 16, 4);
		put(regs + 0x1000, 2, 4);
	}
	for (unsigned i = 0; i < 32; i++)
		nvme_cmd(0x1000 + 64 * i, true);
	for (unsigned i = 0; i < 16; i++)
		nvme_cmd(0x4000 + 64 * i, false);
	noise(64);
	put(regs + 0x1000 + 8 * below(3), below(34), 4);
	put(regs + 0x1008, below(17), 4);
	if (one_in(2))
		drain();
	for (unsigned i = 0; i < 3; i++)
		put(regs + 0x1004 + 8 * i, one_in(8) ? value() : nvme->cq[i].tail, 4);
	if (one_in(16)) /* shutdown */
		put(regs + 0x14, 1 | below(3) << 14, 4);
	if (one_in(4))
		any_access(&nvme->func);
	if (one_in(16))
		fuzz_media();
}

static void nvme_fini_all(void)
{
	nvme_fini(nvme);
	free(nvme);
}

/* ---- floppy ---- */

static struct fdc fdc;
static struct dma8237 dma;

static void fdc_init_all(void)
{
	const struct irq_pin pin = {no_irq, NULL, 6};

	dma8237_init(&dma, world.io, world.mem);
	fdc_init(&fdc, world.io, &dma, &pin, &world.buses);
	fdc_attach(&fdc, 0, world.disk);
	fdc_attach(&fdc, 1, world.cd);
	fuzz_add(&dma.dev);
	fuzz_add(&fdc.dev);
}

static void fdc_round(void)
{
	static const uint8_t commands[] = {0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
					   0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x12, 0x13, 0x14, 0x16};

	out(0x3f2, one_in(16) ? value() : 0x1c | below(2), 1);
	if (one_in(2)) {
		out(0x0b, 0x42 | below(4) << 2, 1);
		out(0x05, value(), 1);
		out(0x05, value(), 1);
		out(0x81, below(16), 1);
		out(0x0a, one_in(8) ? 6 : 2, 1);
	}
	for (unsigned k = below(8); k < 8; k++) {
		uint8_t track = (uint8_t)below(3);

		out(0x3f5, commands[below(sizeof(commands))] | below(4) << 6, 1);
		out(0x3f5, one_in(8) ? value() : below(2), 1);
		out(0x3f5, one_in(8) ? value() : track, 1);
		for (unsigned i = below(2); i < 6; i++)
			out(0x3f5, one_in(2) ? 2 : one_in(2) ? below(20) : value(), 1);
		if (one_in(2))
			drain();
		for (unsigned i = below(700); i; i--) {
			if (one_in(2))
				aspace_read(world.io, 0x3f5, 1);
			else if (one_in(2))
				out(0x3f5, next(), 1);
			aspace_read(world.io, 0x3f4, 1);
		}
	}
	if (one_in(16))
		out(0x3f4, value(), 1);
	if (one_in(16))
		fuzz_media();
}

static void fdc_fini_all(void)
{
	fdc_fini(&fdc);
}

const struct fuzz_device fuzz_disks[] = {
    {"virtio-blk", blk_init, NULL, blk_round, blk_fini, NULL},
    {"virtio-scsi", scsi_init_all, NULL, scsi_round, scsi_fini, NULL},
    {"ide", ide_init_all, NULL, ide_round, ide_fini_all, NULL},
    {"ahci", ahci_init_all, NULL, ahci_round, ahci_fini_all, NULL},
    {"nvme", nvme_init_all, NULL, nvme_round, nvme_fini_all, NULL},
    {"fdc", fdc_init_all, NULL, fdc_round, fdc_fini_all, NULL},
    {0},
};
