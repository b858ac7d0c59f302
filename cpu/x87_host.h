/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * x87 instructions executed by the host's own x87 unit.
 *
 * Two ways. The quick one pushes the operands on an empty host stack, executes one instruction with
 * the guest's rounding and precision and every exception masked, and hands back results and status;
 * it is exact unless a register operand is empty, the stack is full, underflow is unmasked, or the
 * status shows an exception that the guest has unmasked. Then the caller forgets the result and
 * takes the other one: x87_host_full() runs the very instruction on the guest's whole register
 * stack with the guest's own masks, so that stack faults, uncommitted results and scaled results of
 * unmasked overflow come out as the host makes them. Nothing here waits, so a pending host
 * exception never traps. Both leave the host unit empty, with control word 37Fh, as C code needs.
 */
#ifndef CPU_X87_HOST_H
#define CPU_X87_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "cpu/vcpu.h"
#include "cpu/x87.h"

typedef void x87_stub(void);

/* The code of every x87 instruction: register forms by opcode byte and ModRM, memory forms (on the
 * operand at struct x87_call.mem) by opcode byte and /digit. */
extern const uint8_t x87_stubs_reg[8][64][4];
extern const uint8_t x87_stubs_mem[8][8][4];

static inline x87_stub *x87_reg_stub(uint8_t opcode, uint8_t modrm)
{
	return (x87_stub *)(uintptr_t)x87_stubs_reg[opcode & 7][modrm & 63];
}
static inline x87_stub *x87_mem_stub(uint8_t opcode, unsigned digit)
{
	return (x87_stub *)(uintptr_t)x87_stubs_mem[opcode & 7][digit];
}

struct x87_call {
	uint8_t mem[16];     /* memory operand */
	struct x87_reg a, b; /* results: ST0, ST1 */
	uint16_t cw;         /* the guest's, all masked */
	uint16_t clear;      /* exception flags that may not be set already, see x87_call_init() */
	uint32_t flags;      /* status flags after COMI */
};
_Static_assert(offsetof(struct x87_call, a) == 16, "known to the assembly");
_Static_assert(offsetof(struct x87_call, b) == 32, "known to the assembly");
_Static_assert(offsetof(struct x87_call, cw) == 48, "known to the assembly");
_Static_assert(offsetof(struct x87_call, clear) == 50, "known to the assembly");
_Static_assert(offsetof(struct x87_call, flags) == 52, "known to the assembly");
_Static_assert(sizeof(struct x87_reg) == 16, "fld m80 reads its first ten bytes");

/* Before every call. A flag that the host has from before does no harm when the guest has it set,
 * and masked, too. */
static inline void x87_call_init(struct x87_call *h, const struct fpu *f)
{
	h->cw = f->fcw | FCW_EXC;
	h->clear = ~(f->fsw & f->fcw) & FSW_EXC;
}

/* The quick way, by what the instruction leaves on a stack that held st0 (and st1, below it). Each
 * returns the host's status word. */
typedef uint16_t x87_runner(struct x87_call *h, const struct x87_reg *st0,
			    const struct x87_reg *st1, x87_stub *fn);
x87_runner x87_run_load;    /* nothing -> a */
x87_runner x87_run_unary;   /* st0 -> a */
x87_runner x87_run_test;    /* st0 -> st0 */
x87_runner x87_run_pop;     /* st0 -> nothing */
x87_runner x87_run_split;   /* st0 -> a, b */
x87_runner x87_run_binary;  /* st0, st1 -> a, st1 */
x87_runner x87_run_binary1; /* st0, st1 -> st0, b */
x87_runner x87_run_fold;    /* st0, st1 -> a */
x87_runner x87_run_compare; /* st0, st1 -> st0, st1; also h->flags */

/* The full way: executes fn on a copy of *f into *out; the pointer fields are copied. mem is the
 * memory operand (or scratch of 16 bytes). *flags: RFLAGS status flags before and after. */
void x87_host_full(const struct fpu *f, struct fpu *out, x87_stub *fn, void *mem, uint64_t *flags);

/* Into the host's unit all of *f but the pointers, for code that executes x87 instructions itself, and
 * back, leaving the unit as C code needs it. All exceptions must be masked all the time between. */
void x87_host_load(const struct fpu *f);
void x87_host_store(struct fpu *f);

#endif
