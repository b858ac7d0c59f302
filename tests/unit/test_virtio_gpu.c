/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio GPU, driven through its queues: every command, also with values that no driver sends, what outputs
 * show, and saved states. And the VGA that it may be.
 */
#include <errno.h>

#include "disks.h"
#include "hw/display/edid.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu.h"
#include "vring.h"

/* Where things are in guest memory. */
#define RING    0x4000u /* and 0x8000 for the second queue */
#define COMMAND 0x20000u
#define ANSWER  0x30000u
#define PICTURE 0x100000u

enum {
	DISPLAY_INFO = 0x100,
	CREATE,
	UNREF,
	SCANOUT,
	FLUSH,
	TRANSFER,
	ATTACH,
	DETACH,
	EDID = 0x10a
};
enum { UPDATE_CURSOR = 0x300, MOVE_CURSOR };
enum { OK = 0x1100, OK_INFO, OK_EDID = 0x1104 };
enum { E_UNSPEC = 0x1200, E_MEMORY, E_SCANOUT, E_RESOURCE, E_CONTEXT, E_PARAMETER };
enum { BGRA = 1, BGRX = 2, ARGB = 3, XRGB = 4, RGBA = 67, XBGR = 68, ABGR = 121, RGBX = 134 };

static struct rig g;
static struct clock clk;
static struct virtio_gpu gpu;
static struct vring ring[2];
static uint64_t at;

static const struct virtio_pci_options layout = {.features =
						     VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX};
static const struct virtio_gpu_options options = {
    .outputs = 2, .width = 1280, .height = 800, .memory = 16 << 20};

static void start(void)
{
	const uint64_t features = gpu.v.offered & ~VIRTIO_F_EVENT_IDX;

	memset(g.ram.host + RING, 0, 0x8000);
	at = rig_bar(&gpu.v.func, gpu.v.bar) + gpu.v.at;
	put(&g, at + 20, 0, 1);
	put(&g, at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(&g, at + 8, i, 4);
		put(&g, at + 12, features >> 32 * i, 4);
	}
	put(&g, at + 20, 11, 1);
	for (unsigned q = 0; q < 2; q++) {
		vring_init(&ring[q], &g.mem, false, 16, RING + 0x4000 * q);
		put(&g, at + 22, q, 2);
		put(&g, at + 24, 16, 2);
		put(&g, at + 32, ring[q].desc, 8);
		put(&g, at + 40, ring[q].driver, 8);
		put(&g, at + 48, ring[q].device, 8);
		put(&g, at + 28, 1, 2);
	}
	put(&g, at + 20, 15, 1);
}

static void reset_all(void)
{
	device_reset(&gpu.dev);
	device_reset(&gpu.v.state);
}

static void make(const struct virtio_gpu_options *o)
{
	cr_assert_eq(virtio_gpu_init(&gpu, &clk, o, &layout), 0);
	rig_plug(&g, &gpu.v.func);
	reset_all();
	start();
}

static void init(void)
{
	rig_init(&g);
	clock_init(&clk, true);
}

static void fini(void)
{
	virtio_gpu_fini(&gpu);
	rig_fini(&g);
}

TestSuite(virtio_gpu, .init = init, .fini = fini, .timeout = 60);

static void kick(unsigned queue)
{
	put(&g, at + 0x3000 + 4 * queue, queue, 2);
}

static void words(uint64_t to, const uint32_t *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(&g, to + 4 * i, w[i], 4);
}

/* Sends a command of n words after the header; what the answer says. */
static uint32_t send(unsigned queue, uint32_t type, const uint32_t *w, unsigned n)
{
	const struct vbuf b[2] = {{COMMAND, 24 + 4 * n, false}, {ANSWER, 4096, true}};
	uint32_t len;
	uint16_t id;

	memset(g.ram.host + COMMAND, 0, 24);
	memset(g.ram.host + ANSWER, 0, 4096);
	put(&g, COMMAND, type, 4);
	words(COMMAND + 24, w, n);
	vring_add(&ring[queue], b, 2, 0);
	kick(queue);
	cr_assert(vring_used(&ring[queue], 2, &id, &len));
	cr_assert_geq(len, 24);
	return (uint32_t)get(&g, ANSWER, 4);
}

#define SEND(type, ...)                                                                            \
	send(((type)&0x300) == 0x300, type, (const uint32_t[]){__VA_ARGS__},                       \
	     sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* A resource of w x h with its backing at PICTURE. */
static void picture(uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	cr_assert_eq(SEND(CREATE, id, format, w, h), OK);
	cr_assert_eq(SEND(ATTACH, id, 1, PICTURE, 0, w * h * 4, 0), OK);
}

static void fill(uint32_t w, uint32_t h)
{
	for (uint32_t i = 0; i < w * h; i++)
		put(&g, PICTURE + 4 * i, 0xff000000 | i, 4);
}

static struct rect update(unsigned output, struct surface *s)
{
	struct display *d = &gpu.output[output].display;
	struct rect r;

	cr_assert_eq(d->update(d->dev, s, &r), 0);
	return r;
}

static bool is(struct rect r, unsigned x, unsigned y, unsigned w, unsigned h)
{
	return r.x == x && r.y == y && r.width == w && r.height == h;
}

Test(virtio_gpu, tells_of_its_outputs)
{
	uint8_t edid[EDID_SIZE];

	make(&options);
	cr_expect_eq(get(&g, at + 0x2008, 4), 2);
	cr_expect_eq(SEND(DISPLAY_INFO), OK_INFO);
	cr_expect_eq(get(&g, ANSWER + 24 + 8, 4), 1280);
	cr_expect_eq(get(&g, ANSWER + 24 + 12, 4), 800);
	cr_expect_eq(get(&g, ANSWER + 24 + 16, 4), 1);
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 16, 4), 0);
	cr_expect_eq(SEND(EDID, 0, 0), OK_EDID);
	cr_expect_eq(get(&g, ANSWER + 24, 4), EDID_SIZE);
	edid_make(edid, 1280, 800);
	cr_expect_arr_eq(g.ram.host + ANSWER + 32, edid, EDID_SIZE);
	cr_expect_eq(SEND(EDID, 1, 0), OK_EDID);
	cr_expect_eq(SEND(EDID, 2, 0), E_PARAMETER);
	cr_expect_eq(SEND(EDID, 0xffffffff, 0), E_PARAMETER);
	cr_expect_eq(SEND(0x108, 0), E_UNSPEC); /* 3D is not there */
	cr_expect_eq(SEND(0), E_UNSPEC);
}

Test(virtio_gpu, without_edid)
{
	struct virtio_gpu_options o = options;

	o.no_edid = true;
	make(&o);
	cr_expect_eq(gpu.v.offered & 2, 0);
	cr_expect_eq(SEND(EDID, 0, 0), E_UNSPEC);
}

Test(virtio_gpu, options_that_cannot_be)
{
	struct virtio_gpu_options o = options;

	o.outputs = 0;
	cr_expect_eq(virtio_gpu_init(&gpu, &clk, &o, &layout), -EINVAL);
	virtio_gpu_fini(&gpu);
	o.outputs = VIRTIO_GPU_OUTPUTS + 1;
	cr_expect_eq(virtio_gpu_init(&gpu, &clk, &o, &layout), -EINVAL);
	virtio_gpu_fini(&gpu);
	o = options;
	o.memory = 4096;
	cr_expect_eq(virtio_gpu_init(&gpu, &clk, &o, &layout), -EINVAL);
}

Test(virtio_gpu, shows_what_is_flushed)
{
	struct surface s = {0};

	make(&options);
	cr_expect(is(update(0, &s), 0, 0, 640, 480));
	picture(7, BGRX, 64, 32);
	fill(64, 32);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 32, 0, 7), OK);
	cr_expect(is(update(0, &s), 0, 0, 64, 32));
	cr_expect_eq(s.pixels[5 * 64 + 3], 0u);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 32, 0, 0, 7, 0), OK);
	cr_expect(is(update(0, &s), 0, 0, 0, 0)); /* not flushed */
	cr_assert_eq(SEND(FLUSH, 2, 4, 8, 2, 7, 0), OK);
	cr_expect(is(update(0, &s), 2, 4, 8, 2));
	cr_expect_eq(s.pixels[5 * 64 + 3], 5u * 64 + 3);
	cr_expect_eq(s.pixels[6 * 64 + 3], 0u);
	cr_expect_eq(s.pixels[5 * 64 + 10], 0u);
	/* Two become the one around them; what does not change is not drawn. */
	cr_assert_eq(SEND(FLUSH, 0, 0, 1, 1, 7, 0), OK);
	cr_assert_eq(SEND(FLUSH, 20, 10, 4, 4, 7, 0), OK);
	cr_expect(is(update(0, &s), 0, 0, 24, 14));
	cr_expect(is(update(0, &s), 0, 0, 0, 0));
	/* Only the output that shows it hears of it. */
	struct surface other = {0};
	update(1, &other);
	cr_assert_eq(SEND(FLUSH, 0, 0, 64, 32, 7, 0), OK);
	cr_expect(is(update(1, &other), 0, 0, 0, 0));
	surface_fini(&other);
	surface_fini(&s);
}

Test(virtio_gpu, shows_a_part)
{
	struct surface s = {0};

	make(&options);
	picture(7, BGRX, 64, 32);
	fill(64, 32);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 32, 0, 0, 7, 0), OK);
	cr_assert_eq(SEND(SCANOUT, 16, 8, 20, 10, 1, 7), OK);
	cr_expect(is(update(1, &s), 0, 0, 20, 10));
	cr_expect_eq(s.pixels[0], 8u * 64 + 16);
	cr_assert_eq(SEND(FLUSH, 0, 0, 18, 9, 7, 0), OK);
	cr_expect(is(update(1, &s), 0, 0, 2, 1));
	cr_assert_eq(SEND(FLUSH, 36, 0, 10, 32, 7, 0), OK);
	cr_expect(is(update(1, &s), 0, 0, 0, 0));
	cr_assert_eq(SEND(SCANOUT, 0, 0, 0, 0, 1, 0), OK);
	cr_expect(is(update(1, &s), 0, 0, 20, 10)); /* dark, in the same size */
	cr_expect_eq(s.pixels[0], 0u);
	surface_fini(&s);
}

Test(virtio_gpu, formats)
{
	static const struct {
		uint32_t format, shown, cursor;
	} all[] = {
	    {BGRA, 0x223344, 0x11223344}, {BGRX, 0x223344, 0x11223344},
	    {ARGB, 0x332211, 0x44332211}, {XRGB, 0x332211, 0x44332211},
	    {RGBA, 0x443322, 0x11443322}, {RGBX, 0x443322, 0x11443322},
	    {ABGR, 0x112233, 0x44112233}, {XBGR, 0x112233, 0x44112233},
	};
	struct surface s = {0};
	uint32_t version;

	make(&options);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct cursor *c;

		picture(1, all[i].format, 64, 64);
		put(&g, PICTURE, 0x11223344, 4);
		cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 64, 0, 0, 1, 0), OK);
		cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 64, 0, 1), OK);
		update(0, &s);
		cr_expect_eq(s.pixels[0], all[i].shown, "%u: %x", all[i].format, s.pixels[0]);
		cr_assert_eq(SEND(UPDATE_CURSOR, 0, 3, 4, 0, 1, 5, 6, 0), OK);
		c = gpu.output[0].display.cursor(&gpu.output[0], &version);
		cr_expect_eq(c->pixels[0], all[i].cursor, "%u: %x", all[i].format, c->pixels[0]);
		cr_assert_eq(SEND(UNREF, 1, 0), OK);
	}
	cr_expect_eq(SEND(CREATE, 1, 5, 64, 64), E_PARAMETER);
	surface_fini(&s);
}

Test(virtio_gpu, scattered_backing)
{
	struct surface s = {0};

	make(&options);
	fill(64, 32);
	/* Rows of 256 bytes; pieces that end inside of pixels and rows, in another order than in memory. */
	for (uint32_t i = 0; i < 0x2000; i++)
		put(&g, 0x200000 + i, get(&g, PICTURE + i, 1), 1);
	cr_assert_eq(SEND(CREATE, 9, BGRX, 64, 32), OK);
	cr_assert_eq(SEND(ATTACH, 9, 4, 0x200000, 0, 0x101, 0, PICTURE + 0x101, 0, 0x7ff, 0, 0, 0,
			  0, 0, 0x200900, 0, 0x1700, 0),
		     OK);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 32, 0, 9), OK);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 32, 0, 0, 9, 0), OK);
	update(0, &s);
	for (unsigned i = 0; i < 64 * 32; i++)
		cr_assert_eq(s.pixels[i], i, "%u: %x", i, s.pixels[i]);
	/* A part, from another place of the backing. */
	cr_assert_eq(SEND(TRANSFER, 60, 2, 4, 30, 256, 0, 9, 0), OK);
	cr_assert_eq(SEND(FLUSH, 0, 0, 64, 32, 9, 0), OK);
	update(0, &s);
	cr_expect_eq(s.pixels[2 * 64 + 60], 64u);
	cr_expect_eq(s.pixels[31 * 64 + 63], 30u * 64 + 3);
	cr_expect_eq(s.pixels[2 * 64 + 59], 2u * 64 + 59);
	/* The end of the backing ends it. */
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 32, 0x1f00, 0, 9, 0), OK);
	cr_assert_eq(SEND(FLUSH, 0, 0, 64, 32, 9, 0), OK);
	update(0, &s);
	cr_expect_eq(s.pixels[63], 31u * 64 + 63);
	cr_expect_eq(s.pixels[64], 64u);
	cr_assert_eq(SEND(DETACH, 9, 0), OK);
	cr_expect_eq(SEND(TRANSFER, 0, 0, 64, 32, 0, 0, 9, 0), E_UNSPEC);
	cr_expect_eq(SEND(DETACH, 9, 0), E_UNSPEC);
	surface_fini(&s);
}

Test(virtio_gpu, rectangles_that_cannot_be)
{
	static const uint32_t bad[][4] = {
	    {0, 0, 0, 32},         {0, 0, 64, 0},          {64, 0, 1, 1},
	    {0, 32, 1, 1},         {1, 0, 64, 32},         {0, 1, 64, 32},
	    {0, 0, 65, 1},         {0, 0, 1, 33},          {0xffffffff, 0, 2, 1},
	    {0, 0xffffffff, 1, 2}, {0xffffffc1, 0, 64, 1}, {1, 1, 0xffffffff, 0xffffffff},
	};

	make(&options);
	picture(7, BGRX, 64, 32);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const uint32_t *b = bad[i];

		cr_expect_eq(SEND(SCANOUT, b[0], b[1], b[2], b[3], 0, 7), E_PARAMETER, "%u", i);
		cr_expect_eq(SEND(FLUSH, b[0], b[1], b[2], b[3], 7, 0), E_PARAMETER, "%u", i);
		cr_expect_eq(SEND(TRANSFER, b[0], b[1], b[2], b[3], 0, 0, 7, 0), E_PARAMETER, "%u",
			     i);
	}
	cr_expect_eq(SEND(TRANSFER, 0, 0, 64, 32, 0xffffffff, 0xffffffff, 7, 0), OK);
	cr_expect_eq(SEND(TRANSFER, 0, 0, 64, 32, 0xffffff00, 0xffffffff, 7, 0), OK);
	cr_expect_eq(SEND(TRANSFER, 63, 31, 1, 1, 64 * 32 * 4 - 1, 0, 7, 0), OK);
	cr_expect_eq(SEND(SCANOUT, 0, 0, 64, 32, 2, 7), E_SCANOUT);
	cr_expect_eq(SEND(SCANOUT, 0, 0, 64, 32, 0xffffffff, 7), E_SCANOUT);
	cr_expect_eq(SEND(SCANOUT, 0, 0, 64, 32, 0, 8), E_RESOURCE);
	cr_expect_eq(SEND(FLUSH, 0, 0, 1, 1, 8, 0), E_RESOURCE);
	cr_expect_eq(SEND(TRANSFER, 0, 0, 1, 1, 0, 0, 8, 0), E_RESOURCE);
	cr_expect_eq(SEND(ATTACH, 8, 1, PICTURE, 0, 4, 0), E_RESOURCE);
	cr_expect_eq(SEND(DETACH, 8, 0), E_RESOURCE);
	cr_expect_eq(SEND(UNREF, 8, 0), E_RESOURCE);
	cr_expect_eq(SEND(UNREF, 0, 0), E_RESOURCE);
}

Test(virtio_gpu, backings_that_cannot_be)
{
	make(&options);
	cr_assert_eq(SEND(CREATE, 7, BGRX, 64, 32), OK);
	cr_expect_eq(SEND(TRANSFER, 0, 0, 64, 32, 0, 0, 7, 0), E_UNSPEC);
	cr_expect_eq(SEND(ATTACH, 7, 0), E_PARAMETER);
	cr_expect_eq(SEND(ATTACH, 7, 2, PICTURE, 0, 64, 0),
		     E_PARAMETER); /* the second is not there */
	cr_expect_eq(SEND(ATTACH, 7, 0xffffffff, PICTURE, 0, 64, 0), E_PARAMETER);
	cr_expect_eq(SEND(ATTACH, 7, 0x10000000, PICTURE, 0, 64, 0), E_PARAMETER);
	cr_expect_eq(SEND(ATTACH, 7, 1, RIG_RAM - 4, 0, 8, 0), E_PARAMETER);
	cr_expect_eq(SEND(ATTACH, 7, 1, 0xffffffff, 0xffffffff, 0xffffffff, 0), E_PARAMETER);
	cr_expect_eq(SEND(ATTACH, 7, 1, (uint32_t)at, 0, 64, 0),
		     E_PARAMETER); /* the device itself */
	cr_expect_eq(SEND(ATTACH, 7, 1, PICTURE, 0, 64, 0), OK);
	cr_expect_eq(SEND(ATTACH, 7, 1, PICTURE, 0, 64, 0), E_PARAMETER); /* has one */
	cr_expect_eq(SEND(DETACH, 7, 0), OK);
	cr_expect_eq(SEND(ATTACH, 7, 1, PICTURE, 0, 64, 0), OK);
}

Test(virtio_gpu, memory_is_bounded)
{
	unsigned n = 0;

	make(&options);
	cr_expect_eq(SEND(CREATE, 0, BGRX, 64, 64), E_RESOURCE);
	cr_expect_eq(SEND(CREATE, 1, BGRX, 0, 64), E_PARAMETER);
	cr_expect_eq(SEND(CREATE, 1, BGRX, 0xffffffff, 0xffffffff), E_PARAMETER);
	cr_expect_eq(SEND(CREATE, 1, BGRX, 0x10000, 0x10000), E_PARAMETER);
	cr_expect_eq(SEND(CREATE, 1, BGRX, 16384, 16384), E_MEMORY);
	while (SEND(CREATE, n + 1, BGRX, 1, 1) == OK)
		n++;
	cr_expect_eq(n, VIRTIO_GPU_RESOURCES); /* of a page each, that is all 16 MiB */
	cr_expect_eq(SEND(CREATE, n + 1, BGRX, 1, 1), E_MEMORY);
	cr_expect_eq(SEND(CREATE, 5, BGRX, 1, 1), E_RESOURCE);
	cr_expect_eq(SEND(UNREF, 5, 0), OK);
	cr_expect_eq(SEND(UNREF, 6, 0), OK);
	cr_expect_eq(SEND(UNREF, 8, 0), OK);
	cr_expect_eq(SEND(CREATE, 5, BGRX, 3, 1024), E_MEMORY); /* three pages, but not together */
	cr_expect_eq(SEND(CREATE, 5, BGRX, 2, 1024), OK);
	/* Lists of backings are from there, too. */
	cr_expect_eq(SEND(ATTACH, 5, 1, PICTURE, 0, 4, 0), OK);
	cr_expect_eq(SEND(ATTACH, 9, 1, PICTURE, 0, 4, 0), E_MEMORY);
	put(&g, at + 20, 0, 1);
	start();
	cr_expect_eq(SEND(UNREF, 9, 0), E_RESOURCE);
	cr_expect_eq(SEND(CREATE, 5, BGRX, 2048, 2048), OK);
}

Test(virtio_gpu, memory_is_empty_when_it_is_taken)
{
	struct surface s = {0};

	make(&options);
	picture(1, BGRX, 64, 64);
	memset(g.ram.host + PICTURE, 0x55, 64 * 64 * 4);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 64, 0, 0, 1, 0), OK);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 64, 0, 1), OK);
	update(0, &s);
	cr_expect_eq(s.pixels[77], 0x555555u);
	/* What is shown goes: the screen is dark. */
	cr_assert_eq(SEND(UNREF, 1, 0), OK);
	cr_expect(is(update(0, &s), 0, 0, 64, 64));
	cr_expect_eq(s.pixels[77], 0u);
	cr_assert_eq(SEND(CREATE, 2, BGRX, 64, 64), OK);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 64, 0, 2), OK);
	update(0, &s);
	cr_expect_eq(s.pixels[77], 0u);
	surface_fini(&s);
}

Test(virtio_gpu, cursor)
{
	struct display *d;
	const struct cursor *c;
	uint32_t before, now;

	make(&options);
	d = &gpu.output[1].display;
	c = d->cursor(d->dev, &before);
	cr_expect_not(c->visible);
	picture(3, BGRA, 64, 64);
	fill(64, 64);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 64, 0, 0, 3, 0), OK);
	cr_expect_eq(SEND(UPDATE_CURSOR, 1, 100, (uint32_t)-3, 0, 3, 7, 1000, 0), OK);
	c = d->cursor(d->dev, &now);
	cr_expect_neq(now, before);
	cr_expect(c->visible && c->x == 100 && c->y == -3);
	cr_expect(c->hot_x == 7 && c->hot_y == CURSOR_SIZE - 1);
	cr_expect_eq(c->pixels[2 * 64 + 9], 0xff000000u + 2 * 64 + 9);
	cr_expect_eq(SEND(MOVE_CURSOR, 1, 5, 6, 0, 0, 0, 0, 0), OK);
	cr_expect(c->visible && c->x == 5 && c->y == 6);
	/* Of another size: what there is of it. */
	picture(4, BGRA, 80, 3);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 80, 3, 0, 0, 4, 0), OK);
	cr_expect_eq(SEND(UPDATE_CURSOR, 1, 0, 0, 0, 4, 0, 0, 0), OK);
	cr_expect_eq(c->pixels[2 * 64 + 9], 0xff000000u + 2 * 80 + 9);
	cr_expect_eq(c->pixels[3 * 64 + 9], 0u);
	cr_expect_eq(SEND(UPDATE_CURSOR, 2, 0, 0, 0, 4, 0, 0, 0), E_SCANOUT);
	cr_expect_eq(SEND(UPDATE_CURSOR, 0xffffffff, 0, 0, 0, 4, 0, 0, 0), E_SCANOUT);
	cr_expect_eq(SEND(UPDATE_CURSOR, 1, 0, 0, 0, 44, 0, 0, 0), E_RESOURCE);
	cr_expect_eq(SEND(UPDATE_CURSOR, 1, 0, 0, 0, 0, 0, 0, 0), OK);
	cr_expect_not(c->visible);
	/* Each queue has its own commands. */
	cr_expect_eq(send(1, DISPLAY_INFO, NULL, 0), E_UNSPEC);
	cr_expect_eq(send(0, MOVE_CURSOR, NULL, 0), E_UNSPEC);
}

Test(virtio_gpu, fences)
{
	const struct vbuf b[2] = {{COMMAND, 24, false}, {ANSWER, 4096, true}};
	uint32_t len;
	uint16_t id;

	make(&options);
	words(COMMAND, (const uint32_t[]){DISPLAY_INFO, 1, 0x1234, 0x5678, 9, 0}, 6);
	vring_add(&ring[0], b, 2, 0);
	kick(0);
	cr_assert(vring_used(&ring[0], 2, &id, &len));
	cr_expect_eq(len, 24 + 16 * 24);
	cr_expect_eq(get(&g, ANSWER + 4, 4), 1);
	cr_expect_eq(get(&g, ANSWER + 8, 8), 0x567800001234);
	cr_expect_eq(get(&g, ANSWER + 16, 4), 9);
}

Test(virtio_gpu, chains_that_are_too_short)
{
	struct vbuf b[2] = {{COMMAND, 23, false}, {ANSWER, 4, true}};
	uint32_t len;
	uint16_t id;

	make(&options);
	put(&g, COMMAND, DISPLAY_INFO, 4);
	vring_add(&ring[0], b, 2, 0);
	kick(0);
	cr_assert(vring_used(&ring[0], 2, &id, &len));
	cr_expect_eq(len, 4);
	cr_expect_eq(get(&g, ANSWER, 4), E_UNSPEC);
	b[0].len = 0x1000; /* more than a command */
	vring_add(&ring[0], b, 2, 0);
	kick(0);
	cr_assert(vring_used(&ring[0], 2, &id, &len));
	cr_expect_eq(get(&g, ANSWER, 4), OK_INFO);
	vring_add(&ring[1], b, 1, 0); /* drivers want no answer there */
	kick(1);
	cr_assert(vring_used(&ring[1], 1, &id, &len));
	cr_expect_eq(len, 0);
	vring_add(&ring[0], b + 1, 1, 0);
	kick(0);
	cr_assert(vring_used(&ring[0], 1, &id, &len));
	cr_expect_eq(get(&g, ANSWER, 4), E_UNSPEC);
}

/* A driver that has much copied does not hold up the machine: the rest comes later. */
Test(virtio_gpu, much_work_is_done_in_parts)
{
	const struct vbuf b[2] = {{COMMAND, 56, false}, {ANSWER, 24, true}};
	struct virtio_gpu_options o = options;
	unsigned done = 0;
	uint32_t len;
	uint16_t id;

	o.memory = 64 << 20;
	make(&o);
	cr_assert_eq(SEND(CREATE, 7, BGRX, 2048, 2048), OK);
	/* All of the same memory. */
	cr_assert_eq(SEND(ATTACH, 7, 8, 0x100000, 0, 0x200000, 0, 0x100000, 0, 0x200000, 0,
			  0x100000, 0, 0x200000, 0, 0x100000, 0, 0x200000, 0, 0x100000, 0, 0x200000,
			  0, 0x100000, 0, 0x200000, 0, 0x100000, 0, 0x200000, 0, 0x100000, 0,
			  0x200000, 0),
		     OK);
	words(COMMAND, (const uint32_t[]){TRANSFER, 0, 0, 0, 0, 0, 0, 0, 2048, 2048, 0, 0, 7, 0},
	      14);
	for (unsigned i = 0; i < 8; i++)
		vring_add(&ring[0], b, 2, 0);
	kick(0);
	while (vring_used(&ring[0], 2, &id, &len))
		done++;
	cr_expect(done >= 1 && done < 8, "%u", done);
	clock_step(&clk, 1);
	clock_step(&clk, 1);
	clock_step(&clk, 1);
	while (vring_used(&ring[0], 2, &id, &len))
		done++;
	cr_expect_eq(done, 8);
}

Test(virtio_gpu, the_user_asks_for_a_size)
{
	struct display *d;
	struct surface s = {0};

	make(&options);
	d = &gpu.output[1].display;
	gpu.output[0].display.watched(&gpu.output[0]); /* that is connected */
	cr_expect_eq(get(&g, at + 0x2000, 4), 0);
	d->watched(d->dev);
	cr_expect_eq(get(&g, at + 0x2000, 4), 1);
	cr_expect_eq(SEND(DISPLAY_INFO), OK_INFO);
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 16, 4), 1);
	put(&g, at + 0x2004, 1, 4);
	get(&g, at + 0x1000, 1);
	d->prefer(d->dev, 1000, 700);
	cr_expect_eq(get(&g, at + 0x2000, 4), 1);
	cr_expect_eq(get(&g, at + 0x1000, 1), 2); /* an interrupt for the configuration */
	put(&g, at + 0x2004, 1, 4);
	cr_expect_eq(get(&g, at + 0x2000, 4), 0);
	cr_expect_eq(SEND(DISPLAY_INFO), OK_INFO);
	cr_expect_eq(get(&g, ANSWER + 24 + 24, 4), 1280); /* right of the other one */
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 8, 4), 1000);
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 12, 4), 700);
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 16, 4), 1);
	/* Nothing new once the guest does it; but when it does something else, the wish is one again. */
	picture(1, BGRX, 1024, 700);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 1000, 700, 1, 1), OK);
	d->prefer(d->dev, 1000, 700);
	cr_expect_eq(get(&g, at + 0x2000, 4), 0);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 1024, 700, 1, 1), OK);
	d->prefer(d->dev, 1000, 700);
	cr_expect_eq(get(&g, at + 0x2000, 4), 1);
	/* Sizes that no monitor has. */
	d->prefer(d->dev, 0, 0xffffffff);
	cr_expect_eq(SEND(DISPLAY_INFO), OK_INFO);
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 8, 4), EDID_MIN);
	cr_expect_eq(get(&g, ANSWER + 24 + 24 + 12, 4), EDID_MAX);
	surface_fini(&s);
}

/* As the machine does, through the field table. */
static void save_and_load(void)
{
	static uint8_t saved[1 << 20];
	uint8_t *p = saved;
	uint8_t *memory = malloc(gpu.memory.size);
	const struct field *f;

	for (f = gpu.dev.fields; f->name; f++)
		for (uint32_t i = 0; i < f->count; i++, p += f->size)
			memcpy(p, (uint8_t *)&gpu + f->offset + i * field_stride(f), f->size);
	cr_assert_leq((size_t)(p - saved), sizeof(saved));
	memcpy(memory, gpu.memory.host, gpu.memory.size);
	device_reset(&gpu.dev);
	p = saved;
	for (f = gpu.dev.fields; f->name; f++)
		for (uint32_t i = 0; i < f->count; i++, p += f->size)
			memcpy((uint8_t *)&gpu + f->offset + i * field_stride(f), p, f->size);
	memcpy(gpu.memory.host, memory, gpu.memory.size);
	free(memory);
	gpu.dev.tame(&gpu);
	gpu.dev.loaded(&gpu);
}

Test(virtio_gpu, saved_and_loaded)
{
	struct surface s = {0};
	struct display *d;
	uint32_t version;

	make(&options);
	d = &gpu.output[0].display;
	picture(5, BGRX, 64, 32);
	fill(64, 32);
	cr_assert_eq(SEND(TRANSFER, 0, 0, 64, 32, 0, 0, 5, 0), OK);
	cr_assert_eq(SEND(CREATE, 6, BGRX, 8, 8), OK);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 60, 30, 0, 5), OK);
	cr_assert_eq(SEND(UPDATE_CURSOR, 0, 11, 12, 0, 5, 3, 4, 0), OK);
	save_and_load();
	cr_expect(is(update(0, &s), 0, 0, 60, 30));
	cr_expect_eq(s.pixels[60 * 5 + 4], 64u * 5 + 4);
	cr_expect_eq(d->cursor(d->dev, &version)->pixels[64 + 1], 0xff000000u + 65);
	cr_expect_eq(d->cursor(d->dev, &version)->x, 11);
	cr_expect_eq(SEND(TRANSFER, 0, 0, 1, 1, 8, 0, 5, 0), OK); /* the backing is there */
	cr_expect_eq(SEND(FLUSH, 0, 0, 1, 1, 5, 0), OK);
	update(0, &s);
	cr_expect_eq(s.pixels[0], 2u);
	cr_expect_eq(SEND(CREATE, 7, BGRX, 64, 64), OK); /* and its memory is not free */
	cr_expect_neq(gpu.resource[2].image, gpu.resource[0].image);
	cr_expect_neq(gpu.resource[2].image, gpu.resource[1].image);
	surface_fini(&s);
}

Test(virtio_gpu, loads_of_nonsense_do_no_harm)
{
	struct surface s = {0};

	make(&options);
	for (unsigned n = 0; n < 4; n++) {
		cr_assert_eq(SEND(CREATE, 1, BGRX, 64, 32), OK);
		cr_assert_eq(SEND(ATTACH, 1, 1, PICTURE, 0, 64, 0), OK);
		cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 32, 0, 1), OK);
		cr_assert_eq(SEND(UPDATE_CURSOR, 0, 0, 0, 0, 1, 0, 0, 0), OK);
		switch (n) {
		case 0:
			gpu.resource[0].image = gpu.memory.size - PAGE_SIZE;
			break;
		case 1:
			gpu.resource[0].width = 0x80000000;
			break;
		case 2:
			gpu.resource[0].nr_list = 0xffffffff;
			break;
		case 3:
			gpu.resource[0].list = ~0xfffull;
			break;
		}
		save_and_load();
		cr_expect_eq(gpu.resource[0].id, 0u, "%u", n);
		cr_expect_eq(gpu.output[0].resource, 0u);
		update(0, &s);
		put(&g, at + 20, 0, 1);
		start();
	}
	cr_assert_eq(SEND(CREATE, 1, BGRX, 64, 32), OK);
	cr_assert_eq(SEND(SCANOUT, 0, 0, 64, 32, 0, 1), OK);
	gpu.output[0].area.width = 65;
	gpu.output[0].cursor.hot_x = 1000;
	save_and_load();
	cr_expect_eq(gpu.output[0].resource, 0u);
	update(0, &s);
	surface_fini(&s);
}

/* ---- with a VGA ---- */

Test(virtio_gpu, a_vga_until_a_driver_shows_something)
{
	struct virtio_gpu_options o = options;
	static struct text_screen text;
	static struct vga vga;
	struct surface s = {0};
	struct display *d;

	cr_assert_eq(vga_core_init(&vga, &clk, VGA_MEMORY_MIN, 1280, 800), 0);
	vga.mem = &g.mem;
	o.vga = &vga;
	make(&o);
	d = &gpu.output[0].display;
	cr_expect(d->text(d->dev, &text));
	cr_expect(is(update(0, &s), 0, 0, 720, 400));
	cr_expect(is(update(0, &s), 0, 0, 0, 0));
	picture(1, BGRX, 720, 400);
	cr_expect(d->text(d->dev, &text));
	cr_assert_eq(SEND(SCANOUT, 0, 0, 720, 400, 0, 1), OK);
	cr_expect_not(d->text(d->dev, &text));
	cr_expect(is(update(0, &s), 0, 0, 720, 400));
	cr_assert_eq(SEND(SCANOUT, 0, 0, 0, 0, 0, 0), OK);
	cr_expect_not(d->text(d->dev, &text)); /* dark, but the driver's */
	put(&g, at + 20, 0, 1);
	cr_expect(d->text(d->dev, &text));
	cr_expect(is(update(0, &s), 0, 0, 720, 400)); /* all of it */
	surface_fini(&s);
	vga_core_fini(&vga);
}
