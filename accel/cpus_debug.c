/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For debuggers: what vCPUs stop at, and one instruction at a time.
 */
#include <errno.h>

#include "accel/cpus_impl.h"

static void watch_all(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		for (unsigned k = 0; k < MAX_UNITS; k++) {
			const struct unit *u = &c->cpu[n].unit[k];
			if (u->engine && u->engine->watch)
				u->engine->watch(u->e, c->watch);
		}
}

/* w takes the place of what was waited for; NULL: nothing is. Freed where it fails. */
static int replace_watch(struct cpus *c, struct watch *w)
{
	struct watch *old = c->watch;
	int err = w && !atomic_load(&c->chosen)->watch ? cpus_prepare(c, cpus_fallback()) : 0;

	if (err < 0) {
		watch_free(w);
		return err;
	}
	c->watch = w;
	watch_all(c);
	watch_free(old);
	if (atomic_load(&c->engine) != cpus_wanted(c))
		cpus_move_all(c, cpus_wanted(c));
	return 0;
}

int cpus_watch(struct cpus *c, const struct watch_point *points, unsigned nr)
{
	const struct watch_trace *t = c->watch && c->watch->trace.on ? &c->watch->trace : NULL;
	struct watch *w = NULL;
	int err = nr || t ? watch_new(&w, points, nr, t) : 0;

	return err < 0 ? err : replace_watch(c, w);
}

int cpus_trace(struct cpus *c, const struct watch_trace *trace)
{
	const struct watch *old = c->watch;
	const unsigned nr = old ? old->nr : 0;
	struct watch *w = NULL;
	int err = nr || trace ? watch_new(&w, nr ? old->point : NULL, nr, trace) : 0;

	return err < 0 ? err : replace_watch(c, w);
}

void cpus_on_hit(struct cpus *c,
		 bool (*fn)(void *opaque, unsigned cpu, const struct watch_hit *hit), void *opaque)
{
	c->on_hit = fn;
	c->on_hit_opaque = opaque;
}

void cpus_hold(struct cpus *c, unsigned cpu)
{
	struct cpu_thread *t = &c->cpu[cpu];

	pthread_mutex_lock(&t->lock);
	t->held = true;
	pthread_mutex_unlock(&t->lock);
}

void cpus_release(struct cpus *c, unsigned cpu)
{
	struct cpu_thread *t = &c->cpu[cpu];

	pthread_mutex_lock(&t->lock);
	t->held = false;
	pthread_mutex_unlock(&t->lock);
	cpus_post(t, 0, 0);
}

int cpus_step(struct cpus *c, unsigned cpu, struct watch_hit *hit)
{
	struct cpu_thread *t = &c->cpu[cpu];
	int err = cpus_prepare(c, &engine_interp);

	if (err < 0)
		return err;
	pthread_mutex_lock(&t->lock);
	t->step = true;
	pthread_cond_signal(&t->wake);
	while (t->step)
		pthread_cond_wait(&t->parked, &t->lock);
	*hit = t->hit;
	err = t->stepped == RUN_HALTED || t->stepped == RUN_SHUTDOWN ? -EAGAIN : 0;
	pthread_mutex_unlock(&t->lock);
	return err;
}
