/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitors' breakpoints, watchpoints and catchpoints: one list for all monitors of a machine.
 */
#ifndef FRONTEND_MONITOR_POINTS_H
#define FRONTEND_MONITOR_POINTS_H

#include "frontend/debug/debugger.h"
#include "frontend/monitor/monitor.h"

struct mon_point {
	struct mon_point *next;
	struct monitor_env *env;
	int nr; /* as users see it; 0: of `next` and its like */
	int id; /* the debugger's; 0: not yet, its symbol is not known */
	struct debug_point spec;
	char what[160], condition[256], commands[256];
	bool symbolic; /* `what` is a symbol, looked up anew when a kernel appears */
	uint64_t sp;   /* not before the stack pointer is there or above; 0: wherever it is */
	bool has_value;
	uint64_t value; /* of a watchpoint, when it was last looked at */
};

void points_init(struct monitor_env *e);
void points_fini(struct monitor_env *e);
/* Takes a copy; p->spec.at is set, but its len is 0 where p->symbolic and its symbol is not known. 0, or -errno. */
int points_add(struct monitor_env *e, const struct mon_point *p, struct mon_point **out);
struct mon_point *points_find(struct monitor_env *e, int nr);
void points_remove(struct monitor_env *e, struct mon_point *p);
/* Its state in the debugger, or what it will be. */
struct debug_point *points_state(struct mon_point *p);

#endif
