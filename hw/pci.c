/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI Local Bus Specification 3.0: configuration mechanism #1, the type 0 header, BARs and INTx.
 */
#include "hw/pci.h"

#include <errno.h>
#include <string.h>

#include "hw/reset_port.h"

#define BUS_DEVFN(addr) ((addr) >> 8 & 0xffff)
#define CF8_ENABLE      0x80000000u

static const struct field func_fields[] = {
    FIELD_ARRAY_NORESET(pci_func, config),
    FIELD_NORESET(pci_func, intx),
    FIELD_END,
};

static const struct field bus_fields[] = {
    FIELD(pci_bus, address, 0),
    FIELD_END,
};

/* Where the BAR decodes now, or false when it does not. */
static bool bar_address(const struct pci_func *f, unsigned n, uint64_t *addr)
{
	const struct pci_bar *b = &f->bar[n];
	uint16_t cmd = (uint16_t)(f->config[PCI_COMMAND] | f->config[PCI_COMMAND + 1] << 8);
	uint32_t lo = pci_config_read(f, PCI_BAR0 + n * 4, 4);

	switch (b->kind) {
	case PCI_BAR_NONE:
		return false;
	case PCI_BAR_IO:
		*addr = lo & ~3u & ~(b->size - 1);
		return (cmd & PCI_CMD_IO) && *addr && *addr + b->size <= 0x10000;
	case PCI_BAR_MEM32:
		*addr = lo & ~15u & ~(b->size - 1);
		/* A BAR that still holds its sizing pattern ends at 4 GiB. */
		return (cmd & PCI_CMD_MEM) && *addr && *addr + b->size < 1ull << 32;
	case PCI_BAR_MEM64:
		*addr = (lo & ~15u & ~(b->size - 1)) |
			(uint64_t)pci_config_read(f, PCI_BAR0 + n * 4 + 4, 4) << 32;
		return (cmd & PCI_CMD_MEM) && *addr && *addr < f->bus->mem->limit &&
		       b->size <= f->bus->mem->limit - *addr;
	}
	return false;
}

static struct aspace *bar_space(const struct pci_func *f, unsigned n)
{
	return f->bar[n].kind == PCI_BAR_IO ? f->bus->io : f->bus->mem;
}

static void unmap_stale(struct pci_func *f)
{
	for (unsigned n = 0; n < PCI_BARS; n++) {
		struct pci_bar *b = &f->bar[n];
		uint64_t at;

		if (b->mapped && (!bar_address(f, n, &at) || at != b->at)) {
			aspace_unmap(bar_space(f, n), b->at);
			b->mapped = false;
		}
	}
}

static int map_bar(struct pci_func *f, const struct pci_bar *b, unsigned n, uint64_t at)
{
	if (b->ram)
		return aspace_map_ram(f->bus->mem, b->name, at, b->size, b->ram, 0);
	return aspace_map_dev(bar_space(f, n), b->name, at, b->size, b->ops, b->opaque);
}

static void map_new(struct pci_func *f)
{
	for (unsigned n = 0; n < PCI_BARS; n++) {
		struct pci_bar *b = &f->bar[n];
		uint64_t at;

		if (b->mapped || !bar_address(f, n, &at))
			continue;
		/* On top of something else it does not answer; it gets another chance at the
		 * next change. */
		if (map_bar(f, b, n, at) == 0) {
			b->mapped = true;
			b->at = at;
		}
	}
}

static void remap(struct pci_func *f)
{
	unmap_stale(f);
	for (unsigned i = 0; i < 256; i++)
		if (f->bus->func[i])
			map_new(f->bus->func[i]);
}

static void update_intx(struct pci_func *f)
{
	bool off = f->config[PCI_COMMAND + 1] & PCI_CMD_INTX_OFF >> 8;
	uint8_t out = f->intx && !off;
	int line;

	if (f->intx)
		f->config[PCI_STATUS] |= PCI_STATUS_INTX;
	else
		f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
	if (out == f->intx_out || !f->config[PCI_INT_PIN])
		return;
	f->intx_out = out;
	line = pci_intx_line(f->devfn, f->config[PCI_INT_PIN]);
	f->bus->level[line] = (uint8_t)(f->bus->level[line] + (out ? 1 : -1));
	if (f->bus->line)
		f->bus->line(f->bus->opaque, line, f->bus->level[line] != 0);
}

void pci_set_intx(struct pci_func *f, int level)
{
	f->intx = level != 0;
	update_intx(f);
}

uint32_t pci_config_read(const struct pci_func *f, unsigned off, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size && off + i < 256; i++)
		v |= (uint32_t)f->config[off + i] << (8 * i);
	return v;
}

void pci_config_write(struct pci_func *f, unsigned off, uint32_t val, unsigned size)
{
	for (unsigned i = 0; i < size && off + i < 256; i++) {
		unsigned o = off + i;
		uint8_t b = (uint8_t)(val >> (8 * i));

		f->config[o] = (uint8_t)((f->config[o] & ~f->wmask[o]) | (b & f->wmask[o]));
		f->config[o] &= (uint8_t) ~(b & f->w1c[o]);
	}
	if (off < PCI_COMMAND + 2 && off + size > PCI_COMMAND)
		update_intx(f);
	if (off < PCI_BAR0 + 4 * PCI_BARS && off + size > PCI_COMMAND)
		remap(f);
	if (f->config_changed)
		f->config_changed(f, off, size);
}

static void func_reset_done(void *state)
{
	struct pci_func *f = state;

	memcpy(f->config, f->start, sizeof(f->config));
	f->intx = 0;
	if (f->bus) {
		update_intx(f);
		remap(f);
	}
	if (f->config_changed)
		f->config_changed(f, 0, 256);
}

static void func_loaded(void *state)
{
	struct pci_func *f = state;

	update_intx(f);
	remap(f);
	if (f->config_changed)
		f->config_changed(f, 0, 256);
}

void pci_func_init(struct pci_func *f, const char *name, uint16_t vendor, uint16_t device,
		   uint16_t class_code, uint8_t pin)
{
	memset(f, 0, sizeof(*f));
	device_init(&f->dev, name, func_fields, f);
	f->dev.reset_done = func_reset_done;
	f->dev.loaded = func_loaded;
	pci_set16(f->start + PCI_VENDOR, vendor);
	pci_set16(f->start + PCI_DEVICE, device);
	pci_set16(f->start + PCI_CLASS, class_code);
	f->start[PCI_INT_PIN] = pin;
	pci_set16(f->wmask + PCI_COMMAND, PCI_CMD_MASTER | PCI_CMD_INTX_OFF | 1u << 6 | 1u << 8);
	f->wmask[PCI_INT_LINE] = 0xff;
	f->wmask[0x0c] = 0xff; /* cache line size */
	pci_set16(f->w1c + PCI_STATUS, 0xf900);
}

void pci_func_bar(struct pci_func *f, unsigned n, enum pci_bar_kind kind, uint64_t size,
		  const struct mmio_ops *ops, void *opaque, const char *name)
{
	uint8_t *start = f->start + PCI_BAR0 + n * 4, *mask = f->wmask + PCI_BAR0 + n * 4;

	f->bar[n] = (struct pci_bar){
	    .kind = kind,
	    .size = size,
	    .ops = ops,
	    .opaque = opaque,
	    .name = name,
	};
	pci_set32(mask, (uint32_t) ~(size - 1) & (kind == PCI_BAR_IO ? ~3u : ~15u));
	if (kind == PCI_BAR_IO) {
		start[0] = 1;
		f->wmask[PCI_COMMAND] |= PCI_CMD_IO;
	} else {
		f->wmask[PCI_COMMAND] |= PCI_CMD_MEM;
	}
	if (kind == PCI_BAR_MEM64) {
		start[0] = 4;
		pci_set32(mask + 4, (uint32_t)(~(size - 1) >> 32));
	}
}

void pci_func_bar_ram(struct pci_func *f, unsigned n, enum pci_bar_kind kind, struct ram *ram,
		      const char *name)
{
	pci_func_bar(f, n, kind, ram->size, NULL, NULL, name);
	f->bar[n].ram = ram;
}

int pci_bus_add(struct pci_bus *bus, struct pci_func *f, uint8_t devfn)
{
	if (bus->func[devfn])
		return -EEXIST;
	bus->func[devfn] = f;
	f->bus = bus;
	f->devfn = devfn;
	memcpy(f->config, f->start, sizeof(f->config));
	return 0;
}

int pci_bus_free_slot(const struct pci_bus *bus)
{
	for (int slot = 2; slot < 32; slot++)
		if (!bus->func[slot << 3])
			return slot << 3;
	return -1;
}

static struct pci_func *addressed(const struct pci_bus *bus)
{
	unsigned bdf = BUS_DEVFN(bus->address);

	/* One bus: everything on buses 1 and up is absent. */
	return (bus->address & CF8_ENABLE) && bdf < 256 ? bus->func[bdf] : NULL;
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

static uint64_t bump(uint64_t *next, uint64_t end, uint64_t size, uint64_t min_align)
{
	uint64_t align = size > min_align ? size : min_align;
	uint64_t a = (*next + align - 1) & ~(align - 1);

	if (a >= end || size > end - a)
		return 0;
	*next = a + size;
	return a;
}

void pci_bus_assign(struct pci_bus *bus, uint64_t mem_base, uint64_t mem_end, uint64_t io_base,
		    uint64_t io_end, const uint8_t irq[4])
{
	for (unsigned i = 0; i < 256; i++) {
		struct pci_func *f = bus->func[i];
		uint32_t cmd;

		if (!f)
			continue;
		cmd = pci_config_read(f, PCI_COMMAND, 2);
		for (unsigned n = 0; n < PCI_BARS; n++) {
			struct pci_bar *b = &f->bar[n];
			uint64_t a;

			if (b->kind == PCI_BAR_NONE)
				continue;
			if (b->kind == PCI_BAR_IO)
				a = bump(&io_base, io_end, b->size, 4);
			else
				a = bump(&mem_base, mem_end, b->size, 4096);
			if (!a)
				continue;
			pci_config_write(f, PCI_BAR0 + n * 4, (uint32_t)a, 4);
			cmd |= b->kind == PCI_BAR_IO ? PCI_CMD_IO : PCI_CMD_MEM;
		}
		pci_config_write(f, PCI_COMMAND, cmd, 2);
		if (f->config[PCI_INT_PIN])
			pci_config_write(f, PCI_INT_LINE,
					 irq[pci_intx_line(f->devfn, f->config[PCI_INT_PIN])], 1);
	}
}
