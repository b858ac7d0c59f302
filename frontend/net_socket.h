/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Back ends on sockets: what -netdev stream and dgram share with the older -netdev socket.
 */
#ifndef FRONTEND_NET_SOCKET_H
#define FRONTEND_NET_SOCKET_H

#include "frontend/net_addr.h"
#include "frontend/netdev.h"

/* Frames over a stream; 0, or -1 with one line in err. */
int net_stream_start(struct netdev **out, const struct net_addr *addr, bool server,
		     unsigned reconnect, const struct netdev_spec *spec,
		     const struct netdev_env *env, char *err, size_t errlen);
/* One frame a datagram: bound to `local`, sent to `remote`, which may be a group; either may be
 * NET_ADDR_NONE. 0, or -1 with one line in err. */
int net_dgram_start(struct netdev **out, const struct net_addr *local,
		    const struct net_addr *remote, const struct netdev_spec *spec,
		    const struct netdev_env *env, char *err, size_t errlen);

/* Takes over a socket that the user has opened, of type SOCK_STREAM or SOCK_DGRAM. 0 or -errno. */
int net_take_fd(int fd, int type, union net_sockaddr *own);
void net_set_nonblocking(int fd);

#endif
