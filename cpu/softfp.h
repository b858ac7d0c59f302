/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * IEEE 754 binary formats in integers, with the rounding, flags and special cases of SSE: what the
 * host cannot be asked for. SDM vol. 1 4.8 and 11.5, 14.4 (F16C), 14.5 (FMA).
 */
#ifndef CPU_SOFTFP_H
#define CPU_SOFTFP_H

#include <stdbool.h>
#include <stdint.h>

struct fp_format {
	uint8_t mbits, ebits; /* of fraction and exponent */
};

#define FP16 ((struct fp_format){10, 5})
#define FP32 ((struct fp_format){23, 8})
#define FP64 ((struct fp_format){52, 11})

/* A finite value other than zero: m * 2^exp, m not zero. */
struct fp_num {
	unsigned __int128 m;
	int exp;
	bool sign;
};

static inline uint64_t fp_frac_mask(struct fp_format f)
{
	return (1ull << f.mbits) - 1;
}
static inline uint64_t fp_inf(struct fp_format f)
{
	return ((1ull << f.ebits) - 1) << f.mbits;
}
static inline uint64_t fp_sign_bit(struct fp_format f)
{
	return 1ull << (f.mbits + f.ebits);
}
static inline uint64_t fp_quiet_bit(struct fp_format f)
{
	return 1ull << (f.mbits - 1);
}
static inline int fp_bias(struct fp_format f)
{
	return (1 << (f.ebits - 1)) - 1;
}
static inline uint64_t fp_abs(struct fp_format f, uint64_t x)
{
	return x & (fp_sign_bit(f) - 1);
}
static inline bool fp_is_nan(struct fp_format f, uint64_t x)
{
	return fp_abs(f, x) > fp_inf(f);
}
static inline bool fp_is_snan(struct fp_format f, uint64_t x)
{
	return fp_is_nan(f, x) && !(x & fp_quiet_bit(f));
}
static inline bool fp_is_inf(struct fp_format f, uint64_t x)
{
	return fp_abs(f, x) == fp_inf(f);
}
static inline bool fp_is_finite(struct fp_format f, uint64_t x)
{
	return fp_abs(f, x) < fp_inf(f);
}
static inline bool fp_is_denormal(struct fp_format f, uint64_t x)
{
	return fp_abs(f, x) - 1 < fp_frac_mask(f);
}
/* The "real indefinite" QNaN, the masked response to an invalid operation. */
static inline uint64_t fp_default_nan(struct fp_format f)
{
	return fp_sign_bit(f) | fp_inf(f) | fp_quiet_bit(f);
}

/* x as a number; x is finite and not zero. */
struct fp_num fp_unpack(struct fp_format f, uint64_t x);

/* Rounds n to the format under mxcsr and ors O, U and P into *fl as the instruction raises them:
 * tininess after rounding; U for exact tiny results, and P for rounding with unbounded exponent,
 * where the exception is unmasked (the result is then meaningless). */
uint64_t fp_pack(struct fp_format f, struct fp_num n, uint32_t mxcsr, uint32_t *fl);

/* x * y + z rounded once, the product or z negated first where asked (not NaNs). *fl as above and I, D.
 * f is FP32 or FP64. */
uint64_t softfma(struct fp_format f, uint64_t x, uint64_t y, uint64_t z, bool neg_product,
		 bool neg_z, uint32_t mxcsr, uint32_t *fl);

/* x rounded to an integral value; rc as MXCSR.RC. I and P in *fl. Denormals are taken as they are. */
uint64_t fp_round_int(struct fp_format f, uint64_t x, unsigned rc, uint32_t *fl);

/* Operations that can overflow or underflow. */
enum fp_op { FP_ADD, FP_SUB, FP_MUL, FP_DIV, FP_NARROW };

/* The O, U and P that x op y raises under mxcsr with O or U unmasked, which a masked run cannot tell.
 * FP_NARROW: y from FP64 to FP32. */
uint32_t fp_post_flags(struct fp_format f, enum fp_op op, uint64_t x, uint64_t y, uint32_t mxcsr);

#endif
