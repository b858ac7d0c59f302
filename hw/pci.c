/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI Local Bus Specification 3.0: functions with their type 0 header, INTx, capabilities and buses.
 * The BARs are in pci_bar.c.
 */
#include "hw/pci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hw/msi.h"

#define CAPS_START 0x40u

static const struct field func_fields[] = {
    FIELD_ARRAY_NORESET(pci_func, config),
    FIELD_NORESET(pci_func, intx),
    FIELD_END,
};

/* They are numbered as if there were a port with all its functions in every slot. */
struct pci_func *pci_func_from(const struct pci_bus *bus, unsigned *i)
{
	const unsigned each = 1 + PCI_LINK_FUNCS;

	while (*i < 256 * each) {
		struct pci_func *root = bus->func[*i / each], *f = root;
		unsigned behind = *i % each;

		if (root && behind)
			f = root->behind ? root->behind[behind - 1] : NULL;
		if (f)
			return f;
		*i += root && root->behind ? 1 : each - behind;
	}
	return NULL;
}

int pci_func_line(const struct pci_func *f)
{
	unsigned pin = f->config[PCI_INT_PIN];
	uint8_t devfn = f->port ? f->port->devfn : f->devfn;

	/* A port passes on the pins of its slot 0 as they are. */
	return f->bus->line_of ? f->bus->line_of(f->bus->opaque, devfn, pin)
			       : pci_intx_line(devfn, pin);
}

static void drive_line(struct pci_bus *bus, int line)
{
	if (bus->line)
		bus->line(bus->opaque, line, bus->level[line] != 0);
}

void pci_bus_rewire(struct pci_bus *bus)
{
	const struct pci_func *f;

	memset(bus->level, 0, sizeof(bus->level));
	for (unsigned i = 0; (f = pci_func_from(bus, &i)); i++)
		if (f->intx_out)
			bus->level[pci_func_line(f)]++;
	for (int n = 0; n < PCI_LINES; n++)
		drive_line(bus, n);
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
	line = pci_func_line(f);
	f->bus->level[line] = (uint8_t)(f->bus->level[line] + (out ? 1 : -1));
	drive_line(f->bus, line);
}

void pci_set_intx(struct pci_func *f, int level)
{
	f->intx = level != 0;
	update_intx(f);
}

uint32_t pci_config_read(struct pci_func *f, unsigned off, unsigned size)
{
	uint32_t v = 0;

	if (f->config_read)
		f->config_read(f, off, size);
	for (unsigned i = 0; i < size && off + i < f->config_size; i++)
		v |= (uint32_t)f->config[off + i] << (8 * i);
	return v;
}

/* What follows from the whole configuration space. */
static void config_done(struct pci_func *f)
{
	if (f->bus) {
		update_intx(f);
		pci_bus_remap(f->bus);
	}
	if (f->config_changed)
		f->config_changed(f, 0, f->config_size);
}

void pci_config_write(struct pci_func *f, unsigned off, uint32_t val, unsigned size)
{
	for (unsigned i = 0; i < size && off + i < f->config_size; i++) {
		unsigned o = off + i;
		uint8_t b = (uint8_t)(val >> (8 * i));

		f->config[o] = (uint8_t)((f->config[o] & ~f->wmask[o]) | (b & f->wmask[o]));
		f->config[o] &= (uint8_t) ~(b & f->w1c[o]);
	}
	if (off < PCI_COMMAND + 2 && off + size > PCI_COMMAND)
		update_intx(f);
	if (off < PCI_ROM + 4 && off + size > PCI_COMMAND)
		pci_bus_remap(f->bus);
	if (off >= CAPS_START)
		msi_config_changed(f);
	if (f->config_changed)
		f->config_changed(f, off, size);
}

static void func_reset_done(void *state)
{
	struct pci_func *f = state;

	memcpy(f->config, f->start, sizeof(f->config));
	f->intx = 0;
	config_done(f);
}

/* The header says what it said, but for what software may change, and the bits of capabilities that
 * count something are those of this function. */
static void func_tame(void *state)
{
	struct pci_func *f = state;

	for (unsigned i = 0; i < CAPS_START; i++) {
		uint8_t own = f->wmask[i] | f->w1c[i];

		f->config[i] = (uint8_t)((f->config[i] & own) | (f->start[i] & ~own));
	}
	msi_tame(f);
	f->intx = f->intx != 0;
}

static void func_loaded(void *state)
{
	config_done(state);
}

static void name_state(struct pci_func *f)
{
	snprintf(f->state_name, sizeof(f->state_name), "%s-controller", f->name);
}

void pci_func_init(struct pci_func *f, const char *name, uint16_t vendor, uint16_t device,
		   uint16_t class_code, uint8_t pin)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	name_state(f);
	device_init(&f->dev, f->name, func_fields, f);
	f->rom.fd = -1;
	f->config_size = 256;
	f->caps_end = CAPS_START;
	f->dev.reset_done = func_reset_done;
	f->dev.tame = func_tame;
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

int pci_func_cap_at(struct pci_func *f, enum pci_cap id, unsigned off, unsigned size)
{
	if (off < CAPS_START || off > 256 || size > 256 - off)
		return -ENOSPC;
	f->start[off] = (uint8_t)id;
	f->start[off + 1] = 0;
	f->start[f->last_cap ? f->last_cap + 1 : PCI_CAP_LIST] = (uint8_t)off;
	f->start[PCI_STATUS] |= PCI_STATUS_CAPS;
	f->last_cap = (uint8_t)off;
	if (off + size > f->caps_end)
		f->caps_end = (uint16_t)((off + size + 3) & ~3u);
	return (int)off;
}

int pci_func_cap(struct pci_func *f, enum pci_cap id, unsigned size)
{
	return pci_func_cap_at(f, id, f->caps_end, size);
}

static void set_express_type(struct pci_func *f, enum pcie_type type)
{
	enum { FLAGS = 2, LINK_CAP = 0x0c, LINK_STATUS = 0x12, VERSION = 2 };
	enum { X1_2_5_GT = 1 << 4 | 1 };
	uint8_t *cap = f->start + f->express;
	bool link = type != PCIE_INTEGRATED_ENDPOINT;

	pci_set16(cap + FLAGS, (uint16_t)((unsigned)type << 4 | VERSION));
	pci_set32(cap + LINK_CAP, link ? X1_2_5_GT : 0);
	pci_set16(cap + LINK_STATUS, link ? X1_2_5_GT : 0);
}

int pci_func_express(struct pci_func *f, enum pcie_type type)
{
	enum { DEV_CAP = 4, DEV_CTL = 8, SIZE = 0x3c };
	int at = pci_func_cap(f, PCI_CAP_EXPRESS, SIZE);

	if (at < 0)
		return at;
	f->express = (uint8_t)at;
	f->config_size = PCI_CONFIG_SIZE;
	set_express_type(f, type);
	pci_set32(f->start + at + DEV_CAP, 1u << 15); /* role-based error reporting */
	pci_set16(f->wmask + at + DEV_CTL, 0x7fff);
	return at;
}

int pci_dma_read(const struct pci_func *f, uint64_t addr, void *buf, size_t len)
{
	if (pci_is_master(f))
		return aspace_dma_read(f->bus->mem, addr, buf, len);
	memset(buf, 0xff, len);
	return -EACCES;
}

int pci_dma_write(const struct pci_func *f, uint64_t addr, const void *buf, size_t len)
{
	return pci_is_master(f) ? aspace_dma_write(f->bus->mem, addr, buf, len) : -EACCES;
}

int pci_dma_sg(const struct pci_func *f, struct dma_sg *sg, uint64_t addr, uint64_t len,
	       bool to_guest)
{
	return pci_is_master(f) ? dma_sg_add(sg, f->bus->mem, addr, len, to_guest) : -EACCES;
}

static void added(struct pci_func *f, struct pci_bus *bus, uint8_t devfn)
{
	size_t len = strlen(f->name);

	f->bus = bus;
	f->devfn = devfn;
	if (f->port)
		snprintf(f->name + len, sizeof(f->name) - len, "@%02x.%x/%02x.%x",
			 f->port->devfn >> 3, f->port->devfn & 7, devfn >> 3, devfn & 7);
	else
		snprintf(f->name + len, sizeof(f->name) - len, "@%02x.%x", devfn >> 3, devfn & 7);
	name_state(f);
	if (f->msix)
		snprintf(f->msix->name, sizeof(f->msix->name), "%s-msix", f->name);
	memcpy(f->config, f->start, sizeof(f->config));
}

int pci_bus_add(struct pci_bus *bus, struct pci_func *f, uint8_t devfn)
{
	if (bus->func[devfn])
		return -EEXIST;
	bus->func[devfn] = f;
	added(f, bus, devfn);
	return 0;
}

int pci_port_add(struct pci_func *port, struct pci_func *f, uint8_t devfn)
{
	int r;

	if (devfn >= PCI_LINK_FUNCS)
		return -EINVAL;
	if (port->behind[devfn])
		return -EEXIST;
	if (f->express)
		set_express_type(f, PCIE_ENDPOINT);
	else if ((r = pci_func_express(f, PCIE_ENDPOINT)) < 0)
		return r;
	port->behind[devfn] = f;
	f->port = port;
	added(f, port->bus, devfn);
	return 0;
}

void pci_port_remove(struct pci_func *f)
{
	pci_set_intx(f, 0);
	pci_func_unmap(f);
	f->port->behind[f->devfn] = NULL;
	pci_bus_remap(f->bus);
}

int pci_bus_free_slot(const struct pci_bus *bus)
{
	for (int slot = 2; slot < 32; slot++)
		if (!bus->func[slot << 3])
			return slot << 3;
	return -1;
}
