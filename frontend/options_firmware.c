/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The options that say what firmware and guests read: SMBIOS and ACPI tables, fw_cfg files, option ROMs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"

static int set_uuid(struct parse *p, const char *option, const char *s)
{
	uint8_t *uuid = p->o->smbios.uuid;
	int end = 0;

	if (sscanf(s,
		   "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-"
		   "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx%n",
		   &uuid[0], &uuid[1], &uuid[2], &uuid[3], &uuid[4], &uuid[5], &uuid[6], &uuid[7],
		   &uuid[8], &uuid[9], &uuid[10], &uuid[11], &uuid[12], &uuid[13], &uuid[14],
		   &uuid[15], &end) != 16 ||
	    end != 36 || s[end] || strspn(s, "0123456789abcdefABCDEF-") != 36)
		return fail(p, "%s %s: a UUID is as in 8ff2a7e4-07c8-4d6b-b2b2-3e6a9a9f1c57",
			    option, s);
	p->o->smbios.has_uuid = true;
	return 0;
}

int on_uuid(struct parse *p, const char *arg)
{
	return set_uuid(p, "-uuid", arg);
}

static int smbios_oem(struct parse *p, const struct keyval *kv)
{
	struct smbios_user *u = &p->o->smbios;

	if (strcmp(kv->key, "value") != 0 || !kv->has_val || !*kv->val)
		return fail(p, "-smbios type=11: %s is not known; there is value=TEXT", kv->key);
	if (u->nr_oem == SMBIOS_MAX_OEM)
		return fail(p, "-smbios type=11: there may be %u strings", SMBIOS_MAX_OEM);
	u->oem[u->nr_oem] = options_keep(p, "-smbios", kv->val);
	return u->oem[u->nr_oem++] ? 0 : -1;
}

static int smbios_field(struct parse *p, unsigned type, const struct keyval *kv)
{
	struct smbios_user *u = &p->o->smbios;
	enum smbios_text field = smbios_text_find(type, kv->key);

	if (type == 11)
		return smbios_oem(p, kv);
	if (type == 1 && strcmp(kv->key, "uuid") == 0)
		return set_uuid(p, "-smbios type=1: uuid", kv->val);
	if (field == SMBIOS_NR_TEXTS || !kv->has_val)
		return fail(
		    p, "-smbios type=%u: %s is not supported; there are %s", type, kv->key,
		    type == 0   ? "vendor, version and date"
		    : type == 1 ? "manufacturer, product, version, serial, uuid, sku and family"
		    : type == 2 ? "manufacturer, product, version, serial, asset and location"
				: "manufacturer, version, serial, asset and sku");
	u->text[field] = options_keep(p, "-smbios", kv->val);
	return u->text[field] ? 0 : -1;
}

int on_smbios(struct parse *p, const char *arg)
{
	struct keyval kv;
	unsigned type;

	if (!next_keyval(&arg, &kv) || strcmp(kv.key, "type") != 0)
		return fail(p, "-smbios: the type comes first, as in "
			       "type=1,manufacturer=ACME,serial=1234");
	type = kv.val[0] >= '0' && kv.val[0] <= '9' ? (unsigned)strtoul(kv.val, NULL, 10) : 99;
	if (type > 3 && type != 11)
		return fail(p,
			    "-smbios type=%s is not supported; there are 0 (BIOS), 1 (system), "
			    "2 (board), 3 (chassis) and 11 (OEM strings)",
			    kv.val);
	p->o->smbios.bios |= type == 0;
	while (next_keyval(&arg, &kv))
		if (smbios_field(p, type, &kv) < 0)
			return -1;
	return 0;
}

int on_fw_cfg(struct parse *p, const char *arg)
{
	struct fw_file *f = &p->o->fw_file[p->o->nr_fw_files];
	struct keyval kv;

	if (p->o->nr_fw_files == MAX_FW_FILES)
		return fail(p, "-fw_cfg: there may be %u files", MAX_FW_FILES);
	while (next_keyval(&arg, &kv)) {
		const char *word = kv.has_val ? kv.val : kv.key;

		if (strcmp(kv.key, "name") == 0 || (!kv.has_val && !f->name))
			f->name = options_keep(p, "-fw_cfg", word);
		else if (strcmp(kv.key, "file") == 0 && kv.has_val)
			f->path = options_keep(p, "-fw_cfg", word);
		else if (strcmp(kv.key, "string") == 0 && kv.has_val)
			f->string = options_keep(p, "-fw_cfg", word);
		else
			return fail(
			    p,
			    "-fw_cfg: %s is not known; there are name=, file= and string=", kv.key);
		if (!f->name && !f->path && !f->string)
			return -1; /* not kept */
	}
	if (!f->name || !f->path == !f->string)
		return fail(p, "-fw_cfg wants a name and either file= or string=, as in "
			       "name=opt/org.example/key,string=value");
	if (strlen(f->name) >= FW_CFG_NAME)
		return fail(p, "-fw_cfg %s: names have at most %u characters", f->name,
			    FW_CFG_NAME - 1);
	if (strncmp(f->name, "opt/", 4) != 0)
		return fail(p,
			    "-fw_cfg %s: the user's names begin with opt/, others are firmware's",
			    f->name);
	p->o->nr_fw_files++;
	return 0;
}

int on_option_rom(struct parse *p, const char *arg)
{
	struct options *o = p->o;
	const char *path = NULL;
	unsigned bootindex = 0;
	bool has_bootindex = false;
	struct keyval kv;

	while (next_keyval(&arg, &kv)) {
		if ((!kv.has_val && !path) || strcmp(kv.key, "romfile") == 0) {
			path = options_keep(p, "-option-rom", kv.has_val ? kv.val : kv.key);
			if (!path)
				return -1;
		} else if (strcmp(kv.key, "bootindex") == 0) {
			has_bootindex = parse_uint(kv.val, 9999, &bootindex) == 0;
			if (!has_bootindex)
				return fail(p,
					    "-option-rom: bootindex=%s is not a number up to 9999",
					    kv.val);
		} else {
			return fail(p, "-option-rom: %s is not known; there is bootindex=", kv.key);
		}
	}
	if (!path || !*path)
		return fail(p, "-option-rom: the file's name is missing");
	if (o->nr_option_roms == MAX_OPT_ROMS)
		return fail(p, "-option-rom can be given at most %d times", MAX_OPT_ROMS);
	o->option_rom[o->nr_option_roms].path = path;
	o->option_rom[o->nr_option_roms++].bootindex = has_bootindex ? (int)bootindex : -1;
	return 0;
}

int on_acpitable(struct parse *p, const char *arg)
{
	struct options *o = p->o;
	const char *path = NULL;
	struct keyval kv;

	while (next_keyval(&arg, &kv)) {
		if (strcmp(kv.key, "file") != 0 || !*kv.val || path)
			return fail(p,
				    "-acpitable: %s= is not supported; there is file=, which is a "
				    "whole table with its header",
				    kv.key);
		path = options_keep(p, "-acpitable", kv.val);
		if (!path)
			return -1;
	}
	if (!path)
		return fail(p, "-acpitable needs file=");
	if (o->nr_acpi_tables == ACPI_USER_TABLES)
		return fail(p, "-acpitable can be given at most %d times", ACPI_USER_TABLES);
	o->acpi_table[o->nr_acpi_tables++] = path;
	return 0;
}
