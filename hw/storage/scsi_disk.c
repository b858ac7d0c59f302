/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SCSI disks: the commands of SBC-3.
 */
#include <string.h>

#include "hw/storage/scsi_impl.h"

#define MAX_BLOCKS 0x3fffffu /* of one WRITE SAME or UNMAP descriptor */
enum { FUA = 8 };

static void read_capacity_10(struct scsi_cmd *c)
{
	uint64_t last = scsi_blocks(c->d) - 1;

	if (!scsi_blocks(c->d))
		last = 0;
	set_be32(c->buf, last > 0xffffffff ? 0xffffffff : (uint32_t)last);
	set_be32(c->buf + 4, c->d->block_len);
	scsi_reply(c, 8, 8);
}

static void read_capacity_16(struct scsi_cmd *c)
{
	if ((c->cdb[1] & 0x1f) != 0x10) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	set_be64(c->buf, scsi_blocks(c->d) ? scsi_blocks(c->d) - 1 : 0);
	set_be32(c->buf + 8, c->d->block_len);
	if (block_can_discard(c->d->block))
		c->buf[14] = 0x80; /* UNMAP works */
	scsi_reply(c, 32, be32(c->cdb + 10));
}

/* Address and length of the read and write commands in all their sizes. */
static void operands(const uint8_t *cdb, uint64_t *lba, uint64_t *blocks)
{
	switch (scsi_cdb_len(cdb[0])) {
	case 6:
		*lba = be32(cdb) & 0x1fffff;
		*blocks = cdb[4] ? cdb[4] : 256;
		break;
	case 10:
		*lba = be32(cdb + 2);
		*blocks = be16(cdb + 7);
		break;
	case 12:
		*lba = be32(cdb + 2);
		*blocks = be32(cdb + 6);
		break;
	default:
		*lba = be64(cdb + 2);
		*blocks = be32(cdb + 10);
	}
}

static void read_write(struct scsi_cmd *c, bool write)
{
	bool fua = write && scsi_cdb_len(c->cdb[0]) > 6 && c->cdb[1] & FUA;
	uint64_t lba, blocks;

	operands(c->cdb, &lba, &blocks);
	scsi_move(c, write, lba, blocks, fua ? BLOCK_FUA : 0);
}

static bool range_ok(const struct scsi_dev *d, uint64_t lba, uint64_t blocks)
{
	uint64_t total = scsi_blocks(d);

	return lba <= total && blocks <= total - lba;
}

/* The medium is compared with nothing: that the range exists is all there is to verify. */
static void verify(struct scsi_cmd *c)
{
	uint64_t lba, blocks;

	operands(c->cdb, &lba, &blocks);
	if (c->cdb[1] & 6)
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
	else if (!range_ok(c->d, lba, blocks))
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_LBA_RANGE);
	else
		scsi_reply(c, 0, 0);
}

/* WRITE SAME: of zeroes only, which is what it is used for. */
static void write_same(struct scsi_cmd *c)
{
	bool ndob = c->cdb[0] == OP_WRITE_SAME_16 && c->cdb[1] & 1;
	uint64_t lba, blocks;

	operands(c->cdb, &lba, &blocks);
	if (c->cdb[1] & 0x16 || !blocks || blocks > MAX_BLOCKS) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	scsi_move(c, true, lba, blocks, c->cdb[1] & 8 ? BLOCK_MAY_UNMAP : 0);
	if (c->status != SCSI_GOOD)
		return;
	c->op = BLOCK_WRITE_ZEROES;
	if (ndob) {
		c->action = SCSI_OTHER_IO;
		return;
	}
	/* one block from the initiator, which scsi_disk_param() looks at; the range stays in the CDB */
	c->action = SCSI_PARAM;
	c->len = c->d->block_len;
	if (c->len > SCSI_BUF_LEN)
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
}

static void same_param(struct scsi_cmd *c)
{
	uint64_t lba, blocks;

	for (uint64_t i = 0; i < c->len; i++)
		if (c->buf[i]) {
			scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_PARAM);
			return;
		}
	if (c->len < c->d->block_len) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_PARAM_LENGTH);
		return;
	}
	operands(c->cdb, &lba, &blocks);
	c->len = blocks * c->d->block_len;
	c->action = SCSI_OTHER_IO;
}

static void unmap(struct scsi_cmd *c)
{
	uint32_t len = be16(c->cdb + 7);

	if (c->cdb[1] & 1 || len > SCSI_BUF_LEN) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
	} else if (block_read_only(c->d->block)) {
		scsi_fail(c, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
	} else {
		scsi_reply(c, 0, 0);
		c->len = len;
		c->op = BLOCK_DISCARD;
		if (len)
			c->action = SCSI_PARAM;
	}
}

bool scsi_next_range(struct scsi_cmd *c)
{
	while (c->range < c->nr_ranges) {
		const uint8_t *p = c->buf + 8 + 16 * c->range++;

		c->offset = be64(p) * c->d->block_len;
		c->len = (uint64_t)be32(p + 8) * c->d->block_len;
		if (c->len)
			return true;
	}
	return false;
}

static void unmap_param(struct scsi_cmd *c)
{
	uint32_t bytes;

	if (c->len < 8 || (bytes = be16(c->buf + 2)) > c->len - 8) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_PARAM_LENGTH);
		return;
	}
	c->nr_ranges = bytes / 16;
	for (unsigned i = 0; i < c->nr_ranges; i++) {
		const uint8_t *p = c->buf + 8 + 16 * i;

		if (be32(p + 8) > MAX_BLOCKS) {
			scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_PARAM);
			return;
		}
		if (!range_ok(c->d, be64(p), be32(p + 8))) {
			scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_LBA_RANGE);
			return;
		}
	}
	if (scsi_next_range(c))
		c->action = SCSI_OTHER_IO;
	else
		scsi_reply(c, 0, 0);
}

void scsi_disk_param(struct scsi_cmd *c)
{
	if (c->cdb[0] == OP_UNMAP)
		unmap_param(c);
	else
		same_param(c);
}

void scsi_disk_start(struct scsi_cmd *c)
{
	switch (c->cdb[0]) {
	case OP_TEST_UNIT_READY:
	case OP_RESERVE_6:
	case OP_RELEASE_6:
	case OP_SEEK_10:
		scsi_reply(c, 0, 0);
		break;
	case OP_READ_6:
	case OP_READ_10:
	case OP_READ_12:
	case OP_READ_16:
		read_write(c, false);
		break;
	case OP_WRITE_6:
	case OP_WRITE_10:
	case OP_WRITE_12:
	case OP_WRITE_16:
	case OP_WRITE_VERIFY_10:
		read_write(c, true);
		break;
	case OP_VERIFY_10:
	case OP_VERIFY_16:
		verify(c);
		break;
	case OP_SYNC_CACHE_10:
	case OP_SYNC_CACHE_16:
		scsi_reply(c, 0, 0);
		c->op = BLOCK_FLUSH;
		c->action = SCSI_OTHER_IO;
		break;
	case OP_WRITE_SAME_10:
	case OP_WRITE_SAME_16:
		write_same(c);
		break;
	case OP_UNMAP:
		unmap(c);
		break;
	case OP_READ_CAPACITY_10:
		read_capacity_10(c);
		break;
	case OP_SERVICE_IN_16:
		read_capacity_16(c);
		break;
	case OP_MODE_SENSE_6:
	case OP_MODE_SENSE_10:
		scsi_mode_sense(c);
		break;
	case OP_MODE_SELECT_6:
	case OP_MODE_SELECT_10:
		scsi_mode_select(c);
		break;
	case OP_START_STOP:
		scsi_start_stop(c);
		break;
	default:
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_OPCODE);
	}
}
