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
#include "hw/irq.h"
#include "hw/ps2.h"

struct aspace;

struct i8042 {
	struct device dev;
	struct clock *clock;
	struct ps2_kbd kbd;
	struct ps2_mouse mouse;
	uint8_t ram[32]; /* ram[0] is the command byte */
	uint8_t status;
	uint8_t command;    /* waits for its data byte; 0: none */
	uint8_t obf_data;   /* output buffer */
	uint8_t obf_source; /* enum i8042_source */
	uint8_t outport;
	struct irq_pin irq1, irq12, a20, reset;
};

/* irq1, irq12: ISA interrupts. a20: level 1 opens the gate. reset: pulsed to reset the machine.
 * 0 or -errno. */
int i8042_init(struct i8042 *k, struct aspace *io, struct clock *clk, const struct irq_pin *irq1,
	       const struct irq_pin *irq12, const struct irq_pin *a20, const struct irq_pin *reset);

/* Input from the user. key: set-1 make code, plus KEY_E0 for extended keys (the QEMU "number"
 * of a key, e.g. 1Ch Enter, KEY_E0 | 48h Up), or one of the KEY_ specials. */
enum { KEY_E0 = 0x80, KEY_PAUSE = 0x1c5, KEY_PRINT = KEY_E0 | 0x37 };
void i8042_key(struct i8042 *k, unsigned key, bool down);
/* dx right, dy down, dz wheel towards the user; buttons: bit 0 left, 1 right, 2 middle. */
void i8042_mouse(struct i8042 *k, int dx, int dy, int dz, unsigned buttons);
/* Keyboard LEDs: bit 0 scroll, 1 num, 2 caps. */
uint8_t i8042_leds(const struct i8042 *k);

#endif
