/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The other ends of the network cards of the benchmark's guest. They answer at once, so that it is the way through the
 * card that is measured.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/bench.h"
#include "hw/net/e1000.h"
#include "hw/net/virtio_net.h"
#include "hw/pc.h"

#define NET_ID     "net"
#define MAX_WANTED 1024u

struct other_end {
	struct net_end end;
	uint64_t nr, sum; /* of what has come since the last answer */
};

static void answer(struct other_end *o, uint64_t number, uint64_t sum, size_t len)
{
	union {
		struct bench_frame f;
		uint8_t bytes[BENCH_FRAME_LONG];
	} u = {.f = {.to = {2, 0, 0, 0, 0, 2},
		     .from = {2, 0, 0, 0, 0, 1},
		     .type = BENCH_FRAME_TYPE,
		     .number = number,
		     .sum = sum}};

	net_send_buf(&o->end, u.bytes, len);
}

static bool receive(void *self, const struct iovec *iov, unsigned nr, const struct net_offload *off)
{
	struct other_end *o = self;
	struct bench_frame f = {0};

	(void)off;
	net_copy(&f, sizeof(f), iov, nr, 0);
	if (f.type != BENCH_FRAME_TYPE)
		return true;
	if (f.command == BENCH_FRAME_SEND) {
		for (uint64_t n = 0; n < f.number && n < MAX_WANTED; n++)
			answer(o, n, 0, BENCH_FRAME_LONG);
		return true;
	}
	o->nr++;
	o->sum += f.number + net_len(iov, nr);
	if (f.command == BENCH_FRAME_ANSWER) {
		answer(o, o->nr, o->sum, BENCH_FRAME_SHORT);
		o->nr = o->sum = 0;
	}
	return true;
}

static const struct net_end_ops ops = {.receive = receive};

static void *find_net(void *opaque, enum prop_kind kind, const char *id)
{
	return kind == PROP_NETDEV && strcmp(id, NET_ID) == 0 ? opaque : NULL;
}

static int add_card(struct pc *pc, const struct device_type *type, char *err, size_t len)
{
	struct other_end *o = calloc(1, sizeof(*o)); /* stays until the process ends */
	struct device_spec spec;

	if (!o) {
		snprintf(err, len, "%s", strerror(ENOMEM));
		return -1;
	}
	net_end_init(&o->end, NET_ID, &ops, o);
	device_spec_init(&spec, type);
	if (device_spec_set(&spec, "netdev", NET_ID, err, len) < 0 ||
	    device_spec_done(&spec, err, len) < 0)
		return -1;
	return pc_add_device(pc, &spec, find_net, &o->end, err, len);
}

int bench_net_attach(struct pc *pc, char *err, size_t len)
{
	return add_card(pc, &virtio_net_type, err, len) < 0 ||
		       add_card(pc, &e1000_type, err, len) < 0
		   ? -1
		   : 0;
}
