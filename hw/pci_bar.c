/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI Local Bus Specification 3.0, 6.2.5: a function's BARs and its option ROM, and which of all BARs of a bus
 * decode where.
 */
#include <errno.h>
#include <string.h>

#include "hw/pci.h"
#include "hw/pcie_port.h"

#define MEM_FLOOR  0x100000u /* memory BARs below it never answer */
#define ROM_ENABLE 1u
#define NR_BARS    (PCI_BARS + 1u)

static unsigned bar_reg(unsigned n)
{
	return n == PCI_BAR_ROM ? PCI_ROM : PCI_BAR0 + n * 4;
}

/* A window of a bridge's header, whose registers have their unit's upper bits. */
static bool in_window(uint64_t base, uint64_t limit, uint64_t unit, uint64_t at, uint64_t size)
{
	return base <= limit && at >= base && at <= limit + unit - 1 && size <= limit + unit - at;
}

static bool forwards(const struct pci_func *port, enum pci_bar_kind kind, uint64_t at,
		     uint64_t size)
{
	const uint8_t *c = port->config;
	uint16_t cmd = pci_get16(c + PCI_COMMAND);
	uint64_t base, limit;

	if (kind == PCI_BAR_IO)
		return (cmd & PCI_CMD_IO) &&
		       in_window((c[BRIDGE_IO_BASE] & 0xf0u) << 8,
				 (c[BRIDGE_IO_LIMIT] & 0xf0u) << 8, 0x1000, at, size);
	if (!(cmd & PCI_CMD_MEM))
		return false;
	base = (pci_get16(c + BRIDGE_MEM_BASE) & 0xfff0u) << 16;
	limit = (pci_get16(c + BRIDGE_MEM_LIMIT) & 0xfff0u) << 16;
	if (in_window(base, limit, 0x100000, at, size))
		return true;
	base = (pci_get16(c + BRIDGE_PREF_BASE) & 0xfff0u) << 16 |
	       (uint64_t)pci_get32(c + BRIDGE_PREF_BASE_HIGH) << 32;
	limit = (pci_get16(c + BRIDGE_PREF_LIMIT) & 0xfff0u) << 16 |
		(uint64_t)pci_get32(c + BRIDGE_PREF_LIMIT_HIGH) << 32;
	return in_window(base, limit, 0x100000, at, size);
}

/* Where the BAR would decode if nothing were before it, or false when it does not. */
static bool own_address(const struct pci_func *f, unsigned n, uint64_t *addr)
{
	const struct pci_bar *b = &f->bar[n];
	uint16_t cmd = pci_get16(f->config + PCI_COMMAND);
	uint32_t lo = pci_get32(f->config + bar_reg(n));

	switch (b->kind) {
	case PCI_BAR_NONE:
		return false;
	case PCI_BAR_IO:
		*addr = lo & ~3u & ~(b->size - 1);
		return (cmd & PCI_CMD_IO) && *addr && *addr + b->size <= 0x10000;
	case PCI_BAR_MEM32:
		if (n == PCI_BAR_ROM && !(lo & ROM_ENABLE))
			return false;
		*addr = lo & ~15u & ~(b->size - 1);
		/* A BAR that still holds its sizing pattern ends at 4 GiB. */
		return (cmd & PCI_CMD_MEM) && *addr >= MEM_FLOOR && *addr + b->size < 1ull << 32;
	case PCI_BAR_MEM64:
		*addr = (lo & ~15u & ~(b->size - 1)) |
			(uint64_t)pci_get32(f->config + bar_reg(n) + 4) << 32;
		return (cmd & PCI_CMD_MEM) && *addr >= MEM_FLOOR && *addr < f->bus->mem->limit &&
		       b->size <= f->bus->mem->limit - *addr && *addr + b->size != 1ull << 32;
	}
	return false;
}

/* Where the BAR decodes now, or false when it does not. */
static bool bar_address(const struct pci_func *f, unsigned n, uint64_t *addr)
{
	return own_address(f, n, addr) &&
	       (!f->port || forwards(f->port, f->bar[n].kind, *addr, f->bar[n].size));
}

static struct aspace *bar_space(const struct pci_func *f, unsigned n)
{
	return f->bar[n].kind == PCI_BAR_IO ? f->bus->io : f->bus->mem;
}

static void bar_unmap(struct pci_func *f, unsigned n)
{
	aspace_unmap(bar_space(f, n), f->bar[n].at);
	f->bar[n].mapped = false;
}

static void bar_map(struct pci_func *f, unsigned n, uint64_t at)
{
	struct aspace *as = bar_space(f, n);
	struct pci_bar *b = &f->bar[n];
	int r;

	if (b->ops)
		r = aspace_map_dev(as, b->name, at, b->size, b->ops, b->opaque);
	else if (n == PCI_BAR_ROM)
		r = aspace_map_rom(as, b->name, at, b->size, b->ram, 0);
	else
		r = aspace_map_ram(as, b->name, at, b->size, b->ram, 0);
	if (r == 0) {
		b->mapped = true;
		b->at = at;
	}
}

void pci_func_unmap(struct pci_func *f)
{
	for (unsigned n = 0; n < NR_BARS; n++)
		if (f->bar[n].mapped)
			bar_unmap(f, n);
}

/* Unmaps every BAR of the space that is in [base, base+size) and comes after `first` in priority: the
 * function's number * NR_BARS + BAR. */
static void unmap_overlapping(struct pci_bus *bus, const struct aspace *as, unsigned first,
			      uint64_t base, uint64_t size)
{
	struct pci_func *f;

	for (unsigned i = first / NR_BARS; (f = pci_func_from(bus, &i)); i++)
		for (unsigned n = 0; n < NR_BARS; n++)
			if (i * NR_BARS + n >= first && f->bar[n].mapped && bar_space(f, n) == as &&
			    f->bar[n].at < base + size && base < f->bar[n].at + f->bar[n].size)
				bar_unmap(f, n);
}

static void unmap_moved(struct pci_func *f)
{
	uint64_t at;

	for (unsigned n = 0; n < NR_BARS; n++)
		if (f->bar[n].mapped && (!bar_address(f, n, &at) || at != f->bar[n].at))
			bar_unmap(f, n);
}

/* Maps what decodes, by priority; a BAR that is where it belongs already stays mapped meanwhile. */
void pci_bus_remap(struct pci_bus *bus)
{
	struct pci_func *f;
	uint64_t at;

	for (unsigned i = 0; (f = pci_func_from(bus, &i)); i++)
		unmap_moved(f);
	for (unsigned i = 0; (f = pci_func_from(bus, &i)); i++)
		for (unsigned n = 0; n < NR_BARS; n++) {
			if (f->bar[n].mapped || !bar_address(f, n, &at))
				continue;
			unmap_overlapping(bus, bar_space(f, n), i * NR_BARS + n + 1, at,
					  f->bar[n].size);
			bar_map(f, n, at);
		}
}

void pci_bus_yield(struct pci_bus *bus, uint64_t base, uint64_t size)
{
	unmap_overlapping(bus, bus->mem, 0, base, size);
}

/* The registers of a BAR, and the command bit that it needs. */
static void bar_registers(struct pci_func *f, unsigned n)
{
	uint8_t *start = f->start + bar_reg(n), *mask = f->wmask + bar_reg(n);
	const struct pci_bar *b = &f->bar[n];
	uint32_t low = n == PCI_BAR_ROM ? 0x7feu : b->kind == PCI_BAR_IO ? 3u : 15u;

	pci_set32(mask, (uint32_t) ~(b->size - 1) & ~low);
	if (n == PCI_BAR_ROM)
		mask[0] |= ROM_ENABLE;
	if (b->kind == PCI_BAR_IO) {
		start[0] = 1;
		f->wmask[PCI_COMMAND] |= PCI_CMD_IO;
	} else {
		f->wmask[PCI_COMMAND] |= PCI_CMD_MEM;
	}
	if (b->kind == PCI_BAR_MEM64) {
		start[0] = 4;
		pci_set32(mask + 4, (uint32_t)(~(b->size - 1) >> 32));
	}
}

void pci_func_bar(struct pci_func *f, unsigned n, enum pci_bar_kind kind, uint64_t size,
		  const struct mmio_ops *ops, void *opaque, const char *name)
{
	f->bar[n] = (struct pci_bar){
	    .kind = kind,
	    .size = size,
	    .ops = ops,
	    .opaque = opaque,
	    .name = name,
	};
	bar_registers(f, n);
}

void pci_func_bar_ram(struct pci_func *f, unsigned n, enum pci_bar_kind kind, struct ram *ram,
		      const char *name)
{
	f->bar[n] = (struct pci_bar){.kind = kind, .size = ram->size, .ram = ram, .name = name};
	bar_registers(f, n);
}

int pci_func_rom(struct pci_func *f, const void *data, size_t len)
{
	size_t size = PAGE_SIZE;
	int r;

	while (size < len && size < 16u << 20)
		size *= 2;
	if (!len || len > size)
		return -EINVAL;
	r = ram_init(&f->rom, "option-rom", size);
	if (r < 0)
		return r;
	memcpy(f->rom.host, data, len);
	f->bar[PCI_BAR_ROM] = (struct pci_bar){
	    .kind = PCI_BAR_MEM32, .size = size, .ram = &f->rom, .name = "option-rom"};
	bar_registers(f, PCI_BAR_ROM);
	return 0;
}

void pci_func_fini(struct pci_func *f)
{
	ram_fini(&f->rom);
}
