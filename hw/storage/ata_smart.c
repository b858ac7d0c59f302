/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SMART (ATA8-ACS, 7.53): a disk in good health.
 */
#include <string.h>

#include "hw/storage/ata.h"

enum {
	SMART_READ_DATA = 0xd0,
	SMART_READ_THRESHOLDS = 0xd1,
	SMART_AUTOSAVE = 0xd2,
	SMART_SAVE = 0xd3,
	SMART_OFFLINE = 0xd4,
	SMART_READ_LOG = 0xd5,
	SMART_ENABLE = 0xd8,
	SMART_DISABLE = 0xd9,
	SMART_STATUS = 0xda,
};

/* Number, flags, value, worst, raw value, threshold. */
static const uint8_t attributes[][6] = {
    {1, 0x03, 100, 100, 0, 6},    /* read error rate */
    {3, 0x03, 100, 100, 0, 0},    /* spin-up time */
    {4, 0x02, 100, 100, 100, 20}, /* start and stop count */
    {5, 0x03, 100, 100, 0, 36},   /* reallocated sectors */
    {9, 0x03, 100, 100, 1, 0},    /* power-on hours */
    {12, 0x03, 100, 100, 0, 0},   /* power cycles */
    {190, 0x03, 69, 69, 31, 50},  /* temperature */
};
#define NR_ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static void finish_sector(uint8_t *p)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + p[i]);
	p[ATA_SECTOR - 1] = (uint8_t)-sum;
}

static void read_data(struct ata_drive *d, bool thresholds)
{
	uint8_t *p = d->data;

	memset(p, 0, ATA_SECTOR);
	p[0] = 1; /* version */
	for (unsigned i = 0; i < NR_ATTRIBUTES; i++) {
		uint8_t *a = p + 2 + 12 * i;

		a[0] = attributes[i][0];
		if (thresholds) {
			a[1] = attributes[i][5];
		} else {
			a[1] = attributes[i][1];
			a[3] = attributes[i][2];
			a[4] = attributes[i][3];
			a[5] = attributes[i][4];
		}
	}
	if (!thresholds) {
		p[362] = d->smart_autosave ? 0x82 : 0x02; /* offline collection completed */
		p[364] = 120;                             /* seconds that it takes */
		p[367] = 0x19;                            /* offline, self-test */
		p[368] = 3;
		p[370] = 1; /* error logging */
		p[372] = 2; /* minutes of the self-tests */
		p[373] = 54;
		p[374] = 1;
	}
	finish_sector(p);
}

/* Empty logs: the directory, the error log, the self-test log. */
static bool read_log(struct ata_drive *d)
{
	uint8_t *p = d->data;

	memset(p, 0, ATA_SECTOR);
	switch (d->r.lba_low) {
	case 0:
		p[0] = 1;
		p[2] = 1;
		p[12] = 1;
		return true;
	case 1:
	case 6:
		p[0] = 1;
		finish_sector(p);
		return true;
	}
	return false;
}

void ata_smart(struct ata_drive *d, struct ata_plan *plan)
{
	uint8_t what = d->r.feature;
	bool ok =
	    d->r.lba_mid == 0x4f && d->r.lba_high == 0xc2 && (d->smart || what == SMART_ENABLE);
	bool data = false;

	switch (ok ? what : 0) {
	case SMART_READ_DATA:
	case SMART_READ_THRESHOLDS:
		read_data(d, what == SMART_READ_THRESHOLDS);
		data = true;
		break;
	case SMART_READ_LOG:
		ok = data = read_log(d);
		break;
	case SMART_AUTOSAVE:
		d->smart_autosave = d->r.count == 0xf1;
		break;
	case SMART_ENABLE:
	case SMART_DISABLE:
		d->smart = what == SMART_ENABLE;
		break;
	case SMART_STATUS: /* the signature, unchanged, means good health */
	case SMART_SAVE:
	case SMART_OFFLINE:
		break;
	default:
		ok = false;
	}
	if (!ok) {
		ata_abort(d);
		return;
	}
	ata_end(d, 0);
	if (data) {
		plan->kind = ATA_REPLY;
		plan->len = plan->block = ATA_SECTOR;
	}
}
