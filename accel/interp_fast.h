/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the specialised run functions share. They do exactly what the C op of the same instruction
 * does, with operand kinds, size and address form fixed at compile time. Each is named by operation,
 * operand shape and size: r register, i immediate, m memory. What they cannot do at full speed (a
 * TLB miss, a target that is not canonical) they pass to interp_run_any() before they change
 * anything, as a tail call, so that they need no stack frame.
 */
#ifndef ACCEL_INTERP_FAST_H
#define ACCEL_INTERP_FAST_H

#include "accel/interp.h"
#include "cpu/alu.h"
#include "cpu/mem.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

#define NEXT        return i[1].run(c, i + 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define REG(n) (c->v.gpr[i->o[n].reg])

/* A register by size in bits. */
#define GET_8(n)     ((uint8_t)REG(n))
#define GET_16(n)    ((uint16_t)REG(n))
#define GET_32(n)    ((uint32_t)REG(n))
#define GET_64(n)    REG(n)
#define SET_8(n, v)  (REG(n) = (REG(n) & ~0xffull) | (uint8_t)(v))
#define SET_16(n, v) (REG(n) = (REG(n) & ~0xffffull) | (uint16_t)(v))
#define SET_32(n, v) (REG(n) = (uint32_t)(v))
#define SET_64(n, v) (REG(n) = (v))

enum shape { RR, RI, R, RM, MR, MI, MO, OTHER }; /* MO: memory alone */

struct fast {
	op_fn *op;
	uint8_t shape;
	uint8_t size, src;  /* bytes of operand 1 and of operand 2 (0: any) */
	run_fn *run, *dead; /* dead: when nobody reads the flags; NULL: no such form */
};

/* The row of t for i, or NULL. */
run_fn *fast_find(const struct fast *t, size_t n, const struct insn *i, enum shape s, bool dead);
#define FAST_FIND(t) fast_find(t, sizeof(t) / sizeof((t)[0]), i, s, flags_dead)

run_fn *fast_reg(const struct insn *i, enum shape s, bool flags_dead);
/* Memory operands: 64-bit mode with a base of 0 or with FS or GS, and flat 32-bit segments. */
run_fn *fast_mem64(const struct insn *i, enum shape s, bool flags_dead);
run_fn *fast_mem64_fsgs(const struct insn *i, enum shape s, bool flags_dead);
run_fn *fast_mem32(const struct insn *i, enum shape s, bool flags_dead);
/* Stack and near control transfer. */
run_fn *fast_flow(const struct insn *i, const struct core *c);

/* base + index * scale + displacement, before it is cut to the address size. */
static inline uint64_t sum(const struct core *c, const struct insn *i)
{
	return c->v.gpr[i->base] + (c->v.gpr[i->index] << i->scale) + (uint64_t)i->disp;
}

/* The TLB entry when `size` bytes at lin can be read or written without a slow path, else NULL. */
static inline struct tlb_entry *fast_hit(struct core *c, uint64_t lin, unsigned size, bool write)
{
	struct tlb_entry *e = &c->tlb.e[c->tlb_mode][tlb_index(lin)];
	uint64_t tag = ((lin + size - 1) & PAGE_MASK) | c->tlb.asid;
	return (write ? e->wr : e->rd) == tag && !c->align_check ? e : NULL;
}

/* After a store to a page whose flags are not zero: it may have hit the code of this very block. */
run_fn fast_stored;
static inline void *fast_host(const struct tlb_entry *e, uint64_t lin)
{
	return e->host + (lin & ~PAGE_MASK);
}

#endif
