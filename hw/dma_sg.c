/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Scatter-gather lists over guest RAM.
 */
#include "hw/dma_sg.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SG_MAX 65536u

int dma_sg_init(struct dma_sg *sg, unsigned max)
{
	memset(sg, 0, sizeof(*sg));
	if (!max || max > SG_MAX)
		return -EINVAL;
	sg->max = max;
	return 0;
}

void dma_sg_fini(struct dma_sg *sg)
{
	free(sg->iov);
	free(sg->ram);
	memset(sg, 0, sizeof(*sg));
}

static int grow(struct dma_sg *sg)
{
	unsigned room = sg->room ? 2 * sg->room : 8;
	struct iovec *iov = realloc(sg->iov, room * sizeof(*iov));
	struct ram **ram;

	if (!iov)
		return -ENOMEM;
	sg->iov = iov;
	ram = realloc(sg->ram, room * sizeof(struct ram *));
	if (!ram)
		return -ENOMEM;
	sg->ram = ram;
	sg->room = room;
	return 0;
}

/* One piece; grows the last where that lies in front of it. */
static int append(struct dma_sg *sg, struct ram *ram, uint64_t off, size_t len)
{
	uint8_t *host = ram->host + off;
	struct iovec *last = sg->nr ? &sg->iov[sg->nr - 1] : NULL;

	if (last && sg->ram[sg->nr - 1] == ram &&
	    (uint8_t *)last->iov_base + last->iov_len == host) {
		last->iov_len += len;
	} else {
		if (sg->nr == sg->max)
			return -E2BIG;
		if (sg->nr == sg->room && grow(sg) < 0)
			return -ENOMEM;
		sg->iov[sg->nr] = (struct iovec){host, len};
		sg->ram[sg->nr++] = ram;
	}
	sg->len += len;
	return 0;
}

int dma_sg_add(struct dma_sg *sg, const struct aspace *as, uint64_t addr, uint64_t len,
	       bool to_guest)
{
	unsigned old_nr = sg->nr;
	size_t old_len = sg->len, last_len = sg->nr ? sg->iov[sg->nr - 1].iov_len : 0;
	int r = 0;

	/* The sum must fit what system calls count in. */
	if (len > SSIZE_MAX - sg->len)
		return -E2BIG;
	while (len && r == 0) {
		struct range range;
		uint64_t n;

		if (!aspace_find(as, addr, &range) || range.kind == RANGE_DEV ||
		    (to_guest && range.kind != RANGE_RAM)) {
			r = -EFAULT;
			break;
		}
		n = range.size - (addr - range.base);
		n = n < len ? n : len;
		r = append(sg, range.ram, range.ram_off + (addr - range.base), n);
		addr += n;
		len -= n;
	}
	if (r < 0) {
		sg->nr = old_nr;
		sg->len = old_len;
		if (sg->nr)
			sg->iov[sg->nr - 1].iov_len = last_len;
	}
	return r;
}

/* Calls f for the parts of the pieces that make up [off, off+len); returns the bytes there were. */
static size_t each(const struct dma_sg *sg, size_t off, size_t len,
		   void (*f)(struct ram *ram, uint8_t *host, size_t n, void *opaque), void *opaque)
{
	size_t done = 0;

	for (unsigned i = 0; i < sg->nr && len; i++) {
		size_t n = sg->iov[i].iov_len;

		if (off >= n) {
			off -= n;
			continue;
		}
		n = n - off < len ? n - off : len;
		f(sg->ram[i], (uint8_t *)sg->iov[i].iov_base + off, n, opaque);
		off = 0;
		len -= n;
		done += n;
	}
	return done;
}

static void mark(struct ram *ram, uint8_t *host, size_t n, void *opaque)
{
	(void)opaque;
	ram_written(ram, (uint64_t)(host - ram->host), n);
}

static void copy_out(struct ram *ram, uint8_t *host, size_t n, void *opaque)
{
	uint8_t **to = opaque;

	(void)ram;
	memcpy(*to, host, n);
	*to += n;
}

static void copy_in(struct ram *ram, uint8_t *host, size_t n, void *opaque)
{
	const uint8_t **from = opaque;

	memcpy(host, *from, n);
	*from += n;
	mark(ram, host, n, NULL);
}

void dma_sg_written(const struct dma_sg *sg, size_t off, size_t len)
{
	each(sg, off, len, mark, NULL);
}

size_t dma_sg_read(const struct dma_sg *sg, size_t off, void *buf, size_t len)
{
	uint8_t *to = buf;

	return each(sg, off, len, copy_out, &to);
}

size_t dma_sg_write(const struct dma_sg *sg, size_t off, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	return each(sg, off, len, copy_in, &from);
}

static void clear(struct ram *ram, uint8_t *host, size_t n, void *opaque)
{
	memset(host, 0, n);
	mark(ram, host, n, opaque);
}

size_t dma_sg_zero(const struct dma_sg *sg, size_t off, size_t len)
{
	return each(sg, off, len, clear, NULL);
}

void dma_sg_skip(struct dma_sg *sg, size_t n)
{
	unsigned i = 0;

	sg->len -= n;
	while (i < sg->nr && n >= sg->iov[i].iov_len)
		n -= sg->iov[i++].iov_len;
	sg->nr -= i;
	if (i && sg->nr) {
		memmove(sg->iov, sg->iov + i, sg->nr * sizeof(*sg->iov));
		memmove(sg->ram, sg->ram + i, sg->nr * sizeof(*sg->ram));
	}
	if (n) {
		sg->iov[0].iov_base = (uint8_t *)sg->iov[0].iov_base + n;
		sg->iov[0].iov_len -= n;
	}
}

void dma_sg_trim(struct dma_sg *sg, size_t n)
{
	sg->len = n;
	for (unsigned i = 0; i < sg->nr; i++) {
		if (sg->iov[i].iov_len >= n) {
			sg->iov[i].iov_len = n;
			sg->nr = n ? i + 1 : i;
			return;
		}
		n -= sg->iov[i].iov_len;
	}
}

int dma_sg_split(struct dma_sg *head, struct dma_sg *sg, size_t n)
{
	size_t left = n;

	for (unsigned i = 0; i < sg->nr && left; i++) {
		size_t len = sg->iov[i].iov_len < left ? sg->iov[i].iov_len : left;
		uint8_t *host = sg->iov[i].iov_base;
		int r = append(head, sg->ram[i], (uint64_t)(host - sg->ram[i]->host), len);

		if (r < 0)
			return r;
		left -= len;
	}
	dma_sg_skip(sg, n);
	return 0;
}

uint8_t *dma_map(const struct aspace *as, uint64_t addr, uint64_t len, bool to_guest,
		 struct ram **ram)
{
	struct range r;

	if (!aspace_find(as, addr, &r) || r.kind == RANGE_DEV ||
	    (to_guest && r.kind != RANGE_RAM) || len > r.size - (addr - r.base))
		return NULL;
	*ram = r.ram;
	return r.ram->host + r.ram_off + (addr - r.base);
}
