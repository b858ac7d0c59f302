/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The PC's two 8259A interrupt controllers, cascaded, with the edge/level control registers.
 * Ports 20h-21h, A0h-A1h, 4D0h-4D1h.
 */
#ifndef HW_I8259_H
#define HW_I8259_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/device.h"
#include "hw/irq.h"

struct aspace;
struct i8259;

struct i8259_chip {
	uint8_t irr, isr, imr;
	uint8_t lines; /* input levels; not the chip's own state, so kept over reset */
	uint8_t elcr;  /* 1: level triggered */
	uint8_t icw2;  /* vector base */
	uint8_t icw3;
	uint8_t lowest; /* the input with the lowest priority */
	uint8_t step;   /* initialisation: 0 ready, else the ICW awaited */
	uint8_t icw1, icw4;
	uint8_t read_isr; /* OCW3: reads give ISR, not IRR */
	uint8_t poll;     /* OCW3: the next read acknowledges */
	uint8_t smask;    /* special mask mode */
	uint8_t rotate_aeoi;
};

struct i8259_side { /* port callbacks need the chip's number */
	struct i8259 *pic;
	int n;
};

struct i8259 {
	struct device dev;
	struct i8259_chip chip[2]; /* master, slave */
	struct i8259_side side[2];
	struct irq_pin intr;
	bool out; /* level of intr */
};

/* intr: the master's INTR output, usually lapic_bus_set_lint() with n = 0. 0 or -errno. */
int i8259_init(struct i8259 *pic, struct aspace *io, const struct irq_pin *intr);
/* An irq_pin.set; opaque is the struct i8259, n is 0..15 (2 is the cascade and ignored). */
void i8259_set_irq(void *opaque, int n, int level);
/* INTA cycle: the vector, which is a spurious 7 or 15 when the request has gone. */
int i8259_ack(struct i8259 *pic);

#endif
