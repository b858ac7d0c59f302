/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-blk by its legacy ports (Virtual I/O Device Version 1.2, 2.7, 4.1.4.10, 5.2), polled.
 */
#include "roms/guest/x86.h"
#include "tests/block/writer/writer.h"

enum { FEATURES = 4, QUEUE_PFN = 8, QUEUE_SIZE = 12, QUEUE_SEL = 14, NOTIFY = 16, STATUS = 18 };
enum { DESC_NEXT = 1, DESC_WRITE = 2 };
enum { OUT = 1, FLUSH = 4, F_FLUSH = 1 << 9 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static struct request {
	uint32_t type, reserved;
	uint64_t sector;
	volatile uint8_t status;
} request[WRITER_DEPTH];

static uint8_t queue[4 * 4096] __attribute__((aligned(4096)));
static uint16_t port, size;
static volatile uint16_t *avail, *used;

static bool init(void)
{
	int dev = pci_find(0, ~0u, 0x10011af4);

	if (dev < 0)
		return false;
	port = (uint16_t)(pci_read(dev, 0x10) & ~3u);
	outb(port + STATUS, 0);
	outb(port + STATUS, 3);
	outl(port + FEATURES, F_FLUSH);
	outw(port + QUEUE_SEL, 0);
	size = (uint16_t)(inl(port + QUEUE_SIZE) & 0xffff);
	if (size < 3 * WRITER_DEPTH || size > 256)
		return false;
	avail = (uint16_t *)(queue + 16u * size);
	avail[0] = 1; /* no interrupts */
	used = (uint16_t *)(queue + ((16u * size + 2 * (3u + size) + 4095) & ~4095u));
	outl(port + QUEUE_PFN, (uint32_t)((uintptr_t)queue >> 12));
	outb(port + STATUS, 7);
	return true;
}

static void add(unsigned n, uint32_t type, uint64_t at, const void *data, uint32_t len)
{
	struct desc *d = (struct desc *)queue + 3 * n;
	struct request *r = &request[n];
	unsigned next = len ? 1 : 2;

	*r = (struct request){.type = type, .sector = at / 512, .status = 0xff};
	d[0] = (struct desc){(uintptr_t)r, 16, DESC_NEXT, (uint16_t)(3 * n + next)};
	d[1] = (struct desc){(uintptr_t)data, len, DESC_NEXT, (uint16_t)(3 * n + 2)};
	d[2] = (struct desc){(uintptr_t)&r->status, 1, DESC_WRITE, 0};
	avail[2 + avail[1] % size] = (uint16_t)(3 * n);
	__asm__ volatile("" ::: "memory");
	avail[1]++;
}

static bool wait(void)
{
	bool ok = true;

	outw(port + NOTIFY, 0);
	while (used[1] != avail[1])
		__asm__ volatile("pause" ::: "memory");
	for (unsigned n = 0; n < WRITER_DEPTH; n++)
		ok &= request[n].status == 0;
	return ok;
}

static void start(unsigned n, uint64_t at, const void *data, uint32_t len)
{
	add(n, OUT, at, data, len);
}

static bool flush(void)
{
	add(0, FLUSH, 0, 0, 0);
	return wait();
}

const struct writer_disk writer_virtio = {init, start, wait, flush};
