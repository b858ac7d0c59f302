/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The floppy disk controller's commands (Intel 290475, chapter 5): how long each is, and what those do that
 * move no data.
 */
#include "hw/storage/fdc_impl.h"

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

/* A seek or a reset tells of itself by SENSE INTERRUPT STATUS. */
static void seek_done(struct fdc *f, uint8_t st0)
{
	f->st0 = st0;
	f->pending = 1;
	fdc_idle(f);
	fdc_update_irq(f, true);
}

static void seek(struct fdc *f, unsigned unit, unsigned track)
{
	struct fdc_drive *d = fdc_drive_at(f, unit);

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

	fdc_update_irq(f, false);
	if (f->reset_left) {
		unit = 4u - f->reset_left--;
		f->fifo[0] = (uint8_t)(0xc0 | unit);
	} else if (f->pending) {
		f->pending = 0;
		f->fifo[0] = f->st0;
	} else {
		f->fifo[0] = ST0_INVALID;
		fdc_result(f, 1, false);
		return;
	}
	f->fifo[1] = unit < FDC_DRIVES ? f->drive[unit].track : 0;
	fdc_result(f, 2, false);
}

static void sense_drive(struct fdc *f)
{
	unsigned unit = f->fifo[1] & 3;
	const struct fdc_drive *d = fdc_drive_at(f, unit);
	uint8_t st3 = (uint8_t)(ST3_ALWAYS | (f->fifo[1] & 7));

	if (!d || !d->track)
		st3 |= ST3_TRACK0;
	if (d && block_read_only(d->block))
		st3 |= ST3_WRITE_PROTECT;
	f->fifo[0] = st3;
	fdc_result(f, 1, false);
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
	fdc_result(f, 10, false);
}

static void one_byte(struct fdc *f, uint8_t val)
{
	f->fifo[0] = val;
	fdc_result(f, 1, false);
}

unsigned fdc_command_len(uint8_t cmd)
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

void fdc_execute(struct fdc *f)
{
	const uint8_t *c = f->fifo;
	struct fdc_drive *d;

	switch (c[0] & 0x1f) {
	case CMD_READ:
	case CMD_READ + 6:
	case 0x02:
		fdc_start_transfer(f, false, false);
		break;
	case CMD_WRITE:
	case CMD_WRITE + 4:
		fdc_start_transfer(f, true, false);
		break;
	case CMD_VERIFY:
		fdc_start_transfer(f, false, true);
		break;
	case CMD_FORMAT:
		fdc_start_format(f);
		break;
	case CMD_READ_ID:
		fdc_read_id(f);
		break;
	case CMD_RECALIBRATE:
		seek(f, c[1] & 3, 0);
		break;
	case CMD_SEEK:
		d = fdc_drive_at(f, c[1] & 3);
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
		fdc_idle(f);
		break;
	case CMD_CONFIGURE:
		f->config = c[2];
		f->precompensation = c[3];
		fdc_idle(f);
		break;
	case CMD_PERPENDICULAR:
		f->perpendicular = c[1];
		fdc_idle(f);
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
