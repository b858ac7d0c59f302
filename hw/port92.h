/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * System control port A (92h): fast A20 gate and fast reset.
 */
#ifndef HW_PORT92_H
#define HW_PORT92_H

#include <stdint.h>

#include "hw/device.h"
#include "hw/irq.h"

struct aspace;

struct port92 {
	struct device dev;
	uint8_t val;
	struct irq_pin a20, reset;
};

/* a20: level 1 opens the gate. reset is pulsed. 0 or -errno. */
int port92_init(struct port92 *p, struct aspace *io, const struct irq_pin *a20,
		const struct irq_pin *reset);

#endif
