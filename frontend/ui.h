/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What user interfaces share: the consoles that one can look at (the screens of the guest), and their
 * names. Machine lock held throughout.
 */
#ifndef FRONTEND_UI_H
#define FRONTEND_UI_H

#include "frontend/screen.h"
#include "hw/input/input.h"

#define UI_CONSOLES 9

struct ui {
	struct machine *m;
	struct screen screens[UI_CONSOLES];
	unsigned nr;
};

/* A console for each display of the machine, which is borrowed. 0, or -ENODEV where it has none, or -errno. */
int ui_open(struct ui *ui, struct machine *m);
/* After all views have gone. Harmless before ui_open() in a zeroed struct. */
void ui_close(struct ui *ui);

#endif
