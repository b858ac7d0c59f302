/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -drive, -blockdev and their short forms (-hda, -cdrom, -fda, -snapshot): what the user wants to have
 * as disks, and the back ends made of it.
 */
#ifndef FRONTEND_DRIVE_H
#define FRONTEND_DRIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/block/block.h"

#define MAX_DRIVES     32
#define MAX_DRIVE_PATH 1024

struct machine;
struct parse;

enum drive_interface { IF_NONE, IF_IDE, IF_SCSI, IF_VIRTIO, IF_FLOPPY, IF_PFLASH };

struct drive_spec {
	char id[64]; /* never empty after drives_finish() */
	enum drive_interface iface;
	bool cdrom, has_file, has_format, asks_read_only;
	bool node;      /* of -blockdev: a device names it */
	char below[64]; /* of -blockdev: the node that it reads; empty: none */
	bool used;      /* as another node's `below` */
	int bus, unit,
	    index; /* -1: not given; bus and unit are set for all but IF_NONE afterwards */
	char file[MAX_DRIVE_PATH];
	char format[16];
	char serial[64];
	char group[64]; /* of drives with the same limits; empty: its own */
	/* Its strings are set when it is opened. */
	struct block_options opt;
};

struct drives {
	struct drive_spec spec[MAX_DRIVES];
	unsigned nr;
	bool snapshot; /* -snapshot */
};

/* Option handlers: 0, or -1 with the message set. */
int on_drive(struct parse *p, const char *arg);
int on_blockdev(struct parse *p, const char *arg);
int on_hda(struct parse *p, const char *arg);
int on_hdb(struct parse *p, const char *arg);
int on_hdc(struct parse *p, const char *arg);
int on_hdd(struct parse *p, const char *arg);
int on_cdrom(struct parse *p, const char *arg);
int on_fda(struct parse *p, const char *arg);
int on_fdb(struct parse *p, const char *arg);
int on_pflash(struct parse *p, const char *arg);
int on_snapshot(struct parse *p, const char *arg);

/* After the last option: gives places and names to those that have none. ide_units: drives on each IDE
 * bus of the board (2, or 1 where its IDE is AHCI). */
int drives_finish(struct parse *p, unsigned ide_units);
/* The -device text that puts a drive with an interface on the board, e.g. "ide-hd,drive=ide0-hd0,
 * bus=ide.0,unit=0"; false for those that have none (if=none, if=pflash). */
bool drive_device(const struct drive_spec *s, char *text, size_t len);

/* ---- drive_open.c ---- */

struct drive_set;

/* Opens all but those that another uses. warn: shows one line to the user; any thread,
 * machine lock held. NULL with one line in err. */
struct drive_set *drives_open(const struct drives *d, struct machine *m,
			      void (*warn)(void *opaque, const char *line), void *opaque, char *err,
			      size_t errlen);
/* By id; NULL: there is none. */
struct block *drives_find(struct drive_set *s, const char *id);
/* How `change` and blockdev-change-medium call it: "retain", "read-only", "read-write". */
bool drives_access(const char *name, enum block_access *out);
/* One after the other; NULL at the end. */
struct block *drives_at(struct drive_set *s, unsigned index);
/* Before the machine's loop goes, and after its devices have gone. */
void drives_leave_loop(struct drive_set *s);
/* Closes all; 0, or -1 with one line in err about data that could not be written. */
int drives_close(struct drive_set *s, char *err, size_t errlen);

#endif
