/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The packed layout of virtqueues (virtio 1.2, 2.8): one ring of descriptors that the driver makes
 * available and the device overwrites as used; each side's wrap counter tells new from old.
 */
#include <errno.h>
#include <string.h>

#include "hw/virtio/virtqueue_impl.h"

enum { EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC };
enum { EVENT_OFF_WRAP = 0, EVENT_FLAGS = 2 };
#define EVENT_WRAP 0x8000u

static uint8_t *ring(const struct virtqueue *vq, unsigned n)
{
	return vq->host_desc + (size_t)n * DESC_SIZE;
}

static uint16_t flags_at(const struct virtqueue *vq, unsigned n)
{
	return ring_load16(ring(vq, n) + 14);
}

static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & DESC_AVAIL) == wrap && !!(flags & DESC_USED) != wrap;
}

/* In memory: address, length, buffer ID, flags. */
static struct vq_desc load_desc(const uint8_t *p)
{
	struct vq_desc d;

	memcpy(&d.addr, p, 8);
	memcpy(&d.len, p + 8, 4);
	memcpy(&d.next, p + 12, 2);
	memcpy(&d.flags, p + 14, 2);
	return d;
}

/* All entries of an indirect table belong to the chain. */
static int add_table(struct virtqueue *vq, struct vq_elem *e, const struct vq_desc *outer)
{
	const uint8_t *table;
	int n = vq_indirect(vq, outer, &table);

	for (int i = 0; i < n; i++) {
		struct vq_desc d = load_desc(table + (size_t)i * DESC_SIZE);
		int r = d.flags & DESC_INDIRECT ? -EINVAL : vq_add_buffer(vq, e, &d);

		if (r < 0)
			return r;
	}
	return n < 0 ? n : 0;
}

int vq_packed_pop(struct virtqueue *vq, struct vq_elem *e)
{
	unsigned at = vq->avail;
	bool wrap = vq->avail_wrap;

	if (!is_available(flags_at(vq, at), wrap))
		return 0;
	for (unsigned i = 0; i < vq->size; i++) {
		struct vq_desc d = load_desc(ring(vq, at));
		int r = 0;

		e->id = d.next;
		e->descs++;
		if (++at == vq->size) {
			at = 0;
			wrap = !wrap;
		}
		if (!(d.flags & DESC_INDIRECT))
			r = vq_add_buffer(vq, e, &d);
		else if (i || d.flags & DESC_NEXT)
			r = -EINVAL;
		else
			r = add_table(vq, e, &d);
		if (r < 0)
			return vq_break(vq, r);
		if (!(d.flags & DESC_NEXT)) {
			vq->avail = (uint16_t)at;
			vq->avail_wrap = wrap;
			return 1;
		}
	}
	return vq_break(vq, -EINVAL);
}

void vq_packed_unpop(struct virtqueue *vq, const struct vq_elem *e)
{
	if (vq->avail < e->descs) {
		vq->avail += vq->size;
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->avail -= e->descs;
}

static void put_used(struct virtqueue *vq, unsigned at, bool wrap, const struct vq_elem *e,
		     uint32_t len)
{
	uint8_t *p = ring(vq, at);
	uint16_t flags = len ? DESC_WRITE : 0;

	if (wrap)
		flags |= DESC_AVAIL | DESC_USED;
	memcpy(p + 8, &len, 4);
	memcpy(p + 12, &e->id, 2);
	ring_store16(p + 14, flags);
	ram_written(vq->ram_desc, (uint64_t)(p - vq->ram_desc->host), DESC_SIZE);
}

void vq_packed_push(struct virtqueue *vq, const struct vq_elem *e, const uint32_t *len, unsigned n)
{
	unsigned first = vq->used;
	bool first_wrap = vq->used_wrap;

	for (unsigned i = 0; i < n; i++) {
		/* The driver looks at the first one, so that comes last. */
		if (i)
			put_used(vq, vq->used, vq->used_wrap, &e[i], len[i]);
		vq->used += e[i].descs;
		if (vq->used >= vq->size) {
			vq->used -= vq->size;
			vq->used_wrap = !vq->used_wrap;
		}
	}
	if (n)
		put_used(vq, first, first_wrap, e, *len);
}

bool vq_packed_should_notify(struct virtqueue *vq)
{
	uint16_t flags = ring_load16(vq->host_driver + EVENT_FLAGS);
	uint16_t off_wrap = ring_load16(vq->host_driver + EVENT_OFF_WRAP);
	uint16_t old = vq->signalled, now = vq->used;
	bool old_wrap = vq->signalled_wrap, valid = vq->signalled_valid;
	int event = off_wrap & ~EVENT_WRAP;

	vq->signalled = now;
	vq->signalled_wrap = vq->used_wrap;
	vq->signalled_valid = true;
	if (flags == EVENT_DISABLE)
		return false;
	if (flags != EVENT_DESC || !vq->event_idx || !valid)
		return true;
	/* Distances count from the lap that `now` is in. */
	if (!!(off_wrap & EVENT_WRAP) != vq->used_wrap)
		event -= vq->size;
	if (old_wrap != vq->used_wrap)
		old = (uint16_t)(old - vq->size);
	return vq_event_passed((uint16_t)event, now, old);
}

void vq_packed_want_notify(struct virtqueue *vq, bool want)
{
	ring_store16(vq->host_device + EVENT_FLAGS, want ? EVENT_ENABLE : EVENT_DISABLE);
	vq_device_written(vq, 0, 4);
}

bool vq_packed_empty(struct virtqueue *vq)
{
	return !is_available(flags_at(vq, vq->avail), vq->avail_wrap);
}
