/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Engines of a machine, and how its vCPUs move between them: all of them by command or policy, one of
 * them for the instruction that its engine cannot execute.
 */
#include <errno.h>
#include <string.h>

#include "accel/cpus_impl.h"
#include "accel/host_time.h"

struct unit *cpus_unit(struct cpu_thread *t, const struct engine *en)
{
	struct unit *found = NULL;

	pthread_mutex_lock(&t->cpus->lock);
	for (unsigned n = 0; n < MAX_UNITS && !found; n++)
		if (t->unit[n].engine == en)
			found = &t->unit[n];
	pthread_mutex_unlock(&t->cpus->lock);
	return found;
}

int cpus_vm(struct cpus *c, const struct engine *en, struct engine_vm **out)
{
	struct engine_vm *vm = NULL;
	unsigned n;

	*out = NULL;
	if (!en->open)
		return 0;
	pthread_mutex_lock(&c->lock);
	for (n = 0; n < MAX_UNITS && c->vm[n].engine && c->vm[n].engine != en; n++)
		;
	if (n < MAX_UNITS)
		*out = c->vm[n].vm;
	pthread_mutex_unlock(&c->lock);
	if (*out)
		return 0;
	int err = n < MAX_UNITS ? en->open(&vm, c->model, c->bus) : -ENOSPC;
	if (err < 0)
		return err;
	pthread_mutex_lock(&c->lock);
	c->vm[n].vm = *out = vm;
	c->vm[n].engine = en;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static void unit_free(const struct engine *en, struct engine_cpu *e)
{
	if (e)
		en->destroy(e);
}

int cpus_add_unit(struct cpu_thread *t, const struct engine *en, struct engine_vm *vm)
{
	struct cpus *c = t->cpus;
	struct engine_cpu *e = NULL;
	unsigned n;
	int err = en->create(&e, c->model, c->bus, t->index, &t->events);

	if (err == 0 && en->configure)
		err = en->configure(e, &c->config);
	if (err == 0 && en->join)
		err = en->join(e, vm);
	if (err == 0 && en->watch && c->watch)
		en->watch(e, c->watch);
	if (err < 0) {
		unit_free(en, e);
		return err;
	}
	pthread_mutex_lock(&c->lock);
	for (n = 0; n < MAX_UNITS && t->unit[n].engine && t->unit[n].engine != en; n++)
		;
	if (n < MAX_UNITS && !t->unit[n].engine) {
		t->unit[n] = (struct unit){.engine = en, .e = e};
		e = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	unit_free(en, e); /* somebody was faster */
	return n < MAX_UNITS ? 0 : -ENOSPC;
}

int cpus_prepare(struct cpus *c, const struct engine *en)
{
	struct engine_vm *vm;
	int err = cpus_vm(c, en, &vm);

	for (unsigned n = 0; n < c->n && err == 0; n++)
		if (!cpus_unit(&c->cpu[n], en))
			err = cpus_add_unit(&c->cpu[n], en, vm);
	return err;
}

int cpus_set_engine(struct cpus *c, const struct engine *en)
{
	int err = cpus_prepare(c, en);

	if (err < 0)
		return err;
	atomic_store(&c->chosen, en);
	cpus_move_all(c, cpus_wanted(c));
	return 0;
}

void cpus_follow(struct cpu_thread *t)
{
	atomic_fetch_and(&t->events, ~(uint32_t)EV_HOP);
	const struct engine *en = atomic_load(&t->cpus->engine);
	struct unit *from = t->on, *to;
	if (from->engine == en || !(to = cpus_unit(t, en)))
		return;
	from->engine->store(from->e, &t->state);
	atomic_store(&t->on, to);
	en->load(to->e, &t->state);
}

bool cpus_enter(struct cpu_thread *t, struct unit *u)
{
	struct cpus *c = t->cpus;
	const bool native = u->engine->native;
	bool stale = false, ok;

	pthread_mutex_lock(&c->lock);
	while (!(atomic_load(&t->events) & (EV_HOP | EV_STOP)) && c->running[!native])
		pthread_cond_wait(&c->drained, &c->lock);
	ok = !c->running[!native];
	if (ok) {
		c->running[native]++;
		c->changes[native]++;
		stale = u->changes != c->changes[!native];
		u->changes = c->changes[!native];
	}
	pthread_mutex_unlock(&c->lock);
	if (stale && u->engine->forget)
		u->engine->forget(u->e);
	return ok;
}

void cpus_leave(struct cpu_thread *t, const struct unit *u)
{
	struct cpus *c = t->cpus;

	pthread_mutex_lock(&c->lock);
	if (!--c->running[u->engine->native])
		pthread_cond_broadcast(&c->drained);
	pthread_mutex_unlock(&c->lock);
}

/* All vCPUs are to go on elsewhere, where they have been prepared for. Any thread, no lock held. */
static void post_hop(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		cpus_post(&c->cpu[n], EV_HOP, 0);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->drained);
	pthread_mutex_unlock(&c->lock);
}

void cpus_move_all(struct cpus *c, const struct engine *en)
{
	atomic_store(&c->engine, en);
	post_hop(c);
}

const struct engine *cpus_fallback(void)
{
	return engine_jit.unusable() ? &engine_interp : &engine_jit;
}

const struct engine *cpus_wanted(struct cpus *c)
{
	const struct engine *en = atomic_load(&c->chosen);

	return c->watch && !en->watch ? cpus_fallback() : en;
}

/* Many failures for one reason in a short time, or hops that take most of a longer one: where the engine fails
 * that often, another is faster. */
enum { HOPS_MAX = 1000 };
#define HOPS_NS  200000000ull
#define SPENT_NS 2000000000ull

void cpus_count_hop(struct cpu_thread *t, const struct engine *failed, enum run_failure why,
		    uint64_t begin)
{
	struct cpus *c = t->cpus;
	uint64_t now = host_ns();

	atomic_fetch_add(&t->hops[why], 1);
	if (now - t->since > HOPS_NS) {
		t->since = now;
		memset(t->recent, 0, sizeof(t->recent));
	}
	if (now - t->spent_since > SPENT_NS) {
		t->spent_since = now;
		memset(t->spent, 0, sizeof(t->spent));
	}
	t->recent[why]++;
	t->spent[why] += now - begin;
	/* A memory map that cannot be had stays so until it changes. */
	if (t->recent[why] < HOPS_MAX && t->spent[why] < SPENT_NS / 2 && why != FAIL_MEMORY)
		return;
	t->since = t->spent_since = 0;
	/* Unless somebody has moved the machine meanwhile. */
	if (cpus_prepare(c, cpus_fallback()) == 0 &&
	    atomic_compare_exchange_strong(&c->engine, &failed, cpus_fallback()))
		post_hop(c);
}

/* The interpreter executes the instruction that the engine cannot, or all of system management mode. It decodes each
 * anew, so that it may run beside native engines. */
enum run_exit cpus_hop(struct cpu_thread *t, const struct unit *u)
{
	struct unit *soft = cpus_unit(t, &engine_interp);
	enum run_exit why;

	if (!soft) {
		if (cpus_prepare(t->cpus, &engine_interp) < 0)
			return RUN_FAILED;
		soft = cpus_unit(t, &engine_interp);
	}
	u->engine->store(u->e, &t->state);
	soft->engine->load(soft->e, &t->state);
	do {
		why = soft->engine->run(soft->e, 1);
		soft->engine->store(soft->e, &t->state);
	} while (t->state.smm && why == RUN_STOPPED &&
		 !(atomic_load(&t->events) & (EV_STOP | EV_HOP)));
	u->engine->load(u->e, &t->state);
	return why;
}
