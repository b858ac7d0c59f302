/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ATA devices: their life, from power-on with a signature in the task file, and how commands end.
 */
#include "hw/storage/ata.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the end of commands ---- */

void ata_abort(struct ata_drive *d)
{
	d->r.status = ATA_DRDY | ATA_DSC | ATA_ERR;
	d->r.error = ATA_ABRT;
}

void ata_end(struct ata_drive *d, int ret)
{
	d->r.status = ATA_DRDY | ATA_DSC;
	d->r.error = 0;
	if (ret == 0)
		return;
	d->r.status |= ATA_ERR;
	if (ret == -EIO)
		d->r.error = ATA_UNC;
	else if (ret == -EINVAL)
		d->r.error = ATA_IDNF;
	else
		d->r.error = ATA_ABRT;
}

uint32_t atapi_limit(const struct ata_drive *d)
{
	uint32_t n = (uint32_t)(d->r.lba_mid | d->r.lba_high << 8) & ~1u;

	return n ? n : 0xfffe;
}

void atapi_end(struct ata_drive *d, const struct scsi_cmd *c)
{
	d->r.status = ATA_DRDY | ATA_DSC;
	d->r.error = 0;
	d->r.count = ATAPI_CD | ATAPI_IO;
	if (c->status == SCSI_GOOD)
		return;
	d->r.status = ATA_DRDY | ATA_ERR;
	d->r.error = (uint8_t)(c->key << 4 | (c->key == KEY_ILLEGAL_REQUEST ? ATA_ABRT : 0));
}

void ata_queued_error(struct ata_drive *d, uint8_t tag, uint64_t lba)
{
	d->failed_tag = tag;
	d->failed_status = d->r.status;
	d->failed_error = d->r.error;
	d->failed_lba = lba;
}

void ata_set_signature(struct ata_drive *d)
{
	struct ata_regs *r = &d->r;

	r->count = r->lba_low = 1;
	r->lba_mid = d->cd ? 0x14 : 0;
	r->lba_high = d->cd ? 0xeb : 0;
	r->device &= ATA_DEV_SLAVE;
	r->hob_count = r->hob_lba_low = r->hob_lba_mid = r->hob_lba_high = 0;
}

void ata_reset(struct ata_drive *d)
{
	ata_set_signature(d);
	d->r.error = 1; /* the diagnostic found nothing wrong */
	d->r.status = d->cd ? 0 : ATA_DRDY | ATA_DSC;
	d->r.feature = d->r.hob_feature = 0;
}

/* ---- life of a drive ---- */

#define REG(member) FIELD(ata_drive, r.member, 0)

static const struct field fields[] = {
    REG(feature),
    REG(count),
    REG(lba_low),
    REG(lba_mid),
    REG(lba_high),
    REG(device),
    REG(hob_feature),
    REG(hob_count),
    REG(hob_lba_low),
    REG(hob_lba_mid),
    REG(hob_lba_high),
    REG(command),
    REG(status),
    REG(error),
    FIELD(ata_drive, multiple, ATA_MAX_MULT),
    FIELD(ata_drive, heads, 16),
    FIELD(ata_drive, sectors, 63),
    FIELD(ata_drive, dma_mode, 0x45),
    FIELD(ata_drive, smart, 1),
    FIELD(ata_drive, smart_autosave, 1),
    FIELD(ata_drive, no_read_ahead, 0),
    FIELD(ata_drive, failed_tag, 0),
    FIELD(ata_drive, failed_status, 0),
    FIELD(ata_drive, failed_error, 0),
    FIELD(ata_drive, failed_lba, 0),
    FIELD_ARRAY(ata_drive, data, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct ata_drive *d = state;

	d->heads = d->def_heads;
	d->sectors = d->def_sectors;
	ata_reset(d);
}

static void tame(void *state)
{
	struct ata_drive *d = state;

	if (!d->heads || d->heads > 16 || !d->sectors || d->sectors > 255) {
		d->heads = d->def_heads;
		d->sectors = d->def_sectors;
	}
	if (d->multiple > ATA_MAX_MULT)
		d->multiple = 0;
}

/* What the BIOS of a PC would make of the size. */
static void set_geometry(struct ata_drive *d)
{
	uint64_t cylinders = ata_sectors(d) / (16 * 63);

	d->def_heads = 16;
	d->def_sectors = 63;
	d->def_cylinders = cylinders > 16383 ? 16383 : cylinders < 2 ? 2 : (uint16_t)cylinders;
}

static void medium_changed(void *opaque)
{
	struct ata_drive *d = opaque;

	if (d->cd)
		scsi_medium_changed(&d->scsi);
	else
		set_geometry(d);
}

static void eject_request(void *opaque)
{
	struct ata_drive *d = opaque;

	if (d->cd)
		scsi_eject_request(&d->scsi);
}

static const struct block_user user = {.changed = medium_changed, .eject_request = eject_request};

int ata_init(struct ata_drive *d, const char *name, struct block *block, unsigned number,
	     const struct ata_options *o)
{
	struct scsi_options so = {.cd = true, .atapi = true, .revision = o->version};
	int r;

	memset(d, 0, sizeof(*d));
	/* A disk without a medium is none. */
	if (!o->cd && !block_present(block))
		return -ENOMEDIUM;
	r = block_attach(block, &user, d);
	if (r < 0)
		return r;
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->block = block;
	d->cd = o->cd;
	d->sata = o->sata;
	d->rotation_rate = o->rotation_rate;
	if (o->serial)
		snprintf(d->serial, sizeof(d->serial), "%s", o->serial);
	else
		snprintf(d->serial, sizeof(d->serial), "QM%05u", number);
	snprintf(d->model, sizeof(d->model), "%s",
		 o->model ? o->model
		 : o->cd  ? "QEMU DVD-ROM"
			  : "QEMU HARDDISK");
	snprintf(d->firmware, sizeof(d->firmware), "%s", o->version ? o->version : "2.5+");
	set_geometry(d);
	if (d->cd) {
		char unit[64];

		snprintf(unit, sizeof(unit), "%.50s-unit", name);
		scsi_init(&d->scsi, unit, block, &so);
	}
	device_init(&d->dev, d->name, fields, d);
	d->dev.reset_done = reset_done;
	d->dev.tame = tame;
	return 0;
}

void ata_fini(struct ata_drive *d)
{
	if (d->block)
		block_attach(d->block, NULL, NULL);
	d->block = NULL;
}
