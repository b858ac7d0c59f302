/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Steps over source lines: calls in them let the guest run, so a step may go on after a stop.
 */
#ifndef FRONTEND_MONITOR_STEPPING_H
#define FRONTEND_MONITOR_STEPPING_H

#include <stdbool.h>

struct mon_point;
struct monitor_env;
struct out;

/* After a stop at p (NULL: at none of the monitors' points): goes on with the step that waited for it, and says where that ends.
 * False: none did; a step that waited for another one has ended. */
bool stepping_goes_on(struct monitor_env *e, const struct mon_point *p, const struct out *o);
void stepping_end(struct monitor_env *e);

#endif
