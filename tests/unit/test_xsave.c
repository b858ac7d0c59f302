/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * FXSAVE and the XSAVE family against the host, byte for byte, and the header checks.
 */
#include <criterion/criterion.h>
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/core.h"
#include "cpu/exc.h"
#include "cpu/fxstate.h"
#include "cpu/opcode.h"
#include "cpu/x87.h"
#include "cpu/xstate.h"

op_fn op_fxsave, op_fxrstor, op_xsave, op_xsaveopt, op_xsavec, op_xsaves, op_xrstor, op_xrstors;
op_fn op_fnstenv, op_fldenv, op_fwait;

enum { AREA = 1024, ROUNDS = 20000, USED = 832 };

struct bench {
	struct core c;
	struct ram_page page;
	struct cpu_model model;
	struct cpu_bus bus;
	uint8_t *mem;
	sigjmp_buf fault;
	struct opcode op;
	struct insn i;
};

static uint64_t seed = 88172645463325252;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d;
}

static struct bench *bench_new(void)
{
	struct bench *b = aligned_alloc(64, (sizeof(*b) + 63) & ~63ull);
	memset(b, 0, sizeof(*b));
	b->mem = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(b->mem != MAP_FAILED);
	struct core *c = &b->c;
	unsigned eax, regs[3];
	__get_cpuid(0, &eax, &regs[0], &regs[2], &regs[1]);
	memcpy(b->model.vendor, regs, 12);
	for (unsigned n = 0; n < sizeof(b->model.feat) / 8; n++)
		b->model.feat[n] = ~0ull;
	c->model = &b->model;
	c->bus = &b->bus;
	c->mode = 8;
	c->tlb_mode = TLB_USER;
	c->tlb.asid = 1;
	c->v.cr0 = CR0_PE | CR0_NE | CR0_PG;
	c->v.cr4 = CR4_OSXSAVE | CR4_OSFXSR;
	c->v.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	c->v.mxcsr = MXCSR_RESET;
	fx_x87_init(&c->v.fpu);
	uint64_t lin = (uintptr_t)b->mem;
	c->tlb.e[TLB_USER][tlb_index(lin)] = (struct tlb_entry){lin | 1, lin | 1, b->mem, &b->page};
	c->fault = &b->fault;
	b->i = (struct insn){.desc = &b->op, .osz = 4, .asz = 8, .mode = 8, .seg = DS, .modrm = 7};
	b->i.base = RDI;
	b->i.index = REG_ZERO;
	return b;
}

/* Runs op on the area at `off` of the page with the given mask; the exception's vector or -1. */
static int run(struct bench *b, op_fn *op, unsigned off, uint64_t mask, bool w)
{
	struct core *c = &b->c;
	c->v.gpr[RDI] = (uintptr_t)b->mem + off;
	c->v.gpr[RAX] = (uint32_t)mask;
	c->v.gpr[RDX] = mask >> 32;
	b->i.rex = w ? 0x48 : 0;
	b->i.op = op;
	c->insn = &b->i;
	if (sigsetjmp(b->fault, 0))
		return c->exc.vector;
	op(c, &b->i);
	return -1;
}

/* A legacy region that FXRSTOR takes. */
static void rnd_legacy(uint8_t *p)
{
	for (unsigned n = 0; n < 512; n += 8) {
		uint64_t v = rnd();
		memcpy(p + n, &v, 8);
	}
	if (rnd() & 1) { /* pointers show with an exception pending */
		p[0] = 0x40;
		p[2] |= 1;
	}
	p[14] = p[15] = p[22] = p[23] = 0; /* canonical */
	p[13] &= 0x7f;
	p[21] &= 0x7f;
	p[FX_MXCSR + 2] = p[FX_MXCSR + 3] = 0;
}

#define VECTOR_CLOBBERS                                                                            \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
	    "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory"

static uint8_t in[AREA] __attribute__((aligned(64)));
static uint8_t out[AREA] __attribute__((aligned(64)));
static const uint32_t mxcsr_reset = MXCSR_RESET;

/* MXCSR_MASK tells what the processor has. */
static bool same(uint8_t *ours)
{
	memcpy(ours + FX_MXCSR_MASK, out + FX_MXCSR_MASK, 4);
	return !memcmp(ours, out, AREA);
}

Test(xsave, fxsave_as_the_host)
{
	struct bench *b = bench_new();
	unsigned bad = 0;
	for (unsigned n = 0; n < ROUNDS; n++) {
		bool w = rnd() & 1, equal = false;
		rnd_legacy(in);
		for (unsigned try = 0; try < 3 && !equal; try++) {
			memset(out, 0xcc, sizeof(out));
			if (w)
				__asm__ volatile("fxrstor64 %1; fxsave64 %0; fninit; ldmxcsr %2"
						 : "=m"(out)
						 : "m"(in), "m"(mxcsr_reset)
						 : VECTOR_CLOBBERS);
			else
				__asm__ volatile("fxrstor %1; fxsave %0; fninit; ldmxcsr %2"
						 : "=m"(out)
						 : "m"(in), "m"(mxcsr_reset)
						 : VECTOR_CLOBBERS);
			memcpy(b->mem, in, AREA);
			memset(b->mem + AREA, 0xcc, AREA);
			cr_assert_eq(run(b, op_fxrstor, 0, 0, w), -1);
			cr_assert_eq(run(b, op_fxsave, AREA, 0, w), -1);
			equal = same(b->mem + AREA);
		}
		bad += !equal;
	}
	cr_expect_eq(bad, 0, "%u differ", bad);
	free(b);
}

#define HOST(save)                                                                                 \
	do {                                                                                       \
		uint32_t eax = load;                                                               \
		__asm__ volatile("xrstor64 %2; mov %4, %%eax; " save                               \
				 " %0; fninit; vzeroall; ldmxcsr %3"                               \
				 : "+m"(out), "+a"(eax)                                            \
				 : "m"(in), "m"(mxcsr_reset), "r"(mask), "d"(0)                    \
				 : VECTOR_CLOBBERS);                                               \
	} while (0)

Test(xsave, xsave_as_the_host)
{
	__builtin_cpu_init();
	unsigned a = 0, bx, cx, dx;
	if (!__builtin_cpu_supports("avx2") || !__get_cpuid_count(13, 1, &a, &bx, &cx, &dx) ||
	    (a & 3) != 3)
		cr_skip("the host lacks AVX, XSAVEOPT or XSAVEC");
	struct bench *b = bench_new();
	unsigned bad = 0;
	for (unsigned n = 0; n < ROUNDS; n++) {
		unsigned kind = rnd() % 3;
		uint32_t mask = rnd() & 7, load = rnd() % 4 ? 7 : rnd() & 7;
		uint64_t bv = rnd() % 3 ? 7 : rnd() & 7;
		bool equal = false;
		rnd_legacy(in);
		memset(in + 512, 0, 64);
		memcpy(in + 512, &bv, 8);
		for (unsigned at = 576; at < USED; at += 8) {
			uint64_t v = rnd();
			memcpy(in + at, &v, 8);
		}
		for (unsigned try = 0; try < 3 && !equal; try++) {
			memset(out, 0xcc, sizeof(out));
			/* What is not loaded starts from the initial configuration. */
			__asm__ volatile("fninit; vzeroall" : : : VECTOR_CLOBBERS);
			if (kind == 0)
				HOST("xsave64");
			else if (kind == 1)
				HOST("xsaveopt64");
			else
				HOST("xsavec64");
			memcpy(b->mem, in, AREA);
			memset(b->mem + AREA, 0xcc, AREA);
			struct vcpu *v = &b->c.v;
			x87_init(&v->fpu);
			memset(v->v, 0, sizeof(v->v));
			v->mxcsr = MXCSR_RESET;
			cr_assert_eq(run(b, op_xrstor, 0, load, true), -1);
			cr_assert_eq(run(b, (op_fn *[]){op_xsave, op_xsaveopt, op_xsavec}[kind],
					 AREA, mask, true),
				     -1);
			uint8_t *ours = b->mem + AREA;
			/* FNINIT keeps the data registers of the round before. */
			if (!(load & XCR0_X87)) {
				memcpy(ours + 32, out + 32, 128);
				ours[512] = (ours[512] & ~1) | (out[512] & 1);
			}
			equal = same(ours);
		}
		if (!equal && bad++ < 5) {
			cr_log_error("kind %u mask %x load %x bv %x", kind, mask, load,
				     (unsigned)bv);
			for (unsigned at = 0; at < AREA; at++)
				if (b->mem[AREA + at] != out[at])
					cr_log_error("  %u: host %02x ours %02x", at, out[at],
						     b->mem[AREA + at]);
		}
	}
	cr_expect_eq(bad, 0, "%u differ", bad);
	free(b);
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

Test(xsave, header_checks)
{
	struct bench *b = bench_new();
	uint8_t *h = b->mem + 512;
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), -1, "all zero restores initial state");
	put64(h, 8);
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), EXC_GP, "component not enabled");
	put64(h, 7);
	put64(h + 8, 7);
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), EXC_GP, "XCOMP_BV without bit 63");
	put64(h + 8, XCOMP_COMPACT | 3);
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), EXC_GP, "XSTATE_BV outside XCOMP_BV");
	put64(h + 8, XCOMP_COMPACT | 7);
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), -1);
	cr_expect_eq(run(b, op_xrstors, 0, 7, true), -1);
	h[16] = 1;
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), EXC_GP, "reserved bytes");
	h[16] = 0;
	b->mem[FX_MXCSR + 2] = 1;
	cr_expect_eq(run(b, op_xrstor, 0, 7, true), EXC_GP, "MXCSR");
	cr_expect_eq(run(b, op_xrstor, 0, 5, true), -1, "MXCSR is SSE state in compact areas");
	cr_expect_eq(run(b, op_xrstor, 32, 7, true), EXC_GP, "alignment");
	put64(h + 8, 0);
	cr_expect_eq(run(b, op_xrstors, 0, 7, true), EXC_GP, "XRSTORS takes compact areas only");
	cr_expect_eq(run(b, op_xrstor, 0, 4, true), EXC_GP,
		     "AVX loads MXCSR in the standard format");
	b->c.v.cr0 |= CR0_TS;
	cr_expect_eq(run(b, op_xsave, 0, 7, true), EXC_NM);
	b->c.v.cr4 = 0;
	cr_expect_eq(run(b, op_xsave, 0, 7, true), EXC_UD);
	free(b);
}

Test(xsave, pkru_where_cpuid_says)
{
	struct bench *b = bench_new();
	struct vcpu *v = &b->c.v;
	v->xcr0 |= XCR0_PKRU;
	v->pkru = 0x55555554;
	v->v[15].u64[3] = 77;
	cr_assert_eq(run(b, op_xsave, 0, ~0ull, true), -1);
	uint32_t got;
	memcpy(&got, b->mem + 2688, 4);
	cr_expect_eq(got, 0x55555554);
	memset(b->mem, 0, PAGE_SIZE);
	cr_assert_eq(run(b, op_xsaves, 0, ~0ull, true), -1);
	memcpy(&got, b->mem + 576 + 256, 4);
	cr_expect_eq(got, 0x55555554);
	v->pkru = 0;
	v->v[15].u64[3] = 0;
	cr_assert_eq(run(b, op_xrstors, 0, ~0ull, true), -1);
	cr_expect_eq(v->pkru, 0x55555554);
	cr_expect_eq(v->v[15].u64[3], 77);
	cr_expect_eq(xstate_size(v->xcr0, false), 2696);
	cr_expect_eq(xstate_size(v->xcr0, true), 840);
	free(b);
}

Test(xsave, real_mode_environment)
{
	struct bench *b = bench_new();
	struct fpu *f = &b->c.v.fpu;
	uint32_t w[7];
	uint16_t h[7];
	b->c.v.cr0 &= ~CR0_PE;
	f->fcs = 0x1234;
	f->fip = 0x5678;
	f->fds = 0xf000;
	f->fdp = 0xfff0;
	f->fop = 0x5a5;
	cr_assert_eq(run(b, op_fnstenv, 0, 0, false), -1);
	memcpy(w, b->mem, sizeof(w));
	cr_expect_eq(w[3], 0xffff79b8);
	cr_expect_eq(w[4], 0x000015a5);
	cr_expect_eq(w[5], 0xfffffff0);
	cr_expect_eq(w[6], 0x0000f000);
	cr_assert_eq(run(b, op_fldenv, 0, 0, false), -1);
	cr_expect_eq(f->fip, 0x179b8);
	cr_expect_eq(f->fdp, 0xffff0);
	b->i.osz = 2;
	cr_assert_eq(run(b, op_fnstenv, 0, 0, false), -1);
	memcpy(h, b->mem, sizeof(h));
	cr_expect_eq(h[3], 0x79b8);
	cr_expect_eq(h[4], 0x15a5);
	cr_expect_eq(h[5], 0xfff0);
	cr_expect_eq(h[6], 0xf000);
	free(b);
}

static bool ignne;
static unsigned ferr_count;
static bool ferr(void *opaque, unsigned cpu)
{
	(void)opaque;
	(void)cpu;
	ferr_count++;
	return ignne;
}

Test(xsave, error_pin)
{
	struct bench *b = bench_new();
	b->c.v.fpu.fcw &= ~FSW_ZE;
	b->c.v.fpu.fsw = x87_summary(FSW_ZE, b->c.v.fpu.fcw);
	cr_expect_eq(run(b, op_fwait, 0, 0, false), EXC_MF);
	b->c.v.cr0 &= ~CR0_NE;
	cr_expect_eq(run(b, op_fwait, 0, 0, false), -1, "not wired");
	b->bus.ferr = ferr;
	ignne = true;
	cr_expect_eq(run(b, op_fwait, 0, 0, false), -1);
	ignne = false;
	b->c.exc.vector = 99;
	cr_expect_eq(run(b, op_fwait, 0, 0, false), 99, "restarts");
	cr_expect_eq(ferr_count, 2);
	free(b);
}
