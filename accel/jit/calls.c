/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The C functions that generated code calls.
 */
#include <xmmintrin.h>

#include "accel/jit/jit_impl.h"
#include "cpu/check.h"
#include "cpu/mem.h"
#include "cpu/mxcsr.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

void mxcsr_to_host(struct engine_cpu *e)
{
	if ((e->core.v.mxcsr & MXCSR_MASKS) != MXCSR_MASKS)
		return;
	_mm_setcsr(e->core.v.mxcsr);
	e->js.mxcsr_live = true;
}

void mxcsr_to_guest(struct engine_cpu *e)
{
	if (!e->js.mxcsr_live)
		return;
	e->core.v.mxcsr = _mm_getcsr();
	_mm_setcsr(MXCSR_MASKS);
	e->js.mxcsr_live = false;
}

void jit_left(struct engine_cpu *e)
{
	if (e->jit && e->jit->inside)
		e->jit->stats.n[STAT_EXIT_FAULT]++;
	if (e->jit)
		e->jit->inside = false;
	mxcsr_to_guest(e);
	x87_pointers(e);
	x87_to_guest(e);
}

/* Instructions of the block that i is in. */
static unsigned block_nr(const struct insn *i)
{
	return block_of(i)->nr;
}

void jit_count_to(struct engine_cpu *e, const struct insn *i)
{
	if (e->jit->count)
		e->core.retired = e->js.limit - e->js.left - block_nr(i);
}

void jit_counted(struct engine_cpu *e)
{
	const struct insn *last = e->core.insn;
	if (!e->jit->count)
		return;
	/* No instruction: the one of a block that crosses pages has not been begun. */
	if (e->js.cut)
		e->js.left += last ? block_nr(last) - last->nth - 1u : 1;
	e->core.retired = e->js.limit - e->js.left;
	if (e->js.cut) {
		e->cut = last;
		e->cut_count = e->core.retired;
	}
	e->js.cut = 0;
}

/* Operations that look at v.mxcsr, change it or use the host's own: SSE, and the FXSAVE and XSAVE
 * groups. */
static bool uses_mxcsr(const struct opcode *d)
{
	return d->attrs & (A_SSE | A_AVX | A_X87) ||
	       (d->map == M0F && (d->opcode == 0xae || d->opcode == 0xc7));
}

/* Operations that look at v.fpu, change it or use the host's x87 unit. All others leave it alone: it may
 * hold the guest's state while they run. */
static bool uses_x87(const struct opcode *d)
{
	return d->attrs & (A_X87 | A_MMX | A_WAIT) || d->op == op_fwait || d->op == op_xgetbv ||
	       (d->map == M0F && (d->opcode == 0xae || d->opcode == 0xc7));
}

/* Operations that are not in the table are those of undefined instructions. */
static void count_op(uint64_t *count, const struct opcode *d)
{
	size_t row = (size_t)(d - opcodes);
	if (row < nr_opcodes)
		count[row]++;
}

static bool exec_op(struct engine_cpu *e, const struct insn *i)
{
	struct core *c = &e->core;
	uint64_t attrs = i->desc->attrs;
	bool mxcsr = uses_mxcsr(i->desc), x87 = !e->js.x87_dead && uses_x87(i->desc);
	jit_count_to(e, i);
	c->v.cc = flags_unpack(e->js.flags);
	x87_pointers(e);
	if (x87)
		x87_to_guest(e);
	if (mxcsr)
		mxcsr_to_guest(e);
	if (attrs & A_CHECKED)
		insn_check(c, i);
	i->op(c, i);
	e->js.flags = flags_pack(c->v.cc);
	e->ended = attrs & (A_BR | A_END) || c->leave;
	if (attrs & A_END || c->leave) {
		if (!(attrs & A_BR))
			c->v.rip = insn_next(c, i);
		e->jit->why = STAT_EXIT_OP;
		return true;
	}
	if (x87)
		x87_to_host(e);
	if (mxcsr)
		mxcsr_to_host(e);
	return false;
}

bool jit_exec_op(struct engine_cpu *e, const struct insn *i)
{
	struct engine_stats *s = &e->jit->stats;
	s->n[STAT_OPS_SLOW]++;
	count_op(s->slow, i->desc);
	return exec_op(e, i);
}

bool jit_exec_plain(struct engine_cpu *e, const struct insn *i)
{
	struct engine_stats *s = &e->jit->stats;
	s->n[STAT_OPS]++;
	count_op(s->untranslated, i->desc);
	return exec_op(e, i);
}

/* The second page is as it was when b was decoded: good until the page changes or something is mapped
 * anew. What is global may not depend on what is not. */
static void note_second_page(struct engine_cpu *e, const struct block *b)
{
	struct core *c = &e->core;
	uint64_t lin = (c->v.rip & PAGE_MASK) + PAGE_SIZE;
	lin = c->mode == 8 ? lin : (uint32_t)lin;
	if (!b->second_seen || (e->js.global && !mem_fetch_page(c, lin)->global))
		return;
	jit_note_code_page(&e->js, lin);
	b->second_seen->rip = c->v.rip & PAGE_MASK;
	b->second_seen->stamp = e->js.cell_key + b->version2;
}

/* An instruction that continues in the next page: no link or lookup has looked at that one. */
bool jit_exec_cross(struct engine_cpu *e, const struct insn *i)
{
	const struct block *b = block_of(i);
	jit_count_to(e, i);
	e->core.v.cc = flags_unpack(e->js.flags); /* for a fault of the fetch */
	e->core.insn = NULL;
	if (!block_second_page_ok(&e->core, b)) {
		e->jit->why = STAT_EXIT_OTHER;
		return true;
	}
	note_second_page(e, b);
	e->core.insn = i;
	return jit_exec_op(e, i);
}

bool jit_stored(struct engine_cpu *e, const struct insn *i, struct ram_page *page)
{
	struct core *c = &e->core;
	if (ram_page_written(page)) {
		c->v.rip = insn_next(c, i);
		e->jit->why = STAT_EXIT_STORED;
		return true;
	}
	return false;
}
