/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The monitor's command about sound.
 */
#include "frontend/audiodev.h"
#include "frontend/monitor/command.h"

static void info_audio(struct monitor *m, const struct out *o, const struct arg *a)
{
	char text[512];

	(void)a;
	for (unsigned n = 0; audiodevs_describe(m->env->audiodevs, n, text, sizeof(text)); n++)
		out(o, "%s", text);
}

const struct command audio_commands[] = {
    {"info audio", NULL, info_audio, "audiodevs, and what plays and records by them", "info audio"},
    {0},
};
