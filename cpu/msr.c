/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The architectural MSRs of the processor that cpu/cpuid.c describes, and the few model-specific
 * ones that Linux, Windows and firmware read on every Intel processor without asking CPUID. All
 * others raise #GP, as do reserved bits.
 */
#include "cpu/msr.h"

#include "cpu/core.h"
#include "cpu/pvclock.h"
#include "cpu/vcpu_check.h"

enum {
	MSR_TSC = 0x10,
	MSR_PLATFORM_ID = 0x17,
	MSR_APIC_BASE = 0x1b,
	MSR_EBL_CR_POWERON = 0x2a,
	MSR_FEATURE_CONTROL = 0x3a,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SPEC_CTRL = 0x48,
	MSR_PRED_CMD = 0x49,
	MSR_BIOS_UPDT_TRIG = 0x79,
	MSR_BIOS_SIGN_ID = 0x8b,
	MSR_PLATFORM_INFO = 0xce,
	MSR_MTRRCAP = 0xfe,
	MSR_ARCH_CAPABILITIES = 0x10a,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP,
	MSR_SYSENTER_EIP,
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS,
	MSR_MCG_CTL,
	MSR_PERF_STATUS = 0x198,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_LASTBRANCH_FROM = 0x1db,
	MSR_LASTINT_TO = 0x1de,
	MSR_MTRR_PHYS = 0x200,
	MSR_MTRR_FIX64K = 0x250,
	MSR_MTRR_FIX16K = 0x258,
	MSR_MTRR_FIX4K = 0x268,
	MSR_PAT = 0x277,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MSR_MC0_CTL = 0x400,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800,
	MSR_X2APIC_LAST = 0x8ff,
	MSR_XSS = 0xda0,
};
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

enum { MC_BANKS = 10, MTRR_VARS = 8 };

/* 8 variable ranges, fixed ranges, write combining. */
#define MTRRCAP_VALUE (MTRR_VARS | 1 << 8 | 1 << 10)
/* 10 banks, MCG_CTL present. */
#define MCG_CAP_VALUE (MC_BANKS | 1 << 8)

#define MISC_FAST_STRINGS (1u << 0)
#define MISC_NO_BTS       (1u << 11)
#define MISC_NO_PEBS      (1u << 12)
#define MISC_MONITOR      (1u << 18)

/* Interpreted and translated guests leak nothing through the speculation these bits are about:
 * RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO,
 * FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO. */
#define ARCH_CAPABILITIES_VALUE                                                                    \
	(1ull << 0 | 1ull << 3 | 1ull << 4 | 1ull << 5 | 1ull << 6 | 1ull << 8 | 1ull << 13 |      \
	 1ull << 14 | 1ull << 15 | 1ull << 20 | 1ull << 24 | 1ull << 26 | 1ull << 27 | 1ull << 62)
#define ARCH_CAP_IBRS_ALL (1ull << 1)

static bool memory_type(uint8_t t)
{
	return t < 7 && t != 2 && t != 3;
}

static bool memory_types(uint64_t val)
{
	for (unsigned n = 0; n < 64; n += 8)
		if (!memory_type(val >> n & 0xff))
			return false;
	return true;
}

/* PAT adds UC- (7) to the MTRR types. */
bool pat_valid(uint64_t val)
{
	for (unsigned n = 0; n < 64; n += 8) {
		uint8_t t = val >> n & 0xff;
		if (t != 7 && !memory_type(t))
			return false;
	}
	return true;
}

static uint64_t physical(const struct core *c)
{
	return (1ull << c->model->maxphyaddr) - 1;
}

/* Index into mtrr_fixed, or -1. */
static int fixed_mtrr(uint32_t msr)
{
	if (msr == MSR_MTRR_FIX64K)
		return 0;
	if (msr == MSR_MTRR_FIX16K || msr == MSR_MTRR_FIX16K + 1)
		return 1 + (int)(msr - MSR_MTRR_FIX16K);
	if (msr >= MSR_MTRR_FIX4K && msr < MSR_MTRR_FIX4K + 8)
		return 3 + (int)(msr - MSR_MTRR_FIX4K);
	return -1;
}

static int mtrr_read(struct core *c, uint32_t msr, uint64_t *val)
{
	const struct vcpu *v = &c->v;
	int fixed = fixed_mtrr(msr);

	if (!cpu_has(c->model, FEAT_MTRR))
		return -1;
	if (msr == MSR_MTRRCAP)
		*val = MTRRCAP_VALUE;
	else if (msr == MSR_MTRR_DEF_TYPE)
		*val = v->mtrr_def_type;
	else if (fixed >= 0)
		*val = v->mtrr_fixed[fixed];
	else if (msr - MSR_MTRR_PHYS < 2 * MTRR_VARS)
		*val = (msr & 1 ? v->mtrr_mask : v->mtrr_base)[(msr - MSR_MTRR_PHYS) / 2];
	else
		return -1;
	return 0;
}

static int mtrr_write(struct core *c, uint32_t msr, uint64_t val)
{
	struct vcpu *v = &c->v;
	int fixed = fixed_mtrr(msr);

	if (!cpu_has(c->model, FEAT_MTRR))
		return -1;
	if (msr == MSR_MTRR_DEF_TYPE) {
		if (val & ~0xcffull || !memory_type(val & 0xff))
			return -1;
		v->mtrr_def_type = val;
	} else if (fixed >= 0) {
		if (!memory_types(val))
			return -1;
		v->mtrr_fixed[fixed] = val;
	} else if (msr - MSR_MTRR_PHYS < 2 * MTRR_VARS) {
		unsigned n = (msr - MSR_MTRR_PHYS) / 2;
		uint64_t low = msr & 1 ? 0x800 : 0xff;
		if (val & ~((physical(c) & PAGE_MASK) | low))
			return -1;
		if (!(msr & 1) && !memory_type(val & 0xff))
			return -1;
		(msr & 1 ? v->mtrr_mask : v->mtrr_base)[n] = val;
	} else {
		return -1;
	}
	return 0;
}

/* IA32_MCi_CTL, STATUS, ADDR, MISC. */
static uint64_t *mc_register(struct vcpu *v, uint32_t msr)
{
	unsigned n = (msr - MSR_MC0_CTL) / 4;
	switch (msr & 3) {
	case 0:
		return &v->mc_ctl[n];
	case 1:
		return &v->mc_status[n];
	case 2:
		return &v->mc_addr[n];
	default:
		return &v->mc_misc[n];
	}
}

static bool is_mc(const struct core *c, uint32_t msr)
{
	return msr - MSR_MC0_CTL < 4 * MC_BANKS && cpu_has(c->model, FEAT_MCA);
}

static int mc_write(struct core *c, uint32_t msr, uint64_t val)
{
	/* Only CTL holds what is written; the others are cleared by writing 0. */
	if ((msr & 3) && val)
		return -1;
	*mc_register(&c->v, msr) = val;
	return 0;
}

static int efer_write(struct core *c, uint64_t val)
{
	struct vcpu *v = &c->v;

	if (val & ~efer_bits(c->model) || ((val ^ v->efer) & EFER_LME && v->cr0 & CR0_PG))
		return -1;
	val = (val & ~(uint64_t)EFER_LMA) | (v->efer & EFER_LMA);
	bool flush = (val ^ v->efer) & EFER_NXE;
	v->efer = val;
	if (flush)
		tlb_flush_all(&c->tlb);
	core_update_mode(c);
	return 0;
}

/* A new offset between bus ticks and the guest's TSC; the local APIC keeps deadlines in the latter. */
static void move_tsc(struct core *c, uint64_t delta)
{
	c->v.tsc_offset += delta;
	c->v.tsc_adjust += delta;
	core_touch_device(c);
	if (c->bus->tsc_offset_changed)
		c->bus->tsc_offset_changed(c->bus->opaque, c->index, c->v.tsc_offset);
	pvclock_update(c);
	c->leave = true;
}

/* The bits that can be changed; two more are constant. */
static uint64_t misc_mask(const struct core *c)
{
	return MISC_FAST_STRINGS | (cpu_has(c->model, FEAT_MONITOR) ? MISC_MONITOR : 0);
}

static uint64_t misc_enable(const struct core *c)
{
	return (c->v.misc_enable & misc_mask(c)) | MISC_NO_BTS | MISC_NO_PEBS;
}

static int misc_enable_write(struct core *c, uint64_t val)
{
	if (val & ~(misc_mask(c) | MISC_NO_BTS | MISC_NO_PEBS))
		return -1;
	c->v.misc_enable = val & misc_mask(c);
	return 0;
}

/* The ratio of TSC to the 100 MHz bus clock, where MSR_PLATFORM_INFO and PERF_STATUS have it. */
static uint64_t bus_ratio(const struct core *c)
{
	return (uint64_t)(c->model->tsc_khz / 100000 & 0xff) << 8;
}

static bool need(const struct core *c, enum feature f)
{
	return cpu_has(c->model, f);
}

static int read_high(struct core *c, uint32_t msr, uint64_t *val)
{
	const struct vcpu *v = &c->v;

	switch (msr) {
	case MSR_EFER:
		*val = v->efer;
		return 0;
	case MSR_STAR:
		*val = v->star;
		break;
	case MSR_LSTAR:
		*val = v->lstar;
		break;
	case MSR_CSTAR:
		*val = v->cstar;
		break;
	case MSR_SFMASK:
		*val = v->sfmask;
		break;
	case MSR_FS_BASE:
		*val = v->seg[FS].base;
		break;
	case MSR_GS_BASE:
		*val = v->seg[GS].base;
		break;
	case MSR_KERNEL_GS_BASE:
		*val = v->kernel_gs_base;
		break;
	case MSR_TSC_AUX:
		*val = v->tsc_aux;
		return need(c, FEAT_RDTSCP) || need(c, FEAT_RDPID) ? 0 : -1;
	default:
		return -1;
	}
	return need(c, FEAT_LM) ? 0 : -1;
}

static int write_high(struct core *c, uint32_t msr, uint64_t val)
{
	struct vcpu *v = &c->v;

	if (msr == MSR_EFER)
		return efer_write(c, val);
	if (msr == MSR_TSC_AUX) {
		if (val >> 32 || !(need(c, FEAT_RDTSCP) || need(c, FEAT_RDPID)))
			return -1;
		v->tsc_aux = val;
		return 0;
	}
	if (!need(c, FEAT_LM))
		return -1;
	if (msr != MSR_STAR && msr != MSR_SFMASK && !core_canonical(c, val))
		return -1;
	switch (msr) {
	case MSR_STAR:
		v->star = val;
		return 0;
	case MSR_LSTAR:
		v->lstar = val;
		return 0;
	case MSR_CSTAR:
		v->cstar = val;
		return 0;
	case MSR_SFMASK:
		v->sfmask = (uint32_t)val;
		return 0;
	case MSR_FS_BASE:
		v->seg[FS].base = val;
		return 0;
	case MSR_GS_BASE:
		v->seg[GS].base = val;
		return 0;
	case MSR_KERNEL_GS_BASE:
		v->kernel_gs_base = val;
		return 0;
	default:
		return -1;
	}
}

static bool is_apic(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE ||
	       (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST);
}

int msr_read(struct core *c, uint32_t msr, uint64_t *val)
{
	const struct vcpu *v = &c->v;

	*val = 0;
	if (msr >= MSR_EFER)
		return read_high(c, msr, val);
	if (is_apic(msr)) {
		core_sync_time(c);
		return need(c, FEAT_APIC)
			   ? c->bus->apic_msr_read(c->bus->opaque, c->index, msr, val)
			   : -1;
	}
	if (is_mc(c, msr)) {
		*val = *mc_register(&c->v, msr);
		return 0;
	}
	if (is_pvclock_msr(msr))
		return pvclock_read(c, msr, val);
	switch (msr) {
	case MSR_TSC:
		*val = core_tsc(c);
		return 0;
	case MSR_PLATFORM_ID:
	case MSR_EBL_CR_POWERON:
	case MSR_DEBUGCTL:
	case MSR_LASTBRANCH_FROM ... MSR_LASTINT_TO:
		return 0;
	case MSR_FEATURE_CONTROL:
		*val = 1; /* locked, VMX and SMX off */
		return 0;
	case MSR_TSC_ADJUST:
		*val = v->tsc_adjust;
		return need(c, FEAT_TSC_ADJUST) ? 0 : -1;
	case MSR_SPEC_CTRL:
		*val = v->spec_ctrl;
		return need(c, FEAT_SPEC_CTRL) ? 0 : -1;
	case MSR_BIOS_SIGN_ID:
		*val = 1ull << 32;
		return 0;
	case MSR_PLATFORM_INFO:
		*val = bus_ratio(c);
		return 0;
	case MSR_PERF_STATUS:
		*val = bus_ratio(c);
		return 0;
	case MSR_ARCH_CAPABILITIES:
		*val = ARCH_CAPABILITIES_VALUE | (need(c, FEAT_SPEC_CTRL) ? ARCH_CAP_IBRS_ALL : 0);
		return need(c, FEAT_ARCH_CAPABILITIES) ? 0 : -1;
	case MSR_SYSENTER_CS:
		*val = v->sysenter_cs;
		return need(c, FEAT_SEP) ? 0 : -1;
	case MSR_SYSENTER_ESP:
		*val = v->sysenter_esp;
		return need(c, FEAT_SEP) ? 0 : -1;
	case MSR_SYSENTER_EIP:
		*val = v->sysenter_eip;
		return need(c, FEAT_SEP) ? 0 : -1;
	case MSR_MCG_CAP:
		*val = MCG_CAP_VALUE;
		return need(c, FEAT_MCA) ? 0 : -1;
	case MSR_MCG_STATUS:
		*val = v->mcg_status;
		return need(c, FEAT_MCA) ? 0 : -1;
	case MSR_MCG_CTL:
		*val = v->mcg_ctl;
		return need(c, FEAT_MCA) ? 0 : -1;
	case MSR_MISC_ENABLE:
		*val = misc_enable(c);
		return 0;
	case MSR_PAT:
		*val = v->pat;
		return need(c, FEAT_PAT) ? 0 : -1;
	case MSR_XSS:
		*val = v->xss;
		return need(c, FEAT_XSAVES) ? 0 : -1;
	default:
		return mtrr_read(c, msr, val);
	}
}

static int sysenter_write(struct core *c, uint64_t *reg, uint64_t val)
{
	if (!need(c, FEAT_SEP) || !core_canonical(c, val))
		return -1;
	*reg = val;
	return 0;
}

static int apic_write(struct core *c, uint32_t msr, uint64_t val)
{
	core_touch_device(c);
	if (!need(c, FEAT_APIC) || c->bus->apic_msr_write(c->bus->opaque, c->index, msr, val))
		return -1;
	if (msr == MSR_APIC_BASE)
		core_update_apic(c);
	c->leave = true;
	return 0;
}

int msr_write(struct core *c, uint32_t msr, uint64_t val)
{
	struct vcpu *v = &c->v;

	if (msr >= MSR_EFER)
		return write_high(c, msr, val);
	if (is_apic(msr))
		return apic_write(c, msr, val);
	if (is_mc(c, msr))
		return mc_write(c, msr, val);
	if (is_pvclock_msr(msr))
		return pvclock_write(c, msr, val);
	switch (msr) {
	case MSR_TSC:
		move_tsc(c, val - core_tsc(c));
		return 0;
	case MSR_TSC_ADJUST:
		if (!need(c, FEAT_TSC_ADJUST))
			return -1;
		move_tsc(c, val - v->tsc_adjust);
		return 0;
	case MSR_SPEC_CTRL: /* IBRS; nothing speculates */
		if (!need(c, FEAT_SPEC_CTRL) || val & ~1ull)
			return -1;
		v->spec_ctrl = val;
		return 0;
	case MSR_PRED_CMD: /* IBPB */
		return need(c, FEAT_SPEC_CTRL) && !(val & ~1ull) ? 0 : -1;
	case MSR_BIOS_UPDT_TRIG: /* no update ever applies */
	case MSR_BIOS_SIGN_ID:
		return 0;
	case MSR_SYSENTER_CS:
		if (!need(c, FEAT_SEP))
			return -1;
		v->sysenter_cs = (uint32_t)val;
		return 0;
	case MSR_SYSENTER_ESP:
		return sysenter_write(c, &v->sysenter_esp, val);
	case MSR_SYSENTER_EIP:
		return sysenter_write(c, &v->sysenter_eip, val);
	case MSR_MCG_STATUS:
		if (!need(c, FEAT_MCA) || val & ~7ull)
			return -1;
		v->mcg_status = val;
		return 0;
	case MSR_MCG_CTL:
		if (!need(c, FEAT_MCA) || (val && val != ~0ull))
			return -1;
		v->mcg_ctl = val;
		return 0;
	case MSR_MISC_ENABLE:
		return misc_enable_write(c, val);
	case MSR_DEBUGCTL: /* LBR and BTF are hints to features that this processor lacks */
		return val & ~3ull ? -1 : 0;
	case MSR_PAT:
		if (!need(c, FEAT_PAT) || !pat_valid(val))
			return -1;
		v->pat = val;
		return 0;
	case MSR_XSS: /* no supervisor state components */
		return need(c, FEAT_XSAVES) && !val ? 0 : -1;
	default:
		return mtrr_write(c, msr, val);
	}
}
