/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/input/input.h"

#include <stddef.h>
#include <string.h>

void input_init(struct input *in)
{
	memset(in, 0, sizeof(*in));
}

struct input_handler *input_first(const struct input *in, unsigned kinds)
{
	struct input_handler *h = in->handlers;

	while (h && !(h->kinds & kinds))
		h = h->next;
	return h;
}

bool input_absolute(const struct input *in)
{
	const struct input_handler *h = input_first(in, INPUT_RELATIVE | INPUT_ABSOLUTE);

	return h && h->kinds & INPUT_ABSOLUTE;
}

unsigned input_leds(const struct input *in)
{
	const struct input_handler *h = input_first(in, INPUT_KEYS);

	return h ? h->leds : 0;
}

static void unlink_handler(struct input *in, struct input_handler *h)
{
	struct input_handler **p = &in->handlers;

	while (*p && *p != h)
		p = &(*p)->next;
	if (*p)
		*p = h->next;
}

static void append(struct input *in, struct input_handler *h)
{
	struct input_handler **p = &in->handlers;

	while (*p)
		p = &(*p)->next;
	h->next = NULL;
	*p = h;
}

void input_add(struct input *in, struct input_handler *h)
{
	h->index = in->nr++;
	append(in, h);
}

void input_remove(struct input *in, struct input_handler *h)
{
	unlink_handler(in, h);
}

/* Before the order changes. */
static void let_go(struct input *in, const struct input_handler *h)
{
	if (h->kinds & INPUT_KEYS)
		input_release(in);
	if (in->last.buttons && h->kinds & (INPUT_RELATIVE | INPUT_ABSOLUTE)) {
		struct input_pointer p = in->last;

		p.buttons = 0;
		input_pointer(in, &p);
	}
}

void input_activate(struct input *in, struct input_handler *h)
{
	if (in->handlers == h)
		return;
	let_go(in, h);
	unlink_handler(in, h);
	h->next = in->handlers;
	in->handlers = h;
}

void input_deactivate(struct input *in, struct input_handler *h)
{
	if (!h->next)
		return;
	let_go(in, h);
	unlink_handler(in, h);
	append(in, h);
}

void input_key(struct input *in, enum key key, bool down)
{
	struct input_handler *h = input_first(in, INPUT_KEYS);

	if (!h || key <= NO_KEY || key >= NR_KEYS || in->down[key] == down)
		return;
	in->down[key] = down;
	if (down && in->pressed)
		in->pressed(in->pressed_opaque);
	h->key(h->dev, key, down);
}

void input_release(struct input *in)
{
	for (int key = 0; key < NR_KEYS; key++)
		input_key(in, key, false);
}

static int clamp(int v)
{
	return v < 0 ? 0 : v > INPUT_ABS_MAX ? INPUT_ABS_MAX : v;
}

void input_pointer(struct input *in, const struct input_pointer *p)
{
	struct input_handler *h = input_first(in, p->absolute ? INPUT_ABSOLUTE : INPUT_RELATIVE);
	struct input_pointer q = *p;

	if (!h)
		return;
	if (q.absolute) {
		q.x = clamp(q.x);
		q.y = clamp(q.y);
	}
	h->pointer(h->dev, &q);
	/* As it would be said again. */
	q.dz = q.dh = 0;
	if (!q.absolute)
		q.x = q.y = 0;
	in->last = q;
}
