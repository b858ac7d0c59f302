/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio memory balloon (virtio 1.2, 5.5). Pages that come back are holes in the guest's RAM: they cost
 * nothing, and read as zeroes when the guest takes them again.
 */
#include "hw/virtio/virtio_balloon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/virtio/virtio_impl.h"

enum { QUEUE_SIZE = 128, MAX_QUEUES = 3 };
enum { Q_INFLATE, Q_DEFLATE, Q_REPORTING }; /* queues that are not offered have no number */

#define F_DEFLATE_ON_OOM (1ull << 2)
#define F_REPORTING      (1ull << 5)

/* Offsets in the configuration space. */
enum { C_NUM_PAGES = 0, C_ACTUAL = 4, C_LEN = 8 };

/* What is done at once, with the machine waiting: pieces of memory given back, and chains; and page
 * numbers of one chain, of which Linux sends 256. */
enum { AT_ONCE = 8192, CHAIN_COST = 8, MAX_PFNS = 65536 };

static struct virtio_balloon *of(struct virtio_pci *v)
{
	return (struct virtio_balloon *)v;
}

/* ---- giving memory back ---- */

static void discard_frames(struct aspace *mem, uint64_t first, uint64_t n)
{
	uint64_t addr = first << PAGE_SHIFT, len = n << PAGE_SHIFT;

	while (len) {
		struct range range;
		uint64_t part;

		if (!aspace_find(mem, addr, &range) || range.kind != RANGE_RAM)
			return;
		part = range.size - (addr - range.base);
		part = part < len ? part : len;
		ram_discard(range.ram, range.ram_off + (addr - range.base), part);
		addr += part;
		len -= part;
	}
}

/* A run of page frames. */
struct run {
	uint64_t first, n;
};

/* Adds one, or gives back the run and starts a new one: whether it did. */
static bool add_frame(struct run *run, struct aspace *mem, uint32_t pfn)
{
	if (run->n && pfn == run->first + run->n) {
		run->n++;
		return false;
	}
	/* Linux counts down. */
	if (run->n && pfn + 1ull == run->first) {
		run->first--;
		run->n++;
		return false;
	}
	discard_frames(mem, run->first, run->n);
	*run = (struct run){pfn, 1};
	return true;
}

/* The page numbers of a chain, neighbours together. Returns how many pieces they were. */
static unsigned inflate(struct virtio_balloon *d)
{
	struct aspace *mem = d->v.func.bus->mem;
	struct run run = {0};
	unsigned pieces = 0;
	uint8_t buf[4096];
	size_t n;

	for (size_t off = 0; (n = dma_sg_read(&d->e.out, off, buf, sizeof(buf))) >= 4; off += n)
		for (size_t i = 0; i + 4 <= n; i += 4)
			pieces += add_frame(&run, mem, pci_get32(buf + i));
	discard_frames(mem, run.first, run.n);
	return pieces;
}

/* The pages that the buffers of a chain are made of. */
static unsigned report(struct virtio_balloon *d)
{
	const struct dma_sg *sg = &d->e.in;

	for (unsigned i = 0; i < sg->nr; i++) {
		uint64_t off = (uint64_t)((uint8_t *)sg->iov[i].iov_base - sg->ram[i]->host);
		uint64_t end = (off + sg->iov[i].iov_len) & PAGE_MASK;

		off = (off + PAGE_SIZE - 1) & PAGE_MASK;
		if (off < end)
			ram_discard(sg->ram[i], off, end - off);
	}
	return sg->nr;
}

/* Does one chain; 1, 0 when there is none, or -errno. */
static int take(struct virtio_balloon *d, unsigned queue, unsigned *cost)
{
	struct virtqueue *vq = &d->v.vq[queue];
	int got = vq_pop(vq, &d->e);

	if (got <= 0)
		return got;
	if (d->e.out.len > 4 * MAX_PFNS)
		return -EINVAL;
	if (queue == Q_INFLATE)
		*cost += inflate(d);
	else if (queue == Q_REPORTING)
		*cost += report(d);
	*cost += CHAIN_COST;
	vq_push(vq, &d->e, 0);
	virtio_notify(&d->v, queue);
	return 1;
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	struct virtio_balloon *d = of(v);
	unsigned cost = 0;
	int got = 1;

	virtio_batch(v, true);
	while (cost < AT_ONCE && got > 0)
		got = take(d, queue, &cost);
	virtio_batch(v, false);
	if (got < 0)
		virtio_broken(v);
	else if (!vq_empty(&v->vq[queue]))
		timer_arm(&d->more, clock_now(d->more.clock));
}

static void kick_all(void *opaque)
{
	struct virtio_balloon *d = opaque;

	for (unsigned i = 0; i < d->v.nr_queues; i++)
		virtio_kick(&d->v, i);
}

/* ---- what the host asks for ---- */

void virtio_balloon_ask(struct virtio_balloon *d, uint32_t pages)
{
	pci_set32(d->v.config + C_NUM_PAGES, pages);
	virtio_config_changed(&d->v);
}

uint32_t virtio_balloon_actual(const struct virtio_balloon *d)
{
	return pci_get32(d->v.config + C_ACTUAL);
}

/* ---- life ---- */

static void reset(struct virtio_pci *v)
{
	timer_cancel(&of(v)->more);
	pci_set32(v->config + C_ACTUAL, 0);
}

static void started(struct virtio_pci *v)
{
	/* A loaded state may have chains in it that had to wait. */
	kick_all(of(v));
}

static const struct virtio_type type = {
    .id = 5,
    .legacy_id = 0x1002,
    .class_code = 0x00ff,
    .config_len = C_LEN,
    .config_writable = 0xfull << C_ACTUAL,
    .kick = kick,
    .started = started,
    .reset = reset,
};

int virtio_balloon_init(struct virtio_balloon *d, struct clock *clock,
			const struct virtio_balloon_options *o,
			const struct virtio_pci_options *layout)
{
	struct virtio_pci_options po = *layout;

	memset(d, 0, sizeof(*d));
	po.nr_queues = o->free_page_reporting ? MAX_QUEUES : MAX_QUEUES - 1;
	po.queue_size = QUEUE_SIZE;
	po.vectors = (uint16_t)(po.nr_queues + 1);
	po.features |=
	    (o->deflate_on_oom ? F_DEFLATE_ON_OOM : 0) | (o->free_page_reporting ? F_REPORTING : 0);
	timer_init(&d->more, clock, kick_all, d);
	vq_elem_init(&d->e);
	return virtio_pci_init(&d->v, &type, "virtio-balloon-pci", &po);
}

void virtio_balloon_fini(struct virtio_balloon *d)
{
	timer_cancel(&d->more);
	vq_elem_fini(&d->e);
}

static const struct prop props[] = {
    {"deflate-on-oom", PROP_BOOL, "the guest takes pages back when it has none left", "off", 0,
     false},
    {"free-page-reporting", PROP_BOOL, "the guest tells of free pages by itself", "off", 0, false},
    VIRTIO_LAYOUT_PROPS,
    {0},
};

static void destroy(void *self)
{
	virtio_balloon_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	const struct virtio_balloon_options o = {
	    .deflate_on_oom = arg_bool(args, "deflate-on-oom"),
	    .free_page_reporting = arg_bool(args, "free-page-reporting"),
	};
	struct virtio_pci_options layout = virtio_layout(args);
	struct virtio_balloon *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = virtio_balloon_init(d, args->env->clock, &o, &layout);
	if (r == 0)
		r = virtio_pci_add(&d->v, args, err, errlen);
	if (r < 0) {
		destroy(d);
		return r;
	}
	*self = d;
	return 0;
}

const struct device_type virtio_balloon_type = {
    .name = "virtio-balloon-pci",
    .bus = "PCI",
    .desc = "virtio memory balloon",
    .props = props,
    .create = create,
    .destroy = destroy,
};
