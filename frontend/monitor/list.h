/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source text.
 */
#ifndef FRONTEND_MONITOR_LIST_H
#define FRONTEND_MONITOR_LIST_H

#include "frontend/monitor/view.h"

/* Prints the source line of code, where it can be read. */
void list_line(struct view *w, uint64_t addr);

#endif
