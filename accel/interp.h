/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the interpreter: the threaded-code contract between its loop and its run functions.
 *
 * insn.run executes one instruction and continues with the next by a tail call, so that each has
 * its own indirect branch for the host to predict. The marker after a block's last instruction
 * ends the chain. Where the compiler makes no tail calls (-O0, sanitizers) the chain nests at most
 * BLOCK_MAX_INSNS deep.
 */
#ifndef ACCEL_INTERP_H
#define ACCEL_INTERP_H

#include "accel/block.h"
#include "cpu/core.h"

typedef void run_fn(struct core *c, const struct insn *i);

/* Runs any instruction by its C op, with the checks of its opcode row. */
run_fn interp_run_any;

/* A specialised run function for a frequent shape, or NULL. flags_dead: nobody reads the status
 * flags that i writes. */
run_fn *interp_fast(const struct insn *i, const struct core *c, bool flags_dead);

#endif
