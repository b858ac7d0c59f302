/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pci-testdev, as QEMU's docs/specs/pci-testdev.txt describes it: BAR 0 memory, BAR 1 ports, each
 * with tests that count the writes to one place. Bare-metal test suites time them.
 */
#ifndef HW_PCI_TESTDEV_H
#define HW_PCI_TESTDEV_H

#include "hw/device_type.h"
#include "hw/pci.h"

struct pci_testdev;

struct pci_testdev_side {
	struct pci_testdev *t;
	unsigned n; /* 0 memory, 1 ports */
};

struct pci_testdev {
	struct pci_func func;
	struct device state;
	struct pci_testdev_side side[2];
	uint8_t current; /* test under way, 0..5; 255 none */
	uint32_t count[6];
};

/* A function for the caller to put on a bus, and state for it to add to the machine. */
void pci_testdev_init(struct pci_testdev *t);
extern const struct device_type pci_testdev_type;

#endif
