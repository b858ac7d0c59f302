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
	const struct pci_func *f;

	*base = UINT64_MAX;
	*end = 0;
	for (unsigned i = 0; (f = pci_func_from(bus, &i)); i++)
		for (unsigned n = 0; n < PCI_BARS; n++) {
			const struct pci_bar *b = &f->bar[n];

			if (!b->mapped || b->kind != PCI_BAR_MEM64 || b->at < 1ull << 32)
				continue;
			*base = b->at < *base ? b->at : *base;
			*end = b->at + b->size > *end ? b->at + b->size : *end;
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

/* The registers of a window [base, end), by units; closed where it is empty. */
static void set_window(struct pci_func *port, unsigned base_reg, unsigned limit_reg, unsigned shift,
		       uint64_t base, uint64_t end)
{
	bool empty = base >= end;

	pci_config_write(port, base_reg, empty ? 0xffff : (uint32_t)(base >> shift), shift / 8);
	pci_config_write(port, limit_reg, empty ? 0 : (uint32_t)((end - 1) >> shift), shift / 8);
}

static uint64_t round_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) & ~(unit - 1);
}

/* A port's windows are all that its device gets, in whole units. */
static void assign_behind(struct pci_func *port, struct windows *w)
{
	enum { MEM_UNIT = 0x100000, IO_UNIT = 0x1000 };
	uint64_t mem = w->mem = round_up(w->mem, MEM_UNIT);
	uint64_t io = w->io = round_up(w->io, IO_UNIT);

	pci_config_write(port, BRIDGE_SECONDARY, ++w->number, 1);
	pci_config_write(port, BRIDGE_SUBORDINATE, w->number, 1);
	for (unsigned i = 0; i < PCI_LINK_FUNCS; i++)
		if (port->behind[i])
			assign(port->behind[i], w);
	w->mem = round_up(w->mem, MEM_UNIT);
	w->io = round_up(w->io, IO_UNIT);
	set_window(port, BRIDGE_MEM_BASE, BRIDGE_MEM_LIMIT, 16, mem, w->mem);
	set_window(port, BRIDGE_IO_BASE, BRIDGE_IO_LIMIT, 8, io, w->io);
	set_window(port, BRIDGE_PREF_BASE, BRIDGE_PREF_LIMIT, 16, 0, 0);
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
