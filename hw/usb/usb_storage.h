/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A USB disk or CD-ROM drive: one SCSI logical unit behind the Bulk-Only Transport (USB Mass Storage Class,
 * Bulk-Only Transport 1.0).
 */
#ifndef HW_USB_USB_STORAGE_H
#define HW_USB_USB_STORAGE_H

#include "hw/storage/scsi.h"
#include "hw/usb/usb.h"

#define USB_STORAGE_CHUNK 65536u /* bytes that go to the disk, or come from it, at once */

struct usb_storage {
	struct usb_device usb; /* first */
	struct device dev;     /* of the fields below */
	struct scsi_dev scsi;
	struct block *block;

	uint8_t state; /* enum bot_state */
	/* What the command does with data, and how many bytes: scsi_io() forgets them. */
	enum scsi_action action;
	uint64_t data_len;
	uint8_t status;
	uint8_t to_host; /* the direction that the host has announced */
	uint32_t tag;
	uint32_t host_len; /* bytes that the host expects to move in the data phase */
	uint64_t moved;    /* of them */
	uint64_t
	    io_at; /* bytes of the command's data that were asked of the disk, or given to it */
	uint32_t buf_at, buf_len; /* what of chunk[] has not been moved yet */
	bool busy;                /* the disk works on the command */
	bool dropping;
	struct scsi_cmd c;
	struct iovec iov;
	uint8_t chunk[USB_STORAGE_CHUNK];
};

/* block is borrowed. 0, -EBUSY when another device has it, or -ENOMEDIUM for a disk without one. */
int usb_storage_init(struct usb_storage *s, struct block *block, const char *serial);
void usb_storage_fini(struct usb_storage *s);

extern const struct device_type usb_storage_type;

#endif
