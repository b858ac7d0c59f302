/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Line tables (DWARF 5, 6.2). A unit's table is decoded when it is first asked for; the rows are sorted by address.
 */
#ifdef CONFIG_DW
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/debug/debuginfo_priv.h"

#define MAX_PROLOGUE 256 /* bytes of code */

static const char *unit_dir(struct debuginfo *d, Dwarf_Die *unit)
{
	Dwarf_Attribute a;
	const char *dir =
	    d->lib.dwarf_attr(unit, DW_AT_comp_dir, &a) ? d->lib.dwarf_formstring(&a) : NULL;

	return dir ? dir : "";
}

const char *di_short_path(struct debuginfo *d, Dwarf_Die *unit, const char *path)
{
	const char *dir = unit_dir(d, unit);
	size_t n = strlen(dir);

	if (n && strncmp(path, dir, n) == 0 && path[n] == '/')
		path += n + 1;
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	return path;
}

/* The last row at or below an address; -1: none. */
static ssize_t row_at(struct debuginfo *d, Dwarf_Lines *lines, size_t nr, uint64_t addr)
{
	size_t lo = 0, hi = nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		Dwarf_Addr at = 0;

		d->lib.dwarf_lineaddr(d->lib.dwarf_onesrcline(lines, mid), &at);
		if (at <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (ssize_t)lo - 1;
}

static uint64_t row_addr(struct debuginfo *d, Dwarf_Line *row)
{
	Dwarf_Addr addr = 0;

	d->lib.dwarf_lineaddr(row, &addr);
	return addr;
}

static bool row_begins(struct debuginfo *d, Dwarf_Line *row)
{
	bool begins = false;

	d->lib.dwarf_linebeginstatement(row, &begins);
	return begins;
}

static bool row_ends(struct debuginfo *d, Dwarf_Line *row)
{
	bool ends = true;

	d->lib.dwarf_lineendsequence(row, &ends);
	return ends;
}

static bool same_line(struct debuginfo *d, Dwarf_Line *a, Dwarf_Line *b)
{
	int x = 0, y = 0;

	d->lib.dwarf_lineno(a, &x);
	d->lib.dwarf_lineno(b, &y);
	return x == y && d->lib.dwarf_linesrc(a, NULL, NULL) == d->lib.dwarf_linesrc(b, NULL, NULL);
}

int debuginfo_line(struct debuginfo *d, uint64_t addr, struct source_line *out)
{
	Dwarf_Die *unit = di_unit(d, addr);
	Dwarf_Lines *lines;
	Dwarf_Line *row;
	const char *file;
	ssize_t first, at;
	size_t nr, next;

	if (!unit || d->lib.dwarf_getsrclines(unit, &lines, &nr) < 0)
		return -ENOENT;
	at = row_at(d, lines, nr, addr);
	row = at >= 0 ? d->lib.dwarf_onesrcline(lines, (size_t)at) : NULL;
	file = row && !row_ends(d, row) ? d->lib.dwarf_linesrc(row, NULL, NULL) : NULL;
	if (!file)
		return -ENOENT;
	*out = (struct source_line){.begins = row_begins(d, row)};
	d->lib.dwarf_lineno(row, &out->line);
	snprintf(out->dir, sizeof(out->dir), "%s", unit_dir(d, unit));
	snprintf(out->file, sizeof(out->file), "%s", di_short_path(d, unit, file));
	/* Rows of the same line that follow each other differ in columns only. */
	for (first = at; first > 0; first--) {
		Dwarf_Line *before = d->lib.dwarf_onesrcline(lines, (size_t)first - 1);

		if (row_ends(d, before) || !same_line(d, before, row))
			break;
	}
	for (next = (size_t)at + 1; next + 1 < nr; next++) {
		Dwarf_Line *after = d->lib.dwarf_onesrcline(lines, next);

		if (row_ends(d, after) || !same_line(d, after, row))
			break;
	}
	out->begins = row_begins(d, d->lib.dwarf_onesrcline(lines, (size_t)first));
	out->lo = row_addr(d, d->lib.dwarf_onesrcline(lines, (size_t)first));
	out->hi = next < nr ? row_addr(d, d->lib.dwarf_onesrcline(lines, next)) : out->lo;
	return out->line ? 0 : -ENOENT;
}

/* Is the one path the end of the other, by whole names? */
static bool path_ends(const char *path, const char *end)
{
	size_t n = strlen(path), m = strlen(end);

	return m <= n && strcmp(path + n - m, end) == 0 && (m == n || path[n - m - 1] == '/');
}

struct line_search {
	const char *file;
	int line;  /* wanted */
	int found; /* the nearest that is not above; 0: none yet */
	uint64_t *addrs;
	unsigned nr, max;
	Dwarf_Die *unit;  /* of the first one */
	const char *path; /* of its file */
};

static void search_unit(struct debuginfo *d, Dwarf_Die *unit, struct line_search *s)
{
	const char *last = NULL;
	Dwarf_Lines *lines;
	bool wanted = false;
	size_t nr;

	if (d->lib.dwarf_getsrclines(unit, &lines, &nr) < 0)
		return;
	for (size_t n = 0; n < nr; n++) {
		Dwarf_Line *row = d->lib.dwarf_onesrcline(lines, n);
		const char *file = d->lib.dwarf_linesrc(row, NULL, NULL);
		uint64_t addr;
		int line = 0;

		if (file != last) {
			last = file;
			wanted = file && path_ends(file, s->file);
		}
		d->lib.dwarf_lineno(row, &line);
		if (!wanted || line < s->line || (s->found && line > s->found) ||
		    !row_begins(d, row) || row_ends(d, row))
			continue;
		if (line != s->found)
			s->nr = 0;
		s->found = line;
		if (!s->nr) {
			s->unit = unit;
			s->path = file;
		}
		addr = row_addr(d, row);
		/* Rows of one place: only where it is come to from another line. */
		if (n && line == s->line && s->nr &&
		    same_line(d, d->lib.dwarf_onesrcline(lines, n - 1), row))
			continue;
		if (s->nr < s->max)
			s->addrs[s->nr++] = addr;
	}
}

/* Of the places in one block of code, the first one counts: the others are the same statement, moved about. */
static unsigned one_per_block(struct debuginfo *d, uint64_t *addrs, unsigned nr)
{
	Dwarf_Off blocks[64];
	unsigned kept = 0;

	for (unsigned n = 0; n < nr; n++) {
		Dwarf_Die scopes[DI_MAX_SCOPES];
		unsigned nr_scopes = di_scopes(d, addrs[n], scopes), k;
		Dwarf_Off block = 0;

		for (unsigned i = 0; i < nr_scopes && !block; i++)
			if (d->lib.dwarf_tag(&scopes[i]) != DW_TAG_lexical_block)
				block = d->lib.dwarf_dieoffset(&scopes[i]);
		for (k = 0; k < kept && blocks[k] != block; k++)
			;
		if (k == kept && kept < 64) {
			blocks[kept] = block;
			addrs[kept++] = addrs[n];
		} else if (k < kept && addrs[n] < addrs[k]) {
			addrs[k] = addrs[n];
		}
	}
	return kept;
}

unsigned debuginfo_find_line(struct debuginfo *d, struct source_line *line, uint64_t *addrs,
			     unsigned max)
{
	struct line_search s = {.file = line->file, .line = line->line, .addrs = addrs, .max = max};

	/* Most files are units; what others include has to be looked for in all line tables. */
	for (unsigned round = 0; round < 2 && !s.nr; round++)
		for (size_t n = 0; n < d->nr_units; n++) {
			const char *name = d->lib.dwarf_diename(&d->units[n]);

			if ((name && path_ends(name, line->file)) == !round)
				search_unit(d, &d->units[n], &s);
		}
	if (!s.nr)
		return 0;
	s.nr = one_per_block(d, addrs, s.nr);
	if (debuginfo_line(d, addrs[0], line) < 0)
		*line = (struct source_line){.lo = addrs[0], .hi = addrs[0]};
	/* At one address there may be rows of several lines: that of a call, and what was put there for it. */
	line->line = s.found;
	snprintf(line->dir, sizeof(line->dir), "%s", unit_dir(d, s.unit));
	snprintf(line->file, sizeof(line->file), "%s", di_short_path(d, s.unit, s.path));
	return s.nr;
}

uint64_t debuginfo_after_prologue(struct debuginfo *d, uint64_t addr)
{
	Dwarf_Die *unit = di_unit(d, addr);
	Dwarf_Lines *lines;
	ssize_t at;
	size_t nr;

	if (!unit || d->lib.dwarf_getsrclines(unit, &lines, &nr) < 0)
		return addr;
	at = row_at(d, lines, nr, addr);
	for (size_t n = (size_t)(at + 1); at >= 0 && n < nr; n++) {
		Dwarf_Line *row = d->lib.dwarf_onesrcline(lines, n);
		uint64_t to = row_addr(d, row);

		if (row_ends(d, row) || to - addr > MAX_PROLOGUE)
			break;
		/* As gdb does: the second line of the function begins after it. */
		if (to > addr && row_begins(d, row))
			return to;
	}
	return addr;
}
#endif
