/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The two machines: made alike, run by the caller's thread, fed with the same input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "tests/lockstep/lockstep.h"

static size_t on_output(struct chardev *chr, const uint8_t *buf, size_t len)
{
	struct side *s = (struct side *)((uint8_t *)chr - offsetof(struct side, chr));
	size_t room = OUTPUT - s->out_len, n = len < room ? len : room;
	memcpy(s->out + s->out_len, buf, n);
	s->out_len += n;
	return len;
}

static int side_start(struct side *s, const struct config *cfg)
{
	struct pc_config pc = cfg->pc;
	char err[256];
	pc.engine = s->engine;
	s->out = malloc(OUTPUT);
	if (!s->out || pc_new(&s->pc, &pc, err, sizeof(err)) < 0 ||
	    pc_load(s->pc, &cfg->kernel, &cfg->initrd, cfg->nr_initrd, cfg->append, err,
		    sizeof(err)) < 0) {
		fprintf(stderr, "lockstep: %s\n", s->out ? err : "out of memory");
		return -1;
	}
	struct machine *m = &s->pc->m;
	s->chr.write = on_output;
	pthread_mutex_lock(&m->lock);
	if (cfg->testdev)
		s->pc->debugcon[0].chr = &s->chr;
	else
		uart16550_attach(&s->pc->uart[0], &s->chr);
	int r = machine_reset_locked(m);
	pthread_mutex_unlock(&m->lock);
	if (r < 0) {
		fprintf(stderr, "lockstep: %s\n", strerror(-r));
		return -1;
	}
	/* The vCPU's own thread stays parked, and its stop stays posted. */
	s->e = cpus_engine(m->cpus, 0);
	s->c = &s->e->core;
	atomic_fetch_and(s->c->events, ~(uint32_t)EV_STOP);
	s->engine->load(s->e, cpus_state(m->cpus, 0));
	return 0;
}

int lockstep_start(struct lockstep *l, const struct config *cfg)
{
	memset(l, 0, sizeof(*l));
	l->cfg = cfg;
	l->next_check = cfg->check;
	l->next_reload = cfg->reload;
	l->side[INTERP] = (struct side){.name = "interp", .engine = &engine_interp};
	l->side[JIT] = (struct side){.name = "jit", .engine = &engine_jit};
	for (unsigned n = 0; n < SIDES; n++)
		if (side_start(&l->side[n], cfg) < 0)
			return -1;
	return 0;
}

void lockstep_end(struct lockstep *l)
{
	for (unsigned n = 0; n < SIDES; n++) {
		pc_free(l->side[n].pc);
		free(l->side[n].out);
	}
}

/* One character to both; false while the port is full. */
static bool type(struct lockstep *l, char c)
{
	for (unsigned n = 0; n < SIDES; n++) {
		struct side *s = &l->side[n];
		struct machine *m = &s->pc->m;
		bool ok;
		icount_sync(&s->pc->icount, s->c->retired);
		pthread_mutex_lock(&m->lock);
		ok = s->chr.can_receive && s->chr.can_receive(s->chr.dev) > 0;
		if (ok)
			s->chr.receive(s->chr.dev, (const uint8_t *)&c, 1);
		pthread_mutex_unlock(&m->lock);
		if (!ok)
			return false;
	}
	return true;
}

void lockstep_type(struct lockstep *l)
{
	const struct side *s = &l->side[JIT];
	if (!l->typing && l->line < l->cfg->nr_lines && l->line_seen < s->out_len) {
		const struct line *line = &l->cfg->line[l->line];
		size_t len = strlen(line->expect);
		const char *at =
		    memmem(s->out + l->line_seen, s->out_len - l->line_seen, line->expect, len);
		if (at) {
			l->typing = line->say;
			l->line_seen = (size_t)(at - s->out) + len;
			l->line++;
		} else if (s->out_len - l->line_seen > len) {
			l->line_seen = s->out_len - len;
		}
	}
	while (l->typing && *l->typing && type(l, *l->typing))
		l->typing++;
	if (l->typing && !*l->typing)
		l->typing = NULL;
}
