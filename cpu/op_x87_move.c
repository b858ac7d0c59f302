/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * x87 loads, stores, conversions, exchanges and stack management. SDM vol. 1 8.3.3, vol. 2.
 */
#include "cpu/x87_op.h"

enum { BIAS64 = 1023, BIAS80 = 16383, BIAS32 = 127 };

/* Loads in C where no exception is possible: normal numbers and zeros. */
static bool widen32(uint32_t v, struct x87_reg *r)
{
	unsigned exp = v >> 23 & 0xff;
	uint16_t sign = v >> 16 & 0x8000;
	if (exp - 1 < 0xfe) {
		r->mant = 1ull << 63 | (uint64_t)(v & 0x7fffff) << 40;
		r->se = sign | (exp + BIAS80 - BIAS32);
		return true;
	}
	r->mant = 0;
	r->se = sign;
	return !(v << 1);
}

static bool widen64(uint64_t v, struct x87_reg *r)
{
	unsigned exp = v >> 52 & 0x7ff;
	uint16_t sign = v >> 48 & 0x8000;
	if (exp - 1 < 0x7fe) {
		r->mant = 1ull << 63 | v << 12 >> 1;
		r->se = sign | (exp + BIAS80 - BIAS64);
		return true;
	}
	r->mant = 0;
	r->se = sign;
	return !(v << 1);
}

static void load_int(int64_t v, struct x87_reg *r)
{
	uint64_t mag = v < 0 ? -(uint64_t)v : (uint64_t)v;
	unsigned shift = mag ? __builtin_clzll(mag) : 0;
	r->mant = mag << shift;
	r->se = mag ? (v < 0 ? 0x8000 : 0) | (BIAS80 + 63 - shift) : 0;
}

/* Loads of what the host has to look at, from h->mem. */
static void load_host(struct core *c, const struct insn *i, struct x87_call *h)
{
	struct fpu *f = &c->v.fpu;
	if (x87_room(f)) {
		x87_stub *fn = x87_mem_stub(i->desc->opcode, i->modrm >> 3 & 7);
		x87_call_init(h, f);
		uint16_t sw = x87_run_load(h, NULL, NULL, fn);
		if (x87_fine(f, sw)) {
			x87_copy(x87_push(f), &h->a);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full(c, i, h->mem);
}

/* FLD m32, m64. */
void op_fld_mem(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	unsigned size = i->o[0].size;
	uint64_t v = mem_read_n(c, lin_of(c, i, size, ACC_READ), size);
	struct x87_reg r;

	if (x87_room(f) && (size == 4 ? widen32(v, &r) : widen64(v, &r))) {
		x87_copy(x87_push(f), &r);
		x87_done(c, i, 0, FSW_C1);
		return;
	}
	struct x87_call h;
	memcpy(h.mem, &v, sizeof(v));
	load_host(c, i, &h);
}

void op_fild(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	unsigned size = i->o[0].size;
	uint64_t v = mem_read_n(c, lin_of(c, i, size, ACC_READ), size);
	unsigned shift = 64 - 8 * size;

	if (x87_room(f)) {
		load_int((int64_t)(v << shift) >> shift, x87_push(f));
		x87_done(c, i, 0, FSW_C1);
		return;
	}
	x87_full(c, i, &v);
}

void op_fld_m80(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	uint8_t mem[16];
	mem_read(c, lin_of(c, i, 10, ACC_READ), mem, 10);
	if (x87_room(f)) {
		struct x87_reg *r = x87_push(f);
		memcpy(&r->mant, mem, 8);
		memcpy(&r->se, mem + 8, 2);
		x87_done(c, i, 0, FSW_C1);
		return;
	}
	x87_full(c, i, mem);
}

void op_fbld(struct core *c, const struct insn *i)
{
	struct x87_call h;
	mem_read(c, lin_of(c, i, 10, ACC_READ), h.mem, 10);
	load_host(c, i, &h);
}

void op_fld_sti(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (x87_room(f) && x87_used(f, n)) {
		const struct x87_reg *src = x87_st(f, n);
		x87_copy(x87_push(f), src);
		x87_done(c, i, 0, FSW_C1);
		return;
	}
	x87_full(c, i, NULL);
}

/* FST, FSTP of m32, m64; FIST, FISTP of m16, m32: on the host always the popping form. */
static void store(struct core *c, const struct insn *i, bool pop)
{
	struct fpu *f = &c->v.fpu;
	unsigned size = i->o[0].size;
	if (x87_used(f, 0) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_pop(&h, x87_st(f, 0), NULL, x87_mem_stub(i->desc->opcode, 3));
		if (x87_fine(f, sw)) {
			uint64_t v;
			memcpy(&v, h.mem, sizeof(v));
			mem_write_n(c, lin_of(c, i, size, ACC_WRITE), v, size);
			if (pop)
				x87_pop(f);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full_store(c, i, size);
}

void op_fst_mem(struct core *c, const struct insn *i)
{
	store(c, i, false);
}
void op_fstp_mem(struct core *c, const struct insn *i)
{
	store(c, i, true);
}

/* Stores that exist only with a pop: FISTP m64, FISTTP, FBSTP. */
void op_x87_store_pop(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	unsigned size = i->o[0].size;
	if (x87_used(f, 0)) {
		struct x87_call h;
		x87_call_init(&h, f);
		x87_stub *fn = x87_mem_stub(i->desc->opcode, i->modrm >> 3 & 7);
		uint16_t sw = x87_run_pop(&h, x87_st(f, 0), NULL, fn);
		if (x87_fine(f, sw)) {
			mem_write(c, lin_of(c, i, size, ACC_WRITE), h.mem, size);
			x87_pop(f);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full_store(c, i, size);
}

void op_fstp_m80(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	if (!x87_used(f, 0)) {
		x87_full_store(c, i, 10);
		return;
	}
	uint8_t mem[10];
	const struct x87_reg *r = x87_st(f, 0);
	memcpy(mem, &r->mant, 8);
	memcpy(mem + 8, &r->se, 2);
	mem_write(c, lin_of(c, i, 10, ACC_WRITE), mem, 10);
	x87_pop(f);
	x87_done(c, i, 0, FSW_C1);
}

static void copy_sti(struct core *c, const struct insn *i, bool pop)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (!x87_used(f, 0)) {
		x87_full(c, i, NULL);
		return;
	}
	x87_copy(x87_st(f, n), x87_st(f, 0));
	f->ftw |= 1u << x87_phys(f, n);
	if (pop)
		x87_pop(f);
	x87_done(c, i, 0, FSW_C1);
}

void op_fst_sti(struct core *c, const struct insn *i)
{
	copy_sti(c, i, false);
}
void op_fstp_sti(struct core *c, const struct insn *i)
{
	copy_sti(c, i, true);
}

void op_fxch(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (x87_used(f, 0) && x87_used(f, n)) {
		struct x87_reg *a = x87_st(f, 0), *b = x87_st(f, n), t;
		x87_copy(&t, a);
		x87_copy(a, b);
		x87_copy(b, &t);
		x87_done(c, i, 0, FSW_C1);
		return;
	}
	x87_full(c, i, NULL);
}

static void cmov(struct core *c, const struct insn *i, bool cond)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (x87_used(f, 0) && x87_used(f, n)) {
		if (cond)
			x87_copy(x87_st(f, 0), x87_st(f, n));
		x87_done(c, i, 0, 0);
		return;
	}
	x87_full(c, i, NULL);
}

void op_fcmovb(struct core *c, const struct insn *i)
{
	cmov(c, i, c->v.cc & FL_CF);
}
void op_fcmove(struct core *c, const struct insn *i)
{
	cmov(c, i, c->v.cc & FL_ZF);
}
void op_fcmovbe(struct core *c, const struct insn *i)
{
	cmov(c, i, c->v.cc & (FL_CF | FL_ZF));
}
void op_fcmovu(struct core *c, const struct insn *i)
{
	cmov(c, i, c->v.cc & FL_PF);
}
void op_fcmovnb(struct core *c, const struct insn *i)
{
	cmov(c, i, !(c->v.cc & FL_CF));
}
void op_fcmovne(struct core *c, const struct insn *i)
{
	cmov(c, i, !(c->v.cc & FL_ZF));
}
void op_fcmovnbe(struct core *c, const struct insn *i)
{
	cmov(c, i, !(c->v.cc & (FL_CF | FL_ZF)));
}
void op_fcmovnu(struct core *c, const struct insn *i)
{
	cmov(c, i, !(c->v.cc & FL_PF));
}

/* FFREE, FFREEP, FINCSTP, FDECSTP, FNOP: rare, and the undefined corners are the host's. */
void op_x87_stack(struct core *c, const struct insn *i)
{
	x87_full(c, i, NULL);
}
