/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The names of a disk's limits: throttling.* of -drive, and QEMU's older ones, which QMP has too.
 */
#ifndef FRONTEND_DRIVE_LIMITS_H
#define FRONTEND_DRIVE_LIMITS_H

#include "hw/block/limits.h"

/* The number that "throttling.bps-read-max", "bps_rd_max" and the like set; NULL: name is none of them. */
uint64_t *drive_limit(struct limit_config *c, const char *name);
/* The older name of each limit: "bps", "bps_rd", ... */
extern const char *const drive_limit_names[NR_LIMITS];

#endif
