/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * x87 arithmetic, comparisons, transcendentals and constants. SDM vol. 1 8.3, vol. 2.
 *
 * One function per shape of operands: which operation it is, is told by the stub of the host
 * instruction that executes it.
 */
#include "cpu/x87_op.h"

/* The form on ST0 and ST1 of a register instruction on ST0 and ST(i). */
static x87_stub *stub_st1(uint8_t opcode, const struct insn *i)
{
	return x87_reg_stub(opcode, (i->modrm & 0xf8) | 1);
}

static bool have2(const struct fpu *f, unsigned n)
{
	return x87_used(f, 0) && x87_used(f, n);
}

/* FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR ST0, ST(i). */
void op_x87_arith(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (have2(f, n) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_binary(&h, x87_st(f, 0), x87_st(f, n), stub_st1(0xd8, i));
		if (x87_fine(f, sw)) {
			x87_copy(x87_st(f, 0), &h.a);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full(c, i, NULL);
}

static void arith_sti(struct core *c, const struct insn *i, bool pop)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (have2(f, n) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_binary1(&h, x87_st(f, 0), x87_st(f, n), stub_st1(0xdc, i));
		if (x87_fine(f, sw)) {
			x87_copy(x87_st(f, n), &h.b);
			if (pop)
				x87_pop(f);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full(c, i, NULL);
}

/* The same with ST(i), ST0. */
void op_x87_arith_sti(struct core *c, const struct insn *i)
{
	arith_sti(c, i, false);
}
void op_x87_arith_pop(struct core *c, const struct insn *i)
{
	arith_sti(c, i, true);
}

static void read_mem(struct core *c, const struct insn *i, uint8_t *mem)
{
	unsigned size = i->o[0].size;
	uint64_t v = mem_read_n(c, lin_of(c, i, size, ACC_READ), size);
	memcpy(mem, &v, sizeof(v));
}

/* The same with ST0 and m32, m64 or an integer m16, m32. */
void op_x87_arith_mem(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	struct x87_call h;
	x87_call_init(&h, f);
	read_mem(c, i, h.mem);
	if (x87_used(f, 0) && x87_quick(f)) {
		x87_stub *fn = x87_mem_stub(i->desc->opcode, i->modrm >> 3 & 7);
		uint16_t sw = x87_run_unary(&h, x87_st(f, 0), NULL, fn);
		if (x87_fine(f, sw)) {
			x87_copy(x87_st(f, 0), &h.a);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full(c, i, h.mem);
}

/* Comparisons change no register but by popping, so an unmasked exception only keeps them from
 * that; the full way tells. */
enum { COMPARE_CC = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3 };

static void compare(struct core *c, const struct insn *i, x87_stub *fn, unsigned pops)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = pops == 2 ? 1 : x87_sti(i);
	if (have2(f, n)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_compare(&h, x87_st(f, 0), x87_st(f, n), fn);
		if (x87_fine(f, sw)) {
			while (pops--)
				x87_pop(f);
			x87_done(c, i, sw, COMPARE_CC);
			return;
		}
	}
	x87_full(c, i, NULL);
}

#define FCOM_STUB   x87_reg_stub(0xd8, 0xd1)
#define FUCOM_STUB  x87_reg_stub(0xdd, 0xe1)
#define FCOMI_STUB  x87_reg_stub(0xdb, 0xf1)
#define FUCOMI_STUB x87_reg_stub(0xdb, 0xe9)

void op_fcom(struct core *c, const struct insn *i)
{
	compare(c, i, FCOM_STUB, 0);
}
void op_fcomp(struct core *c, const struct insn *i)
{
	compare(c, i, FCOM_STUB, 1);
}
void op_fcompp(struct core *c, const struct insn *i)
{
	compare(c, i, FCOM_STUB, 2);
}
void op_fucom(struct core *c, const struct insn *i)
{
	compare(c, i, FUCOM_STUB, 0);
}
void op_fucomp(struct core *c, const struct insn *i)
{
	compare(c, i, FUCOM_STUB, 1);
}
void op_fucompp(struct core *c, const struct insn *i)
{
	compare(c, i, FUCOM_STUB, 2);
}

/* The condition codes stay, C1 too, but for a stack fault. */
static void compare_flags(struct core *c, const struct insn *i, x87_stub *fn, bool pop)
{
	struct fpu *f = &c->v.fpu;
	unsigned n = x87_sti(i);
	if (have2(f, n)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_compare(&h, x87_st(f, 0), x87_st(f, n), fn);
		if (x87_fine(f, sw)) {
			c->v.cc = h.flags & FL_STATUS;
			if (pop)
				x87_pop(f);
			x87_done(c, i, sw, 0);
			return;
		}
	}
	x87_full(c, i, NULL);
}

void op_fcomi(struct core *c, const struct insn *i)
{
	compare_flags(c, i, FCOMI_STUB, false);
}
void op_fcomip(struct core *c, const struct insn *i)
{
	compare_flags(c, i, FCOMI_STUB, true);
}
void op_fucomi(struct core *c, const struct insn *i)
{
	compare_flags(c, i, FUCOMI_STUB, false);
}
void op_fucomip(struct core *c, const struct insn *i)
{
	compare_flags(c, i, FUCOMI_STUB, true);
}

static void compare_mem(struct core *c, const struct insn *i, bool pop)
{
	struct fpu *f = &c->v.fpu;
	struct x87_call h;
	x87_call_init(&h, f);
	read_mem(c, i, h.mem);
	if (x87_used(f, 0)) {
		/* /2, the form that does not pop */
		uint16_t sw =
		    x87_run_test(&h, x87_st(f, 0), NULL, x87_mem_stub(i->desc->opcode, 2));
		if (x87_fine(f, sw)) {
			if (pop)
				x87_pop(f);
			x87_done(c, i, sw, COMPARE_CC);
			return;
		}
	}
	x87_full(c, i, h.mem);
}

/* FCOM, FICOM with memory. */
void op_fcom_mem(struct core *c, const struct insn *i)
{
	compare_mem(c, i, false);
}
void op_fcomp_mem(struct core *c, const struct insn *i)
{
	compare_mem(c, i, true);
}

/* FTST, FXAM: only the condition codes. */
void op_x87_test(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	if (x87_used(f, 0)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_test(&h, x87_st(f, 0), NULL, x87_reg_stub(0xd9, i->modrm));
		if (x87_fine(f, sw)) {
			x87_done(c, i, sw, COMPARE_CC);
			return;
		}
	}
	x87_full(c, i, NULL);
}

static void unary(struct core *c, const struct insn *i, uint16_t cc)
{
	struct fpu *f = &c->v.fpu;
	if (x87_used(f, 0) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_unary(&h, x87_st(f, 0), NULL, x87_reg_stub(0xd9, i->modrm));
		if (x87_fine(f, sw)) {
			x87_copy(x87_st(f, 0), &h.a);
			x87_done(c, i, sw, cc);
			return;
		}
	}
	x87_full(c, i, NULL);
}

/* FSQRT, FRNDINT, F2XM1. */
void op_x87_unary(struct core *c, const struct insn *i)
{
	unary(c, i, FSW_C1);
}
/* FSIN, FCOS: C2 says that the operand is out of range. */
void op_x87_trig(struct core *c, const struct insn *i)
{
	unary(c, i, FSW_C1 | FSW_C2);
}

static void binary(struct core *c, const struct insn *i, uint16_t cc)
{
	struct fpu *f = &c->v.fpu;
	if (have2(f, 1) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		x87_stub *fn = x87_reg_stub(0xd9, i->modrm);
		uint16_t sw = x87_run_binary(&h, x87_st(f, 0), x87_st(f, 1), fn);
		if (x87_fine(f, sw)) {
			/* A NaN has no quotient. */
			if ((h.a.se & 0x7fff) == 0x7fff)
				cc &= ~(FSW_C0 | FSW_C3);
			x87_copy(x87_st(f, 0), &h.a);
			x87_done(c, i, sw, cc);
			return;
		}
	}
	x87_full(c, i, NULL);
}

void op_fscale(struct core *c, const struct insn *i)
{
	binary(c, i, FSW_C1);
}
/* FPREM, FPREM1: the condition codes give the quotient's low bits and whether it is complete. */
void op_fprem(struct core *c, const struct insn *i)
{
	binary(c, i, COMPARE_CC);
}

/* FYL2X, FYL2XP1, FPATAN: the result takes the place of both operands. */
void op_x87_fold(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	if (have2(f, 1) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		x87_stub *fn = x87_reg_stub(0xd9, i->modrm);
		uint16_t sw = x87_run_fold(&h, x87_st(f, 0), x87_st(f, 1), fn);
		if (x87_fine(f, sw)) {
			x87_pop(f);
			x87_copy(x87_st(f, 0), &h.a);
			x87_done(c, i, sw, FSW_C1);
			return;
		}
	}
	x87_full(c, i, NULL);
}

static void split(struct core *c, const struct insn *i, uint16_t cc)
{
	struct fpu *f = &c->v.fpu;
	if (x87_used(f, 0) && x87_room(f) && x87_quick(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		x87_stub *fn = x87_reg_stub(0xd9, i->modrm);
		uint16_t sw = x87_run_split(&h, x87_st(f, 0), NULL, fn);
		if (x87_fine(f, sw)) {
			if (!(sw & cc & FSW_C2)) {
				x87_copy(x87_st(f, 0), &h.b);
				x87_copy(x87_push(f), &h.a);
			}
			x87_done(c, i, sw, cc);
			return;
		}
	}
	x87_full(c, i, NULL);
}

/* FPTAN, FSINCOS replace ST0 and push, unless out of range. */
void op_x87_trig2(struct core *c, const struct insn *i)
{
	split(c, i, FSW_C1 | FSW_C2);
}
void op_fxtract(struct core *c, const struct insn *i)
{
	split(c, i, FSW_C1);
}

/* FLD1, FLDPI and so on: rounded as the control word says. */
void op_x87_const(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	if (x87_room(f)) {
		struct x87_call h;
		x87_call_init(&h, f);
		uint16_t sw = x87_run_load(&h, NULL, NULL, x87_reg_stub(0xd9, i->modrm));
		x87_copy(x87_push(f), &h.a);
		x87_done(c, i, sw, FSW_C1);
		return;
	}
	x87_full(c, i, NULL);
}

/* FCHS, FABS work on anything, NaNs too. */
void op_fchs(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	if (!x87_used(f, 0)) {
		x87_full(c, i, NULL);
		return;
	}
	x87_st(f, 0)->se ^= 0x8000;
	x87_done(c, i, 0, FSW_C1);
}

void op_fabs(struct core *c, const struct insn *i)
{
	struct fpu *f = &c->v.fpu;
	if (!x87_used(f, 0)) {
		x87_full(c, i, NULL);
		return;
	}
	x87_st(f, 0)->se &= 0x7fff;
	x87_done(c, i, 0, FSW_C1);
}
