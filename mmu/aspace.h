/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest-physical address spaces: one for memory, one for I/O ports. A range maps to RAM, to ROM
 * or to device callbacks. Ranges never overlap: registration refuses it.
 *
 * Locking: lookups of RAM are lock-free (seqlock over a fixed array) and may run on any thread.
 * Device callbacks run under as->dev_lock, which is the machine lock; mapping and unmapping need
 * it held.
 */
#ifndef MMU_ASPACE_H
#define MMU_ASPACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/ram.h"

#define ASPACE_MAX_RANGES    256
#define ASPACE_MAX_LISTENERS 8
#define ASPACE_MAX_WRITERS   4

/* Device callbacks. `off` is relative to the start of the range; `size` is 1, 2, 4 or 8 and always
 * within [min_size, max_size]: the dispatcher splits wider and widens narrower guest accesses.
 * A narrower read than min_size reads min_size bytes and extracts; a narrower write than min_size
 * is passed as a write of min_size with the value zero-extended at its aligned-down offset. */
struct mmio_ops {
	uint64_t (*read)(void *dev, uint64_t off, unsigned size);
	void (*write)(void *dev, uint64_t off, uint64_t val, unsigned size);
	uint8_t min_size;
	uint8_t max_size;
};

enum range_kind { RANGE_RAM = 1, RANGE_ROM, RANGE_DEV };

struct range {
	uint64_t base, size;
	enum range_kind kind;
	struct ram *ram;            /* RAM, ROM */
	uint64_t ram_off;           /* offset of base inside ram */
	const struct mmio_ops *ops; /* devices; ROM that notices writes: only ops->write */
	void *dev;
	const char *name; /* borrowed; static storage */
	unsigned use;     /* with callbacks: of aspace.uses */
};

/* How often the ranges of a name were accessed by callbacks, since power-on. */
struct range_use {
	const char *name;
	uint64_t accesses;
};

struct aspace {
	const char *name;
	struct aspace *under;        /* what is seen where nothing is mapped here; or NULL */
	uint64_t limit;              /* first address past the space */
	_Atomic uint64_t addr_mask;  /* A20: bit 20 clear when the gate is closed */
	_Atomic uint32_t seq;        /* seqlock for ranges[] */
	_Atomic uint32_t generation; /* bumped by every change of the map or of addr_mask */
	unsigned nr;                 /* in use of ranges[] */
	struct range ranges[ASPACE_MAX_RANGES]; /* sorted by base; read by aspace_find() only */
	pthread_mutex_t *dev_lock;              /* may be NULL in tests */
	struct range_use
	    uses[ASPACE_MAX_RANGES]; /* under dev_lock; the last one is of all the rest */
	unsigned nr_uses;
	struct {
		void (*changed)(void *opaque);
		void *opaque;
	} listeners[ASPACE_MAX_LISTENERS];
	unsigned nr_listeners;
	struct {
		const struct dirty_ops *ops;
		void *opaque;
	} writers[ASPACE_MAX_WRITERS]; /* mmu/dirty.h */
	unsigned nr_writers;
};

/* addr_bits: 16 for ports, 52 for memory. dev_lock is borrowed; recursive locking is not needed. */
void aspace_init(struct aspace *as, const char *name, unsigned addr_bits,
		 pthread_mutex_t *dev_lock);

/* A space that shows `under`, borrowed, where nothing is mapped in itself: what some of the processors see. It
 * has the A20 gate of that; who listens to that is not told of changes here. */
void aspace_init_over(struct aspace *as, const char *name, struct aspace *under);

/* All return 0, -EEXIST on overlap, -EINVAL for a bad range or widths, -ENOSPC when full. RAM and
 * ROM ranges must be page aligned. */
int aspace_map_ram(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		   struct ram *ram, uint64_t ram_off);
int aspace_map_rom(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		   struct ram *ram, uint64_t ram_off);
int aspace_map_dev(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		   const struct mmio_ops *ops, void *dev);
/* ROM whose reads are those of memory, while writes go to ops->write: flash, and RAM that is
 * written behind a ROM. */
int aspace_map_rom_dev(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		       struct ram *ram, uint64_t ram_off, const struct mmio_ops *ops, void *dev);
/* Removes the range that was mapped at exactly `base`; code decoded from its memory is stale then.
 * 0 or -ENOENT. */
int aspace_unmap(struct aspace *as, uint64_t base);

/* Moves the end of the RAM that was mapped at exactly `base`, in one step for those who look; code decoded from what
 * it loses is stale then. 0, -ENOENT, -EINVAL for no such part of its memory, -EEXIST where something else is. */
int aspace_resize_ram(struct aspace *as, uint64_t base, uint64_t size);

/* A20 gate (8042 output port bit 1, port 92h bit 1). */
void aspace_set_a20(struct aspace *as, bool open);
bool aspace_a20(const struct aspace *as);
/* What addresses are masked with by it. */
static inline uint64_t aspace_mask(const struct aspace *as)
{
	return as->under ? as->under->addr_mask : as->addr_mask;
}

/* Called, under dev_lock, after every change; engines flush their TLBs. 0 or -ENOSPC. */
int aspace_listen(struct aspace *as, void (*changed)(void *opaque), void *opaque);
void aspace_unlisten(struct aspace *as, void (*changed)(void *opaque), void *opaque);

/* The range holding addr, copied out; false when nothing is mapped there. Any thread. */
bool aspace_find(const struct aspace *as, uint64_t addr, struct range *out);

/* One access of 1, 2, 4 or 8 bytes as the CPU makes it. Unmapped reads give all ones; writes to
 * ROM and to nothing are dropped. Takes dev_lock around device callbacks; the caller must not
 * hold it. Any thread. */
uint64_t aspace_read(struct aspace *as, uint64_t addr, unsigned size);
void aspace_write(struct aspace *as, uint64_t addr, uint64_t val, unsigned size);

/* DMA and loaders: RAM (and, for reads, ROM) only. Bytes outside read as 0xff or are dropped, and
 * the result is -EFAULT; a device can never reach another device this way. No lock needed. */
int aspace_dma_read(struct aspace *as, uint64_t addr, void *buf, size_t len);
int aspace_dma_write(struct aspace *as, uint64_t addr, const void *buf, size_t len);

#endif
