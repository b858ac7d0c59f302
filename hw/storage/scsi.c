/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SCSI logical units: life of a command, sense data, medium I/O. See the header.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/storage/scsi_impl.h"

enum { EVENT_NONE, EVENT_EJECT_REQUEST, EVENT_NEW_MEDIUM, EVENT_REMOVED };

unsigned scsi_cdb_len(uint8_t opcode)
{
	static const uint8_t len[8] = {6, 10, 10, 0, 16, 12, 0, 0};

	return len[opcode >> 5];
}

void scsi_sense_data(uint8_t key, uint16_t asc, uint8_t out[SCSI_SENSE_LEN])
{
	memset(out, 0, SCSI_SENSE_LEN);
	out[0] = 0x70;
	out[2] = key;
	out[7] = SCSI_SENSE_LEN - 8;
	set_be16(out + 12, asc);
}

static void end(struct scsi_cmd *c, enum scsi_key key, uint16_t asc)
{
	struct scsi_dev *d = c->d;

	c->action = SCSI_DONE;
	c->len = 0;
	c->status = key == KEY_NONE ? SCSI_GOOD : SCSI_CHECK_CONDITION;
	c->key = (uint8_t)key;
	c->asc = asc;
	if (d) {
		d->key = (uint8_t)key;
		d->asc = asc;
	}
}

void scsi_fail(struct scsi_cmd *c, enum scsi_key key, enum scsi_asc asc)
{
	end(c, key, (uint16_t)asc);
}

void scsi_reply(struct scsi_cmd *c, uint64_t n, uint64_t alloc)
{
	end(c, KEY_NONE, ASC_NONE);
	c->len = n < alloc ? n : alloc;
	if (c->len)
		c->action = SCSI_REPLY;
}

uint64_t scsi_blocks(const struct scsi_dev *d)
{
	return block_size(d->block) / d->block_len;
}

bool scsi_ready(struct scsi_cmd *c)
{
	struct scsi_dev *d = c->d;

	if (block_tray_is_open(d->block))
		scsi_fail(c, KEY_NOT_READY, ASC_TRAY_OPEN);
	else if (!block_present(d->block))
		scsi_fail(c, KEY_NOT_READY, ASC_NO_MEDIUM);
	else
		return true;
	return false;
}

/* ---- medium I/O ---- */

void scsi_move(struct scsi_cmd *c, bool write, uint64_t lba, uint64_t blocks, unsigned flags)
{
	struct scsi_dev *d = c->d;
	uint64_t total = scsi_blocks(d);

	if (lba > total || blocks > total - lba) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_LBA_RANGE);
		return;
	}
	if (write && block_read_only(d->block)) {
		scsi_fail(c, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
		return;
	}
	end(c, KEY_NONE, ASC_NONE);
	c->offset = lba * d->block_len;
	c->len = blocks * d->block_len;
	c->flags = flags;
	if (c->len)
		c->action = write ? SCSI_WRITE : SCSI_READ;
}

static void io_done(struct block_req *req, int ret)
{
	struct scsi_cmd *c = req->opaque;

	if (ret == 0 && c->range < c->nr_ranges && scsi_next_range(c)) {
		scsi_io(c, 0, NULL, 0, c->len);
		return;
	}
	switch (ret) {
	case 0:
		end(c, KEY_NONE, ASC_NONE);
		break;
	case -ENOMEDIUM:
		end(c, KEY_NOT_READY, ASC_NO_MEDIUM);
		break;
	case -ENOSPC:
		end(c, KEY_DATA_PROTECT, 0x2707); /* space allocation failed */
		break;
	case -EROFS:
		end(c, KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
		break;
	case -ECANCELED:
		end(c, KEY_ABORTED, ASC_NONE);
		break;
	default:
		if (req->op == BLOCK_READ)
			end(c, KEY_MEDIUM_ERROR, ASC_READ_ERROR);
		else
			end(c, KEY_HARDWARE_ERROR, ASC_INTERNAL);
	}
	c->done(c);
}

void scsi_io(struct scsi_cmd *c, uint64_t at, const struct iovec *iov, unsigned nr, uint64_t len)
{
	if (c->action == SCSI_READ)
		c->op = BLOCK_READ;
	else if (c->action == SCSI_WRITE)
		c->op = BLOCK_WRITE;
	c->req.op = c->op;
	c->req.flags = c->flags;
	c->req.offset = c->offset + at;
	c->req.len = c->op == BLOCK_FLUSH ? 0 : iov ? len : c->len;
	c->req.iov = iov;
	c->req.nr_iov = nr;
	c->req.done = io_done;
	c->req.opaque = c;
	block_submit(c->d->block, &c->req);
}

/* ---- commands that disks and drives share ---- */

static void request_sense(struct scsi_cmd *c)
{
	struct scsi_dev *d = c->d;
	uint8_t key = d->key;
	uint16_t asc = d->asc;

	if (!key && d->attention) {
		key = KEY_UNIT_ATTENTION;
		asc = d->attention;
		d->attention = 0;
	}
	scsi_sense_data(key, asc, c->buf);
	scsi_reply(c, SCSI_SENSE_LEN, c->cdb[4]);
}

void scsi_start_stop(struct scsi_cmd *c)
{
	struct scsi_dev *d = c->d;
	bool load_eject = c->cdb[4] & 2, start = c->cdb[4] & 1;

	end(c, KEY_NONE, ASC_NONE);
	if (!load_eject || !d->cd || c->cdb[4] >> 4)
		return;
	if (!start && d->locked) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_PREVENTED);
		return;
	}
	block_open_tray(d->block, !start);
}

void scsi_prevent_allow(struct scsi_cmd *c)
{
	struct scsi_dev *d = c->d;

	end(c, KEY_NONE, ASC_NONE);
	d->locked = c->cdb[4] & 1;
	block_lock_medium(d->block, d->locked);
}

static void report_luns(struct scsi_cmd *c)
{
	uint32_t alloc = be32(c->cdb + 6);

	if (alloc < 16 || c->cdb[2] > 2) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	c->buf[3] = 8;
	scsi_reply(c, 16, alloc);
}

/* What is answered whatever the state of the unit (SPC-3, 5.3.3). True when it was one of them. */
static bool start_always(struct scsi_cmd *c)
{
	switch (c->cdb[0]) {
	case OP_INQUIRY:
		scsi_inquiry(c);
		return true;
	case OP_REQUEST_SENSE:
		request_sense(c);
		return true;
	case OP_REPORT_LUNS:
		report_luns(c);
		return true;
	case OP_GET_EVENT:
	case OP_GET_CONFIGURATION:
		if (!c->d->cd)
			return false;
		scsi_cd_start(c);
		return true;
	}
	return false;
}

void scsi_start(struct scsi_dev *d, struct scsi_cmd *c)
{
	c->d = d;
	c->flags = 0;
	c->range = c->nr_ranges = 0;
	c->op = BLOCK_FLUSH;
	c->offset = 0;
	memset(c->buf, 0, sizeof(c->buf));
	if (start_always(c))
		return;
	if (d->attention) {
		uint16_t asc = d->attention;

		d->attention = 0;
		end(c, KEY_UNIT_ATTENTION, asc);
		return;
	}
	if (d->cd)
		scsi_cd_start(c);
	else
		scsi_disk_start(c);
}

void scsi_param(struct scsi_dev *d, struct scsi_cmd *c)
{
	if (c->cdb[0] == OP_MODE_SELECT_6 || c->cdb[0] == OP_MODE_SELECT_10)
		scsi_mode_param(c);
	else if (!d->cd)
		scsi_disk_param(c);
	else
		end(c, KEY_NONE, ASC_NONE);
}

/* ---- life of the unit ---- */

static const struct field fields[] = {
    FIELD(scsi_dev, key, 0),   FIELD(scsi_dev, asc, 0),    FIELD(scsi_dev, attention, 0),
    FIELD(scsi_dev, event, 0), FIELD(scsi_dev, locked, 0), FIELD_END,
};

static void reset_done(void *state)
{
	struct scsi_dev *d = state;

	block_lock_medium(d->block, false);
	/* SCSI says that a reset took place; ATAPI drives do not. */
	if (!d->atapi)
		d->attention = ASC_RESET;
}

static void loaded(void *state)
{
	struct scsi_dev *d = state;

	block_lock_medium(d->block, d->locked);
}

static void set_text(char *to, size_t len, const char *given, const char *def)
{
	snprintf(to, len, "%s", given ? given : def);
}

void scsi_init(struct scsi_dev *d, const char *name, struct block *block,
	       const struct scsi_options *o)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->block = block;
	d->cd = o->cd;
	d->atapi = o->atapi;
	d->block_len = o->cd ? 2048 : o->block_len ? o->block_len : 512;
	set_text(d->vendor, sizeof(d->vendor), o->vendor, "QEMU");
	set_text(d->product, sizeof(d->product), o->product,
		 o->atapi ? "QEMU DVD-ROM"
		 : o->cd  ? "QEMU CD-ROM"
			  : "QEMU HARDDISK");
	set_text(d->revision, sizeof(d->revision), o->revision, "2.5+");
	d->rotation_rate = o->rotation_rate;
	set_text(d->serial, sizeof(d->serial), o->serial, "");
	device_init(&d->dev, d->name, fields, d);
	d->dev.reset_done = reset_done;
	d->dev.loaded = loaded;
}

void scsi_medium_changed(struct scsi_dev *d)
{
	if (!d->cd) {
		d->attention = ASC_CAPACITY_CHANGED;
		return;
	}
	d->event = block_present(d->block) ? EVENT_NEW_MEDIUM : EVENT_REMOVED;
	if (block_present(d->block))
		d->attention = ASC_MEDIUM_CHANGED;
}

void scsi_eject_request(struct scsi_dev *d)
{
	d->event = EVENT_EJECT_REQUEST;
}
