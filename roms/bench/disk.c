/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A driver for virtio-blk (Virtual I/O Device Version 1.2, 5.2). The CPU sleeps until the device interrupts.
 */
#include "roms/bench/virtio.h"

#define VIRTIO_BLK 0x10011af4u /* PCI device and vendor */

enum { SECTOR = 512 };

struct request {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;
};

static struct {
	bool present;
	struct virtq queue;
	struct request request[BENCH_NR_SMALL];
} disk;

static uint8_t queue[VIRTQ_BYTES] __attribute__((aligned(4096)));

void disk_init(void)
{
	uint16_t port = virtio_start(VIRTIO_BLK);

	if (!port || !virtq_init(&disk.queue, port, 0, queue))
		return;
	virtio_ready(port);
	disk.present = true;
}

bool disk_present(void)
{
	return disk.present;
}

static bool take_interrupt(void)
{
	return virtio_take_interrupt(disk.queue.port);
}

/* In slot n; the arena's memory is what it is. */
static void submit(unsigned n, bool write, uint32_t at, const void *data, uint32_t len)
{
	struct virtq_desc *d = disk.queue.desc + 3 * n;
	struct request *r = &disk.request[n];

	*r = (struct request){write, 0, at / SECTOR, 0xff};
	d[0] = (struct virtq_desc){(uint64_t)r, 16, DESC_NEXT, (uint16_t)(3 * n + 1)};
	d[1] = (struct virtq_desc){(uint64_t)data - (uint64_t)ARENA + ARENA_RAM, len,
				   (uint16_t)(DESC_NEXT | (write ? 0 : DESC_WRITE)),
				   (uint16_t)(3 * n + 2)};
	d[2] = (struct virtq_desc){(uint64_t)&r->status, 1, DESC_WRITE, 0};
	virtq_add(&disk.queue, (uint16_t)(3 * n));
}

/* Sleeps until all that was submitted is done. */
static void finish(void)
{
	device_works(take_interrupt);
	virtq_notify(&disk.queue);
	while (disk.queue.used[1] != disk.queue.avail[1]) {
		/* An interrupt that comes before HLT ends it. */
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	}
}

static uint64_t run_small(uint64_t *arena, bool write)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < BENCH_NR_SMALL; n++) {
		uint32_t at = bench_disk_at(n, BENCH_SMALL);

		submit(0, write, at, write ? (uint8_t *)arena + at : (uint8_t *)arena, BENCH_SMALL);
		finish();
		sum += write ? at : arena[0] + arena[BENCH_SMALL / 8 - 1];
		sum += (uint64_t)disk.request[0].status << 56;
	}
	return sum;
}

uint64_t round_disk_read(uint64_t *arena)
{
	return run_small(arena, false);
}

uint64_t round_disk_write(uint64_t *arena)
{
	return run_small(arena, true);
}

uint64_t round_disk_bulk(uint64_t *arena)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < BENCH_NR_LARGE; n++)
		submit(n, false, bench_disk_at(n, BENCH_LARGE), (uint8_t *)arena + n * BENCH_LARGE,
		       BENCH_LARGE);
	finish();
	for (unsigned n = 0; n < BENCH_NR_LARGE; n++) {
		const uint64_t *data = arena + n * (BENCH_LARGE / 8);

		sum += data[0] + data[BENCH_LARGE / 8 - 1];
		sum += (uint64_t)disk.request[n].status << 56;
	}
	return sum;
}
