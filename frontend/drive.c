/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The text of -drive and -blockdev. Names and meanings are QEMU's.
 */
#include "frontend/drive.h"
#include "frontend/json_read.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/options_dev.h"

static const char *const interfaces[] = {
    [IF_NONE] = "none",     [IF_IDE] = "ide",       [IF_SCSI] = "scsi",
    [IF_VIRTIO] = "virtio", [IF_FLOPPY] = "floppy", [IF_PFLASH] = "pflash",
};
#define NR_INTERFACES (sizeof(interfaces) / sizeof(interfaces[0]))

/* ---- values ---- */

static int set_bool(struct parse *p, const struct keyval *kv, const char *option, bool *out)
{
	const char *v = kv->has_val ? kv->val : "on";

	*out = strcmp(v, "on") == 0 || strcmp(v, "yes") == 0 || strcmp(v, "true") == 0;
	if (*out || strcmp(v, "off") == 0 || strcmp(v, "no") == 0 || strcmp(v, "false") == 0)
		return 0;
	return fail(p, "%s %s=%s is neither on nor off", option, kv->key, kv->val);
}

static int set_text(struct parse *p, const struct keyval *kv, const char *option, char *out,
		    size_t len)
{
	if (!kv->has_val || !*kv->val || strlen(kv->val) >= len)
		return fail(p, "%s %s=%.100s is %s", option, kv->key, kv->val,
			    *kv->val ? "too long" : "empty");
	strcpy(out, kv->val);
	return 0;
}

static int set_number(struct parse *p, const struct keyval *kv, int *out)
{
	char *end;
	unsigned long v = strtoul(kv->val, &end, 10);

	if (!isdigit((unsigned char)*kv->val) || *end || v > 1000)
		return fail(p, "-drive %s=%s is not a number from 0 to 1000", kv->key, kv->val);
	*out = (int)v;
	return 0;
}

/* The index of kv's value in a list of names; -1 with the message set. */
static int pick(struct parse *p, const struct keyval *kv, const char *option,
		const char *const *names, char sep)
{
	char list[160] = "";

	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], kv->val) == 0)
			return i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 i ? (char[]){sep, ' ', 0} : "", names[i]);
	}
	return fail(p, "%s %s=%.60s is not known; there are %s", option, kv->key, kv->val, list);
}

static int set_cache(struct parse *p, const struct keyval *kv, struct block_options *o)
{
	static const char *const names[] = {"writeback",    "none",       "unsafe",
					    "writethrough", "directsync", NULL};
	int i = pick(p, kv, "-drive", names, ',');

	if (i < 0)
		return -1;
	o->direct = i == 1 || i == 4;
	o->no_flush = i == 2;
	o->writethrough = i == 3 || i == 4;
	return 0;
}

static int set_aio(struct parse *p, const struct keyval *kv, const char *option,
		   struct block_options *o)
{
	static const char *const names[] = {"threads", "native", "io_uring", NULL};
	static const enum block_aio values[] = {AIO_THREADS, AIO_NATIVE, AIO_URING};
	int i = pick(p, kv, option, names, ',');

	if (i >= 0)
		o->aio = values[i];
	return i < 0 ? -1 : 0;
}

static int set_policy(struct parse *p, const struct keyval *kv, enum block_error_policy *out)
{
	static const char *const names[] = {"report", "ignore", "stop", "enospc", NULL};
	int i = pick(p, kv, "-drive", names, ',');

	if (i == POLICY_ENOSPC && kv->key[0] == 'r')
		return fail(p, "-drive rerror=enospc: reads need no space; there are report, "
			       "ignore, stop");
	if (i >= 0)
		*out = (enum block_error_policy)i;
	return i < 0 ? -1 : 0;
}

static int set_discard(struct parse *p, const struct keyval *kv, const char *option,
		       struct block_options *o)
{
	static const char *const names[] = {"ignore", "off", "unmap", "on", NULL};
	int i = pick(p, kv, option, names, ',');

	o->discard = i >= 2;
	return i < 0 ? -1 : 0;
}

static int set_format(struct parse *p, const struct keyval *kv, const char *option,
		      struct drive_spec *s)
{
	if (strcmp(kv->val, "raw") != 0 && strcmp(kv->val, "qcow2") != 0)
		return fail(p, "%s %s=%.60s is not supported; there are raw and qcow2", option,
			    kv->key, kv->val);
	strcpy(s->format, kv->val);
	s->has_format = true;
	return 0;
}

/* What is accepted because it asks for what is the case anyway. */
static bool is_default(const struct keyval *kv)
{
	static const char *const fine[] = {
	    "copy-on-read=off",        "detect-zeroes=off",  "file.driver=file",
	    "file.driver=host_device", "file.locking=auto",  "locking=auto",
	    "auto-read-only=on",       "auto-read-only=off", "cache.writeback=on",
	    "file.aio=threads",        "force-share=off",
	};
	char text[128 + MAX_PATH_LEN + 2];

	snprintf(text, sizeof(text), "%s=%s", kv->key, kv->val);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (strcmp(fine[i], text) == 0)
			return true;
	/* Sizes of caches that we size ourselves. */
	return strcmp(kv->key, "l2-cache-size") == 0 || strcmp(kv->key, "cache-size") == 0 ||
	       strcmp(kv->key, "refcount-cache-size") == 0;
}

/* Keys that -drive and -blockdev share: 1 done, 0 not one of them, -1 failed. */
static int set_common(struct parse *p, const struct keyval *kv, const char *option,
		      struct drive_spec *s)
{
	struct block_options *o = &s->opt;
	const char *k = kv->key;
	bool on;
	int r = 0;

	if (strcmp(k, "discard") == 0) {
		r = set_discard(p, kv, option, o);
	} else if (strcmp(k, "aio") == 0 || strcmp(k, "file.aio") == 0) {
		r = set_aio(p, kv, option, o);
	} else if (strcmp(k, "cache.direct") == 0 || strcmp(k, "file.cache.direct") == 0) {
		r = set_bool(p, kv, option, &o->direct);
	} else if (strcmp(k, "cache.no-flush") == 0 || strcmp(k, "file.cache.no-flush") == 0) {
		r = set_bool(p, kv, option, &o->no_flush);
	} else if (strcmp(k, "cache.writeback") == 0) {
		r = set_bool(p, kv, option, &on);
		o->writethrough = !on;
	} else if (strcmp(k, "file.filename") == 0 || strcmp(k, "filename") == 0) {
		r = set_text(p, kv, option, s->file, sizeof(s->file));
		s->has_file = true;
	} else if (strcmp(k, "file.locking") == 0 || strcmp(k, "locking") == 0) {
		if (strcmp(kv->val, "auto") == 0)
			return 1;
		r = set_bool(p, kv, option, &on);
		o->no_lock = !on;
	} else if (strcmp(k, "read-only") == 0 || strcmp(k, "readonly") == 0) {
		r = set_bool(p, kv, option, &o->read_only);
		s->asks_read_only = true;
	} else {
		return is_default(kv);
	}
	return r < 0 ? -1 : 1;
}

static int set_drive(struct parse *p, const struct keyval *kv, struct drive_spec *s)
{
	static const char *const media[] = {"disk", "cdrom", NULL};
	struct block_options *o = &s->opt;
	const char *k = kv->key;
	int r;

	if (strcmp(k, "file") == 0) {
		/* An empty drive is one without a medium. */
		s->has_file = *kv->val;
		return *kv->val ? set_text(p, kv, "-drive", s->file, sizeof(s->file)) : 0;
	}
	if (strcmp(k, "if") == 0) {
		for (size_t i = 0; i < NR_INTERFACES; i++)
			if (strcmp(interfaces[i], kv->val) == 0) {
				s->iface = (enum drive_interface)i;
				return 0;
			}
		return fail(
		    p,
		    "-drive if=%.60s is not supported; there are ide, scsi, virtio, floppy, "
		    "pflash and none",
		    kv->val);
	}
	if (strcmp(k, "format") == 0 || strcmp(k, "driver") == 0)
		return set_format(p, kv, "-drive", s);
	if (strcmp(k, "id") == 0)
		return set_text(p, kv, "-drive", s->id, sizeof(s->id));
	if (strcmp(k, "serial") == 0)
		return set_text(p, kv, "-drive", s->serial, sizeof(s->serial));
	if (strcmp(k, "bus") == 0)
		return set_number(p, kv, &s->bus);
	if (strcmp(k, "unit") == 0)
		return set_number(p, kv, &s->unit);
	if (strcmp(k, "index") == 0)
		return set_number(p, kv, &s->index);
	if (strcmp(k, "media") == 0) {
		r = pick(p, kv, "-drive", media, ',');
		s->cdrom = r == 1;
		return r < 0 ? -1 : 0;
	}
	if (strcmp(k, "snapshot") == 0)
		return set_bool(p, kv, "-drive", &o->snapshot);
	if (strcmp(k, "cache") == 0)
		return set_cache(p, kv, o);
	if (strcmp(k, "rerror") == 0)
		return set_policy(p, kv, &o->rerror);
	if (strcmp(k, "werror") == 0)
		return set_policy(p, kv, &o->werror);
	r = set_common(p, kv, "-drive", s);
	if (r)
		return r < 0 ? -1 : 0;
	return fail(p, "-drive: %s%s%.60s is not supported", k, kv->has_val ? "=" : "", kv->val);
}

/* ---- options ---- */

static struct drive_spec *new_spec(struct parse *p)
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
	struct drive_spec *s = new_spec(p);
	struct keyval kv;

	while (s && next_keyval(&arg, &kv))
		if (set_drive(p, &kv, s) < 0)
			return -1;
	return s ? 0 : -1;
}

static int set_blockdev(struct parse *p, struct keyval *kv, struct drive_spec *s)
{
	int r;

	if (strcmp(kv->key, "driver") == 0) {
		if (strcmp(kv->val, "file") == 0 || strcmp(kv->val, "host_device") == 0)
			strcpy(kv->val, "raw");
		return set_format(p, kv, "-blockdev", s);
	}
	if (strcmp(kv->key, "node-name") == 0)
		return set_text(p, kv, "-blockdev", s->id, sizeof(s->id));
	if (strcmp(kv->key, "file") == 0)
		return set_text(p, kv, "-blockdev", s->below, sizeof(s->below));
	r = set_common(p, kv, "-blockdev", s);
	if (r == 0)
		return fail(p, "-blockdev: %s=%.60s is not supported", kv->key, kv->val);
	return r;
}

/* A member of an object is a key with dots before its own name. */
static int set_members(struct parse *p, const struct json *object, const char *prefix,
		       struct drive_spec *s)
{
	for (const struct json *j = object->child; j; j = j->next) {
		struct keyval kv = {.has_val = true};
		int len = snprintf(kv.key, sizeof(kv.key), "%s%s", prefix, j->name), n = 0, r;

		if (len >= (int)sizeof(kv.key) - 1)
			return fail(p, "-blockdev: %.60s... is not supported", kv.key);
		if (j->kind == JSON_STRING)
			n = snprintf(kv.val, sizeof(kv.val), "%s", j->text);
		else if (j->kind == JSON_BOOL)
			strcpy(kv.val, j->truth ? "on" : "off");
		else if (j->kind == JSON_INT)
			snprintf(kv.val, sizeof(kv.val), "%lld", (long long)j->integer);
		else if (j->kind == JSON_OBJECT)
			strcpy(kv.key + len, ".");
		else
			return fail(p, "-blockdev: the value of %s is none that it could have",
				    kv.key);
		if (n >= (int)sizeof(kv.val))
			return fail(p, "-blockdev: the value of %s is too long", kv.key);
		r = j->kind == JSON_OBJECT ? set_members(p, j, kv.key, s) : set_blockdev(p, &kv, s);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int set_json(struct parse *p, const char *arg, struct drive_spec *s)
{
	const char *why;
	struct json *j = json_parse(arg, strlen(arg), &why);
	int r;

	if (!j)
		return fail(p, "-blockdev: this is no JSON: %s", why);
	r = j->kind == JSON_OBJECT ? set_members(p, j, "", s)
				   : fail(p, "-blockdev: this JSON is no object");
	json_free(j);
	return r;
}

int on_blockdev(struct parse *p, const char *arg)
{
	struct drive_spec *s = new_spec(p);
	struct keyval kv;

	if (!s)
		return -1;
	s->node = true;
	s->iface = IF_NONE;
	if (*arg == '{') {
		if (set_json(p, arg, s) < 0)
			return -1;
	} else {
		while (next_keyval(&arg, &kv))
			if (set_blockdev(p, &kv, s) < 0)
				return -1;
	}
	if (!s->has_format || !s->id[0])
		return fail(p, "-blockdev needs driver= and node-name=");
	if (!s->has_file && !s->below[0])
		return fail(p, "-blockdev %s needs file.filename= or file=NODE", s->id);
	return 0;
}

static int add_short(struct parse *p, const char *file, enum drive_interface iface, int index,
		     bool cdrom)
{
	struct drive_spec *s = new_spec(p);

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
			    interfaces[s->iface], s->unit, units);
	if (is_taken(d, s))
		return fail(p,
			    "two drives at if=%s, bus %d, unit %d; leave index= away, or use "
			    "another",
			    interfaces[s->iface], s->bus, s->unit);
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
		snprintf(s->id, sizeof(s->id), "%s%d%s%d", interfaces[s->iface], s->bus, kind,
			 s->unit);
	else
		snprintf(s->id, sizeof(s->id), "%s%s%d", interfaces[s->iface], kind, s->unit);
}

static struct drive_spec *find_spec(struct drives *d, const char *id)
{
	for (unsigned i = 0; i < d->nr; i++)
		if (strcmp(d->spec[i].id, id) == 0)
			return &d->spec[i];
	return NULL;
}

/* A format's node over a file's node becomes one image. */
static int join_nodes(struct parse *p, struct drive_spec *s)
{
	struct drive_spec *file;

	if (!s->below[0])
		return 0;
	file = find_spec(&p->o->drives, s->below);
	if (!file || !file->node || file == s || file->below[0])
		return fail(p, "-blockdev %s: file=%s is no -blockdev of a file", s->id, s->below);
	if (file->used)
		return fail(p, "-blockdev %s is used twice", file->id);
	file->used = true;
	strcpy(s->file, file->file);
	s->has_file = true;
	s->opt.direct |= file->opt.direct;
	s->opt.no_flush |= file->opt.no_flush;
	s->opt.no_lock |= file->opt.no_lock;
	if (!s->asks_read_only)
		s->opt.read_only |= file->opt.read_only;
	if (s->opt.aio == AIO_AUTO)
		s->opt.aio = file->opt.aio;
	return 0;
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

		set_name(s, units_of(s->iface, ide_units) > 0);
		if (join_nodes(p, s) < 0)
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
