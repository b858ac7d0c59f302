/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disks, networks and sound: opened before the devices that ask for them.
 */
#include <string.h>

#include "frontend/app.h"
#include "frontend/audiodev.h"
#include "frontend/drive.h"
#include "frontend/netdev.h"

static void on_trouble(void *opaque, const char *line)
{
	struct app *a = opaque;

	if (!a->has_console) {
		complain("%s", line);
		return;
	}
	console_print(&a->console, "doppel: ");
	console_print(&a->console, line);
	console_print(&a->console, "\n");
}

/* What a -chardev is, made when it is first asked for. */
static struct chardev *find_chardev(struct app *a, const char *id)
{
	for (unsigned i = 0; i < a->opt.nr_chardev; i++) {
		struct chardev_spec *spec = &a->opt.chardev[i];

		if (strcmp(spec->id, id) != 0)
			continue;
		if (!a->chardevs[i] && spec->kind == CHR_NULL)
			a->chardevs[i] = &a->nowhere[i];
		else if (!a->chardevs[i] && app_open_chardev(a, spec, id, &a->chardevs[i]))
			return NULL;
		return a->chardevs[i];
	}
	return NULL;
}

void *app_find_backend(void *opaque, enum prop_kind kind, const char *id)
{
	struct app *a = opaque;

	if (kind == PROP_NETDEV)
		return netdevs_find(a->netdevs, id);
	if (kind == PROP_FSDEV)
		return fsdev_find(&a->opt.fsdevs, id);
	if (kind == PROP_AUDIODEV)
		return audiodevs_find(a->audiodevs, id);
	if (kind == PROP_CHARDEV)
		return find_chardev(a, id);
	return kind == PROP_DRIVE ? drives_find(a->drives, id) : NULL;
}

int app_open_drives(struct app *a)
{
	struct machine *m = &a->pc->m;

	if (!a->opt.drives.nr)
		return 0;
	pthread_mutex_lock(&m->lock);
	a->drives = drives_open(&a->opt.drives, m, on_trouble, a, a->err, sizeof(a->err));
	pthread_mutex_unlock(&m->lock);
	a->env.drives = a->drives;
	return a->drives ? 0 : complain("%s", a->err);
}

int app_open_netdevs(struct app *a)
{
	struct machine *m = &a->pc->m;

	if (!a->opt.netdevs.nr)
		return 0;
	pthread_mutex_lock(&m->lock);
	a->netdevs = netdevs_open(&a->opt.netdevs, m, on_trouble, a, a->err, sizeof(a->err));
	pthread_mutex_unlock(&m->lock);
	a->env.netdevs = a->netdevs;
	return a->netdevs ? 0 : complain("%s", a->err);
}

int app_open_audiodevs(struct app *a)
{
	const char *speaker = a->opt.audiodevs.speaker;
	struct machine *m = &a->pc->m;
	const struct audio_env env = {.clock = &m->clock, .warn = on_trouble, .opaque = a};
	struct audiodev *dev = NULL;

	pthread_mutex_lock(&m->lock);
	a->audiodevs = audiodevs_open(&a->opt.audiodevs, &env, a->err, sizeof(a->err));
	if (a->audiodevs && *speaker)
		dev = audiodevs_find(a->audiodevs, speaker);
	if (dev)
		pcspk_init(&a->pc->pcspk, &a->pc->pit, dev);
	pthread_mutex_unlock(&m->lock);
	a->env.audiodevs = a->audiodevs;
	if (!a->audiodevs)
		return complain("%s", a->err);
	return dev || !*speaker
		   ? 0
		   : complain("-machine pcspk-audiodev=%s: there is no -audiodev with that id",
			      speaker);
}

void app_close_audiodevs(struct app *a)
{
	struct machine *m = &a->pc->m;

	pthread_mutex_lock(&m->lock);
	audiodevs_close(a->audiodevs);
	pthread_mutex_unlock(&m->lock);
}

void app_close_netdevs(struct app *a)
{
	struct machine *m = &a->pc->m;

	pthread_mutex_lock(&m->lock);
	netdevs_close(a->netdevs);
	pthread_mutex_unlock(&m->lock);
}
