/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest RAM and ROM: one memfd, mapped once read-write, with per-page flags that engines honour.
 *
 * Translated or decoded code is found stale by a per-page version. The protocol is lock-free:
 *   decoder: v = ram_mark_code(page); decode; keep v with the block
 *   writer:  store the bytes, *then* test page->flags & PAGE_CODE; if set, ram_code_written(page)
 * ram_mark_code() sets the flag and runs a process-wide memory barrier, so a store that raced with it
 * is either seen by the decoder or sees the flag itself. From then on, while the flag stays, every
 * store is followed by a new version, and no decoder needs the barrier again. The flag stays as long
 * as code is decoded between one write and the next, as with code that changes itself; a page that is
 * only written to loses it. PAGE_CLEAN works the same way.
 */
#ifndef MMU_RAM_H
#define MMU_RAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  (~(uint64_t)0xfff)

enum page_flag {
	PAGE_CODE = 1 << 0,  /* some engine holds code decoded from this page */
	PAGE_CLEAN = 1 << 1, /* the next write is to be seen, by clearing this (mmu/dirty.h) */
};

struct ram_page {
	_Atomic uint8_t flags;    /* enum page_flag */
	_Atomic bool decoded;     /* since the last write */
	_Atomic bool lock;        /* whoever changes PAGE_CODE, version or fenced */
	_Atomic bool fenced;      /* the barrier has been run since PAGE_CODE was set */
	_Atomic uint32_t version; /* of the code in it */
};

struct ram {
	int fd;                 /* memfd; -1 when not open */
	uint8_t *host;          /* mapping of the whole memfd */
	uint64_t size;          /* bytes, a multiple of PAGE_SIZE */
	struct ram_page *pages; /* one per page */
	struct dirty_log *logs; /* of parts of it; under the machine lock */
	char name[32];
};

/* Allocates `size` bytes (rounded up to PAGE_SIZE) of zeroed memory. 0 or -errno. */
int ram_init(struct ram *ram, const char *name, uint64_t size);
void ram_fini(struct ram *ram);

/* Marks a page as holding decoded code and returns the version to keep with the decoded block.
 * Call before reading the bytes. */
uint32_t ram_mark_code(struct ram_page *page);

/* A page marked PAGE_CODE has been written: invalidates every block decoded from it. */
void ram_code_written(struct ram_page *page);

/* All threads see flags that were set before this, or their stores before they looked are seen after it. */
void ram_barrier(void);

/* A page whose flags are not 0 has been written. True when that was code. */
static inline bool ram_page_written(struct ram_page *page)
{
	uint8_t flags = atomic_load_explicit(&page->flags, memory_order_acquire);

	if (flags & PAGE_CLEAN)
		atomic_fetch_and(&page->flags, (uint8_t)~PAGE_CLEAN);
	if (flags & PAGE_CODE)
		ram_code_written(page);
	return flags & PAGE_CODE;
}

static inline uint32_t ram_code_version(const struct ram_page *page)
{
	return atomic_load_explicit(&page->version, memory_order_acquire);
}

/* Must follow every store of `len` bytes at offset `off` that did not go through cpu/mem.h. */
void ram_written(struct ram *ram, uint64_t off, uint64_t len);

/* Gives whole pages back to the host: they are zeroes from now on. off and len are multiples of
 * PAGE_SIZE, inside the RAM. */
void ram_discard(struct ram *ram, uint64_t off, uint64_t len);

#endif
