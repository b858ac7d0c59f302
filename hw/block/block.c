/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests on their way: checked, collected while plugged, done at once where the host has the bytes in
 * memory, by io_uring where they lie in one piece in the host's file, else on a thread of the pool; then
 * through the error policy back to the controller. What io_uring does not do whole, a thread does again.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hw/block/block_impl.h"
#include "hw/block/uring.h"
#include "hw/clock.h"

/* A copy of this much from the host's cache takes some 10 us, in which the guest waits for us. */
#define MAX_INLINE (64u << 10)
/* So many requests end in a row before others have their turn. */
#define REAP_MAX 256
/* Of the host; more iovecs are taken by threads. */
#define MAX_IOV 1024

enum way { WAY_NONE, WAY_INLINE, WAY_URING, WAY_THREAD, WAY_REFUSED };

static void signal_loop(struct block *b)
{
	uint64_t one = 1;

	while (write(b->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- on a worker ---- */

static bool is_zero_write(const struct block_req *req)
{
	static const uint8_t zeroes[4096];

	if (req->block->opt.detect_zeroes == DETECT_OFF)
		return false;
	for (unsigned i = 0; i < req->nr_iov; i++) {
		const uint8_t *p = req->iov[i].iov_base;

		for (size_t left = req->iov[i].iov_len; left;) {
			size_t n = left < sizeof(zeroes) ? left : sizeof(zeroes);

			if (memcmp(p, zeroes, n) != 0)
				return false;
			p += n;
			left -= n;
		}
	}
	return true;
}

static int do_now(struct image *img, struct block_req *req)
{
	struct iovs v = iovs_of(req->iov, req->nr_iov);
	int r = -EINVAL;

	switch (req->op) {
	case BLOCK_READ:
		return image_readv(img, req->offset, &v, req->len);
	case BLOCK_WRITE:
		if (is_zero_write(req))
			r = image_zero(img, req->offset, req->len,
				       req->block->opt.detect_zeroes == DETECT_UNMAP);
		else
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

	if (req->op != BLOCK_READ || req->len > MAX_INLINE || req->nr_iov > 64 || b->opt.direct ||
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
	if ((req->op != BLOCK_READ && !write) || !req->len ||
	    (write && (req->sync || b->opt.detect_zeroes)) || req->nr_iov > MAX_IOV ||
	    !img->ops->map || !img->ops->map(img, req->offset, req->len, write, &req->range, &host))
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

void block_start(struct block *b, struct block_req *req)
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

void block_push(struct block *b)
{
	submit_uring(b);
	if (b->ready.first && !b->reaping)
		signal_loop(b);
}

static void start_in_turn(struct block *b, struct block_req *req)
{
	if (!b->group->limited || req->way == WAY_REFUSED || !block_limit(b, req))
		block_start(b, req);
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
	start_in_turn(b, req);
	block_push(b);
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
	enum block_error_policy policy = req->op == BLOCK_READ ? b->opt.rerror : b->opt.werror;
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

void block_on_event(void *opaque, int fd, unsigned events)
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
		start_in_turn(b, req);
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
		block_start_waiting(b);
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
		block_start(b, req);
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
