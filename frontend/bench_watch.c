/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a benchmark of the user's guest sees while it runs: samples of where its vCPUs are, taken by bringing them to rest,
 * and at the end what engines and devices have counted.
 */
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "frontend/bench_guest.h"
#include "hw/clock.h"
#include "hw/loop.h"
#include "hw/pc.h"

static void take_samples(struct guest_watch *w, struct pc *pc)
{
	for (unsigned n = 0; n < pc->cpus; n++) {
		const struct vcpu *v = cpus_state(pc->m.cpus, n);

		w->taken++;
		if (v->activity != ACT_RUNNING)
			w->idle++;
		else if (w->nr_samples < GUEST_SAMPLES)
			w->sample[w->nr_samples++] =
			    (struct guest_sample){v->rip, vcpu_cpl(v) == 3};
	}
}

/* Machine lock held. */
static void on_tick(void *opaque, int fd, unsigned events)
{
	struct guest_watcher *x = opaque;
	struct machine *m = &x->pc->m;
	uint64_t ticks;

	(void)events;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks) || m->stopped)
		return;
	pthread_mutex_unlock(&m->lock);
	cpus_pause(m->cpus);
	take_samples(x->watch, x->pc);
	cpus_resume(m->cpus);
	pthread_mutex_lock(&m->lock);
}

void watch_starts(void *opaque, struct pc *pc)
{
	struct guest_watcher *x = opaque;
	const struct timespec ns = {0, x->watch->sample_ns};
	const struct itimerspec period = {ns, ns};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	x->pc = pc;
	pthread_mutex_lock(&pc->m.lock);
	if (fd >= 0 && timerfd_settime(fd, 0, &period, NULL) == 0)
		loop_watch(pc->m.loop, fd, LOOP_IN, on_tick, x);
	pthread_mutex_unlock(&pc->m.lock);
	x->watch->started_ns = clock_host_ns();
}

static void count_devices(struct guest_watch *w, const struct aspace *as, bool port)
{
	for (unsigned n = 0; n < as->nr_uses; n++) {
		struct guest_device *d = &w->device[w->nr_devices];

		if (!as->uses[n].accesses || w->nr_devices == GUEST_DEVICES)
			continue;
		snprintf(d->name, sizeof(d->name), "%s", as->uses[n].name);
		d->port = port;
		d->accesses = as->uses[n].accesses;
		w->nr_devices++;
	}
}

void watch_ended(void *opaque, struct pc *pc)
{
	struct guest_watcher *x = opaque;
	struct guest_watch *w = x->watch;
	struct engine_stats sum;

	if (engine_stats_init(&sum) == 0) {
		cpus_stats(pc->m.cpus, &sum);
		memcpy(w->counters, sum.n, sizeof(w->counters));
		engine_stats_fini(&sum);
	}
	for (unsigned n = 0; n < FAILURES; n++)
		w->hops[n] = cpus_hops(pc->m.cpus, n);
	count_devices(w, &pc->m.io, true);
	count_devices(w, &pc->m.mem, false);
	w->lstar = cpus_state(pc->m.cpus, 0)->lstar;
	w->ended = true;
}
