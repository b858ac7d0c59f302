/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio socket device between a driver that lies and programs of the host that do not behave.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/virtio/virtio_vsock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vring.h"

#define CID  5u
#define PORT 2u /* where somebody of the host listens */

enum { RX, TX, EVENTS, PEERS = 4, RING = 16 };

static struct {
	pthread_mutex_t lock;
	struct loop *loop;
	struct loop_job stop;
	struct virtio_vsock d;
	struct vring r[3];
	char path[64], served[80];
	int server, peer[PEERS];
} * vs;

static void stop(void *opaque)
{
	(void)opaque;
	loop_quit(vs->loop);
}

static void turn(void)
{
	for (unsigned i = 0; i < 3; i++) {
		loop_defer(vs->loop, &vs->stop);
		loop_run(vs->loop);
	}
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	return un;
}

static void vsock_init(void)
{
	static const struct virtio_pci_options layout = {.features = VIRTIO_F_INDIRECT_DESC};
	struct sockaddr_un un;

	vs = calloc(1, sizeof(*vs));
	pthread_mutex_init(&vs->lock, NULL);
	vs->loop = loop_new(world.clock, &vs->lock);
	vs->stop = (struct loop_job){.run = stop};
	snprintf(vs->path, sizeof(vs->path), "/tmp/doppel-fuzz-vsock-%d", getpid());
	snprintf(vs->served, sizeof(vs->served), "%s_%u", vs->path, PORT);
	for (unsigned i = 0; i < PEERS; i++)
		vs->peer[i] = -1;
	vs->server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	un = address(vs->served);
	unlink(vs->served);
	if (bind(vs->server, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(vs->server, 4) < 0 ||
	    virtio_vsock_init(&vs->d, vs->loop, CID, vs->path, &layout) < 0)
		abort();
	fuzz_pci_add(&vs->d.v.func);
	fuzz_add(&vs->d.v.state);
	fuzz_add(&vs->d.state);
}

static void vsock_fini(void)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (vs->peer[i] >= 0)
			close(vs->peer[i]);
	close(vs->server);
	unlink(vs->served);
	virtio_vsock_fini(&vs->d);
	loop_free(vs->loop);
	free(vs);
}

/* ---- the guest ---- */

static void vsock_start(uint64_t at)
{
	put(at + 20, 0, 1);
	put(at + 20, 3, 1);
	put(at + 8, 1, 4);
	put(at + 12, 1, 4);
	put(at + 20, 11, 1);
	memset(world.ram->host, 0, STRUCTS);
	for (unsigned q = 0; q < 3; q++) {
		vring_init(&vs->r[q], world.mem, false, RING, 0x1000 + 0x2000 * q);
		put(at + 22, q, 2);
		put(at + 24, RING, 2);
		put(at + 32, vs->r[q].desc, 8);
		put(at + 40, vs->r[q].driver, 8);
		put(at + 48, vs->r[q].device, 8);
		put(at + 28, 1, 2);
	}
	put(at + 20, 15, 1);
}

static uint32_t guest_port(void)
{
	return below(4);
}

static uint32_t host_port(void)
{
	return one_in(2) ? below(4) : vs->d.next_port - below(3);
}

static void send_packet(void)
{
	uint64_t at = 0x8000 + 0x40 * below(64);
	uint32_t len = one_in(2) ? 0 : below(3000);
	struct vbuf b[2] = {{at, one_in(32) ? below(64) : 44, false},
			    {FUZZ_RAM / 2, one_in(16) ? below(4000) : len, false}};

	put(at, one_in(32) ? value() : CID, 8);
	put(at + 8, one_in(32) ? value() : 2, 8);
	put(at + 16, guest_port(), 4);
	put(at + 20, host_port(), 4);
	put(at + 24, one_in(32) ? value() : len, 4);
	put(at + 28, one_in(32) ? value() : 1, 2);
	put(at + 30, one_in(3) ? 1 + below(2) : len ? 5 : below(9), 2);
	put(at + 32, below(4), 4);
	put(at + 36, one_in(2) ? 65536 : value(), 4);
	put(at + 40, one_in(2) ? below(4096) : value(), 4);
	vring_add(&vs->r[TX], b, len ? 2 : 1, 0);
}

static void give_buffer(unsigned queue)
{
	struct vbuf b = {FUZZ_RAM * 3 / 4 + 0x1000 * below(16),
			 one_in(16) ? 44 + below(8) : 44 + below(4000), true};

	vring_add(&vs->r[queue], &b, 1, 0);
}

/* ---- the host ---- */

static void peer(void)
{
	int *fd = &vs->peer[below(PEERS)];
	struct sockaddr_un un = address(vs->path);
	char buf[1024] = {0};

	if (*fd < 0) {
		*fd = accept4(vs->server, NULL, NULL, SOCK_NONBLOCK);
		if (*fd >= 0)
			return;
		*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(*fd, (struct sockaddr *)&un, sizeof(un)) == 0) {
			int n = snprintf(buf, sizeof(buf), "CONNECT %u\n", guest_port());

			if (one_in(16))
				buf[below((unsigned)n)] = (char)value();
			send(*fd, buf, one_in(8) ? below((unsigned)n) : (size_t)n, MSG_NOSIGNAL);
		}
		return;
	}
	switch (below(6)) {
	case 0:
	case 1:
		send(*fd, buf, below(sizeof(buf)), MSG_NOSIGNAL);
		break;
	case 2:
	case 3:
		recv(*fd, buf, below(sizeof(buf)), 0);
		break;
	case 4:
		shutdown(*fd, (int)below(3));
		break;
	case 5:
		close(*fd);
		*fd = -1;
		break;
	}
}

static void vsock_round(void)
{
	uint64_t at = bar(&vs->d.v.func, 4);
	uint32_t len;
	uint16_t id;

	if (one_in(16) ||
	    (vs->d.v.status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) != VIRTIO_DRIVER_OK)
		vsock_start(at);
	for (unsigned k = below(8); k < 8; k++) {
		while (vring_used(&vs->r[RX], 1, &id, &len))
			;
		for (unsigned n = below(4); n--;)
			give_buffer(one_in(16) ? EVENTS : RX);
		for (unsigned n = below(4); n--;)
			send_packet();
		peer();
		put(at + 0x3000 + 4 * below(3), 0, 2);
		turn();
	}
	if (one_in(8))
		noise(2);
	if (one_in(16))
		any_access(&vs->d.v.func);
}

const struct fuzz_device fuzz_vsock[] = {
    {"virtio-vsock", vsock_init, NULL, vsock_round, vsock_fini, NULL},
    {0},
};
