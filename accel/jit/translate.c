/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One decoded block to host code. See docs/jit.md for a block followed through.
 *
 * An instruction without a translation here is a call of its C operation, and so is one whose memory
 * access misses: the check comes before any effect, so the C operation starts from the state before
 * the instruction, does it whole (faults, devices, page crossings), fills the TLB, and the translation
 * goes on with the next instruction.
 */
#include "accel/jit/translate.h"
#include "cpu/alu.h"
#include "cpu/check.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

void add_slow(struct tr *t, enum slow_kind kind, uint8_t *from, const struct insn *i, bool restore,
	      int32_t off)
{
	if (t->nr_slow == MAX_SLOW) {
		t->e.overflow = true;
		return;
	}
	t->slow[t->nr_slow++] =
	    (struct slow){.kind = kind, .from = from, .i = i, .restore = restore, .off = off};
}

/* Emits i; false when it has no translation (nothing has been emitted then that matters). */
static bool translate_insn(struct tr *t, const struct insn *i)
{
	if (i->desc->attrs & (A_SSE | A_AVX))
		return tr_vector(t, i);
	if (i->op == op_nop)
		return true;
	uint64_t checked = A_CHECKED;
	if (t->word == 8) /* neither real nor virtual-8086 mode */
		checked &= ~(A_NREAL | A_NV86);
	if (i->desc->attrs & (checked | A_END) || i->asz != t->word)
		return false;
	if (t->word == 4 && i->seg == CS && i->desc->attrs & A_ST) /* #GP */
		return false;
	for (unsigned n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_REGH)
			return tr_high_byte(t, i);
	tr_fn *handler = integer_handler(i);
	if (handler)
		return handler(t, i);
	if (i->rep || (i->lock && !lockable(i)))
		return false;
	if (i->desc->attrs & A_BR)
		return tr_flow(t, i);
	if (i->op == op_push)
		return tr_push(t, i);
	if (i->op == op_pop)
		return tr_pop(t, i);
	if (i->op == op_leave)
		return tr_leave(t, i);
	return tr_alu_insn(t, i);
}

static void call_op(struct tr *t, const struct insn *i)
{
	emit_mov_imm(&t->e, S2, (uint64_t)(uintptr_t)i);
	emit_mov_imm(&t->e, S1, (uint64_t)t->off);
	emit_call(&t->e, t->b->crosses ? t->j->call_cross : t->j->call_op);
	if (i->desc->attrs & A_BR) {
		emit_load(&t->e, S1, state(OFF_CORE(v.rip)));
		emit_jmp_to(&t->e, t->j->go);
	}
}

static void emit_slow(struct tr *t, const struct slow *s)
{
	struct emit *e = &t->e;
	emit_patch(s->from, e->w);
	switch (s->kind) {
	case SLOW_OP:
		if (s->restore)
			emit_load(e, H_RDX, state(OFF_JS(spill)));
		call_op(t, s->i);
		break;
	case SLOW_STORED:
		emit_rm(e, 0x8b, 8, S1, rm_reg(S2));
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->i);
		emit_rm(e, 0xc7, 8, 0, state(OFF_JS(spill)));
		emit32(e, (uint32_t)t->off);
		emit_call(e, t->j->stored);
		break;
	case SLOW_LINK:
		emit_mov_imm(e, S1, (uint64_t)s->off);
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->from);
		emit_jmp_to(e, t->j->leave_link);
		return;
	case SLOW_LEAVE:
		emit_mov_imm(e, S1, (uint64_t)s->off);
		emit_jmp_to(e, t->j->leave);
		return;
	}
	if (s->back) {
		if (s->vec)
			emit_call(e, t->j->vec_load);
		emit_jmp_to(e, s->back);
	}
}

/* Deducts the block from what may still run; leaves before it when there is not that much. Flags stay. */
static void emit_count(struct tr *t)
{
	struct emit *e = &t->e;
	emit_load(e, S2, state(OFF_JS(left)));
	emit_lea(e, 8, S2, rm_mem(S2, -(int32_t)t->b->nr));
	emit_pext(e, S1, S2, state(OFF_JS(sign_mask)));
	emit_jrcxz_over_jmp(e);
	add_slow(t, SLOW_LEAVE, emit_jmp(e), NULL, false, t->off);
	emit_store(e, state(OFF_JS(left)), S2);
}

/* Which instructions may clobber the status flags before they do their own work. An instruction that
 * may leave flags alone (a shift by 0) does not count as a writer. */
static void find_dead_flags(const struct block *b, bool *dead)
{
	uint64_t live = CC_ALL;
	for (int n = b->nr - 1; n >= 0; n--) {
		const struct insn *i = &b->insn[n];
		/* What is left undefined need not be what it was before. */
		uint64_t attrs = i->desc->attrs, writes = (attrs | attrs >> 6) & CC_ALL;
		bool shift = is_shift(i);
		if (i->rep || (shift && (i->o[1].kind != OPK_IMM ||
					 !alu_count((unsigned)i->imm, i->o[0].size))))
			writes = 0;
		live = (live & ~writes) | (attrs >> 12 & CC_ALL);
		if (shift && !writes)
			live = CC_ALL;
		dead[n] = !live;
	}
}

/* Code size: 64-bit, or 32-bit with flat segments and a 32-bit stack (see block_get()); 0: other. */
static unsigned word_of(const struct block *b)
{
	const unsigned flat32 = 4 | 1 << 4 | 1 << 6;
	return (b->key & 15) == 8 ? 8 : (b->key & (15 | 1 << 4 | 1 << 6)) == flat32 ? 4 : 0;
}

bool jit_translate(struct jit *j, struct block *b)
{
	bool dead[BLOCK_MAX_INSNS];
	struct tr t = {
	    .j = j, .b = b, .off = (int32_t)(b->gpa & ~PAGE_MASK), .mode = b->key >> 7 & 3};

	b->runs = UINT32_MAX;
	t.word = word_of(b);
	if (!t.word || !b->page || (b->crosses && !b->page2))
		return true;
	t.e = (struct emit){.w = j->next, .end = j->write + j->size, .to_exec = j->exec - j->write};
	uint8_t *start = t.e.w;
	find_dead_flags(b, dead);
	bool ended = false;
	if (j->count)
		emit_count(&t);
	for (unsigned n = 0; n < b->nr; n++) {
		const struct insn *i = &b->insn[n];
		struct emit before = t.e;
		unsigned slow_before = t.nr_slow;
		t.dead = dead[n];
		if (!b->crosses && translate_insn(&t, i)) {
			ended = i->desc->attrs & A_BR;
		} else {
			t.e = before;
			t.nr_slow = slow_before;
			call_op(&t, i);
			t.vec = false;
			ended = i->desc->attrs & (A_BR | A_END);
		}
		for (; slow_before < t.nr_slow; slow_before++) {
			t.slow[slow_before].back = ended ? NULL : t.e.w;
			t.slow[slow_before].vec = t.vec;
		}
	}
	if (!ended)
		emit_goto(&t, (int64_t)t.off + b->insn[b->nr].end);
	for (unsigned n = 0; n < t.nr_slow; n++)
		emit_slow(&t, &t.slow[n]);
	if (t.e.overflow)
		return t.nr_slow == MAX_SLOW;
	b->code = start + t.e.to_exec;
	j->next = t.e.w;
	j->translated++;
	j->bytes += (uint64_t)(t.e.w - start);
	return true;
}
