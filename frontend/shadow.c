/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/shadow.h"

#include <string.h>

void shadow_wake(struct shadow *s)
{
	if (s->woken)
		return;
	s->woken = true;
	s->wake(s->opaque);
}

static void copy(struct shadow *s, const struct surface *from, const struct rect *r)
{
	for (unsigned y = r->y; y < r->y + r->height; y++) {
		size_t at = (size_t)y * from->width + r->x;

		memcpy(s->picture.pixels + at, from->pixels + at, r->width * sizeof(*from->pixels));
	}
	s->damage = rect_join(&s->damage, r);
	shadow_wake(s);
}

static void on_resized(void *opaque, const struct surface *from)
{
	const struct rect all = {0, 0, from->width, from->height};
	struct shadow *s = opaque;

	pthread_mutex_lock(&s->lock);
	if (surface_resize(&s->picture, from->width, from->height) == 0) {
		s->resized = true;
		s->damage = (struct rect){0};
		copy(s, from, &all);
	}
	pthread_mutex_unlock(&s->lock);
}

static void on_updated(void *opaque, const struct surface *from, const struct rect *r)
{
	struct shadow *s = opaque;

	pthread_mutex_lock(&s->lock);
	/* They differ where there was no memory for the new size. */
	if (s->picture.width == from->width && s->picture.height == from->height)
		copy(s, from, r);
	pthread_mutex_unlock(&s->lock);
}

static bool looks_like(const struct cursor *a, const struct cursor *b)
{
	return a->visible == b->visible && a->hot_x == b->hot_x && a->hot_y == b->hot_y &&
	       memcmp(a->pixels, b->pixels, sizeof(a->pixels)) == 0;
}

static void on_cursor(void *opaque, const struct cursor *c)
{
	struct shadow *s = opaque;

	pthread_mutex_lock(&s->lock);
	if (looks_like(&s->cursor, c))
		s->moved_cursor = true;
	else
		s->new_cursor = true;
	s->cursor = *c;
	shadow_wake(s);
	pthread_mutex_unlock(&s->lock);
}

void shadow_init(struct shadow *s, void (*wake)(void *opaque), void *opaque)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->wake = wake;
	s->opaque = opaque;
	s->view = (struct screen_view){
	    .resized = on_resized, .updated = on_updated, .cursor = on_cursor, .opaque = s};
}

void shadow_fini(struct shadow *s)
{
	surface_fini(&s->picture);
	pthread_mutex_destroy(&s->lock);
}
