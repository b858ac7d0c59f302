/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels of SSE floating-point arithmetic, one host instruction each; SSE3's horizontal and
 * alternating forms are made of them. SDM vol. 1 10.4.1.1, 11.4.1.2, 12.3.
 */
#include "cpu/op_simd_fp.h"
#include "cpu/simd_host.h"
#include "cpu/softfp.h"

/* The host ran masked. With overflow or underflow unmasked, the guest's P means inexact with an unbounded
 * exponent, and U comes with exact results too, so O, U and P are found anew. */
static inline uint32_t exact_flags(uint32_t fl, struct fp_format f, unsigned n, enum fp_op op,
				   const union vec128 *a, const union vec128 *b, uint32_t mxcsr)
{
	if (__builtin_expect(!(~mxcsr & (MXCSR_OM | MXCSR_UM)), 1))
		return fl;
	fl &= MXCSR_PRE;
	for (unsigned k = 0; k < n; k++) {
		if (f.mbits == 23)
			fl |= fp_post_flags(f, op, a->u32[k], b->u32[k], mxcsr);
		else
			fl |= fp_post_flags(f, op, a->u64[k], b->u64[k], mxcsr);
	}
	return fl;
}

#define KERNEL(insn, fmt, n, op)                                                                   \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		(void)imm;                                                                         \
		return exact_flags(host_##insn(d, a, b, mxcsr), fmt, n, op, a, b, mxcsr);          \
	}
#define KERNELS(insn, op)                                                                          \
	KERNEL(insn##ps, FP32, 4, op)                                                              \
	KERNEL(insn##pd, FP64, 2, op)                                                              \
	KERNEL(insn##ss, FP32, 1, op)                                                              \
	KERNEL(insn##sd, FP64, 1, op)

KERNELS(add, FP_ADD)
KERNELS(sub, FP_SUB)
KERNELS(mul, FP_MUL)
KERNELS(div, FP_DIV)

/* Operations that neither overflow nor underflow. */
#define KERNEL_PLAIN(insn)                                                                         \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		(void)imm;                                                                         \
		return host_##insn(d, a, b, mxcsr);                                                \
	}

KERNEL_PLAIN(minps)
KERNEL_PLAIN(minpd)
KERNEL_PLAIN(minss)
KERNEL_PLAIN(minsd)
KERNEL_PLAIN(maxps)
KERNEL_PLAIN(maxpd)
KERNEL_PLAIN(maxss)
KERNEL_PLAIN(maxsd)
KERNEL_PLAIN(sqrtps)
KERNEL_PLAIN(sqrtpd)
KERNEL_PLAIN(sqrtss)
KERNEL_PLAIN(sqrtsd)
/* Approximations: each implementation has its own, this one has the host's. */
KERNEL_PLAIN(rcpps)
KERNEL_PLAIN(rcpss)
KERNEL_PLAIN(rsqrtps)
KERNEL_PLAIN(rsqrtss)

/* Elements of `a` where m is set, else of `b`. */
static inline __m128i blend(__m128i m, __m128i a, __m128i b)
{
	return _mm_or_si128(_mm_and_si128(m, a), _mm_andnot_si128(m, b));
}

/* Even elements are subtracted, odd ones added; the others are 0 meanwhile, which raises nothing. */
static inline uint32_t addsub(union vec128 *d, const union vec128 *a, const union vec128 *b,
			      uint32_t mxcsr, __m128i even, fp_kernel *sub, fp_kernel *add)
{
	__m128i va = vec_get(a), vb = vec_get(b);
	union vec128 x, y, s, t;
	vec_put(&x, _mm_and_si128(even, va));
	vec_put(&y, _mm_and_si128(even, vb));
	uint32_t fl = sub(&s, &x, &y, mxcsr, 0);
	vec_put(&x, _mm_andnot_si128(even, va));
	vec_put(&y, _mm_andnot_si128(even, vb));
	fl |= add(&t, &x, &y, mxcsr, 0);
	vec_put(d, blend(even, vec_get(&s), vec_get(&t)));
	return fl;
}

uint32_t k_addsubps(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	(void)imm;
	return addsub(d, a, b, mxcsr, _mm_set_epi32(0, -1, 0, -1), k_subps, k_addps);
}

uint32_t k_addsubpd(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	(void)imm;
	return addsub(d, a, b, mxcsr, _mm_set_epi32(0, 0, -1, -1), k_subpd, k_addpd);
}

static inline uint32_t horizontal_ps(union vec128 *d, const union vec128 *a, const union vec128 *b,
				     uint32_t mxcsr, fp_kernel *k)
{
	union vec128 x = {.u32 = {a->u32[0], a->u32[2], b->u32[0], b->u32[2]}};
	union vec128 y = {.u32 = {a->u32[1], a->u32[3], b->u32[1], b->u32[3]}};
	return k(d, &x, &y, mxcsr, 0);
}

static inline uint32_t horizontal_pd(union vec128 *d, const union vec128 *a, const union vec128 *b,
				     uint32_t mxcsr, fp_kernel *k)
{
	union vec128 x = {.u64 = {a->u64[0], b->u64[0]}};
	union vec128 y = {.u64 = {a->u64[1], b->u64[1]}};
	return k(d, &x, &y, mxcsr, 0);
}

#define HORIZONTAL(name, fmt, vertical)                                                            \
	uint32_t k_##name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		(void)imm;                                                                         \
		return horizontal_##fmt(d, a, b, mxcsr, vertical);                                 \
	}

HORIZONTAL(haddps, ps, k_addps)
HORIZONTAL(haddpd, pd, k_addpd)
HORIZONTAL(hsubps, ps, k_subps)
HORIZONTAL(hsubpd, pd, k_subpd)
