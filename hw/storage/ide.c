/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers of an IDE channel, and the start and end of commands.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/storage/ide_impl.h"

enum { REG_DATA, REG_ERROR, REG_COUNT, REG_LBA_LOW, REG_LBA_MID, REG_LBA_HIGH, REG_DEVICE };
enum { REG_STATUS = 7 };
enum { CONTROL_NIEN = 0x02, CONTROL_SRST = 0x04, CONTROL_HOB = 0x80 };
enum { CMD_DEVICE_RESET = 0x08, CMD_DIAGNOSTIC = 0x90 };
enum { BM_INTERRUPT = 4 };

static void update_irq(struct ide_channel *ch)
{
	irq_set(&ch->irq, ch->irq_pending && !(ch->control & CONTROL_NIEN));
}

void ide_raise(struct ide_channel *ch)
{
	ch->irq_pending = true;
	ch->bm_status |= BM_INTERRUPT;
	update_irq(ch);
}

void ide_finish(struct ide_channel *ch)
{
	ch->phase = IDE_IDLE;
	ch->packet = false;
	ide_raise(ch);
}

void ide_submit(struct ide_channel *ch, enum block_op op, uint64_t offset, uint64_t len,
		const struct iovec *iov, unsigned nr, void (*done)(struct block_req *, int))
{
	ch->phase = IDE_BUSY;
	ide_active(ch)->r.status = ATA_DRDY | ATA_DSC | ATA_BSY;
	ch->req.op = op;
	ch->req.flags = ch->plan.flags;
	ch->req.offset = offset;
	ch->req.len = len;
	ch->req.iov = iov;
	ch->req.nr_iov = nr;
	ch->req.done = done;
	ch->req.opaque = ch;
	block_submit(ide_active(ch)->block, &ch->req);
}

void ide_plug(struct ide_channel *ch)
{
	for (int i = 0; i < 2; i++)
		if (ch->drive[i].block)
			block_plug(ch->drive[i].block);
}

void ide_unplug(struct ide_channel *ch)
{
	for (int i = 0; i < 2; i++)
		if (ch->drive[i].block)
			block_unplug(ch->drive[i].block);
}

static void flush_done(struct block_req *req, int ret)
{
	struct ide_channel *ch = req->opaque;

	if (ide_dropped(ch))
		return;
	ata_end(ide_active(ch), ret);
	ide_finish(ch);
}

/* ---- commands ---- */

/* Waits for what is under way on the channel, and forgets it. */
static void drop(struct ide_channel *ch)
{
	ch->dropping = true;
	for (int i = 0; i < 2; i++)
		if (ch->drive[i].block)
			block_drain(ch->drive[i].block);
	ch->dropping = false;
	ch->phase = IDE_IDLE;
	ch->packet = false;
	ch->bm_status &= (uint8_t)~1;
}

static void start_command(struct ide_channel *ch, uint8_t command)
{
	struct ata_drive *d = &ch->drive[ch->selected];

	ch->irq_pending = false;
	update_irq(ch);
	if (command == CMD_DIAGNOSTIC) {
		/* Both drives do it, and the first one answers. */
		drop(ch);
		for (int i = 0; i < 2; i++)
			if (ch->drive[i].block)
				ata_reset(&ch->drive[i]);
		ch->selected = 0;
		ide_raise(ch);
		return;
	}
	if (!d->block)
		return;
	if (command == CMD_DEVICE_RESET && d->cd && ch->active == ch->selected)
		drop(ch);
	else if (ch->phase != IDE_IDLE)
		return;
	ch->active = ch->selected;
	d->r.command = command;
	ata_start(d, &ch->plan);
	ch->moved = 0;
	switch (ch->plan.kind) {
	case ATA_END:
		if (command == CMD_DEVICE_RESET && d->cd)
			ch->phase = IDE_IDLE;
		else
			ide_finish(ch);
		break;
	case ATA_REPLY:
		memcpy(ch->buf, d->data, ATA_SECTOR);
		ide_pio_reply(ch, ATA_SECTOR);
		break;
	case ATA_READ:
		if (ch->plan.dma)
			ide_dma_start(ch);
		else
			ide_pio_read(ch);
		break;
	case ATA_WRITE:
		if (ch->plan.dma)
			ide_dma_start(ch);
		else
			ide_pio_want(ch);
		break;
	case ATA_TRIM:
		ide_dma_start(ch);
		break;
	case ATA_FLUSH:
		ide_submit(ch, BLOCK_FLUSH, 0, 0, NULL, 0, flush_done);
		break;
	case ATA_PACKET:
		ch->packet = true;
		ch->phase = IDE_PACKET;
		ch->pos = 0;
		ch->end = ATA_PACKET_LEN;
		d->r.count = ATAPI_CD;
		d->r.status = ATA_DRDY | ATA_DSC | ATA_DRQ;
		break;
	}
}

/* ---- registers ---- */

static void control_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ide_channel *ch = dev;
	uint8_t old = ch->control;

	(void)off;
	(void)size;
	ch->control = (uint8_t)val;
	if (val & CONTROL_SRST && !(old & CONTROL_SRST)) {
		drop(ch);
		ch->irq_pending = false;
		for (int i = 0; i < 2; i++)
			ch->drive[i].r.status = ATA_BSY;
	} else if (old & CONTROL_SRST && !(val & CONTROL_SRST)) {
		ch->selected = 0;
		for (int i = 0; i < 2; i++)
			ata_reset(&ch->drive[i]);
	}
	update_irq(ch);
}

static void reg_write(struct ide_channel *ch, unsigned reg, uint8_t val)
{
	ch->control &= (uint8_t)~CONTROL_HOB;
	if (reg == REG_DEVICE)
		ch->selected = val >> 4 & 1;
	if (reg == REG_STATUS) {
		ide_plug(ch);
		start_command(ch, val);
		ide_unplug(ch);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct ata_regs *r = &ch->drive[i].r;

		switch (reg) {
		case REG_ERROR:
			r->hob_feature = r->feature;
			r->feature = val;
			break;
		case REG_COUNT:
			r->hob_count = r->count;
			r->count = val;
			break;
		case REG_LBA_LOW:
			r->hob_lba_low = r->lba_low;
			r->lba_low = val;
			break;
		case REG_LBA_MID:
			r->hob_lba_mid = r->lba_mid;
			r->lba_mid = val;
			break;
		case REG_LBA_HIGH:
			r->hob_lba_high = r->lba_high;
			r->lba_high = val;
			break;
		case REG_DEVICE:
			r->device = (uint8_t)((val & ~ATA_DEV_SLAVE) | (i ? ATA_DEV_SLAVE : 0));
			break;
		}
	}
}

/* What the selected drive shows; a drive that is not there is answered for by the other one. */
static const struct ata_drive *shown(const struct ide_channel *ch)
{
	const struct ata_drive *d = &ch->drive[ch->selected];

	return d->block || !ch->drive[!ch->selected].block ? d : NULL;
}

static uint8_t reg_read(struct ide_channel *ch, unsigned reg)
{
	const struct ata_drive *d = shown(ch);
	bool hob = ch->control & CONTROL_HOB;
	const struct ata_regs *r;

	if (reg == REG_DEVICE && (!d || d->block))
		return (uint8_t)(0xa0 | (ch->drive[ch->selected].r.device & 0x4f) |
				 (ch->selected ? ATA_DEV_SLAVE : 0));
	if (!d || !d->block)
		return 0;
	r = &d->r;
	switch (reg) {
	case REG_ERROR:
		return hob ? r->hob_feature : r->error;
	case REG_COUNT:
		return hob ? r->hob_count : r->count;
	case REG_LBA_LOW:
		return hob ? r->hob_lba_low : r->lba_low;
	case REG_LBA_MID:
		return hob ? r->hob_lba_mid : r->lba_mid;
	case REG_LBA_HIGH:
		return hob ? r->hob_lba_high : r->lba_high;
	}
	return r->status;
}

static uint64_t block_read(void *dev, uint64_t off, unsigned size)
{
	struct ide_channel *ch = dev;
	uint64_t val = 0;

	if (off == REG_DATA)
		return ide_pio_in(ch, size);
	for (unsigned i = 0; i < size; i++) {
		if (off + i == REG_STATUS) {
			ch->irq_pending = false;
			update_irq(ch);
		}
		val |= (uint64_t)reg_read(ch, (unsigned)off + i) << (8 * i);
	}
	return val;
}

static void block_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ide_channel *ch = dev;

	if (off == REG_DATA) {
		ide_pio_out(ch, (uint32_t)val, size);
		return;
	}
	for (unsigned i = 0; i < size && off + i <= REG_STATUS; i++)
		reg_write(ch, (unsigned)off + i, (uint8_t)(val >> (8 * i)));
}

static uint64_t control_read(void *dev, uint64_t off, unsigned size)
{
	(void)off;
	(void)size;
	return reg_read(dev, REG_STATUS);
}

static const struct mmio_ops block_ops = {block_read, block_write, 1, 4};
static const struct mmio_ops control_ops = {control_read, control_write, 1, 1};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD(ide_channel, selected, 0),
    FIELD(ide_channel, active, 0),
    FIELD(ide_channel, control, 0),
    FIELD(ide_channel, irq_pending, 0),
    FIELD(ide_channel, phase, IDE_IDLE),
    FIELD(ide_channel, packet, 0),
    FIELD(ide_channel, plan.kind, 0),
    FIELD(ide_channel, plan.dma, 0),
    FIELD(ide_channel, plan.block, 0),
    FIELD(ide_channel, plan.flags, 0),
    FIELD(ide_channel, plan.offset, 0),
    FIELD(ide_channel, plan.len, 0),
    FIELD(ide_channel, moved, 0),
    FIELD(ide_channel, pos, 0),
    FIELD(ide_channel, end, 0),
    FIELD(ide_channel, filled, 0),
    FIELD_ARRAY(ide_channel, buf, 0),
    FIELD(ide_channel, bm_command, 0),
    FIELD(ide_channel, bm_status, 0),
    FIELD(ide_channel, bm_table, 0),
    FIELD_ARRAY(ide_channel, cmd.cdb, 0),
    FIELD(ide_channel, cmd.action, 0),
    FIELD(ide_channel, cmd.len, 0),
    FIELD(ide_channel, cmd.offset, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct ide_channel *ch = state;

	drop(ch);
	update_irq(ch);
}

static void tame(void *state)
{
	struct ide_channel *ch = state;

	ch->selected &= 1;
	ch->active &= 1;
	ch->cmd.d = &ide_active(ch)->scsi;
	if (ch->pos > IDE_BUF || ch->end > IDE_BUF || ch->filled > IDE_BUF ||
	    (ch->plan.kind == ATA_TRIM && ch->plan.len > IDE_BUF) ||
	    (ch->cmd.action != SCSI_READ && ch->cmd.len > SCSI_BUF_LEN))
		ch->phase = IDE_IDLE;
}

static void loaded(void *state)
{
	update_irq(state);
}

void ide_init(struct ide_channel *ch, const char *name, const struct irq_pin *irq,
	      struct pci_func *func)
{
	memset(ch, 0, sizeof(*ch));
	snprintf(ch->name, sizeof(ch->name), "%s", name);
	ch->irq = *irq;
	ch->func = func;
	dma_sg_init(&ch->sg, 16384);
	device_init(&ch->dev, ch->name, fields, ch);
	ch->dev.reset_done = reset_done;
	ch->dev.tame = tame;
	ch->dev.loaded = loaded;
}

void ide_fini(struct ide_channel *ch)
{
	drop(ch);
	ata_fini(&ch->drive[0]);
	ata_fini(&ch->drive[1]);
	dma_sg_fini(&ch->sg);
}

int ide_map(struct ide_channel *ch, struct aspace *io, uint16_t base, uint16_t control)
{
	int r = aspace_map_dev(io, ch->name, base, 8, &block_ops, ch);

	return r < 0 ? r : aspace_map_dev(io, ch->name, control, 1, &control_ops, ch);
}
