/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests kept for the next ones.
 */
#include "hw/virtio/vq_pool.h"

#include <stdlib.h>

void *vq_pool_take(struct vq_pool *p, size_t size)
{
	struct vq_elem *e = p->free;

	if (e) {
		p->free = e->next;
		return e;
	}
	e = calloc(1, size);
	if (e)
		vq_elem_init(e);
	return e;
}

void vq_pool_give(struct vq_pool *p, void *req)
{
	struct vq_elem *e = req;

	e->next = p->free;
	p->free = e;
}

void vq_pool_fini(struct vq_pool *p, void (*fini)(void *req))
{
	while (p->free) {
		struct vq_elem *e = p->free;

		p->free = e->next;
		vq_elem_fini(e);
		if (fini)
			fini(e);
		free(e);
	}
}
