/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One block being translated: what translate.c and vector.c share.
 */
#ifndef ACCEL_JIT_TRANSLATE_H
#define ACCEL_JIT_TRANSLATE_H

#include "accel/jit/jit_impl.h"

#define MAX_SLOW   (BLOCK_MAX_INSNS * 4)
#define FLAGS_SEEN 8

enum slow_kind {
	SLOW_OP,     /* the C operation */
	SLOW_MISS,   /* a refill, and then perhaps that */
	SLOW_STRING, /* jit_string(), and then perhaps again */
	SLOW_STORED, /* the page stored to has flags */
	SLOW_X87,    /* the x87 registers have to be loaded */
	SLOW_LINK,   /* a jump within the page has no link yet */
	SLOW_ENTRY,  /* the entry that is less likely to be used */
	SLOW_SIDE,   /* out of a trace */
	SLOW_LEAVE,  /* something is pending */
	SLOW_CELL,   /* a jump out of the page has to be looked up */
	SLOW_RETURN, /* a return point has no translation yet */
	SLOW_LOOKUP, /* an indirect jump's target has to be looked for */
	SLOW_RET     /* a RET has to be looked up */
};

/* What code does with the status flags that it finds. */
enum flags_use {
	FLAGS_DEAD,   /* overwrites them all first */
	FLAGS_NEEDED, /* reads some, or changes only some */
	FLAGS_KEPT    /* does neither before control goes elsewhere */
};

/* Of the instructions of a block, and of its end. */
struct flags_plan {
	uint64_t live[BLOCK_MAX_INSNS + 1]; /* flags (CC_BITS()) needed before it */
	uint64_t touches[BLOCK_MAX_INSNS];  /* reads or writes */
	bool read_later[BLOCK_MAX_INSNS];   /* some instruction behind it needs what it finds */
	bool first_reads;                   /* the first that touches any needs what it finds */
};

/* The last x87 instruction and the last one with an operand in memory, as FIP and FDP tell it, where
 * nobody has written them down; or NULL. */
struct x87_last {
	const struct insn *i, *mem;
};

/* Code that is placed after the block, out of the way of what usually happens. */
struct slow {
	enum slow_kind kind;
	uint8_t *from;        /* displacement that leads here */
	const uint8_t *found; /* SLOW_LOOKUP: where to go on */
	uint8_t *back;        /* where to go on; filled in when known */
	uint8_t *at;          /* where this code is */
	const struct insn *i;
	bool restore; /* rdx is in js.spill */
	bool save;    /* the guest's status flags are in RFLAGS at `from`, */
	bool wanted;  /* and at `back` */
	int32_t off;  /* page offset of where the jump goes */
	bool flags;   /* SLOW_LINK: it leads to where flags are expected in RFLAGS */
	struct jit_jump *cell;
	/* SLOW_MISS: where the access begins, with its address in S1. SLOW_STRING: where it goes on. */
	uint8_t *retry;
	uint8_t refill; /* enum refill_kind, */
	uint32_t first; /* and where the first access of a group is */
	/* Of accesses in a page that is expected in one slot of the TLB, or `hit` is NULL. */
	const uint8_t *hit; /* where to go on with the page's host address in S1 */
	int64_t disp;       /* the access, */
	bool relative;      /* from the page of RIP */
	uint16_t size;
	bool vec; /* guest vector registers are in the host's at `back` */
	struct x87_last x87;
};

/* What is in a guest register: an unknown value plus an offset. */
struct value {
	uint32_t id;
	int64_t off;
};

struct values {
	struct value reg[16];
	uint32_t next, segments;
};

/* Bytes at a known distance from the sum of a base, an index and a segment. */
struct touch {
	uint32_t base, index, segment;
	uint8_t scale;
	int64_t disp;
	unsigned size;
	bool write;
};

/* Accesses of one block that share a translation: that of `at`, which covers them. */
struct group {
	struct touch at;
	uint8_t leader; /* the instruction that translates it */
	bool shared;
	bool addend;   /* what is kept has to be added to addresses; else it is a host address, */
	int32_t first; /* from where `at` is so far */
};

struct tr {
	struct emit e;
	uint8_t *cells; /* the lowest so far */
	uint8_t *hot;   /* end of what is often run, once that is emitted */
	bool cold;      /* emitting what is seldom run */
	struct jit *j;
	struct block *b;
	int32_t off;             /* of the block in its page, */
	uint64_t page_rip;       /* which is here as a rule; */
	bool fixed;              /* always, and within reach of an immediate operand */
	unsigned table;          /* block_table() */
	unsigned word;           /* bytes of an address, of RIP and of a stack slot: 4 or 8 */
	const uint8_t *entry[4]; /* as in struct block */
	uint8_t *body;           /* where all of them lead */
	bool in_mem;             /* the status flags are in js.flags, not in RFLAGS (see flags.c) */
	struct jit_jump *second_seen; /* as in struct block */
	bool dead;                    /* RFLAGS may be clobbered before the current instruction */
	const struct cpu_model *model;
	bool vec; /* guest vector registers are in the host's; else: perhaps */
	bool x87; /* the same for x87 registers */
	struct x87_last last;
	unsigned n;       /* the current instruction, */
	bool touches;     /* whether it reads or writes status flags, */
	bool live_next;   /* and whether any are needed behind it */
	bool careful;     /* no groups */
	uint8_t **places; /* filled in with where each instruction begins, or NULL */
	struct values values;
	unsigned nr_groups;
	const struct group
	    *in_s1; /* whose host address S1 still has, if e.rcx_changed is not set */
	struct group group[REUSE_GROUPS];
	uint64_t led; /* instructions whose groups are used */
	struct flags_memo {
		int32_t off;
		enum flags_use use;
	} seen[FLAGS_SEEN]; /* what flags_use_at() has found */
	unsigned nr_seen;
	unsigned nr_slow;
	struct slow slow[MAX_SLOW]; /* the last field: see init() of translate.c */
};

static inline struct rm state(int32_t off)
{
	return rm_mem(STATE, off);
}
static inline struct rm gpr_slot(unsigned g)
{
	return state(OFF_GPR(g));
}
/* A guest register as an r/m operand. */
static inline struct rm guest(unsigned g)
{
	int h = host_reg(g);
	return h >= 0 ? rm_reg((unsigned)h) : gpr_slot(g);
}
static inline bool pinned(unsigned g)
{
	return host_reg(g) >= 0;
}

void add_slow(struct tr *t, enum slow_kind kind, uint8_t *from, const struct insn *i, bool restore,
	      int32_t off);
/* Not-zero S1: the C operation. */
void emit_op_unless_zero(struct tr *t, const struct insn *i);
/* Zero S1: the same. */
void emit_op_if_zero(struct tr *t, const struct insn *i);
/* The host address of i's memory operand of `size` bytes, by way of S1, and S2 = its ram_page for a
 * write. When that fails the C operation does the instruction. Flags stay. To be used while S1 and the
 * guest's registers are as they are. */
struct rm emit_reach(struct tr *t, const struct insn *i, unsigned size, bool write);
/* The same where a misaligned address is left to the C operation. */
struct rm emit_reach_aligned(struct tr *t, const struct insn *i, unsigned size, bool write);
/* The same for a stack slot at guest register g + at. */
struct rm emit_reach_slot(struct tr *t, const struct insn *i, unsigned g, int32_t at, bool write);
/* S1 = linear address of `size` bytes at i's memory operand. S2 is clobbered; flags stay. */
void emit_address(struct tr *t, const struct insn *i, unsigned size);
/* S1 = linear address -> host address; S2 = its ram_page for a write. A miss goes to the C operation
 * with nothing changed. */
void emit_translate(struct tr *t, const struct insn *i, unsigned size, bool write);
/* Out of the way: the page of s->i's access is not in the slot where it was expected. */
void emit_elsewhere(struct tr *t, struct slow *s);
/* After a store, with its ram_page in S2: pages with flags need more. Flags stay if they are needed. */
void emit_stored(struct tr *t, const struct insn *i);
/* Before a store, the same: pages with flags are for the C operation. */
void emit_unless_code(struct tr *t, const struct insn *i);

/* The same with the host address in S1, for instructions that have emitted something that may not be done
 * twice: failing, emit_reach() may begin the instruction anew. */
void emit_mem(struct tr *t, const struct insn *i, unsigned size, bool write);
/* S1 = effective address of i's memory operand. S2 is clobbered; flags stay. */
void emit_ea(struct tr *t, const struct insn *i);
/* The same for a host register, of which it is the lower 4 or all 8 bytes. S1 is clobbered, too. */
void emit_ea_to(struct tr *t, const struct insn *i, unsigned dst, unsigned size);
/* The stack slot at guest RSP + at: S1 = host address, S2 = page for writes. */
void emit_stack(struct tr *t, const struct insn *i, int32_t at, bool write);
/* [to] = [from], `size` bytes. Clobbers js.spill; flags stay. */
void emit_copy(struct tr *t, struct rm to, struct rm from, unsigned size);
/* RSP += slots */
void emit_move_stack(struct tr *t, int slots);

/* reuse.c */
void reuse_init(struct tr *t);
void reuse_step(struct tr *t, const struct insn *i); /* i has been translated */
bool reuse_mem(const struct tr *t, const struct insn *i, unsigned size, bool write,
	       struct touch *a);
/* Whether a is at a known offset in a page that is absolute or at a distance from the page of RIP. */
bool reuse_fixed(const struct touch *a);
void reuse_reg(const struct tr *t, unsigned g, int64_t off, bool write, struct touch *a);
/* A group that has a, or NULL. */
struct group *reuse_find(struct tr *t, const struct touch *a);
/* A new one that begins with a, or NULL when nothing would share it. */
struct group *reuse_begin(struct tr *t, const struct touch *a);

/* flow.c: goes to page offset `to`, in this page or elsewhere. */
void emit_goto(struct tr *t, int64_t to);
/* Where a branch in the midst of a trace, i, leads when it does not lead on there. */
int64_t side_of(const struct tr *t, const struct insn *i);
/* RET that js.returns does not know, with its target in S1. */
void emit_slow_ret(struct tr *t, const struct slow *s);
/* An address in S1 that is not in s->cell, or where there is none, not in its first place in the jump table: on
 * at s->found, with the code in S2. */
void emit_slow_lookup(struct tr *t, const struct slow *s);
/* An empty cell, in the writable mapping. It is good while the translation does not overflow. */
struct jit_jump *jit_new_cell(struct tr *t);

/* flags.c. Both clobber S2 and keep RFLAGS' status flags, or set them. */
void emit_flags_save(struct emit *e);
void emit_flags_restore(struct emit *e);
/* From here on RFLAGS are free. Clobbers S2. */
void flags_to_memory(struct tr *t);
/* The flags that i reads and those it surely overwrites or leaves undefined (CC_BITS()). */
void flags_effect(const struct insn *i, uint64_t *reads, uint64_t *writes);
void flags_plan(struct tr *t, struct flags_plan *plan);
/* At a page offset of the block's page. */
enum flags_use flags_use_at(struct tr *t, int32_t off);

/* bits.c: D2 group `ext`, by CL */
void emit_shift_memory(struct tr *t, const struct insn *i, unsigned ext);
/* vector.c: misaligned addresses in S1 go to the C operation. S2 is clobbered. */
void emit_aligned(struct tr *t, const struct insn *i, unsigned size);

/* alu.c: operand shapes. A 32-bit result in a register that lives in memory clears its upper half. */
void clear_upper(struct tr *t, unsigned g, unsigned size);
/* reg <- reg op r/m: operands nr and nm. `reads`: the register is an input. */
void shape_reg_rm(struct tr *t, const struct insn *i, unsigned pfx, uint32_t opcode, unsigned nr,
		  unsigned nm, bool reads, bool writes);
/* r/m <- r/m op reg */
void shape_rm_reg(struct tr *t, const struct insn *i, uint32_t opcode, bool writes);
/* r/m <- op r/m [, imm]. imm_size 0: none. */
void shape_rm(struct tr *t, const struct insn *i, uint32_t opcode, unsigned ext, unsigned imm_size,
	      uint64_t imm, bool writes);
bool plain(const struct operand *o); /* a general register or memory */
/* Those whose emitters there write LOCK. */
bool lockable(const struct insn *i);
bool is_shift(const struct insn *i);

/* x87.c: x87, MMX and FWAIT. */
bool is_x87(const struct insn *i);
/* Writes down what t->last tells before an instruction that may change the registers of its address. */
void x87_before(struct tr *t, const struct insn *i);
/* The same for all of it. Clobbers S1 and S2; flags stay. */
void x87_emit_last(struct tr *t, const struct x87_last *last);

/* Whether emit_reach() and the like know i's address size: the usual one, or 67h in 64-bit code. */
bool addressable(const struct tr *t, const struct insn *i);

/* Emits i; false when it has no translation. */
typedef bool tr_fn(struct tr *t, const struct insn *i);
/* vector.c. Guest vector registers are in the host's from here on. Clobbers S1; flags stay. */
void vec_emit_want(struct tr *t);
/* Whether some instruction of the block wants them. */
bool vec_block(const struct tr *t);

tr_fn tr_vector;                          /* vector.c */
tr_fn tr_x87;                             /* x87.c */
tr_fn tr_alu_insn;                        /* alu.c */
tr_fn tr_push, tr_pop, tr_leave, tr_flow; /* flow.c */
tr_fn tr_string;                          /* string.c */
tr_fn tr_high_byte;                       /* high.c: one operand is AH, CH, DH or BH */
tr_fn tr_bt, tr_double_shift;             /* bits.c */
/* integer.c, system.c: what translates i, or NULL. The latter also looks at what insn_check() would. */
tr_fn *integer_handler(const struct insn *i);
tr_fn *system_handler(const struct insn *i);

#endif
