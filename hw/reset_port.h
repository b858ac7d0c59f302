/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reset control register, port CF9h. The port lies inside the PCI configuration address register
 * (CF8h-CFBh), so a board with a PCI host bridge maps nothing here and forwards byte accesses.
 */
#ifndef HW_RESET_PORT_H
#define HW_RESET_PORT_H

#include <stdint.h>

#include "hw/device.h"
#include "hw/irq.h"

struct aspace;

struct reset_port {
	struct device dev;
	uint8_t val;
	struct irq_pin reset;
};

/* io may be NULL: then nothing is mapped. reset is pulsed. 0 or -errno. */
int reset_port_init(struct reset_port *r, struct aspace *io, const struct irq_pin *reset);
uint8_t reset_port_read(const struct reset_port *r);
void reset_port_write(struct reset_port *r, uint8_t val);

#endif
