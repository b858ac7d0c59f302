/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libslirp as a back end's engine: loaded when first used, its descriptors and timers on the machine's
 * loop and clock. User networking (frontend/net_user.c) is the only user.
 */
#ifndef FRONTEND_SLIRP_H
#define FRONTEND_SLIRP_H

#ifdef CONFIG_SLIRP

#include <slirp/libslirp.h>

#include "hw/net/net.h"

struct clock;
struct loop;

/* The functions of the library that are used. */
struct slirp_api {
	__typeof__(slirp_new) *new;
	__typeof__(slirp_cleanup) *cleanup;
	__typeof__(slirp_pollfds_fill) *fill;
	__typeof__(slirp_pollfds_poll) *poll;
	__typeof__(slirp_input) *input;
	__typeof__(slirp_add_hostxfwd) *add_hostxfwd;
	__typeof__(slirp_remove_hostxfwd) *remove_hostxfwd;
	__typeof__(slirp_add_exec) *add_exec;
	__typeof__(slirp_add_unix) *add_unix;
	__typeof__(slirp_connection_info) *connection_info;
	void (*g_free)(void *p);
	unsigned (*g_log_set_handler)(const char *domain, int levels,
				      void (*handler)(const char *domain, int level,
						      const char *message, void *opaque),
				      void *opaque);
};

struct slirp_link;

/* cfg is read only now. Frames of the guest's are taken from the link's end, and others sent from there. Machine
 * lock held. 0, or -1 with one line in err. */
int slirp_link_open(struct slirp_link **out, const SlirpConfig *cfg, const char *name,
		    struct loop *loop, struct clock *clock, char *err, size_t errlen);
void slirp_link_close(struct slirp_link *l);
struct net_end *slirp_link_end(struct slirp_link *l);
/* For what is set up in the library itself. */
const struct slirp_api *slirp_link_api(const struct slirp_link *l);
Slirp *slirp_link_slirp(struct slirp_link *l);
/* After a change made through those two. */
void slirp_link_changed(struct slirp_link *l);

#endif
#endif
