/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -display curses: the text modes of the guest's display in the terminal, and the terminal's keys as the
 * guest's keyboard. The terminal must know UTF-8 and ECMA-48 sequences. Machine lock held throughout.
 */
#ifndef FRONTEND_TEXTCON_H
#define FRONTEND_TEXTCON_H

#include <stdbool.h>

#include "frontend/sendkey.h"
#include "hw/clock.h"
#include "hw/display/display.h"

struct console;
struct input;

struct textcon {
	struct console *console;
	const struct display *display;
	struct sendkey keys;
	struct timer timer;
	struct text_screen *now, *shown; /* shown: what the terminal has */
	bool graphics;                   /* the terminal says so */
	unsigned width, height;          /* of the terminal */
};

/* Takes the console's bytes from now on. console, display and input are borrowed. 0 or -ENOMEM. */
int textcon_open(struct textcon *t, struct console *console, const struct display *display,
		 struct input *input, struct clock *clock);
/* Leaves the terminal as it was. */
void textcon_close(struct textcon *t);

#endif
