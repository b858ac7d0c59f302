/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ATAPI over an IDE channel: the PACKET command (ATA/ATAPI-6, 9.10 and 9.11), with PIO and with DMA.
 */
#include <string.h>

#include "hw/storage/ide_impl.h"

void ide_packet_end(struct ide_channel *ch)
{
	atapi_end(ide_active(ch), &ch->cmd);
	ide_finish(ch);
}

static void dma_done(struct scsi_cmd *c)
{
	struct ide_channel *ch = c->opaque;

	if (c->op == BLOCK_READ)
		dma_sg_written(&ch->sg, 0, ch->sg.len);
	if (ide_dropped(ch))
		return;
	ch->bm_status &= (uint8_t)~1;
	ide_packet_end(ch);
}

static void other_done(struct scsi_cmd *c)
{
	struct ide_channel *ch = c->opaque;

	if (!ide_dropped(ch))
		ide_packet_end(ch);
}

void ide_packet_dma(struct ide_channel *ch)
{
	struct scsi_cmd *c = &ch->cmd;

	if (c->action == SCSI_READ || c->action == SCSI_WRITE) {
		ch->phase = IDE_BUSY;
		ide_active(ch)->r.status = ATA_DRDY | ATA_DSC | ATA_BSY;
		c->done = dma_done;
		c->opaque = ch;
		scsi_io(c, 0, ch->sg.iov, ch->sg.nr, c->len);
		return;
	}
	ch->bm_status &= (uint8_t)~1;
	if (c->action == SCSI_REPLY) {
		dma_sg_write(&ch->sg, 0, c->buf, c->len);
		ide_packet_end(ch);
	} else {
		dma_sg_read(&ch->sg, 0, ch->buf, c->len);
		ide_packet_param(ch);
	}
}

/* What the command needs next. */
static void go_on(struct ide_channel *ch)
{
	struct scsi_cmd *c = &ch->cmd;

	ch->moved = 0;
	ch->plan.len = c->len;
	ch->plan.block = atapi_limit(ide_active(ch));
	switch (c->action) {
	case SCSI_DONE:
		ide_packet_end(ch);
		break;
	case SCSI_OTHER_IO:
		ch->phase = IDE_BUSY;
		ide_active(ch)->r.status = ATA_DRDY | ATA_DSC | ATA_BSY;
		c->done = other_done;
		c->opaque = ch;
		scsi_io(c, 0, NULL, 0, 0);
		break;
	case SCSI_REPLY:
		if (ch->plan.dma) {
			ide_dma_start(ch);
		} else {
			memcpy(ch->buf, c->buf, c->len);
			ide_pio_reply(ch, (uint32_t)c->len);
		}
		break;
	case SCSI_READ:
		if (ch->plan.dma)
			ide_dma_start(ch);
		else
			ide_pio_read(ch);
		break;
	case SCSI_PARAM:
		if (ch->plan.dma)
			ide_dma_start(ch);
		else
			ide_pio_want(ch);
		break;
	case SCSI_WRITE: /* no drive of this kind writes */
		scsi_fail(c, KEY_ILLEGAL_REQUEST, ASC_BAD_OPCODE);
		ide_packet_end(ch);
		break;
	}
}

void ide_packet_start(struct ide_channel *ch)
{
	memset(ch->cmd.cdb, 0, sizeof(ch->cmd.cdb));
	memcpy(ch->cmd.cdb, ch->buf, ATA_PACKET_LEN);
	scsi_start(&ide_active(ch)->scsi, &ch->cmd);
	go_on(ch);
}

void ide_packet_param(struct ide_channel *ch)
{
	memcpy(ch->cmd.buf, ch->buf, ch->cmd.len);
	scsi_param(&ide_active(ch)->scsi, &ch->cmd);
	go_on(ch);
}
