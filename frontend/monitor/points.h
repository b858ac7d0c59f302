/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitors' breakpoints, watchpoints and catchpoints: one list for all monitors of a machine.
 */
#ifndef FRONTEND_MONITOR_POINTS_H
#define FRONTEND_MONITOR_POINTS_H

#include "frontend/debug/debugger.h"
#include "frontend/monitor/monitor.h"

struct expr_env;

#define POINTS_MAX_PLACES 16 /* of one source line */

struct mon_point {
	struct mon_point *next;
	struct monitor_env *env;
	int nr; /* as users see it; 0: of `next` and its like */
	int id; /* the debugger's; 0: not yet, its symbol is not known */
	struct debug_point spec;
	char what[160], condition[256], commands[256];
	bool symbolic;  /* `what` is evaluated anew when a kernel or a module appears */
	unsigned place; /* which of those that `what` has */
	uint64_t sp;    /* only where the stack pointer is there or a little above; 0: anywhere */
	bool has_value;
	uint64_t value; /* of a watchpoint, when it was last looked at */
};

void points_init(struct monitor_env *e);
void points_fini(struct monitor_env *e);
/* Takes a copy; p->spec.at is set, but its len is 0 where p->symbolic and its symbol is not known. 0, or -errno. */
int points_add(struct monitor_env *e, const struct mon_point *p, struct mon_point **out);
/* Where "FUNCTION", "FILE:LINE" or an expression is; a line may have several places. How many, at most max; 0: it may come to be
 * known; -1: it will not. err says why. found: the line, if it was one (else its line is 0); or NULL. */
int points_place(struct monitor_env *e, struct expr_env *env, const char *what, uint64_t *addrs,
		 unsigned max, struct source_line *found, char *err, size_t len);
/* Does it mean something else with another kernel or module? */
bool points_symbolic(const char *what);
/* Looks whether points by name can be set now, or have moved. Stopped or held. */
void points_resolve(struct monitor_env *e);
struct mon_point *points_find(struct monitor_env *e, int nr);
void points_remove(struct monitor_env *e, struct mon_point *p);
/* Its state in the debugger, or what it will be. */
struct debug_point *points_state(struct mon_point *p);

#endif
