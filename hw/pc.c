/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The board, wired: every port, interrupt and memory range of the PC is in this file. Below the
 * wiring: how the vCPUs reach their local APICs, and the state that firmware would have left
 * behind, made at every reset for a kernel that is booted directly.
 */
#include "hw/pc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "cpu/vcpu.h"
#include "hw/acpi_tables.h"
#include "hw/chardev.h"
#include "hw/display/display.h"
#include "hw/smbios.h"
#include "hw/tsc_hz.h"

#define FOUR_G (1ull << 32)

/* ---- interrupts ---- */

/* A source of a pin: n of struct irq_pin carries the interrupt and who drives it. */
static struct irq_pin pin(struct pc *pc, void (*set)(void *, int, int), int n,
			  enum irq_source source)
{
	return (struct irq_pin){set, pc, n | (int)source << 8};
}

static bool drive(uint32_t *levels, int source, int level)
{
	*levels = level ? *levels | 1u << source : *levels & ~(1u << source);
	return *levels != 0;
}

/* A pin of the I/O APIC. */
static void gsi_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;
	int gsi = n & 0xff;

	if (gsi < IOAPIC_PINS)
		ioapic_set_irq(&pc->ioapic, gsi, drive(&pc->gsi_level[gsi], n >> 8, level));
}

/* An ISA interrupt: to the PIC, and to the I/O APIC pin of the same number, but for interrupt 0,
 * which is wired to pin 2. */
static void isa_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;
	int irq = n & 0xff;

	if (irq >= 16)
		return;
	level = drive(&pc->isa_level[irq], n >> 8, level);
	i8259_set_irq(&pc->pic, irq, level);
	if (irq != 2)
		gsi_set(pc, irq ? irq : 2, level);
}

/* Lines of pc-testdev: ISA interrupts, and beyond them the rest of the I/O APIC. */
static void test_line(void *opaque, int n, int level)
{
	if ((n & 0xff) < 16)
		isa_set(opaque, n, level);
	else
		gsi_set(opaque, n, level);
}

static void interrupt_msg(void *opaque, uint64_t addr, uint32_t data)
{
	struct pc *pc = opaque;

	lapic_bus_msi(&pc->lapics, addr, data);
}

static void a20_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;

	(void)n;
	aspace_set_a20(&pc->m.mem, level != 0);
}

static void reset_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;

	(void)n;
	if (level)
		machine_request_reset(&pc->m);
}

/* ---- what devices ask of the machine ---- */

static void on_sleep(void *opaque, uint8_t slp_typ)
{
	struct pc *pc = opaque;

	/* Soft off is the only state that the DSDT declares. */
	if (slp_typ == 0)
		machine_request_shutdown(&pc->m);
}

static void on_exit_port(void *opaque, int status)
{
	struct pc *pc = opaque;

	machine_request_exit(&pc->m, status);
}

static void on_pvpanic(void *opaque, unsigned events)
{
	struct pc *pc = opaque;

	if (events & PVPANIC_PANICKED)
		machine_request_panic(&pc->m, true);
}

static void flush_tlbs(void *opaque)
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

/* ---- memory ---- */

static void add_e820(struct pc *pc, uint64_t base, uint64_t end, uint32_t type)
{
	if (end > base)
		pc->e820[pc->nr_e820++] = (struct e820_entry){base, end - base, type};
}

static int wire_ram(struct pc *pc, uint64_t size)
{
	struct aspace *mem = &pc->m.mem;
	struct ram *ram = &pc->m.ram;
	int r;

	pc->low_ram = size < PC_LOW_MAX ? size : PC_LOW_MAX;
	pc->high_ram = size - pc->low_ram;

	/* 640 KiB, the hole of the VGA, and everything up to the PCI window. */
	if ((r = aspace_map_ram(mem, "low", 0, 0xa0000, ram, 0)) < 0 ||
	    (r = aspace_map_ram(mem, "ram", 0xc0000, pc->low_ram - 0xc0000, ram, 0xc0000)) < 0)
		return r;
	if (pc->high_ram &&
	    (r = aspace_map_ram(mem, "high", FOUR_G, pc->high_ram, ram, pc->low_ram)) < 0)
		return r;

	add_e820(pc, 0, 0x9fc00, E820_RAM);
	add_e820(pc, 0x9fc00, 0xa0000, E820_RESERVED);
	add_e820(pc, PC_ACPI_BASE, 0x100000, E820_RESERVED);
	add_e820(pc, 0x100000, pc->low_ram, E820_RAM);
	add_e820(pc, FOUR_G, FOUR_G + pc->high_ram, E820_RAM);
	return 0;
}

static void fill_cmos(struct pc *pc)
{
	uint64_t ext = pc->low_ram - 0x100000, above16 = 0, high = pc->high_ram >> 16;
	uint64_t kib = ext >> 10 > 0xffff ? 0xffff : ext >> 10;

	if (pc->low_ram > 0x1000000)
		above16 = (pc->low_ram - 0x1000000) >> 16;
	if (above16 > 0xffff)
		above16 = 0xffff;
	mc146818_set_cmos(&pc->rtc, 0x14, 0x06); /* coprocessor, PS/2 pointing device */
	mc146818_set_cmos(&pc->rtc, 0x15, 640 & 0xff);
	mc146818_set_cmos(&pc->rtc, 0x16, 640 >> 8);
	mc146818_set_cmos(&pc->rtc, 0x17, (uint8_t)kib);
	mc146818_set_cmos(&pc->rtc, 0x18, (uint8_t)(kib >> 8));
	mc146818_set_cmos(&pc->rtc, 0x30, (uint8_t)kib);
	mc146818_set_cmos(&pc->rtc, 0x31, (uint8_t)(kib >> 8));
	mc146818_set_cmos(&pc->rtc, 0x34, (uint8_t)above16);
	mc146818_set_cmos(&pc->rtc, 0x35, (uint8_t)(above16 >> 8));
	mc146818_set_cmos(&pc->rtc, 0x5b, (uint8_t)high);
	mc146818_set_cmos(&pc->rtc, 0x5c, (uint8_t)(high >> 8));
	mc146818_set_cmos(&pc->rtc, 0x5d, (uint8_t)(high >> 16));
	mc146818_set_cmos(&pc->rtc, 0x5f, (uint8_t)(pc->cpus - 1));
}

static int fill_fw_cfg(struct pc *pc)
{
	struct fw_cfg *f = &pc->fw_cfg;
	uint8_t e820[sizeof(pc->e820) / sizeof(pc->e820[0]) * 20];
	size_t n = 0;
	int r;

	/* "etc/e820" holds what firmware cannot know: the RAM. */
	const uint64_t ram[2][2] = {{0, pc->low_ram}, {FOUR_G, pc->high_ram}};
	for (int i = 0; i < 2; i++) {
		if (!ram[i][1])
			continue;
		put_le64(e820 + n, ram[i][0]);
		put_le64(e820 + n + 8, ram[i][1]);
		put_le32(e820 + n + 16, E820_RAM);
		n += 20;
	}
	if ((r = fw_cfg_add_int(f, FW_CFG_RAM_SIZE, pc->m.ram.size, 8)) < 0 ||
	    (r = fw_cfg_add_int(f, FW_CFG_NOGRAPHIC, 1, 2)) < 0 ||
	    (r = fw_cfg_add_int(f, FW_CFG_NB_CPUS, pc->cpus, 2)) < 0 ||
	    (r = fw_cfg_add_int(f, FW_CFG_MAX_CPUS, pc->cpus, 2)) < 0 ||
	    (r = fw_cfg_add_int(f, FW_CFG_BOOT_MENU, 0, 2)) < 0 ||
	    (r = fw_cfg_add_int(f, FW_CFG_IRQ0_OVERRIDE, 1, 1)) < 0)
		return r;
	return fw_cfg_add_file(f, "etc/e820", e820, n);
}

/* ---- the wiring ---- */

static int wire_chips(struct pc *pc, const struct pc_config *cfg)
{
	struct machine *m = &pc->m;
	struct aspace *io = &m->io, *mem = &m->mem;
	struct irq_pin intr = {lapic_bus_set_lint, &pc->lapics, 0};
	struct irq_pin irq0 = pin(pc, isa_set, 0, SRC_CHIP);
	struct irq_pin irq1 = pin(pc, isa_set, 1, SRC_CHIP);
	struct irq_pin irq8 = pin(pc, isa_set, 8, SRC_CHIP);
	struct irq_pin irq12 = pin(pc, isa_set, 12, SRC_CHIP);
	struct irq_pin sci = pin(pc, isa_set, PIIX_SCI_IRQ, SRC_SCI);
	struct irq_pin hpet_gsi = pin(pc, gsi_set, 0, SRC_HPET);
	struct irq_pin pirq = pin(pc, isa_set, 0, SRC_PIRQ);
	struct irq_pin a20 = {a20_set, pc, 0};
	struct irq_pin reset = {reset_set, pc, 0};
	/* The PIT and the RTC pass through the HPET, whose legacy mode replaces them. */
	struct irq_pin pit_out = {hpet_legacy_in, &pc->hpet, 0};
	struct irq_pin rtc_out = {hpet_legacy_in, &pc->hpet, 1};
	int r;

	if ((r = i8254_init(&pc->pit, io, &m->clock, &pit_out)) < 0 ||
	    (r = mc146818_init(&pc->rtc, io, &m->clock, &rtc_out, cfg->epoch_ns)) < 0 ||
	    (r = hpet_init(&pc->hpet, mem, 0xfed00000, &m->clock, HPET_ROUTES, &irq0, &irq8,
			   &hpet_gsi)) < 0 ||
	    (r = i8042_init(&pc->i8042, io, &m->clock, &irq1, &irq12, &a20, &reset)) < 0 ||
	    (r = port92_init(&pc->port92, io, &a20, &reset)) < 0 ||
	    (r = reset_port_init(&pc->reset_port, NULL, &reset)) < 0 ||
	    (r = dma8237_init(&pc->dma, io, mem)) < 0 ||
	    (r = acpi_pm_init(&pc->pm, io, PIIX_PM_BASE, PIIX_GPE_BASE, &m->clock, &sci, on_sleep,
			      pc)) < 0 ||
	    (r = pci_bus_init(&pc->pci, mem, io, &pc->reset_port)) < 0 ||
	    (r = i440fx_init(&pc->chipset, &pc->pci, &pirq)) < 0 ||
	    (r = fw_cfg_init(&pc->fw_cfg, io, mem)) < 0 ||
	    (r = i8259_init(&pc->pic, io, &intr)) < 0 ||
	    (r = ioapic_init(&pc->ioapic, mem, 0xfec00000, 0, interrupt_msg, pc)) < 0)
		return r;
	pc->pci.msi = interrupt_msg;
	pc->pci.msi_opaque = pc;
	machine_add(m, &pc->pit.dev);
	machine_add(m, &pc->rtc.dev);
	machine_add(m, &pc->hpet.dev);
	machine_add(m, &pc->i8042.dev);
	machine_add(m, &pc->port92.dev);
	machine_add(m, &pc->reset_port.dev);
	machine_add(m, &pc->dma.dev);
	machine_add(m, &pc->pm.dev);
	machine_add(m, &pc->pci.dev);
	machine_add(m, &pc->chipset.host.dev);
	machine_add(m, &pc->chipset.isa.dev);
	machine_add(m, &pc->chipset.pm.dev);
	machine_add(m, &pc->fw_cfg.dev);
	return 0;
}

static int wire_uarts(struct pc *pc, const struct pc_config *cfg)
{
	static const struct {
		uint16_t base;
		uint8_t irq;
		enum irq_source source;
	} com[PC_UARTS] = {
	    {0x3f8, 4, SRC_CHIP},
	    {0x2f8, 3, SRC_CHIP},
	    {0x3e8, 4, SRC_UART34},
	    {0x2e8, 3, SRC_UART34},
	};

	for (int i = 0; i < PC_UARTS; i++) {
		struct irq_pin irq = pin(pc, isa_set, com[i].irq, com[i].source);
		int r;

		if (!cfg->uart[i])
			continue;
		r = uart16550_init(&pc->uart[i], &pc->m.io, com[i].base, &pc->m.clock, &irq, NULL);
		if (r < 0)
			return r;
		machine_add(&pc->m, &pc->uart[i].dev);
	}
	return 0;
}

/* Devices that -device and -debugcon add, at ports that the user chooses; `what` says which failed. */
static int wire_options(struct pc *pc, const struct pc_config *cfg, char *what, size_t len)
{
	struct aspace *io = &pc->m.io, *mem = &pc->m.mem;
	struct irq_pin line = pin(pc, test_line, 0, SRC_TEST);
	int r = 0;

	for (int i = 0; i < PC_DEBUGCONS && r == 0; i++) {
		if (!cfg->debugcon[i].present)
			continue;
		snprintf(what, len, "a debug console at port 0x%x", cfg->debugcon[i].port);
		r = debugcon_init(&pc->debugcon[i], io, cfg->debugcon[i].port, NULL);
	}
	if (r == 0 && cfg->debug_exit) {
		snprintf(what, len, "isa-debug-exit at port 0x%x", cfg->debug_exit_port);
		r = debug_exit_init(&pc->debug_exit, io, cfg->debug_exit_port, cfg->debug_exit_size,
				    on_exit_port, pc);
	}
	if (r == 0 && cfg->pvpanic) {
		snprintf(what, len, "pvpanic at port 0x%x", PVPANIC_PORT);
		r = pvpanic_init(&pc->pvpanic, io, PVPANIC_PORT, on_pvpanic, pc);
	}
	if (r == 0 && cfg->pc_testdev) {
		snprintf(what, len, "pc-testdev");
		r = pc_testdev_init(&pc->pc_testdev, io, mem, &line, flush_tlbs, pc);
		machine_add(&pc->m, &pc->pc_testdev.dev);
	}
	return r;
}

static int wire_lapics(struct pc *pc)
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
	return aspace_listen(&m->mem, flush_tlbs, pc);
}

static int on_reset(void *opaque);

static void wire_bus(struct pc *pc, const struct pc_config *cfg)
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
	    .tsc_offset_changed = bus_tsc_offset_changed,
	    .split_lock = &m->split_lock,
	    .shutdown = bus_shutdown,
	};
	pc->model.tsc_khz = (uint32_t)(hz / 1000);
	pc->model.nr_cpus = pc->cpus;
	m->board = pc;
	m->reset_hook = on_reset;
	if (!cfg->icount)
		return;
	machine_follow_time(m, time_changed, pc);
	icount_init(&pc->icount, &m->clock, &m->lock, cfg->icount_shift, cfg->icount_sleep);
	m->bus.sync = bus_sync;
	m->bus.timers = bus_timers;
	m->bus.idle = bus_idle;
}

static int build_acpi(struct pc *pc, const struct pc_config *cfg)
{
	struct acpi_config acpi = {
	    .cpus = pc->cpus,
	    .pci_mem_base = (uint32_t)PC_LOW_MAX,
	    .pci_mem_end = (uint32_t)PC_PCI_END,
	    .pvpanic = cfg->pvpanic,
	};
	long n;

	for (int i = 0; i < PC_UARTS; i++)
		acpi.uarts |= (uint8_t)(cfg->uart[i] << i);
	n = acpi_build(pc->acpi, sizeof(pc->acpi), PC_ACPI_BASE, &acpi);
	if (n < 0)
		return (int)n;
	pc->acpi_len = (size_t)n;
	return 0;
}

static int build_smbios(struct pc *pc)
{
	const struct smbios_config cfg = {
	    .cpus = pc->cpus,
	    .low_ram = pc->low_ram,
	    .high_ram = pc->high_ram,
	    .cpu_brand = pc->model.brand,
	    .cpu_signature = cpu_cpuid(&pc->model, NULL, 1, 0).eax,
	};
	long n = smbios_build(pc->smbios, sizeof(pc->smbios), PC_SMBIOS_BASE, &cfg);

	if (n < 0)
		return (int)n;
	pc->smbios_len = (size_t)n;
	return 0;
}

int pc_new(struct pc **out, const struct pc_config *cfg, char *err, size_t errlen)
{
	struct pc *pc = calloc(1, sizeof(*pc));
	const char *what = "memory";
	char device[64];
	int r;

	if (!pc) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	pc->model = cfg->model;
	pc->cpus = cfg->cpus;
	r = machine_init(&pc->m, cfg->ram_size);
	if (r < 0) {
		snprintf(err, errlen, "cannot allocate %llu MiB of guest memory: %s",
			 (unsigned long long)(cfg->ram_size >> 20), strerror(-r));
		free(pc);
		return r;
	}
	pc->m.no_reboot = cfg->no_reboot;
	pc->m.no_shutdown = cfg->no_shutdown;
	wire_bus(pc, cfg);

	pthread_mutex_lock(&pc->m.lock);
	r = wire_ram(pc, cfg->ram_size);
	if (r == 0) {
		what = "chip set";
		r = wire_chips(pc, cfg);
	}
	if (r == 0) {
		what = "serial ports";
		r = wire_uarts(pc, cfg);
	}
	if (r == 0) {
		what = device;
		r = wire_options(pc, cfg, device, sizeof(device));
	}
	if (r == 0) {
		what = "ACPI tables";
		r = build_acpi(pc, cfg);
	}
	if (r == 0) {
		what = "SMBIOS tables";
		r = build_smbios(pc);
	}
	if (r == 0) {
		what = "fw_cfg";
		r = fill_fw_cfg(pc);
	}
	if (r == 0) {
		fill_cmos(pc);
		what = "CPUs";
		r = wire_lapics(pc);
	}
	pthread_mutex_unlock(&pc->m.lock);
	/* Engines look at their local APIC while they are made: not under the lock. */
	if (r == 0) {
		pc->m.engine = cfg->engine;
		r = cpus_new(&pc->m.cpus, cfg->engine, &cfg->engine_config, &pc->model, &pc->m.bus,
			     pc->cpus);
	}
	if (r < 0) {
		snprintf(err, errlen, "cannot set up %s: %s", what,
			 r == -EEXIST ? "another device is there" : strerror(-r));
		pc_free(pc);
		return r;
	}
	*out = pc;
	return 0;
}

void pc_free(struct pc *pc)
{
	if (!pc)
		return;
	pthread_mutex_lock(&pc->m.lock);
	while (pc->nr_added) {
		pc->nr_added--;
		pc->added[pc->nr_added].type->destroy(pc->added[pc->nr_added].self);
	}
	pthread_mutex_unlock(&pc->m.lock);
	machine_fini(&pc->m);
	fw_cfg_fini(&pc->fw_cfg);
	boot_plan_free(&pc->plan);
	free(pc);
}

/* Devices come before the interrupt controllers, as do the chips. */
static void add_state(void *opaque, struct device *dev)
{
	struct pc *pc = opaque;

	machine_add_after(pc->last_added ? pc->last_added : &pc->pci.dev, dev);
	pc->last_added = dev;
}

static void add_display(void *opaque, struct display *display)
{
	struct pc *pc = opaque;
	struct display **at = &pc->m.displays;

	while (*at)
		at = &(*at)->next;
	*at = display;
}

int pc_add_device(struct pc *pc, const struct device_spec *spec,
		  void *(*backend)(void *opaque, enum prop_kind kind, const char *id), void *opaque,
		  char *err, size_t errlen)
{
	const struct device_env env = {
	    .clock = &pc->m.clock,
	    .loop = pc->m.loop,
	    .lock = &pc->m.lock,
	    .pci = &pc->pci,
	    .backend = backend,
	    .backend_opaque = opaque,
	    .add = add_state,
	    .add_display = add_display,
	    .opaque = pc,
	};
	void *self;
	int r;

	if (pc->nr_added == PC_MAX_DEVICES) {
		snprintf(err, errlen, "-device: at most %d are supported", PC_MAX_DEVICES);
		return -ENOSPC;
	}
	pthread_mutex_lock(&pc->m.lock);
	r = device_create(&self, spec, &env, err, errlen);
	if (r == 0) {
		pc->added[pc->nr_added].type = spec->type;
		pc->added[pc->nr_added++].self = self;
	}
	pthread_mutex_unlock(&pc->m.lock);
	return r;
}

int pc_load(struct pc *pc, const struct blob *kernel, const struct boot_module *modules,
	    unsigned nr_modules, const char *cmdline, char *err, size_t errlen)
{
	int r;

	pc->env = (struct boot_env){
	    .kernel = *kernel,
	    .nr_modules = nr_modules < BOOT_MAX_MODULES ? nr_modules : BOOT_MAX_MODULES,
	    .cmdline = cmdline,
	    .e820 = pc->e820,
	    .nr_e820 = pc->nr_e820,
	    .rsdp = PC_ACPI_BASE,
	    .rsdp_data = pc->acpi,
	};
	for (unsigned i = 0; i < pc->env.nr_modules; i++)
		pc->env.modules[i] = modules[i];
	r = boot_plan_make(&pc->plan, &pc->env);
	if (r == 0 && pc->plan.entry == BOOT_LONG64 && !cpu_has(&pc->model, FEAT_LM))
		r = boot_fail(&pc->plan, &pc->env, -ENOTSUP,
			      "a 64-bit kernel; it needs a CPU model with the feature lm");
	if (r < 0)
		snprintf(err, errlen, "%s", pc->plan.err);
	return r;
}

/* ---- direct boot: what firmware and boot loader would have left behind ---- */

static void zero(struct aspace *mem, uint64_t addr, uint64_t len)
{
	static const uint8_t zeros[65536];

	while (len) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		aspace_dma_write(mem, addr, zeros, n);
		addr += n;
		len -= n;
	}
}

/* The words of the BIOS data area that operating systems look at. */
static void write_bda(struct pc *pc)
{
	static const uint16_t com[PC_UARTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
	uint8_t bda[0x100] = {0};

	for (int i = 0; i < PC_UARTS; i++)
		if (pc->uart[i].dev.name)
			put_le16(bda + 2 * i, com[i]);
	put_le16(bda + 0x0e, 0x9fc0); /* segment of the EBDA */
	put_le16(bda + 0x13, 639);    /* KiB below it */
	aspace_dma_write(&pc->m.mem, 0x400, bda, sizeof(bda));
}

static void set_segment(struct segment *s, uint16_t sel, uint32_t attr)
{
	*s = (struct segment){.sel = sel, .attr = attr, .limit = 0xffffffff};
}

static void set_boot_state(const struct boot_plan *plan, struct vcpu *v)
{
	const uint32_t data = 0x3 | SEG_S | SEG_P | SEG_DB | SEG_G;
	const uint32_t code = 0xb | SEG_S | SEG_P | SEG_G;
	bool long64 = plan->entry == BOOT_LONG64;

	set_segment(&v->seg[CS], plan->code_sel, code | (long64 ? SEG_L : SEG_DB));
	set_segment(&v->seg[SS], plan->data_sel, data);
	set_segment(&v->seg[DS], plan->data_sel, data);
	set_segment(&v->seg[ES], plan->data_sel, data);
	set_segment(&v->seg[FS], plan->data_sel, data);
	set_segment(&v->seg[GS], plan->data_sel, data);
	v->tr = (struct segment){
	    .sel = plan->tss_sel,
	    .attr = 0xb | SEG_P,
	    .limit = 0x67,
	    .base = plan->gdt + plan->gdt_limit + 1,
	};
	v->gdt = (struct dtable){plan->gdt, plan->gdt_limit};
	v->cr0 = CR0_PE | CR0_ET;
	v->cr4 = 0;
	v->efer = 0;
	if (long64) {
		v->cr3 = plan->cr3;
		v->cr4 = CR4_PAE;
		v->efer = EFER_LME | EFER_LMA;
		v->cr0 |= CR0_PG;
	}
	for (int i = 0; i < REG_ZERO; i++)
		v->gpr[i] = 0;
	v->gpr[RAX] = plan->rax;
	v->gpr[RBX] = plan->rbx;
	v->gpr[RSI] = plan->rsi;
	v->gpr[RSP] = plan->rsp;
	v->rip = plan->rip;
	rflags_set(v, FL_1);
}

/* Write-back memory, with the VGA hole and the PCI window uncached; the same on all CPUs. */
static void set_mtrrs(struct vcpu *v, unsigned maxphyaddr)
{
	const uint64_t wb = 0x0606060606060606;

	for (int i = 0; i < 11; i++)
		v->mtrr_fixed[i] = i == 2 ? 0 : wb;
	v->mtrr_base[0] = PC_LOW_MAX;
	v->mtrr_mask[0] = (((1ull << maxphyaddr) - 1) & ~(FOUR_G - PC_LOW_MAX - 1)) | 0x800;
	v->mtrr_def_type = 0xc06;
}

static void set_up_chips(struct pc *pc)
{
	/* PIRQA-D as PC firmware routes them, and level-triggered, like the SCI. */
	static const uint8_t irq[4] = {10, 10, 11, 11};

	for (int n = 0; n < 4; n++)
		pci_config_write(&pc->chipset.isa, (unsigned)PIIX_PIRQ_ROUTE + (unsigned)n, irq[n],
				 1);
	pci_bus_assign(&pc->pci, PC_LOW_MAX, PC_PCI_END, 0xc000, 0x10000, irq);
	pc->pic.chip[1].elcr |= 1u << (9 - 8) | 1u << (10 - 8) | 1u << (11 - 8);

	/* Virtual wire: the PIC reaches the boot processor through LINT0, NMI through LINT1. */
	lapic_write(&pc->lapic[0], 0x0f0, 0x1ff, 4);
	lapic_write(&pc->lapic[0], 0x350, 0x00700, 4);
	lapic_write(&pc->lapic[0], 0x360, 0x00400, 4);
	aspace_set_a20(&pc->m.mem, true);
}

static int on_reset(void *opaque)
{
	struct pc *pc = opaque;
	const struct boot_plan *plan = &pc->plan;
	struct aspace *mem = &pc->m.mem;

	set_up_chips(pc);
	zero(mem, PC_ACPI_BASE, 0x100000 - PC_ACPI_BASE);
	aspace_dma_write(mem, PC_ACPI_BASE, pc->acpi, pc->acpi_len);
	aspace_dma_write(mem, PC_SMBIOS_BASE, pc->smbios, pc->smbios_len);
	write_bda(pc);
	for (unsigned i = 0; i < plan->nr; i++) {
		const struct boot_segment *s = &plan->seg[i];

		aspace_dma_write(mem, s->addr, s->data, s->len);
		zero(mem, s->addr + s->len, s->mem_len - s->len);
	}
	for (unsigned i = 0; i < pc->cpus; i++)
		set_mtrrs(cpus_state(pc->m.cpus, i), pc->model.maxphyaddr);
	set_boot_state(plan, cpus_state(pc->m.cpus, 0));
	return 0;
}
