/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two rings shared with the kernel: requests go into one, results come from the other.
 */
#include "hw/block/uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct uring {
	int fd;
	void *rings;
	size_t rings_len, sqes_len;
	struct io_uring_sqe *sqes;
	uint32_t *sq_head, *sq_tail, *sq_array, sq_mask, sq_entries;
	uint32_t *cq_head, *cq_tail, cq_mask;
	struct io_uring_cqe *cqes;
	uint32_t tail, in_flight, max_in_flight;
};

static uint32_t *at(struct uring *u, uint32_t offset)
{
	return (uint32_t *)((char *)u->rings + offset);
}

static int map_rings(struct uring *u, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	u->rings_len = sq > cq ? sq : cq;
	u->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
	u->rings = mmap(NULL, u->rings_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			u->fd, IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, u->sqes_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd,
		       IORING_OFF_SQES);
	if (u->rings == MAP_FAILED || u->sqes == MAP_FAILED)
		return -1;
	u->sq_head = at(u, p->sq_off.head);
	u->sq_tail = at(u, p->sq_off.tail);
	u->sq_array = at(u, p->sq_off.array);
	u->sq_mask = *at(u, p->sq_off.ring_mask);
	u->sq_entries = p->sq_entries;
	u->cq_head = at(u, p->cq_off.head);
	u->cq_tail = at(u, p->cq_off.tail);
	u->cq_mask = *at(u, p->cq_off.ring_mask);
	u->cqes = (struct io_uring_cqe *)((char *)u->rings + p->cq_off.cqes);
	u->tail = *u->sq_tail;
	/* So that results always find room. */
	u->max_in_flight = p->cq_entries;
	return 0;
}

struct uring *uring_new(unsigned entries, int eventfd)
{
	struct uring *u = calloc(1, sizeof(*u));
	struct io_uring_params p = {0};

	if (!u)
		return NULL;
	u->rings = u->sqes = MAP_FAILED;
	u->fd = (int)syscall(__NR_io_uring_setup, entries, &p);
	/* Kernels without these are too old to be worth the trouble. */
	if (u->fd < 0 || !(p.features & IORING_FEAT_SINGLE_MMAP) ||
	    !(p.features & IORING_FEAT_NODROP) || map_rings(u, &p) < 0 ||
	    syscall(__NR_io_uring_register, u->fd, IORING_REGISTER_EVENTFD, &eventfd, 1) < 0) {
		uring_free(u);
		return NULL;
	}
	return u;
}

void uring_free(struct uring *u)
{
	if (!u)
		return;
	if (u->rings != MAP_FAILED)
		munmap(u->rings, u->rings_len);
	if ((void *)u->sqes != MAP_FAILED)
		munmap(u->sqes, u->sqes_len);
	if (u->fd >= 0)
		close(u->fd);
	free(u);
}

static struct io_uring_sqe *new_sqe(struct uring *u)
{
	struct io_uring_sqe *e;
	uint32_t i = u->tail & u->sq_mask;

	if (u->tail - __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE) >= u->sq_entries ||
	    u->in_flight >= u->max_in_flight)
		return NULL;
	e = &u->sqes[i];
	memset(e, 0, sizeof(*e));
	u->sq_array[i] = i;
	u->tail++;
	u->in_flight++;
	return e;
}

bool uring_rw(struct uring *u, bool write, int fd, const struct iovec *iov, unsigned nr_iov,
	      uint64_t offset, void *user)
{
	struct io_uring_sqe *e = new_sqe(u);

	if (!e)
		return false;
	e->opcode = write ? IORING_OP_WRITEV : IORING_OP_READV;
	e->fd = fd;
	e->addr = (uintptr_t)iov;
	e->len = nr_iov;
	e->off = offset;
	e->user_data = (uintptr_t)user;
	return true;
}

bool uring_sync(struct uring *u, int fd, void *user)
{
	struct io_uring_sqe *e = new_sqe(u);

	if (!e)
		return false;
	e->opcode = IORING_OP_FSYNC;
	e->fsync_flags = IORING_FSYNC_DATASYNC;
	e->fd = fd;
	e->user_data = (uintptr_t)user;
	return true;
}

void uring_submit(struct uring *u)
{
	uint32_t n = u->tail - *u->sq_tail;

	__atomic_store_n(u->sq_tail, u->tail, __ATOMIC_RELEASE);
	while (n) {
		long r = syscall(__NR_io_uring_enter, u->fd, n, 0, 0, NULL, 0);

		/* EAGAIN, EBUSY: the kernel is short of memory for the moment. */
		if (r < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY)
			return;
		if (r > 0)
			n -= (uint32_t)r;
	}
}

void *uring_next(struct uring *u, int *res)
{
	uint32_t head = *u->cq_head;
	const struct io_uring_cqe *c = &u->cqes[head & u->cq_mask];
	void *user;

	if (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		return NULL;
	user = (void *)(uintptr_t)c->user_data;
	*res = c->res;
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	u->in_flight--;
	return user;
}
