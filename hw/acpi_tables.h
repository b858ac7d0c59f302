/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The ACPI tables of the boards. They are built for no address yet; acpi_link() puts them at one, and
 * acpi_loader() writes the script by which firmware does that itself (QEMU's "etc/table-loader").
 */
#ifndef HW_ACPI_TABLES_H
#define HW_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_RSDP_LEN 36
/* The FACS comes first. */
#define FACS_WAKING_VECTOR 12
#define ACPI_TABLES_MAX    0xa000
#define ACPI_TABLES_ALIGN  64 /* of where they are put */
#define ACPI_LOADER_MAX    0x2000

/* Tables of the user's, whole, with their headers; borrowed. */
#define ACPI_USER_TABLES 4
#define ACPI_USER_BYTES  0x2000 /* of all */

struct acpi_user {
	struct {
		const uint8_t *data;
		size_t len;
	} table[ACPI_USER_TABLES];
	unsigned nr;
};

struct acpi_config {
	struct acpi_user user;
	unsigned cpus;
	bool q35;                             /* else i440FX */
	uint16_t pm_base, gpe_base;           /* ports */
	uint8_t gpe_len;                      /* bytes */
	uint32_t pci_mem_base, pci_mem_end;   /* 32-bit window for BARs; end is exclusive */
	uint64_t pci_high_base, pci_high_end; /* above 4 GiB; equal: none */
	uint64_t ecam_base;                   /* 0: none */
	unsigned ecam_buses;
	uint8_t uarts;     /* bit n: COM(n+1) is there */
	uint8_t floppy[2]; /* the BIOS's types of the drives, 0: none */
	bool vga, pvpanic, hpet, s3, s4;
};

/* A place that holds the address of something: until linked, its offset in the tables. */
struct acpi_pointer {
	bool in_rsdp;
	uint32_t off;
	uint8_t size;
};

/* A byte that makes the sum of [start, start+len) zero. */
struct acpi_checksum {
	bool in_rsdp;
	uint32_t off, start, len;
};

struct acpi_tables {
	uint8_t data[ACPI_TABLES_MAX];
	size_t len;
	uint8_t rsdp[ACPI_RSDP_LEN];
	struct acpi_pointer pointer[40];
	unsigned nr_pointers;
	struct acpi_checksum checksum[16];
	unsigned nr_checksums;
	bool overflow;
	const uint8_t *oem; /* what a table of the user's asks the others to be called; or NULL */
};

/* NULL, or what is wrong with a table of the user's. */
const char *acpi_check_table(const uint8_t *data, size_t len);
/* 0, or -ENOSPC. */
int acpi_build(struct acpi_tables *t, const struct acpi_config *cfg);
/* Makes the tables ready for address base, a multiple of ACPI_TABLES_ALIGN. Once. */
void acpi_link(struct acpi_tables *t, uint64_t base);
/* The script, for tables that are not linked, in the files "etc/acpi/rsdp" and "etc/acpi/tables"; buf
 * has ACPI_LOADER_MAX bytes, zeros at the end do nothing. */
void acpi_loader(const struct acpi_tables *t, uint8_t *buf);

#endif
