/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Run functions with a memory operand. This is a template: each interp_mem*.c defines LIN(bits), the
 * linear address of an access of that many bits, and FAST_MEM, the name of its table's lookup.
 */
#include "accel/interp_fast.h"

/* `e` is the TLB entry of the operand at `lin`; a miss goes the general way. */
#define ENTRY(bits, write)                                                                         \
	uint64_t lin = LIN(bits);                                                                  \
	struct tlb_entry *e = fast_hit(c, lin, (bits) / 8, write);                                 \
	if (UNLIKELY(!e))                                                                          \
	return interp_run_any(c, i)

static inline void store_slow(struct core *c, const struct insn *i, struct tlb_entry *e)
{
	mem_stored(c, e);
	fast_stored(c, i);
}

#define STORE(bits, v)                                                                             \
	do {                                                                                       \
		uint##bits##_t val_ = (v);                                                         \
		memcpy(fast_host(e, lin), &val_, sizeof(val_));                                    \
		if (UNLIKELY(e->page->flags))                                                      \
			return store_slow(c, i, e);                                                \
		NEXT;                                                                              \
	} while (0)
#define FETCH(bits, v)                                                                             \
	uint##bits##_t v;                                                                          \
	memcpy(&v, fast_host(e, lin), sizeof(v))

#define LOAD(bits)                                                                                 \
	static void mov_rm##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		ENTRY(bits, false);                                                                \
		FETCH(bits, v);                                                                    \
		SET_##bits(0, v);                                                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void mov_mr##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		ENTRY(bits, true);                                                                 \
		STORE(bits, GET_##bits(1));                                                        \
	}                                                                                          \
	static void mov_mi##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		ENTRY(bits, true);                                                                 \
		STORE(bits, (uint##bits##_t)i->imm);                                               \
	}
#define WIDEN(from)                                                                                \
	static void movzx_rm##from(struct core *c, const struct insn *i)                           \
	{                                                                                          \
		ENTRY(from, false);                                                                \
		FETCH(from, v);                                                                    \
		SET_64(0, v);                                                                      \
		NEXT;                                                                              \
	}                                                                                          \
	static void movsx_rm##from##_32(struct core *c, const struct insn *i)                      \
	{                                                                                          \
		ENTRY(from, false);                                                                \
		FETCH(from, v);                                                                    \
		SET_32(0, (int32_t)(int##from##_t)v);                                              \
		NEXT;                                                                              \
	}                                                                                          \
	static void movsx_rm##from##_64(struct core *c, const struct insn *i)                      \
	{                                                                                          \
		ENTRY(from, false);                                                                \
		FETCH(from, v);                                                                    \
		SET_64(0, (uint64_t)(int64_t)(int##from##_t)v);                                    \
		NEXT;                                                                              \
	}
/* Register with memory, and read-modify-write of memory. */
#define ALU(op, bits)                                                                              \
	static void op##_rm##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		ENTRY(bits, false);                                                                \
		FETCH(bits, b);                                                                    \
		uint##bits##_t r = (uint##bits##_t)alu_##op(&c->v.cc, GET_##bits(0), b, bits / 8); \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void op##_mr##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		ENTRY(bits, true);                                                                 \
		FETCH(bits, a);                                                                    \
		STORE(bits, (uint##bits##_t)alu_##op(&c->v.cc, a, GET_##bits(1), bits / 8));       \
	}                                                                                          \
	static void op##_mi##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		ENTRY(bits, true);                                                                 \
		FETCH(bits, a);                                                                    \
		STORE(bits,                                                                        \
		      (uint##bits##_t)alu_##op(&c->v.cc, a, (uint##bits##_t)i->imm, bits / 8));    \
	}
#define UNARY(op, bits)                                                                            \
	static void op##_m##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		ENTRY(bits, true);                                                                 \
		FETCH(bits, a);                                                                    \
		STORE(bits, (uint##bits##_t)alu_##op(&c->v.cc, a, bits / 8));                      \
	}
/* Flags only. */
#define FLAGS(name, op, bits)                                                                      \
	static void name##_rm##bits(struct core *c, const struct insn *i)                          \
	{                                                                                          \
		ENTRY(bits, false);                                                                \
		FETCH(bits, b);                                                                    \
		alu_##op(&c->v.cc, GET_##bits(0), b, bits / 8);                                    \
		NEXT;                                                                              \
	}                                                                                          \
	static void name##_mr##bits(struct core *c, const struct insn *i)                          \
	{                                                                                          \
		ENTRY(bits, false);                                                                \
		FETCH(bits, a);                                                                    \
		alu_##op(&c->v.cc, a, GET_##bits(1), bits / 8);                                    \
		NEXT;                                                                              \
	}                                                                                          \
	static void name##_mi##bits(struct core *c, const struct insn *i)                          \
	{                                                                                          \
		ENTRY(bits, false);                                                                \
		FETCH(bits, a);                                                                    \
		alu_##op(&c->v.cc, a, (uint##bits##_t)i->imm, bits / 8);                           \
		NEXT;                                                                              \
	}

LOAD(8)
LOAD(16)
LOAD(32)
LOAD(64)
WIDEN(8)
WIDEN(16)

static void movsxd_rm(struct core *c, const struct insn *i)
{
	ENTRY(32, false);
	FETCH(32, v);
	SET_64(0, (uint64_t)(int64_t)(int32_t)v);
	NEXT;
}

#define SIZES(bits)                                                                                \
	ALU(add, bits)                                                                             \
	ALU(sub, bits)                                                                             \
	ALU(and, bits)                                                                             \
	ALU(or, bits)                                                                              \
	ALU(xor, bits)                                                                             \
	UNARY(inc, bits)                                                                           \
	UNARY(dec, bits)                                                                           \
	FLAGS(cmp, sub, bits)                                                                      \
	FLAGS(test, and, bits)
SIZES(8)
SIZES(32)
SIZES(64)

#define T_LOAD(bits)                                                                               \
	{op_mov, RM, bits / 8, bits / 8, mov_rm##bits, NULL},                                      \
	    {op_mov, MR, bits / 8, 0, mov_mr##bits, NULL},                                         \
	{                                                                                          \
		op_mov, MI, bits / 8, 0, mov_mi##bits, NULL                                        \
	}
#define T_WIDEN(from)                                                                              \
	{op_mov, RM, 4, from / 8, movzx_rm##from, NULL},                                           \
	    {op_mov, RM, 8, from / 8, movzx_rm##from, NULL},                                       \
	    {op_movsx, RM, 4, from / 8, movsx_rm##from##_32, NULL},                                \
	{                                                                                          \
		op_movsx, RM, 8, from / 8, movsx_rm##from##_64, NULL                               \
	}
#define T_FORMS(op, bits)                                                                          \
	{op_##op, RM, bits / 8, 0, op##_rm##bits, NULL},                                           \
	    {op_##op, MR, bits / 8, 0, op##_mr##bits, NULL},                                       \
	{                                                                                          \
		op_##op, MI, bits / 8, 0, op##_mi##bits, NULL                                      \
	}
#define T_UNARY(op, bits)                                                                          \
	{                                                                                          \
		op_##op, MO, bits / 8, 0, op##_m##bits, NULL                                       \
	}
#define T_SIZES(bits)                                                                              \
	T_FORMS(add, bits), T_FORMS(sub, bits), T_FORMS(and, bits), T_FORMS(or, bits),             \
	    T_FORMS(xor, bits), T_FORMS(cmp, bits), T_FORMS(test, bits), T_UNARY(inc, bits),       \
	    T_UNARY(dec, bits)

static const struct fast forms[] = {
    T_LOAD(8),
    T_LOAD(16),
    T_LOAD(32),
    T_LOAD(64),
    T_WIDEN(8),
    T_WIDEN(16),
    {op_movsx, RM, 8, 4, movsxd_rm, NULL},
    T_SIZES(8),
    T_SIZES(32),
    T_SIZES(64),
};

run_fn *FAST_MEM(const struct insn *i, enum shape s, bool flags_dead)
{
	return FAST_FIND(forms);
}
