/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Character device back ends: null and files here, pseudo-terminals and sockets in files of their
 * own.
 */
#include "frontend/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/loop.h"

static int open_file(struct backend *b, const char *path, struct loop *loop)
{
	/* A pipe without a reader is refused rather than waited for. */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);

	if (fd < 0)
		return -errno;
	stream_init(&b->stream, loop, -1, fd, false);
	return 0;
}

static void on_eof(void *opaque)
{
	struct backend *b = opaque;

	if (b->client)
		b->client(b->client_opaque, false);
}

/* Copies, so that closing a back end is the same for all. */
static int open_stdio(struct backend *b, struct loop *loop)
{
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), out, err;

	if (in < 0)
		return -errno;
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (out < 0) {
		err = -errno;
		close(in);
		return err;
	}
	stream_init(&b->stream, loop, in, out, false);
	b->stream.closed = on_eof;
	b->stream.opaque = b;
	return 0;
}

static int open_fd(struct backend *b, int fd, struct loop *loop)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	stream_init(&b->stream, loop, copy, copy, true);
	return 0;
}

int backend_open(struct backend **out, const struct chardev_spec *spec, const char *label,
		 struct loop *loop, int cancel, char *err, size_t errlen)
{
	struct backend *b = calloc(1, sizeof(*b));
	int r = -ENOMEM;

	if (b) {
		b->listener = b->keep_open = -1;
		switch (spec->kind) {
		case CHR_STDIO:
			r = open_stdio(b, loop);
			break;
		case CHR_FILE:
			r = open_file(b, spec->path, loop);
			break;
		case CHR_PTY:
			r = backend_open_pty(b, label, loop);
			break;
		case CHR_UNIX:
			r = backend_open_unix(b, spec, label, loop, cancel);
			break;
		case CHR_TCP:
			r = backend_open_tcp(b, spec, label, loop, cancel);
			break;
		case CHR_VC:
			r = open_fd(b, spec->fd, loop);
			break;
		default:
			stream_init(&b->stream, loop, -1, -1, true);
			r = 0;
			break;
		}
	}
	if (r < 0) {
		if (spec->kind == CHR_TCP)
			snprintf(err, errlen, "cannot open TCP port %s%s%s for %s: %s", spec->port,
				 spec->path[0] ? " of " : "", spec->path, label, strerror(-r));
		else
			snprintf(err, errlen, "cannot open %s for %s: %s",
				 spec->path[0] ? spec->path : "a pseudo-terminal", label,
				 strerror(-r));
		free(b);
		return -1;
	}
	b->stream.cancel = cancel;
	*out = b;
	return 0;
}

void backend_close(struct backend *b)
{
	int in = b->stream.in, out = b->stream.out;

	stream_stop(&b->stream);
	if (b->listener >= 0) {
		loop_watch(b->stream.loop, b->listener, 0, NULL, NULL);
		close(b->listener);
		if (*b->path)
			unlink(b->path);
	}
	if (in >= 0)
		close(in);
	if (out >= 0 && out != in)
		close(out);
	if (b->keep_open >= 0)
		close(b->keep_open);
	free(b);
}
