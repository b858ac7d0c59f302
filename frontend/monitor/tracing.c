/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace, log and logfile; the words of QEMU's -d.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/monitor/command.h"
#include "frontend/monitor/trace.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"

struct word {
	const char *name;
	unsigned kinds;
};

/* clang-format off: a line each */
static const struct word kinds[] = {
    {"instructions", TRACE_INSTRUCTIONS},
    {"branches", TRACE_BRANCHES},
    {"calls", TRACE_CALLS},
    {"interrupts", TRACE_INTERRUPTS},
    {"exceptions", TRACE_EXCEPTIONS},
    {"pagefaults", TRACE_PAGEFAULTS},
    {"mmio", TRACE_MMIO},
    {"pio", TRACE_PIO},
    {"cr3", TRACE_CR3},
    {"cr", TRACE_CR},
    {"msr", TRACE_MSR},
    {"resets", TRACE_RESETS},
    {NULL, 0},
};

static const struct word items[] = {
    {"int", TRACE_INTERRUPTS | TRACE_EXCEPTIONS},
    {"exec", TRACE_BRANCHES},
    {"in_asm", TRACE_INSTRUCTIONS},
    {"mmu", TRACE_PAGEFAULTS},
    {"cpu_reset", TRACE_RESETS},
    {"guest_errors", 0},
    {"unimp", 0},
    {NULL, 0},
};
/* clang-format on */

const char trace_kind_help[] = "instructions, branches, calls, interrupts, exceptions, pagefaults, "
			       "mmio, pio, cr3, cr, msr or resets";
const char trace_log_help[] =
    "int (interrupts and exceptions), exec (branches taken), in_asm (instructions as they are "
    "executed), mmu (page faults), cpu_reset; nothing is reported for guest_errors and unimp";

static bool take(const struct word *table, const char **at, unsigned *found)
{
	*at += strspn(*at, ", ");
	while (**at) {
		size_t n = strcspn(*at, ", ");
		const struct word *w;

		for (w = table; w->name; w++)
			if (strlen(w->name) == n && strncmp(w->name, *at, n) == 0)
				break;
		if (!w->name)
			return false;
		*found |= w->kinds;
		*at += n;
		*at += strspn(*at, ", ");
	}
	return true;
}

bool trace_kinds(const char **word, unsigned *found)
{
	return take(kinds, word, found);
}

bool trace_log_items(const char **word, unsigned *found)
{
	return take(items, word, found);
}

bool trace_filter(struct trace_spec *s, const char *text)
{
	while (*text) {
		uint64_t a, b;
		char *end;
		char how;

		if (s->nr_ranges == TRACE_RANGES)
			return false;
		a = strtoull(text, &end, 0);
		how = *end;
		if (end == text || !how || !strchr("+-.", how) || (how == '.' && end[1] != '.'))
			return false;
		text = end + (how == '.' ? 2 : 1);
		b = strtoull(text, &end, 0);
		if (end == text || (*end && *end != ','))
			return false;
		text = end + (*end == ',');
		if (how == '+')
			b = a + b - 1;
		if (how == '-') {
			uint64_t size = b;

			b = a;
			a = a - size + 1;
		}
		s->range[s->nr_ranges].first = a;
		s->range[s->nr_ranges++].last = b;
	}
	return s->nr_ranges > 0;
}

static void end_trace(struct monitor *m)
{
	struct trace *t = m->env->trace;

	m->env->trace = NULL;
	trace_free(t);
}

static void start(struct monitor *m, const struct out *o, const struct trace_spec *spec)
{
	char err[300];

	end_trace(m);
	if (trace_start(&m->env->trace, m->env, spec, err, sizeof(err)) < 0)
		out(o, "%s\n", err);
}

/* "A..B", or a function's name. */
static bool add_range(struct monitor *m, const struct out *o, struct trace_spec *s, char *text)
{
	char *to = strstr(text, "..");
	struct linux_guest *g;
	bool ok = false;
	struct view w;

	view_begin(&w, m, o);
	g = w.linux_guest;
	if (s->nr_ranges == TRACE_RANGES) {
		out(o, "at most %d ranges\n", TRACE_RANGES);
	} else if (to) {
		*to = 0;
		ok = view_number(&w, text, &s->range[s->nr_ranges].first) &&
		     view_number(&w, to + 2, &s->range[s->nr_ranges].last);
	} else {
		const struct symbol *f = g ? symtab_find(&g->symbols, text) : NULL;
		const struct symbol *after = f;
		uint64_t size = f ? f->size : 0;

		while (f && !size && ++after < g->symbols.by_addr + g->symbols.nr)
			size = after->addr - f->addr;
		ok = size != 0;
		if (ok) {
			s->range[s->nr_ranges].first = f->addr;
			s->range[s->nr_ranges].last = f->addr + size - 1;
		} else {
			out(o, "%s is neither A..B nor a function of a kernel\n", text);
		}
	}
	view_end(&w);
	s->nr_ranges += ok;
	return ok;
}

/* One word of a trace's settings with its value. */
static bool set_option(struct monitor *m, const struct out *o, struct trace_spec *s,
		       const char *name, char *value)
{
	char *end;

	if (strcmp(name, "file") == 0) {
		s->path = value;
		return true;
	}
	if (strcmp(name, "range") == 0)
		return add_range(m, o, s, value);
	if (strcmp(name, "cpu") == 0) {
		unsigned long cpu = strtoul(value, &end, 0);

		s->cpu = (int)cpu;
		if (!*end && end != value && cpu < m->pc->cpus)
			return true;
		out(o, "there is no CPU#%s\n", value);
		return false;
	}
	s->limit = strtoull(value, &end, 0);
	if (!*end && s->limit)
		return true;
	out(o, "limit %s is no number of lines\n", value);
	return false;
}

static bool is_option(const char *word)
{
	return strcmp(word, "file") == 0 || strcmp(word, "range") == 0 ||
	       strcmp(word, "cpu") == 0 || strcmp(word, "limit") == 0;
}

static void cmd_trace(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct trace_spec s = {.cpu = -1, .limit = TRACE_LIMIT};
	char line[MONITOR_MAX_LINE], *save = NULL, *word, *value, *cond;

	snprintf(line, sizeof(line), " %s", a[0].text);
	cond = strstr(line, " if ");
	if (cond) {
		snprintf(s.condition, sizeof(s.condition), "%s", cond + 4);
		*cond = 0;
	}
	for (word = strtok_r(line, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		const char *at = word;

		if (strcmp(word, "off") == 0) {
			end_trace(m);
			return;
		}
		if (!is_option(word)) {
			if (trace_kinds(&at, &s.kinds))
				continue;
			out(o, "%s cannot be traced; there is %s\n", word, trace_kind_help);
			return;
		}
		value = strtok_r(NULL, " ", &save);
		if (!value) {
			out(o, "%s needs a value\n", word);
			return;
		}
		if (!set_option(m, o, &s, word, value))
			return;
	}
	if (s.kinds)
		start(m, o, &s);
	else
		out(o, "what? There is %s\n", trace_kind_help);
}

static void info_trace(struct monitor *m, const struct out *o, const struct arg *a)
{
	char text[1400] = "nothing is traced\n";

	(void)a;
	if (m->env->trace)
		trace_describe(m->env->trace, text, sizeof(text));
	out(o, "%s", text);
}

static void cmd_log(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct trace_spec s = {.cpu = -1, .limit = TRACE_LIMIT};
	const char *at = a[0].text;

	s.path = m->env->log_file ? m->env->log_file : "-";
	if (strcmp(at, "none") == 0)
		end_trace(m);
	else if (!trace_log_items(&at, &s.kinds))
		out(o, "there is no item %s; there are %s, and none\n", at, trace_log_help);
	else if (s.kinds)
		start(m, o, &s);
}

static void cmd_logfile(struct monitor *m, const struct out *o, const struct arg *a)
{
	char *path = strdup(a[0].text);

	if (!path) {
		out(o, "out of memory\n");
		return;
	}
	free(m->env->log_file);
	m->env->log_file = path;
}

const struct command trace_commands[] = {
    {"trace", "WHAT...", cmd_trace,
     "a line for each instructions, branches, calls, interrupts, exceptions, pagefaults, mmio, "
     "pio, "
     "cr3, cr, msr, resets; [file PATH] [range A..B|FUNCTION] [cpu N] [limit N] [if EXPR]; off",
     "trace calls,exceptions file /tmp/calls range 0xffffffff81000000..0xffffffff82000000"},
    {"info trace", NULL, info_trace, "what is being traced", "info trace"},
    {"log", "ITEMS", cmd_log, "the same by QEMU's items: int, exec, in_asm, mmu, cpu_reset; none",
     "log int,cpu_reset"},
    {"logfile", "FILE", cmd_logfile, "where the next log goes", "logfile /tmp/log"},
    {0},
};
