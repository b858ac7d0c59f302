/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory accesses that a mask selects element by element: MASKMOVDQU/MASKMOVQ, VMASKMOVPx,
 * VPMASKMOVx and the AVX2 gathers. VEX forms do not touch elements that are not selected, which so
 * cannot fault. SDM vol. 2B-2C.
 */
#include "cpu/op_simd.h"
#include "cpu/x87.h"

static uint64_t string_dest(struct core *c, const struct insn *i, unsigned k, unsigned size)
{
	uint64_t off = c->v.gpr[RDI] + k;
	off = i->asz == 8 ? off : i->asz == 4 ? (uint32_t)off : (uint16_t)off;
	return seg_lin(c, i->seg, off, size, ACC_WRITE);
}

/* Stores the bytes of src whose mask byte is negative to DS:rDI. The whole operand must be writable,
 * whatever the mask: SDM leaves that open, AMD CPUs do it so. */
static void mask_bytes(struct core *c, const struct insn *i, const union vec128 *src,
		       const union vec128 *mask, unsigned n)
{
	uint64_t lin = string_dest(c, i, 0, n);
	if (c->align_check && (lin & 7))
		raise_err(c, EXC_AC, 0);
	mem_probe(c, lin, n, ACC_WRITE);
	for (unsigned k = 0; k < n; k++)
		if (mask->i8[k] < 0)
			mem_write8(c, string_dest(c, i, k, 1), src->u8[k]);
}

void op_maskmovdqu(struct core *c, const struct insn *i)
{
	mask_bytes(c, i, vec_reg(c, i->o[0].reg), vec_reg(c, i->o[1].reg), 16);
}

/* Enters MMX state even when it faults. */
void op_maskmovq(struct core *c, const struct insn *i)
{
	union vec128 src = {.u64 = {mmx_src(c, i, 0)}}, mask = {.u64 = {mmx_src(c, i, 1)}};
	mmx_enter(c);
	mask_bytes(c, i, &src, &mask, 8);
}

/* Elements of the instructions below are never checked for alignment. */
static uint64_t read_element(struct core *c, uint64_t lin, unsigned size)
{
	uint64_t val = 0;
	if (!c->align_check)
		return mem_read_n(c, lin, size);
	for (unsigned k = 0; k < size; k++)
		val |= (uint64_t)mem_read8(c, core_long(c) ? lin + k : (uint32_t)(lin + k))
		       << 8 * k;
	return val;
}

static void write_element(struct core *c, uint64_t lin, uint64_t val, unsigned size)
{
	if (!c->align_check) {
		mem_write_n(c, lin, val, size);
		return;
	}
	for (unsigned k = 0; k < size; k++)
		mem_write8(c, core_long(c) ? lin + k : (uint32_t)(lin + k), val >> 8 * k);
}

/* Whether the element of `size` bytes (4 or 8) number k is selected: its sign bit. */
static bool selected(const union vec128 *mask, unsigned k, unsigned size)
{
	return size == 4 ? mask[k / 4].i32[k % 4] < 0 : mask[k / 2].i64[k % 2] < 0;
}

static void set_element(union vec128 *v, unsigned k, unsigned size, uint64_t val)
{
	if (size == 4)
		v[k / 4].u32[k % 4] = val;
	else
		v[k / 2].u64[k % 2] = val;
}

static uint64_t element(const union vec128 *v, unsigned k, unsigned size)
{
	return size == 4 ? v[k / 4].u32[k % 4] : v[k / 2].u64[k % 2];
}

/* V = M where H selects, else 0 */
static void maskload(struct core *c, const struct insn *i, unsigned size)
{
	struct vec256 d = {0};
	const union vec128 *mask = vec_reg(c, i->o[1].reg);
	for (unsigned k = 0; k < i->vl / size; k++)
		if (selected(mask, k, size))
			set_element(
			    d.l, k, size,
			    read_element(c, lin_of_at(c, i, k * size, size, ACC_READ), size));
	vec_write(c, i, 0, d.l);
}

void op_maskload_d(struct core *c, const struct insn *i)
{
	maskload(c, i, 4);
}
void op_maskload_q(struct core *c, const struct insn *i)
{
	maskload(c, i, 8);
}

/* M = V where H selects; nothing is stored when one element faults */
static void maskstore(struct core *c, const struct insn *i, unsigned size)
{
	const union vec128 *mask = vec_reg(c, i->o[1].reg), *src = vec_reg(c, i->o[2].reg);
	unsigned n = i->vl / size;
	for (unsigned k = 0; k < n; k++)
		if (selected(mask, k, size))
			mem_probe(c, lin_of_at(c, i, k * size, size, ACC_WRITE), size, ACC_WRITE);
	for (unsigned k = 0; k < n; k++)
		if (selected(mask, k, size))
			write_element(c, lin_of_at(c, i, k * size, size, ACC_WRITE),
				      element(src, k, size), size);
}

void op_maskstore_d(struct core *c, const struct insn *i)
{
	maskstore(c, i, 4);
}
void op_maskstore_q(struct core *c, const struct insn *i)
{
	maskstore(c, i, 8);
}

/* V[k] = memory at base + index[k] * scale where H[k] selects. An element is committed and its mask
 * cleared before the next is read, so that a fault leaves an instruction that can be restarted; masks
 * from the faulting element on stay as they were. */
static void gather(struct core *c, const struct insn *i, unsigned size, unsigned index_size)
{
	unsigned wide = size > index_size ? size : index_size, n = i->vl / wide;
	unsigned dst = i->o[0].reg, mreg = i->o[2].reg;
	union vec128 *d = vec_reg(c, dst), *mask = vec_reg(c, mreg);
	const union vec128 *index = vec_reg(c, i->index);
	if (dst == mreg || dst == i->index || mreg == i->index)
		raise_ud(c);
	for (unsigned k = 0; k < n; k++) {
		if (!selected(mask, k, size)) {
			set_element(mask, k, size, 0);
			continue;
		}
		int64_t x = index_size == 4 ? index[k / 4].i32[k % 4] : index[k / 2].i64[k % 2];
		uint64_t off = c->v.gpr[i->base] + ((uint64_t)x << i->scale) + i->disp;
		off = i->asz == 8 ? off : i->asz == 4 ? (uint32_t)off : (uint16_t)off;
		uint64_t val = read_element(c, seg_lin(c, i->seg, off, size, ACC_READ), size);
		set_element(d, k, size, val);
		set_element(mask, k, size, 0);
	}
	memset(d->u8 + n * size, 0, sizeof(c->v.v[0]) - n * size);
	memset(mask, 0, sizeof(c->v.v[0]));
}

void op_gather_dd(struct core *c, const struct insn *i)
{
	gather(c, i, 4, 4);
}
void op_gather_dq(struct core *c, const struct insn *i)
{
	gather(c, i, 8, 4);
}
void op_gather_qd(struct core *c, const struct insn *i)
{
	gather(c, i, 4, 8);
}
void op_gather_qq(struct core *c, const struct insn *i)
{
	gather(c, i, 8, 8);
}
