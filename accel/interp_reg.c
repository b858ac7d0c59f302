/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Run functions on registers and immediates.
 */
#include "accel/interp_fast.h"

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

/* Two-operand IMUL: ZF, AF, PF and SF are undefined, and set here as the C op sets them. */
#define IMUL_REG(bits)                                                                             \
	static void imul_rr##bits(struct core *c, const struct insn *i)                            \
	{                                                                                          \
		uint64_t hi;                                                                       \
		uint##bits##_t r = (uint##bits##_t)alu_imul(&c->v.cc, GET_##bits(0),               \
							    GET_##bits(1), bits / 8, &hi);         \
		SET_##bits(0, r);                                                                  \
		NEXT;                                                                              \
	}
EACH_SIZE(IMUL_REG)

static void nop(struct core *c, const struct insn *i)
{
	NEXT;
}

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
    {op_imul2, RR, 4, 0, imul_rr32, NULL},
    {op_imul2, RR, 8, 0, imul_rr64, NULL},
    {op_lea, RM, 4, 0, lea_32, NULL},
    {op_lea, RM, 8, 0, lea_64, NULL},
};

run_fn *fast_reg(const struct insn *i, enum shape s, bool flags_dead)
{
	if (i->op == op_nop)
		return nop;
	if (i->op == op_lea && i->asz != (i->mode == 8 ? 8 : 4))
		return NULL;
	return FAST_FIND(reg_forms);
}
