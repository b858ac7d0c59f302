/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every register form of cpu/opcodes_simd_int.def, encoded from its row, decoded and executed by us
 * and executed by the host CPU on the same random registers: results and flags must be equal. Memory
 * operands and faults are the business of tests/insn.
 */
#include <cpuid.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/decode.h"
#include "cpu/op_simd.h"
#include "cpu/opcode.h"

enum { RUNS = 400, NR_REGS = 4 };

/* What the code under test may read and write. */
struct state {
	uint8_t ymm[NR_REGS][32];
	uint64_t mm[NR_REGS];
	uint64_t gpr[NR_REGS]; /* RAX, RCX, RDX, RBX */
	uint64_t flags;
};

struct row {
	uint8_t map, opcode, pfx, w, l;
	uint16_t modrm, feature;
	const char *name;
	uint8_t o[4];
};

#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs)              \
	{map, opc, pfx, w, l, modrm, FEAT_##feat, name, {o1, o2, o3, o4}},
static const struct row rows[] = {
#include "cpu/opcodes_simd_int.def"
};
#undef OP

static const struct {
	uint32_t leaf, subleaf, reg, bit;
} features[] = {
    [FEAT_BASE] = {1, 0, 3, 0},
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = {leaf, subleaf, reg, bit},
#include "cpu/features.def"
#undef FEATURE
};

static bool host_has(unsigned f)
{
	uint32_t r[4] = {0};
	if (!__get_cpuid_count(features[f].leaf, features[f].subleaf, &r[0], &r[1], &r[2], &r[3]))
		return false;
	return r[features[f].reg] >> features[f].bit & 1;
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

/* Numbers that hit equal elements, saturation and shift limits more often than chance. */
static uint64_t interesting(void)
{
	static const uint64_t some[] = {
	    0,
	    ~0ull,
	    0x8000800080008000,
	    0x7fff7fff7fff7fff,
	    0x8080808080808080,
	    0x0001000100010001,
	    0x8000000080000000,
	    0x4142430041424300,
	};
	uint64_t v = next();
	switch (v >> 60) {
	case 0 ... 5:
		return next();
	case 6 ... 8:
		return some[v & 7];
	case 9 ... 10:
		return v & 0x7f;
	case 11 ... 12:
		return next() & 0x0303030303030303;
	default:
		return (next() & some[v & 7]) ^ some[v >> 3 & 7];
	}
}

static bool has_operand(const struct row *r, unsigned code)
{
	for (unsigned n = 0; n < 4; n++)
		if (r->o[n] == code)
			return true;
	return false;
}

/* Bytes of the row's form with ModRM.reg 1 (or the group), r/m 2, VEX.vvvv 3; 0 when it has none
 * between registers. */
static size_t encode(const struct row *r, uint8_t *p, bool l)
{
	static const uint8_t legacy[] = {[P_66] = 0x66, [P_F3] = 0xf3, [P_F2] = 0xf2};
	static const uint8_t vex_pp[] = {[P_66] = 1, [P_F3] = 2, [P_F2] = 3};
	uint8_t *start = p, modrm = 0xc0 | 1 << 3 | 2;
	bool w = r->w == W_1;

	if (r->modrm == R_M || (r->map == M0F && r->opcode == 0xf7) ||
	    (r->map == V0F && r->opcode == 0xf7))
		return 0;
	if (r->modrm >= R_R0 && r->modrm <= R_R7)
		modrm = 0xc0 | (r->modrm - R_R0) << 3 | 2;
	if (r->map >= V0F) {
		bool h = has_operand(r, Hx) || has_operand(r, Hdq) || has_operand(r, Hqq);
		*p++ = 0xc4;
		*p++ = 0xe0 | (r->map - V0F + 1);
		*p++ = w << 7 | (~(h ? 3 : 0) & 15) << 3 | l << 2 | vex_pp[r->pfx];
	} else {
		if (legacy[r->pfx])
			*p++ = legacy[r->pfx];
		if (w)
			*p++ = 0x48;
		*p++ = 0x0f;
		if (r->map != M0F)
			*p++ = r->map == M0F38 ? 0x38 : 0x3a;
	}
	*p++ = r->opcode;
	if (r->modrm != R_NONE)
		*p++ = modrm;
	if (has_operand(r, Ib))
		*p++ = next();
	if (has_operand(r, Lx))
		*p++ = next() % (NR_REGS * 16);
	return p - start;
}

__attribute__((target("avx"))) static void run_host(const void *code, struct state *s)
{
	register struct state *st __asm__("r12") = s;
	register const void *fn __asm__("r13") = code;
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "vmovdqu 0(%0), %%ymm0\n\t"
			 "vmovdqu 32(%0), %%ymm1\n\t"
			 "vmovdqu 64(%0), %%ymm2\n\t"
			 "vmovdqu 96(%0), %%ymm3\n\t"
			 "movq 128(%0), %%mm0\n\t"
			 "movq 136(%0), %%mm1\n\t"
			 "movq 144(%0), %%mm2\n\t"
			 "movq 152(%0), %%mm3\n\t"
			 "mov 160(%0), %%rax\n\t"
			 "mov 168(%0), %%rcx\n\t"
			 "mov 176(%0), %%rdx\n\t"
			 "mov 184(%0), %%rbx\n\t"
			 "pushq 192(%0)\n\t"
			 "popfq\n\t"
			 "call *%1\n\t"
			 "pushfq\n\t"
			 "popq 192(%0)\n\t"
			 "vmovdqu %%ymm0, 0(%0)\n\t"
			 "vmovdqu %%ymm1, 32(%0)\n\t"
			 "vmovdqu %%ymm2, 64(%0)\n\t"
			 "vmovdqu %%ymm3, 96(%0)\n\t"
			 "movq %%mm0, 128(%0)\n\t"
			 "movq %%mm1, 136(%0)\n\t"
			 "movq %%mm2, 144(%0)\n\t"
			 "movq %%mm3, 152(%0)\n\t"
			 "mov %%rax, 160(%0)\n\t"
			 "mov %%rcx, 168(%0)\n\t"
			 "mov %%rdx, 176(%0)\n\t"
			 "mov %%rbx, 184(%0)\n\t"
			 "emms\n\t"
			 "vzeroupper\n\t"
			 "lea 128(%%rsp), %%rsp\n\t"
			 :
			 : "r"(st), "r"(fn)
			 : "rax", "rcx", "rdx", "rbx", "cc", "memory", "xmm0", "xmm1", "xmm2",
			   "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15", "mm0", "mm1", "mm2", "mm3");
}

static void run_ours(struct core *c, const struct insn *i, struct state *s)
{
	for (unsigned n = 0; n < NR_REGS; n++) {
		memcpy(&c->v.v[n], s->ymm[n], 32);
		c->v.fpu.r[n].mant = s->mm[n];
		c->v.gpr[n] = s->gpr[n];
	}
	rflags_set(&c->v, s->flags);
	i->op(c, i);
	for (unsigned n = 0; n < NR_REGS; n++) {
		memcpy(s->ymm[n], &c->v.v[n], 32);
		s->mm[n] = c->v.fpu.r[n].mant;
		s->gpr[n] = c->v.gpr[n];
	}
	s->flags = rflags_get(&c->v);
}

/* One row at one vector length; false after the first difference. */
static bool try_row(struct core *c, const struct row *r, bool l, uint8_t *page)
{
	for (unsigned run = 0; run < RUNS; run++) {
		uint8_t code[16] = {0};
		struct insn i;
		struct state host, ours;
		uint64_t *word = (uint64_t *)&host;
		size_t len = encode(r, code, l);

		if (!len)
			return true;
		if (decode(&i, code, sizeof(code), 8, NULL) != DECODE_OK || i.len != len ||
		    strcmp(i.desc->name, r->name)) {
			fprintf(stderr, "%s: not decoded as such\n", r->name);
			return false;
		}
		memcpy(page, code, len);
		page[len] = 0xc3;
		for (size_t n = 0; n < sizeof(host) / 8; n++)
			word[n] = interesting();
		host.gpr[0] = next() % 64 - 32;
		host.gpr[2] = next() % 64 - 32;
		host.flags = (next() & FL_STATUS) | FL_1 | FL_IF;
		ours = host;
		run_host(page, &host);
		run_ours(c, &i, &ours);
		if (memcmp(&host, &ours, sizeof(host))) {
			fprintf(stderr, "%s (opcode %02x, L %d, last byte %02x) differs\n", r->name,
				r->opcode, l, code[len - 1]);
			return false;
		}
	}
	return true;
}

Test(simd_int, register_forms_match_host)
{
	uint8_t *page;
	struct core *c;
	unsigned tried = 0, failed = 0;

	if (!host_has(FEAT_AVX2))
		cr_skip("the host has no AVX2");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (page == MAP_FAILED)
		cr_skip("no writable and executable memory");
	c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	memset(c, 0, sizeof(*c));
	c->mode = 8;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		if (!host_has(rows[n].feature))
			continue;
		for (unsigned l = 0; l < 2; l++) {
			if ((rows[n].map < V0F || rows[n].l == L_0) && l)
				continue;
			if (rows[n].l == L_1 && !l)
				continue;
			tried++;
			failed += !try_row(c, &rows[n], l, page);
		}
	}
	cr_log_info("%u forms", tried);
	cr_expect_eq(failed, 0, "%u of %u forms differ", failed, tried);
	free(c);
	munmap(page, 4096);
}

static struct insn vec_insn(const struct opcode *d, bool vex, unsigned vl)
{
	return (struct insn){
	    .desc = d,
	    .vex = vex,
	    .vl = vl,
	    .mode = 8,
	    .o = {{OPK_VEC, 1, vl}, {OPK_VEC, vex ? 3 : 2, vl}, {OPK_VEC, 2, vl}},
	};
}

/* Above the vector length, legacy instructions keep and VEX ones clear to the end of the register. */
Test(simd_int, upper_bits)
{
	struct opcode d = {.kernel = (void (*)(void))k_paddb};
	struct core *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	struct insn i;

	memset(c, 0, sizeof(*c));
	memset(c->v.v, 0x11, sizeof(c->v.v));
	i = vec_insn(&d, false, 16);
	op_sse_vw(c, &i);
	cr_expect_eq(c->v.v[1].u64[1], 0x2222222222222222);
	cr_expect_eq(c->v.v[1].u64[2], 0x1111111111111111);
	cr_expect_eq(c->v.v[1].u64[7], 0x1111111111111111);

	i = vec_insn(&d, true, 32);
	op_avx_vhw(c, &i);
	cr_expect_eq(c->v.v[1].u64[3], 0x2222222222222222);
	cr_expect_eq(c->v.v[1].u64[4], 0);
	cr_expect_eq(c->v.v[1].u64[7], 0);

	i = vec_insn(&d, true, 16);
	op_avx_vhw(c, &i);
	cr_expect_eq(c->v.v[1].u64[1], 0x2222222222222222);
	cr_expect_eq(c->v.v[1].u64[2], 0);
	free(c);
}

/* A written MMX register reads as a NaN in the x87 view, TOP is 0 and every tag valid. */
Test(simd_int, mmx_state)
{
	struct opcode d = {.kernel = (void (*)(void))k_paddb};
	struct core *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	struct insn i = vec_insn(&d, false, 16);

	memset(c, 0, sizeof(*c));
	c->v.fpu.fsw = 0x3800;
	c->v.fpu.r[1].mant = 0x80ff;
	c->v.fpu.r[2].mant = 0x8001;
	i.o[0].kind = i.o[1].kind = OPK_MMX;
	op_mmx_pq(c, &i);
	cr_expect_eq(c->v.fpu.r[1].mant, 0);
	cr_expect_eq(c->v.fpu.r[1].se, 0xffff);
	cr_expect_eq(c->v.fpu.r[2].se, 0);
	cr_expect_eq(c->v.fpu.ftw, 0xff);
	cr_expect_eq(c->v.fpu.fsw, 0);
	free(c);
}
