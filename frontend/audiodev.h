/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -audiodev and -audio: where the sound of guests goes, and where what they record comes from.
 */
#ifndef FRONTEND_AUDIODEV_H
#define FRONTEND_AUDIODEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/audio/audio.h"

#define MAX_AUDIODEVS 8

struct clock;
struct parse;

/* Of samples: unsigned, signed, floating, and their bits. */
enum audio_format {
	SAMPLE_U8,
	SAMPLE_S8,
	SAMPLE_U16,
	SAMPLE_S16,
	SAMPLE_U32,
	SAMPLE_S32,
	SAMPLE_F32
};

/* One direction of an audiodev on the host's side. */
struct audio_stream_spec {
	uint32_t frequency;
	unsigned channels; /* 1 or 2 */
	enum audio_format format;
	unsigned buffer_us, buffers; /* 0: not given */
};

struct audiodev_spec {
	char driver[16], id[64];
	struct audio_stream_spec in, out;
	uint32_t timer_us; /* between two ticks */
	char path[1024];   /* of wav */
};

struct audiodevs {
	struct audiodev_spec spec[MAX_AUDIODEVS];
	unsigned nr;
	char speaker[64]; /* id of the PC speaker's; empty: none */
};

/* Option handlers: 0, or -1 with the message set. */
int on_audiodev(struct parse *p, const char *arg);
int on_audio(struct parse *p, const char *arg);

void options_audiodev_help(void);

/* ---- formats ---- */

/* Bytes of one frame. */
unsigned audio_frame_bytes(const struct audio_stream_spec *s);
/* nr frames to what the stream has, and the other way round: little endian. One channel is the mean of two. */
void audio_pack(const struct audio_stream_spec *s, const struct audio_frame *f, unsigned nr,
		void *out);
void audio_unpack(const struct audio_stream_spec *s, const void *in, unsigned nr,
		  struct audio_frame *f);

/* ---- back ends ---- */

struct audio_env {
	struct clock *clock;
	/* Shows one line to the user. Machine lock held. */
	void (*warn)(void *opaque, const char *line);
	void *opaque;
};

/* What plays and records; the owner's struct starts with it. */
struct audio_host {
	const struct audio_backend *ops;     /* their opaque is the host */
	void (*close)(struct audio_host *h); /* frees it */
};

/* Machine lock held. 0, or -1 with one line in err. */
typedef int audio_open_fn(struct audio_host **out, const struct audiodev_spec *s,
			  const struct audio_env *env, char *err, size_t errlen);
audio_open_fn audio_wav_open;
audio_open_fn audio_sdl_open;

/* ---- all of them ---- */

struct audiodev_set;

/* Machine lock held. NULL with one line in err. */
struct audiodev_set *audiodevs_open(const struct audiodevs *a, const struct audio_env *env,
				    char *err, size_t errlen);
/* By id; NULL: there is none. Empty: what devices use that name none, the first or else silence. */
struct audiodev *audiodevs_find(struct audiodev_set *s, const char *id);
/* Of the n-th one line or more for the monitor's info audio; false: there is none. */
bool audiodevs_describe(const struct audiodev_set *s, unsigned n, char *text, size_t len);
/* Machine lock held. Voices that are left play nothing from then on. NULL is harmless. */
void audiodevs_close(struct audiodev_set *s);

#endif
