/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels of floating-point comparisons. SDM vol. 2A CMPPS, table 3-1 (the 32 predicates), COMISS.
 */
#include "cpu/op_simd_fp.h"
#include "cpu/simd_host.h"

enum { LT = 1, EQ = 2, GT = 4, UN = 8 };

/* The relations for which predicate n and n + 16 hold. */
static const uint8_t holds[16] = {
    EQ,      LT,      LT | EQ,      UN, LT | GT | UN, EQ | GT | UN, GT | UN, LT | EQ | GT,
    EQ | UN, LT | UN, LT | EQ | UN, 0,  LT | GT,      EQ | GT,      GT,      LT | EQ | GT | UN,
};
/* Predicates below 16 that signal I for a QNaN; those from 16 on do the opposite. */
enum { SIGNALLING = 0x6666 };

static inline __m128i when(unsigned relations, unsigned rel, __m128i elements)
{
	return relations & rel ? elements : _mm_setzero_si128();
}

static inline __m128i pick(const struct host_compare *r, unsigned predicate)
{
	unsigned h = holds[predicate & 15];
	__m128i any = _mm_or_si128(_mm_or_si128(r->eq, r->lt), r->un);
	__m128i gt = _mm_andnot_si128(any, _mm_set1_epi32(-1));
	return _mm_or_si128(_mm_or_si128(when(h, LT, r->lt), when(h, EQ, r->eq)),
			    _mm_or_si128(when(h, GT, gt), when(h, UN, r->un)));
}

static inline uint32_t flags(const struct host_compare *r, unsigned predicate)
{
	bool signalling = (SIGNALLING >> (predicate & 15) & 1) ^ (predicate >> 4);
	return signalling ? r->signalling : r->quiet;
}

#define COMPARE(name, fmt, predicates, n, element)                                                 \
	uint32_t k_##name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		struct host_compare r = host_cmp##fmt(a, b, mxcsr);                                \
		unsigned predicate = imm & (predicates - 1);                                       \
		union vec128 m;                                                                    \
		vec_put(&m, pick(&r, predicate));                                                  \
		*d = *a;                                                                           \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->element[k] = m.element[k];                                              \
		return flags(&r, predicate);                                                       \
	}
#define COMPARES(name, predicates)                                                                 \
	COMPARE(name##ps, ps, predicates, 4, u32)                                                  \
	COMPARE(name##pd, pd, predicates, 2, u64)                                                  \
	COMPARE(name##ss, ss, predicates, 1, u32)                                                  \
	COMPARE(name##sd, sd, predicates, 1, u64)

COMPARES(cmp, 8)
COMPARES(vcmp, 32)

#define COMIS(insn)                                                                                \
	uint32_t k_##insn(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,  \
			  uint32_t mxcsr, unsigned imm)                                            \
	{                                                                                          \
		(void)imm;                                                                         \
		return host_##insn(&d->u32[0], a, b, mxcsr);                                       \
	}

COMIS(comiss)
COMIS(comisd)
COMIS(ucomiss)
COMIS(ucomisd)
