/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the NVMe controller: registers (nvme.c), queues (nvme_queue.c), data
 * (nvme_dma.c), admin commands (nvme_admin.c, nvme_identify.c) and I/O (nvme_io.c).
 */
#ifndef HW_STORAGE_NVME_IMPL_H
#define HW_STORAGE_NVME_IMPL_H

#include "hw/storage/nvme.h"

enum { NVME_SQE = 64, NVME_CQE = 16 };
#define NVME_MDTS     7u /* 2 to this power pages of 4 KiB */
#define NVME_MAX_DATA (4096u << NVME_MDTS)
#define NVME_RANGES   256u

/* A submission queue entry, as in memory. */
struct nvme_cmd {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint64_t reserved, metadata;
	uint64_t prp1, prp2; /* or an SGL descriptor */
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct nvme_cmd) == NVME_SQE, "as in memory");

/* Status: code type << 8 | code, 4000h: do not retry. */
enum nvme_status {
	NVME_OK = 0x0000,
	NVME_INVALID_OPCODE = 0x4001,
	NVME_INVALID_FIELD = 0x4002,
	NVME_TRANSFER_ERROR = 0x0004,
	NVME_INTERNAL = 0x0006,
	NVME_INVALID_NS = 0x400b,
	NVME_BAD_SGL_TYPE = 0x4011,
	NVME_BAD_SGL_LENGTH = 0x400f,
	NVME_BAD_PRP_OFFSET = 0x4013,
	NVME_LBA_RANGE = 0x4080,
	NVME_CAPACITY = 0x4081,
	NVME_BAD_CQ = 0x4100,
	NVME_BAD_QID = 0x4101,
	NVME_BAD_QUEUE_SIZE = 0x4102,
	NVME_AER_LIMIT = 0x4105,
	NVME_BAD_VECTOR = 0x4108,
	NVME_BAD_LOG = 0x4109,
	NVME_BAD_DELETION = 0x410c,
	NVME_NOT_SAVEABLE = 0x410d,
	NVME_READ_ONLY = 0x4182,
	NVME_WRITE_FAULT = 0x0280,
	NVME_READ_ERROR = 0x0281,
	/* Not of the specification: the command ends later. */
	NVME_LATER = 0xffff,
};

struct nvme_req {
	struct nvme *n;
	uint16_t sq, cq;
	struct nvme_cmd cmd;
	uint32_t result;
	struct dma_sg sg;
	struct block_req io;
	/* DATASET MANAGEMENT */
	uint8_t *ranges;
	unsigned range, nr_ranges;
	struct nvme_req *next;
};

/* ---- nvme_queue.c ---- */

/* Takes the new commands of a submission queue. */
void nvme_run_sq(struct nvme *n, unsigned q);
/* Of all of them. */
void nvme_run(struct nvme *n);
void nvme_complete(struct nvme_req *r, enum nvme_status status);
/* Levels of INTx. */
void nvme_update_intx(struct nvme *n);
/* Tells the host of an event if it waits for one. */
void nvme_send_events(struct nvme *n);
/* Waits for what is under way and forgets it. */
void nvme_drop(struct nvme *n);

/* ---- nvme_dma.c ---- */

/* Makes r->sg of the command's data pointer. */
enum nvme_status nvme_map(struct nvme_req *r, uint64_t len, bool to_host);
/* Whole transfers of small data; a host that asks for less than len gets less. */
enum nvme_status nvme_to_host(struct nvme_req *r, const void *data, uint64_t len);
enum nvme_status nvme_from_host(struct nvme_req *r, void *data, uint64_t len);

/* ---- commands; NVME_LATER: nvme_complete() follows ---- */

enum nvme_status nvme_admin(struct nvme_req *r);
enum nvme_status nvme_identify(struct nvme_req *r);
enum nvme_status nvme_get_log(struct nvme_req *r);
enum nvme_status nvme_io(struct nvme_req *r);

static inline uint64_t nvme_blocks(const struct nvme *n)
{
	return block_size(n->block) / n->block_len;
}
static inline uint32_t nvme_page(const struct nvme *n)
{
	return 4096u << (n->cc >> 7 & 0xf);
}

#endif
