/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intel 316966 (3 Series Express chipset family datasheet), as far as software depends on it: PCIEXBAR
 * (5.1.12), PAM (5.1.17 on), SMRAM (5.1.30 on). The register at 50h is of QEMU's: how large the TSEG can be beyond what
 * the chip has.
 */
#include "hw/q35.h"

#include <string.h>

enum {
	EXT_TSEG = 0x50, /* FFFFh is answered with MiB, which TSEG_SZ 3 then means */
	EXT_TSEG_ASK = 0xffff,
	EXT_TSEG_MIB = 16,
	GGC = 0x52,
	PCIEXBAR = 0x60,
	PAM0 = 0x90,
	SMRAM = 0x9d,
	ESMRAMC = 0x9e,
	TSEGMB = 0xac, /* TSEG ends where RAM does; this and the next hold what firmware writes */
	TOLUD = 0xb0,
	H_SMRAME = 1 << 7, /* ESMRAMC */
	TSEG_SZ = 3 << 1,
	T_EN = 1 << 0,
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

/* Which of these registers can be written, as firmware has locked them or not. */
static void lock_smram(struct pci_func *f)
{
	bool lock = f->config[SMRAM] & SMRAM_D_LCK;

	f->wmask[SMRAM] = smram_lock(&f->config[SMRAM]);
	f->wmask[ESMRAMC] = lock ? 0 : H_SMRAME | TSEG_SZ | T_EN;
	pci_set16(f->wmask + GGC, lock ? 0 : 0x03f2);
	pci_set32(f->wmask + TSEGMB, lock ? 0 : 0xfff00000);
	pci_set16(f->wmask + TOLUD, lock ? 0 : 0xfff0);
}

static void map_smram(struct q35 *q)
{
	static const uint8_t mib[] = {1, 2, 8, EXT_TSEG_MIB};
	struct pci_func *f = &q->host;
	uint8_t e = f->config[ESMRAMC];

	if (pci_get16(f->config + EXT_TSEG) == EXT_TSEG_ASK)
		pci_set16(f->config + EXT_TSEG, EXT_TSEG_MIB);
	lock_smram(f);
	smram_update(q->smram, f->config[SMRAM], e & H_SMRAME,
		     e & T_EN ? (uint64_t)mib[(e & TSEG_SZ) >> 1] << 20 : 0);
}

static void host_changed(struct pci_func *f, unsigned off, unsigned size)
{
	struct q35 *q = (struct q35 *)((char *)f - offsetof(struct q35, host));

	if (off < PAM0 + PAM_REGS && off + size > PAM0)
		pam_update(q->pam, f->config + PAM0);
	if (off < PCIEXBAR + 8 && off + size > PCIEXBAR)
		map_ecam(q);
	if (q->smram && ((off < ESMRAMC + 1 && off + size > SMRAM) ||
			 (off < EXT_TSEG + 2 && off + size > EXT_TSEG)))
		map_smram(q);
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
	/* Without system management mode they hold what is written, and open nothing. */
	f->start[SMRAM] = 0x02;
	f->start[ESMRAMC] = 0x38;
	lock_smram(f);
	f->config_changed = host_changed;
	bus->express = true;
	return pci_bus_add(bus, f, PCI_DEVFN(0, 0));
}

void q35_set_smram(struct q35 *q, struct smram *smram)
{
	q->smram = smram;
	pci_set16(q->host.start + EXT_TSEG, EXT_TSEG_MIB);
	pci_set16(q->host.wmask + EXT_TSEG, 0xffff);
}

void q35_start(struct q35 *q)
{
	pci_config_write(&q->host, PAM0, 0x30, 1);
	for (unsigned n = 1; n < PAM_REGS; n++)
		pci_config_write(&q->host, PAM0 + n, 0x33, 1);
	pci_config_write(&q->host, PCIEXBAR, Q35_ECAM_BASE | PCIEXBAR_ENABLE, 4);
}
