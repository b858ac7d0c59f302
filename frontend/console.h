/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Standard input and output as a chardev; with mux, shared with the monitor through Ctrl-A keys.
 */
#ifndef FRONTEND_CONSOLE_H
#define FRONTEND_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "frontend/stream.h"

struct console {
	struct stream stream;
	int own_out;  /* a terminal's output, opened anew; -1: standard output itself is used */
	bool mux;     /* Ctrl-A keys are looked for */
	bool escaped; /* the last byte was Ctrl-A */
	bool monitor; /* the monitor has the keyboard */
	bool written; /* it has had it since somebody cleared this */
	void (*typed)(void *opaque, uint8_t b); /* at the monitor */
	void (*shown)(void *opaque, bool on);   /* the monitor has got the keyboard, or lost it */
	void (*quit)(void *opaque);             /* Ctrl-A x */
	void (*send_break)(void *opaque);       /* Ctrl-A b; may be NULL */
	void *opaque;
};

/* Puts the terminal into raw mode. cancel: see struct stream. Machine lock held. 0 or -errno. */
int console_open(struct console *c, struct loop *loop, bool mux, int cancel);
/* Waits for pending output and restores the terminal. */
void console_close(struct console *c);
/* Gives the keyboard to the monitor, with a prompt, or back to the guest. */
void console_monitor(struct console *c, bool on);
void console_print(struct console *c, const char *text);

#endif
