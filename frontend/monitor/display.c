/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Screens and who looks at them.
 */
#include <inttypes.h>
#include <string.h>

#include "frontend/monitor/command.h"
#include "frontend/ui.h"
#include "frontend/vnc.h"

static void info_display(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct ui *ui = m->env->ui;

	(void)a;
	if (!ui || !ui->nr) {
		out(o, "nobody can look at a display: -display sdl, curses or -vnc\n");
		return;
	}
	for (unsigned n = 0; n < ui->nr; n++) {
		const struct screen *s = &ui->screens[n];

		out(o,
		    "screen %u: %s, %ux%u, %s; %" PRIu64 " looks, %" PRIu64 " updates of %" PRIu64
		    " pixels\n",
		    n + 1, s->display->name, s->surface.width, s->surface.height,
		    s->views ? "watched" : "not watched", s->looks, s->updates, s->pixels);
	}
}

static void info_vnc(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct vnc *v = m->env->vnc;

	(void)a;
	if (!v)
		out(o, "there is no VNC server: -vnc :N starts one\n");
	else if (vnc_port(v))
		out(o, "port %u, %u clients\n", vnc_port(v), vnc_clients(v));
	else
		out(o, "unix socket, %u clients\n", vnc_clients(v));
}

static void set_password(struct monitor *m, const struct out *o, const char *password)
{
	if (!m->env->vnc || !vnc_set_password(m->env->vnc, password))
		out(o, "no VNC server asks for a password: -vnc :N,password=on starts one\n");
}

static void cmd_set_password(struct monitor *m, const struct out *o, const struct arg *a)
{
	if (strcmp(a[0].text, "vnc") != 0)
		out(o, "set_password vnc PASSWORD; there is no %s\n", a[0].text);
	else
		set_password(m, o, a[1].text);
}

static void cmd_change(struct monitor *m, const struct out *o, const struct arg *a)
{
	if (strcmp(a[1].text, "vnc") != 0)
		monitor_change_medium(m, o, a);
	else if (strcmp(a[2].text, "password") != 0 || !a[3].given)
		out(o, "change vnc password PASSWORD\n");
	else
		set_password(m, o, a[3].text);
}

const struct command display_commands[] = {
    {"info display", NULL, info_display, "screens, and what they cost", "info display"},
    {"info vnc", NULL, info_vnc, "the VNC server", "info vnc"},
    {"set_password", "vnc PASSWORD", cmd_set_password,
     "what VNC clients must know, with -vnc ...,password=on", "set_password vnc secret"},
    {"change", "-f DEVICE FILE [FORMAT] [MODE]", cmd_change,
     "put another medium in (mode: retain, read-only, or read-write, which writes the file itself "
     "also under -snapshot; -f: although the guest holds the old one), or 'change vnc password "
     "PASSWORD'",
     "change ide1-cd0 other.iso"},
    {0},
};
