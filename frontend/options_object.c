/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -object: by its kind.
 */
#include <string.h>

#include "frontend/options_dev.h"

/* Sources of entropy, which all are the host's getrandom(). */
static int on_rng(struct parse *p, const char *kind, const char *arg)
{
	struct keyval kv;
	bool has_id = false;

	while (next_keyval(&arg, &kv)) {
		if (strcmp(kv.key, "id") == 0)
			has_id = true;
		else if (strcmp(kv.key, "filename") != 0)
			return fail(p, "-object %s: %s= is not known; there are id= and filename=",
				    kind, kv.key);
		else if (strcmp(kv.val, "/dev/urandom") != 0 && strcmp(kv.val, "/dev/random") != 0)
			return fail(p,
				    "-object %s: filename=%s is not supported; /dev/urandom is the "
				    "case anyway",
				    kind, kv.val);
	}
	return has_id ? 0 : fail(p, "-object %s: it needs id=", kind);
}

int on_object(struct parse *p, const char *arg)
{
	struct keyval kv;

	if (!next_keyval(&arg, &kv) || kv.has_val)
		return fail(p, "-object: the kind comes first, as in rng-random,id=rng0");
	if (strcmp(kv.key, "filter-dump") == 0)
		return on_filter_dump(p, arg);
	if (strcmp(kv.key, "rng-random") == 0 || strcmp(kv.key, "rng-builtin") == 0)
		return on_rng(p, kv.key, arg);
	return fail(
	    p, "-object %s is not supported; there are filter-dump, rng-random and rng-builtin",
	    kv.key);
}
