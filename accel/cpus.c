/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each thread loops: wait while paused, take INIT and SIPI, run the engine, sleep while halted.
 * `posted` counts mailbox changes, so that a halted thread never sleeps through one.
 */
#include "accel/cpus.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accel/debug.h"
#include "accel/engine.h"
#include "accel/host_time.h"
#include "cpu/bus.h"
#include "cpu/cpuid.h"
#include "cpu/vcpu.h"
#include "cpu/vcpu_check.h"
#include "mmu/dirty.h"

#define MAX_UNITS 4

/* Of a halt that looks before it sleeps, ns. */
#define POLL_LEAST 10000
#define POLL_MOST  160000

/* A vCPU on one engine. */
struct unit {
	const struct engine *engine;
	struct engine_cpu *e;
	/* cpus.changes[] of the other kind, when last looked at; the thread's own. */
	uint64_t changes;
};

struct cpu_thread {
	struct cpus *cpus;
	unsigned index;
	struct unit unit[MAX_UNITS]; /* filled from the front; under cpus.lock */
	_Atomic(struct unit *) on;   /* the one that owns the state; set by the thread */
	/* Hops for one instruction, by reason: ever; since `since`; and the ns that they took since
	 * `spent_since`. */
	_Atomic uint64_t hops[FAILURES];
	unsigned recent[FAILURES];
	uint64_t spent[FAILURES], since, spent_since;
	struct vcpu state; /* valid while paused */
	_Atomic uint32_t events;
	pthread_t thread;
	_Atomic int tid;
	pthread_mutex_t lock;  /* everything below */
	pthread_cond_t wake;   /* for the thread: mailbox or run state changed */
	pthread_cond_t parked; /* for others: `paused` became true */
	_Atomic uint64_t posted;
	uint64_t poll; /* how long the next halt looks before it sleeps, ns; the thread's own */
	bool want_pause, paused, quit, started;
	bool held; /* a debugger has stopped it, by itself */
	/* For a debugger: one instruction is to be executed while paused, and how that went; what waits for
	 * the next instruction has been told. */
	bool step, passed;
	uint64_t passed_rip;
	enum run_exit stepped;
	struct watch_hit hit;
	uint8_t sipi_vector;
};

struct cpus {
	const struct cpu_bus *bus;
	const struct cpu_model *model;
	struct engine_config config;
	unsigned n;
	struct cpu_thread *cpu;

	_Atomic(const struct engine *) engine; /* where all vCPUs are to be, or on their way */
	_Atomic(const struct engine *)
	    chosen;             /* where the user wants them: elsewhere while it fails */
	pthread_mutex_t lock;   /* everything below, and unit[] of the threads */
	pthread_cond_t drained; /* running[] became 0, or an event was posted */
	unsigned running[2];    /* vCPUs in engines that are not native, that are */
	uint64_t changes[2];    /* times that one of a kind was entered */
	struct {
		const struct engine *engine;
		struct engine_vm *vm;
	} vm[MAX_UNITS];

	struct watch *watch; /* NULL: nothing; changed while paused */
	bool (*on_hit)(void *opaque, unsigned cpu, const struct watch_hit *hit);
	void *on_hit_opaque;
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
	if (!set)
		return;
	/* Who takes over at this moment looks at the events afterwards. */
	struct unit *u = atomic_load(&t->on);
	u->engine->kick(u->e);
}

static void signal_state(struct cpu_thread *t, uint32_t ev)
{
	struct vcpu *v = &t->state;
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
	signal_state(t, ev);
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

static struct unit *unit_of(struct cpu_thread *t, const struct engine *en)
{
	struct unit *found = NULL;

	pthread_mutex_lock(&t->cpus->lock);
	for (unsigned n = 0; n < MAX_UNITS && !found; n++)
		if (t->unit[n].engine == en)
			found = &t->unit[n];
	pthread_mutex_unlock(&t->cpus->lock);
	return found;
}

/* Moves to the engine that is asked for. */
static void follow(struct cpu_thread *t)
{
	atomic_fetch_and(&t->events, ~(uint32_t)EV_HOP);
	const struct engine *en = atomic_load(&t->cpus->engine);
	struct unit *from = t->on, *to;
	if (from->engine == en || !(to = unit_of(t, en)))
		return;
	from->engine->store(from->e, &t->state);
	atomic_store(&t->on, to);
	en->load(to->e, &t->state);
}

/* Waits until no engine of the other kind runs; false when there is something else to do first. */
static bool enter(struct cpu_thread *t, struct unit *u)
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

static void leave(struct cpu_thread *t, const struct unit *u)
{
	struct cpus *c = t->cpus;

	pthread_mutex_lock(&c->lock);
	if (!--c->running[u->engine->native])
		pthread_cond_broadcast(&c->drained);
	pthread_mutex_unlock(&c->lock);
}

/* One instruction for a debugger, with the state where it is. Lock held. */
static void step_locked(struct cpu_thread *t)
{
	struct unit *soft = unit_of(t, &engine_interp);

	pthread_mutex_unlock(&t->lock);
	bool in = enter(t, soft); /* no other kind runs while all are paused */
	soft->engine->load(soft->e, &t->state);
	t->stepped = soft->engine->step(soft->e);
	soft->engine->store(soft->e, &t->state);
	t->hit.valid = false;
	if (t->stepped == RUN_DEBUG)
		soft->engine->hit(soft->e, &t->hit);
	if (in)
		leave(t, soft);
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

/* All vCPUs are to go on elsewhere, where they have been prepared for. Any thread, no lock held. */
static void post_hop(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		post(&c->cpu[n], EV_HOP, 0);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->drained);
	pthread_mutex_unlock(&c->lock);
}

static void move_all(struct cpus *c, const struct engine *en)
{
	atomic_store(&c->engine, en);
	post_hop(c);
}

/* The best engine that has no limits. */
static const struct engine *fallback(void)
{
	return engine_jit.unusable() ? &engine_interp : &engine_jit;
}

/* Where all vCPUs should be, as long as it does not fail. */
static const struct engine *wanted(struct cpus *c)
{
	const struct engine *en = atomic_load(&c->chosen);

	return c->watch && !en->watch ? fallback() : en;
}

/* Many failures for one reason in a short time, or hops that take most of a longer one: where the engine fails
 * that often, another is faster. */
enum { HOPS_MAX = 1000 };
#define HOPS_NS  200000000ull
#define SPENT_NS 2000000000ull

static void count_hop(struct cpu_thread *t, const struct engine *failed, enum run_failure why,
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
	if (cpus_prepare(c, fallback()) == 0 &&
	    atomic_compare_exchange_strong(&c->engine, &failed, fallback()))
		post_hop(c);
}

/* The interpreter executes the instruction that the engine cannot. It decodes it anew, so that it may run
 * beside native engines. */
static enum run_exit hop(struct cpu_thread *t, const struct unit *u)
{
	struct unit *soft = unit_of(t, &engine_interp);
	enum run_exit why;

	if (!soft) {
		if (cpus_prepare(t->cpus, &engine_interp) < 0)
			return RUN_FAILED;
		soft = unit_of(t, &engine_interp);
	}
	u->engine->store(u->e, &t->state);
	soft->engine->load(soft->e, &t->state);
	why = soft->engine->run(soft->e, 1);
	soft->engine->store(soft->e, &t->state);
	u->engine->load(u->e, &t->state);
	return why;
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

	if (!enter(t, u))
		return RUN_STOPPED;
	why = go(t, u);
	bool failed = why == RUN_FAILED && u->engine->failure;
	uint64_t begin = failed ? host_ns() : 0;
	if (failed)
		why = hop(t, u);
	leave(t, u);
	if (failed)
		count_hop(t, u->engine, u->engine->failure(u->e), begin);
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

static void *thread_main(void *arg)
{
	struct cpu_thread *t = arg;

	atomic_store(&t->tid, gettid());
	pthread_mutex_lock(&t->lock);
	while (park_locked(t)) {
		uint64_t seen = t->posted;
		pthread_mutex_unlock(&t->lock);
		follow(t);
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

/* ---- engines of a machine ---- */

/* What the vCPUs share on this engine; NULL where that is nothing. 0 or -errno. */
static int vm_of(struct cpus *c, const struct engine *en, struct engine_vm **out)
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

static int unit_new(struct cpu_thread *t, const struct engine *en, struct engine_vm *vm)
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
	int err = vm_of(c, en, &vm);

	for (unsigned n = 0; n < c->n && err == 0; n++)
		if (!unit_of(&c->cpu[n], en))
			err = unit_new(&c->cpu[n], en, vm);
	return err;
}

int cpus_set_engine(struct cpus *c, const struct engine *en)
{
	int err = cpus_prepare(c, en);

	if (err < 0)
		return err;
	atomic_store(&c->chosen, en);
	move_all(c, wanted(c));
	return 0;
}

/* ---- for a debugger ---- */

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
	int err = w && !atomic_load(&c->chosen)->watch ? cpus_prepare(c, fallback()) : 0;

	if (err < 0) {
		watch_free(w);
		return err;
	}
	c->watch = w;
	watch_all(c);
	watch_free(old);
	if (atomic_load(&c->engine) != wanted(c))
		move_all(c, wanted(c));
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
	post(t, 0, 0);
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

const struct engine *cpus_on(struct cpus *c, unsigned cpu)
{
	return atomic_load(&c->cpu[cpu].on)->engine;
}

uint64_t cpus_hops(struct cpus *c, enum run_failure why)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < c->n; n++)
		sum += atomic_load(&c->cpu[n].hops[why]);
	return sum;
}

/* ---- page flags, for mmu/dirty.h; machine lock held ---- */

static bool on_protect(void *opaque)
{
	struct cpus *c = opaque;

	if (c->model->nr_cpus != 1 || !cpus_on(c, 0)->trusts_tlb)
		return false;
	post(&c->cpu[0], EV_TLB, 0);
	return true;
}

static bool on_settled(void *opaque)
{
	struct cpus *c = opaque;
	struct cpu_thread *t = &c->cpu[0];

	if (c->model->nr_cpus != 1 || !(atomic_load(&t->events) & EV_TLB))
		return true;
	pthread_mutex_lock(&t->lock);
	bool paused = t->paused;
	pthread_mutex_unlock(&t->lock);
	return paused;
}

static const struct dirty_ops dirty_ops = {.protect = on_protect, .settled = on_settled};

static void lock_machine(const struct cpus *c, bool take)
{
	pthread_mutex_t *m = c->bus->mem->dev_lock;

	if (m && take)
		pthread_mutex_lock(m);
	else if (m)
		pthread_mutex_unlock(m);
}

static int follow_pages(struct cpus *c)
{
	lock_machine(c, true);
	int err = dirty_add_writer(c->bus->mem, &dirty_ops, c);
	lock_machine(c, false);
	return err;
}

static void unfollow_pages(struct cpus *c)
{
	lock_machine(c, true);
	dirty_remove_writer(c->bus->mem, &dirty_ops, c);
	lock_machine(c, false);
}

/* ---- */

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
	err = vm_of(c, engine, &vm);
	if (err < 0)
		goto fail;
	for (; c->n < n; c->n++) {
		struct cpu_thread *t = &c->cpu[c->n];
		t->cpus = c;
		t->index = c->n;
		t->want_pause = true;
		vcpu_reset(&t->state, t->index);
		err = unit_new(t, engine, vm);
		if (err < 0)
			goto fail;
		t->on = &t->unit[0];
		engine->load(t->unit[0].e, &t->state);
		pthread_mutex_init(&t->lock, NULL);
		pthread_cond_init(&t->wake, NULL);
		pthread_cond_init(&t->parked, NULL);
		err = -pthread_create(&t->thread, NULL, thread_main, t);
		if (err < 0) {
			engine->destroy(t->unit[0].e);
			goto fail;
		}
		char name[16];
		snprintf(name, sizeof(name), "vcpu%u", t->index);
		pthread_setname_np(t->thread, name);
	}
	cpus_pause(c);
	err = follow_pages(c);
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
	unfollow_pages(c);
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		pthread_mutex_lock(&t->lock);
		t->quit = true;
		pthread_mutex_unlock(&t->lock);
		post(t, EV_STOP, 0);
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
	atomic_store(&c->engine, wanted(c));
	for (unsigned n = 0; n < c->n; n++) {
		struct cpu_thread *t = &c->cpu[n];
		vcpu_reset(&t->state, n);
	}
	cpus_drop_events(c);
}

void cpus_settle(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		signal_state(&c->cpu[n], atomic_load(&c->cpu[n].events));
}

void cpus_drop_events(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++) {
		post(&c->cpu[n], 0, EV_INTR | EV_NMI | EV_SMI | EV_INIT | EV_SIPI);
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
	const struct engine *en = wanted(c);
	/* What failed may work with another memory map. */
	uint32_t back = atomic_exchange(&c->engine, en) != en ? EV_HOP : 0;
	for (unsigned n = 0; n < c->n; n++)
		post(&c->cpu[n], EV_TLB | back, 0);
}

void cpus_time_changed(struct cpus *c)
{
	for (unsigned n = 0; n < c->n; n++)
		post(&c->cpu[n], EV_TIME, 0);
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
