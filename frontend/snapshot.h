/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * savevm and loadvm: saved states by the names that users give them. file:PATH is a file of its own.
 */
#ifndef FRONTEND_SNAPSHOT_H
#define FRONTEND_SNAPSHOT_H

#include <stddef.h>

struct drive_set;
struct pc;

/* Both bring the guest to rest, and let it go on if it ran. drives may be NULL.
 * Main thread, machine lock held. 0, or -1 with
 * one line in err. A file is complete or not there. */
int snapshot_save(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen);
/* After an error the guest is as it was, or, when the file could not be read a second time, reset. */
int snapshot_load(struct pc *pc, struct drive_set *drives, const char *name, char *err,
		  size_t errlen);

#endif
