/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Folders of the host: see the header.
 */
#include "frontend/fsdev.h"

#include <stdio.h>
#include <string.h>

#include "frontend/options_dev.h"

struct p9_share *fsdev_find(struct fsdevs *f, const char *id)
{
	for (unsigned i = 0; i < f->nr; i++)
		if (strcmp(f->spec[i].id, id) == 0) {
			f->spec[i].share.path = f->spec[i].path;
			return &f->spec[i].share;
		}
	return NULL;
}

static int set_model(struct parse *p, const char *option, const char *name, enum p9_model *model)
{
	static const struct {
		const char *name;
		enum p9_model model;
	} models[] = {{"passthrough", P9_PASSTHROUGH},
		      {"none", P9_NONE},
		      {"mapped-xattr", P9_MAPPED},
		      {"mapped", P9_MAPPED}};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (strcmp(models[i].name, name) == 0) {
			*model = models[i].model;
			return 0;
		}
	return fail(
	    p, "%s: there is no security_model=%s; there are passthrough, mapped-xattr and none",
	    option, name);
}

/* tag: where mount_tag= goes, which only -virtfs has. */
static int parse(struct parse *p, const char *option, const char *arg, char *tag, size_t tag_len)
{
	struct fsdevs *f = &p->o->fsdevs;
	struct fsdev_spec *s = &f->spec[f->nr];
	bool has_model = false;
	struct keyval kv;

	if (f->nr == MAX_FSDEV)
		return fail(p, "%s: at most %d folders are supported", option, MAX_FSDEV);
	memset(s, 0, sizeof(*s));
	if (!next_keyval(&arg, &kv) || kv.has_val || strcmp(kv.key, "local") != 0)
		return fail(p, "%s: local comes first, as in %s local,path=DIR,...", option,
			    option);
	while (next_keyval(&arg, &kv)) {
		if (strcmp(kv.key, "path") == 0 && strlen(kv.val) < sizeof(s->path)) {
			strcpy(s->path, kv.val);
		} else if (strcmp(kv.key, "id") == 0 && strlen(kv.val) < sizeof(s->id)) {
			strcpy(s->id, kv.val);
		} else if (strcmp(kv.key, "security_model") == 0) {
			if (set_model(p, option, kv.val, &s->share.model) < 0)
				return -1;
			has_model = true;
		} else if (strcmp(kv.key, "readonly") == 0) {
			s->share.read_only = !kv.has_val || strcmp(kv.val, "on") == 0;
		} else if (tag && strcmp(kv.key, "mount_tag") == 0 && strlen(kv.val) < tag_len) {
			strcpy(tag, kv.val);
		} else {
			return fail(p, "%s: %s=%s is not supported", option, kv.key, kv.val);
		}
	}
	if (!*s->path)
		return fail(p, "%s: it needs path=, the folder", option);
	if (!has_model)
		return fail(
		    p,
		    "%s: it needs security_model=: mapped-xattr keeps the guest's owners and modes "
		    "in attributes, passthrough gives them to the files, none does what it can",
		    option);
	if (tag && !*tag)
		return fail(p, "%s: it needs mount_tag=, by which the guest mounts it", option);
	if (tag && !*s->id)
		snprintf(s->id, sizeof(s->id), "virtfs%u", f->nr);
	if (!*s->id)
		return fail(p, "%s: it needs id=", option);
	if (fsdev_find(f, s->id))
		return fail(p, "%s: there are two with id=%s", option, s->id);
	f->nr++;
	return 0;
}

int on_fsdev(struct parse *p, const char *arg)
{
	return parse(p, "-fsdev", arg, NULL, 0);
}

int on_virtfs(struct parse *p, const char *arg)
{
	char tag[64] = "", text[200];

	if (parse(p, "-virtfs", arg, tag, sizeof(tag)) < 0)
		return -1;
	snprintf(text, sizeof(text), "virtio-9p-pci,fsdev=%s,mount_tag=%s",
		 p->o->fsdevs.spec[p->o->fsdevs.nr - 1].id, tag);
	return on_device(p, text);
}
