/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pvpanic: see the header.
 */
#include "hw/pvpanic.h"

#include "mmu/aspace.h"

#define EVENTS (PVPANIC_PANICKED | PVPANIC_CRASH_LOADED)

static uint64_t pvpanic_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev;
	(void)off;
	(void)size;
	return EVENTS;
}

static void pvpanic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pvpanic *p = dev;

	(void)off;
	(void)size;
	if (val & EVENTS)
		p->event(p->opaque, (unsigned)(val & EVENTS));
}

static const struct mmio_ops ops = {pvpanic_read, pvpanic_write, 1, 1};

int pvpanic_init(struct pvpanic *p, struct aspace *io, uint64_t port,
		 void (*event)(void *opaque, unsigned events), void *opaque)
{
	p->event = event;
	p->opaque = opaque;
	return aspace_map_dev(io, "pvpanic", port, 1, &ops, p);
}
