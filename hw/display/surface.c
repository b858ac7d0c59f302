/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "hw/display/display.h"

int surface_resize(struct surface *s, unsigned width, unsigned height)
{
	uint32_t *pixels;

	if (s->pixels && s->width == width && s->height == height)
		return 0;
	pixels = calloc((size_t)width * height + !(width && height), sizeof(*pixels));
	if (!pixels)
		return -ENOMEM;
	free(s->pixels);
	*s = (struct surface){width, height, pixels};
	return 0;
}

void surface_fini(struct surface *s)
{
	free(s->pixels);
	*s = (struct surface){0};
}

struct rect rect_join(const struct rect *a, const struct rect *b)
{
	unsigned right, bottom;
	struct rect r;

	if (rect_empty(a))
		return *b;
	if (rect_empty(b))
		return *a;
	right = a->x + a->width > b->x + b->width ? a->x + a->width : b->x + b->width;
	bottom = a->y + a->height > b->y + b->height ? a->y + a->height : b->y + b->height;
	r.x = a->x < b->x ? a->x : b->x;
	r.y = a->y < b->y ? a->y : b->y;
	r.width = right - r.x;
	r.height = bottom - r.y;
	return r;
}
