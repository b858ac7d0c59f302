/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the kvm engine loads it stores again: the canonical state in each mode, with every field at a value
 * of its own.
 */
#include "accel/engine.h"
#include "accel/kvm/kvm.h"
#include "synth.h"

struct made {
	struct synth *s;
	struct engine_vm *vm;
	struct engine_cpu *e;
	_Atomic uint32_t events;
};

static void make(struct made *m)
{
	memset(m, 0, sizeof(*m));
	if (kvm_missing())
		cr_skip_test("%s", kvm_missing());
	m->s = synth_new("max");
	cr_assert_eq(engine_kvm.fit(&m->s->model), 0);
	cr_assert_eq(engine_kvm.open(&m->vm, &m->s->model, &m->s->bus), 0);
	cr_assert_eq(
	    engine_kvm.create(&m->e, &m->s->model, &m->s->bus, 0, (_Atomic uint32_t *)&m->events),
	    0);
	cr_assert_eq(engine_kvm.join(m->e, m->vm), 0);
}

static void unmake(struct made *m)
{
	engine_kvm.destroy(m->e);
	engine_kvm.close(m->vm);
	synth_free(m->s);
}

/* Values that all differ; the mode is the caller's. */
static void fill(struct vcpu *v, const struct cpu_model *model)
{
	for (unsigned n = 0; n < 16; n++) {
		v->gpr[n] = 0x1111111100000000 * (n % 8) + 0x01010101 * (n + 1);
		memset(v->v[n].u8, (int)(0x10 + n), 16);
		if (cpu_has(model, FEAT_AVX))
			memset(v->v[n].u8 + 16, (int)(0x40 + n), 16);
	}
	v->rip = 0x8123;
	rflags_set(v, FL_IF | FL_CF | FL_ZF | FL_OF | FL_DF | FL_ID | FL_AC);
	v->cr2 = 0x12345678;
	for (unsigned n = 0; n < 4; n++)
		v->dr[n] = 0x1000 * (n + 1);
	v->dr6 = 0xffff0ff1;
	v->dr7 = 0x455;
	v->fpu.fcw = 0x27f;
	v->fpu.fsw = 0x3800 | 0x41; /* TOP 7 */
	v->fpu.ftw = 0x81;
	v->fpu.fop = 0x123;
	v->fpu.fip = 0x8100;
	v->fpu.fdp = 0x9100;
	for (unsigned n = 0; n < 8; n++)
		v->fpu.r[n] = (struct x87_reg){.mant = 0x8000000000000000 + n, .se = 0x3fff};
	v->mxcsr = 0x1fa0;
	v->sysenter_cs = CODE0;
	v->sysenter_esp = 0x7654;
	v->sysenter_eip = 0x8765;
	v->pat = 0x0007040600070401;
	if (cpu_has(model, FEAT_LM)) {
		v->star = 0x0023001000000000;
		v->lstar = 0xffffffff81000000;
		v->cstar = 0xffffffff82000000;
		v->sfmask = 0x47700;
		v->kernel_gs_base = 0xffff888000000000;
	}
	if (cpu_has(model, FEAT_RDTSCP))
		v->tsc_aux = 0x77;
	if (cpu_has(model, FEAT_XSAVE))
		v->xcr0 = XCR0_X87 | XCR0_SSE | (cpu_has(model, FEAT_AVX) ? XCR0_AVX : 0);
	v->tsc_offset = 0x123456789;
	v->tsc_adjust = 0x55;
	v->mtrr_def_type = 0xc06;
	v->mc_ctl[2] = 3;
}

static bool same_segment(const struct segment *a, const struct segment *b)
{
	if ((a->attr | b->attr) & SEG_NULL)
		return a->attr & b->attr & SEG_NULL && a->sel == b->sel && a->base == b->base &&
		       (a->attr & SEG_DPL) == (b->attr & SEG_DPL);
	return a->sel == b->sel && a->attr == b->attr && a->limit == b->limit && a->base == b->base;
}

/* All of v comes back. */
static void round_trip(struct made *m, const struct vcpu *v)
{
	struct vcpu w = {0};

	engine_kvm.load(m->e, v);
	engine_kvm.store(m->e, &w);
	for (unsigned n = 0; n < 16; n++)
		cr_expect_eq(v->gpr[n], w.gpr[n], "gpr %u: %lx %lx", n, v->gpr[n], w.gpr[n]);
	cr_expect_eq(v->rip, w.rip);
	cr_expect_eq(rflags_get(v), rflags_get(&w), "%lx %lx", rflags_get(v), rflags_get(&w));
	for (unsigned n = 0; n < NR_SREGS; n++)
		cr_expect(same_segment(&v->seg[n], &w.seg[n]), "segment %u: %x %x, %x %x", n,
			  v->seg[n].attr, v->seg[n].limit, w.seg[n].attr, w.seg[n].limit);
	cr_expect(same_segment(&v->tr, &w.tr), "tr: %x %x", v->tr.attr, w.tr.attr);
	cr_expect(same_segment(&v->ldtr, &w.ldtr), "ldtr: %x %x", v->ldtr.attr, w.ldtr.attr);
	cr_expect(v->gdt.base == w.gdt.base && v->gdt.limit == w.gdt.limit);
	cr_expect(v->idt.base == w.idt.base && v->idt.limit == w.idt.limit);
#define SAME(field) cr_expect(!memcmp(&v->field, &w.field, sizeof(v->field)), #field)
	SAME(cr0);
	SAME(cr2);
	SAME(cr3);
	SAME(cr4);
	SAME(efer);
	SAME(xcr0);
	SAME(dr);
	SAME(dr6);
	SAME(dr7);
	SAME(pkru);
	SAME(mxcsr);
	SAME(fpu.fcw);
	SAME(fpu.fsw);
	SAME(fpu.ftw);
	SAME(fpu.fop);
	SAME(fpu.fip);
	SAME(fpu.fdp);
	SAME(fpu.r);
	for (unsigned n = 0; n < 16; n++)
		SAME(v[n]);
	SAME(star);
	SAME(lstar);
	SAME(cstar);
	SAME(sfmask);
	SAME(kernel_gs_base);
	SAME(sysenter_cs);
	SAME(sysenter_esp);
	SAME(sysenter_eip);
	SAME(tsc_offset);
	SAME(tsc_adjust);
	SAME(tsc_aux);
	SAME(pat);
	SAME(misc_enable);
	SAME(mtrr_def_type);
	SAME(mc_ctl);
	SAME(activity);
	SAME(sti_shadow);
	SAME(mov_ss_shadow);
	SAME(nmi_pending);
	SAME(nmi_blocked);
	SAME(taken.valid);
	if (v->taken.valid) {
		SAME(taken.exception);
		SAME(taken.vector);
	}
	if (v->cr0 & CR0_PG && v->cr4 & CR4_PAE && !(v->efer & EFER_LMA))
		SAME(pdpte);
#undef SAME
}

TestSuite(kvm_state, .timeout = 30);

Test(kvm_state, reset)
{
	struct made m;
	struct vcpu v;

	make(&m);
	vcpu_reset(&v, 0);
	round_trip(&m, &v);
	unmake(&m);
}

Test(kvm_state, real_mode)
{
	struct made m;
	struct vcpu v;

	make(&m);
	vcpu_reset(&v, 0);
	fill(&v, &m.s->model);
	rflags_set(&v, FL_IF | FL_SF | FL_PF);
	v.cr0 = CR0_ET;
	for (unsigned n = 0; n < NR_SREGS; n++) {
		v.seg[n].sel = (uint16_t)(0x100 * (n + 1));
		v.seg[n].base = 0x1000 * (n + 1);
	}
	round_trip(&m, &v);
	unmake(&m);
}

Test(kvm_state, protected_mode)
{
	struct made m;

	make(&m);
	enter_protected(m.s, 3);
	fill(&m.s->c.v, &m.s->model);
	round_trip(&m, &m.s->c.v);
	unmake(&m);
}

Test(kvm_state, long_mode)
{
	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		struct made m;
		struct vcpu *v;

		make(&m);
		enter_long(m.s, cpl);
		v = &m.s->c.v;
		fill(v, &m.s->model);
		v->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PGE;
		if (cpu_has(&m.s->model, FEAT_XSAVE))
			v->cr4 |= CR4_OSXSAVE;
		if (cpu_has(&m.s->model, FEAT_PKU)) {
			v->xcr0 |= XCR0_PKRU;
			v->pkru = 0x55555554;
		}
		v->seg[FS].base = 0x7f1234567000;
		v->seg[GS].base = 0xffff888812345000;
		v->seg[ES] = v->seg[DS] = (struct segment){.attr = SEG_NULL};
		round_trip(&m, v);
		unmake(&m);
	}
}

Test(kvm_state, events)
{
	struct made m;
	struct vcpu *v, plain;

	make(&m);
	enter_long(m.s, 0);
	v = &m.s->c.v;
	plain = *v;
	v->nmi_blocked = true;
	round_trip(&m, v);
	*v = plain;
	v->sti_shadow = true;
	round_trip(&m, v);
	*v = plain;
	v->taken.valid = true;
	v->taken.vector = 0x31;
	round_trip(&m, v);
	v->taken.exception = true;
	v->taken.vector = 1;
	round_trip(&m, v);
	*v = plain;
	v->activity = ACT_HALTED;
	round_trip(&m, v);
	*v = plain;
	v->nmi_pending = true;
	round_trip(&m, v);
	unmake(&m);
}
