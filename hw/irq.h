/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Interrupt pins: a wire that a device drives and a controller listens to. A device gets its pin
 * as an argument and never knows what is at the other end. Machine lock held.
 */
#ifndef HW_IRQ_H
#define HW_IRQ_H

#include <stddef.h>

struct irq_pin {
	void (*set)(void *opaque, int n, int level);
	void *opaque;
	int n;
};

static inline void irq_set(const struct irq_pin *pin, int level)
{
	if (pin && pin->set)
		pin->set(pin->opaque, pin->n, level);
}

#endif
