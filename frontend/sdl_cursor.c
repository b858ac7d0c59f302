/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest's pointer in the window. With a tablet it is the host's, in the guest's shape; with a mouse it is drawn where
 * the guest has it.
 */
#ifdef CONFIG_SDL
#include "frontend/sdl_impl.h"

void sdl_free_cursor(struct sdl *s)
{
	if (s->cursor.host)
		s->lib.FreeCursor(s->cursor.host);
	if (s->cursor.texture)
		s->lib.DestroyTexture(s->cursor.texture);
	s->cursor.host = NULL;
	s->cursor.texture = NULL;
}

/* Colors as they are before they are multiplied by alpha, as renderers want them. */
static uint32_t straight(uint32_t p)
{
	unsigned a = p >> 24, r = p >> 16 & 0xff, g = p >> 8 & 0xff, b = p & 0xff;

	if (!a)
		return 0;
	r = r < a ? r * 255 / a : 255;
	g = g < a ? g * 255 / a : 255;
	b = b < a ? b * 255 / a : 255;
	return a << 24 | r << 16 | g << 8 | b;
}

void sdl_make_cursor(struct sdl *s, const struct cursor *c)
{
	const struct sdl_lib *l = &s->lib;
	SDL_Cursor *old = s->cursor.host;
	struct cursor copy = *c;
	SDL_Surface *image = l->CreateRGBSurfaceWithFormatFrom(
	    copy.pixels, CURSOR_SIZE, CURSOR_SIZE, 32, CURSOR_SIZE * 4, SDL_PIXELFORMAT_ARGB8888);

	s->cursor.visible = c->visible;
	s->cursor.host = image ? l->CreateColorCursor(image, (int)c->hot_x, (int)c->hot_y) : NULL;
	sdl_show_pointer(s);
	if (old)
		l->FreeCursor(old);
	l->FreeSurface(image);
	if (!s->cursor.texture)
		s->cursor.texture =
		    l->CreateTexture(s->renderer, SDL_PIXELFORMAT_ARGB8888,
				     SDL_TEXTUREACCESS_STREAMING, CURSOR_SIZE, CURSOR_SIZE);
	if (!s->cursor.texture)
		return;
	for (unsigned n = 0; n < CURSOR_SIZE * CURSOR_SIZE; n++)
		copy.pixels[n] = straight(copy.pixels[n]);
	l->SetTextureBlendMode(s->cursor.texture, SDL_BLENDMODE_BLEND);
	l->UpdateTexture(s->cursor.texture, NULL, copy.pixels, CURSOR_SIZE * 4);
}

void sdl_draw_cursor(struct sdl *s, const SDL_Rect *r)
{
	SDL_Rect at;

	if (s->absolute || !s->cursor.visible || !s->cursor.texture)
		return;
	at.x = r->x + (int)((int64_t)s->cursor.x * r->w / (int)s->width);
	at.y = r->y + (int)((int64_t)s->cursor.y * r->h / (int)s->height);
	at.w = (int)((int64_t)CURSOR_SIZE * r->w / (int)s->width);
	at.h = (int)((int64_t)CURSOR_SIZE * r->h / (int)s->height);
	s->lib.RenderCopy(s->renderer, s->cursor.texture, NULL, &at);
}

#endif
