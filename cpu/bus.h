/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a vCPU sees of the machine: two address spaces, its local APIC, the time-stamp clock and
 * the shutdown pin. Filled in by the board; engines call it from vCPU threads without holding
 * any lock (the callbacks lock for themselves).
 */
#ifndef CPU_BUS_H
#define CPU_BUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct aspace;

struct cpu_bus {
	struct aspace *mem, *io;
	/* What a processor in system management mode has instead of mem; NULL where the board has no such memory.
	 * All have it while the chip set shows it to all (SMRAM.D_OPEN); TLBs are flushed after each change of that. */
	struct aspace *smram;
	_Atomic bool smram_open;
	void *opaque; /* passed to every callback; `cpu` is the vCPU's index */

	/* Interrupt acknowledge: the vector to deliver (0-255), or -1 when none is deliverable now
	 * (withdrawn, or masked by TPR). */
	int (*intr_ack)(void *opaque, unsigned cpu);
	/* CR8 / TPR[7:4]. */
	uint8_t (*cr8_read)(void *opaque, unsigned cpu);
	void (*cr8_write)(void *opaque, unsigned cpu, uint8_t val);
	/* IA32_APIC_BASE, x2APIC MSRs 800h-8FFh, IA32_TSC_DEADLINE. 0, or -1 for #GP. */
	int (*apic_msr_read)(void *opaque, unsigned cpu, uint32_t msr, uint64_t *val);
	int (*apic_msr_write)(void *opaque, unsigned cpu, uint32_t msr, uint64_t val);
	/* xAPIC register page: off 0..FFFh. */
	uint64_t (*apic_read)(void *opaque, unsigned cpu, uint32_t off, unsigned size);
	void (*apic_write)(void *opaque, unsigned cpu, uint32_t off, uint64_t val, unsigned size);

	/* Ticks of the invariant TSC since power-on (before IA32_TSC/TSC_ADJUST offsets). */
	uint64_t (*tsc)(void *opaque);
	uint64_t tsc_hz;
	int64_t epoch_ns; /* the time of day when the ticks were 0: ns since 1970 */
	/* It is not below `tsc` from now on: the processor's own counter, under another engine, was ahead. NULL
	 * where no engine runs on that. */
	void (*tsc_at_least)(void *opaque, uint64_t tsc);
	/* The vCPU's v.tsc_offset changed: TSC deadlines are in guest TSC. */
	void (*tsc_offset_changed)(void *opaque, unsigned cpu, uint64_t offset);

	/* Time that follows the instructions of a lone vCPU; all NULL where it runs by itself. What looks at
	 * the time or reaches a device first calls sync() with the instructions retired so far. timers() does
	 * what is due and returns the count of instructions at which something is due next. idle(): a halted
	 * vCPU has slept for so many ns; returns for how many it may sleep now. UINT64_MAX: for ever. */
	void (*sync)(void *opaque, uint64_t retired);
	uint64_t (*timers)(void *opaque, uint64_t retired);
	uint64_t (*idle)(void *opaque, uint64_t retired, uint64_t slept);

	/* Serialises locked accesses that no host atomic covers; shared by all vCPUs. */
	pthread_mutex_t *split_lock;

	/* An x87 instruction found an unmasked exception pending while CR0.NE is clear: FERR# is
	 * asserted, which the PC wires to IRQ 13. True while IGNNE# lets it go on all the same. NULL:
	 * not wired, always go on. */
	bool (*ferr)(void *opaque, unsigned cpu);

	/* Triple fault. */
	void (*shutdown)(void *opaque, unsigned cpu);
};

#endif
