/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor's commands.
 */
#ifndef FRONTEND_MONITOR_H
#define FRONTEND_MONITOR_H

#include "frontend/sendkey.h"

struct drive_set;
struct pc;

struct monitor {
	struct pc *pc;
	struct drive_set *drives; /* or NULL */
	struct sendkey keys;
};

/* pc is borrowed. */
void monitor_init(struct monitor *m, struct pc *pc);

/* Carries out one line. print is called with text in pieces. Main thread, machine lock held; the
 * lock is let go while the vCPUs come to rest. */
void monitor_command(struct monitor *m, const char *line,
		     void (*print)(void *opaque, const char *text), void *opaque);

#endif
