/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The DSDT: the devices of a board that no bus enumerates, and how interrupts are routed.
 */
#ifndef HW_ACPI_DSDT_H
#define HW_ACPI_DSDT_H

#include "hw/acpi_tables.h"
#include "hw/aml.h"

/* Appends the definition block, without its table header. */
void acpi_dsdt(struct aml *a, const struct acpi_config *cfg);

#endif
