/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The PC's speaker. A frame of sound is the share of its time in which the speaker is driven, counted in ticks of
 * the 8254, so that tones have the frequency that was programmed, to the tick, and bits that a guest switches
 * faster than frames come out as the levels between. As in a real one, a level that stays is not heard.
 */
#include "hw/audio/pcspk.h"

#include <stdlib.h>

#include "hw/i8254.h"

enum {
	LOUD = AUDIO_FULL / 2, /* between high and low */
	DECAY = 64964, /* of 65536 at each frame of 48 kHz, what is left of a level: 67 Hz */
	SLACK = 4,     /* ticks */
	FAINT = 256,
};

static void next_frame(struct pcspk *s)
{
	s->start = s->tick = s->end;
	s->frac += I8254_HZ % s->voice.rate;
	s->end += I8254_HZ / s->voice.rate + s->frac / s->voice.rate;
	s->frac %= s->voice.rate;
	s->high = 0;
}

/* The next frame that is moved begins when that of the audiodev does, or, after a start, one frame earlier: a
 * voice is that much ahead. So what the guest does now is always within the frame that is being made. */
static void synchronize(struct pcspk *s, bool starts)
{
	uint64_t at = muldiv64(audio_frame_ns(s->voice.dev), I8254_HZ, NSEC_PER_SEC);
	uint64_t back = starts ? I8254_HZ / s->voice.rate : 0;

	s->end = at > back ? at - back : 0;
	s->frac = 0;
	next_frame(s);
}

static void count_until(struct pcspk *s, uint64_t tick)
{
	if (tick <= s->tick)
		return;
	s->high += i8254_speaker_high(s->pit, s->tick, tick);
	s->tick = tick;
}

static void move(void *opaque, struct audio_frame *f, unsigned nr)
{
	struct pcspk *s = opaque;

	for (unsigned i = 0; i < nr; i++) {
		int32_t in, out;

		count_until(s, s->end);
		in = (int32_t)(s->high * LOUD / (s->end - s->start));
		out = (int32_t)((int64_t)s->out * DECAY / 65536) + in - s->in;
		s->quiet = in == s->in && abs(out) < FAINT ? s->quiet + 1 : 0;
		s->in = in;
		s->out = out;
		f[i] = (struct audio_frame){{out, out}};
		next_frame(s);
	}
	if (s->quiet > s->voice.rate / 20)
		audio_voice_stop(&s->voice);
}

static void changes(struct pcspk *s)
{
	uint64_t now;

	if (!s->voice.active)
		return;
	audio_voice_run(&s->voice);
	now = i8254_ticks(s->pit);
	/* Sound may have stood still while the clock went on. */
	if (now + SLACK < s->tick || now > s->end + SLACK)
		synchronize(s, false);
	count_until(s, now < s->end ? now : s->end);
}

static void changed(struct pcspk *s)
{
	if (s->voice.active || !s->voice.dev || !i8254_speaker_on(s->pit))
		return;
	s->in = s->out = 0;
	s->quiet = 0;
	audio_voice_start(&s->voice);
	synchronize(s, true);
}

static void news(void *opaque, enum i8254_news news)
{
	struct pcspk *s = opaque;

	if (news == I8254_CHANGES) {
		changes(s);
		return;
	}
	if (news == I8254_NEW)
		audio_voice_drop(&s->voice);
	changed(s);
}

void pcspk_init(struct pcspk *s, struct i8254 *pit, struct audiodev *dev)
{
	s->pit = pit;
	audio_voice_init(&s->voice, dev, false, dev->rate, move, NULL, s);
	pit->speaker_opaque = s;
	pit->speaker = news;
}

void pcspk_fini(struct pcspk *s)
{
	if (!s->pit)
		return;
	s->pit->speaker = NULL;
	audio_voice_fini(&s->voice);
}
