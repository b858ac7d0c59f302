/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The benchmark's table, as text, CSV (RFC 4180) and JSON.
 */
#include <math.h>
#include <string.h>

#include "frontend/bench.h"
#include "frontend/json.h"

const char *const bench_group_names[BENCH_GROUPS] = {
    [GROUP_CPU] = "Processor, user code",
    [GROUP_MEMORY] = "Memory, user code",
    [GROUP_KERNEL] = "Kernel and devices",
    [GROUP_DISK] = "Disk, virtio-blk",
    [GROUP_NET] = "Network",
};

/* ---- numbers ---- */

static bool has(const struct bench_report *r, unsigned id, unsigned column)
{
	return column < r->nr && r->column[column].cell[id].status == CELL_OK;
}

double bench_ratio(const struct bench_report *r, unsigned id, unsigned column, unsigned over)
{
	if (!has(r, id, column) || !has(r, id, over))
		return 0;
	return r->column[column].cell[id].ns / r->column[over].cell[id].ns;
}

double bench_group_ratio(const struct bench_report *r, enum bench_group g, unsigned column,
			 unsigned over)
{
	double sum = 0;
	unsigned n = 0, all = 0;

	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		double ratio = bench_ratio(r, id, column, over);

		if (bench_workloads[id].group != g)
			continue;
		all += has(r, id, column);
		if (ratio > 0) {
			sum += log(ratio);
			n++;
		}
	}
	return n > 1 && 2 * n > all ? exp(sum / n) : 0;
}

const char *bench_number(double v, char *s, size_t len)
{
	snprintf(s, len, "%.*f", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v);
	return s;
}

unsigned bench_pairs(const struct bench_report *r, struct bench_pair pair[BENCH_PAIRS])
{
	unsigned n = 0;

	for (unsigned c = 1; c < r->nr; c++)
		if (!r->column[c].unusable)
			pair[n++] = (struct bench_pair){c, 0};
	for (unsigned c = 2; c < r->nr; c++)
		if (!r->column[c].unusable && !r->column[1].unusable)
			pair[n++] = (struct bench_pair){c, 1};
	return n;
}

unsigned bench_failures(const struct bench_report *r)
{
	unsigned failed = 0;

	for (unsigned c = 0; c < r->nr; c++)
		for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
			failed += r->column[c].cell[id].status == CELL_FAILED;
	return failed;
}

/* ---- text ---- */

static void print_ratio(double ratio, int width, FILE *out)
{
	char s[24];

	fprintf(out, "%*s", width, ratio > 0 ? bench_number(ratio, s, sizeof(s)) : "-");
}

static int pair_width(const struct bench_report *r, const struct bench_pair *p)
{
	return 3 + (int)(strlen(r->column[p->column].name) + strlen(r->column[p->over].name));
}

static void print_row(const struct bench_report *r, unsigned id, const struct bench_pair *pair,
		      unsigned pairs, FILE *out)
{
	const struct bench_workload *w = &bench_workloads[id];
	char s[24];

	fprintf(out, "  %-10s %-9s", w->name, w->unit);
	for (unsigned c = 0; c < r->nr; c++) {
		const struct bench_cell *x = &r->column[c].cell[id];

		if (r->column[c].unusable)
			continue;
		fprintf(out, "%10s",
			x->status == CELL_OK       ? bench_number(x->ns, s, sizeof(s))
			: x->status == CELL_FAILED ? "FAILED"
						   : "-");
	}
	for (unsigned n = 0; n < pairs; n++)
		print_ratio(bench_ratio(r, id, pair[n].column, pair[n].over),
			    pair_width(r, &pair[n]), out);
	fprintf(out, "\n");
}

static void print_group(const struct bench_report *r, enum bench_group g,
			const struct bench_pair *pair, unsigned pairs, FILE *out)
{
	unsigned rows = 0;

	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		if (bench_workloads[id].group != g || !r->selected[id])
			continue;
		if (!rows++)
			fprintf(out, "%s\n", bench_group_names[g]);
		print_row(r, id, pair, pairs, out);
	}
	if (rows < 2 || !pairs)
		return;
	fprintf(out, "  %-20s", "geometric mean");
	for (unsigned c = 0; c < r->nr; c++)
		if (!r->column[c].unusable)
			fprintf(out, "%10s", "");
	for (unsigned n = 0; n < pairs; n++)
		print_ratio(bench_group_ratio(r, g, pair[n].column, pair[n].over),
			    pair_width(r, &pair[n]), out);
	fprintf(out, "\n");
}

void bench_print(const struct bench_report *r, FILE *out)
{
	struct bench_pair pair[BENCH_PAIRS];
	unsigned pairs = bench_pairs(r, pair);

	fprintf(out, "%s, %u CPU%s; ns for an operation, least of several samples\n\n%-22s",
		r->host, r->cpus, r->cpus == 1 ? "" : "s", "");
	for (unsigned c = 0; c < r->nr; c++)
		if (!r->column[c].unusable)
			fprintf(out, "%10s", r->column[c].name);
	for (unsigned n = 0; n < pairs; n++)
		fprintf(out, "  %s/%s", r->column[pair[n].column].name,
			r->column[pair[n].over].name);
	fprintf(out, "\n");
	for (unsigned g = 0; g < BENCH_GROUPS; g++)
		print_group(r, g, pair, pairs, out);
	fprintf(out, "\n");
	for (unsigned c = 0; c < r->nr; c++) {
		if (r->column[c].unusable)
			fprintf(out, "not %s: %s\n", r->column[c].name, r->column[c].unusable);
		for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
			if (r->column[c].cell[id].status == CELL_FAILED)
				fprintf(out, "%s, %s: %s\n", r->column[c].name,
					bench_workloads[id].name, r->column[c].cell[id].why);
	}
	if (!bench_failures(r))
		fprintf(out, "every workload came to the same result everywhere; ");
	fprintf(out, "%.0f seconds\n", r->took_s);
}

/* ---- CSV ---- */

static const char *const status_names[] = {[CELL_NONE] = "none",
					   [CELL_OK] = "ok",
					   [CELL_UNSUPPORTED] = "unsupported",
					   [CELL_FAILED] = "failed"};

/* 0 is an empty field. */
static void csv_number(double v, FILE *out)
{
	if (v > 0)
		fprintf(out, ",%.6g", v);
	else
		fprintf(out, ",");
}

void bench_print_csv(const struct bench_report *r, FILE *out)
{
	fprintf(out, "workload,group,unit,engine,status,ns,median_ns,over_native,over_first,rounds,"
		     "samples,result\r\n");
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		const struct bench_workload *w = &bench_workloads[id];

		for (unsigned c = 0; c < r->nr; c++) {
			const struct bench_cell *x = &r->column[c].cell[id];

			if (x->status == CELL_NONE)
				continue;
			fprintf(out, "%s,\"%s\",%s,%s,%s", w->name, bench_group_names[w->group],
				w->unit, r->column[c].name, status_names[x->status]);
			csv_number(x->ns, out);
			csv_number(x->median_ns, out);
			csv_number(bench_ratio(r, id, c, 0), out);
			csv_number(c ? bench_ratio(r, id, c, 1) : 0, out);
			fprintf(out, ",%u,%u,%016llx\r\n", x->rounds, x->samples,
				(unsigned long long)x->result);
		}
	}
}

/* ---- JSON ---- */

static void json_number(const char *name, double v, FILE *out)
{
	if (v > 0)
		fprintf(out, ", \"%s\": %.6g", name, v);
	else
		fprintf(out, ", \"%s\": null", name);
}

static void json_cell(const struct bench_report *r, unsigned id, unsigned c, FILE *out)
{
	const struct bench_cell *x = &r->column[c].cell[id];

	json_string(r->column[c].name, out);
	fprintf(out, ": {");
	json_field("status", status_names[x->status], ", ", out);
	json_field("why", x->why, "", out);
	json_number("ns", x->ns, out);
	json_number("median_ns", x->median_ns, out);
	json_number("over_native", bench_ratio(r, id, c, 0), out);
	json_number("over_first", c ? bench_ratio(r, id, c, 1) : 0, out);
	fprintf(out, ", \"rounds\": %u, \"samples\": %u, \"result\": \"%016llx\"}", x->rounds,
		x->samples, (unsigned long long)x->result);
}

void bench_print_json(const struct bench_report *r, FILE *out)
{
	const char *after = "";

	fprintf(out, "{\n  ");
	json_field("host", r->host, ",\n  ", out);
	fprintf(out, "\"cpus\": %u,\n  \"seconds\": %.3f,\n  \"engines\": [\n", r->cpus, r->took_s);
	for (unsigned c = 1; c < r->nr; c++) {
		fprintf(out, "    {");
		json_field("name", r->column[c].name, ", ", out);
		json_field("unusable", r->column[c].unusable, c + 1 < r->nr ? "},\n" : "}\n", out);
	}
	fprintf(out, "  ],\n  \"workloads\": [");
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++) {
		const struct bench_workload *w = &bench_workloads[id];
		const char *between = "";

		if (!r->selected[id])
			continue;
		fprintf(out, "%s\n    {", after);
		json_field("name", w->name, ", ", out);
		json_field("group", bench_group_names[w->group], ", ", out);
		json_field("unit", w->unit, ", ", out);
		json_field("text", w->text, ", \"engines\": {", out);
		for (unsigned c = 0; c < r->nr; c++) {
			if (r->column[c].cell[id].status == CELL_NONE)
				continue;
			fprintf(out, "%s\n      ", between);
			json_cell(r, id, c, out);
			between = ",";
		}
		fprintf(out, "}}");
		after = ",";
	}
	fprintf(out, "\n  ]\n}\n");
}
