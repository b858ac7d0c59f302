/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Debugging a machine from outside, under every engine: breakpoints and watchpoints by linear or physical address, traces, and
 * single steps. Nothing of it is in the guest: no byte of its memory changes, and its debug registers and
 * trap flag stay its own.
 *
 * The software engines do it all. While there is something to wait for, a machine that the user wants on an
 * engine that cannot (KVM) runs on one that can, and goes back afterwards; a step is a hop for one
 * instruction.
 *
 * Not seen: accesses of devices (DMA), of page walks, and instruction fetches. Each instruction reports its first
 * access that is waited for, after it has been executed, or at the handler of its exception.
 */
#ifndef ACCEL_DEBUG_H
#define ACCEL_DEBUG_H

#include "cpu/watch.h"

struct cpus;

/* Replaces what is waited for; copied, nr 0 for nothing. Only while paused. 0; -EINVAL or -ENOMEM as watch_new(),
 * or what cpus_prepare() says; then nothing has changed. */
int cpus_watch(struct cpus *c, const struct watch_point *points, unsigned nr);
/* The same for what is told of as it happens; NULL for nothing. trace->fn is called on the vCPU's thread with no lock
 * held. While instructions or branches are traced they are executed one by one. */
int cpus_trace(struct cpus *c, const struct watch_trace *trace);

/* Who is told that a vCPU has come to something that is waited for; before the first cpus_watch(). It is called on
 * that vCPU's thread, with its state in cpus_state(). Where it returns true, the vCPU stays there by itself, also
 * after a cpus_resume(), until cpus_release(): the callee asks its main loop to pause the others. An
 * instruction is reported before it is executed, and not again at once when the vCPU goes on from there. */
void cpus_on_hit(struct cpus *c,
		 bool (*fn)(void *opaque, unsigned cpu, const struct watch_hit *hit), void *opaque);
/* Keeps one that is paused there, likewise. */
void cpus_hold(struct cpus *c, unsigned cpu);
/* It may go on with the others: before cpus_resume(), lest that be of what it comes to next. Any thread. */
void cpus_release(struct cpus *c, unsigned cpu);

/* Executes one instruction of a vCPU, or the delivery of its exception, while all are paused. No interrupt or NMI
 * comes before it. hit->valid: an access of it is waited for. 0, -EAGAIN when the vCPU is halted, waits for
 * SIPI or is shut down, or what cpus_prepare() says. */
int cpus_step(struct cpus *c, unsigned cpu, struct watch_hit *hit);

#endif
