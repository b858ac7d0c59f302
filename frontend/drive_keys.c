/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The keys of -drive, and their values. Names and meanings are QEMU's.
 */
#include "frontend/drive_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/drive_limits.h"

const char *const drive_interfaces[NR_DRIVE_INTERFACES] = {
    [IF_NONE] = "none",     [IF_IDE] = "ide",       [IF_SCSI] = "scsi",
    [IF_VIRTIO] = "virtio", [IF_FLOPPY] = "floppy", [IF_PFLASH] = "pflash",
};

static int set_bool(struct parse *p, const struct keyval *kv, const char *option, bool *out)
{
	const char *v = kv->has_val ? kv->val : "on";

	*out = strcmp(v, "on") == 0 || strcmp(v, "yes") == 0 || strcmp(v, "true") == 0;
	if (*out || strcmp(v, "off") == 0 || strcmp(v, "no") == 0 || strcmp(v, "false") == 0)
		return 0;
	return fail(p, "%s %s=%s is neither on nor off", option, kv->key, kv->val);
}

int drive_set_text(struct parse *p, const struct keyval *kv, const char *option, char *out,
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

static int set_limit(struct parse *p, const struct keyval *kv, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(kv->val, &end, 10);
	if (!isdigit((unsigned char)*kv->val) || *end || errno)
		return fail(p, "-drive %s=%.60s is not a number", kv->key, kv->val);
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

int drive_set_format(struct parse *p, const struct keyval *kv, const char *option,
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
	    "copy-on-read=off",   "file.driver=file",   "file.driver=host_device",
	    "file.locking=auto",  "locking=auto",       "auto-read-only=on",
	    "auto-read-only=off", "cache.writeback=on", "file.aio=threads",
	    "force-share=off",
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

int drive_set_common(struct parse *p, const struct keyval *kv, const char *option,
		     struct drive_spec *s)
{
	struct block_options *o = &s->opt;
	static const char *const detect[] = {"off", "on", "unmap", NULL};
	const char *k = kv->key;
	bool on;
	int r = 0;

	if (strcmp(k, "discard") == 0) {
		r = set_discard(p, kv, option, o);
	} else if (strcmp(k, "detect-zeroes") == 0) {
		r = pick(p, kv, option, detect, ',');
		o->detect_zeroes = (enum block_detect)(r < 0 ? 0 : r);
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
		r = drive_set_text(p, kv, option, s->file, sizeof(s->file));
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

int drive_set_key(struct parse *p, const struct keyval *kv, struct drive_spec *s)
{
	static const char *const media[] = {"disk", "cdrom", NULL};
	struct block_options *o = &s->opt;
	const char *k = kv->key;
	uint64_t *limit;
	int r;

	if (strcmp(k, "file") == 0) {
		/* An empty drive is one without a medium. */
		s->has_file = *kv->val;
		return *kv->val ? drive_set_text(p, kv, "-drive", s->file, sizeof(s->file)) : 0;
	}
	if (strcmp(k, "if") == 0) {
		for (size_t i = 0; i < NR_DRIVE_INTERFACES; i++)
			if (strcmp(drive_interfaces[i], kv->val) == 0) {
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
		return drive_set_format(p, kv, "-drive", s);
	if (strcmp(k, "id") == 0)
		return drive_set_text(p, kv, "-drive", s->id, sizeof(s->id));
	if (strcmp(k, "serial") == 0)
		return drive_set_text(p, kv, "-drive", s->serial, sizeof(s->serial));
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
	if (strcmp(k, "throttling.group") == 0 || strcmp(k, "group") == 0)
		return drive_set_text(p, kv, "-drive", s->group, sizeof(s->group));
	limit = drive_limit(&o->limits, k);
	if (limit)
		return set_limit(p, kv, limit);
	r = drive_set_common(p, kv, "-drive", s);
	if (r)
		return r < 0 ? -1 : 0;
	return fail(p, "-drive: %s%s%.60s is not supported", k, kv->has_val ? "=" : "", kv->val);
}
