/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The vCPU threads. Each is a state machine (paused, running, halted) with a mailbox of event
 * bits; others post and kick, nobody else touches its state.
 */
#ifndef ACCEL_CPUS_H
#define ACCEL_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/engine.h"

struct cpu_bus;
struct cpu_model;
struct cpus;
struct engine_stats;
struct vcpu;

#define CPUS_MAX 64

/* Creates n vCPUs in the power-on state, threads started and paused. bus and model are borrowed.
 * 0 or -errno. */
int cpus_new(struct cpus **out, const struct engine *engine, const struct engine_config *config,
	     const struct cpu_model *model, const struct cpu_bus *bus, unsigned n);
/* Stops and joins the threads. */
void cpus_free(struct cpus *c);
unsigned cpus_count(const struct cpus *c);

/* cpus_pause() returns when every thread is at an instruction boundary outside guest code. Never
 * call it from a vCPU thread (a device callback): post to the main loop instead. */
void cpus_pause(struct cpus *c);
void cpus_resume(struct cpus *c);
/* Power-on reset of all vCPUs; only while paused. vCPU 0 is the BSP, others wait for SIPI. */
void cpus_reset(struct cpus *c);
/* INIT and SIPI that wait are taken; other events are part of the state anyway. Only while paused. */
void cpus_settle(struct cpus *c);
/* All events are forgotten, and no vCPU is held by a debugger, because another state is about to be loaded. Only
 * while paused. */
void cpus_drop_events(struct cpus *c);
/* Whether a state is one that vCPU `cpu` can be in: NULL, or the name of what cannot be. */
const char *cpus_check(const struct cpus *c, unsigned cpu, const struct vcpu *v);
/* Canonical state of one vCPU; only while paused. The pointer is valid until cpus_resume(); what
 * is written there is what the vCPU continues with. */
struct vcpu *cpus_state(struct cpus *c, unsigned cpu);

/* Where a paused vCPU was when the pause came, as far as its engine knows: RIP is that of the next instruction, which may
 * be in another function. */
uint64_t cpus_last_rip(struct cpus *c, unsigned cpu);

/* The engine's own, for who runs a paused vCPU himself: load(), run() and store() by turns. */
struct engine_cpu *cpus_engine(struct cpus *c, unsigned cpu);

/* Moves all vCPUs to another engine, running or paused; returns at once, and they follow at their next
 * instruction boundary. They go together, because a native engine changes memory unseen by the others. The
 * machine lock is not held; one thread at a time. 0 or -errno; -ENOTSUP where the engine cannot give what the model has. */
int cpus_set_engine(struct cpus *c, const struct engine *engine);
/* The first half: what may fail. */
int cpus_prepare(struct cpus *c, const struct engine *engine);
/* The engine that a vCPU is on now. Any thread. */
const struct engine *cpus_on(struct cpus *c, unsigned cpu);
/* How often an engine could not execute an instruction, and the interpreter did. Any thread. */
uint64_t cpus_hops(struct cpus *c, enum run_failure why);
/* Why that was, for people. */
extern const char *const cpus_hop_reasons[FAILURES];

/* Any thread. */
void cpus_set_intr(struct cpus *c, unsigned cpu, bool level);
void cpus_nmi(struct cpus *c, unsigned cpu);
void cpus_init_signal(struct cpus *c, unsigned cpu);
void cpus_sipi(struct cpus *c, unsigned cpu, uint8_t vector);
void cpus_smi(struct cpus *c, unsigned cpu);
/* The vCPU whose thread this is: what a device's callback was called by; or -1. */
int cpus_current(const struct cpus *c);
void cpus_flush_tlb(struct cpus *c);
/* Where time follows instructions: a timer was armed or cancelled. */
void cpus_time_changed(struct cpus *c);

/* The host's number of a vCPU's thread; 0 before it has begun. */
int cpus_tid(struct cpus *c, unsigned cpu);

/* Instructions retired by all vCPUs. */
uint64_t cpus_retired(struct cpus *c);
/* Adds the counters of all vCPUs; only while paused. */
void cpus_stats(struct cpus *c, struct engine_stats *sum);

#endif
