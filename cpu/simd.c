/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Executors: fetch operands, apply the row's kernel to every lane, write the destination.
 */
#include "cpu/simd.h"
#include "cpu/x87.h"

uint64_t mmx_src(struct core *c, const struct insn *i, unsigned n)
{
	const struct operand *o = &i->o[n];
	if (o->kind != OPK_MEM)
		return c->v.fpu.r[o->reg & 7].mant;
	return mem_read_n(c, lin_of(c, i, o->size, ACC_READ), o->size);
}

void mmx_write(struct core *c, unsigned reg, uint64_t val)
{
	mmx_enter(c);
	c->v.fpu.r[reg & 7].mant = val;
	c->v.fpu.r[reg & 7].se = 0xffff;
}

void op_mmx_pq(struct core *c, const struct insn *i)
{
	union vec128 b = {.u64 = {mmx_src(c, i, 1)}}, a = {.u64 = {mmx_src(c, i, 0)}}, d;
	insn_kernel(i)(&d, &a, &b, i->imm);
	mmx_write(c, i->o[0].reg, d.u64[0]);
}

void op_mmx_cat(struct core *c, const struct insn *i)
{
	union vec128 a = {.u64 = {mmx_src(c, i, 0), mmx_src(c, i, 1)}}, d;
	insn_kernel(i)(&d, &a, &a, i->imm);
	mmx_write(c, i->o[0].reg, d.u64[0]);
}

void op_mmx_hi(struct core *c, const struct insn *i)
{
	union vec128 b = {.u64 = {mmx_src(c, i, 1)}}, a = {.u64 = {mmx_src(c, i, 0)}}, d;
	insn_kernel(i)(&d, &a, &b, i->imm);
	mmx_write(c, i->o[0].reg, d.u64[1]);
}

void op_mmx_ni(struct core *c, const struct insn *i)
{
	union vec128 a = {.u64 = {mmx_src(c, i, 0)}}, b = {.u64 = {i->imm}}, d;
	insn_kernel(i)(&d, &a, &b, i->imm);
	mmx_write(c, i->o[0].reg, d.u64[0]);
}

void op_sse_vw(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	union vec128 d, *a = vec_reg(c, i->o[0].reg);
	insn_kernel(i)(&d, a, vec_src(c, i, 1, &tmp), i->imm);
	*a = d;
}

void op_sse_ui(struct core *c, const struct insn *i)
{
	union vec128 d, *a = vec_reg(c, i->o[0].reg), b = {.u64 = {i->imm}};
	insn_kernel(i)(&d, a, &b, i->imm);
	*a = d;
}

void op_sse_vw0(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	union vec128 d, *a = vec_reg(c, i->o[0].reg);
	((vec_kernel3 *)i->desc->kernel)(&d, a, vec_src(c, i, 1, &tmp), vec_reg(c, 0));
	*a = d;
}

/* V = k(H, W) where each lane sees the immediate shifted by `imm_step` more. */
static inline void avx_vhw(struct core *c, const struct insn *i, unsigned imm_step)
{
	struct vec256 tmp, d;
	vec_kernel *k = insn_kernel(i);
	const union vec128 *a = vec_reg(c, i->o[1].reg), *b = vec_src(c, i, 2, &tmp);
	k(&d.l[0], &a[0], &b[0], i->imm);
	if (i->vl == 32)
		k(&d.l[1], &a[1], &b[1], i->imm >> imm_step);
	vec_write(c, i, 0, d.l);
}

void op_avx_vhw(struct core *c, const struct insn *i)
{
	avx_vhw(c, i, 0);
}
void op_avx_vhw_i2(struct core *c, const struct insn *i)
{
	avx_vhw(c, i, 2);
}
void op_avx_vhw_i3(struct core *c, const struct insn *i)
{
	avx_vhw(c, i, 3);
}
void op_avx_vhw_i4(struct core *c, const struct insn *i)
{
	avx_vhw(c, i, 4);
}

static inline void avx_vw(struct core *c, const struct insn *i, unsigned imm_step)
{
	struct vec256 tmp, d;
	vec_kernel *k = insn_kernel(i);
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	k(&d.l[0], &b[0], &b[0], i->imm);
	if (i->vl == 32)
		k(&d.l[1], &b[1], &b[1], i->imm >> imm_step);
	vec_write(c, i, 0, d.l);
}

void op_avx_vw(struct core *c, const struct insn *i)
{
	avx_vw(c, i, 0);
}
void op_avx_vw_i2(struct core *c, const struct insn *i)
{
	avx_vw(c, i, 2);
}

void op_avx_hui(struct core *c, const struct insn *i)
{
	struct vec256 d;
	vec_kernel *k = insn_kernel(i);
	const union vec128 *a = vec_reg(c, i->o[1].reg), b = {.u64 = {i->imm}};
	k(&d.l[0], &a[0], &b, i->imm);
	if (i->vl == 32)
		k(&d.l[1], &a[1], &b, i->imm);
	vec_write(c, i, 0, d.l);
}

void op_avx_vhs(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	vec_kernel *k = insn_kernel(i);
	const union vec128 *a = vec_reg(c, i->o[1].reg), *b = vec_src(c, i, 2, &tmp);
	k(&d.l[0], &a[0], b, 0);
	if (i->vl == 32)
		k(&d.l[1], &a[1], b, 0);
	vec_write(c, i, 0, d.l);
}

void op_avx_vhwl(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	vec_kernel3 *k = (vec_kernel3 *)i->desc->kernel;
	const union vec128 *a = vec_reg(c, i->o[1].reg), *b = vec_src(c, i, 2, &tmp);
	const union vec128 *m = vec_reg(c, i->o[3].reg);
	k(&d.l[0], &a[0], &b[0], &m[0]);
	if (i->vl == 32)
		k(&d.l[1], &a[1], &b[1], &m[1]);
	vec_write(c, i, 0, d.l);
}

void op_avx_bcast(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	insn_kernel(i)(&d.l[0], b, b, 0);
	d.l[1] = d.l[0];
	vec_write(c, i, 0, d.l);
}

void op_avx_extend(struct core *c, const struct insn *i)
{
	struct vec256 tmp, d;
	vec_kernel *k = insn_kernel(i);
	const union vec128 *b = vec_src(c, i, 1, &tmp);
	k(&d.l[0], b, b, 0);
	if (i->vl == 32) {
		unsigned code = i->desc->o[1], taken = code == Wxh ? 64 : code == Wxq ? 32 : 16;
		union vec128 hi = {.u128 = b->u128 >> taken};
		k(&d.l[1], &hi, &hi, 0);
	}
	vec_write(c, i, 0, d.l);
}

void op_vec_load(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	vec_write(c, i, 0, vec_src(c, i, 1, &tmp));
}

void op_vec_store(struct core *c, const struct insn *i)
{
	vec_store(c, i, 0, vec_reg(c, i->o[1].reg));
}
