/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sampling rates: see the header.
 */
#include "hw/audio/resample.h"

#include <math.h>
#include <string.h>

/* Where the pass band ends, of half the lower rate: what is between may alias a little. */
#define ROLLOFF 0.92

void sinc_table_init(struct sinc_table *t)
{
	const unsigned last = SINC_ZEROS * SINC_STEPS;

	for (unsigned i = 0; i <= last; i++) {
		double x = (double)i / SINC_STEPS, w = M_PI * i / last;
		double window = 0.42 + 0.5 * cos(w) + 0.08 * cos(2 * w); /* Blackman */
		double sinc = i ? sin(M_PI * ROLLOFF * x) / (M_PI * ROLLOFF * x) : 1;

		t->h[i] = (int32_t)lrint(65536 * ROLLOFF * sinc * window);
	}
	t->h[last + 1] = 0;
}

void resampler_init(struct resampler *r, const struct sinc_table *t, uint32_t in, uint32_t out)
{
	r->table = t;
	r->in = in;
	r->out = out;
	r->half = in == out ? 0 : in < out ? SINC_ZEROS : SINC_ZEROS * in / out + 2;
	r->at = r->half;
	r->frac = 0;
	r->nr = 2 * r->half;
	memset(r->buf, 0, r->nr * sizeof(r->buf[0]));
}

/* The oldest frame that output still needs. */
static uint32_t first(const struct resampler *r)
{
	uint32_t n = r->at > r->half ? r->at - r->half : 0;

	return n < r->nr ? n : r->nr;
}

unsigned resampler_room(const struct resampler *r)
{
	return RESAMPLE_BUF - (r->nr - first(r));
}

void resampler_put(struct resampler *r, const struct audio_frame *f, unsigned nr)
{
	uint32_t old = first(r);

	if (r->nr + nr > RESAMPLE_BUF) {
		memmove(r->buf, r->buf + old, (r->nr - old) * sizeof(*f));
		r->nr -= old;
		r->at -= old;
	}
	memcpy(r->buf + r->nr, f, nr * sizeof(*f));
	r->nr += nr;
}

/* Adds one side of the kernel: frames from f on, each `step` (1 or -1) further, the first of them at x of
 * the table, in 1/65536 of an entry, and the others dx further each. */
static void wing(const struct resampler *r, int64_t sum[2], const struct audio_frame *f, int step,
		 uint64_t x, uint64_t dx)
{
	const uint64_t end = (uint64_t)SINC_ZEROS * SINC_STEPS << 16;

	for (; x < end; x += dx, f += step) {
		const int32_t *h = r->table->h + (x >> 16);
		int64_t c = h[0] + ((int64_t)(h[1] - h[0]) * (int64_t)(x & 0xffff) >> 16);

		sum[0] += f->s[0] * c;
		sum[1] += f->s[1] * c;
	}
}

static void interpolate(const struct resampler *r, struct audio_frame *out)
{
	/* Table entries in an input frame: fewer where the sinc is stretched, and as much quieter. */
	uint64_t dx = (uint64_t)SINC_STEPS << 16;
	const struct audio_frame *f = r->buf + r->at;
	int64_t sum[2] = {0};

	if (r->in > r->out)
		dx = dx * r->out / r->in;
	wing(r, sum, f, -1, dx * r->frac / r->out, dx);
	wing(r, sum, f + 1, 1, dx * (r->out - r->frac) / r->out, dx);
	for (unsigned i = 0; i < 2; i++) {
		int64_t v = sum[i] >> 16;

		if (r->in > r->out)
			v = v * r->out / r->in;
		out->s[i] = (int32_t)v;
	}
}

unsigned resampler_take(struct resampler *r, struct audio_frame *f, unsigned nr)
{
	unsigned n = 0;

	for (; n < nr && r->at + r->half < r->nr; n++) {
		if (r->in == r->out)
			f[n] = r->buf[r->at];
		else
			interpolate(r, &f[n]);
		r->frac += r->in;
		r->at += r->frac / r->out;
		r->frac %= r->out;
	}
	return n;
}
