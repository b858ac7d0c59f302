/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ATA commands (ATA8-ACS chapter 7, ATA/ATAPI-6 for what came before): from the task file to what the
 * controller has to do.
 */
#include <errno.h>
#include <string.h>

#include "hw/storage/ata.h"

enum ata_command {
	CMD_NOP = 0x00,
	CMD_DATA_SET_MANAGEMENT = 0x06,
	CMD_DEVICE_RESET = 0x08,
	CMD_RECALIBRATE = 0x10,
	CMD_READ = 0x20,
	CMD_READ_ONCE = 0x21,
	CMD_READ_EXT = 0x24,
	CMD_READ_DMA_EXT = 0x25,
	CMD_NATIVE_MAX_EXT = 0x27,
	CMD_READ_MULTIPLE_EXT = 0x29,
	CMD_READ_LOG_EXT = 0x2f,
	CMD_WRITE = 0x30,
	CMD_WRITE_ONCE = 0x31,
	CMD_WRITE_EXT = 0x34,
	CMD_WRITE_DMA_EXT = 0x35,
	CMD_WRITE_MULTIPLE_EXT = 0x39,
	CMD_WRITE_DMA_FUA_EXT = 0x3d,
	CMD_VERIFY = 0x40,
	CMD_VERIFY_ONCE = 0x41,
	CMD_VERIFY_EXT = 0x42,
	CMD_SEEK = 0x70,
	CMD_DIAGNOSTIC = 0x90,
	CMD_INIT_PARAMS = 0x91,
	CMD_STANDBY_NOW_OLD = 0x94,
	CMD_SLEEP_OLD = 0x99,
	CMD_IDENTIFY_PACKET = 0xa1,
	CMD_SMART = 0xb0,
	CMD_READ_MULTIPLE = 0xc4,
	CMD_WRITE_MULTIPLE = 0xc5,
	CMD_SET_MULTIPLE = 0xc6,
	CMD_READ_DMA = 0xc8,
	CMD_READ_DMA_ONCE = 0xc9,
	CMD_WRITE_DMA = 0xca,
	CMD_WRITE_DMA_ONCE = 0xcb,
	CMD_WRITE_MULTIPLE_FUA_EXT = 0xce,
	CMD_STANDBY_NOW = 0xe0,
	CMD_IDLE_NOW = 0xe1,
	CMD_STANDBY = 0xe2,
	CMD_IDLE = 0xe3,
	CMD_CHECK_POWER = 0xe5,
	CMD_SLEEP = 0xe6,
	CMD_FLUSH = 0xe7,
	CMD_FLUSH_EXT = 0xea,
	CMD_IDENTIFY = 0xec,
	CMD_SET_FEATURES = 0xef,
	CMD_NATIVE_MAX = 0xf8,
	CMD_CHECK_POWER_OLD = 0x98,
};

/* ---- addresses ---- */

static uint64_t lba48(const struct ata_regs *r)
{
	return (uint64_t)r->hob_lba_high << 40 | (uint64_t)r->hob_lba_mid << 32 |
	       (uint64_t)r->hob_lba_low << 24 | (uint32_t)r->lba_high << 16 | r->lba_mid << 8 |
	       r->lba_low;
}

/* 28 bits, or cylinder, head and sector. A sector 0 is no address: all ones. */
static uint64_t lba28(const struct ata_drive *d)
{
	const struct ata_regs *r = &d->r;
	uint32_t cylinder = (uint32_t)(r->lba_mid | r->lba_high << 8);
	uint32_t head = r->device & 0xf;

	if (r->device & ATA_DEV_LBA)
		return head << 24 | cylinder << 8 | r->lba_low;
	if (!r->lba_low || r->lba_low > d->sectors || head >= d->heads)
		return ~0ull;
	return ((uint64_t)cylinder * d->heads + head) * d->sectors + r->lba_low - 1;
}

static bool locate(struct ata_drive *d, struct ata_plan *p, bool ext)
{
	const struct ata_regs *r = &d->r;
	uint64_t lba = ext ? lba48(r) : lba28(d);
	uint32_t count = ext ? (uint32_t)(r->hob_count << 8 | r->count) : r->count;

	if (!count)
		count = ext ? 0x10000 : 0x100;
	if (lba > ata_sectors(d) || count > ata_sectors(d) - lba) {
		ata_end(d, -EINVAL);
		d->r.error |= ATA_ABRT;
		return false;
	}
	p->offset = lba * ATA_SECTOR;
	p->len = (uint64_t)count * ATA_SECTOR;
	return true;
}

static void set_lba(struct ata_regs *r, uint64_t lba, bool ext)
{
	r->lba_low = (uint8_t)lba;
	r->lba_mid = (uint8_t)(lba >> 8);
	r->lba_high = (uint8_t)(lba >> 16);
	if (ext) {
		r->hob_lba_low = (uint8_t)(lba >> 24);
		r->hob_lba_mid = (uint8_t)(lba >> 32);
		r->hob_lba_high = (uint8_t)(lba >> 40);
	} else {
		r->device = (uint8_t)((r->device & 0xf0) | (lba >> 24 & 0xf));
	}
}

/* ---- commands ---- */

static void move(struct ata_drive *d, struct ata_plan *p, bool write, bool ext, bool dma,
		 unsigned sectors, unsigned flags)
{
	if (!sectors || (dma && !d->dma_mode)) {
		ata_abort(d);
		return;
	}
	if (!locate(d, p, ext))
		return;
	if (write && block_read_only(d->block)) {
		ata_abort(d);
		return;
	}
	p->kind = write ? ATA_WRITE : ATA_READ;
	p->dma = dma;
	p->block = sectors * ATA_SECTOR;
	p->flags = flags;
}

/* READ and WRITE FPDMA QUEUED: the count is in the feature registers, the tag in the count. */
static void move_queued(struct ata_drive *d, struct ata_plan *p, bool write)
{
	struct ata_regs *r = &d->r;
	unsigned flags = write && r->device & 0x80 ? BLOCK_FUA : 0;

	p->tag = r->count >> 3;
	r->count = r->feature;
	r->hob_count = r->hob_feature;
	move(d, p, write, true, true, 1, flags);
	p->ncq = true;
}

static void verify(struct ata_drive *d, struct ata_plan *p, bool ext)
{
	if (locate(d, p, ext))
		ata_end(d, 0);
}

static void set_multiple(struct ata_drive *d)
{
	uint8_t n = d->r.count;

	if (n > ATA_MAX_MULT || n & (n - 1)) {
		ata_abort(d);
		return;
	}
	d->multiple = n;
	ata_end(d, 0);
}

static void init_params(struct ata_drive *d)
{
	if (!d->r.count) {
		ata_abort(d);
		return;
	}
	d->heads = (d->r.device & 0xf) + 1u;
	d->sectors = d->r.count;
	ata_end(d, 0);
}

static bool set_mode(struct ata_drive *d, uint8_t mode)
{
	uint8_t n = mode & 7;

	switch (mode >> 3) {
	case 0: /* PIO default */
	case 1: /* PIO flow control */
		return true;
	case 4: /* multiword DMA */
		if (n > 2)
			return false;
		d->dma_mode = mode;
		return true;
	case 8: /* ultra DMA */
		if (n > 5)
			return false;
		d->dma_mode = mode;
		return true;
	}
	return false;
}

static void set_features(struct ata_drive *d, struct ata_plan *p)
{
	bool ok = true;

	switch (d->r.feature) {
	case 0x02:
		block_set_write_cache(d->block, true);
		break;
	case 0x82:
		block_set_write_cache(d->block, false);
		ata_end(d, 0);
		p->kind = ATA_FLUSH;
		return;
	case 0x55:
		d->no_read_ahead = true;
		break;
	case 0xaa:
		d->no_read_ahead = false;
		break;
	case 0x03:
		ok = set_mode(d, d->r.count);
		break;
	case 0x05: /* advanced power management, acoustic management, and going back to defaults */
	case 0x85:
	case 0x42:
	case 0xc2:
	case 0x66:
	case 0xcc:
		break;
	default:
		ok = false;
	}
	if (ok)
		ata_end(d, 0);
	else
		ata_abort(d);
}

static void data_set_management(struct ata_drive *d, struct ata_plan *p)
{
	uint32_t sectors = (uint32_t)(d->r.hob_count << 8 | d->r.count);

	if (!(d->r.feature & 1) || !sectors || sectors > 64 || !block_can_discard(d->block) ||
	    block_read_only(d->block) || !d->dma_mode) {
		ata_abort(d);
		return;
	}
	p->kind = ATA_TRIM;
	p->dma = true;
	p->len = (uint64_t)sectors * ATA_SECTOR;
}

int ata_trim_next(const struct ata_drive *d, const uint8_t *payload, uint32_t len, uint32_t *at,
		  uint64_t *offset, uint64_t *bytes)
{
	for (; *at + 8 <= len; *at += 8) {
		uint64_t entry, lba, count;

		memcpy(&entry, payload + *at, 8);
		lba = entry & 0xffffffffffff;
		count = entry >> 48;
		if (!count)
			continue;
		if (lba > ata_sectors(d) || count > ata_sectors(d) - lba)
			return -EINVAL;
		*offset = lba * ATA_SECTOR;
		*bytes = count * ATA_SECTOR;
		*at += 8;
		return 1;
	}
	return 0;
}

/* Two logs: their directory, and the queued error log (ATA8-ACS, A.14). */
static bool read_log(struct ata_drive *d)
{
	uint8_t *p = d->data, sum = 0;

	memset(p, 0, ATA_SECTOR);
	if (d->r.lba_mid || d->r.count != 1 || d->r.hob_count)
		return false;
	if (d->r.lba_low == 0x00) {
		p[0] = 1;
		p[2 * 0x10] = 1;
		return true;
	}
	if (d->r.lba_low != 0x10)
		return false;
	p[0] = d->failed_tag;
	p[2] = d->failed_status;
	p[3] = d->failed_error;
	p[4] = (uint8_t)d->failed_lba;
	p[5] = (uint8_t)(d->failed_lba >> 8);
	p[6] = (uint8_t)(d->failed_lba >> 16);
	p[8] = (uint8_t)(d->failed_lba >> 24);
	p[9] = (uint8_t)(d->failed_lba >> 32);
	p[10] = (uint8_t)(d->failed_lba >> 40);
	for (unsigned i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + p[i]);
	p[ATA_SECTOR - 1] = (uint8_t)-sum;
	return true;
}

static void reply(struct ata_drive *d, struct ata_plan *p)
{
	ata_end(d, 0);
	p->kind = ATA_REPLY;
	p->len = ATA_SECTOR;
	p->block = ATA_SECTOR;
}

/* Commands of both kinds of drives. False when it is none of them. */
static bool start_common(struct ata_drive *d, struct ata_plan *p)
{
	switch (d->r.command) {
	case CMD_SET_FEATURES:
		set_features(d, p);
		break;
	case CMD_STANDBY_NOW:
	case CMD_IDLE_NOW:
	case CMD_STANDBY:
	case CMD_IDLE:
	case CMD_SLEEP:
	case CMD_STANDBY_NOW_OLD:
	case CMD_STANDBY_NOW_OLD + 1:
	case CMD_STANDBY_NOW_OLD + 2:
	case CMD_STANDBY_NOW_OLD + 3:
	case CMD_SLEEP_OLD:
		ata_end(d, 0);
		break;
	case CMD_CHECK_POWER:
	case CMD_CHECK_POWER_OLD:
		ata_end(d, 0);
		d->r.count = 0xff; /* active */
		break;
	case CMD_FLUSH:
	case CMD_FLUSH_EXT:
		p->kind = ATA_FLUSH;
		break;
	case CMD_DIAGNOSTIC:
		ata_reset(d);
		break;
	default:
		return false;
	}
	return true;
}

static void start_cd(struct ata_drive *d, struct ata_plan *p)
{
	switch (d->r.command) {
	case ATA_CMD_PACKET:
		p->kind = ATA_PACKET;
		p->dma = d->r.feature & 1;
		break;
	case CMD_IDENTIFY_PACKET:
		ata_identify_packet(d);
		reply(d, p);
		break;
	case CMD_DEVICE_RESET:
		ata_set_signature(d);
		d->r.status = 0;
		d->r.error = 1;
		break;
	case CMD_IDENTIFY: /* the signature tells the host what to ask instead */
	case CMD_READ:
		ata_set_signature(d);
		ata_abort(d);
		break;
	default:
		ata_abort(d);
	}
}

static void start_disk(struct ata_drive *d, struct ata_plan *p)
{
	uint8_t cmd = d->r.command;

	switch (cmd) {
	case CMD_READ:
	case CMD_READ_ONCE:
	case CMD_READ_EXT:
		move(d, p, false, cmd == CMD_READ_EXT, false, 1, 0);
		break;
	case CMD_WRITE:
	case CMD_WRITE_ONCE:
	case CMD_WRITE_EXT:
		move(d, p, true, cmd == CMD_WRITE_EXT, false, 1, 0);
		break;
	case CMD_READ_MULTIPLE:
	case CMD_READ_MULTIPLE_EXT:
		move(d, p, false, cmd == CMD_READ_MULTIPLE_EXT, false, d->multiple, 0);
		break;
	case CMD_WRITE_MULTIPLE:
	case CMD_WRITE_MULTIPLE_EXT:
		move(d, p, true, cmd == CMD_WRITE_MULTIPLE_EXT, false, d->multiple, 0);
		break;
	case CMD_WRITE_MULTIPLE_FUA_EXT:
		move(d, p, true, true, false, d->multiple, BLOCK_FUA);
		break;
	case CMD_READ_DMA:
	case CMD_READ_DMA_ONCE:
	case CMD_READ_DMA_EXT:
		move(d, p, false, cmd == CMD_READ_DMA_EXT, true, 1, 0);
		break;
	case CMD_WRITE_DMA:
	case CMD_WRITE_DMA_ONCE:
	case CMD_WRITE_DMA_EXT:
		move(d, p, true, cmd == CMD_WRITE_DMA_EXT, true, 1, 0);
		break;
	case CMD_WRITE_DMA_FUA_EXT:
		move(d, p, true, true, true, 1, BLOCK_FUA);
		break;
	case ATA_CMD_READ_FPDMA:
	case ATA_CMD_WRITE_FPDMA:
		move_queued(d, p, cmd == ATA_CMD_WRITE_FPDMA);
		break;
	case CMD_VERIFY:
	case CMD_VERIFY_ONCE:
	case CMD_VERIFY_EXT:
		verify(d, p, cmd == CMD_VERIFY_EXT);
		break;
	case CMD_NATIVE_MAX:
	case CMD_NATIVE_MAX_EXT:
		ata_end(d, 0);
		if (cmd == CMD_NATIVE_MAX_EXT)
			set_lba(&d->r, ata_sectors(d) - 1, true);
		else
			set_lba(&d->r, ata_sectors(d) > 0xfffffff ? 0xfffffff : ata_sectors(d) - 1,
				false);
		break;
	case CMD_SET_MULTIPLE:
		set_multiple(d);
		break;
	case CMD_INIT_PARAMS:
		init_params(d);
		break;
	case CMD_DATA_SET_MANAGEMENT:
		data_set_management(d, p);
		break;
	case CMD_IDENTIFY:
		ata_identify(d);
		reply(d, p);
		break;
	case CMD_SMART:
		ata_smart(d, p);
		break;
	case CMD_READ_LOG_EXT:
		if (read_log(d))
			reply(d, p);
		else
			ata_abort(d);
		break;
	default:
		/* RECALIBRATE and SEEK had step rates in their low digits. */
		if ((cmd & 0xf0) == CMD_RECALIBRATE || (cmd & 0xf0) == CMD_SEEK)
			ata_end(d, 0);
		else
			ata_abort(d);
	}
}

void ata_start(struct ata_drive *d, struct ata_plan *p)
{
	*p = (struct ata_plan){.kind = ATA_END};
	d->r.status = ATA_DRDY | ATA_DSC | ATA_BSY;
	d->r.error = 0;
	if (start_common(d, p))
		return;
	if (d->cd)
		start_cd(d, p);
	else
		start_disk(d, p);
}
