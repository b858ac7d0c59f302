/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Backtraces, the frame that is looked at, and its variables.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/monitor/frames.h"
#include "frontend/monitor/list.h"
#include "frontend/monitor/print.h"

#define MAX_FRAMES 128u
#define MAX_INLINE 16u

static void print_frame(struct view *w, unsigned n, const struct frame *f)
{
	struct monitor_env *e = w->m->env;
	const uint64_t code = f->ip - f->call;
	char name[128], line[300];
	const char *inner, *file;
	int at;

	view_symbol(e, f->ip, f->call, name, sizeof(name));
	view_line(e, f->ip, f->call, line, sizeof(line));
	/* Functions that were put into it have no frame of their own. */
	for (unsigned k = 0; k < MAX_INLINE; k++) {
		if (!symbols_function(&e->symbols, code, k, &inner, &file, &at) || !at)
			break;
		out(w->o, "#%-2u 0x%016" PRIx64 " %s (inlined) at %s\n", n, f->ip, inner, line);
		snprintf(line, sizeof(line), "%s:%d", file ? file : "?", at);
	}
	out(w->o, "#%-2u 0x%016" PRIx64 " %s%s%s%s\n", n, f->ip, name,
	    f->user && !*name ? "(user)" : "", *line ? " at " : "", line);
}

void print_backtrace(struct view *w, struct frame *f)
{
	const struct unwind u = view_unwind(w);

	for (unsigned n = 0; n < MAX_FRAMES; n++) {
		print_frame(w, n, f);
		if (unwind_next(&u, f) < 0)
			return;
		if (f->regs)
			out(w->o, "    -- %s --\n", f->user ? "from user space" : "interrupted");
	}
	out(w->o, "    ... more than %u frames\n", MAX_FRAMES);
}

/* ---- the frame that is looked at ---- */

static bool at_rest(struct monitor *m, const struct out *o)
{
	if (debug_stopped(m->env->debugger))
		return true;
	out(o, "the guest runs: stop it first\n");
	return false;
}

static void select_frame(struct monitor *m, const struct out *o, unsigned n)
{
	struct frame f;
	struct view w;

	view_begin(&w, m, o);
	if (view_frame(&w, n, &f)) {
		m->frame = n;
		m->listed.line = 0;
		print_frame(&w, n, &f);
		list_line(&w, f.ip - f.call);
	} else {
		out(o, "there is no frame %u; bt shows them\n", n);
	}
	view_end(&w);
}

static void cmd_frame(struct monitor *m, const struct out *o, const struct arg *a)
{
	if (at_rest(m, o))
		select_frame(m, o, a[0].given ? (unsigned)strtoul(a[0].text, NULL, 0) : m->frame);
}

static void cmd_up(struct monitor *m, const struct out *o, const struct arg *a)
{
	if (at_rest(m, o))
		select_frame(m, o,
			     m->frame + (a[0].given ? (unsigned)strtoul(a[0].text, NULL, 0) : 1));
}

static void cmd_down(struct monitor *m, const struct out *o, const struct arg *a)
{
	unsigned n = a[0].given ? (unsigned)strtoul(a[0].text, NULL, 0) : 1;

	if (!at_rest(m, o))
		return;
	if (n > m->frame)
		out(o, "frame 0 is the innermost one\n");
	else
		select_frame(m, o, m->frame - n);
}

/* ---- variables ---- */

struct listing {
	struct view *w;
	unsigned nr;
};

static void show(void *opaque, const char *name, const struct value *v)
{
	struct listing *l = opaque;

	l->nr++;
	out(l->w->o, "%s = ", name);
	if (v)
		print_value(l->w, v);
	else
		out(l->w->o, "%s\n", l->w->env.err);
}

static void variables(struct monitor *m, const struct out *o, bool arguments)
{
	struct view w;
	struct listing l = {&w, 0};

	view_begin(&w, m, o);
	if (!symbols_locals(&m->env->symbols, &w.env, arguments, show, &l))
		out(o, "nothing describes the code here: symbol-file reads debug information\n");
	else if (!l.nr)
		out(o, arguments ? "no arguments\n" : "no variables\n");
	view_end(&w);
}

static void info_locals(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	variables(m, o, false);
}

static void info_args(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	variables(m, o, true);
}

/* ---- types ---- */

#define MAX_DEPTH 8u
#define MAX_LINES 2000u

/* A struct with its members' places; false: it is none. */
static bool print_struct(struct view *w, const struct types *t, uint32_t id, uint64_t at,
			 unsigned depth, unsigned *lines)
{
	const enum type_kind k = type_kind(t, id);
	struct type_member m;

	if (k != TYPE_STRUCT && k != TYPE_UNION)
		return false;
	out(w->o, "%s%s%s {\n", k == TYPE_STRUCT ? "struct" : "union", *type_name(t, id) ? " " : "",
	    type_name(t, id));
	for (unsigned n = 0; type_member(t, id, n, &m) && ++*lines < MAX_LINES; n++) {
		const uint32_t to = type_strip(t, m.type);
		char text[256];

		out(w->o, "%6" PRIu64 "%*s", at + m.bit_offset / 8, (int)depth * 4 + 4, "");
		/* One without a name is nowhere else described. */
		if (!*type_name(t, to) && depth < MAX_DEPTH &&
		    print_struct(w, t, to, at + m.bit_offset / 8, depth + 1, lines)) {
			out(w->o, "%s%s;\n", *m.name ? " " : "", m.name);
			continue;
		}
		type_declare(t, m.type, m.name, text, sizeof(text));
		out(w->o, "%s", text);
		if (m.bits)
			out(w->o, " : %u", m.bits);
		out(w->o, ";\n");
	}
	out(w->o, "%*s}", (int)depth * 4 + 6, "");
	return true;
}

static void print_type(struct view *w, struct expr_type t)
{
	struct expr_type bare = expr_strip(t);
	char text[256], stars[8] = "";
	unsigned lines = 0, n = 0;
	const char *name;
	int64_t value;

	/* What pointers point to is described as well. */
	while (bare.ptr && n < sizeof(stars) - 1) {
		stars[n++] = '*';
		bare.ptr--;
		bare = expr_strip(bare);
	}
	if (bare.of && !bare.ptr && print_struct(w, bare.of, bare.id, 0, 0, &lines)) {
		out(w->o, "%s%s\nsize %" PRIu64 "\n", n ? " " : "", stars, expr_size(bare));
		return;
	}
	expr_describe(t, text, sizeof(text));
	out(w->o, "%s", text);
	bare = expr_strip(t);
	if (bare.of && !bare.ptr && type_enumerator(bare.of, bare.id, 0, &name, &value)) {
		out(w->o, " {\n");
		for (n = 0; type_enumerator(bare.of, bare.id, n, &name, &value); n++)
			out(w->o, "    %s = %" PRId64 ",\n", name, value);
		out(w->o, "}");
	} else if (!bare.ptr && bare.id != t.id) {
		expr_describe(bare, text, sizeof(text));
		out(w->o, " = %s", text);
	}
	out(w->o, "\n");
}

static void cmd_ptype(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct expr_type t;
	struct value v;
	struct view w;

	view_begin(&w, m, o);
	if (expr_type_name(&w.env, a[0].text, &t) ||
	    (!*w.env.err && expr_eval(&w.env, a[0].text, &v) == 0 && (t = v.type, true)))
		print_type(&w, t);
	else
		out(o, "%s\n", w.env.err);
	view_end(&w);
}

const struct command frame_commands[] = {
    {"frame|f", "[N]", cmd_frame, "look at the variables and registers of this frame of bt",
     "frame 2"},
    {"up", "[N]", cmd_up, "the caller's frame", "up"},
    {"down", "[N]", cmd_down, "back from there", "down"},
    {"info locals", NULL, info_locals, "variables of the frame's function", "info locals"},
    {"info args", NULL, info_args, "its arguments", "info args"},
    {"ptype", "TYPE...", cmd_ptype,
     "what a type is, or that of an expression: members with offsets", "ptype struct list_head"},
    {0},
};
