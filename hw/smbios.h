/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The SMBIOS tables of the board: what dmidecode and kernel messages call the machine.
 */
#ifndef HW_SMBIOS_H
#define HW_SMBIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smbios_config {
	const char *product, *board; /* "Standard PC (...)", "pc" */
	bool firmware;               /* which describes itself: there is no type 0 */
	unsigned cpus;
	uint64_t low_ram, high_ram; /* bytes from address 0, and from 4 GiB */
	const char *cpu_brand;
	uint32_t cpu_signature; /* CPUID leaf 1 EAX */
};

/* Builds the entry point and the tables for address base, on a 16-byte boundary within F0000h-FFFFFh
 * where systems search for it. The number of bytes used, or -ENOSPC. */
#define SMBIOS_ENTRY_LEN  31
#define SMBIOS_ENTRY_ROOM 32 /* the tables follow the entry point at this offset */
long smbios_build(uint8_t *buf, size_t cap, uint64_t base, const struct smbios_config *cfg);

#endif
