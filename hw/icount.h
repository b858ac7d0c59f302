/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Deterministic time: the machine clock as a function of the instructions that the one vCPU has
 * retired, 2^shift ns each, plus what was skipped while it was halted. Nothing depends on the host
 * then but input from outside, and timers fire between the same two instructions in every run.
 */
#ifndef HW_ICOUNT_H
#define HW_ICOUNT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ICOUNT_MAX_SHIFT 10
#define ICOUNT_TSC_HZ    1000000000ull /* the same on every host */

struct clock;

struct icount {
	struct clock *clock; /* manual */
	pthread_mutex_t *lock;
	unsigned shift;
	bool sleep;       /* a halted vCPU waits as long as the host's time takes */
	uint64_t skipped; /* ns */
};

/* lock: the machine lock, borrowed; the functions below take it. They are called on the vCPU's thread, with
 * the number of instructions retired so far. */
void icount_init(struct icount *ic, struct clock *clock, pthread_mutex_t *lock, unsigned shift,
		 bool sleep);
/* After the clock was set by a saved state: goes on from there. */
void icount_loaded(struct icount *ic, uint64_t retired);
/* Sets the clock, which fires nothing. */
void icount_sync(struct icount *ic, uint64_t retired);
/* Fires what is due; returns the count at which the next timer is, UINT64_MAX without one. */
uint64_t icount_run(struct icount *ic, uint64_t retired);
/* The vCPU is halted and has slept for so many host ns: skips them, but not beyond the next timer, and
 * fires that if it is due. Returns for how long it may sleep now; UINT64_MAX without a timer. */
uint64_t icount_idle(struct icount *ic, uint64_t retired, uint64_t slept);

#endif
