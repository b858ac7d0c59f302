/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -netdev, -nic and -net: what carries a guest's frames outside, and the back ends made of it.
 */
#ifndef FRONTEND_NETDEV_H
#define FRONTEND_NETDEV_H

#include <stdbool.h>
#include <stddef.h>

#include "frontend/net_dump.h"
#include "hw/net/net.h"

#define MAX_NETDEVS    32
#define MAX_NETDEV_LEN 2048
#define MAX_HUBS       16
#define MAX_DUMPS      8

struct clock;
struct loop;
struct machine;
struct parse;

struct netdev_spec {
	char type[16], id[64];
	uint64_t bps_in, bps_out;        /* bytes a second to the guest and from it; 0: no limit */
	char properties[MAX_NETDEV_LEN]; /* all others, as the user wrote them */
};

struct netdevs {
	struct netdev_spec spec[MAX_NETDEVS];
	unsigned nr, nr_nics;
	struct net_dump_spec dump[MAX_DUMPS];
	unsigned nr_dumps;
};

/* Option handlers: 0, or -1 with the message set. */
int on_netdev(struct parse *p, const char *arg);
int on_nic(struct parse *p, const char *arg);
int on_net(struct parse *p, const char *arg);

void options_netdev_help(void);

/* ---- back ends ---- */

struct netdev_set;

struct netdev_env {
	struct loop *loop;
	struct clock *clock;
	/* Shows one line to the user. Machine lock held. */
	void (*warn)(void *opaque, const char *line);
	void *opaque;
	struct netdev_set *set;
};

/* One back end; the owner's struct starts with it. */
struct netdev {
	struct net_end *end;
	void (*close)(struct netdev *d); /* frees it */
	/* One line or more for the monitor's info network; may be NULL. */
	void (*describe)(const struct netdev *d, char *text, size_t len);
	struct netdev *next;
};

/* Makes a back end from its properties. Machine lock held. 0, or -1 with one line in err. */
typedef int netdev_open_fn(struct netdev **out, const struct netdev_spec *s,
			   const struct netdev_env *env, char *err, size_t errlen);
netdev_open_fn net_user_open;
bool net_is_user(const struct netdev *d);
/* Adds or removes a hostfwd= while it runs. 0, or -1 with one line in err. */
int net_user_forward(struct netdev *d, const char *rule, bool add, char *err, size_t errlen);
/* Prints what goes through it, where it is user networking. */
void net_user_connections(struct netdev *d, void (*print)(void *opaque, const char *text),
			  void *opaque);
netdev_open_fn net_stream_open;
netdev_open_fn net_dgram_open;
netdev_open_fn net_socket_open;
netdev_open_fn net_tap_open;
netdev_open_fn net_hubport_open;

/* For messages: "-netdev TYPE,id=ID: " and the rest; returns -1. */
int netdev_fail(const struct netdev_spec *s, char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Opens all; machine lock held. NULL with one line in err. */
struct netdev_set *netdevs_open(const struct netdevs *n, struct machine *m,
				void (*warn)(void *opaque, const char *line), void *opaque,
				char *err, size_t errlen);
/* By id; NULL: there is none. */
struct net_end *netdevs_find(struct netdev_set *s, const char *id);
/* The next after d, or the first; NULL at the end. */
struct netdev *netdevs_next(struct netdev_set *s, const struct netdev *d);
/* Machine lock held; before the machine's loop goes. */
void netdevs_close(struct netdev_set *s);

struct net_hub;
/* The hub of that number, made where there is none yet; NULL: out of memory, or too many. */
struct net_hub *netdevs_hub(struct netdev_set *s, unsigned long id);

#endif
