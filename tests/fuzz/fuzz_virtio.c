/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio queues against drivers that lie, and the small devices behind them: entropy, balloon, serial ports, GPUs.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/display/vga.h"
#include "hw/display/virtio_gpu_impl.h"
#include "hw/pc.h"
#include "hw/virtio/virtio_balloon.h"
#include "hw/virtio/virtio_rng.h"
#include "hw/virtio/virtio_serial.h"
#include "tests/fuzz/fuzz.h"

/* Queue q as a driver would set it up, or nearly. */
static bool start_queue(struct virtio_pci *v, unsigned queue)
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
	return packed;
}

/* Descriptors from number d on, four at most. */
static void put_chain(unsigned d, bool packed, void (*make)(uint64_t at, struct fuzz_chain *c))
{
	uint64_t head = 0x6000 + 0x100 * d, data[4] = {head};
	struct fuzz_chain c = {.len[0] = 64};
	unsigned used[4], n = 0;

	for (unsigned i = 1; i < 4; i++) {
		data[i] = FUZZ_RAM / 2 + 0x800 * below(64);
		c.len[i] = 512u * below(4) + i;
	}
	c.out = data[1];
	put(head, below(16), 4);
	put(head + 8, value(), 8);
	make(head, &c);
	for (unsigned i = 0; i < 4; i++)
		if (c.len[i])
			used[n++] = i;
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = 0x1000 + 16 * (d + i);
		uint16_t flags = (uint16_t)((i + 1 < n) | (used[i] & 2));

		if (packed)
			flags |= 0x80;
		if (one_in(24))
			flags ^= (uint16_t)(1u << below(16));
		put(at, data[used[i]], 8);
		put(at + 8, c.len[used[i]], 4);
		put(at + 12, packed ? d + i : flags, 2);
		put(at + 14, packed ? flags : (d + i + 1u) % 8, 2);
	}
}

static bool packed; /* the queue's ring */

void fuzz_virtio_more(struct virtio_pci *v, unsigned queue,
		      void (*make)(uint64_t at, struct fuzz_chain *c))
{
	uint64_t at = bar(&v->func, 4);

	noise(4);
	put_chain(0, packed, make);
	put_chain(4, packed, make);
	put(0x3000 + 4, 4u * below(2), 2);
	put(0x3000 + 6, 4u * below(2), 2);
	put(0x3000 + 2, one_in(16) ? next() : v->vq[queue].avail + 1 + below(2), 2);
	put(at + 0x3000 + 4 * queue, queue, 2);
	if (one_in(2))
		any_access(&v->func);
	if (one_in(16)) /* VIRTIO_F_RING_RESET's register */
		put(at + 58, 1, 2);
	if (one_in(2))
		drain();
}

void fuzz_virtio_chains(struct virtio_pci *v, unsigned queue,
			void (*make)(uint64_t at, struct fuzz_chain *c))
{
	packed = start_queue(v, queue);
	for (unsigned k = below(6); k < 6; k++)
		fuzz_virtio_more(v, queue, make);
}

static struct {
	unsigned len;
	void (*write)(uint64_t at);
} head;

static void with_head(uint64_t at, struct fuzz_chain *c)
{
	c->len[0] = head.len;
	if (head.write)
		head.write(at);
}

void fuzz_virtio_round(struct virtio_pci *v, unsigned queue, unsigned head_len,
		       void (*write)(uint64_t at))
{
	head.len = head_len;
	head.write = write;
	fuzz_virtio_chains(v, queue, with_head);
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
	fuzz_step(1000000);
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
	fuzz_step(1000);
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
	for (unsigned n = 0; n < gpu->nr_outputs; n++) {
		struct display *d = &gpu->output[n].display;

		if (one_in(2))
			d->update(d->dev, &screens[n], &r);
		if (one_in(8))
			d->prefer(d->dev, (unsigned)value(), (unsigned)value());
	}
	fuzz_step(1000);
}

static void gpu_fini(void)
{
	for (unsigned n = 0; n < 2; n++)
		surface_fini(&screens[n]);
	virtio_gpu_fini(gpu);
	free(gpu);
}

/* ---- one that is a VGA as well, on a board that has the VGA's ports and memory ---- */

static struct pc *pc;

static void vga_init_all(void)
{
	pc = fuzz_pc_new(&board_pc);
	fuzz_pc_add(pc, "virtio-vga", "xres=64,yres=64,max_hostmem=1M");
	gpu = pc_find_device(pc, &virtio_vga_type);
}

static void vga_reset(void)
{
	fuzz_pc_reset(pc);
	pci_config_write(&gpu->v.func, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
}

static void vga_round(void)
{
	uint64_t regs = bar(&gpu->v.func, 2);

	if (one_in(2)) { /* a mode, or another */
		static const uint16_t mode[] = {0, 64, 48, 32, 0x41, 0};

		for (unsigned n = 1; n < 5; n++)
			put(regs + 0x500 + 2 * n, one_in(8) ? value() : mode[n], 2);
	}
	for (unsigned n = below(8); n; n--) {
		put(regs + 0x400 + below(0x20), value(), 1);
		out(0x3b0 + below(0x30), value(), 1u << below(2));
		put(one_in(2) ? 0xa0000 + below(0x20000) : bar(&gpu->v.func, 0) + below(0x10000),
		    value(), 1u << below(4));
	}
	gpu_round();
}

static void vga_fini_all(void)
{
	surface_fini(&screens[0]);
	pc_free(pc);
}

const struct fuzz_device fuzz_virtio[] = {
    {"virtio-rng", rng_init, NULL, rng_round, rng_fini, NULL},
    {"virtio-balloon", balloon_init, NULL, balloon_round, balloon_fini, NULL},
    {"virtio-serial", serial_init, NULL, serial_round, serial_fini, NULL},
    {"virtio-gpu", gpu_init, NULL, gpu_round, gpu_fini, NULL},
    {"virtio-vga", vga_init_all, vga_reset, vga_round, vga_fini_all, NULL},
    {0},
};
