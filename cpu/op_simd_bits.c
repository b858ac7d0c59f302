/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels: vector logic and shifts; PTEST and VTESTPx. SDM vol. 2A-2C. Shift kernels take their count
 * from the low 64 bits of b, whether it came from a register, memory or the immediate.
 */
#include "cpu/op_simd.h"

#define KERNEL(name, n, f, expr)                                                                   \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		(void)imm;                                                                         \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->f[k] = expr;                                                            \
	}

KERNEL(k_pand, 2, u64, a->u64[k] & b->u64[k])
KERNEL(k_pandn, 2, u64, ~a->u64[k] & b->u64[k])
KERNEL(k_por, 2, u64, a->u64[k] | b->u64[k])
KERNEL(k_pxor, 2, u64, a->u64[k] ^ b->u64[k])

/* Counts of the element width and more give zero. */
#define SHIFT(name, n, f, bits, sh)                                                                \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		uint64_t count = b->u64[0];                                                        \
		(void)imm;                                                                         \
		if (count >= bits) {                                                               \
			d->u128 = 0;                                                               \
			return;                                                                    \
		}                                                                                  \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->f[k] = a->f[k] sh count;                                                \
	}

SHIFT(k_psllw, 8, u16, 16, <<)
SHIFT(k_pslld, 4, u32, 32, <<)
SHIFT(k_psllq, 2, u64, 64, <<)
SHIFT(k_psrlw, 8, u16, 16, >>)
SHIFT(k_psrld, 4, u32, 32, >>)
SHIFT(k_psrlq, 2, u64, 64, >>)

/* Arithmetic right shifts: large counts fill with the sign. */
#define SHIFT_SIGNED(name, n, f, bits)                                                             \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		unsigned count = b->u64[0] < bits ? b->u64[0] : bits - 1;                          \
		(void)imm;                                                                         \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->f[k] = a->f[k] >> count;                                                \
	}

SHIFT_SIGNED(k_psraw, 8, i16, 16)
SHIFT_SIGNED(k_psrad, 4, i32, 32)

KERNEL(k_psllvd, 4, u32, b->u32[k] < 32 ? a->u32[k] << (b->u32[k] & 31) : 0)
KERNEL(k_psllvq, 2, u64, b->u64[k] < 64 ? a->u64[k] << (b->u64[k] & 63) : 0)
KERNEL(k_psrlvd, 4, u32, b->u32[k] < 32 ? a->u32[k] >> (b->u32[k] & 31) : 0)
KERNEL(k_psrlvq, 2, u64, b->u64[k] < 64 ? a->u64[k] >> (b->u64[k] & 63) : 0)
KERNEL(k_psravd, 4, i32, a->i32[k] >> (b->u32[k] < 32 ? b->u32[k] : 31))

void k_pslldq(union vec128 *restrict d, const union vec128 *a, const union vec128 *b, unsigned imm)
{
	(void)b;
	d->u128 = imm < 16 ? a->u128 << imm * 8 : 0;
}

void k_psrldq(union vec128 *restrict d, const union vec128 *a, const union vec128 *b, unsigned imm)
{
	(void)b;
	d->u128 = imm < 16 ? a->u128 >> imm * 8 : 0;
}

/* ZF: no bit of `mask` in both; CF: none in the second operand alone. */
static void test(struct core *c, const struct insn *i, uint64_t mask)
{
	struct vec256 tmp;
	const union vec128 *a = vec_reg(c, i->o[0].reg), *b = vec_src(c, i, 1, &tmp);
	uint64_t both = 0, only_b = 0;
	for (unsigned k = 0; k < i->vl / 8u; k++) {
		uint64_t x = a[k / 2].u64[k % 2], y = b[k / 2].u64[k % 2];
		both |= x & y;
		only_b |= ~x & y;
	}
	c->v.cc = (both & mask ? 0 : FL_ZF) | (only_b & mask ? 0 : FL_CF);
}

void op_ptest(struct core *c, const struct insn *i)
{
	test(c, i, ~0ull);
}
void op_vtestps(struct core *c, const struct insn *i)
{
	test(c, i, 0x8000000080000000);
}
void op_vtestpd(struct core *c, const struct insn *i)
{
	test(c, i, 0x8000000000000000);
}
