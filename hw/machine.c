/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine's run state. Requests come from any thread and only leave a note; the main thread
 * acts on it between two rounds of the loop, because bringing the vCPUs to rest means waiting for
 * threads that may themselves wait for the machine lock.
 */
#include "hw/machine.h"

#include <errno.h>
#include <string.h>

#include "accel/cpus.h"
#include "hw/loop.h"

int machine_init(struct machine *m, uint64_t ram_size)
{
	int r;

	memset(m, 0, sizeof(*m));
	r = pthread_mutex_init(&m->lock, NULL);
	if (r)
		return -r;
	r = pthread_mutex_init(&m->split_lock, NULL);
	if (r) {
		r = -r;
		goto no_split_lock;
	}
	r = ram_init(&m->ram, "ram", ram_size);
	if (r < 0)
		goto no_ram;
	clock_init(&m->clock, false);
	clock_pause(&m->clock);
	m->loop = loop_new(&m->clock, &m->lock);
	if (!m->loop) {
		r = -errno;
		goto no_loop;
	}
	input_init(&m->input);
	aspace_init(&m->mem, "memory", 52, &m->lock);
	aspace_init(&m->io, "io", 16, &m->lock);
	return 0;
no_loop:
	ram_fini(&m->ram);
no_ram:
	pthread_mutex_destroy(&m->split_lock);
no_split_lock:
	pthread_mutex_destroy(&m->lock);
	return r;
}

void machine_fini(struct machine *m)
{
	if (m->cpus)
		cpus_free(m->cpus);
	loop_free(m->loop);
	ram_fini(&m->ram);
	pthread_mutex_destroy(&m->split_lock);
	pthread_mutex_destroy(&m->lock);
}

void machine_follow_time(struct machine *m, void (*rearm)(void *opaque), void *opaque)
{
	clock_init(&m->clock, true);
	m->clock.rearm = rearm;
	m->clock.opaque = opaque;
}

void machine_add(struct machine *m, struct device *dev)
{
	struct device **p = &m->devices;

	while (*p)
		p = &(*p)->next;
	dev->next = NULL;
	*p = dev;
}

void machine_add_after(struct device *after, struct device *dev)
{
	dev->next = after->next;
	after->next = dev;
}

struct device *machine_remove(struct machine *m, struct device *dev)
{
	struct device *before = NULL;

	for (struct device *d = m->devices; d != dev; d = d->next)
		before = d;
	*(before ? &before->next : &m->devices) = dev->next;
	return before;
}

void machine_watch(struct machine *m, struct machine_watcher *w)
{
	w->next = m->watchers;
	m->watchers = w;
}

void machine_unwatch(struct machine *m, struct machine_watcher *w)
{
	for (struct machine_watcher **p = &m->watchers; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			return;
		}
}

void machine_notify(struct machine *m, enum machine_event event, const char *what)
{
	for (struct machine_watcher *w = m->watchers; w; w = w->next)
		w->event(w->opaque, event, what);
}

void machine_stop_locked(struct machine *m)
{
	if (m->stopped)
		return;
	m->stopped = true;
	pthread_mutex_unlock(&m->lock);
	cpus_pause(m->cpus);
	pthread_mutex_lock(&m->lock);
	clock_pause(&m->clock);
}

void machine_cont_locked(struct machine *m)
{
	if (!m->stopped)
		return;
	m->stopped = false;
	clock_resume(&m->clock);
	if (m->cont_hook)
		m->cont_hook(m->cont_opaque);
	if (!m->suspended)
		cpus_resume(m->cpus);
}

int machine_hop_locked(struct machine *m, const struct engine *engine)
{
	int err;

	pthread_mutex_unlock(&m->lock);
	err = cpus_set_engine(m->cpus, engine);
	pthread_mutex_lock(&m->lock);
	if (err == 0)
		m->engine = engine;
	return err;
}

void machine_reset_devices_locked(struct machine *m)
{
	for (struct device *d = m->devices; d; d = d->next)
		device_reset(d);
	cpus_reset(m->cpus);
}

int machine_reset_locked(struct machine *m)
{
	m->reset_requested = m->suspended = false;
	machine_reset_devices_locked(m);
	return m->reset_hook ? m->reset_hook(m->board) : 0;
}

static void request_stops(struct machine *m, enum machine_end why)
{
	if (m->stopped)
		return;
	machine_stop_locked(m);
	if (m->stop_hook)
		m->stop_hook(m->stop_opaque, why);
}

/* The guest's time and devices go on, so that some of these may wake it up. */
static void suspend_locked(struct machine *m)
{
	pthread_mutex_unlock(&m->lock);
	cpus_pause(m->cpus);
	pthread_mutex_lock(&m->lock);
	m->suspended = true;
	machine_notify(m, MACHINE_SUSPEND, NULL);
}

static int wake_locked(struct machine *m)
{
	if (!m->suspended)
		return 0;
	if (m->wake_hook(m->board) < 0)
		return -1;
	m->suspended = false;
	machine_notify(m, MACHINE_WAKEUP, NULL);
	if (!m->stopped)
		cpus_resume(m->cpus);
	return 0;
}

static bool fails(struct machine *m)
{
	m->end = END_EXIT;
	m->end_status = 1;
	return true;
}

static bool stops_instead(const struct machine *m)
{
	return m->end == END_PANIC ? m->no_shutdown || m->panic_action == PANIC_PAUSE
				   : m->end == END_SHUTDOWN && m->no_shutdown;
}

/* What was asked for since the last round. True when the machine has come to its end. */
static bool act_locked(struct machine *m)
{
	if (m->end != END_NONE)
		machine_notify(m, MACHINE_END, NULL);
	if (stops_instead(m)) {
		enum machine_end why = m->end;

		m->end = END_NONE;
		m->reset_requested = false;
		request_stops(m, why);
	}
	if (m->end != END_NONE)
		return true;
	if (m->stop_requested) {
		m->stop_requested = false;
		request_stops(m, END_NONE);
	}
	if (m->suspend_requested) {
		suspend_locked(m);
		m->suspend_requested = false;
	}
	if (m->wakeup_requested) {
		m->wakeup_requested = false;
		if (wake_locked(m) < 0)
			return fails(m);
	}
	if (m->reset_requested) {
		bool was_stopped = m->stopped;

		machine_stop_locked(m);
		if (machine_reset_locked(m) < 0)
			return fails(m);
		machine_notify(m, MACHINE_RESET, NULL);
		if (!was_stopped)
			machine_cont_locked(m);
	}
	return false;
}

int machine_run(struct machine *m)
{
	bool done;

	pthread_mutex_lock(&m->lock);
	/* The vCPU threads start out paused. */
	m->stopped = true;
	if (machine_reset_locked(m) < 0 || (m->start_hook && m->start_hook(m->start_opaque) < 0)) {
		pthread_mutex_unlock(&m->lock);
		return 1;
	}
	if (!m->start_stopped)
		machine_cont_locked(m);
	do {
		pthread_mutex_unlock(&m->lock);
		loop_run(m->loop);
		pthread_mutex_lock(&m->lock);
		done = act_locked(m);
	} while (!done);
	machine_stop_locked(m);
	pthread_mutex_unlock(&m->lock);
	if (m->end == END_PANIC && m->panic_action == PANIC_EXIT_FAILURE)
		return 1;
	return m->end == END_EXIT ? m->end_status : 0;
}

/* The first reason to end stays, but the user's word overrides. */
static void end_locked(struct machine *m, enum machine_end end)
{
	if (m->end == END_NONE || end == END_QUIT)
		m->end = end;
	loop_quit(m->loop);
}

void machine_request_reset(struct machine *m)
{
	if (m->no_reboot) {
		end_locked(m, END_SHUTDOWN);
		return;
	}
	m->reset_requested = true;
	loop_quit(m->loop);
}

void machine_request_shutdown(struct machine *m)
{
	end_locked(m, END_SHUTDOWN);
}

void machine_request_stop(struct machine *m)
{
	m->stop_requested = true;
	loop_quit(m->loop);
}

void machine_request_suspend(struct machine *m)
{
	m->suspend_requested = true;
	loop_quit(m->loop);
}

void machine_request_wakeup(struct machine *m)
{
	m->wakeup_requested = true;
	loop_quit(m->loop);
}

void machine_request_exit(struct machine *m, int status)
{
	if (m->end == END_NONE)
		m->end_status = status;
	end_locked(m, END_EXIT);
}

void machine_request_quit(struct machine *m)
{
	end_locked(m, END_QUIT);
}

void machine_request_panic(struct machine *m, bool always)
{
	if (always || m->no_reboot)
		end_locked(m, END_PANIC);
	else
		machine_request_reset(m);
}
