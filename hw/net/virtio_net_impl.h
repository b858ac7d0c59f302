/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the device virtio-net, its data queues and its control queue.
 */
#ifndef HW_NET_VIRTIO_NET_IMPL_H
#define HW_NET_VIRTIO_NET_IMPL_H

#include "hw/net/virtio_net.h"

#define F_CSUM           (1ull << 0)
#define F_GUEST_CSUM     (1ull << 1)
#define F_GUEST_OFFLOADS (1ull << 2)
#define F_MTU            (1ull << 3)
#define F_MAC            (1ull << 5)
#define F_GUEST_TSO4     (1ull << 7)
#define F_GUEST_TSO6     (1ull << 8)
#define F_GUEST_ECN      (1ull << 9)
#define F_HOST_TSO4      (1ull << 11)
#define F_HOST_TSO6      (1ull << 12)
#define F_HOST_ECN       (1ull << 13)
#define F_MRG_RXBUF      (1ull << 15)
#define F_STATUS         (1ull << 16)
#define F_CTRL_VQ        (1ull << 17)
#define F_CTRL_RX        (1ull << 18)
#define F_CTRL_VLAN      (1ull << 19)
#define F_CTRL_RX_EXTRA  (1ull << 20)
#define F_MQ             (1ull << 22)
#define F_CTRL_MAC_ADDR  (1ull << 23)
#define F_SPEED_DUPLEX   (1ull << 63)

#define GUEST_OFFLOADS (F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN)

/* Offsets in the configuration space. */
enum {
	C_MAC = 0,
	C_STATUS = 6,
	C_MAX_PAIRS = 8,
	C_MTU = 10,
	C_SPEED = 12,
	C_DUPLEX = 16,
	C_LEN = 17,
};
enum { S_LINK_UP = 1 };

/* What has been agreed on offloads takes effect. */
void virtio_net_set_offloads(struct virtio_net *d, uint64_t offloads);
/* A driver that knows nothing of the control queue receives everything. */
void virtio_net_reset_filter(struct virtio_net *d);
/* Whether the driver wants to see a frame with this head (of an Ethernet header and a VLAN tag, or zeroes). */
bool virtio_net_wants(const struct virtio_net *d, const uint8_t *head);
/* Carries out what is in the control queue. 0, or -errno when the queue makes no sense. */
int virtio_net_control(struct virtio_net *d, unsigned queue);

/* ---- virtio_net_data.c ---- */

/* Sends what to_send names: soon, on the loop's thread; at once without a loop. */
void virtio_net_put_off(struct virtio_net *d);
/* send_job of a virtio_net. */
void virtio_net_run(void *opaque);
/* Of struct net_end_ops. */
void virtio_net_ready(void *self);
bool virtio_net_can_receive(void *self);
bool virtio_net_receive(void *self, const struct iovec *iov, unsigned nr,
			const struct net_offload *o);

#endif
