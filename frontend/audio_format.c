/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frames of the mixer in the formats of the host: see frontend/audiodev.h.
 */
#include <string.h>

#include "frontend/audiodev.h"

static unsigned sample_bytes(enum audio_format f)
{
	return f <= SAMPLE_S8 ? 1 : f <= SAMPLE_S16 ? 2 : 4;
}

unsigned audio_frame_bytes(const struct audio_stream_spec *s)
{
	return sample_bytes(s->format) * s->channels;
}

/* A sample, of 24 bits with a sign, as the bits that stand for it. */
static uint32_t encode(enum audio_format format, int32_t v)
{
	uint32_t bits;
	float real;

	switch (format) {
	case SAMPLE_U8:
		return (uint32_t)(v >> 16) ^ 0x80;
	case SAMPLE_S8:
		return (uint32_t)(v >> 16);
	case SAMPLE_U16:
		return (uint32_t)(v >> 8) ^ 0x8000;
	case SAMPLE_S16:
		return (uint32_t)(v >> 8);
	case SAMPLE_U32:
		return (uint32_t)v << 8 ^ 0x80000000;
	case SAMPLE_S32:
		return (uint32_t)v << 8;
	case SAMPLE_F32:
		real = (float)v / (AUDIO_FULL + 1);
		memcpy(&bits, &real, sizeof(bits));
		return bits;
	}
	return 0;
}

static int32_t decode(enum audio_format format, uint32_t bits)
{
	float real;

	switch (format) {
	case SAMPLE_U8:
		return (int32_t)((bits ^ 0x80) << 24) >> 8;
	case SAMPLE_S8:
		return (int32_t)(bits << 24) >> 8;
	case SAMPLE_U16:
		return (int32_t)((bits ^ 0x8000) << 16) >> 8;
	case SAMPLE_S16:
		return (int32_t)(bits << 16) >> 8;
	case SAMPLE_U32:
		return (int32_t)(bits ^ 0x80000000) >> 8;
	case SAMPLE_S32:
		return (int32_t)bits >> 8;
	case SAMPLE_F32:
		memcpy(&real, &bits, sizeof(real));
		return real >= 1   ? AUDIO_FULL
		       : real > -1 ? (int32_t)(real * AUDIO_FULL)
				   : -AUDIO_FULL;
	}
	return 0;
}

void audio_pack(const struct audio_stream_spec *s, const struct audio_frame *f, unsigned nr,
		void *out)
{
	unsigned bytes = sample_bytes(s->format);
	uint8_t *to = out;

	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < s->channels; c++, to += bytes) {
			int32_t v = s->channels == 1 ? (f[i].s[0] + f[i].s[1]) / 2 : f[i].s[c];
			uint32_t bits = encode(s->format, v);

			memcpy(to, &bits, bytes);
		}
}

void audio_unpack(const struct audio_stream_spec *s, const void *in, unsigned nr,
		  struct audio_frame *f)
{
	unsigned bytes = sample_bytes(s->format);
	const uint8_t *from = in;

	for (unsigned i = 0; i < nr; i++) {
		for (unsigned c = 0; c < s->channels; c++, from += bytes) {
			uint32_t bits = 0;

			memcpy(&bits, from, bytes);
			f[i].s[c] = decode(s->format, bits);
		}
		if (s->channels == 1)
			f[i].s[1] = f[i].s[0];
	}
}
