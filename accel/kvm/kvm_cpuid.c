/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * CPUID under KVM: what cpu/cpuid.c says, leaf by leaf, for a model that promises nothing KVM lacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel/kvm/kvm_impl.h"

enum { ENTRIES = 256 };

/* Ours whatever KVM says: local APICs and the CPUID leaves of a hypervisor are not KVM's. */
static bool ours(enum feature f)
{
	return f == FEAT_APIC || f == FEAT_X2APIC || f == FEAT_TSC_DEADLINE ||
	       f == FEAT_HYPERVISOR || f == FEAT_KVMCLOCK || f == FEAT_HTT || f == FEAT_ARAT ||
	       f == FEAT_INVTSC;
}

static uint32_t supported(const struct kvm_cpuid2 *s, uint32_t leaf, uint32_t subleaf, unsigned reg)
{
	for (unsigned n = 0; n < s->nent; n++) {
		const struct kvm_cpuid_entry2 *e = &s->entries[n];
		if (e->function == leaf && e->index == subleaf)
			return (&e->eax)[reg]; /* eax to edx in this order */
	}
	return 0;
}

static struct kvm_cpuid2 *table_new(void)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + ENTRIES * sizeof(t->entries[0]));
	if (t)
		t->nent = ENTRIES;
	return t;
}

/* Features of m that KVM lacks are cleared in *fit. */
static int fit_to(int kvm, const struct cpu_model *m, struct cpu_model *fit)
{
	struct kvm_cpuid2 *s = table_new();
	int err = s ? kvm_ioctl(kvm, KVM_GET_SUPPORTED_CPUID, s) : -ENOMEM;

	*fit = *m;
	if (err == 0) {
#define FEATURE(id, name, leaf, subleaf, reg, bit)                                                 \
	if (cpu_has(m, FEAT_##id) && !ours(FEAT_##id) &&                                           \
	    !(supported(s, leaf, subleaf, reg) >> bit & 1))                                        \
		fit->feat[FEAT_##id / 64] &= ~(1ull << (FEAT_##id % 64));
#include "cpu/features.def"
#undef FEATURE
	}
	free(s);
	return err;
}

int kvm_fit(struct cpu_model *m)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct cpu_model fit;

	if (kvm < 0)
		return -errno;
	int err = fit_to(kvm, m, &fit);
	close(kvm);
	if (err == 0)
		*m = fit;
	return err;
}

static void add(struct kvm_cpuid2 *t, const struct engine_cpu *e, const struct vcpu *v,
		uint32_t leaf, uint32_t subleaf, bool indexed)
{
	struct cpuid_regs r = cpu_cpuid(e->model, v, leaf, subleaf);

	/* KVM finds zeros by itself, and would set bits in an entry for SGX. */
	if (!(r.eax | r.ebx | r.ecx | r.edx))
		return;
	t->entries[t->nent++] = (struct kvm_cpuid_entry2){
	    .function = leaf,
	    .index = subleaf,
	    .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
	    .eax = r.eax,
	    .ebx = r.ebx,
	    .ecx = r.ecx,
	    .edx = r.edx,
	};
}

int kvm_set_cpuid(struct engine_cpu *e)
{
	struct kvm_cpuid2 *t = table_new();
	struct cpu_model fit;
	struct vcpu v;

	if (!t)
		return -ENOMEM;
	int err = fit_to(e->vm->kvm, e->model, &fit);
	for (unsigned n = 0; n < sizeof(fit.feat) / sizeof(fit.feat[0]) && err == 0; n++)
		if (fit.feat[n] != e->model->feat[n])
			err = -ENOTSUP;
	if (err < 0)
		goto out;
	/* KVM itself follows CR4, XCR0 and IA32_MISC_ENABLE. */
	vcpu_reset(&v, e->index);
	v.efer = EFER_LMA;
	v.seg[CS].attr |= SEG_L;
	t->nent = 0;
	const uint32_t basic = cpu_cpuid(e->model, &v, 0, 0).eax;
	for (uint32_t leaf = 0; leaf <= basic; leaf++) {
		/* KVM writes the size of the area into an entry that it finds. */
		if (leaf == 0xd && !cpu_has(e->model, FEAT_XSAVE))
			continue;
		unsigned subleaves = leaf == 4      ? 5
				     : leaf == 7    ? 1
				     : leaf == 0xb  ? 3
				     : leaf == 0xd  ? 16
				     : leaf == 0x14 ? 1
						    : 0;
		if (!subleaves)
			add(t, e, &v, leaf, 0, false);
		for (uint32_t n = 0; n < subleaves; n++)
			add(t, e, &v, leaf, n, true);
	}
	for (uint32_t base = 0x40000000; base <= 0x40000100; base += 0x100) {
		const uint32_t last = cpu_cpuid(e->model, &v, base, 0).eax;
		for (uint32_t leaf = base; last && leaf <= last; leaf++)
			add(t, e, &v, leaf, 0, false);
	}
	const uint32_t ext = cpu_cpuid(e->model, &v, 0x80000000, 0).eax;
	for (uint32_t leaf = 0x80000000; leaf <= ext; leaf++)
		add(t, e, &v, leaf, 0, false);
	err = kvm_ioctl(e->fd, KVM_SET_CPUID2, t);
out:
	free(t);
	return err;
}
