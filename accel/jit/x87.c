/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Translation of x87 and MMX instructions: the guest's instruction itself, with its memory operand
 * addressed through the TLB.
 *
 * The guest's registers, status and control word are in the host's x87 unit, or all are in v.fpu:
 * js.x87_dead says which. A block asks when it comes to its first such instruction, and loads them if
 * need be. They stay until generated code is left. C code meanwhile finds a unit that is not empty:
 * it is compiled not to use x87 registers, and operations that execute the guest's x87 instructions
 * get the state in v.fpu (see jit_exec_op()).
 *
 * That the instructions may be used and that all exceptions are masked is in the block's key, so none
 * can be pending, nothing waits, and every result is committed.
 *
 * FIP, FOP and FDP are the guest's own, not those of the host's unit. What is known when a block is
 * translated is written down once for a row of instructions, as late as possible, or where a row is
 * left for C code: t->last. Selectors are added by x87_pointers(), for in generated code no segment
 * register changes. SDM vol. 1 chapters 8 and 9.
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"
#include "cpu/x87_host.h"

/* ---- the host's unit ---- */

void x87_to_host(struct engine_cpu *e)
{
	x87_host_load(&e->core.v.fpu);
	e->js.x87_dead = 0;
}

void x87_to_guest(struct engine_cpu *e)
{
	if (e->js.x87_dead)
		return;
	x87_host_store(&e->core.v.fpu);
	e->js.x87_dead = 1;
}

bool jit_x87_load(struct engine_cpu *e, const struct insn *i)
{
	(void)i;
	x87_to_host(e);
	return false;
}

/* The guest's x87 registers are in the host's from here on. Clobbers S1; flags stay. */
static void want_registers(struct tr *t, const struct insn *i)
{
	if (t->x87)
		return;
	emit_load(&t->e, S1, state(OFF_JS(x87_dead)));
	emit_jrcxz_over_jmp(&t->e);
	add_slow(t, SLOW_X87, emit_jmp(&t->e), i, false, 0);
	if (t->e.overflow)
		return;
	t->slow[t->nr_slow - 1].back = t->e.w;
	t->slow[t->nr_slow - 1].vec = t->vec;
	t->slow[t->nr_slow - 1].wanted = !t->dead;
	t->x87 = true;
}

/* ---- pointers ---- */

/* js.x87_last: 1, FOP (11 bits), 0000, offset in the page (12 bits) */
enum { LAST_VALID = 1u << 27, LAST_FOP_SHIFT = 16 };

static uint32_t last_word(const struct tr *t, const struct insn *i)
{
	uint32_t fop = (i->desc->opcode & 7u) << 8 | i->modrm;
	return LAST_VALID | fop << LAST_FOP_SHIFT | (uint32_t)(t->off + i->end - i->len);
}

void x87_pointers(struct engine_cpu *e)
{
	struct jit_state *js = &e->js;
	struct vcpu *v = &e->core.v;
	if (js->x87_last) {
		v->fpu.fop = js->x87_last >> LAST_FOP_SHIFT & 0x7ff;
		v->fpu.fip = js->x87_page + (js->x87_last & ~PAGE_MASK);
		v->fpu.fcs = v->seg[CS].sel;
		js->x87_last = 0;
	}
	if (js->x87_seg) {
		v->fpu.fds = v->seg[js->x87_seg - 1].sel;
		js->x87_seg = 0;
	}
}

void x87_emit_last(struct tr *t, const struct x87_last *last)
{
	struct emit *e = &t->e;
	if (last->i) {
		emit_store_imm(e, 4, state(OFF_JS(x87_last)), last_word(t, last->i));
		emit_load(e, S1, state(OFF_JS(page_rip)));
		emit_store(e, state(OFF_JS(x87_page)), S1);
	}
	if (last->mem) {
		emit_store_imm(e, 4, state(OFF_JS(x87_seg)), last->mem->seg + 1u);
		emit_ea(t, last->mem);
		emit_store(e, state(OFF_CORE(v.fpu.fdp)), S1);
	}
}

void x87_before(struct tr *t, const struct insn *i)
{
	if (i->desc->attrs & A_BR) {
		x87_emit_last(t, &t->last);
		t->last = (struct x87_last){0};
	} else if (!(i->desc->attrs & A_X87) || i->op == op_fnstsw_ax) {
		x87_emit_last(t, &(struct x87_last){.mem = t->last.mem});
		t->last.mem = NULL;
	}
}

/* ---- x87 ---- */

static void done(struct tr *t, const struct insn *i)
{
	t->last.i = i;
	if (i->o[0].kind == OPK_MEM)
		t->last.mem = i;
}

/* Control instructions leave the pointers alone. */
static bool is_control(const struct insn *i)
{
	return i->op == op_fldcw || i->op == op_fnstcw || i->op == op_fnstsw ||
	       i->op == op_fnstsw_ax || i->op == op_fnclex || i->op == op_x87_nop;
}

/* A word that would unmask something is for the C operation. The one that is loaded is a copy, since
 * another processor may write to memory after the look at it. */
static void emit_fldcw(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	emit_rm(e, 0x0fb7, 4, S2, rm_mem(S1, 0));
	emit_store(e, state(OFF_JS(spill2)), S2);
	emit_pext(e, S1, S2, state(OFF_JS(fcw_masks)));
	emit_lea(e, 8, S1, rm_mem(S1, -0x3f));
	emit_op_unless_zero(t, i);
	emit_rm(e, 0xd9, 4, 5, state(OFF_JS(spill2)));
}

static bool tr_fpu(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->o[0];
	unsigned reg = i->modrm >> 3 & 7;
	bool store = i->desc->attrs & A_ST, mem = i->modrm < 0xc0;

	if (i->desc->map != M1 || i->op == op_fninit || (mem && !o->size))
		return false;
	if (i->op == op_x87_nop)
		return true;
	struct rm m = rm_reg(i->modrm & 7);
	want_registers(t, i);
	if (i->op == op_fldcw)
		emit_mem(t, i, o->size, store);
	else if (mem)
		m = emit_reach(t, i, o->size, store);
	if (i->op == op_fldcw)
		emit_fldcw(t, i);
	else
		emit_rm(&t->e, i->desc->opcode, 4, reg, m);
	if (!is_control(i))
		done(t, i);
	if (store && mem)
		emit_stored(t, i);
	return true;
}

/* ---- MMX ---- */

/* Those whose host instruction does nothing but what the C operation does. */
static op_fn *const mmx_ops[] = {
    op_mmx_pq,  op_mmx_cat, op_mmx_hi,      op_mmx_ni,    op_movq_pq,   op_movq_qp,
    op_movd_pe, op_movd_ep, op_pmovmskb_mm, op_pextrw_mm, op_pinsrw_mm, op_emms,
};

static bool known_mmx(op_fn *op)
{
	for (size_t k = 0; k < sizeof(mmx_ops) / sizeof(mmx_ops[0]); k++)
		if (mmx_ops[k] == op)
			return true;
	return false;
}

/* The general register of operand o: S2 stands in for one that lives in memory. */
static unsigned general(struct tr *t, const struct operand *o, bool written)
{
	if (pinned(o->reg))
		return (unsigned)host_reg(o->reg);
	if (!written)
		emit_load(&t->e, S2, gpr_slot(o->reg));
	return S2;
}

static bool tr_mmx(struct tr *t, const struct insn *i)
{
	static const uint16_t maps[] = {[M0F] = 0x0f, [M0F38] = 0x0f38, [M0F3A] = 0x0f3a};
	const struct opcode *d = i->desc;
	unsigned reg = i->modrm >> 3 & 7, opcode = d->opcode;
	struct rm rm = rm_reg(i->modrm & 7);
	bool store = i->o[0].kind == OPK_MEM, imm = false;

	if (!known_mmx(i->op))
		return false;
	want_registers(t, i);
	if (i->op == op_emms) {
		emit8(&t->e, 0x0f);
		emit8(&t->e, 0x77);
		return true;
	}
	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &i->o[n];
		if (o->kind == OPK_MEM) {
			rm = emit_reach(t, i, o->size, store);
		} else if (o->kind == OPK_REG) {
			unsigned g = general(t, o, n == 0);
			if (d->o[n] == Gd)
				reg = g;
			else
				rm = rm_reg(g);
		}
		imm |= o->kind == OPK_IMM;
	}
	if (i->op == op_movq_qp) /* non-temporal stores bypass the order of guest's fences */
		opcode = 0x7f;
	emit_op(&t->e, 0, (uint32_t)maps[d->map] << 8 | opcode, i->rex & 8 ? 8 : 4, reg, rm, false,
		false);
	if (imm)
		emit8(&t->e, (uint8_t)i->imm);
	if (i->o[0].kind == OPK_REG && !pinned(i->o[0].reg))
		emit_store(&t->e, gpr_slot(i->o[0].reg), S2);
	if (store)
		emit_stored(t, i);
	return true;
}

/* ---- selection ---- */

bool is_x87(const struct insn *i)
{
	return i->desc->attrs & (A_X87 | A_MMX) || i->op == op_fwait;
}

bool tr_x87(struct tr *t, const struct insn *i)
{
	uint64_t attrs = i->desc->attrs;
	if (!(t->b->key & BLOCK_X87) || i->lock || !addressable(t, i))
		return false;
	if (!cpu_has(&t->j->host, i->desc->feature))
		return false;
	if (t->word == 4 && i->seg == CS && attrs & A_ST) /* #GP */
		return false;
	if (i->op == op_fwait)
		return true;
	if (attrs & A_X87)
		return tr_fpu(t, i);
	return !(attrs & A_SSE) && tr_mmx(t, i);
}
