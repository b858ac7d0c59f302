/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the device virtio-scsi, its requests, and its control and event queues (virtio 1.2, 5.6).
 */
#ifndef HW_STORAGE_VIRTIO_SCSI_IMPL_H
#define HW_STORAGE_VIRTIO_SCSI_IMPL_H

#include "hw/storage/virtio_scsi.h"

enum { Q_CONTROL = 0, Q_EVENT = 1, Q_REQUESTS = 2 };

/* Offsets in the configuration space. */
enum {
	C_NUM_QUEUES = 0,
	C_SEG_MAX = 4,
	C_MAX_SECTORS = 8,
	C_CMD_PER_LUN = 12,
	C_EVENT_SIZE = 16,
	C_SENSE_SIZE = 20,
	C_CDB_SIZE = 24,
	C_MAX_CHANNEL = 28,
	C_MAX_TARGET = 30,
	C_MAX_LUN = 32,
	C_LEN = 36,
};

enum { MAX_PART = 256 }; /* of a CDB or of sense data */

/* What a response says. */
enum { R_OK = 0, R_OVERRUN = 1, R_BAD_TARGET = 3, R_FAILURE = 9, R_REJECTED = 11 };

enum { EVENT_LEN = 16, EVENT_NONE = 0, EVENT_PARAM_CHANGE = 3 };

struct virtio_scsi_req {
	struct vq_elem e;   /* first */
	struct dma_sg resp; /* head of e.in */
	struct scsi_cmd c;
	struct virtio_scsi *h;
	unsigned queue;
	uint64_t data_in; /* bytes that the driver has room for */
	uint64_t moved;   /* bytes of data that success moves */
};

static inline uint32_t virtio_scsi_config(const struct virtio_scsi *h, unsigned off)
{
	return pci_get32(h->v.config + off);
}

/* A request to be filled; NULL without memory. */
struct virtio_scsi_req *virtio_scsi_take_req(struct virtio_scsi *h);
void virtio_scsi_keep_req(struct virtio_scsi_req *r);
/* The unit that an address names: logical unit 0 of a target. */
struct scsi_dev *virtio_scsi_find(const struct virtio_scsi *h, const uint8_t lun[8]);
/* Carries out a chain of a request queue. 0, or -EINVAL for one that is no request. */
int virtio_scsi_start(struct virtio_scsi_req *r);
/* The same of the control queue. */
int virtio_scsi_control(struct virtio_scsi_req *r);
/* Tells the driver, or notes that it has missed something. */
void virtio_scsi_event(struct virtio_scsi *h, uint32_t event, unsigned target, uint32_t reason);

#endif
