/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the VNC server listens: a unix socket, or a port on all addresses of a host. libvncserver's own listener is not
 * used: it knows no unix sockets, and leaves ended threads unjoined.
 */
#include "frontend/vnc_listen.h"

#ifdef CONFIG_VNC

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_BASE 5900

static int listen_unix(struct vnc_listeners *l, const struct vnc_options *opt, char *err,
		       size_t errlen)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(a.sun_path, opt->path, sizeof(a.sun_path));
	if (fd >= 0) {
		int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		/* One that nobody listens to any more is in the way. */
		if (probe >= 0 && connect(probe, (struct sockaddr *)&a, sizeof(a)) < 0 &&
		    errno == ECONNREFUSED)
			unlink(opt->path);
		if (probe >= 0)
			close(probe);
		l->fd[l->nr++] = fd;
		l->bound = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
		if (l->bound && listen(fd, VNC_BACKLOG) == 0)
			return 0;
	}
	snprintf(err, errlen, "-vnc unix:%s: cannot listen there: %s", opt->path, strerror(errno));
	return -1;
}

static void close_all(struct vnc_listeners *l)
{
	while (l->nr)
		close(l->fd[--l->nr]);
}

/* All addresses of the host, or none: -errno. */
static int listen_port(struct vnc_listeners *l, const struct addrinfo *list, unsigned port)
{
	int err = -EADDRNOTAVAIL;

	for (const struct addrinfo *a = list; a && l->nr < VNC_LISTENERS; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int one = 1;

		if (fd < 0)
			continue; /* a host without IPv6 */
		l->fd[l->nr++] = fd;
		/* The port is at the same place for both families. */
		((struct sockaddr_in *)a->ai_addr)->sin_port = htons((uint16_t)port);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (a->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, VNC_BACKLOG) == 0)
			continue;
		err = -errno;
		if (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT) {
			close(fd);
			l->nr--;
			continue;
		}
		close_all(l);
		return err;
	}
	return l->nr ? 0 : err;
}

static int listen_tcp(struct vnc_listeners *l, const struct vnc_options *opt, char *err,
		      size_t errlen)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	const char *host = *opt->host ? opt->host : NULL;
	struct addrinfo *list = NULL;
	int r = getaddrinfo(host, "0", &hints, &list);

	if (r) {
		snprintf(err, errlen, "-vnc %s: no such host: %s", opt->host, gai_strerror(r));
		return -1;
	}
	r = -EADDRINUSE;
	for (unsigned d = opt->display; r == -EADDRINUSE && d <= opt->to; d++) {
		l->port = PORT_BASE + d;
		r = listen_port(l, list, l->port);
	}
	freeaddrinfo(list);
	if (r < 0)
		snprintf(err, errlen, "-vnc %s:%u: cannot listen on port %u: %s", opt->host,
			 opt->display, l->port, strerror(-r));
	return r;
}

int vnc_listen(struct vnc_listeners *l, const struct vnc_options *opt, char *err, size_t errlen)
{
	*l = (struct vnc_listeners){0};
	return *opt->path ? listen_unix(l, opt, err, errlen) : listen_tcp(l, opt, err, errlen);
}

void vnc_listen_end(struct vnc_listeners *l, const struct vnc_options *opt)
{
	close_all(l);
	if (l->bound)
		unlink(opt->path);
}

#endif
