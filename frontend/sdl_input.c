/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the user does with the window: keys, pointer, size. Events come on the window's thread, which takes the
 * machine lock to tell the guest.
 */
#ifdef CONFIG_SDL
#include "frontend/sdl_impl.h"
#include "hw/machine.h"

enum { WISH_MS = 250 }; /* after the window's last change of size */

static void show_console(struct sdl *s, unsigned n)
{
	if (n >= s->ui->nr || n == s->console)
		return;
	sdl_grab(s, false);
	s->wish.told = s->wish.pending = false;
	pthread_mutex_lock(&s->m->lock);
	/* The keys that have led here stay down for nobody. */
	ui_release(s->ui);
	screen_remove_view(sdl_screen(s), &s->shadow.view);
	s->console = n;
	screen_add_view(sdl_screen(s), &s->shadow.view);
	pthread_mutex_unlock(&s->m->lock);
	sdl_show_pointer(s);
	sdl_set_title(s);
}

void sdl_set_full(struct sdl *s, bool on)
{
	s->full = on;
	s->lib.SetWindowFullscreen(s->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
	sdl_render(s);
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
	s->wish.told = false; /* from here on the window follows the guest again */
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
		sdl_set_full(s, !s->full);
		return true;
	case SDL_SCANCODE_G:
		sdl_grab(s, !s->grabbed);
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

	if (down && hotkey(s, e))
		return;
	pthread_mutex_lock(&s->m->lock);
	ui_key(s->ui, s->console, key, down, e->repeat);
	pthread_mutex_unlock(&s->m->lock);
}

static void on_focus_lost(struct sdl *s)
{
	sdl_grab(s, false);
	pthread_mutex_lock(&s->m->lock);
	ui_release(s->ui);
	pthread_mutex_unlock(&s->m->lock);
}

static int scale(int v, int from, int size)
{
	return size < 2 ? 0 : (int)((int64_t)(v - from) * INPUT_ABS_MAX / (size - 1));
}

static void send_pointer(struct sdl *s, int dx, int dy, int x, int y, int dz, int dh)
{
	struct input_pointer p = {.dz = dz, .dh = dh, .buttons = s->buttons, .x = dx, .y = dy};

	if (sdl_on_vc(s) || (!s->absolute && !s->grabbed))
		return;
	if (s->absolute) {
		SDL_Rect r = sdl_viewport(s);

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
	screen_hurry(sdl_screen(s));
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

	if (e->type == SDL_MOUSEBUTTONDOWN && !s->absolute && !s->grabbed && !sdl_on_vc(s)) {
		sdl_grab(s, true); /* this click is not the guest's */
		return;
	}
	if (e->type == SDL_MOUSEBUTTONDOWN)
		s->buttons |= bit;
	else
		s->buttons &= ~bit;
	send_pointer(s, 0, 0, e->x, e->y, 0, 0);
}

/* The guest hears of it once the user has let go. */
static void on_resized(struct sdl *s, int width, int height)
{
	if (!sdl_screen(s)->display->prefer || width < 1 || height < 1)
		return;
	s->wish.width = (unsigned)width;
	s->wish.height = (unsigned)height;
	s->wish.pending = true;
	s->wish.due = s->lib.GetTicks() + WISH_MS;
}

void sdl_tell_wish(struct sdl *s)
{
	struct display *d = sdl_screen(s)->display;

	s->wish.pending = false;
	/* It may have been a size on the way to one of ours. */
	if (!s->wish.told && s->wish.width == s->width && s->wish.height == s->height)
		return;
	s->wish.told = true;
	pthread_mutex_lock(&s->m->lock);
	if (d->prefer)
		d->prefer(d->dev, s->wish.width, s->wish.height);
	pthread_mutex_unlock(&s->m->lock);
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
		sdl_render(s);
		break;
	case SDL_WINDOWEVENT_RESIZED: /* not by us */
		on_resized(s, e->data1, e->data2);
		break;
	case SDL_WINDOWEVENT_SIZE_CHANGED:
		sdl_render(s);
		break;
	}
}

void sdl_event(struct sdl *s, const SDL_Event *e)
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
			sdl_take_news(s);
		break;
	}
}

#endif
