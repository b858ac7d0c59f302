/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programmed I/O of an IDE channel: data passes through a buffer, block by block, each with DRQ and an
 * interrupt.
 */
#include <string.h>

#include "hw/storage/ide_impl.h"

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* Shows the block that ends at ch->end to the host. */
static void show_block(struct ide_channel *ch, bool interrupt)
{
	struct ata_regs *r = &ide_active(ch)->r;
	uint32_t len = ch->end - ch->pos;

	r->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	if (ch->packet) {
		r->lba_mid = (uint8_t)len;
		r->lba_high = (uint8_t)(len >> 8);
		r->count = ch->phase == IDE_PIO_IN ? ATAPI_IO : 0;
	}
	if (interrupt)
		ide_raise(ch);
}

/* ---- to the host ---- */

void ide_pio_reply(struct ide_channel *ch, uint32_t len)
{
	ch->phase = IDE_PIO_IN;
	ch->pos = 0;
	ch->filled = len;
	ch->end = smaller(ch->plan.block, len);
	ch->moved += len;
	show_block(ch, true);
}

static void ata_read_done(struct block_req *req, int ret)
{
	struct ide_channel *ch = req->opaque;

	if (ide_dropped(ch))
		return;
	if (ret < 0) {
		ata_end(ide_active(ch), ret);
		ide_finish(ch);
		return;
	}
	ide_pio_reply(ch, (uint32_t)req->len);
}

static void packet_read_done(struct scsi_cmd *c)
{
	struct ide_channel *ch = c->opaque;

	if (ide_dropped(ch))
		return;
	if (c->status != SCSI_GOOD)
		ide_packet_end(ch);
	else
		ide_pio_reply(ch, (uint32_t)c->req.len);
}

void ide_pio_read(struct ide_channel *ch)
{
	uint32_t len = smaller(ch->plan.len - ch->moved, IDE_BUF);
	uint64_t offset = ch->plan.offset + ch->moved;

	ch->pio = (struct iovec){ch->buf, len};
	if (!ch->packet) {
		ide_submit(ch, BLOCK_READ, offset, len, &ch->pio, 1, ata_read_done);
		return;
	}
	ch->phase = IDE_BUSY;
	ide_active(ch)->r.status = ATA_DRDY | ATA_DSC | ATA_BSY;
	ch->cmd.action = SCSI_READ;
	ch->cmd.done = packet_read_done;
	ch->cmd.opaque = ch;
	scsi_io(&ch->cmd, ch->moved, &ch->pio, 1, len);
}

/* The host has read all of a block. */
static void in_next(struct ide_channel *ch)
{
	if (ch->pos < ch->filled) {
		ch->end = ch->pos + smaller(ch->plan.block, ch->filled - ch->pos);
		show_block(ch, true);
	} else if (ch->moved < ch->plan.len) {
		ide_pio_read(ch);
	} else if (ch->packet) {
		ide_packet_end(ch);
	} else {
		ch->phase = IDE_IDLE;
		ata_end(ide_active(ch), 0);
	}
}

uint32_t ide_pio_in(struct ide_channel *ch, unsigned size)
{
	uint32_t val = 0, left = ch->end - ch->pos;

	if (ch->phase != IDE_PIO_IN || ch->pos >= ch->end || ch->end > IDE_BUF)
		return 0;
	memcpy(&val, ch->buf + ch->pos, size < left ? size : left);
	ch->pos += size < left ? size : left;
	if (ch->pos == ch->end) {
		ide_plug(ch);
		in_next(ch);
		ide_unplug(ch);
	}
	return val;
}

/* ---- from the host ---- */

/* Asks for the next part of the data. */
static void want_part(struct ide_channel *ch, bool interrupt)
{
	ch->phase = IDE_PIO_OUT;
	ch->pos = 0;
	ch->filled = smaller(ch->plan.len - ch->moved, IDE_BUF);
	ch->end = smaller(ch->plan.block, ch->filled);
	show_block(ch, interrupt);
}

void ide_pio_want(struct ide_channel *ch)
{
	/* Only packets announce their first block by an interrupt. */
	want_part(ch, ch->packet);
}

static void write_done(struct block_req *req, int ret)
{
	struct ide_channel *ch = req->opaque;

	if (ide_dropped(ch))
		return;
	ch->moved += req->len;
	if (ret == 0 && ch->moved < ch->plan.len) {
		want_part(ch, true);
		return;
	}
	ata_end(ide_active(ch), ret);
	ide_finish(ch);
}

static void out_next(struct ide_channel *ch)
{
	if (ch->phase == IDE_PACKET) {
		ide_packet_start(ch);
	} else if (ch->pos < ch->filled) {
		ch->end = ch->pos + smaller(ch->plan.block, ch->filled - ch->pos);
		show_block(ch, true);
	} else if (ch->packet) {
		ide_packet_param(ch);
	} else {
		ch->pio = (struct iovec){ch->buf, ch->filled};
		ide_submit(ch, BLOCK_WRITE, ch->plan.offset + ch->moved, ch->filled, &ch->pio, 1,
			   write_done);
	}
}

void ide_pio_out(struct ide_channel *ch, uint32_t val, unsigned size)
{
	uint32_t left = ch->end - ch->pos;

	if ((ch->phase != IDE_PIO_OUT && ch->phase != IDE_PACKET) || ch->pos >= ch->end ||
	    ch->end > IDE_BUF)
		return;
	memcpy(ch->buf + ch->pos, &val, size < left ? size : left);
	ch->pos += size < left ? size : left;
	if (ch->pos == ch->end) {
		ide_plug(ch);
		out_next(ch);
		ide_unplug(ch);
	}
}
