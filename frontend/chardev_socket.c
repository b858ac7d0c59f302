/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Unix and TCP sockets: a client of somebody's server, or a server for one client after the other.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend/chardev.h"
#include "hw/loop.h"

static size_t on_input(void *opaque, uint8_t *buf, size_t len)
{
	struct backend *b = opaque;

	return telnet_filter(&b->telnet, buf, len);
}

/* A byte of 255 is sent twice. */
static size_t telnet_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct backend *b = (struct backend *)c;

	for (size_t done = 0; done < len;) {
		const uint8_t *special = memchr(buf + done, 0xff, len - done);
		size_t n = special ? (size_t)(special + 1 - buf) - done : len - done;

		b->write(c, buf + done, n);
		if (special)
			b->write(c, special, 1);
		done += n;
	}
	return len;
}

static void use_client(struct backend *b, int fd)
{
	b->stream.in = b->stream.out = fd;
	if (b->is_telnet) {
		telnet_init(&b->telnet);
		b->write(&b->stream.chr, telnet_greeting, telnet_greeting_len);
	}
	stream_start(&b->stream);
	chardev_closed(&b->stream.chr, false);
	if (b->client)
		b->client(b->client_opaque, true);
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
	chardev_closed(&b->stream.chr, true);
	if (b->client)
		b->client(b->client_opaque, false);
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

/* Small packets that are answered one by one are sent at once. Fails for other sockets, where it is so. */
static void no_delay(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
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

/* Serves the clients of a socket that listens; name is for messages. Takes fd. */
static int serve(struct backend *b, int fd, bool wait, const char *label, const char *name,
		 int cancel)
{
	int client; /* or -errno */

	if (!wait) {
		client = loop_watch(b->stream.loop, fd, LOOP_IN, on_connect, b);
		if (client < 0)
			close(fd);
		else
			b->listener = fd;
		return client;
	}
	fprintf(stderr, "doppel: %s waits for a connection on %s\n", label, name);
	client = wait_client(fd, cancel);
	if (client < 0) {
		close(fd);
		return client;
	}
	b->listener = fd;
	use_client(b, client);
	return 0;
}

static void init(struct backend *b, struct loop *loop)
{
	stream_init(&b->stream, loop, -1, -1, true);
	b->stream.closed = on_closed;
	b->stream.opaque = b;
	b->stream.chr.closed = true;
}

int backend_open_unix(struct backend *b, const struct chardev_spec *spec, const char *label,
		      struct loop *loop, int cancel)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const struct sockaddr *sa = (struct sockaddr *)&un;
	int fd, err;

	if (strlen(spec->path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, spec->path);
	init(b, loop);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!spec->server) {
		if (connect(fd, sa, sizeof(un)) < 0)
			goto fail;
		use_client(b, fd);
		return 0;
	}
	remove_stale(&un);
	if (bind(fd, sa, sizeof(un)) < 0 || listen(fd, 1) < 0)
		goto fail;
	err = serve(b, fd, !spec->nowait, label, spec->path, cancel);
	if (err < 0)
		unlink(spec->path);
	else
		strcpy(b->path, spec->path);
	return err;
fail:
	err = -errno;
	close(fd);
	return err;
}

/* A socket that is connected or listens; -errno. Waits for a connection to be made. */
static int tcp_socket(const struct addrinfo *ai, bool server)
{
	int fd =
	    socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | (server ? SOCK_NONBLOCK : 0), 0);
	int err;

	if (fd < 0)
		return -errno;
	if (server)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (server ? bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0
		   : connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Which port the system has chosen is what the user must know. */
static void tell_port(int fd, const char *label)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char port[16];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&sa, len, NULL, 0, port, sizeof(port), NI_NUMERICSERV) ==
		0)
		fprintf(stderr, "doppel: %s listens on port %s\n", label, port);
}

/* Where no host is named, only programs on this one may come: what is behind these ports can do anything. */
int backend_open_tcp(struct backend *b, const struct chardev_spec *spec, const char *label,
		     struct loop *loop, int cancel)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_family = *spec->path ? AF_UNSPEC : AF_INET,
				       .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list;
	int fd = -EADDRNOTAVAIL;

	init(b, loop);
	if (spec->telnet) {
		b->is_telnet = true;
		b->stream.filter = on_input;
		b->write = b->stream.chr.write;
		b->stream.chr.write = telnet_write;
	}
	if (getaddrinfo(*spec->path ? spec->path : NULL, spec->port, &hints, &list) != 0)
		return -EADDRNOTAVAIL;
	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = tcp_socket(ai, spec->server);
	freeaddrinfo(list);
	if (fd < 0)
		return fd;
	no_delay(fd);
	if (!spec->server) {
		use_client(b, fd);
		return 0;
	}
	if (strcmp(spec->port, "0") == 0)
		tell_port(fd, label);
	return serve(b, fd, !spec->nowait, label, spec->port, cancel);
}
