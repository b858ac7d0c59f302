/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -drive and its short forms, and where on the board each drive goes. Names and meanings are QEMU's.
 */
#include "frontend/drive_impl.h"

#include <stdio.h>
#include <string.h>

struct drive_spec *drive_new(struct parse *p)
{
	struct drives *d = &p->o->drives;
	struct drive_spec *s = &d->spec[d->nr];

	if (d->nr == MAX_DRIVES) {
		fail(p, "at most %d drives are supported", MAX_DRIVES);
		return NULL;
	}
	memset(s, 0, sizeof(*s));
	s->iface = IF_IDE;
	s->bus = s->unit = s->index = -1;
	s->opt.rerror = POLICY_REPORT;
	s->opt.werror = POLICY_ENOSPC;
	d->nr++;
	return s;
}

int on_drive(struct parse *p, const char *arg)
{
	struct drive_spec *s = drive_new(p);
	struct keyval kv;

	while (s && next_keyval(&arg, &kv))
		if (drive_set_key(p, &kv, s) < 0)
			return -1;
	return s ? 0 : -1;
}

static int add_short(struct parse *p, const char *file, enum drive_interface iface, int index,
		     bool cdrom)
{
	struct drive_spec *s = drive_new(p);

	if (!s)
		return -1;
	if (strlen(file) >= sizeof(s->file))
		return fail(p, "%.60s...: the path is too long", file);
	strcpy(s->file, file);
	s->has_file = *file;
	s->iface = iface;
	s->index = index;
	s->cdrom = cdrom;
	return 0;
}

int on_hda(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_IDE, 0, false);
}

int on_hdb(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_IDE, 1, false);
}

int on_hdc(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_IDE, 2, false);
}

int on_hdd(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_IDE, 3, false);
}

int on_cdrom(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_IDE, 2, true);
}

int on_fda(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_FLOPPY, 0, false);
}

int on_fdb(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_FLOPPY, 1, false);
}

int on_pflash(struct parse *p, const char *arg)
{
	return add_short(p, arg, IF_PFLASH, -1, false);
}

int on_snapshot(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->drives.snapshot = true;
	return 0;
}

/* ---- after the last option ---- */

static unsigned units_of(enum drive_interface iface, unsigned ide_units)
{
	return iface == IF_IDE ? ide_units : iface == IF_SCSI ? 7 : 0;
}

static bool is_taken(const struct drives *d, const struct drive_spec *s)
{
	for (unsigned i = 0; i < d->nr; i++) {
		const struct drive_spec *o = &d->spec[i];

		if (o != s && o->iface == s->iface && o->bus == s->bus && o->unit == s->unit)
			return true;
	}
	return false;
}

static void set_place(struct drive_spec *s, unsigned index, unsigned units)
{
	s->bus = units ? (int)(index / units) : 0;
	s->unit = units ? (int)(index % units) : (int)index;
}

static int find_place(struct parse *p, struct drive_spec *s, unsigned units)
{
	struct drives *d = &p->o->drives;

	if (s->index >= 0 && (s->bus >= 0 || s->unit >= 0))
		return fail(p, "-drive: index= and bus= or unit= cannot be used together");
	if (s->index >= 0)
		set_place(s, (unsigned)s->index, units);
	if (s->bus >= 0 && s->unit < 0)
		for (s->unit = 0; is_taken(d, s);)
			s->unit++;
	if (s->unit >= 0 && s->bus < 0)
		s->bus = 0;
	if (s->bus < 0) {
		unsigned index = 0;

		do
			set_place(s, index++, units);
		while (is_taken(d, s));
	}
	if (units && s->unit >= (int)units)
		return fail(p, "-drive if=%s: unit=%d is too large; a bus has %u",
			    drive_interfaces[s->iface], s->unit, units);
	if (is_taken(d, s))
		return fail(p,
			    "two drives at if=%s, bus %d, unit %d; leave index= away, or use "
			    "another",
			    drive_interfaces[s->iface], s->bus, s->unit);
	return 0;
}

static void set_name(struct drive_spec *s, bool buses)
{
	const char *kind = s->iface == IF_NONE || s->iface == IF_VIRTIO || s->iface == IF_FLOPPY ||
				   s->iface == IF_PFLASH
			       ? ""
			   : s->cdrom ? "-cd"
				      : "-hd";

	if (s->id[0])
		return;
	if (buses)
		snprintf(s->id, sizeof(s->id), "%s%d%s%d", drive_interfaces[s->iface], s->bus, kind,
			 s->unit);
	else
		snprintf(s->id, sizeof(s->id), "%s%s%d", drive_interfaces[s->iface], kind, s->unit);
}

int drives_finish(struct parse *p, unsigned ide_units)
{
	struct drives *d = &p->o->drives;

	/* Places that were asked for come first. */
	for (int given = 1; given >= 0; given--)
		for (unsigned i = 0; i < d->nr; i++) {
			struct drive_spec *s = &d->spec[i];
			bool asks = s->index >= 0 || s->bus >= 0 || s->unit >= 0;

			if (s->node || asks != given)
				continue;
			if (find_place(p, s, units_of(s->iface, ide_units)) < 0)
				return -1;
		}
	for (unsigned i = 0; i < d->nr; i++) {
		struct drive_spec *s = &d->spec[i];
		const char *why;

		set_name(s, units_of(s->iface, ide_units) > 0);
		if (drive_join_nodes(p, s) < 0)
			return -1;
		if (s->cdrom || s->iface == IF_FLOPPY)
			s->opt.removable = true;
		if (s->cdrom && s->asks_read_only && !s->opt.read_only)
			return fail(p, "-drive %s: a CD-ROM cannot be written", s->id);
		if (s->cdrom)
			s->opt.read_only = true;
		if (!s->has_file && !s->opt.removable && s->iface != IF_NONE)
			return fail(p, "-drive %s needs file=, or media=cdrom", s->id);
		if (s->iface == IF_NONE && !s->has_file)
			s->opt.removable = true;
		why = limits_check(&s->opt.limits);
		if (why)
			return fail(p, "-drive %s: %s", s->id, why);
		if (s->opt.detect_zeroes == DETECT_UNMAP && !s->opt.discard)
			return fail(p, "-drive %s: detect-zeroes=unmap needs discard=unmap", s->id);
		if (s->opt.aio == AIO_NATIVE && !s->opt.direct)
			return fail(p, "-drive %s: aio=native needs cache=none or directsync",
				    s->id);
		if (d->snapshot && !s->node)
			s->opt.snapshot = true;
		for (unsigned k = 0; k < i; k++)
			if (strcmp(d->spec[k].id, s->id) == 0)
				return fail(p, "two drives have the id %s", s->id);
	}
	return 0;
}

bool drive_device(const struct drive_spec *s, char *text, size_t len)
{
	char serial[80] = "";

	if (s->serial[0])
		snprintf(serial, sizeof(serial), ",serial=%s", s->serial);
	switch (s->iface) {
	case IF_IDE:
		snprintf(text, len, "%s,drive=%s,bus=ide.%d,unit=%d%s",
			 s->cdrom ? "ide-cd" : "ide-hd", s->id, s->bus, s->unit, serial);
		return true;
	case IF_SCSI:
		snprintf(text, len, "%s,drive=%s,bus=scsi.%d,scsi-id=%d%s",
			 s->cdrom ? "scsi-cd" : "scsi-hd", s->id, s->bus, s->unit, serial);
		return true;
	case IF_VIRTIO:
		snprintf(text, len, "virtio-blk-pci,drive=%s%s", s->id, serial);
		return true;
	case IF_FLOPPY:
		snprintf(text, len, "floppy,drive=%s,unit=%d", s->id, s->unit);
		return true;
	case IF_NONE:
	case IF_PFLASH:
		break;
	}
	return false;
}
