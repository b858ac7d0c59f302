/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Executors and kernels that the rows of cpu/opcodes_simd_fp.def name. Kernels are called after the
 * SSE mnemonic, k_ before it, and VEX forms share them.
 *
 * Exceptions: a kernel computes as if all were masked and returns the MXCSR flags that the guest's
 * masks call for; fp_commit() then decides for the whole instruction, before anything is written.
 */
#ifndef CPU_OP_SIMD_FP_H
#define CPU_OP_SIMD_FP_H

#include "cpu/simd.h"

/* One lane: *d, distinct from *a and *b, is set whole; scalar kernels take from a what they do not
 * compute, unary ones ignore a. imm is the immediate, or the general register's size in bytes. */
typedef uint32_t fp_kernel(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
			   uint32_t mxcsr, unsigned imm);
/* d = x * y + z; scalar kernels set the low element only. */
typedef uint32_t fma_kernel(union vec128 *restrict d, const union vec128 *x, const union vec128 *y,
			    const union vec128 *z, uint32_t mxcsr);

/* Records the flags in MXCSR; #XM, or #UD without CR4.OSXMMEXCPT, when one is unmasked. */
void fp_commit(struct core *c, uint32_t flags);

/* op_fp.c */
op_fn op_fp_vw;     /* V = k(V, W) */
op_fn op_fp_vhw;    /* V = k(H, W) */
op_fn op_fp_widen;  /* V = k(-, W), W half as wide */
op_fn op_fp_narrow; /* V = k(-, W), V half as wide */
op_fn op_fp_comis;  /* flags = k(V, W) */
op_fn op_fp_gw;     /* G = k(-, W, size of G) */
op_fn op_fp_ve;     /* V = k(V, E, size of E) */
op_fn op_fp_vhe;    /* V = k(H, E, size of E) */
op_fn op_fp_pw;     /* P = low half of k(-, W) */
op_fn op_fp_vq;     /* V = k(V, Q) */
op_fn op_fma132, op_fma213, op_fma231;
op_fn op_dpps, op_vdpps, op_dppd, op_vdppd;
op_fn op_vcvtps2ph;

/* op_fp_arith.c */
fp_kernel k_addps, k_addpd, k_addss, k_addsd, k_subps, k_subpd, k_subss, k_subsd;
fp_kernel k_mulps, k_mulpd, k_mulss, k_mulsd, k_divps, k_divpd, k_divss, k_divsd;
fp_kernel k_minps, k_minpd, k_minss, k_minsd, k_maxps, k_maxpd, k_maxss, k_maxsd;
fp_kernel k_sqrtps, k_sqrtpd, k_sqrtss, k_sqrtsd, k_rcpps, k_rcpss, k_rsqrtps, k_rsqrtss;
fp_kernel k_addsubps, k_addsubpd, k_haddps, k_haddpd, k_hsubps, k_hsubpd;

/* op_fp_cmp.c; k_vcmp with 32 predicates, k_cmp with 8 */
fp_kernel k_cmpps, k_cmppd, k_cmpss, k_cmpsd, k_vcmpps, k_vcmppd, k_vcmpss, k_vcmpsd;
fp_kernel k_comiss, k_comisd, k_ucomiss, k_ucomisd;

/* op_fp_cvt.c */
fp_kernel k_cvtps2pd, k_cvtpd2ps, k_cvtss2sd, k_cvtsd2ss, k_cvtdq2ps, k_cvtdq2pd;
fp_kernel k_cvtps2dq, k_cvttps2dq, k_cvtpd2dq, k_cvttpd2dq;
fp_kernel k_cvtpi2ps, k_cvtpi2pd, k_cvtps2pi, k_cvttps2pi;
fp_kernel k_cvtss2si, k_cvttss2si, k_cvtsd2si, k_cvttsd2si, k_cvtsi2ss, k_cvtsi2sd;
fp_kernel k_roundps, k_roundpd, k_roundss, k_roundsd;
fp_kernel k_cvtph2ps, k_cvtps2ph;

/* op_fp_fma.c */
fma_kernel k_fmaddps, k_fmaddpd, k_fmaddss, k_fmaddsd, k_fmsubps, k_fmsubpd, k_fmsubss, k_fmsubsd;
fma_kernel k_fnmaddps, k_fnmaddpd, k_fnmaddss, k_fnmaddsd;
fma_kernel k_fnmsubps, k_fnmsubpd, k_fnmsubss, k_fnmsubsd;
fma_kernel k_fmaddsubps, k_fmaddsubpd, k_fmsubaddps, k_fmsubaddpd;

#endif
