/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio transport and virtio-blk, driven through their registers and rings.
 */
#include "disks.h"
#include "hw/storage/virtio_blk.h"
#include "vring.h"

#define SECTORS 2048u
#define HEADER  0x20000u
#define DATA    0x40000u
#define STATUS  0x30000u
#define TABLE   0x38000u

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { F_FLUSH = 1 << 9, F_CONFIG_WCE = 1 << 11, F_DISCARD = 1 << 13 };

static struct rig g;
static struct virtio_blk d;
static struct vring r;
static uint64_t at; /* of the modern registers */

static void plug(const struct virtio_blk_options *o, bool read_only)
{
	rig_init(&g);
	cr_assert_eq(virtio_blk_init(&d, rig_disk(&g, SECTORS * 512, read_only), o), 0);
	rig_plug(&g, &d.v.func);
	device_reset(&d.v.state);
	at = rig_bar(&d.v.func, 4);
}

static void fini(void)
{
	virtio_blk_fini(&d);
	rig_fini(&g);
}

static uint64_t offered(void)
{
	uint64_t f;

	put(&g, at, 0, 4);
	f = get(&g, at + 4, 4);
	put(&g, at, 1, 4);
	return f | get(&g, at + 4, 4) << 32;
}

/* As a driver starts the device: false when it does not accept the features. With `shift` the device's flags
 * lie upon the driver's index. */
static bool start_at(uint64_t features, unsigned queue, uint16_t size, unsigned shift)
{
	memset(g.ram.host + 0x4000, 0, 0x10000);
	put(&g, at + 20, 0, 1);
	cr_assert_eq(get(&g, at + 20, 1), 0);
	put(&g, at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(&g, at + 8, i, 4);
		put(&g, at + 12, features >> 32 * i, 4);
	}
	put(&g, at + 20, 11, 1);
	if (get(&g, at + 20, 1) != 11)
		return false;
	vring_init(&r, &g.mem, features & VIRTIO_F_RING_PACKED, size, 0x4000);
	put(&g, at + 22, queue, 2);
	put(&g, at + 24, size, 2);
	put(&g, at + 26, queue, 2);
	put(&g, at + 32, r.desc, 4);
	put(&g, at + 36, r.desc >> 32, 4);
	put(&g, at + 40, r.driver + shift, 8);
	put(&g, at + 48, shift ? r.driver + shift + 2 : r.device, 8);
	put(&g, at + 28, 1, 2);
	put(&g, at + 20, 15, 1);
	return true;
}

static bool start(uint64_t features, unsigned queue, uint16_t size)
{
	return start_at(features, queue, size, 0);
}

static void add(uint32_t type, uint64_t sector, uint32_t len)
{
	const struct vbuf b[3] = {
	    {HEADER, 16, false}, {DATA, len, type == T_IN || type == T_GET_ID}, {STATUS, 1, true}};
	const struct vbuf none[2] = {b[0], b[2]};

	put(&g, HEADER, type, 4);
	put(&g, HEADER + 8, sector, 8);
	put(&g, STATUS, 0xff, 1);
	if (len)
		vring_add(&r, b, 3, TABLE);
	else
		vring_add(&r, none, 2, TABLE);
}

static void kick(unsigned queue)
{
	put(&g, at + 0x3000 + 4 * queue, queue, 2);
	block_drain(g.block);
}

/* One request from end to end: its status. */
static unsigned request(uint32_t type, uint64_t sector, uint32_t len, uint32_t *written)
{
	uint32_t used = 0;
	uint16_t id;

	add(type, sector, len);
	kick(0);
	cr_assert(vring_used(&r, 1, &id, &used));
	if (written)
		*written = used;
	return (unsigned)get(&g, STATUS, 1);
}

TestSuite(virtio_blk, .fini = fini);

Test(virtio_blk, requests)
{
	const struct virtio_blk_options o = {.serial = "serial-0123456789-and-more",
					     .packed = true};
	uint64_t all;
	uint32_t len;

	plug(&o, false);
	all = offered();
	cr_assert(all & VIRTIO_F_VERSION_1);
	cr_assert(all & VIRTIO_F_RING_PACKED);
	cr_assert_eq(get(&g, at + 0x2000, 8), SECTORS);
	for (int packed = 0; packed < 2; packed++) {
		cr_assert(start(packed ? all : all & ~VIRTIO_F_RING_PACKED, 0, 64));
		cr_assert_eq(request(T_IN, 7, 1024, &len), 0);
		cr_assert_eq(len, 1025);
		cr_assert_eq(get(&g, DATA, 8), 7);
		cr_assert_eq(get(&g, DATA + 512, 8), 8);
		put(&g, DATA, 0x1122334455667788, 8);
		cr_assert_eq(request(T_OUT, 100, 512, &len), 0);
		cr_assert_eq(len, 1);
		cr_assert_eq(rig_sector(&g, 100), 0x1122334455667788);
		cr_assert_eq(rig_sector(&g, 101), 101);
		cr_assert_eq(request(T_FLUSH, 0, 0, &len), 0);
		cr_assert_eq(request(T_GET_ID, 0, 20, &len), 0);
		cr_assert_eq(len, 21);
		cr_assert_eq(memcmp(g.ram.host + DATA, "serial-0123456789-an", 20), 0);
		put(&g, DATA, 200, 8);
		put(&g, DATA + 8, 2 | 1ull << 32, 8);
		cr_assert_eq(request(T_WRITE_ZEROES, 0, 16, &len), 0);
		cr_assert_eq(rig_sector(&g, 200), 0);
		cr_assert_eq(rig_sector(&g, 201), 0);
		cr_assert_eq(rig_sector(&g, 202), 202);
		put(&g, DATA, 208, 8);
		put(&g, DATA + 8, 8, 8);
		cr_assert_eq(request(T_DISCARD, 0, 16, &len), 0);
	}
}

Test(virtio_blk, refusals)
{
	const struct virtio_blk_options o = {0};

	plug(&o, false);
	cr_assert(start(offered(), 0, 64));
	cr_assert_eq(request(T_IN, SECTORS - 1, 512, NULL), 0);
	cr_assert_eq(request(T_IN, SECTORS - 1, 1024, NULL), 1);
	cr_assert_eq(request(T_IN, ~0ull, 512, NULL), 1);
	cr_assert_eq(request(T_IN, ~0ull / 512 + 1, 512, NULL), 1);
	cr_assert_eq(request(T_OUT, 0, 100, NULL), 1);
	cr_assert_eq(request(T_OUT, 0, 0, NULL), 1);
	cr_assert_eq(rig_sector(&g, 0), 0);
	cr_assert_eq(request(77, 0, 512, NULL), 2);
	put(&g, DATA, SECTORS, 8);
	put(&g, DATA + 8, 1, 8);
	cr_assert_eq(request(T_DISCARD, 0, 16, NULL), 1);
	put(&g, DATA, 0, 8);
	put(&g, DATA + 8, 1 | 1ull << 32, 8);
	cr_assert_eq(request(T_DISCARD, 0, 16, NULL), 2);
	cr_assert_eq(request(T_DISCARD, 0, 15, NULL), 1);
	/* what is not offered cannot be had */
	cr_assert_not(start(offered() | 1ull << 50, 0, 64));
	cr_assert_not(start(offered() & ~VIRTIO_F_VERSION_1, 0, 64));
}

Test(virtio_blk, read_only)
{
	const struct virtio_blk_options o = {0};

	plug(&o, true);
	cr_assert(offered() & 1 << 5);
	cr_assert(start(offered(), 0, 64));
	cr_assert_eq(request(T_OUT, 3, 512, NULL), 1);
	put(&g, DATA + 8, 1, 8);
	cr_assert_eq(request(T_WRITE_ZEROES, 0, 16, NULL), 1);
	cr_assert_eq(request(T_IN, 3, 512, NULL), 0);
}

Test(virtio_blk, write_cache)
{
	const struct virtio_blk_options o = {0};
	bool was;

	plug(&o, false);
	was = block_write_cache(g.block);
	cr_assert(was);
	cr_assert(start(offered(), 0, 64));
	put(&g, at + 0x2000 + 32, 0, 1);
	cr_assert_not(block_write_cache(g.block));
	/* capacity is not the driver's to change */
	put(&g, at + 0x2000, 1, 8);
	cr_assert(start(offered() & ~(uint64_t)(F_CONFIG_WCE | F_FLUSH), 0, 64));
	cr_assert_not(block_write_cache(g.block), "a driver that cannot flush");
	cr_assert_eq(get(&g, at + 0x2000, 8), SECTORS);
	put(&g, at + 20, 0, 1);
	cr_assert_eq(block_write_cache(g.block), was);
}

Test(virtio_blk, interrupts_and_queues)
{
	const struct virtio_blk_options o = {.num_queues = 4};
	uint16_t id;
	uint32_t len;

	plug(&o, false);
	cr_assert_eq(get(&g, at + 18, 2), 4);
	cr_assert_eq(get(&g, at + 0x2000 + 34, 2), 4);
	cr_assert(start(offered() & ~VIRTIO_F_EVENT_IDX, 0, 64));
	cr_assert_eq(request(T_IN, 0, 512, NULL), 0);
	/* without messages: the line, until the cause is read */
	cr_assert_eq(g.line[1], 1);
	cr_assert_eq(get(&g, at + 0x1000, 1), 1);
	cr_assert_eq(g.line[1], 0);
	rig_msix(&g, &d.v.func, 1, 5);
	cr_assert(start(offered() & ~VIRTIO_F_EVENT_IDX, 3, 64));
	add(T_IN, 5, 512);
	kick(0);
	cr_assert_not(vring_used(&r, 1, &id, &len));
	kick(3);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(g.messages, 1);
	cr_assert_eq(g.last_message, 3);
	/* no vector that there is not */
	put(&g, at + 26, 5, 2);
	cr_assert_eq(get(&g, at + 26, 2), 0xffff);
	/* not a bus master: nothing happens */
	pci_config_write(&d.v.func, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM, 2);
	add(T_IN, 5, 512);
	kick(3);
	cr_assert_not(vring_used(&r, 1, &id, &len));
}

Test(virtio_blk, reset_with_requests_in_flight)
{
	const struct virtio_blk_options o = {0};
	uint16_t id;
	uint32_t len;

	plug(&o, false);
	cr_assert(start(offered(), 0, 64));
	for (int i = 0; i < 10; i++)
		add(T_IN, 5, 512);
	put(&g, at + 0x3000, 0, 2);
	put(&g, at + 20, 0, 1);
	cr_assert_eq(d.in_flight[0], 0);
	cr_assert(start(offered(), 0, 64));
	cr_assert_eq(request(T_IN, 6, 512, NULL), 0);
	/* one queue alone */
	add(T_IN, 5, 512);
	put(&g, at + 58, 1, 2);
	cr_assert_eq(get(&g, at + 28, 2), 0);
	cr_assert_not(vring_used(&r, 1, &id, &len));
}

Test(virtio_blk, broken_by_the_driver)
{
	const struct virtio_blk_options o = {0};
	const struct vbuf b = {HEADER, 15, false};

	plug(&o, false);
	cr_assert(start(offered(), 0, 64));
	vring_add(&r, &b, 1, 0);
	kick(0);
	cr_assert(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET);
	add(T_IN, 5, 512);
	kick(0);
	cr_assert_eq(get(&g, STATUS, 1), 0xff);
	/* a queue cannot be enabled with a size that is none */
	cr_assert(start(offered(), 0, 64));
	cr_assert_not(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET);
	put(&g, at + 20, 0, 1);
	put(&g, at + 24, 63, 2);
	put(&g, at + 28, 1, 2);
	cr_assert(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET);
	cr_assert_eq(get(&g, at + 28, 2), 0);
}

/* A driver that adds what it has added before, as fast as it can, does not hold the machine up. */
Test(virtio_blk, endless_driver)
{
	const struct virtio_blk_options o = {0};

	plug(&o, false);
	cr_assert(start(offered(), 0, 64));
	for (int i = 0; i < 64; i++)
		add(T_IN, 5, 512);
	put(&g, at + 0x3000, 0, 2);
	put(&g, r.driver + 2, r.avail + 64, 2);
	put(&g, at + 0x3000, 0, 2);
	block_drain(g.block);
	put(&g, at + 0x3000, 0, 2);
	block_drain(g.block);
	cr_assert_eq(d.in_flight[0], 0);
}

/* The device reads what it has written: whether it wants to be told is how much there is to do. */
Test(virtio_blk, rings_upon_each_other, .timeout = 20)
{
	const struct virtio_blk_options o = {0};

	plug(&o, false);
	cr_assert(start_at(offered() & ~(VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED), 0, 64, 2));
	add(T_IN, 5, 512);
	put(&g, r.driver + 2, 0, 8);
	kick(0);
	cr_assert(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET);
	cr_assert_eq(d.in_flight[0], 0);
}

/* Where the BAR cannot be reached, as in firmware with one above 4 GiB, configuration space leads there. */
Test(virtio_blk, registers_in_configuration_space)
{
	const struct virtio_blk_options o = {0};
	struct pci_func *f = &d.v.func;
	unsigned cap;

	plug(&o, false);
	cap = f->config[PCI_CAP_LIST];
	while (cap && (f->config[cap] != PCI_CAP_VENDOR || f->config[cap + 3] != 5))
		cap = f->config[cap + 1];
	cr_assert_neq(cap, 0);
	cr_assert_eq(f->config[cap + 2], 20);
	/* Nothing is chosen: neither the BAR nor a length. */
	pci_config_write(f, cap + 16, 1, 4);
	cr_assert_eq(get(&g, at + 20, 1), 0);
	pci_config_write(f, cap + 4, 4, 1);
	pci_config_write(f, cap + 8, 20, 4);
	pci_config_write(f, cap + 12, 1, 4);
	pci_config_write(f, cap + 16, 3, 1);
	cr_assert_eq(get(&g, at + 20, 1), 3);
	pci_config_write(f, cap + 8, 0x2000, 4);
	pci_config_write(f, cap + 12, 4, 4);
	cr_assert_eq(pci_config_read(f, cap + 16, 4), SECTORS);
	/* Beyond the BAR, unaligned, of a length that there is not: as if nothing were there. */
	for (unsigned i = 0; i < 4; i++) {
		static const uint32_t wrong[4][2] = {
		    {0x4000, 4}, {0xfffffffc, 4}, {0x2001, 4}, {0x2000, 3}};

		pci_config_write(f, cap + 8, wrong[i][0], 4);
		pci_config_write(f, cap + 12, wrong[i][1], 4);
		pci_config_write(f, cap + 16, 0x5a5a5a5a, 4);
		cr_assert_eq(pci_config_read(f, cap + 16, 4), 0x5a5a5a5a);
	}
}

Test(virtio_blk, legacy)
{
	const struct virtio_blk_options o = {0};
	uint64_t io;
	uint16_t id;
	uint32_t len;

	plug(&o, false);
	io = rig_bar(&d.v.func, 0);
	cr_assert_eq(pci_config_read(&d.v.func, PCI_DEVICE, 2), 0x1001);
	cr_assert_eq(aspace_read(&g.io, io + 20, 4), SECTORS);
	cr_assert_eq(aspace_read(&g.io, io + 12, 2), 256);
	aspace_write(&g.io, io + 18, 3, 1);
	aspace_write(&g.io, io + 4, 0, 4);
	vring_init(&r, &g.mem, false, 256, 0x4000);
	aspace_write(&g.io, io + 8, 4, 4);
	cr_assert_eq(d.v.vq[0].device, r.device);
	aspace_write(&g.io, io + 18, 7, 1);
	cr_assert_not(block_write_cache(g.block));
	{
		const struct vbuf b[3] = {
		    {HEADER, 16, false}, {DATA, 512, true}, {STATUS, 1, true}};

		put(&g, HEADER, 0, 8);
		put(&g, HEADER + 8, 9, 8);
		vring_add(&r, b, 3, 0);
	}
	aspace_write(&g.io, io + 16, 0, 2);
	block_drain(g.block);
	cr_assert(vring_used(&r, 3, &id, &len));
	cr_assert_eq(get(&g, DATA, 8), 9);
	cr_assert_eq(g.line[1], 1);
	cr_assert_eq(aspace_read(&g.io, io + 19, 1), 1);
	cr_assert_eq(g.line[1], 0);
	aspace_write(&g.io, io + 8, 0, 4);
	cr_assert_eq(aspace_read(&g.io, io + 8, 4), 0);
}
