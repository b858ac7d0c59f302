/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Unpacking, rounding and packing of binary floating point, and the operations that need no more.
 * SDM vol. 1 4.8, 4.9 and 11.5.
 */
#include "cpu/softfp.h"

#include "cpu/mxcsr.h"

static int top_bit(unsigned __int128 m)
{
	uint64_t hi = m >> 64;
	return hi ? 127 - __builtin_clzll(hi) : 63 - __builtin_clzll((uint64_t)m);
}

struct fp_num fp_unpack(struct fp_format f, uint64_t x)
{
	int e = fp_abs(f, x) >> f.mbits;
	struct fp_num n = {
	    .m = x & fp_frac_mask(f),
	    .exp = (e ? e : 1) - fp_bias(f) - f.mbits,
	    .sign = x & fp_sign_bit(f),
	};
	if (e)
		n.m |= 1ull << f.mbits;
	return n;
}

/* m >> drop, rounded; drop may be negative. */
static uint64_t round_shift(unsigned __int128 m, int drop, bool sign, unsigned rc, bool *inexact)
{
	*inexact = false;
	if (drop <= 0)
		return (uint64_t)m << -drop;
	unsigned __int128 rest, half;
	uint64_t q;
	if (drop < 128) {
		q = m >> drop;
		rest = m & (((unsigned __int128)1 << drop) - 1);
		half = (unsigned __int128)1 << (drop - 1);
	} else { /* below a quarter of the last place */
		q = 0;
		rest = 1;
		half = 2;
	}
	if (!rest)
		return q;
	*inexact = true;
	switch (rc) {
	case 0:
		return q + (rest > half || (rest == half && (q & 1)));
	case 1:
		return q + sign;
	case 2:
		return q + !sign;
	default:
		return q;
	}
}

uint64_t fp_pack(struct fp_format f, struct fp_num n, uint32_t mxcsr, uint32_t *fl)
{
	unsigned rc = mxcsr >> MXCSR_RC_SHIFT & 3;
	uint64_t sign = n.sign ? fp_sign_bit(f) : 0;
	int top = top_bit(n.m);
	int e = n.exp + top; /* of the leading bit */
	int emin = 1 - fp_bias(f);
	bool inexact;

	uint64_t q = round_shift(n.m, top - f.mbits, n.sign, rc, &inexact);
	if (q >> (f.mbits + 1)) {
		q >>= 1;
		e++;
	}
	if (e > fp_bias(f)) {
		*fl |= MXCSR_OE;
		if (inexact || (mxcsr & MXCSR_OM))
			*fl |= MXCSR_PE;
		bool to_inf = rc == 0 || (rc == 1 && n.sign) || (rc == 2 && !n.sign);
		return sign | (to_inf ? fp_inf(f) : fp_inf(f) - 1);
	}
	if (e < emin) {
		if (!(mxcsr & MXCSR_UM)) {
			*fl |= MXCSR_UE | (inexact ? MXCSR_PE : 0);
			return sign;
		}
		if (mxcsr & MXCSR_FTZ) {
			*fl |= MXCSR_UE | MXCSR_PE;
			return sign;
		}
		q = round_shift(n.m, emin - n.exp - f.mbits, n.sign, rc, &inexact);
		if (inexact)
			*fl |= MXCSR_UE | MXCSR_PE;
		return sign | q; /* a carry out of the fraction makes the least normal number */
	}
	if (inexact)
		*fl |= MXCSR_PE;
	return sign | ((uint64_t)(e + fp_bias(f)) << f.mbits) | (q & fp_frac_mask(f));
}

uint64_t fp_round_int(struct fp_format f, uint64_t x, unsigned rc, uint32_t *fl)
{
	uint64_t abs = fp_abs(f, x), sign = x & fp_sign_bit(f);
	int drop = fp_bias(f) + f.mbits - (int)(abs >> f.mbits);
	bool inexact;

	if (fp_is_nan(f, x)) {
		if (fp_is_snan(f, x))
			*fl |= MXCSR_IE;
		return x | fp_quiet_bit(f);
	}
	if (!abs || drop <= 0)
		return x;
	uint64_t q = round_shift(fp_unpack(f, x).m, drop, sign, rc, &inexact);
	if (inexact)
		*fl |= MXCSR_PE;
	if (!q)
		return sign;
	uint32_t none = 0;
	return sign | fp_pack(f, (struct fp_num){.m = q}, MXCSR_MASKS, &none);
}

static struct fp_num divide(struct fp_num a, struct fp_num b)
{
	a.m <<= 63 - top_bit(a.m);
	b.m <<= 63 - top_bit(b.m);
	unsigned __int128 n = a.m << 64;
	struct fp_num q = {.m = n / b.m, .sign = a.sign ^ b.sign};
	if (n % b.m) /* one bit far below the last place rounds like the remainder */
		q.m |= 1;
	return q;
}

uint32_t fp_post_flags(struct fp_format f, enum fp_op op, uint64_t x, uint64_t y, uint32_t mxcsr)
{
	uint64_t one = (uint64_t)fp_bias(f) << f.mbits;
	uint32_t fl = 0;

	if (mxcsr & MXCSR_DAZ) {
		if (fp_is_denormal(f, x))
			x &= fp_sign_bit(f);
		if (fp_is_denormal(f, y))
			y &= fp_sign_bit(f);
	}
	if (!fp_is_finite(f, y) || (op != FP_NARROW && !fp_is_finite(f, x)))
		return 0;
	switch (op) {
	case FP_ADD:
	case FP_SUB:
		softfma(f, x, one, y, false, op == FP_SUB, mxcsr, &fl);
		break;
	case FP_MUL:
		softfma(f, x, y, 0, false, false, mxcsr, &fl);
		break;
	case FP_DIV:
		if (fp_abs(f, x) && fp_abs(f, y)) {
			struct fp_num a = fp_unpack(f, x), b = fp_unpack(f, y);
			struct fp_num q = divide(a, b);
			q.exp = (a.exp + top_bit(a.m)) - (b.exp + top_bit(b.m)) - 64;
			fp_pack(f, q, mxcsr, &fl);
		}
		break;
	case FP_NARROW:
		if (fp_abs(f, y))
			fp_pack(FP32, fp_unpack(f, y), mxcsr, &fl);
		break;
	}
	return fl & ~(uint32_t)MXCSR_PRE;
}
