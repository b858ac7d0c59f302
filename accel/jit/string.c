/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * String instructions. SDM vol. 1 5.1.8, vol. 2 REP.
 *
 * A repeated one is a call of hand-made code, made once for each operation and element size, that goes
 * from page to page: it looks both addresses up, has the host repeat its own instruction as far as
 * both pages and the count reach, and commits registers before it looks on. So faults, interrupts and
 * stores to code find the instruction between two iterations. Host addresses overlap as the guest's
 * physical ones do, and the host's instruction goes element by element whatever that means for speed.
 *
 * What is in the way (a page that is not in the TLB, an event, a page with flags) is for jit_string() in
 * C; afterwards the code is called once more for the rest. DF = 1, elements across a page border and
 * devices are the C operation's.
 */
#include "accel/jit/translate.h"
#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

static const struct {
	op_fn *op;
	uint8_t opcode; /* of the byte form */
	bool src, dst;  /* uses rSI, rDI */
	bool store, compare;
} kinds[STRING_KINDS] = {
    [STRING_MOVS] = {op_movs, 0xa4, true, true, true, false},
    [STRING_STOS] = {op_stos, 0xaa, false, true, true, false},
    [STRING_CMPS] = {op_cmps, 0xa6, true, true, false, true},
    [STRING_SCAS] = {op_scas, 0xae, false, true, false, true},
};

static unsigned element(const struct insn *i)
{
	return i->desc->opcode & 1 ? i->osz : 1;
}

static unsigned log2_of(unsigned size)
{
	return (unsigned)__builtin_ctz(size);
}

/* ---- the repeated forms ---- */

/* One stub under construction. */
struct maker {
	struct emit *e;
	unsigned kind, size, word;
	int32_t bias; /* the engine_cpu is at rsp + bias */
	uint8_t *slow[8];
	unsigned nr_slow;
};

enum { COUNT = H_R13, SRC = H_R9, DST = H_RBX, RUN = H_RDX, PAGE = H_R8 };
static const uint8_t saved[] = {H_RDX, H_RBX, H_R8, H_R9};

static struct rm js_field(const struct maker *m, int32_t off)
{
	return rm_mem(STATE, off + m->bias);
}

static void slow_if(struct maker *m, unsigned cc)
{
	m->slow[m->nr_slow++] = emit_jcc(m->e, cc);
}

/* Status flags to js.flags. */
static void keep_flags(struct maker *m)
{
	emit_rm(m->e, 0x8b, 8, PAGE, rm_reg(H_RAX));
	emit_flags_to_ax(m->e);
	emit_rm(m->e, 0x89, 2, H_RAX, js_field(m, OFF_JS(flags)));
	emit_rm(m->e, 0x8b, 8, H_RAX, rm_reg(PAGE));
}

static void emit_cmp_imm(struct emit *e, unsigned size, struct rm m, uint32_t imm)
{
	emit_rm(e, size == 1 ? 0x80 : 0x81, size, 7, m);
	if (size == 1)
		emit8(e, (uint8_t)imm);
	else
		emit32(e, imm);
}

/* The field of the entry of slot S1 in the TLB at S2. */
static struct rm entry(size_t field)
{
	return rm_index(S2, S1, TLB_SCALE, (int32_t)field);
}
#define ENTRY(f) entry(offsetof(struct jit_tlb_entry, f))

/* reg = host address of guest address `from`, left = bytes to the end of the page. r14: the TLB. */
static void probe(struct maker *m, unsigned reg, unsigned from, unsigned left, bool write)
{
	struct emit *e = m->e;
	emit_rm(e, 0x8b, m->word, reg, rm_reg(from));
	emit_rorx(e, 4, S1, reg, PAGE_SHIFT - TLB_SLOT_BITS);
	emit_rm(e, 0x81, 4, 4, rm_reg(S1)); /* and */
	emit32(e, (JIT_TLB_ENTRIES - 1) << TLB_SLOT_BITS);
	emit_rm(e, 0x2b, 8, reg, write ? ENTRY(wr) : ENTRY(rd)); /* sub */
	emit_cmp_imm(e, 8, rm_reg(reg), PAGE_SIZE - m->size);
	slow_if(m, CC_A);
	emit_mov_imm(e, left, PAGE_SIZE);
	emit_rm(e, 0x2b, 4, left, rm_reg(reg)); /* sub */
	emit_rm(e, 0x03, 8, reg, ENTRY(host));  /* add */
}

/* a = the smaller of a and b */
static void smaller(struct emit *e, unsigned size, unsigned a, unsigned b)
{
	emit_rm(e, 0x3b, size, a, rm_reg(b));          /* cmp a, b */
	emit_rm(e, 0x0f40 | CC_A, size, a, rm_reg(b)); /* cmova a, b */
}

/* rdx = elements in this run, r9 and rbx = host addresses, r8 = page that is stored to */
static void measure_run(struct maker *m)
{
	struct emit *e = m->e;
	bool src = kinds[m->kind].src, store = kinds[m->kind].store;
	if (src)
		probe(m, SRC, H_RSI, RUN, false);
	probe(m, DST, H_RDI, src ? PAGE : RUN, store);
	if (src)
		smaller(e, 4, RUN, PAGE);
	if (store)
		emit_load(e, PAGE, rm_index(S2, S1, 0, offsetof(struct jit_tlb, page)));
	if (m->size > 1) {
		emit_rm(e, 0xc1, 4, 5, rm_reg(RUN)); /* shr */
		emit8(e, (uint8_t)log2_of(m->size));
	}
	smaller(e, m->word, RUN, COUNT);
}

/* The host's instruction on host addresses; registers move on. */
static void emit_run(struct maker *m, uint8_t rep)
{
	struct emit *e = m->e;
	uint8_t wide = m->size > 1;
	emit_rm(e, 0x8b, 4, S1, rm_reg(RUN));
	if (kinds[m->kind].src)
		emit_rm(e, 0x87, 8, SRC, rm_reg(H_RSI)); /* xchg */
	emit_rm(e, 0x87, 8, DST, rm_reg(H_RDI));
	if (m->size == 2)
		emit8(e, 0x66);
	emit8(e, rep);
	if (m->size == 8)
		emit8(e, 0x48);
	emit8(e, kinds[m->kind].opcode | wide);
	if (kinds[m->kind].compare) {
		keep_flags(m);
		emit_rm(e, 0x2b, 4, RUN, rm_reg(S1)); /* sub */
	}
	if (kinds[m->kind].src)
		emit_lea(e, m->word, H_RSI, rm_index(SRC, RUN, log2_of(m->size), 0));
	emit_lea(e, m->word, H_RDI, rm_index(DST, RUN, log2_of(m->size), 0));
	emit_rm(e, 0x2b, m->word, COUNT, rm_reg(RUN)); /* sub */
}

/* Guest rsi, rdi, r13 = count, r14 = TLB: rcx = 0 when it is done, else jit_string() has to look. Comparisons
 * leave status flags in js.flags; RFLAGS are clobbered. */
static void make_string(struct emit *e, unsigned kind, unsigned size, unsigned word, uint8_t rep)
{
	struct maker m = {.e = e, .kind = kind, .size = size, .word = word, .bias = 8};
	uint8_t *done[2] = {0}, *flagged = NULL;

	for (unsigned n = 0; n < sizeof(saved); n++, m.bias += 8)
		emit_push(e, saved[n]);
	emit_rm(e, 0x85, word, COUNT, rm_reg(COUNT)); /* test */
	done[0] = emit_jcc(e, CC_E);
	emit_rm(e, 0xf7, 4, 0, js_field(&m, OFF_CORE(v.rflags))); /* test */
	emit32(e, FL_DF);
	slow_if(&m, CC_NE);

	const uint8_t *again = e->w;
	measure_run(&m);
	emit_run(&m, rep);
	if (kinds[kind].store) {
		emit_cmp_imm(e, 1, rm_mem(PAGE, offsetof(struct ram_page, flags)), 0);
		flagged = emit_jcc(e, CC_NE);
	} else { /* test byte [flags + 1], ZF */
		emit_rm(e, 0xf6, 1, 0, js_field(&m, OFF_JS(flags) + 1));
		emit8(e, FL_ZF);
		done[1] = emit_jcc(e, rep == 0xf3 ? CC_E : CC_NE);
	}
	emit_rm(e, 0x85, word, COUNT, rm_reg(COUNT)); /* test */
	uint8_t *more = emit_jcc(e, CC_NE);

	emit_patch(done[0], e->w);
	if (done[1])
		emit_patch(done[1], e->w);
	if (kinds[kind].store) { /* what takes its time is not to be noticed later, elsewhere */
		emit_cmp_imm(e, 8, js_field(&m, OFF_JS(pending)), 0);
		slow_if(&m, CC_NE);
	}
	emit_mov_imm(e, S1, 0);
	const uint8_t *out = e->w;
	for (unsigned n = sizeof(saved); n-- > 0;)
		emit_pop(e, saved[n]);
	emit_ret(e);

	emit_patch(more, e->w);
	emit_cmp_imm(e, 8, js_field(&m, OFF_JS(pending)), 0);
	emit_patch(emit_jcc(e, CC_E), again);
	emit_store_imm(e, 4, js_field(&m, OFF_JS(string_paused)), 1);
	for (unsigned n = 0; n < m.nr_slow; n++)
		emit_patch(m.slow[n], e->w);
	const uint8_t *slow = e->w;
	emit_mov_imm(e, S1, 1);
	emit_jmp_to(e, out);
	if (flagged) {
		emit_patch(flagged, e->w);
		emit_store(e, js_field(&m, OFF_JS(string_page)), PAGE);
		emit_jmp_to(e, slow);
	}
}

void string_make_stubs(struct jit *j, struct emit *e)
{
	for (unsigned kind = 0; kind < STRING_KINDS; kind++)
		for (unsigned k = 0; k < 4; k++)
			for (unsigned wide = 0; wide < 2; wide++)
				for (unsigned ne = 0; ne < 1u + kinds[kind].compare; ne++) {
					j->string[kind][k][wide][ne] = e->w;
					make_string(e, kind, 1u << k, wide ? 8 : 4,
						    ne ? 0xf2 : 0xf3);
				}
}

static bool tr_repeated(struct tr *t, const struct insn *i, unsigned kind)
{
	struct emit *e = &t->e;
	bool compare = kinds[kind].compare, ne = compare && i->rep == 0xf2;
	flags_to_memory(t);
	uint8_t *again = e->w;
	emit_lea(
	    e, 8, S2,
	    state(OFF_JS(tlb) + (int32_t)(t->table * sizeof(((struct jit_state *)0)->tlb[0]))));
	emit_call(e, t->j->string[kind][log2_of(element(i))][t->word == 8][ne]);
	emit_jrcxz_over_jmp(e);
	add_slow(t, SLOW_STRING, emit_jmp(e), i, false, 0);
	t->slow[t->nr_slow - 1].retry = again;
	if (compare)
		emit_flags_restore(e);
	return true;
}

/* ---- in C ---- */

static uint64_t string_lin(const struct core *c, const struct insn *i, unsigned reg)
{
	return i->asz == 8 ? c->v.gpr[reg] : (uint32_t)c->v.gpr[reg];
}

/* Has the page of the element at lin in the TLB of generated code; raises its fault. */
static bool page_ready(struct engine_cpu *e, uint64_t lin, unsigned size, bool write,
		       unsigned table)
{
	unsigned run;
	return (lin & ~PAGE_MASK) + size <= PAGE_SIZE &&
	       mem_run(&e->core, lin, &run, write ? ACC_WRITE : ACC_READ) &&
	       jit_fill(e, lin, write, table);
}

/* Faults are raised in the order in which the C operations touch memory. */
static bool pages_ready(struct engine_cpu *e, const struct insn *i, unsigned kind)
{
	uint64_t src = string_lin(&e->core, i, RSI), dst = string_lin(&e->core, i, RDI);
	bool write = kinds[kind].store, compare = kinds[kind].compare;
	unsigned size = element(i), table = block_of(i)->key >> BLOCK_MODE & 3;

	if (compare && !page_ready(e, dst, size, write, table))
		return false;
	if (kinds[kind].src && !page_ready(e, src, size, false, table))
		return false;
	if (!compare && !page_ready(e, dst, size, write, table))
		return false;
	/* Both may want the same place there. */
	return jit_tlb_has(e, dst, write, table) &&
	       (!kinds[kind].src || jit_tlb_has(e, src, false, table));
}

static unsigned kind_of(const struct insn *i)
{
	unsigned k = 0;
	while (k < STRING_KINDS && kinds[k].op != i->op)
		k++;
	return k;
}

bool jit_string(struct engine_cpu *e, const struct insn *i)
{
	struct core *c = &e->core;
	struct ram_page *page = e->js.string_page;
	bool more = string_lin(c, i, RCX) != 0;

	jit_count_to(e, i);
	c->v.cc = flags_unpack(e->js.flags);
	e->js.string_page = NULL;
	e->js.string_again = more;
	if (page && ram_page_written(page)) {
		if (more)
			raise_restart(c);
		c->v.rip = insn_next(c, i);
		return true;
	}
	if (!more) {
		e->ended = __atomic_load_n(&e->js.pending, __ATOMIC_RELAXED) != 0;
		if (e->ended)
			c->v.rip = insn_next(c, i);
		return e->ended;
	}
	if (e->js.string_paused) {
		e->js.string_paused = 0;
		raise_restart(c);
	}
	if (!(c->v.rflags & FL_DF) && pages_ready(e, i, kind_of(i)))
		return false;
	e->js.string_again = false;
	return jit_exec_op(e, i);
}

/* ---- the single forms ---- */

/* S1 = host address of the element at rSI or rDI */
static void emit_element(struct tr *t, const struct insn *i, unsigned reg, bool write)
{
	emit_rm(&t->e, 0x8b, t->word, S1, rm_reg(reg));
	emit_translate(t, i, element(i), write);
}

static void emit_step(struct tr *t, const struct insn *i, unsigned reg)
{
	emit_lea(&t->e, t->word, reg, rm_mem(reg, (int32_t)element(i)));
}

/* DF = 1: the C operation. */
static void emit_upwards(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	if (t->dead) {
		emit_rm(e, 0xf7, 4, 0, state(OFF_CORE(v.rflags))); /* test */
		emit32(e, FL_DF);
		add_slow(t, SLOW_OP, emit_jcc(e, CC_NE), i, false, 0);
		return;
	}
	emit_load(e, S1, state(OFF_CORE(v.rflags)));
	emit_pext(e, S1, S1, state(OFF_JS(df_mask)));
	emit_op_unless_zero(t, i);
}

static void tr_move_one(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned size = element(i), wide = size > 1;
	emit_element(t, i, H_RSI, false);
	emit_rm(e, 0x8a | wide, size, S1, rm_mem(S1, 0));
	emit_store(e, state(OFF_JS(spill2)), S1);
	emit_element(t, i, H_RDI, true);
	emit_copy(t, rm_mem(S1, 0), state(OFF_JS(spill2)), size);
	emit_step(t, i, H_RSI);
	emit_step(t, i, H_RDI);
	emit_stored(t, i);
}

static void tr_compare_two(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned size = element(i), wide = size > 1;
	emit_element(t, i, H_RDI, false);
	emit_rm(e, 0x8a | wide, size, S1, rm_mem(S1, 0));
	emit_store(e, state(OFF_JS(spill2)), S1);
	emit_element(t, i, H_RSI, false);
	emit_rm(e, 0x8a | wide, size, S1, rm_mem(S1, 0));
	emit_rm(e, 0x3a | wide, size, S1, state(OFF_JS(spill2))); /* cmp */
	emit_step(t, i, H_RSI);
	emit_step(t, i, H_RDI);
}

static bool tr_single(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	unsigned size = element(i), wide = size > 1;
	emit_upwards(t, i);
	if (i->op == op_movs) {
		tr_move_one(t, i);
	} else if (i->op == op_cmps) {
		tr_compare_two(t, i);
	} else if (i->op == op_stos) {
		emit_element(t, i, H_RDI, true);
		emit_rm(e, 0x88 | wide, size, H_RAX, rm_mem(S1, 0));
		emit_step(t, i, H_RDI);
		emit_stored(t, i);
	} else if (i->op == op_scas) {
		emit_element(t, i, H_RDI, false);
		emit_rm(e, 0x3a | wide, size, H_RAX, rm_mem(S1, 0)); /* cmp */
		emit_step(t, i, H_RDI);
	} else {
		emit_element(t, i, H_RSI, false);
		emit_rm(e, 0x8a | wide, size, H_RAX, rm_mem(S1, 0));
		emit_step(t, i, H_RSI);
	}
	return true;
}

bool tr_string(struct tr *t, const struct insn *i)
{
	unsigned kind = kind_of(i);
	for (unsigned n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_STRS && (i->seg == FS || i->seg == GS))
			return false;
	if (!i->rep)
		return tr_single(t, i);
	return kind < STRING_KINDS && tr_repeated(t, i, kind);
}
