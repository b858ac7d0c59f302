/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A PCI Express root port (PCI Express Base Specification 4.0, 7.5.1.3 and 7.5.3): a bridge from the root
 * bus to a link with one device.
 */
#ifndef HW_PCIE_PORT_H
#define HW_PCIE_PORT_H

#include "hw/device_type.h"
#include "hw/pci.h"

/* In the header of a bridge (PCI-to-PCI Bridge Architecture Specification 1.2, 3.2). */
enum {
	BRIDGE_PRIMARY = 0x18,
	BRIDGE_SECONDARY = 0x19,
	BRIDGE_SUBORDINATE = 0x1a,
	BRIDGE_IO_BASE = 0x1c,
	BRIDGE_IO_LIMIT = 0x1d,
	BRIDGE_MEM_BASE = 0x20,
	BRIDGE_MEM_LIMIT = 0x22,
	BRIDGE_PREF_BASE = 0x24,
	BRIDGE_PREF_LIMIT = 0x26,
	BRIDGE_PREF_BASE_HIGH = 0x28,
	BRIDGE_PREF_LIMIT_HIGH = 0x2c,
	BRIDGE_CONTROL = 0x3e,
};

struct pcie_port {
	struct pci_func func;
	char id[64]; /* that -device gives to what goes behind it */
	struct pci_func *behind[PCI_LINK_FUNCS];
};

/* The function, not on a bus yet. 0 or -ENOSPC. */
int pcie_port_init(struct pcie_port *p);

/* The port with that id; NULL: there is none. */
struct pci_func *pcie_port_find(const struct pci_bus *bus, const char *id);

extern const struct device_type pcie_root_port_type;

#endif
