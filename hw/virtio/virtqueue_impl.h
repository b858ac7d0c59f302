/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the two ring layouts.
 */
#ifndef HW_VIRTIO_VIRTQUEUE_IMPL_H
#define HW_VIRTIO_VIRTQUEUE_IMPL_H

#include "hw/virtio/virtqueue.h"

enum { DESC_SIZE = 16 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };

/* A descriptor of either layout. */
struct vq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next; /* split: next; packed: buffer ID */
};

/* The rings are shared with the guest's CPUs: each field is read and written once, in order. */
static inline uint16_t ring_load16(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE);
}

static inline void ring_store16(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, v, __ATOMIC_RELEASE);
}

/* Finds the rings in the host's memory where that is not known. 0 or -EFAULT. */
int vq_map(struct virtqueue *vq);
int vq_break(struct virtqueue *vq, int err);
/* The device area was written at [off, off + len). */
void vq_device_written(const struct virtqueue *vq, uint32_t off, uint32_t len);
/* Adds a descriptor's buffer to the chain. 0 or -errno. */
int vq_add_buffer(struct virtqueue *vq, struct vq_elem *e, const struct vq_desc *d);
/* Copies out the table that an indirect descriptor names. Entries, or -errno. */
int vq_indirect(struct virtqueue *vq, const struct vq_desc *d, const uint8_t **table);

/* What has to be told when `used` went from `old` to `now` and the driver wants to hear about
 * `event` (2.7.10): true when event lies in (old, now]. */
static inline bool vq_event_passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

int vq_packed_pop(struct virtqueue *vq, struct vq_elem *e);
void vq_packed_unpop(struct virtqueue *vq, const struct vq_elem *e);
void vq_packed_push(struct virtqueue *vq, const struct vq_elem *e, const uint32_t *len, unsigned n);
bool vq_packed_should_notify(struct virtqueue *vq);
void vq_packed_want_notify(struct virtqueue *vq, bool want);
bool vq_packed_empty(struct virtqueue *vq);

#endif
