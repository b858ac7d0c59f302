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

#define PS2_QUEUE  64 /* bytes */
#define PS2_EVENTS 48 /* of them for events; the rest is kept for replies */

/* Replies to commands go ahead of events that were not read yet. */
struct ps2_queue {
	uint8_t buf[PS2_QUEUE];
	uint8_t len;
	uint8_t replies; /* how many bytes at the front are replies */
	uint8_t last;    /* last byte taken, for the Resend command */
};

struct ps2_kbd {
	struct ps2_queue q;
	uint8_t scanning;
	uint8_t set; /* scan code set 1, 2 or 3 */
	uint8_t leds;
	uint8_t rate;        /* typematic */
	uint8_t command;     /* waits for its argument; 0: none */
	uint8_t mode[256];   /* set 3: by scan code, enum ps2_key_mode */
	uint16_t repeat_key; /* the key being repeated; 0: none */
	struct timer repeat;
	void (*ready)(void *opaque); /* bytes were queued */
	void *opaque;
};

struct ps2_mouse {
	struct ps2_queue q;
	uint8_t command;
	uint8_t id;       /* 0 plain, 3 wheel, 4 five buttons */
	uint8_t rates[2]; /* the two sample rates before the current one: the wheel's knock */
	uint8_t rate, resolution, scaling21, remote, wrap, enabled;
	uint8_t buttons, sent_buttons;
	int32_t dx, dy, dz; /* not yet reported */
	void (*ready)(void *opaque);
	void *opaque;
};

/* Keys are named by their set-1 make code; PS2_E0 marks the extended ones. */
enum { PS2_E0 = 0x80, PS2_PRINT = PS2_E0 | 0x37, PS2_PAUSE = 0x145 };

bool ps2_empty(const struct ps2_queue *q);
uint8_t ps2_take(struct ps2_queue *q);
void ps2_flush(struct ps2_queue *q);
/* False when it does not fit as a whole. */
bool ps2_event(struct ps2_queue *q, const uint8_t *bytes, unsigned n);
void ps2_reply(struct ps2_queue *q, uint8_t byte);

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
