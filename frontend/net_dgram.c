/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev dgram, and -netdev socket with udp= or mcast=: one frame a datagram, by UDP, a multicast group or a
 * unix socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/net_socket.h"
#include "frontend/options_dev.h"
#include "hw/loop.h"

#define ROUND    64 /* datagrams, after which others have their turn */
#define SOCK_BUF (1 << 20)

struct dgram {
	struct netdev d;
	struct net_end end;
	struct loop *loop;
	struct net_addr local, remote;
	union net_sockaddr to, own;
	socklen_t to_len; /* 0: to whom the socket is connected, or to nobody yet */
	bool is_group;
	uint8_t source[NET_MAC_LEN]; /* of the last frame sent */
	int fd;
	bool held, blocked; /* for the guest; for the socket */
	uint8_t buf[NET_MAX_FRAME];
};

static void on_io(void *opaque, int fd, unsigned events);

static void watch(struct dgram *g)
{
	unsigned events = (g->held ? 0 : LOOP_IN) | (g->blocked ? LOOP_OUT : 0);

	if (events)
		loop_watch(g->loop, g->fd, events, on_io, g);
	else
		loop_watch(g->loop, g->fd, 0, NULL, NULL);
}

static bool can_receive(void *self)
{
	return !((struct dgram *)self)->blocked;
}

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct dgram *g = self;
	struct msghdr m = {.msg_iov = (struct iovec *)iov,
			   .msg_iovlen = nr,
			   .msg_name = g->to_len ? &g->to : NULL,
			   .msg_namelen = g->to_len};
	ssize_t n;

	(void)o;
	net_copy(g->source, NET_MAC_LEN, iov, nr, NET_MAC_LEN);
	do
		n = sendmsg(g->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		g->blocked = true;
		watch(g);
		return false;
	}
	/* Other errors are the network's: datagrams get lost. */
	return true;
}

/* A group's datagrams come back to who has sent them, from an address that others have, too. */
static bool is_echo(const struct dgram *g, size_t len)
{
	return g->is_group && len >= NET_HEADER_LEN &&
	       memcmp(g->buf + NET_MAC_LEN, g->source, NET_MAC_LEN) == 0;
}

static void read_in(struct dgram *g)
{
	g->held = false;
	for (unsigned i = 0; i < ROUND; i++) {
		ssize_t n;

		if (!net_can_send(&g->end)) {
			g->held = true;
			break;
		}
		n = recv(g->fd, g->buf, sizeof(g->buf), MSG_DONTWAIT | MSG_TRUNC);
		/* Also errors that earlier datagrams met with. */
		if (n < 0)
			break;
		if ((size_t)n <= sizeof(g->buf) && !is_echo(g, (size_t)n))
			net_send_buf(&g->end, g->buf, (size_t)n);
	}
	watch(g);
}

static void on_io(void *opaque, int fd, unsigned events)
{
	struct dgram *g = opaque;

	(void)fd;
	if (events & LOOP_OUT && g->blocked) {
		g->blocked = false;
		watch(g);
		net_flush(&g->end);
	}
	if (events & LOOP_IN && !g->held)
		read_in(g);
}

static void ready(void *self)
{
	struct dgram *g = self;

	if (g->held)
		read_in(g);
}

static const struct net_end_ops ops = {
    .receive = receive,
    .can_receive = can_receive,
    .ready = ready,
};

static void dgram_close(struct netdev *d)
{
	struct dgram *g = (struct dgram *)d;

	net_end_fini(&g->end);
	if (g->fd >= 0) {
		loop_watch(g->loop, g->fd, 0, NULL, NULL);
		close(g->fd);
		if (g->local.type == NET_ADDR_UNIX && !g->local.abstract)
			unlink(g->local.path);
	}
	free(g);
}

static void describe(const struct netdev *d, char *text, size_t len)
{
	const struct dgram *g = (const struct dgram *)d;
	char local[128], remote[128];

	net_addr_print(&g->local, local, sizeof(local));
	net_addr_print(&g->remote, remote, sizeof(remote));
	snprintf(text, len, "from %s to %s", local, remote);
}

/* Hears the group, and sends to it by the interface that `local` names. */
static int join_group(struct dgram *g, const union net_sockaddr *local)
{
	struct ip_mreq join = {.imr_multiaddr = g->to.in.sin_addr,
			       .imr_interface = local->in.sin_addr};
	union net_sockaddr at = {.in = {.sin_family = AF_INET,
					.sin_port = g->to.in.sin_port,
					.sin_addr = g->to.in.sin_addr}};
	int one = 1;

	g->is_group = true;
	if (setsockopt(g->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(g->fd, &at.sa, sizeof(at.in)) < 0 ||
	    setsockopt(g->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)) < 0 ||
	    setsockopt(g->fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one)) < 0)
		return -errno;
	if (local->in.sin_addr.s_addr &&
	    setsockopt(g->fd, IPPROTO_IP, IP_MULTICAST_IF, &local->in.sin_addr,
		       sizeof(local->in.sin_addr)) < 0)
		return -errno;
	return 0;
}

static int bind_local(struct dgram *g, const union net_sockaddr *local, socklen_t len)
{
	struct stat st;
	int one = 1;

	/* Nobody else can be bound to the file of a dead socket. */
	if (local->sa.sa_family == AF_UNIX && local->un.sun_path[0] &&
	    stat(local->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(local->un.sun_path);
	if (local->sa.sa_family != AF_UNIX)
		setsockopt(g->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(g->fd, &local->sa, len) < 0 ? -errno : 0;
}

static bool is_multicast(const union net_sockaddr *sa)
{
	return sa->sa.sa_family == AF_INET && IN_MULTICAST(ntohl(sa->in.sin_addr.s_addr));
}

/* 0, or -1 with one line in err. */
static int open_socket(struct dgram *g, char *err, size_t errlen)
{
	union net_sockaddr local = {0};
	int local_len = 0, to_len = 0, r = 0;

	if (g->local.type == NET_ADDR_FD) {
		if (net_take_fd(g->local.fd, SOCK_DGRAM, &g->own) < 0) {
			snprintf(err, errlen, "%d is no open datagram socket", g->local.fd);
			return -1;
		}
		g->fd = g->local.fd;
		return 0;
	}
	if (g->local.type != NET_ADDR_NONE &&
	    (local_len = net_addr_resolve(&g->local, &local, err, errlen)) < 0)
		return -1;
	if (g->remote.type != NET_ADDR_NONE &&
	    (to_len = net_addr_resolve(&g->remote, &g->to, err, errlen)) < 0)
		return -1;
	if (local_len && to_len && local.sa.sa_family != g->to.sa.sa_family) {
		snprintf(err, errlen, "its two addresses are of different kinds");
		return -1;
	}
	g->to_len = (socklen_t)to_len;
	g->fd = socket(local_len ? local.sa.sa_family : g->to.sa.sa_family,
		       SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (g->fd < 0)
		r = -errno;
	else if (is_multicast(&g->to))
		r = join_group(g, &local);
	else if (local_len)
		r = bind_local(g, &local, (socklen_t)local_len);
	if (r < 0) {
		snprintf(err, errlen, "cannot open its socket: %s", strerror(-r));
		return -1;
	}
	return 0;
}

int net_dgram_start(struct netdev **out, const struct net_addr *local,
		    const struct net_addr *remote, const struct netdev_spec *spec,
		    const struct netdev_env *env, char *err, size_t errlen)
{
	struct dgram *g = calloc(1, sizeof(*g));
	int size = SOCK_BUF;
	char why[200];

	if (!g)
		return netdev_fail(spec, err, errlen, "out of memory");
	net_end_init(&g->end, spec->id, &ops, g);
	g->loop = env->loop;
	g->local = *local;
	g->remote = *remote;
	g->fd = -1;
	g->d.end = &g->end;
	g->d.close = dgram_close;
	g->d.describe = describe;
	if (open_socket(g, why, sizeof(why)) < 0) {
		netdev_fail(spec, err, errlen, "%s", why);
		dgram_close(&g->d);
		return -1;
	}
	setsockopt(g->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(g->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	watch(g);
	*out = &g->d;
	return 0;
}

int net_dgram_open(struct netdev **out, const struct netdev_spec *spec,
		   const struct netdev_env *env, char *err, size_t errlen)
{
	struct net_addr local = {0}, remote = {0};
	const char *at = spec->properties;
	struct keyval kv;
	char why[200];

	while (next_keyval(&at, &kv)) {
		int r = net_addr_property(&local, "local.", &kv, why, sizeof(why));

		if (r == 0)
			r = net_addr_property(&remote, "remote.", &kv, why, sizeof(why));
		if (r < 0)
			return netdev_fail(spec, err, errlen, "%s", why);
		if (r == 0)
			return netdev_fail(spec, err, errlen,
					   "%s=%s is not known (local. and remote. with type, "
					   "host, port, path, str)",
					   kv.key, kv.val);
	}
	/* Only a group is both. */
	if (local.type == NET_ADDR_NONE && remote.type == NET_ADDR_NONE)
		return netdev_fail(spec, err, errlen, "it needs local.type= and remote.type=");
	if (!*local.port)
		strcpy(local.port, "0");
	return net_dgram_start(out, &local, &remote, spec, env, err, errlen);
}
