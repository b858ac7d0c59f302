/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a terminal sends when keys are pressed, as keys of a PC keyboard: characters, control characters, Alt as ESC before them, and the sequences of xterm and its likes (ECMA-48, DEC VT220).
 */
#ifndef FRONTEND_TERMKEYS_H
#define FRONTEND_TERMKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/input/keys.h"

#define TERMKEYS_MAX 4

struct keymap;

struct termkeys {
	uint16_t key[TERMKEYS_MAX]; /* enum key, modifiers first */
	unsigned nr;                /* 0: nothing that such a keyboard has */
};

/* Takes one key from the front of buf (len > 0) and returns its bytes, at least 1. Terminals write a
 * sequence at once: an ESC with nothing behind it is the key of that name. map: the guest's layout, for
 * characters in UTF-8; NULL: that of the US. */
size_t termkeys_next(const struct keymap *map, const uint8_t *buf, size_t len,
		     struct termkeys *out);

/* A printable ASCII character: its key, and whether Shift goes with it. NO_KEY: none. */
enum key termkeys_printable(char c, bool *shift);

#endif
