/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Local APIC timer: one-shot, periodic and TSC-deadline modes. SDM vol. 3A, 11.5.4.
 *
 * The count is a function of the machine clock; the TSC is derived from the same clock, so the
 * two never disagree.
 */
#include "hw/lapic_impl.h"

enum { ONE_SHOT, PERIODIC, TSC_DEADLINE };

static unsigned timer_mode(uint32_t lvt)
{
	return lvt >> 17 & 3;
}

/* log2 of the divider: 000 is 2, 111 is 1. */
static unsigned shift(const struct lapic *l)
{
	unsigned d = (l->divide & 3) | (l->divide >> 1 & 4);

	return (d + 1) & 7;
}

static uint64_t ticks_ns(const struct lapic *l, uint64_t ticks)
{
	return ticks << shift(l); /* at LAPIC_TIMER_HZ one input tick is one ns */
}
_Static_assert(LAPIC_TIMER_HZ == NSEC_PER_SEC, "ticks_ns() counts nanoseconds");

uint64_t lapic_bus_tsc(const struct lapic_bus *b)
{
	return muldiv64(clock_now(b->clock), b->cfg.tsc_hz, NSEC_PER_SEC) +
	       atomic_load(&b->tsc_ahead);
}

void lapic_bus_tsc_at_least(struct lapic_bus *b, uint64_t tsc)
{
	int64_t behind = (int64_t)(tsc - lapic_bus_tsc(b));

	if (behind > 0)
		atomic_fetch_add(&b->tsc_ahead, (uint64_t)behind);
}

uint32_t lapic_timer_current(const struct lapic *l)
{
	uint64_t d;

	if (!l->counting || !l->initial)
		return 0;
	d = (clock_now(l->bus->clock) - l->timer_start) >> shift(l);
	if (timer_mode(l->lvt[LVT_TIMER]) == PERIODIC)
		return l->initial - d % l->initial;
	return d < l->initial ? l->initial - d : 0;
}

void lapic_timer_stop(struct lapic *l)
{
	timer_cancel(&l->timer);
	l->counting = 0;
	l->deadline = 0;
}

static void expire_deadline(struct lapic *l)
{
	l->deadline = 0;
	lapic_local(l, LVT_TIMER);
}

/* When the timer for a deadline that is `left` TSC ticks away fires, ns; UINT64_MAX: never. */
static uint64_t deadline_ns(const struct lapic *l, uint64_t now, int64_t left)
{
	uint64_t target = now + (uint64_t)left - atomic_load(&l->bus->tsc_ahead);

	if (target / l->bus->cfg.tsc_hz >= UINT64_MAX / NSEC_PER_SEC / 2)
		return UINT64_MAX;
	return muldiv64(target, NSEC_PER_SEC, l->bus->cfg.tsc_hz) + 1;
}

static void arm_deadline(struct lapic *l)
{
	uint64_t now = lapic_bus_tsc(l->bus), guest = now + l->tsc_offset, at;

	timer_cancel(&l->timer);
	if (!l->deadline)
		return;
	if (l->deadline <= guest) {
		expire_deadline(l);
		return;
	}
	/* Nobody waits for longer than a century. */
	if (l->deadline - guest > UINT64_MAX / 4)
		return;
	at = deadline_ns(l, now, (int64_t)(l->deadline - guest));
	if (at != UINT64_MAX)
		timer_arm(&l->timer, at);
}

void lapic_timer_rearm(struct lapic *l)
{
	if (timer_mode(l->lvt[LVT_TIMER]) == TSC_DEADLINE) {
		arm_deadline(l);
		return;
	}
	if (!l->counting || !l->initial) {
		l->counting = 0;
		timer_cancel(&l->timer);
		return;
	}
	timer_arm(&l->timer, l->timer_start + ticks_ns(l, l->initial));
}

void lapic_timer_loaded(struct lapic *l)
{
	uint64_t now = lapic_bus_tsc(l->bus), late = now + l->tsc_offset - l->deadline, at;

	if (timer_mode(l->lvt[LVT_TIMER]) != TSC_DEADLINE || !l->deadline ||
	    late > UINT64_MAX / 4) {
		lapic_timer_rearm(l);
		return;
	}
	/* What was about to come when it was saved comes at its time among the other timers, not before. */
	at = late < now ? deadline_ns(l, now, -(int64_t)late) : 0;
	timer_arm(&l->timer, at != UINT64_MAX ? at : 0);
}

static void fire(void *opaque)
{
	struct lapic *l = opaque;
	uint64_t now = clock_now(l->bus->clock), period;

	switch (timer_mode(l->lvt[LVT_TIMER])) {
	case TSC_DEADLINE:
		if (lapic_bus_tsc(l->bus) + l->tsc_offset < l->deadline)
			arm_deadline(l);
		else if (l->deadline)
			expire_deadline(l);
		return;
	case PERIODIC:
		/* Periods that passed unseen are lost, as behind a masked LVT. */
		period = ticks_ns(l, l->initial);
		if (!period)
			return;
		l->timer_start += (now - l->timer_start) / period * period;
		timer_arm(&l->timer, l->timer_start + period);
		break;
	default:
		l->counting = 0;
		break;
	}
	lapic_local(l, LVT_TIMER);
}

void lapic_timer_set_initial(struct lapic *l, uint32_t val)
{
	if (timer_mode(l->lvt[LVT_TIMER]) == TSC_DEADLINE)
		return;
	l->initial = val;
	l->timer_start = clock_now(l->bus->clock);
	l->counting = val != 0;
	lapic_timer_rearm(l);
}

void lapic_timer_set_divide(struct lapic *l, uint32_t val)
{
	uint32_t current = lapic_timer_current(l);

	l->divide = val & 0xb;
	if (!l->counting)
		return;
	/* The count goes on from where it is at the new rate. */
	l->timer_start = clock_now(l->bus->clock) - ticks_ns(l, l->initial - current);
	lapic_timer_rearm(l);
}

void lapic_timer_set_mode(struct lapic *l, uint32_t val)
{
	unsigned from = timer_mode(l->lvt[LVT_TIMER]), to = timer_mode(val);

	if (from == to)
		return;
	if (from == TSC_DEADLINE || to == TSC_DEADLINE) {
		lapic_timer_stop(l);
		l->initial = 0;
		return;
	}
	if (from == PERIODIC && l->counting)
		l->timer_start =
		    clock_now(l->bus->clock) - ticks_ns(l, l->initial - lapic_timer_current(l));
}

uint64_t lapic_timer_deadline(const struct lapic *l)
{
	return timer_mode(l->lvt[LVT_TIMER]) == TSC_DEADLINE ? l->deadline : 0;
}

void lapic_timer_set_deadline(struct lapic *l, uint64_t val)
{
	if (timer_mode(l->lvt[LVT_TIMER]) != TSC_DEADLINE)
		return;
	l->deadline = val;
	arm_deadline(l);
}

void lapic_set_tsc_offset(struct lapic *l, uint64_t offset)
{
	if (l->tsc_offset == offset)
		return;
	l->tsc_offset = offset;
	if (timer_mode(l->lvt[LVT_TIMER]) == TSC_DEADLINE)
		arm_deadline(l);
}

void lapic_timer_init(struct lapic *l)
{
	timer_init(&l->timer, l->bus->clock, fire, l);
}
