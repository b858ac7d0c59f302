/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * NVMe with one pair of I/O queues (NVM Express 1.4), polled.
 */
#include "roms/guest/guest.h"
#include "tests/block/writer/writer.h"

enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, DOORBELL = 0x1000 };
enum { CREATE_SQ = 1, CREATE_CQ = 5, FLUSH = 0, WRITE = 1 };
enum { ENTRIES = 64, PAGE = 4096 };

struct command {
	uint32_t opcode, nsid;
	uint64_t reserved, metadata, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
struct completion {
	uint32_t result, reserved;
	uint16_t sq_head, sq;
	volatile uint32_t status; /* phase in bit 16 */
};

static struct queue {
	struct command *sq;
	struct completion *cq;
	unsigned tail, head, under_way;
	uint32_t phase;
} admin, io;

static uint8_t memory[4][PAGE] __attribute__((aligned(4096)));
static uint64_t lists[WRITER_DEPTH][PAGE / 8] __attribute__((aligned(4096)));
static volatile uint8_t *regs;

static void write_reg(unsigned at, uint32_t v)
{
	*(volatile uint32_t *)(regs + at) = v;
}

static uint32_t read_reg(unsigned at)
{
	return *(volatile uint32_t *)(regs + at);
}

static void queue_init(struct queue *q, void *sq, void *cq)
{
	*q = (struct queue){.sq = sq, .cq = cq, .phase = 1u << 16};
}

static void submit(struct queue *q, unsigned n, const struct command *c)
{
	q->sq[q->tail] = *c;
	q->tail = (q->tail + 1) % ENTRIES;
	q->under_way++;
	__asm__ volatile("" ::: "memory");
	write_reg(DOORBELL + 8 * n, q->tail);
}

static bool reap(struct queue *q, unsigned n)
{
	bool ok = true;

	while (q->under_way) {
		uint32_t status = q->cq[q->head].status;

		if ((status & 1u << 16) != q->phase) {
			__asm__ volatile("pause" ::: "memory");
			continue;
		}
		ok &= status >> 17 == 0;
		q->under_way--;
		q->head = (q->head + 1) % ENTRIES;
		if (q->head == 0)
			q->phase ^= 1u << 16;
	}
	write_reg(DOORBELL + 8 * n + 4, q->head);
	return ok;
}

static bool init(void)
{
	int dev = pci_find(8, 0xffffff00, 0x01080200);
	struct command cq = {.opcode = CREATE_CQ,
			     .prp1 = (uintptr_t)memory[3],
			     .cdw10 = 1 | (ENTRIES - 1) << 16,
			     .cdw11 = 1};
	struct command sq = {.opcode = CREATE_SQ,
			     .prp1 = (uintptr_t)memory[2],
			     .cdw10 = 1 | (ENTRIES - 1) << 16,
			     .cdw11 = 1 | 1 << 16};

	if (dev < 0)
		return false;
	regs = (uint8_t *)(uintptr_t)(pci_read(dev, 0x10) & ~15u);
	queue_init(&admin, memory[0], memory[1]);
	queue_init(&io, memory[2], memory[3]);
	write_reg(CC, 0);
	while (read_reg(CSTS) & 1)
		;
	write_reg(AQA, (ENTRIES - 1) | (ENTRIES - 1) << 16);
	write_reg(ASQ, (uint32_t)(uintptr_t)memory[0]);
	write_reg(ASQ + 4, 0);
	write_reg(ACQ, (uint32_t)(uintptr_t)memory[1]);
	write_reg(ACQ + 4, 0);
	write_reg(CC, 1 | 6 << 16 | 4 << 20);
	while (!(read_reg(CSTS) & 1))
		;
	submit(&admin, 0, &cq);
	if (!reap(&admin, 0))
		return false;
	submit(&admin, 0, &sq);
	return reap(&admin, 0);
}

static void start(unsigned n, uint64_t at, const void *data, uint32_t len)
{
	struct command c = {.opcode = WRITE,
			    .nsid = 1,
			    .prp1 = (uintptr_t)data,
			    .cdw10 = (uint32_t)(at / 512),
			    .cdw12 = len / 512 - 1};

	for (unsigned i = 1; i < len / PAGE; i++)
		lists[n][i - 1] = (uintptr_t)data + i * PAGE;
	c.prp2 = len == 2 * PAGE ? lists[n][0] : (uintptr_t)lists[n];
	submit(&io, 1, &c);
}

static bool wait(void)
{
	return reap(&io, 1);
}

static bool flush(void)
{
	const struct command c = {.opcode = FLUSH, .nsid = 1};

	submit(&io, 1, &c);
	return wait();
}

const struct writer_disk writer_nvme = {init, start, wait, flush};
