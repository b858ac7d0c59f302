/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/vc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/termkeys.h"

enum { FULL_BLOCK = 0xdb, CURSOR_LINES = 2 };

/* ---- the picture ---- */

/* As the VGA's palette. */
static uint32_t color(unsigned n)
{
	unsigned on = n & 8 ? 0xff : 0xaa, off = n & 8 ? 0x55 : 0;
	unsigned r = n & 4 ? on : off, g = n & 2 ? on : off, b = n & 1 ? on : off;

	if (n == 6) /* brown, not dark yellow */
		g = 0x55;
	return r << 16 | g << 8 | b;
}

static void draw_cell(const struct vc *c, struct surface *s, unsigned x, unsigned y)
{
	const struct text_cell *cell = &c->vt.cell[y][x];
	const uint8_t *glyph = c->font->glyph[cell->ch];
	uint32_t front = color(cell->attr & 15), back = color(cell->attr >> 4);
	unsigned cursor_x = c->vt.x < VT_COLUMNS ? c->vt.x : VT_COLUMNS - 1;
	bool cursor = !c->vt.hidden && c->vt.y == y && cursor_x == x;

	for (unsigned line = 0; line < VC_FONT_HEIGHT; line++) {
		uint32_t *to =
		    s->pixels + (size_t)(y * VC_FONT_HEIGHT + line) * s->width + x * VC_FONT_WIDTH;
		unsigned bits = glyph[line];

		if (cursor && line >= VC_FONT_HEIGHT - CURSOR_LINES)
			bits = 0xff;
		for (unsigned dot = 0; dot < VC_FONT_WIDTH; dot++)
			to[dot] = bits & (0x80u >> dot) ? front : back;
	}
}

static int size(struct surface *s)
{
	return surface_resize(s, VT_COLUMNS * VC_FONT_WIDTH, VT_ROWS * VC_FONT_HEIGHT);
}

static void draw_row(const struct vc *c, struct surface *s, unsigned y)
{
	for (unsigned x = 0; x < VT_COLUMNS; x++)
		draw_cell(c, s, x, y);
}

static int draw(void *dev, struct surface *s)
{
	int err = size(s);

	for (unsigned y = 0; err == 0 && y < VT_ROWS; y++)
		draw_row(dev, s, y);
	return err;
}

static int update(void *dev, struct surface *s, struct rect *changed)
{
	struct vc *c = dev;
	bool all = !s->pixels;
	int err = size(s);

	*changed = (struct rect){0};
	for (unsigned y = 0; err == 0 && y < VT_ROWS; y++) {
		const struct rect row = {0, y * VC_FONT_HEIGHT, s->width, VC_FONT_HEIGHT};

		if (!all && !c->vt.changed[y])
			continue;
		draw_row(c, s, y);
		c->vt.changed[y] = false;
		*changed = rect_join(changed, &row);
	}
	return err;
}

static bool text(void *dev, struct text_screen *t)
{
	const struct vc *c = dev;

	t->columns = VT_COLUMNS;
	t->rows = VT_ROWS;
	for (unsigned y = 0; y < VT_ROWS; y++)
		memcpy(t->cell[y], c->vt.cell[y], sizeof(c->vt.cell[y]));
	for (unsigned n = 0; n < 16; n++)
		t->color[n] = color(n);
	t->cursor = !c->vt.hidden;
	t->cursor_x = c->vt.x;
	t->cursor_y = c->vt.y;
	return true;
}

/* One with the same shapes in the same places as all: nothing, a space and a block that is full. */
bool vc_find_font(struct vc_font *font, const uint8_t *rom, size_t len)
{
	static const uint8_t empty[VC_FONT_HEIGHT];
	uint8_t full[VC_FONT_HEIGHT];

	memset(full, 0xff, sizeof(full));
	for (size_t at = 0; len >= sizeof(*font) && at <= len - sizeof(*font); at++) {
		const uint8_t(*glyph)[VC_FONT_HEIGHT] = (const void *)(rom + at);

		if (memcmp(glyph[0], empty, sizeof(empty)) != 0 ||
		    memcmp(glyph[' '], empty, sizeof(empty)) != 0 ||
		    memcmp(glyph[FULL_BLOCK], full, sizeof(full)) != 0 ||
		    memcmp(glyph['A'], empty, sizeof(empty)) == 0)
			continue;
		memcpy(font, rom + at, sizeof(*font));
		return true;
	}
	return false;
}

/* ---- the keyboard ---- */

static void say(struct vc *c, const char *bytes, size_t len)
{
	chardev_write(&c->stream.chr, (const uint8_t *)bytes, len);
}

static const char *sequence(enum key key)
{
	switch (key) {
	case KEY_RET:
	case KEY_KP_ENTER:
		return "\r";
	case KEY_TAB:
		return "\t";
	case KEY_BACKSPACE:
		return "\177";
	case KEY_ESC:
		return "\033";
	case KEY_UP:
		return "\033[A";
	case KEY_DOWN:
		return "\033[B";
	case KEY_RIGHT:
		return "\033[C";
	case KEY_LEFT:
		return "\033[D";
	case KEY_HOME:
		return "\033[1~";
	case KEY_INSERT:
		return "\033[2~";
	case KEY_DELETE:
		return "\033[3~";
	case KEY_END:
		return "\033[4~";
	case KEY_PGUP:
		return "\033[5~";
	case KEY_PGDN:
		return "\033[6~";
	default:
		return NULL;
	}
}

/* The character that a key has with the modifiers that are held; 0: none. */
static char character(const struct vc *c, enum key key)
{
	for (char ch = ' '; ch < 0x7f; ch++) {
		bool letter = (ch | 0x20) >= 'a' && (ch | 0x20) <= 'z', shift;

		if (termkeys_printable(ch, &shift) != key)
			continue;
		if (ch == ' ' || shift == (c->shift ^ (c->caps && letter)))
			return ch;
	}
	return 0;
}

void vc_key(struct vc *c, enum key key, bool down)
{
	const char *bytes = sequence(key);
	char ch;

	if (key == KEY_SHIFT || key == KEY_SHIFT_R)
		c->shift = down;
	else if (key == KEY_CTRL || key == KEY_CTRL_R)
		c->ctrl = down;
	else if (key == KEY_ALT || key == KEY_ALT_R)
		c->alt = down;
	else if (key == KEY_CAPS_LOCK && down)
		c->caps = !c->caps;
	if (!down)
		return;
	if (bytes) {
		say(c, bytes, strlen(bytes));
		return;
	}
	ch = character(c, key);
	if (!ch)
		return;
	if (c->ctrl && (ch >= '@' || ch == ' '))
		ch &= 0x1f;
	if (c->alt)
		say(c, "\033", 1);
	say(c, &ch, 1);
}

void vc_release(struct vc *c)
{
	c->shift = c->ctrl = c->alt = false;
}

/* ---- what is behind it ---- */

static size_t can_receive(void *dev)
{
	(void)dev;
	return STREAM_IN;
}

static void receive(void *dev, const uint8_t *buf, size_t len)
{
	struct vc *c = dev;

	vt_write(&c->vt, buf, len);
}

static void answer(void *opaque, const char *bytes)
{
	say(opaque, bytes, strlen(bytes));
}

int vc_open(struct vc **list, const char *name, struct loop *loop, const struct vc_font *font,
	    int *fd)
{
	struct vc *c = calloc(1, sizeof(*c));
	int ends[2], err;

	if (!c)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		err = -errno;
		free(c);
		return err;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->display = (struct display){
	    .name = c->name, .draw = draw, .update = update, .text = text, .dev = c};
	c->font = font;
	c->far = *fd = ends[1];
	vt_init(&c->vt, answer, c);
	stream_init(&c->stream, loop, ends[0], ends[0], true);
	chardev_attach(&c->stream.chr, can_receive, receive, c);
	while (*list)
		list = &(*list)->next;
	*list = c;
	return stream_start(&c->stream);
}

void vcs_close(struct vc *list)
{
	while (list) {
		struct vc *c = list;

		list = c->next;
		stream_stop(&c->stream);
		close(c->stream.in);
		close(c->far);
		free(c);
	}
}
