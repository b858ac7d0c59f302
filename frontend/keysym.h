/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * X keysyms, as VNC clients send them, to the keys of a PC keyboard.
 */
#ifndef FRONTEND_KEYSYM_H
#define FRONTEND_KEYSYM_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/keymap.h"

struct input;

/* map: the guest's layout; NULL: that of the US. False: no key makes it. */
bool keysym_find(const struct keymap *map, uint32_t keysym, struct typed *out);

/* Presses the key of s: with a layout of its own, a client may hold modifiers that the symbol does not have here, or
 * not those that it has. They are as before afterwards. Shift is left alone for letters, since Caps Lock may be on.
 * Machine lock held. */
void keysym_press(struct input *in, const struct typed *s);

#endif
