/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Audiodevs: their options, and all of them together. See the header.
 */
#include "frontend/audiodev.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"

#define FREQUENCY_MIN 8000u
#define TIMER_US_MIN  1000u
#define TIMER_US_MAX  50000u
#define BUFFER_US_MAX 1000000u
#define BUFFERS_MAX   64u

static const struct driver {
	const char *name, *help;
	audio_open_fn *open; /* NULL: there is nothing to open */
} drivers[] = {
    {"none", "plays nothing, and records silence", NULL},
    {"wav", "path=FILE (default doppel.wav): writes what is played there", audio_wav_open},
    {"sdl", "plays and records by SDL 2: PipeWire, PulseAudio, ALSA", audio_sdl_open},
};

#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

static const char *const formats[] = {
    [SAMPLE_U8] = "u8",   [SAMPLE_S8] = "s8",   [SAMPLE_U16] = "u16", [SAMPLE_S16] = "s16",
    [SAMPLE_U32] = "u32", [SAMPLE_S32] = "s32", [SAMPLE_F32] = "f32",
};

/* ---- options ---- */

static const struct driver *find_driver(const char *name)
{
	for (size_t i = 0; i < DRIVERS; i++)
		if (strcmp(drivers[i].name, name) == 0)
			return &drivers[i];
	return NULL;
}

static int set_number(struct parse *p, const char *option, const struct keyval *kv, unsigned min,
		      unsigned max, unsigned *out)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(kv->val, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*kv->val) || v < min || v > max)
		return fail(p, "%s: %s=%s is not a number from %u to %u", option, kv->key, kv->val,
			    min, max);
	*out = (unsigned)v;
	return 0;
}

static int set_format(struct parse *p, const char *option, const struct keyval *kv,
		      enum audio_format *out)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i], kv->val) == 0) {
			*out = (enum audio_format)i;
			return 0;
		}
	return fail(p, "%s: %s=%s is no format; there are u8, s8, u16, s16, u32, s32 and f32",
		    option, kv->key, kv->val);
}

/* Of "in." and "out."; name is what follows. */
static int set_stream(struct parse *p, const char *option, const struct keyval *kv,
		      const char *name, struct audio_stream_spec *s)
{
	if (strcmp(name, "frequency") == 0)
		return set_number(p, option, kv, FREQUENCY_MIN, AUDIO_RATE_MAX, &s->frequency);
	if (strcmp(name, "channels") == 0)
		return set_number(p, option, kv, 1, 2, &s->channels);
	if (strcmp(name, "format") == 0)
		return set_format(p, option, kv, &s->format);
	if (strcmp(name, "buffer-length") == 0)
		return set_number(p, option, kv, 1, BUFFER_US_MAX, &s->buffer_us);
	if (strcmp(name, "buffer-count") == 0)
		return set_number(p, option, kv, 1, BUFFERS_MAX, &s->buffers);
	/* What is the case anyway. */
	if ((strcmp(name, "mixing-engine") == 0 || strcmp(name, "fixed-settings") == 0) &&
	    (!kv->has_val || strcmp(kv->val, "on") == 0))
		return 0;
	if (strcmp(name, "voices") == 0 && strcmp(kv->val, "1") == 0)
		return 0;
	return fail(p,
		    "%s: %s%s%s is not supported; there are frequency=, channels=, format=, "
		    "buffer-length= and buffer-count=",
		    option, kv->key, kv->has_val ? "=" : "", kv->val);
}

static int set_text(struct parse *p, const char *option, const struct keyval *kv, char *out,
		    size_t len)
{
	if (!*kv->val || strlen(kv->val) >= len)
		return fail(p, "%s: %s=%s is %s", option, kv->key, kv->val,
			    *kv->val ? "too long" : "empty");
	strcpy(out, kv->val);
	return 0;
}

static int set_driver(struct parse *p, const char *option, const char *name,
		      struct audiodev_spec *s)
{
	static const char *const others[] = {"alsa", "pa",        "pipewire", "oss",   "jack",
					     "dbus", "coreaudio", "dsound",   "sndio", "spice"};
	const char *names[DRIVERS + 1] = {NULL}, *near;

	if (find_driver(name)) {
		strcpy(s->driver, name);
		return 0;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i], name) == 0)
			return fail(p,
				    "%s %s is not supported; the nearest is sdl, which plays by "
				    "PipeWire, PulseAudio or ALSA",
				    option, name);
	for (size_t i = 0; i < DRIVERS; i++)
		names[i] = drivers[i].name;
	near = nearest_name(name, names);
	return fail(p, "%s: there is no driver %s; %s%s", option, name,
		    near ? "did you mean " : "there are none, wav and sdl", near ? near : "");
}

static int set_property(struct parse *p, const char *option, const struct keyval *kv,
			struct audiodev_spec *s)
{
	if (strcmp(kv->key, "id") == 0)
		return set_text(p, option, kv, s->id, sizeof(s->id));
	if (strcmp(kv->key, "timer-period") == 0)
		return set_number(p, option, kv, TIMER_US_MIN, TIMER_US_MAX, &s->timer_us);
	if (strcmp(kv->key, "path") == 0 && strcmp(s->driver, "wav") == 0)
		return set_text(p, option, kv, s->path, sizeof(s->path));
	if (strncmp(kv->key, "out.", 4) == 0)
		return set_stream(p, option, kv, kv->key + 4, &s->out);
	if (strncmp(kv->key, "in.", 3) == 0)
		return set_stream(p, option, kv, kv->key + 3, &s->in);
	return fail(p,
		    "%s %s: %s= is not supported; there are id=, timer-period=, out.*= and in.*=%s",
		    option, s->driver, kv->key, strcmp(s->driver, "wav") == 0 ? ", and path=" : "");
}

/* model: where model= goes, which only -audio has. */
static int parse(struct parse *p, const char *option, const char *arg, char *model,
		 size_t model_len)
{
	static const struct audio_stream_spec usual = {44100, 2, SAMPLE_S16, 0, 0};
	struct audiodevs *a = &p->o->audiodevs;
	struct audiodev_spec *s = &a->spec[a->nr];
	struct keyval kv;
	int r;

	if (a->nr == MAX_AUDIODEVS)
		return fail(p, "%s: at most %d are supported", option, MAX_AUDIODEVS);
	*s = (struct audiodev_spec){
	    .in = usual, .out = usual, .timer_us = 10000, .path = "doppel.wav"};
	if (!next_keyval(&arg, &kv) || (kv.has_val && strcmp(kv.key, "driver") != 0))
		return fail(p, "%s: a driver comes first, as in %s wav,%s", option, option,
			    model ? "model=hda" : "id=a,path=FILE");
	if (is_help(kv.key)) {
		p->o->action = ACT_AUDIODEV_HELP;
		return 0;
	}
	if (set_driver(p, option, kv.has_val ? kv.val : kv.key, s) < 0)
		return -1;
	while (next_keyval(&arg, &kv)) {
		if (model && strcmp(kv.key, "model") == 0)
			r = set_text(p, option, &kv, model, model_len);
		else
			r = set_property(p, option, &kv, s);
		if (r < 0)
			return -1;
	}
	if (!*s->id && model)
		strcpy(s->id, "audiodev0");
	if (!*s->id)
		return fail(p, "%s %s: it needs id=", option, s->driver);
	for (unsigned i = 0; i < a->nr; i++)
		if (strcmp(a->spec[i].id, s->id) == 0)
			return fail(p, "%s: there are two with id=%s", option, s->id);
	a->nr++;
	return 0;
}

int on_audiodev(struct parse *p, const char *arg)
{
	return parse(p, "-audiodev", arg, NULL, 0);
}

int on_audio(struct parse *p, const char *arg)
{
	char model[16] = "", text[120];

	if (parse(p, "-audio", arg, model, sizeof(model)) < 0)
		return -1;
	if (p->o->action != ACT_RUN || !*model)
		return 0;
	if (strcmp(model, "hda") != 0 && strcmp(model, "ac97") != 0)
		return fail(p, "-audio: model=%s is not supported; there are hda and ac97", model);
	if (*model == 'h' && on_device(p, "intel-hda") < 0)
		return -1;
	snprintf(text, sizeof(text), "%s,audiodev=%s", *model == 'h' ? "hda-duplex" : "AC97",
		 p->o->audiodevs.spec[p->o->audiodevs.nr - 1].id);
	return on_device(p, text);
}

void options_audiodev_help(void)
{
	printf("Audio drivers supported:\n");
	for (size_t i = 0; i < DRIVERS; i++)
		printf("%-6s %s\n", drivers[i].name, drivers[i].help);
	printf(
	    "\nAll have id=ID, timer-period=US, and, for in. and out. each: frequency=HZ (default "
	    "44100),\nchannels=1|2, format=u8|s8|u16|s16|u32|s32|f32 (default s16), "
	    "buffer-length=US, buffer-count=N.\n");
}

/* ---- all of them ---- */

struct audiodev_set {
	struct {
		struct audiodev dev;
		const struct audiodev_spec *spec;
		struct audio_host *host; /* NULL: none */
	} at[MAX_AUDIODEVS];
	unsigned nr;
	struct audiodev silence; /* for who names none */
};

struct audiodev_set *audiodevs_open(const struct audiodevs *a, const struct audio_env *env,
				    char *err, size_t errlen)
{
	struct audiodev_set *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	audiodev_init(&s->silence, env->clock, 48000, 48000, 10000000, NULL, NULL);
	for (; s->nr < a->nr; s->nr++) {
		const struct audiodev_spec *spec = &a->spec[s->nr];
		const struct driver *driver = find_driver(spec->driver);
		struct audio_host *host = NULL;

		if (driver->open && driver->open(&host, spec, env, err, errlen) < 0) {
			audiodevs_close(s);
			return NULL;
		}
		s->at[s->nr].spec = spec;
		s->at[s->nr].host = host;
		audiodev_init(&s->at[s->nr].dev, env->clock, spec->out.frequency,
			      spec->in.frequency, spec->timer_us * 1000ull, host ? host->ops : NULL,
			      host);
	}
	return s;
}

struct audiodev *audiodevs_find(struct audiodev_set *s, const char *id)
{
	if (!*id)
		return s->nr ? &s->at[0].dev : &s->silence;
	for (unsigned i = 0; i < s->nr; i++)
		if (strcmp(s->at[i].spec->id, id) == 0)
			return &s->at[i].dev;
	return NULL;
}

bool audiodevs_describe(const struct audiodev_set *s, unsigned n, char *text, size_t len)
{
	const struct audiodev_spec *spec;
	const struct audiodev *d;

	if (!s || n >= s->nr)
		return false;
	spec = s->at[n].spec;
	d = &s->at[n].dev;
	snprintf(text, len,
		 "%s: %s%s%.200s, out %u Hz, %u channel%s, %s; %u voice%s playing, %u recording\n",
		 spec->id, spec->driver, strcmp(spec->driver, "wav") == 0 ? " to " : "",
		 strcmp(spec->driver, "wav") == 0 ? spec->path : "", spec->out.frequency,
		 spec->out.channels, spec->out.channels == 1 ? "" : "s", formats[spec->out.format],
		 d->playing, d->playing == 1 ? "" : "s", d->recording);
	return true;
}

void audiodevs_close(struct audiodev_set *s)
{
	if (!s)
		return;
	audiodev_fini(&s->silence);
	for (unsigned i = 0; i < s->nr; i++) {
		audiodev_fini(&s->at[i].dev);
		if (s->at[i].host)
			s->at[i].host->close(s->at[i].host);
	}
	free(s);
}
