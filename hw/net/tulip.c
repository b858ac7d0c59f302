/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of the 21143 and the 21140 (3.2), and its life.
 */
#include "hw/net/tulip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/net/tulip_impl.h"

enum { BAR_IO = 0, BAR_MEM = 1, BAR_LEN = 128, CSR_STRIDE = 8, CFDD = 0x40 };
enum { ID_21143 = 0x0019, ID_21140 = 0x0009 };
enum { BUS_SWR = 1, TIMER_NS = 81920 };
#define TIMER_CON  (1u << 16)
#define DESC_END   (1u << 25)
#define DESC_CHAIN (1u << 24)
#define NORMAL     (ST_TI | ST_TU | ST_RI | ST_GTE)
#define ABNORMAL   (ST_TPS | ST_RU | ST_RPS | ST_FBE | 0x0000c238u)
#define CLEARED    0x0001ffffu /* by writing 1s */
/* Of the two processes (CSR5): stopped, suspended, or waiting for a frame. */
#define RS_SHIFT 17
#define TS_SHIFT 20
enum { STOPPED = 0, RX_WAITING = 3, RX_SUSPENDED = 4, TX_SUSPENDED = 6 };

/* ---- status and interrupts ---- */

static void update_irq(struct tulip *t)
{
	uint32_t *st = &t->csr[5], on = *st & t->csr[7];

	*st &= ~(uint32_t)(ST_NIS | ST_AIS);
	*st |= (on & NORMAL ? ST_NIS : 0) | (on & ABNORMAL ? ST_AIS : 0);
	pci_set_intx(&t->func, (*st & t->csr[7] & (ST_NIS | ST_AIS)) != 0);
}

static void set_processes(struct tulip *t)
{
	uint32_t rs = STOPPED, ts = t->csr[6] & OP_ST ? TX_SUSPENDED : STOPPED;

	if (t->csr[6] & OP_SR)
		rs = t->csr[5] & ST_RU ? RX_SUSPENDED : RX_WAITING;
	t->csr[5] = (t->csr[5] & ~(63u << RS_SHIFT)) | rs << RS_SHIFT | ts << TS_SHIFT;
}

void tulip_status(struct tulip *t, uint32_t bits)
{
	t->csr[5] |= bits;
	set_processes(t);
	update_irq(t);
}

uint64_t tulip_next_desc(const struct tulip *t, uint64_t at, uint32_t word1, uint32_t word3,
			 uint32_t base)
{
	if (word1 & DESC_END)
		return base & ~3u;
	if (word1 & DESC_CHAIN)
		return word3 & ~3u;
	return (uint32_t)(at + DESC_LEN + (t->csr[0] >> 2 & 31) * 4);
}

/* ---- the timer (CSR11) ---- */

static void arm_timer(struct tulip *t)
{
	uint32_t n = t->csr[11] & 0xffff;

	if (n)
		timer_arm(&t->timer, clock_now(t->clock) + (uint64_t)n * TIMER_NS);
	else
		timer_cancel(&t->timer);
}

static void timer_fires(void *opaque)
{
	struct tulip *t = opaque;

	if (t->csr[11] & TIMER_CON)
		arm_timer(t);
	tulip_status(t, ST_GTE);
}

/* ---- registers ---- */

static void soft_reset(struct tulip *t)
{
	static const uint32_t start[TULIP_CSRS] = {
	    [0] = 0xfe000000,  [1] = 0xffffffff,  [2] = 0xffffffff,  [5] = 0xfc000000,
	    [6] = 0x32000040,  [7] = 0xf3fe0000,  [8] = 0xe0000000,  [9] = 0xfff483ff,
	    [11] = 0xfffe0000, [12] = 0x000000c6, [13] = 0xffff0000, [14] = 0xffffffff,
	    [15] = 0x8ff00000,
	};

	memcpy(t->csr, start, sizeof(t->csr));
	timer_cancel(&t->timer);
	memset(t->setup, 0, sizeof(t->setup));
	t->hash_only = t->inverse = t->hash_perfect = 0;
	t->rx_desc = t->tx_desc = 0;
	t->tx_len = 0;
	t->tx_too_long = 0;
	update_irq(t);
}

static void mode_write(struct tulip *t, uint32_t val)
{
	uint32_t old = t->csr[6], bits = 0;

	t->csr[6] = val;
	if (old & OP_ST && !(val & OP_ST))
		bits |= ST_TPS;
	if (old & OP_SR && !(val & OP_SR))
		bits |= ST_RPS;
	if (val & OP_SR)
		t->csr[5] &= ~(uint32_t)ST_RPS;
	tulip_status(t, bits);
	if (val & OP_SR)
		net_flush(&t->end);
	else
		net_purge(&t->end);
	tulip_send(t);
}

static void csr_write(struct tulip *t, unsigned n, uint32_t val)
{
	switch (n) {
	case 0:
		if (val & BUS_SWR) {
			soft_reset(t);
			net_purge(&t->end);
		} else {
			t->csr[0] = val;
		}
		break;
	case 1:
		tulip_send(t);
		break;
	case 2:
		/* The receive process looks at its descriptor again. */
		if (t->csr[6] & OP_SR)
			net_flush(&t->end);
		break;
	case 3:
		t->csr[3] = val & ~3u;
		t->rx_desc = t->csr[3];
		break;
	case 4:
		t->csr[4] = val & ~3u;
		t->tx_desc = t->csr[4];
		break;
	case 5:
		t->csr[5] &= ~(val & CLEARED);
		set_processes(t);
		update_irq(t);
		break;
	case 6:
		mode_write(t, val);
		break;
	case 7:
		t->csr[7] = val;
		update_irq(t);
		break;
	case 9:
		tulip_csr9_write(t, val);
		break;
	case 11:
		t->csr[11] = val;
		arm_timer(t);
		break;
	case 10:
	case 12:
	case 13:
	case 14:
	case 15:
		t->csr[n] = val;
		break;
	}
}

static uint64_t reg_read(void *dev, uint64_t off, unsigned size)
{
	struct tulip *t = dev;
	unsigned n = (unsigned)off / CSR_STRIDE;

	(void)size;
	if (off % CSR_STRIDE)
		return 0;
	return n == 9 ? tulip_csr9_read(t) : t->csr[n];
}

static void reg_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	if (off % CSR_STRIDE == 0)
		csr_write(dev, (unsigned)off / CSR_STRIDE, (uint32_t)val);
}

static const struct mmio_ops ops = {reg_read, reg_write, 4, 4};

/* ---- the link ---- */

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	(void)o;
	return tulip_receive(self, iov, nr);
}

static bool can_receive(void *self)
{
	return tulip_can_receive(self);
}

static void ready(void *self)
{
	tulip_send(self);
}

static void link_changed(void *self)
{
	struct tulip *t = self;

	tulip_mii_link(t, net_link_up(&t->end));
}

const struct net_end_ops tulip_end_ops = {
    .receive = receive,
    .can_receive = can_receive,
    .ready = ready,
    .link_changed = link_changed,
    .pad = true,
};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_ARRAY(tulip, csr, 0),   EEPROM93_FIELDS(tulip, eeprom), FIELD(tulip, rx_desc, 0),
    FIELD(tulip, tx_desc, 0),     FIELD_ARRAY(tulip, setup, 0),   FIELD(tulip, hash_only, 0),
    FIELD(tulip, inverse, 0),     FIELD(tulip, hash_perfect, 0),  FIELD(tulip, mii_in, 0),
    FIELD(tulip, mii_out, 0),     FIELD(tulip, mii_count, 0),     FIELD(tulip, mii_reading, 0),
    FIELD(tulip, mii_clock, 0),   FIELD_ARRAY(tulip, mii, 0),     FIELD(tulip, tx_len, 0),
    FIELD(tulip, tx_too_long, 0), FIELD_ARRAY(tulip, tx, 0),      FIELD_END,
};

static bool is_21140(const struct tulip *t)
{
	return pci_get16(t->func.start + PCI_DEVICE) == ID_21140;
}

static void reset_done(void *state)
{
	struct tulip *t = state;

	tulip_fill_srom(t, is_21140(t));
	tulip_mii_reset(t);
	soft_reset(t);
	net_purge(&t->end);
}

static void tame(void *state)
{
	struct tulip *t = state;

	if (t->tx_len > sizeof(t->tx))
		t->tx_len = 0;
	t->mii_count %= 32;
	t->mii_reading %= 32;
	t->mii_clock &= 1;
	t->hash_only &= 1;
	t->inverse &= 1;
	t->hash_perfect &= 1;
}

static void loaded(void *state)
{
	struct tulip *t = state;

	tulip_mii_link(t, net_link_up(&t->end));
	update_irq(t);
	arm_timer(t);
	net_flush(&t->end);
	/* What a link that was busy had to leave; this one has refused nothing, so it will not ask. */
	tulip_send(t);
}

void tulip_init(struct tulip *t, struct clock *clock, bool as_21140)
{
	struct pci_func *f = &t->func;

	t->clock = clock;
	/* A suspended receive process looks at its descriptor at the next frame, too (4.3.5). */
	net_ask_again(&t->end, clock);
	timer_init(&t->timer, clock, timer_fires, t);
	pci_func_init(f, "tulip", 0x1011, as_21140 ? ID_21140 : ID_21143, 0x0200, 1);
	f->start[PCI_REVISION] = as_21140 ? 0x20 : 0x41;
	/* Those of Virtual PC and Hyper-V; of a card by HP. */
	pci_set16(f->start + PCI_SUBSYS_VENDOR, as_21140 ? 0x0a00 : 0x103c);
	pci_set16(f->start + PCI_SUBSYS_DEVICE, as_21140 ? 0x2114 : 0x104f);
	f->wmask[CFDD + 1] = 0xff;
	f->wmask[CFDD + 3] = 0xc0;
	pci_func_bar(f, BAR_IO, PCI_BAR_IO, BAR_LEN, &ops, t, "tulip-io");
	pci_func_bar(f, BAR_MEM, PCI_BAR_MEM32, BAR_LEN, &ops, t, "tulip");
	device_init(&t->state, f->state_name, fields, t);
	t->state.reset_done = reset_done;
	t->state.tame = tame;
	t->state.loaded = loaded;
}

void tulip_fini(struct tulip *t)
{
	timer_cancel(&t->timer);
	net_end_fini(&t->end);
}

/* ---- -device tulip ---- */

static const struct prop props[] = {
    NET_PROPS,
    {"chip", PROP_STR, "21143, or 21140 as Hyper-V's machines of generation 1 have", "21143", 0,
     false},
    {0},
};

static void destroy(void *self)
{
	tulip_fini(self);
	free(self);
}

static void init(void *self, const struct device_args *args)
{
	tulip_init(self, args->env->clock, strcmp(arg_str(args, "chip"), "21140") == 0);
}

static const struct net_nic nic = {NET_NIC(tulip), .ops = &tulip_end_ops, .init = init};

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	const char *chip = arg_str(args, "chip");

	if (strcmp(chip, "21140") != 0 && strcmp(chip, "21143") != 0) {
		snprintf(err, errlen, "-device tulip: chip=%s is neither 21143 nor 21140", chip);
		return -EINVAL;
	}
	return net_nic_create(self, &nic, args, err, errlen);
}

const struct device_type tulip_type = {
    .name = "tulip",
    .bus = "PCI",
    .boot_name = "ethernet",
    .boot_unit = "/ethernet-phy@0",
    .desc = "DEC 21143 or 21140 Fast Ethernet card",
    .props = props,
    .create = create,
    .destroy = destroy,
};
