/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Unix sockets: a client of somebody's server, or a server for one client after the other.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend/chardev.h"
#include "hw/loop.h"

static void use_client(struct backend *b, int fd)
{
	b->stream.in = b->stream.out = fd;
	stream_start(&b->stream);
}

static void on_connect(void *opaque, int fd, unsigned events)
{
	struct backend *b = opaque;
	int client;

	(void)events;
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0)
		return;
	/* One at a time; the next waits in the backlog. */
	loop_watch(b->stream.loop, fd, 0, NULL, NULL);
	use_client(b, client);
}

static void on_closed(void *opaque)
{
	struct backend *b = opaque;
	int fd = b->stream.out;

	b->stream.out_len = b->stream.in_len = 0;
	b->stream.out = -1;
	close(fd);
	if (b->listener >= 0)
		loop_watch(b->stream.loop, b->listener, LOOP_IN, on_connect, b);
}

/* A socket file that nobody listens on is left over from an earlier run. */
static void remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd;

	if (stat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 && errno == ECONNREFUSED)
		unlink(sa->sun_path);
	close(fd);
}

static int wait_client(int fd, int cancel)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
				      {.fd = cancel, .events = POLLIN}};
		int client;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			return -EINTR;
		if (!p[0].revents)
			continue;
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client >= 0 || (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED))
			return client >= 0 ? client : -errno;
	}
}

static int open_server(struct backend *b, const struct sockaddr_un *sa, bool wait,
		       const char *label, int cancel)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), client, err;

	if (fd < 0)
		return -errno;
	remove_stale(sa);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 || listen(fd, 1) < 0) {
		err = errno;
		close(fd);
		return -err;
	}
	b->listener = fd;
	strcpy(b->path, sa->sun_path);
	if (!wait)
		return loop_watch(b->stream.loop, fd, LOOP_IN, on_connect, b);
	fprintf(stderr, "doppel: %s waits for a connection on %s\n", label, sa->sun_path);
	client = wait_client(fd, cancel);
	if (client < 0) {
		b->listener = -1;
		close(fd);
		unlink(b->path);
		return client;
	}
	use_client(b, client);
	return 0;
}

int backend_open_unix(struct backend *b, const struct chardev_spec *spec, const char *label,
		      struct loop *loop, int cancel)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(spec->path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, spec->path);
	stream_init(&b->stream, loop, -1, -1, true);
	b->stream.closed = on_closed;
	b->stream.opaque = b;
	if (spec->server)
		return open_server(b, &sa, !spec->nowait, label, cancel);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		err = errno;
		close(fd);
		return -err;
	}
	use_client(b, fd);
	return 0;
}
