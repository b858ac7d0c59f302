/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels: packed integer arithmetic and comparison. SDM vol. 2A-2B, P*; 64-bit MMX operands arrive
 * zero-extended, so a kernel here must map zero upper halves to anything without trapping.
 */
#include "cpu/op_simd.h"

/* One kernel of n elements of the union's array `f`; `expr` sees element number k. */
#define KERNEL(name, n, f, expr)                                                                   \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		(void)a, (void)imm;                                                                \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->f[k] = expr;                                                            \
	}

static inline int sat8(int x)
{
	return x < -128 ? -128 : x > 127 ? 127 : x;
}
static inline int sat16(int x)
{
	return x < -32768 ? -32768 : x > 32767 ? 32767 : x;
}
static inline int satu8(int x)
{
	return x < 0 ? 0 : x > 255 ? 255 : x;
}
static inline int satu16(int x)
{
	return x < 0 ? 0 : x > 65535 ? 65535 : x;
}

KERNEL(k_paddb, 16, u8, a->u8[k] + b->u8[k])
KERNEL(k_paddw, 8, u16, a->u16[k] + b->u16[k])
KERNEL(k_paddd, 4, u32, a->u32[k] + b->u32[k])
KERNEL(k_paddq, 2, u64, a->u64[k] + b->u64[k])
KERNEL(k_psubb, 16, u8, a->u8[k] - b->u8[k])
KERNEL(k_psubw, 8, u16, a->u16[k] - b->u16[k])
KERNEL(k_psubd, 4, u32, a->u32[k] - b->u32[k])
KERNEL(k_psubq, 2, u64, a->u64[k] - b->u64[k])

KERNEL(k_paddsb, 16, i8, sat8(a->i8[k] + b->i8[k]))
KERNEL(k_paddsw, 8, i16, sat16(a->i16[k] + b->i16[k]))
KERNEL(k_paddusb, 16, u8, satu8(a->u8[k] + b->u8[k]))
KERNEL(k_paddusw, 8, u16, satu16(a->u16[k] + b->u16[k]))
KERNEL(k_psubsb, 16, i8, sat8(a->i8[k] - b->i8[k]))
KERNEL(k_psubsw, 8, i16, sat16(a->i16[k] - b->i16[k]))
KERNEL(k_psubusb, 16, u8, satu8(a->u8[k] - b->u8[k]))
KERNEL(k_psubusw, 8, u16, satu16(a->u16[k] - b->u16[k]))

KERNEL(k_pmullw, 8, i16, a->i16[k] * b->i16[k])
KERNEL(k_pmulhw, 8, i16, a->i16[k] * b->i16[k] >> 16)
KERNEL(k_pmulhuw, 8, u16, (uint32_t)a->u16[k] * b->u16[k] >> 16)
KERNEL(k_pmulhrsw, 8, i16, ((a->i16[k] * b->i16[k] >> 14) + 1) >> 1)
KERNEL(k_pmulld, 4, u32, a->u32[k] * b->u32[k])
KERNEL(k_pmuludq, 2, u64, (uint64_t)a->u32[2 * k] * b->u32[2 * k])
KERNEL(k_pmuldq, 2, i64, (int64_t)a->i32[2 * k] * b->i32[2 * k])

KERNEL(k_pavgb, 16, u8, (a->u8[k] + b->u8[k] + 1) >> 1)
KERNEL(k_pavgw, 8, u16, (a->u16[k] + b->u16[k] + 1) >> 1)

#define MIN(x, y) ((x) < (y) ? (x) : (y))
#define MAX(x, y) ((x) > (y) ? (x) : (y))
KERNEL(k_pminub, 16, u8, MIN(a->u8[k], b->u8[k]))
KERNEL(k_pminuw, 8, u16, MIN(a->u16[k], b->u16[k]))
KERNEL(k_pminud, 4, u32, MIN(a->u32[k], b->u32[k]))
KERNEL(k_pminsb, 16, i8, MIN(a->i8[k], b->i8[k]))
KERNEL(k_pminsw, 8, i16, MIN(a->i16[k], b->i16[k]))
KERNEL(k_pminsd, 4, i32, MIN(a->i32[k], b->i32[k]))
KERNEL(k_pmaxub, 16, u8, MAX(a->u8[k], b->u8[k]))
KERNEL(k_pmaxuw, 8, u16, MAX(a->u16[k], b->u16[k]))
KERNEL(k_pmaxud, 4, u32, MAX(a->u32[k], b->u32[k]))
KERNEL(k_pmaxsb, 16, i8, MAX(a->i8[k], b->i8[k]))
KERNEL(k_pmaxsw, 8, i16, MAX(a->i16[k], b->i16[k]))
KERNEL(k_pmaxsd, 4, i32, MAX(a->i32[k], b->i32[k]))

KERNEL(k_pabsb, 16, u8, b->i8[k] < 0 ? -b->u8[k] : b->u8[k])
KERNEL(k_pabsw, 8, u16, b->i16[k] < 0 ? -b->u16[k] : b->u16[k])
KERNEL(k_pabsd, 4, u32, b->i32[k] < 0 ? -b->u32[k] : b->u32[k])
KERNEL(k_psignb, 16, u8, b->i8[k] < 0 ? -a->u8[k] : b->i8[k] ? a->u8[k] : 0)
KERNEL(k_psignw, 8, u16, b->i16[k] < 0 ? -a->u16[k] : b->i16[k] ? a->u16[k] : 0)
KERNEL(k_psignd, 4, u32, b->i32[k] < 0 ? -a->u32[k] : b->i32[k] ? a->u32[k] : 0)

KERNEL(k_pcmpeqb, 16, i8, -(a->u8[k] == b->u8[k]))
KERNEL(k_pcmpeqw, 8, i16, -(a->u16[k] == b->u16[k]))
KERNEL(k_pcmpeqd, 4, i32, -(a->u32[k] == b->u32[k]))
KERNEL(k_pcmpeqq, 2, i64, -(int64_t)(a->u64[k] == b->u64[k]))
KERNEL(k_pcmpgtb, 16, i8, -(a->i8[k] > b->i8[k]))
KERNEL(k_pcmpgtw, 8, i16, -(a->i16[k] > b->i16[k]))
KERNEL(k_pcmpgtd, 4, i32, -(a->i32[k] > b->i32[k]))
KERNEL(k_pcmpgtq, 2, i64, -(int64_t)(a->i64[k] > b->i64[k]))

/* Sum of products of neighbours; only -32768 four times over wraps. */
KERNEL(k_pmaddwd, 4, u32,
       (uint32_t)(a->i16[2 * k] * b->i16[2 * k]) +
	   (uint32_t)(a->i16[2 * k + 1] * b->i16[2 * k + 1]))
KERNEL(k_pmaddubsw, 8, i16,
       sat16(a->u8[2 * k] * b->i8[2 * k] + a->u8[2 * k + 1] * b->i8[2 * k + 1]))

/* Horizontal operations: neighbours of a make the low half, neighbours of b the high half. */
#define HORIZONTAL(name, half, f, expr)                                                            \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		(void)imm;                                                                         \
		for (unsigned k = 0; k < half; k++) {                                              \
			const union vec128 *s = a;                                                 \
			d->f[k] = expr;                                                            \
			s = b;                                                                     \
			d->f[half + k] = expr;                                                     \
		}                                                                                  \
	}

HORIZONTAL(k_phaddw, 4, u16, s->u16[2 * k] + s->u16[2 * k + 1])
HORIZONTAL(k_phaddd, 2, u32, s->u32[2 * k] + s->u32[2 * k + 1])
HORIZONTAL(k_phaddsw, 4, i16, sat16(s->i16[2 * k] + s->i16[2 * k + 1]))
HORIZONTAL(k_phsubw, 4, u16, s->u16[2 * k] - s->u16[2 * k + 1])
HORIZONTAL(k_phsubd, 2, u32, s->u32[2 * k] - s->u32[2 * k + 1])
HORIZONTAL(k_phsubsw, 4, i16, sat16(s->i16[2 * k] - s->i16[2 * k + 1]))

static unsigned abs_diff(uint8_t x, uint8_t y)
{
	return x > y ? x - y : y - x;
}

void k_psadbw(union vec128 *restrict d, const union vec128 *a, const union vec128 *b, unsigned imm)
{
	(void)imm;
	for (unsigned k = 0; k < 2; k++) {
		unsigned sum = 0;
		for (unsigned j = 0; j < 8; j++)
			sum += abs_diff(a->u8[8 * k + j], b->u8[8 * k + j]);
		d->u64[k] = sum;
	}
}

/* imm[1:0]: the four bytes of b; imm[2]: where the eleven bytes of a begin. */
void k_mpsadbw(union vec128 *restrict d, const union vec128 *a, const union vec128 *b, unsigned imm)
{
	const uint8_t *s = a->u8 + (imm & 4), *block = b->u8 + (imm & 3) * 4;
	for (unsigned k = 0; k < 8; k++) {
		unsigned sum = 0;
		for (unsigned j = 0; j < 4; j++)
			sum += abs_diff(s[k + j], block[j]);
		d->u16[k] = sum;
	}
}

void k_phminposuw(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		  unsigned imm)
{
	unsigned min = 0;
	(void)a, (void)imm;
	for (unsigned k = 1; k < 8; k++)
		if (b->u16[k] < b->u16[min])
			min = k;
	d->u64[0] = b->u16[min] | min << 16;
	d->u64[1] = 0;
}
