/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The board "q35": Q35 and ICH9.
 */
#include "hw/pc_impl.h"

#define SCI_IRQ  9
#define PIRQ_GSI 16

static int wire(struct pc *pc)
{
	struct machine *m = &pc->m;
	struct irq_pin sci = pc_pin(pc, pc_isa_set, SCI_IRQ, SRC_SCI);
	struct irq_pin isa = pc_pin(pc, pc_isa_set, 0, SRC_PIRQ);
	struct irq_pin gsi = pc_pin(pc, pc_gsi_set, PIRQ_GSI, SRC_PIRQ);
	int r;

	if ((r = acpi_pm_init(&pc->pm, &m->io, 0, 0, &m->clock, &sci, pc_sleep, pc)) < 0 ||
	    (r = q35_init(&pc->q35, &pc->pci, &pc->pam)) < 0 ||
	    (r = ich9_init(&pc->ich9, &pc->pci, &pc->pm, &isa, &gsi)) < 0 ||
	    (r = ahci_init(&pc->ahci, NULL, &pc->drives)) < 0 ||
	    (r = pci_bus_add(&pc->pci, &pc->ahci.func, PCI_DEVFN(31, 2))) < 0)
		return r;
	if (pc->cfg.smm) {
		struct irq_pin smi = pc_smi_pin(pc);

		q35_set_smram(&pc->q35, &pc->smram);
		ich9_set_smm(&pc->ich9, &smi);
		if ((r = pc_smm_files(pc)) < 0)
			return r;
	}
	ahci_added(&pc->ahci);
	machine_add(m, &pc->pm.dev);
	machine_add(m, &pc->ich9.dev);
	machine_add(m, &pc->q35.host.dev);
	machine_add(m, &pc->ich9.lpc.dev);
	machine_add(m, &pc->ahci.func.dev);
	machine_add(m, &pc->ahci.state);
	return 0;
}

static void unwire(struct pc *pc)
{
	ahci_fini(&pc->ahci);
}

static void start(struct pc *pc, const uint8_t irq[4])
{
	q35_start(&pc->q35);
	ich9_start(&pc->ich9, irq);
}

static void describe(const struct pc *pc, struct acpi_config *cfg)
{
	cfg->q35 = true;
	cfg->pm_base = pc->ich9.pm_base ? (uint16_t)pc->ich9.pm_base : ICH9_PM_BASE;
	cfg->gpe_base = cfg->pm_base + ICH9_GPE0;
	cfg->gpe_len = 16;
	cfg->ecam_base = pc->q35.ecam_size ? pc->q35.ecam_base : Q35_ECAM_BASE;
	cfg->ecam_buses = pc->q35.ecam_size ? (unsigned)(pc->q35.ecam_size >> 20) : 256;
}

/* PAM; of the LPC bridge PMBASE and ACPI_CNTL, interrupt routes, RCBA. */
static const struct pc_kept kept[] = {
    {PCI_DEVFN(0, 0), 0x90, 7},  {PCI_DEVFN(31, 0), 0x40, 8}, {PCI_DEVFN(31, 0), 0x60, 4},
    {PCI_DEVFN(31, 0), 0x68, 4}, {PCI_DEVFN(31, 0), 0xf0, 4}, {0},
};

const struct pc_board board_q35 = {
    .name = "q35",
    .product = "Standard PC (Q35 + ICH9, 2009)",
    .low_max = 0x80000000,
    .ide_units = 1,
    .wire = wire,
    .unwire = unwire,
    .start = start,
    .describe = describe,
    .kept = kept,
};
