/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A PCI Express root port (PCI Express Base Specification 4.0, 7.5.1.3 and 7.5.3): a bridge from the root
 * bus to a link with one device, in a slot that it may be plugged into and out of while the machine runs (6.7): with
 * an attention button, power, and indicators.
 */
#ifndef HW_PCIE_PORT_H
#define HW_PCIE_PORT_H

#include "hw/device_type.h"
#include "hw/loop.h"
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

	bool interrupt; /* an event waits for software */
	bool powered_off, asked;
	struct loop *loop;
	struct loop_job eject;
	void (*ejected)(void *opaque, struct pci_func *port);
	void *opaque;
};

/* The function, not on a bus yet. 0 or -ENOSPC. */
int pcie_port_init(struct pcie_port *p);

/* The port with that id; NULL: there is none. */
struct pci_func *pcie_port_find(const struct pci_bus *bus, const char *id);

/* What is behind the port from the start. */
void pcie_port_populate(struct pci_func *port);
/* A device was put behind it, or taken away, while the machine runs. */
void pcie_port_changed(struct pci_func *port);
/* Presses the attention button: the guest is to let go of the device. When it has taken the power off the slot,
 * ejected() is called, on the loop's thread. -EBUSY: that is under way. */
int pcie_port_ask(struct pci_func *port, struct loop *loop,
		  void (*ejected)(void *opaque, struct pci_func *port), void *opaque);

extern const struct device_type pcie_root_port_type;

#endif
