/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Translation of SSE and AVX instructions: the guest's instruction itself, with its memory operand
 * addressed through the TLB.
 *
 * Guest register n is host register n. All sixteen are there, or all are in v.v: js.vec_dead says which.
 * A block asks when it comes to its first vector instruction, and loads them if need be. They stay
 * until generated code is left or calls C code, which stores them. So loops of vector instructions keep
 * them in registers, and code without any moves none.
 *
 * Availability and masked exceptions are in the block's key. Generated code runs with the guest's
 * MXCSR (jit.c), so rounding, flush-to-zero and sticky flags are as they should be. SDM vol. 1
 * chapters 10-14, vol. 2A 2.3 (VEX).
 */
#include <cpuid.h>

#include "accel/jit/translate.h"
#include "cpu/check.h"
#include "cpu/op_simd.h"
#include "cpu/op_simd_fp.h"
#include "cpu/ops.h"

#define OFF_VEC(n)                                                                                 \
	((int32_t)offsetof(struct engine_cpu, core.v.v) +                                          \
	 (int32_t)(n) * (int32_t)sizeof(union vreg))

/* ---- the host ---- */

static bool host_has_ymm(void)
{
	unsigned a, b, c, d;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
}

void jit_host_features(struct cpu_model *host)
{
	static const struct {
		uint32_t leaf, subleaf;
		uint8_t reg, bit;
	} where[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = {leaf, subleaf, reg, bit},
#include "cpu/features.def"
#undef FEATURE
	};
	static const uint16_t need_ymm[] = {FEAT_AVX,  FEAT_AVX2, FEAT_FMA,
					    FEAT_F16C, FEAT_VAES, FEAT_VPCLMULQDQ};

	memset(host->feat, 0, sizeof(host->feat));
	for (unsigned f = 1; f < FEAT_COUNT; f++) {
		unsigned r[4];
		if (__get_cpuid_count(where[f].leaf, where[f].subleaf, &r[0], &r[1], &r[2],
				      &r[3]) &&
		    r[where[f].reg] >> where[f].bit & 1)
			host->feat[f / 64] |= 1ull << f % 64;
	}
	if (host_has_ymm())
		return;
	for (unsigned n = 0; n < sizeof(need_ymm) / sizeof(need_ymm[0]); n++)
		host->feat[need_ymm[n] / 64] &= ~(1ull << need_ymm[n] % 64);
}

/* ---- registers ---- */

/* movups or vmovups between host register n and v.v[n], all of it or what is in XMM registers */
static void move_reg(const struct jit *j, struct emit *e, unsigned n, bool store, bool all,
		     int32_t bias)
{
	struct rm m = rm_mem(STATE, OFF_VEC(n) + bias);
	if (cpu_has(&j->host, FEAT_AVX))
		emit_vex(e, 1, 0, false, all, 0x10 | store, n, 0, m);
	else
		emit_op(e, 0, 0x0f10 | store, 4, n, m, false, false);
}

static void emit_vzeroupper(struct emit *e)
{
	emit8(e, 0xc5);
	emit8(e, 0xf8);
	emit8(e, 0x77);
}

void vec_emit_store_all(const struct jit *j, struct emit *e, int32_t bias)
{
	for (unsigned n = 0; n < 16; n++)
		move_reg(j, e, n, true, true, bias);
}

static void load_all(const struct jit *j, struct emit *e, bool all, int32_t bias)
{
	for (unsigned n = 0; n < 16; n++)
		move_reg(j, e, n, false, all, bias);
}

/* S1 = 0 when all upper halves in v.v are. Clobbers two vector registers. */
static void emit_or_upper(struct emit *e, int32_t bias)
{
	for (unsigned n = 0; n < 16; n++) /* vmovups, vpor */
		emit_vex(e, 1, n ? 1 : 0, false, false, n ? 0xeb : 0x10, 0, 0,
			 rm_mem(STATE, OFF_VEC(n) + 16 + bias));
	emit_vex(e, 1, 1, false, false, 0x6d, 1, 0, rm_reg(0)); /* vpunpckhqdq xmm1, xmm0, xmm0 */
	emit_vex(e, 1, 1, false, false, 0xeb, 0, 0, rm_reg(1)); /* vpor xmm0, xmm0, xmm1 */
	emit_vex(e, 1, 1, true, false, 0x7e, 0, 0, rm_reg(S1)); /* vmovq */
}

void vec_emit_load_all(const struct jit *j, struct emit *e, int32_t bias)
{
	if (!cpu_has(&j->host, FEAT_AVX)) {
		load_all(j, e, false, bias);
		return;
	}
	emit_or_upper(e, bias);
	emit_jrcxz_over_jmp(e);
	uint8_t *wide = emit_jmp(e);
	emit_vzeroupper(e);
	load_all(j, e, false, bias);
	uint8_t *done = emit_jmp(e);
	emit_patch(wide, e->w);
	load_all(j, e, true, bias);
	emit_patch(done, e->w);
}

void vec_make_load(struct jit *j, struct emit *e)
{
	const int32_t bias = 8; /* the return address */
	j->vec_load = e->w;
	vec_emit_load_all(j, e, bias);
	emit_store_imm(e, 4, rm_mem(STATE, OFF_JS(vec_dead) + bias), 0);
	emit8(e, 0xc3);
}

void vec_emit_save(const struct jit *j, struct emit *e, int32_t bias)
{
	struct rm dead = rm_mem(STATE, OFF_JS(vec_dead) + bias);
	emit_rm(e, 0x83, 4, 7, dead); /* cmp dead, 0 */
	emit8(e, 0);
	uint8_t *over = emit_jcc(e, CC_NE);
	vec_emit_store_all(j, e, bias);
	if (cpu_has(&j->host, FEAT_AVX))
		emit_vzeroupper(e);
	emit_store_imm(e, 4, dead, 1);
	emit_patch(over, e->w);
}

/* What vec_emit_want() emits: mov rcx, [vec_dead]; jrcxz; call. */
#define WANT_SIZE 15

void vec_emit_skip_want(struct emit *e)
{
	uint8_t code[16];
	uint64_t begins;
	struct emit want = {.w = code, .end = code + sizeof(code)};
	emit_load(&want, S1, state(OFF_JS(vec_dead)));
	static_assert(sizeof(begins) == WANT_SIZE - 7, "all of the load");
	memcpy(&begins, code, sizeof(begins));
	emit_mov_imm(e, S1, begins);
	emit_rm(e, 0x39, 8, S1, rm_mem(S2, 0)); /* cmp */
	uint8_t *other = emit_jcc(e, CC_NE);
	emit_lea(e, 8, S2, rm_mem(S2, WANT_SIZE));
	emit_patch(other, e->w);
}

void vec_emit_want(struct tr *t)
{
	if (t->vec)
		return;
	emit_load(&t->e, S1, state(OFF_JS(vec_dead)));
	emit8(&t->e, 0xe3); /* jrcxz over the call */
	emit8(&t->e, 5);
	emit_call(&t->e, t->j->vec_load);
	t->vec = true;
}

/* ---- which instructions ---- */

/* Those whose host instruction does nothing but what the C operation does with these operands. */
static op_fn *const as_is[] = {
    op_sse_vw,    op_sse_ui,     op_sse_vw0,    op_avx_vhw,      op_avx_vw,      op_avx_hui,
    op_avx_vhs,   op_avx_vhwl,   op_avx_vhw_i2, op_avx_vhw_i3,   op_avx_vhw_i4,  op_avx_vw_i2,
    op_avx_bcast, op_avx_extend, op_vec_load,   op_vec_store,    op_ptest,       op_vtestps,
    op_vtestpd,   op_vperm2f128, op_vpermd,     op_vpermq,       op_vextract128, op_vinsert128,
    op_movd_ve,   op_movd_ev,    op_movq_vw,    op_movhps_store, op_movmskps,    op_movmskpd,
    op_pmovmskb,  op_pinsrb,     op_pinsrw,     op_pinsrd,       op_pextrb,      op_pextrw,
    op_pextrd,    op_maskload_d, op_maskload_q, op_maskstore_d,  op_maskstore_q, op_pcmpestri,
    op_pcmpestrm, op_pcmpistri,  op_pcmpistrm,
};
/* Likewise, but they may raise exceptions, which must all be masked. */
static op_fn *const masked_fp[] = {
    op_fp_vw,  op_fp_vhw, op_fp_widen, op_fp_narrow, op_fp_comis, op_fp_gw, op_fp_ve, op_fp_vhe,
    op_fma132, op_fma213, op_fma231,   op_dpps,      op_vdpps,    op_dppd,  op_vdppd, op_vcvtps2ph,
};

static bool listed(op_fn *const *list, size_t n, op_fn *op)
{
	for (size_t k = 0; k < n; k++)
		if (list[k] == op)
			return true;
	return false;
}
#define LISTED(list, op) listed(list, sizeof(list) / sizeof((list)[0]), op)

static bool usable(const struct jit *j, const struct block *b, const struct insn *i)
{
	uint64_t attrs = i->desc->attrs;
	unsigned need = attrs & A_AVX ? BLOCK_AVX : BLOCK_SSE;
	if (!(attrs & (A_SSE | A_AVX)) || attrs & (A_MMX | A_X87) || !(b->key & need))
		return false;
	if (!cpu_has(&j->host, i->desc->feature) || (attrs & A_AVX && !cpu_has(&j->host, FEAT_AVX)))
		return false;
	if (i->op == op_stmxcsr || i->op == op_ldmxcsr)
		return b->key & BLOCK_FP_MASKED;
	if (LISTED(as_is, i->op) || i->op == op_vzeroupper || i->op == op_vzeroall)
		return true;
	return b->key & BLOCK_FP_MASKED && LISTED(masked_fp, i->op);
}

bool vec_block(const struct tr *t)
{
	for (unsigned n = 0; n < t->b->nr; n++)
		if (usable(t->j, t->b, &t->b->insn[n]))
			return true;
	return false;
}

/* ---- the instruction ---- */

enum place { IN_NONE, IN_REG, IN_RM, IN_VVVV, IN_IS4, IN_IMM, IN_XMM0, IN_UNKNOWN };

static enum place place_of(unsigned code)
{
	switch (code) {
	case _:
		return IN_NONE;
	case Vx:
	case Vdq:
	case Vqq:
	case Vq:
	case Vd:
	case Vss:
	case Vsd:
	case Gd:
	case Gq:
	case Gy:
		return IN_REG;
	case Wx:
	case Wdq:
	case Wqq:
	case Wq:
	case Wd:
	case Ww:
	case Wb:
	case Wss:
	case Wsd:
	case Wxh:
	case Wxq:
	case Wxo:
	case Ux:
	case Udq:
	case Uq:
	case M:
	case Mb:
	case Mw:
	case Md:
	case Mq:
	case Mdq:
	case Mqq:
	case Mx:
	case Ed:
	case Eq:
	case Ey:
	case Eyb:
	case Eyw:
		return IN_RM;
	case Hx:
	case Hdq:
	case Hqq:
	case Hss:
	case Hsd:
		return IN_VVVV;
	case Lx:
	case Ldq:
		return IN_IS4;
	case Ib:
		return IN_IMM;
	case XMM0:
		return IN_XMM0;
	default:
		return IN_UNKNOWN;
	}
}

/* The encoding's operands. */
struct fields {
	unsigned reg, vvvv;
	struct rm rm;
	bool imm, is4;
	bool w32; /* VEX.W means nothing: outside of 64-bit mode */
};

static unsigned vex_pp(unsigned pfx)
{
	return pfx == P_66 ? 1 : pfx == P_F3 ? 2 : pfx == P_F2 ? 3 : 0;
}

static void emit_insn(struct tr *t, const struct insn *i, const struct fields *f)
{
	static const uint8_t prefix[] = {0, 0x66, 0xf3, 0xf2};
	const struct opcode *d = i->desc;
	unsigned pp = vex_pp(d->pfx);
	uint8_t opcode = d->opcode;

	/* The guest's fences do not order host stores that bypass the cache: plain stores instead. */
	if (i->op == op_vec_store && opcode == 0x2b)
		opcode = 0x29;
	else if (i->op == op_vec_store && opcode == 0xe7)
		opcode = 0x7f;
	if (i->vex) {
		unsigned map = d->map == V0F ? 1 : d->map == V0F38 ? 2 : 3;
		bool w = i->vexw && !f->w32;
		emit_vex(&t->e, map, pp, w, i->vl == 32, opcode, f->reg, f->vvvv, f->rm);
	} else {
		uint32_t map = d->map == M0F ? 0x0f00 : d->map == M0F38 ? 0x0f3800 : 0x0f3a00;
		emit_op(&t->e, prefix[pp], map | opcode, i->rex & 8 ? 8 : 4, f->reg, f->rm, false,
			false);
	}
	if (f->imm)
		emit8(&t->e, (uint8_t)i->imm);
	else if (f->is4)
		emit8(&t->e, (uint8_t)(i->imm2 << 4));
}

void emit_aligned(struct tr *t, const struct insn *i, unsigned size)
{
	struct emit *e = &t->e;
	if (t->dead) {
		emit_rm(e, 0xf6, 1, 0, rm_reg(S1)); /* test cl, size - 1 */
		emit8(e, (uint8_t)(size - 1));
		add_slow(t, SLOW_OP, emit_jcc(e, CC_NE), i, false, 0);
		return;
	}
	emit_rm(e, 0x8b, 8, S2, rm_reg(S1));
	emit_pext(e, S1, S1, state(size == 32 ? OFF_JS(mask32) : OFF_JS(mask16)));
	emit_op_unless_zero(t, i);
	emit_rm(e, 0x8b, 8, S1, rm_reg(S2));
}

/* Their result is in ECX, or their operands are anywhere in memory. */
static bool is_index_string(const struct insn *i)
{
	return i->op == op_pcmpestri || i->op == op_pcmpistri;
}
static bool is_string(const struct insn *i)
{
	return is_index_string(i) || i->op == op_pcmpestrm || i->op == op_pcmpistrm;
}

static struct rm vec_operand(struct tr *t, const struct insn *i, const struct operand *o,
			     bool write)
{
	/* Legacy instructions fault on misaligned vectors whatever this model does. */
	bool aligned =
	    i->desc->attrs & A_ALIGN || (!i->vex && o->size == 16 && i->op != op_vec_load &&
					 i->op != op_vec_store && !is_string(i));
	return aligned ? emit_reach_aligned(t, i, o->size, write)
		       : emit_reach(t, i, o->size, write);
}

/* A general register as operand: S2 stands in for one that lives in memory. */
static unsigned general(struct tr *t, unsigned g, bool written)
{
	if (pinned(g))
		return (unsigned)host_reg(g);
	if (!written)
		emit_load(&t->e, S2, gpr_slot(g));
	return S2;
}

/* Fills in the places of i's operands and gets them there. */
static bool place_operands(struct tr *t, const struct insn *i, struct fields *f, bool store)
{
	uint64_t attrs = i->desc->attrs;
	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &i->o[n];
		enum place p = place_of(i->desc->o[n]);
		bool written = n == 0 && attrs & A_WR1;
		unsigned reg = o->reg;
		struct rm m = {0};

		f->w32 |= t->word == 4 && (i->desc->o[n] == Ey || i->desc->o[n] == Gy);
		if (p == IN_UNKNOWN || o->kind == OPK_MMX || o->kind == OPK_REGH)
			return false;
		if (o->kind == OPK_REG) {
			reg = general(t, reg, written);
		} else if (o->kind == OPK_MEM) {
			m = vec_operand(t, i, o, store);
		}
		if (p == IN_REG)
			f->reg = reg;
		else if (p == IN_VVVV)
			f->vvvv = reg;
		else if (p == IN_RM)
			f->rm = o->kind == OPK_MEM ? m : rm_reg(reg);
		f->imm |= p == IN_IMM;
		f->is4 |= p == IN_IS4;
	}
	return true;
}

/* While everything is masked the guest's MXCSR is the host's. */
static bool tr_mxcsr(struct tr *t, const struct insn *i)
{
	struct emit *e = &t->e;
	bool store = i->op == op_stmxcsr;
	emit_mem(t, i, 4, store);
	if (!store) {
		/* Masks or reserved bits that are not as they are now: the C operation. The value that
		 * is loaded is a copy, since another processor may write to memory after the look. */
		emit_load32(e, S2, rm_mem(S1, 0));
		emit_store(e, state(OFF_JS(spill2)), S2);
		emit_pext(e, S1, S2, state(OFF_JS(mxcsr_fixed)));
		emit_lea(e, 8, S1, rm_mem(S1, -0x3f));
		emit_op_unless_zero(t, i);
		emit_rm(e, 0x0fae, 4, 2, state(OFF_JS(spill2)));
		return true;
	}
	emit_rm(e, 0x0fae, 4, 3, rm_mem(S1, 0));
	emit_stored(t, i);
	return true;
}

/* Outside of 64-bit mode eight registers stay. */
static void emit_vzero(struct tr *t, bool all)
{
	struct emit *e = &t->e;
	if (t->word == 8) {
		emit8(e, 0xc5);
		emit8(e, all ? 0xfc : 0xf8);
		emit8(e, 0x77);
		return;
	}
	for (unsigned n = 0; n < 8; n++) /* vxorps, vmovaps */
		emit_vex(e, 1, 0, false, false, all ? 0x57 : 0x28, n, all ? n : 0, rm_reg(n));
}

bool tr_vector(struct tr *t, const struct insn *i)
{
	const struct operand *a = &i->o[0];
	struct fields f = {.reg = i->modrm >> 3 & 7};
	bool store = a->kind == OPK_MEM;

	if (!usable(t->j, t->b, i) || i->lock || !addressable(t, i))
		return false;
	if (t->word == 4 && i->seg == CS && store) /* #GP */
		return false;
	if (i->op == op_stmxcsr || i->op == op_ldmxcsr)
		return tr_mxcsr(t, i);
	if (i->op == op_vzeroupper || i->op == op_vzeroall) {
		vec_emit_want(t);
		emit_vzero(t, i->op == op_vzeroall);
		return true;
	}
	for (unsigned n = 0; n < 4; n++)
		if (i->o[n].kind == OPK_MEM && !i->o[n].size)
			return false;
	vec_emit_want(t);
	if (!place_operands(t, i, &f, store))
		return false;
	f.w32 |= is_string(i) && t->word == 4;
	bool rcx_changed = t->e.rcx_changed;
	emit_insn(t, i, &f);
	t->e.rcx_changed = rcx_changed || is_index_string(i); /* it is no guest's register */
	if (is_index_string(i)) {
		emit_rm(&t->e, 0x89, 8, S1, guest(RCX));
	} else if (a->kind == OPK_REG && !pinned(a->reg)) {
		emit_store(&t->e, gpr_slot(a->reg), S2);
	} else if (store) {
		emit_stored(t, i);
	}
	return true;
}
