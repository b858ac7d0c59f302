/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The board: an i440FX PC. pc_new() wires it; pc_load() says what it boots.
 */
#ifndef HW_PC_H
#define HW_PC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/engine.h"
#include "cpu/cpuid.h"
#include "hw/acpi_pm.h"
#include "hw/debug_exit.h"
#include "hw/debugcon.h"
#include "hw/device_type.h"
#include "hw/dma8237.h"
#include "hw/fw_cfg.h"
#include "hw/hpet.h"
#include "hw/i440fx.h"
#include "hw/i8042.h"
#include "hw/i8254.h"
#include "hw/i8259.h"
#include "hw/icount.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "hw/loader.h"
#include "hw/machine.h"
#include "hw/mc146818.h"
#include "hw/pc_testdev.h"
#include "hw/pci.h"
#include "hw/port92.h"
#include "hw/pvpanic.h"
#include "hw/reset_port.h"
#include "hw/uart16550.h"

#define PC_UARTS       4
#define PC_DEBUGCONS   2
#define PC_LOW_MAX     0xc0000000ull /* RAM below 4 GiB ends here at most */
#define PC_MIN_RAM     0x200000ull
#define PC_MAX_CPUS    64
#define PC_MAX_DEVICES 64
#define PC_ACPI_BASE   0xe0000ull
#define PC_SMBIOS_BASE 0xf0000ull

/* Guest-physical window for BARs. */
#define PC_PCI_END 0xfec00000ull

struct pc_debugcon_config {
	bool present;
	uint16_t port;
};

struct pc_config {
	uint64_t ram_size;
	unsigned cpus;
	struct cpu_model model;
	const struct engine *engine;
	struct engine_config engine_config;
	bool uart[PC_UARTS];
	struct pc_debugcon_config debugcon[PC_DEBUGCONS];
	bool debug_exit;
	uint16_t debug_exit_port, debug_exit_size;
	bool pvpanic, pc_testdev;
	bool no_reboot, no_shutdown;
	int64_t epoch_ns; /* time of day at power-on, ns since 1970 */
	bool icount;      /* time follows instructions (hw/icount.h); with one CPU */
	unsigned icount_shift;
	bool icount_sleep;
};

/* Sources that drive the same ISA interrupt are or-ed: each has a number of its own. */
enum irq_source {
	SRC_CHIP, /* the device that the interrupt belongs to */
	SRC_UART34,
	SRC_PIRQ,
	SRC_SCI,
	SRC_TEST,
	SRC_HPET,
};

struct pc {
	struct machine m;
	struct cpu_model model;
	unsigned cpus;
	struct icount icount;
	uint64_t low_ram, high_ram; /* bytes below and above 4 GiB */
	struct e820_entry e820[8];
	unsigned nr_e820;

	struct i8259 pic;
	struct i8254 pit;
	struct ioapic ioapic;
	struct lapic_bus lapics;
	struct lapic lapic[PC_MAX_CPUS];
	struct mc146818 rtc;
	struct hpet hpet;
	struct uart16550 uart[PC_UARTS];
	struct i8042 i8042;
	struct acpi_pm pm;
	struct port92 port92;
	struct reset_port reset_port;
	struct dma8237 dma;
	struct pci_bus pci;
	struct i440fx chipset;
	struct fw_cfg fw_cfg;
	struct debugcon debugcon[PC_DEBUGCONS];
	struct debug_exit debug_exit;
	struct pvpanic pvpanic;
	struct pc_testdev pc_testdev;
	struct {
		const struct device_type *type;
		void *self;
	} added[PC_MAX_DEVICES]; /* by pc_add_device() */
	unsigned nr_added;
	struct device *last_added;

	uint32_t isa_level[16]; /* bit per irq_source */
	uint32_t gsi_level[IOAPIC_PINS];

	uint8_t acpi[0x8000];
	size_t acpi_len;
	uint8_t smbios[0x1000];
	size_t smbios_len;
	struct boot_env env;
	struct boot_plan plan;
};

/* 0, or -errno with one line in err. */
int pc_new(struct pc **out, const struct pc_config *cfg, char *err, size_t errlen);
void pc_free(struct pc *pc);

/* Adds a device that the user asked for; before the machine runs. backend finds the back ends that
 * its properties name (hw/device_type.h). 0, or -errno with one line in err. */
int pc_add_device(struct pc *pc, const struct device_spec *spec,
		  void *(*backend)(void *opaque, enum prop_kind kind, const char *id), void *opaque,
		  char *err, size_t errlen);

/* Plans the direct boot of a kernel. The blobs, modules and the command line are borrowed. */
int pc_load(struct pc *pc, const struct blob *kernel, const struct boot_module *modules,
	    unsigned nr_modules, const char *cmdline, char *err, size_t errlen);

#endif
