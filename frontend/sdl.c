/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window has a thread of its own, which waits for the user, draws, and takes the machine lock to tell
 * the guest of keys and pointer. The machine's threads, which have that lock, only copy what has changed
 * and wake it: a slow X server slows down nobody else.
 */
#include "frontend/sdl.h"

#ifdef CONFIG_SDL
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "frontend/sdl_impl.h"
#include "hw/machine.h"

/* ---- the machine's side ---- */

static void wake(void *opaque)
{
	struct sdl *s = opaque;
	SDL_Event e = {.type = s->news};

	/* Where the queue is full, the next change tries again. */
	s->shadow.woken = s->lib.PushEvent(&e) > 0;
}

static void on_tick(void *opaque)
{
	struct shadow *shadow = opaque;
	struct sdl *s = shadow->opaque;
	bool absolute = input_absolute(&s->m->input);

	pthread_mutex_lock(&shadow->lock);
	if (s->status.engine != s->m->engine->name || s->status.stopped != s->m->stopped ||
	    s->status.absolute != absolute) {
		s->status.engine = s->m->engine->name;
		s->status.stopped = s->m->stopped;
		s->status.absolute = absolute;
		s->status.changed = true;
		shadow_wake(shadow);
	}
	pthread_mutex_unlock(&shadow->lock);
}

/* ---- the window ---- */

static const char *release_keys(const struct sdl *s)
{
	static const char *const names[] = {"Ctrl-Alt-G", "Ctrl-Alt-Shift-G", "Right Ctrl-G"};

	return names[s->opt.grab_mod];
}

void sdl_set_title(struct sdl *s)
{
	char title[256], console[48] = "";

	if (sdl_on_vc(s))
		snprintf(console, sizeof(console), ", %s", sdl_screen(s)->display->name);
	else if (s->ui->nr > 1)
		snprintf(console, sizeof(console), ", screen %u", s->console + 1);
	snprintf(title, sizeof(title), "doppel%s%s%s (%s)%s%s%s%s", s->opt.name ? " " : "",
		 s->opt.name ? s->opt.name : "", console, s->engine ? s->engine : "",
		 s->stopped ? " [Stopped]" : "", s->grabbed ? " - Press " : "",
		 s->grabbed ? release_keys(s) : "", s->grabbed ? " to release the mouse" : "");
	s->lib.SetWindowTitle(s->window, title);
}

SDL_Rect sdl_viewport(const struct sdl *s)
{
	SDL_Rect r = {0, 0, 1, 1};
	int w = 1, h = 1;

	s->lib.GetWindowSize(s->window, &w, &h);
	if (w < 1 || h < 1 || !s->width || !s->height)
		return r;
	r.w = w;
	r.h = (int)((int64_t)w * s->height / s->width);
	if (r.h > h) {
		r.h = h;
		r.w = (int)((int64_t)h * s->width / s->height);
	}
	r.w = r.w < 1 ? 1 : r.w;
	r.h = r.h < 1 ? 1 : r.h;
	r.x = (w - r.w) / 2;
	r.y = (h - r.h) / 2;
	return r;
}

void sdl_render(struct sdl *s)
{
	SDL_Rect r = sdl_viewport(s);

	s->lib.SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
	s->lib.RenderClear(s->renderer);
	if (s->texture) {
		bool whole = r.w % (int)s->width == 0;

		s->lib.SetTextureScaleMode(s->texture,
					   whole ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
		s->lib.RenderCopy(s->renderer, s->texture, NULL, &r);
		sdl_draw_cursor(s, &r);
	}
	s->lib.RenderPresent(s->renderer);
}

void sdl_show_pointer(struct sdl *s)
{
	bool guests = s->absolute && s->cursor.visible && s->cursor.host;
	bool hide = !sdl_on_vc(s) && (s->absolute ? !guests && !s->opt.show_cursor : s->grabbed);

	s->lib.ShowCursor(hide ? SDL_DISABLE : SDL_ENABLE);
	if (guests)
		s->lib.SetCursor(s->cursor.host);
	else
		s->lib.SetCursor(s->lib.GetDefaultCursor());
}

void sdl_grab(struct sdl *s, bool on)
{
	if (on == s->grabbed)
		return;
	s->grabbed = on;
	s->lib.SetWindowKeyboardGrab(s->window, on);
	if (!s->absolute || !on)
		s->lib.SetRelativeMouseMode(on);
	s->lib.SetWindowMouseGrab(s->window, on);
	sdl_show_pointer(s);
	sdl_set_title(s);
}

static void new_texture(struct sdl *s, unsigned width, unsigned height)
{
	int w = 0, h = 0;

	if (s->texture)
		s->lib.DestroyTexture(s->texture);
	s->texture = s->lib.CreateTexture(s->renderer, SDL_PIXELFORMAT_RGB888,
					  SDL_TEXTUREACCESS_STREAMING, (int)width, (int)height);
	s->width = width;
	s->height = height;
	s->lib.GetWindowSize(s->window, &w, &h);
	/* While the guest may still follow the user, the window keeps the user's size. */
	if (s->wish.told && (width != s->wish.width || height != s->wish.height))
		return;
	s->wish.told = false;
	if (!s->full && !s->wish.pending &&
	    !(s->lib.GetWindowFlags(s->window) & SDL_WINDOW_MAXIMIZED) &&
	    (w != (int)width || h != (int)height))
		s->lib.SetWindowSize(s->window, (int)width, (int)height);
}

static void upload(struct sdl *s, const struct surface *p, const struct rect *d)
{
	SDL_Rect r = {(int)d->x, (int)d->y, (int)d->width, (int)d->height};

	if (s->texture)
		s->lib.UpdateTexture(s->texture, &r, p->pixels + (size_t)d->y * p->width + d->x,
				     (int)(p->width * sizeof(*p->pixels)));
}

void sdl_take_news(struct sdl *s)
{
	struct shadow *n = &s->shadow;
	bool draw, status;

	pthread_mutex_lock(&n->lock);
	n->woken = false;
	draw = !rect_empty(&n->damage) || n->new_cursor || n->moved_cursor;
	if (n->resized)
		new_texture(s, n->picture.width, n->picture.height);
	if (!rect_empty(&n->damage))
		upload(s, &n->picture, &n->damage);
	n->damage = (struct rect){0};
	n->resized = false;
	status = s->status.changed;
	s->status.changed = false;
	s->engine = s->status.engine;
	s->stopped = s->status.stopped;
	s->closing = s->status.closing;
	s->absolute = s->status.absolute;
	if (n->new_cursor)
		sdl_make_cursor(s, &n->cursor);
	s->cursor.x = n->cursor.x;
	s->cursor.y = n->cursor.y;
	n->new_cursor = n->moved_cursor = false;
	pthread_mutex_unlock(&n->lock);
	if (status) {
		if (s->absolute && s->grabbed)
			s->lib.SetRelativeMouseMode(SDL_FALSE);
		sdl_show_pointer(s);
		sdl_set_title(s);
	}
	if (draw || status)
		sdl_render(s);
}

/* ---- the thread ---- */

static bool create(struct sdl *s)
{
	const struct sdl_lib *l = &s->lib;

	l->SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
	l->SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
	l->SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
	l->SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
	if (l->InitSubSystem(SDL_INIT_VIDEO) < 0) {
		snprintf(s->err, sizeof(s->err), "SDL cannot open a display: %s", l->GetError());
		return false;
	}
	s->news = l->RegisterEvents(1);
	s->window = l->CreateWindow("doppel", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 720,
				    400, SDL_WINDOW_RESIZABLE);
	if (s->window)
		s->renderer = l->CreateRenderer(s->window, -1, 0);
	if (s->window && !s->renderer)
		s->renderer = l->CreateRenderer(s->window, -1, SDL_RENDERER_SOFTWARE);
	if (s->renderer) {
		l->StopTextInput();
		return true;
	}
	snprintf(s->err, sizeof(s->err), "SDL cannot open a window: %s", l->GetError());
	return false;
}

static void destroy(struct sdl *s)
{
	const struct sdl_lib *l = &s->lib;

	sdl_free_cursor(s);
	if (s->texture)
		l->DestroyTexture(s->texture);
	if (s->renderer)
		l->DestroyRenderer(s->renderer);
	if (s->window)
		l->DestroyWindow(s->window);
	l->QuitSubSystem(SDL_INIT_VIDEO); /* sound may go on */
}

/* False when there will be none any more. */
static bool next_event(struct sdl *s, SDL_Event *e)
{
	while (s->wish.pending) {
		int left = (int)(s->wish.due - s->lib.GetTicks());

		if (left > 0 && s->lib.WaitEventTimeout(e, left))
			return true;
		if (left <= 0)
			sdl_tell_wish(s);
	}
	return s->lib.WaitEvent(e);
}

static void *window_thread(void *opaque)
{
	struct sdl *s = opaque;
	bool ok = create(s);
	SDL_Event e;

	if (ok) {
		pthread_mutex_lock(&s->m->lock);
		on_tick(&s->shadow);
		if (screen_add_view(sdl_screen(s), &s->shadow.view) < 0) {
			snprintf(s->err, sizeof(s->err), "out of memory");
			ok = false;
		}
		pthread_mutex_unlock(&s->m->lock);
	}
	sem_post(&s->started);
	if (ok && s->opt.full_screen)
		sdl_set_full(s, true);
	while (ok && !s->closing && next_event(s, &e))
		sdl_event(s, &e);
	if (ok) {
		pthread_mutex_lock(&s->m->lock);
		screen_remove_view(sdl_screen(s), &s->shadow.view);
		pthread_mutex_unlock(&s->m->lock);
	}
	destroy(s);
	return NULL;
}

static void free_sdl(struct sdl *s)
{
	shadow_fini(&s->shadow);
	sem_destroy(&s->started);
	free(s);
}

int sdl_open(struct sdl **out, struct ui *ui, const struct sdl_options *opt, char *err,
	     size_t errlen)
{
	struct sdl *s = calloc(1, sizeof(*s));
	const char *why = s ? sdl_lib_load(&s->lib) : "out of memory";
	int r;

	if (why) {
		snprintf(err, errlen, "-display sdl: %s", why);
		free(s);
		return -1;
	}
	s->ui = ui;
	s->m = ui->m;
	s->opt = *opt;
	sem_init(&s->started, 0, 0);
	shadow_init(&s->shadow, wake, s);
	s->shadow.view.tick = on_tick;
	r = pthread_create(&s->thread, NULL, window_thread, s);
	if (r) {
		snprintf(err, errlen, "-display sdl: cannot start a thread: %s", strerror(r));
		free_sdl(s);
		return -1;
	}
	while (sem_wait(&s->started) < 0 && errno == EINTR)
		;
	if (!*s->err) {
		*out = s;
		return 0;
	}
	pthread_join(s->thread, NULL);
	snprintf(err, errlen, "-display sdl: %s (-display none needs none)", s->err);
	free_sdl(s);
	return -1;
}

void sdl_close(struct sdl *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->shadow.lock);
	s->status.closing = true;
	s->shadow.woken = false;
	shadow_wake(&s->shadow);
	pthread_mutex_unlock(&s->shadow.lock);
	pthread_join(s->thread, NULL);
	free_sdl(s);
}

#else /* !CONFIG_SDL */

#include <stdio.h>

int sdl_open(struct sdl **out, struct ui *ui, const struct sdl_options *opt, char *err,
	     size_t errlen)
{
	(void)out;
	(void)ui;
	(void)opt;
	snprintf(err, errlen,
		 "-display sdl is not in this build; build where SDL 2's headers are "
		 "(Debian: apt-get install libsdl2-dev), without --static");
	return -1;
}

void sdl_close(struct sdl *s)
{
	(void)s;
}

#endif
