/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Floppy disk controller: registers, the command, execution and result phases of its commands (Intel
 * 290475, chapters 2 and 5). Heads move at once; sectors come from the block layer one by one.
 */
#include "hw/storage/fdc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum fdc_phase {
	PHASE_IDLE,
	PHASE_COMMAND, /* more bytes of the command are to come */
	PHASE_BUSY,    /* the block layer works on it */
	PHASE_READ,    /* programmed I/O: the host takes data */
	PHASE_WRITE,   /* it gives data */
	PHASE_RESULT,
};

enum { REG_SRA, REG_SRB, REG_DOR, REG_TDR, REG_MSR, REG_FIFO, REG_DIR = 7 };
enum { DOR_NRESET = 0x04, DOR_DMA = 0x08, DSR_RESET = 0x80 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NDMA = 0x20, MSR_BUSY = 0x10 };
enum { ST0_SEEK_END = 0x20, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_NOT_READY = 0x08 };
enum { ST1_MISSING = 0x01, ST1_NOT_WRITABLE = 0x02, ST1_NO_DATA = 0x04, ST1_OVERRUN = 0x10 };
enum { ST1_END = 0x80, ST3_WRITE_PROTECT = 0x40, ST3_TRACK0 = 0x10, ST3_ALWAYS = 0x28 };
enum { SPECIFY_NDMA = 1, CONFIG_IMPLIED_SEEK = 0x40, CONFIG_NO_POLL = 0x10 };

enum fdc_command {
	CMD_SPECIFY = 0x03,
	CMD_SENSE_DRIVE = 0x04,
	CMD_WRITE = 0x05,
	CMD_READ = 0x06,
	CMD_RECALIBRATE = 0x07,
	CMD_SENSE_INTERRUPT = 0x08,
	CMD_READ_ID = 0x0a,
	CMD_FORMAT = 0x0d,
	CMD_DUMP = 0x0e,
	CMD_SEEK = 0x0f,
	CMD_VERSION = 0x10,
	CMD_PERPENDICULAR = 0x12,
	CMD_CONFIGURE = 0x13,
	CMD_LOCK = 0x14,
	CMD_VERIFY = 0x16,
	CMD_PART_ID = 0x18,
};

/* By size of the medium: what its tracks look like. */
static const struct {
	uint16_t kib;
	uint8_t tracks, heads, sectors;
} media[] = {
    {2880, 80, 2, 36}, {1440, 80, 2, 18}, {1680, 80, 2, 21}, {1200, 80, 2, 15}, {720, 80, 2, 9},
    {360, 40, 2, 9},   {320, 40, 2, 8},   {180, 40, 1, 9},   {160, 40, 1, 8},
};
#define NR_MEDIA (sizeof(media) / sizeof(media[0]))

static void update_irq(struct fdc *f, bool level)
{
	f->irq_level = level;
	/* The DMA gate in DOR also holds back the interrupt. */
	irq_set(&f->irq, level && f->dor & DOR_DMA);
}

static struct fdc_drive *drive(struct fdc *f, unsigned unit)
{
	return unit < FDC_DRIVES && f->drive[unit].block ? &f->drive[unit] : NULL;
}

static bool is_ready(struct fdc *f, unsigned unit)
{
	const struct fdc_drive *d = drive(f, unit);

	return d && block_present(d->block);
}

/* ---- phases ---- */

static void idle(struct fdc *f)
{
	f->phase = PHASE_IDLE;
	f->pos = f->len = 0;
}

static void result(struct fdc *f, unsigned len, bool interrupt)
{
	f->phase = PHASE_RESULT;
	f->pos = 0;
	f->len = (uint8_t)len;
	if (interrupt)
		update_irq(f, true);
}

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
	result(f, 7, true);
}

/* A seek or a reset tells of itself by SENSE INTERRUPT STATUS. */
static void seek_done(struct fdc *f, uint8_t st0)
{
	f->st0 = st0;
	f->pending = 1;
	idle(f);
	update_irq(f, true);
}

/* ---- transfers ---- */

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

/* All of a sector has gone where it should; tc: the DMA controller has counted to its end. */
static void sector_done(struct fdc *f, bool tc)
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
		sector_done(f, f->at != 0);
	} else if (f->verifies) {
		sector_done(f, false);
	} else if (uses_dma(f)) {
		size_t n = dma8237_transfer(f->dma, 2, f->data, FDC_SECTOR, &tc);

		if (n < FDC_SECTOR && !tc)
			end_transfer(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
		else
			sector_done(f, tc);
	} else {
		f->phase = PHASE_READ;
		f->at = 0;
		update_irq(f, true);
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
static void write_sector(struct fdc *f, bool tc)
{
	f->at = tc;
	submit(f, BLOCK_WRITE);
}

static void move_sector(struct fdc *f)
{
	const struct fdc_drive *d = drive(f, f->unit);
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
		write_sector(f, false);
	} else if (uses_dma(f)) {
		size_t n = dma8237_transfer(f->dma, 2, f->data, FDC_SECTOR, &tc);

		/* The rest of a sector that TC cuts short is zeroes. */
		memset(f->data + n, 0, FDC_SECTOR - n);
		if (n < FDC_SECTOR && !tc)
			end_transfer(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
		else
			write_sector(f, tc);
	} else {
		f->phase = PHASE_WRITE;
		f->at = 0;
		update_irq(f, true);
	}
}

static void start_transfer(struct fdc *f, bool writes, bool verifies)
{
	const uint8_t *c = f->fifo;
	struct fdc_drive *d = drive(f, c[1] & 3);

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
static void start_format(struct fdc *f)
{
	const uint8_t *c = f->fifo;
	const struct fdc_drive *d = drive(f, c[1] & 3);
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

static void read_id(struct fdc *f)
{
	const struct fdc_drive *d = drive(f, f->fifo[1] & 3);

	f->unit = f->fifo[1] & 3;
	f->head = f->fifo[1] >> 2 & 1;
	f->cylinder = d ? d->track : 0;
	f->sector = 1;
	if (!is_ready(f, f->unit) || f->head >= d->heads || f->cylinder >= d->tracks)
		end_transfer(f, ST0_ABNORMAL, ST1_MISSING, 0);
	else
		end_transfer(f, 0, 0, 0);
}

/* ---- other commands ---- */

static void seek(struct fdc *f, unsigned unit, unsigned track)
{
	struct fdc_drive *d = drive(f, unit);

	if (!d) {
		/* Without a drive no track 0 comes. */
		seek_done(f, (uint8_t)(ST0_SEEK_END | ST0_ABNORMAL | 0x10 | unit));
		return;
	}
	d->track = (uint8_t)track;
	if (block_present(d->block))
		d->changed = false;
	seek_done(f, (uint8_t)(ST0_SEEK_END | unit));
}

static void sense_interrupt(struct fdc *f)
{
	unsigned unit = f->st0 & 3;

	update_irq(f, false);
	if (f->reset_left) {
		unit = 4u - f->reset_left--;
		f->fifo[0] = (uint8_t)(0xc0 | unit);
	} else if (f->pending) {
		f->pending = 0;
		f->fifo[0] = f->st0;
	} else {
		f->fifo[0] = ST0_INVALID;
		result(f, 1, false);
		return;
	}
	f->fifo[1] = unit < FDC_DRIVES ? f->drive[unit].track : 0;
	result(f, 2, false);
}

static void sense_drive(struct fdc *f)
{
	unsigned unit = f->fifo[1] & 3;
	const struct fdc_drive *d = drive(f, unit);
	uint8_t st3 = (uint8_t)(ST3_ALWAYS | (f->fifo[1] & 7));

	if (!d || !d->track)
		st3 |= ST3_TRACK0;
	if (d && block_read_only(d->block))
		st3 |= ST3_WRITE_PROTECT;
	f->fifo[0] = st3;
	result(f, 1, false);
}

static void dump(struct fdc *f)
{
	uint8_t *r = f->fifo;

	r[0] = f->drive[0].track;
	r[1] = f->drive[1].track;
	r[2] = r[3] = 0;
	r[4] = f->specify[0];
	r[5] = f->specify[1];
	r[6] = f->last_sector;
	r[7] = (uint8_t)(f->lock << 7 | (f->perpendicular & 0x7f));
	r[8] = f->config;
	r[9] = f->precompensation;
	result(f, 10, false);
}

static void one_byte(struct fdc *f, uint8_t val)
{
	f->fifo[0] = val;
	result(f, 1, false);
}

/* Bytes of a command by its first one; 1 for those that do not exist. */
static unsigned command_len(uint8_t cmd)
{
	switch (cmd & 0x1f) {
	case CMD_WRITE:
	case CMD_READ:
	case CMD_WRITE + 4: /* deleted data */
	case CMD_READ + 6:
	case CMD_VERIFY:
	case 0x02: /* READ TRACK */
		return 9;
	case CMD_FORMAT:
		return 6;
	case CMD_CONFIGURE:
		return 4;
	case CMD_SPECIFY:
	case CMD_SEEK:
		return 3;
	case CMD_SENSE_DRIVE:
	case CMD_RECALIBRATE:
	case CMD_READ_ID:
	case CMD_PERPENDICULAR:
		return 2;
	}
	return 1;
}

static void execute(struct fdc *f)
{
	const uint8_t *c = f->fifo;
	struct fdc_drive *d;

	switch (c[0] & 0x1f) {
	case CMD_READ:
	case CMD_READ + 6:
	case 0x02:
		start_transfer(f, false, false);
		break;
	case CMD_WRITE:
	case CMD_WRITE + 4:
		start_transfer(f, true, false);
		break;
	case CMD_VERIFY:
		start_transfer(f, false, true);
		break;
	case CMD_FORMAT:
		start_format(f);
		break;
	case CMD_READ_ID:
		read_id(f);
		break;
	case CMD_RECALIBRATE:
		seek(f, c[1] & 3, 0);
		break;
	case CMD_SEEK:
		d = drive(f, c[1] & 3);
		if (c[0] & 0x80 && d) /* relative: in or out */
			seek(f, c[1] & 3,
			     (uint8_t)(c[0] & 0x40 ? d->track + c[2] : d->track - c[2]));
		else
			seek(f, c[1] & 3, c[2]);
		break;
	case CMD_SENSE_INTERRUPT:
		sense_interrupt(f);
		break;
	case CMD_SENSE_DRIVE:
		sense_drive(f);
		break;
	case CMD_SPECIFY:
		f->specify[0] = c[1];
		f->specify[1] = c[2];
		idle(f);
		break;
	case CMD_CONFIGURE:
		f->config = c[2];
		f->precompensation = c[3];
		idle(f);
		break;
	case CMD_PERPENDICULAR:
		f->perpendicular = c[1];
		idle(f);
		break;
	case CMD_LOCK:
		f->lock = c[0] & 0x80;
		one_byte(f, f->lock << 4);
		break;
	case CMD_VERSION:
		one_byte(f, 0x90);
		break;
	case CMD_PART_ID:
		one_byte(f, 0x41);
		break;
	case CMD_DUMP:
		dump(f);
		break;
	default:
		one_byte(f, ST0_INVALID);
	}
}

/* ---- registers ---- */

static void drop(struct fdc *f)
{
	f->dropping = true;
	for (unsigned i = 0; i < FDC_DRIVES; i++)
		if (f->drive[i].block)
			block_drain(f->drive[i].block);
	f->dropping = false;
	idle(f);
}

/* By DOR, DSR, or power: with polling on, each drive then tells that it is ready. */
static void software_reset(struct fdc *f)
{
	drop(f);
	dma8237_dreq(f->dma, 2, false);
	if (!f->lock)
		f->config = 0;
	f->pending = 0;
	f->reset_left = 0;
	update_irq(f, false);
}

static void end_reset(struct fdc *f)
{
	if (f->config & CONFIG_NO_POLL)
		return;
	f->reset_left = 4;
	update_irq(f, true);
}

static void dor_write(struct fdc *f, uint8_t val)
{
	uint8_t old = f->dor;

	f->dor = val;
	if (!(val & DOR_NRESET) && old & DOR_NRESET)
		software_reset(f);
	else if (val & DOR_NRESET && !(old & DOR_NRESET))
		end_reset(f);
	else
		update_irq(f, f->irq_level);
}

static uint8_t msr(const struct fdc *f)
{
	uint8_t v = MSR_RQM;

	if (!(f->dor & DOR_NRESET))
		return 0;
	switch (f->phase) {
	case PHASE_IDLE:
		return v;
	case PHASE_COMMAND:
		return v | MSR_BUSY;
	case PHASE_READ:
		return v | MSR_DIO | MSR_NDMA | MSR_BUSY;
	case PHASE_WRITE:
		return v | MSR_NDMA | MSR_BUSY;
	case PHASE_RESULT:
		return v | MSR_DIO | MSR_BUSY;
	}
	return MSR_BUSY;
}

static uint8_t fifo_read(struct fdc *f)
{
	uint8_t v;

	if (f->phase == PHASE_READ) {
		v = f->data[f->at++ % FDC_SECTOR];
		if (f->at >= FDC_SECTOR) {
			update_irq(f, false);
			sector_done(f, false);
		}
		return v;
	}
	if (f->phase != PHASE_RESULT)
		return 0;
	/* The first byte of the result takes the interrupt back. */
	if (f->pos == 0)
		update_irq(f, false);
	v = f->fifo[f->pos++ % sizeof(f->fifo)];
	if (f->pos >= f->len)
		idle(f);
	return v;
}

static void fifo_write(struct fdc *f, uint8_t val)
{
	if (!(f->dor & DOR_NRESET))
		return;
	switch (f->phase) {
	case PHASE_WRITE:
		f->data[f->at++ % FDC_SECTOR] = val;
		if (f->at >= FDC_SECTOR) {
			update_irq(f, false);
			write_sector(f, false);
		}
		break;
	case PHASE_IDLE:
		f->pos = 0;
		f->len = (uint8_t)command_len(val);
		f->phase = PHASE_COMMAND;
		/* fall through */
	case PHASE_COMMAND:
		f->fifo[f->pos++ % sizeof(f->fifo)] = val;
		if (f->pos >= f->len)
			execute(f);
		break;
	}
}

static uint64_t regs_read(void *dev, uint64_t off, unsigned size)
{
	struct fdc *f = dev;

	(void)size;
	switch (off) {
	case REG_SRA:
		return f->irq_level ? 0x80 : 0;
	case REG_SRB:
		return 0xc0;
	case REG_DOR:
		return f->dor;
	case REG_TDR:
		return f->tdr;
	case REG_MSR:
		return msr(f);
	case REG_FIFO:
		return fifo_read(f);
	}
	return 0xff;
}

static void regs_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fdc *f = dev;

	(void)size;
	switch (off) {
	case REG_DOR:
		dor_write(f, (uint8_t)val);
		break;
	case REG_TDR:
		f->tdr = val & 3;
		break;
	case REG_MSR: /* DSR */
		f->dsr = val & 0x7f;
		if (val & DSR_RESET) {
			software_reset(f);
			end_reset(f);
		}
		break;
	case REG_FIFO:
		fifo_write(f, (uint8_t)val);
		break;
	}
}

static uint64_t dir_read(void *dev, uint64_t off, unsigned size)
{
	struct fdc *f = dev;
	const struct fdc_drive *d = drive(f, f->dor & 3);

	(void)off;
	(void)size;
	/* Only of a drive whose motor is on. */
	return d && f->dor >> (4 + (f->dor & 3)) & 1 && (d->changed || !block_present(d->block))
		   ? 0x80
		   : 0;
}

static void ccr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fdc *f = dev;

	(void)off;
	(void)size;
	f->ccr = val & 3;
}

static const struct mmio_ops regs_ops = {regs_read, regs_write, 1, 1};
static const struct mmio_ops dir_ops = {dir_read, ccr_write, 1, 1};

/* ---- life ---- */

static const struct field fields[] = {
    FIELD_EACH(fdc, drive, track, 0),
    FIELD_EACH(fdc, drive, changed, 1),
    FIELD(fdc, dor, DOR_NRESET | DOR_DMA),
    FIELD(fdc, tdr, 0),
    FIELD(fdc, dsr, 2),
    FIELD(fdc, ccr, 2),
    FIELD(fdc, config, 0),
    FIELD(fdc, precompensation, 0),
    FIELD(fdc, perpendicular, 0),
    FIELD_ARRAY(fdc, specify, 0),
    FIELD(fdc, lock, 0),
    FIELD(fdc, phase, PHASE_IDLE),
    FIELD_ARRAY(fdc, fifo, 0),
    FIELD(fdc, pos, 0),
    FIELD(fdc, len, 0),
    FIELD(fdc, st0, 0),
    FIELD(fdc, pending, 0),
    FIELD(fdc, reset_left, 0),
    FIELD(fdc, irq_level, 0),
    FIELD(fdc, unit, 0),
    FIELD(fdc, cylinder, 0),
    FIELD(fdc, head, 0),
    FIELD(fdc, sector, 0),
    FIELD(fdc, last_sector, 0),
    FIELD(fdc, multi_track, 0),
    FIELD(fdc, writes, 0),
    FIELD(fdc, verifies, 0),
    FIELD(fdc, formats, 0),
    FIELD(fdc, fill, 0),
    FIELD(fdc, at, 0),
    FIELD_ARRAY(fdc, data, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct fdc *f = state;

	drop(f);
	update_irq(f, false);
}

static void tame(void *state)
{
	struct fdc *f = state;

	if (f->unit >= FDC_DRIVES) {
		f->unit = 0;
		idle(f);
	}
}

static void loaded(void *state)
{
	struct fdc *f = state;

	update_irq(f, f->irq_level);
}

static void set_geometry(struct fdc_drive *d)
{
	uint64_t kib = block_size(d->block) / 1024;

	d->tracks = 80;
	d->heads = 2;
	d->sectors = 18;
	for (unsigned i = 0; i < NR_MEDIA; i++)
		if (kib == media[i].kib) {
			d->tracks = media[i].tracks;
			d->heads = media[i].heads;
			d->sectors = media[i].sectors;
		}
}

static void medium_changed(void *opaque)
{
	struct fdc_drive *d = opaque;

	d->changed = true;
	set_geometry(d);
}

static const struct block_user user = {.changed = medium_changed};

int fdc_attach(struct fdc *f, unsigned unit, struct block *block)
{
	struct fdc_drive *d;
	int r;

	if (unit >= FDC_DRIVES)
		return -EINVAL;
	d = &f->drive[unit];
	if (d->block)
		return -EBUSY;
	r = block_attach(block, &user, d);
	if (r < 0)
		return r;
	d->block = block;
	set_geometry(d);
	return 0;
}

uint8_t fdc_cmos_type(const struct fdc *f, unsigned unit)
{
	if (unit >= FDC_DRIVES || !f->drive[unit].block)
		return 0;
	return f->drive[unit].sectors == 36 ? 5 : 4;
}

static int attach(struct drive_bus *bus, unsigned unit, struct block *block,
		  const struct drive_options *o, const struct device_args *args)
{
	(void)args;
	return o->cd ? -EINVAL : fdc_attach(bus->controller, unit, block);
}

static void path(const struct drive_bus *bus, unsigned unit, char *out, size_t len)
{
	(void)bus;
	snprintf(out, len, "isa@1/fdc@03f0/floppy@%u", unit);
}

int fdc_init(struct fdc *f, struct aspace *io, struct dma8237 *dma, const struct irq_pin *irq,
	     struct drive_bus **drives)
{
	int r;

	memset(f, 0, sizeof(*f));
	f->irq = *irq;
	f->dma = dma;
	for (unsigned i = 0; i < FDC_DRIVES; i++)
		f->drive[i].fdc = f;
	device_init(&f->dev, "fdc", fields, f);
	f->dev.reset_done = reset_done;
	f->dev.tame = tame;
	f->dev.loaded = loaded;
	r = aspace_map_dev(io, "fdc", 0x3f0, 6, &regs_ops, f);
	if (r == 0)
		r = aspace_map_dev(io, "fdc-dir", 0x3f7, 1, &dir_ops, f);
	if (r < 0)
		return r;
	f->bus.kind = DRIVE_FLOPPY;
	f->bus.units = FDC_DRIVES;
	f->bus.controller = f;
	f->bus.attach = attach;
	f->bus.path = path;
	drive_bus_name(drives, &f->bus, NULL, "floppy-bus", 0);
	drive_bus_add(drives, &f->bus);
	return 0;
}

void fdc_fini(struct fdc *f)
{
	drop(f);
	for (unsigned i = 0; i < FDC_DRIVES; i++) {
		if (f->drive[i].block)
			block_attach(f->drive[i].block, NULL, NULL);
		f->drive[i].block = NULL;
	}
}
