/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The NVMe controller, driven through registers, doorbells and queues in memory.
 */
#include "disks.h"
#include "hw/storage/nvme.h"

#define SECTORS 8192u
#define ASQ     0x10000u
#define ACQ     0x11000u
#define IOSQ    0x12000u
#define IOCQ    0x13000u
#define LISTS   0x20000u
#define DATA    0x100000u

enum { CAP = 0, VS = 8, CC = 0x14, CSTS = 0x1c, AQA = 0x24, DB = 0x1000 };

struct cmd {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint64_t reserved[2], prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

static struct rig g;
static struct nvme *n;
static uint64_t regs;
static struct {
	unsigned tail, head, size;
	bool phase;
	uint64_t sq, cq;
} q[2];

static void enable(void)
{
	put(&g, regs + CC, 0, 4);
	memset(g.ram.host + ASQ, 0, 0x4000);
	put(&g, regs + AQA, 15 | 15 << 16, 4);
	put(&g, regs + 0x28, ASQ, 8);
	put(&g, regs + 0x30, ACQ, 4);
	put(&g, regs + 0x34, 0, 4);
	put(&g, regs + CC, 1 | 6 << 16 | 4 << 20, 4);
	memset(q, 0, sizeof(q));
	q[0].size = 16;
	q[0].phase = q[1].phase = true;
	q[0].sq = ASQ;
	q[0].cq = ACQ;
	q[1].sq = IOSQ;
	q[1].cq = IOCQ;
}

static void plug(bool read_only)
{
	const struct nvme_options o = {.serial = "abc"};

	rig_init(&g);
	n = calloc(1, sizeof(*n));
	cr_assert_eq(nvme_init(n, rig_disk(&g, SECTORS * 512, read_only), &o), 0);
	rig_plug(&g, &n->func);
	device_reset(&n->state);
	regs = rig_bar(&n->func, 0);
	enable();
}

static void fini(void)
{
	nvme_fini(n);
	free(n);
	rig_fini(&g);
}

static void add(unsigned i, const struct cmd *c)
{
	_Static_assert(sizeof(*c) == 64, "as in memory");
	memcpy(g.ram.host + q[i].sq + 64 * q[i].tail, c, 64);
	q[i].tail = (q[i].tail + 1) % q[i].size;
}

static void ring(unsigned i)
{
	put(&g, regs + DB + 8 * i, q[i].tail, 4);
}

/* The next completion: its status with the code type above, or -1. */
static int reap(unsigned i, uint16_t *cid, uint32_t *result)
{
	uint64_t at = q[i].cq + 16 * q[i].head;
	uint16_t st = (uint16_t)get(&g, at + 14, 2);

	if ((st & 1) != q[i].phase)
		return -1;
	if (cid)
		*cid = (uint16_t)get(&g, at + 12, 2);
	if (result)
		*result = (uint32_t)get(&g, at, 4);
	if (++q[i].head == q[i].size) {
		q[i].head = 0;
		q[i].phase = !q[i].phase;
	}
	put(&g, regs + DB + 8 * i + 4, q[i].head, 4);
	return st >> 1 & 0x7ff;
}

static int run(unsigned i, struct cmd c, uint32_t *result)
{
	uint16_t cid;
	int st;

	c.cid = 0x77;
	add(i, &c);
	ring(i);
	block_drain(g.block);
	st = reap(i, &cid, result);
	cr_assert_eq(cid, 0x77);
	return st;
}

static void make_queues(unsigned size)
{
	const struct cmd cq = {
	    .opcode = 5, .prp1 = IOCQ, .cdw10 = 1 | (size - 1) << 16, .cdw11 = 3};
	const struct cmd sq = {
	    .opcode = 1, .prp1 = IOSQ, .cdw10 = 1 | (size - 1) << 16, .cdw11 = 1 | 1 << 16};

	q[1].size = size;
	cr_assert_eq(run(0, cq, NULL), 0);
	cr_assert_eq(run(0, sq, NULL), 0);
}

/* Pages from `first` on, in lists of `per` entries. */
static void prp_list(uint64_t list, uint64_t first, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		put(&g, list + 8 * i, first + 0x2000 * i, 8);
}

TestSuite(nvme, .fini = fini);

Test(nvme, registers)
{
	plug(false);
	cr_assert_eq(get(&g, regs + VS, 4), 0x10400);
	cr_assert_eq(get(&g, regs + CAP, 8) & 0xffff, 1023);
	cr_assert_eq(get(&g, regs + CSTS, 4), 1);
	put(&g, regs + CC, 1 | 1 << 14, 4);
	block_drain(g.block);
	cr_assert_eq(get(&g, regs + CSTS, 4), 9);
	put(&g, regs + CC, 0, 4);
	cr_assert_eq(get(&g, regs + CSTS, 4), 0);
	put(&g, regs + AQA, 0, 4);
	put(&g, regs + CC, 1, 4);
	cr_assert_eq(get(&g, regs + CSTS, 4), 2);
}

Test(nvme, identify)
{
	uint32_t result;

	plug(false);
	cr_assert_eq(run(0, (struct cmd){.opcode = 6, .prp1 = DATA, .cdw10 = 1}, NULL), 0);
	cr_assert_eq(memcmp(g.ram.host + DATA + 4, "abc   ", 6), 0);
	/* across two pages */
	cr_assert_eq(run(0,
			 (struct cmd){.opcode = 6,
				      .nsid = 1,
				      .prp1 = DATA + 0x800,
				      .prp2 = DATA + 0x5000,
				      .cdw10 = 0},
			 NULL),
		     0);
	cr_assert_eq(get(&g, DATA + 0x800, 8), SECTORS);
	cr_assert_eq(run(0, (struct cmd){.opcode = 6, .nsid = 2, .prp1 = DATA}, NULL), 0x0b);
	cr_assert_eq(run(0, (struct cmd){.opcode = 6, .prp1 = DATA, .cdw10 = 2}, NULL), 0);
	cr_assert_eq(get(&g, DATA, 8), 1);
	cr_assert_eq(run(0, (struct cmd){.opcode = 6, .prp1 = DATA, .cdw10 = 0x99}, NULL), 2);
	cr_assert_eq(run(0, (struct cmd){.opcode = 0x99}, NULL), 1);
	cr_assert_eq(run(0, (struct cmd){.opcode = 10, .cdw10 = 7}, &result), 0);
	cr_assert_eq(result, 63 << 16 | 63);
	cr_assert_eq(run(0, (struct cmd){.opcode = 9, .cdw10 = 6, .cdw11 = 0}, NULL), 0);
	cr_assert_not(block_write_cache(g.block));
	cr_assert_eq(run(0, (struct cmd){.opcode = 2, .prp1 = DATA, .cdw10 = 2 | 127 << 16}, NULL),
		     0);
	cr_assert_eq(get(&g, DATA + 1, 2), 0x143);
	cr_assert_eq(run(0, (struct cmd){.opcode = 2, .prp1 = DATA, .cdw10 = 99}, NULL), 0x109);
}

Test(nvme, queues)
{
	plug(false);
	cr_assert_eq(
	    run(0, (struct cmd){.opcode = 1, .cdw10 = 1 | 7 << 16, .cdw11 = 1 | 1 << 16}, NULL),
	    0x100);
	cr_assert_eq(run(0, (struct cmd){.opcode = 5, .cdw10 = 65 | 7 << 16, .cdw11 = 1}, NULL),
		     0x101);
	cr_assert_eq(run(0, (struct cmd){.opcode = 5, .cdw10 = 1, .cdw11 = 1}, NULL), 0x102);
	cr_assert_eq(
	    run(0, (struct cmd){.opcode = 5, .cdw10 = 1 | 0xffffu << 16, .cdw11 = 1}, NULL), 0x102);
	cr_assert_eq(run(0, (struct cmd){.opcode = 5, .cdw10 = 1 | 7 << 16, .cdw11 = 0}, NULL), 2);
	cr_assert_eq(
	    run(0, (struct cmd){.opcode = 5, .cdw10 = 1 | 7 << 16, .cdw11 = 3 | 99 << 16}, NULL),
	    0x108);
	make_queues(8);
	cr_assert_eq(run(0, (struct cmd){.opcode = 4, .cdw10 = 1}, NULL), 0x10c);
	cr_assert_eq(run(0, (struct cmd){.opcode = 0, .cdw10 = 1}, NULL), 0);
	cr_assert_eq(run(0, (struct cmd){.opcode = 0, .cdw10 = 1}, NULL), 0x101);
	cr_assert_eq(run(0, (struct cmd){.opcode = 4, .cdw10 = 1}, NULL), 0);
}

Test(nvme, io)
{
	struct cmd c = {.opcode = 2, .nsid = 1, .prp1 = DATA, .cdw10 = 40};

	plug(false);
	make_queues(8);
	cr_assert_eq(run(1, c, NULL), 0);
	cr_assert_eq(get(&g, DATA, 8), 40);
	/* 512 KiB from the middle of a page: 128 pages in a list that starts at a page's end, so that
	 * its only entry there points on */
	c.prp1 = DATA + 0x800;
	c.prp2 = LISTS + 0xff8;
	c.cdw12 = 1023;
	put(&g, LISTS + 0xff8, LISTS + 0x1000, 8);
	prp_list(LISTS + 0x1000, DATA + 0x2000, 128);
	cr_assert_eq(run(1, c, NULL), 0);
	cr_assert_eq(get(&g, DATA + 0x800, 8), 40);
	cr_assert_eq(get(&g, DATA + 0xe00, 8), 43);
	cr_assert_eq(get(&g, DATA + 0x2000, 8), 44);
	cr_assert_eq(get(&g, DATA + 0x2000 * 128 + 0x600, 8), 40 + 1023);
	/* write, zeroes, discard, flush */
	put(&g, DATA, 0xbeef, 8);
	cr_assert_eq(run(1, (struct cmd){.opcode = 1, .nsid = 1, .prp1 = DATA, .cdw10 = 9}, NULL),
		     0);
	cr_assert_eq(rig_sector(&g, 9), 0xbeef);
	cr_assert_eq(run(1, (struct cmd){.opcode = 8, .nsid = 1, .cdw10 = 10, .cdw12 = 1}, NULL),
		     0);
	cr_assert_eq(rig_sector(&g, 11), 0);
	cr_assert_eq(rig_sector(&g, 12), 12);
	put(&g, DATA, 8ull << 32, 8);
	put(&g, DATA + 8, 64, 8);
	put(&g, DATA + 16, 8ull << 32, 8);
	put(&g, DATA + 24, 128, 8);
	c = (struct cmd){.opcode = 9, .nsid = 1, .prp1 = DATA, .cdw10 = 1, .cdw11 = 4};
	cr_assert_eq(run(1, c, NULL), 0);
	put(&g, DATA + 24, SECTORS, 8);
	cr_assert_eq(run(1, c, NULL), 0x80);
	cr_assert_eq(run(1, (struct cmd){.opcode = 0, .nsid = 0xffffffff}, NULL), 0);
}

Test(nvme, sgl)
{
	struct cmd c = {.opcode = 2, .flags = 0x40, .nsid = 1, .cdw10 = 5, .cdw12 = 3};

	plug(false);
	make_queues(8);
	/* one block; a segment and a last segment */
	c.prp1 = DATA;
	c.prp2 = 2048;
	cr_assert_eq(run(1, c, NULL), 0);
	cr_assert_eq(get(&g, DATA + 1536, 8), 8);
	c.prp1 = LISTS;
	c.prp2 = 32 | 0x20ull << 56;
	put(&g, LISTS, DATA + 0x2000, 8);
	put(&g, LISTS + 8, 100, 8);
	put(&g, LISTS + 16, LISTS + 0x100, 8);
	put(&g, LISTS + 24, 16 | 0x30ull << 56, 8);
	put(&g, LISTS + 0x100, DATA + 0x3000, 8);
	put(&g, LISTS + 0x108, 2000, 8);
	cr_assert_eq(run(1, c, NULL), 0);
	cr_assert_eq(get(&g, DATA + 0x2000, 8), 5);
	cr_assert_eq(get(&g, DATA + 0x3000 + 412, 8), 6);
	/* too short, of unknown type, and a ring of segments */
	put(&g, LISTS + 0x108, 1000, 8);
	cr_assert_eq(run(1, c, NULL), 0x0f);
	put(&g, LISTS + 8, 100 | 0x10ull << 56, 8);
	cr_assert_eq(run(1, c, NULL), 0x11);
	c.prp2 = 16 | 0x20ull << 56;
	put(&g, LISTS, LISTS, 8);
	put(&g, LISTS + 8, 16 | 0x20ull << 56, 8);
	cr_assert_eq(run(1, c, NULL), 0x0f);
}

Test(nvme, refusals)
{
	plug(true);
	make_queues(8);
	cr_assert_eq(run(1, (struct cmd){.opcode = 1, .nsid = 1, .prp1 = DATA}, NULL), 0x182);
	cr_assert_eq(
	    run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = DATA, .cdw10 = SECTORS}, NULL),
	    0x80);
	cr_assert_eq(
	    run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = DATA, .cdw10 = 1, .cdw11 = ~0u},
		NULL),
	    0x80);
	cr_assert_eq(
	    run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = DATA, .cdw12 = 1024}, NULL), 2);
	cr_assert_eq(run(1, (struct cmd){.opcode = 2, .nsid = 2, .prp1 = DATA}, NULL), 0x0b);
	cr_assert_eq(run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = 1ull << 40}, NULL), 4);
	cr_assert_eq(run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = DATA + 1}, NULL), 0x13);
	cr_assert_eq(
	    run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = DATA, .prp2 = 4, .cdw12 = 100},
		NULL),
	    0x13);
	cr_assert_eq(
	    run(1,
		(struct cmd){
		    .opcode = 2, .nsid = 1, .prp1 = DATA, .prp2 = 1ull << 40, .cdw12 = 100},
		NULL),
	    4);
	cr_assert_eq(run(1, (struct cmd){.opcode = 2, .flags = 1, .nsid = 1, .prp1 = DATA}, NULL),
		     2);
}

Test(nvme, completion_queue_fills_up)
{
	struct cmd c = {.opcode = 2, .nsid = 1, .prp1 = DATA};
	unsigned seen = 0;
	uint16_t cid;

	plug(false);
	make_queues(4);
	for (unsigned i = 0; i < 3; i++) {
		c.cid = (uint16_t)i;
		add(1, &c);
	}
	ring(1);
	block_drain(g.block);
	c.cid = 3;
	add(1, &c);
	ring(1);
	block_drain(g.block);
	/* the fourth waits until there is room */
	cr_assert_eq(n->sq[1].head, 3);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(reap(1, &cid, NULL), 0, "%d", i);
		seen |= 1u << cid;
		block_drain(g.block);
	}
	cr_assert_eq(seen, 15);
	cr_assert_eq(reap(1, &cid, NULL), -1);
	/* doorbells beyond the queues */
	put(&g, regs + DB + 8, 4, 4);
	put(&g, regs + DB + 12, 77, 4);
	put(&g, regs + DB + 8 * 2, 1, 4);
	put(&g, regs + DB + 8 * 100, 1, 4);
	cr_assert_eq(reap(1, &cid, NULL), -1);
}

Test(nvme, events)
{
	uint32_t result;
	uint16_t cid;

	plug(false);
	cr_assert_eq(run(0, (struct cmd){.opcode = 9, .cdw10 = 11, .cdw11 = 1 << 8}, NULL), 0);
	for (int i = 0; i < 4; i++) {
		add(0, &(struct cmd){.opcode = 12, .cid = (uint16_t)(100 + i)});
		ring(0);
	}
	cr_assert_eq(reap(0, NULL, NULL), -1);
	cr_assert_eq(run(0, (struct cmd){.opcode = 12}, NULL), 0x105);
	char err[128];

	cr_assert_eq(block_resize(g.block, (SECTORS + 8) * 512, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(reap(0, &cid, &result), 0);
	cr_assert_eq(cid, 103);
	cr_assert_eq(result, 0x040002);
	cr_assert_eq(run(0, (struct cmd){.opcode = 6, .nsid = 1, .prp1 = DATA}, NULL), 0);
	cr_assert_eq(get(&g, DATA, 8), SECTORS + 8);
}

Test(nvme, resets)
{
	struct cmd c = {.opcode = 2, .nsid = 1, .prp1 = DATA};

	plug(false);
	make_queues(64);
	for (int i = 0; i < 60; i++)
		add(1, &c);
	ring(1);
	enable();
	cr_assert_eq(n->in_flight, 0);
	make_queues(64);
	for (int i = 0; i < 60; i++)
		add(1, &c);
	ring(1);
	/* deleting the queue ends its commands */
	cr_assert_eq(run(0, (struct cmd){.opcode = 0, .cdw10 = 1}, NULL), 0);
	cr_assert_eq(n->in_flight, 0);
	/* queues that are not in memory */
	enable();
	put(&g, regs + CC, 0, 4);
	put(&g, regs + 0x28, 1ull << 40, 8);
	put(&g, regs + CC, 1 | 6 << 16 | 4 << 20, 4);
	put(&g, regs + DB, 1, 4);
	cr_assert_eq(get(&g, regs + CSTS, 4), 3);
}

Test(nvme, messages)
{
	plug(false);
	rig_msix(&g, &n->func, 4, 4);
	cr_assert_eq(
	    run(0,
		(struct cmd){.opcode = 5, .prp1 = IOCQ, .cdw10 = 1 | 7 << 16, .cdw11 = 3 | 2 << 16},
		NULL),
	    0);
	cr_assert_eq(
	    run(0,
		(struct cmd){.opcode = 1, .prp1 = IOSQ, .cdw10 = 1 | 7 << 16, .cdw11 = 1 | 1 << 16},
		NULL),
	    0);
	q[1].size = 8;
	g.messages = 0;
	cr_assert_eq(run(1, (struct cmd){.opcode = 2, .nsid = 1, .prp1 = DATA}, NULL), 0);
	cr_assert_eq(g.messages, 1);
	cr_assert_eq(g.last_message, 2);
}

/* What a saved state says may be anything. */
Test(nvme, hostile_state)
{
	plug(false);
	for (unsigned i = 0; i < NVME_QUEUES; i++) {
		n->sq[i].cq = 0xffff;
		n->sq[i].size = n->cq[i].size = 0;
		n->sq[i].valid = n->cq[i].valid = true;
	}
	n->nr_aers = 255;
	n->state.tame(n);
	n->state.loaded(n);
	for (unsigned i = 0; i < NVME_QUEUES; i++)
		cr_expect(!n->sq[i].valid && !n->cq[i].valid);
	cr_expect_leq(n->nr_aers, NVME_AERS);
}
