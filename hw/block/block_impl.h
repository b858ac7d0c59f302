/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A disk as the files behind block.h see it: block.c has the requests on their way, block_media.c what
 * holds the bytes.
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

struct req_list {
	struct block_req *first, **last;
};

struct block {
	char *name, *path;
	struct image *image; /* NULL: no medium */
	struct block_env env;
	struct pool *pool;
	struct uring *uring; /* or NULL */
	int event;

	bool removable, writethrough, discard, locked, tray_open, direct, no_flush, no_lock;
	enum block_error_policy rerror, werror;
	const struct block_user *user;
	void *user_opaque;

	unsigned nr_in_flight, nr_held, nr_plugs;
	bool reaping;
	struct req_list plugged, ready, held;
	struct block_stats stats;

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

/* What block->event is watched with. */
void block_on_event(void *opaque, int fd, unsigned events);

#endif
