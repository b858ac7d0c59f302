/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intel 316966 (3 Series Express chipset family datasheet), as far as software depends on it: PCIEXBAR
 * (5.1.12), PAM (5.1.17 on), SMRAM.
 */
#include "hw/q35.h"

#include <string.h>

enum {
	PCIEXBAR = 0x60,
	PAM0 = 0x90,
	SMRAM = 0x9d,
	ESMRAMC = 0x9e,
	PCIEXBAR_ENABLE = 1,
	ECAM_MAX = 256u << 20,
};

/* Sets *size to 0 where the register asks for nothing that there is. */
static uint64_t ecam_wanted(const struct q35 *q, uint64_t *size)
{
	const uint8_t *c = q->host.config + PCIEXBAR;
	uint64_t reg = pci_get32(c) | (uint64_t)pci_get32(c + 4) << 32;
	unsigned length = reg >> 1 & 3;

	*size = reg & PCIEXBAR_ENABLE && length < 3 ? ECAM_MAX >> length : 0;
	return *size ? reg & 0xffc000000 & ~(*size - 1) : 0;
}

/* What the board has mapped for good stays in front of it. */
static void map_ecam(struct q35 *q)
{
	struct pci_bus *bus = q->host.bus;
	uint64_t size, base = ecam_wanted(q, &size);

	if (base == q->ecam_base && size == q->ecam_size)
		return;
	if (q->ecam_size)
		aspace_unmap(bus->mem, q->ecam_base);
	q->ecam_base = q->ecam_size = 0;
	if (size) {
		pci_bus_yield(bus, base, size);
		if (aspace_map_dev(bus->mem, "ecam", base, size, &pci_ecam_ops, bus) == 0) {
			q->ecam_base = base;
			q->ecam_size = size;
		}
	}
	pci_bus_remap(bus);
}

static void host_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct q35 *q = (struct q35 *)((char *)f - offsetof(struct q35, host));

	if (off < PAM0 + PAM_REGS && off + size > PAM0)
		pam_update(q->pam, f->config + PAM0);
	if (off < PCIEXBAR + 8 && off + size > PCIEXBAR)
		map_ecam(q);
}

int q35_init(struct q35 *q, struct pci_bus *bus, struct pam *pam)
{
	struct pci_func *f = &q->host;

	memset(q, 0, sizeof(*q));
	q->pam = pam;
	pci_func_init(f, "q35-mch", 0x8086, 0x29c0, 0x0600, 0);
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_set16(f->start + PCI_COMMAND, PCI_CMD_MEM | PCI_CMD_MASTER);
	pci_set32(f->wmask + PCIEXBAR, 0xfc000007);
	f->wmask[PCIEXBAR + 4] = 0x0f;
	f->wmask[PAM0] = 0x30;
	memset(f->wmask + PAM0 + 1, 0x33, PAM_REGS - 1);
	/* There is no system management mode to use these. */
	f->wmask[SMRAM] = 0x78;
	f->start[SMRAM] = 0x02;
	f->wmask[ESMRAMC] = 0x87;
	f->start[ESMRAMC] = 0x38;
	f->config_changed = host_changed;
	bus->express = true;
	return pci_bus_add(bus, f, PCI_DEVFN(0, 0));
}

void q35_start(struct q35 *q)
{
	pci_config_write(&q->host, PAM0, 0x30, 1);
	for (unsigned n = 1; n < PAM_REGS; n++)
		pci_config_write(&q->host, PAM0 + n, 0x33, 1);
	pci_config_write(&q->host, PCIEXBAR, Q35_ECAM_BASE | PCIEXBAR_ENABLE, 4);
}
