/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the sources are that a compiler was given elsewhere: as it saw them, with parts of the path replaced, or in
 * other folders.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/debug/symbols.h"

int source_add_rule(struct symbols *s, const char *from, const char *to)
{
	struct source_rule *r = calloc(1, sizeof(*r)), **end = &s->sources;

	if (r) {
		r->from = from ? strdup(from) : NULL;
		r->to = strdup(to);
	}
	if (!r || !r->to || (from && !r->from)) {
		if (r)
			free(r->from);
		free(r);
		return -ENOMEM;
	}
	while (*end)
		end = &(*end)->next;
	*end = r;
	return 0;
}

void source_clear_rules(struct symbols *s)
{
	while (s->sources) {
		struct source_rule *r = s->sources;

		s->sources = r->next;
		free(r->from);
		free(r->to);
		free(r);
	}
}

bool source_path(const struct symbols *s, const struct source_line *line, char *path, size_t len)
{
	const char *from;
	char full[512];

	if (line->file[0] == '/')
		snprintf(full, sizeof(full), "%s", line->file);
	else
		snprintf(full, sizeof(full), "%s/%s", line->dir, line->file);
	for (const struct source_rule *r = s->sources; r; r = r->next) {
		size_t n = r->from ? strlen(r->from) : 0;

		/* Of a path, by whole names. */
		if (n && strncmp(full, r->from, n) == 0 && (full[n] == '/' || full[n - 1] == '/')) {
			snprintf(path, len, "%s%s", r->to, full + n);
			if (access(path, R_OK) == 0)
				return true;
		}
	}
	snprintf(path, len, "%s", full);
	if (access(path, R_OK) == 0)
		return true;
	for (const struct source_rule *r = s->sources; r; r = r->next) {
		/* The whole of it, then without its first folders: what was built elsewhere has other ones. */
		for (from = line->file; !r->from && from; from = strchr(from, '/')) {
			from += *from == '/';
			snprintf(path, len, "%s/%s", r->to, from);
			if (access(path, R_OK) == 0)
				return true;
		}
	}
	snprintf(path, len, "%s", full);
	return false;
}
