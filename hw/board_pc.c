/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The board "pc": i440FX and PIIX.
 */
#include "hw/pc_impl.h"

static int wire(struct pc *pc)
{
	struct machine *m = &pc->m;
	struct irq_pin sci = pc_pin(pc, pc_isa_set, PIIX_SCI_IRQ, SRC_SCI);
	struct irq_pin pirq = pc_pin(pc, pc_isa_set, 0, SRC_PIRQ);
	struct irq_pin ide[2] = {pc_pin(pc, pc_isa_set, 14, SRC_CHIP),
				 pc_pin(pc, pc_isa_set, 15, SRC_CHIP)};
	int r;

	if ((r = acpi_pm_init(&pc->pm, &m->io, 0, PIIX_GPE_BASE, &m->clock, &sci, pc_sleep, pc)) <
		0 ||
	    (r = i440fx_init(&pc->i440fx, &pc->pci, &pc->pam, &pc->pm, &pirq)) < 0 ||
	    (r = piix_ide_init(&pc->piix_ide, &m->io, ide, &pc->drives)) < 0 ||
	    (r = pci_bus_add(&pc->pci, &pc->piix_ide.func, PCI_DEVFN(1, 1))) < 0)
		return r;
	if (pc->cfg.smm) {
		struct irq_pin smi = pc_smi_pin(pc);

		i440fx_set_smm(&pc->i440fx, &pc->smram, &smi);
	}
	machine_add(m, &pc->pm.dev);
	machine_add(m, &pc->i440fx.host.dev);
	machine_add(m, &pc->i440fx.isa.dev);
	machine_add(m, &pc->i440fx.pm.dev);
	machine_add(m, &pc->piix_ide.func.dev);
	machine_add(m, &pc->piix_ide.channel[0].dev);
	machine_add(m, &pc->piix_ide.channel[1].dev);
	return 0;
}

static void unwire(struct pc *pc)
{
	piix_ide_fini(&pc->piix_ide);
}

static void start(struct pc *pc, const uint8_t irq[4])
{
	i440fx_start(&pc->i440fx, irq);
}

static void describe(const struct pc *pc, struct acpi_config *cfg)
{
	cfg->pm_base = pc->pm.base ? (uint16_t)pc->pm.base : PIIX_PM_BASE;
	cfg->gpe_base = PIIX_GPE_BASE;
	cfg->gpe_len = ACPI_GPE0_LEN;
}

/* PAM and interrupt routes. */
static const struct pc_kept kept[] = {{PCI_DEVFN(0, 0), 0x59, 7}, {PCI_DEVFN(1, 0), 0x60, 4}, {0}};

const struct pc_board board_pc = {
    .name = "pc",
    .product = "Standard PC (i440FX + PIIX, 1996)",
    .low_max = 0xc0000000,
    .ide_units = 2,
    .wire = wire,
    .unwire = unwire,
    .start = start,
    .describe = describe,
    .kept = kept,
};
