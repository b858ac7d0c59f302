/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A disk as the files behind block.h see it: block.c has the requests on their way, block_media.c what
 * holds the bytes, block_limits.c who has to wait.
 *
 * Everything in struct block is under the machine lock, but what workers touch: the image, which has
 * locks of its own, and the list `done` under done_lock. An eventfd tells the main loop that there is
 * something in one of the lists.
 */
#ifndef HW_BLOCK_BLOCK_IMPL_H
#define HW_BLOCK_BLOCK_IMPL_H

#include <pthread.h>

#include "hw/block/block.h"
#include "hw/block/image.h"
#include "hw/clock.h"

struct req_list {
	struct block_req *first, **last;
};

/* Limits, and who shares them. */
struct limit_group {
	char name[64];
	struct clock *clock; /* NULL: nobody is limited */
	struct limits limits;
	struct timer again;         /* a request that waits may go */
	struct block *first, *turn; /* members */
	unsigned nr_waiting[2];     /* requests of all of them, by kind */
	bool limited;
};

struct block {
	char *name, *path;
	struct image *image; /* NULL: no medium */
	struct block_env env;
	struct pool *pool;
	struct uring *uring; /* or NULL */
	int event;

	struct block_options opt; /* without its strings */
	bool writethrough, locked, tray_open;
	const struct block_user *user;
	void *user_opaque;

	unsigned nr_in_flight, nr_held, nr_plugs;
	bool reaping;
	struct req_list plugged, ready, held;
	struct block_stats stats;

	struct limit_group own, *group; /* own: it shares its limits with nobody */
	struct block *next_in_group;
	struct req_list waiting[2]; /* for the limits: reads, and what writes */
	unsigned nr_waiting;
	bool write_first; /* whose turn it is */

	pthread_mutex_t done_lock;
	struct req_list done;
};

static inline void list_init(struct req_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static inline void list_add(struct req_list *l, struct block_req *req)
{
	req->next = NULL;
	*l->last = req;
	l->last = &req->next;
}

static inline struct block_req *list_pop(struct req_list *l)
{
	struct block_req *req = l->first;

	if (req) {
		l->first = req->next;
		if (!l->first)
			l->last = &l->first;
	}
	return req;
}

/* ---- block.c ---- */

/* Hands a request on that has passed checks and limits; block_push() then to the host what was collected. */
void block_start(struct block *b, struct block_req *req);
void block_push(struct block *b);
/* What block->event is watched with. */
void block_on_event(void *opaque, int fd, unsigned events);

/* ---- block_limits.c ---- */

void block_init_limits(struct block *b, const struct block_options *o);
/* Whether a request has to wait: it then is on a list here. Else it has been counted. */
bool block_limit(struct block *b, struct block_req *req);
/* Starts all that waits. */
void block_start_waiting(struct block *b);
/* Lets everything go, and forgets the limits: the clock goes. */
void block_end_limits(struct block *b);

#endif
