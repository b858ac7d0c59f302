/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/screen.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "hw/clock.h"
#include "hw/loop.h"
#include "hw/machine.h"

#define FAST_NS (NSEC_PER_SEC / 30)
#define SLOW_NS (NSEC_PER_SEC / 10)
#define QUIET   30 /* looks in vain before the pace is slow */

static void arm(struct screen *s)
{
	struct itimerspec its = {.it_value.tv_nsec = s->quiet < QUIET ? FAST_NS : SLOW_NS};

	timerfd_settime(s->timer, 0, &its, NULL);
}

static void tell_cursor(struct screen *s, struct screen_view *v)
{
	static const struct cursor none;
	uint32_t version;

	if (v->cursor)
		v->cursor(v->opaque, s->display->cursor
					 ? s->display->cursor(s->display->dev, &version)
					 : &none);
}

static void look(struct screen *s)
{
	unsigned width = s->surface.width, height = s->surface.height;
	uint32_t version = s->cursor_version;
	struct rect r = {0};

	s->looks++;
	s->quiet++;
	if (s->display->update(s->display->dev, &s->surface, &r) < 0)
		return; /* another try at the next look */
	if (s->display->cursor)
		s->display->cursor(s->display->dev, &version);
	if (!rect_empty(&r)) {
		s->updates++;
		s->pixels += (uint64_t)r.width * r.height;
		s->quiet = 0;
	}
	for (struct screen_view *v = s->views; v; v = v->next) {
		if (s->surface.width != width || s->surface.height != height)
			v->resized(v->opaque, &s->surface);
		else if (!rect_empty(&r))
			v->updated(v->opaque, &s->surface, &r);
		if (version != s->cursor_version)
			tell_cursor(s, v);
		if (v->tick)
			v->tick(v->opaque);
	}
	s->cursor_version = version;
}

static void on_timer(void *opaque, int fd, unsigned events)
{
	struct screen *s = opaque;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
		return;
	look(s);
	arm(s);
}

int screen_open(struct screen *s, struct machine *m, struct display *display)
{
	int err;

	*s = (struct screen){.m = m, .display = display};
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer < 0)
		err = -errno;
	else
		err = loop_watch(m->loop, s->timer, LOOP_IN, on_timer, s);
	if (err == 0)
		return 0;
	if (s->timer >= 0)
		close(s->timer);
	s->m = NULL;
	return err;
}

void screen_close(struct screen *s)
{
	if (!s->m)
		return;
	loop_watch(s->m->loop, s->timer, 0, NULL, NULL);
	close(s->timer);
	surface_fini(&s->surface);
	s->m = NULL;
}

int screen_add_view(struct screen *s, struct screen_view *v)
{
	struct rect r;
	int err;

	if (s->display->watched)
		s->display->watched(s->display->dev);
	err = s->display->update(s->display->dev, &s->surface, &r);
	if (err < 0)
		return err;
	v->next = s->views;
	s->views = v;
	/* The others have missed what this update has found. */
	for (struct screen_view *each = v; each; each = each->next)
		each->resized(each->opaque, &s->surface);
	tell_cursor(s, v);
	s->quiet = 0;
	arm(s);
	return 0;
}

void screen_remove_view(struct screen *s, struct screen_view *v)
{
	struct screen_view **p = &s->views;
	struct itimerspec off = {0};

	while (*p && *p != v)
		p = &(*p)->next;
	if (*p)
		*p = v->next;
	if (!s->views)
		timerfd_settime(s->timer, 0, &off, NULL);
}

void screen_hurry(struct screen *s)
{
	bool slow = s->quiet >= QUIET;

	s->quiet = 0;
	if (slow && s->views)
		arm(s);
}
