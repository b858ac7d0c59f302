/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -display curses: the text modes of the guest's display in the terminal, and the terminal's keys as the
 * guest's keyboard. The terminal must know UTF-8 and ECMA-48 sequences. Machine lock held throughout.
 */
#ifndef FRONTEND_TEXTCON_H
#define FRONTEND_TEXTCON_H

#include <stdbool.h>

#include "frontend/screen.h"
#include "frontend/sendkey.h"

struct console;
struct input;
struct keymap;

struct textcon {
	struct console *console;
	struct screen *screen;
	struct screen_view view;
	struct sendkey keys;
	const struct keymap *keymap;
	struct text_screen *now, *shown; /* shown: what the terminal has */
	bool graphics;                   /* the terminal says so */
	bool changed;                    /* the screen has, since `shown` */
	unsigned width, height;          /* of the terminal */
};

/* Takes the console's bytes from now on. console, screen, input and keymap (the guest's; NULL: that of the US) are
 * borrowed. 0 or -ENOMEM. */
int textcon_open(struct textcon *t, struct console *console, struct screen *screen,
		 struct input *input, const struct keymap *keymap, struct clock *clock);
/* Leaves the terminal as it was. */
void textcon_close(struct textcon *t);

#endif
