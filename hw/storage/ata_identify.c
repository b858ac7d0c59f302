/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (ATA8-ACS, 7.16 and 7.17).
 */
#include <string.h>

#include "hw/storage/ata.h"

static void put16(struct ata_drive *d, unsigned word, unsigned v)
{
	d->data[2 * word] = (uint8_t)v;
	d->data[2 * word + 1] = (uint8_t)(v >> 8);
}

/* Text: two characters to a word, the first in its high byte, filled up with spaces. */
static void put_text(struct ata_drive *d, unsigned word, unsigned words, const char *text)
{
	size_t len = strlen(text);

	for (unsigned i = 0; i < 2 * words; i++)
		d->data[(2 * word + i) ^ 1] = i < len ? (uint8_t)text[i] : ' ';
}

/* Supported modes, and in the high byte the one selected. */
static unsigned modes(const struct ata_drive *d, unsigned kind, unsigned supported)
{
	return supported | (d->dma_mode >> 3 == kind >> 3 ? 0x100u << (d->dma_mode & 7) : 0);
}

static void put_common(struct ata_drive *d)
{
	memset(d->data, 0, sizeof(d->data));
	put_text(d, 10, 10, d->serial);
	put_text(d, 23, 4, d->firmware);
	put_text(d, 27, 20, d->model);
	put16(d, 53, 7); /* words 54-58, 64-70 and 88 mean something */
	put16(d, 63, modes(d, 0x20, 0x07));
	put16(d, 64, 0x03); /* PIO modes 3 and 4 */
	put16(d, 65, 120);  /* ns of a cycle */
	put16(d, 66, 120);
	put16(d, 67, 120);
	put16(d, 68, 120);
	put16(d, 80, 0xf0); /* ATA/ATAPI-4 to 7 */
	put16(d, 81, 0x16);
	put16(d, 88, modes(d, 0x40, 0x3f));
	if (!d->sata)
		put16(d, 93, 0x6000 | 1); /* 80 wires */
}

static void put_geometry(struct ata_drive *d)
{
	uint64_t total = block_size(d->block) / ATA_SECTOR;
	uint32_t lba28 = total > 0xfffffff ? 0xfffffff : (uint32_t)total;
	uint32_t per_cylinder = (uint32_t)d->heads * d->sectors;
	uint64_t cylinders = total / per_cylinder;
	uint32_t now = cylinders > 0xffff ? 0xffff : (uint32_t)cylinders;

	put16(d, 1, d->def_cylinders);
	put16(d, 3, d->def_heads);
	put16(d, 4, ATA_SECTOR * d->def_sectors);
	put16(d, 5, ATA_SECTOR);
	put16(d, 6, d->def_sectors);
	put16(d, 54, now);
	put16(d, 55, d->heads);
	put16(d, 56, d->sectors);
	put16(d, 57, now * per_cylinder);
	put16(d, 58, now * per_cylinder >> 16);
	put16(d, 60, lba28);
	put16(d, 61, lba28 >> 16);
	for (unsigned i = 0; i < 4; i++)
		put16(d, 100 + i, (unsigned)(total >> 16 * i));
}

void ata_identify(struct ata_drive *d)
{
	bool cache = block_write_cache(d->block), trim = block_can_discard(d->block);
	uint8_t sum = 0;

	put_common(d);
	put16(d, 0, 0x0040); /* fixed disk */
	put_geometry(d);
	put16(d, 20, 3); /* a dual-ported buffer with read cache */
	put16(d, 21, 512);
	put16(d, 22, 4);
	put16(d, 47, 0x8000 | ATA_MAX_MULT);
	put16(d, 48, 1);                         /* 32-bit accesses to the data register */
	put16(d, 49, 1 << 11 | 1 << 9 | 1 << 8); /* IORDY, LBA, DMA */
	put16(d, 51, 0x200);
	put16(d, 52, 0x200);
	put16(d, 59, d->multiple ? 0x100 | d->multiple : 0);
	put16(d, 69, trim ? 1 << 14 | 1 << 5 : 0); /* trimmed ranges read as zeroes */
	if (d->sata) {
		put16(d, 75, 31);                       /* queue depth - 1 */
		put16(d, 76, 1 << 8 | 1 << 2 | 1 << 1); /* NCQ, 1.5 and 3 Gbit/s */
	}
	/* commands: NOP, WRITE BUFFER not; cache, SMART; flush, flush ext, 48 bits; then enabled */
	put16(d, 82, 1 << 14 | 1 << 6 | 1 << 5 | 1);
	put16(d, 83, 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10);
	put16(d, 84, 1 << 14 | 1 << 6 | 1 << 5);
	put16(d, 85, 1 << 14 | (d->no_read_ahead ? 0 : 1 << 6) | (cache ? 1 << 5 : 0) | d->smart);
	put16(d, 86, 1 << 13 | 1 << 12 | 1 << 10);
	put16(d, 87, 1 << 14 | 1 << 6 | 1 << 5);
	put16(d, 106, 0x6000);
	put16(d, 169, trim); /* DATA SET MANAGEMENT can trim */
	put16(d, 217, d->rotation_rate);
	put16(d, 255, 0xa5);
	for (unsigned i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + d->data[i]);
	d->data[ATA_SECTOR - 1] = (uint8_t)-sum;
}

void ata_identify_packet(struct ata_drive *d)
{
	put_common(d);
	put16(d, 0, 0x85c0); /* ATAPI CD-ROM, removable, DRQ within 50 us, 12-byte packets */
	put16(d, 20, 3);
	put16(d, 21, 512);
	put16(d, 48, 1);
	put16(d, 49, 1 << 11 | 1 << 9 | 1 << 8);
	put16(d, 71, 30); /* ns until the bus is released */
	put16(d, 72, 30);
	put16(d, 82, 1 << 14 | 1 << 9 | 1 << 4); /* NOP, DEVICE RESET, PACKET */
	put16(d, 83, 1 << 14);
	put16(d, 84, 1 << 14);
	put16(d, 85, 1 << 14 | 1 << 9 | 1 << 4);
	put16(d, 87, 1 << 14);
}
