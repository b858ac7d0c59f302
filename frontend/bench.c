/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * `doppel bench`: its options, and the way from them to a report.
 */
#include "frontend/bench.h"

#include <cpuid.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accel/engine.h"
#include "frontend/accel.h"
#include "frontend/options.h"

#define DEFAULT_MS 300
#define LEAST_MS   1
#define MOST_MS    60000

enum bench_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

struct bench_options {
	const char *engines, *only, *html;
	unsigned time_ms;
	enum bench_format format;
	bool list;
};

static int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int complain(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "doppel: bench: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return -1;
}

static void help(void)
{
	printf(
	    "usage: doppel bench [options]\n"
	    "What each engine costs on this host: single operations, measured by a guest that is "
	    "built in.\n\n"
	    "  --engines LIST   kvm, jit, interp; the first is what others are compared with\n"
	    "                   (default: all that work here)\n"
	    "  --only LIST      of workloads (--list tells them)\n"
	    "  --time MS        to spend on each number (default %d)\n"
	    "  --json, --csv    instead of the table\n"
	    "  --html FILE      a report with charts, beside it\n"
	    "  --list           the workloads, and what each isolates\n",
	    DEFAULT_MS);
}

static void list(void)
{
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
		printf("%-10s %-9s %s\n", bench_workloads[id].name, bench_workloads[id].unit,
		       bench_workloads[id].text);
}

/* ---- options ---- */

static int parse_time(const char *s, unsigned *ms)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || v < LEAST_MS || v > MOST_MS)
		return complain("--time %s: it is a number of milliseconds from %d to %d", s,
				LEAST_MS, MOST_MS);
	*ms = (unsigned)v;
	return 0;
}

static int parse(struct bench_options *o, int argc, char **argv)
{
	static const char *const names[] = {"--engines", "--only", "--time", "--json",
					    "--csv",     "--html", "--list", NULL};

	*o = (struct bench_options){.time_ms = DEFAULT_MS};
	for (int n = 1; n < argc; n++) {
		const char *a = argv[n], *near;
		const char **to = strcmp(a, "--engines") == 0 ? &o->engines
				  : strcmp(a, "--only") == 0  ? &o->only
				  : strcmp(a, "--html") == 0  ? &o->html
							      : NULL;

		if (to || strcmp(a, "--time") == 0) {
			if (++n == argc)
				return complain("%s needs an argument", a);
			if (to)
				*to = argv[n];
			else if (parse_time(argv[n], &o->time_ms) < 0)
				return -1;
		} else if (strcmp(a, "--json") == 0 || strcmp(a, "--csv") == 0) {
			if (o->format != FORMAT_TEXT)
				return complain("one of --json and --csv, once");
			o->format = a[2] == 'j' ? FORMAT_JSON : FORMAT_CSV;
		} else if (strcmp(a, "--list") == 0) {
			o->list = true;
		} else {
			near = nearest_name(a, names);
			return near ? complain("%s is not known; did you mean %s?", a, near)
				    : complain("%s is not known; 'doppel bench --help' lists its "
					       "options",
					       a);
		}
	}
	return 0;
}

/* The next element of a list with commas; false at its end. */
static bool next_word(const char **list, char *word, size_t len)
{
	size_t n = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(word, len, "%.*s", (int)n, *list);
	*list += n;
	*list += **list == ',';
	return true;
}

static int select_workloads(struct bench_report *r, const char *only)
{
	char word[64];

	for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
		r->selected[id] = !only;
	if (!only)
		return 0;
	if (!*only)
		return complain("--only needs a workload; --list tells them");
	while (next_word(&only, word, sizeof(word))) {
		unsigned id = 0;

		while (id < BENCH_WORKLOADS && strcmp(bench_workloads[id].name, word) != 0)
			id++;
		if (id == BENCH_WORKLOADS)
			return complain("--only: there is no workload '%s'; --list tells them",
					word);
		r->selected[id] = true;
	}
	return 0;
}

static int add_column(struct bench_report *r, const struct engine *e, bool wanted)
{
	struct bench_column *c = &r->column[r->nr];

	for (unsigned n = 1; n < r->nr; n++)
		if (r->column[n].engine == e)
			return complain("--engines: %s is there twice", e->name);
	c->name = e->name;
	c->engine = e;
	c->unusable = e->unusable();
	if (c->unusable && wanted)
		return complain("%s cannot run here: %s", e->name, c->unusable);
	r->nr++;
	return 0;
}

static int select_engines(struct bench_report *r, const char *names)
{
	const struct accel_host host = accel_host();
	const struct engine *all[] = {host.kvm, host.jit, host.interp};
	char word[64];

	r->column[r->nr++].name = "native";
	if (names && !*names)
		return complain("--engines needs a name: kvm, jit or interp");
	if (!names) {
		/* Those that cannot run are told at the end, so that one that can is the first. */
		for (int unusable = 0; unusable < 2; unusable++)
			for (size_t n = 0; n < sizeof(all) / sizeof(all[0]); n++)
				if (all[n] && !all[n]->unusable() == !unusable &&
				    add_column(r, all[n], false) < 0)
					return -1;
		return 0;
	}
	while (next_word(&names, word, sizeof(word))) {
		const struct engine *e = NULL;

		for (size_t n = 0; n < sizeof(all) / sizeof(all[0]); n++)
			if (all[n] && strcmp(all[n]->name, word) == 0)
				e = all[n];
		if (!e)
			return complain("--engines: there is no engine '%s'; they are kvm, jit "
					"and interp",
					word);
		if (add_column(r, e, true) < 0)
			return -1;
	}
	return 0;
}

/* ---- the host ---- */

static void describe_host(struct bench_report *r)
{
	uint32_t brand[13] = {0}, max, b, c, d;
	const char *name = (const char *)brand;
	cpu_set_t set;

	r->cpus = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		r->cpus = (unsigned)CPU_COUNT(&set);
	__cpuid(0x80000000, max, b, c, d);
	for (uint32_t n = 0; max >= 0x80000004 && n < 3; n++)
		__cpuid(0x80000002 + n, brand[4 * n], brand[4 * n + 1], brand[4 * n + 2],
			brand[4 * n + 3]);
	name += strspn(name, " ");
	snprintf(r->host, sizeof(r->host), "%s", *name ? name : "unnamed processor");
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- the command ---- */

static int run(struct bench_report *r, const struct bench_options *o, FILE *html)
{
	double begin = seconds();

	describe_host(r);
	r->time_ms = o->time_ms;
	for (unsigned n = 0; n < r->nr; n++)
		if (!r->column[n].unusable)
			bench_run_column(r, &r->column[n], isatty(STDERR_FILENO));
	bench_compare(r);
	r->took_s = seconds() - begin;
	if (o->format == FORMAT_JSON)
		bench_print_json(r, stdout);
	else if (o->format == FORMAT_CSV)
		bench_print_csv(r, stdout);
	else
		bench_print(r, stdout);
	if (html)
		bench_print_html(r, html);
	if (html && fclose(html) != 0) {
		complain("cannot write %s: %s", o->html, strerror(errno));
		return 1;
	}
	return fflush(stdout) != 0 || bench_failures(r);
}

int bench_main(int argc, char **argv)
{
	struct bench_options o;
	struct bench_report *r;
	FILE *html = NULL;
	int status = 1;

	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		help();
		return 0;
	}
	if (parse(&o, argc, argv) < 0)
		return 1;
	if (o.list) {
		list();
		return 0;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return complain("out of memory") != 0;
	if (select_workloads(r, o.only) == 0 && select_engines(r, o.engines) == 0) {
		html = o.html ? fopen(o.html, "we") : NULL;
		if (o.html && !html)
			complain("cannot write %s: %s", o.html, strerror(errno));
		else
			status = run(r, &o, html);
	}
	free(r);
	return status;
}
