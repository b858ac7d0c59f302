/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Run functions of the stack and of near control transfer, for 64-bit mode and for flat 32-bit
 * segments with a 32-bit stack.
 *
 * A direct jump within its page tells the engine which successor of the block it goes to, so that the
 * engine finds it without a lookup (struct block, succ).
 */
#include "accel/interp_fast.h"

static inline void go(struct core *c, uint64_t to, enum chain chain)
{
	if (!((to ^ c->blk_rip) & PAGE_MASK))
		c->chain = chain;
	c->v.rip = to;
}

#define FLOW(m, bits, CANONICAL)                                                                   \
	static void jmp_rel_##m(struct core *c, const struct insn *i)                              \
	{                                                                                          \
		uint##bits##_t to = (uint##bits##_t)(c->blk_rip + i->end + i->imm);                \
		if (UNLIKELY(!CANONICAL(c, to)))                                                   \
			return interp_run_any(c, i);                                               \
		go(c, to, CHAIN_TAKEN);                                                            \
	}                                                                                          \
	static void jcc_rel_##m(struct core *c, const struct insn *i)                              \
	{                                                                                          \
		uint##bits##_t next = (uint##bits##_t)(c->blk_rip + i->end);                       \
		uint##bits##_t to = (uint##bits##_t)(next + i->imm);                               \
		if (!cond(c->v.cc, i->desc->opcode & 15))                                          \
			return go(c, next, CHAIN_NEXT);                                            \
		if (UNLIKELY(!CANONICAL(c, to)))                                                   \
			return interp_run_any(c, i);                                               \
		go(c, to, CHAIN_TAKEN);                                                            \
	}                                                                                          \
	static void push_r_##m(struct core *c, const struct insn *i)                               \
	{                                                                                          \
		uint##bits##_t sp = (uint##bits##_t)(c->v.gpr[RSP] - bits / 8);                    \
		uint##bits##_t val = (uint##bits##_t)REG(0);                                       \
		struct tlb_entry *e = fast_hit(c, sp, bits / 8, true);                             \
		if (UNLIKELY(!e))                                                                  \
			return interp_run_any(c, i);                                               \
		memcpy(fast_host(e, sp), &val, sizeof(val));                                       \
		c->v.gpr[RSP] = sp;                                                                \
		if (UNLIKELY(e->page->flags)) {                                                    \
			mem_stored(c, e);                                                          \
			return fast_stored(c, i);                                                  \
		}                                                                                  \
		NEXT;                                                                              \
	}                                                                                          \
	static void pop_r_##m(struct core *c, const struct insn *i)                                \
	{                                                                                          \
		uint##bits##_t sp = (uint##bits##_t)c->v.gpr[RSP], val;                            \
		struct tlb_entry *e = fast_hit(c, sp, bits / 8, false);                            \
		if (UNLIKELY(!e))                                                                  \
			return interp_run_any(c, i);                                               \
		memcpy(&val, fast_host(e, sp), sizeof(val));                                       \
		c->v.gpr[RSP] = (uint##bits##_t)(sp + bits / 8);                                   \
		REG(0) = val;                                                                      \
		NEXT;                                                                              \
	}                                                                                          \
	static void call_rel_##m(struct core *c, const struct insn *i)                             \
	{                                                                                          \
		uint##bits##_t next = (uint##bits##_t)(c->blk_rip + i->end);                       \
		uint##bits##_t to = (uint##bits##_t)(next + i->imm);                               \
		uint##bits##_t sp = (uint##bits##_t)(c->v.gpr[RSP] - bits / 8);                    \
		struct tlb_entry *e = fast_hit(c, sp, bits / 8, true);                             \
		if (UNLIKELY(!e || !CANONICAL(c, to)))                                             \
			return interp_run_any(c, i);                                               \
		memcpy(fast_host(e, sp), &next, sizeof(next));                                     \
		c->v.gpr[RSP] = sp;                                                                \
		if (UNLIKELY(e->page->flags)) {                                                    \
			c->insn = i;                                                               \
			mem_stored(c, e);                                                          \
		}                                                                                  \
		go(c, to, CHAIN_TAKEN);                                                            \
	}                                                                                          \
	static void ret_##m(struct core *c, const struct insn *i)                                  \
	{                                                                                          \
		uint##bits##_t sp = (uint##bits##_t)c->v.gpr[RSP], to;                             \
		struct tlb_entry *e = fast_hit(c, sp, bits / 8, false);                            \
		if (UNLIKELY(!e))                                                                  \
			return interp_run_any(c, i);                                               \
		memcpy(&to, fast_host(e, sp), sizeof(to));                                         \
		if (UNLIKELY(!CANONICAL(c, to)))                                                   \
			return interp_run_any(c, i);                                               \
		c->v.gpr[RSP] = (uint##bits##_t)(sp + bits / 8);                                   \
		c->v.rip = to;                                                                     \
	}

/* A flat code segment admits every 32-bit target. */
static inline bool any_target(const struct core *c, uint32_t to)
{
	(void)c;
	(void)to;
	return true;
}

FLOW(64, 64, core_canonical)
FLOW(32, 32, any_target)

run_fn *fast_flow(const struct insn *i, const struct core *c)
{
	bool m64 = i->mode == 8;
	/* 66h makes these 16-bit; a 16-bit stack segment is rare. */
	if (!m64 && (i->mode != 4 || i->osz != 4 || !c->flat || !(c->v.seg[SS].attr & SEG_DB)))
		return NULL;
	if (i->op == op_jcc)
		return m64 ? jcc_rel_64 : jcc_rel_32;
	if (i->op == op_jmp_rel)
		return m64 ? jmp_rel_64 : jmp_rel_32;
	if (i->op == op_call_rel)
		return m64 ? call_rel_64 : call_rel_32;
	if (i->op == op_ret && i->o[0].kind == OPK_NONE)
		return m64 ? ret_64 : ret_32;
	if (i->o[0].kind != OPK_REG || i->osz != i->mode)
		return NULL;
	if (i->op == op_push)
		return m64 ? push_r_64 : push_r_32;
	if (i->op == op_pop)
		return m64 ? pop_r_64 : pop_r_32;
	return NULL;
}
