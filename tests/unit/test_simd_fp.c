/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Floating-point operations against the host: every row of cpu/opcodes_simd_fp.def is assembled,
 * executed by the host under a random MXCSR and by us, on registers with a bias to special values.
 * Unmasked exceptions arrive as SIGFPE. Rows that the host lacks are skipped.
 * DOPPEL_TEST_ITERATIONS=n runs n cases of each row.
 */
#undef _GNU_SOURCE /* whose REG_RIP of ucontext.h is also a name of cpu/insn.h */
#define _DEFAULT_SOURCE
#include <cpuid.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "cpu/core.h"
#include "cpu/exc.h"
#include "cpu/kernels.h"
#include "cpu/mxcsr.h"
#include "cpu/opcode.h"
#include "cpu/op_simd_fp.h"
#include "cpu/simd_host.h"
#include "cpu/softfp.h"
#include "cpu/x87.h"

#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs)              \
	{map,                                                                                      \
	 opc,                                                                                      \
	 pfx,                                                                                      \
	 w,                                                                                        \
	 l,                                                                                        \
	 modrm,                                                                                    \
	 FEAT_##feat,                                                                              \
	 name,                                                                                     \
	 {o1, o2, o3, o4},                                                                         \
	 op,                                                                                       \
	 (void (*)(void))(kernel),                                                                 \
	 attrs},
static const struct opcode rows[] = {
#include "cpu/opcodes_simd_fp.def"
};
#undef OP

enum { NR_ROWS = sizeof(rows) / sizeof(rows[0]), NR_VEC = 3 };

struct state {
	uint8_t vec[NR_VEC][32];
	uint64_t mm[NR_VEC];
	uint64_t gpr[NR_VEC]; /* RAX, RCX, RDX */
	uint64_t flags;
	uint32_t mxcsr;
	bool trapped;
};

enum { UC_RIP = 16 }; /* glibc's REG_RIP */

static uint8_t *code;
static volatile uint64_t code_end;
static volatile uint32_t trap_mxcsr;
static volatile bool trapped;

static void on_fpe(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	(void)sig, (void)si;
	trapped = true;
	trap_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
	uc->uc_mcontext.fpregs->mxcsr = MXCSR_MASKS;
	uc->uc_mcontext.gregs[UC_RIP] = code_end;
}

static void setup(void)
{
	struct sigaction sa = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigaction(SIGFPE, &sa, NULL);
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
}

static uint64_t rng = 0x9e3779b97f4a7c15;
static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1d;
}
static unsigned below(unsigned n)
{
	return (rnd() >> 33) % n;
}

static uint64_t random_fp(struct fp_format f)
{
	uint64_t sign = below(2) ? fp_sign_bit(f) : 0, frac = rnd() & fp_frac_mask(f);
	uint64_t max = (1u << f.ebits) - 1, bias = fp_bias(f), e;

	switch (below(4)) { /* simple fractions make exact results and ties */
	case 0:
		frac &= ~0ull << below(f.mbits);
		break;
	case 1:
		frac &= fp_frac_mask(f) >> below(f.mbits);
		break;
	case 2:
		frac = below(2) ? 0 : 1ull << below(f.mbits);
	}
	switch (below(12)) {
	case 0:
		return sign;
	case 1:
		e = max;
		break;
	case 2:
		e = max, frac = below(2) ? frac : 0;
		break;
	case 3:
	case 4:
		e = 0;
		break;
	case 5:
		e = 1 + below(f.mbits + 2);
		break;
	case 6:
		e = max - 1 - below(f.mbits);
		break;
	case 7:
		e = rnd() % (max + 1);
		break;
	case 8: /* results around the least normal and the greatest number */
		e = bias / 2 + below(8);
		break;
	case 9:
		e = bias + bias / 2 - 4 + below(8);
		break;
	default:
		e = bias - 4 + below(below(2) ? 10 : 70);
		e = e > max ? max : e;
	}
	return sign | e << f.mbits | frac;
}

static void random_vec(uint8_t *v, unsigned size)
{
	static const struct fp_format formats[] = {{23, 8}, {52, 11}, {10, 5}, {23, 8}, {52, 11}};
	struct fp_format f = formats[below(5)];
	unsigned bytes = (f.mbits + f.ebits + 1) / 8;
	bool tame = below(2); /* mostly ordinary, so that one element decides */
	for (unsigned k = 0; k < size; k += bytes) {
		uint64_t x = random_fp(f);
		if (tame && below(4))
			x = (x & fp_frac_mask(f)) | (uint64_t)fp_bias(f) << f.mbits;
		memcpy(v + k, &x, bytes);
	}
	if (!below(8) && size <= 32) { /* integers */
		for (unsigned k = 0; k < size; k += 8) {
			uint64_t x = (int64_t)rnd() >> below(64);
			memcpy(v + k, &x, 8);
		}
	}
}

static void random_state(struct state *s)
{
	for (unsigned k = 0; k < NR_VEC; k++) {
		random_vec(s->vec[k], 32);
		if (k && !below(6))
			memcpy(s->vec[k], s->vec[k - 1], 32);
		random_vec((uint8_t *)&s->mm[k], 8);
		s->gpr[k] = (int64_t)rnd() >> below(64);
	}
	uint64_t r = rnd();
	s->mxcsr = (r & (3u << MXCSR_RC_SHIFT)) | MXCSR_MASKS;
	if (r & 1)
		s->mxcsr |= r & (MXCSR_DAZ | MXCSR_FTZ);
	if (r & 2)
		s->mxcsr ^= (r & 4 ? r : 0x80u << below(6)) & MXCSR_MASKS;
	if (r & 8)
		s->mxcsr |= r >> 32 & MXCSR_FLAGS;
	s->flags = r & 0x10 ? FL_STATUS : 0;
}

/* Runs the code on the host; the stack is left alone down to the end of the red zone. */
#define LOAD_AND_CALL(mov, w)                                                                      \
	__asm__ volatile(                                                                          \
	    "lea -128(%%rsp), %%rsp\n\t" mov " 0(%[s]), %%" w "mm0\n\t" mov " 32(%[s]), %%" w      \
	    "mm1\n\t" mov " 64(%[s]), %%" w "mm2\n\tmovq 96(%[s]), %%mm0\n\t"                      \
	    "movq 104(%[s]), %%mm1\n\tmovq 112(%[s]), %%mm2\n\t"                                   \
	    "movq 120(%[s]), %%rax\n\tmovq 128(%[s]), %%rcx\n\t"                                   \
	    "movq 136(%[s]), %%rdx\n\tpushq 144(%[s])\n\tpopfq\n\t"                                \
	    "ldmxcsr 152(%[s])\n\tcall *%[code]\n\tstmxcsr 152(%[s])\n\t"                          \
	    "pushfq\n\tpopq 144(%[s])\n\tldmxcsr %[own]\n\t" mov " %%" w "mm0, 0(%[s])\n\t" mov    \
	    " %%" w "mm1, 32(%[s])\n\t" mov " %%" w "mm2, 64(%[s])\n\tmovq %%mm0, 96(%[s])\n\t"    \
	    "movq %%mm1, 104(%[s])\n\tmovq %%mm2, 112(%[s])\n\t"                                   \
	    "movq %%rax, 120(%[s])\n\tmovq %%rcx, 128(%[s])\n\t"                                   \
	    "movq %%rdx, 136(%[s])\n\temms\n\tlea 128(%%rsp), %%rsp"                               \
	    :                                                                                      \
	    : [s] "r"(s), [code] "r"(code), [own] "m"(host_own_mxcsr)                              \
	    : "rax", "rcx", "rdx", "xmm0", "xmm1", "xmm2", "st", "st(1)", "st(2)", "st(3)",        \
	      "st(4)", "st(5)", "st(6)", "st(7)", "cc", "memory")

_Static_assert(offsetof(struct state, mm) == 96 && offsetof(struct state, gpr) == 120 &&
		   offsetof(struct state, flags) == 144 && offsetof(struct state, mxcsr) == 152,
	       "the assembly's offsets");

__attribute__((noinline)) static void host_run(struct state *s)
{
	trapped = false;
	if (__builtin_cpu_supports("avx"))
		LOAD_AND_CALL("vmovdqu", "y");
	else
		LOAD_AND_CALL("movdqu", "x");
	s->trapped = trapped;
	if (trapped)
		s->mxcsr = trap_mxcsr;
	s->flags &= FL_STATUS;
}

/* Runs the operation on a core. */
static struct core core;

static void our_run(struct state *s, const struct insn *i)
{
	struct core *c = &core;
	sigjmp_buf env;

	c->v.cr4 = CR4_OSXMMEXCPT;
	c->mode = 8;
	c->fault = &env;
	c->v.mxcsr = s->mxcsr;
	c->v.cc = s->flags;
	for (unsigned k = 0; k < NR_VEC; k++) {
		memcpy(&c->v.v[k], s->vec[k], 32);
		c->v.fpu.r[k].mant = s->mm[k];
		c->v.gpr[k] = s->gpr[k];
	}
	s->trapped = sigsetjmp(env, 0);
	if (!s->trapped)
		i->op(c, i);
	else
		cr_assert_eq(c->exc.vector, EXC_XM);
	s->mxcsr = c->v.mxcsr;
	s->flags = c->v.cc;
	for (unsigned k = 0; k < NR_VEC; k++) {
		memcpy(s->vec[k], &c->v.v[k], 32);
		s->mm[k] = c->v.fpu.r[k].mant;
		s->gpr[k] = c->v.gpr[k];
	}
}

/* One encoding of a row, and what the decoder makes of it. */
static void assemble(const struct opcode *r, struct insn *i)
{
	static const uint8_t prefix[] = {[P_66] = 0x66, [P_F3] = 0xf3, [P_F2] = 0xf2};
	unsigned reg = below(NR_VEC), rm = below(NR_VEC), vvvv = below(NR_VEC);
	bool vex = r->map >= V0F;
	bool w = r->w == W_1 || (r->w == W_ANY && below(2));
	bool l = r->l == L_ANY && vex && below(2);
	uint8_t *p = code;

	*i = (struct insn){
	    .op = r->op, .desc = r, .imm = rnd() & 0xff, .vex = vex, .vl = l ? 32 : 16};
	bool three = false;
	for (unsigned n = 0; n < 4; n++) {
		struct operand *o = &i->o[n];
		switch (r->o[n]) {
		case Vx:
		case Vdq:
		case Vss:
		case Vsd:
			*o = (struct operand){OPK_VEC, reg, 16};
			break;
		case Hx:
		case Hdq:
		case Hss:
		case Hsd:
			*o = (struct operand){OPK_VEC, vvvv, 16};
			three = true;
			break;
		case Wx:
		case Wdq:
		case Wq:
		case Wss:
		case Wsd:
		case Wxh:
			*o = (struct operand){OPK_VEC, rm, 16};
			break;
		case Gy:
			*o = (struct operand){OPK_REG, reg, w ? 8 : 4};
			break;
		case Ey:
			*o = (struct operand){OPK_REG, rm, w ? 8 : 4};
			break;
		case Pq:
			*o = (struct operand){OPK_MMX, reg, 8};
			break;
		case Nq:
			*o = (struct operand){OPK_MMX, rm, 8};
			break;
		case Ib:
			*o = (struct operand){OPK_IMM, 0, 1};
			break;
		default:
			cr_assert_eq(r->o[n], _, "%s: operand %u", r->name, n);
		}
	}
	if (!strncmp(r->name, "cmp", 3)) /* bits 3-7 are reserved */
		i->imm &= 7;
	if (!strncmp(r->name, "vcmp", 4))
		i->imm &= 31;
	static const uint8_t vex_pp[] = {[P_66] = 1, [P_F3] = 2, [P_F2] = 3};
	static const uint8_t escape[] = {[M0F38] = 0x38, [M0F3A] = 0x3a};
	if (vex) {
		*p++ = 0xc4;
		*p++ = 0xe0 | (r->map - V0F + 1);
		*p++ = w << 7 | (three ? ~vvvv & 15 : 15) << 3 | l << 2 |
		       (r->pfx == P_NP ? 0 : vex_pp[r->pfx]);
	} else {
		if (r->pfx != P_NP)
			*p++ = prefix[r->pfx];
		*p++ = 0x40 | w << 3;
		*p++ = 0x0f;
		if (r->map != M0F)
			*p++ = escape[r->map];
	}
	*p++ = r->opcode;
	*p++ = 0xc0 | reg << 3 | rm;
	for (unsigned n = 0; n < 4; n++)
		if (r->o[n] == Ib)
			*p++ = i->imm;
	code_end = (uintptr_t)p;
	*p = 0xc3;
}

static bool host_has(const struct opcode *r)
{
	unsigned eax, ebx, ecx, edx;
	switch (r->feature) {
	case FEAT_SSE3:
		return __builtin_cpu_supports("sse3");
	case FEAT_SSE41:
		return __builtin_cpu_supports("sse4.1");
	case FEAT_AVX:
		return __builtin_cpu_supports("avx");
	case FEAT_FMA:
		return __builtin_cpu_supports("fma");
	case FEAT_F16C:
		return __builtin_cpu_supports("avx") && __get_cpuid(1, &eax, &ebx, &ecx, &edx) &&
		       (ecx & bit_F16C);
	default:
		return true;
	}
}

static void print_state(const char *who, const struct state *s)
{
	fprintf(stderr, "%s: mxcsr %04x flags %03x%s gpr %016lx %016lx %016lx\n", who, s->mxcsr,
		(unsigned)s->flags, s->trapped ? " trapped" : "", s->gpr[0], s->gpr[1], s->gpr[2]);
	for (unsigned k = 0; k < NR_VEC; k++) {
		fprintf(stderr, "  %u:", k);
		for (unsigned b = 0; b < 32; b += 4) {
			uint32_t x;
			memcpy(&x, s->vec[k] + b, 4);
			fprintf(stderr, " %08x", x);
		}
		fprintf(stderr, "  mm %016lx\n", s->mm[k]);
	}
}

static unsigned iterations(unsigned standard)
{
	const char *env = getenv("DOPPEL_TEST_ITERATIONS");
	return env ? strtoul(env, NULL, 0) : standard;
}

static bool same(const struct state *a, const struct state *b)
{
	return !memcmp(a->vec, b->vec, sizeof(a->vec)) && !memcmp(a->mm, b->mm, sizeof(a->mm)) &&
	       !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && a->flags == b->flags &&
	       a->mxcsr == b->mxcsr && a->trapped == b->trapped;
}

Test(simd_fp, rows_match_the_host, .init = setup, .timeout = 600)
{
	unsigned bad_rows = 0, n = iterations(3000);

	for (unsigned r = 0; r < NR_ROWS; r++) {
		struct insn i;
		if (!host_has(&rows[r]) || rows[r].modrm == R_M)
			continue;
		for (unsigned k = 0; k < n; k++) {
			struct state before, host, ours;
			if (k % 16 == 0)
				assemble(&rows[r], &i);
			random_state(&before);
			host = ours = before;
			host_run(&host);
			our_run(&ours, &i);
			if (same(&host, &ours))
				continue;
			fprintf(stderr, "%s vl %u operands %u %u %u imm %02x\n", rows[r].name, i.vl,
				i.o[0].reg, i.o[1].reg, i.o[2].reg, (unsigned)i.imm);
			print_state("before", &before);
			print_state("host", &host);
			print_state("ours", &ours);
			bad_rows++;
			break;
		}
	}
	cr_assert_eq(bad_rows, 0);
}

/* softfma() itself, which the kernels prefer not to use where the host has FMA. */
Test(simd_fp, softfma_matches_the_host, .init = setup, .timeout = 600)
{
	if (!__builtin_cpu_supports("fma"))
		cr_skip("the host has no FMA");
	unsigned n = iterations(500000);
	for (unsigned k = 0; k < n; k++) {
		union vec128 x, y, z, d;
		uint32_t fl32 = 0, fl64 = 0, mxcsr = (rnd() & 0xe040) | MXCSR_MASKS;
		uint32_t x32 = random_fp(FP32), y32 = random_fp(FP32), z32 = random_fp(FP32);
		uint64_t x64 = random_fp(FP64), y64 = random_fp(FP64), z64 = random_fp(FP64);
		if (!below(4)) { /* near cancellation */
			float p = *(float *)&x32 * *(float *)&y32;
			double q = *(double *)&x64 * *(double *)&y64;
			memcpy(&z32, &p, 4);
			memcpy(&z64, &q, 8);
			z32 ^= 1u << 31 | below(4);
			z64 ^= 1ull << 63 | below(4);
		}
		x.u32[0] = x32, y.u32[0] = y32, z.u32[0] = z32;
		uint32_t fl = host_fmaddss(&d, &x, &y, &z, mxcsr);
		uint32_t r32 = softfma(FP32, x32, y32, z32, false, false, mxcsr, &fl32);
		cr_assert(r32 == d.u32[0] && fl32 == fl,
			  "%08x * %08x + %08x, mxcsr %04x: %08x flags %02x, host %08x %02x", x32,
			  y32, z32, mxcsr, r32, fl32, d.u32[0], fl);
		x.u64[0] = x64, y.u64[0] = y64, z.u64[0] = z64;
		fl = host_fnmsubsd(&d, &x, &y, &z, mxcsr);
		uint64_t r64 = softfma(FP64, x64, y64, z64, true, true, mxcsr, &fl64);
		cr_assert(r64 == d.u64[0] && fl64 == fl,
			  "-%016lx * %016lx - %016lx, mxcsr %04x: %016lx flags %02x, host %016lx "
			  "%02x",
			  x64, y64, z64, mxcsr, r64, fl64, d.u64[0], fl);
	}
}

/* Without CR4.OSXMMEXCPT an unmasked exception is #UD; flags stick all the same. */
Test(simd_fp, unmasked_without_osxmmexcpt_is_ud, .init = setup)
{
	struct core *c = &core;
	sigjmp_buf env;
	c->v.cr4 = 0;
	c->fault = &env;
	c->v.mxcsr = MXCSR_MASKS & ~(MXCSR_ZE << MXCSR_MASK_SHIFT);
	if (!sigsetjmp(env, 0)) {
		fp_commit(c, MXCSR_ZE | MXCSR_PE);
		cr_assert_fail("no exception");
	}
	cr_assert_eq(c->exc.vector, EXC_UD);
	cr_assert_eq(c->v.mxcsr & MXCSR_FLAGS, MXCSR_ZE);
}
