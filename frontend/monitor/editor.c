/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Control sequences are those of ECMA-48 that every terminal has: CR, CSI K, CSI n D.
 */
#include "frontend/monitor/editor.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CTRL(c)   ((c)&0x1f)
#define ESC       0x1b
#define DEL       0x7f
#define MAX_SHOWN 200

static void put(struct editor *e, const char *text)
{
	e->write(e->opaque, text, strlen(text));
}

static void redraw(struct editor *e)
{
	char buf[32];

	if (e->plain)
		return;
	put(e, "\r");
	if (e->searching) {
		put(e, "(search '");
		put(e, e->pattern);
		put(e, "') ");
	} else {
		put(e, e->prompt);
	}
	e->write(e->opaque, e->line, e->len);
	put(e, "\033[K");
	if (e->pos < e->len) {
		snprintf(buf, sizeof(buf), "\033[%zuD", e->len - e->pos);
		put(e, buf);
	}
}

void editor_init(struct editor *e, const char *prompt,
		 void (*write)(void *opaque, const char *text, size_t len), void *opaque)
{
	memset(e, 0, sizeof(*e));
	e->prompt = prompt;
	e->write = write;
	e->opaque = opaque;
}

void editor_fini(struct editor *e)
{
	for (unsigned n = 0; n < e->nr; n++)
		free(e->history[n]);
	e->nr = 0;
}

void editor_start(struct editor *e)
{
	e->len = e->pos = 0;
	e->at = e->nr;
	e->searching = false;
	e->escaped = 0;
	put(e, e->prompt);
}

void editor_hide(struct editor *e)
{
	put(e, e->plain ? "" : "\r\033[K");
}

void editor_show(struct editor *e)
{
	redraw(e);
}

/* ---- changes ---- */

static void insert(struct editor *e, const char *text, size_t n)
{
	if (n > sizeof(e->line) - 1 - e->len)
		return;
	memmove(e->line + e->pos + n, e->line + e->pos, e->len - e->pos);
	memcpy(e->line + e->pos, text, n);
	e->len += n;
	e->pos += n;
	if (e->pos == e->len)
		e->write(e->opaque, text, n);
	else
		redraw(e);
}

static void erase(struct editor *e, size_t from, size_t to)
{
	memmove(e->line + from, e->line + to, e->len - to);
	e->len -= to - from;
	e->pos = from;
	redraw(e);
}

static void move(struct editor *e, size_t pos)
{
	e->pos = pos;
	redraw(e);
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t word_left(const struct editor *e)
{
	size_t n = e->pos;

	while (n && !in_word(e->line[n - 1]))
		n--;
	while (n && in_word(e->line[n - 1]))
		n--;
	return n;
}

static size_t word_right(const struct editor *e)
{
	size_t n = e->pos;

	while (n < e->len && !in_word(e->line[n]))
		n++;
	while (n < e->len && in_word(e->line[n]))
		n++;
	return n;
}

/* ---- history ---- */

static void remember(struct editor *e)
{
	char *copy;

	if (!e->len || (e->nr && strcmp(e->history[e->nr - 1], e->line) == 0))
		return;
	copy = strdup(e->line);
	if (!copy)
		return;
	if (e->nr == EDITOR_HISTORY) {
		free(e->history[0]);
		memmove(e->history, e->history + 1, (EDITOR_HISTORY - 1) * sizeof(e->history[0]));
		e->nr--;
	}
	e->history[e->nr++] = copy;
}

static void show_line(struct editor *e, const char *text)
{
	snprintf(e->line, sizeof(e->line), "%s", text);
	e->len = e->pos = strlen(e->line);
	redraw(e);
}

static void browse(struct editor *e, int by)
{
	if ((by < 0 && !e->at) || (by > 0 && e->at == e->nr))
		return;
	e->line[e->len] = 0;
	if (e->at == e->nr)
		strcpy(e->saved, e->line);
	e->at += (unsigned)by;
	show_line(e, e->at == e->nr ? e->saved : e->history[e->at]);
}

/* The last line before `from` that has the pattern in it. */
static void search(struct editor *e, unsigned from)
{
	for (unsigned n = from; n-- > 0;)
		if (strstr(e->history[n], e->pattern)) {
			e->at = n;
			show_line(e, e->history[n]);
			return;
		}
	redraw(e);
}

/* True when the byte belongs to the search. */
static bool feed_search(struct editor *e, uint8_t b)
{
	size_t n = strlen(e->pattern);

	if (b == CTRL('r')) {
		search(e, e->at);
	} else if (b >= ' ' && b < DEL && n < sizeof(e->pattern) - 1) {
		e->pattern[n] = (char)b;
		e->pattern[n + 1] = 0;
		search(e, e->nr);
	} else if ((b == DEL || b == CTRL('h')) && n) {
		e->pattern[n - 1] = 0;
		search(e, e->nr);
	} else {
		e->searching = false;
		redraw(e);
		return false;
	}
	return true;
}

/* ---- completion ---- */

struct found {
	struct editor *e;
	char common[128];
	unsigned nr;
	bool show;
};

static void on_found(void *to, const char *word)
{
	struct found *f = to;
	size_t n = 0;

	if (f->show) {
		if (f->nr++ < MAX_SHOWN) {
			put(f->e, word);
			put(f->e, " ");
		}
		return;
	}
	if (!f->nr++) {
		snprintf(f->common, sizeof(f->common), "%s", word);
		return;
	}
	if (strcmp(f->common, word) == 0)
		f->nr--; /* once more */
	while (f->common[n] && f->common[n] == word[n])
		n++;
	f->common[n] = 0;
}

static void complete(struct editor *e)
{
	struct found f = {.e = e};
	char line[EDITOR_LINE];
	size_t begin = e->pos, typed;

	if (!e->complete)
		return;
	while (begin && in_word(e->line[begin - 1]))
		begin--;
	typed = e->pos - begin;
	snprintf(line, sizeof(line), "%.*s", (int)e->pos, e->line);
	e->complete(e->opaque, line, on_found, &f);
	if (strlen(f.common) > typed)
		insert(e, f.common + typed, strlen(f.common) - typed);
	else if (f.nr > 1) {
		f.show = true;
		f.nr = 0;
		put(e, "\n");
		e->complete(e->opaque, line, on_found, &f);
		put(e, f.nr > MAX_SHOWN ? "...\n" : "\n");
		redraw(e);
	}
	if (f.nr == 1 && !f.show)
		insert(e, " ", 1);
}

/* ---- keys ---- */

static void escape_key(struct editor *e, const char *s)
{
	if (strcmp(s, "[A") == 0 || strcmp(s, "OA") == 0)
		browse(e, -1);
	else if (strcmp(s, "[B") == 0 || strcmp(s, "OB") == 0)
		browse(e, 1);
	else if ((strcmp(s, "[C") == 0 || strcmp(s, "OC") == 0) && e->pos < e->len)
		move(e, e->pos + 1);
	else if ((strcmp(s, "[D") == 0 || strcmp(s, "OD") == 0) && e->pos)
		move(e, e->pos - 1);
	else if (strcmp(s, "[H") == 0 || strcmp(s, "[1~") == 0 || strcmp(s, "OH") == 0)
		move(e, 0);
	else if (strcmp(s, "[F") == 0 || strcmp(s, "[4~") == 0 || strcmp(s, "OF") == 0)
		move(e, e->len);
	else if (strcmp(s, "[3~") == 0 && e->pos < e->len)
		erase(e, e->pos, e->pos + 1);
	else if (strcmp(s, "b") == 0)
		move(e, word_left(e));
	else if (strcmp(s, "f") == 0)
		move(e, word_right(e));
	else if (strcmp(s, "d") == 0)
		erase(e, e->pos, word_right(e));
}

/* A byte of a sequence: final ones end it. */
static void feed_escape(struct editor *e, uint8_t b)
{
	if (e->escaped < sizeof(e->escape))
		e->escape[e->escaped - 1] = (char)b;
	e->escaped++;
	if (e->escaped == 2 && (b == '[' || b == 'O'))
		return;
	if (e->escaped > 2 && (b < 0x40 || b > 0x7e))
		return;
	if (e->escaped <= sizeof(e->escape)) {
		e->escape[e->escaped - 1] = 0;
		escape_key(e, e->escape);
	}
	e->escaped = 0;
}

static void edit(struct editor *e, uint8_t b)
{
	switch (b) {
	case CTRL('a'):
		move(e, 0);
		break;
	case CTRL('e'):
		move(e, e->len);
		break;
	case CTRL('b'):
		if (e->pos)
			move(e, e->pos - 1);
		break;
	case CTRL('f'):
		if (e->pos < e->len)
			move(e, e->pos + 1);
		break;
	case CTRL('d'):
		if (e->pos < e->len)
			erase(e, e->pos, e->pos + 1);
		break;
	case CTRL('h'):
	case DEL:
		if (e->pos)
			erase(e, e->pos - 1, e->pos);
		break;
	case CTRL('k'):
		erase(e, e->pos, e->len);
		break;
	case CTRL('u'):
		erase(e, 0, e->pos);
		break;
	case CTRL('w'):
		erase(e, word_left(e), e->pos);
		break;
	case CTRL('p'):
		browse(e, -1);
		break;
	case CTRL('n'):
		browse(e, 1);
		break;
	case CTRL('l'):
		put(e, e->plain ? "" : "\033[H\033[2J");
		redraw(e);
		break;
	case CTRL('c'):
		put(e, "\n");
		editor_start(e);
		break;
	case CTRL('r'):
		e->searching = true;
		e->pattern[0] = 0;
		redraw(e);
		break;
	case '\t':
		complete(e);
		break;
	case ESC:
		e->escaped = 1;
		break;
	default:
		if (b >= ' ')
			insert(e, (const char *)&b, 1);
	}
}

bool editor_feed(struct editor *e, uint8_t b)
{
	if (e->escaped) {
		feed_escape(e, b);
		return false;
	}
	if (e->searching && feed_search(e, b))
		return false;
	if (b != '\r' && b != '\n') {
		edit(e, b);
		return false;
	}
	e->line[e->len] = 0;
	put(e, "\n");
	remember(e);
	return true;
}
