/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The opcode table itself, compiled from cpu/opcodes.def. Operations are declared
 * from their names; kernels have several types and come from cpu/kernels.h.
 */
#include "cpu/kernels.h"
#include "cpu/opcode.h"
#include "cpu/ops.h"

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
