/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A display's picture, kept up to date for those who look at it: windows and VNC clients. It is looked at
 * while somebody does, and they hear of what has changed only. Host time drives it, so that a stopped guest
 * can be seen, too. Machine lock held throughout.
 */
#ifndef FRONTEND_SCREEN_H
#define FRONTEND_SCREEN_H

#include <stdint.h>

#include "hw/display/display.h"

struct machine;

struct screen_view {
	/* The picture has another size, or the view is new: all of it counts as changed. */
	void (*resized)(void *opaque, const struct surface *s);
	void (*updated)(void *opaque, const struct surface *s, const struct rect *r);
	/* The device's pointer has changed. May be NULL. */
	void (*cursor)(void *opaque, const struct cursor *c);
	/* At every look, after the others: a few a second at least. May be NULL. */
	void (*tick)(void *opaque);
	void *opaque;
	struct screen_view *next;
};

struct screen {
	struct machine *m;
	struct display *display;
	struct surface surface;
	struct screen_view *views;
	int timer;      /* timerfd */
	unsigned quiet; /* looks since something changed */
	uint32_t cursor_version;
	uint64_t looks, updates, pixels; /* pixels: in updates */
};

/* m and display are borrowed. 0 or -errno. */
int screen_open(struct screen *s, struct machine *m, struct display *display);
/* After its views have gone. Harmless before screen_open() in a zeroed struct. */
void screen_close(struct screen *s);
/* v is borrowed until it is removed, and told of the whole picture at once. 0 or -ENOMEM. */
int screen_add_view(struct screen *s, struct screen_view *v);
void screen_remove_view(struct screen *s, struct screen_view *v);
/* The user does something, so that a change is likely. */
void screen_hurry(struct screen *s);

#endif
