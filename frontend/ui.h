/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What user interfaces share: the consoles that one can look at (the screens of the guest, then text consoles). Machine lock held throughout.
 */
#ifndef FRONTEND_UI_H
#define FRONTEND_UI_H

#include "frontend/screen.h"
#include "frontend/vc.h"
#include "hw/input/input.h"

#define UI_CONSOLES 9

struct ui {
	struct machine *m;
	struct screen screens[UI_CONSOLES];
	struct vc
	    *vc[UI_CONSOLES]; /* the text console that a screen shows; NULL: it is the guest's */
	unsigned nr;
};

/* A console for each display of the machine and each text console, as far as there is room; they are borrowed. 0, or
 * -ENODEV where there is none, or -errno. */
int ui_open(struct ui *ui, struct machine *m, struct vc *vcs);
/* After all views have gone. Harmless before ui_open() in a zeroed struct. */
void ui_close(struct ui *ui);

/* A key of who looks at console n; repeated: it is down for a while. */
void ui_key(struct ui *ui, unsigned n, enum key key, bool down, bool repeated);
/* Nobody holds keys any more. */
void ui_release(struct ui *ui);

#endif
