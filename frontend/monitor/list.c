/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source text: list, info line, info source.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/monitor/list.h"
#include "frontend/monitor/points.h"

#define LINES    10
#define MAX_TEXT 512

/* Prints lines first to last of a file, with a mark at one; how many there are. */
static unsigned print_lines(const struct out *o, const char *path, int first, int last, int mark)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	unsigned nr = 0;
	ssize_t len;

	for (int n = 1; f && n <= last && (len = getline(&text, &room, f)) > 0; n++) {
		if (n < first)
			continue;
		if (text[len - 1] == '\n')
			text[len - 1] = 0;
		out(o, "%c%-6d%.*s\n", n == mark ? '>' : ' ', n, MAX_TEXT, text);
		nr++;
	}
	free(text);
	if (f)
		fclose(f);
	return nr;
}

void list_line(struct view *w, uint64_t addr)
{
	struct symbols *s = &w->m->env->symbols;
	struct source_line line;
	char path[PATH_MAX];

	if (symbols_line(s, addr, &line) && source_path(s, &line, path, sizeof(path)))
		print_lines(w->o, path, line.line, line.line, 0);
}

/* Where the frame is that is looked at. */
static uint64_t here(const struct view *w)
{
	if (w->env.frame)
		return w->frame.ip - w->frame.call;
	return w->v->seg[CS].base + w->v->rip;
}

static bool place(struct view *w, const char *text, struct source_line *line)
{
	uint64_t addr;

	if (*text) {
		char err[200];

		if (points_place(w->m->env, &w->env, text, &addr, 1, line, err, sizeof(err)) < 1) {
			out(w->o, "%s\n", *err ? err : "it is not in the guest yet");
			return false;
		}
		if (line->line)
			return true;
	} else {
		addr = here(w);
	}
	if (symbols_line(&w->m->env->symbols, addr, line))
		return true;
	out(w->o, "nothing says from which source line 0x%" PRIx64 " is\n", addr);
	return false;
}

static void cmd_list(struct monitor *m, const struct out *o, const struct arg *a)
{
	const char *text = a[0].given ? a[0].text : "";
	bool number = *text && strspn(text, "0123456789") == strlen(text);
	struct source_line line = m->listed;
	char path[PATH_MAX];
	struct view w;
	int first = 0, mark = 0;

	view_begin(&w, m, o);
	if (!*text && m->listed.line) {
		first = m->listed.line;
	} else if (number && m->listed.line) {
		first = atoi(text) - LINES / 2;
	} else {
		if (!place(&w, number ? "" : text, &line))
			goto end;
		mark = *text ? 0 : line.line;
		first = (number ? atoi(text) : line.line) - LINES / 2;
	}
	first = first < 1 ? 1 : first;
	m->listed = line;
	m->listed.line = first + LINES;
	if (!source_path(&m->env->symbols, &line, path, sizeof(path))) {
		out(o,
		    "%s:%d\nits source is not here: directory DIR or set substitute-path FROM TO "
		    "say where %s is\n",
		    line.file, first + LINES / 2, path);
		m->listed.line = 0;
	} else if (!print_lines(o, path, first, first + LINES - 1, mark)) {
		out(o, "%s has no line %d\n", path, first);
		m->listed.line = 0;
	}
end:
	view_end(&w);
}

static void info_line(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct source_line line;
	struct view w;

	view_begin(&w, m, o);
	if (place(&w, a[0].given ? a[0].text : "", &line)) {
		char from[128], to[128];

		view_symbol(m->env, line.lo, false, from, sizeof(from));
		view_symbol(m->env, line.hi, true, to, sizeof(to));
		out(o, "line %d of %s is 0x%" PRIx64 " <%s> to 0x%" PRIx64 " <%s>\n", line.line,
		    line.file, line.lo, from, line.hi, to);
	}
	view_end(&w);
}

static void info_source(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct source_line line;
	char path[PATH_MAX];
	struct view w;

	(void)a;
	view_begin(&w, m, o);
	if (place(&w, "", &line)) {
		bool found = source_path(&m->env->symbols, &line, path, sizeof(path));

		out(o, "%s, compiled in %s\n%s %s\n", line.file, line.dir,
		    found ? "read from" : "not here:", path);
	}
	view_end(&w);
}

const struct command list_commands[] = {
    {"list|l", "[WHERE...]", cmd_list,
     "source lines there, around the frame, or the next ones; WHERE: FUNCTION, FILE:LINE, LINE",
     "list init/main.c:936"},
    {"info line", "[WHERE...]", info_line, "the code of a source line", "info line start_kernel"},
    {"info source", NULL, info_source, "the source file of the frame", "info source"},
    {0},
};
