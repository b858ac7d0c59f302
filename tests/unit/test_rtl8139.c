/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The RTL8139C+, driven through registers, its buffer and its rings.
 */
#include "disks.h"
#include "frames.h"
#include "hw/net/rtl8139.h"

#define BUFFER 0x20000u
#define RX     0x10000u
#define TX     0x11000u
#define DATA   0x100000u

enum {
	TSD0 = 0x10,
	TSAD0 = 0x20,
	RBSTART = 0x30,
	CR = 0x37,
	CAPR = 0x38,
	CBR = 0x3a,
	IMR = 0x3c,
	ISR = 0x3e,
	TCR = 0x40,
	RCR = 0x44,
	TCTR = 0x48,
	CR9346 = 0x50,
	TIMER_INT = 0x54,
	MSR = 0x58,
	TSAD = 0x60,
	BMSR = 0x64,
	TPPOLL = 0xd9,
	CPCR = 0xe0,
	RDSAR = 0xe4
};
enum { ROK = 1, TOK = 4, TIMEOUT = 0x4000 };

static struct rig g;
static struct clock clk;
static struct rtl8139 *r;
static struct sink out;
static struct net_end peer;
static uint64_t regs;

static uint32_t rd(unsigned off, unsigned size)
{
	return (uint32_t)get(&g, regs + off, size);
}

static void wr(unsigned off, uint64_t v, unsigned size)
{
	put(&g, regs + off, v, size);
}

static void init(void)
{
	rig_init(&g);
	clock_init(&clk, true);
	r = calloc(1, sizeof(*r));
	memcpy(r->mac, "\x52\x54\0\x12\x34\x56", 6);
	net_end_init(&r->end, "card", &rtl8139_end_ops, r);
	sink_end(&out, &peer, "peer");
	cr_assert_eq(net_plug(&r->end, &peer), 0);
	rtl8139_init(r, &clk);
	rig_plug(&g, &r->func);
	device_reset(&r->state);
	regs = rig_bar(&r->func, 1);
	wr(RBSTART, BUFFER, 4);
	wr(CR, 0x0c, 1);
	wr(RCR, 0x0a, 4); /* its own and broadcasts, 8 KiB */
}

static void fini(void)
{
	rtl8139_fini(r);
	net_end_fini(&peer);
	free(r);
	rig_fini(&g);
}

TestSuite(rtl8139, .init = init, .fini = fini);

static int line(void)
{
	return g.line[0] | g.line[1] | g.line[2] | g.line[3];
}

Test(rtl8139, registers)
{
	uint32_t v = 0;

	cr_assert_eq(rd(0, 4), 0x12005452);
	cr_assert_eq(rd(TCR, 4) & 0x7cc00000, 0x74800000);
	cr_assert_eq(rd(CR, 1), 0x0d);
	cr_assert_eq(rd(BMSR, 2), 0x782d);
	cr_assert_eq(rd(TSAD, 2), 0x000f);
	net_set_link(&peer, false);
	cr_assert_eq(rd(MSR, 1) & 4, 4);
	cr_assert_eq(rd(ISR, 2), 0x20);
	/* word 7 of the EEPROM */
	wr(CR9346, 0x88, 1);
	for (int i = 8; i >= 0; i--) {
		unsigned di = 0x187 >> i & 1 ? 2 : 0;

		wr(CR9346, 0x88 | di, 1);
		wr(CR9346, 0x8c | di, 1);
	}
	for (unsigned i = 0; i < 16; i++) {
		wr(CR9346, 0x88, 1);
		wr(CR9346, 0x8c, 1);
		v = v << 1 | (rd(CR9346, 1) & 1);
	}
	cr_assert_eq(v, 0x5452);
	/* the timer: 330 ticks are 10 us */
	wr(IMR, TIMEOUT, 2);
	wr(TIMER_INT, 330, 4);
	wr(TCTR, 0, 4);
	clock_step(&clk, 9000);
	cr_assert_eq(rd(TCTR, 4), 297);
	cr_assert_eq(line(), 0);
	clock_step(&clk, 1100);
	cr_assert_eq(line(), 1);
}

Test(rtl8139, sends_from_its_registers)
{
	for (unsigned i = 0; i < 1000; i++)
		g.ram.host[DATA + i] = (uint8_t)i;
	wr(IMR, TOK, 2);
	for (unsigned n = 0; n < 4; n++) {
		wr(TSAD0 + 4 * n, DATA, 4);
		wr(TSD0 + 4 * n, 100 + n, 4);
		cr_assert_eq(out.nr, n + 1);
		cr_assert_eq(out.len, 100 + n);
		cr_assert_eq(rd(TSD0 + 4 * n, 4), 0xa000 + 100 + n);
	}
	cr_assert_arr_eq(out.data, g.ram.host + DATA, 103);
	cr_assert_eq(rd(TSAD, 2), 0xf00f);
	cr_assert_eq(line(), 1);
	wr(ISR, TOK, 2);
	cr_assert_eq(line(), 0);
}

Test(rtl8139, receives_into_its_buffer)
{
	uint8_t frame[1500] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
	unsigned n = 0;

	for (unsigned i = 6; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	net_send_buf(&peer, frame, 101);
	cr_assert_eq(rd(CR, 1) & 1, 0);
	cr_assert_eq(get(&g, BUFFER, 4), 0x4001 | 105 << 16);
	cr_assert_arr_eq(g.ram.host + BUFFER + 4, frame, 101);
	cr_assert_eq(rd(CBR, 2), 112);
	cr_assert_eq(rd(ISR, 2), ROK);
	/* until it is full; then more comes when the guest has read */
	for (unsigned i = 0; i < 10; i++)
		net_send_buf(&peer, frame, 1500);
	cr_assert_eq(rd(CBR, 2), 112 + 5 * 1508);
	for (unsigned at = 0; n < 11; n++) {
		uint32_t header = (uint32_t)get(&g, BUFFER + at, 4);

		cr_assert_eq(header & 0xffff, 0x4001);
		at = (at + (header >> 16) + 4 + 3) & 0x1ffc;
		wr(CAPR, at - 16, 2);
	}
	cr_assert_eq(rd(CR, 1) & 1, 1);
	/* what is not for it */
	frame[5]++;
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(rd(CR, 1) & 1, 1);
	/* 01:00:5e:00:00:fb: bit 0 of the filter's word 1 */
	memcpy(frame, "\x01\0\x5e\0\0\xfb", 6);
	wr(RCR, 0x0e, 4);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(rd(CR, 1) & 1, 1);
	wr(8, ~0ull, 4);
	wr(12, ~0ull, 4);
	net_send_buf(&peer, frame, 100);
	cr_assert_eq(rd(CR, 1) & 1, 0);
}

static void cplus(void)
{
	wr(CR, 0, 1);
	wr(CPCR, 0x6b, 2);
	wr(RDSAR, RX, 4);
	wr(TSAD0, TX, 4);
	for (unsigned i = 0; i < 4; i++) {
		put(&g, RX + 16 * i, 1u << 31 | (i == 3 ? 1u << 30 : 0) | 1536, 4);
		put(&g, RX + 16 * i + 8, BUFFER + 0x800 * i, 8);
	}
	wr(CR, 0x0c, 1);
}

Test(rtl8139, rings_receive)
{
	uint8_t frame[1500];
	size_t len = make_tcp4(frame, 300, false);

	cplus();
	net_send_buf(&peer, frame, len);
	cr_assert_eq(get(&g, RX, 4), 3u << 28 | 1 << 25 | 1 << 16 | (len + 4));
	cr_assert_arr_eq(g.ram.host + BUFFER, frame, len);
	frame[60] ^= 1;
	net_send_buf(&peer, frame, len);
	cr_assert_eq(get(&g, RX + 16, 4) >> 13 & 7, 1);
	/* a tag goes to the descriptor */
	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, "\x81\0\x01\x23", 4);
	net_send_buf(&peer, frame, len + 4);
	cr_assert_eq(get(&g, RX + 32, 4) & 0x1fff, len + 4);
	cr_assert_eq(get(&g, RX + 36, 4), 0x12301);
	cr_assert_eq(get16(g.ram.host + BUFFER + 0x1000 + 12), 0x800);
	/* the ring begins again */
	for (unsigned i = 0; i < 3; i++)
		net_send_buf(&peer, frame, 100);
	cr_assert_eq(get(&g, RX + 48, 4) >> 30, 1);
	cr_assert_eq(r->rx_desc, 0);
	put(&g, RX, 1u << 31 | 1536, 4);
	wr(ISR, 0xffff, 2);
	cr_assert_eq(get(&g, RX, 4) >> 31, 0);
}

/* Saved while the link was busy, and loaded where it is not. */
Test(rtl8139, goes_on_sending_when_loaded)
{
	cplus();
	put(&g, TX, 3u << 30 | 3u << 28 | 100, 4);
	put(&g, TX + 8, DATA, 8);
	out.full = true;
	wr(TPPOLL, 0x40, 1);
	cr_assert_eq(out.nr, 0);
	out.full = r->end.refused = false;
	r->state.loaded(r);
	cr_expect_eq(out.nr, 1);
}

/* Drivers that poll give descriptors back without touching a register. */
Test(rtl8139, frames_wait_for_descriptors)
{
	uint8_t frame[1500];
	size_t len = make_tcp4(frame, 300, false);

	cplus();
	for (unsigned i = 0; i < 6; i++)
		net_send_buf(&peer, frame, len);
	cr_assert_eq(r->end.nr_waiting, 2);
	cr_assert_not(net_can_send(&peer));
	put(&g, RX, 1u << 31 | 1536, 4);
	clock_step(&clk, NSEC_PER_SEC / 4);
	cr_assert_eq(get(&g, RX, 4) >> 31, 0);
	cr_assert_eq(r->end.nr_waiting, 1);
	/* the next frame does the same, and comes after the one that waits */
	put(&g, RX + 16, 1u << 31 | 1536, 4);
	frame[len - 1] ^= 1;
	net_send_buf(&peer, frame, len);
	cr_assert_eq(get(&g, RX + 16, 4) >> 31, 0);
	cr_assert_eq(g.ram.host[BUFFER + 0x800 + len - 1], frame[len - 1] ^ 1);
	cr_assert_eq(r->end.nr_waiting, 1);
	put(&g, RX + 32, 1u << 31 | 1536, 4);
	put(&g, RX + 48, 3u << 30 | 1536, 4);
	clock_step(&clk, NSEC_PER_SEC / 4);
	cr_assert_eq(g.ram.host[BUFFER + 0x1000 + len - 1], frame[len - 1]);
	/* and who waits to send is told */
	cr_assert_eq(out.ready, 1);
	cr_assert(net_can_send(&peer));
}

static void desc(unsigned n, uint32_t cmd, uint32_t vlan, uint64_t addr)
{
	put(&g, TX + 16 * n, cmd | 1u << 31, 4);
	put(&g, TX + 16 * n + 4, vlan, 4);
	put(&g, TX + 16 * n + 8, addr, 8);
}

Test(rtl8139, rings_send)
{
	static uint8_t frame[20000];
	size_t len = make_tcp4(frame, 1000, false);

	cplus();
	memcpy(g.ram.host + DATA, frame, len);
	memset(g.ram.host + DATA + 50, 0, 2);
	memset(g.ram.host + DATA + 24, 0, 2);
	/* in two pieces, with checksums by the card */
	desc(0, 1 << 29 | 1 << 18 | 1 << 16 | 60, 0, DATA);
	desc(1, 1 << 28 | 1 << 18 | 1 << 16 | (uint32_t)(len - 60), 0, DATA + 60);
	wr(TPPOLL, 0x40, 1);
	cr_assert_eq(out.len, len);
	cr_assert_arr_eq(out.data, frame, len);
	cr_assert_eq(get(&g, TX, 4) >> 31, 0);
	cr_assert_eq(rd(ISR, 2) & TOK, TOK);
	/* tagged */
	desc(2, 3 << 28 | (uint32_t)len, 1 << 17 | 0x2301, DATA);
	wr(TPPOLL, 0x40, 1);
	cr_assert_eq(out.len, len + 4);
	cr_assert_eq(get16(out.data + 12), 0x8100);
	cr_assert_eq(get16(out.data + 14), 0x0123);
	/* a large send */
	len = make_tcp4(frame, 6000, true);
	memcpy(g.ram.host + DATA, frame, len);
	out.check_segments = true;
	out.nr = 0;
	desc(3, 7 << 27 | 1400 << 16 | 1 << 30 | (uint32_t)len, 0, DATA);
	wr(TPPOLL, 0x40, 1);
	cr_assert_eq(out.nr, 5);
	cr_assert_eq(out.bad, 0);
	cr_assert_eq(out.payload, 6000);
	/* what was the segment size would be errors now */
	cr_assert_eq(get(&g, TX + 48, 4) & 0x87ff0000, 0);
	cr_assert_eq(r->tx_desc, 0);
}
