/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intel 316972 (ICH9 datasheet): LPC bridge (13.1), power management I/O (13.8.3), chip configuration
 * (10.1). Its PIRQs reach the I/O APIC's pins 16 to 23, and an ISA interrupt where the router says so.
 */
#include "hw/ich9.h"

#include <string.h>

#include "hw/acpi_pm.h"

enum {
	PMBASE = 0x40,
	ACPI_CNTL = 0x44,
	PIRQ_ROUT = 0x60,   /* PIRQA-D */
	PIRQ_ROUT_E = 0x68, /* PIRQE-H */
	RCBA = 0xf0,
	ACPI_EN = 1 << 7,
	ROUTE_OFF = 1 << 7,
	RCBA_EN = 1,
	RCBA_SIZE = 0x4000,
	PM_LEN = 0x80,
	SMI_EN = 0x30,
	SMI_STS = 0x34,
	GBL_SMI_EN = 1 << 0,
	APMC_EN = 1 << 5, /* and SMI_STS.APM_STS */
	EOS = 1 << 1,
	GEN_PMCON_1 = 0xa0,
	SMI_LOCK = 1 << 4,
	IR_RESET = 0x3210,
};

/* In the block at RCBA, by slot from 25 on. */
static const uint16_t ir_offset[ICH9_IR_REGS] = {0x3150, 0x314c, 0x3148, 0x3146,
						 0x3144, 0x3142, 0x3140};

static const struct field fields[] = {
    FIELD_ARRAY(ich9, ir, IR_RESET),
    FIELD(ich9, smi_en, APMC_EN),
    FIELD(ich9, smi_sts, 0),
    FIELD(ich9, smi_asked, 0),
    FIELD(ich9, smi_features, 0),
    FIELD(ich9, smi_agreed, 0),
    FIELD_END,
};

static struct ich9 *of_lpc(const struct pci_func *f)
{
	return (struct ich9 *)((char *)f - offsetof(struct ich9, lpc));
}

/* ---- interrupts ---- */

static uint8_t route_reg(const struct ich9 *c, unsigned pirq)
{
	return c->lpc.config[pirq < 4 ? PIRQ_ROUT + pirq : PIRQ_ROUT_E + pirq - 4];
}

static void route(struct ich9 *c)
{
	uint16_t level = 0, changed;

	for (unsigned n = 0; n < ICH9_PIRQS; n++) {
		uint8_t r = route_reg(c, n);

		if (!(r & ROUTE_OFF) && (c->pirq_level >> n & 1))
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
	struct ich9 *c = opaque;

	c->pirq_level = (uint8_t)((c->pirq_level & ~(1u << n)) | (level ? 1u << n : 0));
	irq_set(&c->gsi[n], level);
	route(c);
}

static int pirq_of(void *opaque, uint8_t devfn, unsigned pin)
{
	const struct ich9 *c = opaque;
	unsigned slot = devfn >> 3;

	if (slot < 25)
		return (int)(4 + (slot + pin - 1) % 4);
	return c->ir[slot - 25] >> 4 * (pin - 1) & 7;
}

/* ---- system management ---- */

static bool has_smm(const struct ich9 *c)
{
	return c->smi.set != NULL;
}

static void write_smi_en(struct ich9 *c, unsigned shift, uint8_t val)
{
	uint32_t mask = 0xffu << shift;

	if (!has_smm(c))
		/* Firmware that finds SMIs enabled takes system management mode for set up, and
		 * leaves it alone. */
		c->smi_en = ((c->smi_en & ~mask) | (uint32_t)val << shift) | APMC_EN;
	else {
		if (c->lpc.config[GEN_PMCON_1] & SMI_LOCK)
			mask &= ~(uint32_t)GBL_SMI_EN;
		c->smi_en = ((c->smi_en & ~mask) | ((uint32_t)val << shift & mask)) | EOS;
	}
}

static void smi_command(void *opaque)
{
	struct ich9 *c = opaque;

	if (!(c->smi_en & APMC_EN))
		return;
	c->smi_sts |= APMC_EN;
	if (c->smi_en & GBL_SMI_EN)
		irq_set(&c->smi, 1);
}

/* ---- power management ports above those of acpi_pm ---- */

static uint64_t pm_read(void *dev, uint64_t off, unsigned size)
{
	const struct ich9 *c = dev;

	off += ACPI_PM_LEN;
	(void)size;
	if (off >= SMI_EN && off < SMI_EN + 4)
		return c->smi_en >> 8 * (off - SMI_EN) & 0xff;
	if (off >= SMI_STS && off < SMI_STS + 4)
		return c->smi_sts >> 8 * (off - SMI_STS) & 0xff;
	if (off >= ICH9_GPE0 && off < ICH9_GPE0 + 2)
		return acpi_pm_gpe_read(c->acpi, (unsigned)off - ICH9_GPE0);
	if (off >= ICH9_GPE0 + 8 && off < ICH9_GPE0 + 10)
		return acpi_pm_gpe_read(c->acpi, (unsigned)off - ICH9_GPE0 - 6);
	return 0;
}

static void pm_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ich9 *c = dev;

	off += ACPI_PM_LEN;
	(void)size;
	if (off >= SMI_EN && off < SMI_EN + 4) {
		write_smi_en(c, 8 * (unsigned)(off - SMI_EN), (uint8_t)val);
	} else if (off >= SMI_STS && off < SMI_STS + 4) {
		c->smi_sts &= ~((uint32_t)(val & 0xff) << 8 * (off - SMI_STS));
	} else if (off >= ICH9_GPE0 && off < ICH9_GPE0 + 2) {
		acpi_pm_gpe_write(c->acpi, (unsigned)off - ICH9_GPE0, (uint8_t)val);
	} else if (off >= ICH9_GPE0 + 8 && off < ICH9_GPE0 + 10) {
		acpi_pm_gpe_write(c->acpi, (unsigned)off - ICH9_GPE0 - 6, (uint8_t)val);
	}
}

static const struct mmio_ops pm_ops = {pm_read, pm_write, 1, 1};

static void move_pm(struct ich9 *c)
{
	struct aspace *io = c->lpc.bus->io;
	bool on = c->lpc.config[ACPI_CNTL] & ACPI_EN;
	uint64_t base = on ? pci_get16(c->lpc.config + PMBASE) & 0xff80 : 0;

	acpi_pm_move(c->acpi, base);
	if (base == c->pm_base)
		return;
	if (c->pm_base)
		aspace_unmap(io, c->pm_base + ACPI_PM_LEN);
	c->pm_base = 0;
	if (base && aspace_map_dev(io, "ich9-pm", base + ACPI_PM_LEN, PM_LEN - ACPI_PM_LEN, &pm_ops,
				   c) == 0)
		c->pm_base = base;
}

/* ---- the block at RCBA ---- */

static uint64_t rcba_read(void *dev, uint64_t off, unsigned size)
{
	const struct ich9 *c = dev;

	(void)size;
	for (unsigned n = 0; n < ICH9_IR_REGS; n++)
		if (off == ir_offset[n])
			return c->ir[n];
	return 0;
}

static void rcba_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ich9 *c = dev;

	(void)size;
	for (unsigned n = 0; n < ICH9_IR_REGS; n++) {
		if (off != ir_offset[n])
			continue;
		c->ir[n] = (uint16_t)val & 0x7777;
		pci_bus_rewire(c->lpc.bus);
	}
}

static const struct mmio_ops rcba_ops = {rcba_read, rcba_write, 2, 2};

static void move_rcba(struct ich9 *c)
{
	struct pci_bus *bus = c->lpc.bus;
	uint32_t reg = pci_get32(c->lpc.config + RCBA);
	uint64_t base = reg & RCBA_EN ? reg & ~(RCBA_SIZE - 1u) : 0;

	if (base == c->rcba)
		return;
	if (c->rcba)
		aspace_unmap(bus->mem, c->rcba);
	c->rcba = 0;
	if (base) {
		pci_bus_yield(bus, base, RCBA_SIZE);
		if (aspace_map_dev(bus->mem, "rcba", base, RCBA_SIZE, &rcba_ops, c) == 0)
			c->rcba = base;
	}
	pci_bus_remap(bus);
}

/* ---- */

static void lpc_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct ich9 *c = of_lpc(f);

	if (off < PIRQ_ROUT_E + 4 && off + size > PIRQ_ROUT)
		route(c);
	if (off < ACPI_CNTL + 4 && off + size > PMBASE)
		move_pm(c);
	if (off < RCBA + 4 && off + size > RCBA)
		move_rcba(c);
	if (has_smm(c)) {
		bool lock = f->config[GEN_PMCON_1] & SMI_LOCK;

		f->wmask[GEN_PMCON_1] = lock ? 0xff & ~SMI_LOCK : 0xff;
	}
}

static void tame(void *state)
{
	struct ich9 *c = state;

	for (unsigned n = 0; n < ICH9_IR_REGS; n++)
		c->ir[n] &= 0x7777;
}

static void rewire(void *state)
{
	struct ich9 *c = state;

	pci_bus_rewire(c->lpc.bus);
}

static void reset_done(void *state)
{
	struct ich9 *c = state;

	if (has_smm(c))
		c->smi_en = EOS;
	rewire(c);
}

void ich9_set_smm(struct ich9 *c, const struct irq_pin *smi)
{
	c->smi = *smi;
	c->acpi->smi_command = smi_command;
	c->acpi->smi_opaque = c;
	reset_done(c);
}

int ich9_init(struct ich9 *c, struct pci_bus *bus, struct acpi_pm *acpi,
	      const struct irq_pin *isa_irq, const struct irq_pin *gsi)
{
	struct pci_func *f = &c->lpc;

	memset(c, 0, sizeof(*c));
	device_init(&c->dev, "ich9", fields, c);
	c->dev.tame = tame;
	c->dev.reset_done = reset_done;
	c->dev.loaded = rewire;
	c->acpi = acpi;
	for (int i = 0; i < 16; i++) {
		c->isa_irq[i] = *isa_irq;
		c->isa_irq[i].n = isa_irq->n + i;
	}
	for (int i = 0; i < ICH9_PIRQS; i++) {
		c->gsi[i] = *gsi;
		c->gsi[i].n = gsi->n + i;
	}
	pci_func_init(f, "ich9-lpc", 0x8086, 0x2918, 0x0601, 0);
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_set16(f->start + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER);
	pci_set16(f->start + PCI_STATUS, 0x0200);
	f->start[PCI_REVISION] = 2;
	f->start[PCI_HEADER_TYPE] = 0x80;
	pci_set32(f->start + PMBASE, 1);
	pci_set16(f->wmask + PMBASE, 0xff80);
	f->wmask[ACPI_CNTL] = ACPI_EN | 7;
	memset(f->start + PIRQ_ROUT, ROUTE_OFF, 4);
	memset(f->start + PIRQ_ROUT_E, ROUTE_OFF, 4);
	memset(f->wmask + PIRQ_ROUT, 0x8f, 4);
	memset(f->wmask + PIRQ_ROUT_E, 0x8f, 4);
	f->wmask[0x82] = 0xff; /* LPC I/O enables: all decode all the time */
	f->wmask[0x83] = 0xff;
	f->wmask[GEN_PMCON_1] = 0xff;
	pci_set32(f->wmask + RCBA, ~(RCBA_SIZE - 1u) | RCBA_EN);
	f->config_changed = lpc_changed;
	bus->line = pirq;
	bus->line_of = pirq_of;
	bus->opaque = c;
	return pci_bus_add(bus, f, PCI_DEVFN(31, 0));
}

void ich9_start(struct ich9 *c, const uint8_t irq[4])
{
	for (unsigned n = 0; n < 4; n++) {
		pci_config_write(&c->lpc, PIRQ_ROUT + n, irq[n], 1);
		pci_config_write(&c->lpc, PIRQ_ROUT_E + n, irq[n], 1);
	}
	pci_config_write(&c->lpc, PMBASE, ICH9_PM_BASE, 4);
	pci_config_write(&c->lpc, ACPI_CNTL, ACPI_EN, 1);
}
