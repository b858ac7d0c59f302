/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Serial ports, consoles and monitors, and where they lead.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "frontend/app.h"
#include "frontend/stream.h"

static void on_write(void *opaque, const char *text, size_t len)
{
	struct app *a = opaque;

	chardev_write(&a->console.stream.chr, (const uint8_t *)text, len);
}

/* Pages are for people who see them. */
static unsigned terminal_rows(void *opaque)
{
	struct winsize ws;

	(void)opaque;
	if (!isatty(STDIN_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0)
		return 0;
	return ws.ws_row;
}

static void on_typed(void *opaque, uint8_t b)
{
	struct app *a = opaque;

	session_feed(&a->session, b);
}

static void on_shown(void *opaque, bool on)
{
	struct app *a = opaque;

	session_show(&a->session, on);
}

static void on_quit(void *opaque)
{
	struct app *a = opaque;

	machine_request_quit(&a->pc->m);
}

static void on_break(void *opaque)
{
	struct app *a = opaque;

	for (unsigned i = 0; i < a->opt.nr_serial; i++)
		if (a->opt.serial[i].kind == CHR_STDIO)
			uart16550_break(&a->pc->uart[i]);
}

static int open_console(struct app *a, bool mux)
{
	int r = console_open(&a->console, a->pc->m.loop, mux, a->dying);

	if (r < 0)
		return complain("cannot use standard input: %s", strerror(-r));
	a->console.typed = on_typed;
	a->console.shown = on_shown;
	a->console.quit = on_quit;
	a->console.send_break = on_break;
	a->console.opaque = a;
	a->has_console = true;
	session_init(&a->session, &a->env, on_write, a);
	a->session.rows = terminal_rows;
	a->session.editor.plain = !isatty(STDIN_FILENO);
	return 0;
}

/* A chardev for a device, or NULL when it leads nowhere. */
int app_open_chardev(struct app *a, const struct chardev_spec *spec, const char *label,
		     struct chardev **out)
{
	struct backend *b;

	*out = NULL;
	if (spec->kind == CHR_NONE || spec->kind == CHR_NULL)
		return 0;
	if (spec->kind == CHR_STDIO) {
		if (open_console(a, spec->mux))
			return 1;
		*out = &a->console.stream.chr;
		return 0;
	}
	if (backend_open(&b, spec, label, a->pc->m.loop, a->dying, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	b->next = a->backends;
	a->backends = b;
	*out = &b->stream.chr;
	return stream_start(&b->stream) < 0 ? complain("cannot read from %s", label) : 0;
}

static int open_textcon(struct app *a)
{
	struct machine *m = &a->pc->m;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return complain("-display curses needs a terminal as standard input and output");
	if (open_console(a, true))
		return 1;
	return textcon_open(&a->textcon, &a->console, &a->ui.screens[0], &m->input, a->keymap,
			    &m->clock) < 0
		   ? complain("out of memory")
		   : 0;
}

/* The board is made before its chardevs, whose loop is the machine's: here they meet. */
int app_open_chardevs(struct app *a)
{
	struct chardev *chr;
	char label[24];

	for (unsigned i = 0; i < a->opt.nr_serial; i++) {
		snprintf(label, sizeof(label), "serial%u", i);
		if (app_open_chardev(a, &a->opt.serial[i], label, &chr))
			return 1;
		if (chr)
			uart16550_attach(&a->pc->uart[i], chr);
	}
	for (unsigned i = 0; i < a->opt.nr_debugcon; i++) {
		snprintf(label, sizeof(label), "debugcon%u", i);
		if (app_open_chardev(a, &a->opt.debugcon[i].to, label, &chr))
			return 1;
		a->pc->debugcon[i].chr = chr;
	}
	for (unsigned i = 0; i < a->opt.nr_monitors; i++)
		if (monitor_server_open(&a->monitors, &a->opt.monitor[i], &a->env, a->dying, a->err,
					sizeof(a->err)) < 0)
			return complain("%s", a->err);
	if (a->opt.curses)
		return open_textcon(a);
	if (a->opt.monitor_stdio) {
		if (open_console(a, true))
			return 1;
		console_monitor(&a->console, true);
	}
	return 0;
}

void app_close_chardevs(struct app *a)
{
	while (a->backends) {
		struct backend *b = a->backends;

		a->backends = b->next;
		backend_close(b);
	}
	textcon_close(&a->textcon);
	monitor_servers_close(a->monitors);
	session_fini(&a->session);
	ui_close(&a->ui);
	if (a->has_console)
		console_close(&a->console);
}
