/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/input/keys.h"

#include <stddef.h>
#include <string.h>

#define E0(code) (0x80 | (code))

static const struct {
	const char *name;
	uint16_t set1;
	uint8_t hid;
} keys[NR_KEYS] = {
#define KEY(constant, name, set1, hid) [KEY_##constant] = {name, set1, hid},
#include "hw/input/keys.def"
#undef KEY
};

const char *key_name(enum key key)
{
	return key < NR_KEYS ? keys[key].name : NULL;
}

uint16_t key_set1(enum key key)
{
	return key < NR_KEYS ? keys[key].set1 : 0;
}

uint8_t key_hid(enum key key)
{
	return key < NR_KEYS ? keys[key].hid : 0;
}

enum key key_by_name(const char *name)
{
	static const struct {
		const char *name;
		enum key key;
	} second[] = {{"menu", KEY_COMPOSE}, {"asterisk", KEY_KP_MULTIPLY}};

	for (size_t n = 0; n < sizeof(second) / sizeof(second[0]); n++)
		if (strcmp(second[n].name, name) == 0)
			return second[n].key;
	for (int k = NO_KEY + 1; k < NR_KEYS; k++)
		if (strcmp(keys[k].name, name) == 0)
			return k;
	return NO_KEY;
}

enum key key_by_set1(uint16_t code)
{
	for (int k = NO_KEY + 1; code && k < NR_KEYS; k++)
		if (keys[k].set1 == code)
			return k;
	return NO_KEY;
}

enum key key_by_hid(unsigned usage)
{
	if (usage == 0x32) /* "Non-US # and ~": where the backslash is on other keyboards */
		return KEY_BACKSLASH;
	for (int k = NO_KEY + 1; usage && k < NR_KEYS; k++)
		if (keys[k].hid == usage)
			return k;
	return NO_KEY;
}
