/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * kvmclock. The TSC is invariant and the same for all vCPUs, so a vCPU's page is constant until the guest
 * moves its TSC.
 */
#include "cpu/pvclock.h"

#include <stddef.h>

#include "cpu/core.h"
#include "mmu/aspace.h"

#define NS 1000000000ull

enum { ENABLE = 1 };
enum { TSC_STABLE = 1 };

/* struct pvclock_vcpu_time_info. */
struct time_info {
	uint32_t version, pad;
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
};
_Static_assert(sizeof(struct time_info) == 32, "layout");

/* struct pvclock_wall_clock. */
struct wall_clock {
	uint32_t version, sec, nsec;
};

struct pvclock_scale pvclock_scale(uint64_t tsc_hz)
{
	struct pvclock_scale s = {0};

	while (tsc_hz >> -s.shift > 2 * NS)
		s.shift--;
	while (s.shift >= 0 && tsc_hz << s.shift <= NS)
		s.shift++;
	s.mul = (uint32_t)(((unsigned __int128)NS << (32 - s.shift)) / tsc_hz);
	return s;
}

/* Readers take what lies between two equal, even versions. The guest may put this anywhere: what is not RAM
 * is not written. */
static void publish(struct core *c, uint64_t at, void *info, size_t len)
{
	struct aspace *mem = c->bus->mem;
	uint32_t *version = info, old = 0;

	aspace_dma_read(mem, at, &old, sizeof(old));
	old &= ~1u;
	*version = old + 1;
	aspace_dma_write(mem, at, version, sizeof(*version));
	aspace_dma_write(mem, at + sizeof(*version), (uint8_t *)info + sizeof(*version),
			 len - sizeof(*version));
	*version = old + 2;
	aspace_dma_write(mem, at, version, sizeof(*version));
}

void pvclock_update(struct core *c)
{
	struct pvclock_scale scale;

	if (!(c->v.pvclock_system & ENABLE))
		return;
	scale = pvclock_scale(c->bus->tsc_hz);
	/* The bus's ticks start with its nanoseconds. */
	struct time_info info = {
	    .tsc_timestamp = c->v.tsc_offset,
	    .mul = scale.mul,
	    .shift = scale.shift,
	    .flags = TSC_STABLE,
	};
	publish(c, c->v.pvclock_system & ~(uint64_t)ENABLE, &info, sizeof(info));
}

int pvclock_read(const struct core *c, uint32_t msr, uint64_t *val)
{
	if (!cpu_has(c->model, FEAT_KVMCLOCK))
		return -1;
	*val = msr == MSR_KVM_WALL_CLOCK_NEW ? c->v.pvclock_wall : c->v.pvclock_system;
	return 0;
}

int pvclock_write(struct core *c, uint32_t msr, uint64_t val)
{
	if (!cpu_has(c->model, FEAT_KVMCLOCK))
		return -1;
	if (msr == MSR_KVM_SYSTEM_TIME_NEW) {
		c->v.pvclock_system = val;
		pvclock_update(c);
	} else {
		uint64_t epoch = (uint64_t)c->bus->epoch_ns;
		struct wall_clock wall = {.sec = (uint32_t)(epoch / NS),
					  .nsec = (uint32_t)(epoch % NS)};

		c->v.pvclock_wall = val;
		publish(c, val, &wall, sizeof(wall));
	}
	return 0;
}
