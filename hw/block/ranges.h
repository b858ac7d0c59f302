/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Locks on ranges of bytes, shared or exclusive, granted in the order in which they were asked for. One
 * may be released on another thread than took it.
 */
#ifndef HW_BLOCK_RANGES_H
#define HW_BLOCK_RANGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct range_lock {
	struct range_lock *next, *prev;
	uint64_t start, end; /* end is not part of it */
	bool exclusive;
};

struct range_locks {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct range_lock *first, *last;
};

void ranges_init(struct range_locks *rs);
void ranges_fini(struct range_locks *rs);
/* r: the caller's, until ranges_unlock(). Waits. */
void ranges_lock(struct range_locks *rs, struct range_lock *r, uint64_t start, uint64_t end,
		 bool exclusive);
/* Does not wait: false when it would have to. */
bool ranges_trylock(struct range_locks *rs, struct range_lock *r, uint64_t start, uint64_t end,
		    bool exclusive);
void ranges_unlock(struct range_locks *rs, struct range_lock *r);

#endif
