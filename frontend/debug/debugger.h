/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Debugging a guest: what stops it, who is told, and what it looks like when it has stopped. The monitor, gdb's
 * stub and QMP all work through this, so that each sees what the others do.
 *
 * Everything here is for the main thread with the machine lock held, but for conditions of points; what may let go
 * of the lock for a while says so.
 */
#ifndef FRONTEND_DEBUG_DEBUGGER_H
#define FRONTEND_DEBUG_DEBUGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/watch.h"
#include "hw/machine.h"

struct pc;
struct vcpu;

#define DEBUG_ALL_CPUS (-1)

enum stop_why {
	STOP_USER,  /* somebody asked for it */
	STOP_POINT, /* a breakpoint or watchpoint */
	STOP_STEP,  /* one instruction was asked for */
	STOP_GUEST, /* its shutdown or panic, with no_shutdown; `end` says which */
};

struct debug_stop {
	enum stop_why why;
	unsigned cpu; /* where it happened; 0 where that is nowhere */
	enum machine_end end;
	int id;            /* of the point, also of one that is no more */
	const void *owner; /* of the point */
	struct watch_hit hit;
};

struct debug_point {
	struct watch_point at;
	int cpu; /* or DEBUG_ALL_CPUS */
	bool enabled;
	bool temporary;  /* removed by the stop that it causes */
	uint64_t ignore; /* so many hits are still let pass */
	/* Whether a hit that is not ignored stops the guest; NULL: always. Called on the vCPU's thread, machine lock
	 * held; only that vCPU's state and guest memory may be looked at. */
	bool (*condition)(void *opaque, unsigned cpu, const struct watch_hit *hit);
	/* Called on the main thread, stopped, instead of telling anybody; then the guest goes on. Points may be changed there.
	 * NULL: it is a stop. */
	void (*act)(void *opaque);
	void *opaque;
	const void *owner; /* whose it is: for debug_remove_all(), and to know one's own stops */
	/* Kept by the debugger. */
	int id;
	uint64_t hits; /* that stopped it or were ignored */
};

/* Who is told. */
struct debug_listener {
	void (*stopped)(void *opaque, const struct debug_stop *stop);
	void (*resumed)(void *opaque);
	void *opaque;
	struct debug_listener *next;
};

struct debugger;

/* For a machine that is not running yet. 0 or -errno. */
int debugger_new(struct debugger **out, struct pc *pc);
/* After the machine has ended. */
void debugger_free(struct debugger *d);
struct pc *debugger_pc(struct debugger *d);

/* The listener is borrowed until debug_unlisten(); it may stop or continue the guest. */
void debug_listen(struct debugger *d, struct debug_listener *l);
void debug_unlisten(struct debugger *d, struct debug_listener *l);

/* Stops the guest, unless it is, and says so to all listeners; lets go of the lock. */
void debug_stop(struct debugger *d);
/* Lets it go on. What another vCPU has come to meanwhile stops it again at once. */
void debug_cont(struct debugger *d);
/* The same for the vCPUs whose bits are set only: the others stay where they are until the next time. */
void debug_cont_some(struct debugger *d, uint64_t cpus);
bool debug_stopped(const struct debugger *d);
/* What stopped it last; NULL before the first time. */
const struct debug_stop *debug_last_stop(const struct debugger *d);
/* One instruction of a vCPU, while the guest is stopped; lets go of the lock. Listeners are not told. 0,
 * -EBUSY: it runs, or what cpus_step() says. */
int debug_step(struct debugger *d, unsigned cpu, struct debug_stop *out);

/* For a look at the vCPUs' state: stopped, without telling anybody. Lets go of the lock; so does setting points.
 * What it returns is for debug_release(). */
bool debug_hold(struct debugger *d);
void debug_release(struct debugger *d, bool was_running);
/* While it is stopped or held, or in a condition. */
struct vcpu *debug_cpu(struct debugger *d, unsigned cpu);

/* Copies the spec. Its id, or -errno as cpus_watch(). */
int debug_add(struct debugger *d, const struct debug_point *spec);
/* 0, or -ENOENT. */
int debug_remove(struct debugger *d, int id);
void debug_remove_all(struct debugger *d, const void *owner);
/* 0, or -errno as cpus_watch(). */
int debug_enable(struct debugger *d, int id, bool on);
/* The one with the least id that is above `after`; NULL: none. Fields but `at` and `enabled` may be changed. */
struct debug_point *debug_next(struct debugger *d, int after);
struct debug_point *debug_find(struct debugger *d, int id);

#endif
