/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the files of the virtio GPU.
 */
#ifndef HW_DISPLAY_VIRTIO_GPU_IMPL_H
#define HW_DISPLAY_VIRTIO_GPU_IMPL_H

#include "hw/display/virtio_gpu.h"

/* Offsets in the configuration space. */
enum { C_EVENTS_READ = 0, C_EVENTS_CLEAR = 4, C_NUM_SCANOUTS = 8, C_NUM_CAPSETS = 12, C_LEN = 16 };
enum { EVENT_DISPLAY = 1 };

#define GPU_F_EDID (1ull << 1)

enum { GPU_PIXEL = 4 }; /* bytes, in all formats */

/* ---- resources ---- */

/* NULL: there is none of that number, of which 0 is none. */
struct gpu_resource *gpu_find(struct virtio_gpu *g, uint32_t id);
/* Of black pixels, without backing. 0; -EINVAL for a number, size or format that cannot be, -ENOMEM. */
int gpu_create(struct virtio_gpu *g, uint32_t id, uint32_t format, uint32_t width, uint32_t height);
/* No output shows it any more. */
void gpu_unref(struct virtio_gpu *g, struct gpu_resource *r);
/* Takes the list of guest memory from byte `at` of sg; nr addresses and lengths. 0 or -errno. */
int gpu_attach(struct virtio_gpu *g, struct gpu_resource *r, const struct dma_sg *sg, size_t at,
	       uint32_t nr);
void gpu_detach(struct virtio_gpu *g, struct gpu_resource *r);
/* Copies a rectangle, which lies in the picture, from the backing, where it starts at byte `from`, as far as
 * that goes. */
void gpu_transfer(struct virtio_gpu *g, struct gpu_resource *r, const struct rect *to,
		  uint64_t from);
void gpu_reset_resources(struct virtio_gpu *g);
/* After a load: numbers that make no sense become none; then what is not saved is found again. */
void gpu_tame_resources(struct virtio_gpu *g);
void gpu_loaded_resources(struct virtio_gpu *g);
/* Whether a rectangle is not empty and lies in a picture of that size. */
bool gpu_inside(const struct rect *r, uint32_t width, uint32_t height);
/* Bytes of an image. */
static inline uint64_t gpu_bytes(const struct gpu_resource *r)
{
	return (uint64_t)r->width * r->height * GPU_PIXEL;
}
/* The pixels of a row from x on as AARRGGBBh, n of them. What formats without alpha have in its place is alpha: Linux
 * has pointers in such. */
void gpu_pixels(const struct virtio_gpu *g, const struct gpu_resource *r, unsigned x, unsigned y,
		uint32_t *to, unsigned n);

/* ---- outputs ---- */

void gpu_init_outputs(struct virtio_gpu *g, const struct virtio_gpu_options *o);
/* r NULL: nothing is shown. area lies in it. */
void gpu_show(struct virtio_gpu *g, struct gpu_output *o, const struct gpu_resource *r,
	      const struct rect *area);
/* The rectangle of a resource has changed. */
void gpu_damage(struct virtio_gpu *g, const struct gpu_resource *r, const struct rect *area);
/* r NULL: there is none. */
void gpu_set_cursor(struct gpu_output *o, const struct gpu_resource *r, uint32_t hot_x,
		    uint32_t hot_y);
void gpu_move_cursor(struct gpu_output *o, uint32_t x, uint32_t y);
void gpu_reset_outputs(struct virtio_gpu *g);
void gpu_tame_outputs(struct virtio_gpu *g);
void gpu_loaded_outputs(struct virtio_gpu *g);

/* ---- commands ---- */

/* Does the one in e->out and writes the answer to e->in: how many bytes. *cost: what it took, about as many bytes
 * copied. */
uint32_t gpu_command(struct virtio_gpu *g, struct vq_elem *e, bool cursor_queue, uint64_t *cost);

#endif
