/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A saved state must say everything: what is loaded goes on as what was saved.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "hw/machine_state.h"
#include "tests/lockstep/lockstep.h"

struct bytes {
	uint8_t *at;
	size_t len, room;
};

static int put(void *opaque, const void *buf, size_t len)
{
	struct bytes *b = opaque;

	if (b->len + len > b->room) {
		size_t room = 2 * (b->room + len);
		uint8_t *at = realloc(b->at, room);

		if (!at)
			return -ENOMEM;
		b->at = at;
		b->room = room;
	}
	memcpy(b->at + b->len, buf, len);
	b->len += len;
	return 0;
}

static int get(void *opaque, uint64_t at, void *buf, size_t len)
{
	const struct bytes *b = opaque;

	memcpy(buf, b->at + at, len);
	return 0;
}

static int save(struct side *s, struct bytes *b)
{
	struct machine *m = &s->pc->m;
	int r;

	s->engine->store(s->e, cpus_state(m->cpus, 0));
	pthread_mutex_lock(&m->lock);
	clock_pause(&m->clock);
	r = machine_save_locked(m, "", &(struct state_sink){put, b});
	clock_resume(&m->clock);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static int load(struct side *s, struct bytes *b, char *err, size_t errlen)
{
	struct machine *m = &s->pc->m;
	bool half;
	int r;

	pthread_mutex_lock(&m->lock);
	clock_pause(&m->clock);
	r = machine_load_locked(m, "", &(struct state_source){get, b, b->len}, &half, err, errlen);
	clock_resume(&m->clock);
	pthread_mutex_unlock(&m->lock);
	s->engine->load(s->e, cpus_state(m->cpus, 0));
	return r;
}

int lockstep_reload(struct lockstep *l)
{
	struct bytes b = {0};
	char err[256];
	int r = save(&l->side[INTERP], &b);

	snprintf(err, sizeof(err), "%s", strerror(-r));
	if (r == 0)
		r = load(&l->side[JIT], &b, err, sizeof(err));
	free(b.at);
	if (r < 0)
		fprintf(stderr, "lockstep: %s\n", err);
	l->reloads++;
	return r;
}
