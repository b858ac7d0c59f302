/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The board, wired: every port, interrupt and memory range of the PC that both chip sets have is in this
 * file; what they add is in board_pc.c and board_q35.c.
 */
#include "hw/pc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "hw/chardev.h"
#include "hw/display/display.h"
#include "hw/pc_impl.h"
#include "hw/smbios.h"

/* ---- interrupts ---- */

struct irq_pin pc_pin(struct pc *pc, void (*set)(void *, int, int), int n, enum irq_source source)
{
	return (struct irq_pin){set, pc, n | (int)source << 8};
}

static bool drive(uint32_t *levels, int source, int level)
{
	*levels = level ? *levels | 1u << source : *levels & ~(1u << source);
	return *levels != 0;
}

/* A pin of the I/O APIC. */
void pc_gsi_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;
	int gsi = n & 0xff;

	if (gsi < IOAPIC_PINS)
		ioapic_set_irq(&pc->ioapic, gsi, drive(&pc->gsi_level[gsi], n >> 8, level));
}

/* An ISA interrupt: to the PIC, and to the I/O APIC pin of the same number, but for interrupt 0,
 * which is wired to pin 2. */
void pc_isa_set(void *opaque, int n, int level)
{
	struct pc *pc = opaque;
	int irq = n & 0xff;

	if (irq >= 16)
		return;
	level = drive(&pc->isa_level[irq], n >> 8, level);
	i8259_set_irq(&pc->pic, irq, level);
	if (irq != 2)
		pc_gsi_set(pc, irq ? irq : 2, level);
}

/* Lines of pc-testdev: ISA interrupts, and beyond them the rest of the I/O APIC. */
static void test_line(void *opaque, int n, int level)
{
	if ((n & 0xff) < 16)
		pc_isa_set(opaque, n, level);
	else
		pc_gsi_set(opaque, n, level);
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

static void on_exit_port(void *opaque, int status)
{
	struct pc *pc = opaque;

	machine_request_exit(&pc->m, status);
}

static void on_pvpanic(void *opaque, unsigned events)
{
	struct pc *pc = opaque;

	if ((events & PVPANIC_PANICKED) && pc->m.panic_action != PANIC_NONE)
		machine_request_panic(&pc->m, true);
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

	pc->low_ram = size < pc->board->low_max ? size : pc->board->low_max;
	pc->high_ram = size - pc->low_ram;

	/* 640 KiB, the VGA's window, what the PAM registers show, and all the rest up to the PCI
	 * window. */
	pam_init(&pc->pam, mem, ram);
	if ((r = aspace_map_ram(mem, "low", 0, 0xa0000, ram, 0)) < 0 ||
	    (r = aspace_map_ram(mem, "ram", PAM_END, pc->low_ram - PAM_END, ram, PAM_END)) < 0)
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
	struct irq_pin irq0 = pc_pin(pc, pc_isa_set, 0, SRC_CHIP);
	struct irq_pin irq1 = pc_pin(pc, pc_isa_set, 1, SRC_CHIP);
	struct irq_pin irq6 = pc_pin(pc, pc_isa_set, 6, SRC_CHIP);
	struct irq_pin irq8 = pc_pin(pc, pc_isa_set, 8, SRC_CHIP);
	struct irq_pin irq12 = pc_pin(pc, pc_isa_set, 12, SRC_CHIP);
	struct irq_pin hpet_gsi = pc_pin(pc, pc_gsi_set, 0, SRC_HPET);
	struct irq_pin a20 = {a20_set, pc, 0};
	struct irq_pin reset = {reset_set, pc, 0};
	/* The PIT and the RTC pass through the HPET, whose legacy mode replaces them. */
	struct irq_pin pit_out = {hpet_legacy_in, &pc->hpet, 0};
	struct irq_pin rtc_out = {pc_rtc_set, pc, 0};
	int r;

	if ((r = i8254_init(&pc->pit, io, &m->clock, &pit_out)) < 0 ||
	    (r = mc146818_init(&pc->rtc, io, &m->clock, &rtc_out, cfg->epoch_ns)) < 0 ||
	    (r = hpet_init(&pc->hpet, mem, HPET_BASE, &m->clock, HPET_ROUTES, &irq0, &irq8,
			   &hpet_gsi)) < 0 ||
	    (r = i8042_init(&pc->i8042, io, &m->clock, &irq1, &irq12, &a20, &reset)) < 0 ||
	    (r = port92_init(&pc->port92, io, &a20, &reset)) < 0 ||
	    (r = reset_port_init(&pc->reset_port, NULL, &reset)) < 0 ||
	    (r = dma8237_init(&pc->dma, io, mem)) < 0 ||
	    (r = fdc_init(&pc->fdc, io, &pc->dma, &irq6, &pc->drives)) < 0 ||
	    (r = pci_bus_init(&pc->pci, mem, io, &pc->reset_port)) < 0 ||
	    (r = fw_cfg_init(&pc->fw_cfg, io, mem)) < 0 ||
	    (r = i8259_init(&pc->pic, io, &intr)) < 0 ||
	    (r = ioapic_init(&pc->ioapic, mem, 0xfec00000, 0, interrupt_msg, pc)) < 0)
		return r;
	/* The PIT and the RTC pass through it all the same. */
	if (cfg->no_hpet)
		aspace_unmap(mem, HPET_BASE);
	pc->pci.msi = interrupt_msg;
	pc->pci.msi_opaque = pc;
	machine_add(m, &pc->pit.dev);
	machine_add(m, &pc->rtc.dev);
	machine_add(m, &pc->hpet.dev);
	machine_add(m, &pc->i8042.dev);
	i8042_attach(&pc->i8042, &m->input);
	m->input.pressed = pc_key_pressed;
	m->input.pressed_opaque = pc;
	machine_add(m, &pc->port92.dev);
	machine_add(m, &pc->reset_port.dev);
	machine_add(m, &pc->dma.dev);
	machine_add(m, &pc->fdc.dev);
	machine_add(m, &pc->fw_cfg.dev);
	machine_add(m, &pc->pci.dev);
	return pc->board->wire(pc);
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
		struct irq_pin irq = pc_pin(pc, pc_isa_set, com[i].irq, com[i].source);
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
	struct irq_pin line = pc_pin(pc, test_line, 0, SRC_TEST);
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
		r = pc_testdev_init(&pc->pc_testdev, io, mem, &line, pc_flush_tlbs, pc);
		machine_add(&pc->m, &pc->pc_testdev.dev);
	}
	return r;
}

void pc_describe(const struct pc *pc, struct acpi_config *cfg)
{
	*cfg = (struct acpi_config){
	    .cpus = pc->cpus,
	    .pci_mem_base = (uint32_t)pc->low_ram,
	    .pci_mem_end = (uint32_t)PC_PCI_END,
	    .user = pc->cfg.acpi,
	    .pvpanic = pc->cfg.pvpanic,
	    .hpet = !pc->cfg.no_hpet,
	    .s3 = !pc->cfg.no_s3,
	    .s4 = !pc->cfg.no_s4,
	};
	for (int i = 0; i < PC_UARTS; i++)
		cfg->uarts |= (uint8_t)(pc->cfg.uart[i] << i);
	for (unsigned i = 0; i < 2; i++)
		cfg->floppy[i] = fdc_cmos_type(&pc->fdc, i);
	pci_bus_high_window(&pc->pci, &cfg->pci_high_base, &cfg->pci_high_end);
	pc->board->describe(pc, cfg);
}

int pc_build_smbios(struct pc *pc, bool firmware, char *err, size_t errlen)
{
	const struct smbios_config cfg = {
	    .user = &pc->cfg.smbios,
	    .product = pc->board->product,
	    .board = pc->board->name,
	    .firmware = firmware,
	    .cpus = pc->cpus,
	    .low_ram = pc->low_ram,
	    .high_ram = pc->high_ram,
	    .cpu_brand = pc->model.brand,
	    .cpu_signature = cpu_cpuid(&pc->model, NULL, 1, 0).eax,
	};
	long n = smbios_build(pc->smbios, sizeof(pc->smbios), PC_SMBIOS_BASE, &cfg);

	if (n < 0) {
		snprintf(err, errlen,
			 "-smbios: the tables would be longer than %zu bytes; shorten its texts",
			 sizeof(pc->smbios));
		return (int)n;
	}
	pc->smbios_len = (size_t)n;
	return 0;
}

int pc_add_fw_file(struct pc *pc, const char *name, const void *data, size_t len, char *err,
		   size_t errlen)
{
	int r = fw_cfg_add_file(&pc->fw_cfg, name, data, len);

	if (r < 0)
		snprintf(err, errlen, "-fw_cfg %s: cannot be added: %s", name, strerror(-r));
	return r;
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
	pc->board = cfg->board ? cfg->board : &board_pc;
	pc->cfg = *cfg;
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
	pc->m.panic_action = cfg->panic_action;
	pc->watchdog_action = cfg->watchdog_action;
	pc_wire_bus(pc, cfg);

	pthread_mutex_lock(&pc->m.lock);
	r = wire_ram(pc, cfg->ram_size);
	if (r == 0 && cfg->smm)
		r = pc_wire_smm(pc);
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
		what = "fw_cfg";
		r = fill_fw_cfg(pc);
	}
	if (r == 0) {
		fill_cmos(pc);
		what = "CPUs";
		r = pc_wire_lapics(pc);
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
	struct pci_func *f;

	if (!pc)
		return;
	pthread_mutex_lock(&pc->m.lock);
	for (unsigned i = 0; (f = pci_func_from(&pc->pci, &i)); i++)
		pci_func_fini(f);
	while (pc->nr_added) {
		pc->nr_added--;
		pc->added[pc->nr_added].type->destroy(pc->added[pc->nr_added].self);
	}
	pcspk_fini(&pc->pcspk);
	pc->board->unwire(pc);
	fdc_fini(&pc->fdc);
	for (unsigned i = 0; i < PC_FLASHES; i++)
		if (pc->flash[i].block)
			pflash_fini(&pc->flash[i]);
	pthread_mutex_unlock(&pc->m.lock);
	machine_fini(&pc->m);
	ram_fini(&pc->rom);
	fw_cfg_fini(&pc->fw_cfg);
	boot_plan_free(&pc->plan);
	free(pc);
}

int pc_load(struct pc *pc, const struct blob *kernel, const struct boot_module *modules,
	    unsigned nr_modules, const char *cmdline, char *err, size_t errlen)
{
	struct acpi_config acpi;
	int r;

	pc_describe(pc, &acpi);
	acpi.pci_mem_base = (uint32_t)pc->board->low_max;
	r = acpi_build(&pc->acpi, &acpi);
	if (r < 0) {
		snprintf(err, errlen, "cannot set up ACPI tables: %s", strerror(-r));
		return r;
	}
	acpi_link(&pc->acpi, PC_ACPI_BASE + ACPI_TABLES_ALIGN);
	r = pc_build_smbios(pc, false, err, errlen);
	if (r < 0)
		return r;
	pc->env = (struct boot_env){
	    .kernel = *kernel,
	    .nr_modules = nr_modules < BOOT_MAX_MODULES ? nr_modules : BOOT_MAX_MODULES,
	    .cmdline = cmdline,
	    .e820 = pc->e820,
	    .nr_e820 = pc->nr_e820,
	    .rsdp = PC_ACPI_BASE,
	    .rsdp_data = pc->acpi.rsdp,
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
