/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Status flags of generated code.
 *
 * They are in the host's RFLAGS where an instruction makes or needs them, and in js.flags otherwise:
 * between blocks, and in the rest of a block behind the last instruction that needs them. There, code
 * for memory accesses and jumps may use flags of its own. js.flags is the image that LAHF and SETO leave
 * in AX.
 */
#include "accel/jit/translate.h"
#include "cpu/alu.h"
#include "cpu/decode.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* How far to look for what becomes of the flags behind a jump. */
#define LOOK_AHEAD 16

void emit_flags_save(struct emit *e)
{
	emit_rm(e, 0x8b, 8, S2, rm_reg(H_RAX));
	emit_flags_to_ax(e);
	emit_rm(e, 0x89, 2, H_RAX, rm_mem(STATE, OFF_JS(flags)));
	emit_rm(e, 0x8b, 8, H_RAX, rm_reg(S2));
}

void emit_flags_restore(struct emit *e)
{
	emit_rm(e, 0x8b, 8, S2, rm_reg(H_RAX));
	emit_rm(e, 0x0fb7, 4, H_RAX, rm_mem(STATE, OFF_JS(flags))); /* movzx */
	emit_flags_from_ax(e);
	emit_rm(e, 0x8b, 8, H_RAX, rm_reg(S2));
}

void flags_to_memory(struct tr *t)
{
	if (!t->dead)
		emit_flags_save(&t->e);
	t->in_mem = t->dead = true;
}

void flags_effect(const struct insn *i, uint64_t *reads, uint64_t *writes)
{
	uint64_t attrs = i->desc->attrs;
	bool maybe = i->rep;
	*reads = attrs >> 12 & CC_ALL;
	*writes = (attrs | attrs >> 6) & CC_ALL;
	if (is_shift(i)) { /* reads flags so that they stay when the count is zero */
		maybe = i->o[i->op == op_shld || i->op == op_shrd ? 2 : 1].kind != OPK_IMM ||
			!alu_count((unsigned)i->imm, i->o[0].size);
		*reads = i->op == op_rcl || i->op == op_rcr ? CC_BITS(FL_CF) : 0;
	}
	/* An instruction that may leave flags alone needs what was there before. */
	if (maybe) {
		*reads |= *writes;
		*writes = 0;
	}
	if (attrs & A_END) /* may hand them to another context */
		*reads = CC_ALL;
}

static enum flags_use look_ahead(const struct tr *t, int32_t off)
{
	const struct block *b = t->b;
	uint64_t live = CC_ALL, reads, writes;
	struct insn i;
	for (unsigned n = 0; n < LOOK_AHEAD; n++) {
		if (off < 0 || off >= (int32_t)PAGE_SIZE ||
		    decode(&i, b->host + off, PAGE_SIZE - (unsigned)off, t->word, t->model) !=
			DECODE_OK)
			break;
		flags_effect(&i, &reads, &writes);
		if (reads & live)
			return FLAGS_NEEDED;
		if (i.rep)
			break;
		live &= ~writes;
		if (!live) /* who counts also compares at the end of blocks */
			return t->j->count ? FLAGS_KEPT : FLAGS_DEAD;
		if (i.op == op_jmp_rel && i.osz == t->word)
			off += (int32_t)i.len + (int32_t)i.imm;
		else if (i.desc->attrs & (A_BR | A_END))
			break;
		else
			off += i.len;
	}
	return live == CC_ALL ? FLAGS_KEPT : FLAGS_NEEDED;
}

enum flags_use flags_use_at(struct tr *t, int32_t off)
{
	for (unsigned n = 0; n < FLAGS_SEEN && n < t->nr_seen; n++)
		if (t->seen[n].off == off)
			return t->seen[n].use;
	struct flags_memo *m = &t->seen[t->nr_seen++ % FLAGS_SEEN];
	*m = (struct flags_memo){off, look_ahead(t, off)};
	return m->use;
}

/* Whether what is at a page offset, in this page or elsewhere, may need them. */
static bool live_at(struct tr *t, int64_t off)
{
	return off < 0 || off >= PAGE_SIZE || flags_use_at(t, (int32_t)off) != FLAGS_DEAD;
}

/* Whether any way out of the block needs the flags. */
static bool live_out(struct tr *t)
{
	const struct insn *i = &t->b->insn[t->b->nr - 1];
	int64_t next = (int64_t)t->off + i->end, to = next + (int64_t)i->imm;
	bool direct = i->op == op_jmp_rel || i->op == op_jcc || i->op == op_call_rel;
	if (i->desc->attrs & (A_BR | A_END) && !direct)
		return true;
	if (direct && (i->osz != t->word || live_at(t, to)))
		return true;
	if (direct && i->op != op_jcc)
		return false;
	return live_at(t, next);
}

void flags_plan(struct tr *t, struct flags_plan *plan)
{
	bool read_later = false;
	uint64_t live = live_out(t) ? CC_ALL : 0, reads, writes;
	plan->first_reads = false;
	plan->live[t->b->nr] = live;
	for (int n = t->b->nr - 1; n >= 0; n--) {
		const struct insn *i = &t->b->insn[n];
		if (n < t->b->nr - 1 && i->op == op_jcc && live_at(t, side_of(t, i)))
			live = CC_ALL;
		flags_effect(i, &reads, &writes);
		live = (live & ~writes) | reads;
		/* Between two iterations the block may be left, with all of the state as it should be. */
		if (i->rep)
			live = CC_ALL;
		plan->live[n] = live;
		/* C operations and what system.c translates take them from js.flags. */
		if (t->b->insn[n].op == op_pushf || t->b->insn[n].desc->attrs & A_END)
			reads = writes = 0;
		plan->touches[n] = reads | writes;
		plan->read_later[n] = read_later;
		if (reads | writes) {
			read_later = live;
			plan->first_reads = live;
		}
	}
}
