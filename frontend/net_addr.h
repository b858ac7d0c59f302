/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Socket addresses as -netdev has them: "addr.type=inet,addr.host=H,addr.port=P" and "HOST:PORT".
 */
#ifndef FRONTEND_NET_ADDR_H
#define FRONTEND_NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct keyval;

enum net_addr_type { NET_ADDR_NONE, NET_ADDR_INET, NET_ADDR_UNIX, NET_ADDR_FD };

struct net_addr {
	enum net_addr_type type;
	char host[64], port[16], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool abstract; /* a unix socket without a file */
	int fd;        /* an open socket; not taken over until used */
};

/* Takes a property "PREFIXtype", "PREFIXhost" and so on: 1; 0 when it is none of them, -1 with one line in err
 * for a value that makes no sense. */
int net_addr_property(struct net_addr *a, const char *prefix, const struct keyval *kv, char *err,
		      size_t errlen);
/* "[HOST]:PORT"; 0 or -1. */
int net_addr_parse(struct net_addr *a, const char *text);

union net_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* An empty host is any. The length, or -1 with one line in err. Names but localhost are not looked up. */
int net_addr_resolve(const struct net_addr *a, union net_sockaddr *out, char *err, size_t errlen);
/* For people. */
void net_addr_print(const struct net_addr *a, char *text, size_t len);
/* A non-blocking socket that listens; a stale file of a unix socket is removed first. The descriptor, or
 * -errno. */
int net_listen(const union net_sockaddr *sa, socklen_t len);

#endif
