/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What drivers of virtio share; see the header.
 */
#include "roms/bench/virtio.h"

enum {
	FEATURES = 4,
	QUEUE_PFN = 8,
	QUEUE_SIZE = 12,
	QUEUE_SEL = 14,
	NOTIFY = 16,
	STATUS = 18,
	ISR = 19
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4 };
enum { BAR0 = 0x10, MAX_QUEUE = 256 };

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

uint16_t virtio_start(uint32_t id)
{
	int dev = pci_start(id);
	uint16_t port = dev < 0 ? 0 : (uint16_t)(pci_read((unsigned)dev, BAR0) & ~3u);

	if (!port)
		return 0;
	outb(port + STATUS, 0);
	outb(port + STATUS, ACKNOWLEDGE | DRIVER);
	outl(port + FEATURES, 0);
	return port;
}

bool virtq_init(struct virtq *q, uint16_t port, uint16_t number, void *memory)
{
	uint8_t *m = memory;
	uint64_t used;

	outw(port + QUEUE_SEL, number);
	*q = (struct virtq){.port = port, .number = number, .size = inw(port + QUEUE_SIZE)};
	if (!q->size || q->size > MAX_QUEUE)
		return false;
	q->desc = memory;
	q->avail = (uint16_t *)(m + 16u * q->size);
	used = 16u * q->size + 2 * (3 + q->size);
	q->used = (uint16_t *)(m + ((used + 4095) & ~4095ul));
	outl(port + QUEUE_PFN, (uint32_t)((uint64_t)memory >> 12));
	return true;
}

void virtio_ready(uint16_t port)
{
	outb(port + STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
}

void virtq_add(struct virtq *q, uint16_t head)
{
	q->avail[2 + q->avail[1] % q->size] = head;
	q->avail[1]++;
}

void virtq_notify(const struct virtq *q)
{
	outw(q->port + NOTIFY, q->number);
}

bool virtio_take_interrupt(uint16_t port)
{
	return inb(port + ISR);
}
