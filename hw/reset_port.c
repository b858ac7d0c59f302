/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reset control register (RST_CNT) of the PIIX3 and ICH: bit 1 chooses a hard reset, bit 2 going
 * from 0 to 1 starts it. Soft and hard are the same here.
 */
#include "hw/reset_port.h"

#include <string.h>

#include "mmu/aspace.h"

enum { RST_CPU = 0x04, WRITABLE = 0x0e };

uint8_t reset_port_read(const struct reset_port *r)
{
	return r->val;
}

void reset_port_write(struct reset_port *r, uint8_t val)
{
	uint8_t old = r->val;

	r->val = val & WRITABLE;
	if ((r->val & RST_CPU) && !(old & RST_CPU)) {
		irq_set(&r->reset, 1);
		irq_set(&r->reset, 0);
	}
}

static uint64_t port_read(void *opaque, uint64_t off, unsigned size)
{
	(void)off;
	(void)size;
	return reset_port_read(opaque);
}

static void port_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	(void)off;
	(void)size;
	reset_port_write(opaque, val);
}

static const struct mmio_ops ops = {port_read, port_write, 1, 1};

static const struct field fields[] = {
    FIELD(reset_port, val, 0),
    FIELD_END,
};

int reset_port_init(struct reset_port *r, struct aspace *io, const struct irq_pin *reset)
{
	memset(r, 0, sizeof(*r));
	if (reset)
		r->reset = *reset;
	device_init(&r->dev, "reset-port", fields, r);
	return io ? aspace_map_dev(io, "reset-port", 0xcf9, 1, &ops, r) : 0;
}
