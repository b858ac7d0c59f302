/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A line editor on a byte stream: emacs keys, history, search, completion. Bytes come one at a time, whenever the main
 * loop has one, from a terminal that is shared with the guest, a socket or a pty. Libraries own a terminal and wait
 * for it, or keep one line for the whole process; each monitor has one of these.
 */
#ifndef FRONTEND_MONITOR_EDITOR_H
#define FRONTEND_MONITOR_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDITOR_LINE    1024
#define EDITOR_HISTORY 128

struct editor {
	void (*write)(void *opaque, const char *text, size_t len);
	/* What the last word of line may become: calls found() with each. May be NULL. */
	void (*complete)(void *opaque, const char *line, void (*found)(void *to, const char *word),
			 void *to);
	void *opaque;
	const char *prompt;
	bool plain; /* no terminal: nothing is drawn twice */
	char line[EDITOR_LINE];
	size_t len, pos;
	char *history[EDITOR_HISTORY];
	unsigned nr, at; /* at == nr: the new line, kept in `saved` while another is shown */
	char saved[EDITOR_LINE];
	char escape[8]; /* a sequence that has begun */
	unsigned escaped;
	bool searching;
	char pattern[64];
};

void editor_init(struct editor *e, const char *prompt,
		 void (*write)(void *opaque, const char *text, size_t len), void *opaque);
void editor_fini(struct editor *e);
/* A new line, with its prompt. */
void editor_start(struct editor *e);
/* Takes a byte; true: e->line is complete, and the next one begins with editor_start(). */
bool editor_feed(struct editor *e, uint8_t b);
/* Around output in the middle of a line. */
void editor_hide(struct editor *e);
void editor_show(struct editor *e);

#endif
