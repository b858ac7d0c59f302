/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio socket device (virtio 1.2, 5.10) on PCI: streams between programs in the guest, by AF_VSOCK, and programs
 * on the host, by Unix sockets. Who connects to the socket at PATH and says "CONNECT 1234\n" reaches the guest's port
 * 1234, and reads "OK PORT\n" first; a guest that connects to port 1234 of the host (CID 2) reaches who listens at
 * PATH_1234. Firecracker and Cloud Hypervisor have the same arrangement.
 */
#ifndef HW_VIRTIO_VIRTIO_VSOCK_H
#define HW_VIRTIO_VIRTIO_VSOCK_H

#include "hw/loop.h"
#include "hw/virtio/virtio_pci.h"

#define VSOCK_CONNS    256u
#define VSOCK_RSTS     64u
#define VSOCK_PATH_MAX 90u    /* a Unix socket's, less what the guest's ports add */
#define VSOCK_PACKET   65536u /* bytes of data in one, at most */
#define VSOCK_BUFFER                                                                               \
	0x40000u /* that the guest may send before a program on the host has read them */

struct vsock_conn;

struct vsock_header {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
};

struct virtio_vsock {
	struct virtio_pci v; /* first */
	struct device state; /* of the field below */
	char state_name[64];
	uint8_t event_pending; /* the guest has yet to be told that its connections are gone */

	struct loop *loop;
	struct loop_job more; /* for what was too much at once */
	uint64_t cid;
	char path[VSOCK_PATH_MAX + 1];
	int listener;
	struct vsock_conn *conn[VSOCK_CONNS]; /* in their order, from 0 */
	unsigned nr_conns, turn;
	uint32_t next_port; /* of the host's, for who connects to the guest */
	struct vsock_port_pair {
		uint32_t guest, host;
	} rst[VSOCK_RSTS]; /* connections that are not there, for the guest to know */
	unsigned nr_rsts;
	struct vq_elem e;
	uint8_t buf[VSOCK_PACKET];
};

/* cid: the guest's, 3 to 2^32 - 1. Listens at path, of at most VSOCK_PATH_MAX bytes. The caller puts d->v on a
 * bus. 0 or -errno. */
int virtio_vsock_init(struct virtio_vsock *d, struct loop *loop, uint64_t cid, const char *path,
		      const struct virtio_pci_options *layout);
void virtio_vsock_fini(struct virtio_vsock *d);

extern const struct device_type virtio_vsock_type;

#endif
