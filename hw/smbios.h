/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The SMBIOS tables of the board: what dmidecode and kernel messages call the machine.
 */
#ifndef HW_SMBIOS_H
#define HW_SMBIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the user may say of the machine: structure type, field, and QEMU's name of it. */
#define SMBIOS_TEXTS(X)                                                                            \
	X(0, BIOS_VENDOR, "vendor")                                                                \
	X(0, BIOS_VERSION, "version")                                                              \
	X(0, BIOS_DATE, "date")                                                                    \
	X(1, MANUFACTURER, "manufacturer")                                                         \
	X(1, PRODUCT, "product")                                                                   \
	X(1, VERSION, "version")                                                                   \
	X(1, SERIAL, "serial")                                                                     \
	X(1, SKU, "sku")                                                                           \
	X(1, FAMILY, "family")                                                                     \
	X(2, BOARD_MANUFACTURER, "manufacturer")                                                   \
	X(2, BOARD_PRODUCT, "product")                                                             \
	X(2, BOARD_VERSION, "version")                                                             \
	X(2, BOARD_SERIAL, "serial")                                                               \
	X(2, BOARD_ASSET, "asset")                                                                 \
	X(2, BOARD_LOCATION, "location")                                                           \
	X(3, CHASSIS_MANUFACTURER, "manufacturer")                                                 \
	X(3, CHASSIS_VERSION, "version")                                                           \
	X(3, CHASSIS_SERIAL, "serial")                                                             \
	X(3, CHASSIS_ASSET, "asset")                                                               \
	X(3, CHASSIS_SKU, "sku")

enum smbios_text {
#define X(type, field, name) SMBIOS_##field,
	SMBIOS_TEXTS(X)
#undef X
	    SMBIOS_NR_TEXTS
};

#define SMBIOS_MAX_OEM 32

struct smbios_user {
	const char *text[SMBIOS_NR_TEXTS]; /* NULL: the board's own, or none */
	const char *oem[SMBIOS_MAX_OEM];   /* strings of type 11 */
	unsigned nr_oem;
	bool bios; /* a structure of type 0 also where firmware has its own */
	bool has_uuid;
	uint8_t uuid[16]; /* as it is written */
};

/* The field of that name in structures of that type; SMBIOS_NR_TEXTS: there is none. */
enum smbios_text smbios_text_find(unsigned type, const char *name);

/* The UUID as it is written; zeroes where the user gave none. */
#define SMBIOS_UUID_TEXT 37
void smbios_uuid_text(const struct smbios_user *user, char text[SMBIOS_UUID_TEXT]);

struct smbios_config {
	const struct smbios_user *user;
	const char *product, *board; /* "Standard PC (...)", "pc" */
	bool firmware;               /* which describes itself: there is no type 0 */
	unsigned cpus;
	uint64_t low_ram, high_ram; /* bytes from address 0, and from 4 GiB */
	const char *cpu_brand;
	uint32_t cpu_signature; /* CPUID leaf 1 EAX */
};

/* Builds the entry point and the tables for address base, on a 16-byte boundary within F0000h-FFFFFh
 * where systems search for it. The number of bytes used, or -ENOSPC. cfg->user is not NULL. */
#define SMBIOS_ENTRY_LEN  31
#define SMBIOS_ENTRY_ROOM 32 /* the tables follow the entry point at this offset */
long smbios_build(uint8_t *buf, size_t cap, uint64_t base, const struct smbios_config *cfg);

#endif
