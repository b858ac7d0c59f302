/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Inside the option parser: "key=value,..." lists, and the options that describe devices and
 * character devices.
 */
#ifndef FRONTEND_OPTIONS_DEV_H
#define FRONTEND_OPTIONS_DEV_H

#include "frontend/options.h"

struct parse {
	struct options *o;
	char *err;
	size_t errlen;
};

/* One element of a list; ",," inside a value stands for a comma. */
struct keyval {
	char key[128];
	char val[MAX_PATH_LEN + 1];
	bool has_val;
};

/* Takes the next element off *at; false at the end. Words that do not fit are cut: they then match
 * no name and are too long for a path. */
bool next_keyval(const char **at, struct keyval *kv);

/* A decimal number up to max. 0, or -1. */
int parse_uint(const char *s, unsigned max, unsigned *out);

/* "help" or QEMU's older "?". */
bool is_help(const char *s);

/* Sets the message and returns -1. */
int fail(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A copy that lasts as long as the options, or NULL with the message, which names the option. */
const char *options_keep(struct parse *p, const char *option, const char *s);
/* Carries out the option of that name, without its dash. arg must last as long as the options. */
int options_apply(struct parse *p, const char *name, const char *arg);

/* options_config.c */
int on_readconfig(struct parse *p, const char *arg);

int on_display(struct parse *p, const char *arg);
int on_curses(struct parse *p, const char *arg);
int on_sdl(struct parse *p, const char *arg);
int on_full_screen(struct parse *p, const char *arg);
int on_vnc(struct parse *p, const char *arg);

/* options_process.c */
int on_name(struct parse *p, const char *arg);
int on_pidfile(struct parse *p, const char *arg);
int on_daemonize(struct parse *p, const char *arg);
int on_msg(struct parse *p, const char *arg);
int on_overcommit(struct parse *p, const char *arg);

/* options_firmware.c */
int on_uuid(struct parse *p, const char *arg);
int on_smbios(struct parse *p, const char *arg);
int on_fw_cfg(struct parse *p, const char *arg);
int on_acpitable(struct parse *p, const char *arg);
int on_option_rom(struct parse *p, const char *arg);

/* options_machine.c */
int on_boot(struct parse *p, const char *arg);
int on_m(struct parse *p, const char *arg);
int on_smp(struct parse *p, const char *arg);
int on_cpu(struct parse *p, const char *arg);
int on_accel(struct parse *p, const char *arg);
int on_enable_kvm(struct parse *p, const char *arg);
int on_machine(struct parse *p, const char *arg);
int on_rtc(struct parse *p, const char *arg);
int on_icount(struct parse *p, const char *arg);
int on_action(struct parse *p, const char *arg);
int on_watchdog_action(struct parse *p, const char *arg);

/* options_chardev.c */
int on_serial(struct parse *p, const char *arg);
int on_debugcon(struct parse *p, const char *arg);
/* One more console; has_port: not at the default. */
int add_debugcon(struct parse *p, const struct chardev_spec *to, bool has_port, uint16_t port);
int on_chardev(struct parse *p, const char *arg);
int on_gdb(struct parse *p, const char *arg);
/* A monitor for people, at a DEV as of -serial. */
int add_monitor(struct parse *p, const char *option, const char *dev);
int on_qmp(struct parse *p, const char *arg);
int on_mon(struct parse *p, const char *arg);
int on_object(struct parse *p, const char *arg);
int on_device(struct parse *p, const char *arg);
int on_usb(struct parse *p, const char *arg);
int on_usbdevice(struct parse *p, const char *arg);
/* options_global.c */
int on_global(struct parse *p, const char *arg);
/* -global isa-debugcon.iobase */
int set_debugcon_port(struct parse *p, const char *val);

/* After the last option: defaults and conflicts. */
int finish_devices(struct parse *p);
int finish_chardevs(struct parse *p);

#endif
