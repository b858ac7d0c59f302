/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How much of a disk's reads and writes goes through in a time: bytes and requests per second, for reads,
 * writes and both, with bursts. The meaning of each number is that of QEMU's throttling.* options. Times are
 * those of the machine clock, in ns.
 */
#ifndef HW_BLOCK_LIMITS_H
#define HW_BLOCK_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/rate.h"

enum limit_kind {
	LIMIT_BPS_TOTAL,
	LIMIT_BPS_READ,
	LIMIT_BPS_WRITE,
	LIMIT_IOPS_TOTAL,
	LIMIT_IOPS_READ,
	LIMIT_IOPS_WRITE,
	NR_LIMITS
};

/* What the user says. */
struct limit {
	uint64_t avg; /* per second; 0: no limit */
	uint64_t
	    max; /* per second during a burst; 0: a burst is what goes through in a tenth of a second */
	uint64_t length; /* of a burst, in seconds; 0 is 1 */
};

struct limit_config {
	struct limit limit[NR_LIMITS];
	uint64_t
	    iops_size; /* bytes that count as one request, fractions as well; 0: every request is one */
};

/* Its state: of each limit the average, and what holds bursts at their maximum. */
struct limits {
	struct limit_config config;
	struct rate avg[NR_LIMITS], max[NR_LIMITS];
};

/* NULL, or one line about what does not go together. */
const char *limits_check(const struct limit_config *c);
bool limits_any(const struct limit_config *c);
/* Starts afresh: nothing has gone through. c passed limits_check(). */
void limits_set(struct limits *l, const struct limit_config *c);
/* Nanoseconds until a read or a write may start; 0: now. */
uint64_t limits_wait(struct limits *l, uint64_t now, bool write);
/* One of len bytes starts. */
void limits_spend(struct limits *l, uint64_t len, bool write);

#endif
