/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each thread loops: wait while paused, take INIT and SIPI, run the engine, sleep while halted.
 * `posted` counts mailbox changes, so that a halted thread never sleeps through one.
 */
#include "accel/cpus.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/engine.h"
#include "cpu/bus.h"
#include "cpu/vcpu.h"

struct cpu_thread {
	struct cpus *cpus;
	unsigned index;
	struct engine_cpu *engine;
	struct vcpu state; /* valid while paused */
	_Atomic uint32_t events;
	pthread_t thread;
	pthread_mutex_t lock;  /* everything below */
	pthread_cond_t wake;   /* for the thread: mailbox or run state changed */
	pthread_cond_t parked; /* for others: `paused` became true */
	uint64_t posted;
	bool want_pause, paused, quit, started;
	uint8_t sipi_vector;
};

struct cpus {
	const struct engine *engine;
	const struct cpu_bus *bus;
	unsigned n;
	struct cpu_thread *cpu;
};

static void post(struct cpu_thread *t, uint32_t set, uint32_t clear)
{
	pthread_mutex_lock(&t->lock);
	if (clear)
		atomic_fetch_and(&t->events, ~clear);
	if (set)
		atomic_fetch_or(&t->events, set);
	t->posted++;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (set)
		t->cpus->engine->kick(t->engine);
}

/* INIT and SIPI act on canonical state at an instruction boundary. */
static void take_signals(struct cpu_thread *t)
{
	const struct engine *en = t->cpus->engine;
	uint32_t ev = atomic_load(&t->events);
	struct vcpu *v = &t->state;
	if (!(ev & (EV_INIT | EV_SIPI)))
		return;
	en->store(t->engine, v);
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
	en->load(t->engine, v);
}

/* Parks while a pause is wanted. Returns false when the thread must end. Lock held. */
static bool park_locked(struct cpu_thread *t)
{
	const struct engine *en = t->cpus->engine;
	if (!t->want_pause && !t->quit)
		return true;
	en->store(t->engine, &t->state);
	t->paused = true;
	pthread_cond_broadcast(&t->parked);
	while (t->want_pause && !t->quit)
		pthread_cond_wait(&t->wake, &t->lock);
	t->paused = false;
	if (t->quit)
		return false;
	en->load(t->engine, &t->state);
	return true;
}

static uint64_t host_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Time that follows instructions passes in a halt as the machine says; how long to sleep. */
static uint64_t halted(struct cpu_thread *t, uint64_t slept)
{
	const struct cpu_bus *bus = t->cpus->bus;
	if (!bus->idle)
		return UINT64_MAX;
	uint64_t wait = bus->idle(bus->opaque, t->cpus->engine->retired(t->engine), slept);
	atomic_fetch_or(&t->events, EV_TIME); /* other counts are due now */
	return wait;
}

/* Until something is posted, but not for longer than `ns`; returns how long it was. Lock held. */
static uint64_t sleep_locked(struct cpu_thread *t, uint64_t seen, uint64_t ns)
{
	uint64_t begin = host_ns(), end = begin + ns;
	const struct timespec at = {.tv_sec = (time_t)(end / 1000000000),
				    .tv_nsec = (long)(end % 1000000000)};
	int err = 0;
	while (t->posted == seen && !t->want_pause && !t->quit && err != ETIMEDOUT) {
		if (ns > INT64_MAX)
			pthread_cond_wait(&t->wake, &t->lock);
		else
			err = pthread_cond_clockwait(&t->wake, &t->lock, CLOCK_MONOTONIC, &at);
	}
	return host_ns() - begin;
}

static void *thread_main(void *arg)
{
	struct cpu_thread *t = arg;
	const struct engine *en = t->cpus->engine;

	pthread_mutex_lock(&t->lock);
	while (park_locked(t)) {
		uint64_t seen = t->posted;
		pthread_mutex_unlock(&t->lock);
		take_signals(t);
		enum run_exit why = en->run(t->engine, UINT64_MAX);
		if (why == RUN_SHUTDOWN)
			t->cpus->bus->shutdown(t->cpus->bus->opaque, t->index);
		uint64_t ns = why == RUN_HALTED ? halted(t, 0) : UINT64_MAX, slept = 0;
		pthread_mutex_lock(&t->lock);
		/* RUN_FAILED cannot happen to an engine that is complete; treated like a halt until
		 * the hop exists, so that the monitor can look. */
		if (why != RUN_STOPPED && ns)
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

int cpus_new(struct cpus **out, const struct engine *engine, const struct engine_config *config,
	     const struct cpu_model *model, const struct cpu_bus *bus, unsigned n)
{
	int err = -ENOMEM;
	if (!n || n > CPUS_MAX)
		return -EINVAL;
	struct cpus *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->engine = engine;
	c->bus = bus;
	c->cpu = aligned_alloc(_Alignof(struct cpu_thread), n * sizeof(*c->cpu));
	if (!c->cpu)
		goto fail;
	memset(c->cpu, 0, n * sizeof(*c->cpu));
	for (; c->n < n; c->n++) {
		struct cpu_thread *t = &c->cpu[c->n];
		t->cpus = c;
		t->index = c->n;
		t->want_pause = true;
		vcpu_reset(&t->state, t->index);
		err = engine->create(&t->engine, model, bus, t->index, &t->events);
		if (err < 0)
			goto fail;
		if (engine->configure) {
			err = engine->configure(t->engine, config);
			if (err < 0) {
				engine->destroy(t->engine);
				goto fail;
			}
		}
		engine->load(t->engine, &t->state);
		pthread_mutex_init(&t->lock, NULL);
		pthread_cond_init(&t->wake, NULL);
		pthread_cond_init(&t->parked, NULL);
		err = -pthread_create(&t->thread, NULL, thread_main, t);
		if (err < 0) {
			engine->destroy(t->engine);
			goto fail;
		}
		char name[16];
		snprintf(name, sizeof(name), "vcpu%u", t->index);
		pthread_setname_np(t->thread, name);
	}
	cpus_pause(c);
	*out = c;
	return 0;
fail:
	cpus_free(c);
	return err;
}

void cpus_free(struct cpus *c)
{
	if (!c)
		return;
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&t->lock);
		t->quit = true;
		pthread_mutex_unlock(&t->lock);
		post(t, EV_STOP, 0);
		pthread_join(t->thread, NULL);
		c->engine->destroy(t->engine);
		pthread_mutex_destroy(&t->lock);
		pthread_cond_destroy(&t->wake);
		pthread_cond_destroy(&t->parked);
	}
	free(c->cpu);
	free(c);
}

unsigned cpus_count(const struct cpus *c)
{
	return c->n;
}

void cpus_pause(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&t->lock);
		t->want_pause = true;
		pthread_mutex_unlock(&t->lock);
		post(t, EV_STOP, 0);
	}
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&t->lock);
		while (!t->paused)
			pthread_cond_wait(&t->parked, &t->lock);
		pthread_mutex_unlock(&t->lock);
	}
}

void cpus_resume(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&t->lock);
		t->want_pause = false;
		pthread_mutex_unlock(&t->lock);
		post(t, 0, EV_STOP);
	}
}

void cpus_reset(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		vcpu_reset(&t->state, n);
		post(t, 0, EV_INTR | EV_NMI | EV_SMI | EV_INIT | EV_SIPI);
	}
}

struct vcpu *cpus_state(struct cpus *c, unsigned cpu)
{
	return &c->cpu[cpu].state;
}

struct engine_cpu *cpus_engine(struct cpus *c, unsigned cpu)
{
	return c->cpu[cpu].engine;
}

void cpus_set_intr(struct cpus *c, unsigned cpu, bool level)
{
	struct cpu_thread *t = &c->cpu[cpu];
	if (!!(atomic_load(&t->events) & EV_INTR) == level)
		return;
	post(t, level ? EV_INTR : 0, level ? 0 : EV_INTR);
}

void cpus_nmi(struct cpus *c, unsigned cpu)
{
	post(&c->cpu[cpu], EV_NMI, 0);
}

void cpus_init_signal(struct cpus *c, unsigned cpu)
{
	post(&c->cpu[cpu], EV_INIT, 0);
}

void cpus_sipi(struct cpus *c, unsigned cpu, uint8_t vector)
{
	struct cpu_thread *t = &c->cpu[cpu];
	pthread_mutex_lock(&t->lock);
	t->sipi_vector = vector;
	pthread_mutex_unlock(&t->lock);
	post(t, EV_SIPI, 0);
}

void cpus_flush_tlb(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		post(&c->cpu[n], EV_TLB, 0);
}

void cpus_time_changed(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		post(&c->cpu[n], EV_TIME, 0);
}

uint64_t cpus_retired(struct cpus *c)
{
	uint64_t sum = 0;
	for (unsigned n = 0; n < c->n; n++)
		sum += c->engine->retired(c->cpu[n].engine);
	return sum;
}

void cpus_stats(struct cpus *c, struct engine_stats *sum)
{
	for (unsigned n = 0; n < c->n; n++)
		c->engine->stats(c->cpu[n].engine, sum);
}
