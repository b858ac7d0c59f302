/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -object filter-dump: all frames of a back end go to a file in pcap's format.
 */
#ifndef FRONTEND_NET_DUMP_H
#define FRONTEND_NET_DUMP_H

#include <stddef.h>
#include <stdint.h>

#define MAX_DUMP_PATH 1024

struct loop;
struct net_dump;
struct net_end;
struct parse;

struct net_dump_spec {
	char id[64], netdev[64], file[MAX_DUMP_PATH];
	uint32_t maxlen; /* bytes kept of each frame */
};

/* Option handler: 0, or -1 with the message set. */
int on_filter_dump(struct parse *p, const char *arg);

struct net_dump_env {
	struct loop *loop;
	void (*warn)(void *opaque, const char *line);
	void *opaque;
};
/* 0, or -1 with one line in err. */
int net_dump_open(struct net_dump **out, const struct net_dump_spec *s, struct net_end *end,
		  const struct net_dump_env *env, char *err, size_t errlen);
/* Before its end goes. */
void net_dump_close(struct net_dump *d);

#endif
