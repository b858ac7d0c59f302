/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio GPU that is a VGA until its driver takes over, for firmware, boot loaders and systems without a driver.
 * One PCI function is both: video memory in BAR 0, the VGA's registers in the lower half of BAR 2 and virtio's
 * in the upper one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/display/edid.h"
#include "hw/display/vga.h"
#include "hw/display/virtio_gpu.h"

enum { VIDEO_MEMORY = 16 << 20 };

struct virtio_vga {
	struct virtio_gpu gpu;
	struct vga vga;
};

static uint64_t regs_read(void *dev, uint64_t off, unsigned size)
{
	return off < VGA_REGS_SIZE ? vga_regs_ops.read(dev, off, size) : 0;
}

static void regs_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	if (off < VGA_REGS_SIZE)
		vga_regs_ops.write(dev, off, val, size);
}

static const struct mmio_ops regs_ops = {regs_read, regs_write, 1, 4};

static void destroy(void *self)
{
	struct virtio_vga *d = self;

	virtio_gpu_fini(&d->gpu);
	vga_core_fini(&d->vga);
	free(d);
}

static int add(struct virtio_vga *d, const struct device_args *args, char *err, size_t errlen)
{
	struct pci_func *f = &d->gpu.v.func;
	int r = vga_map(&d->vga, args->env->pci);

	if (r == -EEXIST)
		snprintf(err, errlen,
			 "-device virtio-vga: there is a VGA already (-vga none leaves that out)");
	if (r < 0)
		return r;
	f->wmask[PCI_COMMAND] |= PCI_CMD_IO; /* the VGA's ports are in no BAR */
	pci_func_bar_ram(f, 0, PCI_BAR_MEM32, &d->vga.vram, "vga-memory");
	f->start[PCI_BAR0] |= PCI_BAR_PREFETCH;
	r = virtio_gpu_add(&d->gpu, args, err, errlen);
	if (r < 0)
		vga_unmap(&d->vga, args->env->pci);
	return r;
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct virtio_pci_options layout = virtio_layout(args);
	struct virtio_gpu_options o;
	struct virtio_vga *d;
	int r = virtio_gpu_arguments(&o, args, err, errlen);

	if (r < 0)
		return r;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	r = vga_core_init(&d->vga, args->env->clock, VIDEO_MEMORY, o.width, o.height);
	if (r < 0) {
		free(d);
		return r;
	}
	o.vga = &d->vga;
	layout.other = &regs_ops;
	layout.other_opaque = &d->vga;
	r = virtio_gpu_init(&d->gpu, args->env->clock, &o, &layout);
	if (r == 0)
		r = add(d, args, err, errlen);
	if (r < 0) {
		destroy(d);
		return r;
	}
	device_add(args, &d->vga.dev);
	*self = d;
	return 0;
}

static const struct prop props[] = {
    VIRTIO_GPU_PROPS,
    VIRTIO_LAYOUT_PROPS,
    {0},
};

const struct device_type virtio_vga_type = {
    .name = "virtio-vga",
    .bus = "PCI",
    .desc = "virtio GPU without 3D, and a VGA until it has a driver",
    .rom = "vgabios-virtio.bin",
    .props = props,
    .create = create,
    .destroy = destroy,
};
