/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System instructions that kernels execute all the time and that need no C: interrupt flag, GS swap,
 * control register reads, segment bases, fences. That they are allowed is known from the block's key,
 * or is looked at first; what is not goes to the C operation. SDM vol. 2.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* and dword m, imm */
static void emit_and(struct emit *e, struct rm m, uint32_t imm)
{
	emit_rm(e, 0x81, 4, 4, m);
	emit32(e, imm);
}

/* or dword m, imm */
static void emit_or(struct emit *e, struct rm m, uint32_t imm)
{
	emit_rm(e, 0x81, 4, 1, m);
	emit32(e, imm);
}

/* test dword m, imm */
static void emit_test(struct emit *e, struct rm m, uint32_t imm)
{
	emit_rm(e, 0xf7, 4, 0, m);
	emit32(e, imm);
}

static bool ring0(const struct tr *t)
{
	return !(t->b->key & (BLOCK_RING3 | BLOCK_RING12));
}

static void op_if(struct tr *t, const struct insn *i, unsigned cc)
{
	add_slow(t, SLOW_OP, emit_jcc(&t->e, cc), i, false, 0);
}

/* The C operation when a feature is not enabled in CR4. */
static void need_cr4(struct tr *t, const struct insn *i, uint32_t bit)
{
	flags_to_memory(t);
	emit_test(&t->e, state(OFF_CORE(v.cr4)), bit);
	op_if(t, i, CC_E);
}

/* CLI, CLD, STD */
static bool set_rflags(struct tr *t, uint32_t clear, uint32_t set)
{
	flags_to_memory(t);
	if (clear)
		emit_and(&t->e, state(OFF_CORE(v.rflags)), ~clear);
	else
		emit_or(&t->e, state(OFF_CORE(v.rflags)), set);
	return true;
}

/* Counts down to where the C operation gives the host thread's time away. */
static bool tr_pause(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	struct rm left = state(OFF_CORE(pauses));
	emit_load(e, S1, left);
	emit_lea(e, 8, S1, rm_mem(S1, -1));
	emit_store(e, left, S1);
	emit_op_if_zero(t, i);
	return true;
}

static bool tr_cli(struct tr *t, const struct insn *i)
{
	(void)i;
	return ring0(t) && set_rflags(t, FL_IF, 0);
}

static bool tr_cld(struct tr *t, const struct insn *i)
{
	(void)i;
	return set_rflags(t, FL_DF, 0);
}

static bool tr_std(struct tr *t, const struct insn *i)
{
	(void)i;
	return set_rflags(t, 0, FL_DF);
}

/* No interrupt comes between STI and the instruction behind it, because translated code takes none
 * between two instructions of a block. One that waits already must come right after that one: this is
 * for the interpreter. */
static bool tr_sti(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	if (!ring0(t) || i->nth + 1 == t->b->nr)
		return false;
	flags_to_memory(t);
	emit_test(e, state(OFF_CORE(v.rflags)), FL_IF);
	uint8_t *set = emit_jcc(e, CC_NE);
	emit_load(e, S1, state(OFF_CORE(events)));
	emit_rm(e, 0x83, 4, 7, rm_mem(S1, 0)); /* cmp */
	emit8(e, 0);
	op_if(t, i, CC_NE);
	emit_or(e, state(OFF_CORE(v.rflags)), FL_IF);
	emit_patch(set, e->w);
	return true;
}

/* Of what PUSHF hides, VM and RF, neither is set in translated code. */
static bool tr_pushf(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	if (i->osz != t->word)
		return false;
	flags_to_memory(t);
	emit_rm(e, 0x0fb6, 4, S1, state(OFF_JS(flags) + 1)); /* movzx: of LAHF */
	emit_rm(e, 0x0fb6, 4, S2, state(OFF_JS(flags)));     /* of SETO */
	emit_and(e, rm_reg(S1), (FL_STATUS | FL_1) & 0xff);
	emit_rm(e, 0xc1, 4, 4, rm_reg(S2)); /* shl */
	emit8(e, 11);
	emit_rm(e, 0x0b, 4, S1, rm_reg(S2)); /* or */
	emit_rm(e, 0x0b, 4, S1, state(OFF_CORE(v.rflags)));
	emit_store(e, state(OFF_JS(spill2)), S1);
	emit_stack(t, i, -(int32_t)t->word, true);
	emit_store(e, state(OFF_JS(spill)), S2);
	emit_load(e, S2, state(OFF_JS(spill2)));
	emit_rm(e, 0x89, t->word, S2, rm_mem(S1, 0));
	emit_load(e, S2, state(OFF_JS(spill)));
	emit_move_stack(t, -1);
	emit_stored(t, i);
	return true;
}

static void emit_swap(struct emit *e, struct rm a, struct rm b)
{
	emit_load(e, S1, a);
	emit_load(e, S2, b);
	emit_store(e, a, S2);
	emit_store(e, b, S1);
}

/* Kernel code with AC set has a mode of its own while CR4.SMAP is set: what follows is a block of that
 * mode, in its context. */
static bool tr_stac_clac(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	bool on = i->op == op_stac;
	if (!ring0(t) || t->table == TLB_MODES)
		return false;
	flags_to_memory(t);
	if (on && t->table == TLB_KERNEL) {
		emit_test(e, state(OFF_CORE(v.cr4)), CR4_SMAP);
		op_if(t, i, CC_E);
	}
	if (on)
		emit_or(e, state(OFF_CORE(v.rflags)), FL_AC);
	else
		emit_and(e, state(OFF_CORE(v.rflags)), ~(uint32_t)FL_AC);
	if (on == (t->table == TLB_KERNEL_AC))
		return true;
	emit_rm(e, 0xc6, 1, 0, state(OFF_CORE(tlb_mode))); /* mov */
	emit8(e, on ? TLB_KERNEL_AC : TLB_KERNEL);
	emit_swap(e, state(OFF_JS(context)), state(OFF_JS(ac_context)));
	emit_swap(e, state(OFF_JS(cell_key)), state(OFF_JS(ac_cell_key)));
	return true;
}

static bool tr_swapgs(struct tr *t, const struct insn *i)
{
	(void)i;
	if (!ring0(t))
		return false;
	emit_swap(&t->e, state(OFF_CORE(v.seg[GS].base)), state(OFF_CORE(v.kernel_gs_base)));
	return true;
}

/* A guest register from m, with zeros above. */
static void load_reg(struct tr *t, unsigned size, unsigned reg, struct rm m)
{
	unsigned h = pinned(reg) ? (unsigned)host_reg(reg) : S1;
	emit_rm(&t->e, 0x8b, size, h, m);
	if (!pinned(reg))
		emit_store(&t->e, gpr_slot(reg), S1);
}

static bool tr_mov_from_cr(struct tr *t, const struct insn *i)
{
	static const int32_t where[] = {[0] = OFF_CORE(v.cr0),
					[2] = OFF_CORE(v.cr2),
					[3] = OFF_CORE(v.cr3),
					[4] = OFF_CORE(v.cr4)};
	unsigned n = i->o[1].reg;
	if (!ring0(t) || n > 4 || n == 1)
		return false;
	load_reg(t, t->word, i->o[0].reg, state(where[n]));
	return true;
}

static bool tr_read_base(struct tr *t, const struct insn *i)
{
	unsigned seg = i->op == op_rdfsbase ? FS : GS;
	need_cr4(t, i, CR4_FSGSBASE);
	load_reg(t, i->o[0].size, i->o[0].reg, state(OFF_CORE(v.seg[seg].base)));
	return true;
}

/* What is canonical only with 57 bits is left to C. */
static bool tr_write_base(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned seg = i->op == op_wrfsbase ? FS : GS;
	need_cr4(t, i, CR4_FSGSBASE);
	emit_rm(e, 0x8b, i->o[0].size, S1, guest(i->o[0].reg));
	emit_rm(e, 0x8b, 8, S2, rm_reg(S1));
	emit_rm(e, 0xc1, 8, 4, rm_reg(S2)); /* shl */
	emit8(e, 16);
	emit_rm(e, 0xc1, 8, 7, rm_reg(S2)); /* sar */
	emit8(e, 16);
	emit_rm(e, 0x3b, 8, S2, rm_reg(S1)); /* cmp */
	op_if(t, i, CC_NE);
	emit_store(e, state(OFF_CORE(v.seg[seg].base)), S1);
	return true;
}

static bool tr_rdpkru(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	need_cr4(t, i, CR4_PKE);
	emit_test(e, guest(RCX), 0xffffffff);
	op_if(t, i, CC_NE);
	emit_load32(e, H_RAX, state(OFF_CORE(v.pkru)));
	emit_mov_imm(e, H_RDX, 0);
	return true;
}

/* LFENCE, MFENCE, SFENCE */
static bool tr_fence(struct tr *t, const struct insn *i)
{
	emit8(&t->e, 0x0f);
	emit8(&t->e, 0xae);
	emit8(&t->e, i->modrm);
	return true;
}

tr_fn *system_handler(const struct insn *i)
{
	static const struct {
		op_fn *op;
		tr_fn *tr;
	} handlers[] = {
	    {op_cli, tr_cli},
	    {op_pause, tr_pause},
	    {op_sti, tr_sti},
	    {op_stac, tr_stac_clac},
	    {op_clac, tr_stac_clac},
	    {op_pushf, tr_pushf},
	    {op_swapgs, tr_swapgs},
	    {op_cld, tr_cld},
	    {op_std, tr_std},
	    {op_mov_from_cr, tr_mov_from_cr},
	    {op_rdpkru, tr_rdpkru},
	    {op_fence, tr_fence},
	    {op_rdfsbase, tr_read_base},
	    {op_rdgsbase, tr_read_base},
	    {op_wrfsbase, tr_write_base},
	    {op_wrgsbase, tr_write_base},
	};
	for (unsigned k = 0; k < sizeof(handlers) / sizeof(handlers[0]); k++)
		if (handlers[k].op == i->op)
			return handlers[k].tr;
	return NULL;
}
