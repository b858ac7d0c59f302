/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The keys that front ends name and keyboards send: those of QEMU's key codes.
 */
#ifndef HW_INPUT_KEYS_H
#define HW_INPUT_KEYS_H

#include <stdint.h>

enum key {
	NO_KEY,
#define KEY(constant, name, set1, hid) KEY_##constant,
#include "hw/input/keys.def"
#undef KEY
	NR_KEYS
};

/* QEMU's name of it ("ret"), or NULL. */
const char *key_name(enum key key);
/* Its make code in set 1: bit 7 marks E0h codes, 145h is Pause. 0: none. */
uint16_t key_set1(enum key key);
/* Its usage in page 07h of the HID Usage Tables. 0: none. */
uint8_t key_hid(enum key key);

/* NO_KEY: there is none. Names include QEMU's second ones ("menu", "asterisk"). */
enum key key_by_name(const char *name);
enum key key_by_set1(uint16_t code);
enum key key_by_hid(unsigned usage);

#endif
