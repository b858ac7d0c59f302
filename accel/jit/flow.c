/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The stack and control transfer: PUSH, POP, LEAVE, CALL, RET and jumps.
 *
 * Direct jumps within the page are links: the jump itself is patched. Others have a cell: a copy of
 * the jump table's entry, which is checked and then jumped through. A call leaves its return address
 * and where the translation of that goes on, in a table that RET indexes by the stack pointer.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

bool tr_push(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->o[0];
	if (i->osz != t->word || (!plain(o) && o->kind != OPK_IMM && o->kind != OPK_SREG))
		return false;
	if (o->kind == OPK_SREG) {
		emit_rm(&t->e, 0x0fb7, 4, S1, state(OFF_CORE(v.seg[o->reg].sel))); /* movzx */
		emit_store(&t->e, state(OFF_JS(spill2)), S1);
	} else if (o->kind == OPK_MEM) {
		emit_rm(&t->e, 0x8b, t->word, S1, emit_reach(t, i, t->word, false));
		emit_store(&t->e, state(OFF_JS(spill2)), S1);
	}
	struct rm slot = emit_reach_slot(t, i, RSP, -(int32_t)t->word, true);
	if (o->kind == OPK_IMM) {
		emit_store_imm(&t->e, t->word, slot, (uint32_t)i->imm);
	} else if (o->kind == OPK_REG && pinned(o->reg)) {
		emit_rm(&t->e, 0x89, t->word, (unsigned)host_reg(o->reg), slot);
	} else {
		emit_copy(t, slot, o->kind == OPK_REG ? gpr_slot(o->reg) : state(OFF_JS(spill2)),
			  t->word);
	}
	emit_move_stack(t, -1);
	emit_stored(t, i);
	return true;
}

/* An address that depends on the stack pointer takes it as it is after the POP: left to C. */
static bool pop_memory(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	if (i->base == RSP)
		return false;
	emit_stack(t, i, 0, false);
	emit_rm(e, 0x8b, t->word, S1, rm_mem(S1, 0));
	emit_store(e, state(OFF_JS(spill2)), S1);
	emit_mem(t, i, t->word, true);
	emit_copy(t, rm_mem(S1, 0), state(OFF_JS(spill2)), t->word);
	emit_move_stack(t, 1);
	emit_stored(t, i);
	return true;
}

bool tr_pop(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->o[0];
	if (i->osz != t->word)
		return false;
	if (o->kind == OPK_MEM)
		return pop_memory(t, i);
	struct rm slot = emit_reach_slot(t, i, RSP, 0, false);
	if (pinned(o->reg)) {
		emit_rm(&t->e, 0x8b, t->word, (unsigned)host_reg(o->reg), slot);
	} else {
		emit_load(&t->e, S2, slot);
		emit_store(&t->e, gpr_slot(o->reg), S2);
	}
	if (o->reg != RSP)
		emit_move_stack(t, 1);
	return true;
}

/* LEAVE: RSP = RBP + a slot, RBP = [RBP]. */
bool tr_leave(struct tr *t, const struct insn *i)
{
	if (i->osz != t->word)
		return false;
	struct rm slot = emit_reach_slot(t, i, RBP, 0, false);
	emit_lea(&t->e, t->word, H_R15, rm_mem(H_RBP, (int32_t)t->word));
	emit_rm(&t->e, 0x8b, t->word, H_RBP, slot);
	return true;
}

static int64_t target(const struct tr *t, const struct insn *i)
{
	return (int64_t)t->off + i->end + (int64_t)i->imm;
}

static bool in_page(int64_t off)
{
	return off >= 0 && off < PAGE_SIZE;
}

/* cmp qword [pending], 0; jne: returns the displacement. */
static uint8_t *emit_if_pending(struct emit *e)
{
	emit_rm(e, 0x83, 8, 7, state(OFF_JS(pending)));
	emit8(e, 0);
	return emit_jcc(e, CC_NE);
}

/* A jump in the same page that is to be patched: `at` is its displacement. */
static void add_link(struct tr *t, uint8_t *at, int32_t to, enum flags_use use)
{
	bool flags = use == FLAGS_NEEDED && !t->dead;
	add_slow(t, SLOW_LINK, at, NULL, false, to);
	t->slow[t->nr_slow - 1].flags = flags;
	if (use == FLAGS_DEAD)
		t->slow[t->nr_slow - 1].save = false;
}

static void goto_in_page(struct tr *t, int32_t to)
{
	struct emit *e = &t->e;
	enum flags_use use = flags_use_at(t, to);
	if (use == FLAGS_KEPT)
		flags_to_memory(t);
	if (to <= t->off) { /* every loop comes by here */
		if (t->dead || use == FLAGS_DEAD) {
			add_slow(t, SLOW_LEAVE, emit_if_pending(e), NULL, false, to);
		} else {
			emit_load(e, S1, state(OFF_JS(pending)));
			emit_jrcxz_over_jmp(e);
			add_slow(t, SLOW_LEAVE, emit_jmp(e), NULL, false, to);
		}
		if (use == FLAGS_DEAD)
			t->slow[t->nr_slow - 1].save = false;
	}
	add_link(t, emit_jmp(e), to, use);
}

/* A field of c from code at e->w, where the displacement is the last of the instruction. */
static void emit_cell_op(struct tr *t, uint32_t opcode, unsigned reg, const struct jit_jump *cell,
			 size_t field)
{
	struct emit *e = &t->e;
	emit8(e, reg < 8 ? 0x48 : 0x4c);
	emit8(e, (uint8_t)opcode);
	emit8(e, (uint8_t)((reg & 7) << 3 | 5)); /* [rip + disp32] */
	emit32(e, (uint32_t)((const uint8_t *)cell + field - (e->w + 4)));
}
#define CELL(f) offsetof(struct jit_jump, f)

/* What a cell knows is good: its page has not changed, and is mapped as it was. */
static void emit_check_stamp(struct tr *t, const struct jit_jump *cell)
{
	struct emit *e = &t->e;
	emit_cell_op(t, 0x8b, S2, cell, CELL(version));
	emit_rm(e, 0x8b, 4, S2, rm_mem(S2, 0));
	emit_rm(e, 0x03, 8, S2, state(OFF_JS(cell_key)));
	emit_cell_op(t, 0x3b, S2, cell, CELL(stamp)); /* cmp */
}

/* jmp [cell.code] */
static void emit_jump_by(struct tr *t, const struct jit_jump *cell)
{
	struct emit *e = &t->e;
	emit8(e, 0xff);
	emit8(e, 0x25);
	emit32(e, (uint32_t)((const uint8_t *)&cell->code - (e->w + 4)));
}

static void goto_other_page(struct tr *t, int32_t to)
{
	struct emit *e = &t->e;
	struct jit_jump *cell = jit_new_cell(t);
	flags_to_memory(t);
	unsigned first = t->nr_slow;
	if (!t->fixed) { /* the same code at another address has another neighbour */
		emit_load(e, S1, state(OFF_JS(page_rip)));
		emit_cell_op(t, 0x3b, S1, cell, CELL(rip)); /* cmp */
		add_slow(t, SLOW_CELL, emit_jcc(e, CC_NE), NULL, false, to);
	}
	if (to < 0)
		add_slow(t, SLOW_CELL, emit_if_pending(e), NULL, false, to);
	emit_check_stamp(t, cell);
	add_slow(t, SLOW_CELL, emit_jcc(e, CC_NE), NULL, false, to);
	for (; first < t->nr_slow; first++)
		t->slow[first].cell = cell;
	uint64_t page = t->page_rip + (uint64_t)(to & (int32_t)PAGE_MASK);
	if (t->fixed && near_zero(page)) {
		emit_store_imm(e, 8, state(OFF_JS(page_rip)), (uint32_t)page);
	} else if (to & (int32_t)PAGE_MASK) {
		emit_rm(e, 0x81, t->word, 0, state(OFF_JS(page_rip))); /* add */
		emit32(e, (uint32_t)to & (uint32_t)PAGE_MASK);
	}
	emit_jump_by(t, cell);
}

void emit_goto(struct tr *t, int64_t to)
{
	if (in_page(to))
		goto_in_page(t, (int32_t)to);
	else
		goto_other_page(t, (int32_t)to);
}

/* reg = index of the stack pointer in js.returns, to be scaled as return_slot() does. */
static void emit_return_index(struct tr *t, unsigned reg)
{
	emit_rm(&t->e, 0x8b, 4, reg, rm_reg(H_R15));
	emit_rm(&t->e, 0x81, 4, 4, rm_reg(reg)); /* and */
	emit32(&t->e, (JIT_RETURNS - 1) * t->word);
}

static struct rm return_slot(const struct tr *t, unsigned index, size_t field)
{
	static_assert(sizeof(struct jit_return) == 32, "scaled from a stack slot");
	return rm_index(STATE, index, t->word == 8 ? 2 : 3, OFF_JS(returns) + (int32_t)field);
}
#define RETURN(index, f) return_slot(t, index, offsetof(struct jit_return, f))

/* Pushes the return address. The page is looked at first: the block must not change under a call. */
static void emit_push_return(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	int32_t back = t->off + i->end;
	flags_to_memory(t);
	struct rm slot = emit_reach_slot(t, i, RSP, -(int32_t)t->word, true);
	emit_unless_code(t, i);
	uint64_t rip = t->page_rip + (uint64_t)back;
	bool known = t->fixed && near_zero(rip);
	if (known) {
		emit_store_imm(e, 8, slot, (uint32_t)rip);
	} else {
		emit_load(e, S2, state(OFF_JS(page_rip)));
		emit_lea(e, t->word, S2, rm_mem(S2, back));
		emit_rm(e, 0x89, t->word, S2, slot);
	}
	emit_move_stack(t, -1);
	if (!in_page(back) || t->b->version > INT32_MAX)
		return;
	struct jit_jump *cell = jit_new_cell(t);
	emit_return_index(t, S1);
	if (known)
		emit_store_imm(e, 8, RETURN(S1, rip), (uint32_t)rip);
	else
		emit_store(e, RETURN(S1, rip), S2);
	emit_load(e, S2, state(OFF_JS(cell_key)));
	if (t->b->version)
		emit_lea(e, 8, S2, rm_mem(S2, (int32_t)t->b->version));
	emit_store(e, RETURN(S1, stamp), S2);
	emit_cell_op(t, 0x8d, S2, cell, 0); /* lea */
	emit_store(e, RETURN(S1, cell), S2);
	add_slow(t, SLOW_RETURN, NULL, NULL, false, back);
	t->slow[t->nr_slow - 1].cell = cell;
}

/* A field of the jump table's entry at S2. */
static struct rm jump_entry(size_t field)
{
	return rm_index(STATE, S2, 0, OFF_JS(jump) + (int32_t)field);
}
#define JUMP(f) jump_entry(offsetof(struct jit_jump, f))

/* S1 = target: S2 = code; none: the C operation. The stub `lookup` does the same and looks in the address's
 * second place too. */
static void emit_lookup(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	static_assert(sizeof(struct jit_jump) == 32, "the index is shifted by 5");
	unsigned first = t->nr_slow;
	emit_rm(e, 0x8b, 4, S2, rm_reg(S1));
	emit_rm(e, 0xc1, 4, 4, rm_reg(S2)); /* shl */
	emit8(e, 5);
	emit_rm(e, 0x81, 4, 4, rm_reg(S2)); /* and */
	emit32(e, (JIT_JUMP_ENTRIES - 1) << 5);
	emit_rm(e, 0x3b, 8, S1, JUMP(rip)); /* cmp */
	add_slow(t, SLOW_LOOKUP, emit_jcc(e, CC_NE), i, false, 0);
	emit_load(e, S1, JUMP(version));
	emit_rm(e, 0x8b, 4, S1, rm_mem(S1, 0));
	emit_rm(e, 0x03, 8, S1, state(OFF_JS(context))); /* add */
	emit_rm(e, 0x3b, 8, S1, JUMP(stamp));            /* cmp */
	emit_load(e, S1, JUMP(rip));
	add_slow(t, SLOW_LOOKUP, emit_jcc(e, CC_NE), i, false, 0);
	add_slow(t, SLOW_LOOKUP, emit_if_pending(e), i, false, 0);
	emit_load(e, S2, JUMP(code));
	for (; first < t->nr_slow; first++)
		t->slow[first].found = e->w;
}

/* The same by a cell, which then has the code. */
static void emit_lookup_by(struct tr *t, const struct insn *i, struct jit_jump *cell)
{
	struct emit *e = &t->e;
	unsigned first = t->nr_slow;
	emit_cell_op(t, 0x3b, S1, cell, CELL(rip)); /* cmp */
	add_slow(t, SLOW_LOOKUP, emit_jcc(e, CC_NE), i, false, 0);
	emit_check_stamp(t, cell);
	add_slow(t, SLOW_LOOKUP, emit_jcc(e, CC_NE), i, false, 0);
	add_slow(t, SLOW_LOOKUP, emit_if_pending(e), i, false, 0);
	for (; first < t->nr_slow; first++) {
		t->slow[first].found = e->w;
		t->slow[first].cell = cell;
	}
}

void emit_slow_lookup(struct tr *t, const struct slow *s)
{
	struct emit *e = &t->e;
	if (s->cell)
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->cell);
	emit_call(e, s->cell ? t->j->lookup_cell[s->vec] : t->j->lookup);
	emit_rm(e, 0x85, 8, S2, rm_reg(S2)); /* test */
	add_slow(t, SLOW_OP, emit_jcc(e, CC_E), s->i, false, 0);
	if (s->found)
		emit_jmp_to(e, s->found);
}

/* The stack pointer behind a return address and what RET's operand adds. */
static void emit_drop_return(struct tr *t, const struct insn *i)
{
	int32_t more = i->o[0].kind == OPK_IMM ? (uint16_t)i->imm : 0;
	emit_lea(&t->e, t->word, H_R15, rm_mem(H_R15, (int32_t)t->word + more));
}

static bool tr_ret(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	flags_to_memory(t);
	emit_rm(e, 0x8b, t->word, S1, emit_reach_slot(t, i, RSP, 0, false));
	emit_return_index(t, S2);
	emit_rm(e, 0x3b, 8, S1, RETURN(S2, rip)); /* cmp */
	add_slow(t, SLOW_RET, emit_jcc(e, CC_NE), i, false, 0);
	emit_load(e, S1, RETURN(S2, cell));
	emit_load(e, S1, rm_mem(S1, CELL(version)));
	emit_rm(e, 0x8b, 4, S1, rm_mem(S1, 0));
	emit_rm(e, 0x03, 8, S1, state(OFF_JS(cell_key)));
	emit_rm(e, 0x3b, 8, S1, RETURN(S2, stamp)); /* cmp */
	emit_load(e, S1, RETURN(S2, rip));
	add_slow(t, SLOW_RET, emit_jcc(e, CC_NE), i, false, 0);
	add_slow(t, SLOW_RET, emit_if_pending(e), i, false, 0);
	emit_load(e, S2, RETURN(S2, cell));
	emit_set_page(e);
	emit_drop_return(t, i);
	emit_rm(e, 0xff, 4, 4, rm_mem(S2, t->vec ? CELL(code_vec) : CELL(code)));
	return true;
}

void emit_slow_ret(struct tr *t, const struct slow *s)
{
	struct emit *e = &t->e;
	emit_slow_lookup(t, s);
	emit_set_page(e);
	emit_drop_return(t, s->i);
	emit_rm(e, 0xff, 4, 4, rm_reg(S2));
}

/* As in procedure linkage tables: the target is in a variable, which seldom changes. */
static bool one_place(const struct insn *i)
{
	const struct operand *o = &i->o[0];
	return o->kind == OPK_MEM && (i->base == REG_RIP || i->base == REG_ZERO) &&
	       i->index == REG_ZERO && i->seg != FS && i->seg != GS;
}

static bool tr_indirect(struct tr *t, const struct insn *i, bool call)
{
	struct emit *e = &t->e;
	if (i->o[0].size != t->word || !plain(&i->o[0]))
		return false;
	flags_to_memory(t);
	if (i->o[0].kind == OPK_MEM) {
		emit_rm(e, 0x8b, t->word, S1, emit_reach(t, i, t->word, false));
	} else {
		emit_rm(e, 0x8b, t->word, S1, guest(i->o[0].reg));
	}
	struct jit_jump *cell = one_place(i) ? jit_new_cell(t) : NULL;
	if (cell)
		emit_lookup_by(t, i, cell);
	else
		emit_lookup(t, i);
	if (call) {
		emit_store(e, state(OFF_JS(next_rip)), S1);
		if (!cell)
			emit_store(e, state(OFF_JS(next_code)), S2);
		emit_push_return(t, i);
		emit_load(e, S1, state(OFF_JS(next_rip)));
	}
	emit_set_page(e);
	if (cell)
		emit_jump_by(t, cell);
	else
		emit_rm(e, 0xff, 4, 4, call ? state(OFF_JS(next_code)) : rm_reg(S2));
	return true;
}

/* In the midst of a trace, where it goes on. */
static int64_t goes_on(const struct tr *t, const struct insn *i)
{
	return (int64_t)t->off + i[1].end - i[1].len;
}

int64_t side_of(const struct tr *t, const struct insn *i)
{
	int64_t next = (int64_t)t->off + i->end;
	return goes_on(t, i) == next ? target(t, i) : next;
}

/* What leaves a trace is out of the way, unless it is nothing but a jump. */
static void tr_side(struct tr *t, const struct insn *i)
{
	unsigned cc = i->desc->opcode & 15;
	int64_t side = side_of(t, i);
	enum flags_use use = in_page(side) ? flags_use_at(t, (int32_t)side) : FLAGS_KEPT;
	bool plain = use != FLAGS_KEPT && side > t->off && !t->j->count;
	uint8_t *from = emit_jcc(&t->e, side == target(t, i) ? cc : cc ^ 1);
	if (plain)
		add_link(t, from, (int32_t)side, use);
	else
		add_slow(t, SLOW_SIDE, from, i, false, (int32_t)side);
}

static void tr_jcc(struct tr *t, const struct insn *i)
{
	if (i->nth + 1 < t->b->nr) {
		tr_side(t, i);
		return;
	}
	struct emit *e = &t->e;
	unsigned cc = i->desc->opcode & 15;
	int64_t taken = target(t, i), next = (int64_t)t->off + i->end;
	bool in_mem = t->in_mem, dead = t->dead;
	enum flags_use use = in_page(taken) ? flags_use_at(t, (int32_t)taken) : FLAGS_KEPT;

	if (in_page(taken) && taken > t->off && use != FLAGS_KEPT) {
		add_link(t, emit_jcc(e, cc), (int32_t)taken, use);
		emit_goto(t, next);
		return;
	}
	uint8_t *not_taken = emit_jcc(e, cc ^ 1);
	emit_goto(t, taken);
	emit_patch(not_taken, e->w);
	t->in_mem = in_mem;
	t->dead = dead;
	emit_goto(t, next);
}

/* LOOP, LOOPE, LOOPNE, JRCXZ: flags stay, so the count is tested in S1 by the host's JRCXZ. */
static bool tr_loop(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	int64_t taken = target(t, i), next = (int64_t)t->off + i->end;
	bool in_mem = t->in_mem, dead = t->dead, loop = i->op == op_loop;
	unsigned count = (unsigned)host_reg(RCX);

	if (i->asz != t->word)
		return false;
	if (loop)
		emit_lea(e, t->word, count, rm_mem(count, -1));
	emit_rm(e, 0x8b, t->word, S1, rm_reg(count));
	emit_jrcxz_over_jmp(e);
	uint8_t *not_zero = emit_jmp(e);
	emit_goto(t, loop ? next : taken);
	emit_patch(not_zero, e->w);
	t->in_mem = in_mem;
	t->dead = dead;
	if (i->desc->opcode < 0xe2) { /* LOOPNE E0h, LOOPE E1h */
		uint8_t *on = emit_jcc(e, i->desc->opcode == 0xe1 ? CC_E : CC_NE);
		emit_goto(t, next);
		emit_patch(on, e->w);
		t->in_mem = in_mem;
		t->dead = dead;
	}
	emit_goto(t, loop ? taken : next);
	return true;
}

bool tr_flow(struct tr *t, const struct insn *i)
{
	if (i->osz != t->word)
		return false;
	if (i->op == op_ret)
		return (i->o[0].kind == OPK_NONE || i->o[0].kind == OPK_IMM) && tr_ret(t, i);
	if (i->op == op_jmp || i->op == op_call)
		return tr_indirect(t, i, i->op == op_call);
	if (target(t, i) != (int32_t)target(t, i))
		return false;
	if (i->op == op_jmp_rel && i->nth + 1 < t->b->nr) {
		/* a trace goes on at its target */
	} else if (i->op == op_jmp_rel) {
		emit_goto(t, target(t, i));
	} else if (i->op == op_jcc) {
		tr_jcc(t, i);
	} else if (i->op == op_call_rel) {
		emit_push_return(t, i);
		emit_goto(t, target(t, i));
	} else {
		return (i->op == op_loop || i->op == op_jcxz) && tr_loop(t, i);
	}
	return true;
}
