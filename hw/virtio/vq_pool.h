/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a virtio device keeps for a request, of whatever type, as long as it begins with its struct vq_elem: given
 * back, it waits for the next one, with the memory of its lists.
 */
#ifndef HW_VIRTIO_VQ_POOL_H
#define HW_VIRTIO_VQ_POOL_H

#include <stddef.h>

#include "hw/virtio/virtqueue.h"

/* All zero: empty. */
struct vq_pool {
	struct vq_elem *free;
};

/* A request of `size` bytes, the same for each call. A new one is zeroes behind its element; one that was given
 * back is as it was. NULL without memory. */
void *vq_pool_take(struct vq_pool *p, size_t size);
void vq_pool_give(struct vq_pool *p, void *req);
/* Frees those that were given back. fini: what they have besides the element; may be NULL. */
void vq_pool_fini(struct vq_pool *p, void (*fini)(void *req));

#endif
