/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Moves between vector, MMX and general registers and memory. SDM vol. 2A-2C.
 */
#include "cpu/op_simd.h"
#include "cpu/operand.h"
#include "cpu/x87.h"

/* MOVD/MOVQ to a vector register, zero-extended */
void op_movd_ve(struct core *c, const struct insn *i)
{
	union vec128 d = {.u64 = {op_read(c, i, 1)}};
	vec_write_reg(c, i, i->o[0].reg, &d, 16);
}

/* MOVD/MOVQ from one */
void op_movd_ev(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, vec_reg(c, i->o[1].reg)->u64[0] & size_mask(i->o[0].size));
}

void op_movd_pe(struct core *c, const struct insn *i)
{
	mmx_write(c, i->o[0].reg, op_read(c, i, 1));
}

void op_movd_ep(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, mmx_src(c, i, 1) & size_mask(i->o[0].size));
	mmx_enter(c);
}

/* MOVQ between vector registers: the low quadword, zero-extended */
void op_movq_vw(struct core *c, const struct insn *i)
{
	struct vec256 tmp;
	union vec128 d = {.u64 = {vec_src(c, i, 1, &tmp)->u64[0]}};
	vec_write_reg(c, i, i->o[0].reg, &d, 16);
}

void op_movq_pq(struct core *c, const struct insn *i)
{
	mmx_write(c, i->o[0].reg, mmx_src(c, i, 1));
}

/* MOVQ and MOVNTQ to memory */
void op_movq_qp(struct core *c, const struct insn *i)
{
	mem_write64(c, lin_of(c, i, 8, ACC_WRITE), mmx_src(c, i, 1));
	mmx_enter(c);
}

void op_movq2dq(struct core *c, const struct insn *i)
{
	vec_reg(c, i->o[0].reg)->u128 = mmx_src(c, i, 1);
	mmx_enter(c);
}

void op_movdq2q(struct core *c, const struct insn *i)
{
	mmx_write(c, i->o[0].reg, vec_reg(c, i->o[1].reg)->u64[0]);
}

/* MOVHPS, MOVHPD to memory */
void op_movhps_store(struct core *c, const struct insn *i)
{
	mem_write64(c, lin_of(c, i, 8, ACC_WRITE), vec_reg(c, i->o[1].reg)->u64[1]);
}

/* Sign bits of all elements, as a general register. */
void op_movmskps(struct core *c, const struct insn *i)
{
	const union vec128 *s = vec_reg(c, i->o[1].reg);
	unsigned mask = 0;
	for (unsigned k = 0; k < i->vl / 4u; k++)
		mask |= s[k / 4].u32[k % 4] >> 31 << k;
	op_write(c, i, 0, mask);
}

void op_movmskpd(struct core *c, const struct insn *i)
{
	const union vec128 *s = vec_reg(c, i->o[1].reg);
	unsigned mask = 0;
	for (unsigned k = 0; k < i->vl / 8u; k++)
		mask |= (unsigned)(s[k / 2].u64[k % 2] >> 63) << k;
	op_write(c, i, 0, mask);
}

void op_pmovmskb(struct core *c, const struct insn *i)
{
	const union vec128 *s = vec_reg(c, i->o[1].reg);
	uint32_t mask = 0;
	for (unsigned k = 0; k < i->vl; k++)
		mask |= (uint32_t)(s[k / 16].u8[k % 16] >> 7) << k;
	op_write(c, i, 0, mask);
}

void op_pmovmskb_mm(struct core *c, const struct insn *i)
{
	uint64_t s = mmx_src(c, i, 1);
	unsigned mask = 0;
	for (unsigned k = 0; k < 8; k++)
		mask |= (s >> (8 * k + 7) & 1) << k;
	mmx_enter(c);
	op_write(c, i, 0, mask);
}

/* PINSRx: legacy V, E, imm; VEX V, H, E, imm. Returns the lane to insert into. */
static union vec128 insert_base(struct core *c, const struct insn *i, uint64_t *val)
{
	*val = op_read(c, i, i->vex ? 2 : 1);
	return *vec_reg(c, i->o[i->vex ? 1 : 0].reg);
}

void op_pinsrb(struct core *c, const struct insn *i)
{
	uint64_t val;
	union vec128 d = insert_base(c, i, &val);
	d.u8[i->imm & 15] = val;
	vec_write_reg(c, i, i->o[0].reg, &d, 16);
}

void op_pinsrw(struct core *c, const struct insn *i)
{
	uint64_t val;
	union vec128 d = insert_base(c, i, &val);
	d.u16[i->imm & 7] = val;
	vec_write_reg(c, i, i->o[0].reg, &d, 16);
}

/* PINSRD, PINSRQ: by the size of the source */
void op_pinsrd(struct core *c, const struct insn *i)
{
	uint64_t val;
	union vec128 d = insert_base(c, i, &val);
	if (i->o[i->vex ? 2 : 1].size == 8)
		d.u64[i->imm & 1] = val;
	else
		d.u32[i->imm & 3] = val;
	vec_write_reg(c, i, i->o[0].reg, &d, 16);
}

void op_pinsrw_mm(struct core *c, const struct insn *i)
{
	unsigned sh = (i->imm & 3) * 16;
	uint64_t val = op_read(c, i, 1) & 0xffff;
	mmx_write(c, i->o[0].reg, (mmx_src(c, i, 0) & ~(0xffffull << sh)) | val << sh);
}

void op_pextrb(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, vec_reg(c, i->o[1].reg)->u8[i->imm & 15]);
}

void op_pextrw(struct core *c, const struct insn *i)
{
	op_write(c, i, 0, vec_reg(c, i->o[1].reg)->u16[i->imm & 7]);
}

/* PEXTRD, PEXTRQ, EXTRACTPS */
void op_pextrd(struct core *c, const struct insn *i)
{
	const union vec128 *s = vec_reg(c, i->o[1].reg);
	op_write(c, i, 0, i->o[0].size == 8 ? s->u64[i->imm & 1] : s->u32[i->imm & 3]);
}

void op_pextrw_mm(struct core *c, const struct insn *i)
{
	uint64_t val = mmx_src(c, i, 1) >> (i->imm & 3) * 16 & 0xffff;
	mmx_enter(c);
	op_write(c, i, 0, val);
}

/* Registers 8-15 are out of reach, and untouched, outside 64-bit mode. */
void op_vzeroupper(struct core *c, const struct insn *i)
{
	for (unsigned k = 0; k < (i->mode == 8 ? 16u : 8u); k++)
		memset(&c->v.v[k].u64[2], 0, sizeof(c->v.v[k]) - 16);
}

void op_vzeroall(struct core *c, const struct insn *i)
{
	memset(c->v.v, 0, sizeof(c->v.v[0]) * (i->mode == 8 ? 16 : 8));
}
