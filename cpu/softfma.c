/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fused multiply-add in integers. SDM vol. 1 14.5.
 *
 * The product of two significands has at most 106 bits. Product and addend are brought to a leading bit
 * 125, which loses nothing, and the smaller is shifted right with its lost bits or-ed into bit 0.
 * That is enough for correct rounding: bits are lost only from a shift by more than the 20 bits
 * that are free below the product, or the 73 below the addend, and then a subtraction cancels at
 * most one leading bit, so that bit 0 stays far below the rounding position.
 */
#include "cpu/mxcsr.h"
#include "cpu/softfp.h"

enum { LEAD = 125 };

static struct fp_num normalise(struct fp_num n)
{
	uint64_t hi = n.m >> 64;
	int shift = hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)n.m);
	shift -= 127 - LEAD;
	n.m <<= shift;
	n.exp -= shift;
	return n;
}

/* a + b; m is 0 where they cancel. */
static struct fp_num add(struct fp_num a, struct fp_num b)
{
	a = normalise(a);
	b = normalise(b);
	if (a.exp < b.exp || (a.exp == b.exp && a.m < b.m)) {
		struct fp_num t = a;
		a = b;
		b = t;
	}
	int shift = a.exp - b.exp;
	if (shift > LEAD) {
		b.m = 1;
	} else if (shift) {
		bool lost = b.m & (((unsigned __int128)1 << shift) - 1);
		b.m = b.m >> shift | lost;
	}
	a.m = a.sign == b.sign ? a.m + b.m : a.m - b.m;
	return a;
}

uint64_t softfma(struct fp_format f, uint64_t x, uint64_t y, uint64_t z, bool neg_product,
		 bool neg_z, uint32_t mxcsr, uint32_t *fl)
{
	const uint64_t in[3] = {x, y, z};
	uint64_t nan = 0;
	bool denormal = false;

	for (int k = 2; k >= 0; k--) {
		if (fp_is_snan(f, in[k]))
			*fl |= MXCSR_IE;
		if (fp_is_nan(f, in[k]))
			nan = in[k] | fp_quiet_bit(f);
		denormal |= fp_is_denormal(f, in[k]);
	}
	if (nan)
		return nan;
	if (denormal && (mxcsr & MXCSR_DAZ)) {
		denormal = false;
		x &= fp_is_denormal(f, x) ? fp_sign_bit(f) : ~0ull;
		y &= fp_is_denormal(f, y) ? fp_sign_bit(f) : ~0ull;
		z &= fp_is_denormal(f, z) ? fp_sign_bit(f) : ~0ull;
	}
	if (neg_z)
		z ^= fp_sign_bit(f);
	bool psign = ((x ^ y) & fp_sign_bit(f)) != 0;
	psign ^= neg_product;
	bool zsign = z & fp_sign_bit(f);
	bool pzero = !fp_abs(f, x) || !fp_abs(f, y), zzero = !fp_abs(f, z);
	bool pinf = fp_is_inf(f, x) || fp_is_inf(f, y);

	if (pinf && (pzero || (fp_is_inf(f, z) && psign != zsign))) {
		*fl |= MXCSR_IE;
		return fp_default_nan(f);
	}
	if (denormal)
		*fl |= MXCSR_DE;
	if (pinf)
		return fp_inf(f) | (psign ? fp_sign_bit(f) : 0);
	if (fp_is_inf(f, z))
		return z;

	/* Zeroes of different signs, and exact cancellation. */
	uint64_t zero = (mxcsr >> MXCSR_RC_SHIFT & 3) == 1 ? fp_sign_bit(f) : 0;
	if (pzero && zzero)
		return psign == zsign ? z : zero;
	struct fp_num sum = {0};
	if (!zzero)
		sum = fp_unpack(f, z);
	if (!pzero) {
		struct fp_num a = fp_unpack(f, x), b = fp_unpack(f, y);
		struct fp_num p = {.m = a.m * b.m, .exp = a.exp + b.exp, .sign = psign};
		sum = zzero ? p : add(p, sum);
	}
	return sum.m ? fp_pack(f, sum, mxcsr, fl) : zero;
}
