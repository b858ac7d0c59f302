/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the tests of sound share: an audiodev that keeps what is played, and records a tone; what is in it.
 */
#ifndef TESTS_UNIT_SOUND_H
#define TESTS_UNIT_SOUND_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hw/audio/audio.h"

#define SOUND_MAX 1000000u

struct sound {
	struct audiodev dev;
	struct audio_frame *f; /* what was played */
	unsigned nr;
	unsigned starts;
	bool plays, records;
	double phase, tone; /* of what is recorded; Hz */
};

static inline void sound_play(void *opaque, const struct audio_frame *f, unsigned nr)
{
	struct sound *s = opaque;

	cr_assert_leq(s->nr + nr, SOUND_MAX);
	memcpy(s->f + s->nr, f, nr * sizeof(*f));
	s->nr += nr;
}

static inline unsigned sound_record(void *opaque, struct audio_frame *f, unsigned nr)
{
	struct sound *s = opaque;

	if (s->tone == 0)
		return 0;
	for (unsigned i = 0; i < nr; i++) {
		f[i].s[0] = (int32_t)(4000000 * sin(s->phase));
		f[i].s[1] = f[i].s[0] / 2;
		s->phase += 2 * M_PI * s->tone / s->dev.record_rate;
	}
	return nr;
}

static inline void sound_active(void *opaque, bool plays, bool records)
{
	struct sound *s = opaque;

	s->starts += plays && !s->plays;
	s->plays = plays;
	s->records = records;
}

static inline void sound_init(struct sound *s, struct clock *clock, uint32_t rate)
{
	static const struct audio_backend backend = {sound_play, sound_record, sound_active};

	memset(s, 0, sizeof(*s));
	s->f = calloc(SOUND_MAX, sizeof(*s->f));
	cr_assert(s->f);
	audiodev_init(&s->dev, clock, rate, rate, 10000000, &backend, s);
}

static inline void sound_fini(struct sound *s)
{
	audiodev_fini(&s->dev);
	free(s->f);
}

/* Of frames [from, from + nr) of one channel: how loud a tone of so many Hz is in them (AUDIO_FULL is 1). */
static inline double tone_in(const struct audio_frame *f, unsigned nr, unsigned channel,
			     double rate, double hz)
{
	double re = 0, im = 0;

	for (unsigned i = 0; i < nr; i++) {
		double w = 0.5 - 0.5 * cos(2 * M_PI * i / nr); /* Hann */

		re += w * f[i].s[channel] * cos(2 * M_PI * hz * i / rate);
		im += w * f[i].s[channel] * sin(2 * M_PI * hz * i / rate);
	}
	return 4 * hypot(re, im) / nr / AUDIO_FULL;
}

/* Hz by crossings of zero upwards. */
static inline double pitch_of(const struct audio_frame *f, unsigned nr, unsigned channel,
			      double rate)
{
	double first = -1, last = -1;
	unsigned crossings = 0;

	for (unsigned i = 1; i < nr; i++) {
		double a = f[i - 1].s[channel], b = f[i].s[channel];

		if (a >= 0 || b < 0)
			continue;
		last = i - 1 + a / (a - b);
		if (first < 0)
			first = last;
		else
			crossings++;
	}
	return crossings ? crossings * rate / (last - first) : 0;
}

static inline int32_t loudest(const struct audio_frame *f, unsigned nr, unsigned channel)
{
	int32_t max = 0;

	for (unsigned i = 0; i < nr; i++)
		max = abs(f[i].s[channel]) > max ? abs(f[i].s[channel]) : max;
	return max;
}

#endif
