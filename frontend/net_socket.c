/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev socket: the older way to say -netdev stream (listen=, connect=) and -netdev dgram (udp=, mcast=).
 */
#include "frontend/net_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"

void net_set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int net_take_fd(int fd, int type, union net_sockaddr *own)
{
	socklen_t len = sizeof(*own), type_len = sizeof(int);
	int is;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &type_len) < 0 ||
	    getsockname(fd, &own->sa, &len) < 0)
		return -errno;
	if (is != type)
		return -EPROTOTYPE;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	net_set_nonblocking(fd);
	return 0;
}

/* What the socket is for; one of them. */
enum use { USE_NONE, USE_LISTEN, USE_CONNECT, USE_MCAST, USE_UDP, USE_FD };

static int open_fd(struct netdev **out, const struct net_addr *addr, const struct netdev_spec *spec,
		   const struct netdev_env *env, char *err, size_t errlen)
{
	const struct net_addr none = {0};
	socklen_t len = sizeof(int);
	int type = SOCK_STREAM;

	getsockopt(addr->fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (type == SOCK_DGRAM)
		return net_dgram_start(out, addr, &none, spec, env, err, errlen);
	return net_stream_start(out, addr, false, 0, spec, env, err, errlen);
}

int net_socket_open(struct netdev **out, const struct netdev_spec *spec,
		    const struct netdev_env *env, char *err, size_t errlen)
{
	static const char *const names[] = {"", "listen", "connect", "mcast", "udp", "fd"};
	struct net_addr addr = {0}, local = {0};
	const char *at = spec->properties;
	enum use use = USE_NONE;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		enum use u = USE_FD;

		if (strcmp(kv.key, "localaddr") == 0) {
			/* With mcast=, an address alone. */
			if (net_addr_parse(&local, kv.val) < 0) {
				local.type = NET_ADDR_INET;
				snprintf(local.host, sizeof(local.host), "%.63s", kv.val);
				strcpy(local.port, "0");
			}
			continue;
		}
		while (u && strcmp(names[u], kv.key) != 0)
			u--;
		if (!u || use)
			return netdev_fail(spec, err, errlen,
					   "%s=%s: it takes one of listen, connect, mcast, udp and "
					   "fd, and localaddr",
					   kv.key, kv.val);
		use = u;
		if (u == USE_FD) {
			addr.type = NET_ADDR_FD;
			addr.fd = atoi(kv.val);
		} else if (net_addr_parse(&addr, kv.val) < 0) {
			return netdev_fail(spec, err, errlen, "%s=%s is not HOST:PORT", kv.key,
					   kv.val);
		}
	}
	switch (use) {
	case USE_LISTEN:
	case USE_CONNECT:
		return net_stream_start(out, &addr, use == USE_LISTEN, 0, spec, env, err, errlen);
	case USE_UDP:
		if (local.type == NET_ADDR_NONE)
			return netdev_fail(spec, err, errlen, "udp= needs localaddr=HOST:PORT");
		/* Fallthrough */
	case USE_MCAST:
		return net_dgram_start(out, &local, &addr, spec, env, err, errlen);
	case USE_FD:
		return open_fd(out, &addr, spec, env, err, errlen);
	default:
		return netdev_fail(spec, err, errlen,
				   "it needs one of listen, connect, mcast, udp and fd");
	}
}
