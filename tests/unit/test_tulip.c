/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 21143, driven through registers and descriptor lists.
 */
#include "disks.h"
#include "frames.h"
#include "hw/net/tulip.h"

#define RX   0x10000u
#define TX   0x11000u
#define BUFS 0x20000u
#define DATA 0x100000u
#define OWN  (1u << 31)
#define END  (1u << 25)

enum { CHAIN = 1 << 24, FS = 1 << 29, LS = 1 << 30, SET = 1 << 27, FT0 = 1 << 22 };
#define IC (1u << 31)

static struct rig g;
static struct clock clk;
static struct tulip *t;
static struct sink out;
static struct net_end peer;
static uint64_t regs;

static uint32_t csr(unsigned n)
{
	return (uint32_t)get(&g, regs + 8 * n, 4);
}

static void set_csr(unsigned n, uint32_t v)
{
	put(&g, regs + 8 * n, v, 4);
}

static void desc(uint64_t at, uint32_t control, uint32_t a, uint32_t b)
{
	put(&g, at + 4, control, 4);
	put(&g, at + 8, a, 4);
	put(&g, at + 12, b, 4);
	put(&g, at, OWN, 4);
}

static void init(void)
{
	rig_init(&g);
	clock_init(&clk, true);
	t = calloc(1, sizeof(*t));
	memcpy(t->mac, "\x52\x54\0\x12\x34\x56", 6);
	net_end_init(&t->end, "card", &tulip_end_ops, t);
	sink_end(&out, &peer, "peer");
	cr_assert_eq(net_plug(&t->end, &peer), 0);
	tulip_init(t, &clk, true);
	rig_plug(&g, &t->func);
	device_reset(&t->state);
	regs = rig_bar(&t->func, 1);
	for (unsigned i = 0; i < 4; i++)
		desc(RX + 16 * i, 128 | 128 << 11 | (i == 3 ? END : 0), BUFS + 256 * i,
		     BUFS + 256 * i + 128);
	set_csr(3, RX);
	set_csr(4, TX);
	set_csr(7, 0x1ffff);
	set_csr(6, 0x2002);
}

static void fini(void)
{
	tulip_fini(t);
	net_end_fini(&peer);
	free(t);
	rig_fini(&g);
}

TestSuite(tulip, .init = init, .fini = fini);

static int line(void)
{
	return g.line[0] | g.line[1] | g.line[2] | g.line[3];
}

/* A setup frame with the card's address, or a hash table with the bit of 01:00:5e:00:00:fb. */
static void setup(bool hash)
{
	uint8_t *s = g.ram.host + DATA;

	memset(s, 0, 192);
	for (unsigned i = 0; i < 16; i++)
		for (unsigned j = 0; j < 6; j++)
			s[12 * i + j / 2 * 4 + j % 2] = t->mac[j];
	if (hash) {
		memset(s, 0, 192);
		for (unsigned j = 0; j < 6; j++)
			s[156 + j / 2 * 4 + j % 2] = t->mac[j];
		memset(s, 0xff, 128);
	}
	set_csr(4, TX);
	desc(TX, IC | SET | (hash ? FT0 : 0) | END | 192, DATA, 0);
	set_csr(1, 1);
	cr_assert_eq(get(&g, TX, 4), 0x7fffffff);
}

static void mdio_bits(uint32_t v, int n)
{
	while (n-- > 0) {
		uint32_t bit = v >> n & 1 ? 1 << 17 : 0;

		set_csr(9, bit);
		set_csr(9, bit | 1 << 16);
	}
}

static unsigned mdio_read(unsigned phy, unsigned reg)
{
	uint32_t v = 0;

	mdio_bits(~0u, 32);
	mdio_bits(6 << 10 | phy << 5 | reg, 14);
	for (unsigned i = 0; i < 19; i++) {
		set_csr(9, 1 << 18);
		v = v << 1 | (csr(9) >> 19 & 1);
		set_csr(9, 1 << 18 | 1 << 16);
	}
	return v >> 1 & 0xffff;
}

Test(tulip, transceiver_and_srom)
{
	uint8_t b[128];

	cr_assert_eq(pci_config_read(&t->func, 0, 4), 0x00091011);
	cr_assert_eq(mdio_read(1, 1), 0x782d);
	cr_assert_eq(mdio_read(1, 2), 0x2000);
	cr_assert_eq(mdio_read(2, 1), 0xffff);
	mdio_bits(~0u, 32);
	mdio_bits(5 << 28 | 1 << 23 | 4 << 18 | 2 << 16 | 0x0061, 32);
	cr_assert_eq(mdio_read(1, 4), 0x0061);
	net_set_link(&peer, false);
	cr_assert_eq(mdio_read(1, 1), 0x7809);
	for (unsigned w = 0; w < 64; w++) {
		uint32_t v = 0;

		set_csr(9, 0x4800);
		set_csr(9, 0x4801);
		for (int i = 8; i >= 0; i--) {
			uint32_t di = (0x180 | w) >> i & 1 ? 4 : 0;

			set_csr(9, 0x4801 | di);
			set_csr(9, 0x4803 | di);
		}
		for (unsigned i = 0; i < 16; i++) {
			set_csr(9, 0x4801);
			set_csr(9, 0x4803);
			v = v << 1 | (csr(9) >> 3 & 1);
		}
		pci_set16(b + 2 * w, (uint16_t)v);
	}
	cr_assert_arr_eq(b + 20, t->mac, 6);
	cr_assert_eq(b[18], 4);
	cr_assert_eq(b[b[27] + 5], 1); /* an MII block */
}

/* Saved while the link was busy, and loaded where it is not. */
Test(tulip, goes_on_sending_when_loaded)
{
	out.full = true;
	desc(TX, FS | LS | END | 70, DATA, 0);
	set_csr(1, 1);
	cr_assert_eq(out.nr, 0);
	out.full = t->end.refused = false;
	t->state.loaded(t);
	cr_expect_eq(out.nr, 1);
}

Test(tulip, sends)
{
	for (unsigned i = 0; i < 300; i++)
		g.ram.host[DATA + i] = (uint8_t)i;
	/* two descriptors, of which the first has two buffers; the second is chained to one further on */
	desc(TX, FS | 50 | 60 << 11, DATA, DATA + 50);
	desc(TX + 16, LS | IC | CHAIN | 90, DATA + 110, TX + 0x100);
	desc(TX + 0x100, FS | LS | END | 70, DATA, 0);
	set_csr(1, 1);
	cr_assert_eq(out.nr, 2);
	cr_assert_eq(out.len, 70);
	cr_assert_eq(get(&g, TX, 4), 0);
	cr_assert_eq(csr(5) & 5, 5);
	cr_assert_eq(line(), 1);
	set_csr(5, 0x1ffff);
	cr_assert_eq(line(), 0);
	set_csr(4, TX);
	desc(TX + 16, LS | 90, DATA + 110, 0);
	desc(TX, FS | 50 | 60 << 11, DATA, DATA + 50);
	set_csr(1, 1);
	cr_assert_eq(out.len, 200);
	cr_assert_arr_eq(out.data, g.ram.host + DATA, 200);
	/* both processes stop */
	set_csr(6, 0);
	cr_assert_eq(csr(5) >> 17 & 63, 0);
	cr_assert_eq(csr(5) & 0x102, 0x102);
}

Test(tulip, receives)
{
	uint8_t frame[600] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

	for (unsigned i = 6; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 3);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(get(&g, RX, 4), OWN);
	setup(false);
	set_csr(5, 0x1ffff);
	net_send_buf(&peer, frame, 300);
	cr_assert_eq(get(&g, RX, 4), 0x200);
	cr_assert_eq(get(&g, RX + 16, 4), 304 << 16 | 0x120);
	cr_assert_arr_eq(g.ram.host + BUFS, frame, 300);
	cr_assert_eq(csr(5) & 0x40, 0x40);
	cr_assert_eq(line(), 1);
	/* no room for the whole: it comes when there is */
	net_send_buf(&peer, frame, 600);
	cr_assert_eq(get(&g, RX + 32, 4), OWN);
	cr_assert_eq(csr(5) & 0x80, 0x80);
	put(&g, RX, OWN, 4);
	set_csr(2, 1);
	cr_assert_eq(get(&g, RX, 4), 604 << 16 | 0x120);
	cr_assert_eq(t->rx_desc, RX + 16);
}

/* Drivers give descriptors back without a poll demand: the process goes on at the next frame. */
Test(tulip, frames_wait_for_descriptors)
{
	uint8_t frame[200] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

	setup(false);
	for (unsigned i = 0; i < 6; i++)
		net_send_buf(&peer, frame, sizeof(frame));
	cr_assert(t->end.nr_waiting > 1);
	for (uint64_t at = RX; t->end.nr_waiting; at = at == RX + 32 ? RX : at + 16) {
		unsigned before = t->end.nr_waiting;

		cr_assert_eq(t->rx_desc, at);
		put(&g, at, OWN, 4);
		clock_step(&clk, NSEC_PER_SEC / 4);
		cr_assert_eq(t->end.nr_waiting, before - 1);
	}
}

Test(tulip, filters)
{
	uint8_t frame[100] = {0x01, 0, 0x5e, 0, 0, 0xfb};

	setup(false);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(t->rx_desc, RX);
	setup(true);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(get(&g, RX, 4), 104 << 16 | 0x720);
	frame[0] = 2;
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(t->rx_desc, RX + 16);
	set_csr(6, 0x2042); /* all of them */
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(get(&g, RX + 16, 4), 1 << 30 | 104 << 16 | 0x320);
}

Test(tulip, lists_that_make_no_sense)
{
	uint8_t frame[1000] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

	setup(false);
	/* a list that is shorter than the frame; one in a circle without buffers */
	desc(RX, 100 | END, BUFS, 0);
	set_csr(3, RX);
	net_send_buf(&peer, frame, 1000);
	cr_assert_eq(get(&g, RX, 4), OWN);
	desc(RX, CHAIN, BUFS, RX);
	net_send_buf(&peer, frame, 1000);
	desc(TX, CHAIN | FS, DATA, TX);
	set_csr(4, TX);
	set_csr(1, 1);
	/* where there is no RAM */
	set_csr(3, 0xf0000000);
	net_send_buf(&peer, frame, 1000);
	set_csr(4, 0xf0000000);
	set_csr(1, 1);
	cr_assert_eq(csr(5) & 0x2000, 0x2000);
	/* a frame that is too long */
	set_csr(4, TX);
	for (unsigned i = 0; i < 8; i++)
		desc(TX + 16 * i, (i ? 0 : FS) | (i == 7 ? LS | END : 0) | 2047, DATA, 0);
	set_csr(1, 1);
	cr_assert_eq(out.nr, 0);
	set_csr(0, 1);
	cr_assert_eq(csr(6), 0x32000040);
}
