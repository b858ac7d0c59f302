/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The main loop: file descriptors and timers, on one thread, callbacks under the machine lock.
 */
#ifndef HW_LOOP_H
#define HW_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock;
struct loop;

enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_HUP = 4 };
typedef void loop_fn(void *opaque, int fd, unsigned events);

/* lock: the machine lock, borrowed. NULL and errno on failure. */
struct loop *loop_new(struct clock *clock, pthread_mutex_t *lock);
void loop_free(struct loop *l);
/* Watches fd (borrowed). events 0 removes. 0 or -errno. Machine lock held. */
int loop_watch(struct loop *l, int fd, unsigned events, loop_fn *fn, void *opaque);
/* Work for the loop's thread: once, soon, under the machine lock, however often it was asked for
 * meanwhile. So what a device has to do for a long time does not hold up the vCPU that started it. */
struct loop_job {
	void (*run)(void *opaque);
	void *opaque;
	struct loop_job *next;
	bool queued;
};
/* The job is borrowed until it runs or is cancelled. Machine lock held. */
void loop_defer(struct loop *l, struct loop_job *job);
void loop_cancel(struct loop *l, struct loop_job *job);
/* Runs until loop_quit(). */
void loop_run(struct loop *l);
/* Any thread, also a signal handler. */
void loop_quit(struct loop *l);
void loop_wake(struct loop *l);

#endif
