/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The translator's side of the fuzzer: the same vCPU, but the test's code becomes a block in guest
 * memory that is found, translated and run as the engine does it.
 *
 * The block goes on behind the test with the jump that leads out on the host. Here it leads nowhere,
 * and its fault tells that the test is over; so does a fault at the target of a branch.
 *
 * One difference is allowed: at a fault, status flags that the rest of the block writes before it
 * reads them may hold anything. Code that is resumed after the fault cannot tell: it goes on with the
 * same instruction.
 */
#include <setjmp.h>

#include "accel/jit/translate.h"
#include "accel/soft.h"
#include "cpu/exc.h"
#include "tests/insn/fuzz.h"

enum { MAX_ROUNDS = 80 };

static bool inside(const struct fuzz_test *t, uint64_t rip)
{
	return rip - t->in.rip < t->len;
}

/* The block at v.rip, translated; NULL when it is to be interpreted. */
static struct block *translated(struct engine_cpu *e)
{
	struct block *b = block_get(&e->blocks, &e->core);
	if (!b->code && !jit_translate(e->jit, e->core.model, b, e->core.v.rip)) {
		jit_evict(e);
		jit_translate(e->jit, e->core.model, b, e->core.v.rip);
	}
	return b->code && !e->core.align_check ? b : NULL;
}

/* Flags that nothing reads when i, which is in a block, is run again after its fault. */
static uint8_t dead_flags(const struct insn *i)
{
	uint64_t dead = 0, live = 0, reads, writes;
	for (; i->desc; i++) {
		flags_effect(i, &reads, &writes);
		live |= reads & ~dead;
		dead |= writes & ~live;
	}
	return (uint8_t)dead;
}

/* Runs until the code of the test is left. False when some of it is not translated. */
static bool execute(const struct fuzz_test *t, struct engine_cpu *e, struct fuzz_result *r)
{
	struct core *c = &e->core;
	sigjmp_buf fault;
	volatile unsigned rounds = 0;

	c->fault = &fault;
	int how = sigsetjmp(fault, 0);
	if (how)
		jit_left(e);
	if (how == CORE_EXCEPTION) {
		if (c->insn && !c->exc.trap)
			c->v.rip = insn_rip(c, c->insn);
		if (!inside(t, c->v.rip))
			return true;
		r->vector = c->exc.vector;
		r->error = c->exc.has_error ? c->exc.error : 0;
		r->cr2 = c->exc.vector == EXC_PF ? c->exc.cr2 : 0;
		r->open = c->insn ? dead_flags(c->insn) : 0;
		return true;
	}
	while (how != CORE_STOP && rounds++ < MAX_ROUNDS && inside(t, c->v.rip)) {
		struct block *b = translated(e);
		if (!b)
			return false;
		e->js.link = 0;
		jit_run(e->jit, e, b);
	}
	if (inside(t, c->v.rip))
		r->vector = VEC_LOST;
	return true;
}

/* Makes the target of a branch known to the jump table, so that the branch finds it. */
static void run_target(struct engine_cpu *e, uint64_t to)
{
	struct core *c = &e->core;
	sigjmp_buf fault;

	c->fault = &fault;
	if (sigsetjmp(fault, 0)) {
		jit_left(e);
		return;
	}
	c->v.rip = to;
	struct block *b = translated(e);
	if (!b)
		return;
	e->js.link = 0;
	jit_run(e->jit, e, b);
}

bool fuzz_jit_run(const struct fuzz_test *t, const struct fuzz_result *done, struct fuzz_result *r)
{
	if (!t->decodes)
		return false;
	struct engine_cpu *e = fuzz_interp_begin(t);
	e->js.pending = t->index & 1;
	if (t->insn.desc->attrs & A_BR && !inside(t, done->out.rip) &&
	    done->out.rip - CODE_ADDR < EXIT_POINTER && t->index & 2) {
		e->js.pending = 0;
		run_target(e, done->out.rip);
		fuzz_interp_begin(t);
	}
	if (t->index % 8 < 3) /* each access misses once more */
		for (uint32_t n = 0; n < RW_SIZE; n += PAGE_SIZE)
			tlb_flush_page(&e->core.tlb, RW_ADDR + n);
	r->vector = VEC_NONE;
	r->error = 0;
	r->cr2 = 0;
	r->open = 0;
	bool ran = execute(t, e, r);
	fuzz_interp_end(t, r);
	return ran;
}
