/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ATA and ATAPI devices (ATA8-ACS, and ATA/ATAPI-6 for what came before): the task file, and what a
 * command asks for. How data gets to the host is up to the controller (IDE with PIO and bus-master
 * DMA, or AHCI): ata_start() turns the task file into a plan, which the controller carries out.
 */
#ifndef HW_STORAGE_ATA_H
#define HW_STORAGE_ATA_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/block/block.h"
#include "hw/device.h"
#include "hw/storage/scsi.h"

#define ATA_SECTOR     512u
#define ATA_PACKET_LEN 12u
#define ATA_MAX_MULT   16u

enum ata_status_bit {
	ATA_ERR = 0x01,
	ATA_DRQ = 0x08,
	ATA_DSC = 0x10, /* seek complete */
	ATA_DF = 0x20,  /* device fault */
	ATA_DRDY = 0x40,
	ATA_BSY = 0x80,
};

enum ata_error_bit {
	ATA_ABRT = 0x04,
	ATA_IDNF = 0x10,
	ATA_UNC = 0x40,
	ATA_ICRC = 0x80,
};

enum { ATA_CMD_READ_FPDMA = 0x60, ATA_CMD_WRITE_FPDMA = 0x61, ATA_CMD_PACKET = 0xa0 };
enum { ATA_DEV_LBA = 0x40, ATA_DEV_SLAVE = 0x10 };
/* Interrupt reason, in the count register of a PACKET command. */
enum { ATAPI_CD = 1, ATAPI_IO = 2 };

/* The task file. hob: what a register held before it was last written. */
struct ata_regs {
	uint8_t feature, count, lba_low, lba_mid, lba_high, device;
	uint8_t hob_feature, hob_count, hob_lba_low, hob_lba_mid, hob_lba_high;
	uint8_t command, status, error;
};

enum ata_kind {
	ATA_END,    /* over already, status and error are set */
	ATA_REPLY,  /* give ATA_SECTOR bytes of data to the host */
	ATA_READ,   /* move len bytes from the medium at offset */
	ATA_WRITE,  /* move len bytes to it */
	ATA_FLUSH,  /* no data */
	ATA_TRIM,   /* take len bytes from the host, then see ata_trim_next() */
	ATA_PACKET, /* take a command packet */
};

struct ata_plan {
	enum ata_kind kind;
	bool dma, ncq;
	uint8_t tag;    /* of NCQ */
	unsigned block; /* PIO: bytes of a data block */
	unsigned flags; /* BLOCK_FUA */
	uint64_t offset, len;
};

struct ata_drive {
	struct device dev;
	char name[64];
	struct block *block; /* NULL: there is no drive */
	bool cd, sata;
	struct scsi_dev scsi; /* of a CD-ROM drive */
	char serial[21], model[41], firmware[9];
	uint16_t def_cylinders, def_heads, def_sectors, rotation_rate;

	struct ata_regs r;
	uint8_t multiple;        /* sectors of a block of READ MULTIPLE, 0: off */
	uint16_t heads, sectors; /* of the current translation */
	uint8_t dma_mode;        /* as in SET FEATURES: 0x20 | n multiword, 0x40 | n ultra */
	bool smart, smart_autosave, no_read_ahead;
	/* The queued command that failed last, for READ LOG EXT. */
	uint8_t failed_tag, failed_status, failed_error;
	uint64_t failed_lba;
	uint8_t data[ATA_SECTOR];
};

/* Of the medium. */
static inline uint64_t ata_sectors(const struct ata_drive *d)
{
	return block_size(d->block) / ATA_SECTOR;
}

struct ata_options {
	bool cd, sata;
	const char *serial, *model, *version; /* NULL: the default */
	uint16_t rotation_rate;               /* per minute; 0: not said, 1: none */
};

/* block is borrowed, and attached to this drive. number: makes the default serial. 0, -EBUSY, or
 * -EINVAL for a drive of the wrong kind. */
int ata_init(struct ata_drive *d, const char *name, struct block *block, unsigned number,
	     const struct ata_options *o);
void ata_fini(struct ata_drive *d);

/* Power-on and soft reset: signature and status. */
void ata_reset(struct ata_drive *d);
/* Tells in the task file which kind of drive this is (ATA8-ACS 4.3), status and error apart. */
void ata_set_signature(struct ata_drive *d);
/* ata_command.c. Starts the command in d->r.command; status and error show that it is under way. */
void ata_start(struct ata_drive *d, struct ata_plan *plan);
/* The end of a command: status and error for ret, 0 or -errno. */
void ata_end(struct ata_drive *d, int ret);
void ata_abort(struct ata_drive *d);
/* Keeps which queued command failed, with the status and error as they are now. */
void ata_queued_error(struct ata_drive *d, uint8_t tag, uint64_t lba);

/* The next range of a DATA SET MANAGEMENT payload from *at on: 1, 0 at the end, -EINVAL beyond the
 * medium's end. */
int ata_trim_next(const struct ata_drive *d, const uint8_t *payload, uint32_t len, uint32_t *at,
		  uint64_t *offset, uint64_t *bytes);

/* Bytes that the host lets through in one block of a PACKET command, 2..65534 and even. */
uint32_t atapi_limit(const struct ata_drive *d);
/* The end of a PACKET command. */
void atapi_end(struct ata_drive *d, const struct scsi_cmd *c);

/* Of ata_identify.c: fills d->data. */
void ata_identify(struct ata_drive *d);
void ata_identify_packet(struct ata_drive *d);
/* Of ata_smart.c. */
void ata_smart(struct ata_drive *d, struct ata_plan *plan);

#endif
