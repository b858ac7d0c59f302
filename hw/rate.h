/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A limit on how much goes through in a time: what was spent is paid back at a steady rate, and nothing more
 * goes through while there is a debt beyond the burst.
 */
#ifndef HW_RATE_H
#define HW_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"

struct rate {
	uint64_t per_second; /* units; 0: no limit */
	uint64_t burst;      /* units that may go through at once */
	uint64_t debt;       /* units at time `at` */
	uint64_t at;         /* ns */
	uint64_t rest;       /* of the last division, in units times ns */
};

/* Bursts are what goes through in a tenth of a second. */
static inline void rate_init(struct rate *r, uint64_t per_second)
{
	*r = (struct rate){.per_second = per_second, .burst = per_second / 10};
}

/* Nanoseconds to wait until something may go through; 0: now. */
static inline uint64_t rate_wait(struct rate *r, uint64_t now)
{
	const uint64_t most = UINT64_MAX / 4; /* a deadline that can be added to */
	unsigned __int128 paid, wait;

	if (!r->per_second)
		return 0;
	if (now > r->at) {
		paid = (unsigned __int128)(now - r->at) * r->per_second + r->rest;
		r->rest = (uint64_t)(paid % NSEC_PER_SEC);
		paid /= NSEC_PER_SEC;
		r->debt -= paid < r->debt ? (uint64_t)paid : r->debt;
	}
	r->at = now;
	if (r->debt <= r->burst)
		return 0;
	wait = (unsigned __int128)(r->debt - r->burst) * NSEC_PER_SEC / r->per_second + 1;
	return wait < most ? (uint64_t)wait : most;
}

static inline void rate_spend(struct rate *r, uint64_t units)
{
	if (r->per_second)
		r->debt += units;
}

#endif
