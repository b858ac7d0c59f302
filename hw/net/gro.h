/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Segments of TCP that come in a row become one large frame, where the other side takes such: a guest then
 * handles one frame instead of dozens.
 */
#ifndef HW_NET_GRO_H
#define HW_NET_GRO_H

#include "hw/net/net.h"

struct net_gro {
	struct net_end *end; /* that sends */
	bool trusted;        /* checksums are right, and need not be looked at */
	struct net_tcp h;
	size_t len, size; /* of what is gathered (0: nothing); of a segment's payload */
	unsigned segments;
	uint32_t next; /* sequence number */
	bool closed;   /* a segment has ended the row */
	uint8_t buf[NET_MAX_FRAME];
};

static inline void net_gro_init(struct net_gro *g, struct net_end *end, bool trusted)
{
	g->end = end;
	g->trusted = trusted;
	g->len = 0;
}

/* Sends a frame from the end, now or with those that follow it. */
void net_gro_send(struct net_gro *g, const uint8_t *frame, size_t len);
/* Nothing follows for now. */
void net_gro_flush(struct net_gro *g);

#endif
