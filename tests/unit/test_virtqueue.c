/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Virtqueues of both layouts, in order and out of order, with event index, and with rings that lie.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "hw/virtio/virtqueue.h"
#include "vring.h"

#define SIZE 8

static struct aspace mem;
static struct ram ram;
static struct virtqueue vq;
static struct vring r;
static struct vq_elem e[SIZE];

static void setup(void)
{
	aspace_init(&mem, "mem", 52, NULL);
	cr_assert_eq(ram_init(&ram, "ram", 1 << 20), 0);
	cr_assert_eq(aspace_map_ram(&mem, "ram", 0, 1 << 20, &ram, 0), 0);
	for (int i = 0; i < SIZE; i++)
		vq_elem_init(&e[i]);
}

static void teardown(void)
{
	for (int i = 0; i < SIZE; i++)
		vq_elem_fini(&e[i]);
	ram_fini(&ram);
}

static void start(bool packed, bool event_idx)
{
	memset(ram.host, 0, ram.size);
	vring_init(&r, &mem, packed, SIZE, 0x1000);
	vq = (struct virtqueue){.mem = &mem, .packed = packed, .event_idx = event_idx};
	vq_reset(&vq, SIZE);
	vq.desc = r.desc;
	vq.driver = r.driver;
	vq.device = r.device;
	vq_enable(&vq);
}

TestSuite(virtqueue, .init = setup, .fini = teardown);

Test(virtqueue, chains)
{
	const struct vbuf b[3] = {{0x8000, 16, false}, {0x9000, 512, true}, {0xa000, 1, true}};

	for (int packed = 0; packed < 2; packed++) {
		uint16_t id, got;
		uint32_t len;

		start(packed, false);
		cr_assert(vq_empty(&vq));
		cr_assert_eq(vq_pop(&vq, &e[0]), 0);
		/* three laps and more */
		for (unsigned i = 0; i < 30; i++) {
			id = vring_add(&r, b, 3, i % 3 == 2 ? 0x5000 : 0);
			cr_assert_not(vq_empty(&vq));
			cr_assert_eq(vq_pop(&vq, &e[0]), 1);
			cr_assert_eq(e[0].out.len, 16);
			cr_assert_eq(e[0].in.len, 513);
			cr_assert_eq(e[0].in.nr, 2);
			cr_assert_eq(e[0].out.iov[0].iov_base, (void *)(ram.host + 0x8000));
			cr_assert_eq(vq_pop(&vq, &e[1]), 0);
			cr_assert_not(vring_used(&r, 0, &got, &len));
			vq_push(&vq, &e[0], 100 + i);
			cr_assert(vring_used(&r, i % 3 == 2 ? 1 : 3, &got, &len));
			cr_assert_eq(got, id);
			cr_assert_eq(len, 100 + i);
		}
	}
}

Test(virtqueue, out_of_order)
{
	const struct vbuf b[2] = {{0x8000, 16, false}, {0x9000, 512, true}};

	for (int packed = 0; packed < 2; packed++) {
		uint16_t id[3], got;
		uint32_t len;

		start(packed, false);
		for (int lap = 0; lap < 5; lap++) {
			id[0] = vring_add(&r, b, 2, 0);
			id[1] = vring_add(&r, b, 1, 0);
			id[2] = vring_add(&r, b, 2, 0x5000);
			for (int i = 0; i < 3; i++)
				cr_assert_eq(vq_pop(&vq, &e[i]), 1);
			vq_push(&vq, &e[2], 2);
			vq_push(&vq, &e[0], 0);
			vq_push(&vq, &e[1], 1);
			cr_assert(vring_used(&r, 1, &got, &len) && got == id[2] && len == 2);
			cr_assert(vring_used(&r, 2, &got, &len) && got == id[0] && len == 0);
			cr_assert(vring_used(&r, 1, &got, &len) && got == id[1] && len == 1);
		}
	}
}

Test(virtqueue, interrupts_split)
{
	const struct vbuf b = {0x8000, 16, false};

	start(false, false);
	vring_add(&r, &b, 1, 0);
	vq_pop(&vq, &e[0]);
	vq_push(&vq, &e[0], 0);
	cr_assert(vq_should_notify(&vq));
	aspace_write(&mem, r.driver, 1, 2);
	cr_assert_not(vq_should_notify(&vq));
	vq_want_notify(&vq, false);
	cr_assert_eq(aspace_read(&mem, r.device, 2), 1);
	vq_want_notify(&vq, true);
	cr_assert_eq(aspace_read(&mem, r.device, 2), 0);

	/* event index: only when `used` passes the driver's mark */
	start(false, true);
	aspace_write(&mem, r.driver + 4 + 2 * SIZE, 2, 2);
	for (int i = 0; i < 5; i++) {
		vring_add(&r, &b, 1, 0);
		cr_assert_eq(vq_pop(&vq, &e[0]), 1);
		cr_assert_eq(aspace_read(&mem, r.device + 4 + 8 * SIZE, 2), i + 1);
		vq_push(&vq, &e[0], 0);
		cr_assert_eq(vq_should_notify(&vq), i == 0 || i == 2, "%d", i);
	}
	vq_want_notify(&vq, false);
	vring_add(&r, &b, 1, 0);
	cr_assert_eq(vq_pop(&vq, &e[0]), 1);
	cr_assert_eq(aspace_read(&mem, r.device + 4 + 8 * SIZE, 2), 5);
	vq_want_notify(&vq, true);
	cr_assert_eq(aspace_read(&mem, r.device + 4 + 8 * SIZE, 2), 6);
}

Test(virtqueue, interrupts_packed)
{
	const struct vbuf b = {0x8000, 16, false};

	start(true, true);
	vq_want_notify(&vq, false);
	cr_assert_eq(aspace_read(&mem, r.device + 2, 2), 1);
	vq_want_notify(&vq, true);
	cr_assert_eq(aspace_read(&mem, r.device + 2, 2), 0);
	for (int i = 0; i < 2 * SIZE; i++) {
		/* descriptor 5 of the first lap; 3 of the second */
		bool first = i < SIZE - 1;

		aspace_write(&mem, r.driver, first ? 5 | 0x8000 : 3, 2);
		aspace_write(&mem, r.driver + 2, 2, 2);
		vring_add(&r, &b, 1, 0);
		cr_assert_eq(vq_pop(&vq, &e[0]), 1);
		vq_push(&vq, &e[0], 0);
		cr_assert_eq(vq_should_notify(&vq), i == 0 || i == 5 || i == SIZE + 3, "%d", i);
	}
	aspace_write(&mem, r.driver + 2, 1, 2);
	cr_assert_not(vq_should_notify(&vq));
	aspace_write(&mem, r.driver + 2, 0, 2);
	cr_assert(vq_should_notify(&vq));
}

/* A queue that makes no sense is broken, once, and stays so. */
static void expect_broken(void)
{
	cr_assert_lt(vq_pop(&vq, &e[0]), 0);
	cr_assert_eq(vq_pop(&vq, &e[0]), 0);
	cr_assert_not(vq_should_notify(&vq));
	cr_assert(vq_empty(&vq));
	vq_push(&vq, &e[0], 0);
}

Test(virtqueue, lies)
{
	const struct vbuf rw[2] = {{0x8000, 16, true}, {0x9000, 16, false}};
	const struct vbuf far = {1ull << 40, 16, true}, wrap = {~0ull - 7, 16, true};
	const struct vbuf huge = {0x8000, 0xffffffff, true};
	struct vbuf many[SIZE];

	for (int packed = 0; packed < 2; packed++) {
		start(packed, false);
		vring_add(&r, rw, 2, 0);
		expect_broken(); /* readable after writable */
		start(packed, false);
		vring_add(&r, rw, 2, 0xffff8);
		expect_broken(); /* a table that leaves RAM */
		start(packed, false);
		vring_add(&r, &far, 1, 0);
		expect_broken();
		start(packed, false);
		vring_add(&r, &wrap, 1, 0);
		expect_broken();
		start(packed, false);
		vring_add(&r, &huge, 1, 0);
		expect_broken();
		start(packed, false);
		vring_add(&r, rw, 1, 0x5000);
		aspace_write(&mem, 0x5000 + (packed ? 14 : 12), 4, 2);
		expect_broken(); /* a table in a table */
		start(packed, false);
		vring_add(&r, rw, 1, 0x5000);
		aspace_write(&mem, r.desc + 8, 17, 4);
		expect_broken(); /* a table that ends within an entry */
		start(packed, false);
		vq.driver = 0xfffff; /* rings that are not in RAM, or not aligned */
		expect_broken();
		start(packed, false);
		vq.desc = 1ull << 40;
		expect_broken();
		start(packed, false);
		vq.size = 0;
		expect_broken();
	}
	/* a loop in the chain */
	start(false, false);
	vring_add(&r, rw, 1, 0);
	aspace_write(&mem, r.desc + 12, 1 | 2, 2);
	aspace_write(&mem, r.desc + 14, 0, 2);
	expect_broken();
	/* the same in a table */
	start(false, false);
	vring_add(&r, rw, 1, 0x5000);
	aspace_write(&mem, 0x5000 + 12, 1 | 2, 2);
	aspace_write(&mem, 0x5000 + 14, 0, 2);
	expect_broken();
	/* indexes past the ring */
	start(false, false);
	aspace_write(&mem, r.driver + 2, SIZE + 1, 2);
	expect_broken();
	start(false, false);
	vring_add(&r, rw, 1, 0);
	aspace_write(&mem, r.driver + 4, SIZE, 2);
	expect_broken();
	start(false, false);
	vring_add(&r, rw, 1, 0);
	aspace_write(&mem, r.desc + 12, 1 | 2, 2);
	aspace_write(&mem, r.desc + 14, SIZE, 2);
	expect_broken();
	/* packed: all entries chained, without an end */
	start(true, false);
	for (int i = 0; i < SIZE; i++)
		many[i] = (struct vbuf){0x8000, 16, true};
	vring_add(&r, many, SIZE, 0);
	for (int i = 0; i < SIZE; i++)
		aspace_write(&mem, r.desc + 16 * i + 14, 0x80 | 1 | 2, 2);
	expect_broken();
}

Test(virtqueue, empty_buffers_and_moved_memory)
{
	const struct vbuf b[2] = {{1ull << 40, 0, false}, {0x9000, 16, true}};

	start(false, false);
	vring_add(&r, b, 2, 0);
	cr_assert_eq(vq_pop(&vq, &e[0]), 1);
	cr_assert_eq(e[0].out.nr, 0);
	/* the rings' memory goes away while a request is under way */
	cr_assert_eq(aspace_unmap(&mem, 0), 0);
	vq_push(&vq, &e[0], 0);
	cr_assert(vq.broken);
	cr_assert_eq(aspace_map_ram(&mem, "ram", 0, 1 << 20, &ram, 0), 0);
	cr_assert_eq(vq_pop(&vq, &e[0]), 0);
}

Test(virtqueue, lists)
{
	struct dma_sg sg;
	uint8_t buf[64];

	cr_assert_eq(dma_sg_init(&sg, 32), 0);
	for (unsigned i = 0; i < 20; i++) {
		memset(ram.host + 0x2000 * i, (int)i, 16);
		cr_assert_eq(dma_sg_add(&sg, &mem, 0x2000ull * i, 16, true), 0);
	}
	cr_assert_eq(sg.nr, 20);
	dma_sg_skip(&sg, 24);
	dma_sg_trim(&sg, 40);
	cr_assert_eq(sg.len, 40);
	cr_assert_eq(sg.nr, 3);
	cr_assert_eq(dma_sg_read(&sg, 0, buf, sizeof(buf)), 40);
	cr_assert_eq(buf[0], 1);
	cr_assert_eq(buf[8], 2);
	cr_assert_eq(buf[39], 3);
	cr_assert_eq(dma_sg_zero(&sg, 8, 16), 16);
	cr_assert_eq(ram.host[0x4000], 0);
	cr_assert_eq(ram.host[0x4010], 0);
	cr_assert_eq(ram.host[0x2008], 1);
	cr_assert_eq(ram.host[0x6000], 3);
	dma_sg_skip(&sg, 40);
	cr_assert_eq(sg.nr, 0);
	dma_sg_trim(&sg, 0);
	dma_sg_fini(&sg);
}
