/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Translation of integer instructions with operands or conditions of their own: multiplication and
 * division, exchanges, bit counts, BMI, and the high byte registers.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* Operand n as r/m: memory by way of S1, with its page in S2 when written. */
static struct rm operand(struct tr *t, const struct insn *i, unsigned n, bool write)
{
	if (i->o[n].kind != OPK_MEM)
		return guest(i->o[n].reg);
	emit_address(t, i, i->o[n].size);
	emit_translate(t, i, i->o[n].size, write);
	return rm_mem(S1, 0);
}

/* ---- multiplication and division: RAX and RDX are themselves ---- */

static bool tr_mul(struct tr *t, const struct insn *i)
{
	unsigned size = i->o[0].size;
	struct rm m = operand(t, i, 0, false);
	emit_rm(&t->e, size == 1 ? 0xf6 : 0xf7, size, i->op == op_mul ? 4 : 5, m);
	return true;
}

/* Zero S1: the C operation. */
static void emit_op_if_zero(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	emit8(e, 0xe3); /* jrcxz over the short jump to the long one */
	emit8(e, 2);
	emit8(e, 0xeb);
	emit8(e, 5);
	add_slow(t, SLOW_OP, emit_jmp(e), i, false, 0);
}

static void emit_not(struct emit *e, unsigned size, unsigned reg)
{
	emit_rm(e, 0xf7, size, 2, rm_reg(reg));
}

/* Whatever might be #DE goes to the C operation, before anything happens: a divisor of 0; unsigned, a
 * high half that is not less than the divisor; signed, a divisor of -1 or a dividend of more than one
 * word. Flags stay. */
static void emit_division_guard(struct tr *t, const struct insn *i, unsigned size, struct rm m)
{
	struct emit *e = &t->e;
	emit_rm(e, 0x8b, size, S1, m);
	emit_op_if_zero(t, i);
	if (i->op == op_div && t->dead) {
		emit_rm(e, 0x3b, size, H_RDX, m); /* cmp */
		add_slow(t, SLOW_OP, emit_jcc(e, CC_AE), i, false, 0);
	} else if (i->op == op_div) {
		emit_rm(e, 0x8b, size, S1, rm_reg(H_RDX));
		emit_op_unless_zero(t, i);
	} else {
		emit_not(e, size, S1);
		emit_op_if_zero(t, i);
		emit_mov_imm(e, S2, 63);
		emit_vex(e, 2, 2, size == 8, false, 0xf7, S1, S2, rm_reg(H_RAX)); /* sarx */
		emit_rm(e, 0x8b, size, S2, rm_reg(H_RDX));
		emit_not(e, size, S2);
		emit_lea(e, size, S1, rm_index(S1, S2, 0, 1));
		emit_op_unless_zero(t, i);
	}
}

static bool tr_div(struct tr *t, const struct insn *i)
{
	unsigned size = i->o[0].size;
	if (size < 4)
		return false;
	struct rm m = operand(t, i, 0, false);
	if (i->o[0].kind == OPK_MEM) {
		emit_rm(&t->e, 0x8b, size, S1, m);
		m = state(OFF_JS(spill2));
		emit_store(&t->e, m, S1);
	}
	emit_division_guard(t, i, size, m);
	emit_rm(&t->e, 0xf7, size, i->op == op_div ? 6 : 7, m);
	return true;
}

/* ---- exchanges: on memory they are as atomic as the guest's ---- */

static bool tr_exchange(struct tr *t, const struct insn *i)
{
	const struct operand *m = &i->o[0], *r = &i->o[1];
	struct emit *e = &t->e;
	uint32_t opcode = i->op == op_xchg ? 0x86 : i->op == op_xadd ? 0x0fc0 : 0x0fb0;
	unsigned reg = pinned(r->reg) ? (unsigned)host_reg(r->reg) : S2;

	opcode |= m->size > 1;
	if (m->kind != OPK_MEM) {
		if (m->kind != OPK_REG || !pinned(m->reg) || !pinned(r->reg))
			return false;
		emit_rm(e, opcode, m->size, reg, guest(m->reg));
		return true;
	}
	struct rm dst = operand(t, i, 0, true);
	if (reg == S2) {
		emit_store(e, state(OFF_JS(spill)), S2);
		emit_load(e, S2, gpr_slot(r->reg));
	}
	if (i->lock)
		emit8(e, 0xf0);
	emit_rm(e, opcode, m->size, reg, dst);
	if (reg == S2) {
		if (i->op != op_cmpxchg)
			emit_store(e, gpr_slot(r->reg), S2);
		emit_load(e, S2, state(OFF_JS(spill)));
	}
	emit_stored(t, i);
	return true;
}

/* ---- bits ---- */

/* BSF BSR TZCNT LZCNT POPCNT */
static bool tr_count(struct tr *t, const struct insn *i)
{
	const struct operand *d = &i->o[0];
	if (!cpu_has(&t->j->host, i->desc->feature))
		return false;
	struct rm src = operand(t, i, 1, false);
	unsigned reg = pinned(d->reg) ? (unsigned)host_reg(d->reg) : S2;
	if (reg == S2)
		emit_load(&t->e, S2, gpr_slot(d->reg));
	emit_op(&t->e, i->desc->pfx == P_F3 ? 0xf3 : 0, 0x0f00 | i->desc->opcode, d->size, reg, src,
		false, false);
	if (reg == S2)
		emit_store(&t->e, gpr_slot(d->reg), S2);
	return true;
}

/* BMI1 and BMI2 with one destination. S2 is at most one source and the destination. */
static bool tr_bmi(struct tr *t, const struct insn *i)
{
	const struct opcode *d = i->desc;
	unsigned reg = i->modrm >> 3 & 7, vvvv = 0, size = i->o[0].size;
	unsigned pp = d->pfx == P_66 ? 1 : d->pfx == P_F3 ? 2 : d->pfx == P_F2 ? 3 : 0;
	struct rm m = {0};
	bool imm = false;

	if (!cpu_has(&t->j->host, d->feature))
		return false;
	for (unsigned n = 0; n < 4; n++)
		if (d->o[n] == Ey)
			m = operand(t, i, n, false);
	for (unsigned n = 0; n < 4; n++) {
		unsigned g = i->o[n].reg, h = pinned(g) ? (unsigned)host_reg(g) : S2;
		if (d->o[n] == Gy) {
			reg = h;
		} else if (d->o[n] == By) {
			vvvv = h;
			if (n > 0 && h == S2)
				emit_load(&t->e, S2, gpr_slot(g));
		}
		imm |= d->o[n] == Ib;
	}
	emit_vex(&t->e, d->map == V0F38 ? 2 : 3, pp, size == 8, false, d->opcode, reg, vvvv, m);
	if (imm)
		emit8(&t->e, (uint8_t)i->imm);
	if (!pinned(i->o[0].reg))
		emit_store(&t->e, gpr_slot(i->o[0].reg), S2);
	return true;
}

/* ---- AH, DH, BH ---- */

/* How an encoding without REX calls byte register o; -1: it cannot. */
static int byte_code(const struct operand *o)
{
	if (o->reg == RCX || o->reg > RBX)
		return -1;
	return o->kind == OPK_REGH ? o->reg + 4 : o->kind == OPK_REG && o->size == 1 ? o->reg : -1;
}

/* The row's opcode for r/m8, r8 and its number in group 80h: -1 for instructions not handled here. */
static int byte_opcode(const struct insn *i, unsigned *group)
{
	unsigned opcode = i->desc->opcode;
	*group = 0;
	if (i->desc->map != M1)
		return -1;
	if (i->op == op_mov)
		return 0x88;
	if (i->op == op_test)
		return 0x84;
	if (opcode != 0x80 && (opcode >= 0x40 || (opcode & 7) > 3))
		return -1;
	*group = opcode == 0x80 ? i->modrm >> 3 & 7 : opcode >> 3;
	return (int)(*group << 3);
}

static bool tr_movzx_high(struct tr *t, const struct insn *i)
{
	unsigned d = i->o[0].reg;
	int from = byte_code(&i->o[1]);
	if (from < 0 || i->o[0].size < 4)
		return false;
	emit8(&t->e, 0x0f); /* movzx ecx, high: no REX */
	emit8(&t->e, 0xb6);
	struct rm m = rm_reg((unsigned)from);
	emit_modrm(&t->e, S1, &m);
	if (pinned(d))
		emit_rm(&t->e, 0x8b, 4, (unsigned)host_reg(d), rm_reg(S1));
	else
		emit_store(&t->e, gpr_slot(d), S1);
	return true;
}

bool tr_high_byte(struct tr *t, const struct insn *i)
{
	const struct operand *a = &i->o[0], *b = &i->o[1];
	struct emit *e = &t->e;
	unsigned group;

	if (i->lock || i->rep)
		return false;
	if (i->op == op_mov && i->desc->map == M0F && b->kind == OPK_REGH)
		return tr_movzx_high(t, i);
	int opcode = byte_opcode(i, &group), ca = byte_code(a), cb = byte_code(b);
	bool writes = i->op != op_test && i->op != op_cmp;
	if (opcode < 0)
		return false;
	if (b->kind == OPK_IMM && ca >= 0) {
		struct rm m = rm_reg((unsigned)ca);
		emit8(e, i->op == op_mov ? 0xc6 : i->op == op_test ? 0xf6 : 0x80);
		emit_modrm(e, group, &m);
		emit8(e, (uint8_t)i->imm);
	} else if (a->kind == OPK_MEM && cb >= 0) {
		struct rm m = operand(t, i, 0, writes);
		emit8(e, (uint8_t)opcode);
		emit_modrm(e, (unsigned)cb, &m);
		if (writes)
			emit_stored(t, i);
	} else if (b->kind == OPK_MEM && ca >= 0) {
		struct rm m = operand(t, i, 1, false);
		emit8(e, (uint8_t)(opcode | 2));
		emit_modrm(e, (unsigned)ca, &m);
	} else if (ca >= 0 && cb >= 0) {
		struct rm m = rm_reg((unsigned)ca);
		emit8(e, (uint8_t)opcode);
		emit_modrm(e, (unsigned)cb, &m);
	} else {
		return false;
	}
	return true;
}

/* ---- selection ---- */

static const struct {
	op_fn *op;
	tr_fn *tr;
} handlers[] = {
    {op_mul, tr_mul},          {op_imul, tr_mul},      {op_div, tr_div},
    {op_idiv, tr_div},         {op_xchg, tr_exchange}, {op_xadd, tr_exchange},
    {op_cmpxchg, tr_exchange}, {op_bsf, tr_count},     {op_bsr, tr_count},
    {op_tzcnt, tr_count},      {op_lzcnt, tr_count},   {op_popcnt, tr_count},
    {op_andn, tr_bmi},         {op_blsr, tr_bmi},      {op_blsmsk, tr_bmi},
    {op_blsi, tr_bmi},         {op_bextr, tr_bmi},     {op_bzhi, tr_bmi},
    {op_pdep, tr_bmi},         {op_pext, tr_bmi},      {op_sarx, tr_bmi},
    {op_shlx, tr_bmi},         {op_shrx, tr_bmi},      {op_rorx, tr_bmi},
};

tr_fn *integer_handler(const struct insn *i)
{
	for (unsigned n = 0; n < sizeof(handlers) / sizeof(handlers[0]); n++)
		if (handlers[n].op == i->op)
			return handlers[n].tr;
	return NULL;
}
