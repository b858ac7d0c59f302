/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An IDE channel: the command and control blocks of two drives (ATA/ATAPI-6), PIO, and the data side of
 * bus-master DMA (Programming Interface for Bus Master IDE Controller 1.0).
 */
#ifndef HW_STORAGE_IDE_H
#define HW_STORAGE_IDE_H

#include "hw/dma_sg.h"
#include "hw/irq.h"
#include "hw/pci.h"
#include "hw/storage/ata.h"

#define IDE_BUF 0x8000u

enum ide_phase {
	IDE_IDLE,
	IDE_BUSY,    /* the block layer works on it */
	IDE_PIO_IN,  /* data waits for the host */
	IDE_PIO_OUT, /* the host has data to give */
	IDE_PACKET,  /* the host has a packet to give */
	IDE_DMA,     /* waits for the bus master */
};

struct ide_channel {
	struct device dev;
	char name[32];
	struct ata_drive drive[2];
	struct irq_pin irq;
	struct pci_func *func; /* that DMA goes through; NULL: PIO only */

	uint8_t selected, active; /* drive in the device register, drive of the command */
	uint8_t control;
	bool irq_pending;
	uint8_t phase; /* enum ide_phase */
	bool packet;   /* the command is PACKET, whose own command is cmd */
	struct ata_plan plan;
	uint64_t moved;            /* bytes of the data that have been in buf */
	uint32_t pos, end, filled; /* in buf: next byte, end of this block, end of the data */
	uint8_t buf[IDE_BUF];

	/* Bus master. */
	uint8_t bm_command, bm_status;
	uint32_t bm_table;

	struct scsi_cmd cmd;
	struct block_req req;
	struct dma_sg sg;
	struct iovec pio; /* buf, for the block layer */
	uint32_t trim_at;
	bool dropping; /* a reset throws away what ends now */
};

/* irq is copied. */
void ide_init(struct ide_channel *ch, const char *name, const struct irq_pin *irq,
	      struct pci_func *func);
void ide_fini(struct ide_channel *ch);
/* Claims the ports. 0 or -errno. */
int ide_map(struct ide_channel *ch, struct aspace *io, uint16_t base, uint16_t control);

/* Bus master registers of the channel, at offsets 0 to 7. */
uint8_t ide_bm_read(struct ide_channel *ch, unsigned off);
void ide_bm_write(struct ide_channel *ch, unsigned off, uint8_t val);

#endif
