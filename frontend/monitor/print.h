/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Values as C would write them, structs with their members.
 */
#ifndef FRONTEND_MONITOR_PRINT_H
#define FRONTEND_MONITOR_PRINT_H

struct value;
struct view;

void print_value(struct view *w, const struct value *v);

#endif
