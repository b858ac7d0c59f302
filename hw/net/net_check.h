/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What cards find out about a frame that comes in: whether its checksums are right, and the hash of its
 * address.
 */
#ifndef HW_NET_NET_CHECK_H
#define HW_NET_NET_CHECK_H

#include "hw/net/net.h"

#define NET_HEAD 128u /* bytes of a frame that are looked at */

enum { NET_PROTO_TCP = 6, NET_PROTO_UDP = 17 };

struct net_checked {
	bool ip;     /* it is IPv4 or IPv6, and whole */
	bool v4;     /* and has a checksum of its header */
	bool ip_bad; /* which is wrong */
	/* NET_PROTO_*: its checksum was looked at; 0: it has none, or is a fragment, or another one. */
	uint8_t proto;
	bool l4_bad;
};

/* head: the first NET_HEAD bytes of the frame, with zeroes after its end; at: where its IP header would begin,
 * NET_HEADER_LEN without a tag. */
void net_check(struct net_checked *c, const struct iovec *iov, unsigned nr, const uint8_t *head,
	       unsigned at);
/* The ones' complement sum of bytes [off, off + len), as net_sum(). */
uint32_t net_sum_pieces(const struct iovec *iov, unsigned nr, size_t off, size_t len, uint32_t sum);
/* CRC-32 as of a frame's FCS, before its bits are inverted. */
uint32_t net_crc(const uint8_t *p, size_t len);

#endif
