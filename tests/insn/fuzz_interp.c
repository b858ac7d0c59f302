/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Our side of the fuzzer: the same state and memory in a software vCPU at CPL 3 in long mode, one
 * instruction after another decoded and executed as the interpreter does it.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "accel/soft.h"
#include "cpu/check.h"
#include "cpu/core.h"
#include "cpu/decode.h"
#include "cpu/exc.h"
#include "cpu/seg.h"
#include "mmu/aspace.h"
#include "mmu/ram.h"
#include "tests/insn/fuzz.h"

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	PT_DATA = 0x4000,
	PT_CODE = 0x5000,
	GPA_RW = 0x10000,
	GPA_RO = 0x20000,
	GPA_CODE = 0x30000,
	RAM_SIZE = 0x40000,
};
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_AD = 0x60 };

static struct {
	struct engine_cpu *e;
	struct ram ram;
	struct aspace mem, io;
	struct cpu_bus bus;
	pthread_mutex_t dev_lock;
	_Atomic uint32_t events;
	const struct fuzz_shared *sh;
} us;

static uint64_t no_tsc(void *opaque)
{
	(void)opaque;
	return 0;
}

static uint64_t *entry(uint64_t table, unsigned n)
{
	return (uint64_t *)(us.ram.host + table) + n;
}

static void map_pages(uint64_t pt, uint32_t lin, uint64_t gpa, uint32_t size, unsigned bits)
{
	*entry(PML4, 0) = PDPT | PTE_P | PTE_W | PTE_U | PTE_AD;
	*entry(PDPT, lin >> 30) = PD | PTE_P | PTE_W | PTE_U | PTE_AD;
	*entry(PD, lin >> 21 & 511) = pt | PTE_P | PTE_W | PTE_U | PTE_AD;
	for (uint32_t off = 0; off < size; off += PAGE_SIZE)
		*entry(pt, (lin + off) >> 12 & 511) = (gpa + off) | PTE_P | PTE_U | PTE_AD | bits;
}

static void flat_segment(struct segment *s, uint16_t sel, uint32_t attr)
{
	*s = (struct segment){.sel = sel, .attr = attr, .limit = 0xffffffff, .base = 0};
}

int fuzz_interp_init(const struct cpu_model *model, const struct fuzz_shared *sh,
		     bool alignment_checks)
{
	us.sh = sh;
	int err = ram_init(&us.ram, "fuzz", RAM_SIZE);
	if (err)
		return err;
	aspace_init(&us.mem, "memory", 52, &us.dev_lock);
	aspace_init(&us.io, "io", 16, &us.dev_lock);
	pthread_mutex_init(&us.dev_lock, NULL);
	err = aspace_map_ram(&us.mem, "ram", 0, RAM_SIZE, &us.ram, 0);
	if (err)
		return err;
	us.bus = (struct cpu_bus){.mem = &us.mem, .io = &us.io, .tsc = no_tsc};
	err = engine_jit.create(&us.e, model, &us.bus, 0, &us.events);
	if (err)
		err = engine_interp.create(&us.e, model, &us.bus, 0, &us.events);
	if (err)
		return err;
	struct vcpu *v = &us.e->core.v;

	map_pages(PT_DATA, RW_ADDR, GPA_RW, RW_SIZE, PTE_W);
	map_pages(PT_DATA, RO_ADDR, GPA_RO, RO_SIZE, 0);
	map_pages(PT_CODE, CODE_ADDR, GPA_CODE, CODE_SIZE, 0);
	memcpy(us.ram.host + GPA_RW, sh->image, RW_SIZE);
	memcpy(us.ram.host + GPA_RO, sh->ro_image, RO_SIZE);
	memset(us.ram.host + GPA_CODE, 0xcc, CODE_SIZE);
	fuzz_host_exit_pointer(us.ram.host + GPA_CODE + EXIT_POINTER);

	v->cr0 =
	    CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG | (alignment_checks ? CR0_AM : 0);
	v->cr3 = PML4;
	v->cr4 =
	    CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE | CR4_UMIP;
	v->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	v->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	v->tr.limit = 0; /* no I/O permission bitmap */
	return 0;
}

void fuzz_interp_fini(void)
{
	engine_interp.destroy(us.e);
}

/* The translator may want more than the host has. */
bool fuzz_jit_possible(void)
{
	return us.e->jit != NULL;
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

static void load_xstate(struct vcpu *v, const uint8_t *x)
{
	struct fpu *f = &v->fpu;

	f->fcw = get_le(x, 2);
	f->fsw = get_le(x + 2, 2);
	f->ftw = x[4];
	f->fop = get_le(x + 6, 2);
	f->fip = get_le(x + 8, 8);
	f->fdp = get_le(x + 16, 8);
	f->fcs = f->fds = 0;
	v->mxcsr = get_le(x + 24, 4);
	for (unsigned n = 0; n < 8; n++) {
		struct x87_reg *r = &f->r[((f->fsw >> 11) + n) & 7];
		r->mant = get_le(x + 32 + 16 * n, 8);
		r->se = get_le(x + 40 + 16 * n, 2);
	}
	for (unsigned n = 0; n < 16; n++) {
		memcpy(v->v[n].u8, x + 160 + 16 * n, 16);
		memcpy(v->v[n].u8 + 16, x + 576 + 16 * n, 16);
	}
}

static void store_xstate(const struct vcpu *v, uint8_t *x)
{
	const struct fpu *f = &v->fpu;

	memset(x, 0, XSAVE_SIZE);
	memcpy(x, &f->fcw, 2);
	memcpy(x + 2, &f->fsw, 2);
	x[4] = f->ftw;
	memcpy(x + 6, &f->fop, 2);
	memcpy(x + 8, &f->fip, 8);
	memcpy(x + 16, &f->fdp, 8);
	memcpy(x + FREE_BYTES, &f->fcs, 2);
	memcpy(x + FREE_BYTES + 2, &f->fds, 2);
	memcpy(x + 24, &v->mxcsr, 4);
	for (unsigned n = 0; n < 8; n++) {
		const struct x87_reg *r = &f->r[((f->fsw >> 11) + n) & 7];
		memcpy(x + 32 + 16 * n, &r->mant, 8);
		memcpy(x + 40 + 16 * n, &r->se, 2);
	}
	for (unsigned n = 0; n < 16; n++) {
		memcpy(x + 160 + 16 * n, v->v[n].u8, 16);
		memcpy(x + 576 + 16 * n, v->v[n].u8 + 16, 16);
	}
}

/* The instruction and what follows it, or INT3 again. */
static void place_code(const struct fuzz_test *t, bool there)
{
	uint64_t at = GPA_CODE + (t->in.rip + fuzz_seg_base(t, CS) - CODE_ADDR);
	uint8_t *code = us.ram.host + at;
	size_t tail;
	const uint8_t *exit_code = fuzz_host_tail(t, &tail);

	memset(code, 0xcc, t->len + tail);
	if (there) {
		memcpy(code, t->code, t->len);
		memcpy(code + t->len, exit_code, tail);
	}
	ram_written(&us.ram, at, t->len + tail);
}

static void load_segments(const struct fuzz_test *t)
{
	struct segment *seg = us.e->core.v.seg;
	const uint32_t data = 3 | SEG_S | SEG_DPL | SEG_P | SEG_DB | SEG_G;

	for (unsigned n = 0; n < NR_SREGS; n++) {
		uint16_t sel = fuzz_seg_selector(t, n);
		if (t->segmented) {
			struct descriptor d = {.raw = fuzz_seg_descriptor(sel >> 3)};
			seg_unpack(&seg[n], sel, &d);
		} else if (n == CS) {
			flat_segment(&seg[n], sel,
				     0xb | SEG_S | SEG_DPL | SEG_P | SEG_G |
					 (t->mode == 8 ? SEG_L : SEG_DB));
		} else {
			flat_segment(&seg[n], sel, n >= FS ? SEG_NULL : data);
		}
	}
	if (!t->segmented) {
		seg[FS].base = t->in.fs_base;
		seg[GS].base = t->in.gs_base;
	}
}

static void load(const struct fuzz_test *t)
{
	struct core *c = &us.e->core;
	struct vcpu *v = &c->v;

	memcpy(v->gpr, t->in.gpr, sizeof(t->in.gpr));
	v->gpr[REG_ZERO] = 0;
	rflags_set(v, t->in.rflags | FL_IF);
	load_segments(t);
	load_xstate(v, t->in.xsave);
	memcpy(us.ram.host + GPA_RW + (t->patch_addr - RW_ADDR), t->patch, t->patch_len);
	v->rip = c->blk_rip = t->in.rip;
	c->leave = false;
	c->dr6_pending = 0;
	v->sti_shadow = v->mov_ss_shadow = false;
	core_update_mode(c);
}

struct engine_cpu *fuzz_interp_begin(const struct fuzz_test *t)
{
	load(t);
	place_code(t, true);
	return us.e;
}

uint8_t fuzz_interp_step(const struct fuzz_test *t, const struct insn *i, unsigned off)
{
	struct core *c = &us.e->core;
	sigjmp_buf fault;

	c->insn = i;
	c->fault = &fault;
	for (;;) {
		switch (sigsetjmp(fault, 0)) {
		case 0:
			c->v.rip = c->blk_rip = t->in.rip + off;
			insn_check(c, i);
			i->desc->op(c, i);
			if (!(i->desc->attrs & A_BR))
				c->v.rip = insn_next(c, i);
			return VEC_NONE;
		case CORE_RESTART:
			continue;
		case CORE_EXCEPTION:
			if (!c->exc.trap)
				c->v.rip = t->in.rip + off;
			return c->exc.vector;
		default:
			return VEC_LOST;
		}
	}
}

/* Runs all instructions, or up to an exception; returns the vector. */
static uint8_t execute(const struct fuzz_test *t, struct fuzz_result *r)
{
	const struct core *c = &us.e->core;
	uint8_t vector = VEC_NONE;

	if (!t->decodes)
		return t->undecoded;
	for (unsigned off = 0; off < t->len && vector == VEC_NONE;) {
		struct insn i = t->insn;
		if (t->nr > 1)
			decode(&i, t->code + off, t->len - off, t->mode, c->model);
		vector = fuzz_interp_step(t, &i, off);
		off += i.len;
	}
	if (vector != VEC_NONE) {
		r->error = c->exc.has_error ? c->exc.error : 0;
		r->cr2 = vector == EXC_PF ? c->exc.cr2 : 0;
	}
	return vector;
}

void fuzz_interp_end(const struct fuzz_test *t, struct fuzz_result *r)
{
	const struct vcpu *v = &us.e->core.v;
	uint8_t *rw = us.ram.host + GPA_RW;

	place_code(t, false);
	memcpy(r->out.gpr, v->gpr, sizeof(r->out.gpr));
	r->out.rip = v->rip;
	r->out.rflags = rflags_get(v);
	r->out.fs_base = v->seg[FS].base;
	r->out.gs_base = v->seg[GS].base;
	store_xstate(v, r->out.xsave);

	fuzz_changed_range(rw, us.sh->image, r);
	memcpy(rw + r->lo, us.sh->image + r->lo, r->hi - r->lo);
}

void fuzz_interp_run(const struct fuzz_test *t, struct fuzz_result *r)
{
	r->error = 0;
	r->cr2 = 0;
	r->open = 0;
	fuzz_interp_begin(t);
	r->vector = execute(t, r);
	fuzz_interp_end(t, r);
}
