/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SSE and AVX floating point: fetching operands, applying a kernel to each lane, exceptions and the
 * write. SDM vol. 1 11.5 (exceptions), vol. 2 under each mnemonic.
 */
#include "cpu/op_simd_fp.h"

#include "cpu/operand.h"
#include "cpu/simd_host.h"
#include "cpu/x87.h"

void fp_commit(struct core *c, uint32_t flags)
{
	uint32_t unmasked = flags & ~(c->v.mxcsr >> MXCSR_MASK_SHIFT);
	if (!unmasked) {
		c->v.mxcsr |= flags;
		return;
	}
	if (unmasked & MXCSR_PRE) /* found before any element was rounded */
		flags &= MXCSR_PRE;
	c->v.mxcsr |= flags;
	raise_exc(c, c->v.cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

static inline fp_kernel *kernel(const struct insn *i)
{
	return (fp_kernel *)i->desc->kernel;
}

static inline void apply(struct core *c, const struct insn *i, const union vec128 *a,
			 const union vec128 *b)
{
	fp_kernel *k = kernel(i);
	struct vec256 r;
	uint32_t fl = k(&r.l[0], &a[0], &b[0], c->v.mxcsr, i->imm);
	if (i->vl == 32)
		fl |= k(&r.l[1], &a[1], &b[1], c->v.mxcsr, i->imm);
	fp_commit(c, fl);
	vec_write(c, i, 0, r.l);
}

void op_fp_vw(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	apply(c, i, vec_reg(c, i->o[0].reg), b);
}

void op_fp_vhw(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *b = vec_src(c, i, 2, &tmp);
	apply(c, i, vec_reg(c, i->o[1].reg), b);
}

void op_fp_widen(struct core *c, const struct insn *i)
{
	struct vec256 tmp, src;
	src.l[0] = *vec_src(c, i, 1, &tmp);
	src.l[1].u128 = src.l[0].u64[1];
	apply(c, i, src.l, src.l);
}

void op_fp_narrow(struct core *c, const struct insn *i)
{
	fp_kernel *k = kernel(i);
	struct vec256 tmp;
	union vec128 lo, hi;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	uint32_t fl = k(&lo, &b[0], &b[0], c->v.mxcsr, i->imm);
	if (i->vl == 32) {
		fl |= k(&hi, &b[1], &b[1], c->v.mxcsr, i->imm);
		lo.u64[1] = hi.u64[0];
	}
	fp_commit(c, fl);
	vec_write_reg(c, i, i->o[0].reg, &lo, 16);
}

void op_vcvtps2ph(struct core *c, const struct insn *i)
{
	const union vec128 *b = vec_reg(c, i->o[1].reg);
	struct vec256 lo;
	union vec128 hi;
	if (i->o[0].kind == OPK_MEM)
		mem_probe(c, lin_of(c, i, i->o[0].size, ACC_WRITE), i->o[0].size, ACC_WRITE);
	uint32_t fl = k_cvtps2ph(lo.l, &b[0], &b[0], c->v.mxcsr, i->imm);
	if (i->vl == 32) {
		fl |= k_cvtps2ph(&hi, &b[1], &b[1], c->v.mxcsr, i->imm);
		lo.l[0].u64[1] = hi.u64[0];
	}
	if (i->o[0].kind != OPK_MEM) {
		fp_commit(c, fl);
		vec_write_reg(c, i, i->o[0].reg, lo.l, 16);
		return;
	}
	/* A store that faults leaves MXCSR alone and comes before an unmasked exception. */
	uint64_t lin = vec_lin(c, i, i->o[0].size, ACC_WRITE);
	mem_probe(c, lin, i->o[0].size, ACC_WRITE);
	fp_commit(c, fl);
	vec_mem_write(c, lin, lo.l, i->o[0].size);
}

void op_fp_comis(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	union vec128 cc;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	fp_commit(c, kernel(i)(&cc, vec_reg(c, i->o[0].reg), b, c->v.mxcsr, 0));
	c->v.cc = cc.u32[0];
}

void op_fp_gw(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	union vec128 r;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	fp_commit(c, kernel(i)(&r, b, b, c->v.mxcsr, i->o[0].size));
	gpr_write(c, i->o[0].reg, i->o[0].size, r.u64[0]);
}

static void from_gpr(struct core *c, const struct insn *i, unsigned a, unsigned b)
{
	union vec128 r, src = {.u64 = {op_read(c, i, b)}};
	fp_commit(c, kernel(i)(&r, vec_reg(c, i->o[a].reg), &src, c->v.mxcsr, i->o[b].size));
	vec_write_reg(c, i, i->o[0].reg, &r, 16);
}

void op_fp_ve(struct core *c, const struct insn *i)
{
	from_gpr(c, i, 0, 1);
}
void op_fp_vhe(struct core *c, const struct insn *i)
{
	from_gpr(c, i, 1, 2);
}

void op_fp_pw(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	union vec128 r;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	uint32_t fl = kernel(i)(&r, b, b, c->v.mxcsr, 0);
	mmx_enter(c); /* processors do so before #XM */
	fp_commit(c, fl);
	mmx_write(c, i->o[0].reg, r.u64[0]);
}

void op_fp_vq(struct core *c, const struct insn *i)
{
	union vec128 r, src = {.u64 = {mmx_src(c, i, 1)}};
	uint32_t fl = kernel(i)(&r, vec_reg(c, i->o[0].reg), &src, c->v.mxcsr, 0);
	if (i->o[1].kind == OPK_MMX)
		mmx_enter(c);
	fp_commit(c, fl);
	vec_write_reg(c, i, i->o[0].reg, &r, 16);
}

static void fma3(struct core *c, const struct insn *i, const union vec128 *x, const union vec128 *y,
		 const union vec128 *z)
{
	fma_kernel *k = (fma_kernel *)i->desc->kernel;
	const union vec128 *old = vec_reg(c, i->o[0].reg);
	struct vec256 r;
	r.l[0] = old[0];
	uint32_t fl = k(&r.l[0], &x[0], &y[0], &z[0], c->v.mxcsr);
	if (i->vl == 32)
		fl |= k(&r.l[1], &x[1], &y[1], &z[1], c->v.mxcsr);
	fp_commit(c, fl);
	vec_write(c, i, 0, r.l);
}

void op_fma132(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 2, &tmp);
	fma3(c, i, vec_reg(c, i->o[0].reg), w, vec_reg(c, i->o[1].reg));
}

void op_fma213(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 2, &tmp);
	fma3(c, i, vec_reg(c, i->o[1].reg), vec_reg(c, i->o[0].reg), w);
}

void op_fma231(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 2, &tmp);
	fma3(c, i, vec_reg(c, i->o[1].reg), w, vec_reg(c, i->o[0].reg));
}

/* Dot products are a multiplication and additions, each with its own exceptions: an unmasked one
 * ends the instruction with the flags of the steps up to it. */
static void step(struct core *c, unsigned lanes, fp_kernel *k, struct vec256 *r,
		 const struct vec256 *a, const struct vec256 *b)
{
	uint32_t fl = 0;
	for (unsigned l = 0; l < lanes; l++)
		fl |= k(&r->l[l], &a->l[l], &b->l[l], c->v.mxcsr, 0);
	fp_commit(c, fl);
}

static void dot_ps(struct core *c, const struct insn *i, const union vec128 *a,
		   const union vec128 *b)
{
	unsigned lanes = i->vl / 16;
	struct vec256 x = {0}, y = {0}, p, s;
	for (unsigned l = 0; l < lanes; l++) {
		for (unsigned k = 0; k < 4; k++) {
			if (i->imm >> (4 + k) & 1) {
				x.l[l].u32[k] = a[l].u32[k];
				y.l[l].u32[k] = b[l].u32[k];
			}
		}
	}
	step(c, lanes, k_mulps, &p, &x, &y);
	for (unsigned l = 0; l < lanes; l++) {
		x.l[l] = (union vec128){.u32 = {p.l[l].u32[0], p.l[l].u32[2]}};
		y.l[l] = (union vec128){.u32 = {p.l[l].u32[1], p.l[l].u32[3]}};
	}
	step(c, lanes, k_addps, &s, &x, &y);
	for (unsigned l = 0; l < lanes; l++) {
		x.l[l] = (union vec128){.u32 = {s.l[l].u32[0]}};
		y.l[l] = (union vec128){.u32 = {s.l[l].u32[1]}};
	}
	step(c, lanes, k_addps, &s, &x, &y);
	for (unsigned l = 0; l < lanes; l++) {
		uint32_t sum = s.l[l].u32[0];
		for (unsigned k = 0; k < 4; k++)
			s.l[l].u32[k] = i->imm >> k & 1 ? sum : 0;
	}
	vec_write(c, i, 0, s.l);
}

static void dot_pd(struct core *c, const struct insn *i, const union vec128 *a,
		   const union vec128 *b)
{
	struct vec256 x = {0}, y = {0}, p, s;
	for (unsigned k = 0; k < 2; k++) {
		if (i->imm >> (4 + k) & 1) {
			x.l[0].u64[k] = a->u64[k];
			y.l[0].u64[k] = b->u64[k];
		}
	}
	step(c, 1, k_mulpd, &p, &x, &y);
	x.l[0] = (union vec128){.u64 = {p.l[0].u64[0]}};
	y.l[0] = (union vec128){.u64 = {p.l[0].u64[1]}};
	step(c, 1, k_addpd, &s, &x, &y);
	for (unsigned k = 0; k < 2; k++)
		p.l[0].u64[k] = i->imm >> k & 1 ? s.l[0].u64[0] : 0;
	vec_write(c, i, 0, p.l);
}

void op_dpps(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 1, &tmp);
	dot_ps(c, i, vec_reg(c, i->o[0].reg), w);
}

void op_vdpps(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 2, &tmp);
	dot_ps(c, i, vec_reg(c, i->o[1].reg), w);
}

void op_dppd(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 1, &tmp);
	dot_pd(c, i, vec_reg(c, i->o[0].reg), w);
}

void op_vdppd(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	const union vec128 *w = vec_src(c, i, 2, &tmp);
	dot_pd(c, i, vec_reg(c, i->o[1].reg), w);
}
