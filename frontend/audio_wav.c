/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -audiodev wav: what is played goes to a file in Microsoft's and IBM's RIFF WAVE format. Whenever something has
 * been written, the sizes in its header are, too: whatever ends doppel, the file can be played.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/audiodev.h"

#define HEADER    44u
#define BYTES_MAX (0xffffffffu - HEADER) /* of sound: its size has 32 bits */

enum { WAVE_PCM = 1, WAVE_FLOAT = 3 };

struct wav {
	struct audio_host host;
	struct audio_stream_spec spec;
	struct audio_env env;
	char path[1024];
	int fd;         /* -1: it takes no more */
	uint32_t bytes; /* of sound, in the file */
	uint32_t nr;    /* in buf */
	uint8_t buf[16384];
};

static void put(uint8_t *at, uint32_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

static void fill_header(const struct wav *w, uint8_t h[HEADER])
{
	const struct audio_stream_spec *s = &w->spec;
	unsigned frame = audio_frame_bytes(s);

	memcpy(h, "RIFF", 4);
	put(h + 4, w->bytes + HEADER - 8, 4);
	memcpy(h + 8, "WAVEfmt ", 8);
	put(h + 16, 16, 4);
	put(h + 20, s->format == SAMPLE_F32 ? WAVE_FLOAT : WAVE_PCM, 2);
	put(h + 22, s->channels, 2);
	put(h + 24, s->frequency, 4);
	put(h + 28, s->frequency * frame, 4);
	put(h + 32, frame, 2);
	put(h + 34, frame / s->channels * 8, 2);
	memcpy(h + 36, "data", 4);
	put(h + 40, w->bytes, 4);
}

static int write_at(int fd, const void *buf, size_t len, uint64_t at)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static void stop(struct wav *w, const char *why)
{
	char line[1200];

	snprintf(line, sizeof(line), "-audiodev wav: no more is written to %s: %s", w->path, why);
	close(w->fd);
	w->fd = -1;
	w->env.warn(w->env.opaque, line);
}

/* Sound first, then the header that says how much there is. */
static void flush(struct wav *w)
{
	uint8_t h[HEADER];
	int r;

	if (w->fd < 0 || !w->nr)
		return;
	if (w->nr > BYTES_MAX - w->bytes) {
		stop(w, "a WAV file has 4 GiB at most");
		return;
	}
	r = write_at(w->fd, w->buf, w->nr, HEADER + (uint64_t)w->bytes);
	w->bytes += w->nr;
	w->nr = 0;
	fill_header(w, h);
	if (r == 0)
		r = write_at(w->fd, h, sizeof(h), 0);
	if (r < 0)
		stop(w, strerror(-r));
}

static void play(void *opaque, const struct audio_frame *f, unsigned nr)
{
	unsigned frame = audio_frame_bytes(&((struct wav *)opaque)->spec);
	struct wav *w = opaque;

	if (w->nr + nr * frame > sizeof(w->buf))
		flush(w);
	if (w->fd < 0)
		return;
	audio_pack(&w->spec, f, nr, w->buf + w->nr);
	w->nr += nr * frame;
}

static void active(void *opaque, bool plays, bool records)
{
	(void)records;
	if (!plays)
		flush(opaque);
}

static const struct audio_backend ops = {.play = play, .active = active};

static void wav_close(struct audio_host *h)
{
	struct wav *w = (struct wav *)h;

	flush(w);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

int audio_wav_open(struct audio_host **out, const struct audiodev_spec *s,
		   const struct audio_env *env, char *err, size_t errlen)
{
	uint8_t h[HEADER];
	struct wav *w;
	int r;

	if (s->out.format == SAMPLE_S8 || s->out.format == SAMPLE_U16 ||
	    s->out.format == SAMPLE_U32) {
		snprintf(
		    err, errlen,
		    "-audiodev wav,id=%s: WAV files do not have this out.format; take u8, s16, "
		    "s32 or f32",
		    s->id);
		return -1;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	w->host = (struct audio_host){&ops, wav_close};
	w->spec = s->out;
	w->env = *env;
	strcpy(w->path, s->path);
	fill_header(w, h);
	w->fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
	r = w->fd < 0 ? -errno : write_at(w->fd, h, sizeof(h), 0);
	if (r == 0) {
		*out = &w->host;
		return 0;
	}
	snprintf(err, errlen, "-audiodev wav,id=%s: cannot write to %s: %s%s", s->id, s->path,
		 strerror(-r),
		 r == -ESPIPE || r == -ENXIO ? "; path= must name a file, not a pipe"
					     : "; path=FILE names another file");
	if (w->fd >= 0)
		close(w->fd);
	free(w);
	return -1;
}
