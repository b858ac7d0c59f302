/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest RAM and ROM: one memfd, mapped once read-write, with per-page flags that engines honour.
 *
 * Translated or decoded code is found stale by a per-page version. The protocol is lock-free:
 *   decoder: v = ram_mark_code(page); decode; keep v with the block
 *   writer:  store the bytes, *then* test page->flags & PAGE_CODE; if set, ram_code_written(page)
 * ram_mark_code() sets the flag and runs a process-wide memory barrier once for each version, so a
 * store that raced with it is either seen by the decoder or sees the flag itself. That the flag is
 * set is not enough to leave the barrier out: a writer may just be clearing it, and its next store
 * would find it clear while still on its way to memory.
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
	PAGE_DIRTY = 1 << 1, /* set by writers when dirty logging is on */
	PAGE_WATCH = 1 << 2, /* a debugger watches part of this page */
};

struct ram_page {
	_Atomic uint8_t flags;    /* enum page_flag */
	_Atomic uint32_t version; /* of the code in it */
	_Atomic uint32_t fenced;  /* 1 + the version since which the barrier has been run */
};

struct ram {
	int fd;                 /* memfd; -1 when not open */
	uint8_t *host;          /* mapping of the whole memfd */
	uint64_t size;          /* bytes, a multiple of PAGE_SIZE */
	struct ram_page *pages; /* one per page */
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

static inline uint32_t ram_code_version(const struct ram_page *page)
{
	return atomic_load_explicit(&page->version, memory_order_acquire);
}

/* Must follow every store of `len` bytes at offset `off` that did not go through cpu/mem.h. */
void ram_written(struct ram *ram, uint64_t off, uint64_t len);

#endif
