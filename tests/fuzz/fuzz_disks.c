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

static void blk_round(void)
{
	fuzz_virtio_round(&blk->v, below(2), 16, NULL);
}

static void blk_fini(void)
{
	virtio_blk_fini(blk);
	free(blk);
}

static struct virtio_scsi *scsi;

/* To target 1 or 2, a command. */
static void scsi_request(uint64_t at)
{
	put(at, 1 | (1 + below(2)) << 8, 4);
	put(at + 19, below(256), 1);
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
	fuzz_virtio_round(&scsi->v, one_in(8) ? below(3) : 2, 51, scsi_request);
}

static void scsi_fini(void)
{
	virtio_scsi_fini(scsi);
	free(scsi);
}

/* ---- IDE ---- */

static const uint8_t ata_commands[] = {
    0x00, 0x06, 0x08, 0x10, 0x20, 0x24, 0x25, 0x27, 0x29, 0x2f, 0x30, 0x34, 0x35,
    0x39, 0x3d, 0x40, 0x42, 0x60, 0x61, 0x70, 0x90, 0x91, 0xa0, 0xa1, 0xb0, 0xc4,
    0xc5, 0xc6, 0xc8, 0xca, 0xce, 0xe0, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf8,
};
static const uint8_t packets[] = {
    0x00, 0x03, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x35, 0x42, 0x43,
    0x46, 0x4a, 0x51, 0x52, 0x55, 0x5a, 0xa0, 0xa7, 0xa8, 0xad, 0xbb, 0xbd, 0xbe,
};

static uint8_t command(void)
{
	return one_in(8) ? (uint8_t)next() : ata_commands[below(sizeof(ata_commands))];
}

static void packet(uint8_t *cdb)
{
	for (unsigned i = 0; i < 12; i++)
		cdb[i] = one_in(2) ? 0 : (uint8_t)value();
	cdb[0] = packets[below(sizeof(packets))];
}

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
	uint8_t cmd = command(), cdb[12];

	noise(2);
	for (unsigned i = 0; i < 8; i++) {
		put(0x1000 + 8 * i, one_in(16) ? value() : FUZZ_RAM / 2 + 0x1000 * below(100), 4);
		put(0x1004 + 8 * i, (value() & 0xfffe) | (one_in(8) ? 0x80000000u : 0), 4);
	}
	out(bm + 4, one_in(16) ? value() : 0x1000, 4);
	out(0x1f6, 0xa0 | (one_in(2) ? 0x10 : 0) | (one_in(4) ? 0 : 0x40), 1);
	for (unsigned i = 1; i < 6; i++) {
		if (one_in(4))
			out(0x1f0 + i, value(), 1);
		out(0x1f0 + i, i == 2 ? 1 + below(4) : one_in(2) ? below(4) : value(), 1);
	}
	if (one_in(2))
		out(bm, 9, 1);
	out(0x1f7, cmd, 1);
	if (one_in(2))
		drain();
	if (cmd == 0xa0) {
		packet(cdb);
		for (unsigned i = 0; i < 12; i += 2)
			out(0x1f0, cdb[i] | cdb[i + 1] << 8, 2);
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

static void ahci_slot(unsigned s, bool queued)
{
	uint64_t h = 0x1000 + 32 * s, t = 0x2000 + 0x200 * s;
	uint8_t cmd = queued ? (uint8_t)(0x60 + below(2)) : command(), cdb[12];
	unsigned prds = below(4);

	put(h, 5 | prds << 16 | (next() & 0x4e0), 4);
	put(h + 8, one_in(24) ? value() : t, 8);
	put(t, 0x27 | (one_in(16) ? 0 : 0x8000) | cmd << 16 | below(4) << 24, 4);
	put(t + 4, one_in(2) ? below(16) : value(), 4);
	put(t + 8, one_in(2) ? 0 : value(), 4);
	put(t + 12, queued ? s << 3 : below(8), 2);
	put(t + 15, one_in(2) ? 0 : 4, 1);
	packet(cdb);
	for (unsigned i = 0; i < 12; i++)
		put(t + 0x40 + i, cdb[i], 1);
	for (unsigned i = 0; i < 4; i++) {
		put(t + 0x80 + 16 * i, one_in(24) ? value() : FUZZ_RAM / 2 + 0x1000 * below(100),
		    8);
		put(t + 0x8c + 16 * i, one_in(2) ? 511 : value(), 4);
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
		ahci_slot(s, queued && !one_in(16));
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
	if (one_in(4))
		any_access(&nvme->func);
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
