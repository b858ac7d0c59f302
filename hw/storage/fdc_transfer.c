/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The floppy disk controller's commands that move data (Intel 290475, 5.1): sector by sector through the
 * block layer, by DMA or by programmed I/O. Heads move at once.
 */
#include "hw/storage/fdc_impl.h"

#include <string.h>

static void end_transfer(struct fdc *f, uint8_t st0, uint8_t st1, uint8_t st2)
{
	uint8_t *r = f->fifo;

	dma8237_dreq(f->dma, 2, false);
	r[0] = (uint8_t)(st0 | f->head << 2 | f->unit);
	r[1] = st1;
	r[2] = st2;
	r[3] = f->cylinder;
	r[4] = f->head;
	r[5] = f->sector;
	r[6] = 2;
	fdc_result(f, 7, true);
}

static void move_sector(struct fdc *f);

/* The next sector of the track, or of the other side. False at the end of what was asked for. */
static bool advance(struct fdc *f)
{
	if (f->sector < f->last_sector) {
		f->sector++;
		return true;
	}
	f->sector = 1;
	if (f->multi_track && f->head == 0) {
		f->head = 1;
		return true;
	}
	f->cylinder++;
	if (f->multi_track)
		f->head = 0;
	return false;
}

void fdc_sector_done(struct fdc *f, bool tc)
{
	bool more = advance(f);

	if (tc)
		end_transfer(f, 0, 0, 0);
	else if (more)
		move_sector(f);
	else if (f->verifies || f->formats)
		end_transfer(f, 0, 0, 0);
	else
		end_transfer(f, ST0_ABNORMAL, ST1_END,
			     0); /* without TC the end comes as a surprise */
}

static bool uses_dma(const struct fdc *f)
{
	return !(f->specify[1] & SPECIFY_NDMA) && f->dor & DOR_DMA;
}

static void io_done(struct block_req *req, int ret)
{
	struct fdc *f = req->opaque;
	bool tc = false;

	if (f->dropping)
		return;
	f->phase = PHASE_IDLE;
	if (ret < 0) {
		end_transfer(f, ST0_ABNORMAL, f->writes ? ST1_NOT_WRITABLE : ST1_NO_DATA, 0);
	} else if (f->writes) {
		fdc_sector_done(f, f->at != 0);
	} else if (f->verifies) {
		fdc_sector_done(f, false);
	} else if (uses_dma(f)) {
		size_t n = dma8237_transfer(f->dma, 2, f->data, FDC_SECTOR, &tc);

		if (n < FDC_SECTOR && !tc)
			end_transfer(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
		else
			fdc_sector_done(f, tc);
	} else {
		f->phase = PHASE_READ;
		f->at = 0;
		fdc_update_irq(f, true);
	}
}

static void submit(struct fdc *f, enum block_op op)
{
	struct fdc_drive *d = &f->drive[f->unit];
	uint64_t lba = ((uint64_t)f->cylinder * d->heads + f->head) * d->sectors + f->sector - 1;

	f->phase = PHASE_BUSY;
	f->iov = (struct iovec){f->data, FDC_SECTOR};
	f->req = (struct block_req){
	    .op = op,
	    .offset = lba * FDC_SECTOR,
	    .len = FDC_SECTOR,
	    .iov = &f->iov,
	    .nr_iov = 1,
	    .done = io_done,
	    .opaque = f,
	};
	block_submit(d->block, &f->req);
}

/* The sector's data is complete; tc is kept in `at` until it is on the medium. */
void fdc_write_sector(struct fdc *f, bool tc)
{
	f->at = tc;
	submit(f, BLOCK_WRITE);
}

static void move_sector(struct fdc *f)
{
	const struct fdc_drive *d = fdc_drive_at(f, f->unit);
	bool tc = false;

	if (!d || !block_present(d->block)) {
		end_transfer(f, ST0_ABNORMAL | ST0_NOT_READY, ST1_MISSING, 0);
		return;
	}
	if (f->cylinder >= d->tracks || f->head >= d->heads || !f->sector ||
	    f->sector > d->sectors) {
		end_transfer(f, ST0_ABNORMAL, ST1_NO_DATA, 0);
		return;
	}
	if (f->writes && block_read_only(d->block)) {
		end_transfer(f, ST0_ABNORMAL, ST1_NOT_WRITABLE, 0);
		return;
	}
	dma8237_dreq(f->dma, 2, true);
	if (!f->writes) {
		submit(f, BLOCK_READ);
	} else if (f->formats) {
		memset(f->data, f->fill, FDC_SECTOR);
		fdc_write_sector(f, false);
	} else if (uses_dma(f)) {
		size_t n = dma8237_transfer(f->dma, 2, f->data, FDC_SECTOR, &tc);

		/* The rest of a sector that TC cuts short is zeroes. */
		memset(f->data + n, 0, FDC_SECTOR - n);
		if (n < FDC_SECTOR && !tc)
			end_transfer(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
		else
			fdc_write_sector(f, tc);
	} else {
		f->phase = PHASE_WRITE;
		f->at = 0;
		fdc_update_irq(f, true);
	}
}

void fdc_start_transfer(struct fdc *f, bool writes, bool verifies)
{
	const uint8_t *c = f->fifo;
	struct fdc_drive *d = fdc_drive_at(f, c[1] & 3);

	f->unit = c[1] & 3;
	f->cylinder = c[2];
	f->head = c[3] & 1;
	f->sector = c[4];
	f->last_sector = c[6];
	f->multi_track = c[0] & 0x80;
	f->writes = writes;
	f->verifies = verifies;
	f->formats = false;
	if (c[5] != 2) { /* sectors of another size than 512 bytes */
		end_transfer(f, ST0_ABNORMAL, ST1_MISSING, 0);
		return;
	}
	if (d && f->config & CONFIG_IMPLIED_SEEK)
		d->track = c[2];
	if (d && d->track != c[2]) {
		end_transfer(f, ST0_ABNORMAL, ST1_NO_DATA, 0x10); /* wrong cylinder */
		return;
	}
	move_sector(f);
}

/* The host's list of sector numbers is taken and not needed: all sectors get the same fill. */
void fdc_start_format(struct fdc *f)
{
	const uint8_t *c = f->fifo;
	const struct fdc_drive *d = fdc_drive_at(f, c[1] & 3);
	uint8_t ids[4 * 255];
	bool tc;

	f->unit = c[1] & 3;
	f->head = c[1] >> 2 & 1;
	f->cylinder = d ? d->track : 0;
	f->sector = 1;
	f->last_sector = c[3];
	f->fill = c[5];
	f->multi_track = f->verifies = false;
	f->writes = f->formats = true;
	if (uses_dma(f))
		dma8237_transfer(f->dma, 2, ids, 4u * c[3], &tc);
	if (!c[3] || c[2] != 2)
		end_transfer(f, ST0_ABNORMAL, ST1_MISSING, 0);
	else
		move_sector(f);
}

static bool is_ready(struct fdc *f, unsigned unit)
{
	const struct fdc_drive *d = fdc_drive_at(f, unit);

	return d && block_present(d->block);
}

void fdc_read_id(struct fdc *f)
{
	const struct fdc_drive *d = fdc_drive_at(f, f->fifo[1] & 3);

	f->unit = f->fifo[1] & 3;
	f->head = f->fifo[1] >> 2 & 1;
	f->cylinder = d ? d->track : 0;
	f->sector = 1;
	if (!is_ready(f, f->unit) || f->head >= d->heads || f->cylinder >= d->tracks)
		end_transfer(f, ST0_ABNORMAL, ST1_MISSING, 0);
	else
		end_transfer(f, 0, 0, 0);
}
