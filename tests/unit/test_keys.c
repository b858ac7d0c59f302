/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys: what terminals and VNC clients send, layouts, and the monitor's sendkey.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/keysym.h"
#include "frontend/sendkey.h"
#include "frontend/termkeys.h"
#include "hw/i8042.h"
#include "mmu/aspace.h"

static void expect(const char *bytes, size_t len, size_t taken, unsigned nr, unsigned a, unsigned b,
		   unsigned c)
{
	struct termkeys k;

	cr_expect_eq(termkeys_next(NULL, (const uint8_t *)bytes, len, &k), taken, "of %s",
		     bytes + 1);
	cr_assert_eq(k.nr, nr, "%u keys of %s", k.nr, bytes + 1);
	cr_expect(nr < 1 || key_set1(k.key[0]) == a, "%x", k.key[0]);
	cr_expect(nr < 2 || key_set1(k.key[1]) == b, "%x", k.key[1]);
	cr_expect(nr < 3 || key_set1(k.key[2]) == c, "%x", k.key[2]);
}
#define EXPECT(bytes, ...) expect(bytes, sizeof(bytes) - 1, __VA_ARGS__)

Test(termkeys, characters)
{
	EXPECT("a", 1, 1, 0x1e, 0, 0);
	EXPECT("A", 1, 2, 0x2a, 0x1e, 0);
	EXPECT("?x", 1, 2, 0x2a, 0x35, 0);
	EXPECT("`", 1, 1, 0x29, 0, 0);
	EXPECT("\\", 1, 1, 0x2b, 0, 0);
	EXPECT(" ", 1, 1, 0x39, 0, 0);
	EXPECT("\r", 1, 1, 0x1c, 0, 0);
	EXPECT("\x7f", 1, 1, 0x0e, 0, 0);
	EXPECT("\x03", 1, 2, 0x1d, 0x2e, 0);
	EXPECT("\x1c", 1, 2, 0x1d, 0x2b, 0);
	EXPECT("\0", 1, 2, 0x1d, 0x39, 0);
	EXPECT("\xc3\xa9z", 2, 0, 0, 0, 0);
}

Test(termkeys, sequences)
{
	EXPECT("\x1b", 1, 1, 0x01, 0, 0);
	EXPECT("\x1b\x1b", 2, 2, 0x38, 0x01, 0);
	EXPECT("\x1bx", 2, 2, 0x38, 0x2d, 0);
	EXPECT("\x1b[A", 3, 1, 0xc8, 0, 0);
	EXPECT("\x1b[Dq", 3, 1, 0xcb, 0, 0);
	EXPECT("\x1bOP", 3, 1, 0x3b, 0, 0);
	EXPECT("\x1b[15~", 5, 1, 0x3f, 0, 0);
	EXPECT("\x1b[24~", 5, 1, 0x58, 0, 0);
	EXPECT("\x1b[3~", 4, 1, 0xd3, 0, 0);
	EXPECT("\x1b[1;5C", 6, 2, 0x1d, 0xcd, 0);
	EXPECT("\x1b[3;7~", 6, 3, 0x1d, 0x38, 0xd3);
	EXPECT("\x1b[Z", 3, 2, 0x2a, 0x0f, 0);
	EXPECT("\x1b[99~", 5, 0, 0, 0, 0);
	EXPECT("\x1b[1;2;3;4;5X", 12, 0, 0, 0, 0);
}

/* Any bytes are taken, one key at most for each. */
Test(termkeys, anything)
{
	uint8_t buf[64];
	unsigned seed = 1;

	for (unsigned n = 0; n < 20000; n++) {
		size_t len = 1 + (size_t)rand_r(&seed) % sizeof(buf), at = 0;
		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)(rand_r(&seed) % 3 ? rand_r(&seed)
							     : "\x1b[O;~1"[rand_r(&seed) % 6]);
		while (at < len) {
			struct termkeys k;
			size_t taken = termkeys_next(NULL, buf + at, len - at, &k);
			cr_assert(taken >= 1 && taken <= len - at);
			cr_assert_leq(k.nr, TERMKEYS_MAX);
			at += taken;
		}
	}
}

static struct {
	struct aspace io;
	struct clock clock;
	struct i8042 kbd;
	struct input input;
	struct sendkey keys;
	unsigned rooms;
} b;

static void pin(void *opaque, int n, int level)
{
	(void)opaque;
	(void)n;
	(void)level;
}

static void on_room(void *opaque)
{
	(void)opaque;
	b.rooms++;
}

static void setup(void)
{
	struct irq_pin none = {pin, NULL, 0};

	memset(&b, 0, sizeof(b));
	aspace_init(&b.io, "io", 16, NULL);
	clock_init(&b.clock, true);
	cr_assert_eq(i8042_init(&b.kbd, &b.io, &b.clock, &none, &none, &none, &none), 0);
	device_reset(&b.kbd.dev);
	i8042_attach(&b.kbd, &b.input);
	sendkey_init(&b.keys, &b.input, &b.clock);
	b.keys.room = on_room;
	aspace_write(&b.io, 0x64, 0x60, 1);
	aspace_write(&b.io, 0x60, 0x41, 1); /* translated to set 1 */
	aspace_write(&b.io, 0x60, 0xf4, 1);
	cr_assert_eq(aspace_read(&b.io, 0x60, 1), 0xfa);
}

TestSuite(sendkey, .init = setup);

/* The next scan code, or -1. */
static int code(void)
{
	return aspace_read(&b.io, 0x64, 1) & 1 ? (int)aspace_read(&b.io, 0x60, 1) : -1;
}

Test(sendkey, one_after_the_other)
{
	char err[100];

	cr_assert_eq(sendkey_queue(&b.keys, "ctrl-alt-delete", 50, err, sizeof(err)), 0);
	cr_assert_eq(sendkey_queue(&b.keys, "ret", 50, err, sizeof(err)), 0);
	cr_expect_eq(code(), 0x1d);
	cr_expect_eq(code(), 0x38);
	cr_expect_eq(code(), 0xe0);
	cr_expect_eq(code(), 0x53);
	cr_expect_eq(code(), -1);
	clock_step(&b.clock, 50000000);
	cr_expect_eq(code(), 0xe0);
	cr_expect_eq(code(), 0xd3);
	cr_expect_eq(code(), 0xb8);
	cr_expect_eq(code(), 0x9d);
	cr_expect_eq(code(), -1, "a gap before the next");
	cr_expect_eq(b.rooms, 1);
	clock_step(&b.clock, 20000000);
	cr_expect_eq(code(), 0x1c);
	clock_step(&b.clock, 50000000);
	cr_expect_eq(code(), 0x9c);
	cr_expect_eq(b.rooms, 2);
	cr_expect_eq(b.keys.nr, 0);
}

Test(sendkey, refuses)
{
	char err[100] = "";
	unsigned n = 0;

	cr_expect_eq(sendkey_queue(&b.keys, "ctrl-delte", 50, err, sizeof(err)), -1);
	cr_expect(strstr(err, "delte") && strstr(err, "delete?"), "%s", err);
	cr_expect_eq(sendkey_queue(&b.keys, "", 50, err, sizeof(err)), -1);
	cr_expect_eq(sendkey_queue(&b.keys, "a-b-c-d-e-f-g-h-i", 50, err, sizeof(err)), -1);
	cr_expect_eq(sendkey_queue(&b.keys, "0xff", 50, err, sizeof(err)), -1);
	cr_expect_eq(code(), -1);
	while (sendkey_queue(&b.keys, "0x1e", 50, err, sizeof(err)) == 0)
		n++;
	cr_expect_eq(n, SENDKEY_QUEUE);
	cr_expect_eq(code(), 0x1e);
}

/* shift: -1 where Caps Lock may be on. */
static void makes(const struct keymap *map, uint32_t keysym, enum key key, int shift, bool altgr)
{
	struct typed s;

	cr_assert(keysym_find(map, keysym, &s), "%x", keysym);
	cr_expect_eq(s.key, key, "%x: %s", keysym, key_name(s.key));
	cr_expect_eq(s.letter, shift < 0, "%x", keysym);
	cr_expect(shift < 0 || (s.shift == MOD_DOWN) == shift, "%x", keysym);
	cr_expect_eq(s.altgr == MOD_DOWN, altgr, "%x", keysym);
}

Test(keysym, every_character_of_a_us_keyboard)
{
	struct typed s;

	for (uint32_t c = ' '; c < 0x7f; c++)
		cr_expect(keysym_find(NULL, c, &s), "%c", (int)c);
	makes(NULL, 'a', KEY_A, -1, false);
	makes(NULL, 'A', KEY_A, -1, false);
	makes(NULL, '1', KEY_1, 0, false);
	makes(NULL, '"', KEY_APOSTROPHE, 1, false);
	makes(NULL, 0xff0d, KEY_RET, 0, false);
	makes(NULL, 0xffc9, KEY_F12, 0, false);
	makes(NULL, 0xffb5, KEY_KP_5, 0, false);
	cr_expect(!keysym_find(NULL, 0x20ac, &s));
	cr_expect(!keysym_find(NULL, UINT32_MAX, &s));
}

static struct keymap *layout(const char *name)
{
	char err[200];
	struct keymap *map = keymap_load(name, err, sizeof(err));

	if (!map)
		cr_skip_test("%s", err);
	return map;
}

Test(keymap, of_a_german_keyboard)
{
	struct keymap *map = layout("de");
	struct typed s;

	for (uint32_t c = ' '; c < 0x7f; c++)
		if (!strchr("^`", (int)c)) /* dead keys */
			cr_expect(keysym_find(map, c, &s), "%c", (int)c);
	makes(map, 'z', KEY_Y, -1, false);
	makes(map, 'Y', KEY_Z, -1, false);
	makes(map, '@', KEY_Q, 0, true);
	makes(map, '<', KEY_LESS, 0, false);
	makes(map, '/', KEY_7, 1, false);
	makes(map, 0xdf, KEY_MINUS, 0, false);      /* sharp s */
	makes(map, 0xd6, KEY_SEMICOLON, -1, false); /* O with dots */
	makes(map, 0x20ac, KEY_E, 0, true);         /* the euro, as X names it, */
	makes(map, 0x10020ac, KEY_E, 0, true);      /* and as Unicode does */
	makes(map, 0xff0d, KEY_RET, 0, false);
	cr_expect(!keysym_find(map, 0x6c1, &s), "Cyrillic");
	keymap_free(map);
}

Test(keymap, names)
{
	struct keymap *map = layout("fr");
	char err[200];

	makes(map, '1', KEY_1, 1, false);
	makes(map, '&', KEY_1, 0, false);
	keymap_free(map);
	map = layout("en-gb");
	makes(map, 0xa3, KEY_3, 1, false); /* the pound */
	keymap_free(map);
	map = layout("ru");
	makes(map, 0x6c1, KEY_F, -1, false);
	makes(map, 0x1000430, KEY_F, -1, false);
	keymap_free(map);
	cr_expect_null(keymap_load("klingon", err, sizeof(err)));
	cr_expect(strstr(err, "-k klingon: no such layout"), "%s", err);
	cr_expect_null(keymap_load("", err, sizeof(err)));
	cr_expect_null(keymap_load("de-and-more-than-a-layout-is-called", err, sizeof(err)));
}

Test(keymap, of_a_terminal)
{
	struct keymap *map = layout("de");
	struct termkeys k;

	cr_expect_eq(termkeys_next(map, (const uint8_t *)"@", 1, &k), 1u);
	cr_expect_eq(k.nr, 2u);
	cr_expect_eq(k.key[0], KEY_ALT_R);
	cr_expect_eq(k.key[1], KEY_Q);
	cr_expect_eq(termkeys_next(map, (const uint8_t *)"\xc3\x96x", 3, &k), 2u);
	cr_expect_eq(k.nr, 2u);
	cr_expect_eq(k.key[0], KEY_SHIFT);
	cr_expect_eq(k.key[1], KEY_SEMICOLON);
	cr_expect_eq(termkeys_next(map, (const uint8_t *)"\x1a", 1, &k), 1u); /* Ctrl-Z */
	cr_expect_eq(k.nr, 2u);
	cr_expect_eq(k.key[1], KEY_Y);
	keymap_free(map);
}

TestSuite(keymap_press, .init = setup);

/* Of a US keyboard, where @ is with Shift and not with AltGr: that is so for this key alone. */
Test(keymap_press, modifiers_come_and_go)
{
	static const int want[] = {0x2a, 0xaa, 0xe0, 0x38, 0x10, 0xe0, 0xb8, 0x2a, -1};
	struct keymap *map = layout("de");
	struct typed s;

	cr_assert(keysym_find(map, '@', &s));
	input_key(&b.input, KEY_SHIFT, true);
	keysym_press(&b.input, &s);
	for (size_t n = 0; n < sizeof(want) / sizeof(want[0]); n++)
		cr_expect_eq(code(), want[n], "code %zu", n);
	keymap_free(map);
}
