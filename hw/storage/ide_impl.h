/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the registers of an IDE channel (ide.c), its transfers (ide_pio.c, ide_dma.c) and the
 * packets that go through it (ide_packet.c).
 */
#ifndef HW_STORAGE_IDE_IMPL_H
#define HW_STORAGE_IDE_IMPL_H

#include "hw/storage/ide.h"

static inline struct ata_drive *ide_active(struct ide_channel *ch)
{
	return &ch->drive[ch->active];
}

/* Around what may start requests: they are handed over at its end, and may be over by then. */
void ide_plug(struct ide_channel *ch);
void ide_unplug(struct ide_channel *ch);
void ide_raise(struct ide_channel *ch);
/* The command is over, status and error are set. */
void ide_finish(struct ide_channel *ch);
/* Hands ch->req to the block layer. */
void ide_submit(struct ide_channel *ch, enum block_op op, uint64_t offset, uint64_t len,
		const struct iovec *iov, unsigned nr, void (*done)(struct block_req *, int));
/* A reset throws the command away: done() returns at once. */
static inline bool ide_dropped(const struct ide_channel *ch)
{
	return ch->dropping;
}

/* PIO: data in buf for the host; the next part of the data from the medium; data wanted. */
void ide_pio_reply(struct ide_channel *ch, uint32_t len);
void ide_pio_read(struct ide_channel *ch);
void ide_pio_want(struct ide_channel *ch);
uint32_t ide_pio_in(struct ide_channel *ch, unsigned size);
void ide_pio_out(struct ide_channel *ch, uint32_t val, unsigned size);

/* DMA: waits for the bus master, which may be there already. */
void ide_dma_start(struct ide_channel *ch);
void ide_dma_stop(struct ide_channel *ch);

/* A command packet is complete in buf. */
void ide_packet_start(struct ide_channel *ch);
/* The data of MODE SELECT and the like is complete in buf. */
void ide_packet_param(struct ide_channel *ch);
void ide_packet_end(struct ide_channel *ch);
/* Starts the DMA of a packet's command: the list is in ch->sg. */
void ide_packet_dma(struct ide_channel *ch);

#endif
