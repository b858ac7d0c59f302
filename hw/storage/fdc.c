/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Floppy disk controller: registers, and the phases of a command as the host sees them (Intel 290475,
 * chapters 2 and 5).
 */
#include "hw/storage/fdc_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REG_SRA, REG_SRB, REG_DOR, REG_TDR, REG_MSR, REG_FIFO, REG_DIR = 7 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NDMA = 0x20, MSR_BUSY = 0x10 };

/* By size of the medium: what its tracks look like. */
static const struct {
	uint16_t kib;
	uint8_t tracks, heads, sectors;
} media[] = {
    {2880, 80, 2, 36}, {1440, 80, 2, 18}, {1680, 80, 2, 21}, {1200, 80, 2, 15}, {720, 80, 2, 9},
    {360, 40, 2, 9},   {320, 40, 2, 8},   {180, 40, 1, 9},   {160, 40, 1, 8},
};
#define NR_MEDIA (sizeof(media) / sizeof(media[0]))

void fdc_update_irq(struct fdc *f, bool level)
{
	f->irq_level = level;
	/* The DMA gate in DOR also holds back the interrupt. */
	irq_set(&f->irq, level && f->dor & DOR_DMA);
}

/* ---- phases ---- */

void fdc_idle(struct fdc *f)
{
	f->phase = PHASE_IDLE;
	f->pos = f->len = 0;
}

void fdc_result(struct fdc *f, unsigned len, bool interrupt)
{
	f->phase = PHASE_RESULT;
	f->pos = 0;
	f->len = (uint8_t)len;
	if (interrupt)
		fdc_update_irq(f, true);
}

/* ---- registers ---- */

static void drop(struct fdc *f)
{
	f->dropping = true;
	for (unsigned i = 0; i < FDC_DRIVES; i++)
		if (f->drive[i].block)
			block_drain(f->drive[i].block);
	f->dropping = false;
	fdc_idle(f);
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
	fdc_update_irq(f, false);
}

static void end_reset(struct fdc *f)
{
	if (f->config & CONFIG_NO_POLL)
		return;
	f->reset_left = 4;
	fdc_update_irq(f, true);
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
		fdc_update_irq(f, f->irq_level);
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
			fdc_update_irq(f, false);
			fdc_sector_done(f, false);
		}
		return v;
	}
	if (f->phase != PHASE_RESULT)
		return 0;
	/* The first byte of the result takes the interrupt back. */
	if (f->pos == 0)
		fdc_update_irq(f, false);
	v = f->fifo[f->pos++ % sizeof(f->fifo)];
	if (f->pos >= f->len)
		fdc_idle(f);
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
			fdc_update_irq(f, false);
			fdc_write_sector(f, false);
		}
		break;
	case PHASE_IDLE:
		f->pos = 0;
		f->len = (uint8_t)fdc_command_len(val);
		f->phase = PHASE_COMMAND;
		/* fall through */
	case PHASE_COMMAND:
		f->fifo[f->pos++ % sizeof(f->fifo)] = val;
		if (f->pos >= f->len)
			fdc_execute(f);
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
	const struct fdc_drive *d = fdc_drive_at(f, f->dor & 3);

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
	fdc_update_irq(f, false);
}

static void tame(void *state)
{
	struct fdc *f = state;

	if (f->unit >= FDC_DRIVES) {
		f->unit = 0;
		fdc_idle(f);
	}
}

static void loaded(void *state)
{
	struct fdc *f = state;

	fdc_update_irq(f, f->irq_level);
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
