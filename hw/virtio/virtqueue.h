/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Virtqueues, the device's side (Virtual I/O Device Version 1.2, sections 2.7 split and 2.8 packed):
 * chains of buffers come out of vq_pop() as scatter-gather lists over guest RAM and go back by
 * vq_push(). Event index, indirect descriptors, both layouts.
 *
 * Everything in the rings is hostile: a queue whose contents make no sense answers -EINVAL or -EFAULT
 * once, is broken from then on, and does nothing more until it is reset.
 */
#ifndef HW_VIRTIO_VIRTQUEUE_H
#define HW_VIRTIO_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/dma_sg.h"

#define VQ_MAX_SIZE 1024u
#define VQ_MAX_SEGS 1024u /* of one chain, in each direction */

#define VQ_NO_VECTOR 0xffffu

struct virtqueue {
	/* What the driver has set up. */
	uint16_t size;   /* entries; a power of two in a split queue */
	uint16_t vector; /* MSI-X */
	bool enabled;
	uint64_t desc, driver, device; /* guest-physical */

	/* How far the device has come. Packed: indexes below size, with their wrap counters. */
	uint16_t avail, used;
	bool avail_wrap, used_wrap;
	uint16_t signalled; /* value of `used` at the last interrupt */
	bool signalled_valid;
	bool signalled_wrap;
	bool broken;

	/* How the device is set up, the same for all its queues. */
	struct aspace *mem;
	bool packed, event_idx;
	bool quiet; /* the driver was asked not to notify */

	/* Where the three areas are in the host's memory, while the memory map is of this generation. */
	uint32_t generation;
	uint8_t *host_desc, *host_driver, *host_device;
	struct ram *ram_desc, *ram_device;
};

/* One chain of buffers. Keeps its lists' memory for the next chain, until vq_elem_fini(). */
struct vq_elem {
	uint16_t id;
	uint16_t descs;       /* packed: ring entries that it takes */
	struct dma_sg out;    /* what the device reads */
	struct dma_sg in;     /* what it writes */
	struct vq_elem *next; /* the owner's: a list that it is on */
};

void vq_elem_init(struct vq_elem *e);
void vq_elem_fini(struct vq_elem *e);

/* Back to what it is before the driver sets it up; mem and layout stay. */
void vq_reset(struct virtqueue *vq, uint16_t size);
/* The driver has set the addresses and the size: starts from the first entry. */
void vq_enable(struct virtqueue *vq);

/* The next chain: 1, 0 when there is none, or -errno when the queue has just become broken. */
int vq_pop(struct virtqueue *vq, struct vq_elem *e);
/* The device is done with a chain and wrote `len` bytes to its e->in, of which it has already told
 * the RAM. */
void vq_push(struct virtqueue *vq, const struct vq_elem *e, uint32_t len);
/* The same for n chains, which the driver sees all at once. */
void vq_push_all(struct virtqueue *vq, const struct vq_elem *e, const uint32_t *len, unsigned n);
/* Puts the chain of the last vq_pop() back, to come again; then the one before it, and so on. */
void vq_unpop(struct virtqueue *vq, const struct vq_elem *e);
/* Whether the driver wants an interrupt for what was pushed since the last call. */
bool vq_should_notify(struct virtqueue *vq);
/* Asks the driver to notify, or not to, when it adds chains; a hint. After switching it on, look
 * once more with vq_empty(). */
void vq_want_notify(struct virtqueue *vq, bool want);
bool vq_empty(struct virtqueue *vq);

#endif
