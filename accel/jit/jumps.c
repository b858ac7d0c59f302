/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The jump table of generated code: where addresses lead that no link leads to.
 */
#include "accel/jit/jit_impl.h"

/* Bits of an address that make its two places in the jump table. */
#define JUMP_MASK  (JIT_JUMP_ENTRIES - 1)
#define JUMP_MASK2 (0xfffu | JUMP_MASK >> 12 << 15)

void jit_drop_jumps(struct jit_state *js)
{
	memset(js->contexts, 0, sizeof(js->contexts));
	memset(js->code_pages, 0, sizeof(js->code_pages));
}

static unsigned page_bit(uint64_t lin)
{
	return (unsigned)((lin >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 52);
}

static unsigned second_place(uint64_t rip)
{
	return (unsigned)((rip & 0xfff) | (rip >> 15 & JUMP_MASK >> 12) << 12);
}

void jit_drop_jump_page(struct jit_state *js, uint64_t page)
{
	unsigned bit = page_bit(page);
	if (!(js->code_pages[bit / 64] >> bit % 64 & 1))
		return;
	struct jit_jump *first = &js->jump[page & JUMP_MASK],
			*second = &js->jump[second_place(page)];
	for (unsigned n = 0; n < PAGE_SIZE; n++) {
		if ((~first[n].key & PAGE_MASK) == page)
			first[n].version = ~(uint64_t)0;
		if ((~second[n].key & PAGE_MASK) == page)
			second[n].version = ~(uint64_t)0;
	}
}

uint64_t jit_context(struct jit_state *js, uint64_t what)
{
	unsigned n = (unsigned)(what * 0x9e3779b97f4a7c15ull >> 56) % JIT_CONTEXTS;
	if (js->contexts[n].what != what) {
		if (++js->last_context == 0) { /* they have all been used */
			for (unsigned k = 0; k < JIT_JUMP_ENTRIES; k++)
				js->jump[k].version = ~(uint64_t)0;
			jit_drop_jumps(js);
			js->last_context = 1;
		}
		js->contexts[n].what = what;
		js->contexts[n].number = js->last_context;
	}
	return (uint64_t)js->contexts[n].number << 32;
}

void jit_enter_jump(struct engine_cpu *e, const struct block *b)
{
	struct jit_state *js = &e->js;
	struct jit_jump *first = &js->jump[e->core.v.rip & JUMP_MASK];
	uint64_t holder = ~first->key;
	/* Another address of this context moves to its second place. */
	if (holder != e->core.v.rip && (~first->version ^ js->context) >> 32 == 0)
		js->jump[second_place(holder)] = *first;
	*first = (struct jit_jump){
	    .key = ~e->core.v.rip,
	    .code = b->code,
	    .page = b->page,
	    .version = ~(js->context | b->version),
	};
	unsigned bit = page_bit(e->core.v.rip);
	js->code_pages[bit / 64] |= 1ull << bit % 64;
}

void jit_init_jumps(struct jit_state *js)
{
	js->jump_mask = JUMP_MASK;
	js->jump_mask2 = JUMP_MASK2;
	/* An empty entry is one for the address ~0: have none where that is looked up. */
	js->jump[JIT_JUMP_ENTRIES - 1].key = ~(uint64_t)0;
}
