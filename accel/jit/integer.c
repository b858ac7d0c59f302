/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Translation of integer instructions with operands or conditions of their own: multiplication and
 * division, exchanges, bit counts, BMI.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* Operand n as r/m: memory by way of S1, with its page in S2 when written. */
static struct rm operand(struct tr *t, const struct insn *i, unsigned n, bool write)
{
	if (i->o[n].kind != OPK_MEM)
		return guest(i->o[n].reg);
	return emit_reach(t, i, i->o[n].size, write);
}

/* ---- multiplication and division: RAX and RDX are themselves ---- */

static bool tr_mul(struct tr *t, const struct insn *i)
{
	unsigned size = i->o[0].size;
	struct rm m = operand(t, i, 0, false);
	emit_rm(&t->e, size == 1 ? 0xf6 : 0xf7, size, i->op == op_mul ? 4 : 5, m);
	return true;
}

void emit_op_if_zero(struct tr *t, const struct insn *i)
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

/* Of bytes and words, with the divisor in S1 and flags to spare (DIV leaves none): what could be #DE, and
 * the rarer signed dividends, go to the C operation. */
static bool tr_div_small(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	bool byte = i->o[0].size == 1, sign = i->op == op_idiv;
	unsigned size = i->o[0].size, high = byte ? H_RAX : H_RDX;
	if (!t->dead)
		return false;
	struct rm m = operand(t, i, 0, false);
	emit_op(e, 0, (sign ? 0x0fbe : 0x0fb6) | !byte, 4, S1, m, false, byte); /* movsx, movzx */
	emit_rm(e, 0x85, 4, S1, rm_reg(S1));                                    /* test */
	add_slow(t, SLOW_OP, emit_jcc(e, CC_E), i, false, 0);
	if (!sign) { /* the high half is less than the divisor */
		emit_rm(e, 0x0fb7, 4, S2, rm_reg(high)); /* movzx */
		if (byte) {
			emit_rm(e, 0xc1, 4, 5, rm_reg(S2)); /* shr */
			emit8(e, 8);
		}
		emit_rm(e, 0x3b, 4, S2, rm_reg(S1)); /* cmp */
		add_slow(t, SLOW_OP, emit_jcc(e, CC_AE), i, false, 0);
	} else { /* the divisor is not -1, and the dividend is one word */
		emit_rm(e, 0x83, 4, 7, rm_reg(S1)); /* cmp */
		emit8(e, 0xff);
		add_slow(t, SLOW_OP, emit_jcc(e, CC_E), i, false, 0);
		emit_op(e, 0, byte ? 0x0fbe : 0x0fbf, 4, S2, rm_reg(H_RAX), false,
			byte); /* movsx */
		if (!byte) {
			emit_rm(e, 0xc1, 4, 5, rm_reg(S2)); /* shr */
			emit8(e, 16);
		}
		emit_rm(e, 0x3b, 2, S2, rm_reg(high)); /* cmp */
		add_slow(t, SLOW_OP, emit_jcc(e, CC_NE), i, false, 0);
	}
	emit_rm(e, byte ? 0xf6 : 0xf7, size, sign ? 7 : 6, rm_reg(S1));
	return true;
}

static bool tr_div(struct tr *t, const struct insn *i)
{
	unsigned size = i->o[0].size;
	if (size < 4)
		return tr_div_small(t, i);
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

/* Scratch registers stand in for those that live in memory. */
static void exchange_registers(struct tr *t, const struct insn *i, uint32_t opcode)
{
	struct emit *e = &t->e;
	unsigned m = i->o[0].reg, r = i->o[1].reg;
	unsigned hm = pinned(m) ? (unsigned)host_reg(m) : S1;
	unsigned hr = pinned(r) ? (unsigned)host_reg(r) : m == r ? S1 : S2;
	if (!pinned(m))
		emit_load(e, hm, gpr_slot(m));
	if (!pinned(r))
		emit_load(e, hr, gpr_slot(r));
	emit_rm(e, opcode, i->o[0].size, hr, rm_reg(hm));
	if (!pinned(r))
		emit_store(e, gpr_slot(r), hr);
	if (!pinned(m))
		emit_store(e, gpr_slot(m), hm);
}

static bool tr_exchange(struct tr *t, const struct insn *i)
{
	const struct operand *m = &i->o[0], *r = &i->o[1];
	struct emit *e = &t->e;
	uint32_t opcode = i->op == op_xchg ? 0x86 : i->op == op_xadd ? 0x0fc0 : 0x0fb0;
	unsigned reg = pinned(r->reg) ? (unsigned)host_reg(r->reg) : S2;

	opcode |= m->size > 1;
	if (m->kind != OPK_MEM) {
		exchange_registers(t, i, opcode);
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

/* CMPXCHG8B, CMPXCHG16B: RCX is wanted, so R14 has the address. */
static bool tr_exchange_wide(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned size = i->op == op_cmpxchg8b ? 8 : 16;
	if (size == 16 && !cpu_has(&t->j->host, FEAT_CX16))
		return false;
	emit_address(t, i, size);
	if (size == 16)
		emit_aligned(t, i, size);
	emit_translate(t, i, size, true);
	emit_store(e, state(OFF_JS(spill)), S2);
	emit_rm(e, 0x8b, 8, S2, rm_reg(S1));
	emit_rm(e, 0x8b, 8, S1, guest(RCX));
	if (i->lock)
		emit8(e, 0xf0);
	emit_rm(e, 0x0fc7, size == 16 ? 8 : 4, 1, rm_mem(S2, 0));
	emit_load(e, S2, state(OFF_JS(spill)));
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

/* MULX: S1 and S2 stand in for its two results. */
static bool tr_mulx(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned hi = i->o[0].reg, lo = i->o[1].reg;
	unsigned h = pinned(hi) ? (unsigned)host_reg(hi) : S1;
	unsigned l = pinned(lo) ? (unsigned)host_reg(lo) : hi == lo ? S1 : S2;
	struct rm m = operand(t, i, 2, false);
	emit_vex(e, 2, 3, i->o[0].size == 8, false, 0xf6, h, l, m);
	if (!pinned(lo))
		emit_store(e, gpr_slot(lo), l);
	if (!pinned(hi))
		emit_store(e, gpr_slot(hi), h);
	return true;
}

/* ---- others ---- */

/* ADCX ADOX CRC32 MOVBE: reg <- r/m; MOVBE stores, too. CRC32's source has a size of its own. */
static bool tr_0f38(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	const struct opcode *d = i->desc;
	unsigned g = i->o[0].reg, h = pinned(g) ? (unsigned)host_reg(g) : S2;
	unsigned size = i->o[0].size, pfx = d->pfx == P_F2 ? 0xf2 : d->pfx == P_F3 ? 0xf3 : 0;

	if (!cpu_has(&t->j->host, d->feature))
		return false;
	if (i->o[0].kind == OPK_MEM) {
		shape_rm_reg(t, i, 0x0f38f1, true);
		return true;
	}
	if (d->pfx == P_66)
		pfx = 0x66;
	if (i->op == op_crc32 && i->o[1].size == 2)
		size = 2;
	struct rm src = operand(t, i, 1, false);
	if (h == S2)
		emit_load(e, S2, gpr_slot(g));
	emit_op(e, pfx, 0x0f3800u | d->opcode, size, h, src, false, i->o[1].size == 1);
	if (h == S2)
		emit_store(e, gpr_slot(g), S2);
	return true;
}

static bool tr_bswap(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned g = i->o[0].reg, size = i->o[0].size;
	unsigned h = pinned(g) ? (unsigned)host_reg(g) : S2;
	if (size < 4)
		return false;
	if (h == S2)
		emit_load(e, S2, gpr_slot(g));
	emit_bswap(e, size, h);
	if (h == S2)
		emit_store(e, gpr_slot(g), S2);
	return true;
}

/* CLC STC CMC LAHF SAHF */
static bool tr_one_byte(struct tr *t, const struct insn *i)
{
	emit8(&t->e, i->desc->opcode);
	return true;
}

static bool tr_xlat(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	if (i->seg == FS || i->seg == GS)
		return false;
	emit_rm(e, 0x0fb6, 4, S1, rm_reg(H_RAX)); /* movzx */
	emit_lea(e, t->word, S1, rm_index(H_RBX, S1, 0, 0));
	emit_translate(t, i, 1, false);
	emit_rm(e, 0x8a, 1, H_RAX, rm_mem(S1, 0));
	return true;
}

static bool tr_mov_from_sreg(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	struct rm sel = state(OFF_CORE(v.seg[i->o[1].reg].sel));
	const struct operand *d = &i->o[0];
	if (d->kind != OPK_MEM) {
		emit_rm(e, 0x0fb7, 4, S1, sel); /* movzx */
		emit_rm(e, 0x89, d->size, S1, guest(d->reg));
		if (!pinned(d->reg))
			clear_upper(t, d->reg, d->size);
		return true;
	}
	emit_mem(t, i, 2, true);
	emit_store(e, state(OFF_JS(spill)), S2);
	emit_rm(e, 0x0fb7, 4, S2, sel);
	emit_rm(e, 0x89, 2, S2, rm_mem(S1, 0));
	emit_load(e, S2, state(OFF_JS(spill)));
	emit_stored(t, i);
	return true;
}

/* ---- selection ---- */

static const struct {
	op_fn *op;
	tr_fn *tr;
} handlers[] = {
    {op_mul, tr_mul},
    {op_imul, tr_mul},
    {op_div, tr_div},
    {op_idiv, tr_div},
    {op_xchg, tr_exchange},
    {op_xadd, tr_exchange},
    {op_cmpxchg, tr_exchange},
    {op_cmpxchg8b, tr_exchange_wide},
    {op_cmpxchg16b, tr_exchange_wide},
    {op_bt, tr_bt},
    {op_bts, tr_bt},
    {op_btr, tr_bt},
    {op_btc, tr_bt},
    {op_shld, tr_double_shift},
    {op_shrd, tr_double_shift},
    {op_bsf, tr_count},
    {op_bsr, tr_count},
    {op_tzcnt, tr_count},
    {op_lzcnt, tr_count},
    {op_popcnt, tr_count},
    {op_andn, tr_bmi},
    {op_blsr, tr_bmi},
    {op_blsmsk, tr_bmi},
    {op_blsi, tr_bmi},
    {op_bextr, tr_bmi},
    {op_bzhi, tr_bmi},
    {op_pdep, tr_bmi},
    {op_pext, tr_bmi},
    {op_sarx, tr_bmi},
    {op_shlx, tr_bmi},
    {op_shrx, tr_bmi},
    {op_rorx, tr_bmi},
    {op_mulx, tr_mulx},
    {op_adcx, tr_0f38},
    {op_adox, tr_0f38},
    {op_crc32, tr_0f38},
    {op_movbe, tr_0f38},
    {op_bswap, tr_bswap},
    {op_clc, tr_one_byte},
    {op_stc, tr_one_byte},
    {op_cmc, tr_one_byte},
    {op_lahf, tr_one_byte},
    {op_sahf, tr_one_byte},
    {op_xlat, tr_xlat},
    {op_mov_from_sreg, tr_mov_from_sreg},
};

tr_fn *integer_handler(const struct insn *i)
{
	for (unsigned n = 0; n < sizeof(handlers) / sizeof(handlers[0]); n++)
		if (handlers[n].op == i->op)
			return handlers[n].tr;
	return NULL;
}
