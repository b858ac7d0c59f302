/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Traces: blocks that follow each other often, made one.
 *
 * A block that is about to be translated gives its place to a trace which begins with it and leads through
 * direct jumps and conditional branches in its page, the way that has been more usual while they were
 * interpreted. It ends where a translation is already. A loop is unrolled: where its accesses advance by
 * constants, those of several iterations share a translation (reuse.c).
 */
#include "accel/jit/jit_impl.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

/* Instructions. More would be translated in vain more often. */
#define TRACE_MAX 48

/* What has been interpreted in so many of the runs that make a block hot is worth following. */
#define USUAL 4 /* one in */

struct trace {
	struct engine_cpu *e;
	const struct block *first;
	unsigned nr;
	struct insn insn[BLOCK_MAX_INSNS];
};

static int64_t page_offset(const struct block *b)
{
	return (int64_t)(b->gpa & ~PAGE_MASK);
}

static void append(struct trace *t, const struct block *b)
{
	int64_t delta = page_offset(b) - page_offset(t->first);
	for (unsigned n = 0; n < b->nr; n++) {
		struct insn *i = &t->insn[t->nr];
		*i = b->insn[n];
		i->end = (int16_t)(i->end + delta);
		if (i->base == REG_RIP)
			i->disp += delta;
		i->nth = (uint8_t)t->nr++;
	}
}

static const struct block *block_at(const struct trace *t, int64_t off)
{
	if (off < 0 || off >= PAGE_SIZE)
		return NULL;
	return block_find(&t->e->blocks, t->first, (unsigned)off);
}

/* How often b has been interpreted; one that is translated now, often. */
static uint32_t runs(const struct trace *t, const struct block *b)
{
	if (!b || b->crosses)
		return 0;
	return b->code ? t->e->hot : b->runs == UINT32_MAX ? 0 : b->runs;
}

/* The block that usually follows the last instruction, or NULL. */
static const struct block *successor(const struct trace *t)
{
	const struct insn *i = &t->insn[t->nr - 1];
	int64_t next = page_offset(t->first) + i->end;
	if ((i->op != op_jcc && i->op != op_jmp_rel) || i->osz != i->mode)
		return NULL;
	const struct block *taken = block_at(t, next + (int64_t)i->imm);
	const struct block *other = i->op == op_jcc ? block_at(t, next) : NULL;
	const struct block *more = runs(t, taken) > runs(t, other) ? taken : other;
	if (!more || more->code || runs(t, more) * USUAL < t->e->hot)
		return NULL;
	return more;
}

struct block *jit_trace(struct engine_cpu *e, struct block *b)
{
	struct trace t;
	const struct block *next = b;
	if (b->trace || b->crosses || !b->page)
		return b;
	t.e = e;
	t.first = b;
	t.nr = 0;
	do {
		append(&t, next);
		next = successor(&t);
	} while (next && t.nr + next->nr <= TRACE_MAX);
	return t.nr > b->nr ? block_replace(&e->blocks, &e->core, b, t.insn, t.nr) : b;
}
