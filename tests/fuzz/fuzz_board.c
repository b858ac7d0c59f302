/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The chips of the boards, and VGA: any access to their ports, registers and memory, on a whole machine whose
 * vCPUs rest, while time passes and interrupt lines change. A chip is one row: where it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "hw/chardev.h"
#include "hw/display/display.h"
#include "hw/display/vga.h"
#include "hw/pc.h"
#include "tests/fuzz/fuzz.h"

#define CPUS     2
#define INDEXED  4        /* chips with an index and a data port */
#define STEP_MAX 2000000u /* ns; now and then a hundred times as much */

enum kind { NOWHERE, PORTS, MEMORY, PCI_CONFIG, LOCAL_APIC };

struct chip {
	const struct pc_board *board;
	struct {
		enum kind kind;
		uint32_t at, size; /* of PCI_CONFIG: the function, and functions from there on */
	} window[6];
	bool draws;    /* what it shows is looked at, which takes long */
	bool firmware; /* fw_cfg has all that is for one */
};

static struct pc *pc;
static const struct chip *chip;
static uint8_t typed[16];
static struct chardev serial;
static uint8_t rom[0x10000];

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "fuzz_devices: %s\n", why);
	exit(2);
}

struct pc *fuzz_pc_new(const struct pc_board *board)
{
	struct pc_config cfg = {.board = board,
				.ram_size = PC_MIN_RAM,
				.cpus = CPUS,
				.engine = &engine_interp,
				.uart = {true, true},
				.debugcon = {{true, 0x402}},
				.pvpanic = true,
				.pc_testdev = true,
				.smm = true,
				.debug_exit = true,
				.debug_exit_port = 0x501,
				.debug_exit_size = 2};
	char err[256] = "";
	struct pc *m;

	if (cpu_model_parse(&cfg.model, "max", err, sizeof(err)) < 0 ||
	    pc_new(&m, &cfg, err, sizeof(err)) < 0)
		fail(err);
	m->m.stopped = true;
	clock_pause(&m->m.clock);
	m->m.clock.manual = true;
	m->m.clock.rearm = NULL; /* of a loop, which would only ask the host for nothing */
	world.mem = &m->m.mem;
	world.io = &m->m.io;
	world.ram = &m->m.ram;
	world.clock = &m->m.clock;
	world.devices = m->m.devices;
	world.load_hook = m->m.load_hook;
	world.board = m->m.board;
	return m;
}

void fuzz_pc_add(struct pc *m, const char *type, const char *props)
{
	struct device_spec spec;
	char err[256] = "", text[128], *rest = text, *prop;

	snprintf(text, sizeof(text), "%s", props);
	device_spec_init(&spec, device_type_find(type));
	while ((prop = strsep(&rest, ",")) && *prop) {
		char *val = strchr(prop, '=');

		*val++ = 0;
		if (device_spec_set(&spec, prop, val, err, sizeof(err)) < 0)
			fail(err);
	}
	if (pc_add_device(m, &spec, NULL, NULL, err, sizeof(err)) < 0)
		fail(err);
}

void fuzz_pc_reset(struct pc *m)
{
	pthread_mutex_lock(&m->m.lock);
	machine_reset_locked(&m->m);
	pthread_mutex_unlock(&m->m.lock);
	m->m.end = END_NONE;
}

static void board_init(void)
{
	const struct pc_firmware none = {.image = {"rom", rom, sizeof(rom)}};
	char err[256];

	chip = world.what;
	rom[sizeof(rom) - 16] = 0xf4; /* some code where the CPU would start */
	pc = fuzz_pc_new(chip->board);
	fuzz_pc_add(pc, "VGA", "");
	uart16550_attach(&pc->uart[0], &serial);
	if (chip->firmware && pc_load_firmware(pc, &none, err, sizeof(err)) < 0)
		fail(err);
}

static void board_reset(void)
{
	fuzz_pc_reset(pc);
}

static void board_fini(void)
{
	pc_free(pc);
}

/* Half of the time what an 8-bit register may hold. */
static uint64_t any_value(void)
{
	return one_in(2) ? below(256) : value();
}

static void at_ports(uint32_t base, uint32_t size)
{
	unsigned port = base + below(size), width = 1u << (one_in(4) ? below(3) : 0);

	if (one_in(3))
		aspace_read(world.io, port, width);
	else
		out(port, any_value(), width);
	/* A command to the mouse, and perhaps an argument. */
	if (base == 0x64 && one_in(2)) {
		out(0x64, 0xd4, 1);
		out(0x60, one_in(4) ? value() : 0xe6 + below(0x1a), 1);
		if (one_in(2)) {
			out(0x64, 0xd4, 1);
			out(0x60, one_in(2) ? below(4) : 40u << below(4), 1);
		}
	}
	/* The register that an index has just chosen. */
	if (one_in(INDEXED))
		out(port + 1, any_value(), width);
}

static void at_memory(uint32_t base, uint32_t size)
{
	uint64_t at = base + (one_in(2) ? below(0x400) : (uint32_t)next()) % size;
	unsigned width = 1u << below(4);

	if (one_in(3))
		aspace_read(world.mem, at, width);
	else
		put(at & ~(uint64_t)(one_in(8) ? 0 : width - 1), any_value(), width);
}

static void at_config(uint32_t devfn, uint32_t size)
{
	unsigned reg = below(256);

	out(0xcf8, 0x80000000u | (devfn + below(size)) << 8 | (reg & 0xfc), 4);
	if (one_in(4))
		aspace_read(world.io, 0xcfc + (reg & 3), 1u << below(3));
	else
		out(0xcfc + (reg & 3), any_value(), 1u << below(3));
}

static void at_lapic(void)
{
	struct lapic *l = &pc->lapic[below(CPUS)];
	uint32_t reg = one_in(8) ? (uint32_t)next() & 0xfff : below(64) << 4;
	uint64_t v;

	switch (below(8)) {
	case 0:
		lapic_msr_write(l, 0x800 + below(0x40), any_value());
		lapic_msr_read(l, 0x800 + below(0x40), &v);
		break;
	case 1:
		lapic_msr_write(l, one_in(2) ? MSR_APIC_BASE : MSR_TSC_DEADLINE,
				one_in(2) ? LAPIC_BASE | below(16) << 8 : value());
		break;
	case 2:
		lapic_ack(l);
		lapic_cr8_write(l, (uint8_t)below(16));
		break;
	case 3:
		lapic_bus_msi(&pc->lapics, LAPIC_BASE + below(0x100000), (uint32_t)value());
		break;
	case 4:
		lapic_read(l, reg, 4);
		break;
	default:
		lapic_write(l, reg, any_value(), 4);
	}
}

/* What comes from outside. */
static void event(void)
{
	static struct surface surface;
	struct input_pointer p = {.x = (int)below(512) - 256, .y = (int)below(512) - 256};

	switch (below(8)) {
	case 0:
		ioapic_set_irq(&pc->ioapic, (int)below(24), (int)below(2));
		break;
	case 1:
		i8259_set_irq(&pc->pic, (int)below(16), (int)below(2));
		break;
	case 2:
		i8259_ack(&pc->pic);
		break;
	case 3:
		if (serial.can_receive && serial.can_receive(serial.dev) >= sizeof(typed))
			serial.receive(serial.dev, typed, 1 + below(sizeof(typed)));
		break;
	case 4:
		input_key(&pc->m.input, (enum key)(1 + below(NR_KEYS - 1)), below(2));
		break;
	case 5:
		p.buttons = below(8);
		input_pointer(&pc->m.input, &p);
		break;
	case 6:
		if (chip->draws)
			pc->m.displays->draw(pc->m.displays->dev, &surface);
		break;
	default:
		fuzz_step(below(STEP_MAX) * (one_in(16) ? 100ull : 1));
	}
}

static void board_round(void)
{
	unsigned windows = 0, n;

	while (windows < 6 && chip->window[windows].kind)
		windows++;
	n = below(windows);
	if (one_in(8))
		event();
	if (one_in(8))
		noise(1);
	switch (chip->window[n].kind) {
	case PORTS:
		at_ports(chip->window[n].at, chip->window[n].size);
		break;
	case MEMORY:
		at_memory(chip->window[n].at, chip->window[n].size);
		break;
	case PCI_CONFIG:
		at_config(chip->window[n].at, chip->window[n].size);
		break;
	default:
		at_lapic();
	}
}

/* ---- flash ---- */

static struct pflash flash;

static void flash_init(void)
{
	char err[256];

	if (pflash_init(&flash, 0, world.mem, (1ull << 32) - FUZZ_DISK, world.disk, err,
			sizeof(err)) < 0) {
		fprintf(stderr, "fuzz_devices: %s\n", err);
		exit(2);
	}
	fuzz_add(&flash.dev);
}

static void flash_round(void)
{
	static const uint8_t commands[] = {0x00, 0x10, 0x20, 0x28, 0x40, 0x50, 0x60,
					   0x70, 0x90, 0x98, 0xd0, 0xe8, 0xf0, 0xff};
	uint64_t at =
	    (1ull << 32) - FUZZ_DISK + (one_in(2) ? below(0x200) : next() % (FUZZ_DISK - 8));

	put(at, commands[below(sizeof(commands))], 1u << below(4));
	for (unsigned n = below(70); n; n--)
		put(at + below(64), any_value(), 1u << below(3));
	aspace_read(world.mem, at, 1u << below(4));
	if (one_in(2))
		drain();
}

static void flash_fini(void)
{
	pflash_fini(&flash);
}

#define CHIP(name, on, ...)                                                                        \
	{                                                                                          \
		name, board_init, board_reset, board_round, board_fini, &(const struct chip)       \
		{                                                                                  \
			.board = on, .window = __VA_ARGS__                                         \
		}                                                                                  \
	}

const struct fuzz_device fuzz_board[] = {
    CHIP("i8254", &board_pc, {{PORTS, 0x40, 4}, {PORTS, 0x61, 1}}),
    CHIP("i8259", &board_pc, {{PORTS, 0x20, 2}, {PORTS, 0xa0, 2}, {PORTS, 0x4d0, 2}}),
    CHIP("dma8237", &board_pc,
	 {{PORTS, 0, 0x10}, {PORTS, 0x80, 0x10}, {PORTS, 0xc0, 0x20}, {PORTS, 0x480, 0x10}}),
    CHIP("hpet", &board_pc, {{MEMORY, 0xfed00000, 0x400}}),
    CHIP("ioapic", &board_pc, {{MEMORY, 0xfec00000, 0x20}, {MEMORY, 0xfec00000, 0x1000}}),
    CHIP("lapic", &board_pc, {{LOCAL_APIC, 0, 0}}),
    CHIP("mc146818", &board_pc, {{PORTS, 0x70, 2}}),
    CHIP("uart16550", &board_pc, {{PORTS, 0x3f8, 8}, {PORTS, 0x2f8, 8}}),
    CHIP("i8042", &board_pc, {{PORTS, 0x60, 1}, {PORTS, 0x64, 1}, {PORTS, 0x92, 1}}),
    CHIP("fw_cfg", &board_pc, {{PORTS, 0x510, 2}, {PORTS, 0x514, 8}, {PORTS, 0x510, 12}},
	 .firmware = true),
    CHIP("acpi_pm", &board_pc, {{PORTS, 0x600, 0x40}, {PORTS, 0xafe0, 0x10}, {PORTS, 0xb2, 2}}),
    CHIP("ich9", &board_q35, {{PORTS, 0x600, 0x80}, {PORTS, 0xb2, 2}, {PCI_CONFIG, 0xf8, 8}}),
    CHIP("i440fx", &board_pc, {{PCI_CONFIG, 0, 0x20}, {MEMORY, 0xa0000, 0x60000}}),
    CHIP("q35", &board_q35,
	 {{PCI_CONFIG, 0, 0x10},
	  {PCI_CONFIG, 0xf8, 8},
	  {MEMORY, 0xb0000000, 0x100000},
	  {MEMORY, 0xa0000, 0x60000}}),
    CHIP("vga", &board_pc,
	 {{PORTS, 0x3b0, 0x30},
	  {PORTS, 0x1ce, 3},
	  {MEMORY, 0xa0000, 0x20000},
	  {MEMORY, 0xc0000000, 0x1010000},
	  {PCI_CONFIG, 0x10, 8}},
	 .draws = true),
    CHIP("debug", &board_pc,
	 {{PORTS, 0xe0, 0x10},
	  {PORTS, 0x402, 1},
	  {PORTS, 0x500, 8},
	  {PORTS, 0xcf9, 1},
	  {PORTS, 0x2000, 0x20},
	  {MEMORY, 0xff000000, 0x10000}}),
    {"pflash", flash_init, NULL, flash_round, flash_fini, NULL},
    {0},
};
