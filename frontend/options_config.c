/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -readconfig: options from a file of groups, as QEMU has them:
 *
 *	[device "net0"]
 *	  driver = "e1000"
 *	  netdev = "n0"
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/options_dev.h"

/* The option of a group, and the key whose value stands first there, without its name; NULL: all have names. */
static const struct group {
	const char *name, *option, *first;
} groups[] = {
    {"device", "device", "driver"},
    {"drive", "drive", NULL},
    {"netdev", "netdev", "type"},
    {"chardev", "chardev", "backend"},
    {"fsdev", "fsdev", "fsdriver"},
    {"audiodev", "audiodev", "driver"},
    {"object", "object", "qom-type"},
    {"mon", "mon", NULL},
    {"global", "global", NULL},
    {"machine", "machine", "type"},
    {"accel", "accel", "accel"},
    {"memory", "m", NULL},
    {"smp-opts", "smp", NULL},
    {"boot-opts", "boot", NULL},
    {"rtc", "rtc", NULL},
    {"name", "name", NULL},
    {"action", "action", NULL},
    {"overcommit", "overcommit", NULL},
    {"icount", "icount", NULL},
    {"option-rom", "option-rom", NULL},
};

struct reader {
	struct parse *p;
	const char *path;
	unsigned line, began; /* of the group */
	const struct group *group;
	char first[MAX_PATH_LEN], rest[4096]; /* of its option */
};

static int bad(struct reader *r, const char *why, const char *what)
{
	return fail(r->p, "-readconfig %s, line %u: %s%s", r->path, r->line, why, what);
}

/* ",KEY=VALUE", where commas are doubled. */
static int append(struct reader *r, const char *key, const char *val)
{
	size_t n = strlen(r->rest);
	int len = snprintf(r->rest + n, sizeof(r->rest) - n, "%s%s=", n ? "," : "", key);

	n += (size_t)len;
	for (; *val && n + 2 < sizeof(r->rest); val++) {
		r->rest[n++] = *val;
		if (*val == ',')
			r->rest[n++] = ',';
	}
	if (*val || n >= sizeof(r->rest))
		return bad(r, "the group is too long", "");
	r->rest[n] = 0;
	return 0;
}

/* Carries out the group that ends here. */
static int end_group(struct reader *r)
{
	char text[sizeof(r->first) + sizeof(r->rest) + 2], why[512];
	const char *kept;

	if (!r->group)
		return 0;
	r->line = r->began;
	if (r->group->first && !*r->first && strcmp(r->group->name, "machine") != 0)
		return bad(r, "the group needs ", r->group->first);
	snprintf(text, sizeof(text), "%s%s%s", r->first, *r->first && *r->rest ? "," : "", r->rest);
	kept = options_keep(r->p, "-readconfig", text);
	if (!kept)
		return -1;
	if (options_apply(r->p, r->group->option, kept) == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", r->p->err);
	return bad(r, why, "");
}

static int begin_group(struct reader *r, const char *name, const char *id)
{
	if (end_group(r) < 0)
		return -1;
	r->group = NULL;
	r->first[0] = r->rest[0] = 0;
	r->began = r->line;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(groups[i].name, name) == 0)
			r->group = &groups[i];
	if (!r->group)
		return bad(r, "there is no group ", name);
	return *id ? append(r, "id", id) : 0;
}

static int take_key(struct reader *r, const char *key, const char *val)
{
	if (!r->group)
		return bad(r, "a [group] comes first", "");
	if (!r->group->first || strcmp(r->group->first, key) != 0)
		return append(r, key, val);
	snprintf(r->first, sizeof(r->first), "%s", val);
	return 0;
}

static int take_line(struct reader *r, const char *line)
{
	char name[64], val[MAX_PATH_LEN] = "";
	int end = 0;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	if (sscanf(line, "[%63[^] \"] \"%63[^\"]\"]%n", name, val, &end) == 2 && end)
		return begin_group(r, name, val);
	if (sscanf(line, "[%63[^] \"]]%n", name, &end) == 1 && end)
		return begin_group(r, name, "");
	if ((sscanf(line, "%63[^ =] = \"%1023[^\"]\"%n", name, val, &end) == 2 && end) ||
	    (val[0] = 0, sscanf(line, "%63[^ =] = \"\"%n", name, &end) == 1 && end))
		return take_key(r, name, val);
	return bad(r, "this is neither [group \"id\"] nor key = \"value\"", "");
}

int on_readconfig(struct parse *p, const char *arg)
{
	struct reader r = {.p = p, .path = arg};
	FILE *f = fopen(arg, "re");
	struct stat st;
	char line[2048];
	int err = 0;

	if (!f)
		return fail(p, "-readconfig: cannot open %s: %s", arg, strerror(errno));
	if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
		err = fail(p, "-readconfig: %s is a directory", arg);
	while (err == 0 && fgets(line, sizeof(line), f)) {
		r.line++;
		line[strcspn(line, "\r\n")] = 0;
		err = take_line(&r, line);
	}
	fclose(f);
	return err == 0 ? end_group(&r) : err;
}
