/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CD-ROM and DVD-ROM drives: the commands of MMC-5, for a medium with one data track.
 */
#include <string.h>

#include "hw/storage/scsi_impl.h"

/* From this size on a medium is a DVD. */
#define CD_MAX_BLOCKS (80u * 60 * 75)

enum { PROFILE_CD_ROM = 0x0008, PROFILE_DVD_ROM = 0x0010 };
enum { EVENT_CLASS_MEDIA = 4 };
enum { LEAD_OUT = 0xaa };
enum { RAW_SECTOR = 2352, DATA_SECTOR = 2048 };

static bool is_dvd(const struct scsi_dev *d)
{
	return scsi_blocks(d) > CD_MAX_BLOCKS;
}

static void put_msf(uint8_t *p, uint32_t lba)
{
	lba += 150;
	p[0] = 0;
	p[1] = (uint8_t)(lba / 75 / 60);
	p[2] = (uint8_t)(lba / 75 % 60);
	p[3] = (uint8_t)(lba % 75);
}

static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
	if (msf)
		put_msf(p, lba);
	else
		set_be32(p, lba);
}

/* ---- table of contents ---- */

static unsigned toc_tracks(const struct scsi_dev *d, uint8_t *p, bool msf, uint8_t first)
{
	unsigned n = 4;

	p[2] = p[3] = 1; /* first and last track */
	if (first <= 1) {
		p[n + 1] = 0x14; /* data track */
		p[n + 2] = 1;
		put_address(p + n + 4, 0, msf);
		n += 8;
	}
	p[n + 1] = 0x16;
	p[n + 2] = LEAD_OUT;
	put_address(p + n + 4, (uint32_t)scsi_blocks(d), msf);
	return n + 8;
}

static unsigned toc_session(uint8_t *p, bool msf)
{
	p[2] = p[3] = 1;
	p[5] = 0x14;
	p[6] = 1;
	put_address(p + 8, 0, msf);
	return 12;
}

/* The raw form: points A0, A1, A2 and the track, in minutes, seconds and frames. */
static unsigned toc_full(const struct scsi_dev *d, uint8_t *p)
{
	static const uint8_t point[4] = {0xa0, 0xa1, 0xa2, 1};
	unsigned n = 4;

	p[2] = p[3] = 1;
	for (int i = 0; i < 4; i++, n += 11) {
		uint8_t msf[4] = {0, 1, 0, 0};

		if (point[i] == 0xa2)
			put_msf(msf, (uint32_t)scsi_blocks(d));
		else if (point[i] == 1)
			put_msf(msf, 0);
		p[n] = 1;
		p[n + 1] = point[i] == 0xa2 ? 0x16 : 0x14;
		p[n + 3] = point[i];
		memcpy(p + n + 8, msf + 1, 3);
	}
	return n;
}

static void read_toc(struct scsi_cmd *c)
{
	uint8_t format = c->cdb[2] & 0xf, first = c->cdb[6], *p = c->buf;
	bool msf = c->cdb[1] & 2;
	unsigned n = 0;

	/* Older drivers put the format into the control byte. */
	if (!format)
		format = c->cdb[9] >> 6;
	if (format == 0 && (first <= 1 || first == LEAD_OUT))
		n = toc_tracks(c->d, p, msf, first);
	else if (format == 1)
		n = toc_session(p, msf);
	else if (format == 2)
		n = toc_full(c->d, p);
	if (!n) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	set_be16(p, n - 2);
	scsi_reply(c, n, be16(c->cdb + 7));
}

/* ---- features, events, status ---- */

static void get_configuration(struct scsi_cmd *c)
{
	const struct scsi_dev *d = c->d;
	bool present = block_present(d->block) && !block_tray_is_open(d->block);
	uint16_t current = !present ? 0 : is_dvd(d) ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
	uint8_t *p = c->buf;
	uint32_t first = be16(c->cdb + 2), type = c->cdb[1] & 3;
	unsigned n = 8;

	if (type == 3) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	set_be16(p + 6, current);
	if (type == 2 ? first == 0 : first <= 0) { /* profile list */
		p[n + 2] = 0x03;
		p[n + 3] = 8;
		set_be16(p + n + 4, PROFILE_DVD_ROM);
		p[n + 6] = current == PROFILE_DVD_ROM;
		set_be16(p + n + 8, PROFILE_CD_ROM);
		p[n + 10] = current == PROFILE_CD_ROM;
		n += 12;
	}
	if (type == 2 ? first == 1 : first <= 1) { /* core */
		set_be16(p + n, 1);
		p[n + 2] = 0x0b;
		p[n + 3] = 8;
		set_be32(p + n + 4, d->atapi ? 2 : 1);
		p[n + 8] = 1;
		n += 12;
	}
	if (type == 2 ? first == 3 : first <= 3) { /* removable medium */
		set_be16(p + n, 3);
		p[n + 2] = 0x07;
		p[n + 3] = 4;
		p[n + 4] = 0x29; /* tray, can lock and eject */
		n += 8;
	}
	set_be32(p, n - 4);
	scsi_reply(c, n, be16(c->cdb + 7));
}

static void get_event(struct scsi_cmd *c)
{
	struct scsi_dev *d = c->d;
	uint8_t *p = c->buf;

	if (!(c->cdb[1] & 1)) { /* only polling */
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	p[3] = 1 << EVENT_CLASS_MEDIA;
	if (!(c->cdb[4] & 1 << EVENT_CLASS_MEDIA)) {
		p[2] = 0x80; /* no such event */
		set_be16(p, 2);
		scsi_reply(c, 4, be16(c->cdb + 7));
		return;
	}
	p[2] = EVENT_CLASS_MEDIA;
	set_be16(p, 6);
	p[4] = d->event;
	p[5] = (uint8_t)((block_tray_is_open(d->block) ? 1 : 0) |
			 (block_present(d->block) && !block_tray_is_open(d->block) ? 2 : 0));
	d->event = 0;
	scsi_reply(c, 8, be16(c->cdb + 7));
}

static void mechanism_status(struct scsi_cmd *c)
{
	c->buf[5] = 1;
	scsi_reply(c, 8, be16(c->cdb + 8));
}

static void read_disc_info(struct scsi_cmd *c)
{
	uint8_t *p = c->buf;

	if (c->cdb[1] & 7) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	set_be16(p, 32);
	p[2] = 0x0e; /* last session complete, disc finalized */
	p[3] = p[4] = p[5] = p[6] = 1;
	p[7] = 0x20; /* unrestricted use */
	scsi_reply(c, 34, be16(c->cdb + 7));
}

static void read_track_info(struct scsi_cmd *c)
{
	uint8_t *p = c->buf;

	set_be16(p, 34);
	p[2] = p[3] = 1;
	p[5] = 4; /* data track */
	p[6] = 1;
	set_be32(p + 24, (uint32_t)scsi_blocks(c->d));
	scsi_reply(c, 36, be16(c->cdb + 7));
}

/* DVD structures: physical format, copyright, and the list of both. */
static void read_dvd_structure(struct scsi_cmd *c)
{
	const struct scsi_dev *d = c->d;
	uint8_t *p = c->buf, format = c->cdb[7];
	uint32_t blocks = (uint32_t)scsi_blocks(d);
	unsigned n = 0;

	if (!is_dvd(d)) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, 0x3002); /* incompatible format */
		return;
	}
	if (format == 0 && !c->cdb[6]) {
		p[4] = 0x01; /* DVD-ROM, version 1 */
		p[5] = 0x0f; /* 120 mm, no maximum rate */
		p[6] = 0x01; /* one layer, embossed data */
		set_be32(p + 8, 0x30000);
		set_be32(p + 12, 0x30000 + blocks - 1);
		n = 2048 + 4;
	} else if (format == 1) {
		n = 8;
	} else if (format == 0xff) {
		p[4] = 0x00;
		p[5] = 0x40;
		set_be16(p + 6, 2048 + 4);
		p[8] = 0x01;
		p[9] = 0x40;
		set_be16(p + 10, 8);
		n = 12;
	}
	if (!n) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	set_be16(p, n - 2);
	scsi_reply(c, n, be16(c->cdb + 8));
}

static void read_subchannel(struct scsi_cmd *c)
{
	c->buf[1] = 0x15; /* no audio */
	scsi_reply(c, 4, be16(c->cdb + 7));
}

static void read_capacity(struct scsi_cmd *c)
{
	uint64_t blocks = scsi_blocks(c->d);

	set_be32(c->buf, blocks ? (uint32_t)(blocks - 1) : 0);
	set_be32(c->buf + 4, DATA_SECTOR);
	scsi_reply(c, 8, 8);
}

/* READ CD: user data of data sectors, which is all that the medium's image holds. */
static void read_cd(struct scsi_cmd *c)
{
	uint64_t blocks = be32(c->cdb + 5) & 0xffffff;

	switch (c->cdb[9] & 0xf8) {
	case 0x00:
		scsi_reply(c, 0, 0);
		break;
	case 0x10:
		scsi_move(c, false, be32(c->cdb + 2), blocks, 0);
		break;
	default:
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_MODE_FOR_TRACK);
	}
}

/* What needs a medium. False when the command is none of these. */
static bool start_medium(struct scsi_cmd *c)
{
	switch (c->cdb[0]) {
	case OP_TEST_UNIT_READY:
	case OP_SEEK_10:
	case OP_SYNC_CACHE_10:
		if (scsi_ready(c))
			scsi_reply(c, 0, 0);
		return true;
	case OP_READ_10:
		if (scsi_ready(c))
			scsi_move(c, false, be32(c->cdb + 2), be16(c->cdb + 7), 0);
		return true;
	case OP_READ_12:
		if (scsi_ready(c))
			scsi_move(c, false, be32(c->cdb + 2), be32(c->cdb + 6), 0);
		return true;
	case OP_READ_CD:
		if (scsi_ready(c))
			read_cd(c);
		return true;
	case OP_READ_CAPACITY_10:
		if (scsi_ready(c))
			read_capacity(c);
		return true;
	case OP_READ_TOC:
		if (scsi_ready(c))
			read_toc(c);
		return true;
	case OP_READ_SUBCHANNEL:
		if (scsi_ready(c))
			read_subchannel(c);
		return true;
	case OP_READ_DISC_INFO:
		if (scsi_ready(c))
			read_disc_info(c);
		return true;
	case OP_READ_TRACK_INFO:
		if (scsi_ready(c))
			read_track_info(c);
		return true;
	case OP_READ_DVD_STRUCTURE:
		if (scsi_ready(c))
			read_dvd_structure(c);
		return true;
	}
	return false;
}

void scsi_cd_start(struct scsi_cmd *c)
{
	if (start_medium(c))
		return;
	switch (c->cdb[0]) {
	case OP_GET_CONFIGURATION:
		get_configuration(c);
		break;
	case OP_GET_EVENT:
		get_event(c);
		break;
	case OP_MECHANISM_STATUS:
		mechanism_status(c);
		break;
	case OP_SET_CD_SPEED:
	case OP_SET_READ_AHEAD:
		scsi_reply(c, 0, 0);
		break;
	case OP_START_STOP:
		scsi_start_stop(c);
		break;
	case OP_PREVENT_ALLOW:
		scsi_prevent_allow(c);
		break;
	case OP_MODE_SENSE_6:
	case OP_MODE_SENSE_10:
		scsi_mode_sense(c);
		break;
	case OP_MODE_SELECT_6:
	case OP_MODE_SELECT_10:
		scsi_mode_select(c);
		break;
	default:
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_OPCODE);
	}
}
