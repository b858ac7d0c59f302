/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page walks: linear to guest-physical in every paging mode, with permissions and A/D bits.
 * SDM vol. 3A chapter 4 (paging), 4.6 (access rights), 4.7 (page-fault error code).
 */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct aspace;

enum access {
	ACC_READ = 0,
	ACC_WRITE = 1,
	ACC_FETCH = 2,
};

/* Page-fault error code bits. */
enum {
	PF_P = 1 << 0,
	PF_W = 1 << 1,
	PF_U = 1 << 2,
	PF_RSVD = 1 << 3,
	PF_I = 1 << 4,
	PF_PK = 1 << 5,
};

/* What a walk depends on besides the address: copied from the control registers. */
struct paging {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4]; /* PAE: the four registers loaded by MOV to CR3 (SDM 4.4.1) */
	uint32_t pkru;
	uint8_t maxphyaddr; /* 36..52: bits above are reserved in entries */
	bool gbpages;       /* CPUID 1 GiB pages */
};

enum { PG_R = 1, PG_W = 2, PG_X = 4 };

struct translation {
	uint64_t gpa;       /* of the address itself, before A20 */
	uint64_t page_size; /* 4 KiB, 2 MiB, 4 MiB or 1 GiB */
	uint8_t prot;       /* PG_*: what this kind of accessor may do without another walk
	                        (PG_W only when the D bit is already set) */
	bool user;          /* U/S = 1 all the way */
	bool global;
	uint8_t pkey;
};

/* Walks for one access. `user`: the access is a user-mode access. `ac`: EFLAGS.AC for explicit
 * supervisor accesses, false for implicit ones. Sets A (and D for writes) with atomic updates.
 * Returns 0, or 1 with *err = page-fault error code. With paging off, identity. */
int page_walk(struct aspace *as, const struct paging *pg, uint64_t lin, enum access acc, bool user,
	      bool ac, struct translation *out, uint32_t *err);

/* The same without any side effect or permission check; for debuggers. 0 or -1. */
int page_walk_debug(struct aspace *as, const struct paging *pg, uint64_t lin,
		    struct translation *out);

/* Loads the four PDPTEs named by cr3; returns false when one has reserved bits set (#GP). */
bool page_load_pdptes(struct aspace *as, struct paging *pg);

#endif
