/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The text of -blockdev: keys or a JSON object. Nodes of files and of formats over them, which become one
 * image.
 */
#include "frontend/drive_impl.h"

#include <stdio.h>
#include <string.h>

#include "frontend/json_read.h"

static int set_blockdev(struct parse *p, struct keyval *kv, struct drive_spec *s)
{
	int r;

	if (strcmp(kv->key, "driver") == 0) {
		if (strcmp(kv->val, "file") == 0 || strcmp(kv->val, "host_device") == 0)
			strcpy(kv->val, "raw");
		return drive_set_format(p, kv, "-blockdev", s);
	}
	if (strcmp(kv->key, "node-name") == 0)
		return drive_set_text(p, kv, "-blockdev", s->id, sizeof(s->id));
	if (strcmp(kv->key, "file") == 0)
		return drive_set_text(p, kv, "-blockdev", s->below, sizeof(s->below));
	r = drive_set_common(p, kv, "-blockdev", s);
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
	struct drive_spec *s = drive_new(p);
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

static struct drive_spec *find_spec(struct drives *d, const char *id)
{
	for (unsigned i = 0; i < d->nr; i++)
		if (strcmp(d->spec[i].id, id) == 0)
			return &d->spec[i];
	return NULL;
}

int drive_join_nodes(struct parse *p, struct drive_spec *s)
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
