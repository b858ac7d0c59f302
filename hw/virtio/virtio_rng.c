/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio entropy device (virtio 1.2, 5.4).
 */
#include "hw/virtio/virtio_rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "hw/virtio/virtio_impl.h"

enum { QUEUE_SIZE = 8, CHUNK = 4096 };
/* What is done at once, with the machine waiting: requests, and bytes of one. */
enum { AT_ONCE = QUEUE_SIZE, MAX_REQUEST = 64 << 10 };

static struct virtio_rng *of(struct virtio_pci *v)
{
	return (struct virtio_rng *)v;
}

static size_t fill(const struct dma_sg *sg, size_t len)
{
	uint8_t buf[CHUNK];
	size_t done = 0;

	while (done < len) {
		size_t want = len - done < CHUNK ? len - done : CHUNK;
		ssize_t n = getrandom(buf, want, GRND_NONBLOCK);

		if (n <= 0) /* a host that has just started */
			break;
		done += dma_sg_write(sg, done, buf, (size_t)n);
	}
	return done;
}

static int take(struct virtio_rng *d)
{
	size_t n;
	int got = vq_pop(&d->v.vq[0], &d->e);

	if (got <= 0)
		return got;
	n = d->e.in.len < MAX_REQUEST ? d->e.in.len : MAX_REQUEST;
	n = fill(&d->e.in, n < d->left ? n : (size_t)d->left);
	d->left -= n;
	vq_push(&d->v.vq[0], &d->e, (uint32_t)n);
	virtio_notify(&d->v, 0);
	return 1;
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	struct virtio_rng *d = of(v);
	uint64_t now = clock_now(d->more.clock);
	int got = 1;

	if (now >= d->period_end) {
		d->left = d->max_bytes;
		d->period_end = now + d->period_ns;
	}
	virtio_batch(v, true);
	for (unsigned n = 0; n < AT_ONCE && d->left && got > 0; n++)
		got = take(d);
	virtio_batch(v, false);
	if (got < 0)
		virtio_broken(v);
	else if (!vq_empty(&v->vq[queue]))
		timer_arm(&d->more, d->left ? now : d->period_end);
}

static void more(void *opaque)
{
	struct virtio_rng *d = opaque;

	virtio_kick(&d->v, 0);
}

static void reset(struct virtio_pci *v)
{
	struct virtio_rng *d = of(v);

	timer_cancel(&d->more);
	d->period_end = 0;
}

static void started(struct virtio_pci *v)
{
	/* A loaded state may have requests in it that had to wait. */
	virtio_kick(v, 0);
}

static const struct virtio_type type = {
    .id = 4,
    .legacy_id = 0x1005,
    .class_code = 0x00ff,
    .kick = kick,
    .started = started,
    .reset = reset,
};

int virtio_rng_init(struct virtio_rng *d, struct clock *clock, uint64_t max_bytes,
		    uint32_t period_ms, const struct virtio_pci_options *layout)
{
	struct virtio_pci_options po = *layout;

	memset(d, 0, sizeof(*d));
	if (!max_bytes || !period_ms)
		return -EINVAL;
	po.nr_queues = 1;
	po.queue_size = QUEUE_SIZE;
	po.vectors = 2;
	d->max_bytes = max_bytes;
	d->period_ns = period_ms * 1000000ull;
	timer_init(&d->more, clock, more, d);
	vq_elem_init(&d->e);
	return virtio_pci_init(&d->v, &type, "virtio-rng-pci", &po);
}

void virtio_rng_fini(struct virtio_rng *d)
{
	timer_cancel(&d->more);
	vq_elem_fini(&d->e);
}

static const struct prop props[] = {
    {"rng", PROP_STR, "id of -object rng-random; all give the host's entropy", NULL, 0, false},
    {"max-bytes", PROP_SIZE, "given in a period", "1T", 0, false},
    {"period", PROP_NUM, "milliseconds", "65536", 1000000, false},
    VIRTIO_LAYOUT_PROPS,
    {0},
};

static void destroy(void *self)
{
	virtio_rng_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_pci_options layout = virtio_layout(args);
	struct virtio_rng *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = virtio_rng_init(d, args->env->clock, arg_num(args, "max-bytes"),
			    (uint32_t)arg_num(args, "period"), &layout);
	if (r < 0)
		snprintf(err, errlen, "virtio-rng-pci: max-bytes= and period= are at least 1");
	else
		r = virtio_pci_add(&d->v, args, err, errlen);
	if (r < 0) {
		destroy(d);
		return r;
	}
	*self = d;
	return 0;
}

const struct device_type virtio_rng_type = {
    .name = "virtio-rng-pci",
    .bus = "PCI",
    .desc = "virtio entropy device",
    .props = props,
    .create = create,
    .destroy = destroy,
    .unplug = pci_unplug,
};
