/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The decoder. SDM vol. 2A chapter 2 (instruction format, REX, VEX), vol. 2D appendix A (operand
 * letters). Three steps: prefixes and opcode; the first row of the opcode table that matches them and
 * the ModRM byte; then ModRM memory forms and immediates as the row's operands ask.
 *
 * Rows for which the mode or the CPU model is wrong are passed over, not refused: so TZCNT is BSF
 * on a CPU without BMI1, and 63h is ARPL or MOVSXD.
 */
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/decode.h"
#include "cpu/opcode.h"
#include "gen/decode_index.h"

enum { MAX_LEN = 15 };

struct cursor {
	const uint8_t *start, *p;
	size_t avail;           /* bytes that may be read, at most MAX_LEN */
	enum decode_result err; /* what running out of them means */
	bool failed;            /* ran out: everything read since is zero */
};

struct prefixes {
	uint8_t rep, seg, vvvv, pp; /* pp: bit of the P_ set: 1 none, 2 66, 4 F3, 8 F2 */
	bool opsize, adsize, has_seg, l;
};

static bool need(struct cursor *c, size_t n)
{
	if (__builtin_expect((size_t)(c->p - c->start) + n <= c->avail, 1))
		return true;
	c->failed = true;
	return false;
}

static uint8_t peek8(struct cursor *c)
{
	return need(c, 1) ? *c->p : 0;
}

static uint64_t get(struct cursor *c, size_t n)
{
	uint64_t v = 0;
	if (need(c, n)) {
		memcpy(&v, c->p, n);
		c->p += n;
	}
	return v;
}

static int64_t get_signed(struct cursor *c, size_t n)
{
	unsigned sh = 64 - 8 * n;
	return (int64_t)(get(c, n) << sh) >> sh;
}

/* Legacy prefixes in any order; a REX counts only right before the opcode. */
static uint8_t get_prefixes(struct cursor *c, struct insn *i, struct prefixes *x)
{
	for (;;) {
		uint8_t b = get(c, 1);
		if (c->failed)
			return 0;
		switch (b) {
		case 0x66:
			x->opsize = true;
			break;
		case 0x67:
			x->adsize = true;
			break;
		case 0xf2:
		case 0xf3:
			x->rep = b;
			break;
		case 0xf0:
			i->lock = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			if (i->mode != 8) {
				x->seg = (b >> 3 & 3);
				x->has_seg = true;
			}
			break;
		case 0x64:
		case 0x65:
			x->seg = FS + (b & 1);
			x->has_seg = true;
			break;
		default:
			if (i->mode == 8 && (b & 0xf0) == 0x40) {
				i->rex = b;
				continue;
			}
			return b;
		}
		i->rex = 0;
	}
}

/* The two or three VEX bytes after C4/C5. In 16- and 32-bit code the register extension bits do not
 * extend. Returns the map, or NR_MAPS for #UD. */
static unsigned get_vex(struct cursor *c, struct insn *i, struct prefixes *x, uint8_t first)
{
	uint8_t b1 = get(c, 1), b2 = b1, ext = ~b1 >> 5 & 4; /* R */
	unsigned map = V0F;

	if (i->lock || i->rex || x->opsize || x->rep)
		return NR_MAPS;
	if (first == 0xc4) {
		unsigned m = b1 & 31;
		b2 = get(c, 1);
		ext = ~b1 >> 5 & 7;
		i->vexw = b2 >> 7;
		if (m < 1 || m > 3)
			return NR_MAPS;
		map = V0F + m - 1;
	}
	i->vex = true;
	x->vvvv = ~b2 >> 3 & 15;
	x->l = b2 >> 2 & 1;
	x->pp = (const uint8_t[]){1, 2, 4, 8}[b2 & 3];
	if (i->mode == 8)
		i->rex = ext | (ext ? 0x40 : 0);
	return map;
}

static unsigned get_opcode(struct cursor *c, struct insn *i, struct prefixes *x, uint8_t *opcode)
{
	uint8_t b = get_prefixes(c, i, x);

	if ((b & 0xfe) == 0xc4 && (i->mode == 8 || peek8(c) >= 0xc0)) {
		unsigned map = get_vex(c, i, x, b);
		*opcode = get(c, 1);
		return map;
	}
	x->pp = x->rep == 0xf3 ? 4 : x->rep ? 8 : x->opsize ? 2 : 1;
	i->rep = x->rep;
	*opcode = b;
	if (b != 0x0f)
		return M1;
	*opcode = get(c, 1);
	if (*opcode == 0x38 || *opcode == 0x3a) {
		unsigned map = *opcode == 0x38 ? M0F38 : M0F3A;
		*opcode = get(c, 1);
		return map;
	}
	return M0F;
}

static bool modrm_matches(unsigned want, uint8_t m)
{
	unsigned reg = m >> 3 & 7;
	bool is_reg = m >= 0xc0;

	switch (want) {
	case R_NONE:
	case R_ANY:
		return true;
	case R_M:
		return !is_reg;
	case R_R:
		return is_reg;
	case R_0 ... R_7:
		return reg == want - R_0;
	case R_M0 ... R_M7:
		return !is_reg && reg == want - R_M0;
	case R_R0 ... R_R7:
		return is_reg && reg == want - R_R0;
	default:
		return m == (want & 0xff);
	}
}

static bool row_matches(const struct opcode *d, const struct insn *i, const struct prefixes *x,
			const struct cpu_model *model)
{
	static const uint8_t sets[] = {
	    [P_ANY] = 15, [P_NP] = 1, [P_66] = 2, [P_F3] = 4, [P_F2] = 8, [P_NF] = 3};
	bool w = i->vex ? i->vexw : i->rex >> 3 & 1;

	if (!(sets[d->pfx] & x->pp) || !modrm_matches(d->modrm, i->modrm))
		return false;
	if ((d->w == W_0 && w) || (d->w == W_1 && !w))
		return false;
	if ((d->l == L_0 && x->l) || (d->l == L_1 && !x->l))
		return false;
	if (d->attrs & (i->mode == 8 ? A_N64 : A_O64))
		return false;
	return !model || cpu_has(model, d->feature);
}

static void default_seg(struct insn *i, const struct prefixes *x, bool stack)
{
	i->seg = x->has_seg ? x->seg : stack ? SS : DS;
}

static bool get_mem16(struct cursor *c, struct insn *i, const struct prefixes *x)
{
	static const uint8_t regs[8][2] = {
	    {RBX, RSI},      {RBX, RDI},      {RBP, RSI},      {RBP, RDI},
	    {REG_ZERO, RSI}, {REG_ZERO, RDI}, {RBP, REG_ZERO}, {RBX, REG_ZERO},
	};
	unsigned mod = i->modrm >> 6, rm = i->modrm & 7;

	i->base = regs[rm][0];
	i->index = regs[rm][1];
	if (mod == 0 && rm == 6) {
		i->base = REG_ZERO;
		i->disp = get_signed(c, 2);
	} else if (mod) {
		i->disp = get_signed(c, mod);
	}
	default_seg(i, x, i->base == RBP);
	return true;
}

/* ModRM (and SIB, displacement) of a memory operand. False: no such form. */
static bool get_mem(struct cursor *c, struct insn *i, const struct prefixes *x, bool vsib)
{
	unsigned mod = i->modrm >> 6, rm = i->modrm & 7;

	i->disp = 0;
	i->scale = 0;
	i->index = REG_ZERO;
	if (vsib && (rm != 4 || i->asz == 2))
		return false;
	if (i->asz == 2)
		return get_mem16(c, i, x);
	i->base = rm | (i->rex & 1) << 3;
	if (rm == 4) {
		uint8_t sib = get(c, 1);
		i->scale = sib >> 6;
		i->index = (sib >> 3 & 7) | (i->rex & 2) << 2;
		if (i->index == RSP && !vsib) {
			i->index = REG_ZERO;
			i->scale = 0;
		}
		rm = sib & 7;
		i->base = rm | (i->rex & 1) << 3;
		if (rm == 5 && mod == 0) {
			i->base = REG_ZERO;
			i->disp = get_signed(c, 4);
		}
	} else if (rm == 5 && mod == 0) {
		i->base = i->mode == 8 ? (unsigned)REG_RIP : (unsigned)REG_ZERO;
		i->disp = get_signed(c, 4);
	}
	if (mod)
		i->disp = get_signed(c, mod == 1 ? 1 : 4);
	default_seg(i, x, i->base == RSP || i->base == RBP);
	return true;
}

static void set_osz(struct insn *i, const struct prefixes *x)
{
	bool w = i->vex ? i->vexw : i->rex >> 3 & 1;

	if (i->vex)
		i->osz = i->mode == 8 && w ? 8 : 4;
	else if (i->mode != 8)
		i->osz = (i->mode == 2) != x->opsize ? 2 : 4;
	else if (w || (i->desc->attrs & A_F64))
		i->osz = 8;
	else
		i->osz = x->opsize ? 2 : i->desc->attrs & A_D64 ? 8 : 4;
}

/* Where an operand comes from, and how large it is. */
enum place {
	AT_NONE,
	AT_E,     /* ModRM r/m */
	AT_G,     /* ModRM reg */
	AT_R,     /* ModRM r/m, always a register */
	AT_Z,     /* low bits of the opcode */
	AT_B,     /* VEX.vvvv */
	AT_FIXED, /* register `arg` */
	AT_I,     /* immediate, zero-extended from `arg` bytes */
	AT_SI,    /* immediate, sign-extended from `arg` bytes */
	AT_I2,
	AT_ONE,
	AT_J,
	AT_FAR,
	AT_M, /* ModRM r/m, always memory */
	AT_O,
	AT_S,
	AT_SFIXED,
	AT_C,
	AT_D,
	AT_X,
	AT_Y,
	AT_V, /* as G, W, U, B but vector registers */
	AT_W,
	AT_U,
	AT_H,
	AT_L, /* upper half of an immediate byte */
	AT_VFIXED,
	AT_P, /* as G, W, U but MMX registers */
	AT_Q,
	AT_N,
	AT_ST0,
	AT_STI,
};

enum {            /* sizes that depend on the instruction; others are bytes */
       BY_V = 64, /* operand size */
       BY_Z,      /* 2 or 4 */
       BY_Y,      /* 4 or 8 by REX.W or VEX.W */
       BY_X,      /* vector length, and parts of it */
       BY_XH,
       BY_XQ,
       BY_XO,
       BY_MODE, /* 8 in 64-bit mode, else 4 */
       BY_P,    /* far pointer */
       BY_S,    /* pseudo-descriptor */
       BY_A,    /* pair of Z */
};

/* `arg`: the size of a memory operand for AT_E; see enum place for the others. */
static const struct form {
	uint8_t place, size, arg;
} forms[NR_OPERAND_CODES] = {
    // clang-format off
	[Eb] = {AT_E, 1, 1}, [Ew] = {AT_E, 2, 2}, [Ed] = {AT_E, 4, 4}, [Eq] = {AT_E, 8, 8},
	[Ev] = {AT_E, BY_V, BY_V}, [E64] = {AT_E, BY_V, BY_V}, [Ey] = {AT_E, BY_Y, BY_Y},
	[Edw] = {AT_E, BY_V, 2}, [Eyb] = {AT_E, BY_Y, 1}, [Eyw] = {AT_E, BY_Y, 2},
	[Gb] = {AT_G, 1, 0}, [Gw] = {AT_G, 2, 0}, [Gd] = {AT_G, 4, 0}, [Gq] = {AT_G, 8, 0},
	[Gv] = {AT_G, BY_V, 0}, [Gy] = {AT_G, BY_Y, 0}, [Gz] = {AT_G, BY_Z, 0},
	[Rv] = {AT_R, BY_V, 0}, [Ry] = {AT_R, BY_Y, 0}, [Rd] = {AT_R, BY_MODE, 0},
	[Zb] = {AT_Z, 1, 0}, [Zv] = {AT_Z, BY_V, 0}, [Z64] = {AT_Z, BY_V, 0}, [Zq] = {AT_Z, 8, 0},
	[Bv] = {AT_B, BY_V, 0}, [By] = {AT_B, BY_Y, 0},
	[Ib] = {AT_I, 1, 1}, [Iw] = {AT_I, 2, 2}, [Iv] = {AT_I, BY_V, BY_V},
	[Iz] = {AT_SI, BY_V, BY_Z}, [sIz] = {AT_SI, BY_V, BY_Z}, [sIb] = {AT_SI, BY_V, 1},
	[I2b] = {AT_I2, 1, 0}, [I2w] = {AT_I2, 2, 0},
	[I1] = {AT_ONE, 1, 0}, [Jb] = {AT_J, 1, 0}, [Jz] = {AT_J, BY_Z, 0},
	[Ap] = {AT_FAR, BY_Z, 0}, [M] = {AT_M, 0, 0}, [Mb] = {AT_M, 1, 0}, [Mw] = {AT_M, 2, 0},
	[Md] = {AT_M, 4, 0}, [Mq] = {AT_M, 8, 0}, [Mdq] = {AT_M, 16, 0}, [Mqq] = {AT_M, 32, 0},
	[Mx] = {AT_M, BY_X, 0}, [Mv] = {AT_M, BY_V, 0}, [Mz] = {AT_M, BY_Z, 0},
	[My] = {AT_M, BY_Y, 0}, [Mp] = {AT_M, BY_P, 0}, [Ms] = {AT_M, BY_S, 0},
	[Mt] = {AT_M, 10, 0}, [Ma] = {AT_M, BY_A, 0},
	[Ob] = {AT_O, 1, 0}, [Ov] = {AT_O, BY_V, 0},
	[Sw] = {AT_S, 2, 0}, [Cd] = {AT_C, BY_MODE, 0},
	[Dd] = {AT_D, BY_MODE, 0}, [AL] = {AT_FIXED, 1, RAX}, [AX] = {AT_FIXED, 2, RAX},
	[EAX] = {AT_FIXED, 4, RAX}, [RAXv] = {AT_FIXED, BY_V, RAX}, [CL] = {AT_FIXED, 1, RCX},
	[CX] = {AT_FIXED, 2, RCX}, [DX] = {AT_FIXED, 2, RDX}, [RDXv] = {AT_FIXED, BY_V, RDX},
	[sES] = {AT_SFIXED, 2, ES}, [sCS] = {AT_SFIXED, 2, CS}, [sSS] = {AT_SFIXED, 2, SS},
	[sDS] = {AT_SFIXED, 2, DS}, [sFS] = {AT_SFIXED, 2, FS}, [sGS] = {AT_SFIXED, 2, GS},
	[Xb] = {AT_X, 1, 0}, [Xv] = {AT_X, BY_V, 0}, [Xz] = {AT_X, BY_Z, 0},
	[Yb] = {AT_Y, 1, 0}, [Yv] = {AT_Y, BY_V, 0}, [Yz] = {AT_Y, BY_Z, 0},
	[Vx] = {AT_V, BY_X, 0}, [Vdq] = {AT_V, 16, 0}, [Vqq] = {AT_V, 32, 0}, [Vq] = {AT_V, 8, 0},
	[Vsd] = {AT_V, 8, 0}, [Vd] = {AT_V, 4, 0}, [Vss] = {AT_V, 4, 0},
	[Wx] = {AT_W, BY_X, 0}, [Wdq] = {AT_W, 16, 0}, [Wqq] = {AT_W, 32, 0}, [Wq] = {AT_W, 8, 0},
	[Wsd] = {AT_W, 8, 0}, [Wd] = {AT_W, 4, 0}, [Wss] = {AT_W, 4, 0}, [Ww] = {AT_W, 2, 0},
	[Wb] = {AT_W, 1, 0}, [Wxh] = {AT_W, BY_XH, 0}, [Wxq] = {AT_W, BY_XQ, 0},
	[Wxo] = {AT_W, BY_XO, 0}, [Hx] = {AT_H, BY_X, 0}, [Hdq] = {AT_H, 16, 0},
	[Hqq] = {AT_H, 32, 0}, [Hss] = {AT_H, 4, 0}, [Hsd] = {AT_H, 8, 0},
	[Ux] = {AT_U, BY_X, 0}, [Udq] = {AT_U, 16, 0}, [Uq] = {AT_U, 8, 0},
	[Lx] = {AT_L, BY_X, 0}, [Ldq] = {AT_L, 16, 0},
	[XMM0] = {AT_VFIXED, 16, 0}, [Pq] = {AT_P, 8, 0},
	[Qq] = {AT_Q, 8, 0}, [Qd] = {AT_Q, 4, 0}, [Nq] = {AT_N, 8, 0},
	[ST0] = {AT_ST0, 10, 0}, [STi] = {AT_STI, 10, 0},
    // clang-format on
};

static unsigned form_size(const struct insn *i, unsigned size)
{
	bool w = i->vex ? i->vexw : i->rex >> 3 & 1;

	switch (size) {
	case BY_V:
		return i->osz;
	case BY_Z:
		return i->osz == 2 ? 2 : 4;
	case BY_Y:
		return i->mode == 8 && w ? 8 : 4;
	case BY_X:
		return i->vl;
	case BY_XH:
		return i->vl / 2;
	case BY_XQ:
		return i->vl / 4;
	case BY_XO:
		return i->vl / 8;
	case BY_MODE:
		return i->mode == 8 ? 8 : 4;
	case BY_P:
		return i->osz + 2;
	case BY_S:
		return i->mode == 8 ? 10 : 6;
	case BY_A:
		return i->osz == 2 ? 4 : 8;
	default:
		return size;
	}
}

/* Byte registers 4-7 are AH-BH without a REX prefix. */
static struct operand gpr_operand(const struct insn *i, unsigned reg, unsigned size)
{
	if (size == 1 && !i->rex && !i->vex && reg >= 4)
		return (struct operand){OPK_REGH, reg - 4, 1};
	return (struct operand){OPK_REG, reg, size};
}

/* One operand; false: the form does not exist (memory where a register is needed and so on). */
static bool set_operand(struct operand *o, unsigned code, struct cursor *c, struct insn *i,
			const struct prefixes *x, uint8_t opcode)
{
	const struct form *f = &forms[code];
	unsigned reg = (i->modrm >> 3 & 7) | (i->rex & 4) << 1;
	unsigned rm = (i->modrm & 7) | (i->rex & 1) << 3;
	unsigned vvvv = i->mode == 8 ? x->vvvv : x->vvvv & 7;
	unsigned size = form_size(i, f->size);
	bool is_mem = i->modrm < 0xc0;

	*o = (struct operand){OPK_NONE, 0, size};
	switch ((enum place)f->place) {
	case AT_NONE:
		break;
	case AT_E:
		if (is_mem)
			*o = (struct operand){OPK_MEM, 0, form_size(i, f->arg)};
		else
			*o = gpr_operand(i, rm, size);
		break;
	case AT_G:
		*o = gpr_operand(i, reg, size);
		break;
	case AT_R:
		*o = gpr_operand(i, rm, size);
		break;
	case AT_Z:
		*o = gpr_operand(i, (opcode & 7) | (i->rex & 1) << 3, size);
		break;
	case AT_B:
		*o = gpr_operand(i, vvvv, size);
		break;
	case AT_FIXED:
		*o = gpr_operand(i, f->arg, size);
		break;
	case AT_I:
		o->kind = OPK_IMM;
		i->imm = get(c, form_size(i, f->arg));
		break;
	case AT_SI:
		o->kind = OPK_IMM;
		i->imm = get_signed(c, form_size(i, f->arg));
		break;
	case AT_I2:
		o->kind = OPK_IMM2;
		i->imm2 = get(c, size);
		break;
	case AT_ONE:
		o->kind = OPK_IMM;
		i->imm = 1;
		break;
	case AT_J:
		o->kind = OPK_REL;
		i->imm = get_signed(c, size);
		break;
	case AT_FAR:
		o->kind = OPK_FAR;
		i->imm = get(c, size);
		i->imm2 = get(c, 2);
		break;
	case AT_M:
		o->kind = OPK_MEM;
		return is_mem;
	case AT_O:
		o->kind = OPK_MEM;
		i->disp = get(c, i->asz);
		break;
	case AT_S: /* CS is no destination */
		*o = (struct operand){OPK_SREG, reg & 7, size};
		return o->reg < NR_SREGS && !(o->reg == CS && o == i->o);
	case AT_SFIXED:
		*o = (struct operand){OPK_SREG, f->arg, size};
		break;
	case AT_C: /* CR0, 2, 3, 4, 8 */
		*o = (struct operand){OPK_CREG, reg, size};
		return 0x11d >> reg & 1;
	case AT_D:
		*o = (struct operand){OPK_DREG, reg, size};
		return reg < 8;
	case AT_X:
		*o = (struct operand){OPK_STRS, RSI, size};
		break;
	case AT_Y:
		*o = (struct operand){OPK_STRD, RDI, size};
		break;
	case AT_V:
		*o = (struct operand){OPK_VEC, reg, size};
		break;
	case AT_W:
		*o = (struct operand){is_mem ? OPK_MEM : OPK_VEC, is_mem ? 0 : rm, size};
		break;
	case AT_U:
		*o = (struct operand){OPK_VEC, rm, size};
		return !is_mem;
	case AT_H:
		*o = (struct operand){OPK_VEC, vvvv, size};
		break;
	case AT_L:
		i->imm2 = get(c, 1) >> 4 & (i->mode == 8 ? 15 : 7);
		*o = (struct operand){OPK_VEC, i->imm2, size};
		break;
	case AT_VFIXED:
		*o = (struct operand){OPK_VEC, f->arg, size};
		break;
	case AT_P:
		*o = (struct operand){OPK_MMX, reg & 7, size};
		break;
	case AT_Q:
		*o = (struct operand){is_mem ? OPK_MEM : OPK_MMX, is_mem ? 0 : rm & 7, size};
		break;
	case AT_N:
		*o = (struct operand){OPK_MMX, rm & 7, size};
		return !is_mem;
	case AT_ST0:
		*o = (struct operand){OPK_ST, 0, size};
		break;
	case AT_STI:
		*o = (struct operand){OPK_ST, rm & 7, size};
		break;
	}
	return true;
}

static bool uses_vvvv(unsigned code)
{
	return forms[code].place == AT_B || forms[code].place == AT_H;
}

/* MOV to and from control and debug registers ignore ModRM.mod. */
static bool ignores_mod(const struct opcode *d)
{
	return d->o[0] == Cd || d->o[1] == Cd || d->o[0] == Dd || d->o[1] == Dd;
}

/* The rest of the instruction as row d says. False: d has no such form, try the next. */
static bool apply_row(struct cursor *c, struct insn *i, const struct opcode *d,
		      const struct prefixes *x, uint8_t opcode)
{
	bool vvvv_free = !i->vex || x->vvvv == 0;

	i->desc = d;
	i->vl = d->l == L_IG || !x->l ? 16 : 32;
	i->asz = i->mode == 8 ? (x->adsize ? 4 : 8) : (i->mode == 2) != x->adsize ? 2 : 4;
	i->seg = x->has_seg ? x->seg : DS;
	i->base = i->index = REG_ZERO;
	set_osz(i, x);
	if (d->modrm != R_NONE && i->modrm < 0xc0 && !ignores_mod(d) &&
	    !get_mem(c, i, x, d->attrs & A_VSIB))
		return false;
	for (int n = 0; n < 4; n++) {
		if (!set_operand(&i->o[n], d->o[n], c, i, x, opcode))
			return false;
		vvvv_free |= uses_vvvv(d->o[n]) && !(d->attrs & A_NOVV);
	}
	return vvvv_free;
}

/* LOCK MOV CR0 is CR8 where CPUID says so (AMD); elsewhere LOCK needs a memory destination. */
static bool lock_allowed(struct insn *i, const struct cpu_model *model)
{
	if ((i->desc->attrs & A_LOCK) && i->o[0].kind == OPK_MEM)
		return true;
	for (int n = 0; n < 2; n++) {
		if (i->o[n].kind == OPK_CREG && i->o[n].reg == 0 &&
		    (!model || cpu_has(model, FEAT_CR8LEGACY))) {
			i->o[n].reg = 8;
			i->lock = false;
			return true;
		}
	}
	return false;
}

static enum decode_result finish(struct cursor *c, struct insn *i, enum decode_result r)
{
	if (c->failed) {
		r = c->err;
		c->p = c->start + c->avail;
	}
	i->len = c->p - c->start;
	i->end = i->len;
	if (i->base == REG_RIP)
		i->disp += i->len;
	return r;
}

enum decode_result decode(struct insn *i, const uint8_t *code, size_t avail, unsigned mode,
			  const struct cpu_model *model)
{
	struct cursor c = {.start = code, .p = code, .avail = avail, .err = DECODE_SHORT};
	struct prefixes x = {0};
	uint8_t opcode;
	const uint8_t *after;
	bool has_modrm = false;

	if (avail >= MAX_LEN) {
		c.avail = MAX_LEN;
		c.err = DECODE_GP;
	}
	memset(i, 0, sizeof(*i));
	i->mode = mode;

	unsigned map = get_opcode(&c, i, &x, &opcode);
	if (c.failed || map == NR_MAPS)
		return finish(&c, i, DECODE_UD);

	const uint16_t *k = decode_row + decode_first[map][opcode];
	const uint16_t *end = decode_row + decode_first[map][opcode + 1];
	for (after = c.p; k < end; k++) {
		const struct opcode *d = &opcodes[*k];
		c.p = after;
		if (d->modrm != R_NONE && !has_modrm) {
			i->modrm = get(&c, 1);
			if (c.failed)
				break;
			has_modrm = true;
			after = c.p;
		}
		/* 90h with REX.B exchanges r8 with rAX: not the operand-less NOP and PAUSE. */
		if (map == M1 && opcode == 0x90 && (i->rex & 1) && d->o[0] == _)
			continue;
		if (!row_matches(d, i, &x, model) || !apply_row(&c, i, d, &x, opcode))
			continue;
		if (i->lock && !lock_allowed(i, model))
			break;
		i->op = d->op;
		return finish(&c, i, DECODE_OK);
	}
	i->op = NULL;
	i->desc = NULL;
	return finish(&c, i, DECODE_UD);
}
