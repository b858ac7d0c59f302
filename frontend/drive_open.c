/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The disks' back ends: opened, found by name, closed. One that cannot go on stops the guest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/drive.h"
#include "hw/machine.h"

struct drive_set {
	struct machine *m;
	void (*warn)(void *opaque, const char *line);
	void *opaque;
	struct block *blocks[MAX_DRIVES];
	unsigned nr;
	struct {
		const char *name; /* the options' */
		struct limit_group *group;
	} groups[MAX_DRIVES];
	unsigned nr_groups;
};

/* NULL without memory. */
static struct limit_group *find_group(struct drive_set *s, const char *name)
{
	for (unsigned i = 0; i < s->nr_groups; i++)
		if (strcmp(s->groups[i].name, name) == 0)
			return s->groups[i].group;
	s->groups[s->nr_groups].name = name;
	s->groups[s->nr_groups].group = limit_group_new(name);
	return s->groups[s->nr_groups++].group;
}

static void on_stop(void *opaque, struct block *b, const char *message)
{
	struct drive_set *s = opaque;

	s->warn(s->opaque, message);
	machine_notify(s->m, MACHINE_IO_ERROR, block_name(b));
	machine_request_stop(s->m);
}

static void on_tray(void *opaque, struct block *b, bool open)
{
	struct drive_set *s = opaque;

	machine_notify(s->m, open ? MACHINE_TRAY_OPENED : MACHINE_TRAY_CLOSED, block_name(b));
}

static void on_cont(void *opaque)
{
	struct drive_set *s = opaque;

	for (unsigned i = 0; i < s->nr; i++)
		block_resume(s->blocks[i]);
}

struct drive_set *drives_open(const struct drives *d, struct machine *m,
			      void (*warn)(void *opaque, const char *line), void *opaque, char *err,
			      size_t errlen)
{
	struct drive_set *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	s->m = m;
	s->warn = warn;
	s->opaque = opaque;
	for (unsigned i = 0; i < d->nr; i++) {
		const struct drive_spec *spec = &d->spec[i];
		struct block_env env = {.loop = m->loop,
					.clock = &m->clock,
					.stop = on_stop,
					.tray = on_tray,
					.opaque = s};
		struct block_options o = spec->opt;
		char why[600], ignored[600];

		if (spec->used)
			continue;
		o.name = spec->id;
		o.file = spec->has_file ? spec->file : NULL;
		o.format = spec->has_format ? spec->format : NULL;
		o.group = spec->group[0] ? find_group(s, spec->group) : NULL;
		if (spec->group[0] && !o.group) {
			snprintf(err, errlen, "out of memory");
			drives_close(s, ignored, sizeof(ignored));
			return NULL;
		}
		if (block_open(&s->blocks[s->nr], &o, &env, why, sizeof(why)) < 0) {
			snprintf(err, errlen, "drive %s: %s", spec->id, why);
			drives_close(s, ignored, sizeof(ignored));
			return NULL;
		}
		s->nr++;
	}
	m->cont_hook = on_cont;
	m->cont_opaque = s;
	return s;
}

struct block *drives_find(struct drive_set *s, const char *id)
{
	for (unsigned i = 0; s && i < s->nr; i++)
		if (strcmp(block_name(s->blocks[i]), id) == 0)
			return s->blocks[i];
	return NULL;
}

bool drives_access(const char *name, enum block_access *out)
{
	static const char *const names[] = {"retain", "read-only", "read-write"};

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum block_access)i;
			return true;
		}
	return false;
}

struct block *drives_at(struct drive_set *s, unsigned index)
{
	return s && index < s->nr ? s->blocks[index] : NULL;
}

void drives_leave_loop(struct drive_set *s)
{
	if (!s)
		return;
	s->m->cont_hook = NULL;
	for (unsigned i = 0; i < s->nr; i++)
		block_leave_loop(s->blocks[i]);
}

int drives_close(struct drive_set *s, char *err, size_t errlen)
{
	int result = 0;

	for (unsigned i = 0; s && i < s->nr; i++) {
		const char *path = block_file(s->blocks[i]);
		char name[600];
		int r;

		snprintf(name, sizeof(name), "%s: %.500s", block_name(s->blocks[i]),
			 path ? path : "");
		r = block_close(s->blocks[i]);
		if (r < 0 && result == 0) {
			snprintf(err, errlen, "%s: not everything could be written: %s", name,
				 strerror(-r));
			result = -1;
		}
	}
	for (unsigned i = 0; s && i < s->nr_groups; i++)
		limit_group_free(s->groups[i].group);
	free(s);
	return result;
}
