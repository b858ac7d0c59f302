/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Virtqueues: what both layouts share, and the split layout (virtio 1.2, 2.7).
 */
#include "hw/virtio/virtqueue_impl.h"

#include <errno.h>
#include <string.h>

enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };
enum { RING_FLAGS = 0, RING_IDX = 2, RING_ENTRIES = 4 };

/* Where used_event (in the driver area) and avail_event (in the device area) are. */
static uint32_t used_event_off(const struct virtqueue *vq)
{
	return RING_ENTRIES + 2u * vq->size;
}
static uint32_t avail_event_off(const struct virtqueue *vq)
{
	return RING_ENTRIES + 8u * vq->size;
}

void vq_elem_init(struct vq_elem *e)
{
	memset(e, 0, sizeof(*e));
	dma_sg_init(&e->out, VQ_MAX_SEGS);
	dma_sg_init(&e->in, VQ_MAX_SEGS);
}

void vq_elem_fini(struct vq_elem *e)
{
	dma_sg_fini(&e->out);
	dma_sg_fini(&e->in);
}

void vq_reset(struct virtqueue *vq, uint16_t size)
{
	vq->size = size;
	vq->vector = VQ_NO_VECTOR;
	vq->enabled = false;
	vq->desc = vq->driver = vq->device = 0;
	vq_enable(vq);
	vq->enabled = false;
}

void vq_enable(struct virtqueue *vq)
{
	vq->enabled = true;
	vq->avail = vq->used = vq->signalled = 0;
	vq->avail_wrap = vq->used_wrap = vq->signalled_wrap = true;
	vq->signalled_valid = false;
	vq->broken = false;
	vq->quiet = false;
	vq->host_desc = NULL;
}

int vq_break(struct virtqueue *vq, int err)
{
	vq->broken = true;
	return err;
}

int vq_map(struct virtqueue *vq)
{
	uint32_t generation = atomic_load(&vq->mem->generation);
	uint32_t driver = vq->packed ? 4 : RING_ENTRIES + 2u * vq->size + 2;
	uint32_t device = vq->packed ? 4 : RING_ENTRIES + 8u * vq->size + 2;
	struct ram *ram;

	if (vq->host_desc && vq->generation == generation)
		return 0;
	vq->host_desc = NULL;
	/* The layouts align their areas to 16, 2 and 4 bytes; fields are accessed as such. */
	if (vq->desc & 15 || vq->driver & 1 || vq->device & 3 || !vq->size)
		return -EFAULT;
	vq->host_driver = dma_map(vq->mem, vq->driver, driver, false, &ram);
	vq->host_device = dma_map(vq->mem, vq->device, device, true, &vq->ram_device);
	if (!vq->host_driver || !vq->host_device)
		return -EFAULT;
	vq->host_desc =
	    dma_map(vq->mem, vq->desc, (uint64_t)DESC_SIZE * vq->size, vq->packed, &vq->ram_desc);
	vq->generation = generation;
	return vq->host_desc ? 0 : -EFAULT;
}

void vq_device_written(const struct virtqueue *vq, uint32_t off, uint32_t len)
{
	ram_written(vq->ram_device, (uint64_t)(vq->host_device - vq->ram_device->host) + off, len);
}

int vq_add_buffer(struct virtqueue *vq, struct vq_elem *e, const struct vq_desc *d)
{
	if (d->flags & DESC_WRITE)
		return dma_sg_add(&e->in, vq->mem, d->addr, d->len, true);
	/* What the device writes comes last in a chain. */
	if (e->in.nr)
		return -EINVAL;
	return dma_sg_add(&e->out, vq->mem, d->addr, d->len, false);
}

int vq_indirect(struct virtqueue *vq, const struct vq_desc *d, const uint8_t **table)
{
	struct ram *ram;

	if (!d->len || d->len % DESC_SIZE || d->len / DESC_SIZE > VQ_MAX_SEGS)
		return -EINVAL;
	*table = dma_map(vq->mem, d->addr, d->len, false, &ram);
	return *table ? (int)(d->len / DESC_SIZE) : -EFAULT;
}

static struct vq_desc load_desc(const uint8_t *table, unsigned n)
{
	struct vq_desc d;

	memcpy(&d, table + (size_t)n * DESC_SIZE, sizeof(d));
	return d;
}

/* Follows the chain from entry `at` of a table of `n`. 0 or -errno. */
static int split_chain(struct virtqueue *vq, struct vq_elem *e, const uint8_t *table, unsigned n,
		       unsigned at, bool indirect)
{
	/* A chain cannot be longer than its table unless it has a loop. */
	for (unsigned i = 0; i < n; i++) {
		struct vq_desc d = load_desc(table, at);
		int r;

		if (d.flags & DESC_INDIRECT) {
			const uint8_t *inner;

			if (indirect || d.flags & DESC_NEXT)
				return -EINVAL;
			r = vq_indirect(vq, &d, &inner);
			return r < 0 ? r : split_chain(vq, e, inner, (unsigned)r, 0, true);
		}
		r = vq_add_buffer(vq, e, &d);
		if (r < 0)
			return r;
		if (!(d.flags & DESC_NEXT))
			return 0;
		at = d.next;
		if (at >= n)
			return -EINVAL;
	}
	return -EINVAL;
}

static int split_pop(struct virtqueue *vq, struct vq_elem *e)
{
	uint16_t idx = ring_load16(vq->host_driver + RING_IDX);
	uint16_t mask = vq->size - 1;
	int r;

	if (idx == vq->avail)
		return 0;
	if ((uint16_t)(idx - vq->avail) > vq->size)
		return vq_break(vq, -EINVAL);
	e->id = ring_load16(vq->host_driver + RING_ENTRIES + 2 * (vq->avail & mask));
	if (e->id >= vq->size)
		return vq_break(vq, -EINVAL);
	r = split_chain(vq, e, vq->host_desc, vq->size, e->id, false);
	if (r < 0)
		return vq_break(vq, r);
	vq->avail++;
	if (vq->event_idx && !vq->quiet) {
		ring_store16(vq->host_device + avail_event_off(vq), vq->avail);
		vq_device_written(vq, avail_event_off(vq), 2);
	}
	return 1;
}

int vq_pop(struct virtqueue *vq, struct vq_elem *e)
{
	if (!vq->enabled || vq->broken)
		return 0;
	if (vq_map(vq) < 0)
		return vq_break(vq, -EFAULT);
	dma_sg_clear(&e->out);
	dma_sg_clear(&e->in);
	e->descs = 0;
	return vq->packed ? vq_packed_pop(vq, e) : split_pop(vq, e);
}

void vq_unpop(struct virtqueue *vq, const struct vq_elem *e)
{
	if (vq->packed)
		vq_packed_unpop(vq, e);
	else
		vq->avail--;
}

static void split_push(struct virtqueue *vq, const struct vq_elem *e, const uint32_t *len,
		       unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t off = RING_ENTRIES + 8u * ((vq->used + i) & (vq->size - 1u));
		uint32_t entry[2] = {e[i].id, len[i]};

		memcpy(vq->host_device + off, entry, sizeof(entry));
		vq_device_written(vq, off, sizeof(entry));
	}
	vq->used += (uint16_t)n;
	ring_store16(vq->host_device + RING_IDX, vq->used);
	vq_device_written(vq, RING_IDX, 2);
}

void vq_push_all(struct virtqueue *vq, const struct vq_elem *e, const uint32_t *len, unsigned n)
{
	if (!vq->enabled || vq->broken)
		return;
	if (vq_map(vq) < 0)
		vq_break(vq, -EFAULT);
	else if (vq->packed)
		vq_packed_push(vq, e, len, n);
	else
		split_push(vq, e, len, n);
}

void vq_push(struct virtqueue *vq, const struct vq_elem *e, uint32_t len)
{
	vq_push_all(vq, e, &len, 1);
}

bool vq_should_notify(struct virtqueue *vq)
{
	uint16_t old = vq->signalled;
	bool valid = vq->signalled_valid;

	if (!vq->enabled || vq->broken || vq_map(vq) < 0)
		return false;
	/* What was published must be visible before the driver's wish is read (2.7.10). */
	atomic_thread_fence(memory_order_seq_cst);
	if (vq->packed)
		return vq_packed_should_notify(vq);
	if (!vq->event_idx)
		return !(ring_load16(vq->host_driver + RING_FLAGS) & AVAIL_NO_INTERRUPT);
	vq->signalled = vq->used;
	vq->signalled_valid = true;
	return !valid ||
	       vq_event_passed(ring_load16(vq->host_driver + used_event_off(vq)), vq->used, old);
}

void vq_want_notify(struct virtqueue *vq, bool want)
{
	vq->quiet = !want;
	if (!vq->enabled || vq->broken || vq_map(vq) < 0)
		return;
	if (vq->packed) {
		vq_packed_want_notify(vq, want);
	} else if (!vq->event_idx) {
		ring_store16(vq->host_device + RING_FLAGS, want ? 0 : USED_NO_NOTIFY);
		vq_device_written(vq, RING_FLAGS, 2);
	} else if (want) {
		ring_store16(vq->host_device + avail_event_off(vq), vq->avail);
		vq_device_written(vq, avail_event_off(vq), 2);
	}
	atomic_thread_fence(memory_order_seq_cst);
}

bool vq_empty(struct virtqueue *vq)
{
	if (!vq->enabled || vq->broken || vq_map(vq) < 0)
		return true;
	if (vq->packed)
		return vq_packed_empty(vq);
	return ring_load16(vq->host_driver + RING_IDX) == vq->avail;
}
