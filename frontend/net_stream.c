/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev stream, and -netdev socket with listen= or connect=: frames over a stream socket, each after its
 * length as 32 bits, big-endian (what QEMU and passt speak).
 *
 * Frames to the peer are gathered and written at the end of a round of the loop. The peer is not trusted:
 * whoever announces an impossible length is disconnected.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/net_addr.h"
#include "frontend/net_socket.h"
#include "frontend/netdev.h"
#include "frontend/options_dev.h"
#include "hw/clock.h"
#include "hw/loop.h"
#include "hw/net/gro.h"

#define PREFIX   4u /* bytes of a length */
#define BUF_SIZE (4 * (NET_MAX_FRAME + PREFIX))
#define SOCK_BUF (1 << 20) /* asked of the kernel in each direction */

struct stream {
	struct netdev d;
	struct net_end end;
	struct loop *loop;
	struct net_addr addr;
	union net_sockaddr sa;
	socklen_t sa_len;
	bool server, connecting, given; /* given: the user's own socket */
	unsigned reconnect;             /* seconds; 0: never */
	struct timer again;
	struct loop_job flush;
	int fd, listener; /* -1: none */
	void (*warn)(void *opaque, const char *line);
	void *warn_opaque;
	uint8_t *in, *out; /* BUF_SIZE each */
	size_t in_len, out_at, out_len;
	bool held; /* what is in `in` waits for the guest */
	struct net_gro gro;
};

static void use_socket(struct stream *s, int fd);
static void connect_now(struct stream *s);
static void on_io(void *opaque, int fd, unsigned events);
static void on_client(void *opaque, int fd, unsigned events);

static void watch(struct stream *s)
{
	unsigned events = (s->held ? 0 : LOOP_IN) | (s->out_len || s->connecting ? LOOP_OUT : 0);

	loop_watch(s->loop, s->fd, events | LOOP_HUP, on_io, s);
}

/* The connection has ended, or never came about; why: NULL where that is not worth a line. */
static void disconnect(struct stream *s, const char *why)
{
	char line[256], name[128];

	net_addr_print(&s->addr, name, sizeof(name));
	if (why) {
		snprintf(line, sizeof(line), "%s: %s: %s", s->end.name, name, why);
		s->warn(s->warn_opaque, line);
	}
	loop_watch(s->loop, s->fd, 0, NULL, NULL);
	loop_cancel(s->loop, &s->flush);
	close(s->fd);
	s->fd = -1;
	s->connecting = s->held = false;
	s->in_len = s->out_at = s->out_len = 0;
	s->gro.len = 0;
	net_set_link(&s->end, false);
	if (s->listener >= 0)
		loop_watch(s->loop, s->listener, LOOP_IN, on_client, s);
	else if (s->reconnect)
		timer_arm(&s->again, clock_now(s->again.clock) + s->reconnect * NSEC_PER_SEC);
}

/* ---- to the peer ---- */

static bool has_room(const struct stream *s)
{
	return BUF_SIZE - s->out_len >= NET_MAX_FRAME + PREFIX;
}

/* False when the connection has ended. */
static bool write_out(struct stream *s)
{
	while (s->out_len) {
		ssize_t n = send(s->fd, s->out + s->out_at, s->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			disconnect(s, strerror(errno));
			return false;
		}
		s->out_at += (size_t)n;
		s->out_len -= (size_t)n;
	}
	s->out_at = 0;
	return true;
}

/* The frames of one round of the loop, together. */
static void flush(void *opaque)
{
	struct stream *s = opaque;
	bool was_full = !has_room(s);

	if (s->fd < 0 || s->connecting || !write_out(s))
		return;
	watch(s);
	if (was_full && has_room(s))
		net_flush(&s->end);
}

static bool can_receive(void *self)
{
	return has_room(self);
}

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct stream *s = self;
	size_t len = net_len(iov, nr);
	uint32_t prefix = htonl((uint32_t)len);
	uint8_t *p;

	(void)o;
	if (s->fd < 0 || s->connecting)
		return true;
	if (!has_room(s))
		return false;
	if (s->out_at + s->out_len + PREFIX + len > BUF_SIZE) {
		memmove(s->out, s->out + s->out_at, s->out_len);
		s->out_at = 0;
	}
	p = s->out + s->out_at + s->out_len;
	memcpy(p, &prefix, PREFIX);
	net_copy(p + PREFIX, len, iov, nr, 0);
	s->out_len += PREFIX + len;
	loop_defer(s->loop, &s->flush);
	return true;
}

/* ---- from the peer ---- */

/* Hands on whole frames. False when the connection has ended. */
static bool take_frames(struct stream *s)
{
	size_t at = 0;

	s->held = false;
	while (s->in_len - at >= PREFIX) {
		uint32_t len;

		memcpy(&len, s->in + at, PREFIX);
		len = ntohl(len);
		if (len > NET_MAX_FRAME) {
			disconnect(s, "the peer sent garbage");
			return false;
		}
		if (s->in_len - at - PREFIX < len)
			break;
		if (!net_can_send(&s->end)) {
			s->held = true;
			break;
		}
		net_gro_send(&s->gro, s->in + at + PREFIX, len);
		at += PREFIX + len;
	}
	net_gro_flush(&s->gro);
	s->in_len -= at;
	memmove(s->in, s->in + at, s->in_len);
	return true;
}

static void read_in(struct stream *s)
{
	ssize_t n = recv(s->fd, s->in + s->in_len, BUF_SIZE - s->in_len, 0);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		disconnect(s, n < 0 ? strerror(errno) : "the peer has closed the connection");
		return;
	}
	s->in_len += (size_t)n;
	if (take_frames(s))
		watch(s);
}

static void ready(void *self)
{
	struct stream *s = self;

	if (s->fd >= 0 && s->held && take_frames(s))
		watch(s);
}

/* ---- connections ---- */

static void on_io(void *opaque, int fd, unsigned events)
{
	struct stream *s = opaque;
	int err = 0;
	socklen_t len = sizeof(err);

	if (s->connecting) {
		if (!(events & (LOOP_OUT | LOOP_HUP)))
			return;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
		s->connecting = false;
		if (err)
			disconnect(s, s->reconnect ? NULL : strerror(err));
		else
			use_socket(s, fd);
		return;
	}
	if (events & LOOP_OUT)
		flush(s);
	/* A peer that went away is noticed even while the guest takes nothing. */
	if (s->fd >= 0 && events & LOOP_HUP && s->held)
		disconnect(s, "the peer has closed the connection");
	else if (s->fd >= 0 && events & (LOOP_IN | LOOP_HUP))
		read_in(s);
}

/* A socket that is connected. */
static void use_socket(struct stream *s, int fd)
{
	int one = 1, size = SOCK_BUF;

	s->fd = fd;
	if (s->sa.sa.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	watch(s);
	net_set_link(&s->end, true);
}

static void on_client(void *opaque, int fd, unsigned events)
{
	struct stream *s = opaque;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (client < 0)
		return;
	/* One at a time; the next waits in the backlog. */
	loop_watch(s->loop, fd, 0, NULL, NULL);
	use_socket(s, client);
}

static void connect_now(struct stream *s)
{
	int fd = socket(s->sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	s->fd = fd;
	if (connect(fd, &s->sa.sa, s->sa_len) == 0) {
		use_socket(s, fd);
	} else if (errno == EINPROGRESS) {
		s->connecting = true;
		watch(s);
	} else {
		/* It is tried again, which is not worth a line each time. */
		disconnect(s, s->reconnect ? NULL : strerror(errno));
	}
}

static void on_again(void *opaque)
{
	connect_now(opaque);
}

/* ---- open and close ---- */

static const struct net_end_ops ops = {
    .receive = receive,
    .can_receive = can_receive,
    .ready = ready,
};

static void stream_close(struct netdev *d)
{
	struct stream *s = (struct stream *)d;

	if (s->fd >= 0) {
		write_out(s);
		if (s->fd >= 0) {
			loop_watch(s->loop, s->fd, 0, NULL, NULL);
			close(s->fd);
		}
	}
	if (s->listener >= 0) {
		loop_watch(s->loop, s->listener, 0, NULL, NULL);
		close(s->listener);
		if (s->addr.type == NET_ADDR_UNIX && !s->addr.abstract)
			unlink(s->addr.path);
	}
	net_end_fini(&s->end);
	loop_cancel(s->loop, &s->flush);
	timer_cancel(&s->again);
	free(s->in);
	free(s->out);
	free(s);
}

static void describe(const struct netdev *d, char *text, size_t len)
{
	const struct stream *s = (const struct stream *)d;
	char name[128];

	net_addr_print(&s->addr, name, sizeof(name));
	snprintf(text, len, "%s %s, %s", s->server ? "listens on" : "connects to", name,
		 s->fd >= 0 && !s->connecting ? "connected" : "not connected");
}

static int start_server(struct stream *s, const struct netdev_spec *spec, char *err, size_t errlen)
{
	char name[128];
	int fd = net_listen(&s->sa, s->sa_len);

	net_addr_print(&s->addr, name, sizeof(name));
	if (fd < 0)
		return netdev_fail(spec, err, errlen, "cannot listen on %s: %s", name,
				   strerror(-fd));
	s->listener = fd;
	loop_watch(s->loop, fd, LOOP_IN, on_client, s);
	return 0;
}

static int start_client(struct stream *s, const struct netdev_spec *spec, char *err, size_t errlen)
{
	char name[128];
	int fd, e;

	if (s->reconnect) {
		connect_now(s);
		return 0;
	}
	/* What is not tried again is a mistake to tell at once. */
	net_addr_print(&s->addr, name, sizeof(name));
	fd = socket(s->sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &s->sa.sa, s->sa_len) < 0) {
		e = errno;
		if (fd >= 0)
			close(fd);
		return netdev_fail(
		    spec, err, errlen,
		    "cannot connect to %s: %s; start the other side first, or give reconnect=1",
		    name, strerror(e));
	}
	net_set_nonblocking(fd);
	use_socket(s, fd);
	return 0;
}

int net_stream_start(struct netdev **out, const struct net_addr *addr, bool server,
		     unsigned reconnect, const struct netdev_spec *spec,
		     const struct netdev_env *env, char *err, size_t errlen)
{
	struct stream *s = calloc(1, sizeof(*s));
	char why[200];
	int r = -1;

	if (!s || !(s->in = malloc(BUF_SIZE)) || !(s->out = malloc(BUF_SIZE))) {
		netdev_fail(spec, err, errlen, "out of memory");
		if (s)
			free(s->in);
		free(s);
		return -1;
	}
	net_end_init(&s->end, spec->id, &ops, s);
	s->end.link_down = true;
	net_gro_init(&s->gro, &s->end, false);
	s->loop = env->loop;
	s->addr = *addr;
	s->server = server;
	s->reconnect = reconnect;
	s->fd = s->listener = -1;
	s->warn = env->warn;
	s->warn_opaque = env->opaque;
	s->flush = (struct loop_job){.run = flush, .opaque = s};
	timer_init(&s->again, env->clock, on_again, s);
	s->d.end = &s->end;
	s->d.close = stream_close;
	s->d.describe = describe;
	if (addr->type == NET_ADDR_FD) {
		r = net_take_fd(addr->fd, SOCK_STREAM, &s->sa);
		if (r < 0)
			netdev_fail(spec, err, errlen, "%d is no open stream socket", addr->fd);
		else
			use_socket(s, addr->fd);
	} else {
		r = net_addr_resolve(addr, &s->sa, why, sizeof(why));
		s->sa_len = (socklen_t)r;
		if (r < 0)
			netdev_fail(spec, err, errlen, "%s", why);
		else
			r = server ? start_server(s, spec, err, errlen)
				   : start_client(s, spec, err, errlen);
	}
	if (r < 0) {
		stream_close(&s->d);
		return -1;
	}
	*out = &s->d;
	return 0;
}

int net_stream_open(struct netdev **out, const struct netdev_spec *spec,
		    const struct netdev_env *env, char *err, size_t errlen)
{
	const char *at = spec->properties;
	struct net_addr addr = {0};
	unsigned reconnect = 0;
	bool server = false;
	struct keyval kv;
	char why[200];

	while (next_keyval(&at, &kv)) {
		int r = net_addr_property(&addr, "addr.", &kv, why, sizeof(why));

		if (r < 0)
			return netdev_fail(spec, err, errlen, "%s", why);
		if (r > 0)
			continue;
		if (strcmp(kv.key, "server") == 0)
			server = strcmp(kv.val, "off") != 0;
		else if (strcmp(kv.key, "reconnect") == 0 && atoi(kv.val) > 0)
			reconnect = (unsigned)atoi(kv.val);
		else
			return netdev_fail(spec, err, errlen,
					   "%s=%s is not known (server, addr.type, addr.host, "
					   "addr.port, addr.path, addr.str, reconnect)",
					   kv.key, kv.val);
	}
	if (addr.type == NET_ADDR_NONE)
		return netdev_fail(spec, err, errlen, "it needs addr.type=unix, inet or fd");
	if (server && reconnect)
		return netdev_fail(spec, err, errlen, "a server does not reconnect; leave it out");
	return net_stream_start(out, &addr, server, reconnect, spec, env, err, errlen);
}
