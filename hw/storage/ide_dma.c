/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bus-master DMA of an IDE channel (Programming Interface for Bus Master IDE Controller 1.0): the
 * registers, and a table of physical region descriptors as a list of guest RAM.
 */
#include <errno.h>
#include <string.h>

#include "hw/storage/ide_impl.h"

enum { BM_START = 1, BM_TO_MEMORY = 8 };
enum { BM_ACTIVE = 1, BM_ERROR = 2, BM_INTERRUPT = 4, BM_CAPABLE = 0x60 };

#define PRD_LEN  8u
#define PRD_MAX  8192u /* a table does not cross 64 KiB */
#define PRD_READ 64u   /* read at a time */
#define PRD_LAST 0x80000000u

/* Makes ch->sg from the table: at least len bytes, of which it takes len. 0 or -errno. */
static int walk_table(struct ide_channel *ch, uint64_t len, bool to_guest)
{
	uint32_t prd[PRD_READ][2];

	dma_sg_clear(&ch->sg);
	for (unsigned i = 0; i < PRD_MAX && ch->sg.len < len; i++) {
		unsigned n = i % PRD_READ;
		uint64_t bytes, left = len - ch->sg.len;
		int r;

		if (n == 0) {
			r = pci_dma_read(ch->func, ch->bm_table + (uint64_t)i * PRD_LEN, prd,
					 sizeof(prd));
			if (r == -EACCES)
				return r;
		}
		bytes = prd[n][1] & 0xfffe ? prd[n][1] & 0xfffe : 0x10000;
		r = pci_dma_sg(ch->func, &ch->sg, prd[n][0] & ~1u, bytes < left ? bytes : left,
			       to_guest);
		if (r < 0)
			return r;
		if (prd[n][1] & PRD_LAST)
			break;
	}
	return ch->sg.len == len ? 0 : -EMSGSIZE;
}

/* ---- the end of transfers ---- */

static void end_dma(struct ide_channel *ch, int ret)
{
	ch->bm_status &= (uint8_t)~BM_ACTIVE;
	ata_end(ide_active(ch), ret);
	ide_finish(ch);
}

static void move_done(struct block_req *req, int ret)
{
	struct ide_channel *ch = req->opaque;

	if (req->op == BLOCK_READ)
		dma_sg_written(&ch->sg, 0, ch->sg.len);
	if (!ide_dropped(ch))
		end_dma(ch, ret);
}

static void trim_done(struct block_req *req, int ret);

/* The next range of a DATA SET MANAGEMENT whose payload is in buf. */
static void trim_next(struct ide_channel *ch)
{
	uint64_t offset, len;
	int r = ata_trim_next(ide_active(ch), ch->buf, (uint32_t)ch->plan.len, &ch->trim_at,
			      &offset, &len);

	if (r > 0)
		ide_submit(ch, BLOCK_DISCARD, offset, len, NULL, 0, trim_done);
	else
		end_dma(ch, r);
}

static void trim_done(struct block_req *req, int ret)
{
	struct ide_channel *ch = req->opaque;

	if (ide_dropped(ch))
		return;
	if (ret < 0)
		end_dma(ch, ret);
	else
		trim_next(ch);
}

/* ---- the start ---- */

/* The drive and the bus master are both ready. */
static void run(struct ide_channel *ch)
{
	bool to_guest = ch->packet ? ch->cmd.action == SCSI_READ || ch->cmd.action == SCSI_REPLY
				   : ch->plan.kind == ATA_READ;
	uint64_t len = ch->plan.len;

	if (!ch->func || walk_table(ch, len, to_guest) < 0) {
		ch->bm_status = (uint8_t)((ch->bm_status & ~BM_ACTIVE) | BM_ERROR);
		ata_abort(ide_active(ch));
		ide_finish(ch);
		return;
	}
	if (ch->packet) {
		ide_packet_dma(ch);
		return;
	}
	switch (ch->plan.kind) {
	case ATA_READ:
		ide_submit(ch, BLOCK_READ, ch->plan.offset, len, ch->sg.iov, ch->sg.nr, move_done);
		break;
	case ATA_WRITE:
		ide_submit(ch, BLOCK_WRITE, ch->plan.offset, len, ch->sg.iov, ch->sg.nr, move_done);
		break;
	default:
		dma_sg_read(&ch->sg, 0, ch->buf, len);
		ch->trim_at = 0;
		trim_next(ch);
	}
}

void ide_dma_start(struct ide_channel *ch)
{
	ch->phase = IDE_DMA;
	ide_active(ch)->r.status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	if (ch->bm_command & BM_START)
		run(ch);
}

/* ---- registers ---- */

static void command_write(struct ide_channel *ch, uint8_t val)
{
	uint8_t old = ch->bm_command;

	ch->bm_command = val & (BM_START | BM_TO_MEMORY);
	if (val & BM_START && !(old & BM_START)) {
		ch->bm_status |= BM_ACTIVE;
		ide_plug(ch);
		if (ch->phase == IDE_DMA)
			run(ch);
		ide_unplug(ch);
	} else if (!(val & BM_START) && old & BM_START) {
		/* What is under way cannot be taken back: it ends now. */
		if (ch->phase == IDE_BUSY && ch->plan.dma)
			block_drain(ide_active(ch)->block);
		ch->bm_status &= (uint8_t)~BM_ACTIVE;
	}
}

uint8_t ide_bm_read(struct ide_channel *ch, unsigned off)
{
	switch (off) {
	case 0:
		return ch->bm_command;
	case 2:
		return ch->bm_status;
	case 4:
	case 5:
	case 6:
	case 7:
		return (uint8_t)(ch->bm_table >> 8 * (off - 4));
	}
	return 0;
}

void ide_bm_write(struct ide_channel *ch, unsigned off, uint8_t val)
{
	unsigned shift = 8 * (off & 3);

	switch (off) {
	case 0:
		command_write(ch, val);
		break;
	case 2:
		ch->bm_status = (uint8_t)((val & BM_CAPABLE) | (ch->bm_status & BM_ACTIVE) |
					  (ch->bm_status & ~val & (BM_ERROR | BM_INTERRUPT)));
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		ch->bm_table = (ch->bm_table & ~(0xffu << shift)) | (uint32_t)val << shift;
		ch->bm_table &= ~3u;
		break;
	}
}
