/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * kvmclock: what guests read, computed as they do.
 */
#include "synth.h"

#include "cpu/msr.h"
#include "cpu/pvclock.h"

#define AT 0x8000u

/* As the guest does it: ns at a TSC. */
static uint64_t guest_ns(struct synth *s, uint64_t tsc)
{
	uint64_t delta = tsc - peek(s, AT + 8, 8);
	uint32_t mul = (uint32_t)peek(s, AT + 24, 4);
	int8_t shift = (int8_t)peek(s, AT + 28, 1);

	delta = shift < 0 ? delta >> -shift : delta << shift;
	return peek(s, AT + 16, 8) + (uint64_t)((unsigned __int128)delta * mul >> 32);
}

Test(pvclock, scales_any_frequency)
{
	static const uint64_t hz[] = {1,          1000,        32768,      999999999,
				      1000000000, 1000000001,  2000000000, 2596000000u,
				      5800000000, 100000000000};

	for (size_t n = 0; n < sizeof(hz) / sizeof(hz[0]); n++) {
		struct pvclock_scale c = pvclock_scale(hz[n]);
		uint64_t ticks = 100 * hz[n]; /* in which rounding may lose 2^-31 */
		uint64_t shifted = c.shift < 0 ? ticks >> -c.shift : ticks << c.shift;
		uint64_t ns = (uint64_t)((unsigned __int128)shifted * c.mul >> 32);

		cr_expect_leq(ns, 100000000000ull, "%zu", n);
		cr_expect_geq(ns, 100000000000ull - 100, "%zu", n);
		cr_expect_geq(c.mul, 1u << 31, "all bits are used");
	}
}

Test(pvclock, follows_the_tsc)
{
	struct synth *s = synth_new("max");
	uint64_t val;
	uint32_t version;

	s->bus.tsc_hz = 2596000000u;
	cr_assert_eq(msr_write(&s->c, MSR_KVM_SYSTEM_TIME_NEW, AT | 1), 0);
	cr_assert_eq(msr_read(&s->c, MSR_KVM_SYSTEM_TIME_NEW, &val), 0);
	cr_assert_eq(val, AT | 1);
	version = (uint32_t)peek(s, AT, 4);
	cr_assert_eq(version & 1, 0);
	cr_assert_eq(peek(s, AT + 29, 1), 1, "stable");
	cr_assert_lt(100000000000ull - guest_ns(s, 259600000000ull), 100);
	/* the guest moves its TSC: the time stays */
	cr_assert_eq(msr_write(&s->c, 0x3b, 1000000), 0);
	cr_assert_gt((uint32_t)peek(s, AT, 4), version);
	cr_assert_lt(100000000000ull - guest_ns(s, 259601000000ull), 100);
	cr_assert_eq(msr_write(&s->c, 0x3b, -5000000ull), 0);
	cr_assert_lt(100000000000ull - guest_ns(s, 259595000000ull), 100);
	/* and switches the clock off */
	cr_assert_eq(msr_write(&s->c, MSR_KVM_SYSTEM_TIME_NEW, AT), 0);
	version = (uint32_t)peek(s, AT, 4);
	cr_assert_eq(msr_write(&s->c, 0x3b, 0), 0);
	cr_assert_eq((uint32_t)peek(s, AT, 4), version);
	synth_free(s);
}

Test(pvclock, tells_the_time_of_day)
{
	struct synth *s = synth_new("max");

	s->bus.epoch_ns = 1795349943ll * 1000000000 + 123456789;
	cr_assert_eq(msr_write(&s->c, MSR_KVM_WALL_CLOCK_NEW, AT), 0);
	cr_assert_eq(peek(s, AT, 4), 2);
	cr_assert_eq(peek(s, AT + 4, 4), 1795349943);
	cr_assert_eq(peek(s, AT + 8, 4), 123456789);
	synth_free(s);
}

/* Where there is no RAM nothing is written, also at the end of it. */
Test(pvclock, hostile_addresses)
{
	static const uint64_t at[] = {0x100000 - 16, 0x100000, 0xfffffffffffffffc, 1ull << 52,
				      0xfee00000};
	struct synth *s = synth_new("max");

	for (size_t n = 0; n < sizeof(at) / sizeof(at[0]); n++) {
		cr_assert_eq(msr_write(&s->c, MSR_KVM_SYSTEM_TIME_NEW, at[n] | 1), 0);
		cr_assert_eq(msr_write(&s->c, MSR_KVM_WALL_CLOCK_NEW, at[n]), 0);
	}
	synth_free(s);
}

Test(pvclock, can_be_left_out)
{
	struct synth *s = synth_new("max,-kvmclock");
	uint64_t val;

	cr_assert_eq(msr_write(&s->c, MSR_KVM_SYSTEM_TIME_NEW, AT | 1), -1);
	cr_assert_eq(msr_read(&s->c, MSR_KVM_WALL_CLOCK_NEW, &val), -1);
	cr_assert_eq(cpu_cpuid(&s->model, NULL, 0x40000100, 0).eax, 0);
	synth_free(s);
	s = synth_new("max");
	struct cpuid_regs r = cpu_cpuid(&s->model, NULL, 0x40000100, 0);
	cr_assert_eq(r.eax, 0x40000101);
	cr_assert_eq(memcmp(&r.ebx, "KVMK", 4) | memcmp(&r.ecx, "VMKV", 4), 0);
	cr_assert_eq(cpu_cpuid(&s->model, NULL, 0x40000101, 0).eax, 1 << 3 | 1 << 24);
	synth_free(s);
}
