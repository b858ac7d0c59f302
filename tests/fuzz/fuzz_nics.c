/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Network cards, between a driver that lies and a peer that sends anything.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/net/e1000.h"
#include "hw/net/rtl8139.h"
#include "hw/net/tulip.h"
#include "tests/fuzz/fuzz.h"

static struct net_end peer;

static bool take(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	uint8_t head[64];

	(void)self;
	(void)o;
	net_copy(head, sizeof(head), iov, nr, 0);
	return !one_in(16);
}

static const struct net_end_ops peer_ops = {.receive = take};

static void plug_peer(struct net_end *card)
{
	net_end_init(&peer, "peer", &peer_ops, NULL);
	net_plug(card, &peer);
}

/* A frame to the card, to others or to all, of any kind and length. */
static void frame_comes(const uint8_t *mac)
{
	static uint8_t frame[NET_MAX_FRAME];
	size_t len = one_in(16) ? below(20000) : one_in(2) ? 1514 : 14 + below(200);
	struct iovec iov[3];
	size_t cut = below(64), cut2 = below(100);

	memcpy(frame, mac, 6);
	if (one_in(4))
		memset(frame, 0xff, 6);
	if (one_in(8))
		frame[below(6)] = (uint8_t)next();
	memcpy(frame + 12,
	       one_in(2)   ? "\x08\x00\x45"
	       : one_in(2) ? "\x86\xdd\x60"
			   : "\x81\x00\x00",
	       3);
	if (one_in(2))
		memcpy(frame + 16, "\x08\x00\x45", 3);
	frame[23] = one_in(2) ? 6 : 17;
	for (unsigned i = below(8); i < 8; i++)
		frame[14 + below(64)] = (uint8_t)value();
	if (one_in(4)) {
		frame[16] = (uint8_t)((len - 14) >> 8);
		frame[17] = (uint8_t)(len - 14);
	}
	len = len < 200 ? 200 : len;
	iov[0] = (struct iovec){frame, cut};
	iov[1] = (struct iovec){frame + cut, cut2};
	iov[2] = (struct iovec){frame + cut + cut2, len - cut - cut2};
	net_send(&peer, iov, 3, NULL);
	if (one_in(4))
		net_flush(&peer);
}

/* An instruction to a 93C46 by its pins, with its start bit and what follows, a bit per clock. */
static void eeprom(uint64_t reg, unsigned on, unsigned select, unsigned clock, unsigned data)
{
	uint32_t bits = 1u << 8 | below(256);

	for (unsigned i = 9; i--;) {
		unsigned pins = on | select | (bits >> i & 1 ? data : 0);

		put(reg, pins, 4);
		put(reg, pins | clock, 4);
	}
	for (unsigned i = below(20); i; i--) {
		unsigned pins = on | select | (one_in(2) ? data : 0);

		put(reg, pins, 4);
		put(reg, pins | clock, 4);
	}
	put(reg, on, 4);
}

/* ---- e1000 ---- */

static struct e1000 *e1000;

static void e1000_make(void)
{
	e1000 = calloc(1, sizeof(*e1000));
	memcpy(e1000->mac, "\x52\x54\0\x12\x34\x56", 6);
	net_end_init(&e1000->end, "card", &e1000_end_ops, e1000);
	plug_peer(&e1000->end);
	e1000_init(e1000, world.clock);
	fuzz_pci_add(&e1000->func);
	fuzz_add(&e1000->state);
}

static void e1000_setup(uint64_t regs)
{
	put(regs + 0x2800, one_in(16) ? value() : 0x1000, 8);
	put(regs + 0x2808, one_in(16) ? value() : 0x100, 4);
	put(regs + 0x2810, one_in(16) ? value() : 0, 4);
	put(regs + 0x2818, one_in(16) ? value() : 15, 4);
	put(regs + 0x3800, one_in(16) ? value() : 0x2000, 8);
	put(regs + 0x3808, one_in(16) ? value() : 0x100, 4);
	put(regs + 0x3810, one_in(16) ? value() : 0, 4);
	put(regs + 0x3818, one_in(16) ? value() : 0, 4);
	put(regs + 0x400, 2, 4);
	put(regs + 0x100, 2 | value(), 4);
	put(regs + 0x5000, one_in(2) ? 0x300 : value(), 4);
	put(regs + 0, one_in(2) ? 1u << 30 : value() & ~(1u << 26), 4);
	put(regs + 0xd0, value(), 4);
	for (unsigned i = 0; i < 16; i++)
		put(0x1000 + 16 * i, one_in(16) ? value() : FUZZ_RAM / 2 + 0x1000 * i, 8);
}

static void e1000_tx_desc(uint64_t at)
{
	uint32_t cmd = (uint32_t)below(256) << 24;

	if (one_in(4)) { /* a context that may be of use */
		put(at, 14 | 24 << 8 | 33 << 16, 4);
		put(at + 4, 34 | 50 << 8, 4);
		put(at + 8, 0x20000000u | cmd | (uint32_t)below(0x10000), 4);
		put(at + 12, 54 << 8 | (uint32_t)below(3000) << 16, 4);
		return;
	}
	put(at, one_in(16) ? value() : FUZZ_RAM / 2 + below(0x10000), 8);
	put(at + 8, cmd | 1u << 20 | (one_in(4) ? below(0x10000) : below(1600)), 4);
	put(at + 12, (uint32_t)value() & 0xffffff00, 4);
}

static void e1000_round(void)
{
	uint64_t regs = bar(&e1000->func, 0);

	if (one_in(8))
		e1000_setup(regs);
	for (unsigned k = below(8); k < 8; k++) {
		e1000_tx_desc(0x2000 + 16 * below(16));
		if (one_in(4))
			put(FUZZ_RAM / 2 + 12 + below(0x100), 0x450008, 4);
		put(regs + 0x3818, below(16), 4);
		frame_comes(e1000->mac);
		put(regs + 0x2818, below(16), 4);
		if (one_in(2))
			aspace_read(world.mem, regs + (one_in(2) ? 0xc0 : 4 * below(0x1600)), 4);
		if (one_in(4))
			put(regs + 4 * below(0x1600), value(), 4);
		if (one_in(4))
			put(regs + 0x20, one_in(2) ? value() : 1u << 21 | below(0x10000) << 16, 4);
		if (one_in(4))
			put(regs + 0x10, below(512), 4);
		fuzz_step(below(1000000));
	}
	if (one_in(8))
		any_access(&e1000->func);
	if (one_in(64))
		net_set_link(&peer, one_in(2));
	noise(one_in(4));
}

static void e1000_end(void)
{
	e1000_fini(e1000);
	net_end_fini(&peer);
	free(e1000);
}

/* ---- rtl8139 ---- */

static struct rtl8139 *rtl;

static void rtl_make(void)
{
	rtl = calloc(1, sizeof(*rtl));
	memcpy(rtl->mac, "\x52\x54\0\x12\x34\x56", 6);
	net_end_init(&rtl->end, "card", &rtl8139_end_ops, rtl);
	plug_peer(&rtl->end);
	rtl8139_init(rtl, world.clock);
	fuzz_pci_add(&rtl->func);
	fuzz_add(&rtl->state);
}

static void rtl_setup(uint64_t regs)
{
	bool cplus = one_in(2);

	put(regs + 0x37, one_in(8) ? 0x10 : 0, 1);
	put(regs + 0xe0, cplus ? 0x6b : value(), 2);
	put(regs + 0xe4, one_in(16) ? value() : 0x1000, 8);
	put(regs + 0x20, one_in(16) ? value() : 0x2000, 8);
	put(regs + 0x30, one_in(16) ? value() : FUZZ_RAM / 2, 4);
	put(regs + 0x44, one_in(4) ? value() : 0xf | below(4) << 11 | below(2) << 7, 4);
	put(regs + 0x40, one_in(8) ? 3u << 17 : 0, 4);
	put(regs + 0x3c, value(), 2);
	put(regs + 0x37, 0x0c, 1);
	for (unsigned i = 0; i < 16; i++) {
		put(0x1000 + 16 * i, one_in(8) ? value() : 1u << 31 | below(0x1000), 4);
		put(0x1008 + 16 * i, one_in(16) ? value() : FUZZ_RAM / 2 + 0x1000 * i, 8);
	}
	put(0x1000 + 16 * 15, 3u << 30 | 1600, 4);
}

static void rtl_tx_desc(uint64_t at)
{
	uint32_t cmd = 1u << 31 | (uint32_t)below(16) << 27 | (uint32_t)below(2048) << 16;

	put(at, one_in(8) ? value() : cmd | below(2000), 4);
	put(at + 4, one_in(2) ? 0 : value(), 4);
	put(at + 8, one_in(16) ? value() : FUZZ_RAM / 2 + below(0x10000), 8);
}

static void rtl_round(void)
{
	uint64_t regs = bar(&rtl->func, 1);

	if (one_in(8))
		rtl_setup(regs);
	for (unsigned k = below(8); k < 8; k++) {
		rtl_tx_desc(0x2000 + 16 * (one_in(2) ? rtl->tx_desc : below(64)));
		put(FUZZ_RAM / 2 + 12 + below(0x100), 0x450008, 4);
		put(regs + 0xd9, 0x40, 1);
		if (one_in(2))
			put(regs + 0x10 + 4 * below(4), below(0x2000), 4);
		frame_comes(rtl->mac);
		if (one_in(2))
			put(regs + 0x38, one_in(4) ? value() : rtl->cbr - 16u, 2);
		if (one_in(2))
			aspace_read(world.mem, regs + below(256), 1u << below(3));
		if (one_in(4))
			put(regs + below(256), value(), 1u << below(3));
		if (one_in(4))
			put(regs + 0x50, 0x80 | below(16), 1);
		if (one_in(8))
			eeprom(regs + 0x50, 0x80, 8, 4, 2);
		fuzz_step(below(1000000));
	}
	if (one_in(8))
		any_access(&rtl->func);
	if (one_in(64))
		net_set_link(&peer, one_in(2));
	noise(one_in(4));
}

static void rtl_end(void)
{
	rtl8139_fini(rtl);
	net_end_fini(&peer);
	free(rtl);
}

/* ---- tulip ---- */

static struct tulip *tulip;

static void tulip_make(void)
{
	tulip = calloc(1, sizeof(*tulip));
	memcpy(tulip->mac, "\x52\x54\0\x12\x34\x56", 6);
	net_end_init(&tulip->end, "card", &tulip_end_ops, tulip);
	plug_peer(&tulip->end);
	tulip_init(tulip, world.clock, false);
	fuzz_pci_add(&tulip->func);
	fuzz_add(&tulip->state);
}

static void tulip_desc(uint64_t at, bool rx)
{
	uint32_t control = one_in(2) ? (uint32_t)value() & 0xffc00000u : rx ? 0 : 3u << 29;

	put(at, one_in(8) ? value() : 1u << 31, 4);
	put(at + 4, control | below(2048) | (one_in(2) ? below(2048) << 11 : 0), 4);
	put(at + 8, one_in(16) ? value() : FUZZ_RAM / 2 + below(0x10000), 4);
	put(at + 12, one_in(2) ? 0x1000 + 16 * below(0x200) : value(), 4);
}

static void tulip_round(void)
{
	uint64_t regs = bar(&tulip->func, 1);

	if (one_in(8)) {
		put(regs, one_in(8) ? value() : below(4) << 2, 4);
		put(regs + 0x18, one_in(16) ? value() : 0x1000, 4);
		put(regs + 0x20, one_in(16) ? value() : 0x2000, 4);
		put(regs + 0x38, value(), 4);
		put(regs + 0x30, 0x2002 | (one_in(2) ? 0xc0 : value()), 4);
	}
	for (unsigned k = below(8); k < 8; k++) {
		tulip_desc(one_in(2) ? tulip->tx_desc : 0x2000 + 16 * below(16), false);
		tulip_desc(one_in(2) ? tulip->rx_desc : 0x1000 + 16 * below(16), true);
		put(regs + 8, 1, 4);
		frame_comes(tulip->mac);
		put(regs + 16, 1, 4);
		for (unsigned i = below(32); i; i--)
			put(regs + 0x48, below(16) << 16 | below(8) | 0x800, 4);
		if (one_in(8))
			eeprom(regs + 0x48, 0x800, 1, 2, 4);
		aspace_read(world.mem, regs + 8 * below(16), 4);
		if (one_in(4))
			put(regs + 8 * below(16), value(), 4);
		fuzz_step(below(1000000));
	}
	if (one_in(8))
		any_access(&tulip->func);
	if (one_in(64))
		net_set_link(&peer, one_in(2));
	noise(one_in(4));
}

static void tulip_end(void)
{
	tulip_fini(tulip);
	net_end_fini(&peer);
	free(tulip);
}

const struct fuzz_device fuzz_nics[] = {
    {"e1000", e1000_make, NULL, e1000_round, e1000_end, NULL},
    {"rtl8139", rtl_make, NULL, rtl_round, rtl_end, NULL},
    {"tulip", tulip_make, NULL, tulip_round, tulip_end, NULL},
    {0},
};
