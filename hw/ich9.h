/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ICH9's LPC bridge, function 00:1f.0: interrupt router, power management ports, and the register block at
 * RCBA that says which PIRQs the slots 25 to 31 are wired to.
 */
#ifndef HW_ICH9_H
#define HW_ICH9_H

#include "hw/irq.h"
#include "hw/pci.h"

#define ICH9_PM_BASE 0x600 /* where ich9_start() puts it */
#define ICH9_GPE0    0x20  /* in the power management ports: 8 bytes of status, 8 of enable */
#define ICH9_PIRQS   8
#define ICH9_IR_REGS 7 /* slots 25 to 31 */

struct acpi_pm;

struct ich9 {
	struct pci_func lpc;
	struct device dev;
	struct acpi_pm *acpi;
	struct irq_pin isa_irq[16], gsi[ICH9_PIRQS];
	uint16_t ir[ICH9_IR_REGS]; /* DnIR: bits 2:0 INTA#, 6:4 INTB#, ...; ir[0] is slot 25's */
	uint8_t pirq_level;        /* bit per PIRQ */
	uint16_t irq_level;        /* bit per ISA interrupt driven from here */
	uint32_t smi_en, smi_sts;
	struct irq_pin smi; /* rises with each SMI; not wired without system management mode */
	/* What firmware and board agree upon for SMIs (fw_cfg, hw/pc_smm.c). */
	uint64_t smi_asked, smi_features;
	uint8_t smi_agreed;
	uint64_t pm_base, rcba; /* as mapped; 0: not */
};

/* isa_irq: pin of ISA interrupt 0, gsi: the I/O APIC's pin of PIRQA; what follows has the numbers that
 * follow. 0 or -errno. */
int ich9_init(struct ich9 *c, struct pci_bus *bus, struct acpi_pm *acpi,
	      const struct irq_pin *isa_irq, const struct irq_pin *gsi);
/* There is system management mode: its registers do something from the next reset on. */
void ich9_set_smm(struct ich9 *c, const struct irq_pin *smi);
/* What firmware would set up: interrupts irq[n] for PIRQ n and n + 4, power management ports. */
void ich9_start(struct ich9 *c, const uint8_t irq[4]);

#endif
