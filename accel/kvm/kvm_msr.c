/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Model-specific registers under KVM. Those that switch with the guest and are used often are KVM's; the
 * x2APIC and the TSC deadline go straight to the bus. All others, and values that KVM does not take, stop
 * the run: another engine executes the RDMSR or WRMSR, so that every engine has the same ones.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "accel/kvm/kvm_impl.h"

static const struct {
	uint32_t msr;
	uint16_t offset; /* in struct vcpu */
	uint16_t need;   /* enum feature */
} kept[] = {
    {0x174, offsetof(struct vcpu, sysenter_cs), FEAT_SEP},
    {0x175, offsetof(struct vcpu, sysenter_esp), FEAT_SEP},
    {0x176, offsetof(struct vcpu, sysenter_eip), FEAT_SEP},
    {0x277, offsetof(struct vcpu, pat), FEAT_PAT},
    {0x048, offsetof(struct vcpu, spec_ctrl), FEAT_SPEC_CTRL},
    {0xda0, offsetof(struct vcpu, xss), FEAT_XSAVES},
    {0xc0000081, offsetof(struct vcpu, star), FEAT_LM},
    {0xc0000082, offsetof(struct vcpu, lstar), FEAT_LM},
    {0xc0000083, offsetof(struct vcpu, cstar), FEAT_LM},
    {0xc0000084, offsetof(struct vcpu, sfmask), FEAT_LM},
    {0xc0000102, offsetof(struct vcpu, kernel_gs_base), FEAT_LM},
    {0xc0000103, offsetof(struct vcpu, tsc_aux), FEAT_RDTSCP},
};
#define NR_KEPT (sizeof(kept) / sizeof(kept[0]))
_Static_assert(NR_KEPT <= KVM_MAX_MSRS, "MSRs of a vCPU");

enum { MSR_TSC = 0x10, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800, MSR_X2APIC_LAST = 0x8ff };

struct msr_list {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[KVM_MAX_MSRS];
};

static void allow(uint8_t *bitmap, uint32_t first, uint32_t msr)
{
	bitmap[(msr - first) / 8] |= (uint8_t)(1u << (msr - first) % 8);
}

/* Only what the guest may reach without us is let through. */
int kvm_msr_open(struct engine_vm *vm)
{
	enum { BITS = 0x280 };
	uint8_t low[BITS / 8] = {0}, high[0x108 / 8] = {0};
	const uint32_t base = 0xc0000000u;

	for (unsigned n = 0; n < NR_KEPT; n++) {
		if (kept[n].msr < BITS)
			allow(low, 0, kept[n].msr);
		else if (kept[n].msr > base)
			allow(high, base, kept[n].msr);
	}
	allow(low, 0, 0x49);            /* IA32_PRED_CMD holds nothing */
	allow(high, base, base + 0x80); /* EFER, FS and GS base: with the segments */
	allow(high, base, base + 0x100);
	allow(high, base, base + 0x101);
	struct kvm_msr_filter filter = {
	    .flags = KVM_MSR_FILTER_DEFAULT_DENY,
	    .ranges = {{KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, BITS, 0, low},
		       {KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 0x108, base, high}},
	};
	struct kvm_enable_cap exits = {
	    .cap = KVM_CAP_X86_USER_SPACE_MSR,
	    .args = {KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
		     KVM_MSR_EXIT_REASON_FILTER},
	};
	int err = kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &exits);
	return err < 0 ? err : kvm_ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
}

void kvm_msr_init(struct engine_cpu *e)
{
	struct kvm_device_attr attr = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET};

	for (unsigned n = 0; n < NR_KEPT; n++) {
		struct msr_list l = {.head.nmsrs = 1, .entry[0].index = kept[n].msr};
		if (cpu_has(e->model, kept[n].need) && kvm_ioctl(e->fd, KVM_GET_MSRS, &l) == 1)
			e->msr[e->nr_msrs++] = n;
	}
	e->tsc_attr = kvm_ioctl(e->fd, KVM_HAS_DEVICE_ATTR, &attr) == 0;
}

int kvm_msrs_load(struct engine_cpu *e, const struct vcpu *v)
{
	struct msr_list l = {.head.nmsrs = e->nr_msrs};

	for (unsigned n = 0; n < e->nr_msrs; n++) {
		l.entry[n].index = kept[e->msr[n]].msr;
		memcpy(&l.entry[n].data, (const uint8_t *)v + kept[e->msr[n]].offset, 8);
	}
	int err = kvm_ioctl(e->fd, KVM_SET_MSRS, &l);
	return err < 0 ? err : err == (int)e->nr_msrs ? 0 : -EINVAL;
}

int kvm_msrs_store(struct engine_cpu *e, struct vcpu *v)
{
	struct msr_list l = {.head.nmsrs = e->nr_msrs};

	for (unsigned n = 0; n < e->nr_msrs; n++)
		l.entry[n].index = kept[e->msr[n]].msr;
	int err = kvm_ioctl(e->fd, KVM_GET_MSRS, &l);
	if (err != (int)e->nr_msrs)
		return err < 0 ? err : -EINVAL;
	for (unsigned n = 0; n < e->nr_msrs; n++)
		memcpy((uint8_t *)v + kept[e->msr[n]].offset, &l.entry[n].data, 8);
	return 0;
}

/* What to add to the processor's TSC for that of the bus; a little too low rather than too high. */
static uint64_t tsc_distance(const struct cpu_bus *b)
{
	uint64_t least = UINT64_MAX, distance = 0;

	for (unsigned n = 0; n < 4; n++) {
		uint64_t before = __rdtsc(), bus = b->tsc(b->opaque), after = __rdtsc();

		if (after - before >= least)
			continue;
		least = after - before;
		distance = bus - after;
	}
	return distance;
}

/* Writes of the TSC itself are taken for attempts to synchronise vCPUs, and bent: the offset is better. */
void kvm_tsc_join(struct engine_cpu *e)
{
	struct engine_vm *vm = e->vm;

	if (!e->bus->tsc || e->tsc_joined)
		return;
	pthread_mutex_lock(&vm->tsc_lock);
	if (!vm->tsc_users++)
		vm->tsc_base = tsc_distance(e->bus);
	pthread_mutex_unlock(&vm->tsc_lock);
	e->tsc_joined = true;

	uint64_t offset = vm->tsc_base + e->state.tsc_offset;
	struct kvm_device_attr attr = {
	    .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)&offset};
	struct msr_list l = {.head.nmsrs = 1,
			     .entry[0] = {.index = MSR_TSC, .data = __rdtsc() + offset}};

	if (!e->tsc_attr || kvm_ioctl(e->fd, KVM_SET_DEVICE_ATTR, &attr) < 0)
		kvm_ioctl(e->fd, KVM_SET_MSRS, &l);
	/* A software KVM shows the host's all the same, and that is then what the guest has seen. */
	uint64_t host = __rdtsc();
	if (kvm_ioctl(e->fd, KVM_GET_MSRS, &l) == 1 &&
	    l.entry[0].data - (host + offset) > e->bus->tsc_hz) {
		pthread_mutex_lock(&vm->tsc_lock);
		vm->tsc_base = l.entry[0].data - host - e->state.tsc_offset;
		pthread_mutex_unlock(&vm->tsc_lock);
	}
}

void kvm_tsc_leave(struct engine_cpu *e)
{
	struct engine_vm *vm = e->vm;

	if (!e->tsc_joined)
		return;
	e->tsc_joined = false;
	if (e->bus->tsc_at_least)
		e->bus->tsc_at_least(e->bus->opaque, __rdtsc() + vm->tsc_base);
	pthread_mutex_lock(&vm->tsc_lock);
	vm->tsc_users--;
	pthread_mutex_unlock(&vm->tsc_lock);
}

/* The guest's TSC runs with the processor, the local APIC's with the machine's clock, and a deadline that came
 * early would be armed again and again: it is that of the guest by the other's count. */
static uint64_t deadline_on_bus(const struct engine_cpu *e, uint64_t deadline)
{
	if (!deadline || !e->tsc_joined)
		return deadline;
	int64_t lead = (int64_t)(__rdtsc() + e->vm->tsc_base - e->bus->tsc(e->bus->opaque));
	uint64_t moved = deadline - (uint64_t)lead;

	if (lead > 0)
		return moved < deadline ? moved : 1;
	return moved < deadline ? UINT64_MAX : moved;
}

bool kvm_msr_exit(struct engine_cpu *e)
{
	struct kvm_run *r = e->run;
	const struct cpu_bus *b = e->bus;
	uint32_t msr = r->msr.index;
	bool write = r->exit_reason == KVM_EXIT_X86_WRMSR;

	e->unfinished = true;
	if (!cpu_has(e->model, FEAT_APIC) ||
	    !(msr == MSR_TSC_DEADLINE || (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST))) {
		r->msr.error = 1; /* completes with #GP, which is forgotten with the run */
		return false;
	}
	if (write) {
		uint64_t val = r->msr.data;
		if (msr == MSR_TSC_DEADLINE)
			val = deadline_on_bus(e, val);
		r->msr.error = b->apic_msr_write(b->opaque, e->index, msr, val) != 0;
		e->cr8_stale = true;
	} else {
		uint64_t val = 0;
		r->msr.error = b->apic_msr_read(b->opaque, e->index, msr, &val) != 0;
		r->msr.data = val;
	}
	return true;
}
