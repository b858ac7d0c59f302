/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The driver's side of a virtqueue, for tests: both layouts, chains of any shape, in guest memory.
 */
#ifndef TESTS_UNIT_VRING_H
#define TESTS_UNIT_VRING_H

#include <string.h>

#include "mmu/aspace.h"

struct vring {
	struct aspace *mem;
	bool packed;
	uint16_t size;
	uint64_t desc, driver, device;
	uint16_t next;  /* split: descriptor to use next; packed: ring index */
	uint16_t avail; /* split: index */
	uint16_t used;  /* split: index seen; packed: ring index */
	bool wrap, used_wrap;
};

struct vbuf {
	uint64_t addr;
	uint32_t len;
	bool write;
};

static inline void vring_init(struct vring *r, struct aspace *mem, bool packed, uint16_t size,
			      uint64_t at)
{
	*r = (struct vring){
	    .mem = mem,
	    .packed = packed,
	    .size = size,
	    .desc = at,
	    .driver = at + 16ull * size,
	    .device = (at + 18ull * size + 6 + 4095) & ~4095ull,
	    .wrap = true,
	    .used_wrap = true,
	};
}

static inline void vring_desc(struct vring *r, uint64_t at, uint64_t addr, uint32_t len, uint16_t a,
			      uint16_t b)
{
	aspace_write(r->mem, at, addr, 8);
	aspace_write(r->mem, at + 8, len, 4);
	aspace_write(r->mem, at + 12, a, 2);
	aspace_write(r->mem, at + 14, b, 2);
}

/* Makes a chain available, through a table at `table` unless that is 0. Its id. */
static inline uint16_t vring_add(struct vring *r, const struct vbuf *b, unsigned n, uint64_t table)
{
	uint16_t first = r->next, id = first;
	unsigned entries = table ? 1 : n;

	for (unsigned i = 0; table && i < n; i++) {
		uint16_t flags =
		    (uint16_t)((b[i].write ? 2 : 0) | (!r->packed && i + 1 < n ? 1 : 0));

		if (r->packed)
			vring_desc(r, table + 16 * i, b[i].addr, b[i].len, 0, flags);
		else
			vring_desc(r, table + 16 * i, b[i].addr, b[i].len, flags,
				   (uint16_t)(i + 1));
	}
	for (unsigned i = 0; i < entries; i++) {
		uint16_t at = r->next, next = (uint16_t)((at + 1) % r->size);
		uint64_t addr = table ? table : b[i].addr;
		uint32_t len = table ? 16 * n : b[i].len;
		uint16_t flags = table ? 4 : b[i].write ? 2 : 0;

		flags |= i + 1 < entries ? 1 : 0;
		if (r->packed) {
			flags |= r->wrap ? 0x80 : 0x8000;
			vring_desc(r, r->desc + 16ull * at, addr, len, id, flags);
			r->wrap ^= next == 0;
		} else {
			vring_desc(r, r->desc + 16ull * at, addr, len, flags, next);
		}
		r->next = next;
	}
	if (!r->packed) {
		aspace_write(r->mem, r->driver + 4 + 2ull * (r->avail % r->size), first, 2);
		aspace_write(r->mem, r->driver + 2, ++r->avail, 2);
	}
	return id;
}

/* Takes what the device is done with: true, with its id and length. n: descriptors of that chain. */
static inline bool vring_used(struct vring *r, unsigned n, uint16_t *id, uint32_t *len)
{
	if (r->packed) {
		uint64_t at = r->desc + 16ull * r->used;
		uint16_t flags = (uint16_t)aspace_read(r->mem, at + 14, 2);

		if (!!(flags & 0x80) != r->used_wrap || !!(flags & 0x8000) != r->used_wrap)
			return false;
		*len = (uint32_t)aspace_read(r->mem, at + 8, 4);
		*id = (uint16_t)aspace_read(r->mem, at + 12, 2);
		r->used = (uint16_t)(r->used + n);
		if (r->used >= r->size) {
			r->used = (uint16_t)(r->used - r->size);
			r->used_wrap = !r->used_wrap;
		}
		return true;
	}
	if ((uint16_t)aspace_read(r->mem, r->device + 2, 2) == r->used)
		return false;
	uint64_t at = r->device + 4 + 8ull * (r->used % r->size);
	*id = (uint16_t)aspace_read(r->mem, at, 4);
	*len = (uint32_t)aspace_read(r->mem, at + 4, 4);
	r->used++;
	return true;
}

#endif
