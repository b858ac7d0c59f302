/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * profile: starts, stops, reports.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/monitor/profile.h"
#include "frontend/monitor/view.h"

#define HZ       99
#define MAX_TOP  20
#define MAX_FLAT 4096

struct flat {
	const char *name;
	uint64_t self;
};

struct flats {
	struct flat f[MAX_FLAT];
	unsigned nr;
};

static void flatten(const struct profile_node *n, struct flats *t)
{
	for (; n; n = n->next) {
		unsigned k;

		for (k = 0; n->self && k < t->nr && strcmp(t->f[k].name, n->name) != 0; k++)
			;
		if (n->self && k < MAX_FLAT) {
			t->f[k].name = n->name;
			t->f[k].self += n->self;
			t->nr = k == t->nr ? k + 1 : t->nr;
		}
		flatten(n->child, t);
	}
}

static int by_self(const void *x, const void *y)
{
	const struct flat *a = x, *b = y;

	return a->self < b->self ? 1 : a->self > b->self ? -1 : strcmp(a->name, b->name);
}

static bool have(struct monitor *m, const struct out *o)
{
	if (!m->env->profile)
		out(o, "there is no profile: profile start begins one\n");
	return m->env->profile != NULL;
}

static void cmd_start(struct monitor *m, const struct out *o, const struct arg *a)
{
	unsigned long hz = a[0].given ? strtoul(a[0].text, NULL, 10) : HZ;
	int err;

	if (!hz || hz > PROFILE_HZ_MAX) {
		out(o, "%s is no rate: 1 to %u samples a second\n", a[0].text, PROFILE_HZ_MAX);
		return;
	}
	profile_free(m->env->profile);
	m->env->profile = NULL;
	err = profile_start(&m->env->profile, m->env, (unsigned)hz);
	if (err < 0)
		out(o, "cannot start: %s\n", strerror(-err));
}

static void cmd_stop(struct monitor *m, const struct out *o, const struct arg *a)
{
	FILE *f;

	if (!have(m, o))
		return;
	profile_stop(m->env->profile);
	if (!a[0].given)
		return;
	f = fopen(a[0].text, "we");
	if (!f) {
		out(o, "cannot write %s: %s\n", a[0].text, strerror(errno));
		return;
	}
	flame_graph(profile_root(m->env->profile), f);
	if (ferror(f) | fclose(f))
		out(o, "cannot write %s\n", a[0].text);
}

static void cmd_report(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct profile_node *root;
	uint64_t spent, since;
	struct flats *t = calloc(1, sizeof(*t));

	(void)a;
	if (!t || !have(m, o)) {
		free(t);
		return;
	}
	root = profile_root(m->env->profile);
	profile_cost(m->env->profile, &spent, &since);
	flatten(root->child, t);
	qsort(t->f, t->nr, sizeof(t->f[0]), by_self);
	out(o,
	    "%" PRIu64 " samples of running CPUs, %" PRIu64 " of halted ones; they took %.2f%%\n",
	    root->total, profile_idle(m->env->profile),
	    since ? 100.0 * (double)spent / (double)since : 0);
	for (unsigned n = 0; n < t->nr && n < MAX_TOP; n++) {
		char line[280] = "";
		uint64_t addr;

		if (symbols_find(&m->env->symbols, t->f[n].name, &addr, NULL))
			view_line(m->env, addr, false, line, sizeof(line));
		out(o, "%6.2f%% %s%s%s\n", 100.0 * (double)t->f[n].self / (double)root->total,
		    t->f[n].name, *line ? " at " : "", line);
	}
	free(t);
}

const struct command profile_commands[] = {
    {"profile start", "[HZ]", cmd_start, "sample what the CPUs do (99 times a second)",
     "profile start"},
    {"profile stop", "[FILE]", cmd_stop, "take no more samples; write a flame graph (SVG)",
     "profile stop /tmp/flame.svg"},
    {"profile report", NULL, cmd_report, "where the samples are", "profile report"},
    {0},
};
