/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-scsi and the commands of SCSI disks, driven through rings.
 */
#include <errno.h>

#include "disks.h"
#include "hw/storage/virtio_scsi.h"
#include "vring.h"

#define SECTORS 4096u
#define REQ     0x20000u
#define RESP    0x21000u
#define OUT     0x30000u
#define IN      0x40000u

static struct rig g;
static struct virtio_scsi *h;
static struct drive_bus *buses;
static struct vring r;
static uint64_t at;

static void start(unsigned queue)
{
	const uint64_t features = h->v.offered & ~VIRTIO_F_EVENT_IDX;

	memset(g.ram.host + 0x4000, 0, 0x10000);
	put(&g, at + 20, 0, 1);
	put(&g, at + 20, 3, 1);
	for (unsigned i = 0; i < 2; i++) {
		put(&g, at + 8, i, 4);
		put(&g, at + 12, features >> 32 * i, 4);
	}
	put(&g, at + 20, 11, 1);
	cr_assert_eq(get(&g, at + 20, 1), 11);
	vring_init(&r, &g.mem, false, 64, 0x4000);
	put(&g, at + 22, queue, 2);
	put(&g, at + 24, 64, 2);
	put(&g, at + 32, r.desc, 8);
	put(&g, at + 40, r.driver, 8);
	put(&g, at + 48, r.device, 8);
	put(&g, at + 28, 1, 2);
	put(&g, at + 20, 15, 1);
}

static void plug(void)
{
	const struct virtio_scsi_options o = {0};
	const struct drive_options d = {.serial = "12345"};

	rig_init(&g);
	buses = NULL;
	h = calloc(1, sizeof(*h));
	cr_assert_eq(virtio_scsi_init(h, &o, "x", &buses), 0);
	cr_assert_str_eq(h->bus.name, "x.0");
	rig_plug(&g, &h->v.func);
	cr_assert_eq(virtio_scsi_attach(h, 2, rig_disk(&g, SECTORS * 512, false), &d), 0);
	cr_assert_eq(virtio_scsi_attach(h, 2, g.block, &d), -EBUSY);
	device_reset(&h->v.state);
	device_reset(&h->target[2].unit->dev);
	at = rig_bar(&h->v.func, 4);
	start(2);
}

static void fini(void)
{
	virtio_scsi_fini(h);
	free(h);
	rig_fini(&g);
}

static void kick(unsigned queue)
{
	put(&g, at + 0x3000 + 4 * queue, queue, 2);
	block_drain(g.block);
}

/* A command: its response << 8 | status. */
static unsigned run(unsigned target, const uint8_t *cdb, unsigned cdb_len, uint32_t out,
		    uint32_t in)
{
	struct vbuf b[4];
	unsigned n = 0;
	uint16_t id;
	uint32_t len;

	memset(g.ram.host + REQ, 0, 64);
	put(&g, REQ, 1 | target << 8 | 0x40 << 16, 4);
	memcpy(g.ram.host + REQ + 19, cdb, cdb_len);
	memset(g.ram.host + RESP, 0xff, 108);
	b[n++] = (struct vbuf){REQ, 51, false};
	if (out)
		b[n++] = (struct vbuf){OUT, out, false};
	b[n++] = (struct vbuf){RESP, 108, true};
	if (in)
		b[n++] = (struct vbuf){IN, in, true};
	vring_add(&r, b, n, 0);
	kick(2);
	cr_assert(vring_used(&r, n, &id, &len));
	return (unsigned)(get(&g, RESP + 11, 1) << 8 | get(&g, RESP + 10, 1));
}

#define RUN(out, in, ...)                                                                          \
	run(2, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), out, in)

static unsigned sense(void)
{
	return (unsigned)(get(&g, RESP + 14, 1) << 16 | get(&g, RESP + 24, 1) << 8 |
			  get(&g, RESP + 25, 1));
}

TestSuite(virtio_scsi, .init = plug, .fini = fini);

Test(virtio_scsi, inquiry_and_capacity)
{
	cr_assert_eq(RUN(0, 36, 0x12, 0, 0, 0, 36), 0);
	cr_assert_eq(memcmp(g.ram.host + IN + 8, "QEMU    QEMU HARDDISK", 21), 0);
	cr_assert_eq(get(&g, RESP + 4, 4), 0);
	cr_assert_eq(RUN(0, 0, 0x00), 2, "a reset took place");
	cr_assert_eq(sense(), 0x062900);
	cr_assert_eq(RUN(0, 0, 0x00), 0);
	cr_assert_eq(RUN(0, 64, 0x12, 1, 0x80, 0, 64), 0);
	cr_assert_eq(memcmp(g.ram.host + IN + 4, "12345", 5), 0);
	cr_assert_eq(get(&g, RESP + 4, 4), 64 - 9);
	cr_assert_eq(RUN(0, 64, 0x12, 1, 0xb0, 0, 64), 0);
	cr_assert_eq(RUN(0, 64, 0x12, 1, 0x55, 0, 64), 2);
	cr_assert_eq(RUN(0, 8, 0x25), 0);
	cr_assert_eq(get(&g, IN + 2, 1) << 8 | get(&g, IN + 3, 1), SECTORS - 1);
	cr_assert_eq(RUN(0, 32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32), 0);
	cr_assert_eq(get(&g, IN + 6, 1) << 8 | get(&g, IN + 7, 1), SECTORS - 1);
	cr_assert_eq(RUN(0, 16, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16), 0);
	cr_assert_eq(run(3, (const uint8_t[]){0x12}, 1, 0, 36), 0x300);
}

Test(virtio_scsi, medium)
{
	RUN(0, 0, 0x00);
	cr_assert_eq(RUN(0, 1024, 0x28, 0, 0, 0, 1, 0, 0, 0, 2), 0);
	cr_assert_eq(get(&g, IN, 8), 256);
	cr_assert_eq(get(&g, IN + 512, 8), 257);
	cr_assert_eq(RUN(0, 512, 0x08, 0, 1, 2, 1), 0);
	cr_assert_eq(get(&g, IN, 8), 258);
	cr_assert_eq(RUN(0, 512, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1), 0);
	cr_assert_eq(get(&g, IN, 8), 9);
	put(&g, OUT, 0xabc, 8);
	cr_assert_eq(RUN(512, 0, 0x2a, 8, 0, 0, 0, 20, 0, 0, 1), 0);
	cr_assert_eq(rig_sector(&g, 20), 0xabc);
	cr_assert_eq(RUN(0, 0, 0x35), 0);
	/* too little room, beyond the end */
	cr_assert_eq(RUN(0, 512, 0x28, 0, 0, 0, 1, 0, 0, 0, 2), 0x100);
	cr_assert_eq(RUN(0, 512, 0x28, 0, 0, 0, 0x10, 0, 0, 0, 1), 2);
	cr_assert_eq(sense(), 0x052100);
	cr_assert_eq(RUN(0, 0, 0xee), 2);
	cr_assert_eq(sense(), 0x052000);
	/* WRITE SAME of zeroes, and of something else */
	memset(g.ram.host + OUT, 0, 512);
	cr_assert_eq(RUN(512, 0, 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 2), 0);
	cr_assert_eq(rig_sector(&g, 30) | rig_sector(&g, 31), 0);
	cr_assert_eq(rig_sector(&g, 32), 32);
	put(&g, OUT + 100, 1, 1);
	cr_assert_eq(RUN(512, 0, 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 2), 2);
	/* UNMAP of two ranges, and one beyond the end */
	memset(g.ram.host + OUT, 0, 64);
	put(&g, OUT, 0x2600, 2);
	put(&g, OUT + 2, 0x2000, 2);
	put(&g, OUT + 14, 0x4000, 2);
	put(&g, OUT + 18, 0x0800, 2);
	put(&g, OUT + 30, 0x8000, 2);
	put(&g, OUT + 34, 0x0800, 2);
	cr_assert_eq(RUN(40, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 40), 0);
	put(&g, OUT + 24, 0xff, 1);
	cr_assert_eq(RUN(40, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 40), 2);
	cr_assert_eq(sense(), 0x052100);
	put(&g, OUT + 2, 0xffff, 2);
	cr_assert_eq(RUN(40, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 40), 2);
	cr_assert_eq(sense(), 0x051a00);
}

Test(virtio_scsi, mode_pages)
{
	RUN(0, 0, 0x00);
	cr_assert_eq(RUN(0, 192, 0x1a, 0, 0x3f, 0, 192), 0);
	cr_assert_eq(RUN(0, 192, 0x1a, 8, 0x08, 0, 192), 0);
	cr_assert_eq(get(&g, IN + 4, 1), 8);
	cr_assert_eq(get(&g, IN + 6, 1) & 4, 4);
	/* the write cache off, as Linux does it */
	memset(g.ram.host + OUT, 0, 24);
	put(&g, OUT + 4, 0x1208, 2);
	cr_assert_eq(RUN(24, 0, 0x15, 0x10, 0, 0, 24), 0);
	cr_assert_not(block_write_cache(g.block));
	put(&g, OUT + 10, 1, 1);
	cr_assert_eq(RUN(24, 0, 0x15, 0x10, 0, 0, 24), 2);
	cr_assert_eq(RUN(3, 0, 0x15, 0x10, 0, 0, 3), 2);
	put(&g, OUT + 5, 200, 1);
	cr_assert_eq(RUN(24, 0, 0x15, 0x10, 0, 0, 24), 2);
}

Test(virtio_scsi, task_management)
{
	const struct vbuf b[2] = {{REQ, 24, false}, {RESP, 1, true}};
	uint16_t id;
	uint32_t len;

	RUN(0, 0, 0x00);
	start(0);
	memset(g.ram.host + REQ, 0, 64);
	put(&g, REQ + 4, 5, 4);
	put(&g, REQ + 8, 1 | 2 << 8 | 0x40 << 16, 4);
	vring_add(&r, b, 2, 0);
	kick(0);
	cr_assert(vring_used(&r, 2, &id, &len));
	cr_assert_eq(get(&g, RESP, 1), 0);
	put(&g, REQ + 9, 5, 1);
	vring_add(&r, b, 2, 0);
	kick(0);
	cr_assert(vring_used(&r, 2, &id, &len));
	cr_assert_eq(get(&g, RESP, 1), 3);
	put(&g, REQ, 99, 4);
	vring_add(&r, b, 2, 0);
	kick(0);
	cr_assert(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET);
	start(2);
	cr_assert_eq(RUN(0, 0, 0x00), 2, "the unit was reset");
}

Test(virtio_scsi, events)
{
	const struct vbuf b = {IN, 16, true};
	char err[128];
	uint16_t id;
	uint32_t len;

	start(1);
	cr_assert_eq(block_resize(g.block, (SECTORS + 8) * 512, err, sizeof(err)), 0);
	cr_assert(h->missed);
	vring_add(&r, &b, 1, 0);
	kick(1);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(get(&g, IN, 4), 0x80000000);
	vring_add(&r, &b, 1, 0);
	kick(1);
	cr_assert_eq(block_resize(g.block, SECTORS * 512, err, sizeof(err)), 0);
	cr_assert(vring_used(&r, 1, &id, &len));
	cr_assert_eq(get(&g, IN, 4), 3);
	cr_assert_eq(get(&g, IN + 5, 1), 2);
	cr_assert_eq(get(&g, IN + 12, 4), 0x092a);
}

Test(virtio_scsi, lies)
{
	const struct vbuf b[2] = {{REQ, 50, false}, {RESP, 108, true}};
	uint8_t read[10] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};

	vring_add(&r, b, 2, 0);
	kick(2);
	cr_assert(get(&g, at + 20, 1) & VIRTIO_NEEDS_RESET);
	start(2);
	/* sizes of parts that are too large */
	put(&g, at + 0x2000 + 24, 1u << 31, 4);
	cr_assert_eq(get(&g, at + 0x2000 + 24, 4), 32);
	put(&g, at + 0x2000 + 20, 257, 4);
	cr_assert_eq(get(&g, at + 0x2000 + 20, 4), 96);
	RUN(0, 0, 0x00);
	cr_assert_eq(run(2, read, 10, 0, 512), 0);
	/* resets with requests in flight */
	for (int i = 0; i < 10; i++) {
		const struct vbuf c[3] = {{REQ, 51, false}, {RESP, 108, true}, {IN, 512, true}};

		vring_add(&r, c, 3, 0);
	}
	put(&g, at + 0x3000 + 8, 2, 2);
	put(&g, at + 20, 0, 1);
	cr_assert_eq(h->in_flight[2], 0);
}
