/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-net: frames between the queues and the link, in place. A doorbell only leaves a note: frames are sent on
 * the loop's thread, while the driver adds more without ringing again.
 */
#include <errno.h>

#include "hw/net/virtio_net_impl.h"

#define SEND_ROUND      256u /* frames, after which others have their turn */
#define SEND_NOW_ROUNDS 16u
#define HEADER_LEN      12u
#define OLD_HEADER      10u /* without the count of buffers */
#define HASHED_BYTES    40u /* of what follows the Ethernet header */

static size_t header_len(const struct virtio_net *d)
{
	return d->v.features & (VIRTIO_F_VERSION_1 | F_MRG_RXBUF) ? HEADER_LEN : OLD_HEADER;
}

static bool alive(const struct virtio_net *d)
{
	return !(d->v.status & VIRTIO_NEEDS_RESET) && pci_is_master(&d->v.func);
}

/* ---- flows ---- */

/* The same for both directions of a flow. */
static unsigned flow_of(const uint8_t *ip, size_t len, bool v6)
{
	size_t addr = v6 ? 8 : 12, size = v6 ? 16 : 4, ports;
	uint32_t h = 0;

	ports = v6 ? 40 : (ip[0] & 15) * 4u;
	for (size_t i = addr; i < addr + 2 * size; i++)
		h += (uint32_t)ip[i] << i % 4 * 8;
	if (ports + 4 <= len)
		h += (uint32_t)(ip[ports] << 8 | ip[ports + 1]) +
		     (uint32_t)(ip[ports + 2] << 8 | ip[ports + 3]);
	h ^= h >> 16;
	return (h ^ h >> 8) % VIRTIO_NET_FLOWS;
}

/* -1: what is no IP goes by the first pair. */
static int flow_of_frame(const struct iovec *iov, unsigned nr)
{
	uint8_t head[NET_HEADER_LEN + 64] = {0};
	size_t len = net_copy(head, sizeof(head), iov, nr, 0);
	unsigned type = (unsigned)(head[12] << 8 | head[13]);

	if (len < NET_HEADER_LEN + HASHED_BYTES || (type != 0x0800 && type != 0x86dd))
		return -1;
	return (int)flow_of(head + NET_HEADER_LEN, len - NET_HEADER_LEN, type == 0x86dd);
}

/* ---- sending ---- */

/* The driver's header, as far as it may ask for things. */
static void take_offload(struct virtio_net *d, struct net_offload *o)
{
	uint8_t gso = o->gso_type & (uint8_t)~NET_GSO_ECN;

	if (!virtio_has(&d->v, F_CSUM))
		o->flags = 0;
	if ((gso == NET_GSO_TCP4 && !virtio_has(&d->v, F_HOST_TSO4)) ||
	    (gso == NET_GSO_TCP6 && !virtio_has(&d->v, F_HOST_TSO6)) || gso == NET_GSO_NONE)
		o->gso_type = NET_GSO_NONE;
}

/* One chain of the driver's. 0 or -EINVAL. */
static int send_chain(struct virtio_net *d, unsigned pair)
{
	struct dma_sg *sg = &d->out.out;
	size_t header = header_len(d);
	struct net_offload o;
	int flow;

	_Static_assert(sizeof(o) == OLD_HEADER, "as in the queue");
	if (sg->len < header)
		return -EINVAL;
	dma_sg_read(sg, 0, &o, sizeof(o));
	dma_sg_skip(sg, header);
	take_offload(d, &o);
	if (d->pairs > 1 && (flow = flow_of_frame(sg->iov, sg->nr)) >= 0)
		d->flow[flow] = (uint8_t)pair;
	net_send(&d->end, sg->iov, sg->nr, &o);
	return 0;
}

/* Sends what the driver has for one pair. 1: there is more; 0, or -errno when the queue makes no
 * sense. */
static int send_some(struct virtio_net *d, unsigned pair)
{
	unsigned queue = 2 * pair + 1, sent = 0;
	struct virtqueue *vq = &d->v.vq[queue];
	int r = 1;

	vq_want_notify(vq, false);
	while (sent < SEND_ROUND) {
		/* virtio_net_ops.ready() goes on. */
		if (!net_can_send(&d->end)) {
			d->to_send |= 1u << pair;
			r = 0;
			break;
		}
		r = vq_pop(vq, &d->out);
		if (r > 0 && send_chain(d, pair) < 0)
			r = -EINVAL;
		if (r <= 0)
			break;
		vq_push(vq, &d->out, 0);
		sent++;
	}
	if (sent)
		virtio_notify(&d->v, queue);
	if (r != 0 || d->to_send >> pair & 1)
		return r;
	vq_want_notify(vq, true);
	return vq_empty(vq) ? 0 : 1;
}

static void send_all(struct virtio_net *d)
{
	uint32_t pairs = d->to_send;

	d->to_send = 0;
	for (; pairs && alive(d); pairs &= pairs - 1) {
		unsigned pair = (unsigned)__builtin_ctz(pairs);
		int r = send_some(d, pair);

		if (r < 0)
			virtio_broken(&d->v);
		else if (r > 0)
			d->to_send |= 1u << pair;
	}
}

static void do_work(struct virtio_net *d)
{
	if (d->flush) {
		d->flush = false;
		net_flush(&d->end);
	}
	send_all(d);
}

/* What was put off, on the loop's thread. */
void virtio_net_run(void *opaque)
{
	struct virtio_net *d = opaque;

	do_work(d);
	if (d->to_send && net_can_send(&d->end))
		loop_defer(d->loop, &d->send_job);
}

void virtio_net_put_off(struct virtio_net *d)
{
	if (d->loop) {
		loop_defer(d->loop, &d->send_job);
		return;
	}
	/* A driver whose ring does not come to rest rings again, or is at fault. */
	for (unsigned i = 0; i < SEND_NOW_ROUNDS; i++) {
		do_work(d);
		if (!d->to_send || !net_can_send(&d->end))
			break;
	}
}

void virtio_net_ready(void *self)
{
	struct virtio_net *d = self;

	if (d->to_send)
		virtio_net_put_off(d);
}

/* ---- receiving ---- */

bool virtio_net_can_receive(void *self)
{
	struct virtio_net *d = self;

	for (unsigned i = 0; i < d->pairs; i++) {
		struct virtqueue *vq = &d->v.vq[2 * i];

		/* What nobody wants to receive is dropped instead of waiting. */
		if (!vq->enabled || vq->broken || !vq_empty(vq))
			continue;
		vq_want_notify(vq, true);
		if (vq_empty(vq))
			return false;
		vq_want_notify(vq, false);
	}
	return true;
}

static void put_back(struct virtio_net *d, struct virtqueue *vq, unsigned n)
{
	while (n)
		vq_unpop(vq, &d->in[--n]);
}

/* Takes chains for `size` bytes off the queue, each with as much as is to go there. Their number, 0 when
 * there are not enough, or -errno. */
static int take_chains(struct virtio_net *d, struct virtqueue *vq, size_t size, uint32_t *len)
{
	bool merge = virtio_has(&d->v, F_MRG_RXBUF);
	size_t room = 0;
	int n = 0, r;

	while (room < size) {
		struct vq_elem *e = &d->in[n];

		r = (unsigned)n < VIRTIO_NET_MERGE ? vq_pop(vq, e) : -EMSGSIZE;
		if (r > 0 && !e->in.len)
			r = -EINVAL;
		if (r > 0 && !merge && e->in.len < size) {
			n++;
			r = -EMSGSIZE;
		}
		if (r <= 0) {
			put_back(d, vq, (unsigned)n);
			return r;
		}
		len[n] = (uint32_t)(e->in.len < size - room ? e->in.len : size - room);
		room += len[n++];
	}
	/* The header is in one chain. */
	if (*len < header_len(d))
		return -EINVAL;
	return n;
}

/* Writes to the chains one after the other. */
struct writer {
	struct virtio_net *d;
	const uint32_t *len;
	unsigned chain;
	size_t off;
};

static void write_bytes(struct writer *w, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		size_t now = w->len[w->chain] - w->off;

		if (now > len)
			now = len;
		dma_sg_write(&w->d->in[w->chain].in, w->off, p, now);
		p += now;
		len -= now;
		w->off += now;
		if (w->off == w->len[w->chain]) {
			w->chain++;
			w->off = 0;
		}
	}
}

static bool receive_into(struct virtio_net *d, unsigned pair, const struct iovec *iov, unsigned nr,
			 const struct net_offload *o)
{
	struct virtqueue *vq = &d->v.vq[2 * pair];
	uint32_t len[VIRTIO_NET_MERGE];
	struct writer w = {d, len, 0, 0};
	struct {
		struct net_offload o;
		uint16_t buffers;
	} header = {0};
	int n = take_chains(d, vq, header_len(d) + net_len(iov, nr), len);

	if (n == 0) {
		vq_want_notify(vq, true);
		n = take_chains(d, vq, header_len(d) + net_len(iov, nr), len);
		if (n == 0)
			return false;
		vq_want_notify(vq, false);
	}
	if (n < 0) {
		/* A frame too long for the driver's buffers is lost; it may come from outside. */
		if (n != -EMSGSIZE)
			virtio_broken(&d->v);
		return true;
	}
	_Static_assert(sizeof(header) == HEADER_LEN, "as in the queue");
	if (o)
		header.o = *o;
	header.buffers = (uint16_t)n;
	write_bytes(&w, &header, header_len(d));
	for (unsigned i = 0; i < nr; i++)
		write_bytes(&w, iov[i].iov_base, iov[i].iov_len);
	vq_push_all(vq, d->in, len, (unsigned)n);
	virtio_notify(&d->v, 2 * pair);
	return true;
}

bool virtio_net_receive(void *self, const struct iovec *iov, unsigned nr,
			const struct net_offload *o)
{
	struct virtio_net *d = self;
	uint8_t head[NET_HEADER_LEN + 4] = {0};
	unsigned pair = 0;

	net_copy(head, sizeof(head), iov, nr, 0);
	if (!alive(d) || !virtio_net_wants(d, head))
		return true;
	if (d->pairs > 1) {
		int flow = flow_of_frame(iov, nr);

		pair = flow < 0 ? 0 : d->flow[flow];
	}
	if (pair >= d->pairs || !d->v.vq[2 * pair].enabled || d->v.vq[2 * pair].broken)
		return true;
	return receive_into(d, pair, iov, nr, o);
}
