/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bit and byte instructions: BT and family, bit scans and counts, SETcc, CRC32. SDM vol. 1 5.1.6.
 */
#include "cpu/opcode.h"
#include "cpu/rmw.h"

void op_setcc(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, cond(c->v.cc, i->desc->opcode & 15));
}

/* A bit offset in a register addresses a bit string of any length around the memory operand; an
 * immediate stays within it. */
static uint64_t bit_lin(struct core *c, const struct insn *i, unsigned size, enum access acc)
{
	int64_t bit;

	if (i->o[1].kind == OPK_IMM)
		return lin_of(c, i, size, acc);
	bit = sext(op_read(c, i, 1), size);
	return lin_of_at(c, i,
			 (bit >> (size == 8   ? 6
				  : size == 4 ? 5
					      : 4)) *
			     (int64_t)size,
			 size, acc);
}

static void set_carry(struct core *c, uint64_t val, unsigned bit)
{
	c->v.cc = (c->v.cc & ~FL_CF) | (val >> bit & 1);
}

void op_bt(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	unsigned bit = op_read(c, i, 1) & (size * 8 - 1);
	uint64_t val;

	if (i->o[0].kind == OPK_MEM)
		val = mem_read_n(c, bit_lin(c, i, size, ACC_READ), size);
	else
		val = op_read(c, i, 0);
	set_carry(c, val, bit);
}

enum bit_change { BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static uint64_t change(uint64_t val, unsigned bit, enum bit_change how)
{
	uint64_t b = 1ull << bit;
	return how == BIT_SET ? val | b : how == BIT_RESET ? val & ~b : val ^ b;
}

static inline __attribute__((always_inline)) void bit_modify(struct core *c, const struct insn *i,
							     enum bit_change how)
{
	unsigned size = i->o[0].size;
	unsigned bit = op_read(c, i, 1) & (size * 8 - 1);
	uint64_t val;

	if (i->o[0].kind == OPK_MEM) {
		struct rmw m;
		uint64_t lin = bit_lin(c, i, size, ACC_WRITE);
		val = rmw_begin(c, &m, lin, size, i->lock);
		while (!rmw_commit(c, &m, &val, change(val, bit, how)))
			;
	} else {
		val = op_read(c, i, 0);
		op_write(c, i, 0, change(val, bit, how));
	}
	set_carry(c, val, bit);
}

void op_bts(struct core *c, const struct insn *i)
{
	bit_modify(c, i, BIT_SET);
}

void op_btr(struct core *c, const struct insn *i)
{
	bit_modify(c, i, BIT_RESET);
}

void op_btc(struct core *c, const struct insn *i)
{
	bit_modify(c, i, BIT_COMPLEMENT);
}

/* BSF and BSR of zero leave the destination as it was; all of it, as processors do. */
void op_bsf(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1);

	if (src)
		op_write(c, i, 0, __builtin_ctzll(src));
	c->v.cc = (c->v.cc & ~FL_ZF) | (src ? 0 : FL_ZF);
}

void op_bsr(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1);

	if (src)
		op_write(c, i, 0, 63 - __builtin_clzll(src));
	c->v.cc = (c->v.cc & ~FL_ZF) | (src ? 0 : FL_ZF);
}

static void count_flags(struct core *c, uint64_t src, uint64_t count)
{
	c->v.cc = (c->v.cc & ~(FL_CF | FL_ZF)) | (src ? 0 : FL_CF) | (count ? 0 : FL_ZF);
}

void op_tzcnt(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t src = op_read(c, i, 1), n = src ? (unsigned)__builtin_ctzll(src) : size * 8;

	op_write(c, i, 0, n);
	count_flags(c, src, n);
}

void op_lzcnt(struct core *c, const struct insn *i)
{
	unsigned size = i->o[0].size;
	uint64_t src = op_read(c, i, 1);
	uint64_t n = src ? __builtin_clzll(src) - (64 - size * 8) : size * 8;

	op_write(c, i, 0, n);
	count_flags(c, src, n);
}

void op_popcnt(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1);

	op_write(c, i, 0, __builtin_popcountll(src));
	c->v.cc = src ? 0 : FL_ZF;
}

/* CRC-32C (polynomial 11EDC6F41h), bit-reflected, without the customary inversions. */
void op_crc32(struct core *c, const struct insn *i)
{
	uint64_t src = op_read(c, i, 1);
	uint32_t crc = (uint32_t)op_read(c, i, 0);

	for (unsigned n = 0; n < i->o[1].size; n++, src >>= 8) {
		crc ^= (uint8_t)src;
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	op_write(c, i, 0, crc);
}
