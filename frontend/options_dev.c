/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Options with inner structure: -serial, -chardev, -debugcon, -device, -global.
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

static int parse_bool(const struct keyval *kv, bool *out)
{
	*out = true;
	if (!kv->has_val || strcmp(kv->val, "on") == 0 || strcmp(kv->val, "yes") == 0)
		return 0;
	*out = false;
	return strcmp(kv->val, "off") == 0 || strcmp(kv->val, "no") == 0 ? 0 : -1;
}

/* ---- character devices ---- */

static int set_path(struct chardev_spec *s, const char *path, char *err, size_t errlen)
{
	if (!*path || strlen(path) >= sizeof(s->path)) {
		snprintf(err, errlen, "%s: the path is %s", path, *path ? "too long" : "missing");
		return -1;
	}
	strcpy(s->path, path);
	return 0;
}

static int set_port(struct chardev_spec *s, const char *port, char *err, size_t errlen)
{
	size_t digits = strspn(port, "0123456789");

	if (!digits || digits > 5 || port[digits] || strtoul(port, NULL, 10) > 65535) {
		snprintf(err, errlen, "'%s' is no TCP port, 0 to 65535", port);
		return -1;
	}
	strcpy(s->port, port);
	return 0;
}

/* HOST:PORT, where an IPv6 address is in brackets. */
static int set_address(struct chardev_spec *s, char *addr, char *err, size_t errlen)
{
	char *colon = strrchr(addr, ':'), *host = addr;

	if (!colon) {
		snprintf(err, errlen, "tcp:%s: it is tcp:HOST:PORT, or tcp::PORT", addr);
		return -1;
	}
	*colon = 0;
	if (*host == '[' && colon[-1] == ']') {
		host++;
		colon[-1] = 0;
	}
	if (*host && set_path(s, host, err, errlen) < 0)
		return -1;
	return set_port(s, colon + 1, err, errlen);
}

/* What follows "unix:" or "tcp:" in text. */
static int parse_socket(struct chardev_spec *s, const char *text, const char *t, char *err,
			size_t errlen)
{
	struct keyval kv;
	bool first = true, on;

	for (; next_keyval(&t, &kv); first = false) {
		if (first) {
			if ((s->kind == CHR_TCP ? set_address(s, kv.key, err, errlen)
						: set_path(s, kv.key, err, errlen)) < 0)
				return -1;
		} else if (strcmp(kv.key, "server") == 0 && parse_bool(&kv, &on) == 0) {
			s->server = on;
		} else if (strcmp(kv.key, "nowait") == 0 && !kv.has_val) {
			s->nowait = true;
		} else if (strcmp(kv.key, "wait") == 0 && parse_bool(&kv, &on) == 0) {
			s->nowait = !on;
		} else if (strcmp(kv.key, "nodelay") != 0 || parse_bool(&kv, &on) < 0) {
			snprintf(err, errlen, "%s: %s is not known (server, wait=off)", text,
				 kv.key);
			return -1;
		}
	}
	return first ? set_path(s, "", err, errlen) : 0;
}

int chardev_spec_parse(struct chardev_spec *s, const char *text, char *err, size_t errlen)
{
	static const char *const names[] = {"stdio", "mon:stdio", "file", "pty",  "unix",
					    "tcp",   "vc",        "null", "none", NULL};
	const char *t = text, *near;

	memset(s, 0, sizeof(*s));
	if (strncmp(t, "mon:", 4) == 0) {
		s->mux = true;
		t += 4;
		if (strcmp(t, "stdio") != 0) {
			snprintf(err, errlen, "%s is not supported yet; the nearest is mon:stdio",
				 text);
			return -1;
		}
	}
	if (strcmp(t, "stdio") == 0) {
		s->kind = CHR_STDIO;
	} else if (strcmp(t, "null") == 0) {
		s->kind = CHR_NULL;
	} else if (strcmp(t, "none") == 0) {
		s->kind = CHR_NONE;
	} else if (strcmp(t, "pty") == 0) {
		s->kind = CHR_PTY;
	} else if (strcmp(t, "vc") == 0) {
		s->kind = CHR_VC;
	} else if (strncmp(t, "file:", 5) == 0) {
		s->kind = CHR_FILE;
		return set_path(s, t + 5, err, errlen);
	} else if (strncmp(t, "unix:", 5) == 0) {
		s->kind = CHR_UNIX;
		return parse_socket(s, text, t + 5, err, errlen);
	} else if (strncmp(t, "tcp:", 4) == 0) {
		s->kind = CHR_TCP;
		return parse_socket(s, text, t + 4, err, errlen);
	} else if (strncmp(t, "telnet:", 7) == 0 || strncmp(t, "udp:", 4) == 0) {
		snprintf(err, errlen,
			 "%s is not supported yet; the nearest is tcp:HOST:PORT,server", text);
		return -1;
	} else if (strncmp(t, "vc:", 3) == 0) {
		snprintf(err, errlen,
			 "%s: a text console has 80 columns and 25 rows; the nearest is vc", text);
		return -1;
	} else if (strncmp(t, "pipe:", 5) == 0 || *t == '/' || strncmp(t, "COM", 3) == 0) {
		snprintf(err, errlen, "%s is not supported yet; the nearest is pty", text);
		return -1;
	} else {
		near = nearest_name(t, names);
		snprintf(err, errlen, "%s is no character device; %s%s", text,
			 near ? "did you mean "
			      : "there are [mon:]stdio, file:P, pty, unix:P, "
				"tcp:HOST:PORT, null, none",
			 near ? near : "");
		return -1;
	}
	return 0;
}

/* A -serial or -debugcon argument, which may also name a -chardev. */
static int parse_target(struct parse *p, const char *option, const char *arg,
			struct chardev_spec *s)
{
	char err[200];

	if (strncmp(arg, "chardev:", 8) == 0) {
		memset(s, 0, sizeof(*s));
		if (strlen(arg + 8) >= sizeof(s->id) || !arg[8])
			return fail(p, "%s %s: no such chardev", option, arg);
		s->kind = CHR_NULL;
		strcpy(s->id, arg + 8);
		return 0;
	}
	if (chardev_spec_parse(s, arg, err, sizeof(err)) < 0)
		return fail(p, "%s: %s", option, err);
	return 0;
}

int on_serial(struct parse *p, const char *arg)
{
	if (p->o->nr_serial == MAX_SERIAL)
		return fail(p, "-serial: a PC has at most %d serial ports", MAX_SERIAL);
	return parse_target(p, "-serial", arg, &p->o->serial[p->o->nr_serial++]);
}

/* What debuggers connect to is a server, unless it is said otherwise. */
int on_gdb(struct parse *p, const char *arg)
{
	struct chardev_spec *s = &p->o->gdb;

	if (strcmp(arg, "none") == 0) {
		s->kind = CHR_NONE;
		return 0;
	}
	if (parse_target(p, "-gdb", arg, s) < 0)
		return -1;
	if (s->kind == CHR_FILE || s->kind == CHR_VC || s->mux)
		return fail(p, "-gdb %s: gdb needs tcp::PORT, unix:PATH, stdio or pty", arg);
	if (s->kind == CHR_TCP || s->kind == CHR_UNIX)
		s->server = s->nowait = true;
	return 0;
}

static struct chardev_spec *add_qmp(struct parse *p)
{
	if (p->o->nr_qmp == MAX_QMP) {
		fail(p, "at most %d -qmp are supported", MAX_QMP);
		return NULL;
	}
	return &p->o->qmp[p->o->nr_qmp++];
}

int add_monitor(struct parse *p, const char *option, const char *dev)
{
	struct chardev_spec *s = &p->o->monitor[p->o->nr_monitors];

	if (p->o->nr_monitors == MAX_MONITORS)
		return fail(p, "%s %s: at most %d monitors are supported", option, dev,
			    MAX_MONITORS);
	if (parse_target(p, option, dev, s) < 0)
		return -1;
	if (s->kind == CHR_FILE)
		return fail(p, "%s %s: a monitor needs stdio, unix:PATH, tcp:HOST:PORT, pty or vc",
			    option, dev);
	p->o->nr_monitors++;
	return 0;
}

static int resolve(struct parse *p, struct chardev_spec *s)
{
	if (!s->id[0])
		return 0;
	for (unsigned i = 0; i < p->o->nr_chardev; i++) {
		if (strcmp(p->o->chardev[i].id, s->id) == 0) {
			*s = p->o->chardev[i];
			return 0;
		}
	}
	return fail(p, "there is no -chardev with id=%s", s->id);
}

/* The terminal's monitor is the console's, which may be shared with a serial port already. */
static int find_monitors(struct parse *p)
{
	struct options *o = p->o;
	unsigned nr = 0;

	for (unsigned i = 0; i < o->nr_monitors; i++) {
		struct chardev_spec *s = &o->monitor[i];

		if (resolve(p, s) < 0)
			return -1;
		if (s->kind == CHR_STDIO)
			o->monitor_stdio |= !s->mux;
		else if (s->kind != CHR_NONE && s->kind != CHR_NULL)
			o->monitor[nr++] = *s;
	}
	o->nr_monitors = nr;
	return 0;
}

int on_qmp(struct parse *p, const char *arg)
{
	struct chardev_spec *s = add_qmp(p);

	if (!s || parse_target(p, "-qmp", arg, s) < 0)
		return -1;
	if (s->kind == CHR_FILE || s->kind == CHR_VC || s->mux)
		return fail(p, "-qmp %s: a client needs tcp:HOST:PORT, unix:PATH, stdio or pty",
			    arg);
	return 0;
}

int on_mon(struct parse *p, const char *arg)
{
	char target[sizeof("chardev:") + sizeof(p->o->gdb.id)] = "";
	bool control = false, on;
	const char *at = arg;
	struct chardev_spec *s;
	struct keyval kv;

	while (next_keyval(&at, &kv)) {
		const char *id = kv.has_val ? kv.val : kv.key;

		if (!kv.has_val || strcmp(kv.key, "chardev") == 0) {
			if (strlen(id) >= sizeof(p->o->gdb.id))
				return fail(p, "-mon %s: there is no such chardev", arg);
			snprintf(target, sizeof(target), "chardev:%.*s",
				 (int)sizeof(p->o->gdb.id) - 1, id);
		} else if (strcmp(kv.key, "mode") == 0) {
			control = strcmp(kv.val, "control") == 0;
			if (!control && strcmp(kv.val, "readline") != 0)
				return fail(p, "-mon: mode=%s is neither readline nor control",
					    kv.val);
		} else if (strcmp(kv.key, "pretty") != 0 || parse_bool(&kv, &on) < 0 || on) {
			return fail(p, "-mon: %s=%s is not supported", kv.key, kv.val);
		}
	}
	if (!*target)
		return fail(p, "-mon %s: it needs chardev=ID", arg);
	if (!control)
		return add_monitor(p, "-mon", target);
	s = add_qmp(p);
	return s ? parse_target(p, "-mon", target, s) : -1;
}

static int add_debugcon(struct parse *p, const struct chardev_spec *to, bool has_port,
			uint16_t port)
{
	if (p->o->nr_debugcon == MAX_DEBUGCON)
		return fail(p, "at most %d debug consoles are supported", MAX_DEBUGCON);
	p->o->debugcon[p->o->nr_debugcon].to = *to;
	p->o->debugcon[p->o->nr_debugcon].has_port = has_port;
	p->o->debugcon[p->o->nr_debugcon++].port = port;
	return 0;
}

int on_debugcon(struct parse *p, const char *arg)
{
	struct chardev_spec to;

	if (parse_target(p, "-debugcon", arg, &to) < 0)
		return -1;
	return add_debugcon(p, &to, false, 0);
}

int on_chardev(struct parse *p, const char *arg)
{
	static const char *const kinds[] = {"stdio", "file", "pty", "socket", "vc", "null", NULL};
	struct chardev_spec s = {0};
	const char *at = arg;
	struct keyval kv;
	bool on, host = false;

	if (!next_keyval(&at, &kv) || kv.has_val)
		return fail(p, "-chardev %s: a kind comes first, as in -chardev file,id=a,path=P",
			    arg);
	if (strcmp(kv.key, "stdio") == 0)
		s.kind = CHR_STDIO;
	else if (strcmp(kv.key, "file") == 0)
		s.kind = CHR_FILE;
	else if (strcmp(kv.key, "pty") == 0)
		s.kind = CHR_PTY;
	else if (strcmp(kv.key, "vc") == 0)
		s.kind = CHR_VC;
	else if (strcmp(kv.key, "socket") == 0)
		s.kind = CHR_UNIX;
	else if (strcmp(kv.key, "null") == 0)
		s.kind = CHR_NULL;
	else
		return fail(p, "-chardev %s is not supported; the nearest is %s", kv.key,
			    nearest_name(kv.key, kinds) ? nearest_name(kv.key, kinds) : "file");
	while (next_keyval(&at, &kv)) {
		char err[200];

		if (strcmp(kv.key, "id") == 0 && *kv.val && strlen(kv.val) < sizeof(s.id)) {
			strcpy(s.id, kv.val);
		} else if (strcmp(kv.key, "path") == 0 ||
			   (strcmp(kv.key, "host") == 0 && s.kind == CHR_UNIX)) {
			host |= kv.key[0] == 'h';
			if ((*kv.val || !host) && set_path(&s, kv.val, err, sizeof(err)) < 0)
				return fail(p, "-chardev %s", err);
		} else if (strcmp(kv.key, "port") == 0 && s.kind == CHR_UNIX) {
			if (set_port(&s, kv.val, err, sizeof(err)) < 0)
				return fail(p, "-chardev %s", err);
		} else if (strcmp(kv.key, "mux") == 0 && s.kind == CHR_STDIO &&
			   parse_bool(&kv, &on) == 0) {
			s.mux = on;
		} else if (strcmp(kv.key, "server") == 0 && parse_bool(&kv, &on) == 0) {
			s.server = on;
		} else if (strcmp(kv.key, "wait") == 0 && parse_bool(&kv, &on) == 0) {
			s.nowait = !on;
		} else if (strcmp(kv.key, "nowait") == 0 && !kv.has_val) {
			s.nowait = true;
		} else if ((strcmp(kv.key, "signal") != 0 && strcmp(kv.key, "nodelay") != 0) ||
			   parse_bool(&kv, &on) < 0) {
			return fail(p, "-chardev: %s=%s is not supported", kv.key, kv.val);
		}
	}
	if (!s.id[0])
		return fail(p, "-chardev %s: it needs id=", arg);
	if (s.kind == CHR_UNIX && s.port[0]) {
		if (s.path[0] && !host)
			return fail(p, "-chardev %s: a socket has either path= or port=", arg);
		s.kind = CHR_TCP;
	}
	if ((s.kind == CHR_FILE || s.kind == CHR_UNIX) && (!s.path[0] || host))
		return fail(p, "-chardev %s: it needs path=%s", arg,
			    s.kind == CHR_UNIX ? ", or host= and port=" : "");
	for (unsigned i = 0; i < p->o->nr_chardev; i++)
		if (strcmp(p->o->chardev[i].id, s.id) == 0)
			return fail(p, "-chardev: there are two with id=%s", s.id);
	if (p->o->nr_chardev == MAX_CHARDEV)
		return fail(p, "at most %d chardevs are supported", MAX_CHARDEV);
	p->o->chardev[p->o->nr_chardev++] = s;
	return 0;
}

/* ---- devices ---- */

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

int on_global(struct parse *p, const char *arg)
{
	struct keyval kv;
	const char *at = arg;

	if (!next_keyval(&at, &kv) || strcmp(kv.key, "isa-debugcon.iobase") != 0)
		return fail(p, "-global %s is not supported; there is isa-debugcon.iobase=", arg);
	if (parse_port(kv.val, 0xffff, &p->o->debugcon_port) < 0)
		return fail(p, "-global %s: not a port", arg);
	return 0;
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
	struct options *o = p->o;
	unsigned stdio = 0;

	if (add_drives(p) < 0 || find_flash(p) < 0 || add_usb(p) < 0)
		return -1;

	if (find_monitors(p) < 0 || resolve(p, &o->gdb) < 0)
		return -1;
	stdio += o->gdb.kind == CHR_STDIO;
	for (unsigned i = 0; i < o->nr_qmp; i++) {
		if (resolve(p, &o->qmp[i]) < 0)
			return -1;
		stdio += o->qmp[i].kind == CHR_STDIO;
	}
	if (!o->nr_serial) {
		struct chardev_spec *s = &o->serial[o->nr_serial++];

		s->kind = CHR_STDIO;
		s->mux = !o->monitor_none;
		if (o->monitor_stdio)
			s->kind = CHR_NONE;
		if (o->curses || stdio)
			s->kind = CHR_NULL;
	}
	for (unsigned i = 0; i < o->nr_serial; i++) {
		if (resolve(p, &o->serial[i]) < 0)
			return -1;
		stdio += o->serial[i].kind == CHR_STDIO;
	}
	for (unsigned i = 0; i < o->nr_debugcon; i++) {
		if (resolve(p, &o->debugcon[i].to) < 0)
			return -1;
		stdio += o->debugcon[i].to.kind == CHR_STDIO;
		if (!o->debugcon[i].has_port)
			o->debugcon[i].port = o->debugcon_port;
	}
	stdio += o->monitor_stdio;
	if (o->curses && stdio)
		return fail(p,
			    "-display curses has the terminal; send serial ports elsewhere (Ctrl-A "
			    "c is the monitor)");
	if (stdio > 1)
		return fail(p, "stdio can serve one device only; use -serial mon:stdio to share it "
			       "with the monitor");
	return 0;
}
