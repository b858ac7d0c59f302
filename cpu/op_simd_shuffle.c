/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernels and operations that move elements about: pack, interleave, shuffle, blend, extend,
 * broadcast, and the AVX permutations that cross lanes. SDM vol. 2A-2C.
 */
#include "cpu/op_simd.h"

#define KERNEL(name, n, f, expr)                                                                   \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		(void)a, (void)b, (void)imm;                                                       \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->f[k] = expr;                                                            \
	}

static inline int clamp(int x, int lo, int hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

#define PACK(name, half, to, from, lo, hi)                                                         \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		(void)imm;                                                                         \
		for (unsigned k = 0; k < half; k++)                                                \
			d->to[k] = clamp(a->from[k], lo, hi);                                      \
		for (unsigned k = 0; k < half; k++)                                                \
			d->to[half + k] = clamp(b->from[k], lo, hi);                               \
	}

PACK(k_packsswb, 8, i8, i16, -128, 127)
PACK(k_packuswb, 8, u8, i16, 0, 255)
PACK(k_packssdw, 4, i16, i32, -32768, 32767)
PACK(k_packusdw, 4, u16, i32, 0, 65535)

/* Interleaves the elements of a and b from element `from` on. */
#define INTERLEAVE(name, half, f, from)                                                            \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  unsigned imm)                                                                    \
	{                                                                                          \
		(void)imm;                                                                         \
		for (unsigned k = 0; k < half; k++) {                                              \
			d->f[2 * k] = a->f[from + k];                                              \
			d->f[2 * k + 1] = b->f[from + k];                                          \
		}                                                                                  \
	}

INTERLEAVE(k_punpcklbw, 8, u8, 0)
INTERLEAVE(k_punpcklwd, 4, u16, 0)
INTERLEAVE(k_punpckldq, 2, u32, 0)
INTERLEAVE(k_punpcklqdq, 1, u64, 0)
INTERLEAVE(k_punpckhbw, 8, u8, 8)
INTERLEAVE(k_punpckhwd, 4, u16, 4)
INTERLEAVE(k_punpckhdq, 2, u32, 2)
INTERLEAVE(k_punpckhqdq, 1, u64, 1)

KERNEL(k_pshufb, 16, u8, b->u8[k] & 0x80 ? 0 : a->u8[b->u8[k] & 15])
KERNEL(k_pshufb_mm, 16, u8, b->u8[k] & 0x80 ? 0 : a->u8[b->u8[k] & 7])
KERNEL(k_pshufd, 4, u32, b->u32[imm >> 2 * k & 3])
KERNEL(k_pshuflw, 8, u16, b->u16[k < 4 ? imm >> 2 * k & 3 : k])
KERNEL(k_pshufhw, 8, u16, b->u16[k < 4 ? k : 4 + (imm >> 2 * (k - 4) & 3)])
KERNEL(k_shufps, 4, u32, (k < 2 ? a : b)->u32[imm >> 2 * k & 3])
KERNEL(k_shufpd, 2, u64, (k < 1 ? a : b)->u64[imm >> k & 1])
KERNEL(k_vpermilps, 4, u32, a->u32[b->u32[k] & 3])
KERNEL(k_vpermilpd, 2, u64, a->u64[b->u64[k] >> 1 & 1])
KERNEL(k_vpermilpd_imm, 2, u64, b->u64[imm >> k & 1])

/* a above b, shifted right by imm bytes. */
KERNEL(k_palignr, 16, u8, k + imm < 16 ? b->u8[k + imm] : k + imm < 32 ? a->u8[k + imm - 16] : 0)
KERNEL(k_palignr_mm, 16, u8, k + imm < 8 ? b->u8[k + imm] : k + imm < 16 ? a->u8[k + imm - 8] : 0)

KERNEL(k_pblendw, 8, u16, (imm >> k & 1 ? b : a)->u16[k])
KERNEL(k_blendps, 4, u32, (imm >> k & 1 ? b : a)->u32[k])
KERNEL(k_blendpd, 2, u64, (imm >> k & 1 ? b : a)->u64[k])

/* Blends by the sign of each element of m. */
#define BLENDV(name, n, u, s)                                                                      \
	void name(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,          \
		  const union vec128 *m)                                                           \
	{                                                                                          \
		for (unsigned k = 0; k < n; k++)                                                   \
			d->u[k] = m->s[k] < 0 ? b->u[k] : a->u[k];                                 \
	}

BLENDV(k_pblendvb, 16, u8, i8)
BLENDV(k_blendvps, 4, u32, i32)
BLENDV(k_blendvpd, 2, u64, i64)

KERNEL(k_pmovsxbw, 8, i16, b->i8[k])
KERNEL(k_pmovsxbd, 4, i32, b->i8[k])
KERNEL(k_pmovsxbq, 2, i64, b->i8[k])
KERNEL(k_pmovsxwd, 4, i32, b->i16[k])
KERNEL(k_pmovsxwq, 2, i64, b->i16[k])
KERNEL(k_pmovsxdq, 2, i64, b->i32[k])
KERNEL(k_pmovzxbw, 8, u16, b->u8[k])
KERNEL(k_pmovzxbd, 4, u32, b->u8[k])
KERNEL(k_pmovzxbq, 2, u64, b->u8[k])
KERNEL(k_pmovzxwd, 4, u32, b->u16[k])
KERNEL(k_pmovzxwq, 2, u64, b->u16[k])
KERNEL(k_pmovzxdq, 2, u64, b->u32[k])

KERNEL(k_bcastb, 16, u8, b->u8[0])
KERNEL(k_bcastw, 8, u16, b->u16[0])
KERNEL(k_bcastd, 4, u32, b->u32[0])
KERNEL(k_bcastq, 2, u64, b->u64[0])
KERNEL(k_bcastdq, 2, u64, b->u64[k])

KERNEL(k_movss, 4, u32, k ? a->u32[k] : b->u32[0])
KERNEL(k_movsd, 2, u64, k ? a->u64[1] : b->u64[0])
KERNEL(k_movhlps, 2, u64, k ? a->u64[1] : b->u64[1])
KERNEL(k_movlhps, 2, u64, k ? b->u64[0] : a->u64[0])
KERNEL(k_movddup, 2, u64, b->u64[0])
KERNEL(k_movshdup, 4, u32, b->u32[k | 1])
KERNEL(k_movsldup, 4, u32, b->u32[k & ~1u])

/* imm: [7:6] element of b, [5:4] element written, [3:0] elements cleared. From memory there is only
 * the one element. */
KERNEL(k_insertps, 4, u32,
       imm >> k & 1          ? 0
       : k == (imm >> 4 & 3) ? b->u32[imm >> 6 & 3]
			     : a->u32[k])
KERNEL(k_insertps_mem, 4, u32, imm >> k & 1 ? 0 : k == (imm >> 4 & 3) ? b->u32[0] : a->u32[k])

/* VPERM2F128, VPERM2I128 */
void op_vperm2f128(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	const union vec128 *a = vec_reg(c, i->o[1].reg), *b = vec_src(c, i, 2, &tmp);
	for (unsigned k = 0; k < 2; k++) {
		unsigned sel = i->imm >> 4 * k;
		if (sel & 8)
			d.l[k].u128 = 0;
		else
			d.l[k] = (sel & 2 ? b : a)[sel & 1];
	}
	vec_write(c, i, 0, d.l);
}

/* VPERMD, VPERMPS: indices in H, data in W */
void op_vpermd(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	const union vec128 *a = vec_reg(c, i->o[1].reg), *b = vec_src(c, i, 2, &tmp);
	for (unsigned k = 0; k < 8; k++) {
		unsigned sel = a[k / 4].u32[k % 4] & 7;
		d.l[k / 4].u32[k % 4] = b[sel / 4].u32[sel % 4];
	}
	vec_write(c, i, 0, d.l);
}

/* VPERMQ, VPERMPD */
void op_vpermq(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	for (unsigned k = 0; k < 4; k++) {
		unsigned sel = i->imm >> 2 * k & 3;
		d.l[k / 2].u64[k % 2] = b[sel / 2].u64[sel % 2];
	}
	vec_write(c, i, 0, d.l);
}

/* VEXTRACTF128, VEXTRACTI128 */
void op_vextract128(struct core *c, const struct insn *i)
{
	const union vec128 *s = vec_reg(c, i->o[1].reg) + (i->imm & 1);
	if (i->o[0].kind == OPK_MEM)
		vec_store(c, i, 0, s);
	else
		vec_write_reg(c, i, i->o[0].reg, s, 16);
}

/* VINSERTF128, VINSERTI128 */
void op_vinsert128(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	const union vec128 *a = vec_reg(c, i->o[1].reg), *b = vec_src(c, i, 2, &tmp);
	d.l[i->imm & 1] = b[0];
	d.l[~i->imm & 1] = a[~i->imm & 1];
	vec_write(c, i, 0, d.l);
}
