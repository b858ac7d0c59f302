/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels of conversions and of rounding to integral values. SDM vol. 1 11.4.1.6 (SSE2 conversions),
 * 12.8.4 (ROUNDPS), 14.4 (half precision).
 */
#include "cpu/op_simd_fp.h"
#include "cpu/simd_host.h"
#include "cpu/softfp.h"

#define KERNEL(insn)                                                                               \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		(void)imm;                                                                         \
		return host_##insn(d, a, b, mxcsr);                                                \
	}

KERNEL(cvtps2pd)
KERNEL(cvtss2sd)
KERNEL(cvtdq2ps)
KERNEL(cvtdq2pd)
KERNEL(cvtps2dq)
KERNEL(cvttps2dq)
KERNEL(cvtpd2dq)
KERNEL(cvttpd2dq)

/* See exact_flags() in op_fp_arith.c. */
#define NARROW(insn, n)                                                                            \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		uint32_t fl = host_##insn(d, a, b, mxcsr);                                         \
		(void)imm;                                                                         \
		if (__builtin_expect(!(~mxcsr & (MXCSR_OM | MXCSR_UM)), 1))                        \
			return fl;                                                                 \
		fl &= MXCSR_PRE;                                                                   \
		for (unsigned k = 0; k < n; k++)                                                   \
			fl |= fp_post_flags(FP64, FP_NARROW, 0, b->u64[k], mxcsr);                 \
		return fl;                                                                         \
	}

NARROW(cvtpd2ps, 2)
NARROW(cvtsd2ss, 1)

/* MMX operands are the low half; the other half must raise nothing. */
static inline union vec128 low(const union vec128 *v)
{
	return (union vec128){.u64 = {v->u64[0]}};
}

uint32_t k_cvtpi2ps(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	union vec128 src = low(b);
	(void)imm;
	uint32_t fl = host_cvtdq2ps(d, a, &src, mxcsr);
	d->u64[1] = a->u64[1];
	return fl;
}

uint32_t k_cvtpi2pd(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	(void)imm;
	return host_cvtdq2pd(d, a, b, mxcsr);
}

uint32_t k_cvtps2pi(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	union vec128 src = low(b);
	(void)imm;
	return host_cvtps2dq(d, a, &src, mxcsr);
}

uint32_t k_cvttps2pi(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		     uint32_t mxcsr, unsigned imm)
{
	union vec128 src = low(b);
	(void)imm;
	return host_cvttps2dq(d, a, &src, mxcsr);
}

#define TO_INT(insn)                                                                               \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned size)                                           \
	{                                                                                          \
		(void)a;                                                                           \
		return size == 8 ? host_##insn##64(&d->u64[0], b, mxcsr)                           \
				 : host_##insn##32(&d->u64[0], b, mxcsr);                          \
	}
#define FROM_INT(insn)                                                                             \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned size)                                           \
	{                                                                                          \
		return size == 8 ? host_##insn##64(d, a, b->u64[0], mxcsr)                         \
				 : host_##insn##32(d, a, b->u32[0], mxcsr);                        \
	}

TO_INT(cvtss2si)
TO_INT(cvttss2si)
TO_INT(cvtsd2si)
TO_INT(cvttsd2si)
FROM_INT(cvtsi2ss)
FROM_INT(cvtsi2sd)

/* imm: rounding mode in bits 0-1, bit 2: MXCSR's instead, bit 3: no P. */
static uint64_t round_int(struct fp_format f, uint64_t x, uint32_t mxcsr, unsigned imm,
			  uint32_t *fl)
{
	unsigned rc = imm & 4 ? mxcsr >> MXCSR_RC_SHIFT : imm;
	if ((mxcsr & MXCSR_DAZ) && fp_is_denormal(f, x))
		return x & fp_sign_bit(f);
	x = fp_round_int(f, x, rc & 3, fl);
	if (imm & 8)
		*fl &= ~(uint32_t)MXCSR_PE;
	return x;
}

#define ROUND(name, fmt, n, element)                                                               \
	uint32_t k_##name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		uint32_t fl = 0;                                                                   \
		*d = *a;                                                                           \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->element[k] = round_int(fmt, b->element[k], mxcsr, imm, &fl);            \
		return fl;                                                                         \
	}

ROUND(roundps, FP32, 4, u32)
ROUND(roundpd, FP64, 2, u64)
ROUND(roundss, FP32, 1, u32)
ROUND(roundsd, FP64, 1, u64)

/* Exact; half denormals are ordinary numbers here, whatever DAZ says. */
static uint32_t half_to_single(uint16_t h, uint32_t *fl)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, abs = h & 0x7fff, none = 0;

	if (fp_is_nan(FP16, h)) {
		if (fp_is_snan(FP16, h))
			*fl |= MXCSR_IE;
		return sign | fp_inf(FP32) | fp_quiet_bit(FP32) | (abs & 0x3ff) << 13;
	}
	if (abs == 0x7c00)
		return sign | fp_inf(FP32);
	return abs ? fp_pack(FP32, fp_unpack(FP16, h), MXCSR_MASKS, &none) : sign;
}

/* FTZ does not apply: MXCSR's is for single and double results. */
static uint16_t single_to_half(uint32_t x, uint32_t mxcsr, uint32_t *fl)
{
	uint16_t sign = x >> 16 & 0x8000;

	if (fp_is_nan(FP32, x)) {
		if (fp_is_snan(FP32, x))
			*fl |= MXCSR_IE;
		return sign | fp_inf(FP16) | fp_quiet_bit(FP16) | (x >> 13 & 0x3ff);
	}
	if (fp_is_inf(FP32, x))
		return sign | fp_inf(FP16);
	if (fp_is_denormal(FP32, x)) {
		if (mxcsr & MXCSR_DAZ)
			return sign;
		*fl |= MXCSR_DE;
	}
	return fp_abs(FP32, x) ? fp_pack(FP16, fp_unpack(FP32, x), mxcsr, fl) : sign;
}

uint32_t k_cvtph2ps(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	uint32_t fl = 0;
	(void)a, (void)mxcsr, (void)imm;
	for (unsigned k = 0; k < 4; k++)
		d->u32[k] = half_to_single(b->u16[k], &fl);
	return fl;
}

uint32_t k_cvtps2ph(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		    uint32_t mxcsr, unsigned imm)
{
	uint32_t fl = 0;
	(void)a;
	mxcsr &= ~(uint32_t)MXCSR_FTZ;
	if (!(imm & 4))
		mxcsr = (mxcsr & ~(3u << MXCSR_RC_SHIFT)) | (imm & 3) << MXCSR_RC_SHIFT;
	d->u64[1] = 0;
	for (unsigned k = 0; k < 4; k++)
		d->u16[k] = single_to_half(b->u32[k], mxcsr, &fl);
	return fl;
}
