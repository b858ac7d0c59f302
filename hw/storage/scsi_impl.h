/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the parts of the SCSI logical units.
 */
#ifndef HW_STORAGE_SCSI_IMPL_H
#define HW_STORAGE_SCSI_IMPL_H

#include "hw/storage/scsi.h"

enum scsi_op {
	OP_TEST_UNIT_READY = 0x00,
	OP_REQUEST_SENSE = 0x03,
	OP_FORMAT_UNIT = 0x04,
	OP_READ_6 = 0x08,
	OP_WRITE_6 = 0x0a,
	OP_INQUIRY = 0x12,
	OP_MODE_SELECT_6 = 0x15,
	OP_RESERVE_6 = 0x16,
	OP_RELEASE_6 = 0x17,
	OP_MODE_SENSE_6 = 0x1a,
	OP_START_STOP = 0x1b,
	OP_PREVENT_ALLOW = 0x1e,
	OP_READ_CAPACITY_10 = 0x25,
	OP_READ_10 = 0x28,
	OP_WRITE_10 = 0x2a,
	OP_SEEK_10 = 0x2b,
	OP_WRITE_VERIFY_10 = 0x2e,
	OP_VERIFY_10 = 0x2f,
	OP_SYNC_CACHE_10 = 0x35,
	OP_WRITE_SAME_10 = 0x41,
	OP_UNMAP = 0x42, /* of disks */
	OP_READ_SUBCHANNEL = 0x42,
	OP_READ_TOC = 0x43,
	OP_GET_CONFIGURATION = 0x46,
	OP_GET_EVENT = 0x4a,
	OP_READ_DISC_INFO = 0x51,
	OP_READ_TRACK_INFO = 0x52,
	OP_MODE_SELECT_10 = 0x55,
	OP_MODE_SENSE_10 = 0x5a,
	OP_READ_16 = 0x88,
	OP_WRITE_16 = 0x8a,
	OP_VERIFY_16 = 0x8f,
	OP_SYNC_CACHE_16 = 0x91,
	OP_WRITE_SAME_16 = 0x93,
	OP_SERVICE_IN_16 = 0x9e,
	OP_REPORT_LUNS = 0xa0,
	OP_SET_READ_AHEAD = 0xa7,
	OP_READ_12 = 0xa8,
	OP_WRITE_12 = 0xaa,
	OP_READ_DVD_STRUCTURE = 0xad,
	OP_SET_CD_SPEED = 0xbb,
	OP_MECHANISM_STATUS = 0xbd,
	OP_READ_CD = 0xbe,
};

static inline uint32_t be16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}
static inline uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}
static inline uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}
static inline void set_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void set_be32(uint8_t *p, uint32_t v)
{
	set_be16(p, v >> 16);
	set_be16(p + 2, v);
}
static inline void set_be64(uint8_t *p, uint64_t v)
{
	set_be32(p, (uint32_t)(v >> 32));
	set_be32(p + 4, (uint32_t)v);
}

/* Whether the command can go on: a medium is there and no attention pending. Fails it else. */
bool scsi_ready(struct scsi_cmd *c);
/* A reply of n bytes in c->buf, of which the initiator takes `alloc` at most. */
void scsi_reply(struct scsi_cmd *c, uint64_t n, uint64_t alloc);
/* Reads or writes blocks. */
void scsi_move(struct scsi_cmd *c, bool write, uint64_t lba, uint64_t blocks, unsigned flags);
uint64_t scsi_blocks(const struct scsi_dev *d);

/* START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL. */
void scsi_start_stop(struct scsi_cmd *c);
void scsi_prevent_allow(struct scsi_cmd *c);
/* MODE SENSE and MODE SELECT in both sizes. */
void scsi_mode_sense(struct scsi_cmd *c);
void scsi_mode_select(struct scsi_cmd *c);
void scsi_mode_param(struct scsi_cmd *c);

void scsi_inquiry(struct scsi_cmd *c);
void scsi_cd_start(struct scsi_cmd *c);
void scsi_disk_start(struct scsi_cmd *c);
void scsi_disk_param(struct scsi_cmd *c);
/* The next descriptor of an UNMAP into c->offset and c->len; false at the end. */
bool scsi_next_range(struct scsi_cmd *c);

#endif
