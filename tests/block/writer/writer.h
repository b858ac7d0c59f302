/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest that writes to one disk, and what it has in common with the host that checks the disk
 * (tests/block/kill_guest.c): the writes follow from their numbers.
 *
 * Write number n puts its version, n plus what the host gave, into every word of some blocks of a slot. A batch of
 * WRITER_DEPTH writes, to different slots, is in flight at once. After a flush the guest says on the serial
 * console "F n": all up to write n is safe.
 */
#ifndef TESTS_BLOCK_WRITER_H
#define TESTS_BLOCK_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#define WRITER_BLOCK       4096u
#define WRITER_SLOT_BLOCKS 8u
#define WRITER_SLOTS       256u
#define WRITER_BLOCKS      (WRITER_SLOTS * WRITER_SLOT_BLOCKS) /* 8 MiB */
#define WRITER_DEPTH       16u
/* Versions of one start of the guest. */
#define WRITER_VERSIONS (1u << 20)

static inline uint32_t writer_hash(uint32_t v)
{
	v = (v ^ v >> 16) * 0x7feb352du;
	v = (v ^ v >> 15) * 0x846ca68bu;
	return v ^ v >> 16;
}

/* Of write `version`: where, and how much. */
static inline uint32_t writer_slot(uint32_t version)
{
	return writer_hash(version) % (WRITER_SLOTS / WRITER_DEPTH) * WRITER_DEPTH +
	       version % WRITER_DEPTH;
}
static inline uint32_t writer_blocks(uint32_t version)
{
	uint32_t h = writer_hash(version) >> 8;

	return h % 4 ? 1 + h / 4 % 3 : WRITER_SLOT_BLOCKS;
}
/* The batch that ends with this version is flushed. */
static inline bool writer_flushes(uint32_t version)
{
	return writer_hash(version / WRITER_DEPTH) % 3 == 0;
}

#ifdef WRITER_GUEST
/* A driver: init() finds its controller; start() submits a write of len bytes from data to byte `at`, as number
 * `n` of a batch; wait() comes back when all are done; so does flush(). False: an error, or no such disk. */
struct writer_disk {
	bool (*init)(void);
	void (*start)(unsigned n, uint64_t at, const void *data, uint32_t len);
	bool (*wait)(void);
	bool (*flush)(void);
};
extern const struct writer_disk writer_virtio, writer_nvme, writer_ahci;

/* pci.c: configuration space of bus 0. find() by a masked word: device and vendor at 0, class at 8; -1: none. */
uint32_t pci_read(int dev, unsigned reg);
void pci_write(int dev, unsigned reg, uint32_t v);
int pci_find(unsigned reg, uint32_t mask, uint32_t want);
#endif

#endif
