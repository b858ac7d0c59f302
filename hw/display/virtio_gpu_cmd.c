/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands of the virtio GPU (virtio 1.2, 5.7.6.7 to 5.7.6.10).
 */
#include <errno.h>
#include <string.h>

#include "hw/display/edid.h"
#include "hw/display/virtio_gpu_impl.h"

enum {
	GET_DISPLAY_INFO = 0x100,
	RESOURCE_CREATE_2D,
	RESOURCE_UNREF,
	SET_SCANOUT,
	RESOURCE_FLUSH,
	TRANSFER_TO_HOST_2D,
	RESOURCE_ATTACH_BACKING,
	RESOURCE_DETACH_BACKING,
	GET_EDID = 0x10a,
	UPDATE_CURSOR = 0x300,
	MOVE_CURSOR,
};

enum {
	OK_NODATA = 0x1100,
	OK_DISPLAY_INFO,
	OK_EDID = 0x1104,
	ERR_UNSPEC = 0x1200,
	ERR_OUT_OF_MEMORY,
	ERR_INVALID_SCANOUT_ID,
	ERR_INVALID_RESOURCE_ID,
	ERR_INVALID_CONTEXT_ID,
	ERR_INVALID_PARAMETER,
};

/* The header of commands and answers. */
enum { H_TYPE = 0, H_FLAGS = 4, H_FENCE = 8, H_CONTEXT = 16, H_LEN = 24 };
enum { FLAG_FENCE = 1 };

/* The longest command but for the list behind it, and the longest answer. */
enum { COMMAND_MAX = 56, EDID_ROOM = 1024, ANSWER_MAX = H_LEN + 8 + EDID_ROOM };
enum { INFO_OUTPUT = 24, INFO_LEN = H_LEN + INFO_OUTPUT * VIRTIO_GPU_OUTPUTS };

/* Costs, as in the header. */
enum { COST_COMMAND = 4096, COST_ENTRY = 256, COST_PIXELS = 16 };

struct command {
	struct virtio_gpu *g;
	const struct vq_elem *e;
	uint8_t in[COMMAND_MAX];
	uint8_t out[ANSWER_MAX];
	uint32_t len; /* of the answer */
	uint64_t cost;
};

static uint32_t u32(const struct command *c, unsigned off)
{
	return pci_get32(c->in + H_LEN + off);
}

static uint64_t u64(const struct command *c, unsigned off)
{
	return u32(c, off) | (uint64_t)u32(c, off + 4) << 32;
}

static struct rect rect(const struct command *c)
{
	return (struct rect){u32(c, 0), u32(c, 4), u32(c, 8), u32(c, 12)};
}

static uint32_t answer(int err)
{
	return err == 0 ? OK_NODATA : err == -ENOMEM ? ERR_OUT_OF_MEMORY : ERR_INVALID_PARAMETER;
}

static uint32_t display_info(struct command *c)
{
	uint8_t *p = c->out + H_LEN;
	uint32_t x = 0;

	for (unsigned n = 0; n < c->g->nr_outputs; n++, p += INFO_OUTPUT) {
		const struct gpu_output *o = &c->g->output[n];

		if (!o->connected)
			continue;
		pci_set32(p, x);
		pci_set32(p + 8, o->width);
		pci_set32(p + 12, o->height);
		pci_set32(p + 16, 1);
		x += o->width;
	}
	c->len = INFO_LEN;
	return OK_DISPLAY_INFO;
}

static uint32_t get_edid(struct command *c)
{
	const struct gpu_output *o;

	if (!virtio_has(&c->g->v, GPU_F_EDID))
		return ERR_UNSPEC;
	if (u32(c, 0) >= c->g->nr_outputs)
		return ERR_INVALID_PARAMETER;
	o = &c->g->output[u32(c, 0)];
	pci_set32(c->out + H_LEN, EDID_SIZE);
	edid_make(c->out + H_LEN + 8, o->width, o->height);
	c->len = ANSWER_MAX;
	return OK_EDID;
}

static uint32_t create_2d(struct command *c)
{
	uint32_t id = u32(c, 0), width = u32(c, 8), height = u32(c, 12);

	if (!id || gpu_find(c->g, id))
		return ERR_INVALID_RESOURCE_ID;
	c->cost += (uint64_t)width * height / COST_PIXELS;
	return answer(gpu_create(c->g, id, u32(c, 4), width, height));
}

static uint32_t unref(struct command *c, struct gpu_resource *r)
{
	c->cost += gpu_bytes(r) / COST_PIXELS;
	gpu_unref(c->g, r);
	return OK_NODATA;
}

static uint32_t set_scanout(struct command *c)
{
	struct rect area = rect(c);
	uint32_t nr = u32(c, 16), id = u32(c, 20);
	const struct gpu_resource *r = gpu_find(c->g, id);

	if (nr >= c->g->nr_outputs)
		return ERR_INVALID_SCANOUT_ID;
	if (id && !r)
		return ERR_INVALID_RESOURCE_ID;
	if (r && !gpu_inside(&area, r->width, r->height))
		return ERR_INVALID_PARAMETER;
	gpu_show(c->g, &c->g->output[nr], r, &area);
	return OK_NODATA;
}

static uint32_t flush(struct command *c, struct gpu_resource *r)
{
	struct rect area = rect(c);

	if (!gpu_inside(&area, r->width, r->height))
		return ERR_INVALID_PARAMETER;
	gpu_damage(c->g, r, &area);
	return OK_NODATA;
}

static uint32_t transfer(struct command *c, struct gpu_resource *r)
{
	struct rect to = rect(c);

	if (!r->nr_list)
		return ERR_UNSPEC;
	if (!gpu_inside(&to, r->width, r->height))
		return ERR_INVALID_PARAMETER;
	c->cost += (uint64_t)to.width * to.height * GPU_PIXEL;
	gpu_transfer(c->g, r, &to, u64(c, 16));
	return OK_NODATA;
}

static uint32_t attach(struct command *c, struct gpu_resource *r)
{
	c->cost += (uint64_t)u32(c, 4) * COST_ENTRY;
	return answer(gpu_attach(c->g, r, &c->e->out, H_LEN + 8, u32(c, 4)));
}

static uint32_t detach(struct command *c, struct gpu_resource *r)
{
	if (!r->nr_list)
		return ERR_UNSPEC;
	gpu_detach(c->g, r);
	return OK_NODATA;
}

static uint32_t cursor(struct command *c, bool update)
{
	struct gpu_resource *r = gpu_find(c->g, u32(c, 16));
	struct gpu_output *o;

	if (u32(c, 0) >= c->g->nr_outputs)
		return ERR_INVALID_SCANOUT_ID;
	o = &c->g->output[u32(c, 0)];
	if (update && u32(c, 16) && !r)
		return ERR_INVALID_RESOURCE_ID;
	gpu_move_cursor(o, u32(c, 4), u32(c, 8));
	if (update)
		gpu_set_cursor(o, r, u32(c, 20), u32(c, 24));
	return OK_NODATA;
}

/* Commands that name a resource, which is at `id`. */
static uint32_t on_resource(struct command *c, unsigned id,
			    uint32_t (*f)(struct command *c, struct gpu_resource *r))
{
	struct gpu_resource *r = gpu_find(c->g, u32(c, id));

	return r ? f(c, r) : ERR_INVALID_RESOURCE_ID;
}

static uint32_t control(struct command *c)
{
	switch (pci_get32(c->in + H_TYPE)) {
	case GET_DISPLAY_INFO:
		return display_info(c);
	case GET_EDID:
		return get_edid(c);
	case RESOURCE_CREATE_2D:
		return create_2d(c);
	case RESOURCE_UNREF:
		return on_resource(c, 0, unref);
	case SET_SCANOUT:
		return set_scanout(c);
	case RESOURCE_FLUSH:
		return on_resource(c, 16, flush);
	case TRANSFER_TO_HOST_2D:
		return on_resource(c, 24, transfer);
	case RESOURCE_ATTACH_BACKING:
		return on_resource(c, 0, attach);
	case RESOURCE_DETACH_BACKING:
		return on_resource(c, 0, detach);
	}
	return ERR_UNSPEC;
}

static uint32_t pointer(struct command *c)
{
	uint32_t type = pci_get32(c->in + H_TYPE);

	return type == UPDATE_CURSOR || type == MOVE_CURSOR ? cursor(c, type == UPDATE_CURSOR)
							    : ERR_UNSPEC;
}

uint32_t gpu_command(struct virtio_gpu *g, struct vq_elem *e, bool cursor_queue, uint64_t *cost)
{
	struct command c = {.g = g, .e = e, .len = H_LEN, .cost = COST_COMMAND};
	uint32_t type = ERR_UNSPEC;

	/* What a short command does not say is 0. */
	if (dma_sg_read(&e->out, 0, c.in, sizeof(c.in)) >= H_LEN)
		type = cursor_queue ? pointer(&c) : control(&c);
	pci_set32(c.out + H_TYPE, type);
	/* It is done, so that its fence is passed. */
	if (pci_get32(c.in + H_FLAGS) & FLAG_FENCE) {
		pci_set32(c.out + H_FLAGS, FLAG_FENCE);
		memcpy(c.out + H_FENCE, c.in + H_FENCE, H_LEN - H_FENCE);
	}
	*cost += c.cost;
	return (uint32_t)dma_sg_write(&e->in, 0, c.out, c.len);
}
