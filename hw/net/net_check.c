/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checksums of frames that come in. See the header.
 */
#include "hw/net/net_check.h"

#include <string.h>
#include <zlib.h>

enum { ETH_IP4 = 0x0800, ETH_IP6 = 0x86dd, IP4_MIN = 20, IP6_LEN = 40, UDP_LEN = 8, TCP_MIN = 20 };

static unsigned be16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

uint32_t net_sum_pieces(const struct iovec *iov, unsigned nr, size_t off, size_t len, uint32_t sum)
{
	bool odd = false;

	for (unsigned i = 0; i < nr && len; i++) {
		size_t n = iov[i].iov_len;
		uint32_t part;

		if (off >= n) {
			off -= n;
			continue;
		}
		n = n - off < len ? n - off : len;
		part = net_sum((const uint8_t *)iov[i].iov_base + off, n, 0);
		if (odd)
			part = (part & 0xff) << 8 | part >> 8;
		sum += part;
		odd ^= n & 1;
		len -= n;
		off = 0;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void net_check(struct net_checked *c, const struct iovec *iov, unsigned nr, const uint8_t *head,
	       unsigned at)
{
	unsigned type = be16(head + at - 2), l4, l4_len, proto;
	size_t len = net_len(iov, nr);
	uint32_t sum;

	memset(c, 0, sizeof(*c));
	if (type == ETH_IP4 && len >= at + IP4_MIN) {
		unsigned ihl = (head[at] & 15) * 4u, total = be16(head + at + 2);

		if (head[at] >> 4 != 4 || ihl < IP4_MIN || at + ihl > NET_HEAD || total < ihl ||
		    at + total > len)
			return;
		c->ip = c->v4 = true;
		c->ip_bad = net_sum(head + at, ihl, 0) != 0xffff;
		if (be16(head + at + 6) & 0x3fff) /* a fragment */
			return;
		proto = head[at + 9];
		l4 = at + ihl;
		l4_len = total - ihl;
		sum = net_sum(head + at + 12, 8, 0);
	} else if (type == ETH_IP6 && len >= at + IP6_LEN && head[at] >> 4 == 6) {
		proto = head[at + 6];
		l4 = at + IP6_LEN;
		l4_len = be16(head + at + 4);
		if (l4 + l4_len > len)
			return;
		c->ip = true;
		sum = net_sum(head + at + 8, 32, 0);
	} else {
		return;
	}
	if ((proto != NET_PROTO_TCP && proto != NET_PROTO_UDP) ||
	    l4_len < (proto == NET_PROTO_UDP ? UDP_LEN : TCP_MIN) || l4 + UDP_LEN > NET_HEAD)
		return;
	if (proto == NET_PROTO_UDP && !be16(head + l4 + 6)) /* it has none */
		return;
	c->proto = (uint8_t)proto;
	sum += (proto << 8) + ((l4_len & 0xff) << 8) + (l4_len >> 8);
	c->l4_bad = net_sum_pieces(iov, nr, l4, l4_len, sum) != 0xffff;
}

uint32_t net_crc(const uint8_t *p, size_t len)
{
	return ~(uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)len);
}
