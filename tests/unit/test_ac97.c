/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The AC '97 controller and its codec, driven through their registers and buffer lists.
 */
#include "disks.h"
#include "hw/audio/ac97.h"
#include "sound.h"

#define MS   1000000ull
#define LIST 0x10000u
#define DATA 0x20000u
#define IOC  0x80000000u

enum { PI = 0x00, PO = 0x10, MC = 0x20, GLOB_CNT = 0x2c, GLOB_STA = 0x30, CAS = 0x34 };
enum { CIV = 4, LVI = 5, SR = 6, PICB = 8, PIV = 10, CR = 11 };
enum { RUN = 1, RESET = 2, LVBIE = 4, IOCE = 16 };
enum { DCH = 1, CELV = 2, LVBCI = 4, BCIS = 8 };

static struct rig g;
static struct clock clk;
static struct sound s;
static struct ac97 *a;
static uint16_t mixer, regs;

static uint32_t rd(unsigned off, unsigned size)
{
	return (uint32_t)aspace_read(&g.io, regs + off, size);
}

static void wr(unsigned off, uint32_t v, unsigned size)
{
	aspace_write(&g.io, regs + off, v, size);
}

static uint16_t codec(unsigned off)
{
	return (uint16_t)aspace_read(&g.io, mixer + off, 2);
}

static void set_codec(unsigned off, uint16_t v)
{
	aspace_write(&g.io, mixer + off, v, 2);
}

static int line(void)
{
	return g.line[0] | g.line[1] | g.line[2] | g.line[3];
}

static void init(void)
{
	rig_init(&g);
	clock_init(&clk, true);
	sound_init(&s, &clk, 48000);
	a = calloc(1, sizeof(*a));
	ac97_init(a, &s.dev);
	rig_plug(&g, &a->func);
	device_reset(&a->state);
	mixer = (uint16_t)rig_bar(&a->func, 0);
	regs = (uint16_t)rig_bar(&a->func, 1);
	wr(GLOB_CNT, 2, 4);
	set_codec(0x02, 0);      /* master: 0 dB */
	set_codec(0x18, 0x0808); /* PCM: 0 dB */
	set_codec(0x1c, 0);      /* record: 0 dB */
	set_codec(0x1e, 0);
}

static void fini(void)
{
	ac97_fini(a);
	free(a);
	sound_fini(&s);
	rig_fini(&g);
}

TestSuite(ac97, .init = init, .fini = fini);

/* n buffers of `frames` with sines of both frequencies, with the flags. */
static void fill(unsigned n, unsigned frames, double rate, double left, double right,
		 uint32_t flags)
{
	for (unsigned i = 0; i < n; i++) {
		put(&g, LIST + 8 * i, DATA + 4 * i * frames, 4);
		put(&g, LIST + 8 * i + 4, 2 * frames | flags, 4);
	}
	for (unsigned i = 0; i < n * frames; i++) {
		put(&g, DATA + 4 * i, (uint16_t)(int)(16000 * sin(2 * M_PI * left * i / rate)), 2);
		put(&g, DATA + 4 * i + 2, (uint16_t)(int)(16000 * sin(2 * M_PI * right * i / rate)),
		    2);
	}
	wr(PO, LIST, 4);
	wr(PI, LIST, 4);
	wr(MC, LIST, 4);
}

Test(ac97, codec_registers)
{
	cr_assert_eq(rd(GLOB_STA, 4), 0x100);
	cr_assert_eq(codec(0x7c), 0x8384);
	cr_assert_eq(codec(0x7e), 0x7600);
	cr_assert_eq(codec(0x26), 0x000f);
	cr_assert_eq(codec(0x28), 0x0009);
	set_codec(0x26, 0xff00);
	cr_assert_eq(codec(0x26), 0xff0f);
	/* six bits of attenuation are five */
	set_codec(0x02, 0x2020);
	cr_assert_eq(codec(0x02), 0x1f1f);
	set_codec(0x2a, 9);
	set_codec(0x2c, 44100);
	set_codec(0x34, 100);
	cr_assert_eq(codec(0x2c), 44100);
	cr_assert_eq(codec(0x34), 8000);
	set_codec(0x2a, 0);
	cr_assert_eq(codec(0x2c), 48000);
	set_codec(0, 0);
	cr_assert_eq(codec(0x02), 0x8000);
	/* who sees 0 has the codec */
	cr_assert_eq(rd(CAS, 1), 0);
	cr_assert_eq(rd(CAS, 1), 1);
	codec(0);
	cr_assert_eq(rd(CAS, 1), 0);
}

Test(ac97, plays_left_and_right)
{
	fill(8, 6000, 48000, 440, 1000, 0);
	wr(PO + LVI, 7, 1);
	wr(PO + CR, RUN, 1);
	clock_step(&clk, 900 * MS);
	cr_assert_float_eq(pitch_of(s.f + 1000, 40000, 0, 48000), 440, 0.1);
	cr_assert_float_eq(pitch_of(s.f + 1000, 40000, 1, 48000), 1000, 0.1);
	cr_assert_float_eq(tone_in(s.f + 1000, 40000, 0, 48000, 440), 16000 / 32768.0, 0.01);
	cr_assert_lt(tone_in(s.f + 1000, 40000, 0, 48000, 1000), 1e-3);
	clock_step(&clk, 200 * MS);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
	cr_assert_eq(rd(PO + SR, 2), DCH | CELV | LVBCI);
}

Test(ac97, other_rates_and_volumes)
{
	set_codec(0x2a, 1);
	set_codec(0x2c, 22050);
	set_codec(0x02, 0x0800); /* left by 12 dB less */
	set_codec(0x18, 0x080c); /* right by 6 dB less */
	fill(8, 4000, 22050, 440, 1000, 0);
	wr(PO + LVI, 7, 1);
	wr(PO + CR, RUN, 1);
	clock_step(&clk, 900 * MS);
	cr_assert_float_eq(pitch_of(s.f + 1000, 40000, 0, 48000), 440, 0.1);
	cr_assert_float_eq(tone_in(s.f + 1000, 40000, 0, 48000, 440), 0.488 / 3.98, 0.003);
	cr_assert_float_eq(tone_in(s.f + 1000, 40000, 1, 48000, 1000), 0.488 / 1.995, 0.005);
	set_codec(0x02, 0x8000);
	s.nr = 0;
	clock_step(&clk, 100 * MS);
	cr_assert_geq(s.nr, 4000);
	cr_assert_eq(loudest(s.f, s.nr, 0), 0);
}

/* A buffer of 480 frames is 10 ms, and its interrupt comes when it has been played. */
Test(ac97, interrupts_come_at_the_ends_of_buffers)
{
	uint64_t at = clock_now(&clk);

	fill(4, 480, 48000, 440, 440, IOC);
	wr(PO + LVI, 3, 1);
	wr(PO + CR, RUN | IOCE | LVBIE, 1);
	for (unsigned n = 0; n < 4; n++) {
		clock_step(&clk, at + 9500000 - clock_now(&clk));
		cr_assert_eq(line(), 0);
		cr_assert_eq(rd(PO + CIV, 1), n);
		cr_assert_leq(rd(PO + PICB, 2), 60);
		clock_step(&clk, 600000);
		cr_assert_eq(line(), 1, "buffer %u", n);
		cr_assert_eq(rd(GLOB_STA, 4), 0x140);
		cr_assert_eq(rd(PO + SR, 2), n < 3 ? BCIS : BCIS | LVBCI | CELV | DCH);
		wr(PO + SR, BCIS | LVBCI, 2);
		cr_assert_eq(line(), 0);
		at += 10 * MS;
	}
	/* one more buffer */
	clock_step(&clk, 100 * MS);
	cr_assert_eq(rd(PO + CIV, 1), 3);
	put(&g, LIST + 32, DATA, 4);
	put(&g, LIST + 36, 960 | IOC, 4);
	wr(PO + LVI, 4, 1);
	cr_assert_eq(rd(PO + CIV, 1), 4);
	clock_step(&clk, 11 * MS);
	cr_assert_eq(line(), 1);
}

Test(ac97, a_pause_keeps_its_place)
{
	uint32_t left;

	fill(2, 4800, 48000, 440, 440, 0);
	wr(PO + LVI, 1, 1);
	wr(PO + CR, RUN, 1);
	clock_step(&clk, 30 * MS);
	wr(PO + CR, 0, 1);
	cr_assert_eq(rd(PO + SR, 2), DCH);
	left = rd(PO + PICB, 2);
	cr_assert(left > 6600 && left < 6800, "%u", left);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
	clock_step(&clk, 30 * MS);
	cr_assert_eq(rd(PO + PICB, 2), left);
	/* a state goes on where it was */
	wr(PO + CR, RUN, 1);
	a->state.tame(a);
	a->state.loaded(a);
	cr_assert_eq(rd(PO + PICB, 2), left);
	clock_step(&clk, 60 * MS);
	cr_assert_eq(rd(PO + CIV, 1), 0);
	clock_step(&clk, 20 * MS);
	cr_assert_eq(rd(PO + CIV, 1), 1);
	wr(PO + CR, 0, 1);
	wr(PO + CR, RESET, 1);
	cr_assert_eq(rd(PO + CIV, 4), DCH << 16);
	cr_assert_eq(rd(PO, 4), 0);
}

Test(ac97, records_by_both_inputs)
{
	s.tone = 440;
	fill(16, 2400, 48000, 0, 0, IOC);
	wr(PI + LVI, 15, 1);
	wr(PI + CR, RUN, 1);
	clock_step(&clk, 1000 * MS);
	for (unsigned i = 0; i < 16 * 2400; i++)
		for (unsigned c = 0; c < 2; c++)
			s.f[i].s[c] = (int16_t)get(&g, DATA + 4 * i + 2 * c, 2) * 256;
	cr_assert_float_eq(pitch_of(s.f + 1000, 30000, 0, 48000), 440, 0.1);
	cr_assert_float_eq(tone_in(s.f + 1000, 30000, 1, 48000, 440), 2e6 / AUDIO_FULL, 0.01);
	cr_assert(rd(PI + SR, 2) & LVBCI);
	s.tone = 0;
	wr(MC + LVI, 15, 1);
	wr(MC + CR, RUN | LVBIE, 1);
	clock_step(&clk, 790 * MS);
	cr_assert_eq(line(), 0);
	clock_step(&clk, 20 * MS);
	cr_assert_eq(line(), 1);
	cr_assert_eq(rd(GLOB_STA, 4), 0x180);
	cr_assert_eq(get(&g, DATA + 4000, 4), 0);
}

Test(ac97, lists_of_nothing_do_not_hang)
{
	fill(32, 0, 48000, 0, 0, IOC);
	wr(PO + LVI, 31, 1);
	wr(PO + CR, RUN | IOCE | LVBIE, 1);
	clock_step(&clk, 50 * MS);
	cr_assert_eq(line(), 1);
	cr_assert_eq(rd(PO + SR, 2), DCH | CELV | LVBCI | BCIS);
	/* the list, and what is played, outside of memory; no bus master */
	wr(PO, 0xfffffff8, 4);
	wr(PO + LVI, 30, 1);
	clock_step(&clk, 50 * MS);
	pci_config_write(&a->func, PCI_COMMAND, 1, 2);
	wr(PO + LVI, 29, 1);
	clock_step(&clk, 50 * MS);
	/* cold reset ends it all */
	wr(GLOB_CNT, 0, 4);
	cr_assert_eq(line(), 0);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
}
