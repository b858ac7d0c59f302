/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command line. Names and meanings are QEMU's; what is not supported is refused by name, with
 * the nearest thing that is.
 */
#ifndef FRONTEND_OPTIONS_H
#define FRONTEND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/audiodev.h"
#include "frontend/fsdev.h"
#include "frontend/drive.h"
#include "frontend/netdev.h"

#include "frontend/sdl.h"
#include "frontend/vnc.h"
#include "hw/device_type.h"
#include "hw/fw_cfg.h"
#include "hw/pc.h"
#include "hw/smbios.h"

#define DOPPEL_VERSION "0.1"

#define MAX_SERIAL   4
#define MAX_DEBUGCON 2
#define MAX_CHARDEV  8
#define MAX_QMP      4
#define MAX_MONITORS 4
#define MAX_DEVICES  64
#define MAX_ROM_DIRS 8
#define MAX_FW_FILES 16
#define MAX_PATH_LEN 1024
#define MAX_SYMFILES 16
#define MAX_GLOBALS  16
#define MAX_OPT_ROMS 8

/* Where a character device leads. */
enum chardev_kind {
	CHR_NONE, /* the device is not there at all */
	CHR_NULL,
	CHR_STDIO,
	CHR_FILE,
	CHR_PTY,
	CHR_UNIX,
	CHR_TCP,
	CHR_VC, /* a console in a window */
};

struct chardev_spec {
	enum chardev_kind kind;
	bool mux; /* stdio shared with the monitor */
	bool server, nowait;
	bool telnet;             /* of CHR_TCP */
	char path[MAX_PATH_LEN]; /* TCP: the host, empty for this one */
	char port[8];
	char id[32]; /* of -chardev */
	int fd;      /* of CHR_VC, once it is open: our end of it, borrowed */
};

enum option_action {
	ACT_RUN,
	ACT_HELP,
	ACT_VERSION,
	ACT_CPU_HELP,
	ACT_ACCEL_HELP,
	ACT_MACHINE_HELP,
	ACT_DEVICE_HELP,
	ACT_PROPERTY_HELP,
	ACT_NETDEV_HELP,
	ACT_AUDIODEV_HELP,
	ACT_LOG_HELP,
	ACT_DISPLAY_HELP,
	ACT_VGA_HELP,
};

enum clock_base { CLOCK_UTC, CLOCK_LOCAL, CLOCK_DATE };

struct options {
	enum option_action action;
	const char *help_device; /* for ACT_PROPERTY_HELP */
	const struct pc_board *board;
	const char *kernel, *initrd, *append, *loadvm;
	struct {
		const char *path; /* -option-rom, with what may follow it */
		int bootindex;    /* -1: none */
	} option_rom[MAX_OPT_ROMS];
	unsigned nr_option_roms;
	const char *acpi_table[ACPI_USER_TABLES]; /* files */
	unsigned nr_acpi_tables;
	bool no_hpet, nodefaults;
	bool firmware; /* starts at the reset vector */
	const char *bios;
	const char *flash[2]; /* ids of the drives with if=pflash, by unit; NULL: none */
	const char *rom_dir[MAX_ROM_DIRS]; /* -L */
	struct smbios_user smbios;
	struct fw_file {
		const char *name, *path, *string;
	} fw_file[MAX_FW_FILES];
	unsigned nr_fw_files;
	char words[32768]; /* what these point to, and other copies */
	size_t words_used;
	unsigned nr_rom_dirs;
	struct {
		char order[8], once[8]; /* empty: not given */
		bool given, menu, strict;
		int menu_wait_ms, fail_wait_ms; /* -1: not given */
	} boot;
	uint64_t ram_size;
	unsigned cpus;
	const char *cpu, *accel;
	const char *accel_else; /* of -machine accel=kvm:...: when kvm cannot run; or NULL */
	uint64_t jit_cache;     /* 0: not set */
	unsigned jit_hot;
	bool jit_stats, perfmap, jitdump;
	bool icount, icount_no_sleep;
	unsigned icount_shift;
	const struct device_type *vga; /* the card that is there without asking; NULL: none */
	bool curses, window;
	const char *keymap; /* -k; or NULL */
	struct sdl_options sdl;
	bool has_vnc;
	struct vnc_options vnc;
	/* System management mode; auto: where UEFI firmware may want it, which is q35 with flash. */
	enum { SMM_AUTO, SMM_ON, SMM_OFF } smm;
	bool secure_flash;
	bool nographic, no_reboot, no_shutdown;
	struct chardev_spec serial[MAX_SERIAL];
	unsigned nr_serial;
	bool monitor_none, monitor_stdio;
	struct chardev_spec monitor[MAX_MONITORS]; /* others */
	unsigned nr_monitors;
	struct chardev_spec gdb; /* -gdb; CHR_NONE: not given */
	struct chardev_spec qmp[MAX_QMP];
	unsigned nr_qmp;
	bool start_stopped; /* -S */
	/* -d, -D and -dfilter; NULL: not given */
	const char *log_items, *log_file, *log_filter;
	char name[128]; /* -name */
	char process[16];
	const char *pidfile; /* or NULL */
	bool daemonize;
	struct {
		struct chardev_spec to;
		bool has_port;
		uint16_t port;
	} debugcon[MAX_DEBUGCON];
	const char *symbols[MAX_SYMFILES];
	unsigned nr_symbols;
	unsigned nr_debugcon;
	uint16_t debugcon_port; /* -global isa-debugcon.iobase */
	struct chardev_spec chardev[MAX_CHARDEV];
	unsigned nr_chardev;
	struct fsdevs fsdevs;
	bool debug_exit;
	uint16_t debug_exit_port, debug_exit_size;
	bool pvpanic, pc_testdev;
	const char *global[MAX_GLOBALS]; /* -global, as it stands there */
	unsigned nr_globals;
	bool no_s3, no_s4;
	enum panic_action panic_action;
	enum watchdog_action watchdog_action;
	bool usb; /* the board's USB controllers */
	struct device_spec devices[MAX_DEVICES];
	unsigned nr_devices;
	struct drives drives;
	struct netdevs netdevs;
	struct audiodevs audiodevs;
	enum clock_base rtc_base;
	int64_t rtc_date; /* seconds since 1970 for CLOCK_DATE */
};

/* 0, or -1 with one line in err. argv must outlive the options. */
int options_parse(struct options *o, int argc, char **argv, char *err, size_t errlen);
/* "NAME,property=value...", as after -device, of a device in the table of hw/device_types.c. 0, or -1 with one line in
 * err. */
int options_device(struct device_spec *s, const char *text, char *err, size_t errlen);
/* Gives a device what -global has for its kind, and nobody for itself. 0, or -1 with one line in err. */
int options_globals(const struct options *o, struct device_spec *s, char *err, size_t errlen);
/* How many arguments follow an option; -1: there is none of that name. */
int options_arguments(const char *word);
/* "stdio", "file:P", "unix:P,server,nowait", "tcp:HOST:PORT"... 0, or -1 with one line in err. */
int chardev_spec_parse(struct chardev_spec *s, const char *text, char *err, size_t errlen);

/* Calls fn() for each character device that is open, with QEMU's label and a file name for people. */
void options_chardevs(const struct options *o,
		      void (*fn)(void *opaque, const char *label, const char *file), void *opaque);

void options_help(void);
void options_device_help(void);
void options_property_help(const char *device);

/* The name in list (NULL-terminated) nearest to s by edit distance, or NULL when none is near. */
const char *nearest_name(const char *s, const char *const *list);

/* "512M", "1.5G", "1024" (in `unit`s without a suffix). 0, or -1. */
int parse_size(const char *s, uint64_t unit, uint64_t *out);

#endif
