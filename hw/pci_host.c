/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How software reaches configuration space: mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2), and the memory of
 * PCI Express (Base Specification 3.0, 7.2.2).
 */
#include <string.h>

#include "hw/pci.h"
#include "hw/pcie_port.h"
#include "hw/reset_port.h"

#define CF8_ENABLE 0x80000000u

static const struct field bus_fields[] = {
    FIELD(pci_bus, address, 0),
    FIELD_END,
};

/* A function by the numbers that software uses; those of buses are in the ports' headers. */
static struct pci_func *find_func(const struct pci_bus *bus, unsigned number, unsigned devfn)
{
	if (number == 0)
		return bus->func[devfn];
	for (unsigned i = 0; i < 256; i++) {
		const struct pci_func *f = bus->func[i];

		if (f && f->behind && f->config[BRIDGE_SECONDARY] == number)
			return devfn < PCI_LINK_FUNCS ? f->behind[devfn] : NULL;
	}
	return NULL;
}

static struct pci_func *addressed(const struct pci_bus *bus)
{
	if (!(bus->address & CF8_ENABLE))
		return NULL;
	return find_func(bus, bus->address >> 16 & 0xff, bus->address >> 8 & 0xff);
}

static uint64_t address_read(void *dev, uint64_t off, unsigned size)
{
	struct pci_bus *bus = dev;

	if (off == 1 && size == 1 && bus->reset)
		return reset_port_read(bus->reset);
	return bus->address >> (8 * off);
}

static void address_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *bus = dev;

	/* Only a full dword is the address register; CF9h alone is the reset register. */
	if (off == 0 && size == 4)
		bus->address = (uint32_t)val & ~0x7f000003u;
	else if (off == 1 && size == 1 && bus->reset)
		reset_port_write(bus->reset, (uint8_t)val);
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
	struct pci_bus *bus = dev;
	struct pci_func *f = addressed(bus);

	return f ? pci_config_read(f, (bus->address & 0xfc) + (unsigned)off, size) : ~0ull;
}

static void data_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *bus = dev;
	struct pci_func *f = addressed(bus);

	if (f)
		pci_config_write(f, (bus->address & 0xfc) + (unsigned)off, (uint32_t)val, size);
}

static uint64_t ecam_read(void *dev, uint64_t off, unsigned size)
{
	const struct pci_bus *bus = dev;
	struct pci_func *f = find_func(bus, (unsigned)(off >> 20), off >> 12 & 0xff);

	return f ? pci_config_read(f, (unsigned)off & 0xfff, size) : ~0ull;
}

static void ecam_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *bus = dev;
	struct pci_func *f = find_func(bus, (unsigned)(off >> 20), off >> 12 & 0xff);

	if (f)
		pci_config_write(f, (unsigned)off & 0xfff, (uint32_t)val, size);
}

const struct mmio_ops pci_ecam_ops = {ecam_read, ecam_write, 1, 4};

static const struct mmio_ops address_ops = {address_read, address_write, 1, 4};
static const struct mmio_ops data_ops = {data_read, data_write, 1, 4};

int pci_bus_init(struct pci_bus *bus, struct aspace *mem, struct aspace *io,
		 struct reset_port *reset)
{
	int r;

	memset(bus, 0, sizeof(*bus));
	device_init(&bus->dev, "pci", bus_fields, bus);
	bus->mem = mem;
	bus->io = io;
	bus->reset = reset;
	r = aspace_map_dev(io, "pci-address", 0xcf8, 4, &address_ops, bus);
	if (r < 0)
		return r;
	return aspace_map_dev(io, "pci-data", 0xcfc, 4, &data_ops, bus);
}
