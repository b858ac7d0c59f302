/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Devices on PCI: to find them, and to be interrupted by them (PCI Local Bus 3.0, 3.2.2.3.2 and 6.1).
 */
#include "roms/bench/kernel.h"

enum { PCI_COMMAND = 4, PCI_INTERRUPT = 0x3c, PCI_DEVICES = 32 };
enum { COMMAND_IO = 1, COMMAND_MEMORY = 2, COMMAND_MASTER = 4 };
enum { MAX_DEVICES = 4 };

static bool (*devices[MAX_DEVICES])(void), (*at_work)(void);
static unsigned nr_devices;

uint32_t pci_read(unsigned dev, unsigned reg)
{
	outl(0xcf8, 0x80000000u | dev << 11 | reg);
	return inl(0xcfc);
}

static void pci_write(unsigned dev, unsigned reg, uint32_t v)
{
	outl(0xcf8, 0x80000000u | dev << 11 | reg);
	outl(0xcfc, v);
}

/* Level-triggered, to the first CPU. */
static void route(unsigned pin)
{
	mmio_write(IOAPIC, 0x11 + 2 * pin);
	mmio_write(IOAPIC + 0x10, 0);
	mmio_write(IOAPIC, 0x10 + 2 * pin);
	mmio_write(IOAPIC + 0x10, 1u << 15 | VECTOR_DEVICE);
}

int pci_start(uint32_t id)
{
	for (unsigned dev = 0; dev < PCI_DEVICES; dev++) {
		if (pci_read(dev, 0) != id)
			continue;
		pci_write(dev, PCI_COMMAND,
			  (pci_read(dev, PCI_COMMAND) & 0xffff) | COMMAND_IO | COMMAND_MEMORY |
			      COMMAND_MASTER);
		route(pci_read(dev, PCI_INTERRUPT) & 0xff);
		return (int)dev;
	}
	return -1;
}

void device_works(bool (*take_interrupt)(void))
{
	unsigned n = 0;

	while (n < nr_devices && devices[n] != take_interrupt)
		n++;
	if (n == nr_devices && n < MAX_DEVICES)
		devices[nr_devices++] = take_interrupt;
	at_work = take_interrupt;
}

void on_device(void)
{
	/* Or one whose work ended before its interrupt came. */
	if (!at_work())
		for (unsigned n = 0; n < nr_devices; n++)
			devices[n]();
	kernel.interrupts++;
	mmio_write(LAPIC + LAPIC_EOI, 0);
}
