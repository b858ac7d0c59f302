/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio SCSI host (virtio 1.2, 5.6) on PCI: one bus with a logical unit 0 on each of its targets.
 */
#ifndef HW_STORAGE_VIRTIO_SCSI_H
#define HW_STORAGE_VIRTIO_SCSI_H

#include "hw/storage/drive_bus.h"
#include "hw/storage/scsi.h"
#include "hw/virtio/virtio_pci.h"
#include "hw/virtio/vq_pool.h"

#define VIRTIO_SCSI_TARGETS 64u
#define VIRTIO_SCSI_QUEUES  (VIRTIO_MAX_QUEUES - 2) /* of requests; the first two are others */

struct virtio_scsi;

struct virtio_scsi_target {
	struct virtio_scsi *host;
	unsigned n;
	struct scsi_dev *unit; /* or NULL */
};

struct virtio_scsi {
	struct virtio_pci v; /* first */
	struct virtio_scsi_target target[VIRTIO_SCSI_TARGETS];
	struct drive_bus bus;
	bool dropping;
	int dropped_queue; /* or -1: of all */
	uint16_t in_flight[VIRTIO_MAX_QUEUES];
	bool missed; /* an event found no buffer */
	struct vq_pool reqs;
};

struct virtio_scsi_options {
	unsigned num_queues; /* of requests; 0: one */
	unsigned queue_size; /* 0: 256 */
	bool packed, no_legacy, no_modern;
};

/* id: of -device, for the bus's name; or NULL. 0, or -EINVAL for options out of range. The caller
 * puts it on a bus. */
int virtio_scsi_init(struct virtio_scsi *h, const struct virtio_scsi_options *o, const char *id,
		     struct drive_bus **drives);
void virtio_scsi_fini(struct virtio_scsi *h);
/* Puts a unit on a target. 0; -EBUSY; -EINVAL. Its dev is the caller's to add to the machine. */
int virtio_scsi_attach(struct virtio_scsi *h, unsigned target, struct block *block,
		       const struct drive_options *o);

extern const struct device_type virtio_scsi_type;

#endif
