/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The vCPU threads' state machine, on an engine that only counts: pause, resume, reset, signals,
 * wake-ups from a halt, and ends at awkward moments.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "cpu/bus.h"
#include "mmu/aspace.h"
#include "cpu/cpuid.h"
#include "cpu/vcpu.h"

/* Executes by adding 1 to RIP. It halts where activity says so, and an interrupt ends the halt. */
struct engine_cpu {
	struct vcpu v;
	_Atomic uint32_t *events;
	_Atomic bool inside; /* of run() */
	_Atomic uint64_t count, wakes, kicks;
	_Atomic bool halt, shut_down; /* to do at the next instruction */
	pthread_t thread;
	bool has_thread;
};

static struct engine_cpu *engine_cpu[CPUS_MAX];
static unsigned fail_at = CPUS_MAX;
static _Atomic unsigned alive;

static int fake_create(struct engine_cpu **out, const struct cpu_model *model,
		       const struct cpu_bus *bus, unsigned index, _Atomic uint32_t *events)
{
	(void)model;
	(void)bus;
	if (index == fail_at)
		return -ENOMEM;
	struct engine_cpu *e = aligned_alloc(64, (sizeof(*e) + 63) & ~63ul);
	cr_assert(e);
	memset(e, 0, sizeof(*e));
	e->events = events;
	*out = engine_cpu[index] = e;
	alive++;
	return 0;
}

static void fake_destroy(struct engine_cpu *e)
{
	cr_assert_not(e->inside);
	free(e);
	alive--;
}

static void fake_load(struct engine_cpu *e, const struct vcpu *state)
{
	e->v = *state;
}

static void fake_store(struct engine_cpu *e, struct vcpu *state)
{
	*state = e->v;
}

static enum run_exit run(struct engine_cpu *e)
{
	for (;;) {
		uint32_t ev = atomic_load(e->events);

		if (ev & (EV_STOP | EV_INIT | EV_SIPI))
			return RUN_STOPPED;
		if (e->v.activity == ACT_SHUTDOWN)
			return RUN_SHUTDOWN;
		if (e->v.activity == ACT_WAIT_SIPI)
			return RUN_HALTED;
		if (ev & EV_NMI)
			atomic_fetch_and(e->events, ~(uint32_t)EV_NMI);
		if (e->v.activity == ACT_HALTED) {
			if (!(ev & (EV_INTR | EV_NMI)))
				return RUN_HALTED;
			e->v.activity = ACT_RUNNING;
			e->wakes++;
		}
		e->v.rip++;
		e->count++;
		if (atomic_exchange(&e->shut_down, false))
			e->v.activity = ACT_SHUTDOWN;
		if (atomic_exchange(&e->halt, false))
			e->v.activity = ACT_HALTED;
		sched_yield();
	}
}

static enum run_exit fake_run(struct engine_cpu *e, uint64_t max_insns)
{
	enum run_exit why;

	(void)max_insns;
	cr_assert_not(atomic_exchange(&e->inside, true), "one thread at a time");
	cr_assert(!e->has_thread || pthread_equal(e->thread, pthread_self()), "always the same");
	e->thread = pthread_self();
	e->has_thread = true;
	why = run(e);
	atomic_store(&e->inside, false);
	return why;
}

static void fake_kick(struct engine_cpu *e)
{
	e->kicks++;
}

static uint64_t fake_retired(struct engine_cpu *e)
{
	return e->count;
}

static const struct engine fake = {
    .name = "fake",
    .create = fake_create,
    .destroy = fake_destroy,
    .load = fake_load,
    .store = fake_store,
    .run = fake_run,
    .kick = fake_kick,
    .retired = fake_retired,
};

static struct cpu_model model;
static struct aspace mem; /* nothing in it */
static struct cpu_bus bus = {.mem = &mem};
static struct cpus *cpus;
static _Atomic unsigned shutdowns;

static void on_shutdown(void *opaque, unsigned cpu)
{
	(void)opaque;
	(void)cpu;
	shutdowns++;
}

static void start(unsigned n)
{
	bus.shutdown = on_shutdown;
	cr_assert_eq(cpus_new(&cpus, &fake, &(struct engine_config){0}, &model, &bus, n), 0);
}

static void teardown(void)
{
	cpus_free(cpus);
	cr_assert_eq(alive, 0u);
}

TestSuite(cpus, .fini = teardown, .timeout = 60);

/* Waits, for a loaded machine long enough. */
#define EVENTUALLY(cond)                                                                           \
	do {                                                                                       \
		for (unsigned n_ = 0; n_ < 20000 && !(cond); n_++)                                 \
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                   \
		cr_assert(cond);                                                                   \
	} while (0)

static void pass_time(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

Test(cpus, numbers)
{
	cr_expect_eq(cpus_new(&cpus, &fake, &(struct engine_config){0}, &model, &bus, 0), -EINVAL);
	cr_expect_eq(cpus_new(&cpus, &fake, &(struct engine_config){0}, &model, &bus, CPUS_MAX + 1),
		     -EINVAL);
	cr_expect_null(cpus);
	start(CPUS_MAX);
	cr_expect_eq(cpus_count(cpus), (unsigned)CPUS_MAX);
}

Test(cpus, a_failure_unwinds)
{
	fail_at = 3;
	cr_expect_eq(cpus_new(&cpus, &fake, &(struct engine_config){0}, &model, &bus, 5), -ENOMEM);
	cr_expect_eq(alive, 0u);
	cr_expect_null(cpus);
}

Test(cpus, start_paused_at_power_on)
{
	start(3);
	pass_time();
	for (unsigned n = 0; n < 3; n++) {
		cr_expect_eq(cpus_state(cpus, n)->rip, 0xfff0u);
		cr_expect_eq(cpus_state(cpus, n)->activity, n ? ACT_WAIT_SIPI : ACT_RUNNING);
		cr_expect_eq(engine_cpu[n]->count, 0u);
	}
	cpus_resume(cpus);
	EVENTUALLY(engine_cpu[0]->count > 10);
	cr_expect_eq(engine_cpu[1]->count, 0u);
	cr_expect_gt(cpus_retired(cpus), 10u);
}

Test(cpus, pause_is_at_a_boundary_and_state_is_ours)
{
	start(2);
	for (unsigned n = 0; n < 200; n++) {
		uint64_t count;

		cpus_resume(cpus);
		if (n & 1)
			pass_time();
		cpus_pause(cpus);
		cr_assert_not(engine_cpu[0]->inside);
		cr_assert_not(engine_cpu[1]->inside);
		count = engine_cpu[0]->count;
		cr_assert_eq(cpus_state(cpus, 0)->rip, 0xfff0 + count);
		cpus_state(cpus, 0)->gpr[RBX] = n;
		cpus_pause(cpus); /* again */
		cr_assert_eq(engine_cpu[0]->count, count);
		cr_assert_eq(cpus_state(cpus, 0)->gpr[RBX], n);
	}
	cpus_state(cpus, 0)->rip = 1ull << 40;
	cpus_resume(cpus);
	cpus_resume(cpus);
	uint64_t before = cpus_retired(cpus);
	EVENTUALLY(cpus_retired(cpus) > before + 10);
	cpus_pause(cpus);
	cr_expect_gt(cpus_state(cpus, 0)->rip, 1ull << 40);
	cr_expect_eq(cpus_state(cpus, 0)->gpr[RBX], 199u);
}

Test(cpus, init_and_sipi)
{
	start(2);
	cpus_resume(cpus);
	cpus_nmi(cpus, 1);
	cpus_set_intr(cpus, 1, true);
	pass_time();
	cr_expect_eq(engine_cpu[1]->count, 0u, "only SIPI starts it");
	cpus_set_intr(cpus, 1, false);
	cpus_init_signal(cpus, 1);
	cpus_sipi(cpus, 1, 0x9a);
	EVENTUALLY(engine_cpu[1]->count > 0);
	cpus_sipi(cpus, 1, 0x10); /* the second one of the protocol: no effect */
	EVENTUALLY(!(atomic_load(engine_cpu[1]->events) & EV_SIPI));
	cpus_pause(cpus);
	struct vcpu *v = cpus_state(cpus, 1);
	cr_expect_eq(v->seg[CS].sel, 0x9a00);
	cr_expect_eq(v->seg[CS].base, 0x9a000u);
	cr_expect_eq(v->rip, engine_cpu[1]->count);
	cpus_resume(cpus);
	cpus_init_signal(cpus, 1);
	EVENTUALLY(!(atomic_load(engine_cpu[1]->events) & EV_INIT));
	cpus_pause(cpus);
	cr_expect_eq(v->activity, ACT_WAIT_SIPI);
	cr_expect_eq(v->rip, 0xfff0u);
	cpus_resume(cpus);
	/* INIT to the boot processor restarts it. */
	cpus_init_signal(cpus, 0);
	EVENTUALLY(!(atomic_load(engine_cpu[0]->events) & EV_INIT));
	cpus_pause(cpus);
	cr_expect_eq(cpus_state(cpus, 0)->activity, ACT_RUNNING);
}

Test(cpus, reset_forgets_what_was_posted)
{
	start(2);
	cpus_resume(cpus);
	cpus_sipi(cpus, 1, 1);
	EVENTUALLY(engine_cpu[1]->count > 0);
	cpus_pause(cpus);
	cpus_set_intr(cpus, 0, true);
	cpus_nmi(cpus, 1);
	cpus_sipi(cpus, 1, 2);
	cpus_init_signal(cpus, 1);
	cpus_reset(cpus);
	for (unsigned n = 0; n < 2; n++) {
		const uint32_t posted = EV_INTR | EV_NMI | EV_SMI | EV_INIT | EV_SIPI;

		cr_expect_eq(atomic_load(engine_cpu[n]->events) & posted, 0u);
		cr_expect_eq(cpus_state(cpus, n)->rip, 0xfff0u);
	}
	cpus_resume(cpus);
	pass_time();
	cpus_pause(cpus);
	cr_expect_eq(cpus_state(cpus, 1)->activity, ACT_WAIT_SIPI);
}

Test(cpus, a_halt_ends_by_an_interrupt)
{
	start(1);
	struct engine_cpu *e = engine_cpu[0];

	cpus_resume(cpus);
	for (unsigned n = 0; n < 500; n++) {
		uint64_t wakes = e->wakes;

		atomic_store(&e->halt, true);
		if (n % 3 == 0) { /* else the interrupt races with falling asleep */
			EVENTUALLY(!atomic_load(&e->halt) && !atomic_load(&e->inside));
		} else {
			while (atomic_load(&e->halt))
				sched_yield();
		}
		if (n & 1)
			cpus_nmi(cpus, 0);
		else
			cpus_set_intr(cpus, 0, true);
		EVENTUALLY(e->wakes == wakes + 1);
		cpus_set_intr(cpus, 0, false);
	}
}

Test(cpus, a_halted_one_sleeps)
{
	start(1);
	struct engine_cpu *e = engine_cpu[0];
	clockid_t clock;
	struct timespec t0, t1;

	cpus_resume(cpus);
	atomic_store(&e->halt, true);
	EVENTUALLY(!atomic_load(&e->halt) && !atomic_load(&e->inside));
	uint64_t count = e->count;
	cr_assert_eq(pthread_getcpuclockid(e->thread, &clock), 0);
	clock_gettime(clock, &t0);
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	clock_gettime(clock, &t1);
	cr_expect_lt((t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec - t0.tv_nsec, 20000000);
	cr_expect_eq(e->count, count);
	cpus_pause(cpus);
	cr_expect_eq(cpus_state(cpus, 0)->activity, ACT_HALTED);
	cpus_resume(cpus);
	pass_time();
	cr_expect_eq(e->count, count, "a pause does not end a halt");
}

Test(cpus, shutdown_is_reported)
{
	start(1);
	cpus_resume(cpus);
	atomic_store(&engine_cpu[0]->shut_down, true);
	EVENTUALLY(shutdowns > 0);
	pass_time();
	cr_expect_eq(shutdowns, 1u);
	cpus_pause(cpus);
	cpus_reset(cpus);
	cpus_resume(cpus);
	uint64_t count = engine_cpu[0]->count;
	EVENTUALLY(engine_cpu[0]->count > count);
}

Test(cpus, flush_reaches_all)
{
	start(2);
	cpus_flush_tlb(cpus);
	for (unsigned n = 0; n < 2; n++)
		cr_expect(atomic_load(engine_cpu[n]->events) & EV_TLB);
	cr_expect_gt(engine_cpu[1]->kicks, 0u);
}

/* Others post as they like while the main thread pauses, resets and resumes. */
static _Atomic bool stop_posting;

static void *poster(void *opaque)
{
	unsigned seed = (unsigned)(uintptr_t)opaque;

	while (!atomic_load(&stop_posting)) {
		unsigned cpu = rand_r(&seed) % 3, what = rand_r(&seed) % 8;

		if (what == 0)
			cpus_nmi(cpus, cpu);
		else if (what == 1)
			cpus_init_signal(cpus, cpu);
		else if (what < 4)
			cpus_sipi(cpus, cpu, (uint8_t)seed);
		else if (what == 4)
			cpus_flush_tlb(cpus);
		else
			cpus_set_intr(cpus, cpu, what & 1);
		if (rand_r(&seed) % 4 == 0)
			atomic_store(&engine_cpu[cpu]->halt, true);
	}
	return NULL;
}

Test(cpus, everything_at_once)
{
	pthread_t t[2];

	start(3);
	for (uintptr_t n = 0; n < 2; n++)
		cr_assert_eq(pthread_create(&t[n], NULL, poster, (void *)(n + 1)), 0);
	for (unsigned n = 0; n < 300; n++) {
		cpus_resume(cpus);
		if (n % 8 == 0)
			pass_time();
		cpus_pause(cpus);
		for (unsigned k = 0; k < 3; k++) {
			cr_assert_not(engine_cpu[k]->inside);
			cpus_state(cpus, k)->gpr[RAX]++;
		}
		if (n % 16 == 0)
			cpus_reset(cpus);
	}
	atomic_store(&stop_posting, true);
	for (unsigned n = 0; n < 2; n++)
		pthread_join(t[n], NULL);
	cpus_reset(cpus);
	uint64_t count = engine_cpu[0]->count;
	atomic_store(&engine_cpu[0]->halt, false);
	cpus_resume(cpus);
	EVENTUALLY(engine_cpu[0]->count > count);
}

Test(cpus, freed_while_running_halted_or_waiting)
{
	for (unsigned n = 0; n < 50; n++) {
		start(3);
		if (n % 5)
			cpus_resume(cpus);
		if (n % 2)
			cpus_sipi(cpus, 1, 1);
		if (n % 3 == 0)
			atomic_store(&engine_cpu[0]->halt, true);
		if (n % 7 == 0)
			pass_time();
		cpus_free(cpus);
		cr_assert_eq(alive, 0u);
	}
	cpus = NULL;
}
