/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keyboard layouts: which keys make a character where the guest's layout is not that of the US. They are those of
 * xkeyboard-config, by libxkbcommon, which is loaded when one is asked for.
 */
#ifndef FRONTEND_KEYMAP_H
#define FRONTEND_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/input/keys.h"

/* What a symbol wants of a modifier key. */
enum modifier { MOD_ANY, MOD_UP, MOD_DOWN };

/* How a symbol is made. */
struct typed {
	enum key key;
	enum modifier shift, altgr;
	bool letter; /* with Caps Lock, Shift is the other way round */
};

struct keymap;

/* name: one of QEMU's ("en-us", "de-ch", "pt-br"), or an XKB layout, as "de", with a variant as in "de:neo". NULL and
 * one line in err; free it with keymap_free(). */
struct keymap *keymap_load(const char *name, char *err, size_t errlen);
void keymap_free(struct keymap *map);

/* keysym: X's, also of a Unicode character (1000000h + its number). False: no key makes it. */
bool keymap_find(const struct keymap *map, uint32_t keysym, struct typed *out);

#endif
