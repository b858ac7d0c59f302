/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the virtio socket device: queues and packets (virtio_vsock.c), connections with their sockets
 * (vsock_conn.c). Machine lock held.
 */
#ifndef HW_VIRTIO_VSOCK_IMPL_H
#define HW_VIRTIO_VSOCK_IMPL_H

#include "hw/virtio/virtio_vsock.h"

#define VSOCK_HEADER   44u
#define VSOCK_HOST_CID 2u

/* 5.10.6 */
enum { VSOCK_TYPE_STREAM = 1 };
enum vsock_op {
	VSOCK_REQUEST = 1,
	VSOCK_RESPONSE = 2,
	VSOCK_RST = 3,
	VSOCK_SHUTDOWN = 4,
	VSOCK_RW = 5,
	VSOCK_CREDIT_UPDATE = 6,
	VSOCK_CREDIT_REQUEST = 7,
};
enum { VSOCK_SHUT_RECEIVE = 1, VSOCK_SHUT_SEND = 2 };

/* ---- virtio_vsock.c ---- */

/* Something may be there for the guest. */
void vsock_pump(struct virtio_vsock *d);

/* ---- vsock_conn.c ---- */

/* Who connects to the guest comes by it. 0 or -errno. */
int vsock_listen(struct virtio_vsock *d);
void vsock_unlisten(struct virtio_vsock *d);
void vsock_drop_all(struct virtio_vsock *d);
/* A packet of the guest with h->len bytes of data in d->buf. False: there is no such connection. */
bool vsock_take(struct virtio_vsock *d, const struct vsock_header *h);
/* What the guest gets next of connection n: true with its header, and h->len bytes of data, of at most `room`, in
 * d->buf. It may be gone afterwards. */
bool vsock_give(struct virtio_vsock *d, unsigned n, struct vsock_header *h, size_t room);

#endif
