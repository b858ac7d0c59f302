/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The canonical vCPU to and from KVM. What KVM has no place for stays in e->state: machine-check and
 * memory-type registers, IA32_MISC_ENABLE, activity, the offset of the TSC.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "accel/kvm/kvm_impl.h"
#include "cpu/exc.h"
#include "cpu/fxstate.h"
#include "cpu/xstate.h"

static const uint64_t apic_base = 0xfee00000, apic_enabled = 1 << 11, apic_bsp = 1 << 8;

static struct kvm_segment pack_segment(const struct segment *s, bool long_mode)
{
	uint32_t a = s->attr;

	return (struct kvm_segment){
	    .base = s->base,
	    .limit = s->limit,
	    .selector = s->sel,
	    .type = a & SEG_TYPE,
	    .present = (a & SEG_P) != 0 && !(a & SEG_NULL),
	    .dpl = a >> SEG_DPL_SHIFT & 3,
	    .db = (a & SEG_DB) != 0,
	    .s = (a & SEG_S) != 0,
	    .l = (a & SEG_L) != 0 && long_mode,
	    .g = (a & SEG_G) != 0,
	    .avl = (a & SEG_AVL) != 0,
	    .unusable = (a & SEG_NULL) != 0,
	};
}

/* Of a null selector, only level and base are there to be seen. */
static struct segment unpack_segment(const struct kvm_segment *k)
{
	struct segment s = {.sel = k->selector, .base = k->base, .limit = k->limit};

	if (k->unusable || !k->present) {
		s.attr = SEG_NULL | (uint32_t)k->dpl << SEG_DPL_SHIFT;
		s.limit = 0;
		return s;
	}
	s.attr = k->type | (uint32_t)k->s << 4 | (uint32_t)k->dpl << SEG_DPL_SHIFT | SEG_P |
		 (k->avl ? SEG_AVL : 0) | (k->l ? SEG_L : 0) | (k->db ? SEG_DB : 0) |
		 (k->g ? SEG_G : 0);
	return s;
}

static int load_sregs(struct engine_cpu *e, const struct vcpu *v)
{
	bool lm = v->efer & EFER_LMA;
	struct kvm_sregs2 s = {
	    .cs = pack_segment(&v->seg[CS], lm),
	    .ds = pack_segment(&v->seg[DS], false),
	    .es = pack_segment(&v->seg[ES], false),
	    .fs = pack_segment(&v->seg[FS], false),
	    .gs = pack_segment(&v->seg[GS], false),
	    .ss = pack_segment(&v->seg[SS], false),
	    .tr = pack_segment(&v->tr, false),
	    .ldt = pack_segment(&v->ldtr, false),
	    .gdt = {.base = v->gdt.base, .limit = v->gdt.limit},
	    .idt = {.base = v->idt.base, .limit = v->idt.limit},
	    .cr0 = v->cr0,
	    .cr2 = v->cr2,
	    .cr3 = v->cr3,
	    .cr4 = v->cr4,
	    .cr8 = e->cr8,
	    .efer = v->efer,
	    .apic_base = cpu_has(e->model, FEAT_APIC)
			     ? apic_base | apic_enabled | (e->index ? 0 : apic_bsp)
			     : 0,
	};
	int err;

	if (v->cr0 & CR0_PG && v->cr4 & CR4_PAE && !lm) {
		s.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
		memcpy(s.pdptrs, v->pdpte, sizeof(s.pdptrs));
	}
	/* KVM flushes the TLB where control registers change, and who ran before may have left it stale. */
	if (cpu_has(e->model, FEAT_PGE)) {
		s.cr4 ^= CR4_PGE;
		err = kvm_ioctl(e->fd, KVM_SET_SREGS2, &s);
		s.cr4 ^= CR4_PGE;
		if (err < 0)
			return err;
	}
	return kvm_ioctl(e->fd, KVM_SET_SREGS2, &s);
}

static int store_sregs(struct engine_cpu *e, struct vcpu *v)
{
	struct kvm_sregs2 s;
	int err = kvm_ioctl(e->fd, KVM_GET_SREGS2, &s);

	if (err < 0)
		return err;
	v->seg[CS] = unpack_segment(&s.cs);
	v->seg[DS] = unpack_segment(&s.ds);
	v->seg[ES] = unpack_segment(&s.es);
	v->seg[FS] = unpack_segment(&s.fs);
	v->seg[GS] = unpack_segment(&s.gs);
	v->seg[SS] = unpack_segment(&s.ss);
	v->tr = unpack_segment(&s.tr);
	v->ldtr = unpack_segment(&s.ldt);
	v->gdt = (struct dtable){s.gdt.base, s.gdt.limit};
	v->idt = (struct dtable){s.idt.base, s.idt.limit};
	v->cr0 = s.cr0;
	v->cr2 = s.cr2;
	v->cr3 = s.cr3;
	v->cr4 = s.cr4;
	v->efer = s.efer;
	if (s.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
		memcpy(v->pdpte, s.pdptrs, sizeof(s.pdptrs));
	return 0;
}

static int load_regs(struct engine_cpu *e, const struct vcpu *v)
{
	const uint64_t *g = v->gpr;
	struct kvm_regs r = {g[RAX], g[RBX], g[RCX], g[RDX], g[RSI], g[RDI],
			     g[RSP], g[RBP], g[R8],  g[R9],  g[R10], g[R11],
			     g[R12], g[R13], g[R14], g[R15], v->rip, rflags_get(v)};

	return kvm_ioctl(e->fd, KVM_SET_REGS, &r);
}

static int store_regs(struct engine_cpu *e, struct vcpu *v)
{
	struct kvm_regs r;
	uint64_t *g = v->gpr;
	int err = kvm_ioctl(e->fd, KVM_GET_REGS, &r);

	if (err < 0)
		return err;
	g[RAX] = r.rax;
	g[RBX] = r.rbx;
	g[RCX] = r.rcx;
	g[RDX] = r.rdx;
	g[RSI] = r.rsi;
	g[RDI] = r.rdi;
	g[RSP] = r.rsp;
	g[RBP] = r.rbp;
	memcpy(&g[R8], &r.r8, 8 * sizeof(uint64_t));
	v->rip = r.rip;
	rflags_set(v, r.rflags);
	return 0;
}

/* ---- x87, SSE, AVX, PKRU: the XSAVE area in the host's standard format ---- */

struct xsave_head {
	uint64_t xstate_bv, xcomp_bv;
};

static int load_xsave(struct engine_cpu *e, const struct vcpu *v)
{
	const struct engine_vm *vm = e->vm;
	struct kvm_xsave x = {0};
	struct xsave_head h = {.xstate_bv = XCR0_X87 | XCR0_SSE};
	uint8_t *area = (uint8_t *)x.region;

	fx_pack(area, v, FX_64);
	if (vm->avx_offset && cpu_has(e->model, FEAT_AVX)) {
		h.xstate_bv |= XCR0_AVX;
		for (unsigned n = 0; n < 16; n++)
			memcpy(area + vm->avx_offset + 16 * n, &v->v[n].u8[16], 16);
	}
	if (vm->pkru_offset && cpu_has(e->model, FEAT_PKU)) {
		h.xstate_bv |= XCR0_PKRU;
		memcpy(area + vm->pkru_offset, &v->pkru, 4);
	}
	memcpy(area + XSTATE_HEADER_OFFSET, &h, sizeof(h));
	int err = kvm_ioctl(e->fd, KVM_SET_XSAVE, &x);
	if (err < 0 || !cpu_has(e->model, FEAT_XSAVE))
		return err;
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = v->xcr0}}};
	return kvm_ioctl(e->fd, KVM_SET_XCRS, &xcrs);
}

/* The 64-bit image has no selectors: they stay while the pointers do. */
static void unpack_fx(struct vcpu *v, const uint8_t *area)
{
	struct fpu old = v->fpu;

	fx_unpack(v, area, FX_64);
	if (v->fpu.fip == old.fip && v->fpu.fdp == old.fdp) {
		v->fpu.fcs = old.fcs;
		v->fpu.fds = old.fds;
	}
}

static int store_xsave(struct engine_cpu *e, struct vcpu *v)
{
	const struct engine_vm *vm = e->vm;
	struct kvm_xsave x;
	struct xsave_head h;
	const uint8_t *area = (const uint8_t *)x.region;
	int err = kvm_ioctl(e->fd, KVM_GET_XSAVE, &x);

	if (err < 0)
		return err;
	memcpy(&h, area + XSTATE_HEADER_OFFSET, sizeof(h));
	unpack_fx(v, area);
	if (vm->avx_offset && cpu_has(e->model, FEAT_AVX)) {
		for (unsigned n = 0; n < 16; n++) {
			if (h.xstate_bv & XCR0_AVX)
				memcpy(&v->v[n].u8[16], area + vm->avx_offset + 16 * n, 16);
			else
				memset(&v->v[n].u8[16], 0, 16);
		}
	}
	if (vm->pkru_offset && cpu_has(e->model, FEAT_PKU)) {
		v->pkru = 0;
		if (h.xstate_bv & XCR0_PKRU)
			memcpy(&v->pkru, area + vm->pkru_offset, 4);
	}
	if (!cpu_has(e->model, FEAT_XSAVE))
		return 0;
	struct kvm_xcrs xcrs;
	err = kvm_ioctl(e->fd, KVM_GET_XCRS, &xcrs);
	for (unsigned n = 0; err == 0 && n < xcrs.nr_xcrs && n < KVM_MAX_XCRS; n++)
		if (xcrs.xcrs[n].xcr == 0)
			v->xcr0 = xcrs.xcrs[n].value;
	return err;
}

/* ---- debug registers, events ---- */

static int load_debug(struct engine_cpu *e, const struct vcpu *v)
{
	struct kvm_debugregs d = {.dr6 = v->dr6, .dr7 = v->dr7};

	memcpy(d.db, v->dr, sizeof(d.db));
	return kvm_ioctl(e->fd, KVM_SET_DEBUGREGS, &d);
}

static int store_debug(struct engine_cpu *e, struct vcpu *v)
{
	struct kvm_debugregs d;
	int err = kvm_ioctl(e->fd, KVM_GET_DEBUGREGS, &d);

	if (err < 0)
		return err;
	memcpy(v->dr, d.db, sizeof(d.db));
	v->dr6 = d.dr6;
	v->dr7 = d.dr7;
	return 0;
}

/* An NMI that waits is posted as an event again by the engine's load. */
static int load_events(struct engine_cpu *e, const struct vcpu *v)
{
	struct kvm_vcpu_events ev = {
	    .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
	    .nmi.masked = v->nmi_blocked,
	    .interrupt.shadow = (v->sti_shadow ? KVM_X86_SHADOW_INT_STI : 0) |
				(v->mov_ss_shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0),
	};

	if (v->taken.valid && v->taken.exception) {
		ev.exception.injected = 1;
		ev.exception.nr = v->taken.vector;
	} else if (v->taken.valid) {
		ev.interrupt.injected = 1;
		ev.interrupt.nr = v->taken.vector;
	}
	return kvm_ioctl(e->fd, KVM_SET_VCPU_EVENTS, &ev);
}

/* Faults and software interrupts on their way are forgotten: RIP is still at the instruction, which makes
 * them again. A debug trap and an interrupt would be lost. */
static int store_events(struct engine_cpu *e, struct vcpu *v)
{
	struct kvm_vcpu_events ev;
	int err = kvm_ioctl(e->fd, KVM_GET_VCPU_EVENTS, &ev);

	if (err < 0)
		return err;
	v->taken.valid = false;
	if ((ev.exception.injected || ev.exception.pending) && ev.exception.nr == EXC_DB) {
		v->taken.valid = v->taken.exception = true;
		v->taken.vector = EXC_DB;
	} else if (ev.interrupt.injected && !ev.interrupt.soft) {
		v->taken.valid = true;
		v->taken.exception = false;
		v->taken.vector = ev.interrupt.nr;
	}
	v->nmi_pending = ev.nmi.pending || ev.nmi.injected;
	v->nmi_blocked = ev.nmi.masked && !ev.nmi.injected;
	/* AMD's processors have one shadow, and KVM then says both: that of STI, which holds back less. */
	v->sti_shadow = ev.interrupt.shadow & KVM_X86_SHADOW_INT_STI;
	v->mov_ss_shadow = !v->sti_shadow && ev.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
	return 0;
}

int kvm_state_load(struct engine_cpu *e, const struct vcpu *v)
{
	int err;

	if ((err = load_sregs(e, v)) < 0 || (err = load_regs(e, v)) < 0 ||
	    (err = load_xsave(e, v)) < 0 || (err = kvm_msrs_load(e, v)) < 0 ||
	    (err = load_debug(e, v)) < 0)
		return err;
	return load_events(e, v);
}

int kvm_state_store(struct engine_cpu *e, struct vcpu *v)
{
	int err;

	if ((err = store_sregs(e, v)) < 0 || (err = store_regs(e, v)) < 0 ||
	    (err = store_xsave(e, v)) < 0 || (err = kvm_msrs_store(e, v)) < 0 ||
	    (err = store_debug(e, v)) < 0)
		return err;
	return store_events(e, v);
}
