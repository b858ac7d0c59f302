/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IPv4 datagrams from fragments (RFC 791), where the other side cannot be trusted to put them together. Only
 * what well-behaved stacks send is accepted: fragments in order, each continuing the one before.
 */
#ifndef HW_NET_DEFRAG_H
#define HW_NET_DEFRAG_H

#include "hw/net/net.h"

#define NET_DEFRAG_SLOTS 4u /* datagrams on the way at a time; the oldest makes room */

struct net_defrag {
	struct net_defrag_slot {
		uint8_t *frame; /* NET_MAX_FRAME bytes, from the first use on */
		size_t len;     /* 0: free */
		uint64_t used;
	} slot[NET_DEFRAG_SLOTS];
	uint64_t clock; /* counts fragments */
};

/* Takes a frame. Returns it if it is no fragment; or a whole datagram that it completes, valid until the next
 * call; or NULL, when it waits for more or is dropped. *len is the length before and after. */
const uint8_t *net_defrag(struct net_defrag *d, const uint8_t *frame, size_t *len);
void net_defrag_fini(struct net_defrag *d);

#endif
