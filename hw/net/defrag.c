/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Datagrams from fragments; see the header.
 */
#include "hw/net/defrag.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_AT = 12, IP = NET_HEADER_LEN, IP4_LEN = 20 };
enum { IP_LEN = 2, IP_ID = 4, IP_FRAG = 6, IP_PROTO = 9, IP_CSUM = 10, IP_SRC = 12 };
#define MORE_FRAGMENTS 0x2000u
#define OFFSET_MASK    0x1fffu

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/* Who belongs together: addresses, protocol, identification. */
static bool same(const uint8_t *a, const uint8_t *b)
{
	a += IP;
	b += IP;
	return memcmp(a + IP_SRC, b + IP_SRC, 8) == 0 && a[IP_PROTO] == b[IP_PROTO] &&
	       memcmp(a + IP_ID, b + IP_ID, 2) == 0;
}

static struct net_defrag_slot *find(struct net_defrag *d, const uint8_t *frame)
{
	for (unsigned i = 0; i < NET_DEFRAG_SLOTS; i++)
		if (d->slot[i].len && same(d->slot[i].frame, frame))
			return &d->slot[i];
	return NULL;
}

static struct net_defrag_slot *oldest(struct net_defrag *d)
{
	struct net_defrag_slot *s = d->slot;

	for (unsigned i = 1; i < NET_DEFRAG_SLOTS; i++)
		if (d->slot[i].used < s->used)
			s = &d->slot[i];
	if (!s->frame)
		s->frame = malloc(NET_MAX_FRAME);
	return s->frame ? s : NULL;
}

static const uint8_t *finish(struct net_defrag_slot *s, size_t *len)
{
	const struct net_tcp h = {.ip = IP, .tcp = IP + IP4_LEN};

	memset(s->frame + IP + IP_FRAG, 0, 2);
	net_set_ip_len(&h, s->frame, s->len);
	*len = s->len;
	s->len = 0;
	s->used = 0;
	return s->frame;
}

const uint8_t *net_defrag(struct net_defrag *d, const uint8_t *frame, size_t *len)
{
	const uint8_t *ip = frame + IP;
	struct net_defrag_slot *s;
	unsigned frag, ip_len;
	size_t offset, n;

	if (*len < IP + IP4_LEN || get16(frame + TYPE_AT) != 0x0800)
		return frame;
	frag = get16(ip + IP_FRAG);
	if (!(frag & (MORE_FRAGMENTS | OFFSET_MASK)))
		return frame;
	ip_len = get16(ip + IP_LEN);
	offset = (frag & OFFSET_MASK) * 8u;
	n = ip_len - IP4_LEN;
	/* With options, shorter than it says, or with a last piece that is none. */
	if (ip[0] != 0x45 || ip_len <= IP4_LEN || IP + ip_len > *len ||
	    net_sum(ip, IP4_LEN, 0) != 0xffff || (frag & MORE_FRAGMENTS && n % 8) ||
	    offset + n > 65535 - IP4_LEN)
		return NULL;
	s = find(d, frame);
	if (s && s->len != IP + IP4_LEN + offset) {
		s->len = 0;
		s->used = 0;
		s = NULL;
	}
	if (!s && offset)
		return NULL;
	if (!s) {
		s = oldest(d);
		if (!s)
			return NULL;
		memcpy(s->frame, frame, IP + IP4_LEN);
		s->len = IP + IP4_LEN;
	}
	memcpy(s->frame + s->len, ip + IP4_LEN, n);
	s->len += n;
	s->used = ++d->clock;
	return frag & MORE_FRAGMENTS ? NULL : finish(s, len);
}

void net_defrag_fini(struct net_defrag *d)
{
	for (unsigned i = 0; i < NET_DEFRAG_SLOTS; i++)
		free(d->slot[i].frame);
}
