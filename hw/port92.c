/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System control port A of the PS/2: bit 0 resets the CPU when it is set, bit 1 is the A20 gate.
 */
#include "hw/port92.h"

#include <string.h>

#include "mmu/aspace.h"

enum { RESET = 1, A20 = 2 };

static uint64_t port92_read(void *opaque, uint64_t off, unsigned size)
{
	const struct port92 *p = opaque;

	(void)off;
	(void)size;
	return p->val;
}

static void port92_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct port92 *p = opaque;
	uint8_t old = p->val;

	(void)off;
	(void)size;
	p->val = val;
	irq_set(&p->a20, !!(val & A20));
	if ((val & RESET) && !(old & RESET)) {
		irq_set(&p->reset, 1);
		irq_set(&p->reset, 0);
	}
}

static const struct mmio_ops ops = {port92_read, port92_write, 1, 1};

static const struct field fields[] = {
    FIELD(port92, val, A20),
    FIELD_END,
};

static void drive_a20(void *state)
{
	struct port92 *p = state;

	irq_set(&p->a20, !!(p->val & A20));
}

int port92_init(struct port92 *p, struct aspace *io, const struct irq_pin *a20,
		const struct irq_pin *reset)
{
	memset(p, 0, sizeof(*p));
	if (a20)
		p->a20 = *a20;
	if (reset)
		p->reset = *reset;
	device_init(&p->dev, "port92", fields, p);
	p->dev.reset_done = drive_a20;
	return aspace_map_dev(io, "port92", 0x92, 1, &ops, p);
}
