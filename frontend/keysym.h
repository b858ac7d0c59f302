/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * X keysyms, as VNC clients send them, to the keys of a PC keyboard with US layout.
 */
#ifndef FRONTEND_KEYSYM_H
#define FRONTEND_KEYSYM_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/input/keys.h"

/* How a symbol is made with its key. */
enum keysym_shift { SHIFT_ANY, SHIFT_UP, SHIFT_DOWN };

/* NO_KEY: no key makes it. Letters are made either way, since Caps Lock may be on. */
enum key keysym_key(uint32_t keysym, enum keysym_shift *shift);

#endif
