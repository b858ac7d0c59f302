/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Translation of instructions with an operand in AH, CH, DH or BH. Their encodings have no REX prefix,
 * here as in the guest's code: all registers that they can name beside are the low and high bytes of
 * RAX, RCX, RDX and RBX. The guest's RCX is brought to the host's for as long as that takes.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

static bool in_rcx(const struct operand *o)
{
	return o->reg == RCX && (o->kind == OPK_REGH || o->kind == OPK_REG);
}

static void rcx_in(struct emit *e)
{
	emit_rm(e, 0x8b, 8, S1, guest(RCX));
}
static void rcx_out(struct emit *e)
{
	emit_rm(e, 0x89, 8, S1, guest(RCX));
}

/* op r/m8, r8 or op r8, r/m8 without REX */
static void emit_byte_op(struct emit *e, uint32_t opcode, unsigned code, struct rm m)
{
	if (opcode > 0xff)
		emit8(e, (uint8_t)(opcode >> 8));
	emit8(e, (uint8_t)opcode);
	emit_modrm(e, code, &m);
}

/* How they call a byte register. */
static unsigned byte_code(const struct operand *o)
{
	return o->kind == OPK_REGH ? o->reg + 4u : o->reg;
}

/* Those that may be repeated as they are when their operands are registers. */
static bool as_is(const struct insn *i)
{
	static op_fn *const ops[] = {op_add,   op_or,   op_adc,  op_sbb, op_and,  op_sub,    op_xor,
				     op_cmp,   op_mov,  op_test, op_inc, op_dec,  op_not,    op_neg,
				     op_rol,   op_ror,  op_rcl,  op_rcr, op_shl,  op_shr,    op_sar,
				     op_setcc, op_xchg, op_xadd, op_mul, op_imul, op_cmpxchg};
	for (unsigned n = 0; n < sizeof(ops) / sizeof(ops[0]); n++)
		if (ops[n] == i->op)
			return true;
	return false;
}

static bool tr_registers(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	const struct opcode *d = i->desc;
	bool both = i->op == op_xchg || i->op == op_xadd;
	bool rcx = in_rcx(&i->o[0]) || in_rcx(&i->o[1]);
	bool writes = i->op != op_test && i->op != op_cmp && i->op != op_mul && i->op != op_imul;

	if (!as_is(i))
		return false;
	if (rcx)
		rcx_in(e);
	if (d->map == M0F)
		emit8(e, 0x0f);
	emit8(e, d->opcode == 0x82 ? 0x80 : d->opcode); /* its twin, not in 64-bit mode */
	if (d->modrm != R_NONE)
		emit8(e, i->modrm);
	if (i->o[1].kind == OPK_IMM && d->o[1] != I1)
		emit8(e, (uint8_t)i->imm);
	if ((writes && in_rcx(&i->o[0])) || (both && in_rcx(&i->o[1])))
		rcx_out(e);
	return true;
}

/* MOVZX, MOVSX of a register */
static bool tr_widen(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned size = i->o[0].size;
	if (i->o[1].reg == RCX)
		rcx_in(e);
	if (size == 2)
		emit8(e, 0x66);
	emit_byte_op(e, i->op == op_movsx ? 0x0fbe : 0x0fb6, S1, rm_reg(byte_code(&i->o[1])));
	emit_rm(e, 0x89, size, S1, guest(i->o[0].reg));
	return true;
}

/* The opcode for r/m8, r8; -1 for instructions that have no such form. */
static int byte_opcode(const struct insn *i)
{
	unsigned opcode = i->desc->opcode;
	if (i->desc->map != M1)
		return -1;
	if (i->op == op_mov)
		return 0x88;
	if (i->op == op_test)
		return 0x84;
	return opcode < 0x40 && (opcode & 7) < 4 ? (int)(opcode & 0x38) : -1;
}

/* op high, m8 */
static void tr_from_memory(struct tr *t, const struct insn *i, unsigned opcode)
{
	struct emit *e = &t->e;
	struct rm m = rm_mem(S1, 0);
	bool rcx = in_rcx(&i->o[0]);
	emit_mem(t, i, 1, false);
	if (rcx) {
		emit_rm(e, 0x0fb6, 4, S1, m); /* movzx */
		m = state(OFF_JS(spill2));
		emit_store(e, m, S1);
		rcx_in(e);
	}
	emit_byte_op(e, opcode | 2, byte_code(&i->o[0]), m);
	if (rcx && i->op != op_cmp)
		rcx_out(e);
}

/* op m8, high */
static void tr_to_memory(struct tr *t, const struct insn *i, unsigned opcode)
{
	struct emit *e = &t->e;
	bool writes = i->op != op_test && i->op != op_cmp;
	emit_mem(t, i, 1, writes);
	if (!in_rcx(&i->o[1])) {
		if (i->lock)
			emit8(e, 0xf0);
		emit_byte_op(e, opcode, byte_code(&i->o[1]), rm_mem(S1, 0));
	} else {
		emit_store(e, state(OFF_JS(spill)), S2);
		emit_rorx(e, 8, S2, (unsigned)host_reg(RCX), 8);
		if (i->lock)
			emit8(e, 0xf0);
		emit_rm(e, opcode, 1, S2, rm_mem(S1, 0));
		emit_load(e, S2, state(OFF_JS(spill)));
	}
	if (writes)
		emit_stored(t, i);
}

bool tr_high_byte(struct tr *t, const struct insn *i)
{
	const struct operand *a = &i->o[0], *b = &i->o[1];
	if (a->kind == OPK_REG && a->size > 1)
		return b->kind == OPK_REGH && (i->op == op_movsx || i->op == op_mov) &&
		       tr_widen(t, i);
	if (a->kind != OPK_MEM && b->kind != OPK_MEM)
		return tr_registers(t, i);
	int opcode = byte_opcode(i);
	if (opcode < 0)
		return false;
	if (a->kind == OPK_MEM)
		tr_to_memory(t, i, (unsigned)opcode);
	else
		tr_from_memory(t, i, (unsigned)opcode);
	return true;
}
