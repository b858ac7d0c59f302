/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What happens when an engine cannot go on: an engine that fails on request, over guest code of NOPs. The
 * interpreter executes one instruction for each failure; too many, and the machine goes on elsewhere until
 * there is a reason to come back.
 */
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "synth.h"

struct engine_cpu {
	struct vcpu v;
	_Atomic uint32_t *events;
};

static struct {
	struct synth *s;
	struct cpus *cpus;
	_Atomic unsigned failures; /* to come */
	_Atomic enum run_failure why;
	_Atomic unsigned load_us; /* that a load takes */
} t;

static void sleep_us(unsigned us)
{
	if (us)
		nanosleep(&(struct timespec){.tv_nsec = us * 1000l}, NULL);
}

static int picky_create(struct engine_cpu **out, const struct cpu_model *model,
			const struct cpu_bus *bus, unsigned index, _Atomic uint32_t *events)
{
	struct engine_cpu *e = aligned_alloc(64, (sizeof(*e) + 63) & ~63ul);

	(void)model;
	(void)bus;
	(void)index;
	memset(e, 0, sizeof(*e));
	e->events = events;
	*out = e;
	return 0;
}

static void picky_destroy(struct engine_cpu *e)
{
	free(e);
}

static void picky_load(struct engine_cpu *e, const struct vcpu *v)
{
	sleep_us(t.load_us);
	e->v = *v;
}

static void picky_store(struct engine_cpu *e, struct vcpu *v)
{
	*v = e->v;
}

static enum run_exit picky_run(struct engine_cpu *e, uint64_t max)
{
	(void)max;
	while (!(atomic_load(e->events) & (EV_STOP | EV_HOP))) {
		if (!atomic_load(&t.failures)) {
			sched_yield();
			continue;
		}
		atomic_fetch_sub(&t.failures, 1);
		return RUN_FAILED;
	}
	return RUN_STOPPED;
}

static void picky_kick(struct engine_cpu *e)
{
	(void)e;
}

static uint64_t picky_retired(struct engine_cpu *e)
{
	(void)e;
	return 0;
}

static enum run_failure picky_failure(struct engine_cpu *e)
{
	(void)e;
	return t.why;
}

static const struct engine picky = {
    .name = "picky",
    .native = true,
    .create = picky_create,
    .destroy = picky_destroy,
    .load = picky_load,
    .store = picky_store,
    .run = picky_run,
    .kick = picky_kick,
    .retired = picky_retired,
    .failure = picky_failure,
};

static const struct engine *elsewhere(void)
{
	return engine_jit.unusable() ? &engine_interp : &engine_jit;
}

/* NOPs up to a jump back. */
static void start(void)
{
	t.s = synth_new("max");
	enter_long(t.s, 0);
	memset(t.s->ram.host + TEXT, 0x90, 0x1000);
	memcpy(t.s->ram.host + TEXT + 0x1000, "\xe9\xfb\xef\xff\xff", 5);
	cr_assert_eq(
	    cpus_new(&t.cpus, &picky, &(struct engine_config){0}, &t.s->model, &t.s->bus, 1), 0);
	*cpus_state(t.cpus, 0) = t.s->c.v;
	cpus_resume(t.cpus);
}

static void stop(void)
{
	cpus_free(t.cpus);
	synth_free(t.s);
}

TestSuite(fallback, .init = start, .fini = stop, .timeout = 60);

#define EVENTUALLY(cond)                                                                           \
	do {                                                                                       \
		for (unsigned n_ = 0; n_ < 20000 && !(cond); n_++)                                 \
			sleep_us(1000);                                                            \
		cr_assert(cond);                                                                   \
	} while (0)

static void fail(enum run_failure why, unsigned times)
{
	uint64_t before = cpus_hops(t.cpus, why);

	atomic_store(&t.why, why);
	atomic_store(&t.failures, times);
	EVENTUALLY(cpus_hops(t.cpus, why) >= before + times || cpus_on(t.cpus, 0) != &picky);
}

static void moved(void)
{
	EVENTUALLY(cpus_on(t.cpus, 0) == elsewhere());
	atomic_store(&t.failures, 0);
}

Test(fallback, each_reason_is_counted_by_itself)
{
	fail(FAIL_EMULATION, 5);
	fail(FAIL_MSR, 3);
	fail(FAIL_ENTRY, 1);
	cpus_pause(t.cpus);
	cr_expect_eq(cpus_hops(t.cpus, FAIL_EMULATION), 5u);
	cr_expect_eq(cpus_hops(t.cpus, FAIL_MSR), 3u);
	cr_expect_eq(cpus_hops(t.cpus, FAIL_ENTRY), 1u);
	cr_expect_eq(cpus_state(t.cpus, 0)->rip, TEXT + 9u, "one instruction each");
	cr_expect_eq(cpus_on(t.cpus, 0), &picky);
}

Test(fallback, many_in_a_short_time)
{
	atomic_store(&t.why, FAIL_EMULATION);
	atomic_store(&t.failures, 1000000);
	moved();
	cr_expect_leq(cpus_hops(t.cpus, FAIL_EMULATION), 2000u);
}

Test(fallback, many_for_different_reasons)
{
	for (unsigned n = 0; n < 4; n++) {
		fail(FAIL_EMULATION, 200);
		fail(FAIL_MSR, 200);
	}
	/* None came to a thousand; on a slow host they may have taken most of the time. */
	if (cpus_on(t.cpus, 0) == &picky)
		cr_expect_eq(cpus_hops(t.cpus, FAIL_MSR), 800u);
}

Test(fallback, many_in_a_long_time)
{
	for (unsigned n = 0; n < 3; n++) {
		fail(FAIL_EMULATION, 500);
		sleep_us(250000);
	}
	cr_expect_eq(cpus_on(t.cpus, 0), &picky);
	cr_expect_eq(cpus_hops(t.cpus, FAIL_EMULATION), 1500u);
}

Test(fallback, few_that_take_most_of_the_time)
{
	t.load_us = 3000;
	atomic_store(&t.why, FAIL_MSR);
	atomic_store(&t.failures, 1000000);
	moved();
	cr_expect_lt(cpus_hops(t.cpus, FAIL_MSR), 1000u);
}

Test(fallback, a_memory_map_that_cannot_be_had)
{
	fail(FAIL_MEMORY, 1);
	moved();
	cr_expect_eq(cpus_hops(t.cpus, FAIL_MEMORY), 1u);
	cpus_flush_tlb(t.cpus); /* it has changed */
	EVENTUALLY(cpus_on(t.cpus, 0) == &picky);
}

Test(fallback, a_reset_brings_it_back)
{
	fail(FAIL_MEMORY, 1);
	moved();
	cpus_pause(t.cpus);
	cpus_reset(t.cpus);
	*cpus_state(t.cpus, 0) = t.s->c.v;
	cpus_resume(t.cpus);
	EVENTUALLY(cpus_on(t.cpus, 0) == &picky);
	fail(FAIL_EMULATION, 5);
	cr_expect_eq(cpus_hops(t.cpus, FAIL_EMULATION), 5u);
}

Test(fallback, so_does_the_user)
{
	fail(FAIL_MEMORY, 1);
	moved();
	cr_assert_eq(cpus_set_engine(t.cpus, &picky), 0);
	EVENTUALLY(cpus_on(t.cpus, 0) == &picky);
	fail(FAIL_MEMORY, 1);
	moved();
}

/* Failures that come while the user moves the machine do not move it again. */
Test(fallback, the_user_has_the_last_word)
{
	for (unsigned n = 0; n < 200; n++) {
		cr_assert_eq(cpus_set_engine(t.cpus, &picky), 0);
		EVENTUALLY(cpus_on(t.cpus, 0) == &picky);
		t.load_us = n % 20;
		atomic_store(&t.why, FAIL_MEMORY);
		atomic_store(&t.failures, 1);
		if (n % 3)
			sched_yield();
		cr_assert_eq(cpus_set_engine(t.cpus, &engine_interp), 0);
		EVENTUALLY(cpus_on(t.cpus, 0) == &engine_interp);
		sleep_us(100);
		cr_assert_eq(cpus_on(t.cpus, 0), &engine_interp);
		atomic_store(&t.failures, 0);
	}
}
