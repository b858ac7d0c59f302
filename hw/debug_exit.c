/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * isa-debug-exit: see the header.
 */
#include "hw/debug_exit.h"

#include <errno.h>

#include "mmu/aspace.h"

static uint64_t exit_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	(void)size;
	return 0;
}

static void exit_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct debug_exit *d = dev;

	(void)off;
	(void)size;
	/* Processes have eight bits of status. */
	d->exit(d->opaque, (int)((val << 1 | 1) & 0xff));
}

static const struct mmio_ops ops = {exit_read, exit_write, 1, 4};

int debug_exit_init(struct debug_exit *d, struct aspace *io, uint64_t base, uint64_t size,
		    void (*exit)(void *opaque, int status), void *opaque)
{
	if (!size || size > 4)
		return -EINVAL;
	d->exit = exit;
	d->opaque = opaque;
	return aspace_map_dev(io, "isa-debug-exit", base, size, &ops, d);
}
