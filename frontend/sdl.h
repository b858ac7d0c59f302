/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -display sdl: a window that shows the guest's screens, and its keyboard and mouse.
 */
#ifndef FRONTEND_SDL_H
#define FRONTEND_SDL_H

#include <stdbool.h>
#include <stddef.h>

struct ui;
struct sdl;

enum grab_mod { GRAB_CTRL_ALT, GRAB_CTRL_ALT_SHIFT, GRAB_RCTRL };

struct sdl_options {
	enum grab_mod grab_mod;
	bool full_screen, keep_open, show_cursor;
	const char *name; /* of the guest, for the title; or NULL */
};

/* Opens the window, on a thread of its own. ui is borrowed. 0, or -1 with one line in err. Machine lock not
 * held. */
int sdl_open(struct sdl **out, struct ui *ui, const struct sdl_options *opt, char *err,
	     size_t errlen);
/* Machine lock not held; NULL is harmless. */
void sdl_close(struct sdl *s);

#endif
