/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Drivers of virtio, in the layout before virtio 1.0 (Virtual I/O Device Version 1.2, 2.7 and 4.1.4.10): ports,
 * and each queue in one block of pages.
 */
#ifndef ROMS_BENCH_VIRTIO_H
#define ROMS_BENCH_VIRTIO_H

#include "roms/bench/kernel.h"

#define VIRTQ_BYTES (4 * 4096) /* in pages of its own; descriptors and avail, then used */

enum { DESC_NEXT = 1, DESC_WRITE = 2 };
enum { NO_INTERRUPT = 1, NO_NOTIFY = 1 }; /* flags of avail and of used */

struct virtq {
	uint16_t port, number, size;
	struct virtq_desc {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} * desc;
	volatile uint16_t *avail, *used; /* flags, index, entries */
};

/* The ports of a device with this ID, which then waits for its queues; 0: there is none. */
uint16_t virtio_start(uint32_t id);
/* False where the device has no such queue. */
bool virtq_init(struct virtq *q, uint16_t port, uint16_t number, void *memory);
void virtio_ready(uint16_t port);

/* Hands over the chain that begins with descriptor `head`; virtq_notify() tells of it. */
void virtq_add(struct virtq *q, uint16_t head);
void virtq_notify(const struct virtq *q);
bool virtio_take_interrupt(uint16_t port);

#endif
