/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the vCPUs and their board: local APICs, time, and the callbacks of cpu/bus.h.
 */
#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "hw/pc_impl.h"
#include "hw/tsc_hz.h"

void pc_nmi(struct pc *pc)
{
	for (unsigned n = 0; n < pc->cpus; n++)
		cpus_nmi(pc->m.cpus, n);
}

void pc_flush_tlbs(void *opaque)
{
	struct pc *pc = opaque;

	if (pc->m.cpus)
		cpus_flush_tlb(pc->m.cpus);
}

/* ---- local APICs towards the vCPUs; machine lock held ---- */

static void lapic_intr(void *opaque, unsigned cpu, bool level)
{
	struct pc *pc = opaque;

	if (pc->m.cpus)
		cpus_set_intr(pc->m.cpus, cpu, level);
}

static void lapic_nmi(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;

	cpus_nmi(pc->m.cpus, cpu);
}

static void lapic_smi(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;

	if (pc->cfg.smm)
		cpus_smi(pc->m.cpus, cpu);
}

static void lapic_init_signal(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;

	cpus_init_signal(pc->m.cpus, cpu);
}

static void lapic_sipi(void *opaque, unsigned cpu, uint8_t vector)
{
	struct pc *pc = opaque;

	cpus_sipi(pc->m.cpus, cpu, vector);
}

static int lapic_extint_ack(void *opaque)
{
	struct pc *pc = opaque;

	return i8259_ack(&pc->pic);
}

static void lapic_eoi(void *opaque, uint8_t vector)
{
	struct pc *pc = opaque;

	ioapic_eoi(&pc->ioapic, vector);
}

static const struct lapic_ops lapic_ops = {
    .intr = lapic_intr,
    .smi = lapic_smi,
    .nmi = lapic_nmi,
    .init = lapic_init_signal,
    .sipi = lapic_sipi,
    .extint_ack = lapic_extint_ack,
    .eoi = lapic_eoi,
};

/* ---- the vCPUs' side of the bus; vCPU threads, no lock held ---- */

static int bus_intr_ack(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;
	int vector;

	pthread_mutex_lock(&pc->m.lock);
	vector = lapic_ack(&pc->lapic[cpu]);
	pthread_mutex_unlock(&pc->m.lock);
	return vector;
}

static uint8_t bus_cr8_read(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;
	uint8_t v;

	pthread_mutex_lock(&pc->m.lock);
	v = lapic_cr8_read(&pc->lapic[cpu]);
	pthread_mutex_unlock(&pc->m.lock);
	return v;
}

static void bus_cr8_write(void *opaque, unsigned cpu, uint8_t val)
{
	struct pc *pc = opaque;

	pthread_mutex_lock(&pc->m.lock);
	lapic_cr8_write(&pc->lapic[cpu], val);
	pthread_mutex_unlock(&pc->m.lock);
}

static int bus_apic_msr_read(void *opaque, unsigned cpu, uint32_t msr, uint64_t *val)
{
	struct pc *pc = opaque;
	int r;

	pthread_mutex_lock(&pc->m.lock);
	r = lapic_msr_read(&pc->lapic[cpu], msr, val);
	pthread_mutex_unlock(&pc->m.lock);
	return r;
}

static int bus_apic_msr_write(void *opaque, unsigned cpu, uint32_t msr, uint64_t val)
{
	struct pc *pc = opaque;
	int r;

	pthread_mutex_lock(&pc->m.lock);
	r = lapic_msr_write(&pc->lapic[cpu], msr, val);
	pthread_mutex_unlock(&pc->m.lock);
	return r;
}

static uint64_t bus_apic_read(void *opaque, unsigned cpu, uint32_t off, unsigned size)
{
	struct pc *pc = opaque;
	uint64_t v;

	pthread_mutex_lock(&pc->m.lock);
	v = lapic_read(&pc->lapic[cpu], off, size);
	pthread_mutex_unlock(&pc->m.lock);
	return v;
}

static void bus_apic_write(void *opaque, unsigned cpu, uint32_t off, uint64_t val, unsigned size)
{
	struct pc *pc = opaque;

	pthread_mutex_lock(&pc->m.lock);
	lapic_write(&pc->lapic[cpu], off, val, size);
	pthread_mutex_unlock(&pc->m.lock);
}

static uint64_t bus_tsc(void *opaque)
{
	struct pc *pc = opaque;

	return lapic_bus_tsc(&pc->lapics);
}

static void bus_tsc_at_least(void *opaque, uint64_t tsc)
{
	struct pc *pc = opaque;

	lapic_bus_tsc_at_least(&pc->lapics, tsc);
}

static void bus_tsc_offset_changed(void *opaque, unsigned cpu, uint64_t offset)
{
	struct pc *pc = opaque;

	pthread_mutex_lock(&pc->m.lock);
	lapic_set_tsc_offset(&pc->lapic[cpu], offset);
	pthread_mutex_unlock(&pc->m.lock);
}

static void bus_sync(void *opaque, uint64_t retired)
{
	struct pc *pc = opaque;

	icount_sync(&pc->icount, retired);
}

static uint64_t bus_timers(void *opaque, uint64_t retired)
{
	struct pc *pc = opaque;

	return icount_run(&pc->icount, retired);
}

static uint64_t bus_idle(void *opaque, uint64_t retired, uint64_t slept)
{
	struct pc *pc = opaque;

	return icount_idle(&pc->icount, retired, slept);
}

static void time_changed(void *opaque)
{
	struct pc *pc = opaque;

	if (pc->m.cpus)
		cpus_time_changed(pc->m.cpus);
}

static void bus_shutdown(void *opaque, unsigned cpu)
{
	struct pc *pc = opaque;

	(void)cpu;
	pthread_mutex_lock(&pc->m.lock);
	machine_request_panic(&pc->m, false);
	pthread_mutex_unlock(&pc->m.lock);
}

/* ---- the wiring ---- */

int pc_wire_lapics(struct pc *pc)
{
	struct machine *m = &pc->m;
	struct lapic_config lapic = {
	    .tsc_hz = m->bus.tsc_hz,
	    .maxphyaddr = pc->model.maxphyaddr,
	    .x2apic = cpu_has(&pc->model, FEAT_X2APIC),
	    .tsc_deadline = cpu_has(&pc->model, FEAT_TSC_DEADLINE),
	};
	int r;

	lapic_bus_init(&pc->lapics, &m->clock, &lapic, &lapic_ops, pc);
	for (unsigned i = 0; i < pc->cpus; i++) {
		r = lapic_init(&pc->lapic[i], &pc->lapics, i);
		if (r < 0)
			return r;
		machine_add(m, &pc->lapic[i].dev);
	}
	/* Controllers come after what drives them, so that a reset ends with quiet outputs. */
	machine_add(m, &pc->ioapic.dev);
	machine_add(m, &pc->pic.dev);
	pc_state_init(pc);
	return aspace_listen(&m->mem, pc_flush_tlbs, pc);
}

void pc_wire_bus(struct pc *pc, const struct pc_config *cfg)
{
	struct machine *m = &pc->m;
	uint64_t hz = cfg->icount ? ICOUNT_TSC_HZ : tsc_hz_host();

	m->bus = (struct cpu_bus){
	    .mem = &m->mem,
	    .io = &m->io,
	    .opaque = pc,
	    .intr_ack = bus_intr_ack,
	    .cr8_read = bus_cr8_read,
	    .cr8_write = bus_cr8_write,
	    .apic_msr_read = bus_apic_msr_read,
	    .apic_msr_write = bus_apic_msr_write,
	    .apic_read = bus_apic_read,
	    .apic_write = bus_apic_write,
	    .tsc = bus_tsc,
	    .tsc_hz = hz,
	    .tsc_at_least = bus_tsc_at_least,
	    .epoch_ns = cfg->epoch_ns,
	    .tsc_offset_changed = bus_tsc_offset_changed,
	    .split_lock = &m->split_lock,
	    .shutdown = bus_shutdown,
	};
	pc->model.tsc_khz = (uint32_t)(hz / 1000);
	pc->model.nr_cpus = pc->cpus;
	m->board = pc;
	m->reset_hook = pc_reset;
	m->wake_hook = pc_wake;
	if (!cfg->icount)
		return;
	machine_follow_time(m, time_changed, pc);
	icount_init(&pc->icount, &m->clock, &m->lock, cfg->icount_shift, cfg->icount_sleep);
	m->bus.sync = bus_sync;
	m->bus.timers = bus_timers;
	m->bus.idle = bus_idle;
}
