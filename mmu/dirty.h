/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which pages changed since one last asked: for screens, and for copies of memory that a guest goes on
 * changing. It finds writes of all kinds: by vCPUs on any engine, by DMA and by devices.
 *
 * Writers in this process see PAGE_CLEAN after they have stored, and clear it. The rest is for who
 * writes otherwise, or may look at flags late, to tell by struct dirty_ops.
 *
 * All functions: machine lock held.
 */
#ifndef MMU_DIRTY_H
#define MMU_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/aspace.h"
#include "mmu/ram.h"

struct dirty_log {
	struct aspace *as;
	struct ram *ram;
	uint64_t first, nr; /* pages */
	/* A bit for each page: the last answer; written since, as far as seen; told once more, since
	 * writers may have stored without a look at the flag of PAGE_CLEAN. */
	uint64_t *changed, *written, *again;
	struct dirty_log *next; /* of the same RAM */
};

/* Logs [off, off + len) of ram, whole pages of which are mapped in as, or will be. The first answer will
 * be all of them. 0 or -ENOMEM. */
int dirty_log_init(struct dirty_log *l, struct aspace *as, struct ram *ram, uint64_t off,
		   uint64_t len);
/* May be called without dirty_log_init() on what is zero. */
void dirty_log_fini(struct dirty_log *l);

/* Asks: how many pages have been written since the last time. What is read from memory after this is at
 * least as new as all writes of that; a page may be told twice. */
uint64_t dirty_log_ask(struct dirty_log *l);
/* Whether the last answer had a page that has part of [off, off + len) of the RAM. */
bool dirty_log_changed(const struct dirty_log *l, uint64_t off, uint64_t len);

/* ---- for engines ---- */

/* Pages of ram are not clean any more, whatever their flags: they may have been written unseen. */
void dirty_unseen(struct ram *ram, uint64_t off, uint64_t len);

/* A kind of writer; each function may be NULL. */
struct dirty_ops {
	/* RAM in the address space has become logged, or is not any more (ram->logs). */
	void (*logging)(void *opaque);
	/* Tells dirty_unseen() what was written to l's pages without clearing PAGE_CLEAN. */
	void (*collect)(void *opaque, const struct dirty_log *l);
	/* Pages became clean. True: stores may go on for a while that do not look at that. */
	bool (*protect)(void *opaque);
	/* Whether that while is over since the last protect(). */
	bool (*settled)(void *opaque);
};
/* 0 or -ENOSPC. */
int dirty_add_writer(struct aspace *as, const struct dirty_ops *ops, void *opaque);
void dirty_remove_writer(struct aspace *as, const struct dirty_ops *ops, void *opaque);

#endif
