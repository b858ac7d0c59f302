/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The chip set's PCI functions: 82441FX host bridge (00:00.0), PIIX3 ISA bridge (00:01.0) with
 * its interrupt router, PIIX4 power management (00:01.3).
 */
#ifndef HW_I440FX_H
#define HW_I440FX_H

#include "hw/irq.h"
#include "hw/pam.h"
#include "hw/pci.h"
#include "hw/smram.h"

struct acpi_pm;

#define PIIX_PIRQ_ROUTE 0x60  /* PIRQRC[A:D] */
#define PIIX_PM_BASE    0x600 /* where i440fx_start() puts it */
#define PIIX_GPE_BASE   0xafe0
#define PIIX_SCI_IRQ    9

struct i440fx {
	struct pci_func host, isa, pm;
	struct pam *pam;
	struct acpi_pm *acpi;
	struct smram *smram; /* NULL without system management mode */
	struct irq_pin smi;  /* rises with each SMI */
	struct irq_pin isa_irq[16];
	uint8_t pirq_level; /* bit per line */
	uint16_t irq_level; /* bit per ISA interrupt driven from here */
};

/* isa_irq: pin of ISA interrupt 0; interrupt n is its n + that. 0 or -errno. */
int i440fx_init(struct i440fx *c, struct pci_bus *bus, struct pam *pam, struct acpi_pm *acpi,
		const struct irq_pin *isa_irq);
/* There is system management mode: its registers do something from the next reset on. */
void i440fx_set_smm(struct i440fx *c, struct smram *smram, const struct irq_pin *smi);
/* What firmware would set up: shadow RAM everywhere, interrupt routes, power management ports. */
void i440fx_start(struct i440fx *c, const uint8_t irq[4]);

#endif
