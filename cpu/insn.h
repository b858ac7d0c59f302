/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One decoded instruction: what decode.c makes and what every operation takes.
 */
#ifndef CPU_INSN_H
#define CPU_INSN_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct insn;
struct opcode;

/* Performs the instruction on c->v, or raises an exception by not returning (cpu/exc.h) with
 * nothing architectural changed. Does not touch v.rip unless the opcode has A_BR. */
typedef void op_fn(struct core *c, const struct insn *i);

enum operand_kind {
	OPK_NONE,
	OPK_REG,  /* general register, `size` bytes from bit 0 */
	OPK_REGH, /* AH, CH, DH, BH: reg 0-3, size 1 */
	OPK_MEM,  /* the instruction's one memory operand */
	OPK_IMM,  /* insn.imm, already sign- or zero-extended to 64 bits as the opcode says */
	OPK_IMM2, /* insn.imm2 */
	OPK_REL,  /* insn.imm: branch displacement from the next instruction */
	OPK_FAR,  /* insn.imm: offset, insn.imm2: selector */
	OPK_SREG,
	OPK_CREG,
	OPK_DREG,
	OPK_VEC, /* XMM/YMM; size 4, 8, 16 or 32 */
	OPK_MMX,
	OPK_ST,
	OPK_STRS, /* DS:rSI, segment overridable */
	OPK_STRD, /* ES:rDI */
};

struct operand {
	uint8_t kind;
	uint8_t reg;
	uint8_t size; /* bytes; 0 where the opcode fixes it otherwise (M, far pointers) */
};

struct insn {
	op_fn *op; /* = desc->op */
	void (*run)(struct core *c,
		    const struct insn *i); /* engine's own; decode sets it to NULL */
	const struct opcode *desc;
	uint64_t imm;
	int64_t disp;               /* displacement, or the moffs address; RIP-relative: from the
	                               start of the block, so that base REG_RIP is v.rip */
	uint16_t imm2;              /* ENTER level, far selector, second immediate, is4 register */
	int16_t end;                /* offset of what follows it in memory from the start of the block */
	uint8_t len;                /* 1-15 */
	uint8_t nth;                /* how many instructions of the block come before */
	uint8_t osz, asz;           /* effective operand size 2/4/8, address size 2/4/8 (bytes) */
	uint8_t base, index, scale; /* enum gpr, REG_ZERO for none; index * (1 << scale) */
	uint8_t seg;                /* effective segment of the memory operand, default applied */
	uint8_t rep;                /* 0, 0xf2 or 0xf3 */
	bool lock;
	uint8_t rex; /* REX.W in bit 3 etc.; 0 when absent */
	uint8_t vl;  /* vector length in bytes: 16 or 32 */
	uint8_t modrm;
	bool vex, vexw;
	uint8_t mode; /* 2, 4 or 8: code size it was decoded for */
	struct operand o[4];
};

#endif
