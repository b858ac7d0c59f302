/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/storage/piix_ide.h"

#include <stdio.h>
#include <string.h>

enum { IDETIM = 0x40, SIDETIM = 0x44, IDETIM_DECODE = 0x8000 };
enum { BAR_BUS_MASTER = 4, BUS_MASTER_LEN = 16 };

static uint64_t bm_read(void *dev, uint64_t off, unsigned size)
{
	struct piix_ide *p = dev;
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)ide_bm_read(&p->channel[(off + i) >> 3 & 1], (off + i) & 7)
		       << (8 * i);
	return val;
}

static void bm_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct piix_ide *p = dev;

	for (unsigned i = 0; i < size; i++)
		ide_bm_write(&p->channel[(off + i) >> 3 & 1], (off + i) & 7,
			     (uint8_t)(val >> (8 * i)));
}

static const struct mmio_ops bm_ops = {bm_read, bm_write, 1, 4};

static int attach(struct drive_bus *bus, unsigned unit, struct block *block,
		  const struct drive_options *o, const struct device_args *args)
{
	struct piix_ide *p = bus->controller;
	struct ata_drive *d = &p->channel[bus->n].drive[unit];
	struct ata_options ao = {
	    .cd = o->cd,
	    .serial = o->serial,
	    .model = o->model,
	    .version = o->version,
	    .rotation_rate = o->rotation_rate,
	};
	char name[32];
	int r;

	snprintf(name, sizeof(name), "ide%u-drive%u", bus->n, unit);
	r = ata_init(d, name, block, 2 * bus->n + unit + 1, &ao);
	if (r < 0)
		return r;
	device_add(args, &d->dev);
	if (d->cd)
		device_add(args, &d->scsi.dev);
	return 0;
}

static void path(const struct drive_bus *bus, unsigned unit, char *out, size_t len)
{
	const struct piix_ide *p = bus->controller;

	char at[64];

	pci_path(&p->func, "ide", at, sizeof(at));
	snprintf(out, len, "%s/drive@%u/disk@%u", at, bus->n, unit);
}

int piix_ide_init(struct piix_ide *p, struct aspace *io, const struct irq_pin irq[2],
		  struct drive_bus **drives)
{
	static const uint16_t base[2] = {0x1f0, 0x170}, control[2] = {0x3f6, 0x376};
	struct pci_func *f = &p->func;

	memset(p, 0, sizeof(*p));
	pci_func_init(f, "piix3-ide", 0x8086, 0x7010, 0x0101, 0);
	f->start[PCI_PROG_IF] = 0x80; /* bus master; the channels are where they always were */
	pci_set16(f->start + PCI_STATUS, 0x0280);
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	f->wmask[PCI_COMMAND] |= PCI_CMD_IO;
	for (unsigned i = 0; i < 2; i++) {
		/* On from the start, for systems that are booted without firmware. */
		pci_set16(f->start + IDETIM + 2 * i, IDETIM_DECODE);
		pci_set16(f->wmask + IDETIM + 2 * i, 0xffff);
	}
	f->wmask[SIDETIM] = 0xff;
	pci_func_bar(f, BAR_BUS_MASTER, PCI_BAR_IO, BUS_MASTER_LEN, &bm_ops, p, "ide-bus-master");
	for (unsigned i = 0; i < 2; i++) {
		struct drive_bus *bus = &p->bus[i];
		char name[16];
		int r;

		snprintf(name, sizeof(name), "ide%u", i);
		ide_init(&p->channel[i], name, &irq[i], f);
		r = ide_map(&p->channel[i], io, base[i], control[i]);
		if (r < 0)
			return r;
		bus->kind = DRIVE_IDE;
		bus->units = 2;
		bus->controller = p;
		bus->n = i;
		bus->attach = attach;
		bus->path = path;
		drive_bus_name(drives, bus, NULL, "ide", i);
		drive_bus_add(drives, bus);
	}
	return 0;
}

void piix_ide_fini(struct piix_ide *p)
{
	ide_fini(&p->channel[0]);
	ide_fini(&p->channel[1]);
}
