/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels and operations that the rows of cpu/opcodes_simd_int.def name. Kernels are called after
 * the SSE mnemonic, k_ before it; _mm marks the 64-bit variant where MMX differs.
 */
#ifndef CPU_OP_SIMD_H
#define CPU_OP_SIMD_H

#include "cpu/simd.h"

/* op_simd_arith.c */
vec_kernel k_paddb, k_paddw, k_paddd, k_paddq, k_psubb, k_psubw, k_psubd, k_psubq;
vec_kernel k_paddsb, k_paddsw, k_paddusb, k_paddusw, k_psubsb, k_psubsw, k_psubusb, k_psubusw;
vec_kernel k_pmullw, k_pmulhw, k_pmulhuw, k_pmulld, k_pmuludq, k_pmuldq, k_pmulhrsw;
vec_kernel k_pmaddwd, k_pmaddubsw, k_psadbw, k_mpsadbw, k_phminposuw;
vec_kernel k_pavgb, k_pavgw;
vec_kernel k_pminub, k_pminuw, k_pminud, k_pminsb, k_pminsw, k_pminsd;
vec_kernel k_pmaxub, k_pmaxuw, k_pmaxud, k_pmaxsb, k_pmaxsw, k_pmaxsd;
vec_kernel k_pabsb, k_pabsw, k_pabsd, k_psignb, k_psignw, k_psignd;
vec_kernel k_phaddw, k_phaddd, k_phaddsw, k_phsubw, k_phsubd, k_phsubsw;
vec_kernel k_pcmpeqb, k_pcmpeqw, k_pcmpeqd, k_pcmpeqq;
vec_kernel k_pcmpgtb, k_pcmpgtw, k_pcmpgtd, k_pcmpgtq;

/* op_simd_bits.c */
vec_kernel k_pand, k_pandn, k_por, k_pxor;
vec_kernel k_psllw, k_pslld, k_psllq, k_psrlw, k_psrld, k_psrlq, k_psraw, k_psrad;
vec_kernel k_psllvd, k_psllvq, k_psrlvd, k_psrlvq, k_psravd;
vec_kernel k_pslldq, k_psrldq;
op_fn op_ptest, op_vtestps, op_vtestpd;

/* op_simd_shuffle.c */
vec_kernel k_packsswb, k_packssdw, k_packuswb, k_packusdw;
vec_kernel k_punpcklbw, k_punpcklwd, k_punpckldq, k_punpcklqdq;
vec_kernel k_punpckhbw, k_punpckhwd, k_punpckhdq, k_punpckhqdq;
vec_kernel k_pshufb, k_pshufb_mm, k_pshufd, k_pshuflw, k_pshufhw, k_palignr, k_palignr_mm;
vec_kernel k_shufps, k_shufpd, k_pblendw, k_blendps, k_blendpd;
vec_kernel k_vpermilps, k_vpermilpd, k_vpermilpd_imm;
vec_kernel3 k_pblendvb, k_blendvps, k_blendvpd;
vec_kernel k_pmovsxbw, k_pmovsxbd, k_pmovsxbq, k_pmovsxwd, k_pmovsxwq, k_pmovsxdq;
vec_kernel k_pmovzxbw, k_pmovzxbd, k_pmovzxbq, k_pmovzxwd, k_pmovzxwq, k_pmovzxdq;
vec_kernel k_bcastb, k_bcastw, k_bcastd, k_bcastq, k_bcastdq;
vec_kernel k_insertps, k_insertps_mem, k_movss, k_movsd, k_movhlps, k_movlhps, k_movddup,
    k_movshdup, k_movsldup;
op_fn op_vperm2f128, op_vpermd, op_vpermq, op_vextract128, op_vinsert128;

/* op_simd_mov.c */
op_fn op_movd_ve, op_movd_ev, op_movd_pe, op_movd_ep, op_movq_vw, op_movq_pq, op_movq_qp;
op_fn op_movhps_store, op_movq2dq, op_movdq2q;
op_fn op_movmskps, op_movmskpd, op_pmovmskb, op_pmovmskb_mm;
op_fn op_pinsrb, op_pinsrw, op_pinsrd, op_pinsrw_mm;
op_fn op_pextrb, op_pextrw, op_pextrd, op_pextrw_mm;
op_fn op_vzeroupper, op_vzeroall;

/* op_simd_mask.c */
op_fn op_maskmovdqu, op_maskmovq;
op_fn op_maskload_d, op_maskload_q, op_maskstore_d, op_maskstore_q;
op_fn op_gather_dd, op_gather_dq, op_gather_qd, op_gather_qq;

/* op_simd_str.c */
op_fn op_pcmpestri, op_pcmpestrm, op_pcmpistri, op_pcmpistrm;

/* op_aes.c, op_clmul.c, op_sha.c */
vec_kernel k_aesenc, k_aesenclast, k_aesdec, k_aesdeclast, k_aesimc, k_aeskeygenassist;
vec_kernel k_pclmulqdq;
vec_kernel k_sha1nexte, k_sha1msg1, k_sha1msg2, k_sha1rnds4, k_sha256msg1, k_sha256msg2;
vec_kernel3 k_sha256rnds2;

#endif
