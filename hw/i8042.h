/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * i8042 keyboard controller (ports 60h and 64h) with an AT keyboard and a PS/2 wheel mouse.
 */
#ifndef HW_I8042_H
#define HW_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"
#include "hw/input/input.h"
#include "hw/irq.h"
#include "hw/ps2.h"

struct aspace;

struct i8042 {
	struct device dev;
	struct ps2_kbd kbd;
	struct ps2_mouse mouse;
	uint8_t ram[32];      /* ram[0] is the command byte */
	uint8_t command;      /* waits for its data byte; 0: none */
	uint8_t command_last; /* status bit 3: the last write was a command */
	uint8_t system;       /* status bit 2: self-test passed */
	uint8_t data;         /* output buffer */
	uint8_t full;         /* it holds an unread byte of: 1 keyboard or controller, 2 mouse */
	uint8_t reply;        /* a controller's reply waiting for the output buffer */
	uint8_t reply_from;   /* as full; 0: none */
	uint8_t released;     /* translation: an F0 was seen */
	uint8_t outport;
	struct irq_pin irq1, irq12, a20, reset;
	struct input_handler keys, pointer;
};

/* irq1, irq12: ISA interrupts. a20: level 1 opens the gate. reset: pulsed to reset the machine.
 * 0 or -errno. */
int i8042_init(struct i8042 *k, struct aspace *io, struct clock *clk, const struct irq_pin *irq1,
	       const struct irq_pin *irq12, const struct irq_pin *a20, const struct irq_pin *reset);

/* Keyboard and mouse take events from now on. */
void i8042_attach(struct i8042 *k, struct input *in);

#endif
