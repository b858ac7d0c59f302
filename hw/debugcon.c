/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * isa-debugcon: see the header.
 */
#include "hw/debugcon.h"

#include "hw/chardev.h"
#include "mmu/aspace.h"

static uint64_t debugcon_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	(void)size;
	return 0xe9;
}

static void debugcon_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct debugcon *d = dev;
	uint8_t b = (uint8_t)val;

	(void)off;
	(void)size;
	chardev_write(d->chr, &b, 1);
}

static const struct mmio_ops ops = {debugcon_read, debugcon_write, 1, 1};

int debugcon_init(struct debugcon *d, struct aspace *io, uint64_t base, struct chardev *chr)
{
	d->chr = chr;
	return aspace_map_dev(io, "isa-debugcon", base, 1, &ops, d);
}
