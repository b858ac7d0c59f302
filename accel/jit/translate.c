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
	t->slow[t->nr_slow++] = (struct slow){.kind = kind,
					      .from = from,
					      .i = i,
					      .restore = restore,
					      .save = !t->dead,
					      .vec = t->vec,
					      .off = off,
					      .x87 = t->last};
}

bool addressable(const struct tr *t, const struct insn *i)
{
	bool implicit = i->desc->attrs & A_REP || i->op == op_xlat;
	return i->asz == t->word || (t->word == 8 && i->asz == 4 && !implicit);
}

/* Emits i; false when it has no translation (nothing has been emitted then that matters). */
static bool translate_insn(struct tr *t, const struct insn *i)
{
	if (is_x87(i))
		return tr_x87(t, i);
	if (i->desc->attrs & (A_SSE | A_AVX))
		return tr_vector(t, i);
	if (i->op == op_nop)
		return true;
	tr_fn *handler = system_handler(i);
	if (handler)
		return handler(t, i);
	uint64_t checked = A_CHECKED;
	if (t->word == 8 || t->b->key & BLOCK_AVX) /* neither real nor virtual-8086 mode */
		checked &= ~(A_NREAL | A_NV86);
	if (i->desc->attrs & (checked | A_END) || !addressable(t, i))
		return false;
	if (t->word == 4 && i->seg == CS && i->desc->attrs & A_ST) /* #GP */
		return false;
	for (unsigned n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_REGH)
			return tr_high_byte(t, i);
	if (i->desc->attrs & A_REP)
		return tr_string(t, i);
	handler = integer_handler(i);
	if (handler)
		return handler(t, i);
	if (i->lock && !lockable(i))
		return false;
	if (i->desc->attrs & A_BR)
		return tr_flow(t, i);
	if (i->op == op_push || i->op == op_push_sreg)
		return tr_push(t, i);
	if (i->op == op_pop)
		return tr_pop(t, i);
	if (i->op == op_leave)
		return tr_leave(t, i);
	return tr_alu_insn(t, i);
}

static void call_op(struct tr *t, const struct insn *i, uint8_t *stub)
{
	emit_mov_imm(&t->e, S2, (uint64_t)(uintptr_t)i);
	emit_mov_imm(&t->e, S1, (uint64_t)t->off);
	emit_call(&t->e, t->b->crosses ? t->j->call_cross : stub);
	if (i->desc->attrs & A_BR) {
		emit_load(&t->e, S1, state(OFF_CORE(v.rip)));
		emit_jmp_to(&t->e, t->j->go);
	}
}

/* Room for data, in units of cells. */
static void *take_room(struct tr *t, size_t size)
{
	uint8_t *from = t->cold ? t->e.w : t->j->next_cold;
	size = (size + sizeof(struct jit_jump) - 1) / sizeof(struct jit_jump) *
	       sizeof(struct jit_jump);
	if ((size_t)(t->cells - from) < size) {
		t->e.overflow = true;
		return t->j->write;
	}
	t->cells -= size;
	if (t->cold)
		t->e.end = t->cells;
	return t->cells;
}

struct jit_jump *jit_new_cell(struct tr *t)
{
	struct jit_jump *cell = take_room(t, sizeof(*cell));
	if (t->e.overflow)
		return cell;
	uint8_t *x = (uint8_t *)cell + t->e.to_exec;
	/* Nothing is at home in an empty one. */
	*cell = (struct jit_jump){
	    .stamp = UINT64_MAX,
	    .version = (const _Atomic uint32_t *)(void *)(x + offsetof(struct jit_jump, stamp))};
	return cell;
}

/* mov r14, address of what is to be linked; leave to `off` in the page */
static void emit_leave_link(struct tr *t, unsigned kind, const void *at, int32_t off)
{
	emit_mov_imm(&t->e, S2, (uint64_t)(uintptr_t)at | (uint64_t)kind << LINK_SHIFT);
	emit_mov_imm(&t->e, S1, (uint64_t)off);
	emit_jmp_to(&t->e, t->j->leave_link);
}

/* The group that i's access was to begin has no translation: on without groups. */
static void emit_careful(struct tr *t, const struct slow *s)
{
	struct careful *p = take_room(t, sizeof(*p));
	if (t->e.overflow)
		return;
	*p = (struct careful){.i = s->i, .off = t->off + s->i->end - s->i->len, .flags = s->save};
	x87_emit_last(t, &s->x87);
	emit_mov_imm(&t->e, S2, (uint64_t)(uintptr_t)p);
	emit_jmp_to(&t->e, t->j->careful);
}

static void emit_other_entry(struct tr *t);

static bool same_slow(const struct slow *a, const struct slow *b)
{
	return a->kind == b->kind && a->i == b->i && a->off == b->off && a->cell == b->cell &&
	       a->restore == b->restore && a->save == b->save && a->back == b->back &&
	       a->retry == b->retry && a->kind != SLOW_LINK;
}

/* Gives back what emit_count() has deducted for the instructions behind i. */
static void emit_count_back(struct tr *t, const struct insn *i)
{
	emit_load(&t->e, S2, state(OFF_JS(left)));
	emit_lea(&t->e, 8, S2, rm_mem(S2, t->b->nr - 1 - i->nth));
	emit_store(&t->e, state(OFF_JS(left)), S2);
}

static void emit_side(struct tr *t, const struct slow *s)
{
	bool vec = t->vec;
	if (t->j->count)
		emit_count_back(t, s->i);
	t->in_mem = t->dead = !s->save;
	t->vec = s->vec;
	emit_goto(t, s->off);
	t->in_mem = t->dead = true;
	t->vec = vec;
}

static void emit_slow(struct tr *t, struct slow *s)
{
	struct emit *e = &t->e;
	s->at = e->w;
	if (s > t->slow && same_slow(s, s - 1)) {
		s->at = s[-1].at;
		emit_patch(s->from, s->at);
		return;
	}
	if (s->from)
		emit_patch(s->from, e->w);
	if (s->kind == SLOW_STORED)
		emit_rm(e, 0x8b, 8, S1, rm_reg(S2));
	if (s->kind == SLOW_MISS && s->restore)
		emit_rm(e, 0x8b, 8, S1, rm_reg(H_RDX));
	if (s->restore)
		emit_load(e, H_RDX, state(OFF_JS(spill)));
	if (s->kind == SLOW_MISS) {
		if (s->hit)
			emit_elsewhere(t, s);
		if (s->refill > REFILL_WRITE)
			emit_store_imm(e, 4, state(OFF_JS(first)), s->first);
		emit_call(e, t->j->refill[t->table][s->refill]);
		emit_jmp_to(e, s->retry);
	}
	if ((s->kind == SLOW_MISS || s->kind == SLOW_OP) && t->led >> (s->i - t->b->insn) & 1) {
		emit_careful(t, s);
		return;
	}
	if (s->kind == SLOW_SIDE) {
		emit_side(t, s);
		return;
	}
	if (s->save)
		emit_flags_save(e);
	switch (s->kind) {
	case SLOW_MISS:
	case SLOW_OP:
		x87_emit_last(t, &s->x87);
		call_op(t, s->i, t->j->call_op);
		break;
	case SLOW_STORED:
		if (s->x87.i || s->x87.mem) {
			emit_store(e, state(OFF_JS(spill2)), S1);
			x87_emit_last(t, &s->x87);
			emit_load(e, S1, state(OFF_JS(spill2)));
		}
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->i);
		emit_store_imm(e, 8, state(OFF_JS(spill)), (uint32_t)t->off);
		emit_call(e, t->j->stored);
		break;
	case SLOW_X87:
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->i);
		emit_mov_imm(e, S1, (uint64_t)t->off);
		emit_call(e, t->j->x87_load);
		break;
	case SLOW_STRING:
		x87_emit_last(t, &s->x87);
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->i);
		emit_mov_imm(e, S1, (uint64_t)t->off);
		emit_call(e, t->j->call_string);
		if (s->vec)
			emit_call(e, t->j->vec_load);
		emit_load(e, S1, state(OFF_JS(string_again)));
		emit_jrcxz_over_jmp(e);
		emit_jmp_to(e, s->retry);
		if (s->wanted)
			emit_flags_restore(e);
		emit_jmp_to(e, s->back);
		return;
	case SLOW_LINK:
		emit_leave_link(t, (s->flags ? ENTRY_FLAGS : 0) | (s->vec ? ENTRY_VEC : 0), s->from,
				s->off);
		return;
	case SLOW_ENTRY:
		emit_other_entry(t);
		return;
	case SLOW_LEAVE:
		emit_mov_imm(e, S1, (uint64_t)s->off);
		emit_jmp_to(e, t->j->leave);
		return;
	case SLOW_CELL:
		emit_load(e, S1, state(OFF_JS(page_rip)));
		emit_lea(e, t->word, S1, rm_mem(S1, s->off));
		emit_mov_imm(e, S2, (uint64_t)(uintptr_t)s->cell);
		emit_jmp_to(e, t->j->go_cell[s->vec]);
		return;
	case SLOW_RETURN:
		s->cell->code = s->cell->code_vec = e->w + e->to_exec;
		s->cell->version = &t->b->page->version;
		emit_leave_link(t, LINK_CELL, s->cell, s->off);
		return;
	case SLOW_LOOKUP:
		emit_slow_lookup(t, s);
		return;
	case SLOW_SIDE:
		return;
	case SLOW_RET:
		emit_slow_ret(t, s);
		return;
	}
	if (s->back) {
		if (s->wanted)
			emit_flags_restore(e);
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

/* Code size: 64-bit, or 32-bit with flat segments and a 32-bit stack (see block_get()); 0: other. */
static unsigned word_of(const struct block *b)
{
	const unsigned flat32 = 4 | 1 << 4 | 1 << 6;
	return (b->key & 15) == 8 ? 8 : (b->key & (15 | 1 << 4 | 1 << 6)) == flat32 ? 4 : 0;
}

static bool accesses_memory(const struct insn *i)
{
	bool mem = i->desc->attrs & (A_LD | A_ST);
	for (unsigned n = 0; n < 4; n++)
		mem |= i->o[n].kind == OPK_MEM;
	return mem && i->op != op_lea && i->op != op_nop;
}

/* Where control comes in. With flags that the body wants in RFLAGS, or vector registers, one of the four
 * ways is out of the way. */
static void emit_entries(struct tr *t, const struct flags_plan *plan)
{
	struct emit *e = &t->e;
	bool vec = vec_block(t) && !t->b->crosses, keep = !plan->first_reads && plan->live[0];
	uint8_t *at[4];
	t->in_mem = !plan->first_reads;
	at[ENTRY_FLAGS] = e->w;
	if (keep)
		emit_flags_save(e);
	at[0] = e->w;
	if (vec)
		vec_emit_want(t);
	at[ENTRY_VEC] = e->w;
	if (plan->first_reads) {
		emit_flags_restore(e);
		if (!vec)
			at[ENTRY_FLAGS] = e->w;
	}
	t->body = at[ENTRY_FLAGS | ENTRY_VEC] = e->w;
	if (!vec) {
		at[ENTRY_VEC] = at[0];
		at[ENTRY_FLAGS | ENTRY_VEC] = at[ENTRY_FLAGS];
	}
	for (unsigned n = 0; n < 4; n++)
		t->entry[n] = at[n] + e->to_exec;
	if (vec && (keep || plan->first_reads))
		add_slow(t, SLOW_ENTRY, NULL, NULL, false, 0);
}

/* The one of the four that was left. */
static void emit_other_entry(struct tr *t)
{
	struct emit *e = &t->e;
	uint8_t *at = e->w;
	bool keep = t->entry[ENTRY_FLAGS] != t->entry[0];
	if (keep) {
		emit_flags_save(e);
	} else {
		t->vec = false;
		vec_emit_want(t);
	}
	t->entry[ENTRY_FLAGS | (keep ? ENTRY_VEC : 0)] = at + e->to_exec;
	emit_jmp_to(e, t->body);
}

/* For an instruction that continues in the next page: unless that is as jit_exec_cross() has seen it,
 * the C operation by way of there. Clobbers S1 and S2; flags stay. */
static void emit_second_page(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	struct jit_jump *cell = jit_new_cell(t);
	uint64_t at = (uint64_t)(uintptr_t)cell + (uint64_t)e->to_exec;
	t->second_seen = cell;
	if (!t->fixed) {
		emit_mov_imm(e, S2, at);
		emit_load(e, S1, rm_mem(S2, offsetof(struct jit_jump, rip)));
		emit_rm(e, 0xf7, 8, 2, rm_reg(S1)); /* not */
		emit_load(e, S2, state(OFF_JS(page_rip)));
		emit_lea(e, 8, S1, rm_index(S1, S2, 0, 1)); /* page_rip - rip */
		emit_op_unless_zero(t, i);
	}
	emit_mov_imm(e, S2, at);
	emit_load(e, S1, rm_mem(S2, offsetof(struct jit_jump, stamp)));
	emit_rm(e, 0xf7, 8, 2, rm_reg(S1)); /* not */
	emit_load(e, S2, state(OFF_JS(cell_key)));
	emit_lea(e, 8, S1, rm_index(S1, S2, 0, 1));
	emit_mov_imm(e, S2, (uint64_t)(uintptr_t)&t->b->page2->version);
	emit_load32(e, S2, rm_mem(S2, 0));
	emit_lea(e, 8, S1, rm_index(S1, S2, 0, 0)); /* cell_key + version - stamp */
	emit_op_unless_zero(t, i);
}

/* So many accesses gain more from free RFLAGS than it costs to save and restore them. */
#define SAVE_FOR 4

/* From instruction n to the next that reads or writes flags. */
static unsigned accesses_until_flags(const struct tr *t, const struct flags_plan *plan, unsigned n)
{
	unsigned count = 0;
	for (; n < t->b->nr && !plan->touches[n]; n++)
		count += accesses_memory(&t->b->insn[n]);
	return count;
}

/* One instruction; true when control does not go on behind it. */
static bool emit_insn(struct tr *t, const struct flags_plan *plan, unsigned n)
{
	const struct insn *i = &t->b->insn[n];
	x87_before(t, i);
	struct emit before = t->e;
	unsigned slow_before = t->nr_slow, groups_before = t->nr_groups;
	bool in_mem = t->in_mem, live = plan->live[n], x87 = t->x87, ended;
	bool turn = i->desc->attrs & A_BR && n + 1u < t->b->nr; /* only ways out */

	t->n = n;
	t->touches = plan->touches[n];
	t->live_next = plan->live[n + 1];
	t->dead = in_mem || !live;
	if (plan->touches[n] && live && in_mem) {
		emit_flags_restore(&t->e);
		t->in_mem = t->dead = false;
	} else if (!plan->touches[n] && accesses_memory(i) &&
		   (!plan->read_later[n] || accesses_until_flags(t, plan, n) >= SAVE_FOR)) {
		flags_to_memory(t);
	}
	if (t->places)
		t->places[n] = t->e.w;
	if (t->b->crosses)
		emit_second_page(t, i);
	if (translate_insn(t, i)) {
		ended = i->desc->attrs & A_BR;
		if (plan->touches[n])
			t->in_mem = false;
	} else {
		t->e = before;
		t->nr_slow = slow_before;
		t->nr_groups = groups_before;
		t->in_s1 = NULL;
		if (t->cold)
			t->e.end = t->cells;
		t->dead = in_mem || !live;
		t->x87 = x87;
		t->second_seen = NULL;
		flags_to_memory(t);
		x87_emit_last(t, &t->last);
		t->last = (struct x87_last){0};
		call_op(t, i, t->j->call_plain);
		t->vec = false;
		ended = i->desc->attrs & (A_BR | A_END);
	}
	t->dead = t->in_mem || !plan->live[n + 1];
	/* What is out of the way and comes back leaves S1 as it likes. Only what begins a group does not
	 * come back, if that is joined later: see emit_careful(). */
	for (unsigned k = slow_before; k < t->nr_slow && !turn; k++)
		if ((t->slow[k].kind != SLOW_MISS && t->slow[k].kind != SLOW_OP) ||
		    (t->in_s1 && t->in_s1->leader != n))
			t->in_s1 = NULL;
	reuse_step(t, i);
	if (!t->nr_groups)
		t->in_s1 = NULL;
	for (; slow_before < t->nr_slow; slow_before++) {
		struct slow *s = &t->slow[slow_before];
		if (s->kind == SLOW_X87)
			continue;
		s->back = ended ? NULL : t->e.w;
		s->vec = t->vec;
		s->wanted = !t->dead;
		if (s->kind == SLOW_STORED)
			s->save = !t->dead;
	}
	return ended;
}

/* What is emitted from here on is seldom run. */
static void go_cold(struct tr *t)
{
	t->cold = true;
	t->e.w = t->j->next_cold;
	t->e.end = t->cells;
}

/* All of the block; false when there is no room. */
static bool emit_block(struct tr *t)
{
	struct flags_plan plan;
	bool ended = false;
	flags_plan(t, &plan);
	emit_entries(t, &plan);
	t->dead = t->in_mem || !plan.live[0];
	if (t->j->count && !t->careful)
		emit_count(t);
	for (unsigned n = 0; n < t->b->nr; n++)
		ended = emit_insn(t, &plan, n);
	if (!ended) {
		x87_emit_last(t, &t->last);
		emit_goto(t, (int64_t)t->off + t->b->insn[t->b->nr].end);
	}
	if (t->e.overflow) /* its cells may not exist */
		return false;
	if (!t->cold) {
		t->hot = t->e.w;
		go_cold(t);
	}
	t->in_mem = t->dead = true;
	/* Where a jump from here did not fit there is nothing of this block to patch. */
	for (unsigned n = 0; n < t->nr_slow && !t->e.overflow; n++)
		emit_slow(t, &t->slow[n]);
	return !t->e.overflow;
}

static void init(struct tr *t, struct jit *j, const struct cpu_model *model, struct block *b,
		 uint64_t page_rip)
{
	memset(t, 0, offsetof(struct tr, slow)); /* which is large, and filled as it is used */
	t->j = j;
	t->b = b;
	t->model = model;
	t->page_rip = page_rip;
	t->fixed = b->key & BLOCK_FIXED;
	t->off = (int32_t)(t->b->gpa & ~PAGE_MASK);
	t->table = t->b->key >> BLOCK_MODE & 3;
	t->word = word_of(t->b);
	t->hot = j->next;
	t->e = (struct emit){.w = j->next, .end = j->first_cold, .to_exec = j->exec - j->write};
	t->cells = j->cells;
	reuse_init(t);
}

static void commit(struct tr *t)
{
	struct jit *j = t->j;
	uint64_t *n = j->stats.n;
	n[t->careful ? STAT_CAREFUL : STAT_TRANSLATED]++;
	n[STAT_HOT_BYTES] += (uint64_t)(t->hot - j->next);
	n[STAT_COLD_BYTES] += (uint64_t)(t->e.w - j->next_cold);
	n[STAT_CELL_BYTES] += (uint64_t)(j->cells - t->cells);
	j->next = t->hot;
	j->next_cold = t->e.w;
	j->cells = t->cells;
}

/* Displacements of jumps that did not fit are patched where they would be. */
#define MARGIN 64

static bool has_room(const struct jit *j)
{
	return j->first_cold - j->next >= MARGIN && j->cells - j->next_cold >= MARGIN;
}

bool jit_translate(struct jit *j, const struct cpu_model *model, struct block *b, uint64_t rip)
{
	struct tr t;
	b->runs = UINT32_MAX;
	init(&t, j, model, b, rip & PAGE_MASK);
	if (!t.word || !b->page || (b->crosses && !b->page2))
		return true;
	if (!has_room(j))
		return false;
	if (!emit_block(&t))
		return t.nr_slow == MAX_SLOW;
	if (!codemem_add_block(j, b))
		return true;
	b->code = t.entry[0];
	memcpy(b->entry, t.entry, sizeof(b->entry));
	b->second_seen = t.second_seen;
	commit(&t);
	return true;
}

static bool translate_careful(struct jit *j, const struct cpu_model *model, struct block *b,
			      uint64_t page_rip)
{
	uint8_t *places[BLOCK_MAX_INSNS];
	struct tr t;
	init(&t, j, model, b, page_rip);
	t.careful = true;
	t.places = places;
	go_cold(&t);
	uint32_t *table = take_room(&t, b->nr * sizeof(*table));
	if (!has_room(j) || t.e.overflow || !emit_block(&t) || !codemem_add_block(j, b))
		return false;
	for (unsigned n = 0; n < b->nr; n++)
		table[n] = (uint32_t)(places[n] - j->write);
	b->careful = table;
	commit(&t);
	return true;
}

bool jit_fill_careful(struct engine_cpu *e, struct careful *p)
{
	struct block *b = block_of(p->i);
	const uint8_t *cold = e->jit->next_cold;
	if ((!b->careful && !translate_careful(e->jit, e->core.model, b, e->js.page_rip)) ||
	    !codemem_careful(e->jit, p, b)) {
		if (p->flags)
			e->js.flags = (uint16_t)e->js.rax;
		e->js.left += (uint64_t)(b->nr - p->i->nth);
		e->js.no_room = true;
		e->cut = p->i - 1;
		e->cut_count = e->js.limit - e->js.left;
		return false;
	}
	perf_block(e, b, e->js.page_rip, cold, e->jit->next_cold, "_careful");
	return true;
}
