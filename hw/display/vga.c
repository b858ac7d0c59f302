/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The VGA as a device: its places in the address spaces, its PCI function (the one that QEMU and Bochs
 * give it, 1234:1111, for which operating systems have drivers), and its state.
 */
#include "hw/display/vga.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/display/edid.h"

enum {
	PORTS_MONO = 0x3b4,
	PORTS_MONO_SIZE = 7, /* to 3BAh: what follows is a parallel port's */
	PORTS = 0x3c0,
	PORTS_SIZE = 0x1b,
	VBE_INDEX = 0x1ce,
	VBE_PORTS = 4, /* index; data at 1CFh, and at 1D0h for those who want it aligned */
};

/* BAR 2 */
enum {
	REGS_EDID = 0x000,
	REGS_PORTS = 0x400,
	REGS_PORTS_END = 0x420,
	REGS_VBE = 0x500,
	REGS_VBE_END = REGS_VBE + 2 * VBE_REGS,
	REGS_EXTRA = 0x600, /* size of that area, and the byte order, which is always little here */
	EXTRA_SIZE = 8,
	LITTLE_ENDIAN_MARK = 0x1e1e1e1e,
};

static const struct field fields[] = {
    FIELD(vga, misc, 0),          FIELD(vga, feature, 0),
    FIELD(vga, seq_index, 0),     FIELD_ARRAY(vga, seq, 0),
    FIELD(vga, gr_index, 0),      FIELD_ARRAY(vga, gr, 0),
    FIELD(vga, cr_index, 0),      FIELD_ARRAY(vga, cr, 0),
    FIELD(vga, ar_index, 0),      FIELD(vga, ar_data, 0),
    FIELD_ARRAY(vga, ar, 0),      FIELD(vga, dac_mask, 0xff),
    FIELD(vga, dac_state, 0),     FIELD(vga, dac_read, 0),
    FIELD(vga, dac_write, 0),     FIELD(vga, dac_sub, 0),
    FIELD_ARRAY(vga, dac_new, 0), FIELD_ARRAY(vga, dac, 0),
    FIELD_ARRAY(vga, latch, 0),   FIELD(vga, vbe_index, 0),
    FIELD_ARRAY(vga, vbe, 0),     FIELD_END,
};

static void reset_done(void *state)
{
	struct vga *v = state;

	v->vbe[VBE_ID] = 0xb0c5;
	v->vbe[VBE_BPP] = 8;
}

static void tame(void *state)
{
	struct vga *v = state;

	v->dac_sub %= 3;
	if (vga_vbe_on(v) && !vga_vbe_valid(v))
		v->vbe[VBE_ENABLE] = 0;
}

/* ---- ports ---- */

static uint64_t mono_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return vga_port_read(dev, PORTS_MONO + (unsigned)off);
}

static void mono_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_port_write(dev, PORTS_MONO + (unsigned)off, (uint8_t)val);
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return vga_port_read(dev, PORTS + (unsigned)off);
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_port_write(dev, PORTS + (unsigned)off, (uint8_t)val);
}

static uint64_t vbe_read(void *dev, uint64_t off, unsigned size)
{
	struct vga *v = dev;

	(void)size;
	return off ? vga_vbe_read(v, v->vbe_index) : v->vbe_index;
}

static void vbe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct vga *v = dev;

	(void)size;
	if (off)
		vga_vbe_write(v, v->vbe_index, (uint16_t)val);
	else
		v->vbe_index = (uint16_t)val;
}

static const struct mmio_ops mono_ops = {mono_read, mono_write, 1, 1};
static const struct mmio_ops port_ops = {port_read, port_write, 1, 1};
static const struct mmio_ops vbe_ops = {vbe_read, vbe_write, 1, 2};

/* ---- memory ---- */

static uint64_t window_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return vga_window_read(dev, (uint32_t)off);
}

static void window_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_window_write(dev, (uint32_t)off, (uint8_t)val);
}

static uint64_t regs_read(void *dev, uint64_t off, unsigned size)
{
	struct vga *v = dev;
	uint64_t val = 0;

	if (off >= REGS_VBE && off < REGS_VBE_END)
		return vga_vbe_read(v, (unsigned)(off - REGS_VBE) / 2);
	if (off >= REGS_EXTRA && off < REGS_EXTRA + EXTRA_SIZE)
		return off < REGS_EXTRA + 4 ? EXTRA_SIZE : LITTLE_ENDIAN_MARK;
	for (unsigned n = 0; n < size; n++, off++) {
		uint8_t b = 0xff;

		if (off < sizeof(v->edid))
			b = v->edid[off];
		else if (off >= REGS_PORTS && off < REGS_PORTS_END)
			b = vga_port_read(v, PORTS + (unsigned)(off - REGS_PORTS));
		val |= (uint64_t)b << (8 * n);
	}
	return val;
}

static void regs_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct vga *v = dev;

	if (off >= REGS_VBE && off < REGS_VBE_END) {
		vga_vbe_write(v, (unsigned)(off - REGS_VBE) / 2, (uint16_t)val);
		return;
	}
	for (unsigned n = 0; n < size; n++, off++)
		if (off >= REGS_PORTS && off < REGS_PORTS_END)
			vga_port_write(v, PORTS + (unsigned)(off - REGS_PORTS),
				       (uint8_t)(val >> (8 * n)));
}

static const struct mmio_ops window_ops = {window_read, window_write, 1, 1};
const struct mmio_ops vga_regs_ops = {regs_read, regs_write, 1, 4};

/* ---- */

static int map(struct vga *v, struct pci_bus *bus)
{
	int err;

	if ((err = aspace_map_dev(bus->io, "vga-mono", PORTS_MONO, PORTS_MONO_SIZE, &mono_ops, v)) <
		0 ||
	    (err = aspace_map_dev(bus->io, "vga", PORTS, PORTS_SIZE, &port_ops, v)) < 0 ||
	    (err = aspace_map_dev(bus->io, "vbe", VBE_INDEX, VBE_PORTS, &vbe_ops, v)) < 0)
		return err;
	return aspace_map_dev(bus->mem, "vga-window", VGA_WINDOW_BASE, VGA_WINDOW_SIZE, &window_ops,
			      v);
}

/* What is mapped of it, and nothing of another VGA's. */
void vga_unmap(struct vga *v, struct pci_bus *bus)
{
	static const uint16_t port[] = {PORTS_MONO, PORTS, VBE_INDEX};
	struct range r;

	for (unsigned n = 0; n < sizeof(port) / sizeof(port[0]); n++)
		if (aspace_find(bus->io, port[n], &r) && r.dev == v)
			aspace_unmap(bus->io, port[n]);
	if (aspace_find(bus->mem, VGA_WINDOW_BASE, &r) && r.dev == v)
		aspace_unmap(bus->mem, VGA_WINDOW_BASE);
}

int vga_core_init(struct vga *v, struct clock *clock, uint64_t memory, unsigned width,
		  unsigned height)
{
	int err;

	memset(v, 0, sizeof(*v));
	if (memory < VGA_MEMORY_MIN || memory > VGA_MEMORY_MAX || memory & (memory - 1))
		return -EINVAL;
	err = ram_init(&v->vram, "vga", memory);
	if (err < 0)
		return err;
	v->clock = clock;
	memset(v->edid, 0xff, sizeof(v->edid));
	edid_make(v->edid, width, height);
	device_init(&v->dev, "vga", fields, v);
	v->dev.reset_done = reset_done;
	v->dev.tame = tame;
	v->dev.ram = &v->vram;
	reset_done(v);
	v->display = (struct display){
	    .name = "vga", .draw = vga_draw, .update = vga_update, .text = vga_text, .dev = v};
	return 0;
}

void vga_core_fini(struct vga *v)
{
	dirty_log_fini(&v->log);
	ram_fini(&v->vram);
}

int vga_init(struct vga *v, struct clock *clock, uint64_t memory, unsigned width, unsigned height)
{
	int err = vga_core_init(v, clock, memory, width, height);

	if (err < 0)
		return err;
	pci_func_init(&v->func, "vga-pci", 0x1234, 0x1111, 0x0300, 0);
	v->func.start[PCI_REVISION] = 2;
	v->func.wmask[PCI_COMMAND] |= PCI_CMD_IO; /* its ports are in no BAR */
	pci_set16(v->func.start + PCI_SUBSYS_VENDOR, 0x1af4);
	pci_set16(v->func.start + PCI_SUBSYS_DEVICE, 0x1100);
	pci_func_bar_ram(&v->func, 0, PCI_BAR_MEM32, &v->vram, "vga-memory");
	v->func.start[PCI_BAR0] |= PCI_BAR_PREFETCH;
	pci_func_bar(&v->func, 2, PCI_BAR_MEM32, VGA_REGS_SIZE, &vga_regs_ops, v, "vga-registers");
	return 0;
}

void vga_fini(struct vga *v)
{
	pci_func_fini(&v->func);
	vga_core_fini(v);
}

int vga_map(struct vga *v, struct pci_bus *bus)
{
	int err = map(v, bus);

	v->mem = bus->mem;
	if (err < 0)
		vga_unmap(v, bus);
	return err;
}

static void destroy(void *self)
{
	vga_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	uint64_t mib = arg_num(args, "vgamem_mb");
	unsigned width = (unsigned)arg_num(args, "xres"), height = (unsigned)arg_num(args, "yres");
	struct vga *v;
	int r;

	if (width < EDID_MIN || height < EDID_MIN) {
		snprintf(err, errlen, "-device VGA: xres and yres are from %u to %u", EDID_MIN,
			 EDID_MAX);
		return -EINVAL;
	}
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	r = vga_init(v, args->env->clock, mib << 20, width, height);
	if (r == -EINVAL)
		snprintf(err, errlen, "-device VGA: vgamem_mb is a power of two from 1 to 256");
	if (r < 0) {
		free(v);
		return r;
	}
	r = vga_map(v, args->env->pci);
	if (r == -EEXIST)
		snprintf(err, errlen,
			 "-device VGA: there is one already (-vga none leaves that out)");
	if (r == 0 && (r = device_add_pci(args, &v->func, NULL, err, errlen)) < 0)
		vga_unmap(v, args->env->pci);
	if (r < 0) {
		destroy(v);
		return r;
	}
	device_add(args, &v->dev);
	args->env->add_display(args->env->opaque, &v->display);
	*self = v;
	return 0;
}

static const struct prop props[] = {
    {"vgamem_mb", PROP_NUM, "video memory in MiB, a power of two up to 256", "16", 256, false},
    {"xres", PROP_NUM, "width that the monitor prefers", "1280", EDID_MAX, false},
    {"yres", PROP_NUM, "height that the monitor prefers", "800", EDID_MAX, false},
    {0},
};

const struct device_type vga_type = {
    .name = "VGA",
    .bus = "PCI",
    .desc = "a VGA with the VBE extensions of Bochs",
    .rom = "vgabios-stdvga.bin",
    .props = props,
    .create = create,
    .destroy = destroy,
};
