/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which accesses of a block can share one translation: those at constant distances from each other.
 *
 * Registers are followed as a value, whose number changes with every change that is not the addition of
 * a constant, and an offset to it. Two addresses with the same values in them differ by their offsets
 * and displacements. The first access of such a group looks ahead to learn what the others will touch
 * and translates all of that at once (memory.c).
 */
#include "accel/jit/translate.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* Bytes that one group may span. The more, the likelier it crosses a page, which is slow. */
#define SPAN_MAX 256

enum { VALUE_ZERO, VALUE_PAGE, VALUE_REGS };

/* A change of any kind. */
static void set_new(struct values *v, unsigned g)
{
	v->reg[g] = (struct value){v->next++, 0};
}

static void forget(struct values *v)
{
	for (unsigned g = 0; g < 16; g++)
		set_new(v, g);
	v->segments++;
}

void reuse_init(struct tr *t)
{
	t->values = (struct values){.next = VALUE_REGS};
	forget(&t->values);
}

static int64_t cut(const struct tr *t, int64_t off)
{
	return t->word == 4 ? (int32_t)off : off;
}

static void add(const struct tr *t, struct value *v, int64_t n)
{
	v->off = cut(t, (int64_t)((uint64_t)v->off + (uint64_t)n));
}

/* ---- what instructions do to registers ---- */

static op_fn *const no_result[] = {op_cmp, op_test, op_bt, op_nop, op_jcc, op_jmp, op_jmp_rel};

/* Those that write the first operand only. */
static op_fn *const one_result[] = {
    op_mov,  op_movsx, op_lea,  op_add,   op_or,     op_adc,   op_sbb,    op_and,  op_sub,
    op_xor,  op_inc,   op_dec,  op_not,   op_neg,    op_imul2, op_imul3,  op_cmov, op_setcc,
    op_rol,  op_ror,   op_rcl,  op_rcr,   op_shl,    op_shr,   op_sar,    op_bts,  op_btr,
    op_btc,  op_bswap, op_bsf,  op_bsr,   op_popcnt, op_tzcnt, op_lzcnt,  op_andn, op_blsr,
    op_blsi, op_bextr, op_bzhi, op_pdep,  op_pext,   op_sarx,  op_blsmsk, op_shlx, op_shrx,
    op_rorx, op_shld,  op_shrd, op_movbe,
};
/* RAX and RDX. */
static op_fn *const product[] = {op_mul, op_imul, op_div, op_idiv, op_cbw, op_cwd};

static op_fn *const string[] = {op_movs, op_stos, op_lods, op_cmps, op_scas};

#define LISTED(list, op) listed(list, sizeof(list) / sizeof((list)[0]), op)
static bool listed(op_fn *const *list, size_t n, op_fn *op)
{
	for (size_t k = 0; k < n; k++)
		if (list[k] == op)
			return true;
	return false;
}

static void write_operand(struct values *v, const struct operand *o)
{
	if (o->kind == OPK_REG)
		set_new(v, o->reg);
	else if (o->kind == OPK_REGH)
		set_new(v, o->reg & 3);
}

/* String comparisons leave their result in RCX without saying so. */
static bool is_vector(const struct insn *i)
{
	const struct opcode *d = i->desc;
	bool string = (d->map == M0F3A || d->map == V0F3A) && d->opcode >= 0x60 && d->opcode < 0x64;
	return d->attrs & (A_SSE | A_AVX) && !(d->attrs & (A_X87 | A_MMX | A_END)) && !string;
}

/* RSP += n */
static void move_stack(const struct tr *t, struct values *v, int64_t n)
{
	add(t, &v->reg[RSP], n);
}

/* What stays the same value with another offset; false: not this. */
static bool step_constant(const struct tr *t, struct values *v, const struct insn *i)
{
	const struct operand *d = &i->o[0], *s = &i->o[1];
	struct value *r = &v->reg[d->reg & 15];
	if (d->kind != OPK_REG || d->size != t->word)
		return false;
	if (i->op == op_mov && s->kind == OPK_REG && s->size == d->size) /* not MOVZX */
		*r = v->reg[s->reg];
	else if ((i->op == op_add || i->op == op_sub) && s->kind == OPK_IMM)
		add(t, r, i->op == op_add ? (int64_t)i->imm : -(int64_t)i->imm);
	else if (i->op == op_inc || i->op == op_dec)
		add(t, r, i->op == op_inc ? 1 : -1);
	else if (i->op == op_lea && i->index == REG_ZERO && i->base < 16 && i->asz == t->word) {
		*r = v->reg[i->base];
		add(t, r, i->disp);
	} else if (i->op == op_lea && i->index == REG_ZERO && i->base == REG_RIP &&
		   i->asz == t->word)
		*r = (struct value){VALUE_PAGE, (int64_t)((uint64_t)i->disp + (uint64_t)t->off)};
	else
		return false;
	return true;
}

static void step(const struct tr *t, struct values *v, const struct insn *i)
{
	if (step_constant(t, v, i))
		return;
	if (i->osz == t->word && i->op == op_push) {
		move_stack(t, v, -(int64_t)t->word);
	} else if (i->osz == t->word && i->op == op_pop) {
		move_stack(t, v, t->word);
		write_operand(v, &i->o[0]);
	} else if (i->osz == t->word && i->op == op_leave) {
		v->reg[RSP] = v->reg[RBP];
		move_stack(t, v, t->word);
		set_new(v, RBP);
	} else if (LISTED(no_result, i->op)) {
		return;
	} else if (LISTED(one_result, i->op) || is_vector(i)) {
		write_operand(v, &i->o[0]);
	} else if (i->desc->map == M1 && i->desc->attrs & A_X87) {
		if (i->op == op_fnstsw_ax)
			set_new(v, RAX);
	} else if (LISTED(string, i->op)) {
		set_new(v, RAX);
		set_new(v, RCX);
		set_new(v, RSI);
		set_new(v, RDI);
	} else if (LISTED(product, i->op)) {
		set_new(v, RAX);
		set_new(v, RDX);
	} else if (i->op == op_xchg || i->op == op_xadd || i->op == op_cmpxchg) {
		write_operand(v, &i->o[0]);
		write_operand(v, &i->o[1]);
		set_new(v, RAX);
	} else {
		forget(v);
	}
}

void reuse_step(struct tr *t, const struct insn *i)
{
	uint32_t segments = t->values.segments;
	step(t, &t->values, i);
	if (t->values.segments != segments)
		t->nr_groups = 0;
}

/* ---- accesses ---- */

static struct touch at_reg(const struct tr *t, const struct values *v, unsigned g, int64_t off,
			   unsigned size, bool write)
{
	return (struct touch){.base = v->reg[g].id,
			      .disp = cut(t, v->reg[g].off + off),
			      .size = size,
			      .write = write};
}

static bool mem_access(const struct tr *t, const struct values *v, const struct insn *i,
		       unsigned size, bool write, struct touch *a)
{
	bool segment = i->seg == FS || i->seg == GS;
	if (i->asz != t->word || (segment && t->word != 8) || !size || size > 32)
		return false;
	*a = (struct touch){.size = size, .write = write};
	uint64_t disp = (uint64_t)i->disp;
	if (i->base == REG_RIP) {
		a->base = VALUE_PAGE;
		disp += (uint64_t)t->off;
	} else if (i->base < 16) {
		a->base = v->reg[i->base].id;
		disp += (uint64_t)v->reg[i->base].off;
	}
	if (i->index < 16) {
		a->index = v->reg[i->index].id;
		a->scale = i->scale;
		disp += (uint64_t)v->reg[i->index].off << i->scale;
	}
	a->segment = segment ? (unsigned)v->segments * 2 + (i->seg == GS) + 1 : 0;
	a->disp = cut(t, (int64_t)disp);
	return true;
}

bool reuse_mem(const struct tr *t, const struct insn *i, unsigned size, bool write, struct touch *a)
{
	return mem_access(t, &t->values, i, size, write, a);
}

void reuse_reg(const struct tr *t, unsigned g, int64_t off, bool write, struct touch *a)
{
	*a = at_reg(t, &t->values, g, off, t->word, write);
}

static bool same_place(const struct touch *a, const struct touch *b)
{
	return a->base == b->base && a->index == b->index && a->scale == b->scale &&
	       a->segment == b->segment;
}

static unsigned in_page(const struct touch *a)
{
	return (unsigned)((uint64_t)a->disp & ~PAGE_MASK);
}

bool reuse_fixed(const struct touch *a)
{
	return a->base <= VALUE_PAGE && a->index == VALUE_ZERO && !a->segment &&
	       in_page(a) + a->size <= PAGE_SIZE;
}

static int64_t distance(const struct tr *t, const struct touch *from, const struct touch *to)
{
	return cut(t, (int64_t)((uint64_t)to->disp - (uint64_t)from->disp));
}

/* Grows g by a if it belongs there and is near. */
static void take(const struct tr *t, struct group *g, const struct touch *a)
{
	int64_t d = distance(t, &g->at, a), end = g->at.size, a_end = d + (int64_t)a->size;
	int64_t most = reuse_fixed(&g->at) ? PAGE_SIZE : SPAN_MAX;
	if (!same_place(&g->at, a) || d < -most || d > most)
		return;
	int64_t first = d < 0 ? d : 0, last = a_end > end ? a_end : end;
	if (last - first > (most == PAGE_SIZE ? PAGE_SIZE - in_page(d < 0 ? a : &g->at) : most))
		return;
	g->at.disp = d < 0 ? a->disp : g->at.disp;
	g->at.size = (unsigned)(last - first);
	g->at.write |= a->write;
	g->shared = true;
}

static void look_ahead(const struct tr *t, struct group *g)
{
	struct values v = t->values;
	const struct block *b = t->b;
	struct touch a;
	for (unsigned n = t->n; n < b->nr; n++) {
		const struct insn *i = &b->insn[n];
		bool slot = i->osz == t->word;
		if (n != t->n) {
			if (slot &&
			    (i->op == op_push || i->op == op_call_rel || i->op == op_call)) {
				a = at_reg(t, &v, RSP, -(int64_t)t->word, t->word, true);
				take(t, g, &a);
			} else if (slot && (i->op == op_pop || i->op == op_ret)) {
				a = at_reg(t, &v, RSP, 0, t->word, false);
				take(t, g, &a);
			} else if (slot && i->op == op_leave) {
				a = at_reg(t, &v, RBP, 0, t->word, false);
				take(t, g, &a);
			}
			uint64_t attrs = i->desc->attrs;
			for (unsigned k = 0; k < 4; k++)
				if (i->o[k].kind == OPK_MEM && attrs & (A_LD | A_ST) &&
				    !(attrs & A_VSIB) &&
				    mem_access(t, &v, i, i->o[k].size, k == 0 && attrs & A_WR1, &a))
					take(t, g, &a);
		}
		step(t, &v, i);
	}
}

struct group *reuse_find(struct tr *t, const struct touch *a)
{
	for (unsigned n = 0; n < t->nr_groups; n++) {
		struct group *g = &t->group[n];
		int64_t d = distance(t, &g->at, a);
		if (same_place(&g->at, a) && d >= 0 &&
		    d <= (int64_t)g->at.size - (int64_t)a->size && (g->at.write || !a->write)) {
			t->led |= 1ull << g->leader;
			return g;
		}
	}
	return NULL;
}

struct group *reuse_begin(struct tr *t, const struct touch *a)
{
	if (t->nr_groups == REUSE_GROUPS)
		return NULL;
	struct group *g = &t->group[t->nr_groups];
	*g = (struct group){.at = *a, .leader = (uint8_t)t->n};
	look_ahead(t, g);
	if (!g->shared)
		return NULL;
	t->nr_groups++;
	return g;
}
