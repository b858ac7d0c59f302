/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Vector operands and the executors that apply one lane function ("kernel") to them. A kernel works
 * on one 128-bit lane and knows nothing of encodings, so MMX, SSE and AVX forms of an instruction
 * share it. SDM vol. 1 chapters 9-15, vol. 2A 2.3.
 */
#ifndef CPU_SIMD_H
#define CPU_SIMD_H

#include "cpu/exc.h"
#include "cpu/mem.h"
#include "cpu/opcode.h"

/* One lane. May alias the vcpu's registers. */
union vec128 {
	uint8_t u8[16];
	uint16_t u16[8];
	uint32_t u32[4];
	uint64_t u64[2];
	int8_t i8[16];
	int16_t i16[8];
	int32_t i32[4];
	int64_t i64[2];
	float f32[4];
	double f64[2];
	unsigned __int128 u128;
} __attribute__((aligned(16), may_alias));

/* Two lanes: what executors collect results in. */
struct vec256 {
	union vec128 l[2];
};

/* Sets every bit of *d, which is distinct from *a and *b. Unary kernels read b. */
typedef void vec_kernel(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
			unsigned imm);
/* The same with a third source (blend masks, accumulators). */
typedef void vec_kernel3(union vec128 *restrict d, const union vec128 *a, const union vec128 *b,
			 const union vec128 *m);

static inline vec_kernel *insn_kernel(const struct insn *i)
{
	return (vec_kernel *)i->desc->kernel;
}

/* Lanes of register `reg`: [0] is XMM, [1] the upper half of YMM. */
static inline union vec128 *vec_reg(struct core *c, unsigned reg)
{
	return (union vec128 *)&c->v.v[reg];
}

/* Memory, with the TLB hit for whole vectors in line. */
static inline bool vec_hit(const struct core *c, uint64_t tag, uint64_t lin, unsigned size)
{
	uint64_t last = lin + size - 1;
	return __builtin_expect(tag == ((last & PAGE_MASK) | c->tlb.asid) &&
				    !((lin ^ last) & PAGE_MASK) && !c->align_check,
				1);
}

static inline void vec_mem_read(struct core *c, uint64_t lin, void *buf, unsigned size)
{
	const struct tlb_entry *e = &c->tlb.e[c->tlb_mode][tlb_index(lin)];
	if (size == 16 && vec_hit(c, e->rd, lin, 16))
		memcpy(buf, e->host + (lin & ~PAGE_MASK), 16);
	else if (size == 32 && vec_hit(c, e->rd, lin, 32))
		memcpy(buf, e->host + (lin & ~PAGE_MASK), 32);
	else
		mem_read(c, lin, buf, size);
}

static inline void vec_mem_write(struct core *c, uint64_t lin, const void *buf, unsigned size)
{
	struct tlb_entry *e = &c->tlb.e[c->tlb_mode][tlb_index(lin)];
	if (size == 16 && vec_hit(c, e->wr, lin, 16))
		memcpy(e->host + (lin & ~PAGE_MASK), buf, 16);
	else if (size == 32 && vec_hit(c, e->wr, lin, 32))
		memcpy(e->host + (lin & ~PAGE_MASK), buf, 32);
	else {
		mem_write(c, lin, buf, size);
		return;
	}
	if (__builtin_expect(e->page->flags, 0))
		mem_stored(c, e);
}

/* Linear address of the memory operand: #GP(0) where A_ALIGN demands a multiple of `size`, #AC for
 * vectors off 16 bytes (scalars are checked by the access itself). */
static inline uint64_t vec_lin(struct core *c, const struct insn *i, unsigned size, enum access acc)
{
	uint64_t lin = lin_of(c, i, size, acc);
	if ((lin & (size - 1)) && (i->desc->attrs & A_ALIGN))
		raise_gp(c, 0);
	if (__builtin_expect(c->align_check, 0) && size >= 16 && (lin & 15))
		raise_err(c, EXC_AC, 0);
	return lin;
}

/* Operand n as lanes: the register itself, or o[n].size bytes of memory copied to *tmp with the
 * first lane zero-extended. The pointer is valid until the destination is written. */
static inline const union vec128 *vec_src(struct core *c, const struct insn *i, unsigned n,
					  struct vec256 *tmp)
{
	const struct operand *o = &i->o[n];
	if (o->kind != OPK_MEM)
		return vec_reg(c, o->reg);
	uint64_t lin = vec_lin(c, i, o->size, ACC_READ);
	if (o->size < 16)
		tmp->l[0].u128 = 0;
	vec_mem_read(c, lin, tmp, o->size);
	return tmp->l;
}

/* Writes register `reg` from `vl` bytes (16 or 32): a legacy instruction keeps what is above, a
 * VEX one clears it. */
static inline void vec_write_reg(struct core *c, const struct insn *i, unsigned reg,
				 const union vec128 *val, unsigned vl)
{
	union vec128 *r = vec_reg(c, reg);
	r[0] = val[0];
	if (!i->vex)
		return;
	if (vl == 32)
		r[1] = val[1];
	else
		r[1].u128 = 0;
	r[2].u128 = 0;
	r[3].u128 = 0;
}

/* Writes the register that operand n names, i->vl bytes. */
static inline void vec_write(struct core *c, const struct insn *i, unsigned n,
			     const union vec128 *val)
{
	vec_write_reg(c, i, i->o[n].reg, val, i->vl);
}

/* Stores o[n].size bytes to the memory operand n. */
static inline void vec_store(struct core *c, const struct insn *i, unsigned n, const void *val)
{
	unsigned size = i->o[n].size;
	vec_mem_write(c, vec_lin(c, i, size, ACC_WRITE), val, size);
}

/* MMX: operand n (register, or o[n].size bytes of memory zero-extended), and the write of register
 * `reg`, which enters MMX state. Instructions that write no MMX register call mmx_enter() (cpu/x87.h)
 * themselves, after everything that can fault. */
uint64_t mmx_src(struct core *c, const struct insn *i, unsigned n);
void mmx_write(struct core *c, unsigned reg, uint64_t val);

/* Executors, named by the operands they take. MMX: */
op_fn op_mmx_pq;  /* P = k(P, Q, imm), low half */
op_fn op_mmx_cat; /* P = k({P, Q}, ...), low half: operations that narrow pairs */
op_fn op_mmx_hi;  /* P = high half of k(P, Q): interleave high through interleave low */
op_fn op_mmx_ni;  /* N = k(N, imm as a count) */
/* Legacy SSE: */
op_fn op_sse_vw;  /* V = k(V, W, imm) */
op_fn op_sse_ui;  /* U = k(U, imm as a count) */
op_fn op_sse_vw0; /* V = k3(V, W, XMM0) */
/* VEX, every lane alike: */
op_fn op_avx_vhw;  /* V = k(H, W, imm) */
op_fn op_avx_vw;   /* V = k(-, W, imm) */
op_fn op_avx_hui;  /* H = k(U, imm as a count) */
op_fn op_avx_vhs;  /* V = k(H, lane 0 of W): shifts by one count */
op_fn op_avx_vhwl; /* V = k3(H, W, L) */
/* VEX, the upper lane taking its control from higher bits of the immediate: */
op_fn op_avx_vhw_i2, op_avx_vhw_i3, op_avx_vhw_i4, op_avx_vw_i2;
/* VEX, sources other than lane for lane: */
op_fn op_avx_bcast;  /* V = k(-, lane 0 of W) in every lane */
op_fn op_avx_extend; /* V = k(-, lane n of W / lanes): PMOVSX/PMOVZX */

/* Moves of whole vectors or their low part: */
op_fn op_vec_load;  /* V = W, zero-extended from the operand's size in memory */
op_fn op_vec_store; /* M = V */

#endif
