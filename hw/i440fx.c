/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intel 290549 (82441FX), 290550 (PIIX3) and 290562 (PIIX4) datasheets, as far as software that
 * finds them in configuration space depends on them.
 */
#include "hw/i440fx.h"

#include <string.h>

#include "hw/acpi_pm.h"

enum {
	PAM0 = 0x59,
	SMRAM = 0x72,
	PMBA = 0x40, /* power management base address */
	DEVACTB = 0x58,
	APMC_EN = 1 << 1, /* of DEVACTB's last byte: writes to port B2h raise SMIs */
	PMREGMISC = 0x80,
};

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

static void map_smram(struct i440fx *c)
{
	struct pci_func *f = &c->host;

	f->wmask[SMRAM] = smram_lock(&f->config[SMRAM]);
	smram_update(c->smram, f->config[SMRAM], false, 0);
}

static void host_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct i440fx *c = (struct i440fx *)((char *)f - offsetof(struct i440fx, host));

	if (off < PAM0 + PAM_REGS && off + size > PAM0)
		pam_update(c->pam, f->config + PAM0);
	if (c->smram && off <= SMRAM && off + size > SMRAM)
		map_smram(c);
}

static void smi_command(void *opaque)
{
	struct i440fx *c = opaque;

	if (c->pm.config[DEVACTB + 3] & APMC_EN)
		irq_set(&c->smi, 1);
}

static void pm_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct i440fx *c = (struct i440fx *)((char *)f - offsetof(struct i440fx, pm));
	bool on = f->config[PMREGMISC] & 1;

	(void)off;
	(void)size;
	acpi_pm_move(c->acpi, on ? pci_get32(f->config + PMBA) & 0xffc0 : 0);
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
	f->wmask[PAM0] = 0x30;
	memset(f->wmask + PAM0 + 1, 0x33, PAM_REGS - 1);
	f->config_changed = host_changed;
	f->start[SMRAM] = 0x02;
	f->wmask[SMRAM] = smram_lock(&f->start[SMRAM]);
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
	pci_set32(f->start + PMBA, 1);
	pci_set16(f->wmask + PMBA, 0xffc0);
	f->wmask[PMREGMISC] = 1;
	/* Firmware that finds SMIs enabled takes system management mode for set up, and leaves it
	 * alone. */
	f->start[DEVACTB + 3] = APMC_EN;
	memset(f->wmask + DEVACTB, 0xff, 3);
	memset(f->wmask + 0x90, 0xff, 4); /* SMBus host base and configuration, without a host */
	f->start[0x90] = 1;
	f->wmask[0x90] = 0xf0;
	f->wmask[0xd2] = 0x0f;
	f->config_changed = pm_changed;
}

void i440fx_set_smm(struct i440fx *c, struct smram *smram, const struct irq_pin *smi)
{
	c->smram = smram;
	c->smi = *smi;
	c->acpi->smi_command = smi_command;
	c->acpi->smi_opaque = c;
	c->pm.start[DEVACTB + 3] = 0;
	c->pm.wmask[DEVACTB + 3] = 0xff;
}

void i440fx_start(struct i440fx *c, const uint8_t irq[4])
{
	pci_config_write(&c->host, PAM0, 0x30, 1);
	for (unsigned n = 1; n < PAM_REGS; n++)
		pci_config_write(&c->host, PAM0 + n, 0x33, 1);
	for (unsigned n = 0; n < 4; n++)
		pci_config_write(&c->isa, PIIX_PIRQ_ROUTE + n, irq[n], 1);
	pci_config_write(&c->pm, PMBA, PIIX_PM_BASE, 4);
	pci_config_write(&c->pm, PMREGMISC, 1, 1);
}

int i440fx_init(struct i440fx *c, struct pci_bus *bus, struct pam *pam, struct acpi_pm *acpi,
		const struct irq_pin *isa_irq)
{
	int r;

	memset(c, 0, sizeof(*c));
	c->pam = pam;
	c->acpi = acpi;
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
