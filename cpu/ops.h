/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every operation of the opcode table, declared from its rows.
 */
#ifndef CPU_OPS_H
#define CPU_OPS_H

#include "cpu/insn.h"

#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs) op_fn op;
#include "cpu/opcodes.def"
#undef OP

#endif
