/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/sendkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options.h"
#include "hw/i8042.h"

#define GAP_MS 10 /* between two combinations: programs that poll see the release */

/* Set-1 make codes. */
static const struct {
	const char *name;
	uint16_t key;
} keys[] = {
    {"esc", 0x01},
    {"1", 0x02},
    {"2", 0x03},
    {"3", 0x04},
    {"4", 0x05},
    {"5", 0x06},
    {"6", 0x07},
    {"7", 0x08},
    {"8", 0x09},
    {"9", 0x0a},
    {"0", 0x0b},
    {"minus", 0x0c},
    {"equal", 0x0d},
    {"backspace", 0x0e},
    {"tab", 0x0f},
    {"q", 0x10},
    {"w", 0x11},
    {"e", 0x12},
    {"r", 0x13},
    {"t", 0x14},
    {"y", 0x15},
    {"u", 0x16},
    {"i", 0x17},
    {"o", 0x18},
    {"p", 0x19},
    {"bracket_left", 0x1a},
    {"bracket_right", 0x1b},
    {"ret", 0x1c},
    {"ctrl", 0x1d},
    {"a", 0x1e},
    {"s", 0x1f},
    {"d", 0x20},
    {"f", 0x21},
    {"g", 0x22},
    {"h", 0x23},
    {"j", 0x24},
    {"k", 0x25},
    {"l", 0x26},
    {"semicolon", 0x27},
    {"apostrophe", 0x28},
    {"grave_accent", 0x29},
    {"shift", 0x2a},
    {"backslash", 0x2b},
    {"z", 0x2c},
    {"x", 0x2d},
    {"c", 0x2e},
    {"v", 0x2f},
    {"b", 0x30},
    {"n", 0x31},
    {"m", 0x32},
    {"comma", 0x33},
    {"dot", 0x34},
    {"slash", 0x35},
    {"shift_r", 0x36},
    {"kp_multiply", 0x37},
    {"asterisk", 0x37},
    {"alt", 0x38},
    {"spc", 0x39},
    {"caps_lock", 0x3a},
    {"f1", 0x3b},
    {"f2", 0x3c},
    {"f3", 0x3d},
    {"f4", 0x3e},
    {"f5", 0x3f},
    {"f6", 0x40},
    {"f7", 0x41},
    {"f8", 0x42},
    {"f9", 0x43},
    {"f10", 0x44},
    {"num_lock", 0x45},
    {"scroll_lock", 0x46},
    {"kp_7", 0x47},
    {"kp_8", 0x48},
    {"kp_9", 0x49},
    {"kp_subtract", 0x4a},
    {"kp_4", 0x4b},
    {"kp_5", 0x4c},
    {"kp_6", 0x4d},
    {"kp_add", 0x4e},
    {"kp_1", 0x4f},
    {"kp_2", 0x50},
    {"kp_3", 0x51},
    {"kp_0", 0x52},
    {"kp_decimal", 0x53},
    {"less", 0x56},
    {"f11", 0x57},
    {"f12", 0x58},
    {"kp_enter", PS2_E0 | 0x1c},
    {"ctrl_r", PS2_E0 | 0x1d},
    {"kp_divide", PS2_E0 | 0x35},
    {"print", PS2_PRINT},
    {"sysrq", 0x54},
    {"alt_r", PS2_E0 | 0x38},
    {"home", PS2_E0 | 0x47},
    {"up", PS2_E0 | 0x48},
    {"pgup", PS2_E0 | 0x49},
    {"left", PS2_E0 | 0x4b},
    {"right", PS2_E0 | 0x4d},
    {"end", PS2_E0 | 0x4f},
    {"down", PS2_E0 | 0x50},
    {"pgdn", PS2_E0 | 0x51},
    {"insert", PS2_E0 | 0x52},
    {"delete", PS2_E0 | 0x53},
    {"meta_l", PS2_E0 | 0x5b},
    {"meta_r", PS2_E0 | 0x5c},
    {"menu", PS2_E0 | 0x5d},
    {"pause", PS2_PAUSE},
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static void arm(struct sendkey *s, unsigned ms)
{
	timer_arm(&s->timer, clock_now(s->timer.clock) + ms * 1000000ull);
}

static void press(struct sendkey *s)
{
	const struct key_combination *c = &s->queue[0];

	for (unsigned n = 0; n < c->nr; n++)
		i8042_key(s->kbd, c->key[n], true);
	s->down = true;
	arm(s, c->hold_ms);
}

static void fire(void *opaque)
{
	struct sendkey *s = opaque;

	if (!s->down) {
		press(s);
		return;
	}
	for (unsigned n = s->queue[0].nr; n-- > 0;)
		i8042_key(s->kbd, s->queue[0].key[n], false);
	s->down = false;
	memmove(&s->queue[0], &s->queue[1], --s->nr * sizeof(s->queue[0]));
	if (s->nr)
		arm(s, GAP_MS);
	if (s->room)
		s->room(s->opaque);
}

void sendkey_init(struct sendkey *s, struct i8042 *kbd, struct clock *clock)
{
	memset(s, 0, sizeof(*s));
	s->kbd = kbd;
	timer_init(&s->timer, clock, fire, s);
}

/* A name, or a make code as in 0x1c. */
static int key_by_name(const char *name)
{
	unsigned long code;
	char *end;

	for (size_t n = 0; n < NR_KEYS; n++)
		if (strcmp(keys[n].name, name) == 0)
			return keys[n].key;
	if (name[0] != '0' || name[1] != 'x')
		return -1;
	code = strtoul(name, &end, 16);
	return !*end && code > 0 && code < 0xff ? (int)code : -1;
}

static int unknown(const char *name, char *err, size_t errlen)
{
	const char *names[NR_KEYS + 1] = {NULL}, *near;

	for (size_t n = 0; n < NR_KEYS; n++)
		names[n] = keys[n].name;
	near = nearest_name(name, names);
	if (near)
		snprintf(err, errlen, "unknown key: %s (did you mean %s?)", name, near);
	else
		snprintf(err, errlen, "unknown key: %s; keys are named as in ctrl-alt-f1, ret, spc",
			 name);
	return -1;
}

bool sendkey_press(struct sendkey *s, const uint16_t *key, unsigned nr, unsigned hold_ms)
{
	struct key_combination *c = &s->queue[s->nr];

	if (s->nr == SENDKEY_QUEUE)
		return false;
	memcpy(c->key, key, nr * sizeof(*key));
	c->nr = (uint8_t)nr;
	c->hold_ms = hold_ms;
	if (!s->nr++)
		press(s);
	return true;
}

int sendkey_queue(struct sendkey *s, const char *text, unsigned hold_ms, char *err, size_t errlen)
{
	uint16_t combination[SENDKEY_KEYS];
	unsigned nr = 0;
	char name[32];

	while (*text) {
		size_t len = strcspn(text, "-");
		int key;

		snprintf(name, sizeof(name), "%.*s", (int)len, text);
		key = key_by_name(name);
		if (key < 0)
			return unknown(name, err, errlen);
		if (nr == SENDKEY_KEYS) {
			snprintf(err, errlen, "more than %d keys at once", SENDKEY_KEYS);
			return -1;
		}
		combination[nr++] = (uint16_t)key;
		text += len;
		text += *text == '-';
	}
	if (!nr)
		return unknown("", err, errlen);
	if (sendkey_press(s, combination, nr, hold_ms))
		return 0;
	snprintf(err, errlen, "%d combinations are waiting already", SENDKEY_QUEUE);
	return -1;
}
