/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a graphics device shows, as front ends (windows, VNC, screen dumps, the terminal) see it. They
 * ask for a picture when they want one; machine lock held.
 */
#ifndef HW_DISPLAY_DISPLAY_H
#define HW_DISPLAY_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define DISPLAY_MAX_WIDTH  16384u
#define DISPLAY_MAX_HEIGHT 16384u
#define TEXT_MAX_COLUMNS   256u
#define TEXT_MAX_ROWS      256u

/* Rows of `width` pixels without gaps, each 00RRGGBBh. */
struct surface {
	unsigned width, height;
	uint32_t *pixels;
};

struct rect {
	unsigned x, y, width, height; /* both 0: nothing */
};

/* The character cells of a text mode, and the device's palette. */
struct text_screen {
	unsigned columns, rows;
	struct text_cell {
		uint8_t ch, attr; /* attribute as the VGA's: background, foreground */
	} cell[TEXT_MAX_ROWS][TEXT_MAX_COLUMNS];
	uint32_t color[16]; /* 00RRGGBBh */
	bool cursor;
	unsigned cursor_x, cursor_y;
};

#define CURSOR_SIZE 64u

/* A pointer that the device lays over the picture: AARRGGBBh, colors multiplied by alpha already, rows of
 * CURSOR_SIZE pixels. */
struct cursor {
	bool visible;
	int x, y; /* of its upper left corner in the picture; may be outside */
	unsigned hot_x, hot_y;
	uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE];
};

struct display {
	const char *name;
	/* The whole picture as it is now; resizes the surface. 0 or -ENOMEM. */
	int (*draw)(void *dev, struct surface *s);
	/* The same for a viewer that goes on watching, of which there is one: only what changed since it
	 * last called this, with the same surface, is drawn. *changed lies around that; where it is empty
	 * there was nothing to do. */
	int (*update)(void *dev, struct surface *s, struct rect *changed);
	/* The device's pointer, and a number that is another one after it has changed. NULL: it has none. */
	const struct cursor *(*cursor)(void *dev, uint32_t *version);
	/* Somebody looks at it from now on. May be NULL. */
	void (*watched)(void *dev);
	/* The user would like a picture of this size. May be NULL. */
	void (*prefer)(void *dev, unsigned width, unsigned height);
	/* False when the device does not show text. */
	bool (*text)(void *dev, struct text_screen *t);
	void *dev;
	struct display *next; /* of the machine */
};

/* Contents are undefined after a change of size. 0, or -ENOMEM and the surface is as before. */
int surface_resize(struct surface *s, unsigned width, unsigned height);
void surface_fini(struct surface *s);

static inline bool rect_empty(const struct rect *r)
{
	return !r->width || !r->height;
}
/* The smallest one around both. */
struct rect rect_join(const struct rect *a, const struct rect *b);

#endif
