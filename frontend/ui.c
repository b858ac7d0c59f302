/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/ui.h"

#include <errno.h>

#include "hw/machine.h"

int ui_open(struct ui *ui, struct machine *m)
{
	*ui = (struct ui){.m = m};
	for (struct display *d = m->displays; d && ui->nr < UI_CONSOLES; d = d->next) {
		int err = screen_open(&ui->screens[ui->nr], m, d);

		if (err < 0) {
			ui_close(ui);
			return err;
		}
		ui->nr++;
	}
	return ui->nr ? 0 : -ENODEV;
}

void ui_close(struct ui *ui)
{
	while (ui->nr)
		screen_close(&ui->screens[--ui->nr]);
}
