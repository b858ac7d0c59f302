/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One floating-point instruction of the host, run on one 128-bit lane under the guest's MXCSR with
 * every exception masked; the result is the sticky flags that it raised. Loading MXCSR, the
 * instruction and reading MXCSR back are one asm statement, so that the compiler cannot move
 * floating-point work across them, and the host's own MXCSR is back at its end. SSE2 suffices,
 * except for the FMA primitives. SDM vol. 1 11.5.
 */
#ifndef CPU_SIMD_HOST_H
#define CPU_SIMD_HOST_H

#include <emmintrin.h>

#include "cpu/mxcsr.h"
#include "cpu/simd.h"

static const uint32_t host_own_mxcsr = MXCSR_MASKS;

/* The guest's rounding, DAZ and FTZ, all masked, no flags. */
static inline uint32_t host_mxcsr(uint32_t guest)
{
	return (guest | MXCSR_MASKS) & ~(uint32_t)MXCSR_FLAGS;
}

static inline __m128i vec_get(const union vec128 *v)
{
	return _mm_load_si128((const __m128i *)v);
}

static inline void vec_put(union vec128 *v, __m128i x)
{
	_mm_store_si128((__m128i *)v, x);
}

#define HOST_RUN(insns, csr, ...)                                                                  \
	__asm__("ldmxcsr %[mxcsr]\n\t" insns "\n\tstmxcsr %[mxcsr]\n\tldmxcsr %[own]"              \
		: __VA_ARGS__, [own] "m"(host_own_mxcsr))

/* host_addps(d, a, b, csr): addps b, a. The scalar forms take all but the low element from a. */
#define HOST_BINARY(insn)                                                                          \
	static inline uint32_t host_##insn(union vec128 *d, const union vec128 *a,                 \
					   const union vec128 *b, uint32_t guest)                  \
	{                                                                                          \
		uint32_t csr = host_mxcsr(guest);                                                  \
		__m128i r = vec_get(a), s = vec_get(b);                                            \
		HOST_RUN(#insn " %[s], %[r]", csr, [mxcsr] "+m"(csr), [r] "+x"(r) : [s] "x"(s));   \
		vec_put(d, r);                                                                     \
		return csr & MXCSR_FLAGS;                                                          \
	}

HOST_BINARY(addps)
HOST_BINARY(addpd)
HOST_BINARY(addss)
HOST_BINARY(addsd)
HOST_BINARY(subps)
HOST_BINARY(subpd)
HOST_BINARY(subss)
HOST_BINARY(subsd)
HOST_BINARY(mulps)
HOST_BINARY(mulpd)
HOST_BINARY(mulss)
HOST_BINARY(mulsd)
HOST_BINARY(divps)
HOST_BINARY(divpd)
HOST_BINARY(divss)
HOST_BINARY(divsd)
HOST_BINARY(minps)
HOST_BINARY(minpd)
HOST_BINARY(minss)
HOST_BINARY(minsd)
HOST_BINARY(maxps)
HOST_BINARY(maxpd)
HOST_BINARY(maxss)
HOST_BINARY(maxsd)
HOST_BINARY(sqrtss)
HOST_BINARY(sqrtsd)
HOST_BINARY(rcpss)
HOST_BINARY(rsqrtss)
HOST_BINARY(cvtss2sd)
HOST_BINARY(cvtsd2ss)
/* Unary: a only fills what the instruction leaves, which is nothing. */
HOST_BINARY(sqrtps)
HOST_BINARY(sqrtpd)
HOST_BINARY(rcpps)
HOST_BINARY(rsqrtps)
HOST_BINARY(cvtps2pd)
HOST_BINARY(cvtpd2ps)
HOST_BINARY(cvtdq2ps)
HOST_BINARY(cvtdq2pd)
HOST_BINARY(cvtps2dq)
HOST_BINARY(cvttps2dq)
HOST_BINARY(cvtpd2dq)
HOST_BINARY(cvttpd2dq)
#undef HOST_BINARY

/* Masks of the elements that compare equal, less and unordered, with the flags that a quiet and a
 * signalling predicate raise. */
struct host_compare {
	__m128i eq, lt, un;
	uint32_t quiet, signalling;
};

#define HOST_COMPARE(fmt)                                                                          \
	static inline struct host_compare host_cmp##fmt(const union vec128 *a,                     \
							const union vec128 *b, uint32_t guest)     \
	{                                                                                          \
		uint32_t quiet, csr = host_mxcsr(guest);                                           \
		__m128i s = vec_get(b);                                                            \
		struct host_compare r = {.eq = vec_get(a)};                                        \
		r.lt = r.un = r.eq;                                                                \
		HOST_RUN("cmpeq" #fmt " %[s], %[eq]\n\tcmpunord" #fmt " %[s], %[un]\n\t"           \
			 "stmxcsr %[quiet]\n\tcmplt" #fmt " %[s], %[lt]",                          \
			 csr, [mxcsr] "+m"(csr), [quiet] "=m"(quiet), [eq] "+&x"(r.eq),            \
			 [un] "+&x"(r.un), [lt] "+&x"(r.lt)                                        \
			 : [s] "x"(s));                                                            \
		r.quiet = quiet & MXCSR_FLAGS;                                                     \
		r.signalling = csr & MXCSR_FLAGS;                                                  \
		return r;                                                                          \
	}

HOST_COMPARE(ps)
HOST_COMPARE(pd)
HOST_COMPARE(ss)
HOST_COMPARE(sd)
#undef HOST_COMPARE

/* COMISS and the like: *cc gets ZF, PF and CF. */
#define HOST_COMIS(insn)                                                                           \
	static inline uint32_t host_##insn(uint32_t *cc, const union vec128 *a,                    \
					   const union vec128 *b, uint32_t guest)                  \
	{                                                                                          \
		uint32_t csr = host_mxcsr(guest);                                                  \
		__m128i r = vec_get(a), s = vec_get(b);                                            \
		bool z, p, c;                                                                      \
		HOST_RUN(#insn " %[s], %[r]", csr, [mxcsr] "+m"(csr), "=@ccz"(z), "=@ccp"(p),      \
			 "=@ccc"(c)                                                                \
			 : [r] "x"(r), [s] "x"(s));                                                \
		*cc = (z ? FL_ZF : 0) | (p ? FL_PF : 0) | (c ? FL_CF : 0);                         \
		return csr & MXCSR_FLAGS;                                                          \
	}

HOST_COMIS(comiss)
HOST_COMIS(comisd)
HOST_COMIS(ucomiss)
HOST_COMIS(ucomisd)
#undef HOST_COMIS

/* Scalar to general register. The 64-bit forms exist on 64-bit hosts, the only ones there are. */
#define HOST_TO_INT(name, insn, type)                                                              \
	static inline uint32_t host_##name(uint64_t *d, const union vec128 *b, uint32_t guest)     \
	{                                                                                          \
		uint32_t csr = host_mxcsr(guest);                                                  \
		__m128i s = vec_get(b);                                                            \
		type r;                                                                            \
		HOST_RUN(insn " %[s], %[r]", csr, [mxcsr] "+m"(csr), [r] "=r"(r) : [s] "x"(s));    \
		*d = r;                                                                            \
		return csr & MXCSR_FLAGS;                                                          \
	}

HOST_TO_INT(cvtss2si32, "cvtss2si", uint32_t)
HOST_TO_INT(cvtss2si64, "cvtss2si", uint64_t)
HOST_TO_INT(cvtsd2si32, "cvtsd2si", uint32_t)
HOST_TO_INT(cvtsd2si64, "cvtsd2si", uint64_t)
HOST_TO_INT(cvttss2si32, "cvttss2si", uint32_t)
HOST_TO_INT(cvttss2si64, "cvttss2si", uint64_t)
HOST_TO_INT(cvttsd2si32, "cvttsd2si", uint32_t)
HOST_TO_INT(cvttsd2si64, "cvttsd2si", uint64_t)
#undef HOST_TO_INT

#define HOST_FROM_INT(name, insn, type)                                                            \
	static inline uint32_t host_##name(union vec128 *d, const union vec128 *a, type s,         \
					   uint32_t guest)                                         \
	{                                                                                          \
		uint32_t csr = host_mxcsr(guest);                                                  \
		__m128i r = vec_get(a);                                                            \
		HOST_RUN(insn " %[s], %[r]", csr, [mxcsr] "+m"(csr), [r] "+x"(r) : [s] "r"(s));    \
		vec_put(d, r);                                                                     \
		return csr & MXCSR_FLAGS;                                                          \
	}

HOST_FROM_INT(cvtsi2ss32, "cvtsi2ssl", uint32_t)
HOST_FROM_INT(cvtsi2ss64, "cvtsi2ssq", uint64_t)
HOST_FROM_INT(cvtsi2sd32, "cvtsi2sdl", uint32_t)
HOST_FROM_INT(cvtsi2sd64, "cvtsi2sdq", uint64_t)
#undef HOST_FROM_INT

/* d = x * y + z, NaN operands preferred in this order; the caller knows that the host has FMA. */
#define HOST_FMA(name, insn)                                                                       \
	static inline uint32_t host_##name(union vec128 *d, const union vec128 *x,                 \
					   const union vec128 *y, const union vec128 *z,           \
					   uint32_t guest)                                         \
	{                                                                                          \
		uint32_t csr = host_mxcsr(guest);                                                  \
		__m128i r = vec_get(y), s = vec_get(x), t = vec_get(z);                            \
		HOST_RUN("v" insn " %[t], %[s], %[r]", csr, [mxcsr] "+m"(csr), [r] "+x"(r)         \
			 : [s] "x"(s), [t] "x"(t));                                                \
		vec_put(d, r);                                                                     \
		return csr & MXCSR_FLAGS;                                                          \
	}

#define HOST_FMA4(op)                                                                              \
	HOST_FMA(op##ps, #op "213ps")                                                              \
	HOST_FMA(op##pd, #op "213pd")                                                              \
	HOST_FMA(op##ss, #op "213ss")                                                              \
	HOST_FMA(op##sd, #op "213sd")
HOST_FMA4(fmadd)
HOST_FMA4(fmsub)
HOST_FMA4(fnmadd)
HOST_FMA4(fnmsub)
HOST_FMA(fmaddsubps, "fmaddsub213ps")
HOST_FMA(fmaddsubpd, "fmaddsub213pd")
HOST_FMA(fmsubaddps, "fmsubadd213ps")
HOST_FMA(fmsubaddpd, "fmsubadd213pd")
#undef HOST_FMA4
#undef HOST_FMA
#undef HOST_RUN

#endif
