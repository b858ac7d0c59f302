/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the vCPU threads: what cpus*.c share.
 */
#ifndef ACCEL_CPUS_IMPL_H
#define ACCEL_CPUS_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "accel/cpus.h"
#include "accel/debug.h"
#include "accel/engine.h"
#include "cpu/bus.h"
#include "cpu/vcpu.h"

#define MAX_UNITS 4

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
	bool want_pause, paused, quit;
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

/* Changes what waits for t, and sees to it that t looks. Any thread, no lock held. */
void cpus_post(struct cpu_thread *t, uint32_t set, uint32_t clear);

/* cpus_thread.c: the thread of a struct cpu_thread. */
void *cpus_thread(void *arg);
/* INIT and SIPI, in t->state: by the thread, or while that is paused. */
void cpus_signal_state(struct cpu_thread *t, uint32_t ev);

/* cpus_hop.c */
/* What the vCPUs share on this engine; NULL where that is nothing. 0 or -errno. */
int cpus_vm(struct cpus *c, const struct engine *en, struct engine_vm **out);
/* t can run on en, too. 0 or -errno. */
int cpus_add_unit(struct cpu_thread *t, const struct engine *en, struct engine_vm *vm);
/* t on that engine, or NULL. */
struct unit *cpus_unit(struct cpu_thread *t, const struct engine *en);
/* Moves to the engine that is asked for. */
void cpus_follow(struct cpu_thread *t);
/* Waits until no engine of the other kind runs; false when there is something else to do first. */
bool cpus_enter(struct cpu_thread *t, struct unit *u);
void cpus_leave(struct cpu_thread *t, const struct unit *u);
/* The interpreter executes what the engine cannot: one instruction, or all of system management mode. */
enum run_exit cpus_hop(struct cpu_thread *t, const struct unit *u);
/* That has happened, since `begin` (host_ns()): too often, and all vCPUs go on elsewhere. */
void cpus_count_hop(struct cpu_thread *t, const struct engine *failed, enum run_failure why,
		    uint64_t begin);
/* The best engine that has no limits. */
const struct engine *cpus_fallback(void);
/* Where all vCPUs should be, as long as it does not fail. */
const struct engine *cpus_wanted(struct cpus *c);
/* All vCPUs are to go on there, where they have been prepared for. Any thread, no lock held. */
void cpus_move_all(struct cpus *c, const struct engine *en);

/* cpus_pages.c: what they do to pages is told to mmu/dirty.h from now on. 0 or -ENOMEM. */
int cpus_follow_pages(struct cpus *c);
void cpus_unfollow_pages(struct cpus *c);

#endif
