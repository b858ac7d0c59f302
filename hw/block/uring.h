/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's io_uring(7), by its system calls. One thread at a time, whichever: the caller has a lock.
 */
#ifndef HW_BLOCK_URING_H
#define HW_BLOCK_URING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct uring;

/* eventfd is written to when something has ended. NULL where the host has no io_uring, or forbids it. */
struct uring *uring_new(unsigned entries, int eventfd);
/* Nothing may be in flight. */
void uring_free(struct uring *u);

/* Prepares a request, which uring_submit() hands over; false: no room, submit first or do without. The
 * iovecs stay in place until it has ended. */
bool uring_rw(struct uring *u, bool write, int fd, const struct iovec *iov, unsigned nr_iov,
	      uint64_t offset, void *user);
bool uring_sync(struct uring *u, int fd, void *user);
void uring_submit(struct uring *u);
/* The next that has ended: its user, and in *res bytes or -errno; NULL: none. */
void *uring_next(struct uring *u, int *res);

#endif
