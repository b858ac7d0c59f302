/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Threads that do what may block. They start when there is work for them and take no locks of ours.
 */
#ifndef HW_BLOCK_POOL_H
#define HW_BLOCK_POOL_H

struct pool_job {
	struct pool_job *next;
	void (*run)(struct pool_job *job); /* on a thread of the pool; the job is its own then */
};

struct pool;

/* NULL without memory. */
struct pool *pool_new(unsigned max_threads);
/* Waits until all jobs are done. */
void pool_free(struct pool *p);
/* Queues job; never blocks. Without a single thread to be had, it runs on this one. */
void pool_submit(struct pool *p, struct pool_job *job);

#endif
