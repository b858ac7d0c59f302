/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window has a thread of its own, which waits for the user, draws, and takes the machine lock to tell
 * the guest of keys and pointer. The machine's threads, which have that lock, only copy what has changed
 * and wake it: a slow X server slows down nobody else.
 */
#include "frontend/sdl.h"

#ifdef CONFIG_SDL
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "frontend/sdl_lib.h"
#include "frontend/shadow.h"
#include "frontend/ui.h"
#include "hw/machine.h"

struct sdl {
	struct ui *ui;
	struct machine *m;
	struct sdl_options opt;
	struct sdl_lib lib;
	Uint32 news; /* type of the event that tells of news */
	pthread_t thread;
	sem_t started;
	char err[256];

	struct shadow shadow;
	struct {
		const char *engine;
		bool changed, stopped, absolute, closing;
	} status; /* under the shadow's lock */

	/* The window's thread alone. */
	unsigned console;
	SDL_Window *window;
	SDL_Renderer *renderer;
	SDL_Texture *texture;
	SDL_Cursor *cursor;
	unsigned width, height; /* of the texture */
	unsigned buttons;
	bool grabbed, full, closing, absolute, stopped, device_cursor;
	const char *engine;
};

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

static void set_title(struct sdl *s)
{
	char title[256], console[16] = "";

	if (s->ui->nr > 1)
		snprintf(console, sizeof(console), " %u", s->console + 1);
	snprintf(title, sizeof(title), "doppel%s%s%s%s (%s)%s%s%s%s", s->opt.name ? " " : "",
		 s->opt.name ? s->opt.name : "", *console ? ", screen" : "", console,
		 s->engine ? s->engine : "", s->stopped ? " [Stopped]" : "",
		 s->grabbed ? " - Press " : "", s->grabbed ? release_keys(s) : "",
		 s->grabbed ? " to release the mouse" : "");
	s->lib.SetWindowTitle(s->window, title);
}

/* Where in the window the picture is: as large as fits, undistorted. */
static SDL_Rect viewport(const struct sdl *s)
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

static void render(struct sdl *s)
{
	SDL_Rect r = viewport(s);

	s->lib.SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
	s->lib.RenderClear(s->renderer);
	if (s->texture) {
		bool whole = r.w % (int)s->width == 0;

		s->lib.SetTextureScaleMode(s->texture,
					   whole ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
		s->lib.RenderCopy(s->renderer, s->texture, NULL, &r);
	}
	s->lib.RenderPresent(s->renderer);
}

static void show_pointer(struct sdl *s)
{
	bool hide = s->grabbed || (s->absolute && !s->device_cursor && !s->opt.show_cursor);

	s->lib.ShowCursor(hide ? SDL_DISABLE : SDL_ENABLE);
	if (s->absolute && s->device_cursor && s->cursor)
		s->lib.SetCursor(s->cursor);
	else
		s->lib.SetCursor(s->lib.GetDefaultCursor());
}

static void make_cursor(struct sdl *s, struct cursor *c)
{
	SDL_Surface *image = s->lib.CreateRGBSurfaceWithFormatFrom(
	    c->pixels, CURSOR_SIZE, CURSOR_SIZE, 32, CURSOR_SIZE * 4, SDL_PIXELFORMAT_ARGB8888);
	SDL_Cursor *old = s->cursor;

	s->cursor = image ? s->lib.CreateColorCursor(image, (int)c->hot_x, (int)c->hot_y) : NULL;
	s->lib.FreeSurface(image);
	s->device_cursor = c->visible;
	show_pointer(s);
	if (old)
		s->lib.FreeCursor(old);
}

static void grab(struct sdl *s, bool on)
{
	if (on == s->grabbed)
		return;
	s->grabbed = on;
	s->lib.SetWindowKeyboardGrab(s->window, on);
	if (!s->absolute || !on)
		s->lib.SetRelativeMouseMode(on);
	s->lib.SetWindowMouseGrab(s->window, on);
	show_pointer(s);
	set_title(s);
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
	if (!s->full && !(s->lib.GetWindowFlags(s->window) & SDL_WINDOW_MAXIMIZED) &&
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

static void take_news(struct sdl *s)
{
	struct shadow *n = &s->shadow;
	bool draw, status;

	pthread_mutex_lock(&n->lock);
	n->woken = false;
	draw = !rect_empty(&n->damage);
	if (n->resized)
		new_texture(s, n->picture.width, n->picture.height);
	if (draw)
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
		make_cursor(s, &n->cursor);
	n->new_cursor = false;
	pthread_mutex_unlock(&n->lock);
	if (status) {
		if (s->absolute && s->grabbed)
			s->lib.SetRelativeMouseMode(SDL_FALSE);
		show_pointer(s);
		set_title(s);
	}
	if (draw)
		render(s);
}

/* ---- the user ---- */

static struct screen *screen(struct sdl *s)
{
	return &s->ui->screens[s->console];
}

static void show_console(struct sdl *s, unsigned n)
{
	if (n >= s->ui->nr || n == s->console)
		return;
	pthread_mutex_lock(&s->m->lock);
	screen_remove_view(screen(s), &s->shadow.view);
	s->console = n;
	screen_add_view(screen(s), &s->shadow.view);
	pthread_mutex_unlock(&s->m->lock);
	s->device_cursor = false;
	show_pointer(s);
	set_title(s);
}

static void set_full(struct sdl *s, bool on)
{
	s->full = on;
	s->lib.SetWindowFullscreen(s->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
	render(s);
}

static void zoom(struct sdl *s, int percent)
{
	int w = 0, h = 0;

	s->lib.GetWindowSize(s->window, &w, &h);
	if (percent == 100) {
		w = (int)s->width;
		h = (int)s->height;
	}
	w = (int)((int64_t)w * percent / 100);
	h = (int)((int64_t)h * percent / 100);
	if (!s->full && w >= 160 && h >= 100)
		s->lib.SetWindowSize(s->window, w, h);
}

static bool modified(const struct sdl *s, unsigned mod)
{
	static const unsigned masks[] = {KMOD_LCTRL | KMOD_LALT,
					 KMOD_LCTRL | KMOD_LALT | KMOD_LSHIFT, KMOD_RCTRL};

	return (mod & masks[s->opt.grab_mod]) == masks[s->opt.grab_mod];
}

/* Keys that are the window's own. */
static bool hotkey(struct sdl *s, const SDL_KeyboardEvent *e)
{
	unsigned code = e->keysym.scancode;

	if (!modified(s, e->keysym.mod))
		return false;
	if (code >= SDL_SCANCODE_1 && code <= SDL_SCANCODE_9) {
		show_console(s, code - SDL_SCANCODE_1);
		return true;
	}
	switch (code) {
	case SDL_SCANCODE_F:
		set_full(s, !s->full);
		return true;
	case SDL_SCANCODE_G:
		grab(s, !s->grabbed);
		return true;
	case SDL_SCANCODE_U:
		zoom(s, 100);
		return true;
	case SDL_SCANCODE_EQUALS:
	case SDL_SCANCODE_KP_PLUS:
		zoom(s, 125);
		return true;
	case SDL_SCANCODE_MINUS:
	case SDL_SCANCODE_KP_MINUS:
		zoom(s, 80);
		return true;
	}
	return false;
}

static void on_key(struct sdl *s, const SDL_KeyboardEvent *e)
{
	bool down = e->type == SDL_KEYDOWN;
	/* SDL's scan codes are usages of HID's page 7, then its own; the layout is the guest's business. */
	enum key key = key_by_hid(e->keysym.scancode);

	if (e->repeat || (down && hotkey(s, e)))
		return;
	pthread_mutex_lock(&s->m->lock);
	input_key(&s->m->input, key, down);
	screen_hurry(screen(s));
	pthread_mutex_unlock(&s->m->lock);
}

static void on_focus_lost(struct sdl *s)
{
	grab(s, false);
	pthread_mutex_lock(&s->m->lock);
	input_release(&s->m->input);
	pthread_mutex_unlock(&s->m->lock);
}

static int scale(int v, int from, int size)
{
	return size < 2 ? 0 : (int)((int64_t)(v - from) * INPUT_ABS_MAX / (size - 1));
}

static void send_pointer(struct sdl *s, int dx, int dy, int x, int y, int dz, int dh)
{
	struct input_pointer p = {.dz = dz, .dh = dh, .buttons = s->buttons, .x = dx, .y = dy};

	if (!s->absolute && !s->grabbed)
		return;
	if (s->absolute) {
		SDL_Rect r = viewport(s);

		p.absolute = true;
		p.x = scale(x, r.x, r.w);
		p.y = scale(y, r.y, r.h);
	}
	pthread_mutex_lock(&s->m->lock);
	if (dz == 0 && dh == 0) {
		input_pointer(&s->m->input, &p);
	} else {
		/* Where it is, it stays. */
		struct input_pointer *last = &s->m->input.last;

		p.x = p.absolute && last->absolute ? last->x : 0;
		p.y = p.absolute && last->absolute ? last->y : 0;
		input_pointer(&s->m->input, &p);
	}
	screen_hurry(screen(s));
	pthread_mutex_unlock(&s->m->lock);
}

static void on_button(struct sdl *s, const SDL_MouseButtonEvent *e)
{
	static const unsigned buttons[] = {[SDL_BUTTON_LEFT] = BUTTON_LEFT,
					   [SDL_BUTTON_MIDDLE] = BUTTON_MIDDLE,
					   [SDL_BUTTON_RIGHT] = BUTTON_RIGHT,
					   [SDL_BUTTON_X1] = BUTTON_SIDE,
					   [SDL_BUTTON_X2] = BUTTON_EXTRA};
	unsigned bit = e->button < sizeof(buttons) / sizeof(buttons[0]) ? buttons[e->button] : 0;

	if (e->type == SDL_MOUSEBUTTONDOWN && !s->absolute && !s->grabbed) {
		grab(s, true); /* this click is not the guest's */
		return;
	}
	if (e->type == SDL_MOUSEBUTTONDOWN)
		s->buttons |= bit;
	else
		s->buttons &= ~bit;
	send_pointer(s, 0, 0, e->x, e->y, 0, 0);
}

static void on_window(struct sdl *s, const SDL_WindowEvent *e)
{
	switch (e->event) {
	case SDL_WINDOWEVENT_CLOSE:
		if (s->opt.keep_open)
			break;
		pthread_mutex_lock(&s->m->lock);
		machine_request_quit(s->m);
		pthread_mutex_unlock(&s->m->lock);
		break;
	case SDL_WINDOWEVENT_FOCUS_LOST:
		on_focus_lost(s);
		break;
	case SDL_WINDOWEVENT_EXPOSED:
		render(s);
		break;
	case SDL_WINDOWEVENT_SIZE_CHANGED:
		if (e->data1 > 0 && e->data2 > 0) {
			struct display *d = screen(s)->display;

			pthread_mutex_lock(&s->m->lock);
			if (d->prefer)
				d->prefer(d->dev, (unsigned)e->data1, (unsigned)e->data2);
			pthread_mutex_unlock(&s->m->lock);
		}
		render(s);
		break;
	}
}

static void on_event(struct sdl *s, const SDL_Event *e)
{
	switch (e->type) {
	case SDL_KEYDOWN:
	case SDL_KEYUP:
		on_key(s, &e->key);
		break;
	case SDL_MOUSEMOTION:
		send_pointer(s, e->motion.xrel, e->motion.yrel, e->motion.x, e->motion.y, 0, 0);
		break;
	case SDL_MOUSEBUTTONDOWN:
	case SDL_MOUSEBUTTONUP:
		on_button(s, &e->button);
		break;
	case SDL_MOUSEWHEEL:
		send_pointer(s, 0, 0, 0, 0, -e->wheel.y, e->wheel.x);
		break;
	case SDL_WINDOWEVENT:
		on_window(s, &e->window);
		break;
	default:
		if (e->type == s->news)
			take_news(s);
		break;
	}
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

	if (s->cursor)
		l->FreeCursor(s->cursor);
	if (s->texture)
		l->DestroyTexture(s->texture);
	if (s->renderer)
		l->DestroyRenderer(s->renderer);
	if (s->window)
		l->DestroyWindow(s->window);
	l->QuitSubSystem(SDL_INIT_VIDEO); /* sound may go on */
}

static void *window_thread(void *opaque)
{
	struct sdl *s = opaque;
	bool ok = create(s);
	SDL_Event e;

	if (ok) {
		pthread_mutex_lock(&s->m->lock);
		on_tick(&s->shadow);
		if (screen_add_view(screen(s), &s->shadow.view) < 0) {
			snprintf(s->err, sizeof(s->err), "out of memory");
			ok = false;
		}
		pthread_mutex_unlock(&s->m->lock);
	}
	sem_post(&s->started);
	if (ok && s->opt.full_screen)
		set_full(s, true);
	while (ok && !s->closing && s->lib.WaitEvent(&e))
		on_event(s, &e);
	if (ok) {
		pthread_mutex_lock(&s->m->lock);
		screen_remove_view(screen(s), &s->shadow.view);
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
