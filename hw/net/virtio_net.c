/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-net: the device, its features and its state; see the header. Pairs of queues are numbered 0 up: queue
 * 2n receives, queue 2n + 1 sends, the one after the last pair is for control.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "hw/net/virtio_net_impl.h"

#define QUEUE_SIZE  256u
#define DUPLEX_FULL 1u

static struct virtio_net *of(struct virtio_pci *v)
{
	return (struct virtio_net *)v;
}

static unsigned max_pairs(const struct virtio_net *d)
{
	return virtio_has(&d->v, F_MQ) ? d->v.nr_queues / 2 : 1;
}

void virtio_net_set_offloads(struct virtio_net *d, uint64_t offloads)
{
	d->offloads = offloads;
	d->end.takes = (offloads & F_GUEST_CSUM ? NET_TAKES_CSUM : 0) |
		       (offloads & F_GUEST_TSO4 ? NET_TAKES_TSO4 : 0) |
		       (offloads & F_GUEST_TSO6 ? NET_TAKES_TSO6 : 0) |
		       (offloads & F_GUEST_ECN ? NET_TAKES_ECN : 0);
}

static void link_changed(void *self)
{
	struct virtio_net *d = self;
	uint8_t status = net_link_up(&d->end) ? S_LINK_UP : 0;

	if (d->v.config[C_STATUS] == status)
		return;
	d->v.config[C_STATUS] = status;
	virtio_config_changed(&d->v);
}

const struct net_end_ops virtio_net_ops = {
    .receive = virtio_net_receive,
    .can_receive = virtio_net_can_receive,
    .ready = virtio_net_ready,
    .link_changed = link_changed,
};

/* ---- the transport's calls ---- */

static void kick(struct virtio_pci *v, unsigned queue)
{
	struct virtio_net *d = of(v);

	if (queue == 2 * max_pairs(d)) {
		if (virtio_net_control(d, queue) < 0)
			virtio_broken(v);
		return;
	}
	if (queue > 2 * max_pairs(d))
		return;
	vq_want_notify(&v->vq[queue], false);
	if (queue & 1)
		d->to_send |= 1u << queue / 2;
	else
		d->flush = true;
	virtio_net_put_off(d);
}

static void config_written(struct virtio_pci *v)
{
	/* Drivers of virtio 1.0 use the control queue for that. */
	if (virtio_has(v, VIRTIO_F_VERSION_1))
		memcpy(v->config + C_MAC, of(v)->mac, NET_MAC_LEN);
}

/* Also after a saved state was loaded, with frames to send that the driver told of before. */
static void started(struct virtio_pci *v)
{
	struct virtio_net *d = of(v);

	if (d->fresh) {
		virtio_net_set_offloads(d, v->features & GUEST_OFFLOADS);
		d->vlan_filter = virtio_has(v, F_CTRL_VLAN);
		d->fresh = 0;
	}
	d->to_send = (1u << max_pairs(d)) - 1;
	virtio_net_put_off(d);
}

static void reset(struct virtio_pci *v)
{
	struct virtio_net *d = of(v);

	if (d->loop)
		loop_cancel(d->loop, &d->send_job);
	d->to_send = 0;
	d->flush = false;
	d->fresh = 1;
	d->pairs = 1;
	memset(d->flow, 0, sizeof(d->flow));
	memcpy(v->config + C_MAC, d->mac, NET_MAC_LEN);
	virtio_net_reset_filter(d);
	virtio_net_set_offloads(d, 0);
	net_purge(&d->end);
}

static void queue_reset(struct virtio_pci *v, unsigned queue)
{
	if (queue & 1)
		of(v)->to_send &= ~(1u << queue / 2);
}

static const struct virtio_type type = {
    .id = 1,
    .legacy_id = 0x1000,
    .class_code = 0x0200,
    .config_len = C_LEN,
    .config_writable = (1 << NET_MAC_LEN) - 1,
    .kick = kick,
    .config_written = config_written,
    .started = started,
    .reset = reset,
    .queue_reset = queue_reset,
};

static const struct field fields[] = {
    FIELD(virtio_net, fresh, 1),
    FIELD(virtio_net, pairs, 1),
    FIELD(virtio_net, promisc, 1),
    FIELD(virtio_net, allmulti, 0),
    FIELD(virtio_net, alluni, 0),
    FIELD(virtio_net, nomulti, 0),
    FIELD(virtio_net, nouni, 0),
    FIELD(virtio_net, nobcast, 0),
    FIELD(virtio_net, nr_unicast, 0),
    FIELD(virtio_net, nr_macs, 0),
    FIELD(virtio_net, too_many_unicast, 0),
    FIELD(virtio_net, too_many_multicast, 0),
    FIELD_ARRAY(virtio_net, macs, 0),
    FIELD_ARRAY(virtio_net, vlans, 0),
    FIELD(virtio_net, vlan_filter, 0),
    FIELD(virtio_net, offloads, 0),
    FIELD_END,
};

static void tame(void *state)
{
	struct virtio_net *d = state;

	if (!d->pairs || d->pairs > d->v.nr_queues / 2)
		d->pairs = 1;
	if (d->nr_macs > VIRTIO_NET_MACS)
		d->nr_macs = 0;
	if (d->nr_unicast > d->nr_macs)
		d->nr_unicast = d->nr_macs;
}

static void loaded(void *state)
{
	struct virtio_net *d = state;

	virtio_net_set_offloads(d, d->offloads & d->v.features & GUEST_OFFLOADS);
	memset(d->flow, 0, sizeof(d->flow));
	link_changed(d);
}

static uint64_t offered(const struct virtio_net *d, const struct virtio_net_options *o)
{
	uint64_t f = F_CSUM | F_GUEST_CSUM | F_GUEST_OFFLOADS | F_MAC | F_GUEST_TSO4 |
		     F_GUEST_TSO6 | F_GUEST_ECN | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN |
		     F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN |
		     F_CTRL_RX_EXTRA | F_CTRL_MAC_ADDR | VIRTIO_F_INDIRECT_DESC |
		     VIRTIO_F_EVENT_IDX | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_RING_RESET;

	f |= d->v.nr_queues > 3 ? F_MQ : 0;
	f |= o->mtu ? F_MTU : 0;
	f |= o->speed ? F_SPEED_DUPLEX : 0;
	f |= o->packed ? VIRTIO_F_RING_PACKED : 0;
	return f & ~o->without;
}

int virtio_net_init(struct virtio_net *d, struct loop *loop, const struct virtio_net_options *o)
{
	unsigned pairs = o->pairs ? o->pairs : 1, size = o->rx_size ? o->rx_size : QUEUE_SIZE;
	struct virtio_pci_options po = {
	    .nr_queues = 2 * pairs + 1,
	    .queue_size = (uint16_t)size,
	    .vectors = (uint16_t)(o->vectors ? o->vectors : 2 * pairs + 2),
	    .no_legacy = o->no_legacy,
	    .no_modern = o->no_modern,
	};
	uint8_t *c = d->v.config;

	if (pairs > VIRTIO_NET_MAX_PAIRS || size > VQ_MAX_SIZE)
		return -EINVAL;
	d->v.nr_queues = po.nr_queues;
	po.features = offered(d, o);
	d->loop = loop;
	d->send_job = (struct loop_job){.run = virtio_net_run, .opaque = d};
	d->pairs = 1;
	memcpy(c + C_MAC, d->mac, NET_MAC_LEN);
	c[C_STATUS] = net_link_up(&d->end) ? S_LINK_UP : 0;
	pci_set16(c + C_MAX_PAIRS, (uint16_t)pairs);
	pci_set16(c + C_MTU, o->mtu);
	pci_set32(c + C_SPEED, o->speed);
	c[C_DUPLEX] = DUPLEX_FULL;
	vq_elem_init(&d->out);
	vq_elem_init(&d->control);
	for (unsigned i = 0; i < VIRTIO_NET_MERGE; i++)
		vq_elem_init(&d->in[i]);
	virtio_net_reset_filter(d);
	device_init(&d->state, d->state_name, fields, d);
	d->state.tame = tame;
	d->state.loaded = loaded;
	return virtio_pci_init(&d->v, &type, "virtio-net-pci", &po);
}

void virtio_net_fini(struct virtio_net *d)
{
	if (d->loop)
		loop_cancel(d->loop, &d->send_job);
	net_end_fini(&d->end);
	vq_elem_fini(&d->out);
	vq_elem_fini(&d->control);
	for (unsigned i = 0; i < VIRTIO_NET_MERGE; i++)
		vq_elem_fini(&d->in[i]);
}
