/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine clock and its timers.
 *
 * While running, guest time is host CLOCK_MONOTONIC minus `origin`, one atomic, so that
 * clock_now() needs no lock; while paused it is `base`.
 */
#include "hw/clock.h"

#include <stddef.h>
#include <time.h>

uint64_t clock_host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void clock_init(struct clock *c, bool manual)
{
	c->manual = manual;
	c->timers = NULL;
	c->rearm = NULL;
	c->opaque = NULL;
	atomic_init(&c->base, 0);
	atomic_init(&c->origin, manual ? 0 : clock_host_ns());
	atomic_init(&c->running, true);
}

uint64_t clock_now(const struct clock *c)
{
	uint64_t now, origin;

	if (c->manual || !atomic_load_explicit(&c->running, memory_order_acquire))
		return atomic_load_explicit(&c->base, memory_order_relaxed);
	origin = atomic_load_explicit(&c->origin, memory_order_relaxed);
	now = clock_host_ns();
	return now > origin ? now - origin : 0;
}

static void rearm(struct clock *c)
{
	if (c->rearm)
		c->rearm(c->opaque);
}

void clock_pause(struct clock *c)
{
	if (!atomic_load(&c->running))
		return;
	atomic_store(&c->base, clock_now(c));
	atomic_store_explicit(&c->running, false, memory_order_release);
	rearm(c);
}

void clock_resume(struct clock *c)
{
	if (atomic_load(&c->running))
		return;
	if (!c->manual)
		atomic_store(&c->origin, clock_host_ns() - atomic_load(&c->base));
	atomic_store_explicit(&c->running, true, memory_order_release);
	rearm(c);
}

void timer_init(struct timer *t, struct clock *c, void (*fire)(void *opaque), void *opaque)
{
	t->clock = c;
	t->deadline = 0;
	t->fire = fire;
	t->opaque = opaque;
	t->next = NULL;
	t->armed = false;
}

/* Unlinks without telling the loop; returns whether it was the first. */
static bool unlink_timer(struct timer *t)
{
	struct timer **p;
	bool first;

	if (!t->armed)
		return false;
	first = t->clock->timers == t;
	for (p = &t->clock->timers; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	t->armed = false;
	t->next = NULL;
	return first;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	struct clock *c = t->clock;
	bool was_first = unlink_timer(t);
	struct timer **p = &c->timers;

	t->deadline = deadline_ns;
	while (*p && (*p)->deadline <= deadline_ns)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	t->armed = true;
	if (was_first || c->timers == t)
		rearm(c);
}

void timer_cancel(struct timer *t)
{
	if (unlink_timer(t))
		rearm(t->clock);
}

uint64_t clock_run(struct clock *c)
{
	uint64_t now = clock_now(c);
	unsigned due = 0;
	struct timer *t;

	/* Only as many as are due on entry: a timer that keeps rearming itself in the past, as a
	 * guest may program one, cannot keep the loop here. */
	for (t = c->timers; t && t->deadline <= now; t = t->next)
		due++;
	while (due-- && (t = c->timers) && t->deadline <= now) {
		unlink_timer(t);
		t->fire(t->opaque);
	}
	return clock_next(c);
}

uint64_t clock_next(const struct clock *c)
{
	return c->timers ? c->timers->deadline : UINT64_MAX;
}

void clock_set(struct clock *c, uint64_t now)
{
	atomic_store_explicit(&c->base, now, memory_order_relaxed);
}

void clock_load(struct clock *c, uint64_t now)
{
	uint64_t delta = now - clock_now(c);

	atomic_store_explicit(&c->base, now, memory_order_relaxed);
	for (struct timer *t = c->timers; t; t = t->next)
		t->deadline += delta;
	rearm(c);
}

void clock_step(struct clock *c, uint64_t ns)
{
	uint64_t end = atomic_load(&c->base) + ns;
	struct timer *t;

	if (!c->manual)
		return;
	while ((t = c->timers) && t->deadline <= end) {
		if (t->deadline > atomic_load(&c->base))
			atomic_store(&c->base, t->deadline);
		unlink_timer(t);
		t->fire(t->opaque);
	}
	atomic_store(&c->base, end);
	rearm(c);
}
