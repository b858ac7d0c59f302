/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the AHCI host adapter and of its ports (AHCI 1.3.1, chapter 3).
 */
#include "hw/storage/ahci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/msi.h"
#include "hw/storage/ahci_impl.h"
#include "hw/storage/storage.h"

enum { BAR_INDEX = 4, INDEX_LEN = 32, BAR_REGS = 5, REGS_LEN = 4096 };
enum { REG_INDEX = 0x10, REG_DATA = 0x14 };
enum { CAP_SATA_AT = 0xa8, CAP_MSI_AT = 0x80 };

enum { HBA_CAP = 0x00, HBA_GHC = 0x04, HBA_IS = 0x08, HBA_PI = 0x0c, HBA_VS = 0x10 };
enum { GHC_HR = 1, GHC_IE = 2 };
#define GHC_AE 0x80000000u
/* 64-bit addresses, NCQ, 1.5 Gbit/s, AHCI only, 32 slots */
#define CAP     (1u << 31 | 1u << 30 | 1u << 20 | 1u << 18 | (AHCI_SLOTS - 1) << 8 | (AHCI_PORTS - 1))
#define VERSION 0x00010300u

enum { PORTS_AT = 0x100, PORT_LEN = 0x80 };
enum port_reg {
	PX_CLB = 0x00,
	PX_CLBU = 0x04,
	PX_FB = 0x08,
	PX_FBU = 0x0c,
	PX_IS = 0x10,
	PX_IE = 0x14,
	PX_CMD = 0x18,
	PX_TFD = 0x20,
	PX_SIG = 0x24,
	PX_SSTS = 0x28,
	PX_SCTL = 0x2c,
	PX_SERR = 0x30,
	PX_SACT = 0x34,
	PX_CI = 0x38,
};
enum { IE_MASK = 0x7dc0007f };

/* ---- interrupts ---- */

/* fresh: there is a new cause, for which a message is due. */
static void update_irq(struct ahci *a, bool fresh)
{
	bool level;

	for (unsigned i = 0; i < AHCI_PORTS; i++)
		if (a->port[i].is & a->port[i].ie)
			a->is |= 1u << i;
	level = a->is && a->ghc & GHC_IE;
	if (msi_enabled(&a->func)) {
		if (level && fresh)
			msi_notify(&a->func, 0);
		level = false;
	}
	pci_set_intx(&a->func, level);
}

void ahci_interrupt(struct ahci_port *p, uint32_t causes)
{
	p->is |= causes;
	if (causes & p->ie)
		update_irq(p->hba, true);
}

/* ---- a port's registers ---- */

static uint32_t port_read(const struct ahci_port *p, unsigned reg)
{
	switch (reg) {
	case PX_CLB:
		return p->clb;
	case PX_CLBU:
		return p->clbu;
	case PX_FB:
		return p->fb;
	case PX_FBU:
		return p->fbu;
	case PX_IS:
		/* These two show what is in SERR. */
		return p->is | (p->serr & SERR_DIAG_X ? IS_PCS : 0) |
		       (p->serr & SERR_DIAG_N ? IS_PRCS : 0);
	case PX_IE:
		return p->ie;
	case PX_CMD:
		return p->cmd | (p->drive.cd ? CMD_ATAPI : 0);
	case PX_TFD:
		return p->tfd;
	case PX_SIG:
		return p->sig;
	case PX_SSTS:
		return p->ssts;
	case PX_SCTL:
		return p->sctl;
	case PX_SERR:
		return p->serr;
	case PX_SACT:
		return p->sact;
	case PX_CI:
		return p->ci;
	}
	return 0;
}

static void cmd_write(struct ahci_port *p, uint32_t val)
{
	uint32_t old = p->cmd;

	p->cmd = (old & (CMD_CCS | CMD_SUD | CMD_POD)) | (val & (CMD_ST | CMD_FRE | 0x07000000u));
	if (val & CMD_CLO)
		p->tfd &= ~(uint32_t)(ATA_BSY | ATA_DRQ);
	if (val & CMD_FRE)
		p->cmd |= CMD_FR;
	if (val & CMD_ST)
		p->cmd |= CMD_CR;
	if (old & CMD_ST && !(val & CMD_ST)) {
		ahci_drop(p);
		p->ci = p->sact = 0;
		p->halted = false;
		p->cmd &= ~CMD_CCS;
	}
	/* The signature has waited for somewhere to go. */
	if (val & CMD_FRE && !p->told && p->drive.block) {
		p->told = true;
		ahci_send_d2h(p, false);
	}
	ahci_issue(p);
}

static void sctl_write(struct ahci_port *p, uint32_t val)
{
	uint32_t old = p->sctl;

	p->sctl = val & 0xfff;
	/* COMRESET ends when DET goes from 1 to 0. */
	if ((val & 0xf) == 1) {
		ahci_drop(p);
		p->ci = p->sact = 0;
		p->ssts = 0;
		p->tfd = 0x7f;
	} else if ((val & 0xf) == 4) {
		p->ssts = p->drive.block ? 4 : 0;
	} else if ((old & 0xf) == 1 && (val & 0xf) == 0) {
		ahci_port_reset(p);
		if (p->cmd & CMD_FRE && p->drive.block) {
			p->told = true;
			ahci_send_d2h(p, false);
		}
		ahci_interrupt(p, 0);
	}
}

static void port_write(struct ahci_port *p, unsigned reg, uint32_t val)
{
	switch (reg) {
	case PX_CLB:
		p->clb = val & ~0x3ffu;
		break;
	case PX_CLBU:
		p->clbu = val;
		break;
	case PX_FB:
		p->fb = val & ~0xffu;
		break;
	case PX_FBU:
		p->fbu = val;
		break;
	case PX_IS:
		p->is &= ~val;
		update_irq(p->hba, false);
		break;
	case PX_IE:
		p->ie = val & IE_MASK;
		update_irq(p->hba, true);
		break;
	case PX_CMD:
		cmd_write(p, val);
		break;
	case PX_SCTL:
		sctl_write(p, val);
		break;
	case PX_SERR:
		p->serr &= ~val;
		break;
	case PX_SACT:
		if (p->cmd & CMD_ST)
			p->sact |= val;
		break;
	case PX_CI:
		if (p->cmd & CMD_ST) {
			p->ci |= val;
			ahci_issue(p);
		}
		break;
	}
}

/* ---- the adapter's ---- */

static void hba_reset(struct ahci *a)
{
	a->ghc = GHC_AE;
	a->is = 0;
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		struct ahci_port *p = &a->port[i];

		p->is = p->ie = p->sctl = 0;
		p->cmd = CMD_SUD | CMD_POD;
		ahci_port_reset(p);
	}
	update_irq(a, false);
}

static uint32_t hba_read(struct ahci *a, unsigned off)
{
	if (off >= PORTS_AT && off < PORTS_AT + AHCI_PORTS * PORT_LEN)
		return port_read(&a->port[(off - PORTS_AT) / PORT_LEN], off % PORT_LEN);
	switch (off) {
	case HBA_CAP:
		return CAP;
	case HBA_GHC:
		return a->ghc;
	case HBA_IS:
		return a->is;
	case HBA_PI:
		return (1u << AHCI_PORTS) - 1;
	case HBA_VS:
		return VERSION;
	}
	return 0;
}

static void hba_write(struct ahci *a, unsigned off, uint32_t val)
{
	if (off >= PORTS_AT && off < PORTS_AT + AHCI_PORTS * PORT_LEN) {
		port_write(&a->port[(off - PORTS_AT) / PORT_LEN], off % PORT_LEN, val);
	} else if (off == HBA_GHC && val & GHC_HR) {
		hba_reset(a);
	} else if (off == HBA_GHC) {
		a->ghc = GHC_AE | (val & GHC_IE);
		update_irq(a, true);
	} else if (off == HBA_IS) {
		a->is &= ~val;
		update_irq(a, true);
	}
}

static uint64_t regs_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return hba_read(dev, (unsigned)off & ~3u);
}

static void regs_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	hba_write(dev, (unsigned)off & ~3u, (uint32_t)val);
}

static const struct mmio_ops regs_ops = {regs_read, regs_write, 4, 4};

/* The same registers by index and data, for code that cannot reach memory. */
static uint64_t index_read(void *dev, uint64_t off, unsigned size)
{
	struct ahci *a = dev;

	(void)size;
	if (off == REG_INDEX)
		return a->index;
	return off == REG_DATA ? hba_read(a, a->index) : 0;
}

static void index_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ahci *a = dev;

	(void)size;
	if (off == REG_INDEX)
		a->index = (uint32_t)val & 0x3fc;
	else if (off == REG_DATA)
		hba_write(a, a->index, (uint32_t)val);
}

static const struct mmio_ops index_ops = {index_read, index_write, 4, 4};

/* ---- life ---- */

#define PORT(member) FIELD_EACH(ahci, port, member, 0)

static const struct field fields[] = {
    FIELD(ahci, ghc, GHC_AE),
    FIELD(ahci, is, 0),
    FIELD(ahci, index, 0),
    PORT(clb),
    PORT(clbu),
    PORT(fb),
    PORT(fbu),
    PORT(is),
    PORT(ie),
    PORT(cmd),
    PORT(tfd),
    PORT(sig),
    PORT(ssts),
    PORT(sctl),
    PORT(serr),
    PORT(sact),
    PORT(ci),
    PORT(halted),
    PORT(told),
    PORT(soft_reset),
    FIELD_END,
};

static void reset_done(void *state)
{
	hba_reset(state);
}

static void loaded(void *state)
{
	struct ahci *a = state;

	update_irq(a, false);
	for (unsigned i = 0; i < AHCI_PORTS; i++)
		ahci_issue(&a->port[i]);
}

static int attach(struct drive_bus *bus, unsigned unit, struct block *block,
		  const struct drive_options *o, const struct device_args *args)
{
	struct ahci *a = bus->controller;
	struct ata_drive *d = &a->port[bus->n].drive;
	struct ata_options ao = {
	    .cd = o->cd,
	    .sata = true,
	    .serial = o->serial,
	    .model = o->model,
	    .version = o->version,
	    .rotation_rate = o->rotation_rate,
	};
	char name[64];
	int r;

	(void)unit;
	snprintf(name, sizeof(name), "%.50s-port%u", a->func.name, bus->n);
	r = ata_init(d, name, block, bus->n + 1, &ao);
	if (r < 0)
		return r;
	device_add(args, &d->dev);
	if (d->cd)
		device_add(args, &d->scsi.dev);
	return 0;
}

static void path(const struct drive_bus *bus, unsigned unit, char *out, size_t len)
{
	const struct ahci *a = bus->controller;
	char at[64];

	(void)unit;
	pci_path(&a->func, "pci8086,2922", at, sizeof(at));
	snprintf(out, len, "%s/drive@%u/disk@0", at, bus->n);
}

static int add_caps(struct pci_func *f)
{
	int r = msi_init(f, 1);

	if (r < 0)
		return r;
	r = pci_func_cap_at(f, PCI_CAP_SATA, CAP_SATA_AT, 8);
	if (r < 0)
		return r;
	/* The index and data registers are in BAR 4, at dword 4. */
	pci_set32(f->start + CAP_SATA_AT + 2, 0x10);
	pci_set32(f->start + CAP_SATA_AT + 4, BAR_INDEX + 4 + (REG_INDEX / 4 << 4));
	return 0;
}

int ahci_init(struct ahci *a, const char *id, struct drive_bus **drives)
{
	struct pci_func *f = &a->func;
	int r;

	memset(a, 0, sizeof(*a));
	pci_func_init(f, "ahci", 0x8086, 0x2922, 0x0106, 1);
	f->start[PCI_PROG_IF] = 1;
	f->start[PCI_REVISION] = 2;
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_func_bar(f, BAR_INDEX, PCI_BAR_IO, INDEX_LEN, &index_ops, a, "ahci-index");
	pci_func_bar(f, BAR_REGS, PCI_BAR_MEM32, REGS_LEN, &regs_ops, a, "ahci");
	r = add_caps(f);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		struct ahci_port *p = &a->port[i];
		struct drive_bus *bus = &a->bus[i];

		p->hba = a;
		p->n = i;
		for (unsigned s = 0; s < AHCI_SLOTS; s++) {
			p->slot[s].port = p;
			p->slot[s].n = (uint8_t)s;
			dma_sg_init(&p->slot[s].sg, 16384);
		}
		bus->kind = DRIVE_IDE;
		bus->units = 1;
		bus->controller = a;
		bus->n = i;
		bus->attach = attach;
		bus->path = path;
		drive_bus_name(drives, bus, id, "ide", i);
		drive_bus_add(drives, bus);
	}
	device_init(&a->state, a->state_name, fields, a);
	a->state.reset_done = reset_done;
	a->state.loaded = loaded;
	return 0;
}

void ahci_added(struct ahci *a)
{
	snprintf(a->state_name, sizeof(a->state_name), "%s-ports", a->func.name);
}

void ahci_fini(struct ahci *a)
{
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		struct ahci_port *p = &a->port[i];

		ahci_drop(p);
		ata_fini(&p->drive);
		for (unsigned s = 0; s < AHCI_SLOTS; s++)
			dma_sg_fini(&p->slot[s].sg);
	}
}

static void destroy(void *self)
{
	ahci_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct ahci *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	r = ahci_init(a, args->spec->id, args->env->drives);
	if (r == 0)
		r = device_add_pci(args, &a->func, NULL, err, errlen);
	if (r < 0) {
		/* Its ports are on the board's list: no machine comes of this. */
		destroy(a);
		return r;
	}
	ahci_added(a);
	device_add(args, &a->state);
	*self = a;
	return 0;
}

const struct device_type ahci_type = {
    .name = "ahci",
    .bus = "PCI",
    .desc = "SATA host adapter of the ICH9, 6 ports",
    .create = create,
    .destroy = destroy,
};
