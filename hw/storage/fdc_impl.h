/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the floppy disk controller: fdc.c has the registers, fdc_command.c the commands but for those
 * that move data, which fdc_transfer.c has.
 */
#ifndef HW_STORAGE_FDC_IMPL_H
#define HW_STORAGE_FDC_IMPL_H

#include "hw/storage/fdc.h"

enum fdc_phase {
	PHASE_IDLE,
	PHASE_COMMAND, /* more bytes of the command are to come */
	PHASE_BUSY,    /* the block layer works on it */
	PHASE_READ,    /* programmed I/O: the host takes data */
	PHASE_WRITE,   /* it gives data */
	PHASE_RESULT,
};

enum { DOR_NRESET = 0x04, DOR_DMA = 0x08, DSR_RESET = 0x80 };
enum { ST0_SEEK_END = 0x20, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_NOT_READY = 0x08 };
enum { ST1_MISSING = 0x01, ST1_NOT_WRITABLE = 0x02, ST1_NO_DATA = 0x04, ST1_OVERRUN = 0x10 };
enum { ST1_END = 0x80, ST3_WRITE_PROTECT = 0x40, ST3_TRACK0 = 0x10, ST3_ALWAYS = 0x28 };
enum { SPECIFY_NDMA = 1, CONFIG_IMPLIED_SEEK = 0x40, CONFIG_NO_POLL = 0x10 };

/* NULL: there is no such drive. */
static inline struct fdc_drive *fdc_drive_at(struct fdc *f, unsigned unit)
{
	return unit < FDC_DRIVES && f->drive[unit].block ? &f->drive[unit] : NULL;
}

/* ---- fdc.c ---- */

void fdc_update_irq(struct fdc *f, bool level);
void fdc_idle(struct fdc *f);
/* The result phase: the first len bytes of the FIFO are for the host. */
void fdc_result(struct fdc *f, unsigned len, bool interrupt);

/* ---- fdc_command.c ---- */

/* Bytes of a command by its first one; 1 for those that do not exist. */
unsigned fdc_command_len(uint8_t cmd);
/* The FIFO holds a whole command. */
void fdc_execute(struct fdc *f);

/* ---- fdc_transfer.c ---- */

/* READ DATA, WRITE DATA and VERIFY, READ ID, and FORMAT TRACK, with the command in the FIFO. */
void fdc_start_transfer(struct fdc *f, bool writes, bool verifies);
void fdc_read_id(struct fdc *f);
void fdc_start_format(struct fdc *f);
/* All of a sector has gone where it should; tc: the DMA controller has counted to its end. */
void fdc_sector_done(struct fdc *f, bool tc);
/* The host has given a sector's data. */
void fdc_write_sector(struct fdc *f, bool tc);

#endif
