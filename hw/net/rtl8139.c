/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the RTL8139C+, and its life. Registers may be accessed in any width: a write first changes
 * bytes, each as far as it is writable, and then has its effects.
 */
#include "hw/net/rtl8139.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/net/rtl8139_impl.h"

enum { BAR_IO = 0, BAR_MEM = 1 };
/* The version that says C+. */
#define TCR_VERSION  0x74800000u
#define TCR_WRITABLE 0x030707f0u
#define TIMER_HZ     33000000ull
enum {
	EEM_MASK = 0xc0,
	EEM_PROGRAM = 0x80,
	EEM_WRITE = 0xc0,
	EE_CS = 8,
	EE_SK = 4,
	EE_DI = 2,
	EE_DO = 1
};
enum { TPPOLL_HIGH = 0x80, TPPOLL_NORMAL = 0x40, TPPOLL_SOFT = 1 };
enum {
	BMCR_RESET = 0x8000,
	BMCR_RESTART = 0x0200,
	BMSR_BASE = 0x7809,
	BMSR_UP = 0x24,
	MSR_LINK_DOWN = 4
};
enum { TSD_OWN_BYTE = 0x20, CAPR_START = 0xfff0 };

/* ---- interrupts and the timer ---- */

static void update_irq(struct rtl8139 *r)
{
	pci_set_intx(&r->func, (rtl8139_get16(r, ISR) & rtl8139_get16(r, IMR)) != 0);
}

void rtl8139_interrupt(struct rtl8139 *r, uint16_t causes)
{
	pci_set16(r->reg + ISR, rtl8139_get16(r, ISR) | causes);
	update_irq(r);
}

static uint64_t ticks(const struct rtl8139 *r)
{
	return muldiv64(clock_now(r->clock) - r->timer_base, TIMER_HZ, NSEC_PER_SEC);
}

/* The next time that TCTR has the value of TimerInt; 0 there switches that off. */
static void arm_timer(struct rtl8139 *r)
{
	uint64_t now = ticks(r);
	uint32_t until = rtl8139_get32(r, TIMER_INT) - (uint32_t)now;

	if (!rtl8139_get32(r, TIMER_INT)) {
		timer_cancel(&r->timer);
		return;
	}
	timer_arm(&r->timer,
		  r->timer_base +
		      muldiv64(now + (until ? until : 1ull << 32), NSEC_PER_SEC, TIMER_HZ) + 1);
}

static void timer_fires(void *opaque)
{
	struct rtl8139 *r = opaque;

	arm_timer(r);
	rtl8139_interrupt(r, INT_TIMEOUT);
}

/* ---- reset and link ---- */

static void update_link(struct rtl8139 *r)
{
	bool up = net_link_up(&r->end);

	pci_set16(r->reg + BMSR, BMSR_BASE | (up ? BMSR_UP : 0));
	pci_set16(r->reg + ANLPAR, up ? 0x45e1 : 0);
	pci_set16(r->reg + ANER, up ? 1 : 0);
	r->reg[MSR] = up ? 0 : MSR_LINK_DOWN;
}

static void phy_reset(struct rtl8139 *r)
{
	pci_set16(r->reg + BMCR, 0x3100); /* 100 Mb/s, negotiated, full duplex */
	pci_set16(r->reg + ANAR, 0x05e1);
	update_link(r);
}

static void reset_desc(struct rtl8139 *r)
{
	r->tx_desc = r->rx_desc = 0;
	r->tx_len = 0;
	r->tx_too_long = 0;
}

/* Software reset (CR.RST): addresses, filters and the configuration stay. */
static void soft_reset(struct rtl8139 *r)
{
	r->reg[CR] = 0;
	memset(r->reg + TSD0, 0, RBSTART - TSD0);
	for (unsigned n = 0; n < 4; n++)
		r->reg[TSD0 + 4 * n + 1] = TSD_OWN_BYTE;
	pci_set32(r->reg + RBSTART, 0);
	pci_set16(r->reg + CAPR, CAPR_START);
	pci_set16(r->reg + IMR, 0);
	pci_set16(r->reg + ISR, 0);
	pci_set32(r->reg + TCR, TCR_VERSION | 0x03000000);
	pci_set32(r->reg + RCR, 0);
	pci_set32(r->reg + TIMER_INT, 0);
	pci_set16(r->reg + CPCR, 0);
	r->cbr = 0;
	r->missed = 0;
	r->timer_base = clock_now(r->clock);
	timer_cancel(&r->timer);
	reset_desc(r);
	phy_reset(r);
	update_irq(r);
}

/* What the EEPROM has for the registers. */
static void autoload(struct rtl8139 *r)
{
	for (unsigned i = 0; i < NET_MAC_LEN; i++)
		r->reg[IDR0 + i] = (uint8_t)(r->eeprom.word[7 + i / 2] >> i % 2 * 8);
}

static void fill_eeprom(struct rtl8139 *r)
{
	uint16_t *w = r->eeprom.word;

	memset(w, 0, sizeof(r->eeprom.word));
	w[0] = 0x8129; /* it is valid */
	w[1] = 0x10ec;
	w[2] = 0x8139;
	w[3] = 0x1af4;
	w[4] = 0x1100;
	for (unsigned i = 0; i < 3; i++)
		w[7 + i] = pci_get16(r->mac + 2 * i);
}

/* ---- registers ---- */

/* What software may write of a byte. */
static uint8_t writable(const struct rtl8139 *r, unsigned off)
{
	static const struct {
		uint8_t first, last, mask;
	} plain[] = {
	    {IDR0, IDR0 + 5, 0xff},     {MAR0, MAR0 + 7, 0xff},
	    {TSAD0, TSAD0 + 15, 0xff},  {RBSTART, RBSTART + 3, 0xff},
	    {CR, CR, CR_TE | CR_RE},    {CAPR, CAPR + 1, 0xff},
	    {IMR, IMR + 1, 0xff},       {RCR, RCR + 1, 0xff},
	    {RCR + 2, RCR + 2, 0x03},   {RCR + 3, RCR + 3, 0x0f},
	    {CR9346, CR9346, 0xce},     {TIMER_INT, TIMER_INT + 3, 0xff},
	    {ANAR, ANAR + 1, 0xff},     {BMCR, BMCR, 0x00},
	    {BMCR + 1, BMCR + 1, 0x31}, {CPCR, CPCR, 0x7b},
	    {RDSAR, RDSAR + 7, 0xff},
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (off >= plain[i].first && off <= plain[i].last)
			return plain[i].mask;
	if (off >= TCR && off < TCR + 4)
		return (uint8_t)(TCR_WRITABLE >> 8 * (off - TCR));
	if ((off == CONFIG1 || off == CONFIG3 || off == CONFIG4 || off == CONFIG5) &&
	    (r->reg[CR9346] & EEM_MASK) == EEM_WRITE)
		return off == CONFIG1 ? 0xf3 : off == CONFIG3 ? 0x65 : 0xff;
	return 0;
}

static void write_byte(struct rtl8139 *r, unsigned off, uint8_t val)
{
	uint8_t mask = writable(r, off);

	if (off == ISR || off == ISR + 1) {
		r->reg[off] &= (uint8_t)~val;
	} else if (off >= TSD0 && off < TSD0 + 16) {
		static const uint8_t tsd[4] = {0xff, 0x3f, 0x3f, 0};

		r->reg[off] = val & tsd[off % 4];
	} else {
		r->reg[off] = (uint8_t)((r->reg[off] & ~mask) | (val & mask));
	}
}

static void cr_written(struct rtl8139 *r, uint8_t old, uint8_t val)
{
	if (val & CR_RST) {
		soft_reset(r);
		net_purge(&r->end);
		return;
	}
	if (val & ~old & CR_TE)
		r->tx_desc = 0;
	if (val & ~old & CR_RE)
		r->rx_desc = 0;
	if (val & CR_RE)
		net_flush(&r->end);
	else
		net_purge(&r->end);
}

static void cr9346_written(struct rtl8139 *r)
{
	uint8_t v = r->reg[CR9346];

	if ((v & EEM_MASK) == EEM_PROGRAM) {
		eeprom93_pins(&r->eeprom, v & EE_CS, v & EE_SK, v & EE_DI);
	} else if ((v & EEM_MASK) == 0x40) {
		autoload(r);
		r->reg[CR9346] = 0;
	}
}

static void poll(struct rtl8139 *r, uint8_t val)
{
	if (val & (TPPOLL_NORMAL | TPPOLL_HIGH))
		rtl8139_send_ring(r);
	if (val & TPPOLL_SOFT)
		rtl8139_interrupt(r, INT_SOFT);
}

static void reg_write(void *dev, uint64_t off64, uint64_t val, unsigned size)
{
	struct rtl8139 *r = dev;
	unsigned off = (unsigned)off64, end = off + size;
	uint8_t old_cr = r->reg[CR];
#define TOUCHED(reg, len) (off < (reg) + (len) && end > (reg))
#define BYTE(at)          ((uint8_t)(val >> 8 * ((at)-off)))

	for (unsigned i = 0; i < size; i++)
		write_byte(r, off + i, (uint8_t)(val >> 8 * i));
	if (TOUCHED(CR, 1u))
		cr_written(r, old_cr, BYTE(CR));
	for (unsigned n = 0; n < 4; n++)
		if (TOUCHED(TSD0 + 4 * n + 1, 1u) && !(r->reg[TSD0 + 4 * n + 1] & TSD_OWN_BYTE))
			rtl8139_send(r, n);
	if (TOUCHED(IMR, 4u))
		update_irq(r);
	if (TOUCHED(CAPR, 2u) || TOUCHED(RCR, 4u) || TOUCHED(CPCR, 1u) || TOUCHED(IMR, 4u))
		net_flush(&r->end);
	if (TOUCHED(TCTR, 4u)) {
		r->timer_base = clock_now(r->clock);
		arm_timer(r);
	}
	if (TOUCHED(TIMER_INT, 4u))
		arm_timer(r);
	if (TOUCHED(MPC, 4u))
		r->missed = 0;
	if (TOUCHED(CR9346, 1u))
		cr9346_written(r);
	if (TOUCHED(TPPOLL, 1u))
		poll(r, BYTE(TPPOLL));
	if (TOUCHED(BMCR + 1u, 1u) && BYTE(BMCR + 1u) & BMCR_RESET >> 8)
		phy_reset(r);
#undef TOUCHED
#undef BYTE
}

/* Bits of the four transmit registers, side by side. */
static uint16_t tsad(const struct rtl8139 *r)
{
	uint16_t v = 0;

	for (unsigned n = 0; n < 4; n++) {
		uint8_t b = r->reg[TSD0 + 4 * n + 1];

		v |= (uint16_t)((b >> 5 & 1) << n | (b >> 6 & 1) << (8 + n) | (b >> 7) << (12 + n));
	}
	return v;
}

/* Brings registers up to date that are not just kept. */
static void refresh(struct rtl8139 *r)
{
	uint8_t ee = r->reg[CR9346] & (uint8_t)~EE_DO;

	r->reg[CR] = (uint8_t)((r->reg[CR] & ~CR_BUFE) | rtl8139_buffer_empty(r));
	pci_set16(r->reg + CBR, r->cbr);
	pci_set32(r->reg + TCTR, (uint32_t)ticks(r));
	pci_set32(r->reg + MPC, r->missed & 0xffffff);
	pci_set16(r->reg + TSAD, tsad(r));
	r->reg[CR9346] = (uint8_t)(ee | (eeprom93_out(&r->eeprom) ? EE_DO : 0));
}

static uint64_t reg_read(void *dev, uint64_t off, unsigned size)
{
	struct rtl8139 *r = dev;
	uint64_t v = 0;

	refresh(r);
	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)r->reg[off + i] << 8 * i;
	return v;
}

static const struct mmio_ops ops = {reg_read, reg_write, 1, 4};

/* ---- the link ---- */

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	(void)o;
	return rtl8139_receive(self, iov, nr);
}

static bool can_receive(void *self)
{
	return rtl8139_can_receive(self);
}

static void ready(void *self)
{
	rtl8139_send_ring(self);
}

static void link_changed(void *self)
{
	struct rtl8139 *r = self;

	update_link(r);
	rtl8139_interrupt(r, INT_LINK);
}

const struct net_end_ops rtl8139_end_ops = {
    .receive = receive,
    .can_receive = can_receive,
    .ready = ready,
    .link_changed = link_changed,
    .pad = true,
};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_ARRAY(rtl8139, reg, 0),
    EEPROM93_FIELDS(rtl8139, eeprom),
    FIELD(rtl8139, timer_base, 0),
    FIELD(rtl8139, cbr, 0),
    FIELD(rtl8139, rx_desc, 0),
    FIELD(rtl8139, tx_desc, 0),
    FIELD(rtl8139, missed, 0),
    FIELD(rtl8139, tx_len, 0),
    FIELD(rtl8139, tx_too_long, 0),
    FIELD_ARRAY(rtl8139, tx, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct rtl8139 *r = state;

	fill_eeprom(r);
	r->reg[CONFIG1] = 0x0c;
	r->reg[CONFIG3] = 0x01;
	autoload(r);
	soft_reset(r);
	net_purge(&r->end);
}

static void tame(void *state)
{
	struct rtl8139 *r = state;

	r->rx_desc %= DESCS;
	r->tx_desc %= DESCS;
	if (r->tx_len > sizeof(r->tx) - VLAN_LEN)
		r->tx_len = 0;
	if (r->timer_base > clock_now(r->clock))
		r->timer_base = clock_now(r->clock);
}

static void loaded(void *state)
{
	struct rtl8139 *r = state;

	update_link(r);
	update_irq(r);
	arm_timer(r);
	net_flush(&r->end);
	/* What a link that was busy had to leave; this one has refused nothing, so it will not ask. */
	rtl8139_send_ring(r);
}

void rtl8139_init(struct rtl8139 *r, struct clock *clock)
{
	struct pci_func *f = &r->func;

	r->clock = clock;
	/* The chip looks at its descriptor whenever a frame comes. */
	net_ask_again(&r->end, clock);
	timer_init(&r->timer, clock, timer_fires, r);
	pci_func_init(f, "rtl8139", 0x10ec, 0x8139, 0x0200, 1);
	f->start[PCI_REVISION] = 0x20;
	pci_set16(f->start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_func_bar(f, BAR_IO, PCI_BAR_IO, RTL8139_REGS, &ops, r, "rtl8139-io");
	pci_func_bar(f, BAR_MEM, PCI_BAR_MEM32, RTL8139_REGS, &ops, r, "rtl8139");
	device_init(&r->state, f->state_name, fields, r);
	r->state.reset_done = reset_done;
	r->state.tame = tame;
	r->state.loaded = loaded;
}

void rtl8139_fini(struct rtl8139 *r)
{
	timer_cancel(&r->timer);
	net_end_fini(&r->end);
}

/* ---- -device rtl8139 ---- */

static const struct prop props[] = {NET_PROPS, {0}};

static void destroy(void *self)
{
	rtl8139_fini(self);
	free(self);
}

static void init(void *self, const struct device_args *args)
{
	rtl8139_init(self, args->env->clock);
}

static const struct net_nic nic = {NET_NIC(rtl8139), .ops = &rtl8139_end_ops, .init = init};

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	return net_nic_create(self, &nic, args, err, errlen);
}

const struct device_type rtl8139_type = {
    .name = "rtl8139",
    .bus = "PCI",
    .rom = "efi-rtl8139.rom",
    .boot_name = "ethernet",
    .boot_unit = "/ethernet-phy@0",
    .desc = "Realtek RTL8139C+ Fast Ethernet card",
    .props = props,
    .create = create,
    .destroy = destroy,
};
