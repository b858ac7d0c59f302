/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio network card (virtio 1.2, 5.1) on PCI: checksum and TSO offloads both ways, mergeable
 * receive buffers, a control queue, several pairs of queues.
 */
#ifndef HW_NET_VIRTIO_NET_H
#define HW_NET_VIRTIO_NET_H

#include "hw/loop.h"
#include "hw/net/net.h"
#include "hw/virtio/virtio_pci.h"

#define VIRTIO_NET_MAX_PAIRS 16u
#define VIRTIO_NET_MACS      64u /* of the table of addresses */
#define VIRTIO_NET_FLOWS     256u
/* Buffers that one frame may take. */
#define VIRTIO_NET_MERGE 256u

struct virtio_net {
	struct virtio_pci v; /* first */
	struct net_end end;
	struct loop *loop; /* where sending is put off to; NULL: sends on the vCPU's thread */
	struct loop_job send_job;
	uint32_t to_send; /* pairs whose driver has something to send */
	bool flush;       /* a driver has given buffers to receive into */
	struct device state;
	char state_name[64];
	uint8_t mac[NET_MAC_LEN]; /* that the user has given it */

	/* What the driver has set by the control queue. */
	uint8_t fresh;  /* none of it: the driver has not started yet */
	uint16_t pairs; /* in use */
	uint8_t promisc, allmulti, alluni, nomulti, nouni, nobcast;
	uint8_t nr_unicast, nr_macs; /* the table: unicast first */
	uint8_t too_many_unicast, too_many_multicast;
	uint8_t macs[VIRTIO_NET_MACS * NET_MAC_LEN];
	uint8_t vlans[4096 / 8];
	uint8_t vlan_filter; /* vlans counts */
	uint64_t offloads;   /* those on the way in that are on, as feature bits */

	uint8_t flow[VIRTIO_NET_FLOWS]; /* the pair that a flow was last sent by */
	struct vq_elem out, control;
	struct vq_elem in[VIRTIO_NET_MERGE];
};

struct virtio_net_options {
	unsigned pairs;            /* 0: one */
	unsigned rx_size, tx_size; /* 0: 256 */
	unsigned vectors;          /* 0: one for each queue and one for the configuration */
	uint16_t mtu;              /* 0: not told */
	uint32_t speed;            /* Mb/s; 0: not told */
	uint64_t without;          /* features not to offer */
	bool packed, no_legacy, no_modern;
};

/* The card's address and end->peer come from the caller, which has made d->end by virtio_net_ops; d is
 * otherwise zero. loop: NULL to send at once. 0 or -EINVAL for options out of range. */
int virtio_net_init(struct virtio_net *d, struct loop *loop, const struct virtio_net_options *o);
void virtio_net_fini(struct virtio_net *d);

extern const struct net_end_ops virtio_net_ops;
extern const struct device_type virtio_net_type;

#endif
