/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * AT keyboard with 101/102 keys: IBM PS/2 Hardware Interface Technical Reference, "101- and
 * 102-key keyboard"; scan code sets 1, 2 and 3, typematic repeat.
 */
#include <string.h>

#include "hw/ps2.h"

enum {
	CMD_LEDS = 0xed,
	CMD_ECHO = 0xee,
	CMD_SET = 0xf0,
	CMD_ID = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_ALL_FIRST = 0xf7, /* F7-FA: one mode for all keys */
	CMD_ALL_LAST = 0xfa,
	CMD_KEY_FIRST = 0xfb, /* FB-FD: one mode for the keys that follow */
	CMD_KEY_LAST = 0xfd,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,
};

enum { ACK = 0xfa, RESEND = 0xfe, BAT_OK = 0xaa, BREAK = 0xf0 };

/* What a key sends in set 3, in the order of commands F7h-FAh. */
enum ps2_key_mode { TYPEMATIC, MAKE_BREAK, MAKE, TYPEMATIC_MAKE_BREAK };

#define DEFAULT_RATE 0x2b /* 500 ms, then 10.9 a second */

/* Set-1 make code to set 2 and set 3, plain keys. 0: no such key. */
static const uint8_t set2[0x80] = {
    0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66, 0x0d,
    0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14, 0x1c, 0x1b,
    0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a, 0x22, 0x21, 0x2a,
    0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05, 0x06, 0x04, 0x0c, 0x03,
    0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b, 0x6b, 0x73, 0x74, 0x79, 0x69,
    0x72, 0x7a, 0x70, 0x71, 0x84, 0x60, 0x61, 0x78, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
    0x47, 0x4f, 0x56, 0x5e, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x57, 0x6f,
    0x13, 0x19, 0x39, 0x51, 0x53, 0x5c, 0x5f, 0x62, 0x63, 0x64, 0x65, 0x67, 0x68, 0x6a, 0x6d, 0x6e,
};
static const uint8_t set3[0x80] = {
    0x00, 0x08, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66,
    0x0d, 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x11,
    0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5c, 0x1a,
    0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7e, 0x19, 0x29, 0x14, 0x07,
    0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x76, 0x5f, 0x6c, 0x75, 0x7d, 0x84,
    0x6b, 0x73, 0x74, 0x7c, 0x69, 0x72, 0x7a, 0x70, 0x71, 0x57, 0x00, 0x13, 0x56, 0x5e,
};

/* Extended keys in set 3. */
static uint8_t set3_extended(uint8_t code)
{
	static const uint8_t map[][2] = {
	    {0x1c, 0x79}, {0x1d, 0x58}, {0x35, 0x77}, {0x37, 0x57}, {0x38, 0x39}, {0x47, 0x6e},
	    {0x48, 0x63}, {0x49, 0x6f}, {0x4b, 0x61}, {0x4d, 0x6a}, {0x4f, 0x65}, {0x50, 0x60},
	    {0x51, 0x6d}, {0x52, 0x67}, {0x53, 0x64}, {0x5b, 0x8b}, {0x5c, 0x8c}, {0x5d, 0x8d},
	};

	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i][0] == code)
			return map[i][1];
	return 0;
}

static uint8_t set3_code(unsigned key)
{
	if (key == PS2_PAUSE)
		return 0x62;
	return key & PS2_E0 ? set3_extended(key & 0x7f) : set3[key & 0x7f];
}

static void default_modes(struct ps2_kbd *k)
{
	/* Modifiers are seen going up; navigation, function and keypad keys do not repeat. */
	static const uint8_t make_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
	static const uint8_t make[] = {
	    0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x39, 0x3f, 0x47, 0x4f, 0x56,
	    0x57, 0x58, 0x5e, 0x5f, 0x62, 0x65, 0x67, 0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f,
	    0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x79, 0x7a, 0x7d, 0x7e, 0x84,
	};

	memset(k->mode, TYPEMATIC, sizeof(k->mode));
	for (unsigned i = 0; i < sizeof(make_break); i++)
		k->mode[make_break[i]] = MAKE_BREAK;
	for (unsigned i = 0; i < sizeof(make); i++)
		k->mode[make[i]] = MAKE;
}

static void defaults(struct ps2_kbd *k)
{
	k->set = 2;
	k->rate = DEFAULT_RATE;
	k->repeat_key = 0;
	timer_cancel(&k->repeat);
	default_modes(k);
}

/* The bytes of a key event in the set in use; 0 when the key sends nothing. */
static unsigned encode(const struct ps2_kbd *k, unsigned key, bool down, uint8_t *out)
{
	uint8_t code = key & 0x7f;
	unsigned n = 0;

	if (k->set == 3) {
		code = set3_code(key);
		if (!code ||
		    (!down && k->mode[code] != MAKE_BREAK && k->mode[code] != TYPEMATIC_MAKE_BREAK))
			return 0;
		if (!down)
			out[n++] = BREAK;
		out[n++] = code;
		return n;
	}
	if (key == PS2_PAUSE) { /* make and break at once, nothing on release */
		static const uint8_t s1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
		static const uint8_t s2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};

		if (!down)
			return 0;
		n = k->set == 1 ? sizeof(s1) : sizeof(s2);
		memcpy(out, k->set == 1 ? s1 : s2, n);
		return n;
	}
	if (!code)
		return 0;
	/* Print Screen comes inside a shift, for programs that know the old keypad one. */
	if (key == PS2_PRINT && down) {
		out[n++] = 0xe0;
		out[n++] = k->set == 1 ? 0x2a : 0x12;
	}
	if (key & PS2_E0)
		out[n++] = 0xe0;
	if (k->set == 1) {
		out[n++] = code | (down ? 0 : 0x80);
	} else {
		if (!down)
			out[n++] = BREAK;
		out[n++] = set2[code];
	}
	if (key == PS2_PRINT && !down) {
		out[n++] = 0xe0;
		if (k->set == 2)
			out[n++] = BREAK;
		out[n++] = k->set == 1 ? 0xaa : 0x12;
	}
	return n;
}

static void send_key(struct ps2_kbd *k, unsigned key, bool down)
{
	uint8_t bytes[8], overrun = k->set == 1 ? 0xff : 0x00;
	unsigned n = encode(k, key, down, bytes);

	if (!n)
		return;
	if (ps2_event(&k->q, bytes, n) || ps2_event(&k->q, &overrun, 1))
		k->ready(k->opaque);
}

static uint64_t repeat_delay_ns(const struct ps2_kbd *k)
{
	return ((k->rate >> 5 & 3) + 1) * 250000000ull;
}

static uint64_t repeat_period_ns(const struct ps2_kbd *k)
{
	return (8 + (k->rate & 7)) * (1ull << (k->rate >> 3 & 3)) * 4170000;
}

static bool repeats(const struct ps2_kbd *k, unsigned key)
{
	uint8_t mode;

	if (key == PS2_PAUSE)
		return false;
	if (k->set != 3)
		return true;
	mode = k->mode[set3_code(key)];
	return mode == TYPEMATIC || mode == TYPEMATIC_MAKE_BREAK;
}

static void repeat(void *opaque)
{
	struct ps2_kbd *k = opaque;

	if (!k->repeat_key || !k->scanning)
		return;
	/* A guest that does not read sees no pile of repeats afterwards. */
	if (ps2_empty(&k->q))
		send_key(k, k->repeat_key, true);
	timer_arm(&k->repeat, clock_now(k->repeat.clock) + repeat_period_ns(k));
}

void ps2_kbd_key(struct ps2_kbd *k, unsigned key, bool down)
{
	if (key > 0xff && key != PS2_PAUSE)
		return;
	if (!k->scanning)
		return;
	if (down && key == k->repeat_key) /* the host's own repeat */
		return;
	if (down && repeats(k, key)) {
		k->repeat_key = key;
		timer_arm(&k->repeat, clock_now(k->repeat.clock) + repeat_delay_ns(k));
	} else if (down || key == k->repeat_key) {
		k->repeat_key = 0;
		timer_cancel(&k->repeat);
	}
	send_key(k, key, down);
}

static bool write_argument(struct ps2_kbd *k, uint8_t byte)
{
	uint8_t command = k->command;

	k->command = 0;
	switch (command) {
	case CMD_LEDS:
		if (byte > 7)
			return false;
		k->leds = byte;
		ps2_reply(&k->q, ACK);
		return true;
	case CMD_SET:
		if (byte > 3)
			return false;
		ps2_reply(&k->q, ACK);
		if (byte)
			k->set = byte;
		else
			ps2_reply(&k->q, k->set);
		return true;
	case CMD_RATE:
		if (byte & 0x80)
			return false;
		k->rate = byte;
		ps2_reply(&k->q, ACK);
		return true;
	default: /* a set 3 key; another one may follow */
		if (byte >= CMD_LEDS)
			return false;
		k->command = command;
		k->mode[byte] = command == CMD_KEY_FIRST       ? TYPEMATIC
				: command == CMD_KEY_FIRST + 1 ? MAKE_BREAK
							       : MAKE;
		ps2_reply(&k->q, ACK);
		return true;
	}
}

static void write_command(struct ps2_kbd *k, uint8_t byte)
{
	switch (byte) {
	case CMD_ECHO:
		ps2_reply(&k->q, CMD_ECHO);
		return;
	case CMD_RESEND:
		ps2_reply(&k->q, k->q.last);
		return;
	case CMD_LEDS:
	case CMD_SET:
	case CMD_RATE:
		k->command = byte;
		break;
	case CMD_ID:
		ps2_reply(&k->q, ACK);
		ps2_reply(&k->q, 0xab);
		ps2_reply(&k->q, 0x83);
		return;
	case CMD_ENABLE:
		ps2_flush(&k->q);
		k->scanning = 1;
		break;
	case CMD_DISABLE:
		ps2_flush(&k->q);
		defaults(k);
		k->scanning = 0;
		break;
	case CMD_DEFAULTS:
		ps2_flush(&k->q);
		defaults(k);
		break;
	case CMD_RESET:
		ps2_kbd_reset(k);
		ps2_reply(&k->q, ACK);
		ps2_reply(&k->q, BAT_OK);
		return;
	default:
		if (byte >= CMD_ALL_FIRST && byte <= CMD_ALL_LAST) {
			memset(k->mode, byte - CMD_ALL_FIRST, sizeof(k->mode));
		} else if (byte >= CMD_KEY_FIRST && byte <= CMD_KEY_LAST) {
			k->command = byte;
		} else {
			ps2_reply(&k->q, RESEND);
			return;
		}
		break;
	}
	ps2_reply(&k->q, ACK);
}

void ps2_kbd_write(struct ps2_kbd *k, uint8_t byte)
{
	/* A byte that cannot be the argument is the next command. */
	if (!k->command || !write_argument(k, byte))
		write_command(k, byte);
	k->ready(k->opaque);
}

void ps2_kbd_reset(struct ps2_kbd *k)
{
	ps2_flush(&k->q);
	k->q.last = 0;
	k->command = 0;
	k->leds = 0;
	k->scanning = 1;
	defaults(k);
}

void ps2_kbd_init(struct ps2_kbd *k, struct clock *clk, void (*ready)(void *), void *opaque)
{
	memset(k, 0, sizeof(*k));
	k->ready = ready;
	k->opaque = opaque;
	timer_init(&k->repeat, clk, repeat, k);
	ps2_kbd_reset(k);
}
