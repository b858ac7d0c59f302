/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The control queue of virtio-net (virtio 1.2, 5.1.6.5) and the receive filter that it sets up.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "hw/net/virtio_net_impl.h"

enum { CLASS_RX, CLASS_MAC, CLASS_VLAN, CLASS_ANNOUNCE, CLASS_MQ, CLASS_OFFLOADS };
enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };
enum { MAC_TABLE, MAC_ADDR };
enum { VLAN_ADD, VLAN_DEL };
enum { OK = 0, ERR = 1 };

/* ---- filter ---- */

void virtio_net_reset_filter(struct virtio_net *d)
{
	d->promisc = 1;
	d->allmulti = d->alluni = d->nomulti = d->nouni = d->nobcast = 0;
	d->nr_unicast = d->nr_macs = 0;
	d->too_many_unicast = d->too_many_multicast = 0;
	memset(d->macs, 0, sizeof(d->macs));
	memset(d->vlans, 0, sizeof(d->vlans));
	d->vlan_filter = 0;
}

static bool in_table(const struct virtio_net *d, unsigned from, unsigned to, const uint8_t *mac)
{
	for (unsigned i = from; i < to; i++)
		if (memcmp(d->macs + NET_MAC_LEN * i, mac, NET_MAC_LEN) == 0)
			return true;
	return false;
}

static bool wants_vlan(const struct virtio_net *d, const uint8_t *head)
{
	unsigned vid = (unsigned)(head[14] << 8 | head[15]) & 0xfff;

	if (!d->vlan_filter || head[12] != 0x81 || head[13] != 0)
		return true;
	return d->vlans[vid / 8] >> vid % 8 & 1;
}

bool virtio_net_wants(const struct virtio_net *d, const uint8_t *head)
{
	if (d->promisc)
		return true;
	if (!wants_vlan(d, head))
		return false;
	if (net_is_broadcast(head))
		return !d->nobcast;
	if (net_is_multicast(head))
		return !d->nomulti && (d->allmulti || d->too_many_multicast ||
				       in_table(d, d->nr_unicast, d->nr_macs, head));
	return !d->nouni && (d->alluni || d->too_many_unicast ||
			     memcmp(d->v.config + C_MAC, head, NET_MAC_LEN) == 0 ||
			     in_table(d, 0, d->nr_unicast, head));
}

/* ---- commands ---- */

static bool take(struct dma_sg *sg, void *buf, size_t len)
{
	if (sg->len < len)
		return false;
	dma_sg_read(sg, 0, buf, len);
	dma_sg_skip(sg, len);
	return true;
}

static int set_rx(struct virtio_net *d, uint8_t cmd, struct dma_sg *data)
{
	uint8_t *const mode[] = {&d->promisc, &d->allmulti, &d->alluni,
				 &d->nomulti, &d->nouni,    &d->nobcast};
	uint8_t on;

	if (cmd >= sizeof(mode) / sizeof(mode[0]) || !take(data, &on, 1))
		return ERR;
	*mode[cmd] = on != 0;
	return OK;
}

/* One half of the table; what does not fit is let through unseen. */
static bool take_macs(struct virtio_net *d, struct dma_sg *data, uint8_t *too_many)
{
	uint32_t n;

	if (!take(data, &n, 4))
		return false;
	n = le32toh(n);
	if (n > data->len / NET_MAC_LEN)
		return false;
	*too_many = n > VIRTIO_NET_MACS - d->nr_macs;
	if (*too_many) {
		dma_sg_skip(data, (size_t)n * NET_MAC_LEN);
		return true;
	}
	take(data, d->macs + NET_MAC_LEN * d->nr_macs, (size_t)n * NET_MAC_LEN);
	d->nr_macs += (uint8_t)n;
	return true;
}

static int set_mac(struct virtio_net *d, uint8_t cmd, struct dma_sg *data)
{
	bool ok;

	switch (cmd) {
	case MAC_ADDR:
		return data->len == NET_MAC_LEN && take(data, d->v.config + C_MAC, NET_MAC_LEN)
			   ? OK
			   : ERR;
	case MAC_TABLE:
		d->nr_macs = 0;
		ok = take_macs(d, data, &d->too_many_unicast);
		d->nr_unicast = d->nr_macs;
		ok = ok && take_macs(d, data, &d->too_many_multicast);
		return ok ? OK : ERR;
	}
	return ERR;
}

static int set_vlan(struct virtio_net *d, uint8_t cmd, struct dma_sg *data)
{
	uint16_t vid;

	if (!take(data, &vid, 2))
		return ERR;
	vid = le16toh(vid);
	if (vid > 4095 || (cmd != VLAN_ADD && cmd != VLAN_DEL))
		return ERR;
	if (cmd == VLAN_ADD)
		d->vlans[vid / 8] |= (uint8_t)(1 << vid % 8);
	else
		d->vlans[vid / 8] &= (uint8_t) ~(1 << vid % 8);
	return OK;
}

static int set_pairs(struct virtio_net *d, uint8_t cmd, struct dma_sg *data)
{
	uint16_t n;

	if (cmd != 0 || !virtio_has(&d->v, F_MQ) || !take(data, &n, 2))
		return ERR;
	n = le16toh(n);
	if (!n || n > d->v.nr_queues / 2)
		return ERR;
	d->pairs = n;
	memset(d->flow, 0, sizeof(d->flow));
	return OK;
}

static int set_offloads(struct virtio_net *d, uint8_t cmd, struct dma_sg *data)
{
	uint64_t o;

	if (cmd != 0 || !virtio_has(&d->v, F_GUEST_OFFLOADS) || !take(data, &o, 8))
		return ERR;
	o = le64toh(o);
	if (o & ~(d->v.features & GUEST_OFFLOADS))
		return ERR;
	virtio_net_set_offloads(d, o);
	return OK;
}

static int command(struct virtio_net *d, struct dma_sg *data)
{
	struct {
		uint8_t class, cmd;
	} header;

	if (!take(data, &header, sizeof(header)))
		return ERR;
	switch (header.class) {
	case CLASS_RX:
		return set_rx(d, header.cmd, data);
	case CLASS_MAC:
		return set_mac(d, header.cmd, data);
	case CLASS_VLAN:
		return set_vlan(d, header.cmd, data);
	case CLASS_MQ:
		return set_pairs(d, header.cmd, data);
	case CLASS_OFFLOADS:
		return set_offloads(d, header.cmd, data);
	}
	return ERR;
}

int virtio_net_control(struct virtio_net *d, unsigned queue)
{
	struct virtqueue *vq = &d->v.vq[queue];
	struct vq_elem *e = &d->control;
	int r;

	/* A driver that adds commands faster than they are carried out gets its turn again. */
	for (unsigned n = 0; n < vq->size; n++) {
		uint8_t ack;

		r = vq_pop(vq, e);
		if (r <= 0)
			return r;
		if (!e->in.len || e->out.len < 2)
			return -EINVAL;
		ack = (uint8_t)command(d, &e->out);
		dma_sg_write(&e->in, 0, &ack, 1);
		vq_push(vq, e, 1);
		virtio_notify(&d->v, queue);
	}
	return 0;
}
