/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The terminal: Ctrl-A keys as in QEMU's -nographic.
 */
#include "frontend/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/term.h"

#define CTRL_A 1

static const char keys_help[] = "\n"
				"Ctrl-A h    this help\n"
				"Ctrl-A x    quit\n"
				"Ctrl-A c    switch between guest and monitor\n"
				"Ctrl-A b    send a break\n"
				"Ctrl-A Ctrl-A or a    send Ctrl-A\n";

void console_print(struct console *c, const char *text)
{
	chardev_write(&c->stream.chr, (const uint8_t *)text, strlen(text));
}

void console_monitor(struct console *c, bool on)
{
	if (on == c->monitor)
		return;
	c->monitor = on;
	c->written = true;
	console_print(c, "\n");
	c->shown(c->opaque, on);
}

static void escape_key(struct console *c, uint8_t b)
{
	switch (b) {
	case 'x':
		c->quit(c->opaque);
		break;
	case 'c':
		console_monitor(c, !c->monitor);
		break;
	case 'b':
		if (c->send_break)
			c->send_break(c->opaque);
		break;
	case 'h':
	case '?':
		console_print(c, keys_help);
		break;
	}
}

static size_t filter(void *opaque, uint8_t *buf, size_t len)
{
	struct console *c = opaque;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t b = buf[i];

		if (c->mux && !c->escaped && b == CTRL_A) {
			c->escaped = true;
			continue;
		}
		if (c->escaped) {
			c->escaped = false;
			if (b != CTRL_A && b != 'a') {
				escape_key(c, b);
				continue;
			}
			b = CTRL_A;
		}
		if (c->monitor)
			c->typed(c->opaque, b);
		else
			buf[n++] = b;
	}
	return n;
}

/* A terminal that has room for a byte need not have room for what is written next, and its open file
 * description is not ours alone to make non-blocking. */
static int reopen_terminal(int fd)
{
	char path[32];

	if (!isatty(fd))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

int console_open(struct console *c, struct loop *loop, bool mux, int cancel)
{
	int r;

	memset(c, 0, sizeof(*c));
	c->own_out = reopen_terminal(STDOUT_FILENO);
	stream_init(&c->stream, loop, STDIN_FILENO, c->own_out >= 0 ? c->own_out : STDOUT_FILENO,
		    false);
	c->stream.cancel = cancel;
	c->stream.filter = filter;
	c->stream.opaque = c;
	c->mux = mux;
	r = stream_start(&c->stream);
	if (r < 0) {
		if (c->own_out >= 0)
			close(c->own_out);
		return r;
	}
	/* Without the monitor there are no Ctrl-A keys, so Ctrl-C must keep working. */
	term_raw(!mux);
	return 0;
}

void console_close(struct console *c)
{
	stream_stop(&c->stream);
	if (c->own_out >= 0)
		close(c->own_out);
	term_restore();
}
