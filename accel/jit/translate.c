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

/* ---- memory operands ---- */

/* S1 = effective address of i's memory operand. S2 is clobbered; flags stay. */
static void emit_ea(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	int64_t disp = t->word == 4 ? (int32_t)i->disp : i->disp;
	unsigned base = S1, index = H_RSP;
	bool have_base = true;

	if (i->base == REG_RIP) {
		emit_load(e, S1, state(OFF_JS(page_rip)));
		disp += t->off;
	} else if (i->base == REG_ZERO) {
		have_base = false;
	} else if (pinned(i->base)) {
		base = (unsigned)host_reg(i->base);
	} else {
		emit_load(e, S1, gpr_slot(i->base));
	}
	if (i->index != REG_ZERO) {
		index = S2;
		if (pinned(i->index))
			index = (unsigned)host_reg(i->index);
		else
			emit_load(e, S2, gpr_slot(i->index));
	}
	if (!have_base || disp != (int32_t)disp) {
		/* The displacement becomes the base, or is added to it by way of S1. */
		if (have_base) {
			if (index != H_RSP)
				emit_lea(e, 8, S1, rm_index(base, index, i->scale, 0));
			else if (base != S1)
				emit_rm(e, 0x8b, 8, S1, rm_reg(base));
			emit_mov_imm(e, S2, (uint64_t)disp);
			emit_lea(e, t->word, S1, rm_index(S1, S2, 0, 0));
		} else {
			emit_mov_imm(e, S1, t->word == 4 ? (uint32_t)disp : (uint64_t)disp);
			if (index != H_RSP)
				emit_lea(e, t->word, S1, rm_index(S1, index, i->scale, 0));
		}
	} else if (index != H_RSP || disp || base != S1) {
		emit_lea(e, t->word, S1, rm_index(base, index, i->scale, (int32_t)disp));
	}
}

/* Not-zero S1: the C operation. */
void emit_op_unless_zero(struct tr *t, const struct insn *i)
{
	emit_jrcxz_over_jmp(&t->e);
	add_slow(t, SLOW_OP, emit_jmp(&t->e), i, false, 0);
}

/* S1 = linear address of `size` bytes at i's memory operand. S2 is clobbered; flags stay. */
void emit_address(struct tr *t, const struct insn *i, unsigned size)
{
	struct emit *e = &t->e;
	if (i->seg != FS && i->seg != GS) {
		emit_ea(t, i);
		return;
	}
	if (t->word == 8) {
		emit_ea(t, i);
		emit_load(e, S2, state(OFF_CORE(v.seg[i->seg].base)));
		emit_lea(e, 8, S1, rm_index(S1, S2, 0, 0));
		return;
	}
	/* Data segments of 4 GiB anywhere; the offset's last byte may not be beyond. */
	emit_load(e, S1, state(OFF_JS(bounded[i->seg - FS])));
	emit_op_unless_zero(t, i);
	emit_ea(t, i);
	emit_rm(e, 0x8b, 4, S2, rm_reg(S1));
	if (size > 1) {
		emit_lea(e, 8, S1, rm_mem(S1, (int32_t)size - 1));
		emit_upper_half(e, S1);
		emit_op_unless_zero(t, i);
	}
	emit_load(e, S1, state(OFF_CORE(v.seg[i->seg].base)));
	emit_lea(e, 4, S1, rm_index(S1, S2, 0, 0));
}

static struct rm tlb_slot(const struct tr *t, size_t field)
{
	return rm_index(STATE, S2, 3,
			(int32_t)(offsetof(struct engine_cpu, js.tlb) +
				  t->mode * sizeof(struct jit_tlb) + field));
}
#define TLB_SLOT(f) tlb_slot(t, offsetof(struct jit_tlb, f))

/* S1 = linear address -> host address; S2 = its ram_page for a write. A miss goes to the C operation
 * with nothing changed. */
void emit_translate(struct tr *t, const struct insn *i, unsigned size, bool write)
{
	struct emit *e = &t->e;
	emit_pext(e, S2, S1, state(OFF_JS(index_mask)));
	if (t->dead) {
		emit_rm(e, 0x2b, 8, S1, write ? TLB_SLOT(wr) : TLB_SLOT(rd)); /* sub */
		emit_rm(e, 0x81, 8, 7, rm_reg(S1));                           /* cmp */
		emit32(e, PAGE_SIZE - size);
		add_slow(t, SLOW_OP, emit_jcc(e, CC_A), i, false, 0);
		emit_rm(e, 0x03, 8, S1, TLB_SLOT(host)); /* add */
	} else {
		/* Without flags: -tag - 1 + address + size, and no bit above the page offset. */
		emit_store(e, state(OFF_JS(spill)), H_RDX);
		emit_rm(e, 0x8b, 8, H_RDX, rm_reg(S1));
		emit_load(e, S1, write ? TLB_SLOT(wr) : TLB_SLOT(rd));
		emit_rm(e, 0xf7, 8, 2, rm_reg(S1)); /* not */
		emit_lea(e, 8, H_RDX, rm_index(H_RDX, S1, 0, 1));
		/* The first byte decides the page; the last one, that it is the only page. */
		emit_pext(e, S1, H_RDX, state(OFF_JS(page_mask)));
		emit_jrcxz_over_jmp(e);
		add_slow(t, SLOW_OP, emit_jmp(e), i, true, 0);
		if (size > 1) {
			emit_lea(e, 8, S1, rm_mem(H_RDX, (int32_t)size - 1));
			emit_pext(e, S1, S1, state(OFF_JS(page_mask)));
			emit_jrcxz_over_jmp(e);
			add_slow(t, SLOW_OP, emit_jmp(e), i, true, 0);
		}
		emit_load(e, S1, TLB_SLOT(host));
		emit_lea(e, 8, S1, rm_index(S1, H_RDX, 0, 0));
		emit_load(e, H_RDX, state(OFF_JS(spill)));
	}
	if (write)
		emit_load(e, S2, TLB_SLOT(page));
}

static void emit_mem(struct tr *t, const struct insn *i, unsigned size, bool write)
{
	emit_address(t, i, size);
	emit_translate(t, i, size, write);
}

/* After a store, with its ram_page in S2: pages with flags need more. Flags stay. */
void emit_stored(struct tr *t, const struct insn *i)
{
	emit_rm(&t->e, 0x0fb6, 4, S1, rm_mem(S2, offsetof(struct ram_page, flags)));
	emit_jrcxz_over_jmp(&t->e);
	add_slow(t, SLOW_STORED, emit_jmp(&t->e), i, false, 0);
}

/* ---- shapes ---- */

/* A 32-bit result in a register that lives in memory still clears the upper half. */
static void clear_upper(struct tr *t, unsigned g, unsigned size)
{
	if (size == 4)
		emit_store_imm32(&t->e, state(OFF_GPR(g) + 4), 0);
}

/* reg <- reg op r/m. `reads`: the register is an input; `src`: bytes of the r/m operand. */
static void shape_reg_rm(struct tr *t, const struct insn *i, unsigned pfx, uint32_t opcode,
			 unsigned nr, unsigned nm, bool reads, bool writes)
{
	const struct operand *r = &i->o[nr], *m = &i->o[nm];
	struct rm src;
	unsigned reg = S2;
	if (m->kind == OPK_MEM) {
		emit_mem(t, i, m->size, false);
		src = rm_mem(S1, 0);
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

/* r/m <- r/m op reg. */
static void shape_rm_reg(struct tr *t, const struct insn *i, uint32_t opcode, bool writes)
{
	const struct operand *m = &i->o[0], *r = &i->o[1];
	unsigned reg = S2;
	if (pinned(r->reg))
		reg = (unsigned)host_reg(r->reg);
	if (m->kind == OPK_MEM) {
		emit_mem(t, i, m->size, writes);
		if (reg == S2) {
			if (writes)
				emit_store(&t->e, state(OFF_JS(spill)), S2);
			emit_load(&t->e, S2, gpr_slot(r->reg));
		}
		if (i->lock)
			emit8(&t->e, 0xf0);
		emit_rm(&t->e, opcode, m->size, reg, rm_mem(S1, 0));
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

/* r/m <- op r/m [, imm]. imm_size 0: none. */
static void shape_rm(struct tr *t, const struct insn *i, uint32_t opcode, unsigned ext,
		     unsigned imm_size, uint64_t imm, bool writes)
{
	const struct operand *m = &i->o[0];
	struct rm dst;
	if (m->kind == OPK_MEM) {
		emit_mem(t, i, m->size, writes);
		dst = rm_mem(S1, 0);
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

static bool plain(const struct operand *o)
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
	if (size < 4)
		return false;
	emit_ea(t, i);
	if (pinned(d))
		emit_rm(&t->e, 0x8b, size, (unsigned)host_reg(d), rm_reg(S1));
	else if (size == 8)
		emit_store(&t->e, gpr_slot(d), S1);
	else {
		emit_rm(&t->e, 0x89, 4, S1, gpr_slot(d));
		clear_upper(t, d, 4);
	}
	return true;
}

/* Shifts and rotates, D0 and C0 groups; by CL only for registers, since rcx is scratch. */
static bool tr_shift(struct tr *t, const struct insn *i, unsigned ext)
{
	unsigned byte = i->o[0].size == 1 ? 0 : 1;
	if (i->o[1].kind == OPK_IMM) {
		shape_rm(t, i, 0xc0 | byte, ext, 1, i->imm, true);
		return true;
	}
	if (i->o[0].kind != OPK_REG || i->o[1].kind != OPK_REG)
		return false;
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
		emit_mem(t, i, m->size, false);
		src = rm_mem(S1, 0);
	}
	emit_rm(&t->e, 0x69, d->size, reg, src);
	emit32(&t->e, (uint32_t)i->imm);
	if (reg == S2)
		emit_store(&t->e, gpr_slot(d->reg), S2);
	return true;
}

/* BT BTS BTR BTC on registers; memory bit strings are left to C. */
static bool tr_bt(struct tr *t, const struct insn *i, unsigned n)
{
	if (i->o[0].kind != OPK_REG || i->o[0].size < 4)
		return false;
	if (i->o[1].kind == OPK_IMM) {
		shape_rm(t, i, 0x0fba, 4 + n, 1, i->imm, n != 0);
		return true;
	}
	/* With a memory r/m the bit offset would reach outside of v.gpr. */
	if (!pinned(i->o[0].reg))
		return false;
	shape_rm_reg(t, i, 0x0fa3 | n << 3, n != 0);
	return true;
}

static bool tr_bswap(struct tr *t, const struct insn *i)
{
	unsigned g = i->o[0].reg;
	if (!pinned(g) || i->o[0].size < 4)
		return false;
	unsigned h = (unsigned)host_reg(g);
	if (i->o[0].size == 8 || h >= 8)
		emit8(&t->e, (uint8_t)(0x40 | (i->o[0].size == 8 ? 8 : 0) | h >> 3));
	emit8(&t->e, 0x0f);
	emit8(&t->e, (uint8_t)(0xc8 | (h & 7)));
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

/* ---- stack and control transfer ---- */

/* The stack slot at guest RSP + at: S1 = host address, S2 = page for writes. */
static void emit_stack(struct tr *t, const struct insn *i, int32_t at, bool write)
{
	emit_lea(&t->e, t->word, S1, rm_mem(H_R15, at));
	emit_translate(t, i, t->word, write);
}

/* RSP += slots */
static void emit_move_stack(struct tr *t, int slots)
{
	emit_lea(&t->e, t->word, H_R15, rm_mem(H_R15, slots * (int32_t)t->word));
}

static bool tr_push(struct tr *t, const struct insn *i)
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

static bool tr_pop(struct tr *t, const struct insn *i)
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
static bool tr_leave(struct tr *t, const struct insn *i)
{
	if (i->osz != t->word)
		return false;
	emit_rm(&t->e, 0x8b, t->word, S1, rm_reg(H_RBP));
	emit_translate(t, i, t->word, false);
	emit_lea(&t->e, t->word, H_R15, rm_mem(H_RBP, (int32_t)t->word));
	emit_rm(&t->e, 0x8b, t->word, H_RBP, rm_mem(S1, 0));
	return true;
}

/* Goes to page offset `to` (any value; outside of the page by lookup). */
static void emit_goto(struct tr *t, int64_t to)
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

static bool tr_flow(struct tr *t, const struct insn *i)
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

/* ---- selection ---- */

static const struct {
	op_fn *op;
	uint8_t n;
} alu_ops[] = {{op_add, 0}, {op_or, 1},  {op_adc, 2}, {op_sbb, 3},
	       {op_and, 4}, {op_sub, 5}, {op_xor, 6}, {op_cmp, 7}},
  shift_ops[] = {{op_rol, 0}, {op_ror, 1}, {op_rcl, 2}, {op_rcr, 3},
		 {op_shl, 4}, {op_shr, 5}, {op_sar, 7}},
  bt_ops[] = {{op_bt, 0}, {op_bts, 1}, {op_btr, 2}, {op_btc, 3}};
#define FIND_OP(t)                                                                                 \
	for (unsigned k = 0; k < sizeof(t) / sizeof((t)[0]); k++)                                  \
		if ((t)[k].op == i->op)

static bool tr_group(struct tr *t, const struct insn *i)
{
	FIND_OP(alu_ops) return tr_alu(t, i, alu_ops[k].n);
	FIND_OP(shift_ops) return tr_shift(t, i, shift_ops[k].n);
	FIND_OP(bt_ops) return tr_bt(t, i, bt_ops[k].n);
	return false;
}

/* Those whose shapes below write LOCK. */
static bool lockable(const struct insn *i)
{
	FIND_OP(alu_ops) return true;
	return i->op == op_inc || i->op == op_dec || i->op == op_not || i->op == op_neg;
}

/* Emits i; false when it has no translation (nothing has been emitted then that matters). */
static bool translate_insn(struct tr *t, const struct insn *i)
{
	const struct operand *a = &i->o[0], *b = &i->o[1];
	unsigned byte = a->size == 1 ? 0 : 1;
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
	if (i->op == op_bswap)
		return tr_bswap(t, i);
	return tr_group(t, i);
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

/* Which instructions may clobber the status flags before they do their own work. An instruction that
 * may leave flags alone (a shift by 0) does not count as a writer. */
static void find_dead_flags(const struct block *b, bool *dead)
{
	uint64_t live = CC_ALL;
	for (int n = b->nr - 1; n >= 0; n--) {
		const struct insn *i = &b->insn[n];
		/* What is left undefined need not be what it was before. */
		uint64_t attrs = i->desc->attrs, writes = (attrs | attrs >> 6) & CC_ALL;
		bool shift = i->op == op_shld || i->op == op_shrd;
		for (unsigned k = 0; k < sizeof(shift_ops) / sizeof(shift_ops[0]); k++)
			shift |= shift_ops[k].op == i->op;
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
