/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/ui.h"

#include <errno.h>

#include "hw/machine.h"

static int add(struct ui *ui, struct display *d, struct vc *vc)
{
	int err = 0;

	if (ui->nr == UI_CONSOLES)
		return 0;
	err = screen_open(&ui->screens[ui->nr], ui->m, d);
	if (err == 0)
		ui->vc[ui->nr++] = vc;
	return err;
}

int ui_open(struct ui *ui, struct machine *m, struct vc *vcs)
{
	int err = 0;

	*ui = (struct ui){.m = m};
	for (struct display *d = m->displays; d && err == 0; d = d->next)
		err = add(ui, d, NULL);
	for (struct vc *c = vcs; c && err == 0; c = c->next)
		err = add(ui, &c->display, c);
	if (err == 0)
		return ui->nr ? 0 : -ENODEV;
	ui_close(ui);
	return err;
}

void ui_close(struct ui *ui)
{
	while (ui->nr)
		screen_close(&ui->screens[--ui->nr]);
}

void ui_key(struct ui *ui, unsigned n, enum key key, bool down, bool repeated)
{
	if (ui->vc[n])
		vc_key(ui->vc[n], key, down);
	else if (!repeated)
		input_key(&ui->m->input, key, down);
	screen_hurry(&ui->screens[n]);
}

void ui_release(struct ui *ui)
{
	input_release(&ui->m->input);
	for (unsigned n = 0; n < ui->nr; n++)
		if (ui->vc[n])
			vc_release(ui->vc[n]);
}
