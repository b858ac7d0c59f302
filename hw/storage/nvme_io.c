/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The NVM command set (NVM Express 1.4, chapter 6).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/storage/nvme_impl.h"

enum { IO_FLUSH = 0, IO_WRITE = 1, IO_READ = 2, IO_WRITE_ZEROES = 8, IO_DSM = 9, IO_VERIFY = 0x0c };
enum { DSM_DEALLOCATE = 1 << 2, RANGE_LEN = 16 };
#define CDW12_FUA  (1u << 30)
#define CDW12_DEAC (1u << 25)
#define ALL_NS     0xffffffffu

static enum nvme_status status_of(enum block_op op, int ret)
{
	switch (ret) {
	case 0:
		return NVME_OK;
	case -ENOSPC:
		return NVME_CAPACITY;
	case -EROFS:
		return NVME_READ_ONLY;
	case -EIO:
		return op == BLOCK_READ ? NVME_READ_ERROR : NVME_WRITE_FAULT;
	}
	return NVME_INTERNAL;
}

static void done(struct block_req *io, int ret)
{
	struct nvme_req *r = io->opaque;

	if (io->op == BLOCK_READ)
		dma_sg_written(&r->sg, 0, r->sg.len);
	nvme_complete(r, status_of(io->op, ret));
}

static void submit(struct nvme_req *r, enum block_op op, uint64_t offset, uint64_t len,
		   unsigned flags, void (*fn)(struct block_req *, int))
{
	bool data = op == BLOCK_READ || op == BLOCK_WRITE;

	r->io.op = op;
	r->io.flags = flags;
	r->io.offset = offset;
	r->io.len = len;
	r->io.iov = data ? r->sg.iov : NULL;
	r->io.nr_iov = data ? r->sg.nr : 0;
	r->io.done = fn;
	r->io.opaque = r;
	block_submit(r->n->block, &r->io);
}

static bool range_ok(const struct nvme *n, uint64_t lba, uint64_t blocks)
{
	uint64_t total = nvme_blocks(n);

	return lba <= total && blocks <= total - lba;
}

static uint64_t lba_of(const struct nvme_req *r)
{
	return (uint64_t)r->cmd.cdw11 << 32 | r->cmd.cdw10;
}

static enum nvme_status read_write(struct nvme_req *r, bool write)
{
	struct nvme *n = r->n;
	uint64_t lba = lba_of(r), blocks = (r->cmd.cdw12 & 0xffff) + 1;
	uint64_t len = blocks * n->block_len;
	unsigned flags = write && r->cmd.cdw12 & CDW12_FUA ? BLOCK_FUA : 0;
	enum nvme_status s;

	if (len > NVME_MAX_DATA)
		return NVME_INVALID_FIELD;
	if (!range_ok(n, lba, blocks))
		return NVME_LBA_RANGE;
	if (write && block_read_only(n->block))
		return NVME_READ_ONLY;
	s = nvme_map(r, len, !write);
	if (s != NVME_OK)
		return s;
	submit(r, write ? BLOCK_WRITE : BLOCK_READ, lba * n->block_len, len, flags, done);
	return NVME_LATER;
}

static enum nvme_status write_zeroes(struct nvme_req *r)
{
	struct nvme *n = r->n;
	uint64_t lba = lba_of(r), blocks = (r->cmd.cdw12 & 0xffff) + 1;
	unsigned flags = (r->cmd.cdw12 & CDW12_FUA ? BLOCK_FUA : 0) |
			 (r->cmd.cdw12 & CDW12_DEAC ? BLOCK_MAY_UNMAP : 0);

	if (!range_ok(n, lba, blocks))
		return NVME_LBA_RANGE;
	if (block_read_only(n->block))
		return NVME_READ_ONLY;
	submit(r, BLOCK_WRITE_ZEROES, lba * n->block_len, blocks * n->block_len, flags, done);
	return NVME_LATER;
}

/* ---- DATASET MANAGEMENT ---- */

/* The next range that is not empty. False at the end. */
static bool next_range(struct nvme_req *r, uint64_t *lba, uint32_t *blocks)
{
	while (r->range < r->nr_ranges) {
		const uint8_t *p = r->ranges + (size_t)r->range++ * RANGE_LEN;

		memcpy(blocks, p + 4, 4);
		memcpy(lba, p + 8, 8);
		if (*blocks)
			return true;
	}
	return false;
}

static void discard_done(struct block_req *io, int ret)
{
	struct nvme_req *r = io->opaque;
	uint32_t blocks;
	uint64_t lba;

	if (ret < 0 || !next_range(r, &lba, &blocks))
		nvme_complete(r, status_of(BLOCK_DISCARD, ret));
	else
		submit(r, BLOCK_DISCARD, lba * r->n->block_len, (uint64_t)blocks * r->n->block_len,
		       0, discard_done);
}

static enum nvme_status dataset_management(struct nvme_req *r)
{
	struct nvme *n = r->n;
	enum nvme_status s;
	uint32_t blocks;
	uint64_t lba;

	r->nr_ranges = (r->cmd.cdw10 & 0xff) + 1;
	r->range = 0;
	free(r->ranges);
	r->ranges = malloc((size_t)NVME_RANGES * RANGE_LEN);
	if (!r->ranges)
		return NVME_INTERNAL;
	s = nvme_from_host(r, r->ranges, (uint64_t)r->nr_ranges * RANGE_LEN);
	if (s != NVME_OK)
		return s;
	while (next_range(r, &lba, &blocks))
		if (!range_ok(n, lba, blocks))
			return NVME_LBA_RANGE;
	r->range = 0;
	/* The other attributes are hints. */
	if (!(r->cmd.cdw11 & DSM_DEALLOCATE) || !block_can_discard(n->block) ||
	    !next_range(r, &lba, &blocks))
		return NVME_OK;
	if (block_read_only(n->block))
		return NVME_READ_ONLY;
	submit(r, BLOCK_DISCARD, lba * n->block_len, (uint64_t)blocks * n->block_len, 0,
	       discard_done);
	return NVME_LATER;
}

enum nvme_status nvme_io(struct nvme_req *r)
{
	if (r->cmd.nsid != 1 && !(r->cmd.opcode == IO_FLUSH && r->cmd.nsid == ALL_NS))
		return NVME_INVALID_NS;
	switch (r->cmd.opcode) {
	case IO_FLUSH:
		submit(r, BLOCK_FLUSH, 0, 0, 0, done);
		return NVME_LATER;
	case IO_WRITE:
	case IO_READ:
		return read_write(r, r->cmd.opcode == IO_WRITE);
	case IO_WRITE_ZEROES:
		return write_zeroes(r);
	case IO_DSM:
		return dataset_management(r);
	case IO_VERIFY:
		return range_ok(r->n, lba_of(r), (r->cmd.cdw12 & 0xffff) + 1) ? NVME_OK
									      : NVME_LBA_RANGE;
	}
	return NVME_INVALID_OPCODE;
}
