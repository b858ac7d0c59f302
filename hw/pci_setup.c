/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What firmware does with a PCI bus (numbers, addresses and interrupts for what is there), for boots
 * without one; and what it is told of the bus.
 */
#include <stdio.h>
#include <string.h>

#include "hw/pcie_port.h"

void pci_path(const struct pci_func *f, const char *name, char *out, size_t len)
{
	unsigned fn = f->devfn & 7;
	size_t n = 0;

	if (len)
		out[0] = 0;
	if (f->port) {
		pci_path(f->port, "pci-bridge", out, len);
		n = strlen(out);
		n += (size_t)snprintf(out + n, len - n, "/");
	}
	if (n >= len)
		return;
	if (fn)
		snprintf(out + n, len - n, "%s@%x,%x", name, f->devfn >> 3, fn);
	else
		snprintf(out + n, len - n, "%s@%x", name, f->devfn >> 3);
}

void pci_bus_high_window(const struct pci_bus *bus, uint64_t *base, uint64_t *end)
{
	const uint64_t gib = 1ull << 30;

	*base = UINT64_MAX;
	*end = 0;
	for (unsigned i = 0; i < PCI_FUNCS; i++) {
		const struct pci_func *f = pci_func_at(bus, i);

		for (unsigned n = 0; f && n < PCI_BARS; n++) {
			const struct pci_bar *b = &f->bar[n];

			if (!b->mapped || b->kind != PCI_BAR_MEM64 || b->at < 1ull << 32)
				continue;
			*base = b->at < *base ? b->at : *base;
			*end = b->at + b->size > *end ? b->at + b->size : *end;
		}
	}
	*base = *end ? *base & ~(gib - 1) : 0;
	*end = (*end + gib - 1) & ~(gib - 1);
}

static uint64_t bump(uint64_t *next, uint64_t end, uint64_t size, uint64_t min_align)
{
	uint64_t align = size > min_align ? size : min_align;
	uint64_t a = (*next + align - 1) & ~(align - 1);

	if (a >= end || size > end - a)
		return 0;
	*next = a + size;
	return a;
}

/* What is left to give away. */
struct windows {
	uint64_t mem, mem_end, io, io_end;
	uint8_t number; /* of the last bus */
	const uint8_t *irq;
};

static void assign(struct pci_func *f, struct windows *w)
{
	uint32_t cmd = pci_config_read(f, PCI_COMMAND, 2);

	for (unsigned n = 0; n < PCI_BARS; n++) {
		struct pci_bar *b = &f->bar[n];
		uint64_t a;

		if (b->kind == PCI_BAR_NONE)
			continue;
		if (b->kind == PCI_BAR_IO)
			a = bump(&w->io, w->io_end, b->size, 4);
		else
			a = bump(&w->mem, w->mem_end, b->size, 4096);
		if (!a)
			continue;
		pci_config_write(f, PCI_BAR0 + n * 4, (uint32_t)a, 4);
		cmd |= b->kind == PCI_BAR_IO ? PCI_CMD_IO : PCI_CMD_MEM;
	}
	pci_config_write(f, PCI_COMMAND, cmd, 2);
	if (f->config[PCI_INT_PIN])
		pci_config_write(f, PCI_INT_LINE, w->irq[pci_func_line(f) & 3], 1);
}

/* A port's windows are all that its device gets, in whole units; closed where it gets nothing. */
static void assign_behind(struct pci_func *port, struct windows *w)
{
	const uint64_t mem_unit = 0x100000, io_unit = 0x1000;
	uint64_t mem = w->mem = (w->mem + mem_unit - 1) & ~(mem_unit - 1);
	uint64_t io = w->io = (w->io + io_unit - 1) & ~(io_unit - 1);

	pci_config_write(port, BRIDGE_SECONDARY, ++w->number, 1);
	pci_config_write(port, BRIDGE_SUBORDINATE, w->number, 1);
	for (unsigned i = 0; i < PCI_LINK_FUNCS; i++)
		if (port->behind[i])
			assign(port->behind[i], w);
	w->mem = (w->mem + mem_unit - 1) & ~(mem_unit - 1);
	w->io = (w->io + io_unit - 1) & ~(io_unit - 1);
	pci_config_write(port, BRIDGE_MEM_BASE, (uint32_t)(mem >> 16), 2);
	pci_config_write(port, BRIDGE_MEM_LIMIT, (uint32_t)((w->mem - mem_unit) >> 16), 2);
	pci_config_write(port, BRIDGE_IO_BASE, (uint32_t)(io >> 8), 1);
	pci_config_write(port, BRIDGE_IO_LIMIT, (uint32_t)((w->io - io_unit) >> 8), 1);
	pci_config_write(port, BRIDGE_PREF_BASE, 0xfff0, 2);
	pci_config_write(port, BRIDGE_PREF_LIMIT, 0, 2);
	pci_config_write(port, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
}

void pci_bus_assign(struct pci_bus *bus, uint64_t mem_base, uint64_t mem_end, uint64_t io_base,
		    uint64_t io_end, const uint8_t irq[4])
{
	struct windows w = {mem_base, mem_end, io_base, io_end, 0, irq};

	for (unsigned i = 0; i < 256; i++) {
		struct pci_func *f = bus->func[i];

		if (!f)
			continue;
		assign(f, &w);
		if (f->behind)
			assign_behind(f, &w);
	}
}
