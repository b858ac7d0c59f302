/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intel 290549 (82441FX), 290550 (PIIX3) and 290562 (PIIX4) datasheets, as far as software that
 * finds them in configuration space depends on them.
 */
#include "hw/i440fx.h"

#include <string.h>

/* A route register with bit 7 set is off; else bits 3:0 name the ISA interrupt. */
static void route(struct i440fx *c)
{
	uint16_t level = 0, changed;

	for (int n = 0; n < 4; n++) {
		uint8_t r = c->isa.config[PIIX_PIRQ_ROUTE + n];

		if (!(r & 0x80) && (c->pirq_level >> n & 1))
			level |= (uint16_t)(1u << (r & 15));
	}
	changed = level ^ c->irq_level;
	c->irq_level = level;
	for (int i = 0; i < 16; i++)
		if (changed >> i & 1)
			irq_set(&c->isa_irq[i], level >> i & 1);
}

static void pirq(void *opaque, int n, int level)
{
	struct i440fx *c = opaque;

	c->pirq_level = (uint8_t)((c->pirq_level & ~(1u << n)) | (level ? 1u << n : 0));
	route(c);
}

static void isa_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct i440fx *c = (struct i440fx *)((char *)f - offsetof(struct i440fx, isa));

	if (off < PIIX_PIRQ_ROUTE + 4 && off + size > PIIX_PIRQ_ROUTE)
		route(c);
}

static void init_host(struct pci_func *f)
{
	pci_func_init(f, "i440fx", 0x8086, 0x1237, 0x0600, 0);
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_set16(f->start + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER);
	pci_set16(f->start + PCI_STATUS, 0x0280);
	f->start[PCI_REVISION] = 2;
	f->wmask[0x50] = 0xff; /* PMCCFG */
	f->wmask[0x51] = 0xff;
	/* PAM0-6: the shadow areas are RAM whatever these say; firmware may write and read them. */
	memset(f->wmask + 0x59, 0xff, 7);
	memset(f->start + 0x5a, 0x33, 6);
	f->start[0x59] = 0x30;
	f->wmask[0x72] = 0x78; /* SMRAM */
	f->start[0x72] = 0x02;
}

static void init_isa(struct pci_func *f)
{
	pci_func_init(f, "piix3", 0x8086, 0x7000, 0x0601, 0);
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_set16(f->start + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER);
	pci_set16(f->start + PCI_STATUS, 0x0200);
	f->start[PCI_HEADER_TYPE] = 0x80;
	f->start[0x4c] = 0x4d; /* ISA recovery time */
	f->start[0x4e] = 0x03; /* X-bus chip select */
	f->start[0x69] = 0x02; /* top of memory */
	f->wmask[0x4c] = 0xff;
	f->wmask[0x4e] = f->wmask[0x4f] = 0xff;
	f->wmask[0x69] = 0xff;
	for (int n = 0; n < 4; n++) {
		f->start[PIIX_PIRQ_ROUTE + n] = 0x80;
		f->wmask[PIIX_PIRQ_ROUTE + n] = 0x8f;
	}
	f->config_changed = isa_changed;
}

static void init_pm(struct pci_func *f)
{
	pci_func_init(f, "piix4-pm", 0x8086, 0x7113, 0x0680, 1);
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_set16(f->start + PCI_COMMAND, PCI_CMD_IO);
	pci_set16(f->start + PCI_STATUS, 0x0280);
	f->start[PCI_REVISION] = 3;
	f->start[PCI_INT_LINE] = PIIX_SCI_IRQ; /* wired to the SCI, not to a PIRQ */
	f->wmask[PCI_INT_LINE] = 0;
	/* The power-management I/O block does not move: PMBASE is fixed and enabled. */
	pci_set32(f->start + 0x40, PIIX_PM_BASE | 1);
	f->start[0x80] = 1;
}

int i440fx_init(struct i440fx *c, struct pci_bus *bus, const struct irq_pin *isa_irq)
{
	int r;

	memset(c, 0, sizeof(*c));
	for (int i = 0; i < 16; i++) {
		c->isa_irq[i] = *isa_irq;
		c->isa_irq[i].n = isa_irq->n + i;
	}
	init_host(&c->host);
	init_isa(&c->isa);
	init_pm(&c->pm);
	r = pci_bus_add(bus, &c->host, PCI_DEVFN(0, 0));
	if (r == 0)
		r = pci_bus_add(bus, &c->isa, PCI_DEVFN(1, 0));
	if (r == 0)
		r = pci_bus_add(bus, &c->pm, PCI_DEVFN(1, 3));
	bus->line = pirq;
	bus->opaque = c;
	return r;
}
