/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What must hold before an operation runs: privilege, mode and FPU-availability columns of the
 * opcode table.
 */
#ifndef CPU_CHECK_H
#define CPU_CHECK_H

#include "cpu/core.h"
#include "cpu/opcode.h"

#define A_CHECKED                                                                                  \
	(A_CPL0 | A_NREAL | A_NV86 | A_SSE | A_AVX | A_MMX | A_X87 | A_WAIT)

/* Raises #UD, #NM, #GP(0) or #MF in the SDM's order when the current state forbids i. */
void insn_check(struct core *c, const struct insn *i);

#endif
