/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The opcode table itself, compiled from cpu/opcodes.def. Operations all have the same type and are
 * declared here from their names; kernels have several and come from cpu/kernels.h.
 */
#include "cpu/kernels.h"
#include "cpu/opcode.h"

#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs) op_fn op;
#include "cpu/opcodes.def"
#undef OP

#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs)              \
	{map,                                                                                      \
	 opc,                                                                                      \
	 pfx,                                                                                      \
	 w,                                                                                        \
	 l,                                                                                        \
	 modrm,                                                                                    \
	 FEAT_##feat,                                                                              \
	 name,                                                                                     \
	 {o1, o2, o3, o4},                                                                         \
	 op,                                                                                       \
	 (void (*)(void))(kernel),                                                                 \
	 attrs},
const struct opcode opcodes[] = {
#include "cpu/opcodes.def"
};

const unsigned nr_opcodes = sizeof(opcodes) / sizeof(opcodes[0]);
