/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The jump table of generated code: where addresses lead that no link leads to.
 */
#include "accel/jit/jit_impl.h"

/* Bits of an address that make its two places in the jump table. */
#define JUMP_MASK  (JIT_JUMP_ENTRIES - 1)
#define JUMP_MASK2 (0xfffu | JUMP_MASK >> 12 << 15)

/* No sum of a context and a version: contexts end before. */
#define NO_STAMP UINT64_MAX

void jit_drop_jumps(struct jit_state *js)
{
	memset(js->contexts, 0, sizeof(js->contexts));
	memset(js->code_pages, 0, sizeof(js->code_pages));
}

/* Each page has two bits: of the many pages of data that guests unmap, few seem to have code. */
struct page_bits {
	uint64_t *word[2], bit[2];
};

static struct page_bits page_bits(struct jit_state *js, uint64_t lin)
{
	struct page_bits p;
	uint64_t hash = (lin >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull;
	for (unsigned n = 0; n < 2; n++, hash <<= 20) {
		p.word[n] = &js->code_pages[hash >> 52];
		p.bit[n] = 1ull << (hash >> 46 & 63);
	}
	return p;
}

void jit_note_code_page(struct jit_state *js, uint64_t lin)
{
	struct page_bits p = page_bits(js, lin);
	*p.word[0] |= p.bit[0];
	*p.word[1] |= p.bit[1];
}

static unsigned second_place(uint64_t rip)
{
	return (unsigned)((rip & 0xfff) | (rip >> 15 & JUMP_MASK >> 12) << 12);
}

void jit_drop_jump_page(struct jit_state *js, uint64_t page)
{
	struct page_bits p = page_bits(js, page);
	if (!(*p.word[0] & p.bit[0]) || !(*p.word[1] & p.bit[1]))
		return;
	js->remapped++;
	struct jit_jump *first = &js->jump[page & JUMP_MASK],
			*second = &js->jump[second_place(page)];
	for (unsigned n = 0; n < PAGE_SIZE; n++) {
		if ((first[n].rip & PAGE_MASK) == page)
			first[n].stamp = NO_STAMP;
		if ((second[n].rip & PAGE_MASK) == page)
			second[n].stamp = NO_STAMP;
	}
}

static void drop_returns(struct jit_state *js)
{
	for (unsigned n = 0; n < JIT_RETURNS; n++)
		js->returns[n] = (struct jit_return){.stamp = NO_STAMP, .cell = &js->no_cell};
}

void jit_drop_jump_to(struct jit_state *js, const struct block *b)
{
	/* Both places of an address have its page offset. */
	for (unsigned n = b->gpa & ~PAGE_MASK; n < JIT_JUMP_ENTRIES; n += PAGE_SIZE)
		if (js->jump[n].code == b->code)
			js->jump[n].stamp = NO_STAMP;
}

void jit_drop_cells(struct jit_state *js)
{
	drop_returns(js); /* their cells are read before it shows that they are stale */
	js->remapped++;
}

/* Numbers are not used again before jit_reset(), so that nothing stamped with an old one is good. */
static uint32_t new_number(struct jit_state *js)
{
	if (++js->last_context >= UINT32_MAX - 8) /* no more than four are taken between looks */
		js->exhausted = true;
	return js->last_context;
}

/* What a page's address decides follows from that which a jump goes to. */
static uint64_t what_of(uint16_t asid, uint16_t key)
{
	return (uint64_t)asid << 16 | (key & (uint16_t) ~(BLOCK_WATCHED | BLOCK_FIXED));
}

#define AC_WAY ((uint64_t)(TLB_KERNEL ^ TLB_KERNEL_AC) << BLOCK_MODE)

/* Two that differ in AC_WAY have different places. */
static struct jit_context *place_of(struct jit_state *js, uint64_t what)
{
	uint64_t n = (what & ~AC_WAY) * 0x9e3779b97f4a7c15ull >> 56;
	return &js->contexts[(n ^ (what & AC_WAY) >> BLOCK_MODE) % JIT_CONTEXTS];
}

static const struct jit_context *context_of(struct jit_state *js, uint64_t what)
{
	struct jit_context *c = place_of(js, what);
	if (c->what != what || !c->number) {
		c->what = what;
		c->number = new_number(js);
		c->cell_number = 0;
	}
	if (c->remapped != js->remapped || !c->cell_number) {
		c->remapped = js->remapped;
		c->cell_number = new_number(js);
	}
	return c;
}

void jit_set_context(struct jit_state *js, uint16_t asid, uint16_t key)
{
	uint64_t what = what_of(asid, key);
	const struct jit_context *c = context_of(js, what);
	js->context = (uint64_t)c->number << 32;
	js->cell_key = (uint64_t)c->cell_number << 32;
	js->global = !asid;
	if (key & BLOCK_RING3)
		return;
	c = context_of(js, what ^ AC_WAY);
	js->ac_context = (uint64_t)c->number << 32;
	js->ac_cell_key = (uint64_t)c->cell_number << 32;
}

static bool holds(struct jit_state *js, uint64_t what, uint32_t number)
{
	const struct jit_context *c = place_of(js, what);
	return c->what == what && c->number == number;
}

const uint8_t *jit_find_jump(struct engine_cpu *e, uint16_t key)
{
	struct jit_state *js = &e->js;
	uint64_t rip = e->core.v.rip;
	uint16_t asid = e->core.tlb.asid;
	const struct jit_jump *j = &js->jump[rip & JUMP_MASK];
	if (j->rip != rip)
		j = &js->jump[second_place(rip)];
	if (j->rip != rip)
		return NULL;
	uint32_t number = (uint32_t)(j->stamp >> 32);
	if (!holds(js, what_of(asid, key), number)) {
		asid = 0;
		if (!holds(js, what_of(asid, key), number))
			return NULL;
	}
	if ((uint32_t)j->stamp != atomic_load_explicit(j->version, memory_order_acquire))
		return NULL;
	jit_set_context(js, asid, key);
	return j->code;
}

void jit_enter_jump(struct engine_cpu *e, const struct block *b)
{
	struct jit_state *js = &e->js;
	uint64_t rip = e->core.v.rip;
	struct jit_jump *first = &js->jump[rip & JUMP_MASK];
	/* Another address of this context moves to its second place. */
	if (first->rip != rip && (first->stamp ^ js->context) >> 32 == 0)
		js->jump[second_place(first->rip)] = *first;
	*first = (struct jit_jump){
	    .rip = rip,
	    .stamp = js->context + b->version,
	    .code = b->code,
	    .version = &b->page->version,
	};
	jit_note_code_page(js, rip);
}

void jit_init_jumps(struct jit_state *js)
{
	js->jump_mask = JUMP_MASK;
	js->jump_mask2 = JUMP_MASK2;
	jit_drop_jumps(js);
	js->last_context = 0;
	js->exhausted = false;
	memset(js->jump, 0, sizeof(js->jump));
	/* An empty entry is one for the address 0: have none where that is looked up. */
	js->jump[0].rip = 1;
	js->no_cell = (struct jit_jump){.stamp = NO_STAMP, .version = &js->no_version};
	drop_returns(js);
}
