/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Data transfer and conversion between general registers and memory. SDM vol. 1 5.1.1. The stack is
 * in op_stack.c, exchanges are in op_xchg.c.
 */
#include "cpu/alu.h"
#include "cpu/opcode.h"
#include "cpu/operand.h"

/* MOV in all general forms, MOVZX, MOVNTI. */
void op_mov(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, op_source(c, i, 1, i->o[0].size));
}

/* MOVSX, MOVSXD. */
void op_movsx(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, sext(op_read(c, i, 1), i->o[1].size));
}

/* The source is read and, for doublewords, the upper half cleared whatever the condition. */
void op_cmov(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1);

	if (!cond(c->v.cc, i->desc->opcode & 15))
		src = op_read(c, i, 0);
	op_write(c, i, 0, src);
}

static uint64_t swap_bytes(uint64_t v, unsigned size)
{
	return __builtin_bswap64(v) >> (64 - size * 8);
}

/* BSWAP of a word is undefined; processors clear it. */
void op_bswap(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	op_write(c, i, 0, size == 2 ? 0 : swap_bytes(op_read(c, i, 0), size));
}

void op_movbe(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, swap_bytes(op_read(c, i, 1), i->o[0].size));
}

void op_lea(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, ea(c, i));
}

/* CBW, CWDE, CDQE. */
void op_cbw(struct core *c, const struct insn *i)
{
	gpr_write(c, RAX, i->osz, sext(c->v.gpr[RAX], i->osz / 2));
}

/* CWD, CDQ, CQO. */
void op_cwd(struct core *c, const struct insn *i)
{
	gpr_write(c, RDX, i->osz, alu_msb(c->v.gpr[RAX], i->osz) ? ~0ull : 0);
}

void op_xlat(struct core *c, const struct insn *i)
{
	uint64_t off = (c->v.gpr[RBX] + (c->v.gpr[RAX] & 0xff)) & size_mask(i->asz);
	gpr_write(c, RAX, 1, mem_read8(c, seg_lin(c, i->seg, off, 1, ACC_READ)));
}

void op_lahf(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.gpr[RAX] = (c->v.gpr[RAX] & ~0xff00ull) | ((c->v.cc & 0xff) | FL_1) << 8;
}

void op_sahf(struct core *c, const struct insn *i)
{
	(void)i;
	c->v.cc = (c->v.cc & FL_OF) | (c->v.gpr[RAX] >> 8 & FL_STATUS & 0xff);
}

void op_salc(struct core *c, const struct insn *i)
{
	(void)i;
	gpr_write(c, RAX, 1, c->v.cc & FL_CF ? 0xff : 0);
}
