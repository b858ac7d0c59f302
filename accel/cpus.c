/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The vCPUs of a machine from outside: their life, pauses, signals and counters.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus_impl.h"
#include "cpu/cpuid.h"
#include "cpu/vcpu_check.h"

void cpus_post(struct cpu_thread *t, uint32_t set, uint32_t clear)
{
	pthread_mutex_lock(&t->lock);
	if (clear)
		atomic_fetch_and(&t->events, ~clear);
	if (set)
		atomic_fetch_or(&t->events, set);
	t->posted++;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (!set)
		return;
	/* Who takes over at this moment looks at the events afterwards. */
	struct unit *u = atomic_load(&t->on);
	u->engine->kick(u->e);
}

int cpus_new(struct cpus **out, const struct engine *engine, const struct engine_config *config,
	     const struct cpu_model *model, const struct cpu_bus *bus, unsigned n)
{
	struct engine_vm *vm;
	int err = -ENOMEM;
	if (!n || n > CPUS_MAX)
		return -EINVAL;
	struct cpus *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->engine = c->chosen = engine;
	c->config = *config;
	c->model = model;
	c->bus = bus;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->drained, NULL);
	c->cpu = aligned_alloc(_Alignof(struct cpu_thread), n * sizeof(*c->cpu));
	if (!c->cpu)
		goto fail;
	memset(c->cpu, 0, n * sizeof(*c->cpu));
	err = cpus_vm(c, engine, &vm);
	if (err < 0)
		goto fail;
	for (; c->n < n; c->n++) {
		struct cpu_thread *t = &c->cpu[c->n];
		t->cpus = c;
		t->index = c->n;
		t->want_pause = true;
		vcpu_reset(&t->state, t->index);
		err = cpus_add_unit(t, engine, vm);
		if (err < 0)
			goto fail;
		t->on = &t->unit[0];
		engine->load(t->unit[0].e, &t->state);
		pthread_mutex_init(&t->lock, NULL);
		pthread_cond_init(&t->wake, NULL);
		pthread_cond_init(&t->parked, NULL);
		err = -pthread_create(&t->thread, NULL, cpus_thread, t);
		if (err < 0) {
			engine->destroy(t->unit[0].e);
			goto fail;
		}
		char name[16];
		snprintf(name, sizeof(name), "vcpu%u", t->index);
		pthread_setname_np(t->thread, name);
	}
	cpus_pause(c);
	err = cpus_follow_pages(c);
	if (err < 0)
		goto fail;
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
	cpus_unfollow_pages(c);
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&t->lock);
		t->quit = true;
		pthread_mutex_unlock(&t->lock);
		cpus_post(t, EV_STOP, 0);
		pthread_join(t->thread, NULL);
		for (unsigned k = 0; k < MAX_UNITS; k++)
			if (t->unit[k].engine)
				t->unit[k].engine->destroy(t->unit[k].e);
		pthread_mutex_destroy(&t->lock);
		pthread_cond_destroy(&t->wake);
		pthread_cond_destroy(&t->parked);
	}
	for (unsigned k = 0; k < MAX_UNITS; k++)
		if (c->vm[k].vm)
			c->vm[k].engine->close(c->vm[k].vm);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->drained);
	watch_free(c->watch);
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
		cpus_post(t, EV_STOP, 0);
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
		cpus_post(t, 0, EV_STOP);
	}
}

void cpus_reset(struct cpus *c)
{
	atomic_store(&c->engine, cpus_wanted(c));
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		vcpu_reset(&t->state, n);
	}
	cpus_drop_events(c);
}

void cpus_settle(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		cpus_signal_state(&c->cpu[n], atomic_load(&c->cpu[n].events));
}

void cpus_drop_events(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++) {
		cpus_post(&c->cpu[n], 0, EV_INTR | EV_NMI | EV_SMI | EV_INIT | EV_SIPI);
		cpus_release(c, n);
	}
}

const char *cpus_check(const struct cpus *c, unsigned cpu, const struct vcpu *v)
{
	return v->apic_id == cpu ? vcpu_check(v, c->model) : "APIC ID";
}

struct vcpu *cpus_state(struct cpus *c, unsigned cpu)
{
	return &c->cpu[cpu].state;
}

uint64_t cpus_last_rip(struct cpus *c, unsigned cpu)
{
	const struct unit *u = atomic_load(&c->cpu[cpu].on);

	return u->engine->last_rip ? u->engine->last_rip(u->e) : c->cpu[cpu].state.rip;
}

struct engine_cpu *cpus_engine(struct cpus *c, unsigned cpu)
{
	return atomic_load(&c->cpu[cpu].on)->e;
}

void cpus_set_intr(struct cpus *c, unsigned cpu, bool level)
{
	struct cpu_thread *t = &c->cpu[cpu];
	if (!!(atomic_load(&t->events) & EV_INTR) == level)
		return;
	cpus_post(t, level ? EV_INTR : 0, level ? 0 : EV_INTR);
}

void cpus_nmi(struct cpus *c, unsigned cpu)
{
	cpus_post(&c->cpu[cpu], EV_NMI, 0);
}

void cpus_smi(struct cpus *c, unsigned cpu)
{
	cpus_post(&c->cpu[cpu], EV_SMI, 0);
}

int cpus_current(const struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		if (pthread_equal(c->cpu[n].thread, pthread_self()))
			return (int)n;
	return -1;
}

void cpus_init_signal(struct cpus *c, unsigned cpu)
{
	cpus_post(&c->cpu[cpu], EV_INIT, 0);
}

void cpus_sipi(struct cpus *c, unsigned cpu, uint8_t vector)
{
	struct cpu_thread *t = &c->cpu[cpu];
	pthread_mutex_lock(&t->lock);
	t->sipi_vector = vector;
	pthread_mutex_unlock(&t->lock);
	cpus_post(t, EV_SIPI, 0);
}

void cpus_flush_tlb(struct cpus *c)
{
	const struct engine *en = cpus_wanted(c);
	/* What failed may work with another memory map. */
	uint32_t back = atomic_exchange(&c->engine, en) != en ? EV_HOP : 0;
	for (unsigned n = 0; n < c->n; n++)
		cpus_post(&c->cpu[n], EV_TLB | back, 0);
}

void cpus_time_changed(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		cpus_post(&c->cpu[n], EV_TIME, 0);
}

int cpus_tid(struct cpus *c, unsigned cpu)
{
	return atomic_load(&c->cpu[cpu].tid);
}

uint64_t cpus_retired(struct cpus *c)
{
	uint64_t sum = 0;
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&c->lock);
		for (unsigned k = 0; k < MAX_UNITS; k++)
			if (t->unit[k].engine)
				sum += t->unit[k].engine->retired(t->unit[k].e);
		pthread_mutex_unlock(&c->lock);
	}
	return sum;
}

void cpus_stats(struct cpus *c, struct engine_stats *sum)
{
	for (unsigned n = 0; n < c->n; n++)
		for (unsigned k = 0; k < MAX_UNITS; k++) {
			const struct unit *u = &c->cpu[n].unit[k];
			if (u->engine && u->engine->stats)
				u->engine->stats(u->e, sum);
		}
}

const struct engine *cpus_on(struct cpus *c, unsigned cpu)
{
	return atomic_load(&c->cpu[cpu].on)->engine;
}

const char *const cpus_hop_reasons[FAILURES] = {
    [FAIL_EMULATION] = "not emulated", [FAIL_ENTRY] = "state not accepted",
    [FAIL_MSR] = "other MSRs",         [FAIL_MEMORY] = "A20 gate or memory map",
    [FAIL_BOUND] = "to be counted",    [FAIL_SMM] = "in system management mode",
};

uint64_t cpus_hops(struct cpus *c, enum run_failure why)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < c->n; n++)
		sum += atomic_load(&c->cpu[n].hops[why]);
	return sum;
}
