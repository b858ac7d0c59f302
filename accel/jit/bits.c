/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bit tests, and the shifts that alu.c's shapes do not cover: double shifts, and counts in CL of what is
 * in memory.
 *
 * BT and its kin leave ZF alone, so their addresses are often made while flags are live.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* ---- BT BTS BTR BTC ---- */

static unsigned bt_number(const struct insn *i)
{
	return i->op == op_bt ? 0 : i->op == op_bts ? 1 : i->op == op_btr ? 2 : 3;
}

/* S1 = address of the element (of the operand size) that holds the bit, S2 is clobbered; flags stay. */
static void emit_bit_address(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned size = i->o[0].size, bytes = (unsigned)__builtin_ctz(size);
	struct rm offset = guest(i->o[1].reg);

	emit_address(t, i, size);
	emit_store(e, state(OFF_JS(spill)), S1);
	if (size == 2) {
		emit_rm(e, 0x0fbf, 4, S2, offset); /* movsx */
		offset = rm_reg(S2);
	}
	emit_mov_imm(e, S1, bytes + 3);
	emit_vex(e, 2, 2, size == 8, false, 0xf7, S2, S1, offset); /* sarx */
	if (size != 8)
		emit_rm(e, 0x63, 8, S2, rm_reg(S2)); /* movsxd */
	emit_load(e, S1, state(OFF_JS(spill)));
	emit_lea(e, i->asz, S1, rm_index(S1, S2, bytes, 0));
}

static void bt_memory(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned n = bt_number(i), size = i->o[0].size, bit = i->o[1].reg;
	emit_bit_address(t, i);
	emit_translate(t, i, size, n != 0);
	if (n == 0) { /* of a register, the offset counts modulo its size */
		emit_rm(e, 0x8b, size, S1, rm_mem(S1, 0));
		if (!pinned(bit))
			emit_load(e, S2, gpr_slot(bit));
		emit_rm(e, 0x0fa3, size, pinned(bit) ? (unsigned)host_reg(bit) : S2, rm_reg(S1));
		return;
	}
	emit_store(e, state(OFF_JS(spill)), S2);
	emit_rm(e, 0x8b, 8, S2, guest(bit));
	emit_pext(e, S2, S2,
		  state(size == 8   ? OFF_JS(mask64)
			: size == 4 ? OFF_JS(mask32)
				    : OFF_JS(mask16)));
	if (i->lock)
		emit8(e, 0xf0);
	emit_rm(e, 0x0fa3 | n << 3, size, S2, rm_mem(S1, 0));
	emit_load(e, S2, state(OFF_JS(spill)));
	emit_stored(t, i);
}

bool tr_bt(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	const struct operand *m = &i->o[0], *bit = &i->o[1];
	unsigned n = bt_number(i);
	if (bit->kind == OPK_IMM) {
		shape_rm(t, i, 0x0fba, 4 + n, 1, i->imm, n != 0);
		return true;
	}
	if (m->kind == OPK_MEM) {
		if (i->asz == 4 &&
		    (i->seg == FS || i->seg == GS)) /* limits, or added before the base */
			return false;
		bt_memory(t, i);
		return true;
	}
	if (pinned(m->reg)) {
		shape_rm_reg(t, i, 0x0fa3 | n << 3, n != 0);
		return true;
	}
	/* With a memory r/m the bit offset would reach outside of v.gpr. */
	emit_load(e, S1, gpr_slot(m->reg));
	if (!pinned(bit->reg))
		emit_load(e, S2, gpr_slot(bit->reg));
	emit_rm(e, 0x0fa3 | n << 3, m->size, pinned(bit->reg) ? (unsigned)host_reg(bit->reg) : S2,
		rm_reg(S1));
	if (n)
		emit_store(e, gpr_slot(m->reg), S1);
	return true;
}

/* ---- shifts ---- */

/* Memory at S1, with its page in S2, becomes [S2], with the page in js.spill, and CL is the guest's. */
static struct rm emit_count_in_cl(struct emit *e)
{
	emit_store(e, state(OFF_JS(spill)), S2);
	emit_rm(e, 0x8b, 8, S2, rm_reg(S1));
	emit_rm(e, 0x8b, 4, S1, guest(RCX));
	return rm_mem(S2, 0);
}

void emit_shift_memory(struct tr *t, const struct insn *i, unsigned ext)
{
	struct emit *e = &t->e;
	unsigned size = i->o[0].size;
	emit_mem(t, i, size, true);
	struct rm m = emit_count_in_cl(e);
	emit_rm(e, size == 1 ? 0xd2 : 0xd3, size, ext, m);
	emit_load(e, S2, state(OFF_JS(spill)));
	emit_stored(t, i);
}

static bool double_shift_memory(struct tr *t, const struct insn *i, uint32_t opcode, bool by_cl)
{
	struct emit *e = &t->e;
	unsigned size = i->o[0].size, src = i->o[1].reg;
	struct rm m = rm_mem(S1, 0);
	if (by_cl && !pinned(src))
		return false;
	emit_mem(t, i, size, true);
	if (by_cl) {
		m = emit_count_in_cl(e);
	} else if (!pinned(src)) {
		emit_store(e, state(OFF_JS(spill)), S2);
		emit_load(e, S2, gpr_slot(src));
	}
	emit_rm(e, opcode, size, pinned(src) ? (unsigned)host_reg(src) : S2, m);
	if (!by_cl)
		emit8(e, (uint8_t)i->imm);
	if (by_cl || !pinned(src))
		emit_load(e, S2, state(OFF_JS(spill)));
	emit_stored(t, i);
	return true;
}

bool tr_double_shift(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	const struct operand *d = &i->o[0];
	unsigned src = i->o[1].reg;
	bool by_cl = i->o[2].kind != OPK_IMM;
	uint32_t opcode = (i->op == op_shld ? 0x0fa4 : 0x0fac) | by_cl;

	if (d->kind == OPK_MEM)
		return double_shift_memory(t, i, opcode, by_cl);
	if (!pinned(src))
		emit_load(e, S2, gpr_slot(src));
	if (by_cl)
		emit_rm(e, 0x8b, 4, S1, guest(RCX));
	emit_rm(e, opcode, d->size, pinned(src) ? (unsigned)host_reg(src) : S2, guest(d->reg));
	if (!by_cl)
		emit8(e, (uint8_t)i->imm);
	if (!pinned(d->reg))
		clear_upper(t, d->reg, d->size);
	return true;
}
