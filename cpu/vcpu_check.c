/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What moves to the registers refuse: SDM vol. 3A 2.5 (control registers), 2.2.1 (EFER), 2.6 (XCR0),
 * 11.12 (PAT), vol. 1 10.2.3 (MXCSR); and what VM entries refuse, vol. 3C 26.3.1, as far as it applies.
 */
#include "cpu/vcpu_check.h"

#include <stddef.h>
#include <string.h>

#include "cpu/core.h"
#include "cpu/cpuid.h"
#include "cpu/msr.h"
#include "cpu/xstate.h"

#define RFLAGS_BITS                                                                                \
	(FL_1 | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC | FL_VIF |         \
	 FL_VIP | FL_ID)
#define SEG_BITS (0xf0ffu | SEG_NULL)

uint64_t cr4_bits(const struct cpu_model *m)
{
	const struct {
		uint16_t feature;
		uint32_t bits;
	} owners[] = {
	    {FEAT_VME, CR4_VME | CR4_PVI}, {FEAT_TSC, CR4_TSD},       {FEAT_DE, CR4_DE},
	    {FEAT_PSE, CR4_PSE},           {FEAT_PAE, CR4_PAE},       {FEAT_MCE, CR4_MCE},
	    {FEAT_PGE, CR4_PGE},           {FEAT_FXSR, CR4_OSFXSR},   {FEAT_SSE, CR4_OSXMMEXCPT},
	    {FEAT_UMIP, CR4_UMIP},         {FEAT_LA57, CR4_LA57},     {FEAT_FSGSBASE, CR4_FSGSBASE},
	    {FEAT_PCID, CR4_PCIDE},        {FEAT_XSAVE, CR4_OSXSAVE}, {FEAT_SMEP, CR4_SMEP},
	    {FEAT_SMAP, CR4_SMAP},         {FEAT_PKU, CR4_PKE},
	};
	uint64_t bits = CR4_PCE;
	for (size_t n = 0; n < sizeof(owners) / sizeof(owners[0]); n++)
		if (cpu_has(m, owners[n].feature))
			bits |= owners[n].bits;
	return bits;
}

uint64_t efer_bits(const struct cpu_model *m)
{
	return EFER_LMA | (cpu_has(m, FEAT_SYSCALL) ? EFER_SCE : 0) |
	       (cpu_has(m, FEAT_LM) ? EFER_LME : 0) | (cpu_has(m, FEAT_NX) ? EFER_NXE : 0) |
	       (cpu_has(m, FEAT_FXSR_OPT) ? EFER_FFXSR : 0);
}

static bool is_bool(const bool *p)
{
	uint8_t b;

	memcpy(&b, p, 1);
	return b <= 1;
}

static const char *check_control(const struct vcpu *v, const struct cpu_model *m)
{
	bool paging = v->cr0 & CR0_PG, lma = v->efer & EFER_LMA;

	if (v->cr0 & ~CR0_BITS || !(v->cr0 & CR0_ET) || (paging && !(v->cr0 & CR0_PE)) ||
	    (v->cr0 & CR0_NW && !(v->cr0 & CR0_CD)))
		return "CR0";
	if (v->cr4 & ~cr4_bits(m) || (lma && !(v->cr4 & CR4_PAE)) || (v->cr4 & CR4_PCIDE && !lma))
		return "CR4";
	if (v->efer & ~efer_bits(m) || lma != (paging && v->efer & EFER_LME))
		return "EFER";
	if (lma ? v->cr3 >> m->maxphyaddr : v->cr3 >> 32)
		return "CR3";
	if (!xcr0_valid(m, v->xcr0) && v->xcr0 != XCR0_X87)
		return "XCR0";
	return v->dr6 >> 32 || v->dr7 >> 32 ? "DR6 or DR7" : NULL;
}

/* Without long mode addresses have 32 bits, whatever the highest is. */
static bool canonical(const struct cpu_model *m, uint64_t a)
{
	if (!cpu_has(m, FEAT_LM))
		return !(a >> 32);
	unsigned unused = 64 - m->maxlinaddr;

	return (uint64_t)((int64_t)(a << unused) >> unused) == a;
}

static bool segment_ok(const struct cpu_model *m, const struct segment *s)
{
	return !(s->attr & ~SEG_BITS) && canonical(m, s->base);
}

static const char *check_segments(const struct vcpu *v, const struct cpu_model *m)
{
	bool real = !(v->cr0 & CR0_PE), v86 = v->rflags & FL_VM;

	for (unsigned n = 0; n < NR_SREGS; n++)
		if (!segment_ok(m, &v->seg[n]))
			return "a segment register";
	if (!segment_ok(m, &v->ldtr) || !segment_ok(m, &v->tr))
		return "LDTR or TR";
	if (!canonical(m, v->gdt.base) || !canonical(m, v->idt.base))
		return "GDTR or IDTR";
	if (v86 && (real || v->efer & EFER_LMA))
		return "RFLAGS";
	return vcpu_cpl(v) != (v86 ? 3 : 0) && (real || v86) ? "SS" : NULL;
}

static const char *check_msrs(const struct vcpu *v, const struct cpu_model *m)
{
	const uint64_t addresses[] = {v->lstar, v->cstar, v->kernel_gs_base, v->sysenter_esp,
				      v->sysenter_eip};

	for (size_t n = 0; n < sizeof(addresses) / sizeof(addresses[0]); n++)
		if (!canonical(m, addresses[n]))
			return "an MSR";
	if (!pat_valid(v->pat))
		return "PAT";
	return v->xss ? "XSS" : NULL;
}

const char *vcpu_check(const struct vcpu *v, const struct cpu_model *m)
{
	const char *bad;

	if (v->gpr[REG_ZERO])
		return "a general register";
	if (v->cc & ~(uint32_t)FL_STATUS || v->rflags & ~(uint32_t)RFLAGS_BITS ||
	    !(v->rflags & FL_1))
		return "RFLAGS";
	if (v->mxcsr >> 16 || v->fpu.fop >> 11)
		return "MXCSR or the x87 unit";
	if ((unsigned)v->activity > ACT_SHUTDOWN || !is_bool(&v->sti_shadow) ||
	    !is_bool(&v->mov_ss_shadow) || !is_bool(&v->nmi_pending) || !is_bool(&v->nmi_blocked) ||
	    !is_bool(&v->init_pending) || !is_bool(&v->smi_pending) || !is_bool(&v->smm) ||
	    !is_bool(&v->smm_nmi_blocked) || !is_bool(&v->taken.valid) ||
	    !is_bool(&v->taken.exception))
		return "events";
	if ((bad = check_control(v, m)) || (bad = check_segments(v, m)))
		return bad;
	return check_msrs(v, m);
}
