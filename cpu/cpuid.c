/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CPUID leaves. SDM vol. 2 CPUID; what the models are is in cpu/cpu_model.c.
 */
#include "cpu/cpuid.h"

#include <string.h>

#include "cpu/vcpu.h"
#include "cpu/xstate.h"

enum {
	LEAF_MAX = 0x16,
	HYPERVISOR_TIMING = 0x10, /* offset of the timing leaf, as VMware and KVM place it */
	LINE = 64,
};
#define LEAF_HYPERVISOR   0x40000000u
#define LEAF_KVM          0x40000100u
#define LEAF_KVM_FEATURES 0x40000101u
#define KVM_CLOCK_STABLE  (1u << 24)
#define LEAF_EXTENDED     0x80000000u
#define LEAF_EXTENDED_MAX 0x80000008u

static uint32_t *reg_of(struct cpuid_regs *r, unsigned reg)
{
	switch (reg) {
	case 0:
		return &r->eax;
	case 1:
		return &r->ebx;
	case 2:
		return &r->ecx;
	default:
		return &r->edx;
	}
}

/* The feature bits of one leaf. */
static void add_features(const struct cpu_model *m, uint32_t leaf, uint32_t subleaf,
			 struct cpuid_regs *r)
{
#define FEATURE(id, name, l, s, reg, bit)                                                          \
	if (leaf == l && subleaf == s && cpu_has(m, FEAT_##id))                                    \
		*reg_of(r, reg) |= 1u << bit;
#include "cpu/features.def"
#undef FEATURE
}

static void text(struct cpuid_regs *r, const char *s)
{
	memcpy(&r->eax, s, 4);
	memcpy(&r->ebx, s + 4, 4);
	memcpy(&r->ecx, s + 8, 4);
	memcpy(&r->edx, s + 12, 4);
}

static unsigned log2_ceil(uint32_t n)
{
	unsigned bits = 0;
	while (bits < 31 && (1u << bits) < n)
		bits++;
	return bits;
}

static uint32_t signature(const struct cpu_model *m)
{
	return m->stepping | (m->model & 15u) << 4 | m->family << 8 | (m->model & 0xf0u) << 12;
}

static void leaf_basic(const struct cpu_model *m, const struct vcpu *v, struct cpuid_regs *r)
{
	r->eax = signature(m);
	r->ebx = LINE / 8 << 8 | (1u << log2_ceil(m->nr_cpus) & 0xff) << 16;
	if (v)
		r->ebx |= (v->apic_id & 0xff) << 24;
	add_features(m, 1, 0, r);
	if (m->nr_cpus > 1)
		r->edx |= 1u << 28; /* HTT: the count in EBX holds */
	if (v && v->cr4 & CR4_OSXSAVE)
		r->ecx |= 1u << 27;
	if (v && !(v->misc_enable >> 18 & 1))
		r->ecx &= ~(1u << 3); /* MONITOR follows IA32_MISC_ENABLE */
}

/* Deterministic cache parameters: 32 KiB L1s and 1 MiB L2 a core, 16 MiB L3 shared by all. */
static void leaf_caches(const struct cpu_model *m, uint32_t subleaf, struct cpuid_regs *r)
{
	static const struct {
		uint8_t type, level, ways;
		uint16_t sets;
	} caches[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 1024}, {3, 3, 16, 16384}};
	uint32_t cpus = 1u << log2_ceil(m->nr_cpus);

	if (subleaf >= sizeof(caches) / sizeof(caches[0]))
		return;
	bool shared = caches[subleaf].level == 3;
	uint32_t cores = cpus > 64 ? 64 : cpus;
	r->eax = caches[subleaf].type | caches[subleaf].level << 5 | 1u << 8 |
		 (shared ? cpus - 1 : 0) << 14 | (cores - 1) << 26;
	r->ebx = (LINE - 1) | (caches[subleaf].ways - 1u) << 22;
	r->ecx = caches[subleaf].sets - 1u;
	r->edx = shared ? 1u << 1 : 0; /* inclusive */
}

static void leaf_topology(const struct cpu_model *m, const struct vcpu *v, uint32_t subleaf,
			  struct cpuid_regs *r)
{
	r->ecx = subleaf & 0xff;
	r->edx = v ? v->apic_id : 0;
	if (subleaf == 0) { /* one thread a core */
		r->ebx = 1;
		r->ecx |= 1 << 8;
	} else if (subleaf == 1) {
		r->eax = log2_ceil(m->nr_cpus);
		r->ebx = m->nr_cpus;
		r->ecx |= 2 << 8;
	}
}

static void leaf_xstate(const struct cpu_model *m, const struct vcpu *v, uint32_t subleaf,
			struct cpuid_regs *r)
{
	uint64_t all = xstate_supported(m), xcr0 = v ? v->xcr0 : all;

	if (!all)
		return;
	if (subleaf == 0) {
		r->eax = (uint32_t)all;
		r->edx = all >> 32;
		r->ebx = xstate_size(xcr0, false);
		r->ecx = xstate_size(all, false);
	} else if (subleaf == 1) {
		add_features(m, 0xd, 1, r);
		if (cpu_has(m, FEAT_XSAVEC))
			r->ebx = xstate_size(xcr0 | (v ? v->xss : 0), true);
	} else if (subleaf < XSTATE_NR && all >> subleaf & 1) {
		r->eax = xstate_comps[subleaf].size;
		r->ebx = xstate_comps[subleaf].offset;
	}
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t t = a % b;
		a = b;
		b = t;
	}
	return a;
}

/* TSC = crystal * EBX / EAX. Linux multiplies kilohertz by EBX in 32 bits, so a ratio that does not
 * reduce far enough stays unsaid and the guest measures. */
static void leaf_tsc(const struct cpu_model *m, struct cpuid_regs *r)
{
	const uint32_t crystal_khz = CPU_CRYSTAL_HZ / 1000;

	if (!m->tsc_khz)
		return;
	uint32_t d = gcd(m->tsc_khz, crystal_khz);
	if (m->tsc_khz / d > UINT32_MAX / crystal_khz)
		return;
	r->eax = crystal_khz / d;
	r->ebx = m->tsc_khz / d;
	r->ecx = CPU_CRYSTAL_HZ;
}

static void leaf_7(const struct cpu_model *m, const struct vcpu *v, uint32_t subleaf,
		   struct cpuid_regs *r)
{
	if (subleaf)
		return;
	add_features(m, 7, 0, r);
	if (v && v->cr4 & CR4_PKE)
		r->ecx |= 1u << 4; /* OSPKE */
}

static void extended(const struct cpu_model *m, const struct vcpu *v, uint32_t leaf,
		     struct cpuid_regs *r)
{
	switch (leaf) {
	case LEAF_EXTENDED:
		r->eax = LEAF_EXTENDED_MAX;
		break;
	case LEAF_EXTENDED + 1:
		add_features(m, leaf, 0, r);
		/* SYSCALL is there, and said to be there, in 64-bit mode only. */
		if (v && !(v->efer & EFER_LMA && v->seg[CS].attr & SEG_L))
			r->edx &= ~(1u << 11);
		break;
	case LEAF_EXTENDED + 2 ... LEAF_EXTENDED + 4:
		text(r, m->brand + 16 * (leaf - LEAF_EXTENDED - 2));
		break;
	case LEAF_EXTENDED + 6:
		r->ecx = 1024u << 16 | 8u << 12 | LINE; /* L2: KiB, 16 ways, line */
		break;
	case LEAF_EXTENDED + 7:
		add_features(m, leaf, 0, r);
		break;
	case LEAF_EXTENDED + 8:
		r->eax = m->maxphyaddr | m->maxlinaddr << 8;
		break;
	}
}

/* A hypervisor that promises nothing beyond its name and the two frequencies; and further up, where systems
 * look for KVM too, of that only its clock. */
static void hypervisor(const struct cpu_model *m, uint32_t leaf, struct cpuid_regs *r)
{
	if (!cpu_has(m, FEAT_HYPERVISOR))
		return;
	if (leaf == LEAF_HYPERVISOR) {
		r->eax = LEAF_HYPERVISOR + HYPERVISOR_TIMING;
		memcpy(&r->ebx, "Dopp", 4);
		memcpy(&r->ecx, "elDo", 4);
		memcpy(&r->edx, "ppel", 4);
	} else if (leaf == LEAF_HYPERVISOR + HYPERVISOR_TIMING) {
		r->eax = m->tsc_khz;
		r->ebx = CPU_CRYSTAL_HZ / 1000;
	} else if (leaf == LEAF_KVM && cpu_has(m, FEAT_KVMCLOCK)) {
		r->eax = LEAF_KVM_FEATURES;
		memcpy(&r->ebx, "KVMK", 4);
		memcpy(&r->ecx, "VMKV", 4);
		memcpy(&r->edx, "M\0\0\0", 4);
	} else if (leaf == LEAF_KVM_FEATURES && cpu_has(m, FEAT_KVMCLOCK)) {
		add_features(m, leaf, 0, r);
		r->eax |= KVM_CLOCK_STABLE;
	}
}

static void basic(const struct cpu_model *m, const struct vcpu *v, uint32_t leaf, uint32_t subleaf,
		  struct cpuid_regs *r)
{
	switch (leaf) {
	case 0:
		r->eax = LEAF_MAX;
		memcpy(&r->ebx, m->vendor, 4);
		memcpy(&r->edx, m->vendor + 4, 4);
		memcpy(&r->ecx, m->vendor + 8, 4);
		break;
	case 1:
		leaf_basic(m, v, r);
		break;
	case 2: /* TLBs; FFh: caches are in leaf 4 */
		*r = (struct cpuid_regs){0x76036301, 0x00f0b5ff, 0, 0x00c30000};
		break;
	case 4:
		leaf_caches(m, subleaf, r);
		break;
	case 5:
		if (cpu_has(m, FEAT_MONITOR))
			*r = (struct cpuid_regs){LINE, LINE, 3, 0x10};
		break;
	case 6:
		add_features(m, 6, 0, r);
		break;
	case 7:
		leaf_7(m, v, subleaf, r);
		break;
	case 0xb:
		leaf_topology(m, v, subleaf, r);
		break;
	case 0xd:
		leaf_xstate(m, v, subleaf, r);
		break;
	case 0x15:
		leaf_tsc(m, r);
		break;
	case 0x16:
		r->eax = r->ebx = (m->tsc_khz / 1000) & 0xffff;
		r->ecx = 100;
		break;
	}
}

struct cpuid_regs cpu_cpuid(const struct cpu_model *m, const struct vcpu *v, uint32_t leaf,
			    uint32_t subleaf)
{
	struct cpuid_regs r = {0};

	if (leaf - LEAF_EXTENDED <= LEAF_EXTENDED_MAX - LEAF_EXTENDED)
		extended(m, v, leaf, &r);
	else if (leaf >> 16 == LEAF_HYPERVISOR >> 16)
		hypervisor(m, leaf, &r);
	else /* beyond the last one of either range Intel processors give the last basic one */
		basic(m, v, leaf < LEAF_MAX ? leaf : LEAF_MAX, subleaf, &r);
	return r;
}
