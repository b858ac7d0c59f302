/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/textcon.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "frontend/console.h"
#include "frontend/cp437.h"
#include "frontend/termkeys.h"

#define SEQUENCE_MAX 16 /* bytes that a key sends */

/* What one refresh writes, collected so that it goes out at once. */
struct output {
	struct console *console;
	char buf[8192];
	size_t len;
};

static void flush(struct output *o)
{
	chardev_write(&o->console->stream.chr, (const uint8_t *)o->buf, o->len);
	o->len = 0;
}

static void put(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct output *o, const char *fmt, ...)
{
	va_list ap;

	if (o->len > sizeof(o->buf) - 128)
		flush(o);
	va_start(ap, fmt);
	o->len += (size_t)vsnprintf(o->buf + o->len, sizeof(o->buf) - o->len, fmt, ap);
	va_end(ap);
}

static void put_unicode(struct output *o, unsigned c)
{
	if (c < 0x80)
		put(o, "%c", (int)c);
	else if (c < 0x800)
		put(o, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
	else
		put(o, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
		    (int)(0x80 | (c & 0x3f)));
}

/* The VGA counts blue, green, red; terminals red, green, blue. */
static unsigned ansi(unsigned color)
{
	return (color & 8 ? 60 : 0) + ((color & 1) << 2 | (color & 2) | (color >> 2 & 1));
}

static void put_attribute(struct output *o, uint8_t attr)
{
	put(o, "\033[%u;%um", 30 + ansi(attr & 15), 40 + ansi(attr >> 4));
}

static bool same(const struct text_cell *a, const struct text_cell *b)
{
	return a->ch == b->ch && a->attr == b->attr;
}

static void put_changes(struct textcon *t, struct output *o)
{
	unsigned rows = t->now->rows < t->height ? t->now->rows : t->height;
	unsigned columns = t->now->columns < t->width ? t->now->columns : t->width;
	int attr = -1;

	for (unsigned y = 0; y < rows; y++) {
		unsigned at = columns; /* the terminal's cursor, when it is in this row */

		for (unsigned x = 0; x < columns; x++) {
			const struct text_cell *c = &t->now->cell[y][x];

			if (same(c, &t->shown->cell[y][x]))
				continue;
			if (at != x)
				put(o, "\033[%u;%uH", y + 1, x + 1);
			if (attr != c->attr)
				put_attribute(o, c->attr);
			attr = c->attr;
			put_unicode(o, cp437_unicode(c->ch));
			at = x + 1;
		}
	}
}

static bool cursor_moved(const struct textcon *t, bool drawn)
{
	const struct text_screen *a = t->now, *b = t->shown;

	return drawn || a->cursor != b->cursor || a->cursor_x != b->cursor_x ||
	       a->cursor_y != b->cursor_y;
}

static void clear(struct textcon *t, struct output *o)
{
	put(o, "\033[0m\033[2J");
	t->shown->columns = t->shown->rows = 0;
	/* A cell that no screen has. */
	for (unsigned y = 0; y < TEXT_MAX_ROWS; y++)
		for (unsigned x = 0; x < TEXT_MAX_COLUMNS; x++)
			t->shown->cell[y][x] = (struct text_cell){0, 0};
	t->graphics = false;
}

static bool resized(struct textcon *t)
{
	struct winsize w = {0};
	unsigned width = 80, height = 25;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
		width = w.ws_col;
		height = w.ws_row;
	}
	if (width == t->width && height == t->height)
		return false;
	t->width = width;
	t->height = height;
	return true;
}

static void show(struct textcon *t, bool anew)
{
	struct output o = {.console = t->console};
	const struct display *d = t->screen->display;
	bool text = d->text && d->text(d->dev, t->now);

	if (anew || (text && (t->graphics || t->now->columns != t->shown->columns ||
			      t->now->rows != t->shown->rows)))
		clear(t, &o);
	if (!text) {
		if (!t->graphics) {
			clear(t, &o);
			put(&o, "\033[1;1HThe guest shows graphics; Ctrl-A c, screendump FILE "
				"saves it.");
		}
		t->graphics = true;
		flush(&o);
		return;
	}
	put_changes(t, &o);
	if (cursor_moved(t, o.len)) {
		if (t->now->cursor)
			put(&o, "\033[%u;%uH\033[?25h", t->now->cursor_y + 1, t->now->cursor_x + 1);
		else
			put(&o, "\033[?25l");
		put(&o, "\033[0m");
	}
	if (o.len)
		flush(&o);
	struct text_screen *shown = t->shown;
	t->shown = t->now;
	t->now = shown;
}

static void on_resized(void *opaque, const struct surface *s)
{
	struct textcon *t = opaque;

	(void)s;
	t->changed = true;
}

static void on_updated(void *opaque, const struct surface *s, const struct rect *r)
{
	struct textcon *t = opaque;

	(void)s;
	(void)r;
	t->changed = true;
}

static void on_tick(void *opaque)
{
	struct textcon *t = opaque;
	bool anew;

	if (t->console->monitor)
		return;
	/* The monitor writes over what is shown. */
	anew = resized(t) || t->console->written;
	t->console->written = false;
	if (anew || t->changed)
		show(t, anew);
	t->changed = false;
}

static size_t can_receive(void *dev)
{
	const struct textcon *t = dev;

	unsigned room = SENDKEY_QUEUE - t->keys.nr;

	/* Each byte may be a key; few at a time would cut sequences. */
	return room < SEQUENCE_MAX ? 0 : room;
}

static void receive(void *dev, const uint8_t *buf, size_t len)
{
	struct textcon *t = dev;

	while (len) {
		struct termkeys k;
		size_t n = termkeys_next(t->keymap, buf, len, &k);

		if (k.nr) {
			sendkey_press(&t->keys, k.key, k.nr, 0);
			screen_hurry(t->screen);
		}
		buf += n;
		len -= n;
	}
}

static void on_room(void *opaque)
{
	struct textcon *t = opaque;

	if (t->console->stream.chr.accept_input)
		t->console->stream.chr.accept_input(&t->console->stream.chr);
}

int textcon_open(struct textcon *t, struct console *console, struct screen *screen,
		 struct input *input, const struct keymap *keymap, struct clock *clock)
{
	memset(t, 0, sizeof(*t));
	t->keymap = keymap;
	t->now = calloc(1, sizeof(*t->now));
	t->shown = calloc(1, sizeof(*t->shown));
	if (!t->now || !t->shown) {
		free(t->now);
		free(t->shown);
		return -ENOMEM;
	}
	t->console = console;
	t->screen = screen;
	sendkey_init(&t->keys, input, clock);
	t->keys.room = on_room;
	t->keys.opaque = t;
	chardev_attach(&console->stream.chr, can_receive, receive, t);
	console_print(console, "\033[?1049h"); /* the other screen, so that this one comes back */
	t->view = (struct screen_view){
	    .resized = on_resized, .updated = on_updated, .tick = on_tick, .opaque = t};
	return screen_add_view(screen, &t->view);
}

void textcon_close(struct textcon *t)
{
	if (!t->console)
		return;
	screen_remove_view(t->screen, &t->view);
	timer_cancel(&t->keys.timer);
	console_print(t->console, "\033[0m\033[?25h\033[?1049l");
	free(t->now);
	free(t->shown);
	t->console = NULL;
}
