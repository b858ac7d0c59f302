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
#include <unistd.h>

#include "accel/engine.h"
#include "frontend/accel.h"
#include "frontend/bench_guest.h"
#include "frontend/options.h"
#include "hw/clock.h"

#define DEFAULT_MS 300
#define LEAST_MS   1
#define MOST_MS    60000

#define DEFAULT_TIMEOUT_S 300
#define MOST_TIMEOUT_S    86400
#define MOST_REPEATS      100

enum bench_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

struct bench_options {
	const char *engines, *only, *html, *map;
	unsigned time_ms;
	enum bench_format format;
	bool list, time;
	bool is_guest; /* of the user's */
	struct guest_options guest;
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
	    "  --list           the workloads, and what each isolates\n\n"
	    "       doppel bench -kernel FILE [-initrd FILE] [-append TEXT] [...] [options]\n"
	    "The time that a guest of yours takes, what made it leave guest code, and where it "
	    "was. All options\n"
	    "of doppel but -accel, and of those above --engines, --json, --csv, --html and:\n\n"
	    "  --marker TEXT    until its console says so (default: until it ends)\n"
	    "  --timeout S      for each engine (default %d)\n"
	    "  --repeat N       the fastest run of N (default 1)\n"
	    "  --map FILE       System.map, to name places in the kernel\n",
	    DEFAULT_MS, DEFAULT_TIMEOUT_S);
}

static void list(void)
{
	for (unsigned id = 0; id < BENCH_WORKLOADS; id++)
		printf("%-10s %-9s %s\n", bench_workloads[id].name, bench_workloads[id].unit,
		       bench_workloads[id].text);
}

/* ---- options ---- */

static int parse_number(const char *option, const char *s, unsigned most, const char *what,
			unsigned *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || v < 1 || v > most)
		return complain("%s %s: it is a number of %s from 1 to %u", option, s, what, most);
	*out = (unsigned)v;
	return 0;
}

/* An option of ours with an argument; 1: it is none. */
static int parse_value(struct bench_options *o, const char *a, const char *value)
{
	static const char *const guest[] = {"--marker", "--timeout", "--repeat", "--map"};
	const char **to = strcmp(a, "--engines") == 0  ? &o->engines
			  : strcmp(a, "--only") == 0   ? &o->only
			  : strcmp(a, "--html") == 0   ? &o->html
			  : strcmp(a, "--map") == 0    ? &o->map
			  : strcmp(a, "--marker") == 0 ? &o->guest.marker
						       : NULL;

	for (size_t n = 0; n < sizeof(guest) / sizeof(guest[0]); n++)
		o->is_guest |= strcmp(a, guest[n]) == 0;
	if (!to && strcmp(a, "--time") && strcmp(a, "--timeout") && strcmp(a, "--repeat"))
		return 1;
	if (!value)
		return complain("%s needs an argument", a);
	if (to) {
		*to = value;
		return *value || to == &o->engines || to == &o->only
			   ? 0
			   : complain("%s needs an argument", a);
	}
	if (strcmp(a, "--timeout") == 0)
		return parse_number(a, value, MOST_TIMEOUT_S, "seconds", &o->guest.timeout_s);
	if (strcmp(a, "--repeat") == 0)
		return parse_number(a, value, MOST_REPEATS, "runs", &o->guest.repeat);
	o->time = true;
	return parse_number(a, value, MOST_MS, "milliseconds", &o->time_ms);
}

static int parse_flag(struct bench_options *o, const char *a)
{
	static const char *const names[] = {"--engines", "--only",   "--time", "--json",
					    "--csv",     "--html",   "--list", "--marker",
					    "--timeout", "--repeat", "--map",  NULL};
	const char *near;

	if (strcmp(a, "--json") == 0 || strcmp(a, "--csv") == 0) {
		if (o->format != FORMAT_TEXT)
			return complain("one of --json and --csv, once");
		o->format = a[2] == 'j' ? FORMAT_JSON : FORMAT_CSV;
		return 0;
	}
	if (strcmp(a, "--list") == 0) {
		o->list = true;
		return 0;
	}
	near = nearest_name(a, names);
	return near ? complain("%s is not known; did you mean %s?", a, near)
		    : complain("%s is not known; 'doppel bench --help' lists its options", a);
}

/* What begins with one dash, and its argument, is doppel's. argv has room for all. */
static int parse(struct bench_options *o, int argc, char **argv)
{
	*o = (struct bench_options){.time_ms = DEFAULT_MS,
				    .guest = {.timeout_s = DEFAULT_TIMEOUT_S, .repeat = 1}};
	o->guest.argv = calloc((size_t)argc + 1, sizeof(*argv));
	if (!o->guest.argv)
		return complain("out of memory");
	o->guest.argv[o->guest.argc++] = "doppel";
	for (int n = 1; n < argc; n++) {
		char *a = argv[n];
		int r = parse_value(o, a, argv[n + 1]);

		if (r < 0)
			return r;
		n += r == 0;
		if (r == 0)
			continue;
		if (a[0] == '-' && a[1] == '-') {
			if (parse_flag(o, a) < 0)
				return -1;
			continue;
		}
		o->is_guest |= a[0] == '-';
		o->guest.argv[o->guest.argc++] = a;
		if (options_arguments(a) == 1 && n + 1 < argc)
			o->guest.argv[o->guest.argc++] = argv[++n];
	}
	if (!o->is_guest && o->guest.argc > 1)
		return complain("%s is not known; 'doppel bench --help' lists its options",
				o->guest.argv[1]);
	return 0;
}

/* What can be said about the guest's options before any engine runs it. */
static int check_guest(const struct bench_options *o)
{
	struct options *opt = calloc(1, sizeof(*opt));
	char err[1024];
	int r = -1;

	if (!opt)
		return complain("out of memory");
	if (o->only || o->time || o->list)
		complain("%s is for the built-in workloads, not for a guest of yours",
			 o->only   ? "--only"
			 : o->time ? "--time"
				   : "--list");
	else if (options_parse(opt, o->guest.argc, o->guest.argv, err, sizeof(err)) < 0)
		complain("%s", err);
	else if (opt->action != ACT_RUN)
		complain("%s: help is doppel's own, without bench",
			 o->guest.argv[o->guest.argc - 1]);
	else if (strcmp(opt->accel, "auto") != 0)
		complain("engines are chosen by --engines, not by -accel");
	else
		r = 0;
	free(opt);
	return r;
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

static void describe_host(char *host, size_t len, unsigned *cpus)
{
	uint32_t brand[13] = {0}, max, b, c, d;
	const char *name = (const char *)brand;
	cpu_set_t set;

	*cpus = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		*cpus = (unsigned)CPU_COUNT(&set);
	__cpuid(0x80000000, max, b, c, d);
	for (uint32_t n = 0; max >= 0x80000004 && n < 3; n++)
		__cpuid(0x80000002 + n, brand[4 * n], brand[4 * n + 1], brand[4 * n + 2],
			brand[4 * n + 3]);
	name += strspn(name, " ");
	snprintf(host, len, "%s", *name ? name : "unnamed processor");
}

static double seconds(void)
{
	return (double)clock_host_ns() / 1e9;
}

/* ---- the command ---- */

static int close_html(FILE *html, const char *name)
{
	if (html && fclose(html) != 0) {
		complain("cannot write %s: %s", name, strerror(errno));
		return 1;
	}
	return fflush(stdout) != 0;
}

static int run_workloads(struct bench_report *r, const struct bench_options *o, FILE *html)
{
	double begin = seconds();

	describe_host(r->host, sizeof(r->host), &r->cpus);
	r->time_ms = o->time_ms;
	bench_measure(r, isatty(STDERR_FILENO));
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
	return close_html(html, o->html) || bench_failures(r);
}

/* On each engine of the workloads' report. */
static int run_guest(const struct bench_report *engines, const struct bench_options *o, FILE *html,
		     struct symbols *symbols)
{
	struct guest_report r = {.opt = &o->guest, .symbols = symbols};
	int failed = 0;

	describe_host(r.host, sizeof(r.host), &r.cpus);
	for (unsigned n = 1; n < engines->nr; n++) {
		struct guest_result *x = &r.result[r.nr++];

		x->engine = engines->column[n].name;
		x->unusable = engines->column[n].unusable;
		if (x->unusable)
			continue;
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r%s ... ", x->engine);
		guest_run(&o->guest, x);
		/* What no engine can run is no result. */
		if (*x->why && (!x->watch || !x->watch->started_ns)) {
			complain("%s", x->why);
			return 1;
		}
		failed |= *x->why != 0;
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%20s\r", "");
	if (o->format == FORMAT_JSON)
		guest_print_json(&r, stdout);
	else if (o->format == FORMAT_CSV)
		guest_print_csv(&r, stdout);
	else
		guest_print(&r, stdout);
	if (html)
		guest_print_html(&r, html);
	return close_html(html, o->html) || failed;
}

static int load_map(struct symbols **symbols, const char *path)
{
	int err = path ? symbols_load(symbols, path) : 0;

	if (err < 0)
		complain("--map %s: %s", path,
			 err == -EINVAL ? "it holds no symbols of code" : strerror(-err));
	return err;
}

static int run_all(struct bench_report *r, const struct bench_options *o)
{
	struct symbols *symbols = NULL;
	FILE *html = NULL;
	int status = 1;

	if ((o->is_guest && check_guest(o) < 0) || select_workloads(r, o->only) < 0 ||
	    select_engines(r, o->engines) < 0 || load_map(&symbols, o->map) < 0)
		return 1;
	html = o->html ? fopen(o->html, "we") : NULL;
	if (o->html && !html)
		complain("cannot write %s: %s", o->html, strerror(errno));
	else if (o->is_guest)
		status = run_guest(r, o, html, symbols);
	else
		status = run_workloads(r, o, html);
	symbols_free(symbols);
	return status;
}

int bench_main(int argc, char **argv, run_fn *run)
{
	struct bench_options o = {0};
	struct bench_report *r;
	int status = 1;

	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		help();
		return 0;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		complain("out of memory");
	} else if (parse(&o, argc, argv) == 0) {
		o.guest.run = run;
		if (o.list && !o.is_guest) {
			list();
			status = fflush(stdout) != 0;
		} else {
			status = run_all(r, &o);
		}
	}
	free(o.guest.argv);
	free(r);
	return status;
}
