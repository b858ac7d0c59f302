/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/termkeys.h"

#include <stdbool.h>
#include <string.h>

#include "frontend/keysym.h"

enum { ESC = 0x1b, DEL = 0x7f };

/* Bits of a sequence's modifier parameter less one. */
enum { WITH_SHIFT = 1, WITH_ALT = 2, WITH_CTRL = 4, WITH_ALTGR = 8 };

static void add(struct termkeys *k, unsigned key)
{
	if (k->nr < TERMKEYS_MAX)
		k->key[k->nr++] = (uint16_t)key;
}

static void add_modified(struct termkeys *k, unsigned mods, unsigned key)
{
	if (mods & WITH_CTRL)
		add(k, KEY_CTRL);
	if (mods & WITH_ALT)
		add(k, KEY_ALT);
	if (mods & WITH_SHIFT)
		add(k, KEY_SHIFT);
	if (mods & WITH_ALTGR)
		add(k, KEY_ALT_R);
	add(k, key);
}

/* The keys of the US layout in the order of their make codes, from code `first` on. */
static const struct {
	unsigned first;
	const char *plain, *shifted;
} rows[] = {
    {0x02, "1234567890-=", "!@#$%^&*()_+"},
    {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
    {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
    {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
};

enum key termkeys_printable(char c, bool *shift)
{
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		const char *at = strchr(rows[n].plain, c);

		*shift = !at;
		if (at)
			return key_by_set1((uint16_t)(rows[n].first + (at - rows[n].plain)));
		at = strchr(rows[n].shifted, c);
		if (at)
			return key_by_set1((uint16_t)(rows[n].first + (at - rows[n].shifted)));
	}
	*shift = false;
	return c == ' ' ? KEY_SPC : NO_KEY;
}

/* A character of the guest's layout. */
static void printable(const struct keymap *map, struct termkeys *k, unsigned mods, uint32_t c)
{
	struct typed s;

	if (!keysym_find(map, c < 0x100 ? c : 0x1000000 | c, &s))
		return;
	mods |= s.shift == MOD_DOWN ? WITH_SHIFT : 0;
	mods |= s.altgr == MOD_DOWN ? WITH_ALTGR : 0;
	add_modified(k, mods, s.key);
}

static void character(const struct keymap *map, struct termkeys *k, unsigned mods, uint8_t c)
{
	unsigned key = 0;

	switch (c) {
	case '\r':
		key = KEY_RET;
		break;
	case '\t':
		key = KEY_TAB;
		break;
	case DEL:
	case '\b':
		key = KEY_BACKSPACE;
		break;
	case ESC:
		key = KEY_ESC;
		break;
	case 0:
		key = KEY_SPC;
		mods |= WITH_CTRL;
		break;
	default:
		if (c < ' ') {
			mods |= WITH_CTRL;
			c |= c <= 26 ? 0x60 : 0x40; /* letters, and [ \ ] ^ _ */
		}
		printable(map, k, mods, c);
		break;
	}
	if (key)
		add_modified(k, mods, key);
}

/* One of UTF-8's that is not ASCII; returns its bytes. */
static size_t beyond_ascii(const struct keymap *map, struct termkeys *k, const uint8_t *buf,
			   size_t len)
{
	uint32_t c = buf[0] & (buf[0] >= 0xf0 ? 0x07 : buf[0] >= 0xe0 ? 0x0f : 0x1f);
	size_t n = 1;

	for (; n < len && n < 4 && (buf[n] & 0xc0) == 0x80; n++)
		c = c << 6 | (buf[n] & 0x3f);
	printable(map, k, 0, c);
	return n;
}

/* CSI n ~ */
static unsigned by_number(unsigned n)
{
	static const uint16_t keys[] = {
	    [1] = KEY_HOME,    [2] = KEY_INSERT,  [3] = KEY_DELETE,  [4] = KEY_END,
	    [5] = KEY_PGUP,    [6] = KEY_PGDN,    [7] = KEY_HOME,    [8] = KEY_END,
	    [11] = KEY_F1,     [12] = KEY_F1 + 1, [13] = KEY_F1 + 2, [14] = KEY_F1 + 3,
	    [15] = KEY_F1 + 4, [17] = KEY_F1 + 5, [18] = KEY_F1 + 6, [19] = KEY_F1 + 7,
	    [20] = KEY_F1 + 8, [21] = KEY_F1 + 9, [23] = KEY_F11,    [24] = KEY_F11 + 1};

	return n < sizeof(keys) / sizeof(keys[0]) ? keys[n] : 0;
}

static unsigned by_letter(uint8_t c)
{
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'F':
		return KEY_END;
	case 'H':
		return KEY_HOME;
	case 'P':
	case 'Q':
	case 'R':
	case 'S':
		return KEY_F1 + c - 'P';
	}
	return 0;
}

/* Parameters and the final byte, behind CSI. */
static size_t control_sequence(const uint8_t *buf, size_t len, struct termkeys *k)
{
	unsigned param[2] = {0, 1}, n = 0, key;
	size_t at = 0;

	for (; at < len && buf[at] < 0x40; at++) {
		if (buf[at] == ';')
			n++;
		else if (buf[at] >= '0' && buf[at] <= '9' && n < 2)
			param[n] =
			    ((at && buf[at - 1] != ';' ? param[n] : 0) * 10 + buf[at] - '0') % 1000;
	}
	if (at == len)
		return at;
	if (buf[at] == 'Z') {
		add_modified(k, WITH_SHIFT, KEY_TAB);
		return at + 1;
	}
	key = buf[at] == '~' ? by_number(param[0]) : by_letter(buf[at]);
	if (key)
		add_modified(k, param[1] ? param[1] - 1 : 0, key);
	return at + 1;
}

size_t termkeys_next(const struct keymap *map, const uint8_t *buf, size_t len, struct termkeys *out)
{
	out->nr = 0;
	if (buf[0] >= 0x80)
		return beyond_ascii(map, out, buf, len);
	if (buf[0] != ESC || len == 1) {
		character(map, out, 0, buf[0]);
		return 1;
	}
	if (buf[1] == '[' && len > 2)
		return 2 + control_sequence(buf + 2, len - 2, out);
	if (buf[1] == 'O' && len > 2) {
		unsigned key = by_letter(buf[2]);

		if (key)
			add(out, key);
		return 3;
	}
	character(map, out, WITH_ALT, buf[1]);
	return 2;
}
