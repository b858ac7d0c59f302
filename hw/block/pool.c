/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A queue and the threads that serve it.
 */
#include "hw/block/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pool_job *first, **last;
	unsigned nr_queued, nr_idle, nr_threads, max_threads;
	bool closing;
	pthread_t threads[];
};

struct pool *pool_new(unsigned max_threads)
{
	struct pool *p = calloc(1, sizeof(*p) + max_threads * sizeof(p->threads[0]));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	p->last = &p->first;
	p->max_threads = max_threads;
	return p;
}

static void *serve(void *opaque)
{
	struct pool *p = opaque;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct pool_job *job = p->first;

		if (job) {
			p->first = job->next;
			if (!p->first)
				p->last = &p->first;
			p->nr_queued--;
			pthread_mutex_unlock(&p->lock);
			job->run(job);
			pthread_mutex_lock(&p->lock);
			continue;
		}
		if (p->closing)
			break;
		p->nr_idle++;
		pthread_cond_wait(&p->work, &p->lock);
		p->nr_idle--;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are for the threads that asked for them. */
static bool start_thread(struct pool *p)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&p->threads[p->nr_threads], NULL, serve, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		p->nr_threads++;
	return r == 0;
}

void pool_submit(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	if (p->nr_queued >= p->nr_idle && p->nr_threads < p->max_threads && !start_thread(p) &&
	    !p->nr_threads) {
		pthread_mutex_unlock(&p->lock);
		job->run(job);
		return;
	}
	job->next = NULL;
	*p->last = job;
	p->last = &job->next;
	p->nr_queued++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nr_threads; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
