/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio block device (virtio 1.2, 5.2) on PCI.
 */
#ifndef HW_STORAGE_VIRTIO_BLK_H
#define HW_STORAGE_VIRTIO_BLK_H

#include "hw/block/block.h"
#include "hw/virtio/virtio_pci.h"
#include "hw/virtio/vq_pool.h"

struct virtio_blk {
	struct virtio_pci v; /* first */
	struct block *block;
	bool write_cache;  /* as the user set it: what a reset goes back to */
	bool dropping;     /* requests that end now are thrown away by a reset */
	int dropped_queue; /* of which queue, or -1: of all */
	uint16_t in_flight[VIRTIO_MAX_QUEUES];
	struct vq_pool reqs;
	char serial[21];
};

struct virtio_blk_options {
	unsigned num_queues; /* 0: one */
	unsigned queue_size; /* 0: 256 */
	unsigned vectors;    /* MSI-X; 0: one for each queue and one for the configuration */
	const char *serial;  /* or NULL; cut to 20 characters */
	bool packed, no_event_idx, no_indirect, no_config_wce, no_legacy, no_modern;
	uint32_t logical_block, physical_block; /* bytes; 0: 512 */
};

/* The block device is borrowed, and attached to this controller. 0; -EBUSY when it has one already;
 * -EINVAL for options out of range. The caller puts d->v on a bus. */
int virtio_blk_init(struct virtio_blk *d, struct block *block, const struct virtio_blk_options *o);
void virtio_blk_fini(struct virtio_blk *d);

extern const struct device_type virtio_blk_type;

#endif
