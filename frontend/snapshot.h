/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * savevm, loadvm and delvm: saved states by the names that users give them. file:PATH is a file of its own,
 * which does not hold the disks, exec:COMMAND what a shell's command reads or writes; any other name is that of a snapshot in all disks, with the state in the
 * first of them.
 */
#ifndef FRONTEND_SNAPSHOT_H
#define FRONTEND_SNAPSHOT_H

#include <stddef.h>

struct drive_set;
struct pc;

#define SNAPSHOT_FILE "file:"
#define SNAPSHOT_EXEC "exec:"

/* All bring the guest to rest, and let it go on if it ran. drives may be NULL. Main thread, machine lock
 * held. 0, or -1 with one line in err. */

/* A file is complete or not there; a snapshot is in all disks or in none. One of the same name goes when
 * the new one is complete. */
int snapshot_save(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen);
/* After an error the guest is as it was, or reset where that was too late (err says so). */
int snapshot_load(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen);
int snapshot_delete(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		    size_t errlen);
/* 0: a place to migrate to, or from. */
int snapshot_check_uri(const char *uri, char *err, size_t errlen);
/* The snapshots with a state, as QEMU lists them. */
void snapshot_list(struct drive_set *drives, void (*print)(void *opaque, const char *text),
		   void *opaque);

/* ---- snapshot_disk.c: in disks; the machine is stopped and the disks are at rest ---- */

int snapshot_disk_save(struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		       char *err, size_t errlen);
int snapshot_disk_load(struct pc *pc, struct drive_set *drives, const char *disks, const char *name,
		       char *err, size_t errlen);
int snapshot_disk_delete(struct drive_set *drives, const char *name, char *err, size_t errlen);

#endif
