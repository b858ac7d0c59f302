/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/vt.h"

#include <stdio.h>
#include <string.h>

#include "frontend/cp437.h"

enum {
	BS = 8,
	HT = 9,
	LF = 10,
	VT = 11,
	FF = 12,
	CR = 13,
	CAN = 24,
	SUB = 26,
	ESC = 27,
	DEL = 127
};
enum { GREY_ON_BLACK = 0x07, TAB = 8, MAX_PARAM = 9999 };

static void touch(struct vt *t, unsigned row)
{
	t->changed[row] = true;
}

static uint8_t attribute(const struct vt *t)
{
	return t->reverse ? (uint8_t)(t->attr << 4 | t->attr >> 4) : t->attr;
}

static void clear(struct vt *t, unsigned row, unsigned from, unsigned to)
{
	for (unsigned x = from; x < to; x++)
		t->cell[row][x] = (struct text_cell){' ', t->attr};
	touch(t, row);
}

static void move(struct vt *t, unsigned x, unsigned y)
{
	touch(t, t->y);
	t->x = x < VT_COLUMNS ? x : VT_COLUMNS - 1;
	t->y = y < VT_ROWS ? y : VT_ROWS - 1;
	touch(t, t->y);
}

/* n rows from `from` to the last that scrolls go up, or down, and empty ones come. */
static void scroll(struct vt *t, unsigned from, unsigned n, bool up)
{
	unsigned rows = t->bottom - from + 1;

	n = n < rows ? n : rows;
	if (up)
		memmove(t->cell[from], t->cell[from + n], (rows - n) * sizeof(t->cell[0]));
	else
		memmove(t->cell[from + n], t->cell[from], (rows - n) * sizeof(t->cell[0]));
	for (unsigned i = 0; i < n; i++)
		clear(t, up ? t->bottom - i : from + i, 0, VT_COLUMNS);
	for (unsigned y = from; y <= t->bottom; y++)
		touch(t, y);
}

static void line_feed(struct vt *t)
{
	if (t->y == t->bottom)
		scroll(t, t->top, 1, true);
	else
		move(t, t->x, t->y + 1);
}

static void reverse_line_feed(struct vt *t)
{
	if (t->y == t->top)
		scroll(t, t->top, 1, false);
	else if (t->y)
		move(t, t->x, t->y - 1);
}

static void put(struct vt *t, uint8_t ch)
{
	if (t->x == VT_COLUMNS) {
		t->x = 0;
		line_feed(t);
	}
	t->cell[t->y][t->x++] = (struct text_cell){ch, attribute(t)};
	touch(t, t->y);
}

static void save(struct vt *t)
{
	t->saved_x = t->x;
	t->saved_y = t->y;
	t->saved_attr = t->attr;
}

static void restore(struct vt *t)
{
	move(t, t->saved_x, t->saved_y);
	t->attr = t->saved_attr;
}

/* ---- control sequences ---- */

/* Where 0 means the same as 1. */
static unsigned count(const struct vt *t, unsigned n)
{
	return t->param[n] ? t->param[n] : 1;
}

static void erase_screen(struct vt *t)
{
	unsigned from = t->param[0] == 0 ? t->y + 1 : 0, to = t->param[0] == 1 ? t->y : VT_ROWS;

	for (unsigned y = from; y < to; y++)
		clear(t, y, 0, VT_COLUMNS);
	if (t->param[0] == 0)
		clear(t, t->y, t->x, VT_COLUMNS);
	else if (t->param[0] == 1)
		clear(t, t->y, 0, t->x < VT_COLUMNS ? t->x + 1 : VT_COLUMNS);
}

static void erase_line(struct vt *t)
{
	unsigned from = t->param[0] == 0 ? t->x : 0;

	clear(t, t->y, from, t->param[0] == 1 && t->x < VT_COLUMNS ? t->x + 1 : VT_COLUMNS);
}

static void insert_or_delete(struct vt *t, bool insert)
{
	unsigned left = VT_COLUMNS - t->x, n = count(t, 0) < left ? count(t, 0) : left;
	struct text_cell *at = &t->cell[t->y][t->x];

	if (insert)
		memmove(at + n, at, (left - n) * sizeof(*at));
	else
		memmove(at, at + n, (left - n) * sizeof(*at));
	clear(t, t->y, insert ? t->x : VT_COLUMNS - n, insert ? t->x + n : VT_COLUMNS);
}

/* Red and blue are the other way round in a VGA's colors. */
static uint8_t color(unsigned n)
{
	return (uint8_t)((n & 1) << 2 | (n & 2) | (n >> 2 & 1));
}

static void rendition(struct vt *t)
{
	for (unsigned n = 0; n <= t->nr_params && n < VT_PARAMS; n++) {
		unsigned p = t->param[n];

		if (p == 0) {
			t->attr = GREY_ON_BLACK;
			t->reverse = false;
		} else if (p == 1) {
			t->attr |= 0x08;
		} else if (p == 2 || p == 22) {
			t->attr &= 0xf7;
		} else if (p == 7 || p == 27) {
			t->reverse = p == 7;
		} else if (p >= 30 && p <= 37) {
			t->attr = (t->attr & 0xf8) | color(p - 30);
		} else if (p >= 90 && p <= 97) {
			t->attr = (t->attr & 0xf0) | 8 | color(p - 90);
		} else if (p == 39) {
			t->attr = (t->attr & 0xf8) | (GREY_ON_BLACK & 7);
		} else if (p >= 40 && p <= 47) {
			t->attr = (uint8_t)((t->attr & 0x0f) | color(p - 40) << 4);
		} else if (p >= 100 && p <= 107) {
			t->attr = (uint8_t)((t->attr & 0x0f) | 0x80 | color(p - 100) << 4);
		} else if (p == 49) {
			t->attr &= 0x0f;
		} else if (p == 38 || p == 48) {
			return; /* of 256 or more colors, with parameters of their own */
		}
	}
}

static void set_region(struct vt *t)
{
	unsigned top = count(t, 0) - 1, bottom = t->param[1] ? t->param[1] - 1 : VT_ROWS - 1;

	if (bottom >= VT_ROWS)
		bottom = VT_ROWS - 1;
	if (top >= bottom)
		return;
	t->top = top;
	t->bottom = bottom;
	move(t, 0, 0);
}

static void report(struct vt *t)
{
	char text[32];

	snprintf(text, sizeof(text), "\033[%u;%uR", t->y + 1,
		 t->x < VT_COLUMNS ? t->x + 1 : VT_COLUMNS);
	if (t->param[0] == 6)
		t->answer(t->opaque, text);
	else if (t->param[0] == 5)
		t->answer(t->opaque, "\033[0n");
}

static void set_mode(struct vt *t, bool on)
{
	if (!t->private || t->param[0] != 25)
		return;
	t->hidden = !on;
	touch(t, t->y);
}

static void rows(struct vt *t, bool insert)
{
	if (t->y >= t->top && t->y <= t->bottom)
		scroll(t, t->y, count(t, 0), !insert);
}

static void control_sequence(struct vt *t, uint8_t c)
{
	unsigned n = count(t, 0), x = t->x < VT_COLUMNS ? t->x : VT_COLUMNS - 1;

	if (t->private && c != 'h' && c != 'l')
		return;
	switch (c) {
	case 'A':
		move(t, x, n < t->y ? t->y - n : 0);
		break;
	case 'B':
	case 'e':
		move(t, x, t->y + n);
		break;
	case 'C':
	case 'a':
		move(t, x + n, t->y);
		break;
	case 'D':
		move(t, n < x ? x - n : 0, t->y);
		break;
	case 'E':
		move(t, 0, t->y + n);
		break;
	case 'F':
		move(t, 0, n < t->y ? t->y - n : 0);
		break;
	case 'G':
	case '`':
		move(t, n - 1, t->y);
		break;
	case 'd':
		move(t, x, n - 1);
		break;
	case 'H':
	case 'f':
		move(t, count(t, 1) - 1, n - 1);
		break;
	case 'J':
		erase_screen(t);
		break;
	case 'K':
		erase_line(t);
		break;
	case 'L':
	case 'M':
		rows(t, c == 'L');
		break;
	case 'S':
	case 'T':
		scroll(t, t->top, n, c == 'S');
		break;
	case '@':
	case 'P':
		insert_or_delete(t, c == '@');
		break;
	case 'X':
		clear(t, t->y, t->x, n < VT_COLUMNS - t->x ? t->x + n : VT_COLUMNS);
		break;
	case 'c':
		t->answer(t->opaque, "\033[?6c"); /* a VT102 */
		break;
	case 'h':
	case 'l':
		set_mode(t, c == 'h');
		break;
	case 'm':
		rendition(t);
		break;
	case 'n':
		report(t);
		break;
	case 'r':
		set_region(t);
		break;
	case 's':
		save(t);
		break;
	case 'u':
		restore(t);
		break;
	}
}

static void reset(struct vt *t)
{
	t->attr = t->saved_attr = GREY_ON_BLACK;
	t->reverse = t->hidden = false;
	t->top = 0;
	t->bottom = VT_ROWS - 1;
	t->saved_x = t->saved_y = 0;
	for (unsigned y = 0; y < VT_ROWS; y++)
		clear(t, y, 0, VT_COLUMNS);
	move(t, 0, 0);
}

static void escape(struct vt *t, uint8_t c)
{
	t->state = VT_PLAIN;
	switch (c) {
	case '[':
		t->state = VT_CSI;
		t->private = false;
		memset(t->param, 0, sizeof(t->param));
		t->nr_params = 0;
		break;
	case ']':
	case 'P':
	case '^':
	case '_':
		t->state = VT_STRING;
		break;
	case '(':
	case ')':
	case '#':
	case '%':
		t->state = VT_SKIP_ONE;
		break;
	case 'D':
		line_feed(t);
		break;
	case 'E':
		t->x = 0;
		line_feed(t);
		break;
	case 'M':
		reverse_line_feed(t);
		break;
	case '7':
		save(t);
		break;
	case '8':
		restore(t);
		break;
	case 'c':
		reset(t);
		break;
	}
}

static void parameter(struct vt *t, uint8_t c)
{
	unsigned *p = &t->param[t->nr_params < VT_PARAMS ? t->nr_params : VT_PARAMS - 1];

	if (c == '?' || c == '>' || c == '=' || c == '<') {
		t->private = true;
	} else if (c == ';') {
		if (t->nr_params < VT_PARAMS)
			t->nr_params++;
	} else if (c >= '0' && c <= '9') {
		*p = *p * 10 + c - '0';
		*p = *p < MAX_PARAM ? *p : MAX_PARAM;
	} else if (c >= 0x40) {
		t->state = VT_PLAIN;
		control_sequence(t, c);
	}
}

/* ---- bytes ---- */

static void control(struct vt *t, uint8_t c)
{
	unsigned x = t->x < VT_COLUMNS ? t->x : VT_COLUMNS - 1;

	switch (c) {
	case BS:
		move(t, x ? x - 1 : 0, t->y);
		break;
	case HT:
		move(t, (x / TAB + 1) * TAB, t->y);
		break;
	case LF:
	case VT:
	case FF:
		line_feed(t);
		break;
	case CR:
		move(t, 0, t->y);
		break;
	case CAN:
	case SUB:
		t->state = VT_PLAIN;
		break;
	case ESC:
		t->state = VT_ESCAPE;
		break;
	}
}

static void plain(struct vt *t, uint8_t c)
{
	if (t->utf8_left && (c & 0xc0) == 0x80) {
		t->utf8 = t->utf8 << 6 | (c & 0x3f);
		if (!--t->utf8_left)
			put(t, cp437_of(t->utf8));
		return;
	}
	t->utf8_left = 0;
	if (c < 0x80) {
		put(t, c);
	} else if (c >= 0xf0 && c < 0xf8) {
		t->utf8_left = 3;
		t->utf8 = c & 7;
	} else if (c >= 0xe0) {
		t->utf8_left = c < 0xf0 ? 2 : 0;
		t->utf8 = c & 15;
	} else if (c >= 0xc0) {
		t->utf8_left = 1;
		t->utf8 = c & 31;
	}
}

void vt_write(struct vt *t, const uint8_t *buf, size_t len)
{
	for (; len; buf++, len--) {
		uint8_t c = *buf;

		if (t->state == VT_STRING) {
			/* What sets titles and palettes goes up to BEL or ESC \. */
			if (c == 7 || c == CAN || c == SUB)
				t->state = VT_PLAIN;
			else if (c == ESC)
				t->state = VT_ESCAPE;
		} else if (c < ' ') {
			t->utf8_left = 0;
			control(t, c);
		} else if (t->state == VT_ESCAPE) {
			escape(t, c);
		} else if (t->state == VT_SKIP_ONE) {
			t->state = VT_PLAIN;
		} else if (t->state == VT_CSI) {
			parameter(t, c);
		} else if (c != DEL) {
			plain(t, c);
		}
	}
}

void vt_init(struct vt *t, void (*answer)(void *opaque, const char *text), void *opaque)
{
	memset(t, 0, sizeof(*t));
	t->answer = answer;
	t->opaque = opaque;
	reset(t);
}
