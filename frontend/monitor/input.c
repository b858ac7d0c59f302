/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keys and pointers.
 */
#include <stdlib.h>

#include "frontend/monitor/command.h"
#include "hw/input/input.h"
#include "hw/pc.h"

#define HOLD_MS     100
#define HOLD_MAX_MS 10000

/* A number from min to max. */
static bool number(const struct arg *a, long min, long max, long *to)
{
	char *end;

	*to = strtol(a->text, &end, 0);
	return end != a->text && !*end && *to >= min && *to <= max;
}

static void cmd_sendkey(struct monitor *m, const struct out *o, const struct arg *a)
{
	long hold = HOLD_MS;
	char err[160];

	if (a[1].given && !number(&a[1], 1, HOLD_MAX_MS, &hold))
		out(o, "sendkey KEYS [MILLISECONDS], as in sendkey ctrl-alt-delete 100\n");
	else if (sendkey_queue(&m->env->keys, a[0].text, (unsigned)hold, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

static void cmd_mouse_move(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct input *in = &m->pc->m.input;
	long n[3] = {0};

	for (unsigned i = 0; i < 3 && a[i].given; i++)
		if (!number(&a[i], -0x7fff, 0x7fff, &n[i])) {
			out(o, "mouse_move DX DY [DZ], in dots and clicks of the wheel\n");
			return;
		}
	input_pointer(
	    in, &(struct input_pointer){
		    .x = (int)n[0], .y = (int)n[1], .dz = (int)n[2], .buttons = in->last.buttons});
}

static void cmd_mouse_button(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct input *in = &m->pc->m.input;
	struct input_pointer p = in->last;
	long n;

	if (!number(&a[0], 0, 7, &n)) {
		out(o, "mouse_button STATE: the sum of 1 (left), 2 (middle) and 4 (right)\n");
		return;
	}
	p.buttons =
	    (n & 1 ? BUTTON_LEFT : 0) | (n & 2 ? BUTTON_MIDDLE : 0) | (n & 4 ? BUTTON_RIGHT : 0);
	input_pointer(in, &p);
}

static void cmd_mouse_set(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct input *in = &m->pc->m.input;
	struct input_handler *h = in->handlers;
	long n = -1;

	if (number(&a[0], 0, 0xffff, &n))
		while (h && (h->index != (unsigned)n || !(h->kinds & ~INPUT_KEYS)))
			h = h->next;
	if (n < 0 || !h)
		out(o, "mouse_set INDEX: one of those that info mice lists\n");
	else
		input_activate(in, h);
}

static void info_mice(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct input *in = &m->pc->m.input;
	const struct input_handler *first = input_first(in, INPUT_RELATIVE | INPUT_ABSOLUTE);

	(void)a;
	for (const struct input_handler *h = in->handlers; h; h = h->next)
		if (h->kinds & (INPUT_RELATIVE | INPUT_ABSOLUTE))
			out(o, "%c Mouse #%u: %s%s\n", h == first ? '*' : ' ', h->index, h->name,
			    h->kinds & INPUT_ABSOLUTE ? " (absolute)" : "");
}

const struct command input_commands[] = {
    {"sendkey", "KEYS [MILLISECONDS]", cmd_sendkey, "press keys", "sendkey ctrl-alt-f1 100"},
    {"mouse_move", "DX DY [DZ]", cmd_mouse_move, "move the mouse, turn its wheel",
     "mouse_move 10 -5"},
    {"mouse_button", "STATE", cmd_mouse_button,
     "hold buttons: the sum of 1 (left), 2 (middle) and 4 (right)", "mouse_button 1"},
    {"mouse_set", "INDEX", cmd_mouse_set, "which device gets the pointer", "mouse_set 2"},
    {"info mice", NULL, info_mice, "pointing devices", "info mice"},
    {0},
};
