/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor's sendkey: combinations of keys by QEMU's names, pressed one after the other.
 */
#ifndef FRONTEND_SENDKEY_H
#define FRONTEND_SENDKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/clock.h"

#define SENDKEY_KEYS  8
#define SENDKEY_QUEUE 64

struct input;

struct sendkey {
	struct input *input;
	struct timer timer;
	struct key_combination {
		uint16_t key[SENDKEY_KEYS]; /* enum key */
		uint8_t nr;
		uint32_t hold_ms;
	} queue[SENDKEY_QUEUE];
	unsigned nr;
	bool down;                  /* those of queue[0] are */
	void (*room)(void *opaque); /* after one was released; may be NULL */
	void *opaque;
};

void sendkey_init(struct sendkey *s, struct input *input, struct clock *clock);
/* Queues "ctrl-alt-delete", to be held for hold_ms (of guest time). 0, or -1 with one line in err. Machine
 * lock held. */
int sendkey_queue(struct sendkey *s, const char *keys, unsigned hold_ms, char *err, size_t errlen);
/* The same for nr (1 to SENDKEY_KEYS) keys (enum key); false when there is no room. */
bool sendkey_press(struct sendkey *s, const uint16_t *key, unsigned nr, unsigned hold_ms);

#endif
