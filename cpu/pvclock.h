/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The clock that KVM shows its guests ("kvmclock"): a page of the guest's says how to get nanoseconds since
 * power-on from the TSC, and another the time of day at power-on. Linux, FreeBSD, OpenBSD and Windows
 * drivers use it under every engine of ours alike. Documented with the Linux kernel:
 * virt/kvm/x86/msr.rst and cpuid.rst.
 */
#ifndef CPU_PVCLOCK_H
#define CPU_PVCLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct core;

#define MSR_KVM_WALL_CLOCK_NEW  0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u

static inline bool is_pvclock_msr(uint32_t msr)
{
	return msr == MSR_KVM_WALL_CLOCK_NEW || msr == MSR_KVM_SYSTEM_TIME_NEW;
}

/* ns = ticks * 2^shift * mul / 2^32. */
struct pvclock_scale {
	uint32_t mul;
	int8_t shift;
};
struct pvclock_scale pvclock_scale(uint64_t tsc_hz);

/* As msr_read() and msr_write(). */
int pvclock_read(const struct core *c, uint32_t msr, uint64_t *val);
int pvclock_write(struct core *c, uint32_t msr, uint64_t val);
/* The guest's TSC was moved. */
void pvclock_update(struct core *c);

#endif
