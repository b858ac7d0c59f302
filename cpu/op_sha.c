/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels: SHA-1 and SHA-256 rounds and message schedules. FIPS 180-4; SDM vol. 2B SHA1RNDS4 and
 * following. The instructions hold the earliest word of SHA-1 in element 3, of SHA-256 schedules in
 * element 0.
 */
#include "cpu/op_simd.h"

static inline uint32_t rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}
static inline uint32_t ror(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}
static inline uint32_t ch(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) ^ (~x & z);
}
static inline uint32_t maj(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) ^ (x & z) ^ (y & z);
}

/* The E that goes into the next four rounds is A of the last four, rotated. */
void k_sha1nexte(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		 unsigned imm)
{
	(void)imm;
	*d = *b;
	d->u32[3] += rol(a->u32[3], 30);
}

void k_sha1msg1(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		unsigned imm)
{
	(void)imm;
	d->u32[3] = a->u32[3] ^ a->u32[1];
	d->u32[2] = a->u32[2] ^ a->u32[0];
	d->u32[1] = a->u32[1] ^ b->u32[3];
	d->u32[0] = a->u32[0] ^ b->u32[2];
}

void k_sha1msg2(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		unsigned imm)
{
	(void)imm;
	d->u32[3] = rol(a->u32[3] ^ b->u32[2], 1);
	d->u32[2] = rol(a->u32[2] ^ b->u32[1], 1);
	d->u32[1] = rol(a->u32[1] ^ b->u32[0], 1);
	d->u32[0] = rol(a->u32[0] ^ d->u32[3], 1);
}

/* Four rounds; b holds the schedule words with E already added to the first. */
void k_sha1rnds4(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		 unsigned imm)
{
	static const uint32_t constant[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t va = a->u32[3], vb = a->u32[2], vc = a->u32[1], vd = a->u32[0], ve = 0;
	unsigned stage = imm & 3;
	for (unsigned k = 0; k < 4; k++) {
		uint32_t f = stage == 0   ? ch(vb, vc, vd)
			     : stage == 2 ? maj(vb, vc, vd)
					  : vb ^ vc ^ vd;
		uint32_t sum = f + rol(va, 5) + b->u32[3 - k] + ve + constant[stage];
		ve = vd;
		vd = vc;
		vc = rol(vb, 30);
		vb = va;
		va = sum;
	}
	d->u32[3] = va;
	d->u32[2] = vb;
	d->u32[1] = vc;
	d->u32[0] = vd;
}

static inline uint32_t sigma0(uint32_t x)
{
	return ror(x, 7) ^ ror(x, 18) ^ x >> 3;
}
static inline uint32_t sigma1(uint32_t x)
{
	return ror(x, 17) ^ ror(x, 19) ^ x >> 10;
}

void k_sha256msg1(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		  unsigned imm)
{
	(void)imm;
	for (unsigned k = 0; k < 4; k++)
		d->u32[k] = a->u32[k] + sigma0(k < 3 ? a->u32[k + 1] : b->u32[0]);
}

void k_sha256msg2(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		  unsigned imm)
{
	(void)imm;
	for (unsigned k = 0; k < 4; k++)
		d->u32[k] = a->u32[k] + sigma1(k < 2 ? b->u32[k + 2] : d->u32[k - 2]);
}

/* Two rounds: a = {H, G, D, C}, b = {F, E, B, A}, m = schedule words plus constants. The new C, D, G
 * and H are the old A, B, E and F, which the caller still has. */
void k_sha256rnds2(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
		   const union vec128 *m)
{
	uint32_t va = b->u32[3], vb = b->u32[2], vc = a->u32[3], vd = a->u32[2];
	uint32_t ve = b->u32[1], vf = b->u32[0], vg = a->u32[1], vh = a->u32[0];
	for (unsigned k = 0; k < 2; k++) {
		uint32_t t1 =
		    vh + (ror(ve, 6) ^ ror(ve, 11) ^ ror(ve, 25)) + ch(ve, vf, vg) + m->u32[k];
		uint32_t t2 = (ror(va, 2) ^ ror(va, 13) ^ ror(va, 22)) + maj(va, vb, vc);
		vh = vg;
		vg = vf;
		vf = ve;
		ve = vd + t1;
		vd = vc;
		vc = vb;
		vb = va;
		va = t1 + t2;
	}
	d->u32[3] = va;
	d->u32[2] = vb;
	d->u32[1] = ve;
	d->u32[0] = vf;
}
