/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A file in memory behind struct bfile, which can lose power: what was not synced then reaches the disk
 * sector by sector or not at all, in any order.
 */
#ifndef TESTS_BLOCK_MEMFILE_H
#define TESTS_BLOCK_MEMFILE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/block/image.h"

#define MEM_SECTOR 512

struct mem_disk {
	uint8_t *now, *safe; /* what is read; what has been synced */
	uint8_t *touched;    /* per sector: differs */
	uint64_t size, safe_size, max;
	uint64_t writes, fail_after; /* the write after which power is gone; 0: never */
	bool dead;
	int sync_error;        /* of every sync, or 0 */
	void (*on_sync)(void); /* or NULL */
};

static inline struct mem_disk *mem_of(struct bfile *f)
{
	return f->opaque;
}

static inline bool mem_dies(struct mem_disk *d)
{
	if (!d->dead && d->fail_after && ++d->writes > d->fail_after)
		d->dead = true;
	return d->dead;
}

static ssize_t mem_preadv(struct bfile *f, const struct iovec *v, unsigned n, uint64_t offset)
{
	struct mem_disk *d = mem_of(f);
	size_t done = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t at = offset + done;
		size_t part = at >= d->size                 ? 0
			      : v[i].iov_len < d->size - at ? v[i].iov_len
							    : (size_t)(d->size - at);

		if (part)
			memcpy(v[i].iov_base, d->now + at, part);
		done += part;
		if (part < v[i].iov_len)
			break;
	}
	return (ssize_t)done;
}

static void mem_touch(struct mem_disk *d, uint64_t offset, uint64_t len)
{
	for (uint64_t s = offset / MEM_SECTOR; s <= (offset + len - 1) / MEM_SECTOR; s++)
		d->touched[s] = 1;
}

static ssize_t mem_pwritev(struct bfile *f, const struct iovec *v, unsigned n, uint64_t offset)
{
	struct mem_disk *d = mem_of(f);
	size_t done = 0;

	if (mem_dies(d))
		return -EIO;
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = offset + done;

		if (!v[i].iov_len)
			continue;
		if (at + v[i].iov_len > d->max)
			return done ? (ssize_t)done : -ENOSPC;
		memcpy(d->now + at, v[i].iov_base, v[i].iov_len);
		mem_touch(d, at, v[i].iov_len);
		done += v[i].iov_len;
		if (offset + done > d->size)
			d->size = offset + done;
	}
	return (ssize_t)done;
}

static int mem_sync(struct bfile *f)
{
	struct mem_disk *d = mem_of(f);

	if (d->on_sync)
		d->on_sync();
	if (d->sync_error)
		return d->sync_error;
	if (mem_dies(d))
		return -EIO;
	for (uint64_t s = 0; s < d->max / MEM_SECTOR; s++)
		if (d->touched[s]) {
			memcpy(d->safe + s * MEM_SECTOR, d->now + s * MEM_SECTOR, MEM_SECTOR);
			d->touched[s] = 0;
		}
	d->safe_size = d->size;
	return 0;
}

static int mem_truncate(struct bfile *f, uint64_t size)
{
	struct mem_disk *d = mem_of(f);

	if (mem_dies(d))
		return -EIO;
	if (size > d->max)
		return -ENOSPC;
	if (size < d->size) {
		memset(d->now + size, 0, d->size - size);
		mem_touch(d, size, d->size - size);
	}
	d->size = size;
	return 0;
}

static int mem_zero(struct bfile *f, uint64_t offset, uint64_t len, bool unmap)
{
	struct mem_disk *d = mem_of(f);

	(void)unmap;
	if (mem_dies(d))
		return -EIO;
	memset(d->now + offset, 0, len);
	mem_touch(d, offset, len);
	return 0;
}

static int mem_allocate(struct bfile *f, uint64_t offset, uint64_t len)
{
	struct mem_disk *d = mem_of(f);

	if (offset + len > d->size)
		d->size = offset + len;
	return 0;
}

static int mem_size(struct bfile *f, uint64_t *out)
{
	*out = mem_of(f)->size;
	return 0;
}

static int mem_extent(struct bfile *f, uint64_t offset, bool *data, uint64_t *len)
{
	struct mem_disk *d = mem_of(f);

	if (offset >= d->size)
		return -ENXIO;
	*data = true;
	*len = d->size - offset;
	return 0;
}

static void mem_close(struct bfile *f)
{
	(void)f;
}

static const struct bfile_ops mem_ops = {
    .preadv = mem_preadv,
    .pwritev = mem_pwritev,
    .sync = mem_sync,
    .truncate = mem_truncate,
    .zero = mem_zero,
    .allocate = mem_allocate,
    .size = mem_size,
    .extent = mem_extent,
    .close = mem_close,
};

static inline struct mem_disk *mem_disk_new(uint64_t max)
{
	struct mem_disk *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->max = max;
	d->now = calloc(1, max);
	d->safe = calloc(1, max);
	d->touched = calloc(1, max / MEM_SECTOR);
	if (!d->now || !d->safe || !d->touched)
		abort();
	return d;
}

static inline void mem_disk_free(struct mem_disk *d)
{
	free(d->now);
	free(d->safe);
	free(d->touched);
	free(d);
}

/* Power comes back: each sector that was not safe is the old one or the new, as pick() says. */
static inline void mem_disk_crash(struct mem_disk *d, bool (*pick)(void *opaque), void *opaque)
{
	bool long_size = pick(opaque);

	for (uint64_t s = 0; s < d->max / MEM_SECTOR; s++)
		if (d->touched[s]) {
			if (pick(opaque))
				memcpy(d->safe + s * MEM_SECTOR, d->now + s * MEM_SECTOR,
				       MEM_SECTOR);
			else
				memcpy(d->now + s * MEM_SECTOR, d->safe + s * MEM_SECTOR,
				       MEM_SECTOR);
			d->touched[s] = 0;
		}
	if (!long_size)
		d->size = d->safe_size;
	/* A file that did not grow has nothing past its end. */
	memset(d->now + d->size, 0, d->max - d->size);
	memset(d->safe + d->size, 0, d->max - d->size);
	d->safe_size = d->size;
	d->dead = false;
	d->fail_after = 0;
}

static inline struct bfile *mem_open(struct mem_disk *d, bool read_only)
{
	struct bfile *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->ops = &mem_ops;
	f->opaque = d;
	f->path = strdup("memory");
	f->fd = -1;
	f->read_only = read_only;
	f->mem_align = f->align = 1;
	ranges_init(&f->edge);
	return f;
}

#endif
