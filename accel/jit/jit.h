/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The translator's interface to the engine loop. docs/jit.md explains the design.
 */
#ifndef ACCEL_JIT_JIT_H
#define ACCEL_JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/tlb.h"

struct block;
struct block_cache;
struct core;
struct cpu_model;
struct engine_cpu;
struct engine_config;
struct engine_stats;
struct jit;

#define JIT_TLB_BITS     11
#define JIT_JUMP_ENTRIES 32768
#define JIT_CONTEXTS     256
#define JIT_RETURNS      512
#define JIT_CACHE_SIZE   (256u << 20) /* if not set otherwise */
#define JIT_CACHE_LEAST  (1u << 20)
#define REUSE_GROUPS     8
#define JIT_TABLES       (TLB_MODES + 1)
#define JIT_TLB_ENTRIES  (1u << JIT_TLB_BITS)
#define JIT_STLB_BITS    12
#define JIT_STLB_ENTRIES (1u << JIT_STLB_BITS)

/* Translated accesses. */
struct jit_tlb_entry {
	uint64_t rd, wr; /* page address where that is allowed, or one that belongs elsewhere */
	uint8_t *host;   /* host page */
	uint64_t addend; /* host - page address */
};

/* Direct-mapped. A slot's offset is that in `page`: it is scaled for the entry. */
struct jit_tlb {
	struct jit_tlb_entry e[JIT_TLB_ENTRIES];
	struct ram_page *page[JIT_TLB_ENTRIES];
};

/* Of the second level, which refills look at first. */
struct jit_stlb_entry {
	uint64_t rd, wr; /* page | asid where that is allowed, as in struct tlb_entry */
	uint64_t host;   /* host page, plus STLB_GLOBAL */
	struct ram_page *page;
};
#define STLB_GLOBAL 1u /* the same in every address space */

/* Where a jump goes: an entry of the jump table or a cell of one jump (flow.c). */
struct jit_jump {
	union {
		uint64_t rip; /* of what it leads to; a direct jump's: the page that is left */
		const uint8_t *code_vec; /* a return point's: like code where vectors are loaded */
	};
	uint64_t stamp; /* context (or cell_key) + version of the page */
	const uint8_t *code;
	const _Atomic uint32_t *version; /* of the page now */
};

/* What a call leaves for the RET that finds the stack pointer as the call left it. */
struct jit_return {
	uint64_t rip;
	uint64_t stamp; /* cell_key + version of the page */
	const struct jit_jump *cell;
	uint64_t unused; /* 32 bytes: scaled from a stack slot */
};

/* The numbers of an address space and mode. */
struct jit_context {
	uint64_t what;
	uint32_t number;
	uint32_t cell_number;
	uint32_t remapped; /* jit_state.remapped when cell_number was chosen */
};

/* What generated code reads and writes besides the core. */
struct jit_state {
	uint64_t pending;       /* someone posted an event; full word for jrcxz */
	uint64_t page_rip;      /* RIP of the current code page */
	uint64_t flags;         /* status flags while they are not in RFLAGS: see flags.c */
	uint64_t next_rip;      /* where an indirect call goes, */
	uint64_t next_code;     /* and its translation */
	uint64_t cell;          /* to be filled by a lookup */
	uint64_t found_page;    /* what a lookup found: where its page's version is, */
	uint64_t found_version; /* and which it was */
	uint64_t index_mask;    /* pext mask of a TLB index */
	uint64_t page_mask;     /* ~FFFh */
	uint64_t saved_rsp;     /* the thread's own stack while generated code runs */
	uint64_t spill, spill2;
	uint64_t link;       /* where generated code left for want of a link: enum link_kind */
	uint64_t link_rip;   /* where it was to lead */
	uint64_t jump_mask;  /* pext mask of a jump-table index, */
	uint64_t jump_mask2; /* and of where else to look */
	uint64_t vec_dead;   /* 0: guest vector registers are in the host's, else in v.v */
	uint64_t x87_dead;   /* the same for the x87 and MMX registers, in the host's or in v.fpu */
	uint64_t x87_page;   /* page of the last x87 instruction */
	uint32_t x87_last;   /* which one it was, see x87.c; 0: v.fpu knows */
	uint32_t x87_seg;    /* of the last operand in memory, plus 1; 0: v.fpu knows */
	uint64_t fcw_masks;  /* pext mask of the exception masks */
	uint64_t mxcsr_fixed; /* pext mask of MXCSR bits: the six masks, then the reserved ones */
	uint64_t df_mask;     /* pext mask of RFLAGS.DF */
	/* Of a repeated string instruction, see string.c. */
	struct ram_page *string_page;    /* with flags, that it has stored to */
	uint64_t string_paused;          /* it gave way between two iterations */
	uint64_t string_again;           /* jit_string() has not finished it */
	uint64_t mask16, mask32, mask64; /* pext masks of the low 4, 5 and 6 bits */
	uint64_t context;                /* number of the address space and mode, in bits 63:32 */
	uint64_t cell_key;   /* the same for cells and returns, which any remapping outdates */
	uint64_t ac_context; /* these two of kernel code with EFLAGS.AC the other way */
	uint64_t ac_cell_key;
	/* Where instructions are counted (jit_count()). */
	uint64_t left;       /* how many may still run, all of the current block deducted */
	uint64_t sign_mask;  /* pext mask of bit 63 */
	uint64_t cut;        /* a C function left before the end of the block */
	uint64_t bounded[2]; /* FS, GS: not writable data of 4 GiB (outside 64-bit mode) */
	struct {
		uint64_t host; /* address, or what has to be added to the guest's */
		struct ram_page *page;
	} reuse[REUSE_GROUPS]; /* what accesses of a block share: reuse.c */
	/* Of a refill. */
	uint64_t lin;
	uint64_t table;
	uint64_t first; /* enum refill_kind */
	uint64_t rax;   /* status flags, as of LAHF and SETO; then what C returned */
	_Alignas(64) struct jit_tlb
	    tlb[JIT_TABLES]; /* one per access mode and one more: block_table() */
	struct jit_stlb_entry stlb[JIT_TABLES][JIT_STLB_ENTRIES]; /* by jit_stlb_index() */
	struct jit_jump no_cell;                                  /* where empty returns lead */
	_Atomic uint32_t no_version;
	uint32_t unused;
	struct jit_return returns[JIT_RETURNS];
	struct jit_jump jump[JIT_JUMP_ENTRIES];

	/* Not for generated code. */
	uint64_t limit;      /* core.retired that jit_run() may reach, where it counts */
	bool mxcsr_live;     /* the host runs with the guest's MXCSR, and v.mxcsr is stale */
	uint32_t generation; /* of core.tlb at the last jit_sync() */
	uint32_t full;
	uint16_t tlb_asid[JIT_TABLES]; /* whose entries are in each table, besides global ones */
	uint64_t local[JIT_TABLES][JIT_TLB_ENTRIES / 64]; /* entries that may not be global */
	/* Context numbers by what they stand for (hashed); a number is never used again. */
	struct jit_context contexts[JIT_CONTEXTS];
	uint32_t last_context;
	bool no_room;              /* for a careful translation: time for jit_evict() */
	bool exhausted;            /* all numbers have been used: time for jit_reset() */
	bool global;               /* code runs from global pages */
	uint32_t remapped;         /* counts pages of code that may have been mapped elsewhere */
	uint64_t code_pages[4096]; /* filter of the pages in jump, by page_bits() */
};

/* cache: bytes of code memory. NULL and a reason in *why when this host cannot. */
struct jit *jit_new(size_t cache, const char **why);
void jit_free(struct jit *j);
void jit_stats(const struct jit *j, struct engine_stats *sum);
/* From now on, and before anything is translated: translations count instructions in core.retired and
 * stop at js.limit, which must leave room for the block that jit_run() begins with. */
void jit_count(struct jit *j);
/* From now on the profiler is told what is in code memory, as the settings ask for. 0 or -errno. */
int jit_tell_perf(struct jit *j, const struct engine_config *config, unsigned vcpu);

/* Translates b, which is best run at rip, if it can; b->code stays NULL otherwise. False when code memory is
 * full. */
bool jit_translate(struct jit *j, const struct cpu_model *model, struct block *b, uint64_t rip);
/* Runs from b (which has code) until something needs the engine loop; v is canonical afterwards. May
 * be left by the core's fault jump. */
void jit_run(struct jit *j, struct engine_cpu *e, struct block *b);
/* After generated code was left by the fault jump: makes v canonical. */
void jit_left(struct engine_cpu *e);
/* The same for b, or for the trace that takes its place, with room made if need be. Returns which. */
struct block *jit_make(struct engine_cpu *e, struct block *b);
/* Makes room for translations. */
void jit_evict(struct engine_cpu *e);
/* The decoded blocks that are here are no more. */
void jit_blocks_gone(struct engine_cpu *e, const uint8_t *from, const uint8_t *to);
/* Drops all translations, after the blocks are gone. */
void jit_reset(struct engine_cpu *e);

/* `page` has become code: no store may find it in the TLB of generated code. */
void jit_code_marked(struct core *c, const struct ram_page *page);

/* An engine_cpu with the stack that generated code runs on below it; zeroed. NULL on failure. */
struct engine_cpu *jit_alloc_cpu(size_t size);
void jit_free_cpu(struct engine_cpu *e, size_t size);

#endif
