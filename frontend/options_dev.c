/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Options with inner structure: how their lists are read; -device, -usb.
 */
#include "frontend/options_dev.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pc.h"

int fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err, p->errlen, fmt, ap);
	va_end(ap);
	/* One line, whatever the user's words hold. */
	for (char *c = p->err; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	return -1;
}

const char *options_keep(struct parse *p, const char *option, const char *s)
{
	struct options *o = p->o;
	size_t len = strlen(s) + 1;
	char *at = o->words + o->words_used;

	if (len > sizeof(o->words) - o->words_used) {
		fail(p, "%s: all such options have more than %zu characters together", option,
		     sizeof(o->words));
		return NULL;
	}
	o->words_used += len;
	return memcpy(at, s, len);
}

bool next_keyval(const char **at, struct keyval *kv)
{
	const char *s = *at;
	size_t k = 0, v = 0;

	memset(kv, 0, sizeof(*kv));
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s == ',') {
			if (s[1] != ',') {
				s++;
				break;
			}
			s++;
		} else if (*s == '=' && !kv->has_val) {
			kv->has_val = true;
			continue;
		}
		if (kv->has_val) {
			if (v < sizeof(kv->val) - 1)
				kv->val[v++] = *s;
		} else if (k < sizeof(kv->key) - 1) {
			kv->key[k++] = *s;
		}
	}
	*at = s;
	return true;
}

bool is_help(const char *s)
{
	return strcmp(s, "help") == 0 || strcmp(s, "?") == 0;
}

static int parse_port(const char *s, unsigned long max, uint16_t *out)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(s, &end, 0);
	if (errno || *end || end == s || *s == '-' || v > max)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

static int no_properties(struct parse *p, const char *name, const char *at)
{
	struct keyval kv;

	while (next_keyval(&at, &kv))
		if (strcmp(kv.key, "id") != 0)
			return fail(p, "-device %s: property %s is not supported", name, kv.key);
	return 0;
}

static int dev_debug_exit(struct parse *p, const char *at)
{
	struct options *o = p->o;
	struct keyval kv;

	if (o->debug_exit)
		return fail(p, "-device isa-debug-exit was given twice");
	o->debug_exit = true;
	o->debug_exit_port = 0x501;
	o->debug_exit_size = 2;
	while (next_keyval(&at, &kv)) {
		if (strcmp(kv.key, "iobase") == 0) {
			if (parse_port(kv.val, 0xffff, &o->debug_exit_port) < 0)
				return fail(p, "-device isa-debug-exit: iobase=%s is no port",
					    kv.val);
		} else if (strcmp(kv.key, "iosize") == 0) {
			if (parse_port(kv.val, 4, &o->debug_exit_size) < 0 || !o->debug_exit_size)
				return fail(p, "-device isa-debug-exit: iosize=%s is not 1 to 4",
					    kv.val);
		} else if (strcmp(kv.key, "id") != 0) {
			return fail(p,
				    "-device isa-debug-exit: property %s is not known (iobase, "
				    "iosize)",
				    kv.key);
		}
	}
	return 0;
}

static int dev_debugcon(struct parse *p, const char *at)
{
	struct chardev_spec to = {.kind = CHR_NULL};
	bool has_port = false;
	uint16_t port = 0;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		if (strcmp(kv.key, "iobase") == 0) {
			if (parse_port(kv.val, 0xffff, &port) < 0)
				return fail(p, "-device isa-debugcon: iobase=%s is no port",
					    kv.val);
			has_port = true;
		} else if (strcmp(kv.key, "chardev") == 0 && strlen(kv.val) < sizeof(to.id)) {
			strcpy(to.id, kv.val);
		} else if (strcmp(kv.key, "id") != 0) {
			return fail(p,
				    "-device isa-debugcon: property %s is not known (iobase, "
				    "chardev)",
				    kv.key);
		}
	}
	return add_debugcon(p, &to, has_port, port);
}

static int dev_pvpanic(struct parse *p, const char *at)
{
	p->o->pvpanic = true;
	return no_properties(p, "pvpanic", at);
}

static int dev_pc_testdev(struct parse *p, const char *at)
{
	p->o->pc_testdev = true;
	return no_properties(p, "pc-testdev", at);
}

static int set_properties(struct parse *p, struct device_spec *s, const struct device_type *type,
			  const char *at)
{
	struct keyval kv;

	device_spec_init(s, type);
	while (next_keyval(&at, &kv))
		if (device_spec_set(s, kv.key, kv.has_val ? kv.val : NULL, p->err, p->errlen) < 0)
			return -1;
	return device_spec_done(s, p->err, p->errlen);
}

/* A device of the table in hw/device_types.c. */
static int add_device(struct parse *p, const struct device_type *type, const char *at)
{
	if (p->o->nr_devices == MAX_DEVICES)
		return fail(p, "-device: at most %d are supported", MAX_DEVICES);
	if (set_properties(p, &p->o->devices[p->o->nr_devices], type, at) < 0)
		return -1;
	p->o->nr_devices++;
	return 0;
}

/* Those that the board wires itself. */
static const struct device_option {
	const char *name, *bus;
	int (*add)(struct parse *p, const char *properties);
	const char *what, *properties;
} devices[] = {
    {"isa-debug-exit", "ISA", dev_debug_exit, "a write of v exits with status (v << 1) | 1",
     "  iobase=<uint16>        - (default: 0x501)\n"
     "  iosize=<uint16>        - 1 to 4 (default: 2)\n"},
    {"isa-debugcon", "ISA", dev_debugcon, "bytes written go to a chardev",
     "  chardev=<str>          - ID of a chardev to use as a backend\n"
     "  iobase=<uint16>        - (default: 0xe9)\n"},
    {"pvpanic", "ISA", dev_pvpanic, "port 0x505: the guest reports its panic", ""},
    {"pc-testdev", "ISA", dev_pc_testdev, "scratch ports and interrupt lines for test suites", ""},
};

#define NR_DEVICES (sizeof(devices) / sizeof(devices[0]))
#define NAMES_MAX  64 /* of the other table, that are looked at for what is near */

static int unknown_device(struct parse *p, const char *name)
{
	const char *names[NR_DEVICES + NAMES_MAX + 1] = {NULL}, *near;

	for (size_t i = 0; i < NR_DEVICES; i++)
		names[i] = devices[i].name;
	for (size_t i = 0; device_types[i] && i < NAMES_MAX; i++)
		names[NR_DEVICES + i] = device_types[i]->name;
	near = nearest_name(name, names);
	if (near)
		return fail(p, "device %s is not known; did you mean %s?", name, near);
	return fail(p, "device %s is not supported yet; -device help lists those that are", name);
}

int on_device(struct parse *p, const char *arg)
{
	const struct device_type *type;
	const char *at = arg;
	struct keyval kv;

	if (!next_keyval(&at, &kv) || kv.has_val)
		return fail(p, "-device %s: a device name comes first (-device help)", arg);
	if (is_help(kv.key)) {
		p->o->action = ACT_DEVICE_HELP;
		return 0;
	}
	for (size_t i = 0; i < NR_DEVICES; i++) {
		if (strcmp(devices[i].name, kv.key) != 0)
			continue;
		if (is_help(at)) {
			p->o->action = ACT_PROPERTY_HELP;
			p->o->help_device = devices[i].name;
			return 0;
		}
		return devices[i].add(p, at);
	}
	type = device_type_find(kv.key);
	if (type && is_help(at)) {
		p->o->action = ACT_PROPERTY_HELP;
		p->o->help_device = type->name;
		return 0;
	}
	if (type)
		return add_device(p, type, at);
	return unknown_device(p, kv.key);
}

int options_device(struct device_spec *s, const char *text, char *err, size_t errlen)
{
	struct parse p = {.err = err, .errlen = errlen};
	const struct device_type *type;
	struct keyval kv;

	if (!next_keyval(&text, &kv) || kv.has_val)
		return fail(&p, "a device name comes first");
	type = device_type_find(kv.key);
	return type ? set_properties(&p, s, type, text) : unknown_device(&p, kv.key);
}

int on_usb(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->usb = true;
	return 0;
}

int on_usbdevice(struct parse *p, const char *arg)
{
	static const struct {
		const char *name, *device;
	} kinds[] = {
	    {"tablet", "usb-tablet"},
	    {"mouse", "usb-mouse"},
	    {"keyboard", "usb-kbd"},
	};

	p->o->usb = true;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, arg) == 0)
			return on_device(p, kinds[i].device);
	return fail(p,
		    "-usbdevice %s is not supported; there are tablet, mouse and keyboard, and "
		    "others by -device",
		    arg);
}

/* The controllers that the board has come before all that may be plugged into them. */
static int add_usb(struct parse *p)
{
	static const char *const pc[] = {"piix3-usb-uhci,addr=1.2", NULL};
	static const char *const q35[] = {"ich9-usb-uhci1,addr=1d.0,multifunction=on",
					  "ich9-usb-uhci2,addr=1d.1", "ich9-usb-uhci3,addr=1d.2",
					  NULL};
	const char *const *names = p->o->board == &board_q35 ? q35 : pc;
	struct device_spec *d = p->o->devices, last;

	for (unsigned i = 0; p->o->usb && names[i]; i++) {
		if (on_device(p, names[i]) < 0)
			return -1;
		last = d[p->o->nr_devices - 1];
		memmove(d + i + 1, d + i, (p->o->nr_devices - 1 - i) * sizeof(*d));
		d[i] = last;
	}
	return 0;
}

int set_debugcon_port(struct parse *p, const char *val)
{
	return parse_port(val, 0xffff, &p->o->debugcon_port) < 0
		   ? fail(p, "-global isa-debugcon.iobase=%s: not a port", val)
		   : 0;
}

void options_device_help(void)
{
	for (size_t i = 0; i < NR_DEVICES; i++)
		printf("name \"%s\", bus %s, desc \"%s\"\n", devices[i].name, devices[i].bus,
		       devices[i].what);
	for (size_t i = 0; device_types[i]; i++)
		printf("name \"%s\", bus %s, desc \"%s\"\n", device_types[i]->name,
		       device_types[i]->bus, device_types[i]->desc);
}

static void property_help(const struct device_type *type)
{
	static const char *const kind[] = {"str",    "bool",    "num",   "size",    "drive",
					   "netdev", "chardev", "fsdev", "audiodev"};

	printf("%s options:\n"
	       "  id=<str>\n",
	       type->name);
	if (strcmp(type->bus, "PCI") == 0)
		printf("  addr=<slot[.function]> - in hexadecimal (default: the first free slot)\n"
		       "  bootindex=<num>        - place in the order of boot devices\n"
		       "  romfile=<str>          - expansion ROM (default: %s)\n"
		       "  rombar=<num>           - 0: no expansion ROM\n",
		       type->rom ? type->rom : "none");
	for (const struct prop *p = type->props; p && p->name; p++)
		printf("  %s=<%s>%*s - %s%s%s%s\n", p->name, kind[p->kind],
		       (int)(19 - strlen(p->name) - strlen(kind[p->kind])), "",
		       p->help ? p->help : "", p->def ? " (default: " : "", p->def ? p->def : "",
		       p->def ? ")" : "");
}

void options_property_help(const char *device)
{
	const struct device_type *type = device_type_find(device);

	if (type)
		property_help(type);
	for (size_t i = 0; i < NR_DEVICES; i++)
		if (strcmp(devices[i].name, device) == 0)
			printf("%s options:\n%s", device, devices[i].properties);
}

/* Flash is the board's own. */
static int find_flash(struct parse *p)
{
	struct options *o = p->o;

	for (unsigned i = 0; i < o->drives.nr; i++) {
		const struct drive_spec *s = &o->drives.spec[i];

		if (s->iface != IF_PFLASH)
			continue;
		if (s->bus > 0 || s->unit > 1)
			return fail(p, "-drive if=pflash: there are unit 0 and unit 1 only");
		o->flash[s->unit] = s->id;
	}
	if (o->flash[1] && !o->flash[0])
		return fail(p, "-drive if=pflash,unit=1 needs another with unit=0, which holds the "
			       "firmware");
	if (o->flash[0] && o->bios)
		return fail(p, "-bios and -drive if=pflash both name firmware; leave one out");
	o->firmware |= o->flash[0] != NULL;
	if (o->smm == SMM_AUTO)
		o->smm = o->flash[0] && o->board == &board_q35 ? SMM_ON : SMM_OFF;
	if (o->secure_flash && o->smm == SMM_OFF)
		return fail(p, "cfi.pflash01.secure=on needs -machine q35,smm=on: nothing could "
			       "write to the flash");
	return 0;
}

/* A drive with an interface is a device, too. */
static int add_drives(struct parse *p)
{
	struct drives *d = &p->o->drives;
	char text[300];

	if (drives_finish(p, p->o->board->ide_units) < 0)
		return -1;
	for (unsigned i = 0; i < d->nr; i++)
		if (drive_device(&d->spec[i], text, sizeof(text)) && on_device(p, text) < 0)
			return -1;
	return 0;
}

int finish_devices(struct parse *p)
{
	if (add_drives(p) < 0 || find_flash(p) < 0 || add_usb(p) < 0)
		return -1;
	for (unsigned i = 0; i < p->o->nr_devices; i++)
		if (options_globals(p->o, &p->o->devices[i], p->err, p->errlen) < 0)
			return -1;
	return finish_chardevs(p);
}
