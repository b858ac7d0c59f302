/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory operands: guest addresses to host addresses through the TLB of generated code.
 */
#include "accel/jit/translate.h"

/* dst, of `size` bytes, = effective address + more. S1 and S2 are clobbered. */
static void emit_ea_at(struct tr *t, const struct insn *i, int64_t more, unsigned dst,
		       unsigned size)
{
	struct emit *e = &t->e;
	int64_t disp = (int64_t)((uint64_t)i->disp + (uint64_t)more);
	unsigned base = S1, index = H_RSP, word = i->asz < size ? i->asz : size;
	bool have_base = true;

	if (i->asz == 4)
		disp = (int32_t)disp;
	if (i->base == REG_RIP && t->fixed && i->asz == 8) {
		have_base = false;
		disp = (int64_t)((uint64_t)disp + (uint64_t)t->off + t->page_rip);
	} else if (i->base == REG_RIP) {
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
			emit_lea(e, word, dst, rm_index(S1, S2, 0, 0));
		} else if (index != H_RSP) {
			emit_mov_imm(e, S1, (uint64_t)disp);
			emit_lea(e, word, dst, rm_index(S1, index, i->scale, 0));
		} else {
			emit_mov_imm(e, dst, word == 4 ? (uint32_t)disp : (uint64_t)disp);
		}
	} else if (index == H_RSP && !disp && (word == t->word || word == size)) {
		if (base != dst || word < t->word)
			emit_rm(e, 0x8b, word, dst, rm_reg(base));
	} else {
		emit_lea(e, word, dst, rm_index(base, index, i->scale, (int32_t)disp));
	}
}

void emit_ea(struct tr *t, const struct insn *i)
{
	emit_ea_at(t, i, 0, S1, 8);
}

void emit_ea_to(struct tr *t, const struct insn *i, unsigned dst, unsigned size)
{
	emit_ea_at(t, i, 0, dst, size);
}

/* Not-zero S1: the C operation. */
void emit_op_unless_zero(struct tr *t, const struct insn *i)
{
	emit_jrcxz_over_jmp(&t->e);
	add_slow(t, SLOW_OP, emit_jmp(&t->e), i, false, 0);
}

/* S1 = linear address of i's memory operand + more, where no segment limit is in the way. */
static void emit_address_at(struct tr *t, const struct insn *i, int64_t more)
{
	struct emit *e = &t->e;
	emit_ea_at(t, i, more, S1, 8);
	if (i->seg == FS || i->seg == GS) {
		emit_load(e, S2, state(OFF_CORE(v.seg[i->seg].base)));
		emit_lea(e, 8, S1, rm_index(S1, S2, 0, 0));
	}
}

void emit_address(struct tr *t, const struct insn *i, unsigned size)
{
	struct emit *e = &t->e;
	if ((i->seg != FS && i->seg != GS) || t->word == 8) {
		emit_address_at(t, i, 0);
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

static int32_t table_off(const struct tr *t)
{
	return (int32_t)(offsetof(struct engine_cpu, js.tlb) +
			 t->table * sizeof(((struct jit_state *)0)->tlb[0]));
}

/* A field of the entry of slot S2. */
static struct rm tlb_entry(const struct tr *t, size_t field)
{
	return rm_index(STATE, S2, TLB_SCALE, table_off(t) + (int32_t)field);
}
#define TLB_ENTRY(f) tlb_entry(t, offsetof(struct jit_tlb_entry, f))

/* The ram_page of slot S2, where stores look at it. */
static void emit_load_page(struct tr *t, bool write)
{
	if (write && !jit_alone(t->model))
		emit_load(
		    &t->e, S2,
		    rm_index(STATE, S2, 0, table_off(t) + (int32_t)offsetof(struct jit_tlb, page)));
}

static void add_miss(struct tr *t, uint8_t *from, const struct insn *i, bool restore,
		     enum refill_kind refill, uint32_t first, uint8_t *retry)
{
	add_slow(t, SLOW_MISS, from, i, restore, 0);
	struct slow *s = &t->slow[t->nr_slow - 1];
	s->retry = retry;
	s->refill = refill;
	s->first = first;
}

/* S1 = linear address -> offset in its page, S2 = slot; returns the jump that is taken when
 * `size` bytes there are not a hit. Clobbers flags. */
static uint8_t *emit_probe(struct tr *t, unsigned size, bool write)
{
	struct emit *e = &t->e;
	emit_rorx(e, 4, S2, S1, PAGE_SHIFT - TLB_SLOT_BITS);
	emit_rm(e, 0x81, 4, 4, rm_reg(S2)); /* and */
	emit32(e, (JIT_TLB_ENTRIES - 1) << TLB_SLOT_BITS);
	emit_rm(e, 0x2b, 8, S1, write ? TLB_ENTRY(wr) : TLB_ENTRY(rd)); /* sub */
	emit_rm(e, 0x81, 8, 7, rm_reg(S1));                             /* cmp */
	emit32(e, PAGE_SIZE - size);
	return emit_jcc(e, CC_A);
}

/* S1 = linear address -> its host address, or where RFLAGS are free and `addend` is set, what has
 * to be added to it; S2 = its ram_page for a write. */
static void translate(struct tr *t, const struct insn *i, unsigned size, bool write, bool addend,
		      enum refill_kind refill, uint32_t first)
{
	struct emit *e = &t->e;
	uint8_t *start = e->w;
	if (t->dead) {
		add_miss(t, emit_probe(t, size, write), i, false, refill, first, start);
		if (addend)
			emit_load(e, S1, TLB_ENTRY(addend));
		else
			emit_rm(e, 0x03, 8, S1, TLB_ENTRY(host)); /* add */
	} else {
		/* Without flags: -tag - 1 + address + size, and no bit above the page offset. */
		emit_pext(e, S2, S1, state(OFF_JS(index_mask)));
		emit_rorx(e, 8, S2, S2, 64 - TLB_SLOT_BITS);
		emit_store(e, state(OFF_JS(spill)), H_RDX);
		emit_rm(e, 0x8b, 8, H_RDX, rm_reg(S1));
		emit_load(e, S1, write ? TLB_ENTRY(wr) : TLB_ENTRY(rd));
		emit_rm(e, 0xf7, 8, 2, rm_reg(S1)); /* not */
		emit_lea(e, 8, H_RDX, rm_index(H_RDX, S1, 0, 1));
		/* The first byte decides the page; the last one, that it is the only page. */
		emit_pext(e, S1, H_RDX, state(OFF_JS(page_mask)));
		emit_jrcxz_over_jmp(e);
		add_miss(t, emit_jmp(e), i, true, refill, first, start);
		if (size > 1) {
			emit_lea(e, 8, S1, rm_mem(H_RDX, (int32_t)size - 1));
			emit_pext(e, S1, S1, state(OFF_JS(page_mask)));
			emit_jrcxz_over_jmp(e);
			add_slow(t, SLOW_OP, emit_jmp(e), i, true, 0);
		}
		emit_load(e, S1, TLB_ENTRY(host));
		emit_lea(e, 8, S1, rm_index(S1, H_RDX, 0, 0));
		emit_load(e, H_RDX, state(OFF_JS(spill)));
	}
	emit_load_page(t, write);
}

void emit_translate(struct tr *t, const struct insn *i, unsigned size, bool write)
{
	translate(t, i, size, write, false, write ? REFILL_WRITE : REFILL_READ, 0);
}

/* How the access can be refilled that a group begins with. */
static enum refill_kind group_refill(const struct group *g, bool write)
{
	return !g->at.write ? REFILL_READS : write ? REFILL_WRITES : REFILL_WRITES_BY_READ;
}

/* S1 = address: disp, or where that is relative, that from the page of RIP. */
static void emit_fixed(struct tr *t, bool relative, int64_t disp)
{
	struct emit *e = &t->e;
	if (!relative || t->fixed) {
		uint64_t lin = (uint64_t)disp + (relative ? t->page_rip : 0);
		emit_mov_imm(e, S1, t->word == 4 ? (uint32_t)lin : lin);
		return;
	}
	emit_load(e, S1, state(OFF_JS(page_rip)));
	if (disp)
		emit_lea(e, 8, S1, rm_mem(S1, (int32_t)disp));
}

/* S1 = host address of a's page, and S2 = its ram_page for a write. Code is found at one address
 * as a rule, so its page has one slot in the TLB, and no index has to be computed. Clobbers
 * flags. */
static void translate_fixed(struct tr *t, const struct insn *i, const struct touch *a, bool write,
			    enum refill_kind refill)
{
	struct emit *e = &t->e;
	uint8_t *start = e->w;
	int64_t page = (int64_t)((uint64_t)a->disp & PAGE_MASK);
	uint64_t lin = (uint64_t)page + (a->base ? t->page_rip : 0);
	if (t->word == 4)
		lin = (uint32_t)lin;
	int32_t n = (int32_t)((lin >> PAGE_SHIFT) % JIT_TLB_ENTRIES), table = table_off(t);
	int32_t entry = table + n * (int32_t)sizeof(struct jit_tlb_entry);
	int32_t tag = entry + (write ? (int32_t)offsetof(struct jit_tlb_entry, wr)
				     : (int32_t)offsetof(struct jit_tlb_entry, rd));

	if (near_zero(lin) && (!a->base || t->fixed)) {
		emit_cmp_imm32(e, 8, state(tag), (uint32_t)lin);
	} else {
		emit_fixed(t, a->base, page);
		emit_rm(e, 0x3b, 8, S1, state(tag)); /* cmp */
	}
	add_miss(t, emit_jcc(e, CC_NE), i, false, refill, 0, start);
	emit_load(e, S1, state(entry + (int32_t)offsetof(struct jit_tlb_entry, host)));
	if (write && !jit_alone(t->model))
		emit_load(e, S2,
			  state(table + (int32_t)offsetof(struct jit_tlb, page) +
				n * (int32_t)sizeof(struct ram_page *)));
	struct slow *s = &t->slow[t->nr_slow - 1];
	s->hit = e->w;
	s->relative = a->base;
	s->disp = a->disp;
	s->size = (uint16_t)a->size;
}

void emit_elsewhere(struct tr *t, struct slow *s)
{
	struct emit *e = &t->e;
	bool write = s->refill != REFILL_READ && s->refill != REFILL_READS;
	int32_t in_page = (int32_t)((uint64_t)s->disp & ~PAGE_MASK);
	emit_fixed(t, s->relative, s->disp);
	s->retry = e->w;
	uint8_t *miss = emit_probe(t, s->size, write);
	emit_rm(e, 0x03, 8, S1, TLB_ENTRY(host)); /* add */
	if (in_page)
		emit_lea(e, 8, S1, rm_mem(S1, -in_page));
	emit_load_page(t, write);
	emit_jmp_to(e, s->hit);
	emit_patch(miss, e->w);
}

/* How far a is behind g's first byte. */
static int32_t distance(const struct group *g, const struct touch *a)
{
	return (int32_t)((uint32_t)a->disp - (uint32_t)g->at.disp);
}

static struct rm reuse_slot(const struct tr *t, const struct group *g, size_t field)
{
	return state(
	    OFF_JS(reuse) +
	    (int32_t)((size_t)(g - t->group) * sizeof(((struct jit_state *)0)->reuse[0]) + field));
}
#define SLOT_HOST 0
#define SLOT_PAGE 8

/* Where i's memory operand is, if S1 can be added to that: no segment, and nothing but a base
 * that is in a host register. (Outside of 64-bit mode addresses wrap around.) */
static bool simple_address(const struct tr *t, const struct insn *i, struct rm *m)
{
	if (t->word != 8 || i->asz != 8 || i->seg == FS || i->seg == GS || i->base >= 16 ||
	    i->index != REG_ZERO || !pinned(i->base))
		return false;
	*m = rm_mem((unsigned)host_reg(i->base), (int32_t)i->disp);
	return true;
}

static struct rm plus_s1(struct rm m)
{
	m.index = S1;
	return m;
}

/* S1 = what g keeps. */
static void load_kept(struct tr *t, struct group *g)
{
	if (t->in_s1 != g || t->e.rcx_changed)
		emit_load(&t->e, S1, reuse_slot(t, g, SLOT_HOST));
	t->in_s1 = g;
	t->e.rcx_changed = false;
}

/* a is i's access, at `own`, where g keeps an addend. */
static struct rm join_addend(struct tr *t, const struct insn *i, struct group *g,
			     const struct touch *a, struct rm own, bool aligned)
{
	struct emit *e = &t->e;
	if (aligned) {
		emit_lea(e, 8, S1, own);
		emit_aligned(t, i, a->size);
	}
	load_kept(t, g);
	return plus_s1(own);
}

/* The place of i's access, which shares g, by way of S1; S2 = its page for a write. own: where it
 * is in the guest, as simple_address() tells it, or NULL. */
static struct rm join(struct tr *t, const struct insn *i, struct group *g, const struct touch *a,
		      const struct rm *own, bool aligned)
{
	struct emit *e = &t->e;
	struct rm m;
	if (g->addend && own) {
		m = join_addend(t, i, g, a, *own, aligned);
	} else if (g->addend) {
		emit_address_at(t, i, 0);
		if (aligned)
			emit_aligned(t, i, a->size);
		emit_load(e, S2, reuse_slot(t, g, SLOT_HOST));
		m = rm_index(S1, S2, 0, 0);
		emit_lea(e, 8, S1, m);
		m = rm_mem(S1, 0);
	} else {
		m = rm_mem(S1, distance(g, a) + g->first);
		load_kept(t, g);
		if (aligned) {
			if (m.disp)
				emit_lea(e, 8, S1, m);
			emit_aligned(t, i, a->size);
			m.disp = 0;
		}
	}
	if (a->write && !jit_alone(t->model))
		emit_load(e, S2, reuse_slot(t, g, SLOT_PAGE));
	return m;
}

/* What the accesses of g share is in S1 and S2: kept for others. */
static void keep(struct tr *t, struct group *g)
{
	emit_store(&t->e, reuse_slot(t, g, SLOT_HOST), S1);
	if (g->at.write && !jit_alone(t->model))
		emit_store(&t->e, reuse_slot(t, g, SLOT_PAGE), S2);
	t->in_s1 = g;
	t->e.rcx_changed = false;
}

/* S1 = linear address of g's first byte, or of a alone where g is NULL. */
static struct rm lead(struct tr *t, const struct insn *i, struct group *g, const struct touch *a,
		      const struct rm *own)
{
	int32_t d = g ? distance(g, a) : 0;
	bool addend = t->dead && own;
	if (g) {
		translate(t, i, g->at.size, g->at.write, addend, group_refill(g, a->write),
			  (uint32_t)d);
		g->addend = addend;
		keep(t, g);
	} else {
		translate(t, i, a->size, a->write, addend, a->write ? REFILL_WRITE : REFILL_READ,
			  0);
	}
	return addend ? plus_s1(*own) : rm_mem(S1, d);
}

/* The same for accesses in a known page; g may be NULL. */
static struct rm lead_fixed(struct tr *t, const struct insn *i, struct group *g,
			    const struct touch *a)
{
	int32_t d = (int32_t)((uint64_t)a->disp & ~PAGE_MASK);
	if (g) {
		translate_fixed(t, i, a, g->at.write, group_refill(g, a->write));
		g->first = d - distance(g, a);
		keep(t, g);
	} else {
		translate_fixed(t, i, a, a->write, a->write ? REFILL_WRITE : REFILL_READ);
	}
	return rm_mem(S1, d);
}

static bool can_be_fixed(const struct tr *t, const struct touch *a)
{
	int64_t page = (int64_t)((uint64_t)a->disp & PAGE_MASK);
	return t->dead && reuse_fixed(a) && (page == (int32_t)page || !a->base);
}

static struct rm reach(struct tr *t, const struct insn *i, unsigned size, bool write, bool aligned)
{
	struct touch a;
	struct group *g = NULL;
	struct rm simple, *own = simple_address(t, i, &simple) ? &simple : NULL;
	int32_t d = 0;
	bool known = reuse_mem(t, i, size, write, &a);
	if (!t->careful && known) {
		g = reuse_find(t, &a);
		if (g)
			return join(t, i, g, &a, own, aligned);
		g = reuse_begin(t, &a);
		d = g ? distance(g, &a) : 0;
	}
	if (known && can_be_fixed(t, &a) && !(aligned && a.disp & (size - 1)))
		return lead_fixed(t, i, g, &a);
	if (!g || aligned)
		emit_address(t, i, size);
	else
		emit_address_at(t, i, -(int64_t)d);
	if (aligned) {
		emit_aligned(t, i, size);
		if (d)
			emit_lea(&t->e, t->word, S1, rm_mem(S1, -d));
	}
	a.size = size;
	a.write = write;
	return lead(t, i, g, &a, own);
}

struct rm emit_reach(struct tr *t, const struct insn *i, unsigned size, bool write)
{
	return reach(t, i, size, write, false);
}

struct rm emit_reach_aligned(struct tr *t, const struct insn *i, unsigned size, bool write)
{
	return reach(t, i, size, write, true);
}

struct rm emit_reach_slot(struct tr *t, const struct insn *i, unsigned g, int32_t at, bool write)
{
	struct touch a;
	struct group *group = NULL;
	struct rm place = rm_mem((unsigned)host_reg(g), at), *own = t->word == 8 ? &place : NULL;
	int32_t d = 0;
	reuse_reg(t, g, at, write, &a);
	if (!t->careful) {
		group = reuse_find(t, &a);
		if (group)
			return join(t, i, group, &a, own, false);
		group = reuse_begin(t, &a);
		d = group ? distance(group, &a) : 0;
	}
	if (at - d)
		emit_lea(&t->e, t->word, S1, rm_mem((unsigned)host_reg(g), at - d));
	else
		emit_rm(&t->e, 0x8b, t->word, S1, rm_reg((unsigned)host_reg(g)));
	return lead(t, i, group, &a, own);
}

/* Without leading a group, so that the instruction may have begun: a failure of that would begin
 * it anew. */
static void join_plain(struct tr *t, const struct insn *i, const struct touch *a,
		       const struct rm *own)
{
	struct rm m = join(t, i, reuse_find(t, a), a, own, false);
	if (m.disp || m.index != H_RSP)
		emit_lea(&t->e, 8, S1, m);
}

void emit_mem(struct tr *t, const struct insn *i, unsigned size, bool write)
{
	struct touch a;
	struct rm own;
	if (!t->careful && reuse_mem(t, i, size, write, &a) && reuse_find(t, &a)) {
		join_plain(t, i, &a, simple_address(t, i, &own) ? &own : NULL);
		return;
	}
	emit_address(t, i, size);
	emit_translate(t, i, size, write);
}

static void emit_flags_look(struct tr *t, enum slow_kind kind, const struct insn *i,
			    bool flags_free)
{
	struct emit *e = &t->e;
	struct rm flags = rm_mem(S2, offsetof(struct ram_page, flags));
	if (flags_free) {
		emit_rm(e, 0x80, 1, 7, flags); /* cmp */
		emit8(e, 0);
		add_slow(t, kind, emit_jcc(e, CC_NE), i, false, 0);
	} else {
		emit_rm(e, 0x0fb6, 4, S1, flags); /* movzx */
		emit_jrcxz_over_jmp(e);
		add_slow(t, kind, emit_jmp(e), i, false, 0);
	}
}

void emit_stored(struct tr *t, const struct insn *i)
{
	if (!jit_alone(t->model))
		emit_flags_look(t, SLOW_STORED, i, !t->live_next || (t->in_mem && !t->touches));
}

void emit_unless_code(struct tr *t, const struct insn *i)
{
	if (!jit_alone(t->model))
		emit_flags_look(t, SLOW_OP, i, t->dead);
}

void emit_stack(struct tr *t, const struct insn *i, int32_t at, bool write)
{
	struct touch a;
	struct rm own = rm_mem(H_R15, at);
	reuse_reg(t, RSP, at, write, &a);
	if (!t->careful && reuse_find(t, &a)) {
		join_plain(t, i, &a, t->word == 8 ? &own : NULL);
		return;
	}
	emit_lea(&t->e, t->word, S1, rm_mem(H_R15, at));
	emit_translate(t, i, t->word, write);
}

void emit_copy(struct tr *t, struct rm to, struct rm from, unsigned size)
{
	struct emit *e = &t->e;
	emit_store(e, state(OFF_JS(spill)), S2);
	emit_load(e, S2, from);
	emit_rm(e, size > 1 ? 0x89 : 0x88, size, S2, to);
	emit_load(e, S2, state(OFF_JS(spill)));
}

void emit_move_stack(struct tr *t, int slots)
{
	emit_lea(&t->e, t->word, H_R15, rm_mem(H_R15, slots * (int32_t)t->word));
}
