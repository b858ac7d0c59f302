/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels of FMA3: the host's instruction where it has it, else softfma(). SDM vol. 1 14.5.
 */
#include "cpu/op_simd_fp.h"
#include "cpu/simd_host.h"
#include "cpu/softfp.h"

/* With overflow or underflow unmasked the host's flags do not tell enough, see op_fp_arith.c. */
static inline bool use_host(uint32_t mxcsr)
{
	return !(~mxcsr & (MXCSR_OM | MXCSR_UM)) && __builtin_cpu_supports("fma");
}

/* neg_z has a bit for even and one for odd elements. */
enum { NONE = 0, EVEN = 1, ODD = 2, ALL = 3 };

static uint32_t soft(union vec128 *d, const union vec128 *x, const union vec128 *y,
		     const union vec128 *z, uint32_t mxcsr, struct fp_format f, unsigned n,
		     bool neg_product, unsigned neg_z)
{
	uint32_t fl = 0;
	for (unsigned k = 0; k < n; k++) {
		bool neg = neg_z >> (k & 1) & 1;
		if (f.mbits == 23)
			d->u32[k] = softfma(f, x->u32[k], y->u32[k], z->u32[k], neg_product, neg,
					    mxcsr, &fl);
		else
			d->u64[k] = softfma(f, x->u64[k], y->u64[k], z->u64[k], neg_product, neg,
					    mxcsr, &fl);
	}
	return fl;
}

#define PACKED(name, fmt, n, neg_product, neg_z)                                                   \
	uint32_t k_##name(union vec128 *restrict d, const union vec128 *x, const union vec128 *y,  \
			  const union vec128 *z, uint32_t mxcsr)                                   \
	{                                                                                          \
		if (use_host(mxcsr))                                                               \
			return host_##name(d, x, y, z, mxcsr);                                     \
		return soft(d, x, y, z, mxcsr, fmt, n, neg_product, neg_z);                        \
	}
#define SCALAR(name, fmt, element, neg_product, neg_z)                                             \
	uint32_t k_##name(union vec128 *restrict d, const union vec128 *x, const union vec128 *y,  \
			  const union vec128 *z, uint32_t mxcsr)                                   \
	{                                                                                          \
		if (!use_host(mxcsr))                                                              \
			return soft(d, x, y, z, mxcsr, fmt, 1, neg_product, neg_z);                \
		union vec128 r;                                                                    \
		uint32_t fl = host_##name(&r, x, y, z, mxcsr);                                     \
		d->element[0] = r.element[0];                                                      \
		return fl;                                                                         \
	}
#define ALL_FORMS(name, neg_product, neg_z)                                                        \
	PACKED(name##ps, FP32, 4, neg_product, neg_z)                                              \
	PACKED(name##pd, FP64, 2, neg_product, neg_z)                                              \
	SCALAR(name##ss, FP32, u32, neg_product, neg_z)                                            \
	SCALAR(name##sd, FP64, u64, neg_product, neg_z)

ALL_FORMS(fmadd, false, NONE)
ALL_FORMS(fmsub, false, ALL)
ALL_FORMS(fnmadd, true, NONE)
ALL_FORMS(fnmsub, true, ALL)
PACKED(fmaddsubps, FP32, 4, false, EVEN)
PACKED(fmaddsubpd, FP64, 2, false, EVEN)
PACKED(fmsubaddps, FP32, 4, false, ODD)
PACKED(fmsubaddpd, FP64, 2, false, ODD)
