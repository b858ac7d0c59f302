/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -audiodev sdl: sound by SDL 2, which has a thread of its own that asks for it. Between the guest's clock and that
 * of the sound card are rings. One for playing is filled to a few buffers before anything is heard; one that ran
 * empty is filled anew, and what would come too late, because the card is slower, is left out.
 */
#include "frontend/audiodev.h"

#include <stdio.h>

#ifdef CONFIG_SDL
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/sdl_lib.h"

#define BUFFER_US 11610u /* defaults, as QEMU's */
#define BUFFERS   4u
#define LINGER_NS 1000000000u /* how long a card stays open for more sound */

struct ring {
	pthread_mutex_t lock;
	uint8_t *data;
	uint32_t size, head, nr; /* bytes; what is there begins at head */
	uint32_t enough;         /* is there before it is taken */
	bool flows, ends;
};

struct stream {
	struct audio_stream_spec spec;
	SDL_AudioDeviceID id; /* 0: not opened */
	struct ring ring;
	bool on;
};

struct sdl_audio {
	struct audio_host host;
	struct sdl_lib lib;
	struct stream out, in;
	struct audio_stream_spec in_spec;
	bool ready;         /* SDL's sound is */
	struct timer timer; /* pauses what has fallen silent */
	uint8_t step[AUDIO_VOICE_STEP * 8];
};

/* ---- rings; their lock is held ---- */

static void ring_put(struct ring *r, const uint8_t *from, uint32_t nr)
{
	uint32_t at = (r->head + r->nr) % r->size, part = r->size - at;

	part = part < nr ? part : nr;
	memcpy(r->data + at, from, part);
	memcpy(r->data, from + part, nr - part);
	r->nr += nr;
}

static void ring_drop(struct ring *r, uint32_t nr)
{
	r->head = (r->head + nr) % r->size;
	r->nr -= nr;
}

static uint32_t ring_take(struct ring *r, uint8_t *to, uint32_t nr)
{
	uint32_t part = r->size - r->head;

	nr = nr < r->nr ? nr : r->nr;
	part = part < nr ? part : nr;
	memcpy(to, r->data + r->head, part);
	memcpy(to + part, r->data, nr - part);
	ring_drop(r, nr);
	return nr;
}

/* What does not fit makes the oldest go. */
static void ring_push(struct ring *r, const uint8_t *from, uint32_t nr)
{
	if (r->nr + nr > r->size)
		ring_drop(r, r->nr - r->enough);
	ring_put(r, from, nr);
}

/* ---- SDL's thread ---- */

static void silence(const struct audio_stream_spec *s, uint8_t *to, uint32_t bytes)
{
	static const struct audio_frame quiet;
	unsigned frame = audio_frame_bytes(s);

	for (; bytes >= frame; to += frame, bytes -= frame)
		audio_pack(s, &quiet, 1, to);
}

static void wanted(void *opaque, Uint8 *to, int len)
{
	struct stream *s = opaque;
	struct ring *r = &s->ring;
	uint32_t got = 0;

	pthread_mutex_lock(&r->lock);
	if (r->nr >= r->enough || r->ends)
		r->flows = true;
	if (r->flows)
		got = ring_take(r, to, (uint32_t)len);
	if (got < (uint32_t)len)
		r->flows = false;
	pthread_mutex_unlock(&r->lock);
	silence(&s->spec, to + got, (uint32_t)len - got);
}

static void recorded(void *opaque, Uint8 *from, int len)
{
	struct stream *s = opaque;

	pthread_mutex_lock(&s->ring.lock);
	if ((uint32_t)len <= s->ring.size - s->ring.enough)
		ring_push(&s->ring, from, (uint32_t)len);
	pthread_mutex_unlock(&s->ring.lock);
}

/* ---- the machine's side ---- */

static void play(void *opaque, const struct audio_frame *f, unsigned nr)
{
	struct sdl_audio *a = opaque;
	struct ring *r = &a->out.ring;

	audio_pack(&a->out.spec, f, nr, a->step);
	pthread_mutex_lock(&r->lock);
	ring_push(r, a->step, nr * audio_frame_bytes(&a->out.spec));
	pthread_mutex_unlock(&r->lock);
}

static unsigned record(void *opaque, struct audio_frame *f, unsigned nr)
{
	struct sdl_audio *a = opaque;
	unsigned frame = audio_frame_bytes(&a->in.spec);
	struct ring *r = &a->in.ring;
	uint32_t got = 0;

	if (!a->in.id)
		return 0;
	pthread_mutex_lock(&r->lock);
	if (r->nr >= r->enough)
		r->flows = true;
	if (r->flows)
		got = ring_take(r, a->step, nr * frame) / frame;
	if (got < nr)
		r->flows = false;
	pthread_mutex_unlock(&r->lock);
	audio_unpack(&a->in.spec, a->step, got, f);
	return got;
}

static int open_stream(struct sdl_audio *a, struct stream *s, const struct audio_stream_spec *spec,
		       bool records)
{
	static const SDL_AudioFormat formats[] = {
	    [SAMPLE_U8] = AUDIO_U8,      [SAMPLE_S8] = AUDIO_S8,      [SAMPLE_U16] = AUDIO_U16LSB,
	    [SAMPLE_S16] = AUDIO_S16LSB, [SAMPLE_U32] = AUDIO_S32LSB, [SAMPLE_S32] = AUDIO_S32LSB,
	    [SAMPLE_F32] = AUDIO_F32LSB,
	};
	uint32_t us = spec->buffer_us ? spec->buffer_us : BUFFER_US, samples = 64;
	SDL_AudioSpec want = {
	    .freq = (int)spec->frequency,
	    .format = formats[spec->format],
	    .channels = (Uint8)spec->channels,
	    .callback = records ? recorded : wanted,
	    .userdata = s,
	};
	struct ring *r = &s->ring;

	s->spec = *spec;
	/* SDL has no 32 bits without a sign. */
	if (spec->format == SAMPLE_U32)
		s->spec.format = SAMPLE_S32;
	while (samples < 0x8000 &&
	       (uint64_t)samples * 2000000 <= (uint64_t)us * spec->frequency * 3 / 2)
		samples *= 2;
	want.samples = (Uint16)samples;
	samples *= spec->buffers ? spec->buffers : BUFFERS;
	r->enough = samples * audio_frame_bytes(&s->spec);
	r->size = 3 * r->enough + (uint32_t)sizeof(a->step);
	r->data = malloc(r->size);
	if (!r->data)
		return -1;
	s->id = a->lib.OpenAudioDevice(NULL, records, &want, NULL, 0);
	return s->id ? 0 : -1;
}

static void pause_stream(const struct sdl_audio *a, struct stream *s, bool pause)
{
	if (s->id)
		a->lib.PauseAudioDevice(s->id, pause);
}

static void linger_over(void *opaque)
{
	struct sdl_audio *a = opaque;

	if (!a->out.on)
		pause_stream(a, &a->out, true);
	if (!a->in.on)
		pause_stream(a, &a->in, true);
}

static void switch_stream(const struct sdl_audio *a, struct stream *s, bool on)
{
	if (s->on == on)
		return;
	s->on = on;
	pthread_mutex_lock(&s->ring.lock);
	s->ring.ends = !on;
	pthread_mutex_unlock(&s->ring.lock);
	if (on)
		pause_stream(a, s, false);
}

static void active(void *opaque, bool plays, bool records)
{
	struct sdl_audio *a = opaque;

	/* The microphone is left alone until a guest records. Without one it hears silence. */
	if (records && !a->in.ring.data)
		open_stream(a, &a->in, &a->in_spec, true);
	switch_stream(a, &a->out, plays);
	switch_stream(a, &a->in, records);
	if (!plays || !records)
		timer_arm(&a->timer, clock_now(a->timer.clock) + LINGER_NS);
}

static const struct audio_backend ops = {play, record, active};

/* ---- life ---- */

static void close_stream(const struct sdl_audio *a, struct stream *s)
{
	if (s->id)
		a->lib.CloseAudioDevice(s->id);
	pthread_mutex_destroy(&s->ring.lock);
	free(s->ring.data);
}

static void sdl_audio_close(struct audio_host *h)
{
	struct sdl_audio *a = (struct sdl_audio *)h;

	timer_cancel(&a->timer);
	close_stream(a, &a->out);
	close_stream(a, &a->in);
	if (a->ready)
		a->lib.QuitSubSystem(SDL_INIT_AUDIO);
	free(a);
}

int audio_sdl_open(struct audio_host **out, const struct audiodev_spec *s,
		   const struct audio_env *env, char *err, size_t errlen)
{
	struct sdl_audio *a = calloc(1, sizeof(*a));
	const char *why = a ? sdl_lib_load(&a->lib) : "out of memory";

	if (why) {
		snprintf(err, errlen, "-audiodev sdl,id=%s: %s", s->id, why);
		free(a);
		return -1;
	}
	a->host = (struct audio_host){&ops, sdl_audio_close};
	a->in_spec = s->in;
	pthread_mutex_init(&a->out.ring.lock, NULL);
	pthread_mutex_init(&a->in.ring.lock, NULL);
	timer_init(&a->timer, env->clock, linger_over, a);
	a->lib.SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
	a->ready = a->lib.InitSubSystem(SDL_INIT_AUDIO) == 0;
	if (a->ready && open_stream(a, &a->out, &s->out, false) == 0) {
		*out = &a->host;
		return 0;
	}
	snprintf(err, errlen,
		 "-audiodev sdl,id=%s: SDL cannot open a sound card: %s (-audiodev "
		 "none,id=%s needs none)",
		 s->id, a->lib.GetError(), s->id);
	sdl_audio_close(&a->host);
	return -1;
}

#else /* !CONFIG_SDL */

int audio_sdl_open(struct audio_host **out, const struct audiodev_spec *s,
		   const struct audio_env *env, char *err, size_t errlen)
{
	(void)out;
	(void)env;
	snprintf(err, errlen,
		 "-audiodev sdl,id=%s: it is not in this build; build where SDL 2's headers are "
		 "(Debian: apt-get install libsdl2-dev), without --static",
		 s->id);
	return -1;
}

#endif
