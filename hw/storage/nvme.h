/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An NVMe controller with one namespace (NVM Express 1.4): admin and I/O queues in the host's memory,
 * PRP and SGL, MSI-X.
 */
#ifndef HW_STORAGE_NVME_H
#define HW_STORAGE_NVME_H

#include "hw/dma_sg.h"
#include "hw/msi.h"
#include "hw/pci.h"
#include "hw/storage/storage.h"

#define NVME_MAX_PAIRS 64u /* of I/O queues */
#define NVME_QUEUES    (NVME_MAX_PAIRS + 1)
#define NVME_MAX_SIZE  1024u /* entries of a queue */
#define NVME_AERS      4u

struct nvme_req;

struct nvme_sq {
	uint64_t base;
	uint32_t size;
	uint16_t head, tail, cq;
	bool valid;
};

struct nvme_cq {
	uint64_t base;
	uint32_t size;
	uint16_t head, tail, vector;
	bool phase, irq, valid;
	uint16_t reserved; /* entries that commands under way will take */
};

struct nvme {
	struct pci_func func;
	struct msix msix;
	struct device state;
	struct block *block;
	char serial[21], model[41];
	uint32_t block_len;
	uint16_t pairs;   /* I/O queue pairs that there can be */
	bool write_cache; /* as the user set it */

	/* Registers. */
	uint32_t cc, csts, aqa, intms;
	uint64_t asq, acq;
	/* Features. */
	uint32_t arbitration, power, temperature, error_recovery, coalescing, atomicity, events;
	uint64_t timestamp;

	struct nvme_sq sq[NVME_QUEUES];
	struct nvme_cq cq[NVME_QUEUES];
	uint16_t aer[NVME_AERS]; /* command identifiers */
	uint8_t nr_aers;
	bool changed; /* the namespace has, and the host was not told yet */

	/* Not part of the state: nothing of this lasts while the machine rests. */
	unsigned in_flight;
	bool batch, dropping;
	bool throttled;         /* a queue waits for requests of any queue to end */
	bool told[NVME_QUEUES]; /* completion queues whose interrupt waits for the batch's end */
	struct nvme_req *free;
	struct block_req shutdown;
};

struct nvme_options {
	const char *serial, *model;
	unsigned pairs;         /* 0: all */
	uint32_t logical_block; /* bytes; 0: 512 */
};

/* block is borrowed, and attached to this controller. The caller puts func on the bus and
 * adds n->state to the machine. 0, -EBUSY, or -EINVAL for options out of range. */
int nvme_init(struct nvme *n, struct block *block, const struct nvme_options *o);
void nvme_fini(struct nvme *n);

extern const struct device_type nvme_type;

#endif
