/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * HDA controllers and codecs: rings of commands, streams, positions, interrupts.
 */
#include "disks.h"
#include "hw/audio/hda.h"
#include "sound.h"

#define MS   1000000ull
#define CORB 0x10000u
#define RIRB 0x11000u
#define LIST 0x12000u
#define POS  0x13000u
#define DATA 0x20000u

enum {
	GCTL_ = 0x08,
	STATESTS_ = 0x0e,
	INTCTL_ = 0x20,
	INTSTS_ = 0x24,
	WALCLK_ = 0x30,
	CORBWP_ = 0x48,
	CORBRP_ = 0x4a,
	CORBCTL_ = 0x4c,
	RIRBWP_ = 0x58,
	RINTCNT_ = 0x5a,
	RIRBCTL_ = 0x5c,
	RIRBSTS_ = 0x5d,
	OUT = 0x80 + 4 * 0x20, /* the first stream that plays */
	IN = 0x80,
	STS = 3,
	LPIB = 4,
	CBL = 8,
	LVI = 0xc,
	FMT = 0x12,
	BDPL = 0x18,
};
enum { RUN = 2, IOCE = 4, DEIE = 16, BCIS = 4, DESE = 16 };
#define TAG(n)     ((uint32_t)(n) << 20)
#define STEREO_16  0x11u /* 48 kHz */
#define SET_FORMAT 0x20000u
#define SET_AMP    0x3b000u /* output, both sides */
#define SET_IN_AMP 0x37000u
#define SET_STREAM 0x70600u

static struct rig g;
static struct clock clk;
static struct sound s;
static struct hda *h;
static struct hda_codec *codec;
static struct hda_bus *buses;
static uint64_t regs;
static unsigned sent;

static uint32_t rd(unsigned off, unsigned size)
{
	return (uint32_t)get(&g, regs + off, size);
}

static void wr(unsigned off, uint32_t v, unsigned size)
{
	put(&g, regs + off, v, size);
}

static int line(void)
{
	return g.line[0] | g.line[1] | g.line[2] | g.line[3];
}

/* By the rings. */
static uint32_t command(unsigned nid, uint32_t verb)
{
	sent = (sent + 1) % 256;
	put(&g, CORB + 4 * sent, nid << 20 | verb, 4);
	wr(CORBWP_, sent, 2);
	cr_assert_eq(rd(CORBRP_, 2), sent);
	cr_assert_eq(rd(RIRBWP_, 2), sent);
	cr_assert_eq(get(&g, RIRB + 8 * sent + 4, 4), 0);
	return (uint32_t)get(&g, RIRB + 8 * sent, 4);
}

static void start_rings(void)
{
	wr(0x40, CORB, 4);
	wr(0x50, RIRB, 4);
	wr(CORBRP_, 0x8000, 2);
	cr_assert_eq(rd(CORBRP_, 2), 0x8000);
	wr(CORBRP_, 0, 2);
	cr_assert_eq(rd(CORBRP_, 2), 0);
	wr(RIRBWP_, 0x8000, 2);
	wr(RINTCNT_, 1, 2);
	wr(CORBCTL_, 2, 1);
	wr(RIRBCTL_, 3, 1);
	sent = 0;
}

static void init(void)
{
	const struct hda_options o = {0x2668, 1, true};
	char err[128];

	rig_init(&g);
	clock_init(&clk, true);
	sound_init(&s, &clk, 48000);
	h = calloc(1, sizeof(*h));
	codec = calloc(1, sizeof(*codec));
	buses = NULL;
	hda_init(h, &clk, &s.dev, &o);
	rig_plug(&g, &h->func);
	hda_bus_add(&buses, &h->bus, NULL);
	hda_codec_init(codec, &hda_duplex_class, &s.dev);
	cr_assert_eq(hda_codec_attach(codec, buses, "hda.0", -1, err, sizeof(err)), 0);
	device_reset(&h->state);
	device_reset(&codec->dev);
	regs = rig_bar(&h->func, 0);
	wr(GCTL_, 1, 4);
	start_rings();
}

static void fini(void)
{
	hda_fini(h);
	free(h);
	free(codec);
	sound_fini(&s);
	rig_fini(&g);
}

TestSuite(hda, .init = init, .fini = fini);

Test(hda, the_link_comes_up)
{
	cr_assert_eq(rd(0, 4), 0x01004401);
	cr_assert_eq(rd(STATESTS_, 2), 1);
	wr(STATESTS_, 1, 2);
	cr_assert_eq(rd(STATESTS_, 2), 0);
	wr(GCTL_, 0, 4);
	cr_assert_eq(rd(GCTL_, 4), 0);
	wr(CORBWP_, 5, 2);
	cr_assert_eq(rd(CORBWP_, 2), 0);
	wr(GCTL_, 1, 4);
	cr_assert_eq(rd(STATESTS_, 2), 1);
	clock_step(&clk, MS);
	cr_assert_eq(rd(WALCLK_, 4), 24000);
	cr_assert_eq(rd(0x2030, 4), 24000);
}

Test(hda, codecs_describe_themselves)
{
	cr_assert_eq(command(0, 0xf0000), 0x1af40022);
	cr_assert_eq(command(0, 0xf0004), 0x00010001);
	cr_assert_eq(command(1, 0xf0004), 0x00020004);
	cr_assert_eq(command(1, 0xf0005), 1);
	cr_assert_eq(command(2, 0xf0009) >> 20, 0);
	cr_assert_eq(command(3, 0xf0009) >> 20, 4);
	cr_assert_eq(command(4, 0xf0009) >> 20, 1);
	cr_assert_eq(command(3, 0xf0200), 2);
	cr_assert_eq(command(4, 0xf0200), 5);
	cr_assert_eq(command(3, 0xf1c00), 0x01014110);
	cr_assert_eq(command(9, 0xf0000), 0);
	command(3, 0x71e34);
	cr_assert_eq(command(3, 0xf1c00), 0x01344110);
	command(2, SET_FORMAT | 0x4011);
	cr_assert_eq(command(2, 0xa0000), 0x4011);
	command(2, SET_AMP | 0x80 | 10);
	cr_assert_eq(command(2, 0xb8000), 0x8a);
	command(2, 0x3a000 | 0x7f); /* left alone, more than there is */
	cr_assert_eq(command(2, 0xba000), 74);
	cr_assert_eq(command(2, 0xb8000), 0x8a);
	command(1, 0x7ff00);
	cr_assert_eq(command(2, 0xa0000), 0x0031);
	/* one at a time */
	wr(0x60, 0x000f0000, 4);
	wr(0x68, 1, 2);
	cr_assert_eq(rd(0x68, 2) & 3, 2);
	cr_assert_eq(rd(0x64, 4), 0x1af40022);
	wr(0x60, 0x300f0000, 4); /* nobody is there */
	wr(0x68, 3, 2);
	cr_assert_eq(rd(0x68, 2) & 3, 0);
}

Test(hda, responses_interrupt)
{
	wr(INTCTL_, 0xc0000000, 4);
	command(0, 0xf0000);
	cr_assert_eq(rd(RIRBSTS_, 1), 1);
	cr_assert_eq(rd(INTSTS_, 4), 0xc0000000);
	cr_assert_eq(line(), 1);
	wr(RIRBSTS_, 1, 1);
	cr_assert_eq(line(), 0);
	/* 200 commands at once, an interrupt when all have been answered */
	wr(RINTCNT_, 250, 2);
	for (unsigned i = 0; i < 200; i++)
		put(&g, CORB + 4 * ((sent + 1 + i) % 256), 0xf0000, 4);
	wr(CORBWP_, (sent + 200) % 256, 2);
	cr_assert_eq(rd(RIRBWP_, 2), (sent + 200) % 256);
	cr_assert_eq(line(), 1);
	/* commands from where there is no memory */
	wr(RIRBSTS_, 1, 1);
	wr(0x44, 0xff, 4);
	wr(CORBWP_, 0, 2);
	cr_assert_eq(rd(CORBCTL_, 1), 0);
	cr_assert_eq(rd(0x4d, 1), 1);
}

/* n buffers of `frames` with sines, as S16, of a stream. */
static void fill(unsigned sd, unsigned n, unsigned frames, double rate, uint32_t flags)
{
	for (unsigned i = 0; i < n; i++) {
		put(&g, LIST + 16 * i, DATA + 4 * i * frames, 8);
		put(&g, LIST + 16 * i + 8, 4 * frames, 4);
		put(&g, LIST + 16 * i + 12, flags, 4);
	}
	for (unsigned i = 0; i < n * frames; i++) {
		put(&g, DATA + 4 * i, (uint16_t)(int)(16000 * sin(2 * M_PI * 440 * i / rate)), 2);
		put(&g, DATA + 4 * i + 2, (uint16_t)(int)(16000 * sin(2 * M_PI * 1000 * i / rate)),
		    2);
	}
	wr(sd + BDPL, LIST, 4);
	wr(sd + CBL, 4 * n * frames, 4);
	wr(sd + LVI, n - 1, 2);
	wr(sd + FMT, STEREO_16, 2);
}

Test(hda, plays_left_and_right_round_and_round)
{
	fill(OUT, 4, 1200, 48000, 0); /* 4800 frames: whole cycles of both */
	command(2, SET_STREAM | 0x10);
	command(2, SET_FORMAT | STEREO_16);
	wr(OUT, TAG(1) | RUN, 3);
	cr_assert_eq(rd(OUT + STS, 1), 0x20);
	clock_step(&clk, 900 * MS);
	cr_assert_float_eq(pitch_of(s.f + 1000, 40000, 0, 48000), 440, 0.1);
	cr_assert_float_eq(pitch_of(s.f + 1000, 40000, 1, 48000), 1000, 0.1);
	cr_assert_float_eq(tone_in(s.f + 1000, 40000, 0, 48000, 440), 16000 / 32768.0, 0.01);
	/* 6 dB less, the other side muted, another tag, no pin */
	command(2, 0x3a000 | (74 - 6));
	command(2, 0x39000 | 0x80);
	s.nr = 0;
	clock_step(&clk, 200 * MS);
	cr_assert_float_eq(tone_in(s.f + 1000, 8000, 0, 48000, 440), 0.488 / 1.995, 0.01);
	cr_assert_eq(loudest(s.f + 1000, 8000, 1), 0);
	command(3, 0x70700);
	s.nr = 0;
	clock_step(&clk, 100 * MS);
	cr_assert_eq(loudest(s.f, s.nr, 0), 0);
	cr_assert_geq(s.nr, 4700);
	wr(OUT, TAG(1), 3);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
	cr_assert_eq(rd(OUT + STS, 1), 0);
}

Test(hda, positions_and_interrupts_are_on_time)
{
	uint64_t at = clock_now(&clk);

	fill(OUT, 4, 480, 48000, 1);
	command(2, SET_STREAM | 0x10);
	wr(RIRBSTS_, 1, 1);
	wr(INTCTL_, 0x800000ff, 4);
	wr(0x70, POS | 1, 4);
	wr(OUT, TAG(1) | RUN | IOCE, 3);
	for (unsigned n = 0; n < 9; n++) {
		uint32_t pos;

		clock_step(&clk, at + n * 10 * MS + 9500000 - clock_now(&clk));
		cr_assert_eq(line(), 0);
		pos = rd(OUT + LPIB, 4);
		cr_assert_eq(pos, rd(0x2084 + 4 * 0x20, 4));
		cr_assert_leq(abs((int)(pos - (n % 4 * 1920 + 1824))), 8, "%u at %u", pos, n);
		cr_assert_eq(get(&g, POS + 8 * 4, 4), pos);
		clock_step(&clk, 600000);
		cr_assert_eq(line(), 1);
		cr_assert_eq(rd(INTSTS_, 4), 0x80000010);
		wr(OUT + STS, BCIS, 1);
		cr_assert_eq(line(), 0);
	}
}

Test(hda, messages_come_once_each)
{
	unsigned cap = h->func.msi;

	fill(OUT, 4, 480, 48000, 1);
	pci_config_write(&h->func, cap + 4, 0xfee00000, 4);
	pci_config_write(&h->func, cap + 12, 0x41, 2);
	pci_config_write(&h->func, cap + 2, 1, 2);
	wr(INTCTL_, 0x800000ff, 4);
	wr(OUT, TAG(1) | RUN | IOCE, 3);
	clock_step(&clk, 25 * MS);
	cr_assert_eq(g.messages, 1);
	wr(OUT + STS, BCIS, 1);
	clock_step(&clk, 10 * MS);
	cr_assert_eq(g.messages, 2);
	cr_assert_eq(line(), 0);
}

Test(hda, streams_without_a_codec_and_synchronized_ones)
{
	fill(OUT, 4, 480, 48000, 0);
	wr(0x38, 0x10, 4); /* SSYNC, where the specification has it */
	cr_assert_eq(rd(0x34, 4), 0x10);
	wr(OUT, TAG(7) | RUN, 3);
	clock_step(&clk, 20 * MS);
	cr_assert_eq(rd(OUT + LPIB, 4), 0);
	cr_assert_eq(rd(OUT + STS, 1), 0x20);
	wr(0x34, 0, 4);
	clock_step(&clk, 20 * MS);
	cr_assert_geq(rd(OUT + LPIB, 4), 3800);
	cr_assert_eq(loudest(s.f, s.nr, 0), 0);
	/* reset of the stream */
	wr(OUT, 1, 1);
	cr_assert_eq(rd(OUT, 4), 1);
	wr(OUT, 0, 1);
	cr_assert_eq(rd(OUT, 4), 0);
	cr_assert_eq(rd(OUT + CBL, 4), 0);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
}

Test(hda, formats)
{
	/* 44.1 kHz, 32 bits, six channels, of which the codec takes the third and the fourth */
	for (unsigned i = 0; i < 4410; i++)
		for (unsigned c = 0; c < 6; c++) {
			double hz = 400 + 100 * c;

			put(&g, DATA + 24 * i + 4 * c,
			    (uint32_t)(int32_t)(1e9 * sin(2 * M_PI * hz * i / 44100)), 4);
		}
	put(&g, LIST, DATA, 8);
	put(&g, LIST + 8, 24 * 4410, 8);
	wr(OUT + BDPL, LIST, 4);
	wr(OUT + CBL, 24 * 4410, 4);
	wr(OUT + FMT, 0x4045, 2);
	command(2, SET_STREAM | 0x32);
	wr(OUT, TAG(3) | RUN, 3);
	clock_step(&clk, 500 * MS);
	cr_assert_float_eq(pitch_of(s.f + 1000, 20000, 0, 48000), 600, 0.2);
	cr_assert_float_eq(pitch_of(s.f + 1000, 20000, 1, 48000), 700, 0.2);
	cr_assert_float_eq(tone_in(s.f + 1000, 20000, 0, 48000, 600), 1e9 / 0x80000000, 0.01);
	/* a new format while it runs */
	wr(OUT + FMT, 0x0000, 2);
	clock_step(&clk, 20 * MS);
	wr(OUT + FMT, 0x7f7f, 2);
	clock_step(&clk, 20 * MS);
}

Test(hda, records)
{
	s.tone = 440;
	fill(IN, 4, 4800, 48000, 1);
	command(4, SET_STREAM | 0x20);
	wr(INTCTL_, 0x80000001, 4);
	wr(IN, TAG(2) | RUN | IOCE, 3);
	clock_step(&clk, 410 * MS);
	cr_assert_eq(line(), 1);
	wr(IN, TAG(2), 3);
	for (unsigned i = 0; i < 4 * 4800; i++)
		for (unsigned c = 0; c < 2; c++)
			s.f[i].s[c] = (int16_t)get(&g, DATA + 4 * i + 2 * c, 2) * 256;
	cr_assert_float_eq(pitch_of(s.f + 1000, 16000, 0, 48000), 440, 0.2);
	cr_assert_float_eq(tone_in(s.f + 1000, 16000, 1, 48000, 440), 2e6 / AUDIO_FULL, 0.01);
	command(4, SET_IN_AMP | 0x80);
	wr(IN, TAG(2) | RUN, 3);
	clock_step(&clk, 420 * MS);
	for (unsigned i = 0; i < 4 * 4800; i++)
		cr_assert_eq(get(&g, DATA + 4 * i, 4), 0);
}

Test(hda, a_saved_stream_goes_on)
{
	uint32_t pos;

	fill(OUT, 4, 1200, 48000, 1);
	command(2, SET_STREAM | 0x10);
	wr(OUT, TAG(1) | RUN, 3);
	clock_step(&clk, 37 * MS);
	pos = rd(OUT + LPIB, 4);
	h->state.tame(h);
	codec->dev.tame(codec);
	h->state.loaded(h);
	cr_assert_eq(rd(OUT + LPIB, 4), pos);
	clock_step(&clk, 10 * MS);
	cr_assert_leq(abs((int)(rd(OUT + LPIB, 4) - pos - 1920)), 8);
	device_reset(&h->state);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
}

/* What a table of fields holds is all that a codec knows. */
Test(hda, a_saved_codec_answers_as_before)
{
	static const uint32_t asked[] = {0xa0000, 0xb8000, 0xba000, 0xb0000, 0xb2000,
					 0xf0600, 0xf0700, 0xf0c00, 0xf1c00, 0xf0500};
	struct hda_codec copy = {0};

	hda_codec_init(&copy, &hda_duplex_class, &s.dev);
	for (unsigned nid = 1; nid < 6; nid++) {
		command(nid, SET_FORMAT | (0x4000 + nid));
		command(nid, SET_STREAM | (0x10 + nid));
		command(nid, 0x3a000 | (10 + nid));
		command(nid, 0x39000 | (20 + nid));
		command(nid, 0x36000 | (30 + nid));
		command(nid, 0x35000 | (40 + nid));
		command(nid, 0x70700 | nid);
		command(nid, 0x70c00 | nid);
		command(nid, 0x71d00 | nid);
		command(nid, 0x70503);
	}
	for (const struct field *f = codec->dev.fields; f->name; f++)
		for (unsigned i = 0; i < f->count; i++) {
			size_t at = f->offset + (size_t)i * field_stride(f);

			memcpy((uint8_t *)&copy + at, (uint8_t *)codec + at, f->size);
		}
	copy.dev.tame(&copy);
	for (unsigned nid = 1; nid < 6; nid++)
		for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
			cr_assert_eq(hda_codec_command(&copy, nid << 20 | asked[i]),
				     command(nid, asked[i]), "node %u, verb %x", nid, asked[i]);
}

Test(hda, bad_lists_stop_the_stream)
{
	fill(OUT, 256, 0, 48000, 1);
	wr(INTCTL_, 0x80000010, 4);
	wr(OUT, TAG(1) | RUN | DEIE, 3);
	cr_assert_eq(rd(OUT, 3) & RUN, 0);
	cr_assert_eq(rd(OUT + STS, 1), DESE);
	cr_assert_eq(line(), 1);
	wr(OUT + STS, DESE, 1);
	/* one that is not there; data that is not */
	wr(OUT + BDPL, 0xfffffff0, 4);
	wr(OUT, TAG(1) | RUN, 3);
	cr_assert_eq(rd(OUT + STS, 1), DESE);
	put(&g, LIST, 0xfffffffffffffff0, 8);
	put(&g, LIST + 8, 0xffffffff, 8);
	wr(OUT + BDPL, LIST, 4);
	wr(OUT + CBL, 3, 4);
	wr(OUT + LVI, 0, 2);
	wr(OUT, TAG(1) | RUN, 3);
	clock_step(&clk, 100 * MS);
	cr_assert_lt(rd(OUT + LPIB, 4), 3);
	pci_config_write(&h->func, PCI_COMMAND, 2, 2);
	clock_step(&clk, 100 * MS);
	wr(GCTL_, 0, 4);
	cr_assert_eq(clock_next(&clk), UINT64_MAX);
}

Test(hda, addresses_on_the_link)
{
	struct hda_codec c[2] = {0};
	char err[128];

	hda_codec_init(&c[0], &hda_output_class, &s.dev);
	hda_codec_init(&c[1], &hda_micro_class, &s.dev);
	cr_assert_neq(hda_codec_attach(&c[0], buses, NULL, 0, err, sizeof(err)), 0);
	cr_assert(strstr(err, "cad="), "%s", err);
	cr_assert_neq(hda_codec_attach(&c[0], buses, "hda.1", -1, err, sizeof(err)), 0);
	cr_assert_neq(hda_codec_attach(&c[0], NULL, NULL, -1, err, sizeof(err)), 0);
	cr_assert(strstr(err, "intel-hda"), "%s", err);
	cr_assert_eq(hda_codec_attach(&c[0], buses, NULL, 5, err, sizeof(err)), 0);
	cr_assert_eq(hda_codec_attach(&c[1], buses, NULL, -1, err, sizeof(err)), 0);
	cr_assert_str_eq(c[1].name, "hda-micro-hda.0-1");
	wr(GCTL_, 0, 4);
	wr(STATESTS_, 0xffff, 2);
	wr(GCTL_, 1, 4);
	cr_assert_eq(rd(STATESTS_, 2), 0x23);
}
