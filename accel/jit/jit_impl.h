/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by the translator's files.
 *
 * Registers in generated code:
 *   RSP       the engine_cpu: state is at [rsp + offset], helper calls push below it
 *   RCX, R14  scratch
 *   R13, R15  guest RCX and RSP
 *   the rest  the guest register of the same name
 * Guest R13, R14 and R15 live in v.gpr. Status flags are the host's. RCX is free for scratch so that
 * JRCXZ can test without touching flags.
 */
#ifndef ACCEL_JIT_JIT_IMPL_H
#define ACCEL_JIT_JIT_IMPL_H

#include <assert.h>

#include "accel/jit/emit.h"
#include "accel/jit/jit.h"
#include "accel/soft.h"
#include "accel/stats.h"
#include "cpu/cpuid.h"

enum { S1 = H_RCX, S2 = H_R14, STATE = H_RSP };

/* What js.link is, in its upper byte; the rest is an address in the writable mapping. */
enum link_kind {
	/* 0 to 3: displacement of a jump to that of block.entry. */
	LINK_CELL = 4, /* the cell of a return point */
};
#define LINK_SHIFT 56

/* What a refill is for. */
enum refill_kind {
	REFILL_READ,
	REFILL_WRITE,
	/* For accesses of which the first, js.first bytes further on, is of the kind at the end: others come
	 * later if at all, so the walk is only for this one. */
	REFILL_READS,
	REFILL_WRITES_BY_READ,
	REFILL_WRITES,
	REFILL_KINDS
};

/* Where the rest of a block goes on with every access on its own. */
struct careful {
	const uint8_t *code; /* NULL: not translated yet */
	const struct insn *i;
	int32_t off; /* of i in its page */
	bool flags;  /* the guest's status flags are in RFLAGS */
};

enum { STRING_MOVS, STRING_STOS, STRING_CMPS, STRING_SCAS, STRING_KINDS };

struct jit {
	uint8_t *write, *exec; /* two mappings of the same memory */
	size_t size;
	/* Behind the stubs, see codemem.c. */
	struct code_region *regions;
	unsigned nr_regions, region;
	/* In the region that is being filled, in the writable mapping: blocks grow up from its start, behind
	 * them what is seldom run, and cells grow down from its end. */
	uint8_t *next, *first_cold, *next_cold, *cells, *top;
	/* Stubs, in the writable mapping. */
	uint8_t *enter;        /* void (struct engine_cpu *, const uint8_t *code) */
	uint8_t *leave;        /* rip = page_rip + rcx */
	uint8_t *leave_link;   /* the same, and link = r14 (enum link_kind) */
	uint8_t *leave_stored; /* v is in memory already */
	uint8_t *call_op;      /* r14 = insn, rcx = page offset of its block */
	uint8_t *call_plain;   /* the same where there is no translation */
	uint8_t *call_cross;   /* the same for the instruction of a block that crosses pages */
	uint8_t *lookup;       /* rcx = rip: r14 = code or 0; rcx stays */
	/* By whether vector registers are loaded. */
	uint8_t *lookup_cell[2]; /* the same, and fills the cell r14 */
	uint8_t
	    *go_cell[2]; /* to rip = rcx by the cell r14, which is filled; it is of a direct jump */
	uint8_t *go;     /* to rip = rcx */
	uint8_t *stored; /* r14 = page that was written: like call_op, for mem_stored() */
	uint8_t *refill[JIT_TABLES][REFILL_KINDS]; /* see refill.c */
	uint8_t *careful;                          /* to the place r14 (struct careful) */
	uint8_t *x87_load;                         /* x87 registers from v.fpu; like call_op */
	uint8_t *call_string;                      /* like call_op, for jit_string() */
	/* By operation, log2 of the element size, 64-bit addresses, and REPNE. */
	uint8_t *string[STRING_KINDS][4][2][2];
	uint8_t *vec_load;     /* vector registers from v.v; clobbers rcx */
	struct cpu_model host; /* .feat: what instructions there are */
	bool count;            /* translations count instructions */
	struct jit_perf *perf; /* NULL: no names wanted */
	bool inside;           /* generated code runs, or C that it calls */
	enum engine_stat why;  /* what the C function that leaves has to do with it; 0: nothing */
	struct engine_stats stats;
};

#define OFF_GPR(n)  ((int32_t)offsetof(struct engine_cpu, core.v.gpr) + (int32_t)(n)*8)
#define OFF_CORE(f) ((int32_t)offsetof(struct engine_cpu, core.f))
#define OFF_JS(f)   ((int32_t)offsetof(struct engine_cpu, js.f))
static_assert(JIT_TABLES == BLOCK_TABLES, "");
static_assert(offsetof(struct engine_cpu, core) == 0, "generated code passes RSP as the core");

static inline struct block *block_of(const struct insn *i)
{
	const uint8_t *first = (const uint8_t *)(i - i->nth);
	return (struct block *)(uintptr_t)(first - offsetof(struct block, insn));
}

/* Where a guest register lives: a host register, or -1 for v.gpr. */
static inline int host_reg(unsigned guest)
{
	switch (guest) {
	case RCX:
		return H_R13;
	case RSP:
		return H_R15;
	case R13:
	case R14:
	case R15:
		return -1;
	default:
		return (int)guest;
	}
}

/* vector.c */
void jit_host_features(struct cpu_model *host);
void vec_make_load(struct jit *j, struct emit *e);
/* Code at S2 -> what of it is behind the check that vec_emit_want() begins it with, if it does. Clobbers S1 and
 * flags. */
void vec_emit_skip_want(struct emit *e);
/* All host vector registers to v.v, or from there, which clobbers S1. RSP: the engine_cpu - bias. Upper halves of
 * YMM registers that hold zeros are not written but cleared by VZEROUPPER: instructions that leave them alone
 * (SSE) would wait for them otherwise. */
void vec_emit_store_all(const struct jit *j, struct emit *e, int32_t bias);
void vec_emit_load_all(const struct jit *j, struct emit *e, int32_t bias);
/* Stores guest vector registers that are in the host's. RSP: the engine_cpu - bias. Clobbers flags. */
void vec_emit_save(const struct jit *j, struct emit *e, int32_t bias);

/* x87.c. Called by generated code: puts the guest's x87 state into the host's unit. */
bool jit_x87_load(struct engine_cpu *e, const struct insn *i);
/* The same for C; and all of it back to v.fpu, if it is there. */
void x87_to_host(struct engine_cpu *e);
void x87_to_guest(struct engine_cpu *e);
/* FIP and FDP, and what belongs to them, to v.fpu. */
void x87_pointers(struct engine_cpu *e);

/* trace.c. b, which has no translation yet, or what has taken its place: a trace that begins with it. */
struct block *jit_trace(struct engine_cpu *e, struct block *b);

/* jit.c. Called when generated code has been left with v in memory: the translation to go on with, with
 * everything ready for it, or NULL when the engine loop is needed. May raise the fault of the fetch. */
const uint8_t *jit_next(struct engine_cpu *e);

/* codemem.c. 0, or -1 without memory; `begin` is behind the stubs. */
int codemem_init(struct jit *j, uint8_t *begin);
void codemem_fini(struct jit *j);
/* Where the stubs end. */
const uint8_t *codemem_begin(const struct jit *j);
/* Drops all, when there are no blocks and no jumps any more. */
void codemem_reset(struct jit *j);
/* b's translation has been written at j->next; false without memory. */
bool codemem_add_block(struct jit *j, struct block *b);
/* Lets p lead into b's careful translation; false without memory. */
bool codemem_careful(struct jit *j, struct careful *p, const struct block *b);
/* Lets `at` (see enum link_kind) lead to b, as long as that is translated. */
void codemem_link(struct jit *j, enum link_kind kind, uint8_t *at, const struct block *b);

/* perf.c */
void perf_close(struct jit *j);
/* What has been written at `from`, in the writable mapping, is called so, */
void perf_code(struct jit *j, const uint8_t *from, const uint8_t *to, const char *name);
/* and this after b, found in the page of rip. */
void perf_block(struct engine_cpu *e, const struct block *b, uint64_t rip, const uint8_t *from,
		const uint8_t *to, const char *what);
void perf_evicted(struct jit *j, const uint8_t *from, const uint8_t *to);

/* page_rip = page of S1. Clobbers flags. */
static inline void emit_set_page(struct emit *e)
{
	emit_rm(e, 0x81, 8, 4, rm_reg(S1)); /* and */
	emit32(e, (uint32_t)PAGE_MASK);
	emit_store(e, rm_mem(STATE, OFF_JS(page_rip)), S1);
}

/* stubs.c */
void jit_make_stubs(struct jit *j, struct emit *e);

/* string.c */
void string_make_stubs(struct jit *j, struct emit *e);
/* What keeps a repeated string instruction from going on; false: js.string_again tells whether the rest of
 * it may be tried again. */
bool jit_string(struct engine_cpu *e, const struct insn *i);

/* Status flags as in v.cc, from and to js.flags. */
static inline uint32_t flags_unpack(uint64_t flags)
{
	return (uint32_t)(flags >> 8 & 0xd5) | (uint32_t)(flags & 1) << 11;
}
static inline uint64_t flags_pack(uint32_t cc)
{
	return (cc & 0xd5) << 8 | 2 << 8 | (cc >> 11 & 1);
}

/* calls.c. What generated code calls and may fault, end the block or look at the time begins with this:
 * sets core.retired to the count at the start of i's block. */
void jit_count_to(struct engine_cpu *e, const struct insn *i);
/* When generated code has been left; may come twice. */
void jit_counted(struct engine_cpu *e);
/* Those that generated code calls return true to leave for the engine loop. */
bool jit_exec_op(struct engine_cpu *e, const struct insn *i);
/* Translates p->i's block with every access on its own, and fills in where that goes on. False when there
 * is no room: leave for the engine loop, before p->i. */
bool jit_fill_careful(struct engine_cpu *e, struct careful *p);
bool jit_exec_plain(struct engine_cpu *e, const struct insn *i);
bool jit_exec_cross(struct engine_cpu *e, const struct insn *i);
/* A store hit a page with flags. True when the block may have changed: i is where to go on. */
bool jit_stored(struct engine_cpu *e, const struct insn *i, struct ram_page *page);
/* The host runs with the guest's MXCSR while nothing unmasked can come of it. */
void mxcsr_to_host(struct engine_cpu *e);
void mxcsr_to_guest(struct engine_cpu *e);

/* refill.c */
void jit_make_refills(struct jit *j, struct emit *e);

/* With one processor nobody else makes code of a page meanwhile: pages with flags have no entry for writes
 * then, and stores need not look at flags. */
static inline bool jit_alone(const struct cpu_model *model)
{
	return model->nr_cpus == 1;
}

/* Of a slot's offset in a TLB, and of what that is scaled by for the entry. */
#define TLB_SLOT_BITS 3
#define TLB_SCALE     2
static_assert(sizeof(struct ram_page *) == 1 << TLB_SLOT_BITS, "scaled by shifting");
static_assert(sizeof(struct jit_tlb_entry) == 1 << (TLB_SLOT_BITS + TLB_SCALE), "scaled");

/* In the second level pages are spread: those that share a slot in the first do not there. */
#define STLB_HASH 0x9e3779b1u
static inline uint32_t jit_stlb_index(uint64_t lin)
{
	return (uint32_t)(lin >> PAGE_SHIFT) * STLB_HASH >> (32 - JIT_STLB_BITS);
}

/* tlb.c. Takes the entry of the core's TLB for lin over when it allows the access; these two use no
 * vector registers, which are the guest's when generated code calls. */
#define NO_VECTORS                                                                                 \
	__attribute__((target("general-regs-only"), no_sanitize("address", "thread", "undefined")))
NO_VECTORS bool jit_fill(struct engine_cpu *e, uint64_t lin, bool write, unsigned table);
bool jit_tlb_has(const struct engine_cpu *e, uint64_t lin, bool write, unsigned table);
/* Drops all; what is not global and of another address space than the current one; one page. */
void jit_drop_tlb(struct jit_state *js);
void jit_enter_tlb(struct jit_state *js, unsigned table, uint16_t asid);
void jit_drop_tlb_page(struct jit_state *js, uint64_t page);

/* jumps.c */
void jit_init_jumps(struct jit_state *js);
void jit_drop_jumps(struct jit_state *js);
/* Drops where jumps into one page lead, in all contexts. */
void jit_drop_jump_page(struct jit_state *js, uint64_t page);
/* Whatever drops this page changes cell_key too. */
void jit_note_code_page(struct jit_state *js, uint64_t lin);
/* Drops the jumps to b's translation, and what all cells and returns know. */
void jit_drop_jump_to(struct jit_state *js, const struct block *b);
void jit_drop_cells(struct jit_state *js);
/* The address space (0: global code, which is the same in all) and the block_key() that jumps are now made
 * in. */
void jit_set_context(struct jit_state *js, uint16_t asid, uint16_t key);
/* The translation that the table has for v.rip, with the context set, or NULL. */
const uint8_t *jit_find_jump(struct engine_cpu *e, uint16_t key);
/* Lets generated code find b by its address. */
void jit_enter_jump(struct engine_cpu *e, const struct block *b);

#endif
