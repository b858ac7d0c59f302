/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Resources of the virtio GPU (virtio 1.2, 5.7.6.8): pictures in memory of the device's own, which is given out in
 * pages, and the guest memory behind them.
 */
#include <errno.h>
#include <string.h>

#include "hw/display/virtio_gpu_impl.h"

/* Names say the order of bytes in memory. */
enum {
	B8G8R8A8 = 1,
	B8G8R8X8 = 2,
	A8R8G8B8 = 3,
	X8R8G8B8 = 4,
	R8G8B8A8 = 67,
	X8B8G8R8 = 68,
	A8B8G8R8 = 121,
	R8G8B8X8 = 134,
};

enum { LIST_ENTRY = 16, MAX_LIST = 65536 };
/* An entry may lie across holes and ROMs of the memory map: so many pieces more than entries. */
enum { MORE_PIECES = 64 };

static bool known(uint32_t format)
{
	switch (format) {
	case B8G8R8A8:
	case B8G8R8X8:
	case A8R8G8B8:
	case X8R8G8B8:
	case R8G8B8A8:
	case X8B8G8R8:
	case A8B8G8R8:
	case R8G8B8X8:
		return true;
	}
	return false;
}

/* ---- memory ---- */

static uint64_t pages(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* The first place with so many pages that nobody has: 0, or -ENOMEM. */
static int take_memory(struct virtio_gpu *g, uint64_t bytes, uint64_t *at)
{
	uint64_t n = pages(bytes), all = pages(g->memory.size), first = 0;

	while (n <= all && first <= all - n) {
		const uint8_t *last = memrchr(g->used + first, 1, n);

		if (!last) {
			memset(g->used + first, 1, n);
			*at = first << PAGE_SHIFT;
			return 0;
		}
		first = (uint64_t)(last - g->used) + 1;
	}
	return -ENOMEM;
}

/* It is zeroes when it is taken again. */
static void give_memory(struct virtio_gpu *g, uint64_t at, uint64_t bytes)
{
	memset(g->used + (at >> PAGE_SHIFT), 0, pages(bytes));
	ram_discard(&g->memory, at, pages(bytes) << PAGE_SHIFT);
}

static bool in_memory(const struct virtio_gpu *g, uint64_t at, uint64_t bytes)
{
	return !(at & ~PAGE_MASK) && at <= g->memory.size && bytes <= g->memory.size - at;
}

/* ---- pictures ---- */

struct gpu_resource *gpu_find(struct virtio_gpu *g, uint32_t id)
{
	for (unsigned n = 0; id && n < g->nr_resources; n++)
		if (g->resource[n].id == id)
			return &g->resource[n];
	return NULL;
}

int gpu_create(struct virtio_gpu *g, uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
	struct gpu_resource *r;
	unsigned n = 0;
	int err;

	if (!id || gpu_find(g, id) || !known(format) || !width || !height ||
	    width > DISPLAY_MAX_WIDTH || height > DISPLAY_MAX_HEIGHT)
		return -EINVAL;
	while (n < g->nr_resources && g->resource[n].id)
		n++;
	if (n == VIRTIO_GPU_RESOURCES)
		return -ENOMEM;
	r = &g->resource[n];
	*r = (struct gpu_resource){.format = format, .width = width, .height = height};
	err = take_memory(g, gpu_bytes(r), &r->image);
	if (err < 0)
		return err;
	r->id = id;
	if (n == g->nr_resources)
		g->nr_resources++;
	return 0;
}

void gpu_unref(struct virtio_gpu *g, struct gpu_resource *r)
{
	for (unsigned n = 0; n < g->nr_outputs; n++)
		if (g->output[n].resource == r->id)
			gpu_show(g, &g->output[n], NULL, NULL);
	gpu_detach(g, r);
	give_memory(g, r->image, gpu_bytes(r));
	r->id = 0;
	while (g->nr_resources && !g->resource[g->nr_resources - 1].id)
		g->nr_resources--;
}

bool gpu_inside(const struct rect *r, uint32_t width, uint32_t height)
{
	return r->width && r->height && r->x < width && r->y < height && r->width <= width - r->x &&
	       r->height <= height - r->y;
}

static uint32_t swap_red_and_blue(uint32_t p)
{
	return (p & 0xff00ff00) | (p & 0xff) << 16 | (p >> 16 & 0xff);
}

void gpu_pixels(const struct virtio_gpu *g, const struct gpu_resource *r, unsigned x, unsigned y,
		uint32_t *to, unsigned n)
{
	const uint32_t *from =
	    (const uint32_t *)(g->memory.host + r->image) + (uint64_t)y * r->width + x;

	switch (r->format) {
	case B8G8R8A8:
	case B8G8R8X8:
		memcpy(to, from, n * sizeof(*to));
		break;
	case A8R8G8B8:
	case X8R8G8B8:
		for (unsigned i = 0; i < n; i++)
			to[i] = __builtin_bswap32(from[i]);
		break;
	case R8G8B8A8:
	case R8G8B8X8:
		for (unsigned i = 0; i < n; i++)
			to[i] = swap_red_and_blue(from[i]);
		break;
	case A8B8G8R8:
	case X8B8G8R8:
		for (unsigned i = 0; i < n; i++)
			to[i] = from[i] >> 8 | from[i] << 24;
		break;
	}
}

/* ---- the guest's memory behind them ---- */

static int find_backing(struct virtio_gpu *g, struct gpu_resource *r)
{
	const uint8_t *entry = g->memory.host + r->list;
	int err = dma_sg_init(
	    &r->backing, r->nr_list + MORE_PIECES < MAX_LIST ? r->nr_list + MORE_PIECES : MAX_LIST);

	for (uint32_t n = 0; err == 0 && n < r->nr_list; n++, entry += LIST_ENTRY) {
		uint64_t addr = pci_get32(entry) | (uint64_t)pci_get32(entry + 4) << 32;

		err =
		    dma_sg_add(&r->backing, g->v.func.bus->mem, addr, pci_get32(entry + 8), false);
	}
	if (err < 0)
		dma_sg_fini(&r->backing);
	return err;
}

int gpu_attach(struct virtio_gpu *g, struct gpu_resource *r, const struct dma_sg *sg, size_t at,
	       uint32_t nr)
{
	uint64_t bytes = (uint64_t)nr * LIST_ENTRY;
	int err;

	if (!nr || nr > MAX_LIST || r->nr_list)
		return -EINVAL;
	err = take_memory(g, bytes, &r->list);
	if (err < 0)
		return err;
	r->nr_list = nr;
	if (dma_sg_read(sg, at, g->memory.host + r->list, bytes) != bytes)
		err = -EINVAL;
	else
		err = find_backing(g, r);
	if (err < 0)
		gpu_detach(g, r);
	return err;
}

void gpu_detach(struct virtio_gpu *g, struct gpu_resource *r)
{
	if (!r->nr_list)
		return;
	dma_sg_fini(&r->backing);
	give_memory(g, r->list, (uint64_t)r->nr_list * LIST_ENTRY);
	r->nr_list = 0;
}

/* Reads a list forwards, without looking through it from its start for each row. */
struct reader {
	const struct dma_sg *sg;
	unsigned piece;
	uint64_t start; /* of that piece in the list */
};

/* off is not before where the last call began. */
static void read_row(struct reader *rd, uint64_t off, uint8_t *to, size_t len)
{
	while (len && rd->piece < rd->sg->nr) {
		const struct iovec *iov = &rd->sg->iov[rd->piece];
		uint64_t in = off - rd->start;
		size_t n;

		if (in >= iov->iov_len) {
			rd->start += iov->iov_len;
			rd->piece++;
			continue;
		}
		n = iov->iov_len - in < len ? iov->iov_len - in : len;
		memcpy(to, (const uint8_t *)iov->iov_base + in, n);
		to += n;
		off += n;
		len -= n;
	}
}

void gpu_transfer(struct virtio_gpu *g, struct gpu_resource *r, const struct rect *to,
		  uint64_t from)
{
	uint64_t stride = (uint64_t)r->width * GPU_PIXEL;
	uint8_t *row = g->memory.host + r->image + to->y * stride + (uint64_t)to->x * GPU_PIXEL;
	struct reader rd = {.sg = &r->backing};
	unsigned rows = to->height;
	size_t len = (size_t)to->width * GPU_PIXEL;

	if (from > r->backing.len)
		return;
	if (len == stride) {
		len *= rows;
		rows = 1;
	}
	for (unsigned y = 0; y < rows; y++)
		read_row(&rd, from + y * stride, row + y * stride, len);
}

/* ---- */

void gpu_reset_resources(struct virtio_gpu *g)
{
	for (unsigned n = 0; n < g->nr_resources; n++) {
		dma_sg_fini(&g->resource[n].backing);
		g->resource[n] = (struct gpu_resource){0};
	}
	g->nr_resources = 0;
	memset(g->used, 0, pages(g->memory.size));
	ram_discard(&g->memory, 0, g->memory.size);
}

static bool sensible(const struct virtio_gpu *g, const struct gpu_resource *r)
{
	return known(r->format) && r->width && r->height && r->width <= DISPLAY_MAX_WIDTH &&
	       r->height <= DISPLAY_MAX_HEIGHT && in_memory(g, r->image, gpu_bytes(r)) &&
	       r->nr_list <= MAX_LIST &&
	       in_memory(g, r->nr_list ? r->list : 0, (uint64_t)r->nr_list * LIST_ENTRY);
}

void gpu_tame_resources(struct virtio_gpu *g)
{
	g->nr_resources = 0;
	for (unsigned n = 0; n < VIRTIO_GPU_RESOURCES; n++) {
		struct gpu_resource *r = &g->resource[n];

		dma_sg_fini(&r->backing);
		if (r->id && !sensible(g, r))
			r->id = 0;
		if (r->id)
			g->nr_resources = n + 1;
		else
			r->nr_list = 0;
	}
}

void gpu_loaded_resources(struct virtio_gpu *g)
{
	memset(g->used, 0, pages(g->memory.size));
	for (unsigned n = 0; n < g->nr_resources; n++) {
		struct gpu_resource *r = &g->resource[n];
		uint64_t list = (uint64_t)r->nr_list * LIST_ENTRY;

		if (!r->id)
			continue;
		memset(g->used + (r->image >> PAGE_SHIFT), 1, pages(gpu_bytes(r)));
		if (!r->nr_list)
			continue;
		memset(g->used + (r->list >> PAGE_SHIFT), 1, pages(list));
		if (find_backing(g, r) < 0)
			r->nr_list = 0;
	}
}
