/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Joining segments; see the header. Only what would come out again by cutting the large frame is joined: the
 * same headers but for lengths, identification, sequence numbers and checksums; all of one size but the last;
 * no flags but ACK, and PSH at the end.
 */
#include "hw/net/gro.h"

#include <endian.h>
#include <string.h>

enum { TCP_SEQ = 4, TCP_ACK_SEQ = 8, TCP_FLAGS = 13, TCP_WINDOW = 14, TCP_CSUM = 16, TCP_URG = 18 };
enum { TCP_PSH = 0x08, TCP_ACK = 0x10 };
#define MAX_IP 65535u

static uint32_t seq_of(const uint8_t *tcp)
{
	uint32_t v;

	memcpy(&v, tcp + TCP_SEQ, 4);
	return be32toh(v);
}

static bool can_join(const struct net_gro *g, const struct net_tcp *h)
{
	unsigned need = NET_TAKES_CSUM | (h->v6 ? NET_TAKES_TSO6 : NET_TAKES_TSO4);

	return g->end->peer && (g->end->peer->takes & need) == need;
}

static bool csum_ok(const struct net_tcp *h, const uint8_t *f, size_t len)
{
	return net_sum(f + h->tcp, len - h->tcp, net_pseudo_sum(h, f, len)) == 0xffff;
}

/* Whether IP's length is that of the frame (which may be padded), and its header has no options. */
static bool plain_ip(const struct net_tcp *h, const uint8_t *f, size_t len)
{
	const uint8_t *ip = f + h->ip;
	size_t ip_len = (size_t)(ip[h->v6 ? 4 : 2] << 8 | ip[h->v6 ? 5 : 3]);

	return ip_len + (h->v6 ? h->tcp : h->ip) == len &&
	       (h->v6 || (h->tcp - h->ip == 20 && net_sum(ip, 20, 0) == 0xffff));
}

static bool starts(const struct net_gro *g, const struct net_tcp *h, const uint8_t *f, size_t len)
{
	return len > h->payload && f[h->tcp + TCP_FLAGS] == TCP_ACK && plain_ip(h, f, len) &&
	       (g->trusted || csum_ok(h, f, len));
}

static bool same_headers(const struct net_gro *g, const struct net_tcp *h, const uint8_t *f)
{
	const uint8_t *a = g->buf, *ip = f + h->ip, *ip0 = a + h->ip, *t = f + h->tcp,
		      *t0 = a + h->tcp;

	if (h->ip != g->h.ip || h->tcp != g->h.tcp || h->payload != g->h.payload ||
	    h->v6 != g->h.v6 || memcmp(a, f, h->ip) != 0)
		return false;
	/* All of IPv6's header but the length; of IPv4's also not identification and checksum. */
	if (h->v6 ? memcmp(ip, ip0, 4) != 0 || memcmp(ip + 6, ip0 + 6, 34) != 0
		  : memcmp(ip, ip0, 2) != 0 || memcmp(ip + 6, ip0 + 6, 4) != 0 ||
			memcmp(ip + 12, ip0 + 12, 8) != 0)
		return false;
	return memcmp(t, t0, 4) == 0 && memcmp(t + TCP_ACK_SEQ, t0 + TCP_ACK_SEQ, 5) == 0 &&
	       memcmp(t + TCP_WINDOW, t0 + TCP_WINDOW, 2) == 0 &&
	       memcmp(t + TCP_URG, t0 + TCP_URG, h->payload - h->tcp - TCP_URG) == 0;
}

static bool follows(const struct net_gro *g, const struct net_tcp *h, const uint8_t *f, size_t len)
{
	uint8_t flags = f[h->tcp + TCP_FLAGS] & (uint8_t)~TCP_PSH;

	return g->len && !g->closed && len > h->payload && flags == TCP_ACK &&
	       len - h->payload <= g->size && g->len + len - h->payload - h->ip <= MAX_IP &&
	       seq_of(f + h->tcp) == g->next && same_headers(g, h, f) && plain_ip(h, f, len) &&
	       (g->trusted || csum_ok(h, f, len));
}

void net_gro_flush(struct net_gro *g)
{
	struct net_offload o = {.flags = g->trusted ? NET_DATA_VALID : 0};
	struct iovec iov = {g->buf, g->len};

	if (!g->len)
		return;
	if (g->segments > 1) {
		uint8_t *tcp = g->buf + g->h.tcp;
		uint32_t sum;
		uint16_t csum;

		net_set_ip_len(&g->h, g->buf, g->len);
		sum = net_pseudo_sum(&g->h, g->buf, g->len);
		sum = (sum & 0xffff) + (sum >> 16);
		csum = (uint16_t)((sum & 0xffff) + (sum >> 16));
		memcpy(tcp + TCP_CSUM, &csum, 2);
		o = (struct net_offload){.flags = NET_NEEDS_CSUM,
					 .gso_type = g->h.v6 ? NET_GSO_TCP6 : NET_GSO_TCP4,
					 .hdr_len = (uint16_t)g->h.payload,
					 .gso_size = (uint16_t)g->size,
					 .csum_start = (uint16_t)g->h.tcp,
					 .csum_offset = TCP_CSUM};
	}
	g->len = 0;
	net_send(g->end, &iov, 1, &o);
}

static void append(struct net_gro *g, const struct net_tcp *h, const uint8_t *f, size_t len)
{
	size_t n = len - h->payload;

	memcpy(g->buf + g->len, f + h->payload, n);
	g->len += n;
	g->next += (uint32_t)n;
	g->segments++;
	g->buf[h->tcp + TCP_FLAGS] |= f[h->tcp + TCP_FLAGS] & TCP_PSH;
	g->closed = n < g->size || f[h->tcp + TCP_FLAGS] & TCP_PSH;
}

void net_gro_send(struct net_gro *g, const uint8_t *frame, size_t len)
{
	const struct net_offload valid = {.flags = NET_DATA_VALID};
	struct iovec iov = {(void *)frame, len};
	struct net_tcp h;

	if (len <= NET_MAX_FRAME && net_find_tcp(&h, frame, len) == 0 && can_join(g, &h)) {
		if (follows(g, &h, frame, len)) {
			append(g, &h, frame, len);
			return;
		}
		net_gro_flush(g);
		if (starts(g, &h, frame, len)) {
			memcpy(g->buf, frame, len);
			g->h = h;
			g->len = len;
			g->size = len - h.payload;
			g->segments = 1;
			g->next = seq_of(frame + h.tcp) + (uint32_t)g->size;
			g->closed = false;
			return;
		}
	} else {
		/* Frames keep their order. */
		net_gro_flush(g);
	}
	net_send(g->end, &iov, 1, g->trusted ? &valid : NULL);
}
