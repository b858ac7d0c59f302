/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Time, mixing and voices: see the header.
 */
#include "hw/audio/audio.h"

#include <math.h>
#include <string.h>

#define LATE_NS  100000000u /* more than that is not caught up */
#define SHORT_NS 250000u    /* between two ticks, at least: a guest may ask for one at each frame */
#define GAIN_MAX (16u << 16)

/* ---- one step ---- */

static void scale(struct audio_frame *f, unsigned nr, const uint32_t gain[2])
{
	if (gain[0] == 1u << 16 && gain[1] == 1u << 16)
		return;
	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < 2; c++) {
			int64_t v = (int64_t)f[i].s[c] * gain[c] >> 16;

			f[i].s[c] = (int32_t)(v > AUDIO_FULL    ? AUDIO_FULL
					      : v < -AUDIO_FULL ? -AUDIO_FULL
								: v);
		}
}

static void play(struct audio_voice *v, int64_t (*mix)[2], unsigned nr)
{
	struct audio_frame f[AUDIO_VOICE_STEP], out[AUDIO_STEP];
	uint64_t due;
	unsigned n;

	v->mixed += nr;
	/* Rounded up, so that there is always enough to interpolate. */
	due = muldiv64(v->mixed, v->rate, v->dev->rate) + 1;
	n = due > v->moved ? (unsigned)(due - v->moved) : 0;
	if (n) {
		v->moved += n;
		v->move(v->opaque, f, n);
		resampler_put(&v->resampler, f, n);
	}
	n = resampler_take(&v->resampler, out, nr);
	scale(out, n, v->gain);
	for (unsigned i = 0; i < n; i++) {
		mix[i][0] += out[i].s[0];
		mix[i][1] += out[i].s[1];
	}
}

static void record(struct audio_voice *v, const struct audio_frame *in, unsigned nr)
{
	struct audio_frame f[AUDIO_VOICE_STEP];
	unsigned n;

	resampler_put(&v->resampler, in, nr);
	n = resampler_take(&v->resampler, f, AUDIO_VOICE_STEP);
	scale(f, n, v->gain);
	v->moved += n;
	if (n)
		v->move(v->opaque, f, n);
}

static void step_record(struct audiodev *d, unsigned nr)
{
	uint64_t due = muldiv64(d->frames + nr, d->record_rate, d->rate);
	unsigned n = (unsigned)(due - d->recorded), got = 0;
	struct audio_frame f[AUDIO_VOICE_STEP];

	d->recorded = due;
	if (d->backend && d->backend->record)
		got = d->backend->record(d->opaque, f, n);
	memset(f + got, 0, (n - got) * sizeof(f[0]));
	for (struct audio_voice *v = d->voices; v; v = v->next)
		if (v->active && v->records)
			record(v, f, n);
}

static void step_play(struct audiodev *d, unsigned nr)
{
	struct audio_frame f[AUDIO_STEP];
	int64_t mix[AUDIO_STEP][2] = {0};

	for (struct audio_voice *v = d->voices; v; v = v->next)
		if (v->active && !v->records)
			play(v, mix, nr);
	for (unsigned i = 0; i < nr; i++)
		for (unsigned c = 0; c < 2; c++)
			f[i].s[c] = (int32_t)(mix[i][c] > AUDIO_FULL    ? AUDIO_FULL
					      : mix[i][c] < -AUDIO_FULL ? -AUDIO_FULL
									: mix[i][c]);
	if (d->backend && d->backend->play)
		d->backend->play(d->opaque, f, nr);
}

/* ---- time ---- */

/* The first ns at which n frames are due. */
static uint64_t frame_ns(const struct audiodev *d, uint64_t n)
{
	return d->origin + muldiv64(n, NSEC_PER_SEC, d->rate) + 1;
}

uint64_t audio_frame_ns(const struct audiodev *d)
{
	return frame_ns(d, d->frames);
}

/* What follows from the voices that are active now: a timer or none, and what the host is told. */
static void settle(struct audiodev *d)
{
	uint64_t at = d->last + d->period;

	if (d->told_playing != (d->playing > 0) || d->told_recording != (d->recording > 0)) {
		d->told_playing = d->playing > 0;
		d->told_recording = d->recording > 0;
		if (d->backend && d->backend->active)
			d->backend->active(d->opaque, d->told_playing, d->told_recording);
	}
	if (!d->playing && !d->recording) {
		timer_cancel(&d->timer);
		return;
	}
	for (struct audio_voice *v = d->voices; v; v = v->next) {
		unsigned n = v->active && v->until ? v->until(v->opaque) : 0;
		uint64_t then = n ? frame_ns(d, d->frames + muldiv64(n, d->rate, v->rate) + 1) : at;

		at = then < at ? then : at;
	}
	timer_arm(&d->timer, at > d->last + SHORT_NS ? at : d->last + SHORT_NS);
}

/* Takes note of the time. The clock may have gone back, by a state that was loaded. */
static uint64_t frames_due(struct audiodev *d)
{
	uint64_t now = clock_now(d->clock);

	if (now < d->last)
		d->origin -= d->last - now;
	else if (now - d->last > LATE_NS)
		d->origin += now - d->last - LATE_NS;
	d->last = now;
	return muldiv64(now - d->origin, d->rate, NSEC_PER_SEC);
}

void audio_run(struct audiodev *d)
{
	uint64_t due;

	if (d->running || (!d->playing && !d->recording))
		return;
	d->running = true;
	due = frames_due(d);
	while (d->frames < due && (d->playing || d->recording)) {
		uint64_t left = due - d->frames;
		unsigned n = left < AUDIO_STEP ? (unsigned)left : AUDIO_STEP;

		if (d->recording)
			step_record(d, n);
		if (d->playing)
			step_play(d, n);
		d->frames += n;
	}
	d->running = false;
	settle(d);
}

void audio_hurry(struct audiodev *d)
{
	if (!d->running)
		settle(d);
}

static void tick(void *opaque)
{
	audio_run(opaque);
}

/* ---- audiodevs ---- */

void audiodev_init(struct audiodev *d, struct clock *clock, uint32_t rate, uint32_t record_rate,
		   uint64_t period_ns, const struct audio_backend *backend, void *opaque)
{
	memset(d, 0, sizeof(*d));
	d->clock = clock;
	d->rate = rate;
	d->record_rate = record_rate;
	d->period = period_ns;
	d->backend = backend;
	d->opaque = opaque;
	sinc_table_init(&d->table);
	timer_init(&d->timer, clock, tick, d);
}

void audiodev_fini(struct audiodev *d)
{
	while (d->voices)
		audio_voice_attach(d->voices, NULL);
	timer_cancel(&d->timer);
}

/* ---- voices ---- */

static void begin(struct audio_voice *v)
{
	const struct audiodev *d = v->dev;

	v->mixed = v->moved = 0;
	if (v->records)
		resampler_init(&v->resampler, &d->table, d->record_rate, v->rate);
	else
		resampler_init(&v->resampler, &d->table, v->rate, d->rate);
}

void audio_voice_init(struct audio_voice *v, struct audiodev *d, bool records, uint32_t rate,
		      void (*move)(void *opaque, struct audio_frame *f, unsigned nr),
		      unsigned (*until)(void *opaque), void *opaque)
{
	memset(v, 0, sizeof(*v));
	v->records = records;
	v->move = move;
	v->until = until;
	v->opaque = opaque;
	v->gain[0] = v->gain[1] = 1u << 16;
	audio_voice_set_rate(v, rate);
	audio_voice_attach(v, d);
}

void audio_voice_fini(struct audio_voice *v)
{
	audio_voice_stop(v);
	audio_voice_attach(v, NULL);
}

void audio_voice_attach(struct audio_voice *v, struct audiodev *d)
{
	struct audio_voice **at;
	bool active = v->active;

	if (v->dev == d)
		return;
	audio_voice_stop(v);
	if (v->dev) {
		for (at = &v->dev->voices; *at != v; at = &(*at)->next)
			;
		*at = v->next;
	}
	v->dev = d;
	if (d) {
		v->next = d->voices;
		d->voices = v;
	}
	if (active)
		audio_voice_start(v);
}

void audio_voice_set_rate(struct audio_voice *v, uint32_t rate)
{
	rate = rate < AUDIO_RATE_MIN   ? AUDIO_RATE_MIN
	       : rate > AUDIO_RATE_MAX ? AUDIO_RATE_MAX
				       : rate;
	if (rate == v->rate)
		return;
	audio_voice_run(v);
	v->rate = rate;
	if (v->active && v->dev) {
		begin(v);
		audio_hurry(v->dev);
	}
}

void audio_voice_set_gain(struct audio_voice *v, uint32_t left, uint32_t right)
{
	left = left < GAIN_MAX ? left : GAIN_MAX;
	right = right < GAIN_MAX ? right : GAIN_MAX;
	if (left == v->gain[0] && right == v->gain[1])
		return;
	audio_voice_run(v);
	v->gain[0] = left;
	v->gain[1] = right;
}

void audio_voice_start(struct audio_voice *v)
{
	struct audiodev *d = v->dev;
	unsigned *nr;

	if (v->active)
		return;
	if (!d) {
		v->active = true;
		return;
	}
	audio_run(d);
	if (!d->playing && !d->recording) {
		d->origin = d->last = clock_now(d->clock);
		d->frames = d->recorded = 0;
	}
	v->active = true;
	begin(v);
	nr = v->records ? &d->recording : &d->playing;
	if (v->records && !*nr)
		d->recorded = muldiv64(d->frames, d->record_rate, d->rate);
	++*nr;
	audio_hurry(d);
}

void audio_voice_drop(struct audio_voice *v)
{
	struct audiodev *d = v->dev;
	uint64_t now;

	if (!v->active)
		return;
	v->active = false;
	if (!d)
		return;
	now = clock_now(d->clock);
	d->origin += now - d->last;
	d->last = now;
	--*(v->records ? &d->recording : &d->playing);
	audio_hurry(d);
}

void audio_voice_stop(struct audio_voice *v)
{
	struct audiodev *d = v->dev;

	audio_voice_run(v); /* which may stop it, too */
	if (!v->active)
		return;
	v->active = false;
	if (!d)
		return;
	--*(v->records ? &d->recording : &d->playing);
	audio_hurry(d);
}

uint32_t audio_gain(int centibel)
{
	return (uint32_t)lrint(65536 * pow(10, (centibel < 2400 ? centibel : 2400) / 2000.0));
}
