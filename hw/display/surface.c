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
