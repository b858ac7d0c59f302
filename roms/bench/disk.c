/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A driver for virtio-blk, in the layout before virtio 1.0 (Virtual I/O Device Version 1.2, 2.7, 4.1.4.10 and 5.2):
 * ports, and a queue in one block of pages. The CPU sleeps until the device interrupts.
 */
#include "roms/bench/kernel.h"

#define VIRTIO_BLK 0x10011af4u /* PCI device and vendor */

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
enum { DESC_NEXT = 1, DESC_WRITE = 2 };
enum { MAX_QUEUE = 256, SECTOR = 512 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct request {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;
};

static struct {
	uint16_t port, size;             /* port 0: there is none */
	volatile uint16_t *avail, *used; /* flags, index, entries */
	struct request request[BENCH_NR_SMALL];
} disk;

/* Descriptors and avail; used begins with a page of its own. */
static uint8_t queue[4 * 4096] __attribute__((aligned(4096)));

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static uint32_t pci_read(unsigned dev, unsigned reg)
{
	outl(0xcf8, 0x80000000u | dev << 11 | reg);
	return inl(0xcfc);
}

static void pci_write(unsigned dev, unsigned reg, uint32_t v)
{
	outl(0xcf8, 0x80000000u | dev << 11 | reg);
	outl(0xcfc, v);
}

/* Level-triggered, to the first CPU. */
static void route(unsigned pin)
{
	mmio_write(IOAPIC, 0x11 + 2 * pin);
	mmio_write(IOAPIC + 0x10, 0);
	mmio_write(IOAPIC, 0x10 + 2 * pin);
	mmio_write(IOAPIC + 0x10, 1u << 15 | VECTOR_DISK);
}

static void start(unsigned dev)
{
	uint16_t port = (uint16_t)(pci_read(dev, 0x10) & ~3u);
	uint64_t used;

	pci_write(dev, 4, (pci_read(dev, 4) & 0xffff) | 5); /* ports, bus master */
	outb(port + STATUS, 0);
	outb(port + STATUS, ACKNOWLEDGE | DRIVER);
	outl(port + FEATURES, 0);
	outw(port + QUEUE_SEL, 0);
	disk.size = inw(port + QUEUE_SIZE);
	if (!disk.size || disk.size > MAX_QUEUE)
		return;
	disk.avail = (uint16_t *)(queue + 16u * disk.size);
	used = 16u * disk.size + 2 * (3 + disk.size);
	disk.used = (uint16_t *)(queue + ((used + 4095) & ~4095ul));
	outl(port + QUEUE_PFN, (uint32_t)((uint64_t)queue >> 12));
	route(pci_read(dev, 0x3c) & 0xff);
	outb(port + STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
	disk.port = port;
}

void disk_init(void)
{
	for (unsigned dev = 0; dev < 32 && !disk.port; dev++)
		if (pci_read(dev, 0) == VIRTIO_BLK)
			start(dev);
}

bool disk_present(void)
{
	return disk.port;
}

void on_disk(void)
{
	inb(disk.port + ISR); /* takes the interrupt back */
	kernel.interrupts++;
	mmio_write(LAPIC + LAPIC_EOI, 0);
}

/* In slot n; the arena's memory is what it is. */
static void submit(unsigned n, bool write, uint32_t at, const void *data, uint32_t len)
{
	struct desc *d = (struct desc *)queue + 3 * n;
	struct request *r = &disk.request[n];

	*r = (struct request){write, 0, at / SECTOR, 0xff};
	d[0] = (struct desc){(uint64_t)r, 16, DESC_NEXT, (uint16_t)(3 * n + 1)};
	d[1] =
	    (struct desc){(uint64_t)data - (uint64_t)ARENA + ARENA_RAM, len,
			  (uint16_t)(DESC_NEXT | (write ? 0 : DESC_WRITE)), (uint16_t)(3 * n + 2)};
	d[2] = (struct desc){(uint64_t)&r->status, 1, DESC_WRITE, 0};
	disk.avail[2 + disk.avail[1] % disk.size] = (uint16_t)(3 * n);
	disk.avail[1]++;
}

/* Sleeps until all that was submitted is done. */
static void finish(void)
{
	outw(disk.port + NOTIFY, 0);
	while (disk.used[1] != disk.avail[1]) {
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
