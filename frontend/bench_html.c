/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The benchmark's report as HTML: a chart for each group, and the table.
 */
#include "frontend/bench.h"
#include "frontend/html.h"

static void print_group(const struct bench_report *r, enum bench_group g, FILE *out)
{
	const char *rows[BENCH_WORKLOADS], *series[BENCH_COLUMNS];
	double values[BENCH_WORKLOADS * BENCH_COLUMNS];
	struct html_chart c = {
	    .title = bench_group_names[g], .series = series, .rows = rows, .values = values};

	for (unsigned n = 0; n < r->nr; n++)
		if (!r->column[n].unusable)
			series[c.nr_series++] = r->column[n].name;
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		double *v = values + c.nr_rows * c.nr_series;

		if (bench_workloads[id].group != g || !r->selected[id])
			continue;
		for (unsigned n = 0; n < r->nr; n++)
			if (!r->column[n].unusable)
				*v++ = r->column[n].cell[id].ns;
		rows[c.nr_rows++] = bench_workloads[id].name;
	}
	if (c.nr_rows)
		html_chart(&c, out);
}

static void print_cell(const struct bench_cell *x, FILE *out)
{
	char s[24];

	if (x->status == CELL_OK) {
		fprintf(out, "<td>%s</td>", bench_number(x->ns, s, sizeof(s)));
	} else if (x->status == CELL_FAILED) {
		fprintf(out, "<td title=\"");
		html_text(x->why, out);
		fprintf(out, "\">failed</td>");
	} else {
		fprintf(out, "<td></td>");
	}
}

static void print_ratio(double ratio, FILE *out)
{
	char s[24];

	fprintf(out, "<td>%s</td>", ratio > 0 ? bench_number(ratio, s, sizeof(s)) : "");
}

static void print_table(const struct bench_report *r, FILE *out)
{
	struct bench_pair pair[BENCH_PAIRS];
	unsigned pairs = bench_pairs(r, pair);

	fprintf(out, "<h2>All numbers</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"l\">"
		     "workload</th><th class=\"l\">ns for</th>");
	for (unsigned c = 0; c < r->nr; c++)
		if (!r->column[c].unusable)
			fprintf(out, "<th>%s</th>", r->column[c].name);
	for (unsigned n = 0; n < pairs; n++)
		fprintf(out, "<th>%s/%s</th>", r->column[pair[n].column].name,
			r->column[pair[n].over].name);
	fprintf(out, "<th class=\"l\">what it is</th></tr>\n");
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		const struct bench_workload *w = &bench_workloads[id];

		if (!r->selected[id])
			continue;
		fprintf(out, "<tr><td class=\"l\">%s</td><td class=\"l\">%s</td>", w->name,
			w->unit);
		for (unsigned c = 0; c < r->nr; c++)
			if (!r->column[c].unusable)
				print_cell(&r->column[c].cell[id], out);
		for (unsigned n = 0; n < pairs; n++)
			print_ratio(bench_ratio(r, id, pair[n].column, pair[n].over), out);
		fprintf(out, "<td class=\"l\">");
		html_text(w->text, out);
		fprintf(out, "</td></tr>\n");
	}
	fprintf(out, "</table></div>\n");
}

void bench_print_html(const struct bench_report *r, FILE *out)
{
	html_begin("doppel bench", out);
	fprintf(out, "<p>");
	html_text(r->host, out);
	fprintf(out,
		", %u CPU%s. Time for an operation, the least of several samples; scales are "
		"logarithmic.</p>\n",
		r->cpus, r->cpus == 1 ? "" : "s");
	for (unsigned c = 0; c < r->nr; c++) {
		if (!r->column[c].unusable)
			continue;
		fprintf(out, "<p>Not %s: ", r->column[c].name);
		html_text(r->column[c].unusable, out);
		fprintf(out, "</p>\n");
	}
	for (unsigned g = 0; g < BENCH_GROUPS; g++)
		print_group(r, g, out);
	print_table(r, out);
	html_end(out);
}
