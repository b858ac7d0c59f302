/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the 82540EM (chapter 13), interrupts, and its life.
 */
#include "hw/net/e1000.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/net/e1000_impl.h"

enum { BAR_MEM = 0, BAR_IO = 1, MEM_LEN = 0x20000, IO_LEN = 0x40 };

#define CTRL_SLU     (1u << 6)
#define CTRL_RST     (1u << 26)
#define CTRL_PHY_RST (1u << 31)
#define RAH_AV       (1u << 31)
enum { ITR_NS = 256 };

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
	timer_cancel(&e->more);
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
	e1000_update_link(e);
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
		e1000_phy_reset(e);
		e1000_update_link(e);
	}
	if (val & CTRL_SLU)
		e1000_update_link(e);
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
		return e1000_eecd_read(e);
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
		e1000_eecd_write(e, val);
		return;
	case EERD:
		e1000_eerd_write(e, val);
		return;
	case MDIC:
		e1000_mdic_write(e, val);
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

	e1000_update_link(e);
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

	e1000_fill_eeprom(e);
	e1000_phy_reset(e);
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

	e1000_update_link(e);
	update_irq(e);
	net_flush(&e->end);
	/* What a link that was busy had to leave; this one has refused nothing, so it will not ask. */
	e1000_send(e);
}

void e1000_init(struct e1000 *e, struct clock *clock)
{
	struct pci_func *f = &e->func;

	e->clock = clock;
	timer_init(&e->throttle, clock, throttle_over, e);
	timer_init(&e->more, clock, ready, e);
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
	timer_cancel(&e->more);
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
