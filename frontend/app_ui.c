/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Windows, and those who look from afar.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/app.h"
#include "frontend/firmware.h"
#include "frontend/sdl.h"
#include "frontend/vc.h"
#include "frontend/vnc.h"

/* In a's font, which is looked for when it is first needed. */
static int find_font(struct app *a)
{
	struct blob rom;
	bool found;

	if (a->font)
		return 0;
	a->font = calloc(1, sizeof(*a->font));
	if (!a->font)
		return complain("out of memory");
	if (rom_find(&rom, &a->opt, "vgabios-stdvga.bin", a->err, sizeof(a->err)) < 0)
		return complain("vc needs the font of a VGA BIOS: %s", a->err);
	found = vc_find_font(a->font, rom.data, rom.len);
	firmware_free(&rom);
	return found ? 0 : complain("vc needs the font of a VGA BIOS; vgabios-stdvga.bin has none");
}

/* The console that a spec names; what goes to a -chardev shares its. */
static int open_vc(struct app *a, const char *name, struct chardev_spec *spec)
{
	int r;

	if (spec->kind != CHR_VC)
		return 0;
	for (unsigned i = 0; i < a->opt.nr_chardev && spec->id[0]; i++) {
		struct chardev_spec *c = &a->opt.chardev[i];

		if (c != spec && strcmp(c->id, spec->id) == 0) {
			spec->fd = c->fd;
			return 0;
		}
	}
	if (!a->opt.window)
		return complain("%s: vc is a console in a window, which -display sdl opens", name);
	if (find_font(a))
		return 1;
	r = vc_open(&a->vcs, name, a->pc->m.loop, a->font, &spec->fd);
	return r < 0 ? complain("cannot make a console for %s: %s", name, strerror(-r)) : 0;
}

/* All text consoles, before anything writes to them. */
int app_open_vcs(struct app *a)
{
	struct options *o = &a->opt;
	char name[24];
	int status = 0;

	pthread_mutex_lock(&a->pc->m.lock);
	for (unsigned i = 0; i < o->nr_chardev && !status; i++)
		status = open_vc(a, o->chardev[i].id, &o->chardev[i]);
	for (unsigned i = 0; i < o->nr_monitors && !status; i++)
		status = open_vc(a, "monitor", &o->monitor[i]);
	for (unsigned i = 0; i < o->nr_serial && !status; i++) {
		snprintf(name, sizeof(name), "serial%u", i);
		status = open_vc(a, name, &o->serial[i]);
	}
	for (unsigned i = 0; i < o->nr_debugcon && !status; i++)
		status = open_vc(a, "debugcon", &o->debugcon[i].to);
	for (unsigned i = 0; i < o->nr_qmp && !status; i++)
		status = open_vc(a, "qmp", &o->qmp[i]);
	if (!status)
		status = open_vc(a, "gdb", &o->gdb);
	pthread_mutex_unlock(&a->pc->m.lock);
	return status;
}

void app_close_vcs(struct app *a)
{
	pthread_mutex_lock(&a->pc->m.lock);
	vcs_close(a->vcs);
	pthread_mutex_unlock(&a->pc->m.lock);
}

/* The screens that they show. Machine lock held. */
int app_open_screens(struct app *a)
{
	const char *who = a->opt.window   ? "-display sdl"
			  : a->opt.curses ? "-display curses"
					  : "-vnc";
	int r;

	if (!a->opt.window && !a->opt.has_vnc && !a->opt.curses)
		return 0;
	r = ui_open(&a->ui, &a->pc->m, a->vcs);
	if (r == -ENODEV)
		return complain("%s needs a display; -vga std adds one", who);
	return r < 0 ? complain("%s cannot show the display: %s", who, strerror(-r)) : 0;
}

/* Machine lock not held. */
int app_open_ui(struct app *a)
{
	a->opt.sdl.name = a->opt.vnc.name = *a->opt.name ? a->opt.name : NULL;
	a->opt.vnc.keymap = a->keymap;
	if (a->opt.has_vnc && vnc_open(&a->vnc, &a->ui, &a->opt.vnc, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	a->env.vnc = a->vnc;
	if (a->opt.window && sdl_open(&a->sdl, &a->ui, &a->opt.sdl, a->err, sizeof(a->err)) < 0)
		return complain("%s", a->err);
	return 0;
}

void app_close_ui(struct app *a)
{
	a->env.vnc = NULL;
	vnc_close(a->vnc);
	sdl_close(a->sdl);
}
