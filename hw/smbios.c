/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * DMTF DSP0134, System Management BIOS reference specification 2.8: entry point (5.2.1), structures
 * (chapter 7). Only what the specification requires and what a virtual machine can say truthfully.
 */
#include "hw/smbios.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ENTRY_LEN = SMBIOS_ENTRY_LEN, ENTRY_ROOM = SMBIOS_ENTRY_ROOM };

/* Handles; the memory devices and ranges count up from theirs. */
enum {
	H_BIOS = 0x0000,
	H_SYSTEM = 0x0100,
	H_BOARD = 0x0200,
	H_CHASSIS = 0x0300,
	H_CPU = 0x0400,
	H_OEM = 0x0e00,
	H_ARRAY = 0x1000,
	H_DEVICE = 0x1100,
	H_RANGE = 0x1300,
	H_BOOT = 0x2000,
	H_END = 0x7f00,
};

struct out {
	uint8_t *buf;
	size_t len, cap;
	size_t max, at; /* largest structure; where the current one starts */
	unsigned count, strings;
	const char *string[SMBIOS_MAX_OEM]; /* of the current structure */
	bool overflow;
};

static void byte(struct out *o, unsigned v)
{
	if (o->len == o->cap)
		o->overflow = true;
	else
		o->buf[o->len++] = (uint8_t)v;
}

static void le(struct out *o, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		byte(o, (unsigned)(v >> (8 * i)) & 0xff);
}

static void begin(struct out *o, unsigned type, unsigned len, unsigned handle)
{
	o->at = o->len;
	o->strings = 0;
	byte(o, type);
	byte(o, len);
	le(o, handle, 2);
}

/* A field that is a string: its number among those that follow the fields; 0: none. */
static void text(struct out *o, const char *s)
{
	if (s && *s) {
		o->string[o->strings++] = s;
		byte(o, o->strings);
	} else {
		byte(o, 0);
	}
}

/* The same where the user may know better. */
static void own(struct out *o, const struct smbios_config *cfg, enum smbios_text which,
		const char *s)
{
	text(o, cfg->user->text[which] ? cfg->user->text[which] : s);
}

static void end(struct out *o)
{
	for (unsigned i = 0; i < o->strings; i++) {
		for (const char *s = o->string[i]; *s; s++)
			byte(o, (unsigned char)*s);
		byte(o, 0);
	}
	if (!o->strings)
		byte(o, 0);
	byte(o, 0);
	o->count++;
	if (o->len - o->at > o->max)
		o->max = o->len - o->at;
}

static void bios(struct out *o, const struct smbios_config *cfg)
{
	begin(o, 0, 24, H_BIOS);
	own(o, cfg, SMBIOS_BIOS_VENDOR, "doppel");
	own(o, cfg, SMBIOS_BIOS_VERSION, "direct boot");
	le(o, 0xe800, 2);
	/* Not later than 2014: Linux then takes RTC alarms from the RTC and HPET as we have them, not
	 * from ACPI's fixed event. */
	own(o, cfg, SMBIOS_BIOS_DATE, "04/01/2014");
	byte(o, 0);       /* 64 KiB of ROM */
	le(o, 0x8, 8);    /* characteristics are not supported */
	le(o, 0x1000, 2); /* a virtual machine */
	byte(o, 0);
	byte(o, 1);
	byte(o, 0xff); /* no embedded controller */
	byte(o, 0xff);
	end(o);
}

/* 7.2.1: the first three fields have the byte order of the processor. Zeros: there is none. */
void smbios_uuid_text(const struct smbios_user *user, char text[SMBIOS_UUID_TEXT])
{
	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", user->has_uuid ? user->uuid[i] : 0);
	}
}

static void uuid(struct out *o, const struct smbios_user *user)
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	for (unsigned i = 0; i < 16; i++)
		byte(o, user->has_uuid ? user->uuid[order[i]] : 0);
}

static void machine(struct out *o, const struct smbios_config *cfg)
{
	begin(o, 1, 27, H_SYSTEM);
	own(o, cfg, SMBIOS_MANUFACTURER, "doppel");
	own(o, cfg, SMBIOS_PRODUCT, cfg->product);
	own(o, cfg, SMBIOS_VERSION, cfg->board);
	own(o, cfg, SMBIOS_SERIAL, NULL);
	uuid(o, cfg->user);
	byte(o, 6); /* power switch */
	own(o, cfg, SMBIOS_SKU, NULL);
	own(o, cfg, SMBIOS_FAMILY, NULL);
	end(o);
}

/* The baseboard, of which there is nothing to say but what the user says. */
static void board(struct out *o, const struct smbios_config *cfg)
{
	const char *const *t = cfg->user->text;
	bool any = false;

	for (unsigned i = SMBIOS_BOARD_MANUFACTURER; i <= SMBIOS_BOARD_LOCATION; i++)
		any |= t[i] != NULL;
	if (!any)
		return;
	begin(o, 2, 15, H_BOARD);
	own(o, cfg, SMBIOS_BOARD_MANUFACTURER, "doppel");
	own(o, cfg, SMBIOS_BOARD_PRODUCT, cfg->product);
	own(o, cfg, SMBIOS_BOARD_VERSION, cfg->board);
	own(o, cfg, SMBIOS_BOARD_SERIAL, NULL);
	own(o, cfg, SMBIOS_BOARD_ASSET, NULL);
	byte(o, 1); /* hosting board */
	own(o, cfg, SMBIOS_BOARD_LOCATION, NULL);
	le(o, H_CHASSIS, 2);
	byte(o, 10); /* motherboard */
	byte(o, 0);
	end(o);
}

static void chassis(struct out *o, const struct smbios_config *cfg)
{
	begin(o, 3, 22, H_CHASSIS);
	own(o, cfg, SMBIOS_CHASSIS_MANUFACTURER, "doppel");
	byte(o, 1); /* other */
	own(o, cfg, SMBIOS_CHASSIS_VERSION, NULL);
	own(o, cfg, SMBIOS_CHASSIS_SERIAL, NULL);
	own(o, cfg, SMBIOS_CHASSIS_ASSET, NULL);
	byte(o, 3); /* states: safe */
	byte(o, 3);
	byte(o, 3);
	byte(o, 2); /* security: unknown */
	le(o, 0, 4);
	byte(o, 0);
	byte(o, 0);
	byte(o, 0);
	byte(o, 0);
	own(o, cfg, SMBIOS_CHASSIS_SKU, NULL);
	end(o);
}

static void oem(struct out *o, const struct smbios_user *user)
{
	if (!user->nr_oem)
		return;
	begin(o, 11, 5, H_OEM);
	byte(o, user->nr_oem);
	for (unsigned i = 0; i < user->nr_oem; i++)
		o->string[o->strings++] = user->oem[i];
	end(o);
}

/* One socket with all CPUs as its cores, as CPUID has it. */
static void processor(struct out *o, const struct smbios_config *cfg)
{
	begin(o, 4, 42, H_CPU);
	text(o, "CPU 0");
	byte(o, 3); /* central processor */
	byte(o, 1); /* family: other */
	text(o, "doppel");
	le(o, cfg->cpu_signature, 8);
	text(o, cfg->cpu_brand);
	byte(o, 0);
	le(o, 0, 6);      /* clock, maximum and current speed: unknown */
	byte(o, 0x41);    /* populated, enabled */
	byte(o, 1);       /* upgrade: other */
	le(o, 0xffff, 2); /* caches: not described */
	le(o, 0xffff, 2);
	le(o, 0xffff, 2);
	byte(o, 0);
	byte(o, 0);
	byte(o, 0);
	byte(o, cfg->cpus);
	byte(o, cfg->cpus);
	byte(o, cfg->cpus);
	le(o, 2, 2); /* characteristics: unknown */
	le(o, 1, 2); /* family, again */
	end(o);
}

/* Both ends of a range in the fields of type 19: KiB where they fit 32 bits, else bytes at the end of the
 * structure. */
static void range(struct out *o, unsigned n, uint64_t start, uint64_t size)
{
	uint64_t last = start + size - 1;
	bool wide = last >> 10 >= 0xffffffff;

	begin(o, 19, 31, H_RANGE + n);
	le(o, wide ? 0xffffffff : start >> 10, 4);
	le(o, wide ? 0xffffffff : last >> 10, 4);
	le(o, H_ARRAY, 2);
	byte(o, 1);
	le(o, wide ? start : 0, 8);
	le(o, wide ? last : 0, 8);
	end(o);
}

static void memory(struct out *o, const struct smbios_config *cfg)
{
	uint64_t size = cfg->low_ram + cfg->high_ram;
	bool wide = size >> 10 >= 0x80000000; /* KiB */
	uint64_t mib = size >> 20;

	begin(o, 16, 23, H_ARRAY);
	byte(o, 1); /* location: other */
	byte(o, 3); /* system memory */
	byte(o, 2); /* error correction: unknown */
	le(o, wide ? 0x80000000 : size >> 10, 4);
	le(o, 0xfffe, 2); /* no error information */
	le(o, 1, 2);
	le(o, wide ? size : 0, 8);
	end(o);

	begin(o, 17, 40, H_DEVICE);
	le(o, H_ARRAY, 2);
	le(o, 0xfffe, 2);
	le(o, 0xffff, 2); /* width: unknown */
	le(o, 0xffff, 2);
	le(o, mib < 0x7fff ? mib : 0x7fff, 2);
	byte(o, 9); /* DIMM */
	byte(o, 0);
	text(o, "DIMM 0");
	byte(o, 0);
	byte(o, 7);  /* RAM */
	le(o, 2, 2); /* other */
	le(o, 0, 2);
	text(o, "doppel");
	byte(o, 0);
	byte(o, 0);
	byte(o, 0);
	byte(o, 0);
	le(o, mib < 0x7fff ? 0 : mib, 4);
	le(o, 0, 2);
	le(o, 0, 6); /* voltages: unknown */
	end(o);

	range(o, 0, 0, cfg->low_ram);
	if (cfg->high_ram)
		range(o, 1, 1ull << 32, cfg->high_ram);
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static void entry_point(uint8_t *e, uint64_t base, const struct out *o)
{
	struct out w = {.buf = e, .cap = ENTRY_ROOM};

	le(&w, 0x5f4d535f, 4); /* _SM_ */
	byte(&w, 0);
	byte(&w, ENTRY_LEN);
	byte(&w, 2);
	byte(&w, 8);
	le(&w, o->max, 2);
	le(&w, 0, 6);
	le(&w, 0x494d445f, 4); /* _DMI_ */
	byte(&w, '_');
	byte(&w, 0);
	le(&w, o->len - ENTRY_ROOM, 2);
	le(&w, base + ENTRY_ROOM, 4);
	le(&w, o->count, 2);
	byte(&w, 0x28);
	e[0x15] = checksum(e + 0x10, 15);
	e[4] = checksum(e, ENTRY_LEN);
}

enum smbios_text smbios_text_find(unsigned type, const char *name)
{
	static const struct {
		unsigned type;
		const char *name;
	} texts[] = {
#define X(type, field, name) {type, name},
	    SMBIOS_TEXTS(X)
#undef X
	};
	unsigned n = 0;

	while (n < SMBIOS_NR_TEXTS && (texts[n].type != type || strcmp(texts[n].name, name) != 0))
		n++;
	return n;
}

long smbios_build(uint8_t *buf, size_t cap, uint64_t base, const struct smbios_config *cfg)
{
	struct out o = {.buf = buf, .len = ENTRY_ROOM, .cap = cap};

	if (cap < ENTRY_ROOM)
		return -ENOSPC;
	memset(buf, 0, ENTRY_ROOM);
	if (!cfg->firmware || cfg->user->bios)
		bios(&o, cfg);
	machine(&o, cfg);
	board(&o, cfg);
	chassis(&o, cfg);
	processor(&o, cfg);
	oem(&o, cfg->user);
	memory(&o, cfg);
	begin(&o, 32, 11, H_BOOT);
	le(&o, 0, 6);
	byte(&o, 0); /* no errors */
	end(&o);
	begin(&o, 127, 4, H_END);
	end(&o);
	if (o.overflow)
		return -ENOSPC;
	entry_point(buf, base, &o);
	return (long)o.len;
}
