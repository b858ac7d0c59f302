/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernel: PCLMULQDQ, the product of two polynomials over GF(2). SDM vol. 2B.
 */
#include "cpu/op_simd.h"

/* Four bits of y at a time, from a table of the sixteen multiples of x. */
void k_pclmulqdq(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		 unsigned imm)
{
	unsigned __int128 multiple[16], product = 0;
	uint64_t y = b->u64[imm >> 4 & 1];
	multiple[0] = 0;
	multiple[1] = a->u64[imm & 1];
	for (unsigned k = 2; k < 16; k += 2) {
		multiple[k] = multiple[k / 2] << 1;
		multiple[k + 1] = multiple[k] ^ multiple[1];
	}
	for (int shift = 60; shift >= 0; shift -= 4)
		product = product << 4 ^ multiple[y >> shift & 15];
	d->u128 = product;
}
