/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys and pointers, from the user to the devices of the machine. Devices register as handlers; each event
 * goes to the first of them that takes its kind. A device whose guest driver starts to listen comes to the
 * front, one whose driver has gone goes behind the others: so a tablet gets the pointer once it is polled,
 * and firmware that knows no USB gets its keys from the PS/2 keyboard.
 *
 * Machine lock held throughout.
 */
#ifndef HW_INPUT_INPUT_H
#define HW_INPUT_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/input/keys.h"

#define INPUT_ABS_MAX 0x7fff /* positions are from 0 to this, whatever the size of the screen */

enum input_kind { INPUT_KEYS = 1 << 0, INPUT_RELATIVE = 1 << 1, INPUT_ABSOLUTE = 1 << 2 };

enum {
	BUTTON_LEFT = 1 << 0,
	BUTTON_RIGHT = 1 << 1,
	BUTTON_MIDDLE = 1 << 2,
	BUTTON_SIDE = 1 << 3,
	BUTTON_EXTRA = 1 << 4,
};

enum { LED_SCROLL = 1 << 0, LED_NUM = 1 << 1, LED_CAPS = 1 << 2 };

struct input_pointer {
	int x, y;         /* right, down: dots moved, or the position; see `absolute` */
	int dz, dh;       /* wheels: towards the user, to the right; in clicks */
	unsigned buttons; /* BUTTON_*, all that are down now */
	bool absolute;
};

struct input_handler {
	const char *name; /* "QEMU PS/2 Mouse" */
	unsigned kinds;   /* INPUT_* */
	/* Only changes are reported: repeats are the keyboard's. */
	void (*key)(void *dev, enum key key, bool down);
	/* Of a kind that it takes. */
	void (*pointer)(void *dev, const struct input_pointer *p);
	void *dev;
	uint8_t leds;   /* LED_*, set by the device at any time */
	unsigned index; /* of the monitor's mouse_set */
	struct input_handler *next;
};

struct input {
	struct input_handler *handlers;
	unsigned nr;
	bool down[NR_KEYS];
	struct input_pointer last;
	/* A key went down; before its device hears of it. May be NULL. */
	void (*pressed)(void *opaque);
	void *pressed_opaque;
};

void input_init(struct input *in);
/* Behind those that are there. h is borrowed until it is removed; its first six members are set. */
void input_add(struct input *in, struct input_handler *h);
void input_remove(struct input *in, struct input_handler *h);
/* First, and last, of its kinds. What is held down is let go of where it was. */
void input_activate(struct input *in, struct input_handler *h);
void input_deactivate(struct input *in, struct input_handler *h);

/* What gets events of a kind now; NULL: nothing. */
struct input_handler *input_first(const struct input *in, unsigned kinds);
/* Whether pointers are to send positions: the first pointing device takes them. */
bool input_absolute(const struct input *in);
/* LED_*, of the keyboard that gets the keys. */
unsigned input_leds(const struct input *in);

void input_key(struct input *in, enum key key, bool down);
/* Lets go of all keys, as when a window loses the focus. */
void input_release(struct input *in);
/* Positions beyond the range are the nearest one in it. */
void input_pointer(struct input *in, const struct input_pointer *p);

#endif
