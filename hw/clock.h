/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine clock. Guest time is nanoseconds since power-on, stops while the machine is paused,
 * and comes from CLOCK_MONOTONIC unless a test steps it or it follows instructions (hw/icount.h). Every chip (TSC, APIC timer, PIT, HPET,
 * RTC, ACPI PM) derives its time from here, so they agree.
 *
 * clock_now() may be called from any thread; timers need the machine lock, and their callbacks
 * run under it on the main loop's thread.
 */
#ifndef HW_CLOCK_H
#define HW_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NSEC_PER_SEC 1000000000ull

struct timer {
	struct clock *clock;
	uint64_t deadline; /* guest ns; valid while armed */
	void (*fire)(void *opaque);
	void *opaque;
	struct timer *next; /* sorted list of armed timers */
	bool armed;
};

struct clock {
	bool manual; /* moved by clock_step() and clock_set() only */
	_Atomic bool running;
	_Atomic uint64_t base;   /* guest ns while paused or manual */
	_Atomic uint64_t origin; /* host CLOCK_MONOTONIC ns at guest time 0, while running */
	struct timer *timers;
	void (*rearm)(void *opaque); /* called when the first deadline changed */
	void *opaque;
};

/* The host's CLOCK_MONOTONIC, ns: for measuring, not for guests. */
uint64_t clock_host_ns(void);

/* Starts running. */
void clock_init(struct clock *c, bool manual);
uint64_t clock_now(const struct clock *c);
void clock_pause(struct clock *c);
void clock_resume(struct clock *c);

void timer_init(struct timer *t, struct clock *c, void (*fire)(void *opaque), void *opaque);
/* Arms or moves; a deadline in the past fires at the next clock_run(). */
void timer_arm(struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct timer *t);

/* Fires all due timers. Returns the next deadline or UINT64_MAX. */
uint64_t clock_run(struct clock *c);
/* The deadline of the first timer or UINT64_MAX. */
uint64_t clock_next(const struct clock *c);
/* Manual clocks: advances by ns, firing timers in order at their own times. */
void clock_step(struct clock *c, uint64_t ns);
/* Manual clocks: it is `now`, not earlier than it was; fires nothing. Any thread, but one at a time. */
void clock_set(struct clock *c, uint64_t now);

/* While paused, or manual: the time of a saved state; deadlines move with it. */
void clock_load(struct clock *c, uint64_t now);

/* a * b / c without overflow of the product; c != 0. For tick conversions. */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
