/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/keysym.h"

#include <stddef.h>

#include "frontend/termkeys.h"
#include "hw/input/input.h"

/* X11's keysymdef.h: keys that make no characters. */
static const struct {
	uint16_t keysym;
	uint8_t key;
} keys[] = {
    {0xfe03, KEY_ALT_R},
    {0xff08, KEY_BACKSPACE},
    {0xff09, KEY_TAB},
    {0xfe20, KEY_TAB},
    {0xff0d, KEY_RET},
    {0xff13, KEY_PAUSE},
    {0xff14, KEY_SCROLL_LOCK},
    {0xff15, KEY_SYSRQ},
    {0xff1b, KEY_ESC},
    {0xff20, KEY_COMPOSE},
    {0xff22, KEY_MUHENKAN},
    {0xff23, KEY_HENKAN},
    {0xff27, KEY_KATAKANAHIRAGANA},
    {0xff31, KEY_LANG1},
    {0xff34, KEY_LANG2},
    {0xff50, KEY_HOME},
    {0xff51, KEY_LEFT},
    {0xff52, KEY_UP},
    {0xff53, KEY_RIGHT},
    {0xff54, KEY_DOWN},
    {0xff55, KEY_PGUP},
    {0xff56, KEY_PGDN},
    {0xff57, KEY_END},
    {0xff61, KEY_PRINT},
    {0xff63, KEY_INSERT},
    {0xff65, KEY_UNDO},
    {0xff66, KEY_AGAIN},
    {0xff67, KEY_COMPOSE},
    {0xff68, KEY_FIND},
    {0xff69, KEY_STOP},
    {0xff6a, KEY_HELP},
    {0xff6b, KEY_PAUSE},
    {0xff7e, KEY_ALT_R},
    {0xff7f, KEY_NUM_LOCK},
    {0xff8d, KEY_KP_ENTER},
    {0xff95, KEY_KP_7},
    {0xff96, KEY_KP_4},
    {0xff97, KEY_KP_8},
    {0xff98, KEY_KP_6},
    {0xff99, KEY_KP_2},
    {0xff9a, KEY_KP_9},
    {0xff9b, KEY_KP_3},
    {0xff9c, KEY_KP_1},
    {0xff9d, KEY_KP_5},
    {0xff9e, KEY_KP_0},
    {0xff9f, KEY_KP_DECIMAL},
    {0xffaa, KEY_KP_MULTIPLY},
    {0xffab, KEY_KP_ADD},
    {0xffac, KEY_KP_COMMA},
    {0xffad, KEY_KP_SUBTRACT},
    {0xffae, KEY_KP_DECIMAL},
    {0xffaf, KEY_KP_DIVIDE},
    {0xffb0, KEY_KP_0},
    {0xffb1, KEY_KP_1},
    {0xffb2, KEY_KP_2},
    {0xffb3, KEY_KP_3},
    {0xffb4, KEY_KP_4},
    {0xffb5, KEY_KP_5},
    {0xffb6, KEY_KP_6},
    {0xffb7, KEY_KP_7},
    {0xffb8, KEY_KP_8},
    {0xffb9, KEY_KP_9},
    {0xffbd, KEY_KP_EQUALS},
    {0xffbe, KEY_F1},
    {0xffbf, KEY_F2},
    {0xffc0, KEY_F3},
    {0xffc1, KEY_F4},
    {0xffc2, KEY_F5},
    {0xffc3, KEY_F6},
    {0xffc4, KEY_F7},
    {0xffc5, KEY_F8},
    {0xffc6, KEY_F9},
    {0xffc7, KEY_F10},
    {0xffc8, KEY_F11},
    {0xffc9, KEY_F12},
    {0xffca, KEY_F13},
    {0xffcb, KEY_F14},
    {0xffcc, KEY_F15},
    {0xffcd, KEY_F16},
    {0xffce, KEY_F17},
    {0xffcf, KEY_F18},
    {0xffd0, KEY_F19},
    {0xffd1, KEY_F20},
    {0xffd2, KEY_F21},
    {0xffd3, KEY_F22},
    {0xffd4, KEY_F23},
    {0xffd5, KEY_F24},
    {0xffe1, KEY_SHIFT},
    {0xffe2, KEY_SHIFT_R},
    {0xffe3, KEY_CTRL},
    {0xffe4, KEY_CTRL_R},
    {0xffe5, KEY_CAPS_LOCK},
    {0xffe7, KEY_META_L},
    {0xffe8, KEY_META_R},
    {0xffe9, KEY_ALT},
    {0xffea, KEY_ALT_R},
    {0xffeb, KEY_META_L},
    {0xffec, KEY_META_R},
    {0xffff, KEY_DELETE},
};

bool keysym_find(const struct keymap *map, uint32_t keysym, struct typed *out)
{
	*out = (struct typed){.key = NO_KEY};
	if (keysym == ' ') {
		out->key = KEY_SPC;
	} else if (map && keymap_find(map, keysym, out)) {
		return true;
	} else if (keysym > ' ' && keysym < 0x7f && !map) {
		bool shift;

		out->key = termkeys_printable((char)keysym, &shift);
		out->shift = shift ? MOD_DOWN : MOD_UP;
		out->letter = (keysym | 0x20) >= 'a' && (keysym | 0x20) <= 'z';
	}
	for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]) && out->key == NO_KEY; n++)
		if (keys[n].keysym == keysym)
			out->key = keys[n].key;
	return out->key != NO_KEY;
}

/* What was done to a modifier, which has one key or two. */
struct changed {
	enum key left, right;
	bool was_left, was_right, changed;
};

static void make(struct input *in, struct changed *c, enum modifier want)
{
	c->was_left = in->down[c->left];
	c->was_right = in->down[c->right];
	c->changed = want != MOD_ANY && (want == MOD_DOWN) != (c->was_left || c->was_right);
	if (!c->changed)
		return;
	input_key(in, c->left, want == MOD_DOWN);
	if (c->was_right)
		input_key(in, c->right, false);
}

static void make_as_before(struct input *in, const struct changed *c)
{
	if (!c->changed)
		return;
	input_key(in, c->left, c->was_left);
	if (c->was_right)
		input_key(in, c->right, true);
}

void keysym_press(struct input *in, const struct typed *s)
{
	struct changed shift = {.left = KEY_SHIFT, .right = KEY_SHIFT_R},
		       altgr = {.left = KEY_ALT_R, .right = KEY_ALT_R};

	make(in, &shift, s->letter ? MOD_ANY : s->shift);
	make(in, &altgr, s->altgr);
	input_key(in, s->key, true);
	make_as_before(in, &altgr);
	make_as_before(in, &shift);
}
