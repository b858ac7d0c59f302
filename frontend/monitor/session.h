/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A person at a monitor: a line editor, commands, and their output page by page.
 */
#ifndef FRONTEND_MONITOR_SESSION_H
#define FRONTEND_MONITOR_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/monitor/editor.h"
#include "frontend/monitor/monitor.h"

struct session {
	struct monitor monitor;
	struct editor editor;
	void (*write)(void *opaque, const char *text, size_t len);
	unsigned (*rows)(void *opaque); /* of the terminal, 0: output is not paged; may be NULL */
	void *opaque;
	bool busy;  /* a command is being carried out */
	bool shown; /* there is a prompt */
	char *text; /* output that has not been shown */
	size_t len, room, done;
	bool paging;
	bool saying; /* in the middle of a line that nobody asked for */
};

/* Machine lock held, like everything here. */
void session_init(struct session *s, struct monitor_env *env,
		  void (*write)(void *opaque, const char *text, size_t len), void *opaque);
void session_fini(struct session *s);
/* Shows a prompt, or what there was when it was hidden. */
void session_show(struct session *s, bool on);
void session_feed(struct session *s, uint8_t b);

#endif
