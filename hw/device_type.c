/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the properties that a user gives to a device, to the device.
 */
#include "hw/device_type.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/msi.h"
#include "hw/pcie_port.h"

void device_spec_init(struct device_spec *s, const struct device_type *type)
{
	memset(s, 0, sizeof(*s));
	s->type = type;
	s->devfn = -1;
	s->bootindex = -1;
	s->text_len = 1; /* offset 0 means none */
}

static bool is_pci(const struct device_type *t)
{
	return strcmp(t->bus, "PCI") == 0;
}

/* ---- values ---- */

/* Digits with an optional suffix K, M, G or T; 0x is hexadecimal. */
static int parse_num(const char *s, bool size, uint64_t *out)
{
	static const char suffix[] = "KMGT";
	const char *at;
	uint64_t v;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	v = strtoull(s, &end, s[0] == '0' && (s[1] | 32) == 'x' ? 16 : 10);
	if (errno)
		return -1;
	if (size && *end && (at = strchr(suffix, toupper((unsigned char)*end)))) {
		unsigned shift = 10 * (unsigned)(at - suffix + 1);

		if (v > UINT64_MAX >> shift)
			return -1;
		v <<= shift;
		end++;
	}
	*out = v;
	return *end ? -1 : 0;
}

static int parse_bool(const char *s, uint64_t *out)
{
	*out = !s || strcmp(s, "on") == 0 || strcmp(s, "yes") == 0 || strcmp(s, "true") == 0;
	return *out || strcmp(s, "off") == 0 || strcmp(s, "no") == 0 || strcmp(s, "false") == 0
		   ? 0
		   : -1;
}

/* "SLOT[.FUNCTION]" in hexadecimal. */
static int parse_devfn(const char *s, int *out)
{
	unsigned long slot, fn = 0;
	char *end;

	if (!isxdigit((unsigned char)*s))
		return -1;
	slot = strtoul(s, &end, 16);
	if (*end == '.' && isxdigit((unsigned char)end[1]))
		fn = strtoul(end + 1, &end, 16);
	if (*end || slot > 31 || fn > 7)
		return -1;
	*out = PCI_DEVFN(slot, fn);
	return 0;
}

static int bad(const struct device_spec *s, const char *key, const char *val, const char *what,
	       char *err, size_t errlen)
{
	snprintf(err, errlen, "-device %s: %s=%s is not %s", s->type->name, key, val ? val : "",
		 what);
	return -1;
}

/* Properties that all devices of a bus have. 1 when it was one of them. */
static int set_common(struct device_spec *s, const char *key, const char *val, char *err,
		      size_t errlen)
{
	uint64_t v;

	if (strcmp(key, "id") == 0) {
		if (!val || !*val || strlen(val) >= sizeof(s->id))
			return bad(s, key, val, "an id of up to 63 characters", err, errlen);
		strcpy(s->id, val);
		return 1;
	}
	if (strcmp(key, "bootindex") == 0) {
		if (!val || parse_num(val, false, &v) < 0 || v > 9999)
			return bad(s, key, val, "a number from 0 to 9999", err, errlen);
		s->bootindex = (int)v;
		return 1;
	}
	if (!is_pci(s->type))
		return 0;
	if (strcmp(key, "addr") == 0) {
		if (!val || parse_devfn(val, &s->devfn) < 0)
			return bad(s, key, val, "SLOT or SLOT.FUNCTION in hexadecimal, to 1f.7",
				   err, errlen);
		return 1;
	}
	if (strcmp(key, "bus") == 0) {
		if (!val || strlen(val) >= sizeof(s->pci))
			return bad(s, key, val, "the id of a bus", err, errlen);
		if (strcmp(val, "pci.0") != 0 && strcmp(val, "pcie.0") != 0)
			strcpy(s->pci, val);
		return 1;
	}
	if (strcmp(key, "romfile") == 0) {
		if (!val || strlen(val) >= sizeof(s->rom))
			return bad(s, key, val, "a file name of up to 255 characters", err, errlen);
		strcpy(s->rom, val);
		s->no_rom = !*val;
		return 1;
	}
	if (strcmp(key, "rombar") == 0) {
		if (!val || parse_num(val, false, &v) < 0 || v > 1)
			return bad(s, key, val, "0 or 1", err, errlen);
		s->no_rom = v == 0;
		return 1;
	}
	if (strcmp(key, "multifunction") == 0) {
		if (parse_bool(val, &v) < 0)
			return bad(s, key, val, "on or off", err, errlen);
		s->multifunction = v;
		return 1;
	}
	return 0;
}

static int prop_find(const struct device_type *t, const char *name)
{
	for (int i = 0; t->props && t->props[i].name; i++)
		if (strcmp(t->props[i].name, name) == 0)
			return i;
	return -1;
}

int device_spec_set(struct device_spec *s, const char *key, const char *val, char *err,
		    size_t errlen)
{
	const char *text = val ? val : "on";
	size_t len = strlen(text) + 1;
	const struct prop *p;
	int i, r;

	r = set_common(s, key, val, err, errlen);
	if (r)
		return r < 0 ? -1 : 0;
	i = prop_find(s->type, key);
	if (i < 0) {
		snprintf(err, errlen,
			 "-device %s: property %s is not known; -device %s,help lists them",
			 s->type->name, key, s->type->name);
		return -1;
	}
	p = &s->type->props[i];
	switch (p->kind) {
	case PROP_BOOL:
		if (parse_bool(val, &s->num[i]) < 0)
			return bad(s, key, val, "on or off", err, errlen);
		break;
	case PROP_NUM:
	case PROP_SIZE:
		if (parse_num(val ? val : "", p->kind == PROP_SIZE, &s->num[i]) < 0)
			return bad(s, key, val, p->kind == PROP_SIZE ? "a size" : "a number", err,
				   errlen);
		if (p->max && s->num[i] > p->max) {
			snprintf(err, errlen, "-device %s: %s=%s is more than %llu", s->type->name,
				 key, val, (unsigned long long)p->max);
			return -1;
		}
		break;
	default:
		if (!val)
			return bad(s, key, val, "given a value", err, errlen);
	}
	if (len > sizeof(s->text) - s->text_len) {
		snprintf(err, errlen, "-device %s: its properties are too long", s->type->name);
		return -1;
	}
	memcpy(s->text + s->text_len, text, len);
	s->text_at[i] = (uint16_t)s->text_len;
	s->text_len += len;
	return 0;
}

int device_spec_default(struct device_spec *s, const char *key, const char *val, char *err,
			size_t errlen)
{
	bool rom = strcmp(key, "romfile") == 0 || strcmp(key, "rombar") == 0;
	int i = prop_find(s->type, key);

	if (strcmp(key, "id") == 0 || strcmp(key, "bus") == 0) {
		snprintf(err, errlen, "-device %s: each has its own %s=", s->type->name, key);
		return -1;
	}
	if ((i >= 0 && s->text_at[i]) || (rom && (s->no_rom || *s->rom)) ||
	    (strcmp(key, "bootindex") == 0 && s->bootindex >= 0) ||
	    (strcmp(key, "addr") == 0 && s->devfn >= 0))
		return 0;
	return device_spec_set(s, key, val, err, errlen);
}

int device_spec_done(const struct device_spec *s, char *err, size_t errlen)
{
	for (int i = 0; s->type->props && s->type->props[i].name; i++) {
		if (!s->type->props[i].required || s->text_at[i])
			continue;
		snprintf(err, errlen, "-device %s needs %s=", s->type->name,
			 s->type->props[i].name);
		return -1;
	}
	return 0;
}

/* ---- what constructors ask ---- */

const char *arg_str(const struct device_args *a, const char *name)
{
	int i = prop_find(a->spec->type, name);

	if (i < 0)
		return NULL;
	return a->spec->text_at[i] ? a->spec->text + a->spec->text_at[i]
				   : a->spec->type->props[i].def;
}

uint64_t arg_num(const struct device_args *a, const char *name)
{
	int i = prop_find(a->spec->type, name);
	const struct prop *p;
	uint64_t v = 0;

	if (i < 0)
		return 0;
	if (a->spec->text_at[i])
		return a->spec->num[i];
	p = &a->spec->type->props[i];
	if (p->def && p->kind == PROP_BOOL)
		parse_bool(p->def, &v);
	else if (p->def)
		parse_num(p->def, p->kind == PROP_SIZE, &v);
	return v;
}

bool arg_bool(const struct device_args *a, const char *name)
{
	return arg_num(a, name) != 0;
}

static bool is_backend(const struct prop *p)
{
	return p->kind >= PROP_DRIVE;
}

void *arg_backend(const struct device_args *a, const char *name)
{
	int i = prop_find(a->spec->type, name);
	const char *id = arg_str(a, name);

	if (!id || !a->env->backend)
		return NULL;
	return a->env->backend(a->env->backend_opaque, a->spec->type->props[i].kind, id);
}

struct audiodev *arg_audiodev(const struct device_args *a)
{
	const char *id = arg_str(a, "audiodev");

	return a->env->backend
		   ? a->env->backend(a->env->backend_opaque, PROP_AUDIODEV, id ? id : "")
		   : NULL;
}

void device_add(const struct device_args *a, struct device *dev)
{
	if (a->env->add)
		a->env->add(a->env->opaque, dev);
}

void device_boot(const struct device_args *a, const char *fmt, ...)
{
	static const char bridge[] = "/pci@i0cf8/";
	char path[128];
	va_list ap;

	if (a->spec->bootindex < 0 || !a->env->boot)
		return;
	strcpy(path, bridge);
	va_start(ap, fmt);
	vsnprintf(path + sizeof(bridge) - 1, sizeof(path) - sizeof(bridge) + 1, fmt, ap);
	va_end(ap);
	a->env->boot(a->env->opaque, a->spec->bootindex, path);
}

static int add_rom(const struct device_args *a, struct pci_func *f, char *err, size_t errlen)
{
	const struct device_spec *s = a->spec;
	const char *name = *s->rom ? s->rom : s->type->rom;
	uint8_t *data;
	size_t len;
	int r;

	if (!name || s->no_rom || !a->env->find_rom)
		return 0;
	r = a->env->find_rom(a->env->find_rom_opaque, name, &data, &len, err, errlen);
	/* What is not there by itself need not be. */
	if (r == -ENOENT && !*s->rom)
		return 0;
	if (r < 0)
		return r;
	r = pci_func_rom(f, data, len);
	free(data);
	if (r < 0)
		snprintf(err, errlen, "-device %s: %s is no option ROM", s->type->name, name);
	return r;
}

/* On the root bus, or behind a port. */
static int plug(const struct device_args *a, struct pci_func *f, char *err, size_t errlen)
{
	const struct device_spec *s = a->spec;
	struct pci_func *port = NULL;
	int devfn = s->devfn, r;

	if (s->pci[0]) {
		port = pcie_port_find(a->env->pci, s->pci);
		if (!port || f->behind) {
			snprintf(
			    err, errlen,
			    "-device %s: bus=%s is %s; there are pcie.0 (or pci.0) and the ids "
			    "of -device pcie-root-port before it",
			    s->type->name, s->pci, port ? "for endpoints" : "not there");
			return -ENODEV;
		}
		devfn = devfn < 0 ? 0 : devfn;
		r = pci_port_add(port, f, (uint8_t)devfn);
		if (r == 0)
			pcie_port_populate(port);
	} else {
		if (devfn < 0)
			devfn = pci_bus_free_slot(a->env->pci);
		if (devfn < 0) {
			snprintf(err, errlen, "-device %s: all PCI slots are taken", s->type->name);
			return -ENOSPC;
		}
		r = pci_bus_add(a->env->pci, f, (uint8_t)devfn);
	}
	if (r == -EINVAL)
		snprintf(err, errlen, "-device %s: behind a root port there is slot 0 only",
			 s->type->name);
	else if (r == -EEXIST)
		snprintf(err, errlen, "-device %s: slot %02x.%x is taken; %s", s->type->name,
			 devfn >> 3, devfn & 7,
			 port ? "a root port takes one device"
			      : "leave addr= out to get a free one");
	return r;
}

int device_add_pci(const struct device_args *a, struct pci_func *f, struct device *state, char *err,
		   size_t errlen)
{
	const struct device_spec *s = a->spec;
	char path[128];
	int r;

	r = add_rom(a, f, err, errlen);
	if (r < 0)
		return r;
	if (s->multifunction)
		f->start[PCI_HEADER_TYPE] |= 0x80;
	r = plug(a, f, err, errlen);
	if (r < 0) {
		pci_func_fini(f);
		return r;
	}
	device_add(a, &f->dev);
	if (f->msix)
		device_add(a, &f->msix->dev);
	if (state)
		device_add(a, state);
	if (s->type->boot_name) {
		pci_path(f, s->type->boot_name, path, sizeof(path));
		device_boot(a, "%s%s", path, s->type->boot_unit);
	}
	return 0;
}

void pci_unplug(void *device)
{
	struct pci_func *f = device, *port = f->port;

	pci_port_remove(f);
	pci_func_fini(f);
	pcie_port_changed(port);
}

int device_create(void **self, const struct device_spec *spec, const struct device_env *env,
		  char *err, size_t errlen)
{
	struct device_args a = {spec, env};
	int r;

	for (int i = 0; spec->type->props && spec->type->props[i].name; i++) {
		const struct prop *p = &spec->type->props[i];

		if (!spec->text_at[i] || !is_backend(p) || arg_backend(&a, p->name))
			continue;
		snprintf(err, errlen, "-device %s: there is no %s with id=%s", spec->type->name,
			 p->kind == PROP_DRIVE      ? "-drive"
			 : p->kind == PROP_NETDEV   ? "-netdev"
			 : p->kind == PROP_FSDEV    ? "-fsdev"
			 : p->kind == PROP_AUDIODEV ? "-audiodev"
						    : "-chardev",
			 arg_str(&a, p->name));
		return -ENODEV;
	}
	err[0] = 0;
	r = spec->type->create(self, &a, err, errlen);
	if (r < 0 && !err[0])
		snprintf(err, errlen, "-device %s: %s", spec->type->name, strerror(-r));
	return r;
}
