/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where drives plug into controllers: IDE channels, SATA ports, SCSI buses, floppy controllers. A
 * controller puts its buses on the board's list; -device ide-hd and the like look for one there.
 */
#ifndef HW_STORAGE_DRIVE_BUS_H
#define HW_STORAGE_DRIVE_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/device_type.h"

struct block;

enum drive_bus_kind { DRIVE_IDE, DRIVE_SCSI, DRIVE_FLOPPY };

struct drive_options {
	bool cd;
	const char *serial, *vendor, *model, *version; /* NULL: the default */
	uint32_t logical_block, physical_block;        /* bytes; 0: the default */
	uint16_t rotation_rate;                        /* as both standards have it */
};

struct drive_bus {
	enum drive_bus_kind kind;
	char name[80]; /* "ide.0" */
	unsigned units;
	uint64_t taken; /* bit per unit */
	void *controller;
	unsigned n; /* which of the controller's */
	/* Puts a drive there: what it adds to the machine goes through args. 0 or -errno. */
	int (*attach)(struct drive_bus *bus, unsigned unit, struct block *block,
		      const struct drive_options *o, const struct device_args *args);
	/* OpenFirmware path of a unit's disk below the PCI host bridge, for boot order. */
	void (*path)(const struct drive_bus *bus, unsigned unit, char *out, size_t len);
	struct drive_bus *next;
};

/* Appends. */
void drive_bus_add(struct drive_bus **list, struct drive_bus *bus);
/* The name of bus n of a controller: "ID.n", or for the first controller of its kind without an id
 * "PREFIX.n" with the lowest n's that are free. */
void drive_bus_name(struct drive_bus *const *list, struct drive_bus *bus, const char *id,
		    const char *prefix, unsigned n);

extern const struct device_type ide_hd_type, ide_cd_type, scsi_hd_type, scsi_cd_type, floppy_type;

#endif
