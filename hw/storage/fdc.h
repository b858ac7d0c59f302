/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A floppy disk controller with two drives (Intel 290475, 82078, in its AT mode): ports 3F0h-3F5h and
 * 3F7h, IRQ 6, DMA channel 2 or programmed I/O.
 */
#ifndef HW_STORAGE_FDC_H
#define HW_STORAGE_FDC_H

#include "hw/dma8237.h"
#include "hw/irq.h"
#include "hw/storage/storage.h"
#include "hw/storage/drive_bus.h"

#define FDC_DRIVES 2u
#define FDC_SECTOR 512u

struct fdc_drive {
	struct fdc *fdc;
	struct block *block; /* NULL: there is no drive */
	uint8_t track;       /* where the head is */
	bool changed;        /* the medium may be another one */
	/* Of the medium. */
	uint8_t tracks, heads, sectors;
};

struct fdc {
	struct device dev;
	struct irq_pin irq;
	struct dma8237 *dma;
	struct fdc_drive drive[FDC_DRIVES];
	struct drive_bus bus;

	uint8_t dor, tdr, dsr, ccr, config, precompensation, perpendicular;
	uint8_t specify[2];
	bool lock;
	uint8_t phase; /* enum fdc_phase, in fdc.c */
	uint8_t fifo[16];
	uint8_t pos, len;     /* in fifo */
	uint8_t st0, pending; /* interrupts of seeks and resets: the last one's ST0, how many */
	uint8_t reset_left;   /* drives that have not been asked for after a reset */
	bool irq_level;
	/* The transfer under way. */
	uint8_t unit, cylinder, head, sector, last_sector;
	bool multi_track, writes, verifies, formats;
	uint8_t fill;
	uint16_t at; /* in data */
	uint8_t data[FDC_SECTOR];

	struct block_req req;
	struct iovec iov;
	bool dropping;
};

/* irq is copied, dma borrowed. Claims the ports, and adds the bus to the board's list. 0 or -errno. */
int fdc_init(struct fdc *f, struct aspace *io, struct dma8237 *dma, const struct irq_pin *irq,
	     struct drive_bus **drives);
void fdc_fini(struct fdc *f);
/* 0, -EBUSY or -EINVAL. */
int fdc_attach(struct fdc *f, unsigned unit, struct block *block);
/* The type of a drive as the CMOS has it: 0 none, 4 for 1.44 MB, 5 for 2.88 MB. */
uint8_t fdc_cmos_type(const struct fdc *f, unsigned unit);

#endif
