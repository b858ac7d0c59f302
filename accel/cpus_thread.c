/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each thread loops: wait while paused, take INIT and SIPI, run the engine, sleep while halted.
 * `posted` counts mailbox changes, so that a halted thread never sleeps through one.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "accel/cpus_impl.h"
#include "accel/host_time.h"

/* Of a halt that looks before it sleeps, ns. */
#define POLL_LEAST 10000
#define POLL_MOST  160000

void cpus_signal_state(struct cpu_thread *t, uint32_t ev)
{
	struct vcpu *v = &t->state;
	if (v->smm) { /* SDM vol. 3C 31.4.1 */
		v->init_pending |= (ev & EV_INIT) != 0;
		return;
	}
	if (ev & EV_INIT) {
		atomic_fetch_and(&t->events, ~(uint32_t)EV_INIT);
		vcpu_init(v, t->index);
	}
	if (ev & EV_SIPI) {
		atomic_fetch_and(&t->events, ~(uint32_t)EV_SIPI);
		if (v->activity == ACT_WAIT_SIPI) {
			pthread_mutex_lock(&t->lock);
			uint8_t vector = t->sipi_vector;
			pthread_mutex_unlock(&t->lock);
			v->seg[CS].sel = (uint16_t)(vector << 8);
			v->seg[CS].base = (uint64_t)vector << 12;
			v->rip = 0;
			v->activity = ACT_RUNNING;
		}
	}
}

/* INIT and SIPI act on canonical state at an instruction boundary. */
static void take_signals(struct cpu_thread *t)
{
	const struct unit *u = t->on;
	uint32_t ev = atomic_load(&t->events);
	if (!(ev & (EV_INIT | EV_SIPI)))
		return;
	u->engine->store(u->e, &t->state);
	cpus_signal_state(t, ev);
	u->engine->load(u->e, &t->state);
}

/* Time that follows instructions passes in a halt as the machine says; how long to sleep. */
static uint64_t halted(struct cpu_thread *t, uint64_t slept)
{
	const struct cpu_bus *bus = t->cpus->bus;
	if (!bus->idle)
		return UINT64_MAX;
	const struct unit *u = t->on;
	uint64_t wait = bus->idle(bus->opaque, u->engine->retired(u->e), slept);
	atomic_fetch_or(&t->events, EV_TIME); /* other counts are due now */
	return wait;
}

/* Waking a thread takes longer than many halts last. So after short ones the next is spent looking, for
 * longer each time, and after a long one not at all; a host CPU that is wanted elsewhere is given away. */
static void poll_locked(struct cpu_thread *t, uint64_t seen, uint64_t end)
{
	if (!t->poll)
		return;
	pthread_mutex_unlock(&t->lock);
	while (atomic_load_explicit(&t->posted, memory_order_relaxed) == seen && host_ns() < end)
		sched_yield();
	pthread_mutex_lock(&t->lock);
}

/* Until something is posted, but not for longer than `ns`; returns how long it was. Lock held. */
static uint64_t sleep_locked(struct cpu_thread *t, uint64_t seen, uint64_t ns)
{
	uint64_t begin = host_ns(), end = begin + ns;
	poll_locked(t, seen, begin + (t->poll < ns ? t->poll : ns));
	const struct timespec at = {.tv_sec = (time_t)(end / 1000000000),
				    .tv_nsec = (long)(end % 1000000000)};
	int err = 0;
	while (t->posted == seen && !t->want_pause && !t->quit && err != ETIMEDOUT) {
		if (ns > INT64_MAX)
			pthread_cond_wait(&t->wake, &t->lock);
		else
			err = pthread_cond_clockwait(&t->wake, &t->lock, CLOCK_MONOTONIC, &at);
	}
	uint64_t slept = host_ns() - begin;
	if (slept > POLL_MOST)
		t->poll = 0;
	else if (t->poll < POLL_MOST)
		t->poll = t->poll ? 2 * t->poll : POLL_LEAST;
	return slept;
}

/* One instruction for a debugger, with the state where it is. Lock held. */
static void step_locked(struct cpu_thread *t)
{
	struct unit *soft = cpus_unit(t, &engine_interp);

	pthread_mutex_unlock(&t->lock);
	bool in = cpus_enter(t, soft); /* no other kind runs while all are paused */
	soft->engine->load(soft->e, &t->state);
	t->stepped = soft->engine->step(soft->e);
	soft->engine->store(soft->e, &t->state);
	t->hit.valid = false;
	if (t->stepped == RUN_DEBUG)
		soft->engine->hit(soft->e, &t->hit);
	if (in)
		cpus_leave(t, soft);
	pthread_mutex_lock(&t->lock);
	t->passed = true;
	t->passed_rip = t->state.rip;
	t->step = false;
	pthread_cond_broadcast(&t->parked);
}

/* Parks while a pause is wanted. Returns false when the thread must end. Lock held. */
static bool park_locked(struct cpu_thread *t)
{
	const struct unit *u = t->on;
	if (!t->want_pause && !t->held && !t->quit)
		return true;
	u->engine->store(u->e, &t->state);
	t->paused = true;
	pthread_cond_broadcast(&t->parked);
	while ((t->want_pause || t->held) && !t->quit) {
		if (t->step)
			step_locked(t);
		else
			pthread_cond_wait(&t->wake, &t->lock);
	}
	t->paused = false;
	if (t->quit)
		return false;
	t->passed &= t->state.rip == t->passed_rip;
	u->engine->load(u->e, &t->state);
	return true;
}

/* Where a debugger has been told of the instruction, it is not told again before the vCPU has moved. */
static enum run_exit go(struct cpu_thread *t, const struct unit *u)
{
	bool passed = t->passed;

	t->passed = false;
	if (passed && t->cpus->watch && u->engine->step) {
		enum run_exit why = u->engine->step(u->e);
		if (why == RUN_DEBUG || why == RUN_SHUTDOWN)
			return why;
	}
	return u->engine->run(u->e, UINT64_MAX);
}

static enum run_exit run(struct cpu_thread *t)
{
	struct unit *u = t->on;
	enum run_exit why;

	if (!cpus_enter(t, u))
		return RUN_STOPPED;
	why = go(t, u);
	bool failed = why == RUN_FAILED && u->engine->failure;
	uint64_t begin = failed ? host_ns() : 0;
	if (failed)
		why = cpus_hop(t, u);
	cpus_leave(t, u);
	if (failed)
		cpus_count_hop(t, u->engine, u->engine->failure(u->e), begin);
	return why;
}

/* The thread stays where it is, unless the debugger does not want that. */
static void report_hit(struct cpu_thread *t)
{
	const struct cpus *c = t->cpus;
	const struct unit *u = t->on;
	struct watch_hit hit;

	u->engine->hit(u->e, &hit);
	u->engine->store(u->e, &t->state);
	pthread_mutex_lock(&t->lock);
	t->passed = hit.on == WATCH_EXEC;
	t->passed_rip = t->state.rip;
	t->held = true;
	pthread_mutex_unlock(&t->lock);
	if (c->on_hit && !c->on_hit(c->on_hit_opaque, t->index, &hit))
		cpus_release(t->cpus, t->index);
}

void *cpus_thread(void *arg)
{
	struct cpu_thread *t = arg;

	atomic_store(&t->tid, gettid());
	pthread_mutex_lock(&t->lock);
	while (park_locked(t)) {
		uint64_t seen = t->posted;
		pthread_mutex_unlock(&t->lock);
		cpus_follow(t);
		take_signals(t);
		enum run_exit why = run(t);
		if (why == RUN_SHUTDOWN)
			t->cpus->bus->shutdown(t->cpus->bus->opaque, t->index);
		if (why == RUN_DEBUG)
			report_hit(t);
		uint64_t ns = why == RUN_HALTED ? halted(t, 0) : UINT64_MAX, slept = 0;
		pthread_mutex_lock(&t->lock);
		/* RUN_FAILED without a way out is treated like a halt, so that the monitor can look. */
		if (why != RUN_STOPPED && why != RUN_DEBUG && ns)
			slept = sleep_locked(t, seen, ns);
		if (why == RUN_HALTED && slept) {
			pthread_mutex_unlock(&t->lock);
			halted(t, slept);
			pthread_mutex_lock(&t->lock);
		}
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}
