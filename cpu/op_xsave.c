/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * State saving: FXSAVE, FXRSTOR, the XSAVE family, LDMXCSR, STMXCSR. SDM vol. 1 chapters 10.5 and
 * 13, vol. 2.
 *
 * Saving probes every byte it will write before it writes the first; restoring reads everything
 * into locals, checks, then commits.
 */
#include <string.h>

#include "cpu/exc.h"
#include "cpu/fxstate.h"
#include "cpu/mem.h"
#include "cpu/mxcsr.h"
#include "cpu/operand.h"
#include "cpu/x87.h"
#include "cpu/xstate.h"

enum { CHUNK = 64 };

/* `base` is the segment's; offsets wrap at the address size. */
struct area {
	struct core *c;
	uint64_t base, off, mask;
	uint64_t lin; /* of its first byte */
};

static uint64_t area_at(const struct area *a, unsigned off)
{
	uint64_t lin = a->base + ((a->off + off) & a->mask);
	return a->c->mode == 8 ? lin : (uint32_t)lin;
}

/* Areas are 16-byte aligned at least, so chunks that start at multiples of 16 cross a page only at
 * a multiple of 16; mem_*() handle that. */
static void area_read(const struct area *a, unsigned off, void *buf, unsigned size)
{
	for (unsigned at = 0; at < size; at += CHUNK) {
		unsigned n = size - at < CHUNK ? size - at : CHUNK;
		mem_read(a->c, area_at(a, off + at), (uint8_t *)buf + at, n);
	}
}

static void area_write(const struct area *a, unsigned off, const void *buf, unsigned size)
{
	for (unsigned at = 0; at < size; at += CHUNK) {
		unsigned n = size - at < CHUNK ? size - at : CHUNK;
		mem_write(a->c, area_at(a, off + at), (const uint8_t *)buf + at, n);
	}
}

static void area_probe(const struct area *a, unsigned off, unsigned size, enum access acc)
{
	mem_probe(a->c, area_at(a, off), size, acc);
}

/* FXSAVE and FXRSTOR touch all 512 bytes; of two pages, AMD processors report the second first. */
static void fx_probe(const struct area *a, enum access acc)
{
	unsigned first = PAGE_SIZE - (a->lin & ~PAGE_MASK);
	if (first < 512)
		area_probe(a, first, 512 - first, acc);
	area_probe(a, 0, 512, acc);
}

/* Alignment is looked at after the first bytes being within the segment or canonical, but before the
 * rest is. An area that wraps at 4 GiB has its first bytes touched before the limit counts. */
static struct area area_of(struct core *c, const struct insn *i, unsigned size, unsigned align,
			   enum access acc)
{
	bool based = c->mode != 8 || (i->seg & 6) == 4;
	struct area a = {
	    .c = c,
	    .base = based ? c->v.seg[i->seg].base : 0,
	    .off = ea(c, i),
	    .mask = size_mask(i->asz),
	};
	a.lin = area_at(&a, 0);
	seg_lin_slow(c, i->seg, a.off, 2, acc);
	if (a.lin & (align - 1))
		raise_gp(c, 0);
	if (c->mode != 8) {
		if (a.off + size > 1ull << 32)
			mem_probe(c, lin_of(c, i, align, acc), align, acc);
		lin_of(c, i, size, acc);
	}
	return a;
}

static unsigned form_of(const struct core *c, const struct insn *i)
{
	bool amd = !strcmp(c->model->vendor, "AuthenticAMD");
	return (i->rex & 8 ? FX_64 : 0) | (amd ? FX_NO_POINTERS : 0);
}

/* Registers reachable in this mode; the others are neither saved nor restored. */
static unsigned nr_vregs(const struct core *c)
{
	return c->mode == 8 ? 16 : 8;
}

static void load_mxcsr_check(struct core *c, uint32_t mxcsr)
{
	if (mxcsr & ~MXCSR_VALID)
		raise_gp(c, 0);
}

/* Engines may have translated code for "all exceptions masked". */
static void set_mxcsr(struct core *c, uint32_t mxcsr)
{
	if ((c->v.mxcsr ^ mxcsr) & MXCSR_MASKS)
		c->leave = true;
	c->v.mxcsr = mxcsr;
}

/* EFER.FFXSR: ring 0 in 64-bit mode leaves the XMM registers out. */
static unsigned fxsave_vregs(const struct core *c)
{
	if (c->v.efer & EFER_FFXSR && c->mode == 8 && vcpu_cpl(&c->v) == 0)
		return 0;
	return nr_vregs(c);
}

void op_fxsave(struct core *c, const struct insn *i)
{
	struct area a = area_of(c, i, 512, 16, ACC_WRITE);
	unsigned size = FX_XMM + 16 * fxsave_vregs(c);
	uint8_t buf[512];
	fx_pack(buf, &c->v, form_of(c, i));
	fx_probe(&a, ACC_WRITE);
	area_write(&a, 0, buf, size);
}

void op_fxrstor(struct core *c, const struct insn *i)
{
	struct area a = area_of(c, i, 512, 16, ACC_READ);
	unsigned regs = fxsave_vregs(c);
	uint8_t buf[512];
	uint32_t mxcsr;
	fx_probe(&a, ACC_READ);
	area_read(&a, 0, buf, FX_XMM + 16 * regs);
	memcpy(&mxcsr, buf + FX_MXCSR, 4);
	load_mxcsr_check(c, mxcsr);
	uint16_t fcw = c->v.fpu.fcw;
	fx_unpack_x87(&c->v.fpu, buf, form_of(c, i));
	if ((c->v.fpu.fcw ^ fcw) & FCW_EXC)
		c->leave = true;
	set_mxcsr(c, mxcsr);
	for (unsigned n = 0; n < regs; n++)
		memcpy(&c->v.v[n], buf + FX_XMM + 16 * n, 16);
}

void op_ldmxcsr(struct core *c, const struct insn *i)
{
	uint32_t mxcsr = mem_read32(c, lin_of(c, i, 4, ACC_READ));
	load_mxcsr_check(c, mxcsr);
	set_mxcsr(c, mxcsr);
}

void op_stmxcsr(struct core *c, const struct insn *i)
{
	mem_write32(c, lin_of(c, i, 4, ACC_WRITE), c->v.mxcsr);
}

/* XSAVE header. */
struct header {
	uint64_t xstate_bv, xcomp_bv, zero[6];
};
_Static_assert(sizeof(struct header) == XSTATE_HEADER_SIZE, "XSAVE header");

static void xsave_check(struct core *c, bool supervisor)
{
	if (!(c->v.cr4 & CR4_OSXSAVE))
		raise_ud(c);
	if (c->v.cr0 & CR0_TS)
		raise_exc(c, EXC_NM);
	if (supervisor && vcpu_cpl(&c->v) != 0)
		raise_gp(c, 0);
}

static uint64_t requested(const struct core *c, bool supervisor)
{
	uint64_t enabled = c->v.xcr0 | (supervisor ? c->v.xss : 0);
	return enabled & (c->v.gpr[RDX] << 32 | (uint32_t)c->v.gpr[RAX]);
}

uint64_t xinuse(const struct core *c)
{
	const struct vcpu *v = &c->v;
	uint64_t sse = 0, avx = 0;
	for (unsigned n = 0; n < nr_vregs(c); n++) {
		sse |= v->v[n].u64[0] | v->v[n].u64[1];
		avx |= v->v[n].u64[2] | v->v[n].u64[3];
	}
	return (fx_x87_is_init(&v->fpu) ? 0 : XCR0_X87) | (sse ? XCR0_SSE : 0) |
	       (avx ? XCR0_AVX : 0) | (v->pkru ? XCR0_PKRU : 0);
}

/* Where component n >= 2 lies in an area of the given format. */
static unsigned comp_offset(unsigned n, uint64_t xcomp_bv)
{
	if (!(xcomp_bv & XCOMP_COMPACT))
		return xstate_comps[n].offset;
	return xstate_size(xcomp_bv & ((1ull << n) - 1), true);
}

static unsigned comp_size(const struct core *c, unsigned n)
{
	return n == 2 ? 16 * nr_vregs(c) : xstate_comps[n].size;
}

static void comp_pack(const struct core *c, unsigned n, uint8_t *buf)
{
	if (n == 2) {
		for (unsigned r = 0; r < nr_vregs(c); r++)
			memcpy(buf + 16 * r, &c->v.v[r].u8[16], 16);
	} else {
		uint64_t pkru = c->v.pkru;
		memcpy(buf, &pkru, 8);
	}
}

/* One of XSAVE's four kinds. `write`: components whose data is stored; `mxcsr`: stored too. */
static void save(struct core *c, const struct insn *i, const struct area *a, uint64_t write,
		 bool mxcsr, uint64_t xcomp_bv)
{
	uint8_t legacy[512], ext[256];

	fx_pack(legacy, &c->v, form_of(c, i));
	area_probe(a, 0, XSTATE_EXT_OFFSET, ACC_WRITE);
	for (unsigned n = 2; n < XSTATE_NR; n++)
		if (write >> n & 1)
			area_probe(a, comp_offset(n, xcomp_bv), xstate_comps[n].size, ACC_WRITE);

	if (write & XCR0_X87) {
		area_write(a, 0, legacy, FX_MXCSR);
		area_write(a, 32, legacy + 32, FX_X87_SIZE - 32);
	}
	if (mxcsr)
		area_write(a, FX_MXCSR, legacy + FX_MXCSR, 8);
	if (write & XCR0_SSE)
		area_write(a, FX_XMM, legacy + FX_XMM, 16 * nr_vregs(c));
	for (unsigned n = 2; n < XSTATE_NR; n++) {
		if (!(write >> n & 1))
			continue;
		comp_pack(c, n, ext);
		area_write(a, comp_offset(n, xcomp_bv), ext, comp_size(c, n));
	}
}

/* XSAVE, XSAVEOPT: standard format. The modified optimisation is never taken, which is allowed. */
static void xsave_standard(struct core *c, const struct insn *i, bool init_opt)
{
	xsave_check(c, false);
	uint64_t rfbm = requested(c, false), inuse = xinuse(c), bv;
	struct area a = area_of(c, i, xstate_size(rfbm, false), 64, ACC_WRITE);

	area_probe(&a, 0, XSTATE_EXT_OFFSET, ACC_WRITE);
	area_read(&a, XSTATE_HEADER_OFFSET, &bv, 8);
	save(c, i, &a, init_opt ? rfbm & inuse : rfbm, rfbm & (XCR0_SSE | XCR0_AVX), 0);
	bv = (bv & ~rfbm) | (inuse & rfbm);
	area_write(&a, XSTATE_HEADER_OFFSET, &bv, 8);
}

void op_xsave(struct core *c, const struct insn *i)
{
	xsave_standard(c, i, false);
}
void op_xsaveopt(struct core *c, const struct insn *i)
{
	xsave_standard(c, i, true);
}

/* XSAVEC, XSAVES: compacted format. MXCSR counts as SSE state here, also for whether it is in its
 * initial configuration (SDM vol. 1 13.10, 13.11). */
static void xsave_compact(struct core *c, const struct insn *i, bool supervisor)
{
	xsave_check(c, supervisor);
	uint64_t rfbm = requested(c, supervisor), inuse = xinuse(c);
	if (c->v.mxcsr != MXCSR_RESET)
		inuse |= XCR0_SSE;
	uint64_t head[2] = {rfbm & inuse, rfbm | XCOMP_COMPACT};
	struct area a = area_of(c, i, xstate_size(rfbm, true), 64, ACC_WRITE);

	save(c, i, &a, head[0], head[0] & XCR0_SSE, head[1]);
	area_write(&a, XSTATE_HEADER_OFFSET, head, sizeof(head));
}

void op_xsavec(struct core *c, const struct insn *i)
{
	xsave_compact(c, i, false);
}
void op_xsaves(struct core *c, const struct insn *i)
{
	xsave_compact(c, i, true);
}

/* Header rules of SDM vol. 1 13.8 and 13.12. */
static void header_check(struct core *c, const struct header *h, bool supervisor)
{
	uint64_t enabled = c->v.xcr0 | (supervisor ? c->v.xss : 0), reserved = 0;
	bool bad;

	for (unsigned n = 1; n < 6; n++)
		reserved |= h->zero[n];
	if (h->xcomp_bv & XCOMP_COMPACT)
		bad = !cpu_has(c->model, FEAT_XSAVEC) ||
		      (h->xcomp_bv & ~XCOMP_COMPACT & ~enabled) || (h->xstate_bv & ~h->xcomp_bv) ||
		      h->xstate_bv & XCOMP_COMPACT || h->zero[0] || reserved;
	else
		bad = supervisor || h->xcomp_bv || h->xstate_bv & ~enabled || h->zero[0];
	if (bad)
		raise_gp(c, 0);
}

static void xrstor(struct core *c, const struct insn *i, bool supervisor)
{
	struct vcpu *v = &c->v;
	struct header h;
	uint8_t legacy[FX_SIZE], avx[256];
	uint32_t mxcsr = MXCSR_RESET, pkru = 0;

	xsave_check(c, supervisor);
	uint64_t rfbm = requested(c, supervisor);
	struct area a = area_of(c, i, XSTATE_EXT_OFFSET, 64, ACC_READ);
	area_read(&a, XSTATE_HEADER_OFFSET, &h, sizeof(h));
	header_check(c, &h, supervisor);

	bool compact = h.xcomp_bv & XCOMP_COMPACT;
	uint64_t load = rfbm & h.xstate_bv;
	/* Standard format: MXCSR comes from memory whatever XSTATE_BV says. */
	bool set_mxcsr = rfbm & (compact ? XCR0_SSE : XCR0_SSE | XCR0_AVX);
	unsigned regs = nr_vregs(c);

	if (load & XCR0_X87)
		area_read(&a, 0, legacy, FX_X87_SIZE);
	if (set_mxcsr && (!compact || load & XCR0_SSE)) {
		area_read(&a, FX_MXCSR, &mxcsr, 4);
		load_mxcsr_check(c, mxcsr);
	}
	if (load & XCR0_SSE)
		area_read(&a, FX_XMM, legacy + FX_XMM, 16 * regs);
	if (load & XCR0_AVX) {
		unsigned off = comp_offset(2, h.xcomp_bv);
		lin_of_at(c, i, off, 16 * regs, ACC_READ);
		area_read(&a, off, avx, 16 * regs);
	}
	if (load & XCR0_PKRU) {
		unsigned off = comp_offset(9, h.xcomp_bv);
		lin_of_at(c, i, off, 8, ACC_READ);
		area_read(&a, off, &pkru, 4);
	}

	if (load & XCR0_X87)
		fx_unpack_x87(&v->fpu, legacy, form_of(c, i));
	else if (rfbm & XCR0_X87)
		fx_x87_init(&v->fpu);
	if (set_mxcsr)
		v->mxcsr = mxcsr;
	for (unsigned n = 0; n < regs; n++) {
		if (load & XCR0_SSE)
			memcpy(&v->v[n], legacy + FX_XMM + 16 * n, 16);
		else if (rfbm & XCR0_SSE)
			memset(&v->v[n], 0, 16);
		if (load & XCR0_AVX)
			memcpy(&v->v[n].u8[16], avx + 16 * n, 16);
		else if (rfbm & XCR0_AVX)
			memset(&v->v[n].u8[16], 0, 16);
	}
	if (rfbm & XCR0_PKRU)
		core_set_pkru(c, pkru);
}

void op_xrstor(struct core *c, const struct insn *i)
{
	xrstor(c, i, false);
}
void op_xrstors(struct core *c, const struct insn *i)
{
	xrstor(c, i, true);
}
