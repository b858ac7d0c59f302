/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio GPU as a device: its queues, its state, its options.
 */
#include "hw/display/virtio_gpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/display/edid.h"
#include "hw/display/virtio_gpu_impl.h"
#include "hw/virtio/virtio_impl.h"

enum { Q_CONTROL, Q_CURSOR, QUEUES };
enum { QUEUE_SIZE = 256, VECTORS = QUEUES + 1 };

/* Bytes copied, or what takes as long, while the machine waits. */
#define AT_ONCE (32u << 20)

static struct virtio_gpu *of(struct virtio_pci *v)
{
	return (struct virtio_gpu *)v;
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	struct virtio_gpu *g = of(v);
	struct virtqueue *vq = &v->vq[queue];
	uint64_t cost = 0;
	int got = 1;

	virtio_batch(v, true);
	while (cost < AT_ONCE && (got = vq_pop(vq, &g->e)) > 0) {
		vq_push(vq, &g->e, gpu_command(g, &g->e, queue == Q_CURSOR, &cost));
		virtio_notify(v, queue);
	}
	virtio_batch(v, false);
	if (got < 0)
		virtio_broken(v);
	else if (!vq_empty(vq))
		timer_arm(&g->more, clock_now(g->more.clock));
}

static void kick_all(void *opaque)
{
	struct virtio_gpu *g = opaque;

	for (unsigned i = 0; i < QUEUES; i++)
		virtio_kick(&g->v, i);
}

static void config_written(struct virtio_pci *v)
{
	uint32_t events = pci_get32(v->config + C_EVENTS_READ);

	pci_set32(v->config + C_EVENTS_READ, events & ~pci_get32(v->config + C_EVENTS_CLEAR));
	pci_set32(v->config + C_EVENTS_CLEAR, 0);
}

/* ---- state ---- */

static const struct field fields[] = {
    FIELD(virtio_gpu, driven, 0),
    FIELD_EACH(virtio_gpu, output, resource, 0),
    FIELD_EACH(virtio_gpu, output, area.x, 0),
    FIELD_EACH(virtio_gpu, output, area.y, 0),
    FIELD_EACH(virtio_gpu, output, area.width, 0),
    FIELD_EACH(virtio_gpu, output, area.height, 0),
    FIELD_EACH(virtio_gpu, output, cursor_resource, 0),
    FIELD_EACH(virtio_gpu, output, cursor.hot_x, 0),
    FIELD_EACH(virtio_gpu, output, cursor.hot_y, 0),
    FIELD_EACH(virtio_gpu, output, cursor.x, 0),
    FIELD_EACH(virtio_gpu, output, cursor.y, 0),
    FIELD_EACH(virtio_gpu, resource, id, 0),
    FIELD_EACH(virtio_gpu, resource, format, 0),
    FIELD_EACH(virtio_gpu, resource, width, 0),
    FIELD_EACH(virtio_gpu, resource, height, 0),
    FIELD_EACH(virtio_gpu, resource, image, 0),
    FIELD_EACH(virtio_gpu, resource, list, 0),
    FIELD_EACH(virtio_gpu, resource, nr_list, 0),
    FIELD_END,
};

static void forget(struct virtio_gpu *g)
{
	timer_cancel(&g->more);
	gpu_reset_resources(g);
	gpu_reset_outputs(g);
}

static void reset(struct virtio_pci *v)
{
	forget(of(v));
	pci_set32(v->config + C_EVENTS_READ, 0);
}

static void reset_done(void *state)
{
	forget(state);
}

static void tame(void *state)
{
	struct virtio_gpu *g = state;

	gpu_tame_resources(g);
	gpu_tame_outputs(g);
	pci_set32(g->v.config + C_NUM_SCANOUTS, g->nr_outputs);
}

static void loaded(void *state)
{
	struct virtio_gpu *g = state;

	timer_cancel(&g->more);
	gpu_loaded_resources(g);
	gpu_loaded_outputs(g);
	/* There may be commands that had to wait. */
	kick_all(g);
}

/* ---- life ---- */

static const struct virtio_type type = {
    .id = 16,
    .class_code = 0x0380,
    .config_len = C_LEN,
    .config_writable = 0xfull << C_EVENTS_CLEAR,
    .kick = kick,
    .config_written = config_written,
    .reset = reset,
};

int virtio_gpu_init(struct virtio_gpu *g, struct clock *clock, const struct virtio_gpu_options *o,
		    const struct virtio_pci_options *layout)
{
	struct virtio_pci_options po = *layout;
	int err;

	memset(g, 0, sizeof(*g));
	g->memory.fd = -1;
	timer_init(&g->more, clock, kick_all, g);
	vq_elem_init(&g->e);
	if (!o->outputs || o->outputs > VIRTIO_GPU_OUTPUTS || o->memory < VIRTIO_GPU_MEMORY_MIN ||
	    o->memory > VIRTIO_GPU_MEMORY_MAX)
		return -EINVAL;
	err = ram_init(&g->memory, "virtio-gpu", o->memory);
	if (err < 0)
		return err;
	g->used = calloc(g->memory.size >> PAGE_SHIFT, 1);
	if (!g->used)
		return -ENOMEM;
	gpu_init_outputs(g, o);
	po.nr_queues = QUEUES;
	po.queue_size = QUEUE_SIZE;
	po.vectors = VECTORS;
	po.features |= o->no_edid ? 0 : GPU_F_EDID;
	pci_set32(g->v.config + C_NUM_SCANOUTS, o->outputs);
	err = virtio_pci_init(&g->v, &type, o->vga ? "virtio-vga" : "virtio-gpu-pci", &po);
	if (err < 0)
		return err;
	if (o->vga)
		pci_set16(g->v.func.start + PCI_CLASS, 0x0300);
	device_init(&g->dev, g->name, fields, g);
	g->dev.reset_done = reset_done;
	g->dev.tame = tame;
	g->dev.loaded = loaded;
	g->dev.ram = &g->memory;
	forget(g);
	return 0;
}

void virtio_gpu_fini(struct virtio_gpu *g)
{
	timer_cancel(&g->more);
	vq_elem_fini(&g->e);
	for (unsigned n = 0; n < g->nr_resources; n++)
		dma_sg_fini(&g->resource[n].backing);
	free(g->used);
	g->used = NULL;
	ram_fini(&g->memory);
}

int virtio_gpu_arguments(struct virtio_gpu_options *o, const struct device_args *args, char *err,
			 size_t errlen)
{
	*o = (struct virtio_gpu_options){
	    .outputs = (unsigned)arg_num(args, "max_outputs"),
	    .width = (unsigned)arg_num(args, "xres"),
	    .height = (unsigned)arg_num(args, "yres"),
	    .no_edid = !arg_bool(args, "edid"),
	    .memory = arg_num(args, "max_hostmem"),
	};
	if (!o->outputs)
		snprintf(err, errlen, "-device %s: max_outputs is from 1 to %u",
			 args->spec->type->name, VIRTIO_GPU_OUTPUTS);
	else if (o->width < EDID_MIN || o->height < EDID_MIN)
		snprintf(err, errlen, "-device %s: xres and yres are from %u to %u",
			 args->spec->type->name, EDID_MIN, EDID_MAX);
	else if (o->memory < VIRTIO_GPU_MEMORY_MIN)
		snprintf(err, errlen, "-device %s: max_hostmem is at least 1M",
			 args->spec->type->name);
	else
		return 0;
	return -EINVAL;
}

int virtio_gpu_add(struct virtio_gpu *g, const struct device_args *args, char *err, size_t errlen)
{
	int r = virtio_pci_add(&g->v, args, err, errlen);

	if (r < 0)
		return r;
	snprintf(g->name, sizeof(g->name), "%s-gpu", g->v.func.name);
	device_add(args, &g->dev);
	for (unsigned n = 0; n < g->nr_outputs; n++)
		args->env->add_display(args->env->opaque, &g->output[n].display);
	return 0;
}

static void destroy(void *self)
{
	virtio_gpu_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_pci_options layout = virtio_layout(args);
	struct virtio_gpu_options o;
	struct virtio_gpu *g;
	int r = virtio_gpu_arguments(&o, args, err, errlen);

	if (r < 0)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	r = virtio_gpu_init(g, args->env->clock, &o, &layout);
	if (r == 0)
		r = virtio_gpu_add(g, args, err, errlen);
	if (r < 0) {
		destroy(g);
		return r;
	}
	*self = g;
	return 0;
}

static const struct prop props[] = {
    VIRTIO_GPU_PROPS,
    VIRTIO_LAYOUT_PROPS,
    {0},
};

const struct device_type virtio_gpu_type = {
    .name = "virtio-gpu-pci",
    .bus = "PCI",
    .desc = "virtio GPU without 3D",
    .props = props,
    .create = create,
    .destroy = destroy,
};
