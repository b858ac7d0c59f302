/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio 9P transport on PCI (virtio 1.2 reserves ID 9 for it; struct virtio_9p_config of Linux): a folder of
 * the host for the guest to mount.
 */
#ifndef HW_9P_VIRTIO_9P_H
#define HW_9P_VIRTIO_9P_H

#include "hw/9p/p9_server.h"
#include "hw/block/pool.h"
#include "hw/virtio/virtio_pci.h"
#include "hw/virtio/vq_pool.h"

#define VIRTIO_9P_TAG_MAX 32u

struct virtio_9p_req;

struct virtio_9p {
	struct virtio_pci v; /* first */
	struct loop *loop;
	struct p9_server server; /* the worker's, while requests are in flight */
	struct pool *worker;     /* one thread, so requests stay in order */
	uint8_t *in, *out;       /* the worker's, P9_MSIZE_MAX bytes each */
	uint16_t in_flight;
	struct vq_pool reqs;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t idle;
	struct virtio_9p_req *done;
	unsigned nr_done;
	int event; /* readable when something is done */
};

/* Takes the tree, also when it fails. tag: 1 to VIRTIO_9P_TAG_MAX bytes, by which the guest knows it. 0 or
 * -errno. The caller puts d->v on a bus. */
int virtio_9p_init(struct virtio_9p *d, struct loop *loop, const struct p9_tree *tree,
		   const char *tag, const struct virtio_pci_options *layout);
void virtio_9p_fini(struct virtio_9p *d);
/* Waits until all that was asked for is answered. Machine lock held. */
void virtio_9p_drain(struct virtio_9p *d);

extern const struct device_type virtio_9p_type;

#endif
