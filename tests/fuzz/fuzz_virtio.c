/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio queues against drivers that lie, and the small devices behind them: entropy, balloon, serial ports, a
 * folder by 9P, a GPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/9p/virtio_9p.h"
#include "hw/display/virtio_gpu_impl.h"
#include "hw/virtio/virtio_balloon.h"
#include "hw/virtio/virtio_rng.h"
#include "hw/virtio/virtio_serial.h"
#include "tests/fuzz/fuzz.h"

void fuzz_virtio_round(struct virtio_pci *v, unsigned queue, unsigned head_len,
		       void (*head)(uint64_t at))
{
	uint64_t at = bar(&v->func, 4), features = v->offered;
	uint16_t size = (uint16_t)(1u << (1 + below(8)));
	bool packed = features & VIRTIO_F_RING_PACKED && one_in(2);

	if (!packed)
		features &= ~VIRTIO_F_RING_PACKED;
	if (one_in(2))
		features &= ~VIRTIO_F_EVENT_IDX;
	if (one_in(8))
		features &= next() | VIRTIO_F_VERSION_1;
	put(at + 20, 0, 1);
	put(at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(at + 8, i, 4);
		put(at + 12, features >> 32 * i, 4);
	}
	put(at + 20, 11, 1);
	put(at + 22, queue, 2);
	put(at + 24, one_in(16) ? value() : size, 2);
	put(at + 32, one_in(16) ? value() : 0x1000, 8);
	put(at + 40, one_in(16) ? value() : 0x3000, 8);
	put(at + 48, one_in(16) ? value() : 0x4000, 8);
	put(at + 28, 1, 2);
	put(at + 20, 15, 1);
	for (unsigned k = below(6); k < 6; k++) {
		noise(4);
		for (unsigned i = 0; i < 8; i++) {
			uint64_t d = 0x1000 + 16 * i;
			uint16_t flags = (uint16_t)((i & 3) != 3) | (i & 2);

			put(d, i & 3 ? FUZZ_RAM / 2 + 0x800 * below(64) : 0x6000 + 64 * i, 8);
			put(d + 8, i & 3 ? 512u * below(4) + (i & 3) : head_len, 4);
			if (packed)
				flags |= 0x80;
			if (one_in(24))
				flags ^= (uint16_t)(1u << below(16));
			put(d + 12, packed ? i : flags, 2);
			put(d + 14, packed ? flags : (i + 1u) % 8, 2);
			put(0x6000 + 64 * i, below(16), 4);
			put(0x6000 + 64 * i + 8, value(), 8);
			if (head)
				head(0x6000 + 64 * i);
		}
		put(0x3000 + 4, 4u * below(2), 2);
		put(0x3000 + 6, 4u * below(2), 2);
		put(0x3000 + 2, one_in(16) ? next() : v->vq[queue].avail + 1 + below(2), 2);
		put(at + 0x3000 + 4 * queue, queue, 2);
		if (one_in(2))
			any_access(&v->func);
		if (one_in(2))
			drain();
	}
}

static const struct virtio_pci_options layout = {
    .features = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED,
};

/* ---- entropy, balloon ---- */

static struct virtio_rng *rng;

static void rng_init(void)
{
	rng = calloc(1, sizeof(*rng));
	virtio_rng_init(rng, world.clock, 1000, 1, &layout);
	fuzz_pci_add(&rng->v.func);
	fuzz_add(&rng->v.state);
}

static void rng_round(void)
{
	fuzz_virtio_round(&rng->v, 0, 0, NULL);
	clock_step(world.clock, 1000000);
}

static void rng_fini(void)
{
	virtio_rng_fini(rng);
	free(rng);
}

static struct virtio_balloon *balloon;

static void balloon_init(void)
{
	const struct virtio_balloon_options o = {.free_page_reporting = true};

	balloon = calloc(1, sizeof(*balloon));
	virtio_balloon_init(balloon, world.clock, &o, &layout);
	fuzz_pci_add(&balloon->v.func);
	fuzz_add(&balloon->v.state);
}

static void balloon_head(uint64_t at)
{
	for (unsigned i = 0; i < 16; i++)
		put(at + 4 * i, one_in(4) ? value() : FUZZ_RAM / 2 / PAGE_SIZE + below(100), 4);
}

static void balloon_round(void)
{
	fuzz_virtio_round(&balloon->v, below(3), 4 * below(17), balloon_head);
	if (one_in(4))
		virtio_balloon_ask(balloon, (uint32_t)next());
	clock_step(world.clock, 1000);
}

static void balloon_fini(void)
{
	virtio_balloon_fini(balloon);
	free(balloon);
}

/* ---- serial ports ---- */

static struct virtio_serial *serial;
static struct chardev lines[2];

static void serial_init(void)
{
	struct virtio_serial_port_options o = {.nr = -1, .name = "port", .chr = &lines[0]};
	int err;

	memset(lines, 0, sizeof(lines));
	serial = calloc(1, sizeof(*serial));
	virtio_serial_init(serial, 4, &layout);
	fuzz_pci_add(&serial->v.func);
	fuzz_add(&serial->v.state);
	fuzz_add(&virtio_serial_add(serial, &o, &err)->dev);
	o.console = true;
	o.chr = &lines[1];
	fuzz_add(&virtio_serial_add(serial, &o, &err)->dev);
}

static void serial_head(uint64_t at)
{
	put(at, below(5), 4);
	put(at + 4, below(9), 2);
	put(at + 6, below(2), 2);
}

static void serial_round(void)
{
	uint8_t bytes[256];

	/* Ports are open more often than a driver that says anything would have them. */
	if (one_in(2))
		serial->port[1]->guest_open = true;
	fuzz_virtio_round(&serial->v, one_in(2) ? 2 + below(2) : below(10), 8, serial_head);
	for (unsigned i = 0; i < 2; i++) {
		size_t room = lines[i].can_receive(lines[i].dev);

		memset(bytes, (int)i, sizeof(bytes));
		if (room)
			lines[i].receive(lines[i].dev, bytes, 1 + below(room < 256 ? room : 256));
		if (one_in(4))
			chardev_closed(&lines[i], one_in(2));
	}
}

static void serial_fini(void)
{
	virtio_serial_fini(serial);
	free(serial);
}

/* ---- a folder ---- */

static struct virtio_9p *p9;
static char folder[32];

static void p9_init(void)
{
	const struct p9_share share = {.path = folder, .model = P9_MAPPED};
	struct p9_tree tree;
	char path[64];

	strcpy(folder, "/tmp/doppel-fuzz-XXXXXX");
	if (!mkdtemp(folder) || p9_tree_open(&tree, &share) < 0)
		abort();
	snprintf(path, sizeof(path), "%s/link", folder);
	if (symlink("/etc", path) < 0)
		abort();
	p9 = calloc(1, sizeof(*p9));
	if (virtio_9p_init(p9, NULL, &tree, "fuzz", &layout) < 0)
		abort();
	fuzz_pci_add(&p9->v.func);
	fuzz_add(&p9->v.state);
}

static unsigned put_name(uint64_t at)
{
	static const char *const names[] = {"a", "b", "c", "..", ".", "", "link", "a/b", "user.x"};
	const char *name = names[below(sizeof(names) / sizeof(names[0]))];
	unsigned len = (unsigned)strlen(name);

	put(at, one_in(64) ? value() : len, 2);
	for (unsigned i = 0; i < len; i++)
		put(at + 2 + i, (uint8_t)name[i], 1);
	return 2 + len;
}

/* A message: fields in the order that most have, whatever they mean in this one. */
static void p9_head(uint64_t at)
{
	static const uint8_t types[] = {8,  12,  14,  16,  18,  20,  22,  24,  26,
					30, 32,  40,  50,  52,  54,  70,  72,  74,
					76, 100, 104, 108, 110, 116, 118, 120, 122};
	unsigned n = 7;

	put(at, one_in(32) ? value() : 64, 4);
	put(at + 4, one_in(3) ? 110 : types[below(sizeof(types))], 1);
	put(at + 5, next(), 2);
	while (n < 40) {
		switch (below(6)) {
		case 0:
		case 1:
		case 2:
			put(at + n, below(5), 4); /* a fid, a number, flags */
			n += 4;
			break;
		case 3:
			put(at + n, 1 + below(2), 2); /* of names */
			n += 2;
			break;
		case 4:
			n += put_name(at + n);
			break;
		default:
			put(at + n, value(), 8);
			n += 8;
		}
	}
}

static void p9_round(void)
{
	fuzz_virtio_round(&p9->v, 0, 64, p9_head);
	virtio_9p_drain(p9);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void p9_fini(void)
{
	virtio_9p_fini(p9);
	free(p9);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- a GPU ---- */

static struct virtio_gpu *gpu;
static struct surface screens[2];

static void gpu_init(void)
{
	const struct virtio_gpu_options o = {
	    .outputs = 2, .width = 64, .height = 64, .memory = VIRTIO_GPU_MEMORY_MIN};

	gpu = calloc(1, sizeof(*gpu));
	if (virtio_gpu_init(gpu, world.clock, &o, &layout) < 0)
		abort();
	fuzz_pci_add(&gpu->v.func);
	fuzz_add(&gpu->v.state);
	fuzz_add(&gpu->dev);
}

/* There is something to work with more often than a driver that says anything would have it. */
static void gpu_picture(uint32_t id)
{
	const uint64_t list = 0x7000;
	struct dma_sg sg;

	put(list, FUZZ_RAM / 2 + below(0x1000), 8);
	put(list + 8, below(0x1000), 8);
	dma_sg_init(&sg, 1);
	dma_sg_add(&sg, world.mem, list, 16, false);
	if (gpu_create(gpu, id, 1 + below(4), 1 + below(80), 1 + below(80)) == 0)
		gpu_attach(gpu, gpu_find(gpu, id), &sg, 0, 1);
	dma_sg_fini(&sg);
}

static void gpu_head(uint64_t at)
{
	static const uint16_t types[] = {0x100, 0x101, 0x101, 0x102, 0x103, 0x103,
					 0x104, 0x104, 0x105, 0x105, 0x106, 0x106,
					 0x107, 0x10a, 0x300, 0x300, 0x301};
	unsigned type = types[below(sizeof(types) / sizeof(types[0]))];
	/* Where the number of a resource is, and of an output. */
	unsigned id = type == 0x103                    ? 20
		      : type == 0x104 || type == 0x300 ? 16
		      : type == 0x105                  ? 24
						       : 0;

	if (one_in(4))
		gpu_picture(1 + below(2));
	put(at, type, 4);
	put(at + 4, below(2), 4);
	for (unsigned n = 0; n < 10; n++)
		put(at + 24 + 4 * n, one_in(24) ? value() : below(2 + n % 4 / 2 * 16), 4);
	put(at + 24 + id, below(3), 4);
	if (type == 0x101) {
		put(at + 28, 1 + below(4), 4);
		put(at + 32, 1 + below(64), 4);
		put(at + 36, 1 + below(64), 4);
	} else if (type == 0x106) {
		put(at + 28, one_in(8) ? value() : 1, 4);
		put(at + 32, FUZZ_RAM / 2 + below(0x1000), 8);
		put(at + 40, one_in(8) ? value() : below(0x10000), 4);
	}
}

static void gpu_round(void)
{
	struct rect r;

	fuzz_virtio_round(&gpu->v, below(2), 64, gpu_head);
	for (unsigned n = 0; n < 2; n++) {
		struct display *d = &gpu->output[n].display;

		if (one_in(2))
			d->update(d->dev, &screens[n], &r);
		if (one_in(8))
			d->prefer(d->dev, (unsigned)value(), (unsigned)value());
	}
	clock_step(world.clock, 1000);
}

static void gpu_fini(void)
{
	for (unsigned n = 0; n < 2; n++)
		surface_fini(&screens[n]);
	virtio_gpu_fini(gpu);
	free(gpu);
}

const struct fuzz_device fuzz_virtio[] = {
    {"virtio-rng", rng_init, NULL, rng_round, rng_fini, NULL},
    {"virtio-balloon", balloon_init, NULL, balloon_round, balloon_fini, NULL},
    {"virtio-serial", serial_init, NULL, serial_round, serial_fini, NULL},
    {"virtio-9p", p9_init, NULL, p9_round, p9_fini, NULL},
    {"virtio-gpu", gpu_init, NULL, gpu_round, gpu_fini, NULL},
    {0},
};
