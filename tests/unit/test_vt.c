/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The character terminal of text consoles: what programs send, and bytes at random. And the font.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/vc.h"
#include "frontend/vt.h"
#include "roms/roms.h"

static struct vt t;
static char answered[256];

static void on_answer(void *opaque, const char *text)
{
	(void)opaque;
	if (strlen(answered) + strlen(text) < sizeof(answered))
		strcat(answered, text);
}

static void init(void)
{
	*answered = 0;
	vt_init(&t, on_answer, NULL);
}

TestSuite(vt, .init = init, .timeout = 60);

static void say(const char *text)
{
	vt_write(&t, (const uint8_t *)text, strlen(text));
}

/* A row without the spaces at its end. */
static const char *row(unsigned y)
{
	static char text[VT_COLUMNS + 1];
	unsigned n = 0;

	for (unsigned x = 0; x < VT_COLUMNS; x++) {
		text[x] = (char)t.cell[y][x].ch;
		if (text[x] != ' ')
			n = x + 1;
	}
	text[n] = 0;
	return text;
}

Test(vt, text_and_lines)
{
	say("hello\r\nworld\b\bLD\tx");
	cr_expect_str_eq(row(0), "hello");
	cr_expect_str_eq(row(1), "worLD   x");
	cr_expect(t.x == 9 && t.y == 1);
	for (unsigned n = 0; n < VT_ROWS; n++)
		say("\n\rq");
	cr_expect_str_eq(row(VT_ROWS - 1), "q");
	cr_expect_str_eq(row(0), "q");
	cr_expect(t.y == VT_ROWS - 1);
}

Test(vt, lines_wrap_when_the_next_character_comes)
{
	for (unsigned n = 0; n < VT_COLUMNS; n++)
		say("a");
	cr_expect(t.y == 0 && t.x == VT_COLUMNS);
	say("\r");
	cr_expect(t.y == 0 && t.x == 0);
	for (unsigned n = 0; n <= VT_COLUMNS; n++)
		say("b");
	cr_expect(t.y == 1 && t.x == 1);
	cr_expect_eq(t.cell[1][0].ch, 'b');
}

Test(vt, cursor_and_erasing)
{
	say("\033[3;5Hx\033[A\033[2Cy\033[20Dz\033[99;99H!");
	cr_expect_eq(t.cell[2][4].ch, 'x');
	cr_expect_eq(t.cell[1][7].ch, 'y');
	cr_expect_eq(t.cell[1][0].ch, 'z');
	cr_expect_eq(t.cell[VT_ROWS - 1][VT_COLUMNS - 1].ch, '!');
	say("\033[2;1H\033[K");
	cr_expect_str_eq(row(1), "");
	say("\033[2J");
	cr_expect_str_eq(row(2), "");
	cr_expect_str_eq(row(VT_ROWS - 1), "");
	say("\033[Habcdef\033[3G\033[1K");
	cr_expect_str_eq(row(0), "   def");
	say("\033[4G\033[2P\033[@");
	cr_expect_str_eq(row(0), "    f");
	say("\033[X\033[1;5H\033[X");
	cr_expect_str_eq(row(0), "");
}

Test(vt, rows_and_regions)
{
	say("0\r\n1\r\n2\r\n3\r\n4\033[2;4r");
	cr_expect(t.x == 0 && t.y == 0);
	say("\033[4;1H\n");
	cr_expect_str_eq(row(0), "0");
	cr_expect_str_eq(row(1), "2");
	cr_expect_str_eq(row(3), "");
	cr_expect_str_eq(row(4), "4");
	say("\033[2;1H\033M");
	cr_expect_str_eq(row(1), "");
	cr_expect_str_eq(row(2), "2");
	say("\033[M");
	cr_expect_str_eq(row(1), "2");
	say("\033[1;1H\033[L"); /* outside of the region */
	cr_expect_str_eq(row(0), "0");
	say("\033[2;1H\033[9999L");
	cr_expect_str_eq(row(1), "");
	cr_expect_str_eq(row(4), "4");
	say("\033[5;2r\033[99;99r");
	cr_expect(t.top == 1 && t.bottom == 3);
}

Test(vt, colors)
{
	say("\033[31ma\033[1;44mb\033[0;7mc\033[27;97md\033[38;5;1me\033[mf");
	cr_expect_eq(t.cell[0][0].attr, 0x04);
	cr_expect_eq(t.cell[0][1].attr, 0x1c);
	cr_expect_eq(t.cell[0][2].attr, 0x70);
	cr_expect_eq(t.cell[0][3].attr, 0x0f);
	cr_expect_eq(t.cell[0][4].attr, 0x0f);
	cr_expect_eq(t.cell[0][5].attr, 0x07);
}

Test(vt, questions)
{
	say("\033[3;7H\033[6n\033[c\033[5n\033[?6n");
	cr_expect_str_eq(answered, "\033[3;7R\033[?6c\033[0n");
}

Test(vt, unicode)
{
	say("\xc3\xa4\xe2\x94\x80\xe2\x96\x88\xf0\x9f\x98\x80\xc3"
	    "A\x80");
	cr_expect_eq(t.cell[0][0].ch, 0x84);
	cr_expect_eq(t.cell[0][1].ch, 0xc4);
	cr_expect_eq(t.cell[0][2].ch, 0xdb);
	cr_expect_eq(t.cell[0][3].ch, '?');
	cr_expect_eq(t.cell[0][4].ch, 'A');
	cr_expect(t.x == 5);
}

Test(vt, what_is_not_for_the_screen)
{
	say("\033]0;a title\007a\033(Bb\033[?2004hc\033[>1;2qd\033P1$r\033\\e\033[12\030f");
	cr_expect_str_eq(row(0), "abcdef");
	say("\033[?25l");
	cr_expect(t.hidden);
	say("\033[?25h\0337\033[10;10H\0338");
	cr_expect(!t.hidden && t.y == 0 && t.x == 6);
	say("\033c");
	cr_expect_str_eq(row(0), "");
}

Test(vt, only_what_changes_is_drawn)
{
	memset(t.changed, 0, sizeof(t.changed));
	say("\033[5;1Hx");
	for (unsigned y = 0; y < VT_ROWS; y++)
		cr_expect_eq(t.changed[y], y == 0 || y == 4, "%u", y);
}

/* Sequences with any numbers, and none: it stays inside of its screen. */
Test(vt, anything_at_all)
{
	static const char bits[] =
	    "\033[]()?;0123456789999ABCDEFGHJKLMPSTXZ@dfhlmnrsu78cM\r\n\b\t \303\250\377";
	unsigned seed = 1;
	char text[64];

	for (unsigned n = 0; n < 200000; n++) {
		unsigned len = 1 + (unsigned)rand_r(&seed) % 12;

		text[0] = rand_r(&seed) % 2 ? '\033' : 'x';
		text[1] = rand_r(&seed) % 2 ? '[' : 'y';
		for (unsigned i = 2; i < len; i++)
			text[i] = bits[(unsigned)rand_r(&seed) % (sizeof(bits) - 1)];
		vt_write(&t, (const uint8_t *)text, len);
		*answered = 0;
		cr_assert(t.x <= VT_COLUMNS && t.y < VT_ROWS);
		cr_assert(t.top < t.bottom && t.bottom < VT_ROWS);
	}
}

Test(vt, font_of_the_vga_bios)
{
	static struct vc_font font;
	static const uint8_t none[8192];
	const struct rom *r = roms;

	cr_expect_not(vc_find_font(&font, none, sizeof(none)));
	cr_expect_not(vc_find_font(&font, none, 100));
	while (r->name && strcmp(r->name, "vgabios-stdvga.bin") != 0)
		r++;
	if (!r->name)
		cr_skip_test("built without SeaBIOS");
	cr_assert(vc_find_font(&font, r->start, (size_t)(r->end - r->start)));
	/* The bar of a T, the stem of a 1. */
	cr_expect_gt(__builtin_popcount(font.glyph['T'][2]), 5);
	cr_expect_eq(font.glyph['_'][2], 0);
	cr_expect_neq(font.glyph['_'][13], 0);
}
