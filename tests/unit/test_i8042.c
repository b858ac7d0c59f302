/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chips.h"
#include "hw/i8042.h"

static struct board b;
static struct i8042 k;

enum { A20 = 20, RESET = 21 };

static void setup(void)
{
	struct irq_pin irq1, irq12, a20, reset;

	board_init(&b);
	irq1 = pin(&b, 1);
	irq12 = pin(&b, 12);
	a20 = pin(&b, A20);
	reset = pin(&b, RESET);
	cr_assert_eq(i8042_init(&k, &b.io, &b.clock, &irq1, &irq12, &a20, &reset), 0);
	device_reset(&k.dev);
}

static bool full(void)
{
	return inb(&b, 0x64) & 1;
}
static void cmd(uint8_t c)
{
	outb(&b, 0x64, c);
}
static void data(uint8_t c)
{
	outb(&b, 0x60, c);
}
static void aux(uint8_t c)
{
	cmd(0xd4);
	data(c);
}
static int get(void)
{
	return full() ? inb(&b, 0x60) : -1;
}

static void expect(const char *what, unsigned n, const uint8_t *bytes)
{
	for (unsigned i = 0; i < n; i++) {
		int c = get();

		cr_assert_eq(c, bytes[i], "%s: byte %u is %02x, not %02x", what, i, c, bytes[i]);
	}
	cr_assert_not(full(), "%s: more than expected", what);
}
#define EXPECT(what, ...) expect(what, sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

TestSuite(i8042, .init = setup);

Test(i8042, controller_commands)
{
	cr_assert_eq(inb(&b, 0x64), 0x14);
	cmd(0xaa);
	cr_assert_eq(inb(&b, 0x64), 0x1d);
	EXPECT("self-test", 0x55);
	cmd(0xab);
	EXPECT("keyboard port", 0x00);
	cmd(0xa9);
	EXPECT("mouse port", 0x00);
	cmd(0x20);
	EXPECT("command byte", 0x65);
	cmd(0x60);
	data(0x47);
	cmd(0x20);
	EXPECT("command byte", 0x47);
	cmd(0xa7);
	cmd(0x20);
	EXPECT("mouse off", 0x67);
	cmd(0xa8);
	cmd(0xad);
	cmd(0x20);
	EXPECT("keyboard off", 0x57);
	cmd(0xae);
	cmd(0x77);
	data(0x99);
	cmd(0x37);
	EXPECT("RAM", 0x99);
}

Test(i8042, mouse_port_loop_as_linux_probes_it)
{
	cmd(0x60);
	data(0x47);
	cmd(0xd3);
	data(0xa5);
	cr_assert_eq(b.wire[12].level, 1);
	cr_assert_eq(inb(&b, 0x64) & 0x21, 0x21);
	EXPECT("loop", 0xa5);
	cr_assert_eq(b.wire[12].level, 0);
	cmd(0xd2);
	data(0x5a);
	cr_assert_eq(b.wire[1].level, 1);
	EXPECT("keyboard loop", 0x5a);
}

Test(i8042, a20_and_reset)
{
	cr_assert_eq(b.wire[A20].level, 1);
	cmd(0xd0);
	cr_assert_eq(get() & 3, 3);
	cmd(0xd1);
	data(0xdd);
	cr_assert_eq(b.wire[A20].level, 0);
	cmd(0xdf);
	cr_assert_eq(b.wire[A20].level, 1);
	cmd(0xdd);
	cr_assert_eq(b.wire[A20].level, 0);
	cmd(0xff);
	cr_assert_eq(b.wire[RESET].rises, 0);
	cmd(0xfe);
	cr_assert_eq(b.wire[RESET].rises, 1);
	cmd(0xd1);
	data(0x02);
	cr_assert_eq(b.wire[RESET].rises, 2);
	device_reset(&k.dev);
	cr_assert_eq(b.wire[A20].level, 1);
}

Test(i8042, keyboard_identifies)
{
	cmd(0x60);
	data(0x05); /* no translation */
	data(0xff);
	EXPECT("reset", 0xfa, 0xaa);
	data(0xf2);
	EXPECT("id", 0xfa, 0xab, 0x83);
	data(0xee);
	EXPECT("echo", 0xee);
	data(0xed);
	EXPECT("leds", 0xfa);
	data(0x05);
	EXPECT("leds", 0xfa);
	cr_assert_eq(k.keys.leds, 5);
	data(0xf0);
	data(0x00);
	EXPECT("which set", 0xfa, 0xfa, 0x02);
	data(0xfe);
	EXPECT("resend", 0x02);
	data(0xe1);
	EXPECT("unknown", 0xfe);
	data(0xed);
	data(0xf4); /* not an argument: the next command */
	EXPECT("leds, then enable", 0xfa, 0xfa);
	cmd(0x60);
	data(0x45);
	data(0xf2);
	EXPECT("id, translated", 0xfa, 0xab, 0x41);
}

Test(i8042, key_codes)
{
	ps2_kbd_key(&k.kbd, 0x1e, true);
	cr_assert_eq(b.wire[1].level, 1);
	ps2_kbd_key(&k.kbd, 0x1e, false);
	ps2_kbd_key(&k.kbd, PS2_E0 | 0x48, true);
	ps2_kbd_key(&k.kbd, PS2_E0 | 0x48, false);
	EXPECT("set 1", 0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8);
	cr_assert_eq(b.wire[1].level, 0);
	cr_assert_eq(b.wire[1].rises, 6);
	ps2_kbd_key(&k.kbd, PS2_PAUSE, true);
	ps2_kbd_key(&k.kbd, PS2_PAUSE, false);
	EXPECT("pause", 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	ps2_kbd_key(&k.kbd, PS2_PRINT, true);
	ps2_kbd_key(&k.kbd, PS2_PRINT, false);
	EXPECT("print", 0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
	cmd(0x60);
	data(0x05);
	ps2_kbd_key(&k.kbd, 0x1e, true);
	ps2_kbd_key(&k.kbd, 0x1e, false);
	ps2_kbd_key(&k.kbd, PS2_E0 | 0x48, false);
	EXPECT("set 2", 0x1c, 0xf0, 0x1c, 0xe0, 0xf0, 0x75);
	data(0xf0);
	data(0x03);
	EXPECT("set 3", 0xfa, 0xfa);
	ps2_kbd_key(&k.kbd, 0x2a, true);
	ps2_kbd_key(&k.kbd, 0x2a, false);
	ps2_kbd_key(&k.kbd, 0x1e, true);
	ps2_kbd_key(&k.kbd, 0x1e, false);
	ps2_kbd_key(&k.kbd, PS2_E0 | 0x48, true);
	EXPECT("set 3", 0x12, 0xf0, 0x12, 0x1c, 0x63);
	data(0xfa); /* all keys typematic, make and break */
	ps2_kbd_key(&k.kbd, 0x1e, false);
	EXPECT("set 3", 0xfa, 0xf0, 0x1c);
	data(0xf0);
	data(0x01);
	EXPECT("set 1", 0xfa, 0xfa);
	ps2_kbd_key(&k.kbd, PS2_E0 | 0x1d, true);
	ps2_kbd_key(&k.kbd, PS2_E0 | 0x1d, false);
	EXPECT("set 1, untranslated", 0xe0, 0x1d, 0xe0, 0x9d);
}

Test(i8042, every_key_translates_to_itself)
{
	for (int key = 1; key < 0x80; key++) {
		ps2_kbd_key(&k.kbd, key, true);
		ps2_kbd_key(&k.kbd, key, false);
		if (key != 0x7f && key != 0x00) {
			cr_assert_eq(get(), key);
			cr_assert_eq(get(), key | 0x80);
		}
	}
}

Test(i8042, typematic)
{
	int n = 0;

	ps2_kbd_key(&k.kbd, 0x1e, true);
	cr_assert_eq(get(), 0x1e);
	ps2_kbd_key(&k.kbd, 0x1e, true);
	cr_assert_eq(get(), -1, "the host's repeats are not passed on");
	clock_step(&b.clock, 499999999);
	cr_assert_eq(get(), -1);
	for (int i = 0; i < 1000; i++) {
		clock_step(&b.clock, 1000000);
		n += get() == 0x1e;
	}
	cr_assert_geq(n, 10);
	cr_assert_leq(n, 12);
	ps2_kbd_key(&k.kbd, 0x1e, false);
	cr_assert_eq(get(), 0x9e);
	clock_step(&b.clock, 2 * NSEC_PER_SEC);
	cr_assert_eq(get(), -1);
}

Test(i8042, a_full_queue_keeps_room_for_replies)
{
	for (int i = 0; i < 200; i++)
		ps2_kbd_key(&k.kbd, 0x1e, i & 1);
	data(0xee);
	inb(&b, 0x60);
	cr_assert_eq(get(), 0xee, "replies go first");
	for (int i = 0; i < 100; i++)
		get();
	cr_assert_not(full());
}

Test(i8042, disabled_keyboard_is_held_back)
{
	cmd(0xad);
	ps2_kbd_key(&k.kbd, 0x1e, true);
	cr_assert_not(full());
	cmd(0xae);
	cr_assert_eq(get(), 0x1e);
	data(0xf5);
	cr_assert_eq(get(), 0xfa);
	ps2_kbd_key(&k.kbd, 0x1f, true);
	cr_assert_not(full());
}

Test(i8042, mouse)
{
	cmd(0x60);
	data(0x47);
	aux(0xff);
	EXPECT("reset", 0xfa, 0xaa, 0x00);
	ps2_mouse_move(&k.mouse, 5, 5, 0, 1);
	cr_assert_not(full(), "not enabled yet");
	aux(0xf2);
	EXPECT("id", 0xfa, 0x00);
	aux(0xe9);
	EXPECT("status", 0xfa, 0x04, 0x02, 100);
	ps2_mouse_move(&k.mouse, 0, 0, 0, 0);
	aux(0xf4);
	EXPECT("enable", 0xfa);
	ps2_mouse_move(&k.mouse, 10, 20, 0, 1);
	cr_assert_eq(b.wire[12].level, 1);
	cr_assert_eq(b.wire[1].level, 0);
	EXPECT("packet", 0x29, 10, (uint8_t)-20);
	ps2_mouse_move(&k.mouse, -300, 0, 0, 0);
	EXPECT("a long move takes several", 0x18, (uint8_t)-127, 0, 0x18, (uint8_t)-127, 0, 0x18,
	       (uint8_t)-46, 0);
	ps2_mouse_move(&k.mouse, 0, 0, 3, 0);
	cr_assert_not(full(), "no wheel yet");
	static const uint8_t knock[] = {200, 100, 80};
	for (int i = 0; i < 3; i++) {
		aux(0xf3);
		aux(knock[i]);
		EXPECT("rate", 0xfa, 0xfa);
	}
	aux(0xf2);
	EXPECT("wheel", 0xfa, 0x03);
	ps2_mouse_move(&k.mouse, 0, 0, 3, 2);
	EXPECT("wheel packet", 0x0a, 0, 0, 3);
	static const uint8_t knock5[] = {200, 200, 80};
	for (int i = 0; i < 3; i++) {
		aux(0xf3);
		aux(knock5[i]);
		EXPECT("rate", 0xfa, 0xfa);
	}
	aux(0xf2);
	EXPECT("five buttons", 0xfa, 0x04);
	ps2_mouse_move(&k.mouse, 0, 0, -1, 0x18);
	EXPECT("five button packet", 0x08, 0, 0, 0x3f);
	aux(0xee);
	EXPECT("wrap", 0xfa);
	aux(0x42);
	EXPECT("echo", 0x42);
	aux(0xec);
	EXPECT("unwrap", 0xfa);
	aux(0xf0);
	EXPECT("remote", 0xfa);
	ps2_mouse_move(&k.mouse, 1, 0, 0, 0);
	cr_assert_not(full());
	aux(0xeb);
	EXPECT("read", 0xfa, 0x08, 1, 0, 0);
	aux(0xe1);
	EXPECT("unknown", 0xfe);
}

Test(i8042, survives_anything)
{
	uint32_t x = 1;

	for (int i = 0; i < 100000; i++) {
		x = x * 1664525 + 1013904223;
		switch (x >> 29) {
		case 0:
		case 1:
			data(x >> 8);
			break;
		case 2:
			cmd(x >> 8);
			break;
		case 3:
			aux(x >> 8);
			break;
		case 4:
			ps2_kbd_key(&k.kbd, x >> 8 & 0x1ff, x & 1 << 20);
			break;
		case 5:
			ps2_mouse_move(&k.mouse, (int)x, (int)(x << 3), x & 1 ? INT32_MIN : 1,
				       x >> 5);
			break;
		case 6:
			clock_step(&b.clock, x & 0xffffff);
			break;
		default:
			inb(&b, x & 1 << 20 ? 0x64 : 0x60);
			break;
		}
	}
}
