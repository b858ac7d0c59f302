/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys and pointers: names and codes, and which device gets them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "hw/i8042.h"
#include "hw/input/input.h"
#include "mmu/aspace.h"

static struct input in;
static struct input_handler kbd, usb_kbd, mouse, tablet;
static char trace[1024];

static void on_key(void *dev, enum key key, bool down)
{
	size_t n = strlen(trace);

	snprintf(trace + n, sizeof(trace) - n, "%s%s%s ", (const char *)dev, down ? "+" : "-",
		 key_name(key));
}

static void on_pointer(void *dev, const struct input_pointer *p)
{
	size_t n = strlen(trace);

	snprintf(trace + n, sizeof(trace) - n, "%s:%d,%d,%d,%u ", (const char *)dev, p->x, p->y, p->dz,
		 p->buttons);
}

static void setup(void)
{
	kbd = (struct input_handler){"k", INPUT_KEYS, on_key, NULL, "k", 0, 0, NULL};
	usb_kbd = (struct input_handler){"u", INPUT_KEYS, on_key, NULL, "u", 0, 0, NULL};
	mouse = (struct input_handler){"m", INPUT_RELATIVE, NULL, on_pointer, "m", 0, 0, NULL};
	tablet = (struct input_handler){"t", INPUT_ABSOLUTE, NULL, on_pointer, "t", 0, 0, NULL};
	input_init(&in);
	input_add(&in, &kbd);
	input_add(&in, &mouse);
	trace[0] = 0;
}

TestSuite(input, .init = setup);

static void expect(const char *want)
{
	cr_expect_str_eq(trace, want);
	trace[0] = 0;
}

Test(input, every_key_is_found_by_its_codes)
{
	for (int k = NO_KEY + 1; k < NR_KEYS; k++) {
		cr_assert(key_name(k));
		cr_expect_eq(key_by_name(key_name(k)), k, "%s", key_name(k));
		cr_expect(key_set1(k), "%s", key_name(k));
		cr_expect_eq(key_by_set1(key_set1(k)), k, "%s", key_name(k));
		cr_expect(!key_hid(k) || key_by_hid(key_hid(k)) == (enum key)k, "%s", key_name(k));
	}
	cr_expect_eq(key_by_name("menu"), KEY_COMPOSE);
	cr_expect_eq(key_by_name("nokey"), NO_KEY);
	cr_expect_eq(key_by_set1(0), NO_KEY);
	cr_expect_eq(key_by_set1(0xffff), NO_KEY);
	cr_expect_eq(key_by_hid(0), NO_KEY);
	cr_expect_eq(key_by_hid(1u << 30), NO_KEY);
	cr_expect_eq(key_by_hid(0x32), KEY_BACKSLASH);
	cr_expect_null(key_name(NR_KEYS));
	cr_expect_eq(key_set1(NR_KEYS), 0);
}

Test(input, keys_go_to_the_first_keyboard)
{
	input_key(&in, KEY_A, true);
	input_key(&in, KEY_A, true);
	input_key(&in, KEY_B, false);
	input_key(&in, NR_KEYS, true);
	input_key(&in, NO_KEY, true);
	expect("k+a ");
	input_add(&in, &usb_kbd);
	input_key(&in, KEY_CTRL, true);
	expect("k+ctrl ");
	usb_kbd.leds = LED_CAPS;
	cr_expect_eq(input_leds(&in), 0);
	input_activate(&in, &usb_kbd);
	expect("k-ctrl k-a ");
	cr_expect_eq(input_leds(&in), LED_CAPS);
	input_key(&in, KEY_A, false);
	input_key(&in, KEY_A, true);
	expect("u+a ");
	input_deactivate(&in, &usb_kbd);
	expect("u-a ");
	input_key(&in, KEY_A, true);
	input_release(&in);
	expect("k+a k-a ");
	input_remove(&in, &kbd);
	input_remove(&in, &usb_kbd);
	input_key(&in, KEY_A, true);
	expect("");
}

Test(input, pointers_go_where_their_kind_is_taken)
{
	const struct input_pointer move = {.x = -3, .y = 4, .dz = 1, .buttons = BUTTON_LEFT};
	const struct input_pointer at = {.x = 0x8000, .y = -1, .absolute = true};

	cr_expect_not(input_absolute(&in));
	input_pointer(&in, &move);
	input_pointer(&in, &at);
	expect("m:-3,4,1,1 ");
	input_add(&in, &tablet);
	cr_expect_not(input_absolute(&in), "its driver does not listen yet");
	input_activate(&in, &tablet);
	expect("m:0,0,0,0 ");
	cr_expect(input_absolute(&in));
	input_pointer(&in, &at);
	expect("t:32767,0,0,0 ");
	input_pointer(&in, &move);
	expect("m:-3,4,1,1 ");
	input_deactivate(&in, &tablet);
	cr_expect_not(input_absolute(&in));
}

/* What the guest reads of the PS/2 devices. */
Test(input, ps2)
{
	struct aspace io;
	struct clock clock;
	struct i8042 k;

	aspace_init(&io, "io", 16, NULL);
	clock_init(&clock, true);
	cr_assert_eq(i8042_init(&k, &io, &clock, NULL, NULL, NULL, NULL), 0);
	device_reset(&k.dev);
	input_init(&in);
	i8042_attach(&k, &in);
	input_key(&in, KEY_PGUP, true);
	input_key(&in, KEY_PGUP, false);
	static const uint8_t codes[] = {0xe0, 0x49, 0xe0, 0xc9};
	for (unsigned i = 0; i < sizeof(codes); i++)
		cr_expect_eq(aspace_read(&io, 0x60, 1), codes[i]);
	aspace_write(&io, 0x60, 0xed, 1);
	aspace_write(&io, 0x60, LED_CAPS | LED_NUM, 1);
	cr_expect_eq(input_leds(&in), LED_CAPS | LED_NUM);
	device_reset(&k.dev);
	cr_expect_eq(input_leds(&in), 0);
	for (int key = NO_KEY; key <= NR_KEYS; key++)
		input_key(&in, key, true);
	while (aspace_read(&io, 0x64, 1) & 1)
		aspace_read(&io, 0x60, 1);
	static const uint8_t enable[] = {0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4};
	for (unsigned i = 0; i < sizeof(enable); i++) {
		aspace_write(&io, 0x64, 0xd4, 1);
		aspace_write(&io, 0x60, enable[i], 1);
		cr_expect_eq(aspace_read(&io, 0x60, 1), 0xfa);
	}
	input_pointer(&in, &(struct input_pointer){
			       .x = 5, .y = 2, .dz = -1, .buttons = BUTTON_RIGHT | BUTTON_MIDDLE});
	static const uint8_t packet[] = {0x2e, 5, 0xfe, 0xff};
	for (unsigned i = 0; i < sizeof(packet); i++)
		cr_expect_eq(aspace_read(&io, 0x60, 1), packet[i]);
}
