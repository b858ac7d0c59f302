/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The report on a guest of the user's, as text, CSV, JSON and HTML.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpus.h"
#include "frontend/bench_guest.h"
#include "frontend/html.h"
#include "frontend/json.h"

#define PLACES 15
#define LINES  12 /* of devices and of exits, in the text */

/* ---- what was counted, as one list ---- */

struct count {
	enum { COUNT_DEVICE, COUNT_EXIT, COUNT_HOP, COUNT_OTHER } kind;
	char name[64];
	uint64_t n;
};

static const char *const kind_names[] = {[COUNT_DEVICE] = "device",
					 [COUNT_EXIT] = "exit",
					 [COUNT_HOP] = "hop",
					 [COUNT_OTHER] = "counter"};

#define MAX_COUNTS (GUEST_DEVICES + NR_ENGINE_STATS + FAILURES)

static int by_count(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->name, y->name);
}

static void add_count(struct count *c, unsigned *nr, int kind, const char *before, const char *name,
		      uint64_t n)
{
	if (!n)
		return;
	c[*nr].kind = (unsigned)kind;
	c[*nr].n = n;
	snprintf(c[*nr].name, sizeof(c[*nr].name), "%s%s", before, name);
	++*nr;
}

/* By kind, and then the most first. */
static unsigned make_counts(const struct guest_watch *w, struct count c[MAX_COUNTS])
{
	unsigned nr = 0;

	for (unsigned n = 0; n < w->nr_devices; n++)
		add_count(c, &nr, COUNT_DEVICE, w->device[n].port ? "port " : "memory ",
			  w->device[n].name, w->device[n].accesses);
	for (unsigned n = 0; n < NR_ENGINE_STATS; n++) {
		const char *name = engine_stat_names[n], *rest = strstr(name, "exits: ");

		add_count(c, &nr, rest ? COUNT_EXIT : COUNT_OTHER, "", rest ? rest + 7 : name,
			  w->counters[n]);
	}
	for (unsigned n = 0; n < FAILURES; n++)
		add_count(c, &nr, COUNT_HOP, "", cpus_hop_reasons[n], w->hops[n]);
	qsort(c, nr, sizeof(*c), by_count);
	return nr;
}

/* ---- numbers ---- */

/* Seconds over those of the first engine that came to its end; 0: none. */
static double over_first(const struct guest_report *r, unsigned n)
{
	unsigned first = 0;

	while (first < r->nr && r->result[first].seconds <= 0)
		first++;
	return first < r->nr && r->result[n].seconds > 0
		   ? r->result[n].seconds / r->result[first].seconds
		   : 0;
}

static double share(unsigned part, unsigned of)
{
	return of ? 100.0 * part / of : 0;
}

static const char *ends_with(const struct guest_report *r, char *s, size_t len)
{
	if (r->opt->marker)
		snprintf(s, len, "until '%s'", r->opt->marker);
	else
		snprintf(s, len, "until the guest ends");
	return s;
}

/* ---- text ---- */

static void print_counts(const struct count *c, unsigned nr, int kind, const char *title, FILE *out)
{
	unsigned lines = 0;

	for (unsigned n = 0; n < nr; n++) {
		if ((int)c[n].kind != kind || lines == LINES)
			continue;
		if (!lines++)
			fprintf(out, "  %s\n", title);
		fprintf(out, "%12" PRIu64 "  %s\n", c[n].n, c[n].name);
	}
}

static void print_details(const struct guest_report *r, const struct guest_result *x, FILE *out)
{
	struct guest_place place[PLACES];
	struct count c[MAX_COUNTS];
	const struct guest_watch *w = x->watch;
	unsigned nr = make_counts(w, c);

	fprintf(out, "\n%s\n", x->engine);
	print_counts(c, nr, COUNT_DEVICE, "accesses to devices", out);
	print_counts(c, nr, COUNT_EXIT, "exits from guest code", out);
	print_counts(c, nr, COUNT_HOP, "instructions left to the interpreter", out);
	fprintf(out, "  hottest code, of %u samples (CPUs halted in %.0f%% of %u)\n", w->nr_samples,
		share(w->idle, w->taken), w->taken);
	nr = guest_places(w, r->symbols, place, PLACES);
	for (unsigned n = 0; n < nr; n++)
		fprintf(out, "%11.1f%%  %s  %s\n", share(place[n].samples, w->nr_samples),
			place[n].user ? "user  " : "kernel", place[n].name);
}

void guest_print(const struct guest_report *r, FILE *out)
{
	char s[200], t[24];

	fprintf(out, "%s, %u CPU%s; seconds %s\n\n", r->host, r->cpus, r->cpus == 1 ? "" : "s",
		ends_with(r, s, sizeof(s)));
	for (unsigned n = 0; n < r->nr; n++) {
		const struct guest_result *x = &r->result[n];

		if (x->unusable)
			fprintf(out, "  %-8s cannot run here: %s\n", x->engine, x->unusable);
		else if (*x->why)
			fprintf(out, "  %-8s FAILED: %s\n", x->engine, x->why);
		else
			fprintf(out, "  %-8s %9.3f  %s times the first\n", x->engine, x->seconds,
				bench_number(over_first(r, n), t, sizeof(t)));
	}
	for (unsigned n = 0; n < r->nr; n++)
		if (r->result[n].watch && r->result[n].watch->ended)
			print_details(r, &r->result[n], out);
}

/* ---- CSV ---- */

static void csv_text(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s; s++)
		fprintf(out, *s == '"' ? "\"\"" : "%c", *s);
	fputc('"', out);
}

void guest_print_csv(const struct guest_report *r, FILE *out)
{
	struct guest_place place[PLACES];
	struct count c[MAX_COUNTS];

	fprintf(out, "engine,kind,name,value\r\n");
	for (unsigned n = 0; n < r->nr; n++) {
		const struct guest_result *x = &r->result[n];
		unsigned nr;

		if (x->unusable || *x->why) {
			fprintf(out, "%s,%s,", x->engine, x->unusable ? "unusable" : "failed");
			csv_text(x->unusable ? x->unusable : x->why, out);
			fprintf(out, ",\r\n");
		} else {
			fprintf(out, "%s,seconds,,%.6f\r\n", x->engine, x->seconds);
		}
		if (!x->watch || !x->watch->ended)
			continue;
		nr = make_counts(x->watch, c);
		for (unsigned k = 0; k < nr; k++) {
			fprintf(out, "%s,%s,", x->engine, kind_names[c[k].kind]);
			csv_text(c[k].name, out);
			fprintf(out, ",%" PRIu64 "\r\n", c[k].n);
		}
		nr = guest_places(x->watch, r->symbols, place, PLACES);
		for (unsigned k = 0; k < nr; k++)
			fprintf(out, "%s,%s,%s,%u\r\n", x->engine,
				place[k].user ? "user code" : "kernel code", place[k].name,
				place[k].samples);
	}
}

/* ---- JSON ---- */

static void json_details(const struct guest_report *r, const struct guest_watch *w, FILE *out)
{
	struct guest_place place[PLACES];
	struct count c[MAX_COUNTS];
	unsigned nr = make_counts(w, c);

	fprintf(out, ",\n     \"samples\": %u, \"halted\": %u,\n     \"counts\": [", w->taken,
		w->idle);
	for (unsigned n = 0; n < nr; n++) {
		fprintf(out, "%s\n       {", n ? "," : "");
		json_field("kind", kind_names[c[n].kind], ", ", out);
		json_field("name", c[n].name, ", ", out);
		fprintf(out, "\"count\": %" PRIu64 "}", c[n].n);
	}
	fprintf(out, "],\n     \"hottest\": [");
	nr = guest_places(w, r->symbols, place, PLACES);
	for (unsigned n = 0; n < nr; n++) {
		fprintf(out, "%s\n       {", n ? "," : "");
		json_field("place", place[n].name, ", ", out);
		fprintf(out, "\"user\": %s, \"samples\": %u}", place[n].user ? "true" : "false",
			place[n].samples);
	}
	fprintf(out, "]");
}

void guest_print_json(const struct guest_report *r, FILE *out)
{
	fprintf(out, "{\n  ");
	json_field("host", r->host, ",\n  ", out);
	json_field("marker", r->opt->marker, ",\n  ", out);
	fprintf(out, "\"cpus\": %u,\n  \"engines\": [", r->cpus);
	for (unsigned n = 0; n < r->nr; n++) {
		const struct guest_result *x = &r->result[n];

		fprintf(out, "%s\n    {", n ? "," : "");
		json_field("name", x->engine, ", ", out);
		json_field("unusable", x->unusable, ", ", out);
		json_field("why", x->why, ", ", out);
		if (x->seconds > 0)
			fprintf(out, "\"seconds\": %.6f, \"over_first\": %.4f", x->seconds,
				over_first(r, n));
		else
			fprintf(out, "\"seconds\": null, \"over_first\": null");
		if (x->watch && x->watch->ended)
			json_details(r, x->watch, out);
		fprintf(out, "}");
	}
	fprintf(out, "\n  ]\n}\n");
}

/* ---- HTML ---- */

static void html_row(const char *first, const char *second, const char *number, FILE *out)
{
	fprintf(out, "<tr><td class=\"l\">");
	html_text(first, out);
	fprintf(out, "</td><td class=\"l\">");
	html_text(second, out);
	fprintf(out, "</td><td>%s</td></tr>\n", number);
}

static void html_details(const struct guest_report *r, const struct guest_result *x, FILE *out)
{
	struct guest_place place[PLACES];
	struct count c[MAX_COUNTS];
	unsigned nr = make_counts(x->watch, c);
	char s[32];

	fprintf(out, "<h2>%s</h2>\n<table>\n", x->engine);
	for (unsigned n = 0; n < nr; n++) {
		snprintf(s, sizeof(s), "%" PRIu64, c[n].n);
		html_row(kind_names[c[n].kind], c[n].name, s, out);
	}
	nr = guest_places(x->watch, r->symbols, place, PLACES);
	for (unsigned n = 0; n < nr; n++) {
		snprintf(s, sizeof(s), "%.1f%%", share(place[n].samples, x->watch->nr_samples));
		html_row(place[n].user ? "user code" : "kernel code", place[n].name, s, out);
	}
	fprintf(out, "</table>\n");
}

void guest_print_html(const struct guest_report *r, FILE *out)
{
	static const char *const series[] = {"time"};
	const char *rows[BENCH_COLUMNS];
	double values[BENCH_COLUMNS];
	struct html_chart chart = {
	    .title = "Time", .series = series, .nr_series = 1, .rows = rows, .values = values};
	char s[200];

	html_begin("doppel bench", out);
	fprintf(out, "<p>");
	html_text(r->host, out);
	fprintf(out, ", %u CPU%s; ", r->cpus, r->cpus == 1 ? "" : "s");
	html_text(ends_with(r, s, sizeof(s)), out);
	fprintf(out, "</p>\n");
	for (unsigned n = 0; n < r->nr; n++) {
		const struct guest_result *x = &r->result[n];

		if (x->unusable || *x->why) {
			fprintf(out, "<p>Not %s: ", x->engine);
			html_text(x->unusable ? x->unusable : x->why, out);
			fprintf(out, "</p>\n");
			continue;
		}
		rows[chart.nr_rows] = x->engine;
		values[chart.nr_rows++] = x->seconds * 1e9;
	}
	if (chart.nr_rows)
		html_chart(&chart, out);
	for (unsigned n = 0; n < r->nr; n++)
		if (r->result[n].watch && r->result[n].watch->ended)
			html_details(r, &r->result[n], out);
	html_end(out);
}
