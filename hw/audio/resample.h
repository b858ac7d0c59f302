/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From one sampling rate to another: band-limited interpolation by a windowed sinc, which is kept as a table
 * and stretched where the rate goes down, so that what the lower rate cannot hold is filtered away (J. O.
 * Smith, "Digital Audio Resampling").
 */
#ifndef HW_AUDIO_RESAMPLE_H
#define HW_AUDIO_RESAMPLE_H

#include <stdint.h>

/* Samples are signed, with 24 bits: AUDIO_FULL is the loudest. Left, right. */
#define AUDIO_FULL 0x7fffff
struct audio_frame {
	int32_t s[2];
};

#define AUDIO_RATE_MIN 4000u
#define AUDIO_RATE_MAX 192000u

enum {
	SINC_ZEROS = 8,   /* zero crossings of the sinc, on each side */
	SINC_STEPS = 256, /* table entries between two of them */
	RESAMPLE_BUF = 4096,
};

struct sinc_table {
	int32_t h[SINC_ZEROS * SINC_STEPS + 2]; /* 65536 is 1 */
};

struct resampler {
	const struct sinc_table *table; /* borrowed */
	uint32_t in, out;               /* Hz */
	uint32_t half;                  /* of the kernel, input frames */
	uint32_t at, frac; /* place of the next output frame in buf; fraction in 1/out */
	uint32_t nr;       /* frames in buf */
	struct audio_frame buf[RESAMPLE_BUF];
};

void sinc_table_init(struct sinc_table *t);

/* Both rates from AUDIO_RATE_MIN to AUDIO_RATE_MAX. Begins with silence, so that after n input frames there are
 * n * out / in output frames or one more; delays by SINC_ZEROS frames of the lower rate. */
void resampler_init(struct resampler *r, const struct sinc_table *t, uint32_t in, uint32_t out);
/* Frames that resampler_put() takes now; at least RESAMPLE_BUF / 4 once all output has been taken. */
unsigned resampler_room(const struct resampler *r);
/* nr <= resampler_room(). */
void resampler_put(struct resampler *r, const struct audio_frame *f, unsigned nr);
/* How many of nr there were. */
unsigned resampler_take(struct resampler *r, struct audio_frame *f, unsigned nr);

#endif
