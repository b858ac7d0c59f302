/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The doctor's report for people and for programs, and the command.
 */
#include <cpuid.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "frontend/accel.h"
#include "frontend/doctor.h"
#include "frontend/json.h"

#define WIDTH    96
#define TEXT_COL 10

/* Breaks text between words at the width, with what follows a break at column TEXT_COL. */
static void wrap(const char *lead, const char *text, FILE *out)
{
	int col = fprintf(out, "%-*s", TEXT_COL, lead);

	while (*text) {
		size_t len = strcspn(text, " ");

		if (col > TEXT_COL && col + 1 + (int)len > WIDTH)
			col = fprintf(out, "\n%*s", TEXT_COL, "") - 1;
		else if (col > TEXT_COL)
			col += fprintf(out, " ");
		col += fprintf(out, "%.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	fprintf(out, "\n");
}

void doctor_print(const struct doctor_report *r, FILE *out)
{
	static const char *const marks[] = {
	    [FINDING_OK] = "  ok", [FINDING_NOTE] = "  note", [FINDING_PROBLEM] = "  PROBLEM"};
	const char *section = "";

	for (unsigned n = 0; n < r->nr; n++) {
		const struct finding *f = &r->finding[n];

		if (strcmp(f->section, section) != 0)
			fprintf(out, "%s%s\n", n ? "\n" : "", f->section);
		section = f->section;
		wrap(marks[f->level], f->text, out);
		/* The same for a row of findings once, after the last. */
		if (*f->remedy && !(n + 1 < r->nr && strcmp(f->remedy, f[1].remedy) == 0))
			wrap("       ->", f->remedy, out);
	}
	fprintf(out, "\n-accel auto takes %s", r->engine);
	if (*r->why) {
		fprintf(out, ", not kvm:\n");
		wrap("", r->why, out);
	} else {
		fprintf(out, "\n");
	}
	wrap("  speed", r->speed, out);
}

void doctor_print_json(const struct doctor_report *r, FILE *out)
{
	static const char *const levels[] = {
	    [FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_PROBLEM] = "problem"};

	fprintf(out, "{\n  ");
	json_field("engine", r->engine, ",\n  ", out);
	json_field("why_not_kvm", r->why, ",\n  ", out);
	json_field("speed", r->speed, ",\n  ", out);
	json_field("kvm", r->kvm, ",\n  ", out);
	fprintf(out, "\"findings\": [\n");
	for (unsigned n = 0; n < r->nr; n++) {
		const struct finding *f = &r->finding[n];

		fprintf(out, "    {");
		json_field("id", f->id, ", ", out);
		json_field("level", levels[f->level], ", ", out);
		json_field("text", f->text, ", ", out);
		json_field("remedy", f->remedy, n + 1 < r->nr ? "},\n" : "}\n", out);
	}
	fprintf(out, "  ]\n}\n");
}

/* ---- the command ---- */

static void host_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)opaque;
	__cpuid_count(leaf, subleaf, out->eax, out->ebx, out->ecx, out->edx);
}

int doctor_main(int argc, char **argv)
{
	struct doctor_input in = {.root = "", .cpuid = host_cpuid, .cpus = 1};
	struct doctor_report r;
	struct accel_host host = accel_host();
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	cpu_set_t set;

	if (argc > 1 && !json) {
		if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
			printf("usage: doppel doctor [--json]\n"
			       "What this host can accelerate, why not more, and what to do about "
			       "it.\n");
			return 0;
		}
		fprintf(stderr, "doppel: doctor takes --json and nothing else\n");
		return 1;
	}
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		in.cpus = (unsigned)CPU_COUNT(&set);
	in.kvm_engine = host.kvm;
	in.jit_why = host.jit->unusable();
	/* Not from the cache: who asks the doctor wants to know how it is now. */
	kvm_probe_run(&in.probe);
	doctor_examine(&in, &r);
	if (json)
		doctor_print_json(&r, stdout);
	else
		doctor_print(&r, stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
