/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Outputs of the virtio GPU: what front ends see of it, and what they would like to see.
 */
#include <stdio.h>
#include <string.h>

#include "hw/display/edid.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu_impl.h"

/* Of an output that has never shown anything. */
enum { DARK_WIDTH = 640, DARK_HEIGHT = 480 };

static bool shows_vga(const struct gpu_output *o)
{
	return o->nr == 0 && o->gpu->vga && !o->gpu->driven;
}

/* ---- what is shown ---- */

static void copy(const struct gpu_output *o, struct surface *s, const struct rect *part)
{
	const struct gpu_resource *r = gpu_find(o->gpu, o->resource);

	for (unsigned y = part->y; y < part->y + part->height; y++) {
		uint32_t *to = s->pixels + (size_t)y * s->width + part->x;

		gpu_pixels(o->gpu, r, o->area.x + part->x, o->area.y + y, to, part->width);
		for (unsigned x = 0; x < part->width; x++)
			to[x] &= 0xffffff;
	}
}

static int dark(struct surface *s)
{
	int err = s->pixels ? 0 : surface_resize(s, DARK_WIDTH, DARK_HEIGHT);

	if (err == 0)
		memset(s->pixels, 0, (size_t)s->width * s->height * sizeof(*s->pixels));
	return err;
}

static int draw(void *dev, struct surface *s)
{
	const struct gpu_output *o = dev;
	const struct rect all = {0, 0, o->area.width, o->area.height};
	int err;

	if (shows_vga(o))
		return vga_draw(o->gpu->vga, s);
	if (!o->resource)
		return dark(s);
	err = surface_resize(s, all.width, all.height);
	if (err == 0)
		copy(o, s, &all);
	return err;
}

static int update(void *dev, struct surface *s, struct rect *changed)
{
	struct gpu_output *o = dev;
	int err;

	if (shows_vga(o)) {
		if (o->anew)
			vga_redraw(o->gpu->vga);
		err = vga_update(o->gpu->vga, s, changed);
		o->anew &= err < 0;
		return err;
	}
	*changed = (struct rect){0};
	if (o->anew || !s->pixels) {
		err = draw(o, s);
		if (err < 0)
			return err;
		*changed = (struct rect){0, 0, s->width, s->height};
	} else if (!rect_empty(&o->damage)) {
		copy(o, s, &o->damage);
		*changed = o->damage;
	}
	o->anew = false;
	o->damage = (struct rect){0};
	return 0;
}

static bool text(void *dev, struct text_screen *t)
{
	const struct gpu_output *o = dev;

	return shows_vga(o) && vga_text(o->gpu->vga, t);
}

void gpu_show(struct virtio_gpu *g, struct gpu_output *o, const struct gpu_resource *r,
	      const struct rect *area)
{
	o->resource = r ? r->id : 0;
	o->area = r ? *area : (struct rect){0};
	o->damage = (struct rect){0};
	o->anew = true;
	g->driven |= r != NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}
static unsigned most(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

void gpu_damage(struct virtio_gpu *g, const struct gpu_resource *r, const struct rect *area)
{
	for (unsigned n = 0; n < g->nr_outputs; n++) {
		struct gpu_output *o = &g->output[n];
		unsigned x = most(area->x, o->area.x), y = most(area->y, o->area.y);
		unsigned right = least(area->x + area->width, o->area.x + o->area.width);
		unsigned bottom = least(area->y + area->height, o->area.y + o->area.height);
		struct rect part;

		if (o->resource != r->id || right <= x || bottom <= y)
			continue;
		part = (struct rect){x - o->area.x, y - o->area.y, right - x, bottom - y};
		o->damage = rect_join(&o->damage, &part);
	}
}

/* ---- the pointer ---- */

static const struct cursor *cursor(void *dev, uint32_t *version)
{
	const struct gpu_output *o = dev;

	*version = o->cursor_version;
	return &o->cursor;
}

void gpu_set_cursor(struct gpu_output *o, const struct gpu_resource *r, uint32_t hot_x,
		    uint32_t hot_y)
{
	struct cursor *c = &o->cursor;

	o->cursor_version++;
	o->cursor_resource = r ? r->id : 0;
	c->visible = r;
	if (!r)
		return;
	c->hot_x = least(hot_x, CURSOR_SIZE - 1);
	c->hot_y = least(hot_y, CURSOR_SIZE - 1);
	memset(c->pixels, 0, sizeof(c->pixels));
	for (unsigned y = 0; y < least(r->height, CURSOR_SIZE); y++)
		gpu_pixels(o->gpu, r, 0, y, c->pixels + (size_t)y * CURSOR_SIZE,
			   least(r->width, CURSOR_SIZE));
}

void gpu_move_cursor(struct gpu_output *o, uint32_t x, uint32_t y)
{
	o->cursor_version++;
	o->cursor.x = (int)x;
	o->cursor.y = (int)y;
}

/* ---- what the user would like ---- */

static unsigned fit(unsigned size)
{
	return size < EDID_MIN ? EDID_MIN : least(size, EDID_MAX);
}

static void tell(struct gpu_output *o)
{
	uint8_t *config = o->gpu->v.config;

	o->connected = true;
	pci_set32(config + C_EVENTS_READ, pci_get32(config + C_EVENTS_READ) | EVENT_DISPLAY);
	virtio_config_changed(&o->gpu->v);
}

static void watched(void *dev)
{
	struct gpu_output *o = dev;

	if (!o->connected)
		tell(o);
}

static void prefer(void *dev, unsigned width, unsigned height)
{
	struct gpu_output *o = dev;

	width = fit(width);
	height = fit(height);
	/* The user may ask for the same again when the guest has chosen something else. */
	if (o->connected && o->width == width && o->height == height && o->area.width == width &&
	    o->area.height == height)
		return;
	o->width = width;
	o->height = height;
	tell(o);
}

/* ---- */

void gpu_init_outputs(struct virtio_gpu *g, const struct virtio_gpu_options *options)
{
	g->nr_outputs = options->outputs;
	g->vga = options->vga;
	for (unsigned n = 0; n < g->nr_outputs; n++) {
		struct gpu_output *o = &g->output[n];

		o->gpu = g;
		o->nr = n;
		o->connected = n == 0;
		o->width = options->width;
		o->height = options->height;
		snprintf(o->name, sizeof(o->name), "virtio-gpu.%u", n);
		o->display = (struct display){
		    .name = o->name,
		    .draw = draw,
		    .update = update,
		    .cursor = cursor,
		    .watched = watched,
		    .prefer = prefer,
		    .text = text,
		    .dev = o,
		};
	}
}

void gpu_reset_outputs(struct virtio_gpu *g)
{
	for (unsigned n = 0; n < g->nr_outputs; n++) {
		gpu_show(g, &g->output[n], NULL, NULL);
		gpu_set_cursor(&g->output[n], NULL, 0, 0);
		gpu_move_cursor(&g->output[n], 0, 0);
	}
	g->driven = false;
}

void gpu_tame_outputs(struct virtio_gpu *g)
{
	for (unsigned n = 0; n < VIRTIO_GPU_OUTPUTS; n++) {
		struct gpu_output *o = &g->output[n];
		const struct gpu_resource *r = gpu_find(g, o->resource);

		if (!r || n >= g->nr_outputs || !gpu_inside(&o->area, r->width, r->height)) {
			o->resource = 0;
			o->area = (struct rect){0};
		}
	}
}

void gpu_loaded_outputs(struct virtio_gpu *g)
{
	for (unsigned n = 0; n < g->nr_outputs; n++) {
		struct gpu_output *o = &g->output[n];

		o->anew = true;
		o->damage = (struct rect){0};
		gpu_set_cursor(o, gpu_find(g, o->cursor_resource), o->cursor.hot_x,
			       o->cursor.hot_y);
	}
}
