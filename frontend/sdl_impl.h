/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the files of the window, which its thread alone calls.
 */
#ifndef FRONTEND_SDL_IMPL_H
#define FRONTEND_SDL_IMPL_H

#include <pthread.h>
#include <semaphore.h>

#include "frontend/sdl.h"
#include "frontend/sdl_lib.h"
#include "frontend/shadow.h"
#include "frontend/ui.h"

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
	unsigned width, height; /* of the texture */
	unsigned buttons;
	bool grabbed, full, closing, absolute, stopped;
	const char *engine;
	/* The guest's pointer, as one of the host's and as a picture. */
	struct {
		SDL_Cursor *host;
		SDL_Texture *texture;
		int x, y;
		bool visible;
	} cursor;
	/* The size that the user has given the window. */
	struct {
		bool told;    /* to the guest, which has not followed yet */
		bool pending; /* to be told, at `due` */
		Uint32 due;   /* SDL_GetTicks() */
		unsigned width, height;
	} wish;
};

static inline struct screen *sdl_screen(struct sdl *s)
{
	return &s->ui->screens[s->console];
}

/* A text console is looked at. */
static inline bool sdl_on_vc(const struct sdl *s)
{
	return s->ui->vc[s->console];
}

/* ---- the window ---- */

void sdl_set_title(struct sdl *s);
/* Where in the window the picture is: as large as fits, undistorted. */
SDL_Rect sdl_viewport(const struct sdl *s);
void sdl_render(struct sdl *s);
void sdl_show_pointer(struct sdl *s);
void sdl_grab(struct sdl *s, bool on);
void sdl_take_news(struct sdl *s);

/* ---- the guest's pointer ---- */

/* Takes a new one. */
void sdl_make_cursor(struct sdl *s, const struct cursor *c);
/* Draws it over the picture, which is in r: where the guest has it, for pointers that move as a mouse. */
void sdl_draw_cursor(struct sdl *s, const SDL_Rect *r);
void sdl_free_cursor(struct sdl *s);

/* ---- the user ---- */

void sdl_set_full(struct sdl *s, bool on);
void sdl_event(struct sdl *s, const SDL_Event *e);
/* Tells the guest of the size that it is time to tell of. */
void sdl_tell_wish(struct sdl *s);

#endif
