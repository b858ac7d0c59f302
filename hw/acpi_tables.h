/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The ACPI tables of the board, built for one guest-physical address.
 */
#ifndef HW_ACPI_TABLES_H
#define HW_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_RSDP_LEN 36

struct acpi_config {
	unsigned cpus;
	uint32_t pci_mem_base, pci_mem_end; /* 32-bit window for BARs; end is exclusive */
	uint8_t uarts;                      /* bit n: COM(n+1) is there */
	bool pvpanic;
};

/* Builds all tables for address base (64-byte aligned, below 1 MiB for a searched RSDP, which
 * comes first). The number of bytes used, or -ENOSPC. */
long acpi_build(uint8_t *buf, size_t cap, uint64_t base, const struct acpi_config *cfg);

#endif
