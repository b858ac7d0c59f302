/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio 9P transport. Messages are answered on a thread of their own, as files may be slow, one after the other.
 */
#include "hw/9p/virtio_9p.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hw/loop.h"
#include "hw/virtio/virtio_impl.h"

enum { QUEUE_SIZE = 128 };
#define F_MOUNT_TAG 1ull

struct virtio_9p_req {
	struct vq_elem e; /* first */
	struct pool_job job;
	struct virtio_9p *d;
	size_t len; /* of the answer */
	struct virtio_9p_req *next;
};

static struct virtio_9p *of(struct virtio_pci *v)
{
	return (struct virtio_9p *)v;
}

/* On the worker. */
static void answer(struct pool_job *job)
{
	struct virtio_9p_req *r =
	    (struct virtio_9p_req *)((char *)job - offsetof(struct virtio_9p_req, job));
	struct virtio_9p *d = r->d;
	size_t len = dma_sg_read(&r->e.out, 0, d->in, P9_MSIZE_MAX), room = r->e.in.len;

	r->len = 0;
	if (room >= P9_MIN_REPLY) {
		len = p9_serve(&d->server, d->in, len, d->out,
			       room < P9_MSIZE_MAX ? room : P9_MSIZE_MAX);
		r->len = dma_sg_write(&r->e.in, 0, d->out, len);
	}
	pthread_mutex_lock(&d->lock);
	r->next = d->done;
	d->done = r;
	d->nr_done++;
	pthread_cond_signal(&d->idle);
	pthread_mutex_unlock(&d->lock);
	eventfd_write(d->event, 1);
}

/* Gives back to the driver what is done; drop: does not. */
static void complete(struct virtio_9p *d, bool drop)
{
	struct virtio_9p_req *list, *next, *order = NULL;

	pthread_mutex_lock(&d->lock);
	list = d->done;
	d->done = NULL;
	d->nr_done = 0;
	pthread_mutex_unlock(&d->lock);
	for (; list; list = next) {
		next = list->next;
		list->next = order;
		order = list;
	}
	virtio_batch(&d->v, true);
	for (; order; order = next) {
		next = order->next;
		d->in_flight--;
		if (!drop) {
			vq_push(&d->v.vq[0], &order->e, (uint32_t)order->len);
			virtio_notify(&d->v, 0);
		}
		vq_pool_give(&d->reqs, order);
	}
	virtio_batch(&d->v, false);
}

static void on_done(void *opaque, int fd, unsigned events)
{
	eventfd_t n;

	(void)events;
	eventfd_read(fd, &n);
	complete(opaque, false);
}

static void wait_idle(struct virtio_9p *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->nr_done < d->in_flight)
		pthread_cond_wait(&d->idle, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

void virtio_9p_drain(struct virtio_9p *d)
{
	wait_idle(d);
	complete(d, false);
}

static int take(struct virtio_pci *v, unsigned queue)
{
	struct virtio_9p *d = of(v);
	struct virtio_9p_req *r = vq_pool_take(&d->reqs, sizeof(*r));
	int got;

	if (!r)
		return -ENOMEM;
	r->job.run = answer;
	r->d = d;
	got = vq_pop(&v->vq[queue], &r->e);
	if (got > 0) {
		d->in_flight++;
		pool_submit(d->worker, &r->job);
	} else {
		vq_pool_give(&d->reqs, r);
	}
	return got;
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	if (virtio_take_all(v, queue, &of(v)->in_flight, take) < 0)
		virtio_broken(v);
}

static void reset(struct virtio_pci *v)
{
	struct virtio_9p *d = of(v);

	wait_idle(d);
	complete(d, true);
	p9_server_reset(&d->server);
}

/* What fids stand for is open files of the host. */
static const char *unsaved(void *state)
{
	struct virtio_9p *d = state;

	virtio_9p_drain(d);
	return d->server.nr_fids ? "the guest has the folder mounted; unmount it first" : NULL;
}

static const struct virtio_type type = {
    .id = 9,
    .legacy_id = 0x1009,
    .class_code = 0x0002,
    .config_len = 2 + VIRTIO_9P_TAG_MAX,
    .kick = kick,
    .reset = reset,
};

int virtio_9p_init(struct virtio_9p *d, struct loop *loop, const struct p9_tree *tree,
		   const char *tag, const struct virtio_pci_options *layout)
{
	struct virtio_pci_options po = *layout;
	size_t len = strlen(tag);
	int r;

	memset(d, 0, sizeof(*d));
	d->event = -1;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->idle, NULL);
	r = p9_server_init(&d->server, tree);
	if (r < 0) {
		p9_tree_close(&d->server.tree);
		return r;
	}
	if (!len || len > VIRTIO_9P_TAG_MAX)
		return -EINVAL;
	po.nr_queues = 1;
	po.queue_size = QUEUE_SIZE;
	po.vectors = 2;
	po.features |= F_MOUNT_TAG;
	pci_set16(d->v.config, (uint16_t)len);
	memcpy(d->v.config + 2, tag, len);
	d->in = malloc(P9_MSIZE_MAX);
	d->out = malloc(P9_MSIZE_MAX);
	d->worker = pool_new(1);
	if (!d->in || !d->out || !d->worker)
		return -ENOMEM;
	d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event < 0)
		return -errno;
	d->loop = loop;
	r = loop ? loop_watch(loop, d->event, LOOP_IN, on_done, d) : 0;
	if (r == 0)
		r = virtio_pci_init(&d->v, &type, "virtio-9p-pci", &po);
	d->v.state.unsaved = unsaved;
	return r;
}

void virtio_9p_fini(struct virtio_9p *d)
{
	wait_idle(d);
	complete(d, true);
	if (d->worker)
		pool_free(d->worker);
	if (d->loop)
		loop_watch(d->loop, d->event, 0, NULL, NULL);
	if (d->event >= 0)
		close(d->event);
	if (d->server.fids)
		p9_server_fini(&d->server);
	vq_pool_fini(&d->reqs, NULL);
	free(d->in);
	free(d->out);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->lock);
}

/* ---- -device ---- */

static const struct prop props[] = {
    {"mount_tag", PROP_STR, "by which the guest knows the folder", NULL, 0, true},
    {"fsdev", PROP_FSDEV, "the folder", NULL, 0, true},
    VIRTIO_LAYOUT_PROPS,
    {0},
};

static void destroy(void *self)
{
	virtio_9p_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	const struct p9_share *share = arg_backend(args, "fsdev");
	const char *tag = arg_str(args, "mount_tag");
	struct virtio_pci_options layout = virtio_layout(args);
	struct p9_tree tree;
	struct virtio_9p *d;
	int r;

	if (strlen(tag) > VIRTIO_9P_TAG_MAX || !*tag) {
		snprintf(err, errlen, "mount_tag=%s: it has 1 to %u characters", tag,
			 VIRTIO_9P_TAG_MAX);
		return -EINVAL;
	}
	r = p9_tree_open(&tree, share);
	if (r < 0) {
		snprintf(err, errlen, "cannot share the folder %s: %s", share->path, strerror(-r));
		return r;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		p9_tree_close(&tree);
		return -ENOMEM;
	}
	r = virtio_9p_init(d, args->env->loop, &tree, tag, &layout);
	if (r == 0)
		r = virtio_pci_add(&d->v, args, err, errlen);
	if (r < 0) {
		destroy(d);
		return r;
	}
	*self = d;
	return 0;
}

const struct device_type virtio_9p_type = {
    .name = "virtio-9p-pci",
    .bus = "PCI",
    .desc = "a folder of the host, to be mounted by 9P",
    .props = props,
    .create = create,
    .destroy = destroy,
};
