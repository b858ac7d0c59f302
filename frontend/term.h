/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The terminal's raw mode, undone on every way out of the process.
 */
#ifndef FRONTEND_TERM_H
#define FRONTEND_TERM_H

#include <stdbool.h>

/* Puts the terminal on standard input into raw mode; nothing when there is none. signals: Ctrl-C
 * and the like still send signals. Also arranges for crashes to restore it. */
void term_raw(bool signals);
/* Restores it; may be called at any time, also when it is not raw. */
void term_restore(void);

#endif
