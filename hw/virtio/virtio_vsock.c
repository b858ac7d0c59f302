/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Queues and packets of the virtio socket device. See the header; connections are in vsock_conn.c.
 */
#include "hw/virtio/virtio_vsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/virtio/virtio_impl.h"
#include "hw/virtio/vsock_impl.h"

enum { RX, TX, EVENTS, QUEUES };
enum { QUEUE_SIZE = 128, EVENT_LEN = 4, TRANSPORT_RESET = 0, MIN_CID = 3 };
enum { AT_ONCE = QUEUE_SIZE }; /* packets each way, with the machine waiting */

static struct virtio_vsock *of(struct virtio_pci *v)
{
	return (struct virtio_vsock *)v;
}

static uint64_t get64(const uint8_t *p)
{
	return pci_get32(p) | (uint64_t)pci_get32(p + 4) << 32;
}

static void set64(uint8_t *p, uint64_t v)
{
	pci_set32(p, (uint32_t)v);
	pci_set32(p + 4, (uint32_t)(v >> 32));
}

/* ---- from the guest ---- */

static void add_rst(struct virtio_vsock *d, const struct vsock_header *h)
{
	d->rst[d->nr_rsts++] = (struct vsock_port_pair){h->src_port, h->dst_port};
}

static void take_packet(struct virtio_vsock *d, const struct dma_sg *sg)
{
	uint8_t raw[VSOCK_HEADER];
	struct vsock_header h;
	bool ok;

	if (dma_sg_read(sg, 0, raw, sizeof(raw)) < sizeof(raw))
		return;
	h = (struct vsock_header){
	    .src_cid = get64(raw),
	    .dst_cid = get64(raw + 8),
	    .src_port = pci_get32(raw + 16),
	    .dst_port = pci_get32(raw + 20),
	    .len = pci_get32(raw + 24),
	    .type = pci_get16(raw + 28),
	    .op = pci_get16(raw + 30),
	    .flags = pci_get32(raw + 32),
	    .buf_alloc = pci_get32(raw + 36),
	    .fwd_cnt = pci_get32(raw + 40),
	};
	if (h.src_cid != d->cid || h.dst_cid != VSOCK_HOST_CID)
		return;
	ok = h.type == VSOCK_TYPE_STREAM && h.len <= VSOCK_PACKET &&
	     dma_sg_read(sg, VSOCK_HEADER, d->buf, h.len) == h.len;
	if (!ok)
		h.op = h.op == VSOCK_RST ? VSOCK_RST : 0;
	if (!vsock_take(d, &h))
		add_rst(d, &h);
}

/* Takes packets while there is room for what they may bring about. Whether there may be more. */
static bool take_all(struct virtio_vsock *d)
{
	for (unsigned n = 0; d->nr_rsts < VSOCK_RSTS; n++) {
		int got;

		if (n == AT_ONCE)
			return true;
		got = vq_pop(&d->v.vq[TX], &d->e);
		if (got < 0)
			virtio_broken(&d->v);
		if (got <= 0)
			break;
		take_packet(d, &d->e.out);
		vq_push(&d->v.vq[TX], &d->e, 0);
		virtio_notify(&d->v, TX);
	}
	return false;
}

/* ---- to the guest ---- */

static bool next_packet(struct virtio_vsock *d, struct vsock_header *h, size_t room)
{
	if (d->nr_rsts) {
		struct vsock_port_pair r = d->rst[--d->nr_rsts];

		*h =
		    (struct vsock_header){.src_port = r.host, .dst_port = r.guest, .op = VSOCK_RST};
		return true;
	}
	for (unsigned i = 0, n = d->nr_conns; i < n; i++) {
		d->turn = d->turn + 1 < d->nr_conns ? d->turn + 1 : 0;
		if (vsock_give(d, d->turn, h, room))
			return true;
	}
	return false;
}

static void put_packet(struct virtio_vsock *d, const struct vsock_header *h)
{
	uint8_t raw[VSOCK_HEADER];

	set64(raw, VSOCK_HOST_CID);
	set64(raw + 8, d->cid);
	pci_set32(raw + 16, h->src_port);
	pci_set32(raw + 20, h->dst_port);
	pci_set32(raw + 24, h->len);
	pci_set16(raw + 28, VSOCK_TYPE_STREAM);
	pci_set16(raw + 30, h->op);
	pci_set32(raw + 32, h->flags);
	pci_set32(raw + 36, h->buf_alloc);
	pci_set32(raw + 40, h->fwd_cnt);
	dma_sg_write(&d->e.in, 0, raw, sizeof(raw));
	dma_sg_write(&d->e.in, sizeof(raw), d->buf, h->len);
	vq_push(&d->v.vq[RX], &d->e, VSOCK_HEADER + h->len);
	virtio_notify(&d->v, RX);
}

/* Whether there may be more. */
static bool give_all(struct virtio_vsock *d)
{
	struct vsock_header h;

	for (unsigned n = 0; d->nr_rsts || d->nr_conns; n++) {
		int got;

		if (n == AT_ONCE)
			return true;
		got = vq_pop(&d->v.vq[RX], &d->e);
		if (got < 0 || (got && d->e.in.len < VSOCK_HEADER)) {
			virtio_broken(&d->v);
			break;
		}
		if (!got)
			break;
		if (!next_packet(d, &h, d->e.in.len - VSOCK_HEADER)) {
			vq_unpop(&d->v.vq[RX], &d->e);
			break;
		}
		put_packet(d, &h);
	}
	return false;
}

/* After a saved state was loaded. */
static void tell_event(struct virtio_vsock *d)
{
	static const uint8_t event[EVENT_LEN] = {TRANSPORT_RESET};
	int got;

	if (!d->event_pending)
		return;
	got = vq_pop(&d->v.vq[EVENTS], &d->e);
	if (got < 0)
		virtio_broken(&d->v);
	if (got <= 0)
		return;
	vq_push(&d->v.vq[EVENTS], &d->e, (uint32_t)dma_sg_write(&d->e.in, 0, event, sizeof(event)));
	virtio_notify(&d->v, EVENTS);
	d->event_pending = 0;
}

void vsock_pump(struct virtio_vsock *d)
{
	bool more;

	if (!(d->v.status & VIRTIO_DRIVER_OK))
		return;
	virtio_batch(&d->v, true);
	tell_event(d);
	more = take_all(d);
	more |= give_all(d);
	virtio_batch(&d->v, false);
	if (more)
		loop_defer(d->loop, &d->more);
}

static void go_on(void *opaque)
{
	vsock_pump(opaque);
}

/* ---- life ---- */

static void kick(struct virtio_pci *v, unsigned queue)
{
	(void)queue;
	vsock_pump(of(v));
}

static void started(struct virtio_pci *v)
{
	vsock_pump(of(v));
}

static void reset(struct virtio_pci *v)
{
	struct virtio_vsock *d = of(v);

	loop_cancel(d->loop, &d->more);
	vsock_drop_all(d);
	d->event_pending = 0;
}

static const struct virtio_type type = {
    .id = 19,
    .class_code = 0x0780,
    .config_len = 8,
    .kick = kick,
    .started = started,
    .reset = reset,
};

static const struct field fields[] = {
    FIELD(virtio_vsock, event_pending, 0),
    FIELD_END,
};

/* Connections are with programs of the host as it was then; those of now are not the guest's. */
static void tame(void *state)
{
	vsock_drop_all(state);
}

static void loaded(void *state)
{
	struct virtio_vsock *d = state;

	d->event_pending = 1;
	vsock_pump(d);
}

int virtio_vsock_init(struct virtio_vsock *d, struct loop *loop, uint64_t cid, const char *path,
		      const struct virtio_pci_options *layout)
{
	struct virtio_pci_options po = *layout;
	int r;

	memset(d, 0, sizeof(*d));
	d->listener = -1;
	if (cid < MIN_CID || cid >= UINT32_MAX)
		return -EINVAL;
	if (strlen(path) > VSOCK_PATH_MAX)
		return -ENAMETOOLONG;
	d->loop = loop;
	d->more = (struct loop_job){.run = go_on, .opaque = d};
	d->cid = cid;
	strcpy(d->path, path);
	set64(d->v.config, cid);
	vq_elem_init(&d->e);
	device_init(&d->state, d->state_name, fields, d);
	d->state.tame = tame;
	d->state.loaded = loaded;
	po.nr_queues = QUEUES;
	po.queue_size = QUEUE_SIZE;
	po.vectors = QUEUES + 1;
	po.no_legacy = true;
	r = virtio_pci_init(&d->v, &type, "virtio-vsock-pci", &po);
	return r < 0 ? r : vsock_listen(d);
}

void virtio_vsock_fini(struct virtio_vsock *d)
{
	if (d->loop) {
		loop_cancel(d->loop, &d->more);
		vsock_drop_all(d);
		vsock_unlisten(d);
	}
	vq_elem_fini(&d->e);
}

/* ---- -device virtio-vsock-pci ---- */

static const struct prop props[] = {
    {"guest-cid", PROP_NUM, "the guest's address, from 3 on", NULL, UINT32_MAX - 1, true},
    {"uds", PROP_STR, "the Unix socket by which programs of the host reach the guest", NULL, 0,
     true},
    {"packed", PROP_BOOL, "the packed layout of queues", "off", 0, false},
    {0},
};

static void destroy(void *self)
{
	virtio_vsock_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_pci_options layout = virtio_layout(args);
	struct virtio_vsock *d = calloc(1, sizeof(*d));
	const char *path = arg_str(args, "uds");
	int r;

	if (!d)
		return -ENOMEM;
	r = virtio_vsock_init(d, args->env->loop, arg_num(args, "guest-cid"), path, &layout);
	if (r == -EINVAL)
		snprintf(err, errlen,
			 "-device virtio-vsock-pci: guest-cid= is at least 3 (2 is the host)");
	else if (r < 0)
		snprintf(err, errlen, "-device virtio-vsock-pci: cannot listen at %s: %s", path,
			 strerror(-r));
	else
		r = virtio_pci_add(&d->v, args, err, errlen);
	if (r < 0) {
		destroy(d);
		return r;
	}
	snprintf(d->state_name, sizeof(d->state_name), "%s-vsock", d->v.func.name);
	device_add(args, &d->state);
	*self = d;
	return 0;
}

const struct device_type virtio_vsock_type = {
    .name = "virtio-vsock-pci",
    .bus = "PCI",
    .desc = "virtio sockets (AF_VSOCK) to programs of the host",
    .props = props,
    .create = create,
    .destroy = destroy,
};
