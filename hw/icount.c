/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Time from instructions. The names and meanings are those of QEMU's -icount.
 */
#include "hw/icount.h"

#include "hw/clock.h"

void icount_init(struct icount *ic, struct clock *clock, pthread_mutex_t *lock, unsigned shift,
		 bool sleep)
{
	*ic = (struct icount){.clock = clock, .lock = lock, .shift = shift, .sleep = sleep};
}

static uint64_t time_at(const struct icount *ic, uint64_t retired)
{
	return (retired << ic->shift) + ic->skipped;
}

void icount_loaded(struct icount *ic, uint64_t retired)
{
	ic->skipped = clock_now(ic->clock) - (retired << ic->shift);
}

void icount_sync(struct icount *ic, uint64_t retired)
{
	clock_set(ic->clock, time_at(ic, retired));
}

uint64_t icount_run(struct icount *ic, uint64_t retired)
{
	uint64_t now = time_at(ic, retired), next;

	pthread_mutex_lock(ic->lock);
	clock_set(ic->clock, now);
	next = clock_run(ic->clock);
	pthread_mutex_unlock(ic->lock);
	if (next == UINT64_MAX)
		return UINT64_MAX;
	/* A timer that is armed in the past fires after one more instruction. */
	if (next <= now)
		return retired + 1;
	return retired + ((next - now - 1) >> ic->shift) + 1;
}

uint64_t icount_idle(struct icount *ic, uint64_t retired, uint64_t slept)
{
	uint64_t now = time_at(ic, retired), next, wait;

	pthread_mutex_lock(ic->lock);
	clock_set(ic->clock, now);
	next = clock_next(ic->clock);
	wait = next > now ? next - now : 0;
	if (!ic->sleep)
		slept = next == UINT64_MAX ? 0 : wait;
	else if (slept > wait)
		slept = wait;
	ic->skipped += slept;
	clock_set(ic->clock, now + slept);
	if (slept == wait)
		clock_run(ic->clock);
	pthread_mutex_unlock(ic->lock);
	return next == UINT64_MAX ? UINT64_MAX : wait - slept;
}
