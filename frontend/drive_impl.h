/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the options of disks: drive.c has the options and where drives go, drive_keys.c the keys of -drive
 * and those that -blockdev shares with it, blockdev.c what is -blockdev's alone.
 */
#ifndef FRONTEND_DRIVE_IMPL_H
#define FRONTEND_DRIVE_IMPL_H

#include "frontend/drive.h"
#include "frontend/options_dev.h"

/* Functions that take a struct parse return -1, or NULL, with the message set. */

/* ---- drive.c ---- */

/* One with all its defaults, on the list. */
struct drive_spec *drive_new(struct parse *p);

/* ---- drive_keys.c ---- */

#define NR_DRIVE_INTERFACES (IF_PFLASH + 1)
extern const char *const drive_interfaces[NR_DRIVE_INTERFACES];

int drive_set_text(struct parse *p, const struct keyval *kv, const char *option, char *out,
		   size_t len);
int drive_set_format(struct parse *p, const struct keyval *kv, const char *option,
		     struct drive_spec *s);
/* Keys that -drive and -blockdev share: 1 done, 0 not one of them, -1 failed. */
int drive_set_common(struct parse *p, const struct keyval *kv, const char *option,
		     struct drive_spec *s);
/* A key of -drive. */
int drive_set_key(struct parse *p, const struct keyval *kv, struct drive_spec *s);

/* ---- blockdev.c ---- */

/* A format's node over a file's node becomes one image. */
int drive_join_nodes(struct parse *p, struct drive_spec *s);

#endif
