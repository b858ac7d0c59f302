/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between sound devices and what plays and records on the host. An audiodev is the host's side: it mixes what
 * devices play at one rate, and gives to all that record what it records. A voice is one stream of a device, at
 * the rate that the guest has chosen.
 *
 * All of it goes by the machine clock: so many frames have to be moved as time has passed, whatever the host
 * plays; a voice moves them when it is due, when its device asks for its position (audio_run()), and when the
 * device wants to be on time for an interrupt. While no voice is active there is no timer. A guest that was kept
 * from running for long finds that sound has stood still meanwhile.
 *
 * Machine lock held throughout.
 */
#ifndef HW_AUDIO_AUDIO_H
#define HW_AUDIO_AUDIO_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/audio/resample.h"
#include "hw/clock.h"

enum {
	AUDIO_STEP = 64,         /* frames of the audiodev that are mixed at a time */
	AUDIO_VOICE_STEP = 2048, /* frames that a voice moves at a time, at most */
};

/* What the host has; each may be NULL. opaque is the audiodev's. */
struct audio_backend {
	/* nr <= AUDIO_STEP. Never blocks. */
	void (*play)(void *opaque, const struct audio_frame *f, unsigned nr);
	/* How many frames were there, of nr <= AUDIO_VOICE_STEP; the others will be silence. */
	unsigned (*record)(void *opaque, struct audio_frame *f, unsigned nr);
	/* Whether any voice plays or records from now on. */
	void (*active)(void *opaque, bool plays, bool records);
};

struct audio_voice {
	struct audiodev *dev; /* NULL: plays nothing, in no time */
	struct audio_voice *next;
	/* Moves nr frames <= AUDIO_VOICE_STEP: fills f, or, of a voice that records, takes it. May stop the
	 * voice. */
	void (*move)(void *opaque, struct audio_frame *f, unsigned nr);
	/* Frames until it wants to have been moved, to the frame; 0: it does not matter. May be NULL. */
	unsigned (*until)(void *opaque);
	void *opaque;
	bool records, active;
	uint32_t rate;
	uint32_t gain[2]; /* 65536 is 1 */
	uint64_t mixed;   /* frames of the audiodev since it started */
	uint64_t moved;   /* of its own */
	struct resampler resampler;
};

struct audiodev {
	struct clock *clock;
	struct timer timer;
	const struct audio_backend *backend;
	void *opaque;
	uint32_t rate, record_rate;
	uint64_t period; /* ns between two ticks, unless a voice wants to be on time */
	uint64_t origin; /* ns: when frame 0 was, while any voice is active */
	uint64_t last;   /* ns: what has been done is up to then */
	uint64_t frames, recorded;
	unsigned playing, recording; /* voices */
	bool told_playing, told_recording, running;
	struct audio_voice *voices;
	struct sinc_table table;
};

/* ---- the host's side ---- */

/* Rates from 8000 to AUDIO_RATE_MAX; backend NULL: silence. */
void audiodev_init(struct audiodev *d, struct clock *clock, uint32_t rate, uint32_t record_rate,
		   uint64_t period_ns, const struct audio_backend *backend, void *opaque);
/* Voices that it still has play nothing from then on. */
void audiodev_fini(struct audiodev *d);

/* ---- the devices' side ---- */

/* d may be NULL. Full volume. */
void audio_voice_init(struct audio_voice *v, struct audiodev *d, bool records, uint32_t rate,
		      void (*move)(void *opaque, struct audio_frame *f, unsigned nr),
		      unsigned (*until)(void *opaque), void *opaque);
/* Stops it. It is on no audiodev then. */
void audio_voice_fini(struct audio_voice *v);
/* Moves it to another audiodev, or off one (NULL). Not from move(). */
void audio_voice_attach(struct audio_voice *v, struct audiodev *d);
/* Brought into the limits. Not from move(). */
void audio_voice_set_rate(struct audio_voice *v, uint32_t rate);
/* 65536 is unchanged, at most 16 times that. */
void audio_voice_set_gain(struct audio_voice *v, uint32_t left, uint32_t right);
/* Harmless when it is so already. */
void audio_voice_start(struct audio_voice *v);
void audio_voice_stop(struct audio_voice *v);
/* The same, but what is due is not moved any more: the device was reset, or its state loaded. */
void audio_voice_drop(struct audio_voice *v);
/* Moves what is due. */
void audio_run(struct audiodev *d);
static inline void audio_voice_run(struct audio_voice *v)
{
	if (v->active && v->dev)
		audio_run(v->dev);
}
/* The ns at which the frame begins that is the next to be mixed; while any voice is active. */
uint64_t audio_frame_ns(const struct audiodev *d);
/* What until() says has changed: a voice is to be on time earlier than it was. Not needed in move(). */
void audio_hurry(struct audiodev *d);

/* The gain of so many hundredths of a decibel, 65536 for 0; at most 2400. */
uint32_t audio_gain(int centibel);

#endif
