/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frames for tests of networks, and an end that looks at what it gets.
 */
#ifndef TESTS_UNIT_FRAMES_H
#define TESTS_UNIT_FRAMES_H

#include <errno.h>
#include <string.h>

#include "hw/net/net.h"

struct sink {
	bool full; /* refuses what comes */
	unsigned nr, ready, link_changes;
	size_t len; /* of the last frame */
	uint8_t data[NET_MAX_FRAME];
	struct net_offload o;
	bool has_offload;
	struct net_end *answers; /* sends each frame back from there, nr_answers times */
	unsigned nr_answers;
	/* Of TCP segments: */
	bool check_segments;
	unsigned bad, fins;
	size_t payload;
	uint8_t stream[NET_MAX_FRAME];
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The plain sum of RFC 1071, big-endian. */
static inline uint32_t plain_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline bool is_v6(const uint8_t *f)
{
	return f[12] == 0x86;
}

static inline size_t tcp_at(const uint8_t *f)
{
	return is_v6(f) ? 54 : 34;
}

static inline uint32_t pseudo_sum(const uint8_t *f, size_t len)
{
	uint32_t tcp_len = (uint32_t)(len - tcp_at(f));
	uint32_t sum = plain_sum(f + (is_v6(f) ? 22 : 26), is_v6(f) ? 32 : 8, 0);

	return sum + 6 + (tcp_len >> 16) + (tcp_len & 0xffff);
}

static inline bool tcp_csum_ok(const uint8_t *f, size_t len)
{
	return plain_sum(f + tcp_at(f), len - tcp_at(f), pseudo_sum(f, len)) == 0xffff;
}

/* Leaves the sum of the pseudo header, as drivers do. */
static inline void partial_csum(uint8_t *f, size_t len)
{
	put16(f + tcp_at(f) + 16, plain_sum(NULL, 0, pseudo_sum(f, len)));
}

static inline void tcp_head(uint8_t *t, bool fin)
{
	put16(t, 1234);
	put16(t + 2, 80);
	memcpy(t + 4, "\xff\xff\xff\xf0\0\0\0\1", 8);
	t[12] = 5 << 4;
	t[13] = (uint8_t)(0x18 | fin);
	put16(t + 14, 1000);
}

/* Frames with `payload` bytes, checksums all done; their length. */
static inline size_t make_tcp4(uint8_t *f, size_t payload, bool fin)
{
	size_t len = 54 + payload;

	memset(f, 0, 54);
	memcpy(f, "\x52\x54\0\x12\x34\x56\x52\x55\x0a\0\x02\x02\x08", 13);
	f[14] = 0x45;
	put16(f + 16, (unsigned)(len - 14));
	put16(f + 18, 0xfffe);
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, "\x0a\0\x02\x0f\x0a\0\x02\x02", 8);
	put16(f + 24, ~plain_sum(f + 14, 20, 0));
	tcp_head(f + 34, fin);
	for (size_t i = 0; i < payload; i++)
		f[54 + i] = (uint8_t)(i * 7 + (i >> 8));
	put16(f + 50, ~plain_sum(f + 34, len - 34, pseudo_sum(f, len)));
	return len;
}

static inline size_t make_tcp6(uint8_t *f, size_t payload, bool fin)
{
	size_t len = 74 + payload;

	memset(f, 0, 74);
	memcpy(f, "\x52\x54\0\x12\x34\x56\x52\x55\x0a\0\x02\x02\x86\xdd\x60", 15);
	put16(f + 18, (unsigned)(len - 54));
	f[20] = 6;
	f[21] = 64;
	memset(f + 22, 0xfe, 16);
	memset(f + 38, 0xfd, 16);
	tcp_head(f + 54, fin);
	for (size_t i = 0; i < payload; i++)
		f[74 + i] = (uint8_t)(i * 7 + (i >> 8));
	put16(f + 70, ~plain_sum(f + 54, len - 54, pseudo_sum(f, len)));
	return len;
}

/* A segment must continue where the last ended. */
static inline void sink_segment(struct sink *s)
{
	const uint8_t *f = s->data, *t = f + tcp_at(f);
	size_t n = s->len - tcp_at(f) - 20, ip_len = get16(f + (is_v6(f) ? 18 : 16));
	uint32_t seq = (uint32_t)get16(t + 4) << 16 | get16(t + 6);

	s->bad += !tcp_csum_ok(f, s->len) || seq != (uint32_t)(0xfffffff0 + s->payload) ||
		  ip_len + (is_v6(f) ? 54 : 14) != s->len;
	if (!is_v6(f))
		s->bad += plain_sum(f + 14, 20, 0) != 0xffff ||
			  get16(f + 18) != (uint16_t)(0xfffe + s->nr);
	s->fins += t[13] & 1;
	memcpy(s->stream + s->payload, t + 20, n);
	s->payload += n;
}

static inline bool sink_receive(void *self, const struct iovec *iov, unsigned nr,
				const struct net_offload *o)
{
	struct sink *s = self;

	if (s->full)
		return false;
	s->len = net_copy(s->data, sizeof(s->data), iov, nr, 0);
	s->has_offload = o != NULL;
	if (o)
		s->o = *o;
	if (s->check_segments)
		sink_segment(s);
	s->nr++;
	if (s->answers && s->nr_answers) {
		s->nr_answers--;
		net_send_buf(s->answers, s->data, s->len);
	}
	return true;
}

static inline bool sink_can_receive(void *self)
{
	return !((struct sink *)self)->full;
}

static inline void sink_ready(void *self)
{
	((struct sink *)self)->ready++;
}

static inline void sink_link(void *self)
{
	((struct sink *)self)->link_changes++;
}

static inline void sink_end(struct sink *s, struct net_end *e, const char *name)
{
	static const struct net_end_ops ops = {
	    sink_receive, sink_can_receive, sink_ready, sink_link, false, false};

	memset(s, 0, sizeof(*s));
	net_end_init(e, name, &ops, s);
}

#endif
