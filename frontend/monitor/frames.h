/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Backtraces.
 */
#ifndef FRONTEND_MONITOR_FRAMES_H
#define FRONTEND_MONITOR_FRAMES_H

#include "frontend/monitor/view.h"

/* From that frame on, which is used up. */
void print_backtrace(struct view *w, struct frame *f);

#endif
