/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The main loop: epoll, a timerfd for the machine clock, an eventfd to be woken by.
 *
 * Removed watches are freed only after the batch of events in which they may still be named.
 */
#include "hw/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hw/clock.h"

#define BATCH 32

struct watch {
	struct watch *next;
	int fd;
	unsigned events;
	bool always; /* a plain file: epoll refuses it, poll() would call it always ready */
	bool dead;
	loop_fn *fn;
	void *opaque;
};

struct loop {
	struct clock *clock;
	pthread_mutex_t *lock;
	int epoll, timer, wake;
	_Atomic bool quit;
	uint64_t programmed; /* guest ns for which the timerfd is set, UINT64_MAX when not */
	struct watch *watches;
	unsigned nr_always;
	unsigned nr_dead;
	struct loop_job *jobs, **last_job;
	unsigned nr_jobs;
	bool asleep; /* in epoll_wait(), or on the way there */
};

static void set_timerfd(struct loop *l, uint64_t deadline)
{
	struct itimerspec its = {0};
	uint64_t now;

	l->programmed = UINT64_MAX;
	if (deadline != UINT64_MAX && !l->clock->manual && atomic_load(&l->clock->running)) {
		uint64_t wait;

		now = clock_now(l->clock);
		wait = deadline > now ? deadline - now : 1;
		/* Far deadlines are looked at again in an hour, which also keeps time_t happy. */
		if (wait > 3600 * NSEC_PER_SEC)
			wait = 3600 * NSEC_PER_SEC;
		its.it_value.tv_sec = wait / NSEC_PER_SEC;
		its.it_value.tv_nsec = wait % NSEC_PER_SEC;
		l->programmed = now + wait;
	}
	timerfd_settime(l->timer, 0, &its, NULL);
}

/* The clock's first deadline changed. A later one needs nothing: the timerfd then expires for
 * nothing once and is set again, cheaper than a system call for every timer moved. */
static void clock_changed(void *opaque)
{
	struct loop *l = opaque;
	uint64_t first = l->clock->timers ? l->clock->timers->deadline : UINT64_MAX;

	if (!atomic_load(&l->clock->running))
		set_timerfd(l, UINT64_MAX);
	else if (first < l->programmed)
		set_timerfd(l, first);
}

static int add_fd(struct loop *l, int fd, struct watch *w)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev);
}

struct loop *loop_new(struct clock *clock, pthread_mutex_t *lock)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return NULL;
	l->clock = clock;
	l->lock = lock;
	l->last_job = &l->jobs;
	l->programmed = UINT64_MAX;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll < 0 || l->timer < 0 || l->wake < 0)
		goto fail;
	/* The loop's own two are told apart by pointers into itself. */
	if (add_fd(l, l->timer, (struct watch *)&l->timer) ||
	    add_fd(l, l->wake, (struct watch *)&l->wake))
		goto fail;
	clock->rearm = clock_changed;
	clock->opaque = l;
	return l;
fail:
	err = errno;
	loop_free(l);
	errno = err;
	return NULL;
}

void loop_free(struct loop *l)
{
	struct watch *w;

	if (!l)
		return;
	if (l->clock->opaque == l) {
		l->clock->rearm = NULL;
		l->clock->opaque = NULL;
	}
	while ((w = l->watches)) {
		l->watches = w->next;
		free(w);
	}
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->timer >= 0)
		close(l->timer);
	if (l->wake >= 0)
		close(l->wake);
	free(l);
}

static struct watch *find_watch(struct loop *l, int fd)
{
	struct watch *w;

	for (w = l->watches; w; w = w->next)
		if (w->fd == fd && !w->dead)
			return w;
	return NULL;
}

static void kill_watch(struct loop *l, struct watch *w)
{
	if (w->always)
		l->nr_always--;
	else
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->dead = true;
	l->nr_dead++;
}

static void bury(struct loop *l)
{
	struct watch **p = &l->watches, *w;

	while (l->nr_dead && (w = *p)) {
		if (w->dead) {
			*p = w->next;
			free(w);
			l->nr_dead--;
		} else {
			p = &w->next;
		}
	}
}

int loop_watch(struct loop *l, int fd, unsigned events, loop_fn *fn, void *opaque)
{
	struct watch *w = find_watch(l, fd);
	struct epoll_event ev = {0};
	bool known = w != NULL;

	if (fd < 0)
		return -EBADF;
	if (!events) {
		if (!w)
			return -ENOENT;
		kill_watch(l, w);
		loop_wake(l);
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -ENOMEM;
		w->fd = fd;
	}
	w->events = events;
	w->fn = fn;
	w->opaque = opaque;
	ev.data.ptr = w;
	/* EPOLLHUP is always reported; EPOLLRDHUP on request */
	ev.events = (events & LOOP_IN ? EPOLLIN : 0) | (events & LOOP_OUT ? EPOLLOUT : 0) |
		    (events & LOOP_HUP ? EPOLLRDHUP : 0);
	if (!w->always && epoll_ctl(l->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev)) {
		int err = errno;

		if (err != EPERM) {
			if (known)
				kill_watch(l, w);
			else
				free(w);
			return -err;
		}
		w->always = true;
		l->nr_always++;
	}
	if (!known) {
		w->next = l->watches;
		l->watches = w;
	}
	if (w->always)
		loop_wake(l);
	return 0;
}

void loop_defer(struct loop *l, struct loop_job *job)
{
	if (job->queued)
		return;
	job->queued = true;
	job->next = NULL;
	*l->last_job = job;
	l->last_job = &job->next;
	l->nr_jobs++;
	if (l->asleep) {
		l->asleep = false;
		loop_wake(l);
	}
}

void loop_cancel(struct loop *l, struct loop_job *job)
{
	struct loop_job **p = &l->jobs;

	if (!job->queued)
		return;
	while (*p != job)
		p = &(*p)->next;
	*p = job->next;
	if (!*p)
		l->last_job = p;
	l->nr_jobs--;
	job->queued = false;
}

/* As many as there are now: what they put off again comes in the next round. */
static void run_jobs(struct loop *l)
{
	struct loop_job *job;

	for (unsigned n = l->nr_jobs; n && (job = l->jobs); n--) {
		loop_cancel(l, job);
		job->run(job->opaque);
	}
}

static void drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

static void dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct watch *w = ev->data.ptr;
	unsigned events = 0;

	if (w == (struct watch *)&l->timer) {
		drain(l->timer);
		return;
	}
	if (w == (struct watch *)&l->wake) {
		drain(l->wake);
		return;
	}
	if (w->dead)
		return;
	if (ev->events & (EPOLLIN | EPOLLERR))
		events |= LOOP_IN;
	if (ev->events & (EPOLLOUT | EPOLLERR))
		events |= LOOP_OUT;
	if (ev->events & (EPOLLHUP | EPOLLRDHUP))
		events |= LOOP_HUP;
	/* A hangup is news for readers too: read() gives the end of file. */
	if ((ev->events & EPOLLHUP) && (w->events & LOOP_IN))
		events |= LOOP_IN;
	events &= w->events | LOOP_HUP;
	if (events)
		w->fn(w->opaque, w->fd, events);
}

static void dispatch_always(struct loop *l)
{
	struct watch *w;

	for (w = l->watches; w; w = w->next)
		if (w->always && !w->dead && (w->events & (LOOP_IN | LOOP_OUT)))
			w->fn(w->opaque, w->fd, w->events & (LOOP_IN | LOOP_OUT));
}

void loop_run(struct loop *l)
{
	struct epoll_event ev[BATCH];
	int n;

	pthread_mutex_lock(l->lock);
	while (!atomic_exchange(&l->quit, false)) {
		uint64_t next;
		int timeout;

		run_jobs(l);
		/* Who moves a manual clock fires its timers. */
		next = l->clock->manual ? UINT64_MAX : clock_run(l->clock);
		timeout = l->nr_always || l->jobs ? 0 : -1;
		if (next < l->programmed || l->programmed <= clock_now(l->clock))
			set_timerfd(l, next);
		l->asleep = timeout != 0;
		pthread_mutex_unlock(l->lock);
		n = epoll_wait(l->epoll, ev, BATCH, timeout);
		pthread_mutex_lock(l->lock);
		l->asleep = false;
		for (int i = 0; i < n; i++)
			dispatch(l, &ev[i]);
		if (l->nr_always)
			dispatch_always(l);
		bury(l);
	}
	pthread_mutex_unlock(l->lock);
}

void loop_quit(struct loop *l)
{
	atomic_store(&l->quit, true);
	loop_wake(l);
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;
	int err = errno;

	while (write(l->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = err;
}
