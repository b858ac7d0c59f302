/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 82540EM, driven through registers and descriptor rings.
 */
#include "disks.h"
#include "frames.h"
#include "hw/net/e1000.h"

#define RX   0x10000u
#define TX   0x11000u
#define BUFS 0x20000u /* 2 KiB each */
#define DATA 0x100000u
#define N    8u

enum {
	CTRL = 0,
	STATUS = 8,
	EECD = 0x10,
	EERD = 0x14,
	MDIC = 0x20,
	VET = 0x38,
	ICR = 0xc0,
	ITR = 0xc4,
	ICS = 0xc8,
	IMS = 0xd0,
	IMC = 0xd8,
	RCTL = 0x100,
	TCTL = 0x400,
	RDBAL = 0x2800,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	TDBAL = 0x3800,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	GPRC = 0x4074,
	GPTC = 0x4080,
	GOTCL = 0x4090,
	RXCSUM = 0x5000,
	MTA = 0x5200,
	VFTA = 0x5600
};
enum {
	EOP = 1 << 24,
	IFCS = 2 << 24,
	RS = 8 << 24,
	DEXT = 0x20 << 24,
	TSE = 4 << 24,
	VLE = 0x40 << 24
};
enum { TXDW = 1, RXT0 = 0x80, RXDMT0 = 0x10, LSC = 4 };

static struct rig g;
static struct clock clk;
static struct e1000 *e;
static struct sink out;
static struct net_end peer;
static uint64_t regs;

static uint32_t rd(unsigned off)
{
	return (uint32_t)get(&g, regs + off, 4);
}

static void wr(unsigned off, uint32_t v)
{
	put(&g, regs + off, v, 4);
}

static void init(void)
{
	rig_init(&g);
	clock_init(&clk, true);
	clock_step(&clk, 1000000);
	e = calloc(1, sizeof(*e));
	memcpy(e->mac, "\x52\x54\0\x12\x34\x56", 6);
	net_end_init(&e->end, "card", &e1000_end_ops, e);
	sink_end(&out, &peer, "peer");
	cr_assert_eq(net_plug(&e->end, &peer), 0);
	e1000_init(e, &clk);
	rig_plug(&g, &e->func);
	device_reset(&e->state);
	regs = rig_bar(&e->func, 0);
	for (unsigned i = 0; i < N; i++)
		put(&g, RX + 16 * i, BUFS + 0x800 * i, 8);
	wr(RDBAL, RX);
	wr(RDLEN, 16 * N);
	wr(RDT, N - 1);
	wr(TDBAL, TX);
	wr(TDLEN, 16 * N);
	wr(TCTL, 2);
	wr(RCTL, 2 | 1 << 15 | 1 << 26);
}

static void fini(void)
{
	e1000_fini(e);
	net_end_fini(&peer);
	free(e);
	rig_fini(&g);
}

TestSuite(e1000, .init = init, .fini = fini);

static void desc(uint64_t addr, uint32_t lower, uint32_t upper)
{
	uint32_t t = rd(TDT);

	put(&g, TX + 16 * t, addr, 8);
	put(&g, TX + 16 * t + 8, lower, 4);
	put(&g, TX + 16 * t + 12, upper, 4);
	wr(TDT, (t + 1) % N);
}

Test(e1000, eeprom_and_phy)
{
	uint16_t sum = 0;
	uint32_t v = 0;

	for (unsigned i = 0; i < 64; i++) {
		wr(EERD, i << 8 | 1);
		cr_assert(rd(EERD) & 0x10);
		sum = (uint16_t)(sum + (rd(EERD) >> 16));
	}
	cr_assert_eq(sum, 0xbaba);
	/* word 1 by its pins: start, read, address */
	wr(EECD, 0x40);
	cr_assert(rd(EECD) & 0x80);
	wr(EECD, 0x42);
	for (int i = 8; i >= 0; i--) {
		uint32_t di = 0x181 >> i & 1 ? 4 : 0;

		wr(EECD, 0x42 | di);
		wr(EECD, 0x43 | di);
	}
	cr_assert_not(rd(EECD) & 8);
	for (unsigned i = 0; i < 16; i++) {
		wr(EECD, 0x42);
		wr(EECD, 0x43);
		v = v << 1 | (rd(EECD) >> 3 & 1);
	}
	cr_assert_eq(v, 0x1200);
	wr(MDIC, 1 << 27 | 1 << 21 | 2 << 16);
	cr_assert_eq(rd(MDIC) & 0x1000ffff, 0x10000141);
	wr(MDIC, 1 << 27 | 2 << 21 | 2 << 16);
	cr_assert(rd(MDIC) & 1 << 30);
	cr_assert_eq(rd(STATUS) & 2, 2);
	wr(IMS, LSC);
	net_set_link(&peer, false);
	cr_assert_eq(rd(STATUS) & 2, 0);
	cr_assert(g.line[2 % 4] || g.line[0] || g.line[1] || g.line[3]);
	cr_assert_eq(rd(ICR) & LSC, LSC);
}

static int line(void)
{
	return g.line[0] | g.line[1] | g.line[2] | g.line[3];
}

Test(e1000, sends_frames_in_pieces)
{
	uint8_t frame[200];

	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	memcpy(g.ram.host + DATA, frame, 200);
	wr(IMS, TXDW);
	desc(DATA, 50 | IFCS, 0);
	cr_assert_eq(out.nr, 0);
	desc(DATA + 50, 150 | EOP | IFCS | RS, 0);
	cr_assert_eq(out.nr, 1);
	cr_assert_eq(out.len, 200);
	cr_assert_arr_eq(out.data, frame, 200);
	cr_assert_eq(get(&g, TX + 28, 1), 1);
	cr_assert_eq(get(&g, TX + 12, 1), 0);
	cr_assert_eq(line(), 1);
	cr_assert_eq(rd(ICR), TXDW | 2);
	cr_assert_eq(line(), 0);
	cr_assert_eq(rd(GPTC), 1);
	cr_assert_eq(rd(GPTC), 0);
	cr_assert_eq(rd(GOTCL), 204);
	cr_assert_eq(rd(GOTCL + 4), 0);
	cr_assert_eq(rd(GOTCL), 0);
	/* a tag */
	wr(CTRL, 1 << 30);
	desc(DATA, 100 | EOP | VLE, 0x123u << 16);
	cr_assert_eq(out.len, 104);
	cr_assert_eq(get16(out.data + 12), 0x8100);
	cr_assert_eq(get16(out.data + 14), 0x123);
}

/* Saved while the link was busy, and loaded where it is not. */
Test(e1000, goes_on_sending_when_loaded)
{
	out.full = true;
	desc(DATA, 100 | EOP | IFCS | RS, 0);
	desc(DATA, 100 | EOP | IFCS | RS, 0);
	cr_assert_eq(out.nr, 0);
	out.full = e->end.refused = false;
	e->state.loaded(e);
	cr_expect_eq(out.nr, 2);
}

/* One write to a register holds up the machine for as long as what it sends takes: the rest comes by a timer. */
Test(e1000, sends_a_huge_ring_in_portions)
{
	const uint32_t len = 16000, nr = 0xfff80 / 16;

	for (uint32_t i = 0; i < 300; i++) {
		put(&g, TX + 16 * i, DATA, 8);
		put(&g, TX + 16 * i + 8, len | EOP | IFCS | RS, 4);
	}
	wr(TDLEN, nr * 16);
	wr(TDT, 300);
	cr_expect_lt(out.nr, 100);
	cr_expect_gt(out.nr, 10);
	clock_run(&clk);
	cr_expect_lt(out.nr, 200);
	for (unsigned i = 0; i < 10; i++)
		clock_run(&clk);
	cr_expect_eq(out.nr, 300);
	cr_expect_eq(rd(TDH), 300);
}

static void context(size_t len, unsigned mss)
{
	uint64_t where = 14 | 24 << 8 | 33 << 16 | 34ull << 32 | 50ull << 40;

	desc(where, DEXT | (mss ? (int)(TSE | 3 << 24 | (len - 54)) : 3 << 24),
	     54 << 8 | mss << 16);
}

Test(e1000, leaves_checksums_to_the_card)
{
	uint8_t frame[2000], good[2000];
	size_t len = make_tcp4(good, 700, false);

	memcpy(frame, good, len);
	partial_csum(frame, len);
	memset(frame + 24, 0, 2);
	memcpy(g.ram.host + DATA, frame, len);
	context(len, 0);
	desc(DATA, (uint32_t)len | 1 << 20 | DEXT | EOP | RS, 3 << 8);
	cr_assert_eq(out.len, len);
	cr_assert_arr_eq(out.data, good, len);
	/* of a legacy descriptor: CSS 34, CSO 50 */
	memcpy(frame + 24, good + 24, 2);
	memcpy(g.ram.host + DATA, frame, len);
	desc(DATA, (uint32_t)len | 50 << 16 | EOP | 4 << 24, 34 << 8);
	cr_assert_arr_eq(out.data, good, len);
}

Test(e1000, segments)
{
	static uint8_t frame[20000];
	size_t len = make_tcp4(frame, 10000, true);

	/* as drivers leave it: no length, the sum of the addresses and the protocol */
	put16(frame + 16, 0);
	put16(frame + 24, 0);
	put16(frame + 50, plain_sum(frame + 26, 8, 6));
	memcpy(g.ram.host + DATA, frame, len);
	out.check_segments = true;
	context(len, 1460);
	desc(DATA, 54 | 1 << 20 | DEXT | TSE, 3 << 8);
	desc(DATA + 54, (uint32_t)(len - 54) | 1 << 20 | DEXT | TSE | EOP | RS, 0);
	cr_assert_eq(out.nr, 7);
	cr_assert_eq(out.bad, 0);
	cr_assert_eq(out.payload, 10000);
	cr_assert_eq(out.fins, 1);
	cr_assert_arr_eq(out.stream, frame + 54, 10000);
}

Test(e1000, receives)
{
	uint8_t frame[1500];
	size_t len = make_tcp4(frame, 600, false);

	wr(RXCSUM, 0x300);
	wr(IMS, RXT0);
	net_send_buf(&peer, frame, len);
	cr_assert_eq(rd(RDH), 1);
	cr_assert_eq(get(&g, RX + 8, 2), len);
	cr_assert_eq(get(&g, RX + 12, 2), 0x63); /* DD, EOP, both checksums, no error */
	cr_assert_arr_eq(g.ram.host + BUFS, frame, len);
	cr_assert_eq(line(), 1);
	cr_assert_eq(rd(ICR) & RXT0, RXT0);
	frame[100] ^= 1;
	net_send_buf(&peer, frame, len);
	cr_assert_eq(get(&g, RX + 28, 2), 0x2063);
	/* with FCS, in two buffers of 256 bytes, and filled up */
	wr(RCTL, 2 | 1 << 15 | 3 << 16);
	net_send_buf(&peer, frame, 300);
	cr_assert_eq(get(&g, RX + 40, 2), 256);
	cr_assert_eq(get(&g, RX + 44, 1), 1);
	cr_assert_eq(get(&g, RX + 56, 2), 48);
	cr_assert_eq(get(&g, RX + 60, 1) & 3, 3);
	cr_assert_eq(rd(GPRC), 3);
	/* no room: it comes when there is some */
	wr(RDT, 4);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(rd(RDH), 4);
	wr(RDT, 2);
	cr_assert_eq(rd(RDH), 5);
	wr(RCTL, 0);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(rd(RDH), 5);
}

Test(e1000, filters)
{
	uint8_t frame[64] = {0x52, 0x54, 0, 0x12, 0x34, 0x57};

	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 0);
	wr(RCTL, 2 | 8);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 1);
	memset(frame, 0xff, 6);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 1);
	memcpy(frame, "\x01\x00\x5e\x00\x00\xfb", 6);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 1);
	/* bits 4 and up of its last two bytes */
	wr(MTA + 4 * (0xfb0 >> 5), 1u << (0xfb0 & 31));
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 2);
	/* VLAN 5, which is not among those wanted, then is, and its tag taken out */
	wr(RCTL, 2 | 8 | 1 << 18 | 1 << 26);
	memcpy(frame, "\x52\x54\0\x12\x34\x56\1\2\3\4\5\6\x81\0\0\5\x08\0", 18);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 2);
	wr(VFTA, 1 << 5);
	wr(CTRL, 1 << 30);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(rd(RDH), 3);
	cr_assert_eq(get(&g, RX + 40, 2), 60);
	cr_assert_eq(get(&g, RX + 44, 1) & 8, 8);
	cr_assert_eq(get(&g, RX + 46, 2), 5);
	cr_assert_eq(get16(g.ram.host + BUFS + 0x1000 + 12), 0x800);
}

Test(e1000, throttles_interrupts)
{
	uint8_t frame[64];

	memset(frame, 0xff, 64);
	wr(ITR, 1000); /* 256 us */
	wr(IMS, RXT0);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(line(), 1);
	rd(ICR);
	net_send_buf(&peer, frame, 64);
	cr_assert_eq(line(), 0);
	clock_step(&clk, 200000);
	cr_assert_eq(line(), 0);
	clock_step(&clk, 56000);
	cr_assert_eq(line(), 1);
	wr(IMC, RXT0);
	cr_assert_eq(line(), 0);
}

Test(e1000, rings_that_make_no_sense)
{
	uint8_t frame[64];

	memset(frame, 0xff, 64);
	/* heads and tails beyond the end */
	wr(TDT, 5000);
	wr(TDH, 6000);
	wr(TDT, 70);
	wr(RDH, 5000);
	net_send_buf(&peer, frame, 64);
	wr(RDH, 0);
	wr(RDT, 4000);
	for (unsigned i = 0; i < 50; i++)
		net_send_buf(&peer, frame, 64);
	wr(TDLEN, 0);
	wr(TDT, 3);
	/* where there is no RAM */
	wr(TDLEN, 16 * N);
	wr(TDH, 0);
	wr(TDBAL, 0xf0000000);
	wr(TDT, 4);
	/* a frame without end */
	wr(TDBAL, TX);
	wr(TDH, 0);
	for (unsigned i = 0; i < 40; i++)
		desc(DATA, 0xffff, 0);
	desc(DATA, 100 | EOP, 0);
	cr_assert_eq(out.nr, 0);
	desc(DATA, 100 | EOP, 0);
	cr_assert_eq(out.nr, 1);
	wr(CTRL, 1 << 26);
	cr_assert_eq(rd(RCTL), 0);
}
