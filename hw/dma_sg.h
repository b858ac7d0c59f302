/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Lists of pieces of guest RAM as the host sees them, so that disks and networks read and write it
 * in place. A list holds RAM only (and ROM that is read), whatever addresses a guest gives, and its
 * number of pieces is bounded by its owner. The memory stays where it is as long as the machine lives, so a
 * list may be used on any thread and after the guest has mapped something else there.
 */
#ifndef HW_DMA_SG_H
#define HW_DMA_SG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mmu/aspace.h"

struct dma_sg {
	struct iovec *iov; /* for preadv() and pwritev() */
	struct ram **ram;  /* what each piece is part of */
	unsigned nr, max;
	unsigned room; /* pieces that fit in the arrays */
	size_t len;    /* bytes in all */
};

/* max: pieces it can hold, 1..65536 (preadv() takes 1024 at a time); memory for them is taken as they come. 0 or -EINVAL. */
int dma_sg_init(struct dma_sg *sg, unsigned max);
void dma_sg_fini(struct dma_sg *sg);
static inline void dma_sg_clear(struct dma_sg *sg)
{
	sg->nr = 0;
	sg->len = 0;
}

/* Appends guest memory [addr, addr+len). to_guest: it will be written. 0; -EFAULT where there is no
 * RAM, -E2BIG when it needs more pieces than the list can hold, -ENOMEM: the list is then as it was. */
int dma_sg_add(struct dma_sg *sg, const struct aspace *as, uint64_t addr, uint64_t len,
	       bool to_guest);

/* Must follow every write of len bytes at byte `off` of the list that did not go through
 * dma_sg_write(), so that engines notice. */
void dma_sg_written(const struct dma_sg *sg, size_t off, size_t len);

/* Copy from and to a buffer, at byte `off` of the list; how many bytes, which is less than len at
 * its end. */
size_t dma_sg_read(const struct dma_sg *sg, size_t off, void *buf, size_t len);
size_t dma_sg_write(const struct dma_sg *sg, size_t off, const void *buf, size_t len);
/* Zeroes instead of a buffer's bytes. */
size_t dma_sg_zero(const struct dma_sg *sg, size_t off, size_t len);

/* Drops the first n bytes, or all but the first n; n <= sg->len. */
void dma_sg_skip(struct dma_sg *sg, size_t n);
void dma_sg_trim(struct dma_sg *sg, size_t n);
/* Moves the first n bytes to the end of `head`, an empty list; n <= sg->len. 0 or -errno, and then sg
 * is as it was. */
int dma_sg_split(struct dma_sg *head, struct dma_sg *sg, size_t n);

/* The host address of [addr, addr+len) when that is one piece of RAM (or, to be read only, ROM), with
 * that RAM; or NULL. */
uint8_t *dma_map(const struct aspace *as, uint64_t addr, uint64_t len, bool to_guest,
		 struct ram **ram);

#endif
