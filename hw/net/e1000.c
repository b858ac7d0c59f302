/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the 82540EM (chapter 13), its PHY and EEPROM, interrupts, and its life.
 */
#include "hw/net/e1000.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/net/e1000_impl.h"

enum { BAR_MEM = 0, BAR_IO = 1, MEM_LEN = 0x20000, IO_LEN = 0x40 };
enum { DEVICE_ID = 0x100e, SUBSYS_VENDOR = 0x1af4, SUBSYS_DEVICE = 0x1100 };

#define CTRL_SLU     (1u << 6)
#define CTRL_RST     (1u << 26)
#define CTRL_PHY_RST (1u << 31)
/* Full duplex, 1000 Mb/s. */
#define STATUS_BASE 0x80000381u
#define STATUS_LU   2u
enum {
	EECD_SK = 1,
	EECD_CS = 2,
	EECD_DI = 4,
	EECD_DO = 8,
	EECD_REQ = 0x40,
	EECD_GNT = 0x80,
	EECD_PRES = 0x100
};
enum { EERD_START = 1, EERD_DONE = 0x10 };
#define MDIC_WRITE (1u << 26)
#define MDIC_READ  (1u << 27)
#define MDIC_READY (1u << 28)
#define MDIC_INT   (1u << 29)
#define MDIC_ERROR (1u << 30)
#define RAH_AV     (1u << 31)
enum { RCTL_LBM = 3 << 6, ITR_NS = 256 };

/* ---- interrupts (3.4.3, 13.4.17 to 13.4.22) ---- */

static void update_irq(struct e1000 *e)
{
	bool wanted = e1000_get(e, ICR) & e1000_get(e, IMS);
	uint64_t now = clock_now(e->clock), gap = (uint64_t)(e1000_get(e, ITR) & 0xffff) * ITR_NS;

	if (!wanted) {
		timer_cancel(&e->throttle);
		e->irq = 0;
	} else if (!e->irq && now < e->next_irq && gap) {
		timer_arm(&e->throttle, e->next_irq);
	} else if (!e->irq) {
		e->irq = 1;
		e->next_irq = now + gap;
	}
	pci_set_intx(&e->func, e->irq);
}

static void throttle_over(void *opaque)
{
	struct e1000 *e = opaque;

	e->next_irq = 0;
	update_irq(e);
}

void e1000_interrupt(struct e1000 *e, uint32_t causes)
{
	*e1000_reg(e, ICR) |= causes;
	update_irq(e);
}

/* ---- statistics ---- */

void e1000_count(struct e1000 *e, unsigned reg, uint32_t n)
{
	uint32_t *r = e1000_reg(e, reg);

	*r = *r + n < *r ? UINT32_MAX : *r + n;
}

void e1000_count64(struct e1000 *e, unsigned reg, uint64_t n)
{
	uint32_t *r = e1000_reg(e, reg);
	uint64_t v = (r[0] | (uint64_t)r[1] << 32) + n;

	r[0] = (uint32_t)v;
	r[1] = (uint32_t)(v >> 32);
}

void e1000_count_size(struct e1000 *e, unsigned first, size_t len)
{
	static const uint16_t limit[] = {64, 127, 255, 511, 1023};
	unsigned i = 0;

	while (i < 5 && len > limit[i])
		i++;
	e1000_count(e, first + 4 * i, 1);
}

/* A register is cleared as it is read; of those of 64 bits, both halves by the upper one. */
static uint32_t read_stat(struct e1000 *e, unsigned off)
{
	uint32_t v = e1000_get(e, off);
	bool low = off == GORCL || off == GOTCL || off == TORL || off == TOTL;

	if (!low)
		*e1000_reg(e, off) = 0;
	if (off == GORCL + 4 || off == GOTCL + 4 || off == TORL + 4 || off == TOTL + 4)
		*e1000_reg(e, off - 4) = 0;
	return v;
}

/* ---- the PHY (13.3, the Alaska transceiver) ---- */

enum phy_reg {
	PHY_CTRL = 0,
	PHY_STATUS = 1,
	PHY_ID1 = 2,
	PHY_ID2 = 3,
	PHY_ADVERTISE = 4,
	PHY_PARTNER = 5,
	PHY_EXPANSION = 6,
	PHY_NEXT_PAGE = 7,
	PHY_1000_CTRL = 9,
	PHY_1000_STATUS = 10,
	PHY_EXT_STATUS = 15,
	PHY_SPEC_CTRL = 16,
	PHY_SPEC_STATUS = 17,
	PHY_INT_ENABLE = 18,
	PHY_INT_STATUS = 19,
	PHY_EXT_SPEC_CTRL = 20,
	PHY_RX_ERRORS = 21,
};
enum { PC_RESET = 0x8000, PC_LOOPBACK = 0x4000, PC_AUTONEG = 0x1000, PC_RESTART = 0x0200 };
enum { PS_AUTONEG_DONE = 0x20, PS_LINK = 4, PSS_LINK = 0x400, PSS_RESOLVED = 0x800 };

static void phy_reset(struct e1000 *e)
{
	memset(e->phy, 0, sizeof(e->phy));
	e->phy[PHY_CTRL] = 0x1140;
	e->phy[PHY_STATUS] = 0x7949;
	e->phy[PHY_ID1] = 0x0141;
	e->phy[PHY_ID2] = 0x0c20;
	e->phy[PHY_ADVERTISE] = 0x0de1;
	e->phy[PHY_1000_CTRL] = 0x0e00;
	e->phy[PHY_EXT_STATUS] = 0x3000;
	e->phy[PHY_SPEC_CTRL] = 0x0360;
	e->phy[PHY_SPEC_STATUS] = 0xa000; /* 1000 Mb/s, full duplex */
	e->phy[PHY_EXT_SPEC_CTRL] = 0x0d60;
}

/* What PHY and MAC say of the link. */
static void update_link(struct e1000 *e)
{
	bool up = net_link_up(&e->end);

	e->phy[PHY_STATUS] &= (uint16_t) ~(PS_LINK | PS_AUTONEG_DONE);
	e->phy[PHY_SPEC_STATUS] &= (uint16_t) ~(PSS_LINK | PSS_RESOLVED);
	e->phy[PHY_PARTNER] = up ? 0x45e1 : 0;
	e->phy[PHY_EXPANSION] = up ? 1 : 0;
	e->phy[PHY_1000_STATUS] = up ? 0x3c00 : 0;
	if (up) {
		e->phy[PHY_STATUS] |= PS_LINK;
		if (e->phy[PHY_CTRL] & PC_AUTONEG)
			e->phy[PHY_STATUS] |= PS_AUTONEG_DONE;
		e->phy[PHY_SPEC_STATUS] |= PSS_LINK | PSS_RESOLVED;
	}
	*e1000_reg(e, STATUS) = STATUS_BASE | (up ? STATUS_LU : 0);
}

static void phy_write(struct e1000 *e, unsigned reg, uint16_t val)
{
	switch (reg) {
	case PHY_CTRL:
		if (val & PC_RESET) {
			phy_reset(e);
			update_link(e);
			e1000_interrupt(e, ICR_LSC);
			return;
		}
		e->phy[reg] = val & (uint16_t)~PC_RESTART & 0xffc0;
		update_link(e);
		if (val & PC_RESTART)
			e1000_interrupt(e, ICR_LSC);
		break;
	case PHY_ADVERTISE:
	case PHY_NEXT_PAGE:
	case PHY_1000_CTRL:
	case PHY_SPEC_CTRL:
	case PHY_INT_ENABLE:
	case PHY_EXT_SPEC_CTRL:
	case 22: /* pages and tests of the transceiver, which drivers tune */
	case 24:
	case 29:
	case 30:
		e->phy[reg] = val;
		break;
	}
}

static void mdic_write(struct e1000 *e, uint32_t val)
{
	unsigned reg = val >> 16 & 31, phy = val >> 21 & 31;
	uint32_t *mdic = e1000_reg(e, MDIC);

	*mdic = (val & ~(MDIC_ERROR | 0xffffu)) | MDIC_READY;
	if (phy != 1) {
		*mdic |= MDIC_ERROR;
	} else if (val & MDIC_READ) {
		*mdic |= e->phy[reg];
	} else if (val & MDIC_WRITE) {
		*mdic |= val & 0xffff;
		phy_write(e, reg, (uint16_t)val);
	}
	if (val & MDIC_INT)
		e1000_interrupt(e, ICR_MDAC);
}

bool e1000_loopback(const struct e1000 *e)
{
	return e->phy[PHY_CTRL] & PC_LOOPBACK || e1000_get(e, RCTL) & RCTL_LBM;
}

/* ---- the EEPROM (5.6) ---- */

static void fill_eeprom(struct e1000 *e)
{
	uint16_t *w = e->eeprom.word, sum = 0;

	for (unsigned i = 0; i < EEPROM93_WORDS; i++)
		w[i] = 0xffff;
	for (unsigned i = 0; i < 3; i++)
		w[i] = pci_get16(e->mac + 2 * i);
	w[0x03] = 0;      /* compatibility */
	w[0x08] = 0x3000; /* the board's number */
	w[0x09] = 0x1000;
	w[0x0a] = 0x6403; /* IDs below are loaded; no power management */
	w[0x0b] = SUBSYS_DEVICE;
	w[0x0c] = SUBSYS_VENDOR;
	w[0x0d] = DEVICE_ID;
	w[0x0e] = 0x8086;
	w[0x0f] = 0x3040;
	w[0x21] = 0x7862;
	w[0x24] = 0;
	for (unsigned i = 0; i < 0x3f; i++)
		sum = (uint16_t)(sum + w[i]);
	w[0x3f] = (uint16_t)(0xbaba - sum);
}

static uint32_t eecd_read(const struct e1000 *e)
{
	return e1000_get(e, EECD) | EECD_PRES | (eeprom93_out(&e->eeprom) ? EECD_DO : 0);
}

static void eecd_write(struct e1000 *e, uint32_t val)
{
	uint32_t keep = val & (EECD_SK | EECD_CS | EECD_DI | 0x30 | EECD_REQ);

	*e1000_reg(e, EECD) = keep | (val & EECD_REQ ? EECD_GNT : 0);
	eeprom93_pins(&e->eeprom, val & EECD_CS, val & EECD_SK, val & EECD_DI);
}

static void eerd_write(struct e1000 *e, uint32_t val)
{
	unsigned addr = val >> 8 & 0xff;

	*e1000_reg(e, EERD) = val & 0xff00;
	if (val & EERD_START)
		*e1000_reg(e, EERD) |=
		    EERD_DONE | (addr < EEPROM93_WORDS ? (uint32_t)e->eeprom.word[addr] << 16 : 0);
}

/* ---- registers ---- */

/* What software may write of registers that do nothing but keep it. */
static uint32_t plain_mask(unsigned off)
{
	switch (off) {
	case CTRL_EXT:
	case FCAL:
	case TIPG:
	case LEDCTL:
	case RDBAH:
	case TDBAH:
	case TXCW:
	case RXDCTL:
	case TXDCTL:
	case RXCSUM:
	case TSPMT:
	case WUC:
	case WUFC:
	case MANC:
	case TCTL:
		return ~0u;
	case FCAH:
	case FCT:
	case VET:
	case ITR:
	case FCTTV:
	case AIT:
	case PBA:
	case FCRTL:
	case FCRTH:
	case RDH:
	case TDH:
	case RDTR:
	case RADV:
	case TIDV:
	case TADV:
	case RSRPD:
		return 0xffff;
	case RDBAL:
	case TDBAL:
		return ~15u;
	case RDLEN:
	case TDLEN:
		return 0xfff80;
	}
	if ((off >= MTA && off < MTA + 4 * MTA_WORDS) ||
	    (off >= VFTA && off < VFTA + 4 * VFTA_WORDS) ||
	    (off >= RA && off < RA + 8 * RA_ENTRIES))
		return ~0u;
	return 0;
}

static void mac_reset(struct e1000 *e)
{
	timer_cancel(&e->throttle);
	memset(e->reg, 0, sizeof(e->reg));
	*e1000_reg(e, CTRL) = CTRL_SLU | 0x00040201; /* full duplex, 1000 Mb/s */
	*e1000_reg(e, PBA) = 0x00100030;
	*e1000_reg(e, LEDCTL) = 0x00000602;
	*e1000_reg(e, TXCW) = 0;
	*e1000_reg(e, VET) = 0x8100;
	*e1000_reg(e, RA) = pci_get32(e->mac);
	*e1000_reg(e, RA + 4) = RAH_AV | pci_get16(e->mac + 4);
	memset(e->tx_context, 0, sizeof(e->tx_context));
	e->tx_len = 0;
	e->tx_popts = e->tx_tse = e->tx_too_long = 0;
	e->next_irq = 0;
	update_link(e);
	update_irq(e);
}

static void ctrl_write(struct e1000 *e, uint32_t val)
{
	if (val & CTRL_RST) {
		mac_reset(e);
		net_purge(&e->end);
		return;
	}
	*e1000_reg(e, CTRL) = val & ~CTRL_PHY_RST;
	if (val & CTRL_PHY_RST) {
		phy_reset(e);
		update_link(e);
	}
	if (val & CTRL_SLU)
		update_link(e);
}

static uint32_t reg_read(struct e1000 *e, unsigned off)
{
	uint32_t v;

	if (off >= 4 * E1000_REGS)
		return 0;
	if (off >= STATS && off < STATS_END)
		return read_stat(e, off);
	switch (off) {
	case ICR:
		v = e1000_get(e, ICR);
		*e1000_reg(e, ICR) = 0;
		update_irq(e);
		return v;
	case EECD:
		return eecd_read(e);
	}
	return e1000_get(e, off);
}

static void reg_write(struct e1000 *e, unsigned off, uint32_t val)
{
	uint32_t mask;

	if (off >= 4 * E1000_REGS)
		return;
	switch (off) {
	case CTRL:
	case CTRL + 4:
		ctrl_write(e, val);
		return;
	case EECD:
		eecd_write(e, val);
		return;
	case EERD:
		eerd_write(e, val);
		return;
	case MDIC:
		mdic_write(e, val);
		return;
	case ICR:
		*e1000_reg(e, ICR) &= ~val;
		update_irq(e);
		return;
	case ICS:
		e1000_interrupt(e, val & 0xffff);
		return;
	case IMS:
		*e1000_reg(e, IMS) |= val & 0x1ffff;
		update_irq(e);
		return;
	case IMC:
		*e1000_reg(e, IMS) &= ~val;
		update_irq(e);
		return;
	case RCTL:
		*e1000_reg(e, RCTL) = val;
		if (val & RCTL_EN)
			net_flush(&e->end);
		else
			net_purge(&e->end);
		return;
	case RDT:
		*e1000_reg(e, RDT) = val & 0xffff;
		net_flush(&e->end);
		return;
	case TDT:
		*e1000_reg(e, TDT) = val & 0xffff;
		e1000_send(e);
		return;
	}
	mask = plain_mask(off);
	*e1000_reg(e, off) = (e1000_get(e, off) & ~mask) | (val & mask);
	if (off == TCTL && val & TCTL_EN)
		e1000_send(e);
}

static uint64_t mem_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return reg_read(dev, (unsigned)off & ~3u);
}

static void mem_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	reg_write(dev, (unsigned)off & ~3u, (uint32_t)val);
}

/* Registers by an address and a data port (13.2.2). */
static uint64_t io_read(void *dev, uint64_t off, unsigned size)
{
	struct e1000 *e = dev;

	(void)size;
	return off < 4 ? e->io_addr : off < 8 ? reg_read(e, e->io_addr & ~3u) : 0;
}

static void io_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct e1000 *e = dev;

	(void)size;
	if (off < 4)
		e->io_addr = (uint32_t)val & (MEM_LEN - 1);
	else if (off < 8)
		reg_write(e, e->io_addr & ~3u, (uint32_t)val);
}

static const struct mmio_ops mem_ops = {mem_read, mem_write, 4, 4};
static const struct mmio_ops io_ops = {io_read, io_write, 4, 4};

/* ---- the link ---- */

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	(void)o;
	return e1000_receive(self, iov, nr);
}

static bool can_receive(void *self)
{
	return e1000_can_receive(self);
}

static void ready(void *self)
{
	e1000_send(self);
}

static void link_changed(void *self)
{
	struct e1000 *e = self;

	update_link(e);
	e1000_interrupt(e, ICR_LSC);
}

const struct net_end_ops e1000_end_ops = {
    .receive = receive,
    .can_receive = can_receive,
    .ready = ready,
    .link_changed = link_changed,
    .pad = true,
};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_ARRAY(e1000, reg, 0),
    FIELD_ARRAY(e1000, phy, 0),
    EEPROM93_FIELDS(e1000, eeprom),
    FIELD(e1000, io_addr, 0),
    FIELD(e1000, next_irq, 0),
    FIELD(e1000, irq, 0),
    FIELD_EACH(e1000, tx_context, ipcss, 0),
    FIELD_EACH(e1000, tx_context, ipcso, 0),
    FIELD_EACH(e1000, tx_context, tucss, 0),
    FIELD_EACH(e1000, tx_context, tucso, 0),
    FIELD_EACH(e1000, tx_context, ipcse, 0),
    FIELD_EACH(e1000, tx_context, tucse, 0),
    FIELD_EACH(e1000, tx_context, mss, 0),
    FIELD_EACH(e1000, tx_context, tucmd, 0),
    FIELD_EACH(e1000, tx_context, hdr_len, 0),
    FIELD(e1000, tx_len, 0),
    FIELD(e1000, tx_popts, 0),
    FIELD(e1000, tx_tse, 0),
    FIELD(e1000, tx_too_long, 0),
    FIELD_ARRAY(e1000, tx, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct e1000 *e = state;

	fill_eeprom(e);
	phy_reset(e);
	mac_reset(e);
	net_purge(&e->end);
}

static void tame(void *state)
{
	struct e1000 *e = state;

	if (e->tx_len > sizeof(e->tx))
		e->tx_len = 0;
	e->irq &= 1;
	*e1000_reg(e, RDLEN) &= 0xfff80;
	*e1000_reg(e, TDLEN) &= 0xfff80;
	*e1000_reg(e, RDH) &= 0xffff;
	*e1000_reg(e, TDH) &= 0xffff;
	/* The guest's clock does not run backwards: no interrupt is further away than this. */
	if (e->next_irq > clock_now(e->clock) + 0x10000 * ITR_NS)
		e->next_irq = 0;
}

static void loaded(void *state)
{
	struct e1000 *e = state;

	update_link(e);
	update_irq(e);
	net_flush(&e->end);
}

void e1000_init(struct e1000 *e, struct clock *clock)
{
	struct pci_func *f = &e->func;

	e->clock = clock;
	timer_init(&e->throttle, clock, throttle_over, e);
	pci_func_init(f, "e1000", 0x8086, DEVICE_ID, 0x0200, 1);
	f->start[PCI_REVISION] = 3;
	pci_set16(f->start + PCI_SUBSYS_VENDOR, SUBSYS_VENDOR);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, SUBSYS_DEVICE);
	pci_func_bar(f, BAR_MEM, PCI_BAR_MEM32, MEM_LEN, &mem_ops, e, "e1000");
	pci_func_bar(f, BAR_IO, PCI_BAR_IO, IO_LEN, &io_ops, e, "e1000-io");
	device_init(&e->state, f->state_name, fields, e);
	e->state.reset_done = reset_done;
	e->state.tame = tame;
	e->state.loaded = loaded;
}

void e1000_fini(struct e1000 *e)
{
	timer_cancel(&e->throttle);
	net_end_fini(&e->end);
}

/* ---- -device e1000 ---- */

static const struct prop props[] = {NET_PROPS, {0}};

static void destroy(void *self)
{
	e1000_fini(self);
	free(self);
}

static void init(void *self, const struct device_args *args)
{
	e1000_init(self, args->env->clock);
}

static const struct net_nic nic = {NET_NIC(e1000), .ops = &e1000_end_ops, .init = init};

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return net_nic_create(self, &nic, args, err, errlen);
}

const struct device_type e1000_type = {
    .name = "e1000",
    .bus = "PCI",
    .rom = "efi-e1000.rom",
    .boot_name = "ethernet",
    .boot_unit = "/ethernet-phy@0",
    .desc = "Intel 82540EM Gigabit Ethernet card",
    .props = props,
    .create = create,
    .destroy = destroy,
    .unplug = pci_unplug,
};
