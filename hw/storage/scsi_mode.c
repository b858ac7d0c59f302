/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * INQUIRY with vital product data, and mode pages (SPC-3, 6.4 to 6.10 and 7.6; SBC-3, 6.4; MMC-5, 7).
 */
#include <string.h>

#include "hw/storage/scsi_impl.h"

enum { VERSION_SPC3 = 5 };
enum { PAGE_ERRORS = 0x01, PAGE_GEOMETRY = 0x04, PAGE_CACHING = 0x08, PAGE_AUDIO = 0x0e };
enum { PAGE_TIMEOUT = 0x1d, PAGE_CD_STATUS = 0x2a, PAGE_ALL = 0x3f };
enum { CACHING_WCE = 4 };

/* ---- INQUIRY ---- */

/* Text in a fixed field, filled up with spaces. */
static void put_text(uint8_t *to, const char *text, size_t len)
{
	size_t n = strnlen(text, len);

	memset(to, ' ', len);
	memcpy(to, text, n);
}

static unsigned vpd_identification(const struct scsi_dev *d, uint8_t *p)
{
	const char *name = d->serial[0] ? d->serial : block_name(d->block);
	size_t n = strnlen(name, 32);

	/* one designator: vendor specific, ASCII */
	p[0] = 2;
	p[1] = 0;
	p[3] = (uint8_t)n;
	memcpy(p + 4, name, n);
	return 4 + (unsigned)n;
}

static unsigned vpd_limits(const struct scsi_dev *d, uint8_t *p)
{
	uint32_t granularity = block_discard_granularity(d->block) / d->block_len;

	p[0] = 1; /* WRITE SAME of zero blocks is refused */
	set_be16(p + 2, granularity > 1 ? granularity : 1);
	set_be32(p + 8, 0x8000);
	set_be32(p + 16, 0x3fffff);                /* UNMAP: blocks */
	set_be32(p + 20, (SCSI_BUF_LEN - 8) / 16); /* descriptors */
	set_be32(p + 24, granularity > 1 ? granularity : 1);
	set_be64(p + 32, 0x3fffff); /* WRITE SAME */
	return 60;
}

static void inquiry_vpd(struct scsi_cmd *c)
{
	struct scsi_dev *d = c->d;
	uint8_t page = c->cdb[2], *p = c->buf + 4;
	unsigned n = 0;

	c->buf[0] = d->cd ? 5 : 0;
	c->buf[1] = page;
	switch (page) {
	case 0x00:
		p[n++] = 0x00;
		p[n++] = 0x80;
		p[n++] = 0x83;
		if (!d->cd) {
			p[n++] = 0xb0;
			p[n++] = 0xb1;
			p[n++] = 0xb2;
		}
		break;
	case 0x80:
		n = (unsigned)strnlen(d->serial, 36);
		memcpy(p, d->serial, n);
		break;
	case 0x83:
		n = vpd_identification(d, p);
		break;
	case 0xb0:
		n = d->cd ? 0 : vpd_limits(d, p);
		break;
	case 0xb1:
		n = d->cd ? 0 : 60;
		set_be16(p, d->rotation_rate);
		break;
	case 0xb2:
		n = d->cd ? 0 : 4;
		p[1] =
		    0xe0 | (block_can_discard(d->block) ? 4 : 0); /* UNMAP, WRITE SAME 16 and 10 */
		p[2] = block_can_discard(d->block) ? 2 : 0;       /* thin provisioned */
		break;
	}
	if (!n && page != 0x80) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	set_be16(c->buf + 2, n);
	scsi_reply(c, 4 + n, be16(c->cdb + 3));
}

void scsi_inquiry(struct scsi_cmd *c)
{
	const struct scsi_dev *d = c->d;
	uint8_t *p = c->buf;
	/* ATAPI has one byte of allocation length. */
	uint32_t alloc = d->atapi ? c->cdb[4] : be16(c->cdb + 3);

	if (c->cdb[1] & 1) {
		inquiry_vpd(c);
		return;
	}
	if (c->cdb[2]) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	p[0] = d->cd ? 5 : 0;
	p[1] = d->cd ? 0x80 : 0;
	p[2] = d->atapi ? 0 : VERSION_SPC3;
	p[3] = d->atapi ? 0x21 : 0x02;
	p[4] = 36 - 5;
	p[7] = d->atapi ? 0 : 0x02; /* command queuing */
	put_text(p + 8, d->vendor, 8);
	put_text(p + 16, d->product, 16);
	put_text(p + 32, d->revision, 4);
	scsi_reply(c, 36, alloc);
}

/* ---- mode pages ---- */

static unsigned page_caching(const struct scsi_dev *d, uint8_t *p, bool changeable)
{
	p[0] = PAGE_CACHING;
	p[1] = 18;
	if (changeable || block_write_cache(d->block))
		p[2] = CACHING_WCE;
	return 20;
}

static unsigned page_geometry(const struct scsi_dev *d, uint8_t *p, bool changeable)
{
	uint64_t cylinders = scsi_blocks(d) / (16 * 63);
	uint32_t n = cylinders > 0xffffff ? 0xffffff : (uint32_t)cylinders;

	p[0] = PAGE_GEOMETRY;
	p[1] = 22;
	if (changeable)
		return 24;
	p[2] = (uint8_t)(n >> 16);
	set_be16(p + 3, n);
	p[5] = 16;
	set_be16(p + 20, 5400); /* rotation rate */
	return 24;
}

static unsigned page_errors(const struct scsi_dev *d, uint8_t *p, bool changeable)
{
	p[0] = PAGE_ERRORS;
	p[1] = d->cd ? 6 : 10;
	if (!changeable)
		p[2] = 0x80; /* AWRE */
	if (!changeable && d->cd)
		p[3] = 0x20;
	return 2u + p[1];
}

/* Capabilities and mechanical status. */
static unsigned page_cd_status(const struct scsi_dev *d, uint8_t *p, bool changeable)
{
	p[0] = PAGE_CD_STATUS;
	p[1] = 0x14;
	if (changeable)
		return 22;
	p[2] = 0x3b; /* reads CD-R, CD-RW, DVD */
	p[4] = 0x71; /* audio, mode 2, multisession */
	p[5] = 0x02;
	p[6] = (uint8_t)(0x29 | (d->locked ? 2 : 0)); /* tray, can lock and eject */
	set_be16(p + 8, 706);                         /* KB/s */
	set_be16(p + 10, 2);
	set_be16(p + 12, 512); /* KB of buffer */
	set_be16(p + 14, 706);
	return 22;
}

static unsigned page_audio(const struct scsi_dev *d, uint8_t *p, bool changeable)
{
	(void)d;
	p[0] = PAGE_AUDIO;
	p[1] = 14;
	if (!changeable)
		p[2] = 4;
	return 16;
}

static const struct {
	uint8_t page;
	bool cd, disk;
	unsigned (*fill)(const struct scsi_dev *d, uint8_t *p, bool changeable);
} pages[] = {
    {PAGE_ERRORS, true, true, page_errors},        {PAGE_GEOMETRY, false, true, page_geometry},
    {PAGE_CACHING, false, true, page_caching},     {PAGE_AUDIO, true, false, page_audio},
    {PAGE_CD_STATUS, true, false, page_cd_status},
};
#define NR_PAGES (sizeof(pages) / sizeof(pages[0]))

/* All pages or one, behind the header; the bytes, or 0 when there is no such page. */
static unsigned fill_pages(const struct scsi_dev *d, uint8_t page, uint8_t *p, bool changeable)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NR_PAGES; i++)
		if ((page == PAGE_ALL || page == pages[i].page) &&
		    (d->cd ? pages[i].cd : pages[i].disk))
			n += pages[i].fill(d, p + n, changeable);
	return n;
}

static unsigned block_descriptor(const struct scsi_dev *d, uint8_t *p)
{
	uint64_t blocks = scsi_blocks(d);

	if (blocks <= 0xffffff)
		set_be32(p, (uint32_t)blocks);
	set_be32(p + 4, d->block_len);
	return 8;
}

void scsi_mode_sense(struct scsi_cmd *c)
{
	const struct scsi_dev *d = c->d;
	bool ten = c->cdb[0] == OP_MODE_SENSE_10, no_descriptor = c->cdb[1] & 8 || d->cd;
	uint8_t page = c->cdb[2] & 0x3f, control = c->cdb[2] >> 6, *p = c->buf;
	unsigned head = ten ? 8 : 4, desc = 0, n;

	if (control == 3) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, 0x3900); /* saved values */
		return;
	}
	if (!no_descriptor)
		desc = block_descriptor(d, p + head);
	n = fill_pages(d, page, p + head + desc, control == 1);
	if (!n && page != 0 && page != PAGE_ALL) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	n += head + desc;
	if (ten) {
		set_be16(p, n - 2);
		p[2] = d->cd ? (block_present(d->block) ? 0x01 : 0x70) : 0;
		set_be16(p + 6, desc);
	} else {
		p[0] = (uint8_t)(n - 1);
		p[1] = d->cd ? (block_present(d->block) ? 0x01 : 0x70) : 0;
		p[3] = (uint8_t)desc;
	}
	if (!d->cd) /* write protected; DPO and FUA are understood */
		p[ten ? 3 : 2] = (uint8_t)((block_read_only(d->block) ? 0x80 : 0) | 0x10);
	scsi_reply(c, n, ten ? be16(c->cdb + 7) : c->cdb[4]);
}

void scsi_mode_select(struct scsi_cmd *c)
{
	uint32_t len = c->cdb[0] == OP_MODE_SELECT_10 ? be16(c->cdb + 7) : c->cdb[4];

	/* Pages in their standard format; nothing is saved. */
	if (!(c->cdb[1] & 0x10) || c->cdb[1] & 1 || len > SCSI_BUF_LEN) {
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_CDB);
		return;
	}
	scsi_reply(c, 0, 0);
	c->len = len;
	if (len)
		c->action = SCSI_PARAM;
}

/* A page may hold what it holds already, but for the write cache's bit. */
static bool select_page(struct scsi_cmd *c, const uint8_t *p, unsigned len)
{
	struct scsi_dev *d = c->d;
	uint8_t now[64] = {0}, change[64] = {0};

	if (!fill_pages(d, p[0] & 0x3f, now, false) || (p[0] & 0x3f) == PAGE_ALL ||
	    len != 2u + now[1])
		return false;
	fill_pages(d, p[0] & 0x3f, change, true);
	for (unsigned i = 2; i < len; i++)
		if ((p[i] ^ now[i]) & ~change[i])
			return false;
	if ((p[0] & 0x3f) == PAGE_CACHING)
		block_set_write_cache(d->block, p[2] & CACHING_WCE);
	return true;
}

void scsi_mode_param(struct scsi_cmd *c)
{
	bool ten = c->cdb[0] == OP_MODE_SELECT_10;
	unsigned head = ten ? 8 : 4, len = (unsigned)c->len, at, desc;

	if (len < head)
		goto too_short;
	desc = ten ? be16(c->buf + 6) : c->buf[3];
	at = head + desc;
	if (at > len)
		goto too_short;
	while (at < len) {
		unsigned n;

		if (len - at < 2)
			goto too_short;
		n = 2u + c->buf[at + 1];
		if (n > len - at)
			goto too_short;
		if (!select_page(c, c->buf + at, n)) {
			scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_PARAM);
			return;
		}
		at += n;
	}
	scsi_reply(c, 0, 0);
	return;
too_short:
	scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_PARAM_LENGTH);
}
