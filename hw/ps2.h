/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The two PS/2 devices behind the keyboard controller. Each has a queue of bytes towards the
 * host; the controller takes them when its port is enabled and its buffer empty.
 */
#ifndef HW_PS2_H
#define HW_PS2_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"

#define PS2_QUEUE 64 /* power of two */

/* Replies to commands go ahead of, and flush, unread events, as in the devices. */
struct ps2_queue {
	uint8_t buf[PS2_QUEUE];
	uint8_t head, len;
};

struct ps2_kbd {
	struct ps2_queue q;
	uint8_t scanning, set, leds, rate;
	uint8_t command;     /* waits for its argument; 0: none */
	uint8_t last;        /* for Resend */
	uint16_t repeat_key; /* typematic; 0: none */
	uint8_t mode[256];   /* set 3: per key, enum ps2_key_mode */
	struct timer repeat;
	struct clock *clock;
	void (*ready)(void *opaque); /* bytes were queued */
	void *opaque;
};

struct ps2_mouse {
	struct ps2_queue q;
	uint8_t command, last;
	uint8_t id;       /* 0 plain, 3 wheel, 4 five buttons */
	uint8_t rates[3]; /* last three sample rates: the wheel's knock */
	uint8_t rate, resolution, scaling21, remote, wrap, streaming;
	uint8_t buttons, sent_buttons;
	int32_t dx, dy, dz; /* not yet reported */
	void (*ready)(void *opaque);
	void *opaque;
};

bool ps2_empty(const struct ps2_queue *q);
uint8_t ps2_take(struct ps2_queue *q);

void ps2_kbd_init(struct ps2_kbd *k, struct clock *clk, void (*ready)(void *), void *opaque);
void ps2_kbd_reset(struct ps2_kbd *k);
void ps2_kbd_write(struct ps2_kbd *k, uint8_t byte); /* a byte from the host */
void ps2_kbd_key(struct ps2_kbd *k, unsigned key, bool down);

void ps2_mouse_init(struct ps2_mouse *m, void (*ready)(void *), void *opaque);
void ps2_mouse_reset(struct ps2_mouse *m);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte);
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons);
/* Makes a packet of movement that did not fit earlier; the controller calls it when it drained
 * the queue. */
void ps2_mouse_poll(struct ps2_mouse *m);

#endif
