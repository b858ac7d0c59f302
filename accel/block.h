/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Decoded basic blocks and where to find them.
 *
 * A block is a run of instructions in one page (the last one may spill into the next page and is
 * then alone in its block), keyed by guest-physical address and by what the decoding depended on,
 * so that blocks outlive changes of the address space. It is valid while the code version of its
 * pages is the one it was decoded under.
 */
#ifndef ACCEL_BLOCK_H
#define ACCEL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core.h"
#include "cpu/insn.h"

struct jit_jump;

#define BLOCK_MAX_INSNS 64
#define BLOCK_PARTS     32 /* of the memory for blocks: what is forgotten at a time */

/* Which successor of the block comes next. Good while no event intervenes: the page, the mode and the
 * translation are then those of the block itself. */
enum chain { CHAIN_TAKEN, CHAIN_NEXT, CHAIN_NONE };

/* Bits of the key: what system, vector and x87 instructions find. */
#define BLOCK_RING3     (1u << 5) /* CPL */
#define BLOCK_RING12    (1u << 13)
#define BLOCK_MODE      7          /* shift of block_table() */
#define BLOCK_SSE       (1u << 9)  /* SSE instructions are neither #UD nor #NM */
#define BLOCK_AVX       (1u << 10) /* likewise */
#define BLOCK_FP_MASKED (1u << 11) /* MXCSR masks all exceptions */
#define BLOCK_X87       (1u << 12) /* x87 and MMX: no #UD, no #NM, FCW masks all exceptions */
/* A debugger waits for instructions in this page: its block is not another page's that is the same memory. */
#define BLOCK_WATCHED (1u << 14)
/* 64-bit code where an immediate operand can name the place (kernels, and programs at a fixed address): its block
 * is not another page's either, so that the translation can have addresses for constants. */
#define BLOCK_FIXED (1u << 15)

/* Whether an immediate operand of 64-bit code can be this. */
static inline bool near_zero(uint64_t v)
{
	return v == (uint64_t)(int32_t)v;
}

/* Which TLB of the translator blocks use: one for each access mode, and one for supervisor code while the
 * PCID has bit 11 set. Guests that isolate page tables have the user's there, and come through on the way
 * into and out of the kernel: its own entries must not go each time. In bits 7 and 8 of the key. */
#define BLOCK_TABLES (TLB_MODES + 1)
static inline unsigned block_table(const struct core *c)
{
	return c->tlb_mode == TLB_KERNEL && c->tlb.pcid & 0x800 ? TLB_MODES : c->tlb_mode;
}

/* What a translation's entries expect of those who jump there, besides js. */
enum block_entry {
	ENTRY_FLAGS = 1 << 0, /* the status flags in RFLAGS, not in js.flags */
	ENTRY_VEC = 1 << 1,   /* the guest's vector registers in the host's for certain */
};

struct block {
	uint64_t gpa;
	uint64_t lin; /* of its page, with BLOCK_WATCHED or BLOCK_FIXED */
	uint16_t key; /* code size and what the run functions were chosen for */
	bool crosses; /* the only instruction continues at gpa2 */
	bool trace;   /* made of several (jit/trace.c): branches need not be the last instruction */
	uint16_t nr;
	uint32_t version, version2;
	struct ram_page *page, *page2;
	uint64_t gpa2;
	const uint8_t *code;     /* translation, or NULL */
	const uint8_t *entry[4]; /* its entries, by enum block_entry; entry[0] is code */
	const uint32_t *careful; /* offsets in code memory: where jit_fill_careful() goes on */
	struct jit_jump
	    *second_seen;      /* in the translation of one that crosses: see jit_exec_cross() */
	const uint8_t *host;   /* the page's bytes, if in RAM */
	uint32_t runs;         /* interpreted so far; UINT32_MAX: not worth another try */
	struct block *succ[2]; /* where a direct jump within the page goes, by enum chain, */
	uint64_t succ_seen;    /* if this is the cache's `flushed` */
	struct block *hash_next;
	struct insn insn[]; /* nr instructions and an end marker */
};

struct block_cache {
	struct block **hash;
	uint8_t *arena;
	size_t part_size;
	unsigned part; /* of the arena, that is being filled, */
	size_t used;   /* and how far */
	size_t filled[BLOCK_PARTS];
	uint64_t built, flushed, stale; /* counters */
	bool global;                    /* the block last got is in a global page */
	/* Chooses insn.run when a block is built. */
	void (*prepare)(struct block *b, const struct core *c);
	/* May be NULL; told of each page that had no PAGE_CODE before a block of it. */
	void (*marked)(struct core *c, const struct ram_page *page);
	/* Called after the blocks that were in this memory have been forgotten; or NULL. */
	void (*gone)(struct block_cache *bc, const uint8_t *from, const uint8_t *to);
};

/* 0 or -ENOMEM. */
int block_cache_init(struct block_cache *bc, void (*prepare)(struct block *, const struct core *));
void block_cache_fini(struct block_cache *bc);

/* Forgets all blocks. */
void block_cache_flush(struct block_cache *bc);

/* The key of the code at c->v.rip. */
uint16_t block_key(const struct core *c);

/* The block at c->v.rip; raises the fault of the fetch or of the first instruction's bytes. Valid as
 * long as `flushed` stays, which only this call may change. */
struct block *block_get(struct block_cache *bc, struct core *c);

/* The valid block that starts at page offset `off` of b's page and is found under the same conditions, or NULL. */
struct block *block_find(struct block_cache *bc, const struct block *b, unsigned off);

/* A block of nr instructions, at most BLOCK_MAX_INSNS, that begins as b does and takes its place. `flushed`
 * may change. */
struct block *block_replace(struct block_cache *bc, const struct core *c, struct block *b,
			    const struct insn *insn, unsigned nr);

/* Decodes the one instruction at c->v.rip without caching; raises likewise. */
void block_decode_one(struct core *c, struct insn *i);

/* Whether b, which crosses and starts at v.rip, continues where and as it did when it was decoded; raises
 * the fault of the fetch. */
bool block_second_page_ok(struct core *c, const struct block *b);

static inline bool block_valid(const struct block *b)
{
	return !b->page || ram_code_version(b->page) == b->version;
}

#endif
