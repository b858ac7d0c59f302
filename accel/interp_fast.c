/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Run functions for the shapes that make up most of what guests execute: 32- and 64-bit moves,
 * arithmetic and logic on registers, immediates and memory, stack, calls and jumps.
 *
 * They do exactly what the C op of the same instruction does, with the operand kinds, the size and
 * the address form fixed at compile time. Each is named by operation, operand shape and size:
 * r register, i immediate, m memory. Memory forms exist twice: for 64-bit mode (DS, ES, SS, CS:
 * base 0, 64-bit addresses) and for flat 32-bit segments.
 *
 * RIP-relative operands: v.rip is the block's first address while a block runs, and is gpr[REG_RIP],
 * so the base is added like any other once interp_fast() has folded the instruction's own offset
 * into the displacement.
 */
#include "accel/interp.h"

#include "cpu/alu.h"
#include "cpu/check.h"
#include "cpu/mem.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"
#include "cpu/stack.h"

#define NEXT return i[1].run(c, i + 1)
/* After a store: it may have hit the code of this very block. */
#define NEXT_STORED                                                                                \
	do {                                                                                       \
		if (__builtin_expect(c->leave, 0)) {                                               \
			c->v.rip = insn_next(c, i);                                                \
			return;                                                                    \
		}                                                                                  \
		NEXT;                                                                              \
	} while (0)

#define REG(n) (c->v.gpr[i->o[n].reg])

/* Values of a register, an immediate and memory, by size in bits. */
#define GET_8(n)     ((uint8_t)REG(n))
#define GET_16(n)    ((uint16_t)REG(n))
#define GET_32(n)    ((uint32_t)REG(n))
#define GET_64(n)    REG(n)
#define SET_8(n, v)  (REG(n) = (REG(n) & ~0xffull) | (uint8_t)(v))
#define SET_16(n, v) (REG(n) = (REG(n) & ~0xffffull) | (uint16_t)(v))
#define SET_32(n, v) (REG(n) = (uint32_t)(v))
#define SET_64(n, v) (REG(n) = (v))

static inline uint64_t sum(const struct core *c, const struct insn *i)
{
	return c->v.gpr[i->base] + (c->v.gpr[i->index] << i->scale) + (uint64_t)i->disp;
}
#define LIN_m64(bits) sum(c, i)
/* An access that runs over 4 GiB takes the checked way, which raises the limit fault. */
#define LIN_m32(bits) seg_lin(c, i->seg, (uint32_t)sum(c, i), (bits) / 8, ACC_WRITE)

/* ---- register and immediate forms ---- */

#define ALU_REG(op, bits)                                                                          \
	static void op##_rr##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		uint##bits##_t r =                                                                 \
		    (uint##bits##_t)alu_##op(&c->v.cc, GET_##bits(0), GET_##bits(1), bits / 8);    \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void op##_ri##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		uint##bits##_t r = (uint##bits##_t)alu_##op(&c->v.cc, GET_##bits(0),               \
							    (uint##bits##_t)i->imm, bits / 8);     \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}
#define ALU_REG_DEAD(op, sign, bits)                                                               \
	static void op##_rr##bits##_dead(struct core *c, const struct insn *i)                     \
	{                                                                                          \
		uint##bits##_t r = (uint##bits##_t)(GET_##bits(0) sign GET_##bits(1));             \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void op##_ri##bits##_dead(struct core *c, const struct insn *i)                     \
	{                                                                                          \
		uint##bits##_t r = (uint##bits##_t)(GET_##bits(0) sign(uint##bits##_t) i->imm);    \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}
/* Compare and test: flags only. */
#define FLAGS_REG(name, op, bits)                                                                  \
	static void name##_rr##bits(struct core *c, const struct insn *i)                          \
	{                                                                                          \
		alu_##op(&c->v.cc, GET_##bits(0), GET_##bits(1), bits / 8);                        \
		NEXT;                                                                              \
	}                                                                                          \
	static void name##_ri##bits(struct core *c, const struct insn *i)                          \
	{                                                                                          \
		alu_##op(&c->v.cc, GET_##bits(0), (uint##bits##_t)i->imm, bits / 8);               \
		NEXT;                                                                              \
	}
#define UNARY_REG(op, bits)                                                                        \
	static void op##_r##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		uint##bits##_t r = (uint##bits##_t)alu_##op(&c->v.cc, GET_##bits(0), bits / 8);    \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}
#define SHIFT_REG(op, bits)                                                                        \
	static void op##_ri##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		unsigned n = alu_count((unsigned)i->imm, bits / 8);                                \
		uint##bits##_t r = (uint##bits##_t)alu_##op(&c->v.cc, GET_##bits(0), n, bits / 8); \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}
#define MOV_REG(bits)                                                                              \
	static void mov_rr##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		SET_##bits(0, GET_##bits(1));                                                      \
		NEXT;                                                                              \
	}                                                                                          \
	static void mov_ri##bits(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		SET_##bits(0, (uint##bits##_t)i->imm);                                             \
		NEXT;                                                                              \
	}
/* Widening moves from the low `from` bits; both destination sizes. */
#define WIDEN_REG(from)                                                                            \
	static void movzx_rr##from(struct core *c, const struct insn *i)                           \
	{                                                                                          \
		SET_64(0, GET_##from(1));                                                          \
		NEXT;                                                                              \
	}                                                                                          \
	static void movsx_rr##from##_32(struct core *c, const struct insn *i)                      \
	{                                                                                          \
		SET_32(0, (int32_t)(int##from##_t)GET_##from(1));                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void movsx_rr##from##_64(struct core *c, const struct insn *i)                      \
	{                                                                                          \
		SET_64(0, (uint64_t)(int64_t)(int##from##_t)GET_##from(1));                        \
		NEXT;                                                                              \
	}
#define CMOV_REG(bits)                                                                             \
	static void cmov_rr##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		uint##bits##_t v =                                                                 \
		    cond(c->v.cc, i->desc->opcode & 15) ? GET_##bits(1) : GET_##bits(0);           \
		SET_##bits(0, v);                                                                  \
		NEXT;                                                                              \
	}

#define EACH_SIZE(X) X(32) X(64)
#define REG_FORMS(bits)                                                                            \
	ALU_REG(add, bits)                                                                         \
	ALU_REG(adc, bits)                                                                         \
	ALU_REG(sub, bits)                                                                         \
	ALU_REG(sbb, bits)                                                                         \
	ALU_REG(and, bits)                                                                         \
	ALU_REG(or, bits)                                                                          \
	ALU_REG(xor, bits)                                                                         \
	ALU_REG_DEAD(add, +, bits)                                                                 \
	ALU_REG_DEAD(sub, -, bits)                                                                 \
	ALU_REG_DEAD(and, &, bits)                                                                 \
	ALU_REG_DEAD(or, |, bits)                                                                  \
	ALU_REG_DEAD(xor, ^, bits)                                                                 \
	FLAGS_REG(cmp, sub, bits)                                                                  \
	FLAGS_REG(test, and, bits)                                                                 \
	UNARY_REG(inc, bits)                                                                       \
	UNARY_REG(dec, bits)                                                                       \
	UNARY_REG(neg, bits)                                                                       \
	SHIFT_REG(shl, bits)                                                                       \
	SHIFT_REG(shr, bits)                                                                       \
	SHIFT_REG(sar, bits)                                                                       \
	MOV_REG(bits)                                                                              \
	CMOV_REG(bits)
EACH_SIZE(REG_FORMS)
FLAGS_REG(cmp, sub, 8)
FLAGS_REG(test, and, 8)
WIDEN_REG(8)
WIDEN_REG(16)

static void movsxd_rr(struct core *c, const struct insn *i)
{
	SET_64(0, (uint64_t)(int64_t)(int32_t)GET_32(1));
	NEXT;
}

static void setcc_r(struct core *c, const struct insn *i)
{
	SET_8(0, cond(c->v.cc, i->desc->opcode & 15));
	NEXT;
}

static void nop(struct core *c, const struct insn *i)
{
	NEXT;
}

/* ---- memory forms ---- */

#define LOAD(m, bits)                                                                              \
	static void mov_rm##bits##_##m(struct core *c, const struct insn *i)                       \
	{                                                                                          \
		c->insn = i;                                                                       \
		uint##bits##_t v = mem_read##bits(c, LIN_##m(bits));                               \
		SET_##bits(0, v);                                                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void mov_mr##bits##_##m(struct core *c, const struct insn *i)                       \
	{                                                                                          \
		c->insn = i;                                                                       \
		mem_write##bits(c, LIN_##m(bits), GET_##bits(1));                                  \
		NEXT_STORED;                                                                       \
	}                                                                                          \
	static void mov_mi##bits##_##m(struct core *c, const struct insn *i)                       \
	{                                                                                          \
		c->insn = i;                                                                       \
		mem_write##bits(c, LIN_##m(bits), (uint##bits##_t)i->imm);                         \
		NEXT_STORED;                                                                       \
	}
#define WIDEN_MEM(m, from)                                                                         \
	static void movzx_rm##from##_##m(struct core *c, const struct insn *i)                     \
	{                                                                                          \
		c->insn = i;                                                                       \
		uint64_t v = mem_read##from(c, LIN_##m(from));                                     \
		SET_64(0, v);                                                                      \
		NEXT;                                                                              \
	}                                                                                          \
	static void movsx_rm##from##_32_##m(struct core *c, const struct insn *i)                  \
	{                                                                                          \
		c->insn = i;                                                                       \
		int32_t v = (int##from##_t)mem_read##from(c, LIN_##m(from));                       \
		SET_32(0, v);                                                                      \
		NEXT;                                                                              \
	}                                                                                          \
	static void movsx_rm##from##_64_##m(struct core *c, const struct insn *i)                  \
	{                                                                                          \
		c->insn = i;                                                                       \
		int64_t v = (int##from##_t)mem_read##from(c, LIN_##m(from));                       \
		SET_64(0, (uint64_t)v);                                                            \
		NEXT;                                                                              \
	}
#define MOVSXD_MEM(m)                                                                              \
	static void movsxd_rm_##m(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		c->insn = i;                                                                       \
		int64_t v = (int32_t)mem_read32(c, LIN_##m(32));                                   \
		SET_64(0, (uint64_t)v);                                                            \
		NEXT;                                                                              \
	}
#define ALU_LOAD(op, m, bits)                                                                      \
	static void op##_rm##bits##_##m(struct core *c, const struct insn *i)                      \
	{                                                                                          \
		c->insn = i;                                                                       \
		uint##bits##_t b = mem_read##bits(c, LIN_##m(bits));                               \
		uint##bits##_t r = (uint##bits##_t)alu_##op(&c->v.cc, GET_##bits(0), b, bits / 8); \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}
#define FLAGS_LOAD(name, op, m, bits)                                                              \
	static void name##_rm##bits##_##m(struct core *c, const struct insn *i)                    \
	{                                                                                          \
		c->insn = i;                                                                       \
		uint##bits##_t b = mem_read##bits(c, LIN_##m(bits));                               \
		alu_##op(&c->v.cc, GET_##bits(0), b, bits / 8);                                    \
		NEXT;                                                                              \
	}                                                                                          \
	static void name##_mr##bits##_##m(struct core *c, const struct insn *i)                    \
	{                                                                                          \
		c->insn = i;                                                                       \
		uint##bits##_t a = mem_read##bits(c, LIN_##m(bits));                               \
		alu_##op(&c->v.cc, a, GET_##bits(1), bits / 8);                                    \
		NEXT;                                                                              \
	}                                                                                          \
	static void name##_mi##bits##_##m(struct core *c, const struct insn *i)                    \
	{                                                                                          \
		c->insn = i;                                                                       \
		uint##bits##_t a = mem_read##bits(c, LIN_##m(bits));                               \
		alu_##op(&c->v.cc, a, (uint##bits##_t)i->imm, bits / 8);                           \
		NEXT;                                                                              \
	}

#define MEM_FORMS(m)                                                                               \
	LOAD(m, 8)                                                                                 \
	LOAD(m, 16)                                                                                \
	LOAD(m, 32)                                                                                \
	LOAD(m, 64)                                                                                \
	WIDEN_MEM(m, 8)                                                                            \
	WIDEN_MEM(m, 16)                                                                           \
	MOVSXD_MEM(m)                                                                              \
	FLAGS_LOAD(cmp, sub, m, 8)                                                                 \
	FLAGS_LOAD(cmp, sub, m, 32)                                                                \
	FLAGS_LOAD(cmp, sub, m, 64)                                                                \
	FLAGS_LOAD(test, and, m, 8)                                                                \
	FLAGS_LOAD(test, and, m, 32)                                                               \
	FLAGS_LOAD(test, and, m, 64)                                                               \
	ALU_LOAD(add, m, 32)                                                                       \
	ALU_LOAD(add, m, 64)                                                                       \
	ALU_LOAD(sub, m, 32)                                                                       \
	ALU_LOAD(sub, m, 64)                                                                       \
	ALU_LOAD(and, m, 32)                                                                       \
	ALU_LOAD(and, m, 64)                                                                       \
	ALU_LOAD(or, m, 32)                                                                        \
	ALU_LOAD(or, m, 64)                                                                        \
	ALU_LOAD(xor, m, 32)                                                                       \
	ALU_LOAD(xor, m, 64)
MEM_FORMS(m64)
MEM_FORMS(m32)

static void lea_64(struct core *c, const struct insn *i)
{
	SET_64(0, sum(c, i));
	NEXT;
}

static void lea_32(struct core *c, const struct insn *i)
{
	SET_32(0, sum(c, i));
	NEXT;
}

/* ---- stack and control transfer, 64-bit mode ---- */

static inline void push64(struct core *c, uint64_t val)
{
	uint64_t sp = c->v.gpr[RSP] - 8;
	mem_write64(c, seg_lin(c, SS, sp, 8, ACC_WRITE), val);
	c->v.gpr[RSP] = sp;
}

static void push_r64(struct core *c, const struct insn *i)
{
	c->insn = i;
	push64(c, REG(0));
	NEXT_STORED;
}

static void pop_r64(struct core *c, const struct insn *i)
{
	c->insn = i;
	uint64_t sp = c->v.gpr[RSP];
	uint64_t v = mem_read64(c, seg_lin(c, SS, sp, 8, ACC_READ));
	c->v.gpr[RSP] = sp + 8;
	REG(0) = v;
	NEXT;
}

/* A target that is not canonical is left to the C op, which raises the fault. */
static void jmp_rel64(struct core *c, const struct insn *i)
{
	uint64_t to = c->blk_rip + i->end + i->imm;
	if (__builtin_expect(!core_canonical(c, to), 0))
		return interp_run_any(c, i);
	c->v.rip = to;
}

static void jcc_rel64(struct core *c, const struct insn *i)
{
	uint64_t next = c->blk_rip + i->end, to = next + i->imm;
	if (!cond(c->v.cc, i->desc->opcode & 15))
		c->v.rip = next;
	else if (__builtin_expect(core_canonical(c, to), 1))
		c->v.rip = to;
	else
		return interp_run_any(c, i);
}

static void call_rel64(struct core *c, const struct insn *i)
{
	uint64_t next = c->blk_rip + i->end, to = next + i->imm;
	c->insn = i;
	if (__builtin_expect(!core_canonical(c, to), 0))
		return interp_run_any(c, i);
	push64(c, next);
	c->v.rip = to;
}

static void ret_64(struct core *c, const struct insn *i)
{
	c->insn = i;
	uint64_t sp = c->v.gpr[RSP];
	uint64_t to = mem_read64(c, seg_lin(c, SS, sp, 8, ACC_READ));
	if (__builtin_expect(!core_canonical(c, to), 0))
		return interp_run_any(c, i);
	c->v.gpr[RSP] = sp + 8;
	c->v.rip = to;
}

/* ---- selection ---- */

enum shape { RR, RI, R, RM, MR, MI, OTHER };

static enum shape shape_of(const struct insn *i)
{
	unsigned a = i->o[0].kind, b = i->o[1].kind;
	if (i->o[2].kind != OPK_NONE)
		return OTHER;
	if (a == OPK_REG)
		return b == OPK_REG    ? RR
		       : b == OPK_IMM  ? RI
		       : b == OPK_MEM  ? RM
		       : b == OPK_NONE ? R
				       : OTHER;
	if (a == OPK_MEM)
		return b == OPK_REG ? MR : b == OPK_IMM ? MI : OTHER;
	return OTHER;
}

struct fast {
	op_fn *op;
	uint8_t shape;
	uint8_t size, src;  /* bytes of operand 1 and of operand 2 (0: the same) */
	run_fn *run, *dead; /* dead: when nobody reads the flags; NULL: no such form */
};

#define T_ALU(op)                                                                                  \
	{op_##op, RR, 4, 0, op##_rr32, op##_rr32_dead},                                            \
	    {op_##op, RR, 8, 0, op##_rr64, op##_rr64_dead},                                        \
	    {op_##op, RI, 4, 0, op##_ri32, op##_ri32_dead},                                        \
	{                                                                                          \
		op_##op, RI, 8, 0, op##_ri64, op##_ri64_dead                                       \
	}
#define T_ALU_CARRY(op)                                                                            \
	{op_##op, RR, 4, 0, op##_rr32, NULL}, {op_##op, RR, 8, 0, op##_rr64, NULL},                \
	    {op_##op, RI, 4, 0, op##_ri32, NULL},                                                  \
	{                                                                                          \
		op_##op, RI, 8, 0, op##_ri64, NULL                                                 \
	}
#define T_UNARY(op)                                                                                \
	{op_##op, R, 4, 0, op##_r32, NULL},                                                        \
	{                                                                                          \
		op_##op, R, 8, 0, op##_r64, NULL                                                   \
	}
#define T_SHIFT(op)                                                                                \
	{op_##op, RI, 4, 1, op##_ri32, NULL},                                                      \
	{                                                                                          \
		op_##op, RI, 8, 1, op##_ri64, NULL                                                 \
	}
#define T_FLAGS(op, bits)                                                                          \
	{op_##op, RR, bits / 8, 0, op##_rr##bits, NULL},                                           \
	{                                                                                          \
		op_##op, RI, bits / 8, 0, op##_ri##bits, NULL                                      \
	}

static const struct fast reg_forms[] = {
    T_ALU(add),
    T_ALU(sub),
    T_ALU(and),
    T_ALU(or),
    T_ALU(xor),
    T_ALU_CARRY(adc),
    T_ALU_CARRY(sbb),
    T_FLAGS(cmp, 8),
    T_FLAGS(cmp, 32),
    T_FLAGS(cmp, 64),
    T_FLAGS(test, 8),
    T_FLAGS(test, 32),
    T_FLAGS(test, 64),
    T_UNARY(inc),
    T_UNARY(dec),
    T_UNARY(neg),
    T_SHIFT(shl),
    T_SHIFT(shr),
    T_SHIFT(sar),
    {op_mov, RR, 4, 4, mov_rr32, NULL},
    {op_mov, RR, 8, 8, mov_rr64, NULL},
    {op_mov, RI, 4, 0, mov_ri32, NULL},
    {op_mov, RI, 8, 0, mov_ri64, NULL},
    {op_mov, RR, 4, 1, movzx_rr8, NULL},
    {op_mov, RR, 8, 1, movzx_rr8, NULL},
    {op_mov, RR, 4, 2, movzx_rr16, NULL},
    {op_mov, RR, 8, 2, movzx_rr16, NULL},
    {op_movsx, RR, 4, 1, movsx_rr8_32, NULL},
    {op_movsx, RR, 8, 1, movsx_rr8_64, NULL},
    {op_movsx, RR, 4, 2, movsx_rr16_32, NULL},
    {op_movsx, RR, 8, 2, movsx_rr16_64, NULL},
    {op_movsx, RR, 8, 4, movsxd_rr, NULL},
    {op_cmov, RR, 4, 4, cmov_rr32, NULL},
    {op_cmov, RR, 8, 8, cmov_rr64, NULL},
    {op_setcc, R, 1, 0, setcc_r, NULL},
};

#define T_LOAD(m, bits)                                                                            \
	{op_mov, RM, bits / 8, bits / 8, mov_rm##bits##_##m, NULL},                                \
	    {op_mov, MR, bits / 8, 0, mov_mr##bits##_##m, NULL},                                   \
	{                                                                                          \
		op_mov, MI, bits / 8, 0, mov_mi##bits##_##m, NULL                                  \
	}
#define T_WIDEN(m, from)                                                                           \
	{op_mov, RM, 4, from / 8, movzx_rm##from##_##m, NULL},                                     \
	    {op_mov, RM, 8, from / 8, movzx_rm##from##_##m, NULL},                                 \
	    {op_movsx, RM, 4, from / 8, movsx_rm##from##_32_##m, NULL},                            \
	{                                                                                          \
		op_movsx, RM, 8, from / 8, movsx_rm##from##_64_##m, NULL                           \
	}
#define T_FLAGS_LOAD(op, m, bits)                                                                  \
	{op_##op, RM, bits / 8, 0, op##_rm##bits##_##m, NULL},                                     \
	    {op_##op, MR, bits / 8, 0, op##_mr##bits##_##m, NULL},                                 \
	{                                                                                          \
		op_##op, MI, bits / 8, 0, op##_mi##bits##_##m, NULL                                \
	}
#define T_ALU_LOAD(op, m)                                                                          \
	{op_##op, RM, 4, 0, op##_rm32_##m, NULL},                                                  \
	{                                                                                          \
		op_##op, RM, 8, 0, op##_rm64_##m, NULL                                             \
	}
#define T_MEM(m)                                                                                   \
	T_LOAD(m, 8), T_LOAD(m, 16), T_LOAD(m, 32), T_LOAD(m, 64), T_WIDEN(m, 8), T_WIDEN(m, 16),  \
	    {op_movsx, RM, 8, 4, movsxd_rm_##m, NULL}, T_FLAGS_LOAD(cmp, m, 8),                    \
	    T_FLAGS_LOAD(cmp, m, 32), T_FLAGS_LOAD(cmp, m, 64), T_FLAGS_LOAD(test, m, 8),          \
	    T_FLAGS_LOAD(test, m, 32), T_FLAGS_LOAD(test, m, 64), T_ALU_LOAD(add, m),              \
	    T_ALU_LOAD(sub, m), T_ALU_LOAD(and, m), T_ALU_LOAD(or, m), T_ALU_LOAD(xor, m)

static const struct fast mem64_forms[] = {T_MEM(m64)};
static const struct fast mem32_forms[] = {T_MEM(m32)};

static run_fn *find(const struct fast *t, size_t n, const struct insn *i, enum shape s, bool dead)
{
	for (size_t k = 0; k < n; k++) {
		if (t[k].op != i->op || t[k].shape != s || t[k].size != i->o[0].size)
			continue;
		if (t[k].src && t[k].src != i->o[1].size)
			continue;
		return dead && t[k].dead ? t[k].dead : t[k].run;
	}
	return NULL;
}
#define FIND(t) find(t, sizeof(t) / sizeof((t)[0]), i, s, flags_dead)

/* The segments that 64-bit mode and flat segments give base 0. */
static bool base_zero(const struct insn *i)
{
	return i->seg != FS && i->seg != GS;
}

static run_fn *control64(const struct insn *i)
{
	if (i->op == op_jcc)
		return jcc_rel64;
	if (i->op == op_jmp_rel)
		return jmp_rel64;
	if (i->op == op_call_rel)
		return call_rel64;
	if (i->op == op_ret && i->o[0].kind == OPK_NONE)
		return ret_64;
	if (i->osz != 8 || i->o[0].kind != OPK_REG)
		return NULL;
	return i->op == op_push ? push_r64 : i->op == op_pop ? pop_r64 : NULL;
}

run_fn *interp_fast(struct insn *i, const struct core *c, bool flags_dead)
{
	enum shape s = shape_of(i);
	run_fn *run = NULL;
	if (i->lock || i->desc->attrs & (A_CHECKED | A_END))
		return NULL;
	if (i->op == op_nop)
		return nop;
	/* A shift by 0 leaves the flags alone, which liveness does not know. */
	if ((i->op == op_shl || i->op == op_shr || i->op == op_sar) &&
	    !alu_count((unsigned)i->imm, i->o[0].size))
		return NULL;
	if (s == RR || s == RI || s == R)
		run = FIND(reg_forms);
	if (run)
		return run;
	if (i->mode == 8 && (run = control64(i)))
		return run;
	bool m64 = i->mode == 8 && i->asz == 8, m32 = i->mode == 4 && i->asz == 4 && c->flat;
	if (i->op == op_lea && i->o[0].kind == OPK_REG && (m64 || m32) && i->o[0].size >= 4)
		run = i->o[0].size == 8 ? lea_64 : lea_32;
	else if ((s == RM || s == MR || s == MI) && base_zero(i))
		run = m64 ? FIND(mem64_forms) : m32 ? FIND(mem32_forms) : NULL;
	if (run && i->base == REG_RIP)
		i->disp += i->end;
	return run;
}
