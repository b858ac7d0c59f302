/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine that users know as a PC, on one of two boards: i440FX with PIIX3 and PIIX4, or Q35 with
 * ICH9. pc_new() wires it, pc_add_device() plugs in what the user asked for, and pc_load() or
 * pc_load_firmware() says what it boots.
 */
#ifndef HW_PC_H
#define HW_PC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/engine.h"
#include "cpu/cpuid.h"
#include "hw/acpi_pm.h"
#include "hw/acpi_tables.h"
#include "hw/audio/pcspk.h"
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
#include "hw/ich9.h"
#include "hw/icount.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "hw/loader.h"
#include "hw/machine.h"
#include "hw/mc146818.h"
#include "hw/pam.h"
#include "hw/pc_testdev.h"
#include "hw/pci.h"
#include "hw/pflash.h"
#include "hw/port92.h"
#include "hw/pvpanic.h"
#include "hw/q35.h"
#include "hw/reset_port.h"
#include "hw/smbios.h"
#include "hw/storage/ahci.h"
#include "hw/storage/fdc.h"
#include "hw/storage/piix_ide.h"
#include "hw/uart16550.h"

#define PC_UARTS       4
#define PC_DEBUGCONS   2
#define PC_MIN_RAM     0x200000ull
#define PC_MAX_CPUS    64
#define PC_MAX_DEVICES 64
#define PC_FLASHES     2
#define PC_ACPI_BASE   0xe0000ull
#define PC_SMBIOS_BASE 0xf0000ull

/* Guest-physical window in which BARs are put for a direct boot. */
#define PC_PCI_BASE 0xc0000000ull
#define PC_PCI_END  0xfec00000ull

/* Firmware may be this large: what lies below it up to the local APICs stays free. */
#define PC_ROM_MAX 0x1000000u

struct pc;

/* What differs between the boards. */
struct pc_board {
	const char *name, *product;
	uint64_t low_max;   /* RAM below 4 GiB ends here at most */
	unsigned ide_units; /* drives on each bus of its disk controller */
	/* Makes the chip set's functions, with its power management, and adds them to the machine.
	 * 0 or -errno. */
	int (*wire)(struct pc *pc);
	/* Frees what that has made, also after it has failed. */
	void (*unwire)(struct pc *pc);
	/* Sets it up as firmware would; interrupts irq[n] for PIRQ n and n + 4. */
	void (*start)(struct pc *pc, const uint8_t irq[4]);
	/* What it adds to the tables. */
	void (*describe)(const struct pc *pc, struct acpi_config *cfg);
	/* Registers in configuration space that its firmware finds again after S3; ends with a len of 0. */
	const struct pc_kept {
		uint8_t devfn, reg, len;
	} * kept;
};

extern const struct pc_board board_pc, board_q35;

struct pc_debugcon_config {
	bool present;
	uint16_t port;
};

/* What becomes of a guest whose watchdog runs out. */
enum watchdog_action {
	WATCHDOG_RESET,
	WATCHDOG_SHUTDOWN, /* the power button */
	WATCHDOG_POWEROFF,
	WATCHDOG_INJECT_NMI,
	WATCHDOG_PAUSE,
	WATCHDOG_NONE,
};

/* Their names in that order; ends with NULL. */
extern const char *const watchdog_actions[];

struct pc_config {
	const struct pc_board *board; /* NULL: board_pc */
	/* Of struct device_env. */
	int (*find_rom)(void *opaque, const char *name, uint8_t **data, size_t *len, char *err,
			size_t errlen);
	void *find_rom_opaque;
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
	enum panic_action panic_action;
	enum watchdog_action watchdog_action;
	bool no_hpet, no_s3, no_s4;
	bool smm;                  /* there is system management mode */
	bool secure_flash;         /* flash can be written in that alone */
	struct smbios_user smbios; /* strings are borrowed */
	struct acpi_user acpi;
	int64_t epoch_ns; /* time of day at power-on, ns since 1970 */
	bool icount;      /* time follows instructions (hw/icount.h); with one CPU */
	unsigned icount_shift;
	bool icount_sleep;
};

/* How firmware starts; strings are borrowed, devices by QEMU's letters: a floppy, c disk, d CD, n net. */
struct pc_firmware {
	struct blob image; /* ends at 4 GiB; a multiple of 4 KiB, PC_ROM_MAX at most */
	struct block
	    *flash[PC_FLASHES]; /* instead of an image: [0] ends at 4 GiB, [1] below it; or NULL */
	const char *order;      /* or NULL: firmware's own */
	const char *once;       /* the order at the first start alone; or NULL */
	const struct blob *kernel, *initrd; /* for firmware to start instead, or NULL; borrowed */
	const char *cmdline;
	bool menu, strict;              /* strict: what has no bootindex is not booted from */
	int menu_wait_ms, fail_wait_ms; /* -1: firmware's own */
	bool serial_console;            /* SeaBIOS: its screen on COM1, too */
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
	const struct pc_board *board;
	struct pc_config cfg;
	struct device dev;  /* the board's own state */
	char identity[512]; /* of the machine */
	uint16_t woken_by;  /* ACPI_PWRBTN or ACPI_RTC */
	enum watchdog_action watchdog_action;
	bool a20_loaded; /* open in the state that is being loaded */
	struct cpu_model model;
	unsigned cpus;
	struct icount icount;
	uint64_t low_ram, high_ram; /* bytes below and above 4 GiB */
	struct e820_entry e820[8];
	unsigned nr_e820;

	struct i8259 pic;
	struct i8254 pit;
	struct pcspk pcspk; /* where the user wants to hear it */
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
	struct fdc fdc;
	struct pci_bus pci;
	struct drive_bus *drives;      /* where drives plug in */
	struct usb_bus *usb;           /* where USB devices plug in */
	struct virtio_serial *serials; /* and ports */
	struct hda_bus *hda;           /* and HDA codecs */
	unsigned nr_macs;              /* addresses given to network cards */
	struct i440fx i440fx;          /* these, or those that follow */
	struct piix_ide piix_ide;
	struct q35 q35;
	struct ich9 ich9;
	struct ahci ahci;
	struct pam pam;
	struct smram smram; /* with cfg.smm */
	struct ram rom;     /* of firmware */
	struct pflash flash[PC_FLASHES];
	bool has_firmware;
	const char *boot_once, *boot_order;
	char boot_set[4]; /* what boot_order is then */
	struct fw_cfg fw_cfg;
	struct debugcon debugcon[PC_DEBUGCONS];
	struct debug_exit debug_exit;
	struct pvpanic pvpanic;
	struct pc_testdev pc_testdev;
	struct pc_added {
		const struct device_type *type;
		void *self;
		char id[64];
		struct device *state; /* the first of `states` in the machine's list */
		unsigned states;
	} added[PC_MAX_DEVICES]; /* by the user */
	unsigned nr_added;
	struct device *last_added;
	struct {
		int index;
		char path[128];
	} boot[PC_MAX_DEVICES]; /* in order */
	unsigned nr_boot;

	uint32_t isa_level[16]; /* bit per irq_source */
	uint32_t gsi_level[IOAPIC_PINS];

	struct acpi_tables acpi; /* linked, for a direct boot */
	uint8_t smbios[0x1000];
	size_t smbios_len;
	struct boot_env env;
	struct boot_plan plan;
};

/* pc_state.c: after all other devices. */
void pc_state_init(struct pc *pc);

/* 0, or -errno with one line in err. */
int pc_new(struct pc **out, const struct pc_config *cfg, char *err, size_t errlen);
void pc_free(struct pc *pc);
/* The power button is pressed, and watchers of the machine are told. Machine lock held. */
void pc_power_button(struct pc *pc);
/* Wakes a suspended guest up. Machine lock held. 0, or -EINVAL: it is not suspended. */
int pc_wakeup(struct pc *pc);

/* The first device of a type that was added, or NULL. */
void *pc_find_device(const struct pc *pc, const struct device_type *type);

/* Adds a device that the user asked for; before the machine runs. backend finds the back ends that
 * its properties name (hw/device_type.h). 0, or -errno with one line in err. */
int pc_add_device(struct pc *pc, const struct device_spec *spec,
		  void *(*backend)(void *opaque, enum prop_kind kind, const char *id), void *opaque,
		  char *err, size_t errlen);

/* The same while the machine runs, for types that can be unplugged. Machine lock held. */
int pc_plug_device(struct pc *pc, const struct device_spec *spec,
		   void *(*backend)(void *opaque, enum prop_kind kind, const char *id),
		   void *opaque, char *err, size_t errlen);
/* Takes out and frees the device with that id, after what is behind it; watchers are told of each. Of PCI devices
 * the guest has to let go first: that they are gone watchers hear later. Machine lock held. 0, or -errno with one line in
 * err. */
int pc_unplug_device(struct pc *pc, const char *id, char *err, size_t errlen);

/* Plans the direct boot of a kernel. The blobs, modules and the command line are borrowed. */
int pc_load(struct pc *pc, const struct blob *kernel, const struct boot_module *modules,
	    unsigned nr_modules, const char *cmdline, char *err, size_t errlen);

/* A file for the guest to read through fw_cfg; the bytes are copied. Before the machine runs. 0, or -errno with one
 * line in err. */
int pc_add_fw_file(struct pc *pc, const char *name, const void *data, size_t len, char *err,
		   size_t errlen);

/* The order of devices from the next start on, up to three of QEMU's letters. Machine lock held. 0, or -EINVAL. */
bool pc_is_boot_order(const char *order);
int pc_set_boot_order(struct pc *pc, const char *order);
/* Where in the order of boot devices an option ROM is, which is a file of fw_cfg. Before the machine runs. */
void pc_add_boot_rom(struct pc *pc, int bootindex, const char *file);

/* The machine starts at the reset vector, in the firmware; the image is copied. After all devices have
 * been added. 0, or -errno with one line in err. */
int pc_load_firmware(struct pc *pc, const struct pc_firmware *fw, char *err, size_t errlen);

#endif
