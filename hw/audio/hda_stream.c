/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Streams of HDA controllers (High Definition Audio 1.0a, 3.3.35 to 3.3.43, 3.6, 4.5): lists of buffers that go round,
 * at the rate of the stream's format. A stream runs whether a codec listens or not; of several that do, it is
 * the first that is heard.
 */
#include <string.h>

#include "hw/audio/hda_impl.h"

enum { BD_LEN = 16, BD_IOC = 1, LIST_MAX = 256 };
#define PIECE 8192u /* bytes that are moved at once */

/* ---- formats ---- */

static uint32_t rate_of(uint32_t fmt)
{
	uint32_t base = fmt & 1 << 14 ? 44100 : 48000;
	uint32_t times = (fmt >> 11 & 7) + 1, by = (fmt >> 8 & 7) + 1;

	return base * (times < 4 ? times : 4) / by;
}

/* Bytes of a sample. */
static unsigned container(uint32_t fmt)
{
	unsigned bits = fmt >> 4 & 7;

	return bits == 0 ? 1 : bits == 1 ? 2 : 4;
}

static unsigned channels(uint32_t fmt)
{
	return (fmt & 15) + 1;
}

static int32_t decode(const uint8_t *p, unsigned bytes)
{
	if (bytes == 1)
		return (int32_t)((uint32_t)p[0] << 24) >> 8;
	if (bytes == 2)
		return (int32_t)((uint32_t)pci_get16(p) << 16) >> 8;
	return (int32_t)pci_get32(p) >> 8;
}

static void encode(uint8_t *p, unsigned bytes, int32_t v)
{
	if (bytes == 1)
		p[0] = (uint8_t)(v >> 16);
	else if (bytes == 2)
		pci_set16(p, (uint16_t)(v >> 8));
	else
		pci_set32(p, (uint32_t)v << 8);
}

/* ---- lists ---- */

static void stop(struct hda *h, unsigned n)
{
	h->stream[n].reg[SDCTL] &= ~(uint32_t)SDCTL_RUN;
	h->stream[n].reg[SDSTS] &= ~(uint32_t)SDSTS_FIFORDY;
	h->stream[n].reg[SDSTS] |= SDSTS_DESE;
	audio_voice_stop(&h->voice[n]);
	hda_update_irq(h);
}

/* Finds a buffer with something in it, from its index on. False: there is none, and the stream has stopped. */
static bool load(struct hda *h, unsigned n)
{
	struct hda_stream *s = &h->stream[n];
	uint8_t bd[BD_LEN];

	for (unsigned i = 0; i < LIST_MAX; i++) {
		if (pci_dma_read(&h->func, hda_addr(&s->reg[SDBDPL]) + BD_LEN * (uint64_t)s->index,
				 bd, sizeof(bd)) < 0)
			break;
		s->addr = pci_get32(bd) | (uint64_t)pci_get32(bd + 4) << 32;
		s->left = pci_get32(bd + 8);
		s->ioc = pci_get32(bd + 12) & BD_IOC;
		s->loaded = true;
		if (s->left)
			return true;
		s->index = s->index >= s->reg[SDLVI] ? 0 : s->index + 1;
	}
	s->loaded = false;
	stop(h, n);
	return false;
}

/* The buffer is done. */
static bool finish(struct hda *h, unsigned n)
{
	struct hda_stream *s = &h->stream[n];

	if (s->ioc) {
		s->reg[SDSTS] |= SDSTS_BCIS;
		hda_update_irq(h);
	}
	s->index = s->index >= s->reg[SDLVI] ? 0 : s->index + 1;
	return load(h, n);
}

/* Moves bytes from the buffers to raw, or the other way round; how many. */
static uint32_t transfer(struct hda *h, unsigned n, uint8_t *raw, uint32_t bytes)
{
	struct hda_stream *s = &h->stream[n];
	uint32_t done = 0;

	while (done < bytes && s->loaded) {
		uint32_t part = bytes - done < s->left ? bytes - done : s->left;

		if (n < HDA_INPUTS)
			pci_dma_write(&h->func, s->addr, raw + done, part);
		else if (pci_dma_read(&h->func, s->addr, raw + done, part) < 0)
			memset(raw + done, 0, part);
		s->addr += part;
		s->left -= part;
		done += part;
		s->reg[SDLPIB] += part;
		if (s->reg[SDCBL])
			s->reg[SDLPIB] %= s->reg[SDCBL];
		if (!s->left && !finish(h, n))
			break;
	}
	return done;
}

static void report_position(struct hda *h, unsigned n)
{
	uint64_t base = hda_addr(&h->reg[DPLBASE]);
	uint8_t raw[4];

	if (!(base & 1))
		return;
	pci_set32(raw, h->stream[n].reg[SDLPIB]);
	pci_dma_write(&h->func, (base & ~127ull) + 8 * n, raw, sizeof(raw));
}

/* ---- voices ---- */

static void play(const struct hda_port *p, struct audio_frame *f, unsigned nr)
{
	struct hda_stream *s = &p->h->stream[p->n];
	unsigned bytes = container(s->reg[SDFMT]), have = channels(s->reg[SDFMT]),
		 frame = bytes * have;
	uint8_t raw[PIECE];
	uint32_t got;

	got = transfer(p->h, p->n, raw, nr * frame) / frame;
	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < 2; c++) {
			/* One channel is heard on both sides. */
			unsigned at = have == 1 ? 0 : p->channel + c;

			f[i].s[c] =
			    i < got && at < have ? decode(raw + i * frame + at * bytes, bytes) : 0;
		}
}

static void record(const struct hda_port *p, const struct audio_frame *f, unsigned nr)
{
	struct hda_stream *s = &p->h->stream[p->n];
	unsigned bytes = container(s->reg[SDFMT]), have = channels(s->reg[SDFMT]),
		 frame = bytes * have;
	uint8_t raw[PIECE];

	memset(raw, 0, nr * frame);
	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < 2 && p->channel + c < have; c++)
			encode(raw + i * frame + (p->channel + c) * bytes, bytes, f[i].s[c]);
	transfer(p->h, p->n, raw, nr * frame);
}

static void move(void *opaque, struct audio_frame *f, unsigned nr)
{
	struct hda_port *p = opaque;
	uint32_t fmt = p->h->stream[p->n].reg[SDFMT];
	unsigned most = PIECE / (container(fmt) * channels(fmt));

	while (nr) {
		unsigned n = nr < most ? nr : most;

		if (p->n < HDA_INPUTS)
			record(p, f, n);
		else
			play(p, f, n);
		f += n;
		nr -= n;
	}
	report_position(p->h, p->n);
}

static unsigned until(void *opaque)
{
	struct hda_port *p = opaque;
	const struct hda_stream *s = &p->h->stream[p->n];
	unsigned frame = container(s->reg[SDFMT]) * channels(s->reg[SDFMT]);

	if (!(s->reg[SDCTL] & SDCTL_IOCE) || !s->left)
		return 0;
	return (s->left - 1) / frame + 1;
}

static void apply(struct hda *h, unsigned n)
{
	bool output = n >= HDA_INPUTS, run;
	struct hda_stream *s = &h->stream[n];
	struct audiodev *dev = h->audiodev;
	struct hda_route r = {0};

	run = h->reg[GCTL] & GCTL_CRST && s->reg[SDCTL] & SDCTL_RUN && !(h->reg[SSYNC] & 1u << n);
	for (unsigned i = 0; i < HDA_CODECS && hda_tag(s); i++)
		if (h->bus.codec[i] && hda_codec_route(h->bus.codec[i], hda_tag(s), output, &r)) {
			dev = h->bus.codec[i]->audiodev;
			break;
		}
	h->port[n].channel = r.channel;
	if (h->voice[n].dev != dev)
		audio_voice_attach(&h->voice[n], dev);
	audio_voice_set_rate(&h->voice[n], rate_of(s->reg[SDFMT]));
	audio_voice_set_gain(&h->voice[n], r.gain[0], r.gain[1]);
	if (run && !s->loaded)
		run = load(h, n);
	if (run)
		audio_voice_start(&h->voice[n]);
	else
		audio_voice_stop(&h->voice[n]);
}

void hda_streams_apply(struct hda *h)
{
	for (unsigned n = 0; n < HDA_STREAMS; n++)
		apply(h, n);
}

void hda_stream_reset(struct hda *h, unsigned n)
{
	struct hda_stream *s = &h->stream[n];

	audio_voice_stop(&h->voice[n]);
	memset(s, 0, sizeof(*s));
	s->reg[SDFIFOS] = n < HDA_INPUTS ? 0x77 : 0xbf;
}

void hda_streams_init(struct hda *h, struct audiodev *dev)
{
	h->audiodev = dev;
	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		h->port[n] = (struct hda_port){h, n, 0};
		audio_voice_init(&h->voice[n], dev, n < HDA_INPUTS, 48000, move, until,
				 &h->port[n]);
	}
}
