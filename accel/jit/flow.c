/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The stack and control transfer: PUSH, POP, LEAVE, CALL, RET and jumps.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

bool tr_push(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->o[0];
	if (i->osz != t->word || (!plain(o) && o->kind != OPK_IMM))
		return false;
	if (o->kind == OPK_MEM) {
		emit_mem(t, i, t->word, false);
		emit_rm(&t->e, 0x8b, t->word, S1, rm_mem(S1, 0));
		emit_store(&t->e, state(OFF_JS(spill2)), S1);
	}
	emit_stack(t, i, -(int32_t)t->word, true);
	if (o->kind == OPK_IMM) {
		emit_rm(&t->e, 0xc7, t->word, 0, rm_mem(S1, 0));
		emit32(&t->e, (uint32_t)i->imm);
	} else if (o->kind == OPK_REG && pinned(o->reg)) {
		emit_rm(&t->e, 0x89, t->word, (unsigned)host_reg(o->reg), rm_mem(S1, 0));
	} else {
		emit_store(&t->e, state(OFF_JS(spill)), S2);
		emit_load(&t->e, S2, o->kind == OPK_REG ? gpr_slot(o->reg) : state(OFF_JS(spill2)));
		emit_rm(&t->e, 0x89, t->word, S2, rm_mem(S1, 0));
		emit_load(&t->e, S2, state(OFF_JS(spill)));
	}
	emit_move_stack(t, -1);
	emit_stored(t, i);
	return true;
}

bool tr_pop(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->o[0];
	if (i->osz != t->word || o->kind != OPK_REG)
		return false;
	emit_stack(t, i, 0, false);
	emit_move_stack(t, 1);
	if (pinned(o->reg)) {
		emit_rm(&t->e, 0x8b, t->word, (unsigned)host_reg(o->reg), rm_mem(S1, 0));
	} else {
		emit_load(&t->e, S2, rm_mem(S1, 0));
		emit_store(&t->e, gpr_slot(o->reg), S2);
	}
	return true;
}

/* LEAVE: RSP = RBP + a slot, RBP = [RBP]. */
bool tr_leave(struct tr *t, const struct insn *i)
{
	if (i->osz != t->word)
		return false;
	emit_rm(&t->e, 0x8b, t->word, S1, rm_reg(H_RBP));
	emit_translate(t, i, t->word, false);
	emit_lea(&t->e, t->word, H_R15, rm_mem(H_RBP, (int32_t)t->word));
	emit_rm(&t->e, 0x8b, t->word, H_RBP, rm_mem(S1, 0));
	return true;
}

void emit_goto(struct tr *t, int64_t to)
{
	struct emit *e = &t->e;
	if (to >= 0 && to < PAGE_SIZE) {
		if (to <= t->off) { /* every loop comes by here */
			emit_load(e, S1, state(OFF_JS(pending)));
			emit_jrcxz_over_jmp(e);
			add_slow(t, SLOW_LEAVE, emit_jmp(e), NULL, false, (int32_t)to);
		}
		add_slow(t, SLOW_LINK, emit_jmp(e), NULL, false, (int32_t)to);
		return;
	}
	emit_load(e, S1, state(OFF_JS(page_rip)));
	emit_lea(e, t->word, S1, rm_mem(S1, (int32_t)to));
	emit_jmp_to(e, t->j->go);
}

static int64_t target(const struct tr *t, const struct insn *i)
{
	return (int64_t)t->off + i->end + (int64_t)i->imm;
}

/* Pushes the return address. The page is looked at first: the block must not change under a call. */
static void emit_push_return(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	emit_stack(t, i, -(int32_t)t->word, true);
	emit_store(e, state(OFF_JS(spill)), S1);
	emit_rm(e, 0x0fb6, 4, S1, rm_mem(S2, offsetof(struct ram_page, flags)));
	emit_jrcxz_over_jmp(e);
	add_slow(t, SLOW_OP, emit_jmp(e), i, false, 0);
	emit_load(e, S1, state(OFF_JS(spill)));
	emit_load(e, S2, state(OFF_JS(page_rip)));
	emit_lea(e, 8, S2, rm_mem(S2, t->off + i->end));
	emit_rm(e, 0x89, t->word, S2, rm_mem(S1, 0));
	emit_move_stack(t, -1);
}

/* S1 = target: S2 = code, kept in spill2; no code: the C operation. */
static void emit_lookup(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	emit_call(e, t->j->lookup);
	emit_rm(e, 0x8b, 8, S1, rm_reg(S2));
	emit8(e, 0xe3); /* jrcxz over the short jump to the long one */
	emit8(e, 2);
	emit8(e, 0xeb);
	emit8(e, 5);
	add_slow(t, SLOW_OP, emit_jmp(e), i, false, 0);
}

/* To the code in S2, found by emit_lookup(). */
static void emit_enter_found(struct tr *t)
{
	struct emit *e = &t->e;
	emit_load(e, S1, state(OFF_JS(next_page)));
	emit_store(e, state(OFF_JS(page_rip)), S1);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2));
}

static bool tr_ret(struct tr *t, const struct insn *i)
{
	if (i->o[0].kind != OPK_NONE)
		return false;
	emit_stack(t, i, 0, false);
	emit_rm(&t->e, 0x8b, t->word, S1, rm_mem(S1, 0));
	emit_lookup(t, i);
	emit_move_stack(t, 1);
	emit_enter_found(t);
	return true;
}

static bool tr_indirect(struct tr *t, const struct insn *i, bool call)
{
	if (i->o[0].size != t->word || !plain(&i->o[0]))
		return false;
	if (i->o[0].kind == OPK_MEM) {
		emit_mem(t, i, t->word, false);
		emit_rm(&t->e, 0x8b, t->word, S1, rm_mem(S1, 0));
	} else {
		emit_rm(&t->e, 0x8b, t->word, S1, guest(i->o[0].reg));
	}
	emit_lookup(t, i);
	if (call) {
		emit_store(&t->e, state(OFF_JS(spill2)), S2);
		emit_push_return(t, i);
		emit_load(&t->e, S2, state(OFF_JS(spill2)));
	}
	emit_enter_found(t);
	return true;
}

bool tr_flow(struct tr *t, const struct insn *i)
{
	if (i->osz != t->word)
		return false;
	if (i->op == op_jmp_rel) {
		emit_goto(t, target(t, i));
	} else if (i->op == op_jcc) {
		uint8_t *taken = emit_jcc(&t->e, i->desc->opcode & 15);
		emit_goto(t, t->off + i->end);
		emit_patch(taken, t->e.w);
		emit_goto(t, target(t, i));
	} else if (i->op == op_call_rel) {
		emit_push_return(t, i);
		emit_goto(t, target(t, i));
	} else if (i->op == op_ret) {
		return tr_ret(t, i);
	} else if (i->op == op_jmp || i->op == op_call) {
		return tr_indirect(t, i, i->op == op_call);
	} else {
		return false;
	}
	return true;
}
