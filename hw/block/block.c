/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests on their way: checked, collected while plugged, done at once where the host has the bytes in
 * memory, by io_uring where they lie in one piece in the host's file, else on a thread of the pool; then
 * through the error policy back to the controller. What io_uring does not do whole, a thread does again.
 *
 * Everything in struct block is under the machine lock, but what workers touch: the image, which has
 * locks of its own, and the list `done` under done_lock. An eventfd tells the main loop that there is
 * something in one of the lists.
 */
#include "hw/block/block.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hw/block/image.h"
#include "hw/block/uring.h"
#include "hw/clock.h"
#include "hw/loop.h"

#define MAX_THREADS 16
/* A copy of this much from the host's cache takes some 10 us, in which the guest waits for us. */
#define MAX_INLINE (64u << 10)
/* So many requests end in a row before others have their turn. */
#define REAP_MAX      256
#define URING_ENTRIES 128
/* Of the host; more iovecs are taken by threads. */
#define MAX_IOV 1024

enum way { WAY_NONE, WAY_INLINE, WAY_URING, WAY_THREAD, WAY_REFUSED };

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

static void list_init(struct req_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct req_list *l, struct block_req *req)
{
	req->next = NULL;
	*l->last = req;
	l->last = &req->next;
}

static struct block_req *list_pop(struct req_list *l)
{
	struct block_req *req = l->first;

	if (req) {
		l->first = req->next;
		if (!l->first)
			l->last = &l->first;
	}
	return req;
}

static void signal_loop(struct block *b)
{
	uint64_t one = 1;

	while (write(b->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- on a worker ---- */

static int do_now(struct image *img, struct block_req *req)
{
	struct iovs v = iovs_of(req->iov, req->nr_iov);
	int r = -EINVAL;

	switch (req->op) {
	case BLOCK_READ:
		return image_readv(img, req->offset, &v, req->len);
	case BLOCK_WRITE:
		r = image_writev(img, req->offset, &v, req->len);
		break;
	case BLOCK_FLUSH:
		return image_flush(img);
	case BLOCK_DISCARD:
		r = image_discard(img, req->offset, req->len);
		break;
	case BLOCK_WRITE_ZEROES:
		r = image_zero(img, req->offset, req->len, req->flags & BLOCK_MAY_UNMAP);
		break;
	}
	if (r == 0 && req->sync)
		r = image_flush(img);
	return r;
}

static void work(struct pool_job *job)
{
	struct block_req *req = (struct block_req *)((char *)job - offsetof(struct block_req, job));
	struct block *b = req->block;
	bool first;

	req->ret = do_now(b->image, req);
	pthread_mutex_lock(&b->done_lock);
	first = !b->done.first;
	list_add(&b->done, req);
	/* Under the lock: once the list is seen, the disk may be closed. */
	if (first)
		signal_loop(b);
	pthread_mutex_unlock(&b->done_lock);
}

/* ---- out ---- */

static int check(const struct block *b, const struct block_req *req)
{
	uint64_t size = block_size(b);

	if (!b->image)
		return -ENOMEDIUM;
	if (req->op == BLOCK_FLUSH)
		return 0;
	if ((req->offset | req->len) % BLOCK_SECTOR || req->offset > size ||
	    req->len > size - req->offset)
		return -EINVAL;
	if (req->op != BLOCK_READ && b->image->read_only)
		return -EROFS;
	return 0;
}

/* What the host has in memory needs nobody else. */
static bool read_inline(struct block *b, struct block_req *req)
{
	struct image *img = b->image;
	uint64_t host;
	ssize_t r;

	if (req->op != BLOCK_READ || req->len > MAX_INLINE || req->nr_iov > 64 || b->direct ||
	    !img->ops->map || img->file->fd < 0 ||
	    !img->ops->map(img, req->offset, req->len, false, &req->range, &host))
		return false;
	r = preadv2(img->file->fd, req->iov, (int)req->nr_iov, (off_t)host, RWF_NOWAIT);
	img->ops->unmap(img, &req->range);
	if (r < 0 || (uint64_t)r != req->len)
		return false;
	req->ret = 0;
	req->way = WAY_INLINE;
	return true;
}

static bool sync_by_uring(struct block *b, struct block_req *req)
{
	struct image *img = b->image;

	if (!img->ops->clean || !img->ops->clean(img))
		return false;
	if (img->read_only || img->file->no_flush) {
		req->way = WAY_INLINE;
		req->ret = 0;
		list_add(&b->ready, req);
		return true;
	}
	return !img->file->broken && uring_sync(b->uring, img->file->fd, req);
}

static bool start_uring(struct block *b, struct block_req *req)
{
	struct image *img = b->image;
	bool write = req->op == BLOCK_WRITE;
	uint64_t host;

	if (!b->uring || img->file->fd < 0)
		return false;
	req->way = WAY_URING;
	if (req->op == BLOCK_FLUSH)
		return sync_by_uring(b, req);
	if ((req->op != BLOCK_READ && !write) || (write && req->sync) || !req->len ||
	    req->nr_iov > MAX_IOV || !img->ops->map ||
	    !img->ops->map(img, req->offset, req->len, write, &req->range, &host))
		return false;
	if (uring_rw(b->uring, write, img->file->fd, req->iov, req->nr_iov, host, req))
		return true;
	img->ops->unmap(img, &req->range);
	return false;
}

static void start_thread(struct block *b, struct block_req *req)
{
	req->way = WAY_THREAD;
	req->job.run = work;
	pool_submit(b->pool, &req->job);
}

static void start(struct block *b, struct block_req *req)
{
	if (req->way == WAY_REFUSED || read_inline(b, req))
		list_add(&b->ready, req);
	else if (!start_uring(b, req))
		start_thread(b, req);
}

static void submit_uring(struct block *b)
{
	if (b->uring)
		uring_submit(b->uring);
}

/* The next that io_uring has done, if any. */
static struct block_req *uring_done(struct block *b)
{
	struct block_req *req;
	int res;

	while (b->uring && (req = uring_next(b->uring, &res))) {
		if (req->op == BLOCK_FLUSH) {
			req->ret = res;
			if (res < 0)
				b->image->file->broken = true;
			return req;
		}
		b->image->ops->unmap(b->image, &req->range);
		if (res >= 0 && (uint64_t)res == req->len) {
			req->ret = 0;
			return req;
		}
		start_thread(b, req);
	}
	return NULL;
}

void block_submit(struct block *b, struct block_req *req)
{
	req->block = b;
	req->started = clock_host_ns();
	req->ret = check(b, req);
	req->way = req->ret < 0 ? WAY_REFUSED : WAY_NONE;
	req->sync = (req->flags & BLOCK_FUA) || b->writethrough;
	b->nr_in_flight++;
	if (b->nr_plugs) {
		list_add(&b->plugged, req);
		return;
	}
	start(b, req);
	submit_uring(b);
	if (b->ready.first && !b->reaping)
		signal_loop(b);
}

/* ---- back ---- */

static void hold(struct block *b, struct block_req *req)
{
	char message[512];

	list_add(&b->held, req);
	if (b->nr_held++ || !b->env.stop)
		return;
	if (req->ret == -ENOSPC || req->ret == -EDQUOT)
		snprintf(message, sizeof(message),
			 "%s: no space left on the host for %.300s; make room, then continue with "
			 "'cont'",
			 b->name, b->path);
	else
		snprintf(message, sizeof(message),
			 "%s: %.300s: %s; mend it and continue with 'cont', or restart with "
			 "%s=report",
			 b->name, b->path, strerror(-req->ret),
			 req->op == BLOCK_READ ? "rerror" : "werror");
	b->env.stop(b->env.opaque, b, message);
}

static void finish(struct block *b, struct block_req *req)
{
	enum block_error_policy policy = req->op == BLOCK_READ ? b->rerror : b->werror;
	struct block_stats *s = &b->stats;

	b->nr_in_flight--;
	s->inline_done += req->way == WAY_INLINE;
	s->uring_done += req->way == WAY_URING;
	s->thread_done += req->way == WAY_THREAD;
	if (req->ret < 0) {
		s->failed[req->op]++;
		if (policy == POLICY_ENOSPC)
			policy = req->ret == -ENOSPC || req->ret == -EDQUOT ? POLICY_STOP
									    : POLICY_REPORT;
		if (req->way == WAY_REFUSED)
			policy = POLICY_REPORT;
		if (policy == POLICY_STOP && b->env.stop) {
			hold(b, req);
			return;
		}
		if (policy == POLICY_IGNORE)
			req->ret = 0;
	} else {
		s->ops[req->op]++;
		s->bytes[req->op] += req->op == BLOCK_FLUSH ? 0 : req->len;
		s->ns[req->op] += clock_host_ns() - req->started;
	}
	req->done(req, req->ret);
}

/* Ends what has ended, once; what done() submits may end here, too. */
static void reap(struct block *b)
{
	unsigned n = 0;

	if (b->reaping)
		return;
	b->reaping = true;
	while (n < REAP_MAX) {
		struct block_req *req = list_pop(&b->ready);

		if (!req) {
			pthread_mutex_lock(&b->done_lock);
			req = list_pop(&b->done);
			pthread_mutex_unlock(&b->done_lock);
		}
		if (!req)
			req = uring_done(b);
		if (!req)
			break;
		finish(b, req);
		n++;
	}
	b->reaping = false;
	if (n == REAP_MAX)
		signal_loop(b);
}

static void on_event(void *opaque, int fd, unsigned events)
{
	struct block *b = opaque;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		reap(b);
}

void block_plug(struct block *b)
{
	b->nr_plugs++;
}

static void start_plugged(struct block *b)
{
	struct block_req *req;

	while ((req = list_pop(&b->plugged)))
		start(b, req);
	submit_uring(b);
}

void block_unplug(struct block *b)
{
	if (--b->nr_plugs)
		return;
	start_plugged(b);
	reap(b);
}

void block_quiesce(struct block *b)
{
	start_plugged(b);
	for (;;) {
		struct pollfd p = {.fd = b->event, .events = POLLIN};
		uint64_t n;

		reap(b);
		start_plugged(b);
		if (!b->nr_in_flight)
			return;
		if (!b->ready.first && poll(&p, 1, -1) == 1 && read(b->event, &n, sizeof(n)) < 0)
			continue;
	}
}

void block_drain(struct block *b)
{
	struct block_req *req;

	do {
		block_quiesce(b);
		while ((req = list_pop(&b->held))) {
			b->nr_held--;
			req->done(req, -ECANCELED);
		}
	} while (b->nr_in_flight);
}

void block_resume(struct block *b)
{
	struct req_list again = b->held;
	struct block_req *req;

	if (!again.first)
		return;
	list_init(&b->held);
	b->nr_held = 0;
	while ((req = again.first)) {
		again.first = req->next;
		b->nr_in_flight++;
		start(b, req);
	}
	submit_uring(b);
	signal_loop(b);
}

unsigned block_held(const struct block *b)
{
	return b->nr_held;
}

/* ---- without waiting for others ---- */

int block_read_now(struct block *b, uint64_t offset, void *buf, size_t len)
{
	return b->image ? image_read(b->image, offset, buf, len) : -ENOMEDIUM;
}

int block_flush_now(struct block *b)
{
	block_quiesce(b);
	return b->image ? image_flush(b->image) : 0;
}

/* ---- properties ---- */

const char *block_name(const struct block *b)
{
	return b->name;
}

bool block_present(const struct block *b)
{
	return b->image;
}

uint64_t block_size(const struct block *b)
{
	return b->image ? (b->image->size + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1) : 0;
}

bool block_read_only(const struct block *b)
{
	return b->image && b->image->read_only;
}

bool block_removable(const struct block *b)
{
	return b->removable;
}

bool block_write_cache(const struct block *b)
{
	return !b->writethrough;
}

void block_set_write_cache(struct block *b, bool on)
{
	b->writethrough = !on;
}

bool block_can_discard(const struct block *b)
{
	return b->discard && !block_read_only(b);
}

uint32_t block_discard_granularity(const struct block *b)
{
	return b->image ? b->image->discard_granularity : BLOCK_SECTOR;
}

void block_stats(const struct block *b, struct block_stats *out)
{
	*out = b->stats;
}

const char *block_file(const struct block *b)
{
	return b->image ? b->path : NULL;
}

const char *block_format(const struct block *b)
{
	return b->image ? b->image->ops->name : NULL;
}

struct image *block_image(struct block *b)
{
	return b->image;
}

/* ---- media ---- */

int block_attach(struct block *b, const struct block_user *user, void *opaque)
{
	if (user && b->user)
		return -EBUSY;
	if (!user)
		block_drain(b);
	b->user = user;
	b->user_opaque = opaque;
	b->locked = false;
	return 0;
}

void block_lock_medium(struct block *b, bool locked)
{
	b->locked = locked;
}

void block_open_tray(struct block *b, bool open)
{
	b->tray_open = open;
}

bool block_tray_is_open(const struct block *b)
{
	return b->tray_open;
}

static void tell_changed(struct block *b)
{
	if (b->user && b->user->changed)
		b->user->changed(b->user_opaque);
}

static int open_medium(struct block *b, const struct block_options *o, char *err, size_t errlen)
{
	unsigned flags = (o->read_only || o->snapshot ? 0 : IMAGE_WRITE) |
			 (o->direct ? IMAGE_DIRECT : 0) |
			 (o->no_flush || o->snapshot ? IMAGE_NO_FLUSH : 0) |
			 (o->no_lock ? IMAGE_NO_LOCK : 0) | (o->discard ? IMAGE_DISCARD : 0);
	struct image *img;
	char *path;
	int r;

	if (!o->file)
		return 0;
	if (!b->uring && o->aio != AIO_THREADS)
		b->uring = uring_new(URING_ENTRIES, b->event);
	if (!b->uring && (o->aio == AIO_URING || o->aio == AIO_NATIVE)) {
		image_error(err, errlen,
			    "%s: the host has no io_uring, or forbids it; use "
			    "aio=threads",
			    o->file);
		return -ENOSYS;
	}
	path = strdup(o->file);
	if (!path) {
		image_error(err, errlen, "out of memory");
		return -ENOMEM;
	}
	r = image_open(&img, o->file, o->format, flags, err, errlen);
	if (r == 0 && o->snapshot) {
		struct image *base = img;

		r = image_overlay(&img, base, err, errlen);
		if (r < 0)
			image_close(base);
	}
	if (r < 0) {
		free(path);
		return r;
	}
	b->image = img;
	b->path = path;
	b->direct = o->direct;
	b->discard = o->discard;
	return 0;
}

static int close_medium(struct block *b)
{
	int r = b->image ? image_close(b->image) : 0;

	b->image = NULL;
	free(b->path);
	b->path = NULL;
	return r;
}

int block_open(struct block **out, const struct block_options *o, const struct block_env *env,
	       char *err, size_t errlen)
{
	struct block *b = calloc(1, sizeof(*b));
	int r = -ENOMEM;

	if (!b)
		goto no_memory;
	b->name = strdup(o->name);
	b->pool = pool_new(MAX_THREADS);
	b->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->env = *env;
	b->removable = o->removable;
	b->writethrough = o->writethrough;
	b->rerror = o->rerror;
	b->werror = o->werror;
	pthread_mutex_init(&b->done_lock, NULL);
	list_init(&b->plugged);
	list_init(&b->ready);
	list_init(&b->held);
	list_init(&b->done);
	if (!b->name || !b->pool || b->event < 0)
		goto no_memory;
	r = open_medium(b, o, err, errlen);
	if (r < 0)
		goto fail;
	r = env->loop ? loop_watch(env->loop, b->event, LOOP_IN, on_event, b) : 0;
	if (r < 0)
		goto no_memory;
	*out = b;
	return 0;
no_memory:
	image_error(err, errlen, "%s: out of memory or file descriptors", o->name);
fail:
	if (b) {
		close_medium(b);
		pool_free(b->pool);
		uring_free(b->uring);
		if (b->event >= 0)
			close(b->event);
		pthread_mutex_destroy(&b->done_lock);
		free(b->name);
		free(b);
	}
	return r;
}

void block_leave_loop(struct block *b)
{
	block_quiesce(b);
	if (b->env.loop)
		loop_watch(b->env.loop, b->event, 0, NULL, NULL);
	b->env.loop = NULL;
	b->env.stop = NULL;
}

int block_close(struct block *b)
{
	int r;

	if (!b)
		return 0;
	block_drain(b);
	block_leave_loop(b);
	pool_free(b->pool);
	r = close_medium(b);
	uring_free(b->uring);
	close(b->event);
	pthread_mutex_destroy(&b->done_lock);
	free(b->name);
	free(b);
	return r;
}

int block_eject(struct block *b, bool force)
{
	if (!b->removable)
		return -ENOTSUP;
	if (b->locked && !b->tray_open && !force) {
		if (b->user && b->user->eject_request)
			b->user->eject_request(b->user_opaque);
		return -EBUSY;
	}
	block_drain(b);
	close_medium(b);
	b->tray_open = true;
	tell_changed(b);
	return 0;
}

int block_insert(struct block *b, const struct block_options *o, char *err, size_t errlen)
{
	int r;

	if (!b->removable) {
		image_error(err, errlen, "%s is not removable", b->name);
		return -ENOTSUP;
	}
	if (b->image) {
		image_error(err, errlen, "%s has a medium already; eject it first", b->name);
		return -EBUSY;
	}
	r = open_medium(b, o, err, errlen);
	if (r < 0)
		return r;
	b->tray_open = false;
	tell_changed(b);
	return 0;
}

int block_resize(struct block *b, uint64_t size, char *err, size_t errlen)
{
	int r;

	if (!b->image) {
		image_error(err, errlen, "%s has no medium", b->name);
		return -ENOMEDIUM;
	}
	block_quiesce(b);
	r = image_resize(b->image, size, err, errlen);
	if (r == 0)
		tell_changed(b);
	return r;
}
