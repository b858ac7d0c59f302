/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Integer instructions of one or two operands: one emitter per operand shape.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* ---- shapes ---- */

void clear_upper(struct tr *t, unsigned g, unsigned size)
{
	if (size == 4)
		emit_store_imm(&t->e, 4, state(OFF_GPR(g) + 4), 0);
}

void shape_reg_rm(struct tr *t, const struct insn *i, unsigned pfx, uint32_t opcode, unsigned nr,
		  unsigned nm, bool reads, bool writes)
{
	const struct operand *r = &i->o[nr], *m = &i->o[nm];
	struct rm src;
	unsigned reg = S2;
	if (m->kind == OPK_MEM) {
		src = emit_reach(t, i, m->size, false);
	} else {
		src = guest(m->reg);
	}
	if (pinned(r->reg))
		reg = (unsigned)host_reg(r->reg);
	else if (reads || r->size < 4)
		emit_load(&t->e, S2, gpr_slot(r->reg));
	emit_op(&t->e, pfx, opcode, r->size, reg, src, r->size == 1, m->size == 1);
	if (writes && reg == S2)
		emit_store(&t->e, gpr_slot(r->reg), S2);
}

void shape_rm_reg(struct tr *t, const struct insn *i, uint32_t opcode, bool writes)
{
	const struct operand *m = &i->o[0], *r = &i->o[1];
	unsigned reg = S2;
	if (pinned(r->reg))
		reg = (unsigned)host_reg(r->reg);
	if (m->kind == OPK_MEM) {
		struct rm dst = emit_reach(t, i, m->size, writes);
		if (reg == S2) {
			if (writes)
				emit_store(&t->e, state(OFF_JS(spill)), S2);
			emit_load(&t->e, S2, gpr_slot(r->reg));
		}
		if (i->lock)
			emit8(&t->e, 0xf0);
		emit_rm(&t->e, opcode, m->size, reg, dst);
		if (reg == S2 && writes)
			emit_load(&t->e, S2, state(OFF_JS(spill)));
		if (writes)
			emit_stored(t, i);
		return;
	}
	if (reg == S2)
		emit_load(&t->e, S2, gpr_slot(r->reg));
	emit_rm(&t->e, opcode, m->size, reg, guest(m->reg));
	if (writes && !pinned(m->reg))
		clear_upper(t, m->reg, m->size);
}

void shape_rm(struct tr *t, const struct insn *i, uint32_t opcode, unsigned ext, unsigned imm_size,
	      uint64_t imm, bool writes)
{
	const struct operand *m = &i->o[0];
	struct rm dst;
	if (m->kind == OPK_MEM) {
		dst = emit_reach(t, i, m->size, writes);
	} else {
		dst = guest(m->reg);
	}
	if (i->lock)
		emit8(&t->e, 0xf0);
	emit_rm(&t->e, opcode, m->size, ext, dst);
	if (imm_size == 1)
		emit8(&t->e, (uint8_t)imm);
	else if (imm_size == 2)
		emit16(&t->e, (uint16_t)imm);
	else if (imm_size)
		emit32(&t->e, (uint32_t)imm);
	if (!writes)
		return;
	if (m->kind == OPK_MEM)
		emit_stored(t, i);
	else if (!pinned(m->reg))
		clear_upper(t, m->reg, m->size);
}

static unsigned imm_bytes(unsigned size)
{
	return size == 8 ? 4 : size;
}

/* ---- the instructions ---- */

bool plain(const struct operand *o)
{
	return o->kind == OPK_REG || o->kind == OPK_MEM;
}

/* ADD OR ADC SBB AND SUB XOR CMP: opcode group n. */
static bool tr_alu(struct tr *t, const struct insn *i, unsigned n)
{
	bool writes = n != 7;
	unsigned size = i->o[0].size, byte = size == 1 ? 0 : 1;
	if (i->o[1].kind == OPK_IMM) {
		uint64_t imm = i->imm;
		bool small = size > 1 && (uint64_t)(int64_t)(int8_t)imm == imm;
		shape_rm(t, i,
			 size == 1 ? 0x80
			 : small   ? 0x83
				   : 0x81,
			 n, small ? 1 : imm_bytes(size), imm, writes);
	} else if (i->o[0].kind == OPK_REG && (pinned(i->o[0].reg) || i->o[1].kind == OPK_MEM)) {
		shape_reg_rm(t, i, 0, n << 3 | 2 | byte, 0, 1, true, writes);
	} else {
		shape_rm_reg(t, i, n << 3 | byte, writes);
	}
	return true;
}

static bool tr_mov(struct tr *t, const struct insn *i)
{
	const struct operand *d = &i->o[0], *s = &i->o[1];
	unsigned byte = d->size == 1 ? 0 : 1;
	if (s->kind == OPK_IMM) {
		if (d->kind == OPK_REG && d->size >= 4 && pinned(d->reg)) {
			emit_mov_imm(&t->e, (unsigned)host_reg(d->reg),
				     d->size == 4 ? (uint32_t)i->imm : i->imm);
			return true;
		}
		if (d->size == 8 && (uint64_t)(int64_t)(int32_t)i->imm != i->imm) {
			emit_mov_imm(&t->e, S2, i->imm);
			emit_store(&t->e, gpr_slot(d->reg), S2);
			return d->kind == OPK_REG;
		}
		shape_rm(t, i, 0xc6 | byte, 0, imm_bytes(d->size), i->imm, true);
		return true;
	}
	if (d->size != s->size) { /* MOVZX */
		if (d->kind != OPK_REG || s->size > 2)
			return false;
		shape_reg_rm(t, i, 0, s->size == 1 ? 0x0fb6 : 0x0fb7, 0, 1, false, true);
		return true;
	}
	if (d->kind == OPK_REG && (pinned(d->reg) || s->kind == OPK_MEM))
		shape_reg_rm(t, i, 0, 0x8a | byte, 0, 1, false, true);
	else
		shape_rm_reg(t, i, 0x88 | byte, true);
	return true;
}

static bool tr_movsx(struct tr *t, const struct insn *i)
{
	unsigned s = i->o[1].size;
	if (s == 4 && i->o[0].size != 8)
		return false;
	shape_reg_rm(t, i, 0, s == 1 ? 0x0fbe : s == 2 ? 0x0fbf : 0x63, 0, 1, false, true);
	return true;
}

static bool tr_lea(struct tr *t, const struct insn *i)
{
	unsigned d = i->o[0].reg, size = i->o[0].size;
	if (pinned(d) && size >= 4) {
		emit_ea_to(t, i, (unsigned)host_reg(d), size);
		return true;
	}
	emit_ea(t, i);
	emit_rm(&t->e, 0x89, size, S1, guest(d));
	if (!pinned(d))
		clear_upper(t, d, size);
	return true;
}

/* Shifts and rotates, D0 and C0 groups. */
static bool tr_shift(struct tr *t, const struct insn *i, unsigned ext)
{
	unsigned byte = i->o[0].size == 1 ? 0 : 1;
	if (i->o[1].kind == OPK_IMM) {
		shape_rm(t, i, 0xc0 | byte, ext, 1, i->imm, true);
		return true;
	}
	if (i->o[0].kind == OPK_MEM) {
		emit_shift_memory(t, i, ext);
		return true;
	}
	emit_rm(&t->e, 0x8b, 4, S1, guest(RCX));
	/* A count of 0 still clears the upper half of a doubleword register. */
	emit_rm(&t->e, 0xd2 | byte, i->o[0].size, ext, guest(i->o[0].reg));
	if (!pinned(i->o[0].reg))
		clear_upper(t, i->o[0].reg, i->o[0].size);
	return true;
}

static bool tr_imul3(struct tr *t, const struct insn *i)
{
	const struct operand *d = &i->o[0], *m = &i->o[1];
	unsigned reg = pinned(d->reg) ? (unsigned)host_reg(d->reg) : S2;
	struct rm src = guest(m->reg);
	if (i->o[2].kind != OPK_IMM || d->size < 4)
		return false;
	if (m->kind == OPK_MEM) {
		src = emit_reach(t, i, m->size, false);
	}
	emit_rm(&t->e, 0x69, d->size, reg, src);
	emit32(&t->e, (uint32_t)i->imm);
	if (reg == S2)
		emit_store(&t->e, gpr_slot(d->reg), S2);
	return true;
}

/* CBW family and CWD family: rax and rdx are themselves. */
static bool tr_extend(struct tr *t, const struct insn *i, uint8_t opcode)
{
	if (i->osz == 2)
		emit8(&t->e, 0x66);
	else if (i->osz == 8)
		emit8(&t->e, 0x48);
	emit8(&t->e, opcode);
	return true;
}

/* ---- selection ---- */

static const struct {
	op_fn *op;
	uint8_t n;
} alu_ops[] = {{op_add, 0}, {op_or, 1},  {op_adc, 2}, {op_sbb, 3},
	       {op_and, 4}, {op_sub, 5}, {op_xor, 6}, {op_cmp, 7}},
  shift_ops[] = {{op_rol, 0}, {op_ror, 1}, {op_rcl, 2}, {op_rcr, 3},
		 {op_shl, 4}, {op_shr, 5}, {op_sar, 7}};
#define FIND_OP(t)                                                                                 \
	for (unsigned k = 0; k < sizeof(t) / sizeof((t)[0]); k++)                                  \
		if ((t)[k].op == i->op)

static bool tr_group(struct tr *t, const struct insn *i)
{
	FIND_OP(alu_ops) return tr_alu(t, i, alu_ops[k].n);
	FIND_OP(shift_ops) return tr_shift(t, i, shift_ops[k].n);
	return false;
}

bool lockable(const struct insn *i)
{
	FIND_OP(alu_ops) return true;
	return i->op == op_inc || i->op == op_dec || i->op == op_not || i->op == op_neg;
}

bool is_shift(const struct insn *i)
{
	FIND_OP(shift_ops) return true;
	return i->op == op_shld || i->op == op_shrd;
}

bool tr_alu_insn(struct tr *t, const struct insn *i)
{
	const struct operand *a = &i->o[0], *b = &i->o[1];
	unsigned byte = a->size == 1 ? 0 : 1;
	if (i->op == op_cbw)
		return tr_extend(t, i, 0x98);
	if (i->op == op_cwd)
		return tr_extend(t, i, 0x99);
	if (i->op == op_lea)
		return tr_lea(t, i);
	if (!plain(a))
		return false;
	if (i->op == op_mov)
		return (plain(b) || b->kind == OPK_IMM) && tr_mov(t, i);
	if (i->op == op_movsx)
		return tr_movsx(t, i);
	if (i->op == op_test) {
		if (b->kind == OPK_IMM)
			shape_rm(t, i, 0xf6 | byte, 0, imm_bytes(a->size), i->imm, false);
		else
			shape_rm_reg(t, i, 0x84 | byte, false);
		return true;
	}
	if (i->op == op_inc || i->op == op_dec)
		return shape_rm(t, i, 0xfe | byte, i->op == op_dec, 0, 0, true), true;
	if (i->op == op_not || i->op == op_neg)
		return shape_rm(t, i, 0xf6 | byte, i->op == op_not ? 2 : 3, 0, 0, true), true;
	if (i->op == op_imul2)
		return shape_reg_rm(t, i, 0, 0x0faf, 0, 1, true, true), true;
	if (i->op == op_imul3)
		return tr_imul3(t, i);
	if (i->op == op_cmov)
		return shape_reg_rm(t, i, 0, 0x0f40 | (i->desc->opcode & 15), 0, 1, true, true),
		       true;
	if (i->op == op_setcc)
		return shape_rm(t, i, 0x0f90 | (i->desc->opcode & 15), 0, 0, 0, true), true;
	return tr_group(t, i);
}
