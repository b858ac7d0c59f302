/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A hub; see the header. A port without room loses frames, it does not hold up the others.
 */
#include "hw/net/hub.h"

#include <stdlib.h>
#include <string.h>

enum { TPID = 0x8100, TAG_AT = 12, TAG_LEN = 4, VID_MASK = 0xfff };

struct net_hub {
	struct net_hub_port *ports;
};

struct net_hub *net_hub_new(void)
{
	return calloc(1, sizeof(struct net_hub));
}

void net_hub_free(struct net_hub *h)
{
	free(h);
}

/* What a frame at a port that sees all belongs to; NET_VLAN_ALL: it has no tag. */
static unsigned vlan_of(const uint8_t *head, size_t len)
{
	if (len < TAG_AT + TAG_LEN || (head[TAG_AT] << 8 | head[TAG_AT + 1]) != TPID)
		return NET_VLAN_ALL;
	return (unsigned)(head[TAG_AT + 2] << 8 | head[TAG_AT + 3]) & VID_MASK;
}

/* Sends the bytes but [TAG_AT, TAG_AT + cut), with `tag` (or NULL) put there; `head` has what comes
 * before. Checksums left to do lie that much elsewhere. */
static void send_edited(struct net_end *to, uint8_t *head, unsigned cut, const uint8_t *tag,
			const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct iovec out[NET_MAX_PIECES + 1];
	struct net_offload moved;
	size_t skip = TAG_AT + cut;
	unsigned n = 0;

	if (tag)
		memcpy(head + TAG_AT, tag, TAG_LEN);
	out[n++] = (struct iovec){head, TAG_AT + (tag ? TAG_LEN : 0)};
	for (unsigned i = 0; i < nr && n <= NET_MAX_PIECES; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		out[n++] = (struct iovec){(uint8_t *)iov[i].iov_base + skip, len - skip};
		skip = 0;
	}
	if (o) {
		moved = *o;
		moved.csum_start = (uint16_t)(moved.csum_start + (tag ? TAG_LEN : 0) - cut);
		o = &moved;
	}
	net_send(to, out, n, o);
}

static void forward(const struct net_hub_port *from, struct net_hub_port *to, const uint8_t *head,
		    const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	uint8_t edited[TAG_AT + TAG_LEN];
	unsigned vlan = vlan_of(head, TAG_AT + TAG_LEN);

	memcpy(edited, head, sizeof(edited));
	if (from->vlan == to->vlan) {
		net_send(&to->end, iov, nr, o);
	} else if (to->vlan == NET_VLAN_ALL) {
		uint8_t tag[TAG_LEN] = {TPID >> 8, TPID & 0xff, (uint8_t)(from->vlan >> 8),
					(uint8_t)from->vlan};

		send_edited(&to->end, edited, 0, tag, iov, nr, o);
	} else if (from->vlan == NET_VLAN_ALL && vlan == to->vlan) {
		send_edited(&to->end, edited, TAG_LEN, NULL, iov, nr, o);
	}
}

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *o)
{
	struct net_hub_port *p = self;
	uint8_t head[TAG_AT + TAG_LEN] = {0};

	net_copy(head, sizeof(head), iov, nr, 0);
	for (struct net_hub_port *to = p->hub->ports; to; to = to->next)
		if (to != p)
			forward(p, to, head, iov, nr, o);
	return true;
}

static const struct net_end_ops ops = {.receive = receive};

void net_hub_add(struct net_hub *h, struct net_hub_port *p, const char *name, uint16_t vlan)
{
	net_end_init(&p->end, name, &ops, p);
	/* What a port's peer does not take, its link does. */
	p->end.takes = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6 | NET_TAKES_ECN;
	p->hub = h;
	p->vlan = vlan;
	p->next = h->ports;
	h->ports = p;
}

void net_hub_remove(struct net_hub_port *p)
{
	for (struct net_hub_port **at = &p->hub->ports; *at; at = &(*at)->next) {
		if (*at != p)
			continue;
		*at = p->next;
		break;
	}
	net_end_fini(&p->end);
}
