/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SCSI disks and CD-ROM drives as logical units (SPC-3, SBC-3, MMC-5), whatever carries the commands:
 * ATAPI over IDE or AHCI, or virtio-scsi.
 *
 * The transport fills in cdb and done, and calls scsi_start(). Then action says what is left to do:
 *   SCSI_DONE      nothing: status and sense are final
 *   SCSI_REPLY     give the first len bytes of buf to the initiator; status is GOOD
 *   SCSI_PARAM     put len bytes from the initiator into buf (or less and change len), call
 *                  scsi_param(), and look again
 *   SCSI_READ, SCSI_WRITE
 *                  move len bytes by scsi_io(), in as many parts as the transport likes
 *   SCSI_OTHER_IO  call scsi_io() once without data
 * After each scsi_io(), done is called once.
 */
#ifndef HW_STORAGE_SCSI_H
#define HW_STORAGE_SCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "hw/block/block.h"
#include "hw/device.h"

#define SCSI_CDB_LEN   16u
#define SCSI_BUF_LEN   4096u
#define SCSI_SENSE_LEN 18u

enum scsi_status { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02 };

enum scsi_key {
	KEY_NONE = 0,
	KEY_NOT_READY = 2,
	KEY_MEDIUM_ERROR = 3,
	KEY_HARDWARE_ERROR = 4,
	KEY_ILLEGAL_REQUEST = 5,
	KEY_UNIT_ATTENTION = 6,
	KEY_DATA_PROTECT = 7,
	KEY_ABORTED = 11,
};

/* Additional sense code and its qualifier. */
enum scsi_asc {
	ASC_NONE = 0,
	ASC_READ_ERROR = 0x1100,
	ASC_PARAM_LENGTH = 0x1a00,
	ASC_BAD_OPCODE = 0x2000,
	ASC_LBA_RANGE = 0x2100,
	ASC_BAD_CDB = 0x2400,
	ASC_BAD_LUN = 0x2500,
	ASC_BAD_PARAM = 0x2600,
	ASC_WRITE_PROTECTED = 0x2700,
	ASC_MEDIUM_CHANGED = 0x2800,
	ASC_RESET = 0x2900,
	ASC_CAPACITY_CHANGED = 0x2a09,
	ASC_NO_MEDIUM = 0x3a00,
	ASC_TRAY_CLOSED = 0x3a01,
	ASC_TRAY_OPEN = 0x3a02,
	ASC_INTERNAL = 0x4400,
	ASC_PREVENTED = 0x5302,
	ASC_BAD_MODE_FOR_TRACK = 0x6400,
};

enum scsi_action {
	SCSI_DONE,
	SCSI_REPLY,
	SCSI_PARAM,
	SCSI_READ,
	SCSI_WRITE,
	SCSI_OTHER_IO,
};

struct scsi_dev {
	struct device dev;
	char name[64];
	struct block *block;
	bool cd, atapi;
	uint32_t block_len; /* bytes of a logical block: 2048 for a CD-ROM */
	char vendor[9], product[17], revision[5], serial[37];
	uint16_t rotation_rate;

	/* Sense data of the last command that failed, for REQUEST SENSE. */
	uint8_t key;
	uint16_t asc;
	uint16_t attention; /* unit attention to report, or 0 */
	uint8_t event;      /* media event to report */
	bool locked;        /* PREVENT ALLOW MEDIUM REMOVAL */
};

struct scsi_cmd {
	uint8_t cdb[SCSI_CDB_LEN];
	void (*done)(struct scsi_cmd *c);
	void *opaque; /* the transport's */

	enum scsi_action action;
	uint64_t len;
	enum scsi_status status;
	uint8_t key;
	uint16_t asc;
	uint8_t buf[SCSI_BUF_LEN];

	/* Of scsi.c. */
	struct scsi_dev *d;
	uint64_t offset; /* on the medium */
	unsigned flags;
	enum block_op op;
	unsigned range, nr_ranges; /* UNMAP: descriptors in buf */
	struct block_req req;
};

struct scsi_options {
	bool cd, atapi;
	const char *vendor, *product, *revision, *serial; /* NULL: the default */
	uint32_t block_len;                               /* 0: 512 or 2048 */
	uint16_t rotation_rate;                           /* per minute; 0: not said, 1: none */
};

/* block is borrowed; the controller attaches it, and passes on what block_user is told. */
void scsi_init(struct scsi_dev *d, const char *name, struct block *block,
	       const struct scsi_options *o);
/* For block_user.changed and .eject_request. */
void scsi_medium_changed(struct scsi_dev *d);
void scsi_eject_request(struct scsi_dev *d);

void scsi_start(struct scsi_dev *d, struct scsi_cmd *c);
void scsi_param(struct scsi_dev *d, struct scsi_cmd *c);
/* Bytes [at, at + len) of the command's data; len is a multiple of BLOCK_SECTOR. */
void scsi_io(struct scsi_cmd *c, uint64_t at, const struct iovec *iov, unsigned nr, uint64_t len);

/* Ends the command with a status of CHECK CONDITION. */
void scsi_fail(struct scsi_cmd *c, enum scsi_key key, enum scsi_asc asc);
/* Fixed-format sense data (SPC-3, 4.5.3) of a command. */
void scsi_sense_data(uint8_t key, uint16_t asc, uint8_t out[SCSI_SENSE_LEN]);
/* Length of the CDB by its operation code, or 0 when it cannot be told. */
unsigned scsi_cdb_len(uint8_t opcode);

#endif
