/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What cards leave to others, done in software: checksums (RFC 1071) and the segmentation of TCP
 * (virtio 1.2, 5.1.6.2) over IPv4 and IPv6.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "hw/net/net.h"

#define MAX_SEGMENTS 2048u

enum { ETH_IP4 = 0x0800, ETH_IP6 = 0x86dd, ETH_VLAN = 0x8100, VLAN_LEN = 4 };
enum { IP4_MIN = 20, IP6_LEN = 40, TCP_MIN = 20, TCP_MAX = 60, PROTO_TCP = 6 };
enum { TCP_SEQ = 4, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_CSUM = 16 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

uint32_t net_sum(const void *p, size_t len, uint32_t sum)
{
	const uint8_t *b = p;
	uint64_t acc = sum;
	uint64_t w[4];
	uint32_t half;

	for (; len >= 32; len -= 32, b += 32) {
		memcpy(w, b, 32);
		/* Halves of 32 bits: the carries of up to 2^32 additions fit above them. */
		for (int i = 0; i < 4; i++)
			acc += (w[i] & 0xffffffff) + (w[i] >> 32);
	}
	for (; len >= 4; len -= 4, b += 4) {
		memcpy(&half, b, 4);
		acc += half;
	}
	if (len >= 2) {
		acc += (uint32_t)(b[0] | b[1] << 8);
		b += 2;
		len -= 2;
	}
	if (len)
		acc += b[0];
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint32_t)acc;
}

static uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return be16toh(v);
}

static void store16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, 2);
}

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static void store32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

int net_finish_csum(uint8_t *frame, size_t len, const struct net_offload *o)
{
	size_t at = (size_t)o->csum_start + o->csum_offset;
	uint16_t sum;

	if (!(o->flags & NET_NEEDS_CSUM))
		return 0;
	if (o->csum_start >= len || at + 2 > len)
		return -EINVAL;
	sum = (uint16_t)~net_sum(frame + o->csum_start, len - o->csum_start, 0);
	/* Zero would say "none" in UDP. */
	if (!sum)
		sum = 0xffff;
	memcpy(frame + at, &sum, 2);
	return 0;
}

int net_find_tcp(struct net_tcp *h, const uint8_t *f, size_t len)
{
	size_t at = 12;
	unsigned type;

	while (at + 2 <= len && load16(f + at) == ETH_VLAN && at < 12 + 2 * VLAN_LEN)
		at += VLAN_LEN;
	if (at + 2 + IP6_LEN > len)
		return -EINVAL;
	type = load16(f + at);
	h->ip = at + 2;
	h->v6 = type == ETH_IP6;
	if (type == ETH_IP4 && f[h->ip] >> 4 == 4) {
		size_t ihl = (f[h->ip] & 15) * 4u;

		/* A fragment cannot be cut further. */
		if (ihl < IP4_MIN || f[h->ip + 9] != PROTO_TCP || load16(f + h->ip + 6) & 0x3fff)
			return -EINVAL;
		h->tcp = h->ip + ihl;
	} else if (type == ETH_IP6 && f[h->ip] >> 4 == 6) {
		/* Extension headers are nothing that TCP stacks segment. */
		if (f[h->ip + 6] != PROTO_TCP)
			return -EINVAL;
		h->tcp = h->ip + IP6_LEN;
	} else {
		return -EINVAL;
	}
	if (h->tcp + TCP_MIN > len)
		return -EINVAL;
	h->payload = h->tcp + (f[h->tcp + TCP_OFFSET] >> 4) * 4u;
	return h->payload < h->tcp + TCP_MIN || h->payload > len || h->payload > NET_MAX_HEADERS
		   ? -EINVAL
		   : 0;
}

uint32_t net_pseudo_sum(const struct net_tcp *h, const uint8_t *f, size_t len)
{
	const uint8_t *ip = f + h->ip;
	uint32_t sum = h->v6 ? net_sum(ip + 8, 32, 0) : net_sum(ip + 12, 8, 0);

	return sum + htobe16(PROTO_TCP) + (uint32_t)htobe16((uint16_t)(len - h->tcp));
}

void net_set_ip_len(const struct net_tcp *h, uint8_t *f, size_t len)
{
	uint8_t *ip = f + h->ip;
	uint16_t csum;

	if (h->v6) {
		store16(ip + 4, (uint16_t)(len - h->tcp));
		return;
	}
	store16(ip + 2, (uint16_t)(len - h->ip));
	store16(ip + 10, 0);
	csum = (uint16_t)~net_sum(ip, h->tcp - h->ip, 0);
	memcpy(ip + 10, &csum, 2);
}

/* The headers of a segment with all but sequence number and flags of TCP. */
static void finish_segment(uint8_t *f, const struct net_tcp *h, size_t len, unsigned n)
{
	uint8_t *tcp = f + h->tcp;
	uint16_t csum;

	if (!h->v6)
		store16(f + h->ip + 4, (uint16_t)(load16(f + h->ip + 4) + n));
	net_set_ip_len(h, f, len);
	store16(tcp + TCP_CSUM, 0);
	csum = (uint16_t)~net_sum(tcp, len - h->tcp, net_pseudo_sum(h, f, len));
	memcpy(tcp + TCP_CSUM, &csum, 2);
}

int net_segment(const uint8_t *frame, size_t len, const struct net_offload *o,
		void (*emit)(void *opaque, const uint8_t *frame, size_t len), void *opaque)
{
	uint8_t seg[NET_MAX_HEADERS + UINT16_MAX];
	struct net_tcp h;
	size_t left, at;
	uint32_t seq;
	uint8_t flags;

	if (net_find_tcp(&h, frame, len) < 0 || !o->gso_size ||
	    h.v6 != ((o->gso_type & ~NET_GSO_ECN) == NET_GSO_TCP6))
		return -EINVAL;
	left = len - h.payload;
	if (left / o->gso_size >= MAX_SEGMENTS || h.payload - h.ip + o->gso_size > UINT16_MAX)
		return -EINVAL;
	seq = load32(frame + h.tcp + TCP_SEQ);
	flags = frame[h.tcp + TCP_FLAGS];
	at = h.payload;
	for (unsigned n = 0;; n++) {
		size_t now = left < o->gso_size ? left : o->gso_size;
		bool last = now == left;

		memcpy(seg, frame, h.payload);
		memcpy(seg + h.payload, frame + at, now);
		store32(seg + h.tcp + TCP_SEQ, seq);
		seg[h.tcp + TCP_FLAGS] =
		    (uint8_t)(flags & ~((last ? 0 : TCP_FIN | TCP_PSH) | (n ? TCP_CWR : 0)));
		finish_segment(seg, &h, h.payload + now, n);
		emit(opaque, seg, h.payload + now);
		if (last)
			return 0;
		at += now;
		left -= now;
		seq += (uint32_t)now;
	}
}
