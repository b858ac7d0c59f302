/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The stack below push() and pop(): for operations that must look before they move the stack
 * pointer. Offsets wrap at the stack's address size.
 */
#ifndef CPU_STACK_H
#define CPU_STACK_H

#include "cpu/operand.h"
#include "cpu/seg.h"

static inline uint64_t stack_read(struct core *c, uint64_t sp, unsigned size)
{
	return mem_read_n(c, seg_lin(c, SS, sp & stack_mask(c), size, ACC_READ), size);
}

static inline void stack_write(struct core *c, uint64_t sp, uint64_t val, unsigned size)
{
	mem_write_n(c, seg_lin(c, SS, sp & stack_mask(c), size, ACC_WRITE), val, size);
}

/* Faults as stack_write() would. */
static inline void stack_check(struct core *c, uint64_t sp, unsigned size)
{
	mem_rmw(c, seg_lin(c, SS, sp & stack_mask(c), size, ACC_WRITE), size);
}

static inline uint64_t stack_with(const struct core *c, uint64_t sp)
{
	uint64_t mask = stack_mask(c);
	return mask == 0xffff ? (c->v.gpr[RSP] & ~mask) | (sp & mask) : sp & mask;
}

static inline void stack_set(struct core *c, uint64_t sp)
{
	c->v.gpr[RSP] = stack_with(c, sp);
}

#endif
