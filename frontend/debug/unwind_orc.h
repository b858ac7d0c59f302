/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Backtraces by a Linux kernel's ORC tables.
 */
#ifndef FRONTEND_DEBUG_UNWIND_ORC_H
#define FRONTEND_DEBUG_UNWIND_ORC_H

struct frame;
struct linux_guest;

/* The caller's frame, or what was interrupted. 0, or -ENOENT: at the end, or the tables do not say. */
int unwind_orc(struct linux_guest *g, struct frame *f);

#endif
