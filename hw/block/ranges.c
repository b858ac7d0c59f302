/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Range locks: a list in order of arrival. As many are in it as there are requests in work, so that
 * a walk over it is short.
 */
#include "hw/block/ranges.h"

#include <stddef.h>

void ranges_init(struct range_locks *rs)
{
	pthread_mutex_init(&rs->lock, NULL);
	pthread_cond_init(&rs->freed, NULL);
	rs->first = rs->last = NULL;
}

void ranges_fini(struct range_locks *rs)
{
	pthread_cond_destroy(&rs->freed);
	pthread_mutex_destroy(&rs->lock);
}

/* Whether an earlier one than r (all, when r is not in the list) is in its way. */
static bool blocked(const struct range_locks *rs, const struct range_lock *r)
{
	for (const struct range_lock *o = rs->first; o && o != r; o = o->next)
		if (o->start < r->end && r->start < o->end && (o->exclusive || r->exclusive))
			return true;
	return false;
}

static void append(struct range_locks *rs, struct range_lock *r)
{
	r->next = NULL;
	r->prev = rs->last;
	if (rs->last)
		rs->last->next = r;
	else
		rs->first = r;
	rs->last = r;
}

void ranges_lock(struct range_locks *rs, struct range_lock *r, uint64_t start, uint64_t end,
		 bool exclusive)
{
	r->start = start;
	r->end = end;
	r->exclusive = exclusive;
	pthread_mutex_lock(&rs->lock);
	append(rs, r);
	while (blocked(rs, r))
		pthread_cond_wait(&rs->freed, &rs->lock);
	pthread_mutex_unlock(&rs->lock);
}

bool ranges_trylock(struct range_locks *rs, struct range_lock *r, uint64_t start, uint64_t end,
		    bool exclusive)
{
	bool got;

	r->start = start;
	r->end = end;
	r->exclusive = exclusive;
	pthread_mutex_lock(&rs->lock);
	got = !blocked(rs, r);
	if (got)
		append(rs, r);
	pthread_mutex_unlock(&rs->lock);
	return got;
}

void ranges_unlock(struct range_locks *rs, struct range_lock *r)
{
	pthread_mutex_lock(&rs->lock);
	if (r->prev)
		r->prev->next = r->next;
	else
		rs->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		rs->last = r->prev;
	if (rs->first)
		pthread_cond_broadcast(&rs->freed);
	pthread_mutex_unlock(&rs->lock);
}
